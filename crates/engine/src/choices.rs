//! What there is to choose from in the mapping steps: PowerSchool's schools and codes, Raptor's buildings and reasons.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs::File,
    io::{PipeReader, Read},
    path::{Path, PathBuf},
};

use rosterbridge_domain::{
    attendance::AttendanceMode,
    id::{PeriodId, SchoolNumber, YearId},
    job::Job,
    mapping::{AttendanceMethod, Mappings, folded, suggest_school},
    roster::{School, SchoolPreference},
    settings::{RaptorConnection, Setup},
};
use rosterbridge_powerschool::Client;
use rosterbridge_sftp::{Error as SftpError, RemoteFolder, Session};
use rosterbridge_store::{Roster, StoreError};
use tokio_util::sync::CancellationToken;

use crate::{
    connections::raptor_folder,
    engine::{Engine, blocking},
    error::EngineError,
    exports::current_years,
    raptor::read_at_server,
    report::{
        BuildingChoice, Cause, Choices, CodeChoice, MappingChange, MethodKnownBy, MethodPreset, NameFoundIn,
        ReasonChoice, SchoolChoice,
    },
};

/// Raptor's list of buildings in the exchange folder, or in the server's folder in its place.
pub(crate) const BUILDINGS_FILE: &str = "buildings.csv";
/// Raptor's list of student reasons there.
pub(crate) const REASONS_FILE: &str = "student-reasons.csv";

impl Engine {
    /// Reads PowerSchool afresh and the lists of the exchange folder or server, for the mapping steps.
    pub async fn choices(&self) -> Result<Choices, EngineError> {
        let setup = self.setup().await?;
        let practice = self.is_practice().await?;
        // Attendance codes are to choose from before the tardies are switched on, if the plugin lets us read them.
        let enabled = setup.enabled_exchanges();
        let wanted: Vec<Job> =
            Job::ALL.into_iter().filter(|job| enabled.contains(job) || *job == Job::RaptorTardies).collect();
        let server = self.meet(&setup, practice).await?;
        let never = CancellationToken::new();
        let (pull, lists) = tokio::join!(
            self.pull_from(&server, &wanted, &never, &|_, _| ()),
            self.raptor_lists(&setup, &never),
        );
        let pull = pull?;
        if let Some((_, error)) = pull.refused.into_iter().find(|(job, _)| enabled.contains(job)) {
            return Err(error.into());
        }
        let (roster, lists) = (pull.roster, lists?);
        let preferences = preferences(&server.client).await;
        let (buildings, reasons) = self.names_in_held_rows().await?;
        let waiting = Waiting { buildings, reasons };
        blocking(move || choices(&roster, &setup, &preferences, lists, waiting)).await
    }

    /// Raptor's lists, where files are exchanged with it.
    async fn raptor_lists(&self, setup: &Setup, cancel: &CancellationToken) -> Result<Lists, EngineError> {
        let Some(connection) = &setup.raptor.connection else {
            let folder = PathBuf::from(&setup.raptor.folder);
            return blocking(move || lists_in(&folder)).await;
        };
        // As with a folder that is not there, the schools can be mapped to what is known.
        let mut lists = Lists::default();
        if let Err(error) = self.read_lists_at_server(setup, connection, cancel, &mut lists).await {
            lists.unread = Some(error.cause());
        }
        Ok(lists)
    }

    async fn read_lists_at_server(
        &self,
        setup: &Setup,
        connection: &RaptorConnection,
        cancel: &CancellationToken,
        lists: &mut Lists,
    ) -> Result<(), EngineError> {
        let folder = raptor_folder(connection)?;
        let session = self.raptor(setup, connection, cancel).await?;
        let buildings = list_at_server(&session, &folder, BUILDINGS_FILE, buildings_of).await;
        let reasons = list_at_server(&session, &folder, REASONS_FILE, reasons_of).await;
        if let Err(error) = session.close().await {
            tracing::debug!(code = error.code(), "Raptor's server did not say goodbye");
        }
        // What is wrong with one says nothing about the other.
        let buildings = buildings.map(|names| lists.buildings = names);
        let reasons = reasons.map(|names| lists.reasons = names);
        buildings.and(reasons)
    }
}

