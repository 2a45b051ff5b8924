//! The roster out: a file for each mapped building, with everybody or with what has changed since the last one.
//!
//! What Raptor has is kept building by building, with 16 bytes for each student, and replaced at once with the record of
//! the files that told it. Files with everybody have fixed names: a run that ends before it is recorded writes them
//! again. Files of changes may be gone as soon as they have their names; so they are written whole under other names
//! first, then their names are recorded, and then they get them. What a run leaves that ends in between is finished by the
//! next one, and nobody is told to have left twice.
//!
//! A student has left who is active at no school of the building table, whether or not its building takes part. Of one that
//! takes no part nothing is told, and nothing is forgotten either, until its row is deleted. Its file of everybody, which
//! would go on saying what was, is put aside, and so is that of a building with another name. Who was told to have left in
//! such a file counts as not told.

mod aside;
mod compose;
mod destination;
mod preview;
mod send;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use rosterbridge_domain::{
    id::{SchoolNumber, StudentNumber},
    job::{FileReceipt, JobId, RowCounts},
    mapping::folded,
    settings::{RosterContent, RosterLayout, Setup},
};
use rosterbridge_raptor::{building_file_name, roster_layout, roster_problems};
use rosterbridge_store::{
    Ledger, Roster,
    ledger::{ANOTHER_NAME, ELSEWHERE, LEFT, ROW_DIGEST, RaptorRoster, RaptorStudents},
};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

pub(crate) use self::{
    aside::{NOT_IN_USE, kept_name},
    destination::destination_name,
};
use self::{
    compose::{Composed, Composing, Content, Known},
    destination::file_name,
};
use crate::{
    diagnosis::existing_folder,
    engine::{Engine, blocking},
    error::EngineError,
    guard::{Has, OutgoingFile},
    report::FileSample,
    school_year::YearsInSight,
    tally::Tally,
    unchanged::{self, Made, made_from},
};

/// Rosters go to this folder in the exchange folder.
pub(crate) const ROSTER: &str = "roster";

/// What planned files may take in memory, all together. What is more is put together again to be written.
const KEPT: usize = 16 << 20;
/// Buildings whose movers are told one by one.
const TOLD: usize = 10;

/// The roster files of a run. Not `Debug`: it may hold the files, and they are the students'.
pub(crate) struct RosterPlan {
    content: RosterContent,
    table: Table,
    files: Vec<PlannedFile>,
    /// What Raptor has once they are accepted, in the order of the table; as it is where nothing is different.
    accepted: Option<Vec<RaptorRoster>>,
    /// Students looked at.
    looked: u64,
    /// Whether the same data comes to the same files again.
    settles: bool,
    /// Whether a run came to the very same and did all of it.
    repeats: bool,
    /// What a person should know about them.
    pub(crate) notes: Vec<String>,
}

/// A planned file, under the name of its building's roster.
struct PlannedFile {
    place: usize,
    receipt: FileReceipt,
    content: Option<Arc<Content>>,
    sample: FileSample,
}

/// Planned files that were sent.
pub(crate) struct SentFiles {
    pub(crate) files: Vec<FileReceipt>,
    /// When the very same were, where they are still there from earlier in the day or there is nothing to be sent.
    pub(crate) sent_before: Option<DateTime<Utc>>,
    /// What a person should know of it.
    pub(crate) notes: Vec<String>,
}

/// The building table. A student who is active at any of its schools has not left; only who takes part gets a file.
#[derive(Clone)]
struct Table {
    /// The buildings with a file.
    buildings: Vec<Building>,
    /// The other rows. What Raptor has of them stays as it is until they take part, or are deleted.
    resting: Vec<Resting>,
}

/// A row of the building table without a file.
#[derive(Clone)]
struct Resting {
    /// The name as names are compared.
    key: String,
    /// None where nobody has chosen it, or not any more.
    school: Option<SchoolNumber>,
}

/// A building that takes part.
#[derive(Clone)]
struct Building {
    name: String,
    /// The name as names are compared.
    key: String,
    school: SchoolNumber,
    /// Its roster file.
    file: String,
}

impl Table {
    fn of(setup: &Setup) -> Self {
        let mut seen = BTreeSet::new();
        let mut table = Self { buildings: Vec::new(), resting: Vec::new() };
        for row in &setup.mappings.buildings {
            let key = folded(&row.building);
            if !seen.insert(key.clone()) {
                continue;
            }
            match row.school.filter(|_| row.enabled) {
                Some(school) => table.buildings.push(Building {
                    name: row.building.clone(),
                    key,
                    school,
                    file: format!("{ROSTER}/{}", building_file_name(&row.building)),
                }),
                None => table.resting.push(Resting { key, school: row.school }),
            }
        }
        table
    }

