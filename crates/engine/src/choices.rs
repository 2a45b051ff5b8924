//! What there is to choose from in the mapping steps: PowerSchool's schools and codes, Raptor's buildings and reasons.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs::File,
    path::Path,
};

use rosterbridge_domain::{
    attendance::AttendanceMode,
    id::SchoolNumber,
    job::Job,
    mapping::{AttendanceMethod, suggest_school},
    settings::Setup,
};
use rosterbridge_store::{Roster, StoreError};
use tokio_util::sync::CancellationToken;

use crate::{
    engine::{Engine, blocking},
    error::EngineError,
    exports::current_years,
    report::{BuildingChoice, Choices, CodeChoice, SchoolChoice},
};

/// Raptor's list of buildings in the exchange folder.
pub(crate) const BUILDINGS_FILE: &str = "buildings.csv";
/// Raptor's list of student reasons in the exchange folder.
pub(crate) const REASONS_FILE: &str = "student-reasons.csv";

impl Engine {
    /// Reads PowerSchool afresh and the exchange folder, for the mapping steps.
    pub async fn choices(&self) -> Result<Choices, EngineError> {
        let setup = self.setup().await?;
        let practice = self.is_practice().await?;
        // Attendance codes are to choose from before the tardies are switched on, if the plugin lets us read them.
        let wanted: Vec<Job> = Job::ALL
            .into_iter()
            .filter(|job| setup.job_enabled(*job) || *job == Job::RaptorTardies)
            .collect();
        let pull = self.pull(&setup, practice, &wanted, &CancellationToken::new(), &|_, _| ()).await?;
        if let Some((_, error)) = pull.refused.into_iter().find(|(job, _)| setup.job_enabled(*job)) {
            return Err(error.into());
        }
        let roster = pull.roster;
        blocking(move || choices(&roster, &setup)).await
    }
}

fn choices(roster: &Roster, setup: &Setup) -> Result<Choices, EngineError> {
    let schools: Vec<_> =
        roster.schools()?.into_iter().filter(|school| school.number != SchoolNumber::GRADUATED).collect();
    let folder = Path::new(&setup.raptor.folder);
    let listed = !setup.raptor.folder.is_empty() && folder.is_dir();
    let buildings = if listed { buildings_in(folder)? } else { Vec::new() };
    let reasons = if listed { reasons_in(folder)? } else { Vec::new() };
    Ok(Choices {
        buildings: buildings
            .into_iter()
            .map(|building| BuildingChoice {
                suggested_school: suggest_school(&building, &schools).map(|school| school.number.get()),
                building,
            })
            .collect(),
        reasons,
        codes: codes(roster)?,
        schools: schools
            .into_iter()
            .map(|school| SchoolChoice { number: school.number.get(), name: school.name })
            .collect(),
    })
}

/// The codes of every school's current year, one row a code.
fn codes(roster: &Roster) -> Result<Vec<CodeChoice>, StoreError> {
    let mut codes: BTreeMap<Option<String>, CodeChoice> = BTreeMap::new();
    for (school, year) in current_years(roster)? {
        for row in roster.attendance_codes(school, year)? {
            codes.entry(row.code.clone()).and_modify(|choice| choice.schools += 1).or_insert_with(|| {
                CodeChoice {
                    code: row.code,
                    description: row.description,
                    presence: row.presence,
                    schools: 1,
                }
            });
        }
    }
    Ok(codes.into_values().collect())
}

/// How each school takes attendance, by its sections: a preset that a person confirms.
pub(crate) fn school_methods(roster: &Roster) -> Result<HashMap<SchoolNumber, AttendanceMethod>, StoreError> {
    let mut methods = HashMap::new();
    for (school, mode) in roster.attendance_modes()? {
        let method = methods.entry(school).or_insert(AttendanceMethod::Daily);
        if mode == AttendanceMode::Meeting.code() {
            *method = AttendanceMethod::Meeting;
        }
    }
    Ok(methods)
}

/// Raptor's buildings as listed in the exchange folder; none when there is no list.
pub(crate) fn buildings_in(folder: &Path) -> Result<Vec<String>, EngineError> {
    match open(&folder.join(BUILDINGS_FILE))? {
        Some(file) => Ok(rosterbridge_raptor::read_buildings(file)?),
        None => Ok(Vec::new()),
    }
}

/// Raptor's student reasons as listed in the exchange folder, each once; none when there is no list.
pub(crate) fn reasons_in(folder: &Path) -> Result<Vec<String>, EngineError> {
    match open(&folder.join(REASONS_FILE))? {
        Some(file) => {
            let reasons: BTreeSet<String> =
                rosterbridge_raptor::read_reasons(file)?.into_iter().map(|row| row.reason).collect();
            Ok(reasons.into_iter().collect())
        }
        None => Ok(Vec::new()),
    }
}

fn open(path: &Path) -> Result<Option<File>, EngineError> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(EngineError::io("read", path, source)),
    }
}
