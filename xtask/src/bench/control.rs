//! The practice district's control port, as the benches use it.

use crate::{district::Ready, process::StepError};
use serde_json::Value;
use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

/// Replaces PowerSchool's faults.
pub fn faults(ready: &Ready, faults: &Value) -> Result<(), StepError> {
    post(ready, "faults", faults)
}

/// Changes the district's data. Prerendered answers are forgotten, even by an empty list of changes.
pub fn change(ready: &Ready, changes: &[Value]) -> Result<(), StepError> {
    post(ready, "district", &changes.into())
}

/// Says what Hero's attendance export holds, and how it is written.
pub fn hero_export(ready: &Ready, export: &Value) -> Result<(), StepError> {
    post(ready, "hero/export", export)
}

fn post(ready: &Ready, what: &str, body: &Value) -> Result<(), StepError> {
    let (host, _) = ready
        .audit_url
        .strip_prefix("http://")
        .and_then(|address| address.split_once('/'))
        .ok_or_else(|| StepError::Unmet(format!("{} is no address", ready.audit_url)))?;
    let body = body.to_string();
    let ask = || -> std::io::Result<String> {
        let mut connection = TcpStream::connect(host)?;
        write!(
            connection,
            "POST /control/{what} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer)?;
        Ok(answer)
    };
    let answer = ask().map_err(|source| StepError::file("the practice district's control port", source))?;
    match answer.lines().next() {
        Some(status) if status.contains(" 2") => Ok(()),
        status => Err(StepError::Unmet(format!("the practice district's control port says {status:?}"))),
    }
}
