//! The plugin: written for the exchanges of a district, and checked when it is a vendor's.

use std::{fs, io::Write, path::Path, process::Stdio};

use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{District, Output, Profile, rosterbridge};

/// A command on no profile and without a keychain.
#[track_caller]
fn alone(arguments: &[&str], file: &Path) -> Output {
    let output = rosterbridge()
        .args(["--home", "/nonexistent/home", "--json"])
        .args(arguments)
        .arg(file)
        .env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    Output::of(&output)
}

/// The last part of a version.
fn revision(plugin: &Output) -> u32 {
    let version = plugin.data()["version"].as_str().unwrap();
    version.strip_prefix("1.3.").unwrap().parse().unwrap()
}

fn tables(plugin: &Value) -> Vec<String> {
    let mut tables: Vec<String> = plugin["asks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|field| field["table"].as_str().unwrap().to_owned())
        .collect();
    tables.dedup();
    tables
}

#[test]
fn a_plugin_asks_for_what_its_exchanges_need() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("plugin.zip");
    let all = alone(&["plugin", "build"], &file).done();
    let some = alone(&["plugin", "build", "--job", "hero-students", "--job", "hero-teachers"], &file).done();
    let writes = |plugin: &Output| {
        plugin.data()["asks"].as_array().unwrap().iter().any(|field| field["access"] == "FullAccess")
    };
    assert!(writes(&all) && !writes(&some));
    assert!(!tables(some.data()).contains(&"ATTENDANCE".to_owned()));
    assert_eq!(some.data()["jobs"], json!(["hero-students", "hero-teachers"]));

    // What we write, we find nothing wrong with.
    let check = alone(&["plugin", "check"], &file).done();
    assert_eq!(check.data()["valid"], true);
    assert_eq!(check.data()["remarks"], json!([]));
    assert_eq!(check.data()["asks"], some.data()["asks"]);
    let fit = |job: &str| {
        let exchanges = check.data()["exchanges"].as_array().unwrap();
        exchanges.iter().find(|exchange| exchange["job"] == job).unwrap().clone()
    };
    assert_eq!(fit("hero-teachers")["missing"], json!([]));
    assert_ne!(fit("raptor-tardies")["missing"], json!([]));
}

#[test]
fn a_profiles_plugin_gets_a_higher_version_when_it_asks_for_something_else() {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    let file = profile.home().join("plugin.zip");
    let path = file.to_str().unwrap();
    let build =
        |jobs: &[&str]| profile.run(&[&["plugin", "build", path, "--of-profile"], jobs].concat()).done();
    let version = |plugin: &Output| plugin.data()["version"].as_str().unwrap().to_owned();

    let first = build(&["--job", "hero-students"]);
    assert_eq!(first.data()["changes"], json!([]));
    let again = build(&["--job", "hero-students"]);
    assert_eq!(version(&first), version(&again), "nothing has changed");
    let more = build(&["--job", "hero-students", "--job", "hero-attendance"]);
    assert_ne!(version(&again), version(&more));
    assert_eq!(more.data()["written_before"], version(&again));
    let changes = more.data()["changes"].to_string();
    assert!(changes.to_lowercase().contains("attendance"), "{changes}");
    // Without names it is for all that the profile exchanges.
    let all = build(&[]);
    assert_eq!(all.data()["jobs"].as_array().unwrap().len(), 6);
    assert_ne!(version(&more), version(&all));
    assert_eq!(revision(&all), revision(&first) + 2);
    assert_eq!(profile.setup()["powerschool"]["plugin"]["revision"], revision(&all));
    assert!(fs::read(&file).unwrap().starts_with(b"PK\x03\x04"));
}

/// PowerSchool refuses a plugin whose version is not higher.
#[test]
fn a_version_never_goes_back_however_old_the_setup_is() {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    let file = profile.home().join("plugin.zip");
    let path = file.to_str().unwrap();
    let build = |job: &str| profile.run(&["plugin", "build", path, "--of-profile", "--job", job]).done();
    let exported = profile.setup();
    let students = build("hero-students");
    profile.change_setup(|setup| *setup = exported.clone());
    let teachers = build("hero-teachers");
    assert!(revision(&teachers) > revision(&students));
    assert_eq!(teachers.data()["written_before"], students.data()["version"]);
    profile.change_setup(|setup| *setup = exported.clone());
    let again = build("hero-teachers");
    assert_eq!(again.data()["version"], teachers.data()["version"], "it is the one written last");
}

