//! The administrator guide's section 'The setup file' names every field of the managed connections, of Hero's accounts
//! and of the exchanges' times.

#![allow(clippy::unwrap_used, reason = "a test that cannot read the guide fails")]

use std::{collections::BTreeSet, fs, path::Path};

use rosterbridge_api::domain::settings::{HandOver, Setup, SignInMethod};
use serde_json::Value;

/// Everything the tables tell of, with nothing left out for being empty.
fn settings() -> Value {
    let mut setup = Setup::default();
    setup.connections[0].sign_in = Some(SignInMethod::Password);
    setup.hero.accounts[0].students.hand_over = Some(HandOver {
        record: "Hero Student Info".to_owned(),
        confirmed_at: chrono::DateTime::UNIX_EPOCH,
        confirmed_by: "office".to_owned(),
    });
    serde_json::to_value(setup).unwrap()
}

/// The names of all fields below a value.
fn fields(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields_below) => {
            for (name, below) in fields_below {
                names.insert(name.clone());
                fields(below, names);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| fields(item, names)),
        _ => {}
    }
}

fn section() -> String {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/administrator-guide.md");
    let guide = fs::read_to_string(guide).unwrap();
    let section = guide.split("\n### The setup file\n").nth(1).unwrap();
    section.split("\n## ").next().unwrap().to_owned()
}

#[test]
fn every_field_is_in_the_tables() {
    let settings = settings();
    let mut wanted = BTreeSet::new();
    for part in ["/connections", "/hero/accounts", "/jobs"] {
        fields(settings.pointer(part).unwrap(), &mut wanted);
    }
    // Also those within another one's description, such as `schedule.when` and `"kind"`.
    let section = section();
    let told: BTreeSet<_> = section.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
    let missing: Vec<_> = wanted.iter().filter(|field| !told.contains(field.as_str())).collect();
    assert!(missing.is_empty(), "the guide's section 'The setup file' lacks: {missing:?}");
}

#[test]
fn every_part_is_named() {
    let section = section();
    let missing: Vec<_> = settings()
        .as_object()
        .unwrap()
        .keys()
        .filter(|part| *part != "version" && !section.contains(&format!("`{part}`")))
        .cloned()
        .collect();
    assert!(missing.is_empty(), "the guide's section 'The setup file' lacks the parts: {missing:?}");
}
