//! The students Raptor has, building by building, as the accepted roster files told it.

use chrono::{DateTime, Utc};
use rosterbridge_domain::{
    id::{SchoolNumber, StudentNumber},
    job::{FileReceipt, Job},
};
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::{Ledger, RunId, runs::insert_upload};
use crate::{
    StoreError,
    database::{from_instant, signed, to_instant},
};

/// Counts how often what Raptor has was changed.
const REVISION: &str = "raptor_rosters.revision";
/// When rosters were accepted last, in milliseconds since 1970.
const ACCEPTED_AT: &str = "raptor_rosters.accepted_at";

/// Bytes that stand for a student's values.
pub const ROW_DIGEST: usize = 16;
/// Stands in their place where they are not known: the ledger was restored since the student was told.
const FORGOTTEN: [u8; ROW_DIGEST] = [0; ROW_DIGEST];
/// Stands in their place for a student who is active only at buildings of the mapping table that take no part. No file names
/// them, but Raptor has them at their former building.
pub const ELSEWHERE: [u8; ROW_DIGEST] = [0xff; ROW_DIGEST];
/// Stands in their place for a student whom the building's last file of everybody tells to have left. The next one no longer
/// names them; where there is none, because the file is put aside, they have not been told of.
pub const LEFT: [u8; ROW_DIGEST] = [0xfe; ROW_DIGEST];
/// Stands in their place for a student whom Raptor has under an earlier name of the building: the new one's file is to name
/// them, whatever their values.
pub const ANOTHER_NAME: [u8; ROW_DIGEST] = [0xfd; ROW_DIGEST];

/// Students with what stands for their values, in ascending order. Takes 18 bytes a student.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RaptorStudents {
    bytes: Vec<u8>,
    last: i64,
    len: u64,
}

impl RaptorStudents {
    /// Appends a student. Numbers come in ascending order; PowerSchool may have one twice.
    pub fn push(&mut self, number: StudentNumber, digest: [u8; ROW_DIGEST]) {
        let mut distance = number.get().wrapping_sub(self.last).cast_unsigned();
        loop {
            let low = distance.to_le_bytes()[0] & 0x7f;
            distance >>= 7;
            if distance == 0 {
                self.bytes.push(low);
                break;
            }
            self.bytes.push(low | 0x80);
        }
        self.bytes.extend(digest);
        self.last = number.get();
        self.len += 1;
    }

    /// How many there are.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = (StudentNumber, [u8; ROW_DIGEST])> {
        let (mut rest, mut last) = (self.bytes.as_slice(), 0);
        std::iter::from_fn(move || {
            let (number, digest) = next(&mut rest, last)?;
            last = number;
            Some((StudentNumber::new(number), digest))
        })
    }

    /// Whether the ledger was restored since they were told: who came and left in between is not among them.
    pub fn are_of_a_backup(&self) -> bool {
        self.iter().any(|(_, digest)| digest == FORGOTTEN)
    }

    /// The same students, with values that are different from any.
    fn without_values(&self) -> Self {
        let mut students = Self::default();
        for (number, digest) in self.iter() {
            students.push(number, if [ELSEWHERE, LEFT].contains(&digest) { digest } else { FORGOTTEN });
        }
        students
    }

    fn read(bytes: Vec<u8>) -> Result<Self, StoreError> {
        let (mut rest, mut last, mut len) = (bytes.as_slice(), 0, 0);
        while !rest.is_empty() {
            (last, _) =
                next(&mut rest, last).ok_or_else(|| StoreError::unreadable("raptor_rosters.students"))?;
            len += 1;
        }
        Ok(Self { bytes, last, len })
    }
}

/// The next student of a list; `None` at its end.
fn next(rest: &mut &[u8], last: i64) -> Option<(i64, [u8; ROW_DIGEST])> {
    let (mut distance, mut shift) = (0_u64, 0);
    loop {
        let (byte, others) = rest.split_first()?;
        *rest = others;
        distance |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            break;
        }
        shift += 7;
    }
    let (digest, others) = rest.split_first_chunk()?;
    *rest = others;
    Some((last.wrapping_add(distance.cast_signed()), *digest))
}