/// A profile that is lost and set up anew writes a plugin that PowerSchool takes for an update, or for the same.
#[test]
fn a_new_profiles_version_is_not_below_an_earlier_ones() {
    let district = District::start(&[]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("plugin.zip");
    let alone = revision(&alone(&["plugin", "build"], &file).done());
    let build = |profile: &Profile| {
        revision(&profile.run(&["plugin", "build", file.to_str().unwrap(), "--of-profile"]).done())
    };
    let former = build(&Profile::of(&district));
    let anew = build(&Profile::of(&district));
    // 2026-01-01 is 2192 days from 2020-01-01.
    assert!(alone >= 2192 && former >= alone && anew >= former, "{alone} {former} {anew}");
}

#[test]
fn a_plugin_another_installation_wrote_is_told_by_its_differences() {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    profile.change_setup(|setup| {
        setup["powerschool"]["plugin"] = json!({"jobs": ["hero-students"], "revision": 90_000});
    });
    let file = profile.home().join("plugin.zip");
    let build = ["plugin", "build", file.to_str().unwrap(), "--of-profile", "--job"];
    let plugin = profile.run(&[build.as_slice(), &["hero-attendance"]].concat()).done();
    assert_eq!(plugin.data()["written_before"], "1.3.90000");
    assert_eq!(plugin.data()["version"], "1.3.90001");
    assert_ne!(plugin.data()["changes"], json!([]));
}

#[test]
fn a_plugin_for_nothing_is_not_written() {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    profile.change_setup(|setup| {
        setup["powerschool"]["plugin"] = json!({"jobs": ["hero-students"], "wanted": []});
        for job in setup["jobs"].as_array_mut().unwrap() {
            job["enabled"] = false.into();
        }
    });
    let file = profile.home().join("plugin.zip");
    profile.run(&["plugin", "build", file.to_str().unwrap(), "--of-profile"]).ended(1, "setup.incomplete");
    assert!(!file.exists());
}

#[test]
fn a_plugin_that_lacks_access_is_replaced_by_a_higher_version() {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    let file = profile.home().join("plugin.zip");
    let build = || {
        let plugin = profile.run(&["plugin", "build", file.to_str().unwrap(), "--of-profile"]).done();
        plugin.data()["version"].as_str().unwrap().to_owned()
    };
    let before = build();
    district.faults(&json!({"missing_access": ["Students.Home_Phone"]}));
    let test = profile.run(&["test", "powerschool"]).ended(1, "powerschool.no_access");
    let text = test.data()["text"].as_str().unwrap();
    assert!(text.contains("missing  STUDENTS.HOME_PHONE"), "{text}");
    let repaired = build();
    assert_ne!(before, repaired);
    assert_eq!(build(), repaired, "one repair is enough");
    district.faults(&json!({}));
    profile.run(&["test", "powerschool"]).done();
    assert_eq!(build(), repaired);
}

/// The seed's way: a plugin for a few exchanges, more of them later, and an update in place that keeps the credentials.
#[test]
fn more_exchanges_need_an_update_in_place_and_no_new_credentials() {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    let file = profile.home().join("plugin.zip");
    let path = file.to_str().unwrap();
    let jobs = ["hero-students", "hero-teachers"];
    let enable = |wanted: &[&str]| {
        profile.change_setup(|setup| {
            for job in setup["jobs"].as_array_mut().unwrap() {
                job["enabled"] = wanted.contains(&job["job"].as_str().unwrap()).into();
            }
        });
    };
    enable(&jobs);
    profile.run(&["plugin", "build", path, "--of-profile", "--job", jobs[0], "--job", jobs[1]]).done();
    district.install(&fs::read(&file).unwrap());
    profile.run(&["test", "powerschool"]).done();

    enable(&["hero-students", "hero-teachers", "hero-attendance"]);
    let test = profile.run(&["test", "powerschool"]).ended(1, "powerschool.no_access");
    let missing: Vec<(&Value, &Value)> = test.data()["access"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|table| {
            table["fields"].as_array().unwrap().iter().map(move |field| (&table["table"], field))
        })
        .filter(|(_, field)| field["granted"] == "NoAccess")
        .collect();
    assert!(missing.iter().any(|(table, _)| *table == "ATTENDANCE"), "{missing:?}");
    let remedy = test.document["remedy"].as_str().unwrap();
    assert!(remedy.contains("rosterbridge plugin build FILE.zip --of-profile"), "{remedy}");

    let updated = profile.run(&["plugin", "build", path, "--of-profile"]).done();
    assert!(!updated.data()["changes"].as_array().unwrap().is_empty());
    let installed = district.install(&fs::read(&file).unwrap());
    assert!(installed.get("client_id").is_none(), "an update makes no credentials: {installed}");
    profile.run(&["test", "powerschool"]).done();
}

#[rstest]
#[case::tested(&["test", "powerschool"])]
#[case::only_used(&["sync", "hero-students"])]
fn a_plugin_that_was_deleted_and_installed_anew_needs_its_new_credentials(#[case] signs_in: &[&str]) {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    let file = profile.home().join("plugin.zip");
    profile.run(signs_in).done();
    profile.run(&["plugin", "build", file.to_str().unwrap(), "--of-profile"]).done();
    district.delete_plugin();
    let installed = district.install(&fs::read(&file).unwrap());

    let test = profile.run(&["test", "powerschool"]).ended(1, "powerschool.credentials_replaced");
    assert!(test.document["remedy"].as_str().unwrap().contains("Data Provider Configuration"));
    // A mistyped secret is another matter.
    profile.set_secret("powerschool.client-secret", "0a4e4a0c-57a8-4a25-b79f-1f4b9c3c5b00");
    profile.run(&["test", "powerschool"]).ended(1, "powerschool.bad_credentials");

    profile.set_secret("powerschool.client-secret", installed["client_secret"].as_str().unwrap());
    profile.change_setup(|setup| setup["powerschool"]["client_id"] = installed["client_id"].clone());
    let test = profile.run(&["test", "powerschool"]).done();
    assert_eq!(test.data()["server"]["plugin_id"], installed["plugin_id"]);
    let stage = |name: &str| {
        let stages = test.data()["stages"].as_array().unwrap();
        stages.iter().find(|stage| stage["name"] == name).unwrap().clone()
    };
    assert!(stage("Plugin")["detail"].as_str().unwrap().contains("anew"), "{}", stage("Plugin"));
}

#[test]
fn a_plugin_that_is_not_enabled_is_told_how_to_be() {
    let district = District::start(&[]);
    let profile = Profile::of(&district);
    district.enable_plugin(false);
    for _ in 0..2 {
        let test = profile.run(&["test", "powerschool"]);
        assert_eq!(test.exit, 1);
        let remedy = test.document["remedy"].as_str().unwrap();
        assert!(remedy.contains("Enable") || remedy.contains("enabled"), "{remedy}");
        district.enable_plugin(true);
        profile.run(&["test", "powerschool"]).done();
        // Once it has worked, the test knows that the credentials did.
        district.enable_plugin(false);
    }
}

const VENDOR: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<plugin xmlns="http://plugin.powerschool.pearson.com" name="Visitors" version="1.0">
  <publisher name="Visitors Inc"><contact email="help@visitors.example"/></publisher>
  <oauth/>
  <access_request>
    <field table="STUDENTS" field="LAST_NAME" access="ViewOnly"/>
  </access_request>
</plugin>
"#;

#[test]
fn a_vendors_plugin_is_told_in_plain_words() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("Plugin.xml");
    fs::write(&file, VENDOR).unwrap();
    let check = alone(&["plugin", "check"], &file).done();
    let data = check.data();
    assert_eq!((&data["name"], &data["version"]), (&json!("Visitors"), &json!("1.0")));
    assert_eq!(data["asks"], json!([{"table": "STUDENTS", "field": "LAST_NAME", "access": "ViewOnly"}]));
    assert!(!data["summary"].as_array().unwrap().is_empty());
    let exchanges = data["exchanges"].as_array().unwrap();
    assert_eq!(exchanges.len(), 6);
    assert!(exchanges.iter().all(|exchange| exchange["without_queries"] == true));
}

