//! What RosterBridge tells about its own work: logs, support bundles, numbers. None of it holds a secret or a name.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener},
    path::Path,
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{District, Profile, files_below};

/// A name that nobody in the practice district has, and no word of ours.
const MARKER: &str = "Quillfeather";

/// Adds a tardy that is held: its student is unknown, and its comment names one.
fn add_held_tardy(district: &District) {
    let path = district.tardies();
    let text = fs::read_to_string(&path).unwrap();
    let row = text.lines().nth(1).unwrap();
    let mut fields: Vec<&str> = row.split(',').take(4).collect();
    fields[1] = "999999999";
    let mut file = fs::OpenOptions::new().append(true).open(&path).unwrap();
    writeln!(file, "{},brought by {MARKER}", fields.join(",")).unwrap();
}

/// A run with held rows, one whose first answers fail, and one that fails as a whole.
fn eventful(district: &District, profile: &Profile, log: &str) {
    let sync = |exit: i32, code: &str| {
        let output = profile.command(&["sync"]).env("ROSTERBRIDGE_LOG", log).output().unwrap();
        assert_eq!(output.status.code(), Some(exit), "{}", String::from_utf8_lossy(&output.stdout));
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(document["code"], code);
    };
    add_held_tardy(district);
    sync(3, "sync.held_rows");
    district.faults(&json!({"fail_next": {"n": 2, "status": 503}, "page_limit": 50}));
    sync(0, "sync.held_rows");
    district.faults(&json!({"maintenance": "html"}));
    sync(1, "powerschool.maintenance");
    district.faults(&json!({}));
}

/// Every name of a student, a guardian or a teacher in the practice district, and the marker.
///
/// Not names of one letter: a fingerprint or a path made at random may hold any letter as a word.
fn names(district: &District) -> BTreeSet<String> {
    let database = district.database();
    let mut names = BTreeSet::from([MARKER.to_owned()]);
    for query in ["SELECT First_Name, Last_Name FROM Students", "SELECT First_Name, Last_Name FROM Teachers"]
    {
        let mut statement = database.prepare(query).unwrap();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            names.extend([row.get::<_, String>(0).unwrap(), row.get(1).unwrap()]);
        }
    }
    names.retain(|name| name.chars().count() > 1);
    assert!(names.len() > 20, "{names:?}");
    names
}

/// The words in the names of schools, which are called after somebody.
fn words_of_schools(district: &District) -> BTreeSet<String> {
    let database = district.database();
    let mut statement = database.prepare("SELECT Name FROM Schools").unwrap();
    let names = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    names.flat_map(|name| name.unwrap().split(' ').map(str::to_owned).collect::<Vec<_>>()).collect()
}

/// Names that stand in a text as words. What is made at random mixes letters with digits.
fn told<'a>(text: &'a str, names: &BTreeSet<String>) -> Vec<&'a str> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| names.contains(*word)).collect()
}

#[track_caller]
fn holds_no_secret(district: &District, text: &str) {
    let ready = &district.ready;
    let basic = BASE64_STANDARD
        .encode(format!("{}:{}", ready.powerschool.client_id, ready.powerschool.client_secret));
    for secret in [&*ready.powerschool.client_secret, &*ready.hero.password, &*basic, "Bearer "] {
        assert!(!text.contains(secret), "a secret is in {}", &text[..text.len().min(80)]);
    }
}

/// Every line of a profile's log, in order.
fn log(profile: &Profile) -> (String, Vec<Value>) {
    let mut files = files_below(&profile.home().join("profiles/practice/logs"));
    files.sort();
    let text: String = files.iter().map(|file| fs::read_to_string(file).unwrap()).collect();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (text, lines)
}