/// What Raptor has of a building.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RaptorRoster {
    /// The building, its name folded as the mapping table compares names.
    pub building: String,
    /// The school it stood for.
    pub school: SchoolNumber,
    /// Its active students, and those who are [`ELSEWHERE`] or have [`LEFT`]. Of one that takes no part, who it keeps.
    pub students: RaptorStudents,
}

/// A file of changes on its way to its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StagedRoster {
    /// What Raptor has once the file has its name.
    pub roster: RaptorRoster,
    /// Names the place the file is at.
    pub destination: String,
    /// The file under the name it gets.
    pub receipt: FileReceipt,
}

/// What was sent to Raptor.
#[derive(Clone, Copy, Debug)]
pub struct SentRosters<'a> {
    /// What Raptor has now of these buildings.
    pub rosters: &'a [RaptorRoster],
    /// The buildings of the mapping table, folded: what Raptor has of any other is forgotten. Absent where that stays open.
    pub in_table: Option<&'a [String]>,
    /// The files that were written over those of their names.
    pub uploads: &'a [FileReceipt],
}

impl Ledger {
    /// What Raptor has, by building.
    pub fn raptor_rosters(&self) -> Result<Vec<RaptorRoster>, StoreError> {
        known_rosters(&self.lock())
    }

    /// How often what Raptor has was changed: as long as it is the same, so is what [`Ledger::raptor_rosters`] gives, and
    /// no roster file has been accepted.
    pub fn raptor_revision(&self) -> Result<String, StoreError> {
        Ok(self.value(REVISION)?.unwrap_or_default())
    }

    /// When rosters were accepted last.
    pub fn raptor_accepted_at(&self) -> Result<Option<DateTime<Utc>>, StoreError> {
        self.value(ACCEPTED_AT)?.and_then(|millis| millis.parse().ok()).map(to_instant).transpose()
    }

    /// Remembers files that are whole at their destination, before they get their names.
    pub fn stage_raptor_rosters(&self, staged: &[StagedRoster]) -> Result<(), StoreError> {
        self.transaction(|transaction| {
            transaction.execute("DELETE FROM raptor_rosters_staged", [])?;
            let mut insert = transaction.prepare_cached(
                "INSERT INTO raptor_rosters_staged
                     (building, school, students, destination, name, row_count, bytes, sha256)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?;
            for StagedRoster { roster, destination, receipt } in staged {
                insert.execute(params![
                    roster.building,
                    roster.school.get(),
                    roster.students.bytes,
                    destination,
                    receipt.name,
                    signed(receipt.rows),
                    signed(receipt.bytes),
                    receipt.sha256,
                ])?;
            }
            Ok(())
        })
    }

    /// The files that may have got their names in a run that was ended, and may not.
    pub fn staged_raptor_rosters(&self) -> Result<Vec<StagedRoster>, StoreError> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(
            "SELECT building, school, students, destination, name, row_count, bytes, sha256
             FROM raptor_rosters_staged ORDER BY building",
        )?;
        let mut rows = statement.query([])?;
        let mut staged = Vec::new();
        while let Some(row) = rows.next()? {
            staged.push(StagedRoster {
                roster: RaptorRoster {
                    building: row.get(0)?,
                    school: SchoolNumber::new(row.get(1)?),
                    students: RaptorStudents::read(row.get(2)?)?,
                },
                destination: row.get(3)?,
                receipt: FileReceipt {
                    name: row.get(4)?,
                    rows: row.get::<_, i64>(5)?.unsigned_abs(),
                    bytes: row.get::<_, i64>(6)?.unsigned_abs(),
                    sha256: row.get(7)?,
                },
            });
        }
        Ok(staged)
    }