#[rstest]
#[case::no_publisher(VENDOR.replace("<publisher name=\"Visitors Inc\"><contact email=\"help@visitors.example\"/></publisher>", ""))]
#[case::wrong_access(VENDOR.replace("ViewOnly", "ReadOnly"))]
#[case::cut_off(VENDOR[..VENDOR.len() / 2].to_owned())]
#[case::not_xml("PK nothing".to_owned())]
#[case::empty(String::new())]
#[case::entities(VENDOR.replace("<plugin ", "<!DOCTYPE plugin [<!ENTITY a \"aaaaaaaa\"><!ENTITY b \"&a;&a;&a;\">]>\n<plugin "))]
#[case::external_entity(VENDOR.replace("<plugin ", "<!DOCTYPE plugin [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>\n<plugin "))]
fn a_plugin_powerschool_would_refuse_is_told_with_its_place(#[case] content: String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("Plugin.xml");
    fs::write(&file, content).unwrap();
    let check = alone(&["plugin", "check"], &file).ended(1, "plugin.invalid");
    let remarks = check.data()["remarks"].as_array().unwrap();
    let error = remarks.iter().find(|remark| remark["error"] == true).unwrap();
    assert!(error["code"].as_str().unwrap().starts_with("plugin."), "{error}");
    assert!(!error["message"].as_str().unwrap().is_empty());
    assert!(!check.stdout.contains("root:"), "nothing of this computer is read");
}