/// Raptor's lists.
#[derive(Default)]
struct Lists {
    /// Its buildings; none where there is no list.
    buildings: Vec<String>,
    /// Its student reasons, each once; none where there is no list.
    reasons: Vec<String>,
    /// Why one of them, or both, could not be read.
    unread: Option<Cause>,
}

fn lists_in(folder: &Path) -> Result<Lists, EngineError> {
    if folder.as_os_str().is_empty() || !folder.is_dir() {
        return Ok(Lists::default());
    }
    Ok(Lists { buildings: buildings_in(folder)?, reasons: reasons_in(folder)?, unread: None })
}

/// The names of a list in a folder of a server; none when there is no list.
async fn list_at_server(
    session: &Session,
    folder: &RemoteFolder,
    name: &str,
    names: fn(PipeReader) -> Result<Vec<String>, EngineError>,
) -> Result<Vec<String>, EngineError> {
    let file = folder.file(name).map_err(EngineError::raptor_server)?;
    match read_at_server(session, &file, names).await {
        Ok((_, names)) => Ok(names),
        Err(EngineError::RaptorServer(SftpError::FileMissing { .. })) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Names that rows wait for.
struct Waiting {
    buildings: Vec<String>,
    reasons: Vec<String>,
}

/// How schools take attendance by their preferences; nothing where the plugin may not read them, which is no fault.
pub(crate) async fn preferences(client: &Client) -> Vec<SchoolPreference> {
    client.school_preferences().await.unwrap_or_else(|error| {
        tracing::debug!(code = error.code(), "the schools' attendance preferences can't be read");
        Vec::new()
    })
}

fn choices(
    roster: &Roster,
    setup: &Setup,
    preferences: &[SchoolPreference],
    Lists { buildings, reasons, unread }: Lists,
    waiting: Waiting,
) -> Result<Choices, EngineError> {
    let schools: Vec<_> =
        roster.schools()?.into_iter().filter(|school| school.number != SchoolNumber::GRADUATED).collect();
    let codes = codes(roster, &setup.mappings)?;
    let changes = changes(&setup.mappings, &schools, &buildings, &reasons, &codes);
    let mut presets = presets(roster, preferences)?;
    Ok(Choices {
        buildings: found(buildings, waiting.buildings)
            .map(|(building, found_in)| BuildingChoice {
                suggested_school: suggest_school(&building, &schools).map(|school| school.number.get()),
                building,
                found_in,
            })
            .collect(),
        reasons: found(reasons, waiting.reasons)
            .map(|(reason, found_in)| ReasonChoice { reason, found_in })
            .collect(),
        codes,
        changes,
        lists_unread: unread,
        schools: schools
            .into_iter()
            .map(|school| SchoolChoice {
                number: school.number.get(),
                name: school.name,
                abbreviation: school.abbreviation,
                method: presets.remove(&school.number),
            })
            .collect(),
    })
}

/// Names of Raptor's list, then those that only tardy files have used so far.
fn found(listed: Vec<String>, used: Vec<String>) -> impl Iterator<Item = (String, NameFoundIn)> {
    let mut seen: BTreeSet<String> = listed.iter().map(|name| folded(name)).collect();
    let others: Vec<String> = used.into_iter().filter(|name| seen.insert(folded(name))).collect();
    let listed = listed.into_iter().map(|name| (name, NameFoundIn::List));
    listed.chain(others.into_iter().map(|name| (name, NameFoundIn::TardyFile)))
}

/// The codes of the current year of every mapped school, of every school while none is mapped: one row a code.
fn codes(roster: &Roster, mappings: &Mappings) -> Result<Vec<CodeChoice>, StoreError> {
    let mut years: BTreeMap<SchoolNumber, YearId> = current_years(roster)?.into_iter().collect();
    years.remove(&SchoolNumber::GRADUATED);
    let mapped: BTreeSet<SchoolNumber> = mappings.buildings.iter().filter_map(|row| row.school).collect();
    if !mapped.is_empty() {
        years.retain(|school, _| mapped.contains(school));
    }
    let mut codes: BTreeMap<Option<String>, (CodeChoice, BTreeSet<SchoolNumber>)> = BTreeMap::new();
    for (school, year) in &years {
        for row in roster.attendance_codes(*school, *year)? {
            let (_, of) = codes.entry(row.code.clone()).or_insert_with(|| {
                let choice = CodeChoice {
                    code: row.code,
                    description: row.description,
                    presence: row.presence,
                    schools: 0,
                    missing_in: Vec::new(),
                };
                (choice, BTreeSet::new())
            });
            of.insert(*school);
        }
    }
    Ok(codes
        .into_values()
        .map(|(choice, of)| CodeChoice {
            schools: u32::try_from(of.len()).unwrap_or(u32::MAX),
            missing_in: years
                .keys()
                .filter(|school| !of.contains(school))
                .map(|school| school.get())
                .collect(),
            ..choice
        })
        .collect())
}

/// What is mapped and not any more what it was. Without a list of Raptor's, or without attendance codes, nothing is said
/// about them.
fn changes(
    mappings: &Mappings,
    schools: &[School],
    buildings: &[String],
    reasons: &[String],
    codes: &[CodeChoice],
) -> Vec<MappingChange> {
    let gone = |listed: &[String], name: &str| {
        !listed.is_empty() && !listed.iter().any(|listed| folded(listed) == folded(name))
    };
    let mut changes = Vec::new();
    for row in &mappings.buildings {
        let building = row.building.clone();
        if let Some(number) = row.school {
            let school = number.get();
            let (from, building) = (row.school_name.clone(), building.clone());
            match schools.iter().find(|school| school.number == number) {
                None => changes.push(MappingChange::SchoolGone { building, school }),
                Some(now) if !from.is_empty() && from != now.name => {
                    let to = now.name.clone();
                    changes.push(MappingChange::SchoolRenamed { building, school, from, to });
                }
                Some(_) => {}
            }
        }
        if gone(buildings, &building) {
            changes.push(MappingChange::BuildingGone { building });
        }
    }
    for row in &mappings.tardy_codes {
        let reason = row.reason.clone();
        if !codes.is_empty() && !codes.iter().any(|choice| choice.code.as_deref() == Some(&row.code)) {
            changes.push(MappingChange::CodeGone { reason: reason.clone(), code: row.code.clone() });
        }
        if gone(reasons, &reason) {
            changes.push(MappingChange::ReasonGone { reason });
        }
    }
    changes
}

/// How each school takes attendance in its current year: by its preferences, else by its sections. A preset that a person
/// confirms.
pub(crate) fn presets(
    roster: &Roster,
    preferences: &[SchoolPreference],
) -> Result<HashMap<SchoolNumber, MethodPreset>, StoreError> {
    let mut presets: HashMap<SchoolNumber, MethodPreset> = HashMap::new();
    for (school, mode) in roster.attendance_modes()? {
        let preset = presets.entry(school).or_insert_with(|| MethodPreset {
            method: AttendanceMethod::Daily,
            bridge_period: String::new(),
            by: MethodKnownBy::Sections,
        });
        if mode == AttendanceMode::Meeting.code() {
            preset.method = AttendanceMethod::Meeting;
        }
    }
    for (school, year) in current_years(roster)? {
        let Some((method, bridge)) = preferred(preferences, school, year) else { continue };
        let bridge_period = match bridge {
            Some(id) => roster
                .periods(school, year)?
                .into_iter()
                .find(|period| period.id == id)
                .map(|period| period.abbreviation)
                .unwrap_or_default(),
            None => String::new(),
        };
        presets.insert(school, MethodPreset { method, bridge_period, by: MethodKnownBy::Preferences });
    }
    Ok(presets)
}

/// A school's method and bridge period by PREFS. A preference of the year comes before one of no year; `None` where neither
/// kind of attendance is said to be recorded.
fn preferred(
    preferences: &[SchoolPreference],
    school: SchoolNumber,
    year: YearId,
) -> Option<(AttendanceMethod, Option<PeriodId>)> {
    let value = |name: &str| {
        let named = preferences.iter().filter(|row| row.school == school && row.name == name);
        let of_year = named.filter(|row| row.year == year || row.year.get() == 0);
        of_year.max_by_key(|row| (row.year, row.id)).map(|row| row.value.trim())
    };
    let set =
        |name: &str| value(name).is_some_and(|value| value == "1" || value.eq_ignore_ascii_case("true"));
    match (set("ATT_RecordModeMeeting"), set("ATT_RecordModeDaily")) {
        (true, true) => {
            let bridge = value("ATT_BridgePeriod").and_then(|value| value.parse().ok());
            Some((AttendanceMethod::Both, bridge.map(PeriodId::new)))
        }
        (true, false) => Some((AttendanceMethod::Meeting, None)),
        (false, true) => Some((AttendanceMethod::Daily, None)),
        (false, false) => None,
    }
}

/// Raptor's buildings as listed in the exchange folder; none when there is no list.
pub(crate) fn buildings_in(folder: &Path) -> Result<Vec<String>, EngineError> {
    match open(&folder.join(BUILDINGS_FILE))? {
        Some(file) => buildings_of(file),
        None => Ok(Vec::new()),
    }
}

fn buildings_of(list: impl Read) -> Result<Vec<String>, EngineError> {
    Ok(rosterbridge_raptor::read_buildings(list)?)
}

/// Raptor's student reasons as listed in the exchange folder, each once; none when there is no list.
pub(crate) fn reasons_in(folder: &Path) -> Result<Vec<String>, EngineError> {
    match open(&folder.join(REASONS_FILE))? {
        Some(file) => reasons_of(file),
        None => Ok(Vec::new()),
    }
}

fn reasons_of(list: impl Read) -> Result<Vec<String>, EngineError> {
    let reasons = rosterbridge_raptor::read_reasons(list)?.into_iter().map(|row| row.reason);
    Ok(reasons.collect::<BTreeSet<_>>().into_iter().collect())
}

fn open(path: &Path) -> Result<Option<File>, EngineError> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(EngineError::io("read", path, source)),
    }
}