#[rstest]
#[case::all_there_is("trace")]
#[case::ours("rosterbridge=trace")]
fn the_log_tells_each_run_and_names_nobody(#[case] level: &str) {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    eventful(&district, &profile, level);
    let (text, lines) = log(&profile);

    let runs = profile.run(&["runs"]).done();
    let runs = runs.data()["runs"].as_array().unwrap().clone();
    assert_eq!(runs.len(), 3);
    for run in &runs {
        let of_run = |line: &&Value| line["run"] == run["run"];
        let start =
            lines.iter().position(|line| of_run(&line) && line["message"] == "the run starts").unwrap();
        let end =
            lines.iter().position(|line| of_run(&line) && line["message"] == "the run has ended").unwrap();
        for line in &lines[start..=end] {
            assert_eq!(line["run"], run["run"], "a line of a run without its id: {line}");
        }
        assert_eq!(lines[end]["fields"]["outcome"], run["outcome"]);
        let ended: Vec<&Value> = lines[start..end]
            .iter()
            .filter(|line| line["message"] == "the job has ended")
            .map(|line| &line["job"])
            .collect();
        let jobs: Vec<&Value> = run["jobs"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|job| job["outcome"] != "skipped")
            .map(|job| &job["job"])
            .collect();
        assert_eq!(ended, jobs);
    }
    let again = lines.iter().find(|line| line["message"] == "asking PowerSchool again");
    assert!(again.is_some_and(|line| line["run"] == runs[1]["run"]), "{text}");
    // Its mails go out when it has ended; that Raptor was switched on with the set-up was before any run.
    let (first, last) = (&runs[2]["run"], &runs[0]["run"]);
    let status = json!("status_changed");
    assert_eq!(
        mails(&lines),
        [
            ("a mail was sent", &Value::Null, &status),
            ("a mail was sent", first, &status),
            ("a mail was sent", first, &status),
            ("a mail was sent", first, &json!("digest")),
            ("a mail was sent", last, &json!("failed")),
        ]
    );
    let outside: Vec<&Value> =
        lines.iter().filter(|line| !line["run"].is_string()).map(|line| &line["message"]).collect();
    assert_eq!(outside, ["Raptor's status", "a mail was sent"], "lines that belong to nothing");
    for line in &lines {
        assert!(line["target"].as_str().unwrap().starts_with("rosterbridge"), "{line}");
        assert!(line["at"].is_string() && line["level"].is_string() && line["message"].is_string(), "{line}");
    }

    holds_no_secret(&district, &text);
    assert_eq!(told(&text, &names(&district)), Vec::<&str>::new());
}

/// What the log says of mails: the message, the run and the kind of notice.
fn mails(lines: &[Value]) -> Vec<(&str, &Value, &Value)> {
    lines
        .iter()
        .filter(|line| line["target"] == "rosterbridge_engine::notices::sending")
        .map(|line| (line["message"].as_str().unwrap(), &line["run"], &line["fields"]["kind"]))
        .collect()
}

#[test]
fn a_mail_that_waits_for_another_process_stays_its_runs() {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    let before = log(&profile).1.len();
    let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let setup = profile.setup();
    profile.change_setup(|setup| {
        setup["connections"][0]["port"] = json!(closed);
        setup["mail"]["port"] = json!(closed);
    });
    let failed = profile.run(&["sync", "hero-students"]);
    profile.change_setup(|changed| changed["mail"]["port"] = setup["mail"]["port"].clone());
    let later = profile.run(&["sync", "raptor-roster"]).done();
    let lines = log(&profile).1.split_off(before);
    let (failed, later) = (&failed.data()["run"], &later.data()["run"]);
    assert!(failed.is_string(), "{failed}");
    let (status, failure) = (json!("status_changed"), json!("failed"));
    assert_eq!(
        mails(&lines),
        [
            ("a mail was not sent", failed, &failure),
            ("a mail was sent", later, &status),
            ("a mail was sent", later, &status),
            ("a mail was sent", failed, &failure),
        ]
    );
}