    /// What rows have from others of their school, that are not in the table any more, as long as Raptor has nothing of them:
    /// a building that got another name. Its file of everybody is put aside, so that whoever left is told under the new
    /// name; whoever is active is told of anyway.
    fn inherited(&self, known: &[RaptorRoster]) -> Vec<RaptorRoster> {
        let buildings = self.buildings.iter().map(|building| (&building.key, building.school));
        let resting = self.resting.iter().filter_map(|resting| Some((&resting.key, resting.school?)));
        let new =
            buildings.chain(resting).filter(|(key, _)| known.iter().all(|known| known.building != **key));
        let heirs = new.filter_map(|(key, school)| {
            let is_gone = |known: &&RaptorRoster| {
                known.school == school && self.keys().all(|key| *key != known.building)
            };
            let mut gone = known.iter().filter(is_gone).peekable();
            gone.peek()?;
            let mut named: BTreeMap<StudentNumber, bool> = BTreeMap::new();
            for (number, digest) in gone.flat_map(|roster| roster.students.iter()) {
                // Whom one of several files names, Raptor has.
                *named.entry(number).or_default() |= is_named(digest);
            }
            let mut students = RaptorStudents::default();
            for (number, named) in named {
                students.push(number, if named { ANOTHER_NAME } else { ELSEWHERE });
            }
            Some(RaptorRoster { building: key.clone(), school, students })
        });
        heirs.collect()
    }

    /// Why there is nothing to be sent of it.
    fn without_buildings(&self) -> EngineError {
        EngineError::NotSetUp(if self.resting.iter().any(|resting| resting.school.is_some()) {
            "no Raptor building that is mapped to a school is switched on"
        } else {
            "no Raptor building is mapped to a school yet"
        })
    }

    /// Every row's name as names are compared.
    fn keys(&self) -> impl Iterator<Item = &String> {
        let buildings = self.buildings.iter().map(|building| &building.key);
        buildings.chain(self.resting.iter().map(|resting| &resting.key))
    }
}

/// The roster files by name, and which school each is about.
pub(crate) fn schools_of_files(setup: &Setup) -> impl Iterator<Item = (String, SchoolNumber)> {
    Table::of(setup).buildings.into_iter().map(|building| (building.file, building.school))
}

/// The layout in use. Saved settings have one.
fn layout_of(setup: &Setup) -> Result<RosterLayout, EngineError> {
    let settings = &setup.raptor.roster;
    match roster_layout(settings) {
        Some(layout) => Ok(layout.into_owned()),
        None => Err(EngineError::RosterLayout(roster_problems(settings))),
    }
}

impl RosterPlan {
    /// The files under the names of the buildings' rosters, which do not depend on the time.
    pub(crate) fn receipts(&self) -> Vec<FileReceipt> {
        self.files.iter().map(|file| file.receipt.clone()).collect()
    }

    /// The names of all buildings' rosters, also where this time one has no file.
    pub(crate) fn names(&self) -> Vec<&str> {
        self.table.buildings.iter().map(|building| building.file.as_str()).collect()
    }

    /// Of each file its first rows.
    pub(crate) fn samples(&self) -> Vec<FileSample> {
        self.files.iter().map(|file| file.sample.clone()).collect()
    }

    /// Rows that were looked at, to be written, and left out because Raptor has them.
    pub(crate) fn rows(&self) -> RowCounts {
        let written = self.files.iter().map(|file| file.receipt.rows).sum();
        let read = self.looked.max(written);
        RowCounts { read, written, noop: read - written, ..RowCounts::default() }
    }

    fn made(&self, from: Option<String>) -> Option<Made> {
        // A file of changes is not told of again: after it there are none.
        let files = if self.content == RosterContent::Full { self.receipts() } else { Vec::new() };
        from.filter(|_| self.settles).map(|from| Made { from, files, notes: Vec::new(), rows: self.looked })
    }

