//! The peers: each does one part of a run, with the same bytes, as an administrator would by hand.

use crate::{
    district::Ready,
    process::{self, StepError},
};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::{
    fmt::Write as _,
    fs,
    io::{BufWriter, Write as _},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

/// Which rows of a table the plugin's query is asked for.
#[derive(Clone, Copy)]
enum Arguments {
    None,
    Years,
    Days,
}

/// The plugin's queries that a roster pull reads.
const QUERIES: [(&str, &str, Arguments); 13] = [
    ("schools", "com.rosterbridge.roster.schools.all", Arguments::None),
    ("terms", "com.rosterbridge.roster.terms.all", Arguments::None),
    ("students", "com.rosterbridge.roster.students.all", Arguments::None),
    ("courses", "com.rosterbridge.roster.courses.all", Arguments::None),
    ("sections", "com.rosterbridge.roster.sections.of_years", Arguments::Years),
    ("teachers", "com.rosterbridge.roster.teachers.all", Arguments::None),
    ("enrollments", "com.rosterbridge.roster.enrollments.of_years", Arguments::Years),
    ("attendance_codes", "com.rosterbridge.attendance.codes.of_years", Arguments::Years),
    ("periods", "com.rosterbridge.calendar.periods.of_years", Arguments::Years),
    ("cycle_days", "com.rosterbridge.calendar.cycle_days.of_years", Arguments::Years),
    ("calendar_days", "com.rosterbridge.calendar.days.of_years", Arguments::Days),
    ("bell_times", "com.rosterbridge.calendar.bell_times.all", Arguments::None),
    ("section_meetings", "com.rosterbridge.calendar.section_meetings.of_years", Arguments::Years),
];

/// The three files that Hero takes.
pub const FILES: [&str; 3] = ["STUDENT.TXT", "SCHEDULE.TXT", "TEACHER.txt"];

/// The peers and the folder they work in.
pub struct Peers<'a> {
    folder: &'a Path,
    ready: &'a Ready,
    /// PowerSchool's YearID of the practice date.
    year: u16,
    /// The three files as RosterBridge made them.
    files: &'a Path,
}

/// What the peers took, in seconds. A peer that is not installed has none.
#[derive(Clone, Copy, Debug)]
pub struct Taken {
    pub curl: Option<f64>,
    pub sqlite3: Option<f64>,
    pub sftp: Option<f64>,
    /// Rows downloaded, and bytes of the answers.
    pub rows: u64,
    pub bytes: u64,
}

impl Taken {
    /// All three together, if there are three.
    pub fn sum(&self) -> Option<f64> {
        Some(self.curl? + self.sqlite3? + self.sftp?)
    }
}

impl<'a> Peers<'a> {
    /// Peers that work in the empty `folder`.
    pub fn new(folder: &'a Path, ready: &'a Ready, year: u16, files: &'a Path) -> Self {
        Self { folder, ready, year, files }
    }

