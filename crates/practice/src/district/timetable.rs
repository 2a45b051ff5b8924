//! What a kind of school has: grades, cycle days, periods, bell schedules, and the slots of a
//! student's week that classes fill.

use super::names;

/// A kind of school, and with it the method by which it takes attendance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Grades K to 5, daily attendance, every day alike.
    Elementary,
    /// Grades 6 to 8, meeting and daily attendance linked by a bridge period, a cycle of six days.
    Middle,
    /// Grades 9 to 12, meeting attendance, A and B days with blocks.
    High,
    /// The only school of a one-school district: K to 12, otherwise like a middle school.
    Unit,
}

/// A period: number, abbreviation, name, and its minutes of the day by regular and early schedule.
pub(super) struct Bell {
    pub number: i64,
    pub abbreviation: &'static str,
    pub name: &'static str,
    pub regular: (i64, i64),
    pub early: (i64, i64),
}

const fn bell(
    number: i64,
    abbreviation: &'static str,
    name: &'static str,
    regular: (i64, i64),
    early: (i64, i64),
) -> Bell {
    Bell { number, abbreviation, name, regular, early }
}

/// Where a class of a student's week lies.
pub(super) struct Slot {
    /// Period numbers, adjacent.
    pub periods: &'static [i64],
    /// Letters of the cycle days.
    pub days: &'static [&'static str],
    /// Sections.Expression: period numbers and cycle days.
    pub expression: &'static str,
    /// Sections.External_Expression: the same with period abbreviations.
    pub external: &'static str,
    pub subject: Subject,
    /// Split into a section for each semester, for every second cohort.
    pub semesters: bool,
}

/// Which subject fills a slot.
#[derive(Clone, Copy)]
pub(super) enum Subject {
    /// This one, taught by the cohort's own teacher.
    Own(usize),
    /// Turns through the kind's core subjects, so that their teachers are never needed twice at once.
    Turn,
    /// One of these by cohort, taught by specialists.
    Special(&'static [usize]),
}

/// Subjects: two digits of the course number, and the name before the grade.
pub(super) const SUBJECTS: &[(&str, &str)] = &[
    ("01", "Homeroom"),
    ("02", "Reading & Writing"),
    ("03", "Mathematics"),
    ("04", "Science"),
    ("05", "Physical Education"),
    ("06", "Art, Drama and Music"),
    ("10", "English"),
    ("11", "Algebra and Geometry"),
    ("12", "Biology"),
    ("13", "U.S. and World History"),
    ("14", "Español"),
    ("15", "Health"),
    ("16", "Computer Science"),
];

const SIX: &[&str] = &["A", "B", "C", "D", "E", "F"];

const fn slot(
    periods: &'static [i64],
    days: &'static [&'static str],
    expression: &'static str,
    external: &'static str,
    subject: Subject,
) -> Slot {
    Slot { periods, days, expression, external, subject, semesters: false }
}

static ELEMENTARY_SLOTS: &[Slot] = &[
    slot(&[1], &["A"], "1(A)", "HR(A)", Subject::Own(0)),
    slot(&[2], &["A"], "2(A)", "1(A)", Subject::Own(1)),
    slot(&[3], &["A"], "3(A)", "2(A)", Subject::Own(2)),
    slot(&[4], &["A"], "4(A)", "3(A)", Subject::Own(3)),
    slot(&[5], &["A"], "5(A)", "4(A)", Subject::Special(&[4, 5])),
];

static MIDDLE_SLOTS: &[Slot] = &[
    slot(&[1], SIX, "1(A-F)", "HR(A-F)", Subject::Own(0)),
    slot(&[2], SIX, "2(A-F)", "P1(A-F)", Subject::Turn),
    slot(&[3], SIX, "3(A-F)", "P2(A-F)", Subject::Turn),
    slot(&[4], SIX, "4(A-F)", "P3(A-F)", Subject::Turn),
    slot(&[5], SIX, "5(A-F)", "P4(A-F)", Subject::Turn),
    slot(&[6], &["A", "C", "E"], "6(A,C,E)", "P5(A,C,E)", Subject::Special(&[4])),
    slot(&[6], &["B", "D", "F"], "6(B,D,F)", "P5(B,D,F)", Subject::Special(&[5])),
];

static HIGH_SLOTS: &[Slot] = &[
    slot(&[1], &["A"], "1(A)", "1(A)", Subject::Turn),
    slot(&[2], &["A"], "2(A)", "2(A)", Subject::Turn),
    slot(&[3], &["A"], "3(A)", "3(A)", Subject::Turn),
    Slot { semesters: true, ..slot(&[4], &["A"], "4(A)", "4(A)", Subject::Turn) },
    slot(&[1], &["B"], "1(B)", "1(B)", Subject::Turn),
    slot(&[2], &["B"], "2(B)", "2(B)", Subject::Turn),
    slot(&[3, 4], &["B"], "3-4(B)", "3-4(B)", Subject::Turn),
];

static ELEMENTARY_BELLS: &[Bell] = &[
    bell(1, "HR", "Homeroom", (485, 505), (485, 500)),
    bell(2, "1", "Period 1", (505, 600), (500, 560)),
    bell(3, "2", "Period 2", (600, 675), (560, 620)),
    bell(4, "3", "Period 3", (720, 795), (620, 680)),
    bell(5, "4", "Period 4", (795, 900), (680, 740)),
];

