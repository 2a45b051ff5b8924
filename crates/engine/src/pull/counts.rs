//! How far the tables of a pull are, told at a pace that people can follow.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::OnRows;

/// Least time between two counts that are told on the way. Some hundred pages come in a second, and who is told shows,
/// prints or sends each count.
const PACE: Duration = Duration::from_millis(100);

/// When a count was last told on the way, of any table.
#[derive(Debug, Default)]
pub(super) struct Pace(Mutex<Option<Instant>>);

impl Pace {
    /// Whether another may be told. Takes it that it is.
    fn allows(&self, now: Instant) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let allowed = last.is_none_or(|last| now.saturating_duration_since(last) >= PACE);
        if allowed {
            *last = Some(now);
        }
        allowed
    }
}

/// The rows of one table as they come. Its first count and its last are always told.
pub(super) struct Counts<'a> {
    subject: &'static str,
    on_rows: OnRows<'a>,
    pace: &'a Pace,
    told: Option<u64>,
}

impl<'a> Counts<'a> {
    pub(super) fn of(subject: &'static str, on_rows: OnRows<'a>, pace: &'a Pace) -> Self {
        Self { subject, on_rows, pace, told: None }
    }

    /// More have come: so many by now.
    pub(super) fn so_far(&mut self, rows: u64, now: Instant) {
        if self.told.is_none() || self.pace.allows(now) {
            self.tell(rows);
        }
    }

    /// No more will come.
    pub(super) fn in_all(mut self, rows: u64) {
        if self.told.is_some_and(|told| told != rows) {
            self.tell(rows);
        }
    }

    fn tell(&mut self, rows: u64) {
        self.told = Some(rows);
        (self.on_rows)(self.subject, rows);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tables_first_and_last_count_are_told_and_ten_a_second_of_all_between() {
        let told = Mutex::new(Vec::new());
        let on_rows = |subject, rows| told.lock().unwrap().push((subject, rows));
        let (pace, began) = (Pace::default(), Instant::now());
        let mut students = Counts::of("students", &on_rows, &pace);
        let mut sections = Counts::of("sections", &on_rows, &pace);
        for page in 1..=250 {
            let now = began + Duration::from_millis(page);
            students.so_far(page * 100, now);
            sections.so_far(page, now);
        }
        sections.in_all(250);
        students.in_all(25_000);
        let expected = [
            ("students", 100),
            ("sections", 1),
            ("students", 200),
            ("students", 10_200),
            ("students", 20_200),
            ("sections", 250),
            ("students", 25_000),
        ];
        assert_eq!(*told.lock().unwrap(), expected);
    }

    #[test]
    fn a_count_is_not_told_twice() {
        let told = Mutex::new(Vec::new());
        let on_rows = |subject, rows| told.lock().unwrap().push((subject, rows));
        let pace = Pace::default();
        let mut schools = Counts::of("schools", &on_rows, &pace);
        schools.so_far(5, Instant::now());
        schools.in_all(5);
        Counts::of("courses", &on_rows, &pace).in_all(0);
        assert_eq!(*told.lock().unwrap(), [("schools", 5)]);
    }
}