    /// Records what was sent to Raptor, all or nothing. No file is on its way to its name any more. Whether anything is
    /// different from before; if not, nothing is written.
    pub fn accept_raptor_rosters(
        &self,
        run: RunId,
        sent: SentRosters<'_>,
        at: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        self.transaction(|transaction| {
            let mut changed = transaction.execute("DELETE FROM raptor_rosters_staged", [])?;
            for receipt in sent.uploads {
                let job = Job::RaptorRoster;
                // Its students by school are what is kept below.
                transaction
                    .prepare_cached(
                        "DELETE FROM upload_schools
                         WHERE upload IN (SELECT id FROM uploads WHERE job = ?1 AND name = ?2)",
                    )?
                    .execute([job.as_str(), &receipt.name])?;
                insert_upload(transaction, run, job.into(), receipt, at)?;
                changed += 1;
            }
            changed += replace(transaction, sent.rosters)?;
            if let Some(in_table) = sent.in_table {
                changed += forget_others(transaction, in_table)?;
            }
            if changed > 0 {
                count_change(transaction)?;
                set_fact(transaction, ACCEPTED_AT, &from_instant(at).to_string())?;
            }
            Ok(changed > 0)
        })
    }
}

/// In a ledger that was restored: Raptor may have been told other values since the backup, and that somebody left. So
/// everybody is to be told again. No file of the backup's time is on its way any more.
pub(super) fn restored(connection: &Connection) -> Result<(), StoreError> {
    let transaction = connection.unchecked_transaction()?;
    transaction.execute("DELETE FROM raptor_rosters_staged", [])?;
    let rosters: Vec<RaptorRoster> = known_rosters(&transaction)?
        .into_iter()
        .map(|roster| RaptorRoster { students: roster.students.without_values(), ..roster })
        .collect();
    if replace(&transaction, &rosters)? > 0 {
        count_change(&transaction)?;
    }
    transaction.commit()?;
    Ok(())
}

fn known_rosters(connection: &Connection) -> Result<Vec<RaptorRoster>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT building, school, students FROM raptor_rosters ORDER BY building")?;
    let mut rows = statement.query([])?;
    let mut rosters = Vec::new();
    while let Some(row) = rows.next()? {
        rosters.push(RaptorRoster {
            building: row.get(0)?,
            school: SchoolNumber::new(row.get(1)?),
            students: RaptorStudents::read(row.get(2)?)?,
        });
    }
    Ok(rosters)
}

fn count_change(connection: &Connection) -> Result<(), StoreError> {
    let revision: Option<String> = connection
        .query_row("SELECT value FROM facts WHERE name = ?1", [REVISION], |row| row.get(0))
        .optional()?;
    let revision: u64 = revision.and_then(|revision| revision.parse().ok()).unwrap_or_default();
    set_fact(connection, REVISION, &(revision + 1).to_string())
}

fn set_fact(connection: &Connection, name: &str, value: &str) -> Result<(), StoreError> {
    connection.execute("INSERT OR REPLACE INTO facts (name, value) VALUES (?1, ?2)", [name, value])?;
    Ok(())
}

fn replace(connection: &Connection, rosters: &[RaptorRoster]) -> Result<usize, StoreError> {
    let mut replaced = 0;
    let mut upsert = connection.prepare_cached(
        "INSERT INTO raptor_rosters (building, school, students) VALUES (?1, ?2, ?3)
         ON CONFLICT (building) DO UPDATE SET school = excluded.school, students = excluded.students
             WHERE school <> excluded.school OR students <> excluded.students",
    )?;
    for RaptorRoster { building, school, students } in rosters {
        replaced += upsert.execute(params![building, school.get(), students.bytes])?;
    }
    Ok(replaced)
}

fn forget_others(transaction: &Transaction<'_>, in_table: &[String]) -> Result<usize, StoreError> {
    let mut known = transaction.prepare_cached("SELECT building FROM raptor_rosters")?;
    let known: Vec<String> = known.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let mut forgotten = 0;
    for building in known.iter().filter(|building| !in_table.contains(building)) {
        forgotten += transaction.execute("DELETE FROM raptor_rosters WHERE building = ?1", [building])?;
    }
    Ok(forgotten)
}