static MIDDLE_BELLS: &[Bell] = &[
    bell(1, "HR", "Homeroom", (475, 490), (475, 485)),
    bell(2, "P1", "Period 1", (494, 560), (489, 534)),
    bell(3, "P2", "Period 2", (564, 630), (538, 583)),
    bell(4, "P3", "Period 3", (634, 700), (587, 632)),
    bell(5, "P4", "Period 4", (740, 806), (636, 681)),
    bell(6, "P5", "Period 5", (810, 876), (685, 730)),
];

static HIGH_BELLS: &[Bell] = &[
    bell(1, "1", "Block 1", (510, 600), (510, 565)),
    bell(2, "2", "Block 2", (606, 696), (571, 626)),
    bell(3, "3", "Block 3", (736, 826), (632, 687)),
    bell(4, "4", "Block 4", (832, 922), (693, 748)),
];

impl Kind {
    /// The kinds of a district's schools, in the order of their numbers.
    pub fn of(index: u32, schools: u32) -> Self {
        if schools == 1 {
            return Self::Unit;
        }
        match (index % 5, schools) {
            (0, _) | (3, 4..) => Self::Elementary,
            (1, 3..) => Self::Middle,
            _ => Self::High,
        }
    }

    pub fn grades(self) -> std::ops::RangeInclusive<i64> {
        match self {
            Self::Elementary => 0..=5,
            Self::Middle => 6..=8,
            Self::High => 9..=12,
            Self::Unit => 0..=12,
        }
    }

    /// How many students one school of the kind has against another.
    pub fn weight(self) -> u32 {
        match self {
            Self::Elementary => 8,
            Self::Middle => 9,
            Self::High => 12,
            Self::Unit => 1,
        }
    }

    pub fn bells(self) -> &'static [Bell] {
        match self {
            Self::Elementary => ELEMENTARY_BELLS,
            Self::Middle | Self::Unit => MIDDLE_BELLS,
            Self::High => HIGH_BELLS,
        }
    }

    pub fn cycle(self) -> &'static [&'static str] {
        match self {
            Self::Elementary => &SIX[..1],
            Self::Middle | Self::Unit => SIX,
            Self::High => &SIX[..2],
        }
    }

    pub fn slots(self) -> &'static [Slot] {
        match self {
            Self::Elementary => ELEMENTARY_SLOTS,
            Self::Middle | Self::Unit => MIDDLE_SLOTS,
            Self::High => HIGH_SLOTS,
        }
    }

    /// Subjects that [`Subject::Turn`] goes through.
    pub fn core(self) -> &'static [usize] {
        match self {
            Self::Elementary => &[],
            Self::Middle | Self::Unit => &[6, 2, 3, 9],
            Self::High => &[6, 7, 8, 9, 10, 11, 12],
        }
    }

    /// Writes daily attendance records.
    pub fn daily(self) -> bool {
        self != Self::High
    }

    /// Writes a record for each meeting of a section.
    pub fn meeting(self) -> bool {
        self != Self::Elementary
    }

    /// The one slot in five or more that a high school student keeps free.
    pub fn free_slots(self) -> &'static [usize] {
        if self == Self::High { &[1, 2, 4, 5] } else { &[] }
    }

    /// Attendance codes: code, description, present.
    pub fn codes(self) -> &'static [(Option<&'static str>, &'static str, bool)] {
        const COMMON: &[(Option<&str>, &str, bool)] = &[
            (None, "Present", true),
            (Some("A"), "Absent", false),
            (Some("T"), "Tardy", true),
            (Some("TX"), "Tardy Excused", true),
            (Some("E"), "Absent Excused", false),
        ];
        const ELEMENTARY: &[(Option<&str>, &str, bool)] = &[
            (None, "Present", true),
            (Some("A"), "Absent", false),
            (Some("T"), "Tardy", true),
            (Some("E"), "Absent Excused", false),
            (Some("TX"), "Tardy Excused", true),
            (Some("LB"), "Late Bus", true),
        ];
        const HIGH: &[(Option<&str>, &str, bool)] = &[
            (None, "Present", true),
            (Some("UA"), "Absent Unexcused", false),
            (Some("A"), "Absent", false),
            (Some("T"), "Tardy", true),
            (Some("TX"), "Tardy Excused", true),
            (Some("E"), "Absent Excused", false),
            (Some("Tu"), "Tardy over 20 minutes", true),
        ];
        match self {
            Self::Elementary => ELEMENTARY,
            Self::Middle | Self::Unit => COMMON,
            Self::High => HIGH,
        }
    }

    /// A school's name and abbreviation; `turn` counts the schools of this kind.
    pub fn name(self, turn: usize) -> (String, String) {
        let (places, suffix, short) = match self {
            Self::Elementary => (names::ELEMENTARY, "Elementary School", "ES"),
            Self::Middle => (names::MIDDLE_SCHOOLS, "Middle School", "MS"),
            Self::High => (names::HIGH, "High School", "HS"),
            Self::Unit => (names::MIDDLE_SCHOOLS, "School", "S"),
        };
        let place = places[turn % places.len()];
        let letters: String = place.chars().filter(char::is_ascii_uppercase).collect();
        match turn / places.len() {
            0 => (format!("{place} {suffix}"), format!("{letters}{short}")),
            again => {
                (format!("{place} {suffix} No. {}", again + 1), format!("{letters}{short}{}", again + 1))
            }
        }
    }
}
