//! Attendance writes, and the log of those that were accepted.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::post;
use chrono::NaiveDate;
use rusqlite::{OptionalExtension as _, Transaction, TransactionBehavior, params};
use serde_json::{Map, Value, json};
use tokio::sync::oneshot;

use super::answer::{Failure, collapsed, ok};
use super::{PowerSchool, Table};
use crate::district::ATTENDANCE_DISTANCE;
use crate::plugin::Access;
use crate::{AttendanceFault, AttendanceMode};

/// Most records of one `batch_daily_time`.
const LARGEST_BATCH: usize = 200;

pub(super) fn routes() -> Router<Arc<PowerSchool>> {
    Router::new().route("/ws/attendance/{endpoint}", post(write))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Endpoint {
    DailyTime,
    BatchDailyTime,
    MeetingInterval,
}

/// One row to write, its fields present and of the right type.
#[derive(Debug)]
pub(super) struct Record {
    pub client_uid: Option<Value>,
    pub dcid: Option<i64>,
    pub student: i64,
    pub school: i64,
    pub year: i64,
    pub date: NaiveDate,
    pub mode: String,
    pub code: i64,
    pub calendar_day: Option<i64>,
    pub cc: i64,
    pub period: i64,
    pub program: i64,
    /// Start and end of a meeting, seconds since midnight.
    pub times: Option<(i64, i64)>,
    pub interval: Option<i64>,
    pub minutes: Option<i64>,
    pub comment: Option<String>,
}

/// A field that keeps a record from being written: field, code, description.
pub(super) type Refusal = (&'static str, &'static str, String);

async fn write(
    State(state): State<Arc<PowerSchool>>,
    Path(endpoint): Path<String>,
    body: Bytes,
) -> Result<Response, Failure> {
    let (endpoint, since): (_, &[u32]) = match endpoint.as_str() {
        "daily_time" => (Endpoint::DailyTime, &[9]),
        "batch_daily_time" => (Endpoint::BatchDailyTime, &[25, 3]),
        "meeting_interval" => (Endpoint::MeetingInterval, &[9]),
        _ => return Err(Failure::NotFound),
    };
    if !state.at_least(since) {
        return Err(Failure::NotFound);
    }
    let fault = state.faults().take_attendance();
    match fault {
        None => apply(state, endpoint, body).await,
        Some(AttendanceFault::DropBeforeApply { .. }) => Err(Failure::Drop),
        Some(AttendanceFault::ApplyThenDrop { .. }) => {
            apply(state, endpoint, body).await?;
            Err(Failure::Drop)
        }
        Some(AttendanceFault::ApplyLate { seconds, .. }) => {
            let (_client_waits, gone) = oneshot::channel::<()>();
            tokio::spawn(async move {
                // Ends with an error when this handler is dropped, which is when the client gave up.
                let _ = gone.await;
                tokio::time::sleep(Duration::from_secs(seconds)).await;
                if let Err(failure) = apply(state, endpoint, body).await {
                    tracing::warn!(?failure, "a late attendance write was not accepted");
                }
            });
            std::future::pending().await
        }
    }
}

async fn apply(state: Arc<PowerSchool>, endpoint: Endpoint, body: Bytes) -> Result<Response, Failure> {
    tokio::task::spawn_blocking(move || {
        let answer = state.apply(endpoint, &body);
        state.render_again();
        answer
    })
    .await?
}

impl PowerSchool {
    fn apply(&self, endpoint: Endpoint, body: &[u8]) -> Result<Response, Failure> {
        let body: Value =
            serde_json::from_slice(body).map_err(|_| Failure::BadRequest("The body is not JSON".into()))?;
        let records = match &body["record"] {
            Value::Array(records) => records.iter().collect(),
            record @ Value::Object(_) => vec![record],
            _ => return Err(missing("record")),
        };
        let fields = records
            .iter()
            .map(|record| record["tables"]["attendance"].as_object().ok_or_else(|| missing("attendance")))
            .collect::<Result<Vec<_>, _>>()?;
        let most = match endpoint {
            Endpoint::DailyTime => 1,
            Endpoint::BatchDailyTime => LARGEST_BATCH,
            Endpoint::MeetingInterval => usize::MAX,
        };
        if fields.is_empty() || fields.len() > most {
            return Err(Failure::BadRequest(format!("This takes 1 to {most} records")));
        }
        self.check_access(&fields)?;

        let mut parsed = Vec::new();
        let mut broken = None;
        for (outer, fields) in records.iter().zip(&fields) {
            match record(endpoint, outer, fields) {
                Ok(record) => parsed.push(record),
                // A batch stops at the record it cannot take; those before it went in. The answer
                // does not say so, which is why a client has to read back.
                Err(failure) if endpoint == Endpoint::BatchDailyTime => {
                    broken = Some(failure);
                    break;
                }
                Err(failure) => return Err(failure),
            }
        }
        if endpoint == Endpoint::MeetingInterval
            && parsed
                .windows(2)
                .any(|pair| (pair[0].student, pair[0].date) != (pair[1].student, pair[1].date))
        {
            return Err(Failure::BadRequest("All records must be for one student on one day".into()));
        }

        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let (mut inserted, mut updated) = (0, 0);
        let mut results = Vec::new();
        for record in &parsed {
            let mut result = Map::new();
            if let Some(uid) = &record.client_uid {
                result.insert("client_uid".into(), uid.clone());
            }
            match self.store(&transaction, record)? {
                Ok((dcid, action)) => {
                    if action == "INSERT" {
                        inserted += 1;
                    } else {
                        updated += 1;
                    }
                    result.insert("status".into(), "SUCCESS".into());
                    result.insert("action".into(), action.into());
                    result.insert("success_message".into(), json!({ "id": dcid }));
                }
                Err((field, code, description)) => {
                    let action = if record.dcid.is_some() { "UPDATE" } else { "INSERT" };
                    result.insert("status".into(), "ERROR".into());
                    result.insert("action".into(), action.into());
                    let error = json!({"field": field, "error_code": code, "error_description": description});
                    result.insert("error_message".into(), json!({"error": collapsed(vec![error])}));
                }
            }
            results.push(Value::Object(result));
        }
        transaction.commit()?;
        match broken {
            Some(failure) => Err(failure),
            None => Ok(ok(&json!({"results": {
                "insert_count": inserted,
                "update_count": updated,
                "result": collapsed(results),
            }}))),
        }
    }

    /// Every column that is sent needs FullAccess.
    fn check_access(&self, records: &[&Map<String, Value>]) -> Result<(), Failure> {
        let Some(Table { name, columns }) = self.schema.get("attendance") else { return Ok(()) };
        let mut refused: Vec<String> = columns
            .iter()
            .filter(|column| *column != "DCID")
            .filter(|column| records.iter().any(|record| record.contains_key(&column.to_lowercase())))
            .filter(|column| self.access(name, column) != Some(Access::FullAccess))
            .map(|column| format!("attendance.{}", column.to_lowercase()))
            .collect();
        refused.dedup();
        if refused.is_empty() {
            Ok(())
        } else {
            Err(Failure::Security(refused.into_iter().map(|field| (name.clone(), field)).collect()))
        }
    }

    /// Writes one record, or says which field is in the way.
    fn store(
        &self,
        to: &Transaction<'_>,
        record: &Record,
    ) -> Result<Result<(i64, &'static str), Refusal>, Failure> {
        let calendar_day = match check(to, record)? {
            Ok(calendar_day) => calendar_day,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let stored = self.put(to, record, calendar_day)?;
        if stored.is_err() {
            return Ok(stored);
        }
        to.prepare_cached(
            "INSERT INTO Practice_Write (StudentID, SchoolID, Att_Date, Att_Mode_Code, CCID, PeriodID,
                Attendance_CodeID) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            record.student,
            record.school,
            record.date.to_string(),
            record.mode,
            record.cc,
            record.period,
            record.code
        ])?;
        if self.faults().bridge_daily && is_of_bridge(to, record)? {
            let daily = Record {
                client_uid: None,
                dcid: None,
                mode: "ATT_ModeDaily".to_owned(),
                cc: 0,
                period: 0,
                times: None,
                interval: None,
                minutes: None,
                comment: None,
                ..*record
            };
            self.put(to, &daily, calendar_day)?.ok();
        }
        Ok(stored)
    }

    /// Creates or updates the row of a record that has been checked.
    pub(super) fn put(
        &self,
        to: &Transaction<'_>,
        record: &Record,
        calendar_day: i64,
    ) -> Result<Result<(i64, &'static str), Refusal>, Failure> {
        let date = record.date.to_string();
        let existing = match (record.dcid, self.mode) {
            (Some(dcid), _) => {
                let found: Option<i64> = to
                    .prepare_cached("SELECT DCID FROM Attendance WHERE DCID = ?1 AND StudentID = ?2")?
                    .query_row((dcid, record.student), |row| row.get(0))
                    .optional()?;
                if found.is_none() {
                    return Ok(Err(("dcid", "NOT_FOUND", "No such attendance record of this student".into())));
                }
                found
            }
            (None, AttendanceMode::Insert) => None,
            (None, AttendanceMode::Upsert) => to
                .prepare_cached(
                    "SELECT DCID FROM Attendance WHERE StudentID = ?1 AND Att_Date = ?2 AND Att_Mode_Code = ?3
                        AND CCID = ?4 AND PeriodID = ?5 AND ProgramID = ?6 ORDER BY DCID LIMIT 1",
                )?
                .query_row(
                    params![record.student, date, record.mode, record.cc, record.period, record.program],
                    |row| row.get(0),
                )
                .optional()?,
        };
        let (dcid, action) = if let Some(dcid) = existing {
            to.prepare_cached(
                "UPDATE Attendance SET Attendance_CodeID = ?2, Att_Comment = COALESCE(?3, Att_Comment),
                    Att_Interval = COALESCE(?4, Att_Interval), Total_Minutes = COALESCE(?5, Total_Minutes)
                  WHERE DCID = ?1",
            )?
            .execute(params![
                dcid,
                record.code,
                record.comment,
                record.interval,
                record.minutes
            ])?;
            (dcid, "UPDATE")
        } else {
            let id: i64 = to
                .prepare_cached("SELECT COALESCE(MAX(ID), 799) + 1 FROM Attendance")?
                .query_row((), |row| row.get(0))?;
            let dcid = id + ATTENDANCE_DISTANCE;
            to.prepare_cached(
                "INSERT INTO Attendance (DCID, ID, Att_Mode_Code, Att_Date, Attendance_CodeID, Calendar_DayID,
                    CCID, PeriodID, ProgramID, SchoolID, StudentID, YearID, Att_Comment, Att_Interval, Total_Minutes)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
            )?
            .execute(params![
                dcid,
                id,
                record.mode,
                date,
                record.code,
                calendar_day,
                record.cc,
                record.period,
                record.program,
                record.school,
                record.student,
                record.year,
                record.comment,
                record.interval,
                record.minutes,
            ])?;
            (dcid, "INSERT")
        };
        Ok(Ok((dcid, action)))
    }

    /// Every accepted write in order, as the audit log shows it. Blocking.
    pub fn audit(&self) -> rusqlite::Result<Value> {
        let connection = self.reader()?;
        let mut statement = connection.prepare(
            "SELECT Seq, StudentID, SchoolID, Att_Date, Att_Mode_Code, CCID, PeriodID, Attendance_CodeID
               FROM Practice_Write ORDER BY Seq",
        )?;
        let writes = statement
            .query_map((), |row| {
                Ok(json!({
                    "seq": row.get::<_, i64>(0)?,
                    "studentid": row.get::<_, i64>(1)?,
                    "schoolid": row.get::<_, i64>(2)?,
                    "att_date": row.get::<_, String>(3)?,
                    "att_mode_code": row.get::<_, String>(4)?,
                    "ccid": row.get::<_, i64>(5)?,
                    "periodid": row.get::<_, i64>(6)?,
                    "attendance_codeid": row.get::<_, i64>(7)?,
                }))
            })?
            .collect::<Result<Vec<_>, _>>()?;
        drop(statement);
        self.put_back(connection);
        Ok(json!({ "writes": writes }))
    }
}

