//! The support bundle: a zip file with what somebody needs to see who is asked why an exchange does not do what it
//! should. It holds the set-up without secrets, counts, ids, codes and logs; no secret, no row and no name of a student.
//!
//! A part that can't be had is replaced by the reason, since a bundle is asked for when something is broken.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use chrono::{DateTime, Datelike, Timelike, Utc};
use rosterbridge_domain::settings::Setup;
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use crate::{
    engine::{Engine, blocking},
    error::EngineError,
    profile::ProfileFolder,
    report::{Cause, SupportBundle},
};

/// Runs in a bundle at most.
const RUNS: u32 = 200;

/// Bytes of one log file that a bundle takes at most: more than a log file has.
const LONGEST_LOG: u64 = 16 << 20;

const README: &str = "\
RosterBridge support bundle

about.json              versions of RosterBridge, the system and the databases
setup.json              everything configured; no secret, no user's name, and of addresses of people only what
                        follows the @
secrets.json            which secrets are stored, not their values
runs.json               the latest runs: what each exchange did, in counts, and why it failed
held-rows.json          how many rows wait for a person, by reason
outbox.json             how many attendance writes are in which state
metrics.json            runs, rows, durations and sizes
certificates.json       fingerprints of certificates and of the pinned host key
powerschool-test.txt    the latest connection test of PowerSchool
logs/                   what the program did

No part holds a password, a key, a row of a file, or a name of a student. A part that could not be read holds the
reason instead.
";