#[cfg(unix)]
#[test]
fn the_log_is_its_owners_only() {
    use std::os::unix::fs::PermissionsExt;

    let profile = Profile::fresh();
    let folder = profile.home().join("profiles/practice/logs");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    let files = files_below(&folder);
    assert!(!files.is_empty());
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

/// A bundle's files.
fn unpacked(path: &Path) -> BTreeMap<String, String> {
    let mut zip = zip::ZipArchive::new(File::open(path).unwrap()).unwrap();
    let mut files = BTreeMap::new();
    for index in 0..zip.len() {
        let mut file = zip.by_index(index).unwrap();
        let name = file.name().unwrap().into_owned();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        files.insert(name, text);
    }
    files
}

fn parsed(files: &BTreeMap<String, String>, name: &str) -> Value {
    serde_json::from_str(&files[name]).unwrap()
}

#[test]
fn a_support_bundle_tells_what_happened_and_neither_secrets_nor_names() {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    profile.run(&["test", "powerschool"]).done();
    eventful(&district, &profile, "info");
    profile.change_setup(|setup| setup["mail"]["to"] = json!(["office@district.example"]));
    let path = profile.home().join("bundle.zip");
    let written = profile.run(&["support-bundle", path.to_str().unwrap()]).done();

    let files = unpacked(&path);
    let contents: Vec<&str> = files.keys().map(String::as_str).collect();
    let mut told_contents: Vec<&str> =
        written.data()["contents"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    told_contents.sort_unstable();
    assert_eq!(told_contents, contents);
    assert!(contents.iter().any(|name| name.starts_with("logs/")), "{contents:?}");
    assert_eq!(written.data()["bytes"], fs::metadata(&path).unwrap().len());

    let about = parsed(&files, "about.json");
    assert_eq!(about["rosterbridge"], env!("CARGO_PKG_VERSION"));
    for version in ["system", "architecture", "sqlcipher", "sqlite", "build"] {
        assert!(about[version].as_str().is_some_and(|version| !version.is_empty()), "{version}: {about}");
    }
    let runs = parsed(&files, "runs.json");
    let outcomes: Vec<&Value> = runs.as_array().unwrap().iter().map(|run| &run["outcome"]).collect();
    assert_eq!(outcomes, ["failed", "succeeded_with_held_rows", "succeeded_with_held_rows"]);
    assert_eq!(runs[0]["cause"]["code"], "powerschool.maintenance");
    assert_eq!(parsed(&files, "held-rows.json"), json!([{"reason": "held.unknown_student", "rows": 1}]));
    let confirmed: u64 = parsed(&files, "outbox.json")
        .as_array()
        .unwrap()
        .iter()
        .filter(|count| count["state"] == "confirmed")
        .map(|count| count["writes"].as_u64().unwrap())
        .sum();
    assert_eq!(confirmed, district.audit().len() as u64);
    let certificates = parsed(&files, "certificates.json");
    let accepted = &certificates["accepted_host_keys"]["hero"][0]["sha256"];
    assert_eq!(*accepted, district.ready.hero.host_key_sha256.as_str());
    assert_eq!(certificates["trusted_besides_the_systems"].as_array().unwrap().len(), 1);
    assert!(files["powerschool-test.txt"].contains("PowerSchool"));
    assert!(
        parsed(&files, "secrets.json")
            .as_array()
            .unwrap()
            .contains(&json!({"name": "hero.password", "set": true}))
    );
    let setup = parsed(&files, "setup.json");
    assert_eq!(setup["powerschool"]["client_id"], district.ready.powerschool.client_id.as_str());
    assert_eq!(setup["mail"]["to"], json!(["…@district.example"]));
    assert_eq!(setup["connections"][0]["username"], "…");
    assert!(parsed(&files, "metrics.json")["rows"]["written"].as_u64().unwrap() > 0);

    // Set-up and files name schools.
    let names = &names(&district) - &words_of_schools(&district);
    for (name, text) in &files {
        holds_no_secret(&district, text);
        assert_eq!(told(text, &names), Vec::<&str>::new(), "{name}");
    }
}

#[test]
fn a_support_bundle_replaces_nothing_unasked() {
    let profile = Profile::fresh();
    let path = profile.home().join("bundle.zip");
    fs::write(&path, "mine").unwrap();
    let arguments = ["support-bundle", path.to_str().unwrap()];
    profile.run(&arguments).ended(1, "file.exists");
    assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    profile.run(&[arguments.as_slice(), &["--force"]].concat()).done();
    assert!(unpacked(&path).contains_key("about.json"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    profile.run(&["support-bundle", "/no/such/folder/bundle.zip"]).ended(1, "file.unusable");

    // Only whole bundles and what was there before.
    let beside: Vec<_> =
        fs::read_dir(profile.home()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(beside.len(), 2, "{beside:?}");
}

/// The process that is at work writes the bundle, into the folder of the one that asked.
#[test]
fn a_support_bundle_can_be_had_while_a_run_is_under_way() {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    district.faults(&json!({"latency_ms": 250}));
    let (running, _progress) = profile.under_way(&["sync"]);
    let status = profile.run(&["status"]).done();
    let run = status.data()["running"].as_str().unwrap().to_owned();
    let folder = tempfile::tempdir().unwrap();
    let output =
        profile.command(&["support-bundle", "bundle.zip"]).current_dir(folder.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let files = unpacked(&folder.path().join("bundle.zip"));
    let runs = parsed(&files, "runs.json");
    assert_eq!(runs[0]["run"], run.as_str());
    let holder = parsed(&files, "metrics.json")["holder"]["pid"].clone();
    assert_eq!(holder, running.id());
    district.faults(&json!({}));
    profile.finish(running).done();
}

/// When the profile can't even be opened, its bundle says why and holds the logs.
#[test]
fn a_support_bundle_of_a_profile_that_cannot_be_opened_says_why() {
    let profile = Profile::fresh();
    fs::write(profile.home().join("profiles/practice/profile.json"), "{").unwrap();
    profile.run(&["status"]).ended(1, "profile.damaged");
    let path = profile.home().join("bundle.zip");
    let written = profile.run(&["support-bundle", path.to_str().unwrap()]).done();
    assert_eq!(written.data()["not_opened"]["code"], "profile.damaged");
    let files = unpacked(&path);
    assert_eq!(parsed(&files, "about.json")["not_opened"]["code"], "profile.damaged");
    assert!(files.keys().any(|name| name.starts_with("logs/")), "{:?}", files.keys());
    assert!(!files.contains_key("setup.json"));
}

#[test]
fn status_tells_the_numbers_of_the_profile() {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    let before = profile.run(&["status"]).done();
    let empty = &before.data()["metrics"];
    assert_eq!((&empty["runs"], &empty["phases"]), (&json!({}), &json!([])));

    profile.run(&["sync", "--dry-run"]).done();
    let sync = profile.run(&["sync"]).done();
    let status = profile.run(&["status"]).done();
    let metrics = &status.data()["metrics"];
    assert_eq!(metrics["runs"], json!({"succeeded": 1}));
    for kind in ["read", "written", "noop", "held", "rejected"] {
        let rows: u64 = sync.data()["jobs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|job| job["rows"][kind].as_u64().unwrap())
            .sum();
        assert_eq!(metrics["rows"][kind], rows, "{kind}");
    }
    let phases: Vec<&str> =
        metrics["phases"].as_array().unwrap().iter().map(|phase| phase["phase"].as_str().unwrap()).collect();
    assert_eq!(
        phases,
        [
            "pull",
            "hero-students",
            "hero-schedule",
            "hero-teachers",
            "hero-attendance",
            "raptor-roster",
            "raptor-tardies"
        ]
    );
    assert_eq!(metrics["outbox"], json!({"decided": 0, "sending": 0, "unknown": 0}));
    let closed = |remote| json!({"remote": remote, "account": 1, "state": "closed", "misses": 0});
    assert_eq!(metrics["circuits"], json!(["powerschool", "hero", "raptor"].map(closed)));
    assert_eq!(metrics["held"], 0);
    for size in ["ledger", "roster", "logs"] {
        assert!(metrics["sizes"][size].as_u64().unwrap() > 0, "{size}: {metrics}");
    }
    assert_eq!(metrics["holder"]["version"], env!("CARGO_PKG_VERSION"));
    assert!(metrics["holder"]["uptime_seconds"].is_u64());
}
