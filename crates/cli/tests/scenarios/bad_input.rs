//! Wrong addresses, credentials and servers: each with its own code and a way out, and nothing lost.

use std::fs;

use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{District, EXPORTS, Profile, files_in};

/// What is wrong with PowerSchool.
#[derive(Clone, Debug)]
enum Wrong {
    Secret,
    Url(&'static str),
    Authority,
    Server(Value),
}

#[rstest]
#[case::secret(Wrong::Secret, "powerschool.bad_credentials", "Client Secret")]
#[case::http(Wrong::Url("http://sis.example.org"), "powerschool.http_refused", "https://")]
#[case::no_such_name(Wrong::Url("https://powerschool.district.invalid"), "powerschool.dns", "address")]
#[case::nobody_listens(Wrong::Url("https://127.0.0.1:1"), "powerschool.unreachable", "")]
#[case::not_an_address(Wrong::Url("https://sis example org"), "powerschool.bad_url", "address")]
#[case::authority(Wrong::Authority, "powerschool.unknown_authority", "certificate")]
#[case::maintenance_redirect(Wrong::Server(json!({"maintenance": "redirect"})), "powerschool.maintenance", "")]
#[case::maintenance_page(Wrong::Server(json!({"maintenance": "html"})), "powerschool.maintenance", "")]
#[case::too_old(Wrong::Server(json!({"version": "8.3.0"})), "powerschool.too_old", "9.0")]
#[case::revoked(Wrong::Server(json!({"revoked_credentials": true})), "powerschool.credentials_replaced", "Enable")]
#[case::access(Wrong::Server(json!({"missing_access": ["Terms.YearID"]})), "powerschool.no_access", "plugin")]
fn powerschool_can_not_be_used(#[case] wrong: Wrong, #[case] code: &str, #[case] remedy_names: &str) {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    let before = profile.setup();
    match &wrong {
        Wrong::Secret => {
            profile.set_secret("powerschool.client-secret", "0a4e4a0c-57a8-4a25-b79f-1f4b9c3c5b00");
        }
        Wrong::Url(url) => profile.change_setup(|setup| setup["powerschool"]["url"] = (*url).into()),
        Wrong::Authority => profile.change_setup(|setup| setup["powerschool"]["extra_roots"] = json!([])),
        Wrong::Server(faults) => district.faults(faults),
    }

    let test = profile.run(&["test", "powerschool"]).ended(1, code);
    assert_eq!(test.data()["passed"], false);
    let sync = profile.run(&["sync"]).ended(1, code);
    let remedy = sync.document["remedy"].as_str().unwrap();
    assert!(remedy.to_lowercase().contains(&remedy_names.to_lowercase()), "{remedy}");
    assert_eq!(sync.data()["outcome"], "failed");
    assert!(sync.data()["jobs"].as_array().unwrap().iter().all(|job| job["outcome"] == "skipped"));
    assert_eq!(profile.run(&["runs"]).done().data()["runs"][0]["cause"]["code"], code);
    district.is_untouched();

    match wrong {
        Wrong::Secret => {
            profile.set_secret("powerschool.client-secret", &district.ready.powerschool.client_secret);
        }
        Wrong::Url(_) | Wrong::Authority => profile.change_setup(|setup| *setup = before),
        Wrong::Server(_) => district.faults(&json!({})),
    }
    profile.run(&["sync"]).done();
    district.holds_each_once(&district.day(&profile.setup()));
}

/// What people paste from the browser's address bar is understood.
#[rstest]
#[case::page("/admin/home.html?dcid=1")]
#[case::slash("/")]
fn an_address_with_a_page_behind_it_works(#[case] page: &str) {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    let url = format!(" {}{page} ", district.ready.powerschool.url);
    profile.change_setup(|setup| setup["powerschool"]["url"] = url.into());
    assert_eq!(profile.run(&["status"]).done().data()["practice"], true, "it is the same server");
    profile.run(&["test", "powerschool"]).done();
    profile.run(&["sync"]).done();
    district.holds_each_once(&district.day(&profile.setup()));
}

/// What is wrong with Hero's server.
#[derive(Clone, Copy, Debug)]
enum WrongHero {
    Port,
    Name,
    Password,
    NoImports,
}

#[rstest]
#[case::port(WrongHero::Port, "sftp.refused")]
#[case::name(WrongHero::Name, "sftp.dns")]
#[case::password(WrongHero::Password, "sftp.bad_password")]
#[case::imports(WrongHero::NoImports, "sftp.folder_missing")]
fn hero_can_not_be_used(#[case] wrong: WrongHero, #[case] code: &str) {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    let before = profile.setup();
    match wrong {
        WrongHero::Port => profile.change_setup(|setup| setup["connections"][0]["port"] = 1.into()),
        WrongHero::Name => {
            profile.change_setup(|setup| setup["connections"][0]["host"] = "sftp.hero.invalid".into());
        }
        WrongHero::Password => profile.set_secret("hero.password", "not the one"),
        WrongHero::NoImports => district.hero_faults(&json!({"missing_imports": true})),
    }

    let test = profile.run(&["test", "hero"]).ended(1, code);
    assert!(test.data().as_object().unwrap().contains_key("host_key_sha256"));
    let sync = profile.run(&["sync"]).ended(1, code);
    for job in EXPORTS {
        assert_eq!(sync.job(job)["cause"]["code"], code);
        assert!(!sync.job(job)["cause"]["remedy"].as_str().unwrap().is_empty());
    }
    if !matches!(wrong, WrongHero::NoImports) {
        // The connection is tried once and told once.
        assert_eq!(sync.job(EXPORTS[0])["outcome"], "failed");
        for job in [EXPORTS[1], EXPORTS[2], "hero-attendance"] {
            assert_eq!(sync.job(job)["outcome"], "skipped");
            let message = sync.job(job)["cause"]["message"].as_str().unwrap();
            assert!(message.contains(EXPORTS[0]), "{message}");
        }
    }
    assert_eq!(files_in(&district.hero("imports")), Vec::<String>::new());
    // Raptor does not wait for Hero.
    assert_eq!(sync.job("raptor-tardies")["rows"]["written"], 6);

    match wrong {
        WrongHero::Port | WrongHero::Name => profile.change_setup(|setup| *setup = before),
        WrongHero::Password => profile.set_secret("hero.password", &district.ready.hero.password),
        WrongHero::NoImports => district.hero_faults(&json!({})),
    }
    profile.run(&["sync"]).done();
    district.holds_each_once(&district.day(&profile.setup()));
}

/// A connection that breaks in the middle of a file leaves no half file, and the next run sends it whole.
#[test]
fn a_broken_upload_leaves_no_half_file() {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    district.hero_faults(&json!({"drop_after_bytes": 20_000}));
    let sync = profile.run(&["sync", "hero-students"]);
    assert_eq!(sync.exit, 1, "{}", sync.stdout);
    assert!(sync.code().starts_with("sftp."), "{}", sync.stdout);
    assert!(!district.hero("imports/STUDENT.TXT").exists());
    district.hero_faults(&json!({}));
    profile.run(&["sync", "hero-students"]).done();
    assert_eq!(files_in(&district.hero("imports")), ["STUDENT.TXT"]);
}

#[rstest]
#[case::all_gone("UPDATE Students SET Enroll_Status = 2 WHERE Enroll_Status = 0")]
#[case::many_gone("UPDATE Students SET Enroll_Status = 2 WHERE Enroll_Status = 0 AND Student_Number % 3 = 0")]
fn a_file_that_would_lose_many_rows_waits_for_a_person(#[case] change: &str) {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    profile.run(&["sync", "hero-students", "raptor-roster"]).done();
    let sent = fs::read(district.hero("imports/STUDENT.TXT")).unwrap();
    let rosters: Vec<String> = files_in(&district.raptor("roster"));
    let roster = district.raptor(&format!("roster/{}", rosters[0]));
    let listed = fs::read(&roster).unwrap();
    district.database().execute(change, ()).unwrap();
    let sync = profile.run(&["sync", "hero-students", "raptor-roster"]).ended(3, "guard.large_change");
    assert_eq!(sync.job("hero-students")["outcome"], "failed");
    assert_eq!(sync.job("raptor-roster")["cause"]["code"], "guard.large_change");
    assert_eq!(fs::read(district.hero("imports/STUDENT.TXT")).unwrap(), sent);
    assert_eq!(fs::read(&roster).unwrap(), listed);
}

/// A person lets exactly the content go out that was shown, and no other.
#[test]
fn a_stopped_file_goes_out_once_a_person_accepts_it() {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    let sync = || profile.run(&["sync", "hero-students"]);
    let leave = |remainder: &str| {
        let change = format!(
            "UPDATE Students SET Enroll_Status = 2 WHERE Enroll_Status = 0 AND Student_Number % 10 = {remainder}"
        );
        assert!(district.database().execute(&change, ()).unwrap() > 20);
    };
    sync().done();
    leave("1");
    leave("2");
    profile.run(&["sync", "hero-students", "--dry-run"]).ended(3, "guard.large_change");
    sync().ended(3, "guard.large_change");
    let stopped = profile.run(&["guard", "list"]).done().data()["stopped"].clone();
    assert_eq!(stopped.as_array().unwrap().len(), 1);
    assert_eq!((&stopped[0]["name"], &stopped[0]["before"]), (&json!("imports/STUDENT.TXT"), &json!(600)));
    let id = stopped[0]["id"].as_str().unwrap();
    profile.run(&["guard", "accept", "00000000"]).ended(1, "guard.unknown");
    profile.run(&["guard", "reject", id]).done();
    sync().ended(3, "guard.large_change");

    profile.run(&["guard", "accept", id]).done();
    // More leave before the next run: that is not what was accepted.
    leave("3");
    sync().ended(3, "guard.large_change");
    let stopped = profile.run(&["guard", "list"]).done().data()["stopped"].clone();
    let other = stopped[0]["id"].as_str().unwrap();
    assert_ne!(other, id);
    profile.run(&["guard", "accept", other]).done();
    let sent = sync().done();
    assert_eq!(sent.job("hero-students")["rows"]["written"], stopped[0]["now"]);
    assert_eq!(profile.run(&["guard", "list"]).done().data()["stopped"], json!([]));
    sync().done();
}

#[test]
fn every_building_that_shrank_is_stopped_at_once() {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    profile.run(&["sync", "raptor-roster"]).done();
    let rosters = files_in(&district.raptor("roster"));
    assert!(rosters.len() > 1);
    district.database().execute("UPDATE Students SET Enroll_Status = 2 WHERE Enroll_Status = 0", ()).unwrap();
    profile.run(&["sync", "raptor-roster"]).ended(3, "guard.large_change");
    let listed = profile.run(&["guard", "list"]).done().data()["stopped"].clone();
    let stopped = listed.as_array().unwrap();
    assert_eq!(stopped.len(), rosters.len());
    for file in stopped {
        profile.run(&["guard", "accept", file["id"].as_str().unwrap()]).done();
    }
    profile.run(&["sync", "raptor-roster"]).done();
}

#[test]
fn a_missing_secret_is_named() {
    let district = District::start(&[]);
    let profile = Profile::new();
    let setup = Profile::of(&district).setup();
    let file = profile.home().join("setup.json");
    fs::write(&file, setup.to_string()).unwrap();
    profile.run(&["setup", "import", file.to_str().unwrap()]).done();
    for (what, name) in [("powerschool", "powerschool.client-secret"), ("hero", "hero.password")] {
        let test = profile.run(&["test", what]).ended(1, "vault.secret_missing");
        assert!(test.document["remedy"].as_str().unwrap().contains(name), "{}", test.stdout);
        profile.run(&["secrets", "check", name]).ended(1, "vault.secret_missing");
    }
    let sync = profile.run(&["sync"]).ended(1, "vault.secret_missing");
    assert_eq!(sync.data()["outcome"], "failed");
    assert_eq!(profile.run(&["secrets", "set", "hero.pasword"]).exit, 1);
}

#[test]
fn an_empty_profile_says_what_to_set_up() {
    let profile = Profile::fresh();
    let status = profile.run(&["status"]).done();
    assert_eq!(status.data()["server"], "");
    assert_eq!(status.data()["practice"], false);
    profile.run(&["sync"]).ended(1, "setup.incomplete");
    profile.run(&["test", "powerschool"]).ended(1, "setup.incomplete");
    profile.run(&["test", "hero"]).ended(1, "setup.incomplete");
    profile.run(&["test", "raptor"]).ended(1, "setup.incomplete");
    profile.run(&["test", "mail"]).ended(1, "setup.incomplete");
    assert_eq!(profile.run(&["runs"]).done().data()["runs"], Value::Array(Vec::new()));
}