    /// Lets each do its part, one after the other.
    pub fn run(&self) -> Result<Taken, StepError> {
        let mut taken = Taken { curl: None, sqlite3: None, sftp: None, rows: 0, bytes: 0 };
        if is_there("curl", "--version") {
            let (spent, bytes) = download(self.folder, self.ready, self.year)?;
            (taken.curl, taken.bytes) = (Some(spent.as_secs_f64()), bytes);
            taken.rows = self.to_csv()?;
            if is_there("sqlite3", "--version") {
                taken.sqlite3 = Some(self.import(taken.rows)?.as_secs_f64());
            }
        }
        if is_there("ssh", "-V") {
            taken.sftp = Some(self.upload()?.as_secs_f64());
        }
        Ok(taken)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn write(&self, name: &str, text: &str) -> Result<PathBuf, StepError> {
        write(self.folder, name, text)
    }

    /// Turns the answers into what `sqlite3` can import; how many rows there are. Not part of a peer's time.
    fn to_csv(&self) -> Result<u64, StepError> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(default)]
            record: Vec<Map<String, Value>>,
        }

        let mut rows = 0;
        for (table, ..) in QUERIES {
            let source = self.path(&format!("{table}.json"));
            let bytes = fs::read(&source).map_err(|error| StepError::file(source.display(), error))?;
            let answer: Answer = process::parse(table, &bytes)?;
            rows += answer.record.len() as u64;
            let target = self.path(&format!("{table}.csv"));
            let write = || -> std::io::Result<()> {
                let mut csv = BufWriter::new(fs::File::create(&target)?);
                if let Some(first) = answer.record.first() {
                    let names: Vec<&str> = first.keys().map(String::as_str).collect();
                    writeln!(csv, "{}", names.join(","))?;
                }
                for record in &answer.record {
                    let values: Vec<String> = record.values().map(csv_value).collect();
                    writeln!(csv, "{}", values.join(","))?;
                }
                csv.flush()
            };
            write().map_err(|error| StepError::file(target.display(), error))?;
        }
        Ok(rows)
    }

    /// The shell with its defaults, in one transaction; it makes the tables from the files' first lines.
    fn import(&self, rows: u64) -> Result<Duration, StepError> {
        let mut script = "BEGIN;\n.mode csv\n".to_owned();
        for (table, ..) in QUERIES {
            // Writing to a string can't fail.
            let _ = writeln!(script, ".import {table}.csv {table}");
        }
        script.push_str("COMMIT;\n");
        self.write("import.sql", &script)?;
        let database = self.path("peer.db");
        // A journal of the run before would be part of this one's work.
        match fs::remove_file(&database) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(StepError::file(database.display(), source));
            }
            _ => {}
        }
        let sqlite3 = |statement: &str| {
            let mut command = Command::new("sqlite3");
            command.current_dir(self.folder).args(["-batch", "-bail", "peer.db", statement]);
            command
        };
        let spent = timed(&mut sqlite3(".read import.sql"))?;

        let counts: Vec<String> =
            QUERIES.iter().map(|(table, ..)| format!("(SELECT count(*) FROM {table})")).collect();
        let output = process::output(&mut sqlite3(&format!("SELECT {};", counts.join(" + "))))?;
        let imported = String::from_utf8_lossy(&output).trim().to_owned();
        if imported == rows.to_string() {
            Ok(spent)
        } else {
            Err(StepError::Unmet(format!("sqlite3 imported {imported} of {rows} rows")))
        }
    }

    /// OpenSSH's client with a password from a program, into the account the run before wrote to.
    fn upload(&self) -> Result<Duration, StepError> {
        let hero = &self.ready.hero;
        let port = hero.port.to_string();
        let keys = process::output(Command::new("ssh-keyscan").args(["-p", &port, &hero.host]))?;
        let known = self.write("known_hosts", &String::from_utf8_lossy(&keys))?;
        let prints = process::output(Command::new("ssh-keygen").arg("-lf").arg(&known))?;
        if !String::from_utf8_lossy(&prints).contains(&hero.host_key_sha256) {
            return Err(StepError::Unmet("Hero's host key is not the one in the ready file".to_owned()));
        }
        let password = self.write("password", &hero.password)?;
        let askpass = self.write("askpass", &format!("#!/bin/sh\nexec cat '{}'\n", password.display()))?;
        executable(&askpass)?;
        let mut batch = String::new();
        for name in FILES {
            // Writing to a string can't fail.
            let _ = writeln!(batch, "put {} imports/{name}", self.files.join(name).display());
        }
        let batch = self.write("sftp.batch", &batch)?;
        let mut sftp = Command::new("sftp");
        sftp.args(["-q", "-F", "none"])
            // Before `-b`, which would otherwise forbid passwords.
            .args(["-o", "BatchMode=no", "-o", "StrictHostKeyChecking=yes"])
            .args(["-o", "PreferredAuthentications=password", "-o", "NumberOfPasswordPrompts=1"])
            .arg("-o")
            .arg(format!("UserKnownHostsFile={}", known.display()))
            .arg("-b")
            .arg(batch)
            .args(["-P", &port])
            .arg(format!("{}@{}", hero.username, hero.host))
            .env("SSH_ASKPASS", askpass)
            .env("SSH_ASKPASS_REQUIRE", "force")
            .stdout(std::io::stderr());
        timed(&mut sftp)
    }
}

