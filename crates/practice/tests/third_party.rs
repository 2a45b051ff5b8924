//! Public clients that others wrote work against the practice PowerSchool unchanged.
//!
//! They are installed from the Python package index into a virtual environment below the target folder, once.
//! Without Python, its venv module or the package index these tests fail and say so.

#![allow(clippy::unwrap_used, reason = "a test that cannot set up its parts fails")]

mod support;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use support::{Practice, options};

const PACKAGES: [&str; 2] = ["powerschool==4.0.1", "pypowerschool==0.2.0"];

/// The interpreter of a virtual environment that has the clients.
fn python() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("third-party-clients");
    std::fs::create_dir_all(&folder).unwrap();
    // Tests are processes of their own: one of them installs, the others wait.
    let lock = File::create(folder.join("lock")).unwrap();
    lock.lock().unwrap();
    let environment = folder.join("venv");
    let (system, python) =
        if cfg!(windows) { ("python", "Scripts/python.exe") } else { ("python3", "bin/python") };
    let python = environment.join(python);
    let done = folder.join("installed");
    let wanted = PACKAGES.join(" ");
    if std::fs::read_to_string(&done).is_ok_and(|installed| installed == wanted) {
        return python;
    }
    run(Command::new(system).args(["-m", "venv", "--clear"]).arg(&environment), "make a virtual environment");
    let mut install = Command::new(&python);
    install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(PACKAGES);
    run(&mut install, "install the clients from the Python package index");
    std::fs::write(done, wanted).unwrap();
    python
}

#[track_caller]
fn run(command: &mut Command, what: &str) -> Vec<u8> {
    let output = match command.output() {
        Ok(output) => output,
        Err(error) => panic!("cannot {what}: {command:?}: {error}"),
    };
    assert!(output.status.success(), "cannot {what}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// What a script finds in the district.
async fn found(practice: &Practice, script: &str) -> Value {
    let access = practice.running.ready().powerschool.clone();
    let authority = practice.running.data().join("authority.pem");
    std::fs::write(&authority, &access.ca_pem).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/third_party").join(script);
    let work = move || {
        let mut command = Command::new(python());
        command
            .arg(script)
            .env("PRACTICE_URL", access.url)
            .env("PRACTICE_ID", access.client_id)
            .env("PRACTICE_SECRET", access.client_secret)
            .env("REQUESTS_CA_BUNDLE", &authority)
            .env("SSL_CERT_FILE", &authority)
            .env("NO_PROXY", "127.0.0.1");
        serde_json::from_slice(&run(&mut command, "read the district")).unwrap()
    };
    tokio::task::spawn_blocking(work).await.unwrap()
}

fn column(practice: &Practice, sql: &str) -> Vec<String> {
    let database = practice.database();
    let mut statement = database.prepare(sql).unwrap();
    statement.query_map((), |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_powerschool_reads_tables_and_queries() {
    let practice = Practice::start(options()).await;
    let found = found(&practice, "with_powerschool.py").await;
    assert!(found["version"].as_str().unwrap().starts_with("25."));
    assert_eq!((&found["plugin_id"], &found["page"]), (&json!(1), &json!(100)));
    assert_eq!(
        (&found["count"], &found["everything"], &found["query_count"]),
        (&json!(150), &json!(150), &json!(150))
    );
    assert_eq!(found["count_of_all"], practice.number("SELECT COUNT(*) FROM Students"));
    assert_eq!(
        found["columns"],
        json!(["dcid", "enroll_status", "id", "last_name", "middle_name", "student_number"])
    );
    let numbers = column(
        &practice,
        "SELECT CAST(Student_Number AS TEXT) FROM Students WHERE Enroll_Status = 0 ORDER BY Student_Number DESC",
    );
    assert_eq!(found["numbers"], json!(numbers));
    assert_eq!(found["one"][0]["student_number"], numbers[0]);
    assert_eq!(found["queries"].as_array().unwrap().len(), 4);
    let ids = column(&practice, "SELECT CAST(ID AS TEXT) FROM Students WHERE Enroll_Status = 0 ORDER BY ID");
    assert_eq!((&found["whole"], &found["paged"]), (&json!(ids), &json!(ids)));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_pypowerschool_reads_core_resources() {
    let practice = Practice::start(options()).await;
    let found = found(&practice, "with_pypowerschool.py").await;
    assert!(found["version"].as_str().unwrap().starts_with("25."));
    assert_eq!((&found["first"], &found["query"]), (&json!(true), &json!(150)));
    let numbers: Vec<i64> = column(
        &practice,
        "SELECT CAST(Student_Number AS TEXT) FROM Students WHERE Enroll_Status = 0 ORDER BY Student_Number",
    )
    .iter()
    .map(|number| number.parse().unwrap())
    .collect();
    assert_eq!(found["local_ids"], json!(numbers));
    let expanded: Vec<&str> =
        found["expanded"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    for expansion in ["demographics", "addresses", "phones", "contact_info", "school_enrollment"] {
        assert!(expanded.contains(&expansion), "{expansion}");
    }
    let schools = found["schools"].as_object().unwrap();
    assert_eq!(schools.len(), 5);
    for (number, counts) in schools {
        for (kind, sql) in [
            ("student", "SELECT COUNT(*) FROM Students WHERE SchoolID = "),
            ("section", "SELECT COUNT(*) FROM Sections WHERE SchoolID = "),
            ("staff", "SELECT COUNT(*) FROM SchoolStaff WHERE Status = 1 AND SchoolID = "),
            ("course", "SELECT COUNT(DISTINCT Course_Number) FROM Sections WHERE SchoolID = "),
            ("term", "SELECT COUNT(*) FROM Terms WHERE SchoolID = "),
        ] {
            assert_eq!(counts[kind], practice.number(&format!("{sql}{number}")), "{kind} of {number}");
        }
    }
}
