//! Putting the roster files together: one pass over the students, beside what Raptor has.

use std::{cell::Cell, collections::HashMap, io, ops::ControlFlow, sync::Arc};

use rosterbridge_domain::{
    id::{SchoolNumber, StudentNumber},
    job::JobId,
    roster::RosterStudent,
    school_year::Summer,
    settings::{RosterContent, RosterLayout, Setup},
};
use rosterbridge_raptor::{RosterFile, RosterStatus, RowDigest, tells_status};
use rosterbridge_store::{
    Roster, StoreError,
    ledger::{ELSEWHERE, LEFT, ROW_DIGEST, RaptorRoster, RaptorStudents},
};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::{Table, layout_of};
use crate::{error::EngineError, school_year::Sent};

/// Why a roster file could not be put together.
#[derive(Debug, thiserror::Error)]
pub(super) enum RosterError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Write(#[from] rosterbridge_raptor::WriteError),
    #[error("the run was cancelled")]
    Cancelled,
}

impl From<RosterError> for EngineError {
    fn from(error: RosterError) -> Self {
        match error {
            RosterError::Store(error) => error.into(),
            RosterError::Cancelled => Self::Cancelled,
            RosterError::Write(error) => {
                Self::Export { job: JobId::RAPTOR_ROSTER, source: io::Error::other(error) }
            }
        }
    }
}

/// What the roster files are put together from.
pub(super) struct Composing {
    roster: Arc<Roster>,
    pub(super) table: Table,
    pub(super) content: RosterContent,
    pub(super) layout: RosterLayout,
    summer: Summer,
    /// Ends it at the next student.
    cancel: CancellationToken,
}

/// What Raptor has.
pub(super) struct Known {
    /// By building, as it was told.
    pub(super) told: Vec<RaptorRoster>,
    /// What rows of the table have from others that are not in it any more.
    inherited: Vec<RaptorRoster>,
}

impl Known {
    pub(super) fn of(table: &Table, told: Vec<RaptorRoster>) -> Self {
        Self { inherited: table.inherited(&told), told }
    }

    /// All of it.
    pub(super) fn all(&self) -> impl Iterator<Item = &RaptorRoster> {
        self.told.iter().chain(&self.inherited)
    }
}

/// A row's part of it: first those of the buildings with a file, then those of the other rows.
#[derive(Default)]
pub(super) struct Composed {
    /// The file, if there is one.
    pub(super) file: Option<ComposedFile>,
    /// Whom Raptor has then: the active students, and those who are [`ELSEWHERE`] or have [`LEFT`]. Of another row, whom it
    /// keeps.
    pub(super) active: RaptorStudents,
    /// Students whom Raptor has there and who are active nowhere any more.
    pub(super) left: u64,
    /// How many of them are among `active`, as [`LEFT`].
    pub(super) told: u64,
    /// Students whom Raptor has there and who are active in another building with a file.
    pub(super) moved: u64,
    /// Students whom Raptor has there and who are [`ELSEWHERE`] since now.
    pub(super) away: u64,
}

/// A file that was put together.
pub(super) struct ComposedFile {
    pub(super) rows: u64,
    pub(super) bytes: u64,
    pub(super) sha256: String,
    /// Its first rows.
    pub(super) first: Vec<Vec<String>>,
    /// All of it in pieces, unless the files of the pass are too much to be kept.
    pub(super) content: Option<Content>,
}

/// A file's content, in pieces: growing one large piece would take twice its size.
pub(super) type Content = Vec<Vec<u8>>;

impl Composing {
    pub(super) fn of(
        setup: &Setup,
        roster: &Arc<Roster>,
        table: Table,
        cancel: &CancellationToken,
    ) -> Result<Self, EngineError> {
        Ok(Self {
            roster: Arc::clone(roster),
            table,
            content: setup.raptor.roster.content,
            layout: layout_of(setup)?,
            summer: setup.summer,
            cancel: cancel.clone(),
        })
    }

