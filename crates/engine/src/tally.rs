//! Whose rows a file has: how many of each school, and of which students. What the large-change rule compares.

use std::collections::{BTreeMap, HashMap};

use rosterbridge_domain::id::{SchoolNumber, StudentNumber};
use rosterbridge_store::ledger::SchoolRows;

/// The rows of a file, school by school.
pub(crate) type Schools = BTreeMap<SchoolNumber, SchoolRows>;

/// Counts the rows of a file as they are written.
#[derive(Default)]
pub(crate) struct Tally {
    schools: Vec<OfSchool>,
    places: HashMap<SchoolNumber, usize>,
    /// The school of the row before: most often the next one's, too.
    latest: usize,
}

struct OfSchool {
    school: SchoolNumber,
    rows: SchoolRows,
    /// The student counted last.
    last: Option<i64>,
}

impl Tally {
    /// A row of a school, about a student if it is about one. Students come in ascending order.
    pub(crate) fn row(&mut self, school: SchoolNumber, student: Option<StudentNumber>) {
        if self.schools.get(self.latest).is_none_or(|latest| latest.school != school) {
            self.latest = *self.places.entry(school).or_insert_with(|| {
                self.schools.push(OfSchool { school, rows: SchoolRows::default(), last: None });
                self.schools.len() - 1
            });
        }
        let Some(of_school) = self.schools.get_mut(self.latest) else { return };
        of_school.rows.rows += 1;
        if let Some(student) = student.map(StudentNumber::get)
            && of_school.last != Some(student)
        {
            let distance = student.wrapping_sub(of_school.last.unwrap_or_default());
            append(&mut of_school.rows.students, distance.cast_unsigned());
            of_school.last = Some(student);
        }
    }

    pub(crate) fn finish(self) -> Schools {
        self.schools.into_iter().map(|of_school| (of_school.school, of_school.rows)).collect()
    }
}

/// Appends a number in LEB128: seven bits a byte, the lowest first, the top bit set on all but the last.
fn append(bytes: &mut Vec<u8>, mut number: u64) {
    loop {
        let low = number.to_le_bytes()[0] & 0x7f;
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return;
        }
        bytes.push(low | 0x80);
    }
}

/// The student numbers of [`SchoolRows::students`], ascending.
fn students(bytes: &[u8]) -> impl Iterator<Item = i64> {
    let (mut rest, mut last) = (bytes.iter(), 0_i64);
    std::iter::from_fn(move || {
        let (mut distance, mut shift) = (0_u64, 0);
        loop {
            let byte = rest.next()?;
            distance |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or_default();
            if byte & 0x80 == 0 {
                last = last.wrapping_add(distance.cast_signed());
                return Some(last);
            }
            shift += 7;
        }
    })
}

/// The first students, at most so many, who had rows in `before` and have none in `now`.
pub(crate) fn gone(before: &Schools, now: &Schools, at_most: usize) -> Vec<i64> {
    let none = SchoolRows::default();
    let mut gone: Vec<i64> = before
        .iter()
        .flat_map(|(school, rows)| {
            let mut still = students(&now.get(school).unwrap_or(&none).students).peekable();
            students(&rows.students)
                .filter(move |student| {
                    while still.next_if(|other| other < student).is_some() {}
                    still.peek() != Some(student)
                })
                .take(at_most)
        })
        .collect();
    gone.sort_unstable();
    gone.dedup();
    gone.truncate(at_most);
    gone
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn tally(rows: &[(i64, i64)]) -> Schools {
        let mut tally = Tally::default();
        for (school, student) in rows {
            tally.row(SchoolNumber::new(*school), Some(StudentNumber::new(*student)));
        }
        tally.finish()
    }

    #[test]
    fn rows_count_by_school_and_students_once() {
        let schools = tally(&[(1, 5), (2, 5), (1, 5), (1, 300)]);
        let of = |school| &schools[&SchoolNumber::new(school)];
        assert_eq!((of(1).rows, of(2).rows), (3, 1));
        assert_eq!(students(&of(1).students).collect::<Vec<_>>(), [5, 300]);
    }

    #[test]
    fn who_is_gone_is_named_school_by_school() {
        let before = tally(&[(1, 5), (1, 7), (1, 9), (2, 6), (2, 8)]);
        let now = tally(&[(1, 5), (1, 8), (1, 9), (3, 6)]);
        assert_eq!(gone(&before, &now, 10), [6, 7, 8]);
        assert_eq!(gone(&before, &now, 2), [6, 7]);
        assert_eq!(gone(&before, &before, 10), [0_i64; 0]);
    }

    #[rstest]
    #[case::none(&[])]
    #[case::small(&[1, 2, 127, 255])]
    #[case::around_a_byte(&[127, 128, 16_383, 16_384, 4_000_000_000])]
    #[case::largest(&[0, i64::MAX])]
    #[case::below_zero(&[i64::MIN, -1, 0, 1])]
    fn student_numbers_come_back_as_they_went_in(#[case] numbers: &[i64]) {
        let rows: Vec<(i64, i64)> = numbers.iter().map(|number| (1, *number)).collect();
        let schools = tally(&rows);
        let back: Vec<i64> = schools.values().flat_map(|of_school| students(&of_school.students)).collect();
        assert_eq!(back, numbers);
    }
}
