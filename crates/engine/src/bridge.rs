//! Schools that record both meeting and daily attendance. Whether PowerSchool links the daily record to a meeting record
//! that is written by a program is not documented: after a school's first such write both are read back and told.

use std::collections::{BTreeMap, HashMap, hash_map::Entry};

use rosterbridge_domain::{
    attendance::{AttendanceKey, AttendanceWrite, Recorded},
    id::{PeriodId, SchoolNumber, YearId},
    mapping::AttendanceMethod,
    settings::Setup,
};
use rosterbridge_powerschool::Client;
use rosterbridge_store::{Roster, StoreError, ledger::DecisionOutcome};

use crate::{
    attendance::{AttendancePlan, read_back},
    engine::Engine,
    error::EngineError,
};

/// The ledger's value that holds the schools that have been told about, and whether by a record of the bridge period.
const SHOWN: &str = "bridges_shown";

/// The record a school's bridge is told by.
#[derive(Debug)]
pub(crate) struct BridgeSample {
    write: AttendanceWrite,
    /// PERIOD.ABBREVIATION of its meeting.
    period: String,
    /// That of the bridge period; empty where it is not known.
    bridge: String,
}

impl BridgeSample {
    /// Whether the daily record is meant to follow this meeting.
    fn is_of_bridge(&self) -> bool {
        self.bridge.is_empty() || self.period == self.bridge
    }
}

/// Of each school that records both, the first meeting record to be written: one of the bridge period, if there is any.
pub(crate) fn samples(
    setup: &Setup,
    roster: &Roster,
    plan: &AttendancePlan,
) -> Result<Vec<BridgeSample>, StoreError> {
    let both: HashMap<SchoolNumber, &str> = setup
        .mappings
        .buildings
        .iter()
        .filter(|row| row.method == Some(AttendanceMethod::Both))
        .filter_map(|row| Some((row.school?, row.bridge_period.as_str())))
        .collect();
    let mut samples: BTreeMap<SchoolNumber, BridgeSample> = BTreeMap::new();
    let mut periods: HashMap<(SchoolNumber, YearId), HashMap<PeriodId, String>> = HashMap::new();
    for decision in plan.inputs.iter().flat_map(|input| &input.decisions) {
        let DecisionOutcome::Write(write) = &decision.outcome else { continue };
        let (Some(meeting), Some(bridge)) = (write.key.meeting, both.get(&write.key.school)) else {
            continue;
        };
        let abbreviations = match periods.entry((write.key.school, write.year)) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => {
                let rows = roster.periods(write.key.school, write.year)?;
                place.insert(rows.into_iter().map(|row| (row.id, row.abbreviation)).collect())
            }
        };
        let period = abbreviations.get(&meeting.period).cloned().unwrap_or_default();
        let known = samples.get(&write.key.school).map(BridgeSample::is_of_bridge);
        if known.is_none_or(|of_bridge| !of_bridge && period == *bridge) {
            let sample = BridgeSample { write: write.clone(), period, bridge: (*bridge).to_owned() };
            samples.insert(write.key.school, sample);
        }
    }
    Ok(samples.into_values().collect())
}