/// One file of the bundle.
type Part = (&'static str, Vec<u8>);

impl Engine {
    /// Writes a bundle to `file`, which must be an absolute path: another process may have asked for it. A file that is
    /// there is replaced only when `overwrite` says so.
    pub async fn support_bundle(
        &self,
        file: &Path,
        overwrite: bool,
        now: DateTime<Utc>,
    ) -> Result<SupportBundle, EngineError> {
        refuse_existing(file, overwrite)?;
        let setup = self.setup().await;
        let certificates = match &setup {
            Ok(setup) => self.certificates(setup).await,
            Err(error) => Ok(reason(error)),
        };
        let test = match self.last_test().await {
            Ok(Some(test)) => test.text,
            Ok(None) => "PowerSchool's connection was not tested yet.\n".to_owned(),
            Err(error) => format!("{}\n{}\n", error.cause().message, error.remedy()),
        };
        let parts = vec![
            ("README.txt", README.into()),
            part("about.json", self.about(now).await),
            part("setup.json", setup.map(|setup| without_secrets(&setup))),
            part("secrets.json", self.secret_states().await),
            part("runs.json", self.runs(RUNS).await),
            part("held-rows.json", self.held_counts().await),
            part("outbox.json", self.outbox_counts().await),
            part("metrics.json", self.metrics(now).await),
            part("certificates.json", certificates),
            ("powerschool-test.txt", test.into_bytes()),
        ];
        let (file, logs) = (file.to_owned(), self.folder.logs());
        blocking(move || write(&file, overwrite, parts, &logs, now)).await
    }

    async fn about(&self, now: DateTime<Utc>) -> Result<Value, EngineError> {
        let databases = self.ledger(rosterbridge_store::Ledger::versions).await?;
        let profile = self.folder.name().to_owned();
        let mut about = blocking(move || Ok(about(&profile, now))).await?;
        about["practice"] = json!(self.is_practice().await?);
        about["raptor_status"] = json!(self.raptor_status().await?);
        about["paused"] = json!(self.is_paused().await?);
        about["sqlcipher"] = json!(databases.sqlcipher);
        about["sqlite"] = json!(databases.sqlite);
        Ok(about)
    }

    async fn held_counts(&self) -> Result<Value, EngineError> {
        let counts = self.ledger(rosterbridge_store::Ledger::held_by_reason).await?;
        let counts =
            counts.into_iter().map(|(reason, rows)| json!({ "reason": reason.code(), "rows": rows }));
        Ok(counts.collect())
    }

    async fn outbox_counts(&self) -> Result<Value, EngineError> {
        let counts = self.ledger(rosterbridge_store::Ledger::writes_by_state).await?;
        let counts = counts.into_iter().map(|(source, state, writes)| {
            json!({ "source": source.as_str(), "state": state.as_str(), "writes": writes })
        });
        Ok(counts.collect())
    }

    async fn certificates(&self, setup: &Setup) -> Result<Value, EngineError> {
        let trusted: Vec<_> = setup.powerschool.extra_roots.iter().map(|pem| fingerprint(pem)).collect();
        let presented = self.last_test().await?.map(|test| test.certificates);
        Ok(json!({
            "trusted_besides_the_systems": trusted,
            "presented_by_powerschool": presented,
            "accepted_host_keys": self.accepted_host_keys().await?,
        }))
    }
}

/// A bundle about a profile whose engine can't be opened: why, and the logs.
pub fn support_bundle_without_engine(
    folder: &ProfileFolder,
    file: &Path,
    overwrite: bool,
    why: &Cause,
    now: DateTime<Utc>,
) -> Result<SupportBundle, EngineError> {
    refuse_existing(file, overwrite)?;
    let mut about = about(folder.name(), now);
    about["not_opened"] = json!(why);
    let parts = vec![("README.txt", README.into()), part("about.json", Ok(about))];
    write(file, overwrite, parts, &folder.logs(), now)
}

/// What can be told about this program and the system without a profile's databases.
fn about(profile: &str, now: DateTime<Utc>) -> Value {
    json!({
        "rosterbridge": env!("CARGO_PKG_VERSION"),
        "build": if cfg!(debug_assertions) { "debug" } else { "release" },
        "system": os_info::get().to_string(),
        "architecture": std::env::consts::ARCH,
        "profile": profile,
        "written_at": now,
    })
}

fn part<T: Serialize>(name: &'static str, content: Result<T, EngineError>) -> Part {
    let json = match content {
        Ok(content) => serde_json::to_vec_pretty(&content),
        Err(error) => serde_json::to_vec_pretty(&reason(&error)),
    };
    // Everything a bundle holds has text for keys, which is all that can go wrong.
    (name, json.unwrap_or_default())
}

/// Why a part is missing.
fn reason(error: &EngineError) -> Value {
    json!({ "missing_because": error.cause() })
}

/// The set-up as far as it is nobody's secret. Secrets are no part of it, unless somebody wrote one into an address.
fn without_secrets(setup: &Setup) -> Setup {
    let mut setup = setup.clone();
    setup.powerschool.extra_roots.iter_mut().for_each(|pem| *pem = fingerprint(pem));
    let of_connections = setup.connections.iter_mut().map(|connection| &mut connection.username);
    let others = [&mut setup.powerschool.proxy.username, &mut setup.mail.username];
    for user in others.into_iter().chain(of_connections) {
        *user = masked(user);
    }
    let addresses =
        [&mut setup.powerschool.url, &mut setup.powerschool.proxy.url, &mut setup.mail.host].into_iter();
    let hosts = setup.connections.iter_mut().map(|connection| &mut connection.host);
    let reports = setup.hero.accounts.iter_mut().flat_map(|account| {
        [
            &mut account.students.email,
            &mut account.schedule.email,
            &mut account.teachers.email,
            &mut account.attendance.email,
        ]
    });
    let people = setup.raptor.notify.iter_mut().chain(&mut setup.mail.to).chain([&mut setup.mail.from]);
    people
        .chain(reports.flatten())
        .chain(addresses)
        .chain(hosts)
        .for_each(|address| *address = without_user(address));
    setup
}

/// A user's name, of which nothing is told but its domain, if it has one. Whether there is one is told.
fn masked(user: &str) -> String {
    if user.is_empty() || user.contains('@') { without_user(user) } else { "…".to_owned() }
}

/// An address without what stands before its last `@`: a user's name, and perhaps a password.
fn without_user(address: &str) -> String {
    let Some((user, place)) = address.rsplit_once('@') else { return address.to_owned() };
    let scheme = user.split_once("://").map_or(String::new(), |(scheme, _)| format!("{scheme}://"));
    format!("{scheme}…@{place}")
}

/// SHA256 of a certificate in PEM text, as a browser shows it.
fn fingerprint(pem: &str) -> String {
    let body: String = pem.lines().map(str::trim).filter(|line| !line.starts_with("-----")).collect();
    match BASE64_STANDARD.decode(body) {
        Ok(der) => {
            let digits: Vec<String> = Sha256::digest(der).iter().map(|byte| format!("{byte:02X}")).collect();
            digits.join(":")
        }
        Err(_) => "not a certificate".to_owned(),
    }
}

/// Refuses a path that another process could take for another one, and a file that is there unless it may be replaced.
pub(crate) fn refuse_existing(file: &Path, overwrite: bool) -> Result<(), EngineError> {
    if !file.is_absolute() {
        let source = io::Error::from(io::ErrorKind::InvalidFilename);
        return Err(EngineError::io("write", file, source));
    }
    if !overwrite && file.symlink_metadata().is_ok() {
        return Err(EngineError::FileExists(file.to_owned()));
    }
    Ok(())
}

/// Writes the bundle beside its place, for its owner only, and puts it there when it is whole.
fn write(
    file: &Path,
    overwrite: bool,
    parts: Vec<Part>,
    logs: &Path,
    now: DateTime<Utc>,
) -> Result<SupportBundle, EngineError> {
    let failed = |source| EngineError::io("write", file, source);
    let folder = file.parent().unwrap_or(file);
    let mut partial = NamedTempFile::new_in(folder).map_err(failed)?;
    let contents = fill(partial.as_file_mut(), parts, logs, now).map_err(failed)?;
    let bytes = place(partial, file, overwrite)?;
    Ok(SupportBundle { file: file.display().to_string(), bytes, contents })
}

/// Puts a whole file, which its owner alone may read, into its place. Returns its size.
pub(crate) fn place(partial: NamedTempFile, file: &Path, overwrite: bool) -> Result<u64, EngineError> {
    let failed = |source| EngineError::io("write", file, source);
    partial.as_file().sync_all().map_err(failed)?;
    let bytes = partial.as_file().metadata().map_err(failed)?.len();
    let placed = if overwrite { partial.persist(file) } else { partial.persist_noclobber(file) };
    placed.map_err(|error| match error.error.kind() {
        io::ErrorKind::AlreadyExists => EngineError::FileExists(file.to_owned()),
        _ => failed(error.error),
    })?;
    Ok(bytes)
}

fn fill(file: &mut File, parts: Vec<Part>, logs: &Path, now: DateTime<Utc>) -> io::Result<Vec<String>> {
    let mut options =
        SimpleFileOptions::default().compression_method(CompressionMethod::Deflated).unix_permissions(0o600);
    if let Some(time) = zip_time(now) {
        options = options.last_modified_time(time);
    }
    let mut zip = ZipWriter::new(file);
    let mut contents = Vec::new();
    for (name, content) in parts {
        zip.start_file(name, options)?;
        zip.write_all(&content)?;
        contents.push(name.to_owned());
    }
    for path in log_files(logs) {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        let name = format!("logs/{name}");
        // The oldest one may be removed at any time.
        let Ok(log) = File::open(&path) else { continue };
        zip.start_file(&name, options)?;
        io::copy(&mut io::Read::take(log, LONGEST_LOG), &mut zip)?;
        contents.push(name);
    }
    zip.finish()?;
    Ok(contents)
}

/// The log files, oldest first.
fn log_files(logs: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(logs).into_iter().flatten();
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "jsonl"))
        .collect();
    files.sort();
    files
}

