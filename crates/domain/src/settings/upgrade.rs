//! Reads settings that earlier versions wrote.

use serde_json::{Map, Value, json};

use super::ManagedConnection;

/// Brings settings of any earlier version to the present one. What is not understood is left as it is, for the reader
/// to refuse.
///
/// Version 1 knew one connection to Hero, whose settings also held those of its jobs, and described Raptor's server
/// where it is used. Version 2 has managed connections, and accounts at Hero that use them.
pub(super) fn upgraded(mut settings: Value) -> Value {
    if let Some(settings) = settings.as_object_mut()
        && settings.get("version") == Some(&json!(1))
    {
        from_version_1(settings);
    }
    settings
}

fn from_version_1(settings: &mut Map<String, Value>) {
    let mut hero = match settings.remove("hero") {
        Some(Value::Object(hero)) => hero,
        _ => Map::new(),
    };
    let mut connections = vec![moved(
        &mut hero,
        "hero",
        &["name", "description", "host", "port", "username", "allow_download", "allow_upload"],
    )];
    let usual = serde_json::to_value(ManagedConnection::default()).unwrap_or_default();
    if let (Some(connection), Some(usual)) = (connections[0].as_object_mut(), usual.as_object()) {
        for (field, value) in usual {
            connection.entry(field).or_insert_with(|| value.clone());
        }
    }
    let mut account = moved(&mut hero, "", &["schools"]);
    let mut import = Map::new();
    let file = hero.get("attendance_file").and_then(Value::as_str).map(str::trim).unwrap_or_default();
    if !file.is_empty() {
        // A percent sign was one; now it begins a part of the date.
        import.insert("path".to_owned(), json!(format!("export/{}", file.replace('%', "%%"))));
    }
    if let Some(update) = hero.remove("update_existing") {
        import.insert("update_existing".to_owned(), update);
    }
    if let Some(account) = account.as_object_mut() {
        account.insert("attendance".to_owned(), Value::Object(import));
    }
    settings.insert("hero".to_owned(), json!({ "accounts": [account] }));

    let server = settings
        .get_mut("raptor")
        .and_then(|raptor| raptor.get_mut("connection"))
        .and_then(Value::as_object_mut);
    if let Some(server) = server {
        let mut connection = moved(server, "raptor", &["host", "port", "username"]);
        if let Some(connection) = connection.as_object_mut() {
            connection.insert("name".to_owned(), json!("Raptor SFTP Connection"));
            // Nothing of Hero's stands in for what is missing.
            for field in ["host", "username"] {
                connection.entry(field).or_insert_with(|| json!(""));
            }
            connection.entry("port").or_insert_with(|| json!(22));
        }
        connections.push(connection);
        server.insert("connection".to_owned(), json!("raptor"));
    }
    settings.insert("connections".to_owned(), Value::Array(connections));
    settings.insert("version".to_owned(), json!(2));
}

/// What these fields held, as an object of their own; with an `id`, unless it is empty.
fn moved(from: &mut Map<String, Value>, id: &str, fields: &[&str]) -> Value {
    let mut to = Map::new();
    if !id.is_empty() {
        to.insert("id".to_owned(), json!(id));
    }
    for &field in fields {
        if let Some(value) = from.remove(field) {
            to.insert(field.to_owned(), value);
        }
    }
    Value::Object(to)
}