#[cfg(test)]
mod tests {
    use rosterbridge_domain::{
        id::SchoolDcid,
        mapping::{BuildingMapping, TardyMapping},
    };
    use rstest::rstest;

    use super::*;

    const MEETING: &str = "ATT_RecordModeMeeting";
    const DAILY: &str = "ATT_RecordModeDaily";
    const BRIDGE: &str = "ATT_BridgePeriod";

    #[rstest]
    #[case::none(&[], None)]
    #[case::meeting(&[(MEETING, "1", 36), (DAILY, "0", 36)], Some((AttendanceMethod::Meeting, None)))]
    #[case::daily(&[(DAILY, "1", 36)], Some((AttendanceMethod::Daily, None)))]
    #[case::both(
        &[(MEETING, "1", 36), (DAILY, "1", 36), (BRIDGE, "417", 36)],
        Some((AttendanceMethod::Both, Some(417)))
    )]
    #[case::both_without_a_bridge(&[(MEETING, "1", 36), (DAILY, "1", 36)], Some((AttendanceMethod::Both, None)))]
    #[case::of_no_year(&[(MEETING, "True", 0)], Some((AttendanceMethod::Meeting, None)))]
    #[case::this_year_counts(&[(MEETING, "1", 0), (MEETING, "0", 36), (DAILY, "1", 36)], Some((AttendanceMethod::Daily, None)))]
    #[case::of_another_year(&[(MEETING, "1", 35)], None)]
    #[case::neither(&[(MEETING, "0", 36), (DAILY, "", 36)], None)]
    fn a_method_by_preferences(
        #[case] rows: &[(&str, &str, i64)],
        #[case] expected: Option<(AttendanceMethod, Option<i64>)>,
    ) {
        let school = SchoolNumber::new(100);
        let mut preferences: Vec<SchoolPreference> = (1..)
            .zip(rows)
            .map(|(id, (name, value, year))| SchoolPreference {
                id,
                name: (*name).to_owned(),
                value: (*value).to_owned(),
                school,
                year: YearId::new(*year),
            })
            .collect();
        preferences.push(SchoolPreference {
            id: 99,
            name: MEETING.to_owned(),
            value: "1".to_owned(),
            school: SchoolNumber::new(200),
            year: YearId::new(36),
        });
        let found = preferred(&preferences, school, YearId::new(36));
        assert_eq!(found.map(|(method, bridge)| (method, bridge.map(PeriodId::get))), expected);
    }

    #[test]
    fn names_of_tardy_files_follow_those_of_the_list() {
        let names =
            found(vec!["North".to_owned()], vec![" north".to_owned(), "West".to_owned(), "WEST".to_owned()]);
        let names: Vec<_> = names.collect();
        assert_eq!(
            names,
            [("North".to_owned(), NameFoundIn::List), ("West".to_owned(), NameFoundIn::TardyFile)]
        );
    }

    fn mappings() -> Mappings {
        let building = |building: &str, school: i64, school_name: &str| BuildingMapping {
            building: building.to_owned(),
            school: Some(SchoolNumber::new(school)),
            school_name: school_name.to_owned(),
            ..BuildingMapping::default()
        };
        let code = |reason: &str, code: &str| TardyMapping {
            reason: reason.to_owned(),
            code: code.to_owned(),
            active: true,
        };
        Mappings {
            buildings: vec![
                building("Kept", 1, "First"),
                building("Unnamed", 1, ""),
                building("Renamed", 2, "Old name"),
                building("Closed", 3, "Third"),
            ],
            tardy_codes: vec![code("Bus", "T"), code("Rain", "WX")],
            ..Mappings::default()
        }
    }

    fn schools() -> Vec<School> {
        let school = |number: i64, name: &str| School {
            dcid: SchoolDcid::new(number),
            number: SchoolNumber::new(number),
            name: name.to_owned(),
            abbreviation: String::new(),
        };
        vec![school(1, "First"), school(2, "New name")]
    }

    fn tardy() -> CodeChoice {
        CodeChoice {
            code: Some("T".to_owned()),
            description: "Tardy".to_owned(),
            presence: "Present".to_owned(),
            schools: 2,
            missing_in: Vec::new(),
        }
    }

    #[test]
    fn what_changed_about_what_is_mapped_is_told() {
        let listed = ["kept", "UNNAMED", "Renamed"].map(str::to_owned);
        let told = changes(&mappings(), &schools(), &listed, &["Rain".to_owned()], &[tardy()]);
        assert_eq!(
            told,
            [
                MappingChange::SchoolRenamed {
                    building: "Renamed".to_owned(),
                    school: 2,
                    from: "Old name".to_owned(),
                    to: "New name".to_owned(),
                },
                MappingChange::SchoolGone { building: "Closed".to_owned(), school: 3 },
                MappingChange::BuildingGone { building: "Closed".to_owned() },
                MappingChange::ReasonGone { reason: "Bus".to_owned() },
                MappingChange::CodeGone { reason: "Rain".to_owned(), code: "WX".to_owned() },
            ]
        );
    }

    #[test]
    fn what_cannot_be_known_is_not_told() {
        let told = changes(&mappings(), &schools(), &[], &[], &[]);
        assert!(told.iter().all(|change| matches!(
            change,
            MappingChange::SchoolRenamed { .. } | MappingChange::SchoolGone { .. }
        )));
    }
}