    fn new(composing: Composing, known: &Known, composed: Vec<Composed>) -> Self {
        let Composing { table, content, layout, .. } = composing;
        let (mut files, mut accepted, mut notes) = (Vec::new(), Vec::new(), Vec::new());
        let (mut moved, mut away) = (Vec::new(), Vec::new());
        let (mut looked, mut left) = (0, 0);
        let titles: Vec<String> = layout.columns.iter().map(|column| column.title.clone()).collect();
        let known_of = |key: &str| known.all().find(|known| known.building == key);
        let mut composed = composed.into_iter();
        for (place, (building, composed)) in table.buildings.iter().zip(composed.by_ref()).enumerate() {
            looked += composed.active.len() + composed.left - composed.told;
            left += composed.left;
            moved.push((building.name.as_str(), composed.moved));
            away.push((building.name.as_str(), composed.away));
            if let Some(file) = composed.file {
                files.push(PlannedFile {
                    place,
                    receipt: FileReceipt {
                        name: building.file.clone(),
                        rows: file.rows,
                        bytes: file.bytes,
                        sha256: file.sha256,
                    },
                    content: file.content.map(Arc::new),
                    sample: FileSample::new(&building.file, &titles, file.first),
                });
            }
            accepted.push(RaptorRoster {
                building: building.key.clone(),
                school: building.school,
                students: composed.active,
            });
        }
        for (resting, composed) in table.resting.iter().zip(composed) {
            // Of one that never took part Raptor has nothing.
            if let Some(known) = known_of(&resting.key) {
                accepted.push(RaptorRoster { students: composed.active, ..known.clone() });
            }
        }
        let of_a_backup = |building: &Building| {
            known_of(&building.key).is_some_and(|known| known.students.are_of_a_backup())
        };
        if table.buildings.iter().any(of_a_backup) {
            notes.push(OF_A_BACKUP.to_owned());
        }
        notes.extend(counted_notes(&moved, "moved to another mapped building, whose file names them"));
        notes.extend(counted_notes(
            &away,
            "moved to a mapped building that takes no part, so no file names them",
        ));
        let is_told = |roster: &RaptorRoster| known.told.contains(roster);
        let as_it_is = known.told.len() == accepted.len() && accepted.iter().all(is_told);
        Self {
            content,
            notes,
            files,
            table,
            accepted: (!as_it_is).then_some(accepted),
            looked,
            settles: content == RosterContent::Changes || left == 0,
            repeats: false,
        }
    }
}

/// What a person is told where the ledger was restored since the last files.
const OF_A_BACKUP: &str = "The ledger was restored from a backup, so everybody who is active is told again. Who came and \
    left after the backup was made is not known any more: look for them in Raptor by hand.";

/// What a person is told of students whom the files of their former buildings name neither way, by building.
fn counted_notes(counts: &[(&str, u64)], happened: &str) -> Vec<String> {
    let students = |count: u64| if count == 1 { "1 student".to_owned() } else { format!("{count} students") };
    let mut counts = counts.iter().filter(|(_, count)| *count > 0);
    let mut notes: Vec<String> = counts
        .by_ref()
        .take(TOLD)
        .map(|(building, count)| format!("{building}: {} {happened}.", students(*count)))
        .collect();
    let rest: Vec<u64> = counts.map(|(_, count)| *count).collect();
    if !rest.is_empty() {
        notes.push(format!("{} more buildings: {} {happened}.", rest.len(), students(rest.iter().sum())));
    }
    notes
}

/// Whether Raptor has a student with this in place of values as one of the building's.
fn is_named(digest: [u8; ROW_DIGEST]) -> bool {
    ![ELSEWHERE, LEFT].contains(&digest)
}

/// What Raptor has of a building, as the large-change rule looks at it: without those whom its file does not name.
fn has(school: SchoolNumber, students: &RaptorStudents) -> Has {
    let (mut rows, mut tally) = (0, Tally::default());
    for (number, _) in students.iter().filter(|(_, digest)| is_named(*digest)) {
        rows += 1;
        tally.row(school, Some(number));
    }
    Has { rows, schools: tally.finish() }
}

/// Names the students of a building and their values.
fn content_of(students: &RaptorStudents) -> String {
    let mut hash = Sha256::new();
    for (number, digest) in students.iter() {
        hash.update(number.get().to_le_bytes());
        hash.update(digest);
    }
    hex::encode(hash.finalize())
}

impl Engine {
    /// A digest of all that the roster files depend on.
    async fn rosters_made_from(
        &self,
        roster: &Arc<Roster>,
        setup: &Setup,
    ) -> Result<Option<String>, EngineError> {
        let revision = self.ledger(Ledger::raptor_revision).await?;
        Ok(made_from(JobId::RAPTOR_ROSTER, roster, setup, Some(&revision)))
    }

