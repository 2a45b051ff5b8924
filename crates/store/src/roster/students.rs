//! The students as roster files name them: a few columns of every row, read ahead by a thread of their own.

use std::{ops::ControlFlow, sync::mpsc, thread};

use chrono::NaiveDate;
use rosterbridge_domain::{
    id::{SchoolNumber, StudentNumber},
    roster::{EnrollStatus, RosterStudent},
};
use rusqlite::{Row, types::ValueRef};

use super::{BATCHES_AHEAD, Roster, note_damage};
use crate::StoreError;

/// Students read at once.
const BATCH: usize = 2048;
/// Columns of text.
const TEXTS: usize = 6;

/// Students with all their text in one piece: a piece for every value would cost more than reading them.
#[derive(Default)]
struct Batch {
    text: String,
    students: Vec<Packed>,
    /// The key of the last one.
    last: Option<(i64, i64)>,
}

struct Packed {
    number: StudentNumber,
    school: SchoolNumber,
    enroll_status: EnrollStatus,
    dob: Option<NaiveDate>,
    grade_level: i64,
    /// Where each text ends. The first begins where the student before ends.
    ends: [usize; TEXTS],
}

impl Batch {
    fn push(&mut self, row: &Row<'_>) -> rusqlite::Result<()> {
        let (number, dcid) = (row.get(0)?, row.get(1)?);
        let dob = match row.get_ref(5)? {
            ValueRef::Null => None,
            _ => Some(super::tables::day(row, 5)?),
        };
        let mut ends = [0; TEXTS];
        for (column, end) in (6..).zip(&mut ends) {
            self.text.push_str(row.get_ref(column)?.as_str()?);
            *end = self.text.len();
        }
        self.students.push(Packed {
            number: StudentNumber::new(number),
            school: SchoolNumber::new(row.get(2)?),
            enroll_status: EnrollStatus(row.get(3)?),
            dob,
            grade_level: row.get(4)?,
            ends,
        });
        self.last = Some((number, dcid));
        Ok(())
    }

    fn students(&self) -> impl Iterator<Item = RosterStudent<'_>> {
        let mut from = 0;
        self.students.iter().map(move |packed| {
            let [first_name, middle_name, last_name, home_room, guardian_email, home_phone] =
                packed.ends.map(|end| {
                    let text = self.text.get(from..end).unwrap_or_default();
                    from = end;
                    text
                });
            RosterStudent {
                number: packed.number,
                school: packed.school,
                enroll_status: packed.enroll_status,
                first_name,
                middle_name,
                last_name,
                dob: packed.dob,
                grade_level: packed.grade_level,
                home_room,
                guardian_email,
                home_phone,
            }
        })
    }
}

impl Roster {
    /// Visits every student of any status by student number with what a roster names, until the visitor breaks or fails.
    /// Memory is bounded.
    pub fn for_each_roster_student<E: From<StoreError>>(
        &self,
        mut visit: impl FnMut(&RosterStudent<'_>) -> Result<ControlFlow<()>, E>,
    ) -> Result<(), E> {
        thread::scope(|scope| {
            let (sender, batches) = mpsc::sync_channel(BATCHES_AHEAD);
            scope.spawn(move || self.send_roster_students(&sender));
            // Leaving the loop early hangs up, which ends the reading.
            for batch in batches {
                for student in batch?.students() {
                    if visit(&student)?.is_break() {
                        return Ok(());
                    }
                }
            }
            Ok(())
        })
    }

    /// Reads the students until nobody listens any more.
    fn send_roster_students(&self, batches: &mpsc::SyncSender<Result<Batch, StoreError>>) {
        let mut after = Some((i64::MIN, i64::MIN));
        while let Some(last) = after {
            let batch = note_damage(&self.path, self.read_roster_students(last));
            // Neither an error nor an empty batch has a last student: either is the end.
            after = batch.as_ref().ok().and_then(|batch| batch.last);
            if batches.send(batch).is_err() {
                return;
            }
        }
    }

    fn read_roster_students(&self, after: (i64, i64)) -> Result<Batch, StoreError> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(&format!(
            "SELECT number, dcid, school, enroll_status, grade_level, dob, first_name, middle_name, last_name, home_room,
                 guardian_email, home_phone
             FROM students WHERE (number, dcid) > (?1, ?2) ORDER BY number, dcid LIMIT {BATCH}"
        ))?;
        let mut rows = statement.query(after)?;
        let mut batch = Batch::default();
        while let Some(row) = rows.next()? {
            batch.push(row)?;
        }
        Ok(batch)
    }
}