/// A zip with one stored entry, made by hand: the name is whatever it is told.
fn zip_with(name: &str, content: &[u8]) -> Vec<u8> {
    let mut crc = !0_u32;
    for byte in content {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    let size = u32::try_from(content.len()).unwrap().to_le_bytes();
    let length = u16::try_from(name.len()).unwrap().to_le_bytes();
    let mut common = Vec::new();
    // Version needed, flags, method, time, date.
    common.extend([20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0]);
    common.extend((!crc).to_le_bytes());
    common.extend(size);
    common.extend(size);
    common.extend(length);
    let mut zip = b"PK\x03\x04".to_vec();
    zip.extend(&common);
    zip.extend([0, 0]);
    zip.extend(name.as_bytes());
    zip.extend(content);
    let directory = u32::try_from(zip.len()).unwrap();
    zip.extend(b"PK\x01\x02\x14\x00");
    zip.extend(&common);
    zip.extend([0; 14]);
    zip.extend([0; 2]);
    zip.extend(name.as_bytes());
    let length = u32::try_from(zip.len()).unwrap() - directory;
    zip.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
    zip.extend(length.to_le_bytes());
    zip.extend(directory.to_le_bytes());
    zip.extend([0, 0]);
    zip
}

#[rstest]
#[case::slip("../plugin.xml")]
#[case::absolute("/plugin.xml")]
#[case::drive("C:\\plugin.xml")]
#[case::enclosing_folder("visitors/plugin.xml")]
fn a_zip_with_a_wrong_place_is_refused_and_nothing_is_unpacked(#[case] name: &str) {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("inner");
    fs::create_dir(&inner).unwrap();
    let file = inner.join("plugin.zip");
    fs::File::create(&file).unwrap().write_all(&zip_with(name, VENDOR.as_bytes())).unwrap();
    alone(&["plugin", "check"], &file).ended(1, "plugin.invalid");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    assert_eq!(fs::read_dir(&inner).unwrap().count(), 1);

    // The same archive with its file in the right place is fine, so it is the place that was refused.
    fs::write(&file, zip_with("plugin.xml", VENDOR.as_bytes())).unwrap();
    alone(&["plugin", "check"], &file).done();
}