    /// Works out every building's roster file without writing any.
    pub(crate) async fn plan_rosters(
        &self,
        setup: &Setup,
        roster: &Arc<Roster>,
        years: &YearsInSight,
        cancel: &CancellationToken,
    ) -> Result<RosterPlan, EngineError> {
        let table = Table::of(setup);
        if table.buildings.is_empty() {
            return Err(table.without_buildings());
        }
        self.look_for_folder(setup, cancel).await?;
        let composing = Composing::of(setup, roster, table, cancel)?;
        let (told, accepted_at) =
            self.ledger(|ledger| Ok((ledger.raptor_rosters()?, ledger.raptor_accepted_at()?))).await?;
        let planning = blocking(move || {
            let known = Known::of(&composing.table, told);
            let composed = composing.compose(&known, |_| true, KEPT)?;
            Ok((RosterPlan::new(composing, &known, composed), known))
        });
        // It only reads: where it is, it may come to its own end.
        let (plan, known) = cancel.run_until_cancelled(planning).await.ok_or(EngineError::Cancelled)??;
        self.pass_rosters(&plan, &known, accepted_at.unwrap_or_default(), years).await?;
        Ok(plan)
    }

    /// Looks for the exchange folder, if there is to be one.
    async fn look_for_folder(&self, setup: &Setup, cancel: &CancellationToken) -> Result<(), EngineError> {
        if setup.raptor.connection.is_some() {
            return Ok(());
        }
        let folder = setup.raptor.folder.clone();
        let looking = blocking(move || existing_folder(&folder).map(drop));
        // It only reads, and a folder of another computer may keep it waiting.
        cancel.run_until_cancelled(looking).await.ok_or(EngineError::Cancelled)?
    }

    /// What the roster files come to, if they are made from the same as the ones Raptor accepted last.
    pub(crate) async fn made_rosters(
        &self,
        setup: &Setup,
        roster: &Arc<Roster>,
        cancel: &CancellationToken,
    ) -> Result<Option<RosterPlan>, EngineError> {
        let Some(from) = self.rosters_made_from(roster, setup).await? else { return Ok(None) };
        // Raptor's acceptances are part of it: nothing was accepted since.
        let made = self.ledger(move |ledger| unchanged::made_of(ledger, JobId::RAPTOR_ROSTER, &from)).await?;
        let Some(made) = made else { return Ok(None) };
        self.look_for_folder(setup, cancel).await?;
        let table = Table::of(setup);
        let files: Option<Vec<PlannedFile>> = made
            .files
            .into_iter()
            .map(|receipt| {
                let place = table.buildings.iter().position(|building| building.file == receipt.name)?;
                let sample = FileSample::new(&receipt.name, &[], Vec::new());
                Some(PlannedFile { place, receipt, content: None, sample })
            })
            .collect();
        Ok(files.map(|files| RosterPlan {
            content: setup.raptor.roster.content,
            table,
            files,
            accepted: None,
            looked: made.rows,
            settles: true,
            repeats: true,
            notes: Vec::new(),
        }))
    }

    async fn pass_rosters(
        &self,
        plan: &RosterPlan,
        known: &Known,
        accepted_at: DateTime<Utc>,
        years: &YearsInSight,
    ) -> Result<(), EngineError> {
        let Some(accepted) = &plan.accepted else { return Ok(()) };
        // Also those without a file: all of their students may have moved.
        let mut receipts = Vec::new();
        let mut counted = Vec::new();
        for (building, roster) in plan.table.buildings.iter().zip(accepted) {
            let now = has(roster.school, &roster.students);
            let (name, rows, sha256) = (building.file.clone(), now.rows, String::new());
            receipts.push(FileReceipt { name, rows, bytes: 0, sha256 });
            counted.push(now);
        }
        match plan.content {
            RosterContent::Full => {
                for file in &plan.files {
                    receipts[file.place].sha256.clone_from(&file.receipt.sha256);
                }
            }
            RosterContent::Changes => {
                for (receipt, roster) in receipts.iter_mut().zip(accepted) {
                    receipt.sha256 = content_of(&roster.students);
                }
            }
        }
        let outgoing: Vec<OutgoingFile<'_>> = receipts
            .iter()
            .zip(counted)
            .zip(accepted)
            .map(|((receipt, now), roster)| {
                // A new name does not make a loss smaller.
                let had = known.all().find(|known| known.building == roster.building);
                let had = had.map(|had| (accepted_at, has(had.school, &had.students)));
                OutgoingFile { receipt, has: now, had }
            })
            .collect();
        self.refuse_large_changes(JobId::RAPTOR_ROSTER, &outgoing, years).await
    }
}