/// Looks up everything a record refers to; gives the calendar day's ID.
fn check(to: &Transaction<'_>, record: &Record) -> rusqlite::Result<Result<i64, Refusal>> {
    let found = |sql: &str, parameters: &[&dyn rusqlite::ToSql]| -> rusqlite::Result<bool> {
        to.prepare_cached(sql)?.exists(parameters)
    };
    let date = record.date.to_string();
    if !found("SELECT 1 FROM Students WHERE ID = ?1", &[&record.student])? {
        return Ok(Err(("studentid", "NOT_FOUND", format!("There is no student {}", record.student))));
    }
    if !found("SELECT 1 FROM Schools WHERE School_Number = ?1", &[&record.school])? {
        return Ok(Err(("schoolid", "NOT_FOUND", format!("There is no school {}", record.school))));
    }
    if record.year != crate::district::yearid(record.date) {
        return Ok(Err(("yearid", "INVALID", format!("{date} is not in school year {}", record.year))));
    }
    let code = "SELECT 1 FROM Attendance_Code WHERE ID = ?1 AND SchoolID = ?2 AND YearID = ?3";
    if !found(code, &[&record.code, &record.school, &record.year])? {
        return Ok(Err((
            "attendance_codeid",
            "NOT_FOUND",
            format!("School {} has no attendance code {} that year", record.school, record.code),
        )));
    }
    let day = to
        .prepare_cached(
            "SELECT ID, InSession, Bell_Schedule_ID FROM Calendar_Day WHERE SchoolID = ?1 AND Date_Value = ?2",
        )?
        .query_row((record.school, &date), |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, bool>(1)?, row.get::<_, Option<i64>>(2)?))
        })
        .optional()?;
    let (calendar_day, schedule) = match day {
        Some((id, true, schedule)) if record.calendar_day.is_none_or(|given| given == id) => (id, schedule),
        Some((_, false, _)) => {
            return Ok(Err(("att_date", "INVALID", format!("School {} is out on {date}", record.school))));
        }
        _ => {
            return Ok(Err((
                "calendar_dayid",
                "NOT_FOUND",
                format!("School {} has no such calendar day on {date}", record.school),
            )));
        }
    };
    if let Some((start, end)) = record.times {
        let enrolled = "SELECT 1 FROM CC WHERE ID = ?1 AND StudentID = ?2 AND SchoolID = ?3
                           AND DateEnrolled <= ?4 AND DateLeft > ?4";
        if !found(enrolled, &[&record.cc, &record.student, &record.school, &date])? {
            return Ok(Err((
                "ccid",
                "NOT_FOUND",
                format!("The student has no enrollment {} there on {date}", record.cc),
            )));
        }
        let period = "SELECT 1 FROM Period WHERE ID = ?1 AND SchoolID = ?2 AND Year_ID = ?3";
        if !found(period, &[&record.period, &record.school, &record.year])? {
            return Ok(Err(("periodid", "NOT_FOUND", format!("The school has no period {}", record.period))));
        }
        let bell = "SELECT 1 FROM Bell_Schedule_Items
                     WHERE Bell_Schedule_ID = ?1 AND Period_ID = ?2 AND Start_Time = ?3 AND End_Time = ?4";
        if !found(bell, &[&schedule, &record.period, &start, &end])? {
            return Ok(Err((
                "start_time",
                "INVALID",
                "The times are not those of the period in that day's bell schedule".into(),
            )));
        }
    }
    Ok(Ok(calendar_day))
}

