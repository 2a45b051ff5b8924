//! What PowerSchool holds now.

use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::NaiveDate;
use futures_util::{StreamExt, TryStreamExt, stream};
use rosterbridge_domain::{
    attendance::{AttendanceKey, Recorded},
    id::{AttendanceCodeId, AttendanceDcid, SchoolNumber},
    roster::AttendanceRecord,
};
use rosterbridge_powerschool::Client;
use rosterbridge_store::Roster;

use crate::error::EngineError;

/// School days read back at the same time.
const READ_AT_ONCE: usize = 4;

/// What PowerSchool holds, by key.
pub(crate) struct OnRecord {
    pub(super) records: HashMap<AttendanceKey, Vec<AttendanceRecord>>,
    codes: HashMap<AttendanceCodeId, Option<String>>,
}

/// A record of PowerSchool's with its code as text.
pub(crate) struct Current<'a> {
    pub(crate) recorded: Recorded<'a>,
    pub(crate) dcid: Option<AttendanceDcid>,
    pub(crate) comment: &'a str,
}

impl Current<'_> {
    /// The code, if there is a record with one.
    pub(super) fn code(&self) -> Option<String> {
        match self.recorded {
            Recorded::Code(code) => Some(code.to_owned()),
            Recorded::Nothing | Recorded::Blank | Recorded::Several => None,
        }
    }
}

/// A code of another school or year, which the roster can't name. No code has this text.
pub(super) const NAMELESS_CODE: &str = "\u{0}";

impl OnRecord {
    pub(crate) fn current(&self, key: &AttendanceKey) -> Current<'_> {
        match self.records.get(key).map(Vec::as_slice) {
            None | Some([]) => Current { recorded: Recorded::Nothing, dcid: None, comment: "" },
            Some([record]) => Current {
                recorded: match self.codes.get(&record.code_id) {
                    Some(Some(code)) => Recorded::Code(code),
                    Some(None) => Recorded::Blank,
                    None => Recorded::Code(NAMELESS_CODE),
                },
                dcid: Some(record.dcid),
                comment: &record.comment,
            },
            Some(_) => Current { recorded: Recorded::Several, dcid: None, comment: "" },
        }
    }
}

/// The key of a record, if it is one the exchange could have written.
fn key_of(record: &AttendanceRecord) -> Option<AttendanceKey> {
    use rosterbridge_domain::attendance::{AttendanceMode, Meeting};
    if record.program.is_some() {
        return None;
    }
    let meeting = match (record.cc, record.period) {
        _ if record.mode == AttendanceMode::Daily.code() => None,
        (Some(cc), Some(period)) if record.mode == AttendanceMode::Meeting.code() => {
            Some(Meeting { cc, period })
        }
        _ => return None,
    };
    Some(AttendanceKey { school: record.school, student: record.student, date: record.date, meeting })
}

/// Reads back what PowerSchool holds for the schools and days of `keys`.
pub(crate) async fn read_back(
    client: &Client,
    roster: &Roster,
    keys: impl Iterator<Item = &AttendanceKey>,
) -> Result<OnRecord, EngineError> {
    let wanted: HashSet<AttendanceKey> = keys.copied().collect();
    let days: BTreeSet<(SchoolNumber, NaiveDate)> = wanted.iter().map(|key| (key.school, key.date)).collect();
    let mut records: HashMap<AttendanceKey, Vec<AttendanceRecord>> = HashMap::new();
    let mut reading = stream::iter(days)
        .map(|(school, date)| client.attendance_on(school, date))
        .buffer_unordered(READ_AT_ONCE);
    while let Some(batch) = reading.try_next().await? {
        for record in batch {
            if let Some(key) = key_of(&record).filter(|key| wanted.contains(key)) {
                records.entry(key).or_default().push(record);
            }
        }
    }
    let codes = if wanted.is_empty() {
        HashMap::new()
    } else {
        roster.all_attendance_codes()?.into_iter().map(|code| (code.id, code.code)).collect()
    };
    Ok(OnRecord { records, codes })
}
