//! Settings that earlier versions wrote are read as what they mean today.

use chrono::NaiveDate;
use rosterbridge_domain::{
    dated_path::DatedPath,
    id::SchoolNumber,
    settings::{ConnectionId, HeroSettings, ManagedConnection, SETUP_VERSION, Setup},
};
use rstest::rstest;
use serde_json::json;

#[test]
fn one_connection_with_its_jobs_becomes_a_managed_connection_and_an_account() {
    let setup: Setup = serde_json::from_value(json!({
        "version": 1,
        "hero": {
            "name": "Hero of the district", "description": "by IT", "host": "sftp://sftp.example.org",
            "port": 22, "username": "district-7", "allow_download": false, "allow_upload": true,
            "attendance_file": "TARDIES.txt", "update_existing": false, "schools": [100, 200],
        },
        "jobs": [{"job": "hero-students", "enabled": true}],
        "retention_days": 90,
    }))
    .unwrap();
    assert_eq!(setup.version, SETUP_VERSION);
    assert_eq!(
        setup.connections,
        [ManagedConnection {
            name: "Hero of the district".to_owned(),
            description: "by IT".to_owned(),
            host: "sftp://sftp.example.org".to_owned(),
            port: 22,
            username: "district-7".to_owned(),
            allow_download: false,
            ..ManagedConnection::default()
        }]
    );
    let mut hero = HeroSettings::default();
    hero.accounts[0].schools = vec![SchoolNumber::new(100), SchoolNumber::new(200)];
    hero.accounts[0].attendance.path = "export/TARDIES.txt".to_owned();
    hero.accounts[0].attendance.update_existing = false;
    assert_eq!(setup.hero, hero);
    assert_eq!(setup.jobs.len(), 1);
    assert_eq!(setup.retention_days, 90);
}

#[test]
fn raptors_server_becomes_the_second_managed_connection() {
    let setup: Setup = serde_json::from_value(json!({
        "version": 1,
        "raptor": {"connection":
            {"host": "files.example.org", "port": 2200, "username": "raptor", "folder": "exchange"}},
    }))
    .unwrap();
    let server = setup.raptor.connection.as_ref().unwrap();
    assert_eq!((server.connection, server.folder.as_str()), (ConnectionId::RAPTOR, "exchange"));
    let connection = setup.connection(ConnectionId::RAPTOR).unwrap();
    assert_eq!(
        (connection.host.as_str(), connection.port, connection.username.as_str()),
        ("files.example.org", 2200, "raptor")
    );
    assert_eq!(setup.connection(ConnectionId::HERO), Some(&ManagedConnection::default()));
}

/// Any name without blanks was possible, also none.
#[rstest]
#[case("", "export/ATTENDANCE.txt")]
#[case("HERO.csv", "export/HERO.csv")]
#[case("ATT", "export/ATT")]
#[case("100%.txt", "export/100%%.txt")]
fn every_name_of_an_export_goes_on(#[case] name: &str, #[case] path: &str) {
    let setup: Setup =
        serde_json::from_value(json!({"version": 1, "hero": {"attendance_file": name}})).unwrap();
    let import = &setup.hero.accounts[0].attendance;
    assert_eq!(import.path, path);
    let read = DatedPath::parse_import(&import.path).unwrap();
    let expected = if name.is_empty() { "ATTENDANCE.txt" } else { name };
    assert_eq!(read.expand(NaiveDate::MIN), format!("export/{expected}"));
}

/// Nothing of Hero's stands in for what is missing: its server is nobody else's.
#[test]
fn a_server_without_a_host_gets_none() {
    let setup: Setup =
        serde_json::from_value(json!({"version": 1, "raptor": {"connection": {"folder": "exchange"}}}))
            .unwrap();
    let connection = setup.connection(ConnectionId::RAPTOR).unwrap();
    assert_eq!((connection.host.as_str(), connection.username.as_str()), ("", ""));
    assert!(
        serde_json::from_value::<Setup>(json!({"version": 2, "connections": [{"id": "raptor"}]})).is_err()
    );
}

#[test]
fn what_was_read_is_written_in_the_present_form_and_read_again() {
    let setup: Setup = serde_json::from_value(json!({"version": 1, "raptor": {"connection":
        {"host": "files.example.org", "port": 2200, "username": "raptor"}}}))
    .unwrap();
    let written = serde_json::to_value(&setup).unwrap();
    assert_eq!(written["version"], SETUP_VERSION);
    assert_eq!(serde_json::from_value::<Setup>(written).unwrap(), setup);
}

#[test]
fn settings_that_make_no_sense_are_refused_as_before() {
    for bad in [
        json!({"version": 1, "hero": {"port": "many"}}),
        json!({"version": 1, "raptor": {"connection": 3}}),
        json!({"hero": {}}),
        json!({"version": 2, "connections": [{"id": "hero", "host": "sftp.example.org"}]}),
        json!([]),
    ] {
        assert!(serde_json::from_value::<Setup>(bad.clone()).is_err(), "{bad}");
    }
}