/// Whether a record is of a meeting in its school's bridge period.
fn is_of_bridge(to: &Transaction<'_>, record: &Record) -> rusqlite::Result<bool> {
    let bridge = "SELECT 1 FROM Prefs WHERE Name = 'ATT_BridgePeriod' AND SchoolID = ?1 AND YearID = ?2 AND Value = ?3";
    let period = record.period.to_string();
    Ok(record.mode == "ATT_ModeMeeting"
        && to.prepare_cached(bridge)?.exists(params![record.school, record.year, period])?)
}

fn missing(field: &str) -> Failure {
    Failure::Validation(vec![("ATTENDANCE".into(), field.into(), "Required field missing".into())])
}

/// Reads one record; values may be strings or numbers.
fn record(endpoint: Endpoint, outer: &Value, fields: &Map<String, Value>) -> Result<Record, Failure> {
    let invalid =
        |field: &str| Failure::Validation(vec![("ATTENDANCE".into(), field.into(), "Invalid value".into())]);
    let text = |name: &str| match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.trim().is_empty() => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.trim().to_owned())),
        Some(Value::Number(number)) => Ok(Some(number.to_string())),
        Some(_) => Err(invalid(name)),
    };
    let number = |name: &str| -> Result<Option<i64>, Failure> {
        text(name)?.map(|text| text.parse().map_err(|_| invalid(name))).transpose()
    };
    let needed = |name: &str| number(name)?.ok_or_else(|| missing(name));
    let mode = text("att_mode_code")?.ok_or_else(|| missing("att_mode_code"))?;
    let meeting = match (endpoint, mode.as_str()) {
        (Endpoint::MeetingInterval, "ATT_ModeMeeting" | "ATT_ModeInterval") => true,
        (Endpoint::DailyTime | Endpoint::BatchDailyTime, "ATT_ModeDaily" | "ATT_ModeTime") => false,
        _ => return Err(invalid("att_mode_code")),
    };
    let interval = number("att_interval")?;
    let minutes = number("total_minutes")?;
    if mode == "ATT_ModeInterval" && interval.is_none() {
        return Err(missing("att_interval"));
    }
    if mode == "ATT_ModeTime" && minutes.is_none() {
        return Err(missing("total_minutes"));
    }
    let date = text("att_date")?.ok_or_else(|| missing("att_date"))?;
    Ok(Record {
        client_uid: fields.get("client_uid").or_else(|| outer.get("client_uid")).cloned(),
        dcid: number("dcid")?,
        student: needed("studentid")?,
        school: needed("schoolid")?,
        year: needed("yearid")?,
        date: NaiveDate::parse_from_str(&date, "%Y-%m-%d").map_err(|_| invalid("att_date"))?,
        code: needed("attendance_codeid")?,
        calendar_day: number("calendar_dayid")?,
        cc: if meeting { needed("ccid")? } else { 0 },
        period: if meeting { needed("periodid")? } else { 0 },
        program: number("programid")?.unwrap_or(0),
        times: if meeting { Some((needed("start_time")?, needed("end_time")?)) } else { None },
        interval,
        minutes,
        // An empty comment empties the one that is there; none leaves it.
        comment: match fields.get("att_comment") {
            Some(Value::String(text)) => Some(text.trim().to_owned()),
            _ => text("att_comment")?,
        },
        mode,
    })
}
