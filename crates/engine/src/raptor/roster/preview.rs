//! A roster file as settings that are not saved yet would make it.

use std::ops::ControlFlow;

use chrono::Utc;
use rosterbridge_domain::{
    mapping::folded,
    school_year::Summer,
    settings::{RosterContent, RosterLayout, RosterSettings},
};
use rosterbridge_raptor::{
    FIRST_ROWS, RosterFile, RosterStatus, changes_file_name, roster_layout, roster_problems,
};
use rosterbridge_store::Roster;

use super::{Building, Table, compose::RosterError, file_name};
use crate::{
    engine::{Engine, blocking},
    error::{EngineError, sentence},
    report::RosterPreview,
    school_year::Sent,
};

impl Engine {
    /// The beginning of a building's roster file as these settings would make it, of everybody, from the last roster pull;
    /// of the first mapped building where none is named.
    pub async fn roster_preview(
        &self,
        settings: RosterSettings,
        building: Option<&str>,
    ) -> Result<RosterPreview, EngineError> {
        let setup = self.setup().await?;
        let wanted = building.map(folded);
        let table = Table::of(&setup);
        let is_wanted = |building: &&Building| wanted.as_ref().is_none_or(|wanted| *wanted == building.key);
        let Some(building) = table.buildings.iter().find(is_wanted).cloned() else {
            return Err(table.without_buildings());
        };
        let Some(roster) = self.roster().await? else {
            return Err(EngineError::NotSetUp("PowerSchool's roster has not been read yet"));
        };
        let zone = setup.jobs.iter().find_map(|job| job.schedule).map_or(chrono_tz::UTC, |job| job.zone);
        let file = match settings.content {
            RosterContent::Full => file_name(&building.file).to_owned(),
            RosterContent::Changes => {
                changes_file_name(&building.name, Utc::now().with_timezone(&zone).naive_local(), 1)
            }
        };
        let problems =
            roster_problems(&settings).iter().map(|problem| sentence(&problem.to_string())).collect();
        // One that is not there can't be shown; what can be is the usual one.
        let layout = roster_layout(&settings).unwrap_or_default().into_owned();
        blocking(move || {
            let columns = layout.columns.iter().map(|column| column.title.clone()).collect();
            let beginning = beginning(&roster, &building, &layout, setup.summer)?;
            let (rows, text, total) = beginning;
            Ok(RosterPreview { building: building.name, file, columns, rows, text, total, problems })
        })
        .await
    }
}

type Beginning = (Vec<Vec<String>>, String, u64);

fn beginning(
    roster: &Roster,
    building: &Building,
    layout: &RosterLayout,
    summer: Summer,
) -> Result<Beginning, RosterError> {
    let sent = Sent::of(roster, summer)?;
    let mut file = RosterFile::new(Vec::new(), layout)?;
    let mut total = 0;
    roster.for_each_roster_student(|student| -> Result<_, RosterError> {
        if student.school == building.school && sent.counts_at(student.school, student.enroll_status) {
            if total < FIRST_ROWS as u64 {
                file.write(&building.name, student, RosterStatus::Active)?;
            }
            total += 1;
        }
        Ok(ControlFlow::Continue(()))
    })?;
    let rows = file.first().to_vec();
    let (bytes, _) = file.finish()?;
    Ok((rows, String::from_utf8_lossy(&bytes).into_owned(), total))
}