    /// Puts the files together that are wanted, by their place in the list of buildings with a file. Their contents are kept if all of
    /// them together have at most so many bytes.
    pub(super) fn compose(
        &self,
        known: &Known,
        wanted: impl Fn(usize) -> bool,
        keep: usize,
    ) -> Result<Vec<Composed>, RosterError> {
        let sent = Sent::of(&self.roster, self.summer)?;
        let room = Cell::new(Some(keep));
        let mut pass = Pass::new(self, known, &wanted, &room)?;
        let mut of_school: HashMap<SchoolNumber, Vec<usize>> = HashMap::new();
        let resting = self.table.resting.iter().map(|resting| resting.school);
        let schools = self.table.buildings.iter().map(|building| Some(building.school)).chain(resting);
        for (place, school) in schools.enumerate() {
            if let Some(school) = school {
                of_school.entry(school).or_default().push(place);
            }
        }
        let mut digest = RowDigest::new(&self.layout);
        self.roster.for_each_roster_student(|student| -> Result<_, RosterError> {
            if self.cancel.is_cancelled() {
                return Err(RosterError::Cancelled);
            }
            if sent.counts_at(student.school, student.enroll_status)
                && let Some(places) = of_school.get(&student.school)
            {
                pass.active(student, places, digest.of(student))?;
            }
            Ok(ControlFlow::Continue(()))
        })?;
        pass.finish()
    }
}

/// Somebody whom Raptor has.
struct KnownStudent {
    number: StudentNumber,
    place: usize,
    digest: [u8; ROW_DIGEST],
}

struct Pass<'a> {
    composing: &'a Composing,
    wanted: &'a dyn Fn(usize) -> bool,
    room: &'a Cell<Option<usize>>,
    files: Vec<Option<RosterFile<'a, Kept<'a>>>>,
    composed: Vec<Composed>,
    /// By number.
    known: Vec<KnownStudent>,
    /// How many of them are settled.
    settled: usize,
    /// The student looked at, and the places where they are active.
    number: Option<StudentNumber>,
    at: Vec<usize>,
}

impl<'a> Pass<'a> {
    fn new(
        composing: &'a Composing,
        told: &Known,
        wanted: &'a dyn Fn(usize) -> bool,
        room: &'a Cell<Option<usize>>,
    ) -> Result<Self, RosterError> {
        let with_file = composing.table.buildings.len();
        let place_of: HashMap<&str, usize> =
            composing.table.keys().enumerate().map(|(place, key)| (key.as_str(), place)).collect();
        let mut known: Vec<KnownStudent> = Vec::new();
        for roster in told.all() {
            let Some(place) = place_of.get(roster.building.as_str()) else { continue };
            known.extend(roster.students.iter().map(|(number, digest)| KnownStudent {
                number,
                place: *place,
                digest,
            }));
        }
        known.sort_unstable_by_key(|known| (known.number, known.place));
        let mut pass = Self {
            composing,
            wanted,
            room,
            files: (0..with_file).map(|_| None).collect(),
            composed: composing.table.keys().map(|_| Composed::default()).collect(),
            known,
            settled: 0,
            number: None,
            at: Vec::new(),
        };
        // A full roster of nobody is a file, too.
        if composing.content == RosterContent::Full {
            for place in 0..with_file {
                pass.file(place)?;
            }
        }
        Ok(pass)
    }

    /// The file of a building, if it is wanted.
    fn file(&mut self, place: usize) -> Result<Option<&mut RosterFile<'a, Kept<'a>>>, RosterError> {
        if !(self.wanted)(place) {
            return Ok(None);
        }
        let file = &mut self.files[place];
        if file.is_none() {
            *file = Some(RosterFile::new(Kept::new(self.room), &self.composing.layout)?);
        }
        Ok(file.as_mut())
    }

    /// An active student, and the places of the buildings of their school.
    fn active(
        &mut self,
        student: &RosterStudent<'_>,
        places: &[usize],
        digest: [u8; ROW_DIGEST],
    ) -> Result<(), RosterError> {
        if self.number != Some(student.number) {
            self.settle(Some(student.number))?;
            self.number = Some(student.number);
            self.at.clear();
        }
        for place in places {
            self.at.push(*place);
            let Some(building) = self.composing.table.buildings.get(*place) else { continue };
            self.composed[*place].active.push(student.number, digest);
            let is_known = || {
                let same_student =
                    self.known[self.settled..].iter().take_while(|known| known.number == student.number);
                same_student.into_iter().any(|known| known.place == *place && known.digest == digest)
            };
            if self.composing.content == RosterContent::Changes && is_known() {
                continue;
            }
            if let Some(file) = self.file(*place)? {
                file.write(&building.name, student, RosterStatus::Active)?;
            }
        }
        Ok(())
    }