/// The queries of a roster pull into files of `folder`: one `curl` process with a token already fetched, one connection,
/// one query after the other. How long that took, and the bytes of the answers.
pub fn download(folder: &Path, ready: &Ready, year: u16) -> Result<(Duration, u64), StepError> {
    let authority = write(folder, "ca.pem", &ready.powerschool.ca_pem)?;
    let token = token(folder, ready, &authority)?;
    let url = &ready.powerschool.url;
    let (first, last) = (1990 + year, 1991 + year);
    let answer = |table: &str| folder.join(format!("{table}.json"));
    let requests = QUERIES.map(|(table, query, arguments)| {
        let body = match arguments {
            Arguments::None => serde_json::json!({}),
            Arguments::Years => serde_json::json!({"yearid_from": year, "yearid_to": year}),
            Arguments::Days => serde_json::json!({
                "date_from": format!("{first}-06-01"),
                "date_to": format!("{last}-08-31"),
            }),
        };
        request(&[
            ("url", format!("{url}/ws/schema/query/{query}?pagesize=0")),
            ("cacert", authority.display().to_string()),
            ("header", format!("Authorization: Bearer {token}")),
            ("header", "Accept: application/json".to_owned()),
            ("header", "Content-Type: application/json".to_owned()),
            ("data", body.to_string()),
            ("output", answer(table).display().to_string()),
        ])
    });
    let spent = curl(folder, &requests)?;
    let mut bytes = 0;
    for (table, ..) in QUERIES {
        let path = answer(table);
        bytes += fs::metadata(&path).map_err(|source| StepError::file(path.display(), source))?.len();
    }
    Ok((spent, bytes))
}

/// The least that a client asks before it knows anything: a new token and PowerSchool's metadata, by one `curl` process
/// over one connection. The metadata are asked for with a token fetched before. How long that took.
pub fn round_trip(folder: &Path, ready: &Ready) -> Result<Duration, StepError> {
    let authority = write(folder, "ca.pem", &ready.powerschool.ca_pem)?;
    let token = token(folder, ready, &authority)?;
    let powerschool = &ready.powerschool;
    let output = |name: &str| folder.join(name).display().to_string();
    let for_token = request(&[
        ("url", format!("{}/oauth/access_token", powerschool.url)),
        ("cacert", authority.display().to_string()),
        ("user", format!("{}:{}", powerschool.client_id, powerschool.client_secret)),
        ("data", "grant_type=client_credentials".to_owned()),
        ("output", output("token.json")),
    ]);
    let for_metadata = request(&[
        ("url", format!("{}/ws/v1/metadata", powerschool.url)),
        ("cacert", authority.display().to_string()),
        ("header", format!("Authorization: Bearer {token}")),
        ("header", "Accept: application/json".to_owned()),
        ("output", output("metadata.json")),
    ]);
    curl(folder, &[for_token, for_metadata])
}

/// A request in curl's configuration.
fn request(options: &[(&str, String)]) -> String {
    let mut lines = "fail\nsilent\nshow-error\nnoproxy = \"*\"\n".to_owned();
    for (option, value) in options {
        // A JSON string is also a quoted value of curl's configuration. Writing to a string can't fail.
        let _ = writeln!(lines, "{option} = {}", Value::from(value.as_str()));
    }
    lines
}

/// One `curl` process makes the requests, one after the other.
fn curl(folder: &Path, requests: &[String]) -> Result<Duration, StepError> {
    let config = write(folder, "curl.conf", &requests.join("next\n"))?;
    timed(Command::new("curl").arg("--disable").arg("--config").arg(config))
}

/// A token, as the client fetches one. Not part of a peer's time.
pub fn token(folder: &Path, ready: &Ready, authority: &Path) -> Result<String, StepError> {
    #[derive(Deserialize)]
    struct Answer {
        access_token: String,
    }

    let powerschool = &ready.powerschool;
    let credentials = format!("{}:{}", powerschool.client_id, powerschool.client_secret);
    let config = write(folder, "token.conf", &format!("user = {}\n", Value::from(credentials)))?;
    let answer = process::output(
        Command::new("curl")
            .args(["--disable", "--fail", "--silent", "--show-error", "--noproxy", "*", "--config"])
            .arg(config)
            .arg("--cacert")
            .arg(authority)
            .args(["--data", "grant_type=client_credentials"])
            .arg(format!("{}/oauth/access_token", powerschool.url)),
    )?;
    Ok(process::parse::<Answer>("the token", &answer)?.access_token)
}

/// Writes a file into a peer's folder.
pub fn write(folder: &Path, name: &str, text: &str) -> Result<PathBuf, StepError> {
    let path = folder.join(name);
    fs::write(&path, text).map_err(|source| StepError::file(path.display(), source))?;
    Ok(path)
}

/// Runs a program to its end and tells how long that took.
pub fn timed(command: &mut Command) -> Result<Duration, StepError> {
    let started = Instant::now();
    process::run(command)?;
    Ok(started.elapsed())
}

