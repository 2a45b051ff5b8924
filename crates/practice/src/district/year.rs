use chrono::{Datelike, Days, NaiveDate, Weekday};

use super::Plan;

/// A school year.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SchoolYear {
    /// School year start - 1990 (PowerSchool: Terms.YearID).
    pub yearid: i64,
    pub first: NaiveDate,
    /// First day of the second semester.
    pub second_semester: NaiveDate,
    pub last: NaiveDate,
}

impl SchoolYear {
    /// The current year of a district: the one that holds its date, else the next to start. Where the
    /// date has to be a school day, it is the nearest year, stretched.
    pub fn of(plan: Plan) -> Self {
        let stretched = Self::around(plan.date);
        let usual = Self::starting(stretched.start());
        if !plan.keeps_summer {
            stretched
        } else if plan.date > usual.last {
            usual.next()
        } else {
            usual
        }
    }

    /// Whether the date is one of the year's.
    pub fn holds(self, date: NaiveDate) -> bool {
        self.first <= date && date <= self.last
    }

    /// The year that holds `date`: July starts a new one. In the summer weeks, when real schools are
    /// out, the year is stretched so that it holds the date.
    pub fn around(date: NaiveDate) -> Self {
        let start = if date.month() >= 7 { date.year() } else { date.year() - 1 };
        let usual = Self::starting(start);
        let monday = date - Days::new(u64::from(date.weekday().num_days_from_monday()));
        Self { first: usual.first.min(monday), last: usual.last.max(date), ..usual }
    }

    /// The year that usually starts in August of `start`.
    pub fn starting(start: i32) -> Self {
        Self {
            yearid: i64::from(start) - 1990,
            first: on_or_after(start, 8, 17, Weekday::Mon),
            second_semester: on_or_after(start + 1, 1, 11, Weekday::Mon),
            last: on_or_after(start + 1, 6, 4, Weekday::Fri),
        }
    }

    pub fn previous(self) -> Self {
        Self::starting(self.start() - 1)
    }

    pub fn next(self) -> Self {
        Self::starting(self.start() + 1)
    }

    /// The day after the last one: what ExitDate and DateLeft hold.
    pub fn end(self) -> NaiveDate {
        self.last + Days::new(1)
    }

    /// The year's own term id; semesters are one and two more.
    pub fn term(self) -> i64 {
        self.yearid * 100
    }

    fn start(self) -> i32 {
        i32::try_from(self.yearid).unwrap_or(0) + 1990
    }

    /// Why there is no school on a weekday, if there is none.
    pub fn holiday(self, date: NaiveDate) -> Option<&'static str> {
        let (start, next) = (self.start(), self.start() + 1);
        let thanksgiving = on_or_after(start, 11, 22, Weekday::Thu);
        let spring = on_or_after(next, 3, 15, Weekday::Mon);
        let between = |from: NaiveDate, to: NaiveDate| from <= date && date <= to;
        if date == on_or_after(start, 9, 1, Weekday::Mon) {
            Some("Labor Day")
        } else if between(thanksgiving, thanksgiving + Days::new(1)) {
            Some("Thanksgiving")
        } else if between(day(start, 12, 22), day(next, 1, 2)) {
            Some("Winter Break")
        } else if date == on_or_after(next, 1, 15, Weekday::Mon) {
            Some("Martin Luther King Jr. Day")
        } else if date == on_or_after(next, 2, 15, Weekday::Mon) {
            Some("Presidents' Day")
        } else if between(spring, spring + Days::new(4)) {
            Some("Spring Break")
        } else if date == on_or_after(next, 5, 25, Weekday::Mon) {
            Some("Memorial Day")
        } else if date < self.first {
            Some("Summer Break")
        } else {
            None
        }
    }
}

fn day(year: i32, month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, day).unwrap_or(NaiveDate::MIN)
}

fn on_or_after(year: i32, month: u32, first: u32, weekday: Weekday) -> NaiveDate {
    let from = day(year, month, first);
    let ahead = (7 + weekday.num_days_from_monday() - from.weekday().num_days_from_monday()) % 7;
    from + Days::new(u64::from(ahead))
}

/// Whether a date is in no school year.
pub(crate) fn is_summer(date: NaiveDate) -> bool {
    let usual = SchoolYear::starting(SchoolYear::around(date).start());
    !usual.holds(date)
}

/// The last weekday on or before a date: what the practice date defaults to.
pub(crate) fn last_weekday(today: NaiveDate) -> NaiveDate {
    match today.weekday() {
        Weekday::Sat => today - Days::new(1),
        Weekday::Sun => today - Days::new(2),
        _ => today,
    }
}