    /// Finds out what became of those whom Raptor has, up to a number.
    fn settle(&mut self, below: Option<StudentNumber>) -> Result<(), RosterError> {
        let with_file = self.files.len();
        while let Some(KnownStudent { number, place, digest }) = self.known.get(self.settled) {
            let (number, place, digest) = (*number, *place, *digest);
            if below.is_some_and(|below| number >= below) {
                break;
            }
            self.settled += 1;
            // PowerSchool may have had the number twice.
            if self.known.get(self.settled).is_some_and(|next| (next.number, next.place) == (number, place)) {
                continue;
            }
            let at: &[usize] = if self.number == Some(number) { &self.at } else { &[] };
            let (stays, rests) = (at.contains(&place), place >= with_file);
            // Who was told to have left is told anew once they come back, and otherwise not again.
            if !rests && (stays || digest == LEFT) {
                continue;
            }
            let composed = &mut self.composed[place];
            if !stays && at.iter().any(|place| *place < with_file) {
                composed.moved += 1;
                continue;
            }
            if rests {
                // Nothing is told of it; whoever leaves meanwhile is told to have left once it takes part again. So is who
                // was told to have left in its last file, which is put aside: nobody may have read it.
                composed.active.push(number, if digest == LEFT { ELSEWHERE } else { digest });
                continue;
            }
            if !at.is_empty() {
                // Should they leave from there, only this building can tell it.
                composed.active.push(number, ELSEWHERE);
                composed.away += u64::from(digest != ELSEWHERE);
                continue;
            }
            composed.left += 1;
            if tells_status(&self.composing.layout) {
                // A file of changes stays as it is under its name.
                if self.composing.content == RosterContent::Full {
                    composed.active.push(number, LEFT);
                    composed.told += 1;
                }
                let building = &self.composing.table.buildings[place].name;
                // Few leave in a day: their values are looked up one by one.
                let students = self.composing.roster.students_by_number(number)?;
                if let Some(file) = self.file(place)? {
                    match students.last() {
                        Some(student) => file.write(building, &student.into(), RosterStatus::Inactive)?,
                        None => file.write_gone(building, number)?,
                    }
                }
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<Composed>, RosterError> {
        self.settle(None)?;
        // Whether all of it is kept is known when the last of it has arrived.
        let finished: Vec<_> = self
            .files
            .into_iter()
            .map(|file| {
                let Some(file) = file else { return Ok(None) };
                let first = file.first().to_vec();
                let (kept, rows) = file.finish()?;
                Ok(Some((kept, rows, first)))
            })
            .collect::<Result<_, RosterError>>()?;
        let all_kept = self.room.get().is_some();
        for (composed, finished) in self.composed.iter_mut().zip(finished) {
            composed.file = finished.map(|(kept, rows, first)| ComposedFile {
                rows,
                bytes: kept.bytes,
                sha256: hex::encode(kept.hash.finalize()),
                first,
                content: all_kept.then_some(kept.pieces),
            });
        }
        Ok(self.composed)
    }
}

/// Counts and hashes what is written, and keeps it as long as there is room.
struct Kept<'a> {
    hash: Sha256,
    bytes: u64,
    pieces: Content,
    /// Bytes that all files together may still keep; none once it was too much.
    room: &'a Cell<Option<usize>>,
}

impl<'a> Kept<'a> {
    fn new(room: &'a Cell<Option<usize>>) -> Self {
        Self { hash: Sha256::new(), bytes: 0, pieces: Vec::new(), room }
    }
}

impl io::Write for Kept<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.hash.update(buffer);
        self.bytes += buffer.len() as u64;
        self.room.set(self.room.get().and_then(|room| room.checked_sub(buffer.len())));
        if self.room.get().is_some() {
            self.pieces.push(buffer.to_vec());
        } else {
            self.pieces = Vec::new();
        }
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