/// A time as zip files have it. None outside the years they know.
fn zip_time(at: DateTime<Utc>) -> Option<zip::DateTime> {
    let small = |number: u32| u8::try_from(number).ok();
    zip::DateTime::from_date_and_time(
        u16::try_from(at.year()).ok()?,
        small(at.month())?,
        small(at.day())?,
        small(at.hour())?,
        small(at.minute())?,
        small(at.second())?,
    )
    .ok()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("https://ps.example.org", "https://ps.example.org")]
    #[case("http://user:pass@proxy.example.org:8080", "http://…@proxy.example.org:8080")]
    #[case("http://user:p@ss/word@proxy.example.org", "http://…@proxy.example.org")]
    #[case("office@example.org", "…@example.org")]
    #[case("sftp.example.org", "sftp.example.org")]
    fn nothing_before_an_at_sign_is_told(#[case] address: &str, #[case] told: &str) {
        assert_eq!(without_user(address), told);
    }

    #[test]
    fn users_of_every_server_are_masked() {
        let mut setup = Setup::default();
        setup.powerschool.proxy.username = "proxy-user".to_owned();
        setup.connections[0].username = "hero-user".to_owned();
        setup.hero.accounts[0].students.email = vec!["office@example.org".to_owned()];
        setup.mail.username = "mail-user@example.org".to_owned();
        setup.mail.host = "mail-user:word@mail.example.org".to_owned();
        let told = without_secrets(&setup);
        assert_eq!(
            (told.powerschool.proxy.username.as_str(), told.connections[0].username.as_str()),
            ("…", "…")
        );
        assert_eq!(told.hero.accounts[0].students.email, ["…@example.org"]);
        assert_eq!(told.mail.username, "…@example.org");
        assert_eq!(told.mail.host, "…@mail.example.org");
        assert_eq!(
            without_secrets(&Setup::default()).connections[0].username,
            "",
            "that there is none is told"
        );
    }
}