impl Engine {
    /// Reads both records of each sample back and tells what PowerSchool has, once a school; once more when the first one
    /// was not of the bridge period. Nothing is told of a record that was not written.
    pub(crate) async fn bridge_notes(
        &self,
        client: &Client,
        roster: &Roster,
        mut samples: Vec<BridgeSample>,
    ) -> Result<Vec<String>, EngineError> {
        if samples.is_empty() {
            return Ok(Vec::new());
        }
        let text = self.ledger(|ledger| ledger.value(SHOWN)).await?.unwrap_or_default();
        let mut shown: BTreeMap<i64, bool> = serde_json::from_str(&text).unwrap_or_default();
        samples.retain(|sample| match shown.get(&sample.write.key.school.get()) {
            None => true,
            Some(of_bridge) => !of_bridge && sample.is_of_bridge(),
        });
        let keys: Vec<AttendanceKey> = samples
            .iter()
            .flat_map(|sample| [sample.write.key, AttendanceKey { meeting: None, ..sample.write.key }])
            .collect();
        let held = read_back(client, roster, keys.iter()).await?;
        let schools = roster.schools()?;
        let mut notes = Vec::new();
        for sample in samples {
            let key = sample.write.key;
            if held.current(&key).recorded != Recorded::Code(&sample.write.code) {
                continue;
            }
            let named = schools.iter().find(|school| school.number == key.school);
            let name = named.map_or_else(|| key.school.to_string(), |school| school.name.clone());
            let daily = held.current(&AttendanceKey { meeting: None, ..key }).recorded;
            notes.push(note(&name, &sample, daily));
            shown.insert(key.school.get(), sample.is_of_bridge());
        }
        if !notes.is_empty() {
            let text = serde_json::to_string(&shown).unwrap_or_default();
            self.ledger(move |ledger| ledger.set_value(SHOWN, &text)).await?;
        }
        Ok(notes)
    }
}

fn note(school: &str, sample: &BridgeSample, daily: Recorded<'_>) -> String {
    let BridgeSample { write, period, bridge } = sample;
    let meeting = format!("{school} records both: meeting record {} in period {period}", write.code);
    match daily {
        Recorded::Code(code) if sample.is_of_bridge() && !bridge.is_empty() => {
            format!("{meeting}; daily record {code} by the bridge period {bridge}.")
        }
        Recorded::Code(code) => format!("{meeting}; daily record {code}."),
        Recorded::Blank => format!("{meeting}; the daily record says present."),
        Recorded::Several => format!("{meeting}; several daily records."),
        Recorded::Nothing if !sample.is_of_bridge() => {
            format!("{meeting}; no daily record, since the bridge period is {bridge}.")
        }
        Recorded::Nothing => {
            format!(
                "{meeting}; no daily record: PowerSchool did not link it. Check the bridge period of its bell schedules."
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;
    use rosterbridge_domain::id::{AttendanceCodeId, CalendarDayId, StudentId};
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::linked("HR", "HR", Recorded::Code("T"), "HR; daily record T by the bridge period HR.")]
    #[case::not_linked(
        "HR",
        "HR",
        Recorded::Nothing,
        "HR; no daily record: PowerSchool did not link it. Check the bridge period of its bell schedules."
    )]
    #[case::another_period(
        "P3",
        "HR",
        Recorded::Nothing,
        "P3; no daily record, since the bridge period is HR."
    )]
    #[case::recorded_otherwise("P3", "HR", Recorded::Code("A"), "P3; daily record A.")]
    #[case::bridge_not_known("P1", "", Recorded::Code("T"), "P1; daily record T.")]
    #[case::bridge_not_known_and_not_linked(
        "P1",
        "",
        Recorded::Nothing,
        "P1; no daily record: PowerSchool did not link it. Check the bridge period of its bell schedules."
    )]
    #[case::present("HR", "HR", Recorded::Blank, "HR; the daily record says present.")]
    fn what_is_told(
        #[case] period: &str,
        #[case] bridge: &str,
        #[case] daily: Recorded<'_>,
        #[case] expected: &str,
    ) {
        let key = AttendanceKey {
            school: SchoolNumber::new(101),
            student: StudentId::new(1),
            date: NaiveDate::from_ymd_opt(2026, 9, 30).unwrap(),
            meeting: None,
        };
        let write = AttendanceWrite {
            key,
            code: "T".to_owned(),
            code_id: AttendanceCodeId::new(1),
            year: YearId::new(36),
            calendar_day: CalendarDayId::new(1),
            times: None,
            comment: String::new(),
            replaces: None,
            previous_code: None,
            previous_comment: None,
        };
        let sample = BridgeSample { write, period: period.to_owned(), bridge: bridge.to_owned() };
        let told = note("Oak Middle School", &sample, daily);
        assert_eq!(told, format!("Oak Middle School records both: meeting record T in period {expected}"));
    }
}