/// Whether a program answers when asked for its version.
pub fn is_there(program: &str, version: &str) -> bool {
    process::probe(Command::new(program).arg(version)).is_some()
}

/// A value as the `sqlite3` shell reads it from CSV.
pub fn csv_value(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) if text.contains(['"', ',', '\n', '\r']) => {
            format!("\"{}\"", text.replace('"', "\"\""))
        }
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(unix)]
fn executable(path: &Path) -> Result<(), StepError> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))
        .map_err(|source| StepError::file(path.display(), source))
}

#[cfg(not(unix))]
fn executable(_: &Path) -> Result<(), StepError> {
    Err(StepError::Unmet("OpenSSH takes a password from a program on Unix only".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::district::{Counts, Hero, PowerSchool};
    use serde_json::json;
    use std::{
        io::{BufRead as _, BufReader, Read as _},
        net::TcpListener,
    };

    #[test]
    fn values_are_quoted_where_csv_needs_it() {
        let line =
            [json!(null), json!("O'Hara"), json!("a \"b\", c"), json!("7"), json!(7)].map(|v| csv_value(&v));
        assert_eq!(line.join("|"), "|O'Hara|\"a \"\"b\"\", c\"|7|7");
    }

    /// Answers everything with a token, connection by connection, and yields what it was asked on each.
    fn server(listener: &TcpListener, connections: usize) -> Vec<Vec<String>> {
        let answer = r#"{"access_token": "t"}"#;
        let mut asked = Vec::new();
        for connection in listener.incoming().take(connections) {
            let mut connection = BufReader::new(connection.unwrap());
            let mut requests = Vec::new();
            loop {
                let (mut head, mut length) = (Vec::new(), 0);
                for line in connection.by_ref().lines() {
                    let line = line.unwrap();
                    if line.is_empty() {
                        break;
                    }
                    if let Some(bytes) = line.to_lowercase().strip_prefix("content-length: ") {
                        length = bytes.parse().unwrap();
                    }
                    head.push(line);
                }
                let Some(first) = head.first() else { break };
                let mut body = vec![0; length];
                connection.read_exact(&mut body).unwrap();
                requests.push(format!("{first} {}", String::from_utf8(body).unwrap()).trim_end().to_owned());
                let length = answer.len();
                write!(connection.get_mut(), "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{answer}")
                    .unwrap();
            }
            asked.push(requests);
        }
        asked
    }

    #[test]
    fn a_round_trip_is_one_connection() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let ready = Ready {
            audit_url: String::new(),
            powerschool: PowerSchool {
                url: format!("http://{}", listener.local_addr().unwrap()),
                client_id: "id".to_owned(),
                client_secret: "secret".to_owned(),
                ca_pem: String::new(),
            },
            hero: Hero {
                host: String::new(),
                port: 0,
                username: String::new(),
                password: String::new(),
                host_key_sha256: String::new(),
            },
            district: Counts { students: 0, enrollments: 0, schools: 0 },
        };
        let asking = std::thread::spawn(move || server(&listener, 2));
        let folder = tempfile::tempdir().unwrap();
        round_trip(folder.path(), &ready).unwrap();
        let token = "POST /oauth/access_token HTTP/1.1 grant_type=client_credentials";
        assert_eq!(
            asking.join().unwrap(),
            [vec![token], vec![token, "GET /ws/v1/metadata HTTP/1.1"]]
                .map(|requests| requests.into_iter().map(str::to_owned).collect::<Vec<_>>())
        );
    }

    #[test]
    fn a_request_is_quoted_as_curl_reads_it() {
        let request =
            request(&[("url", "https://127.0.0.1:1/x".to_owned()), ("data", r#"{"a":"b"}"#.to_owned())]);
        assert_eq!(
            request,
            "fail\nsilent\nshow-error\nnoproxy = \"*\"\nurl = \"https://127.0.0.1:1/x\"\n\
             data = \"{\\\"a\\\":\\\"b\\\"}\"\n"
        );
    }

    #[test]
    fn without_one_of_the_peers_there_is_no_sum() {
        let all = Taken { curl: Some(1.0), sqlite3: Some(0.5), sftp: Some(0.25), rows: 1, bytes: 1 };
        assert_eq!(all.sum(), Some(1.75));
        assert_eq!(Taken { sftp: None, ..all }.sum(), None);
    }
}
