//! PowerSchool's AutoComm: Hero's attendance file, read by PowerSchool itself.
//!
//! What it writes is in the attendance table and in nobody's audit log, because no program sent it.

use std::sync::{Arc, PoisonError};

use chrono::NaiveDate;
use encoding_rs::WINDOWS_1252;
use rusqlite::{OptionalExtension as _, Transaction, TransactionBehavior, params};
use serde::{Deserialize, Serialize};

use super::{PowerSchool, attendance::Record, events, versions};
use crate::PracticeError;

/// What `POST /control/autocomm` imports.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AutoComm {
    /// The account's user; none for the first account.
    pub account: Option<String>,
    /// The file's name in `export/`; none for the account's attendance export.
    pub file: Option<String>,
}

/// What an import did, in rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Imported {
    /// Added to the attendance table.
    pub inserted: u32,
    /// Had another code before.
    pub updated: u32,
    /// Were there already.
    pub unchanged: u32,
    /// Name something that is not there.
    pub refused: u32,
}

/// What a row of Hero's file is about.
struct Found {
    student: i64,
    school: i64,
    cc: i64,
    period: i64,
    code: i64,
    calendar_day: i64,
    mode: String,
}

impl PowerSchool {
    /// Imports an attendance file with 'Update existing records' ticked.
    pub async fn auto_comm(self: Arc<Self>, file: Vec<u8>) -> Result<Imported, PracticeError> {
        let state = self.clone();
        let (imported, events) = tokio::task::spawn_blocking(move || {
            let mut writer = state.writer.lock().unwrap_or_else(PoisonError::into_inner);
            let before = versions::newest(&writer)?;
            let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let mut imported = Imported::default();
            let (text, _, _) = WINDOWS_1252.decode(&file);
            for line in text.split('\n').filter(|line| !line.is_empty()) {
                state.import_row(&transaction, line, &mut imported)?;
            }
            transaction.commit()?;
            state.render_again();
            Ok::<_, PracticeError>((imported, events::since(&writer, before)?))
        })
        .await??;
        self.announce(events);
        Ok(imported)
    }

    fn import_row(
        &self,
        to: &Transaction<'_>,
        line: &str,
        imported: &mut Imported,
    ) -> Result<(), PracticeError> {
        let Some((date, found)) = find(to, line)? else {
            imported.refused += 1;
            return Ok(());
        };
        let existing: Option<(i64, i64)> = to
            .prepare_cached(
                "SELECT DCID, Attendance_CodeID FROM Attendance
                  WHERE StudentID = ?1 AND Att_Date = ?2 AND Att_Mode_Code = ?3 AND CCID = ?4 AND PeriodID = ?5
                    AND ProgramID = 0 ORDER BY DCID LIMIT 1",
            )?
            .query_row(params![found.student, date.to_string(), found.mode, found.cc, found.period], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()?;
        let count = match existing {
            Some((_, code)) if code == found.code => {
                imported.unchanged += 1;
                return Ok(());
            }
            Some(_) => &mut imported.updated,
            None => &mut imported.inserted,
        };
        let record = Record {
            client_uid: None,
            dcid: existing.map(|(dcid, _)| dcid),
            student: found.student,
            school: found.school,
            year: crate::district::yearid(date),
            date,
            mode: found.mode,
            code: found.code,
            calendar_day: Some(found.calendar_day),
            cc: found.cc,
            period: found.period,
            program: 0,
            times: None,
            interval: None,
            minutes: None,
            comment: None,
        };
        match self.put(to, &record, found.calendar_day) {
            Ok(Ok(_)) => *count += 1,
            Ok(Err(_)) => imported.refused += 1,
            Err(failure) => {
                tracing::warn!(?failure, "AutoComm could not store a row");
                return Err(PracticeError::Change {
                    reason: "an attendance row could not be stored".to_owned(),
                });
            }
        }
        Ok(())
    }
}

/// Looks up what a row names; nothing if something is not there.
fn find(to: &Transaction<'_>, line: &str) -> Result<Option<(NaiveDate, Found)>, PracticeError> {
    let fields: Vec<&str> = line.trim_end_matches('\r').split('\t').collect();
    let [school, student, course, section, day, code, period] = fields.as_slice() else { return Ok(None) };
    let Ok(date) = NaiveDate::parse_from_str(day, "%m/%d/%Y") else { return Ok(None) };
    let found = to
        .prepare_cached(
            "SELECT Students.ID, CC.SchoolID, CC.ID, Period.ID, Attendance_Code.ID, Calendar_Day.ID,
                    Sections.Att_Mode_Code
               FROM Students
               JOIN CC ON CC.StudentID = Students.ID AND CC.SchoolID = ?1 AND CC.Course_Number = ?3
                    AND CC.Section_Number = ?4 AND CC.DateEnrolled <= ?5 AND CC.DateLeft > ?5
               JOIN Sections ON Sections.ID = CC.SectionID
               JOIN Attendance_Code ON Attendance_Code.SchoolID = CC.SchoolID
                    AND Attendance_Code.YearID = ?8 AND Attendance_Code.Att_Code = ?6
               JOIN Period ON Period.SchoolID = CC.SchoolID AND Period.Year_ID = ?8 AND Period.Abbreviation = ?7
               JOIN Calendar_Day ON Calendar_Day.SchoolID = CC.SchoolID AND Calendar_Day.Date_Value = ?5
                    AND Calendar_Day.InSession = 1
              WHERE Students.Student_Number = ?2 ORDER BY CC.ID LIMIT 1",
        )?
        .query_row(
            params![
                school,
                student,
                course,
                section,
                date.to_string(),
                code,
                period,
                crate::district::yearid(date)
            ],
            |row| {
                Ok(Found {
                    student: row.get(0)?,
                    school: row.get(1)?,
                    cc: row.get(2)?,
                    period: row.get(3)?,
                    code: row.get(4)?,
                    calendar_day: row.get(5)?,
                    mode: row.get(6)?,
                })
            },
        )
        .optional()?;
    Ok(found.map(|found| {
        // A school that records the day knows neither class nor period.
        let daily = found.mode == "ATT_ModeDaily";
        (date, if daily { Found { cc: 0, period: 0, ..found } } else { found })
    }))
}
