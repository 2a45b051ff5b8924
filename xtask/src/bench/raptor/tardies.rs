//! A day's tardies: read, decided and written by us; and `curl` sending the same bodies to the same server, as many at a
//! time.

use super::{Bench, ROUNDS, Site, TARDIES};
use crate::{
    bench::{
        control, empty,
        peers::{is_there, timed, token, write},
    },
    district::Ready,
    process::{self, StepError},
};
use serde_json::{Map, Value, json};
use std::{fmt::Write as _, path::Path, process::Command};

const JOB: &str = "raptor-tardies";
/// Requests on their way at the same time, as ours.
const IN_FLIGHT: usize = 8;
/// Daily records of one request, where the server takes several.
const BATCH: usize = 200;

/// The records our run wrote, as it sent them.
const WRITTEN: &str = "SELECT json_object(
    'studentid', a.StudentID, 'schoolid', a.SchoolID, 'yearid', a.YearID, 'att_date', a.Att_Date,
    'att_mode_code', a.Att_Mode_Code, 'attendance_codeid', a.Attendance_CodeID, 'calendar_dayid', a.Calendar_DayID,
    'att_comment', nullif(a.Att_Comment, ''), 'ccid', nullif(a.CCID, 0), 'periodid', nullif(a.PeriodID, 0),
    'start_time', b.Start_Time, 'end_time', b.End_Time)
  FROM Practice_Write w
  JOIN Attendance a ON a.StudentID = w.StudentID AND a.SchoolID = w.SchoolID AND a.Att_Date = w.Att_Date
    AND a.Att_Mode_Code = w.Att_Mode_Code AND a.CCID = w.CCID AND a.PeriodID = w.PeriodID
  LEFT JOIN Calendar_Day d ON d.ID = a.Calendar_DayID
  LEFT JOIN Bell_Schedule_Items b ON b.Bell_Schedule_ID = d.Bell_Schedule_ID AND b.Period_ID = a.PeriodID
  ORDER BY w.Seq;";

/// What was measured, in seconds.
#[derive(Default)]
pub struct Tardies {
    pub ours: Vec<f64>,
    pub peer: Vec<f64>,
    pub peak: Vec<f64>,
    pub written: u64,
    pub requests: usize,
}

impl Tardies {
    /// Our rows a second against the peer's, round by round.
    pub fn against_peer(&self) -> Vec<f64> {
        self.ours.iter().zip(&self.peer).map(|(ours, peer)| peer / ours).collect()
    }
}

/// `version` is PowerSchool's, the current one where none is given; `latency` is how late it answers, milliseconds.
pub fn measure(bench: &Bench, version: Option<&str>, latency: u16) -> Result<Tardies, StepError> {
    let faults = json!({ "version": version, "latency_ms": latency });
    let mut tardies = Tardies::default();
    let mut requests: Option<Vec<(String, Value)>> = None;
    // With latency a round takes long enough to need no other before it.
    let uncounted = usize::from(latency == 0);
    for round in 0..ROUNDS + uncounted {
        let site = bench.site()?;
        // Tardies are taken in once the roster was sent.
        bench.ours.sync(&site.home, &bench.folder.join("memory"), &["raptor-roster"])?;
        control::faults(&site.ready, &faults)?;
        let run = bench.ours.sync(&site.home, &bench.folder.join("memory"), &[JOB])?;
        let seconds = run
            .phase(JOB)
            .ok_or_else(|| StepError::Unmet("the run tells no time for the tardies".to_owned()))?;
        let written: u64 = run.report.jobs.iter().map(|job| job.rows.written).sum();
        if written != u64::from(TARDIES) {
            return Err(StepError::Unmet(format!("{written} tardies of {TARDIES} were written")));
        }
        tardies.written = written;
        let peers = is_there("curl", "--version") && is_there("sqlite3", "--version");
        if peers && requests.is_none() {
            requests = Some(requests_of(&site, version.is_none())?);
        }
        drop(site);
        let peer = match &requests {
            Some(requests) => {
                tardies.requests = requests.len();
                let (serving, ready) = bench.copy(&bench.folder.join("district"))?;
                control::faults(&ready, &faults)?;
                let seconds = send(&bench.folder.join("peer"), &ready, requests)?;
                drop(serving);
                Some(seconds)
            }
            None => None,
        };
        eprintln!("    round {round}: ours {seconds:.2} s, curl {peer:?} s");
        if round >= uncounted {
            tardies.ours.push(seconds);
            tardies.peer.extend(peer);
            tardies.peak.extend(run.peak);
        }
    }
    Ok(tardies)
}

/// The requests that carry what our run wrote: meetings one student a request, daily records as many as the server takes.
fn requests_of(site: &Site, batches: bool) -> Result<Vec<(String, Value)>, StepError> {
    let rows = process::output(
        Command::new("sqlite3").args(["-batch", "-readonly"]).arg(site.data.join("district.db")).arg(WRITTEN),
    )?;
    let mut daily = Vec::new();
    let mut requests = Vec::new();
    for line in String::from_utf8_lossy(&rows).lines() {
        let mut fields: Map<String, Value> = process::parse("a record", line.as_bytes())?;
        fields.retain(|_, value| !value.is_null());
        if fields.contains_key("ccid") {
            requests.push(("/ws/attendance/meeting_interval".to_owned(), body(&[fields])));
        } else {
            daily.push(fields);
        }
    }
    let (resource, size) =
        if batches { ("/ws/attendance/batch_daily_time", BATCH) } else { ("/ws/attendance/daily_time", 1) };
    requests.extend(daily.chunks(size).map(|fields| (resource.to_owned(), body(fields))));
    Ok(requests)
}

fn body(records: &[Map<String, Value>]) -> Value {
    let records: Vec<Value> = records
        .iter()
        .enumerate()
        .map(|(uid, fields)| {
            json!({"name": "ATTENDANCE", "client_uid": uid.to_string(), "tables": {"attendance": fields}})
        })
        .collect();
    json!({"name": "ATTENDANCE", "record": records})
}

/// One `curl` process with a token already fetched, which keeps its connections. In seconds.
fn send(folder: &Path, ready: &Ready, requests: &[(String, Value)]) -> Result<f64, StepError> {
    empty(folder)?;
    let authority = write(folder, "ca.pem", &ready.powerschool.ca_pem)?;
    let token = token(folder, ready, &authority)?;
    let quoted = |text: &str| Value::from(text).to_string();
    let mut config = format!("parallel\nparallel-max = {IN_FLIGHT}\n");
    for (place, (resource, body)) in requests.iter().enumerate() {
        if place > 0 {
            config.push_str("next\n");
        }
        // Writing to a string can't fail.
        let _ = writeln!(
            config,
            "fail\nsilent\nshow-error\nnoproxy = \"*\"\nurl = {}\ncacert = {}\nheader = {}\n\
             header = \"Content-Type: application/json\"\nheader = \"Accept: application/json\"\ndata = {}\n\
             output = \"/dev/null\"",
            quoted(&format!("{}{resource}", ready.powerschool.url)),
            quoted(&authority.display().to_string()),
            quoted(&format!("Authorization: Bearer {token}")),
            quoted(&body.to_string()),
        );
    }
    let config = write(folder, "curl.conf", &config)?;
    Ok(timed(Command::new("curl").arg("--disable").arg("--config").arg(config))?.as_secs_f64())
}
