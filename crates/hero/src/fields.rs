//! 'Fields to Export' of the AutoSend form: which of PowerSchool's fields an export sends, in which order. A list names
//! them as Hero's procedure prints them; upper and lower case make no difference, and a field may come twice.
//!
//! In such a list a number in brackets names another table: `[01]` Students, `[02]` Courses, `[03]` Sections, `[04]` CC,
//! `[05]` Teachers. The number of the export's own table may be left out.

mod elsewhere;

use rosterbridge_domain::settings::{
    AccountLevel, ExportKind, SCHEDULE_FIELDS, STUDENT_FIELDS, TEACHER_FIELDS,
};
use serde::Serialize;

/// How alike a name must be to be offered in place of an unknown one, from 0 to 1.
const ALIKE: f64 = 0.7;

/// A field that an export can send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct KnownField {
    /// Its name in a field list, as Hero's procedure prints it.
    pub name: &'static str,
    /// Where PowerSchool holds it, e.g. `STUDENTS.STUDENT_NUMBER`.
    pub column: &'static str,
    /// What it holds, for a person.
    pub meaning: &'static str,
    /// How many characters Hero accepts, where it says so.
    pub limit: Option<usize>,
    /// Whether Hero requires a value.
    pub required: bool,
}

/// The fields of one export.
pub trait Field: Copy + Eq + std::fmt::Debug + 'static {
    /// The export.
    const KIND: ExportKind;
    /// Every field, in the order in which [`known_fields`] tells of them.
    const ALL: &'static [Self];
    /// Further names by which PowerSchool knows some of them.
    const ALSO: &'static [(&'static str, Self)];

    /// What there is to know about it.
    fn known(self) -> &'static KnownField;
}

macro_rules! limit {
    () => {
        None
    };
    ($limit:literal) => {
        Some($limit)
    };
}

macro_rules! required {
    () => {
        false
    };
    (required) => {
        true
    };
}

/// Declares the fields of an export, each with its name, column and meaning, and Hero's limit in characters if it has
/// one, with whether Hero requires a value.
macro_rules! fields {
    (
        $(#[$doc:meta])*
        $name:ident of $kind:ident;
        $(
            $field:ident = $printed:literal, $column:literal, $meaning:literal
            $(, $limit:literal $($required:ident)?)?;
        )+
        @also $($other:literal => $same:ident),*
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $(#[doc = $column] $field,)+
        }

        impl Field for $name {
            const KIND: ExportKind = ExportKind::$kind;
            const ALL: &'static [Self] = &[$(Self::$field),+];
            const ALSO: &'static [(&'static str, Self)] = &[$(($other, Self::$same)),*];

            fn known(self) -> &'static KnownField {
                match self {
                    $(Self::$field => &KnownField {
                        name: $printed,
                        column: $column,
                        meaning: $meaning,
                        limit: limit!($($limit)?),
                        required: required!($($($required)?)?),
                    },)+
                }
            }
        }
    };
}

fields! {
    /// The fields of the student export. Limits and required values are those of Hero's student import.
    StudentField of Students;
    Number = "Student_Number", "STUDENTS.STUDENT_NUMBER",
        "The number people know the student by", 50 required;
    FirstName = "First_Name", "STUDENTS.FIRST_NAME", "First name", 20 required;
    LastName = "Last_Name", "STUDENTS.LAST_NAME", "Last name", 20 required;
    MiddleName = "Middle_Name", "STUDENTS.MIDDLE_NAME", "Middle name", 50;
    Dob = "DOB", "STUDENTS.DOB", "Date of birth, MM/DD/YYYY", 10;
    MailingStreet = "Mailing_Street", "STUDENTS.MAILING_STREET", "Street of the mailing address", 50;
    MailingCity = "Mailing_City", "STUDENTS.MAILING_CITY", "City of the mailing address", 50;
    MailingState = "Mailing_State", "STUDENTS.MAILING_STATE", "State of the mailing address", 50;
    MailingZip = "Mailing_Zip", "STUDENTS.MAILING_ZIP", "Zip code of the mailing address", 10;
    GuardianEmail = "GuardianEmail", "STUDENTS.GUARDIANEMAIL",
        "E-mail addresses of the guardians, separated by commas", 255;
    HomePhone = "Home_Phone", "STUDENTS.HOME_PHONE", "Home phone number", 50;
    GradeLevel = "Grade_Level", "STUDENTS.GRADE_LEVEL",
        "Grade; 0 is kindergarten, negative is before it", 5 required;
    School = "SchoolID", "STUDENTS.SCHOOLID", "Number of the student's school", 50;
    EnrollStatus = "Enroll_Status", "STUDENTS.ENROLL_STATUS", "0 attends, -1 is pre-registered";
    Id = "ID", "STUDENTS.ID", "PowerSchool's internal number of the student";
    Dcid = "DCID", "STUDENTS.DCID", "PowerSchool's internal number of the record";
    @also
}

fields! {
    /// The fields of the schedule export: a row of CC with the student, course, section and teacher it names.
    ScheduleField of Schedule;
    School = "Schoolid", "CC.SCHOOLID", "Number of the school that has the class", 50;
    StudentNumber = "[01]student_number", "STUDENTS.STUDENT_NUMBER",
        "The number people know the student by", 50;
    Term = "termid", "CC.TERMID", "Term of the class";
    CourseNumber = "course_number", "CC.COURSE_NUMBER", "Number of the course";
    CourseName = "[02]course_name", "COURSES.COURSE_NAME", "Name of the course";
    SectionNumber = "section_number", "CC.SECTION_NUMBER", "Number of the section within the course";
    Period = "Period", "CC.PERIOD_OBSOLETE", "Period in PowerSchool's older form";
    Expression = "Expression", "SECTIONS.EXTERNAL_EXPRESSION",
        "Periods and days as PowerSchool shows them, e.g. 1-2(A) HR(B); CC.EXPRESSION where the section has none";
    TeacherLastName = "[05]last_name", "TEACHERS.LAST_NAME", "Last name of the teacher";
    TeacherFirstName = "[05]first_name", "TEACHERS.FIRST_NAME", "First name of the teacher";
    Room = "[03]room", "SECTIONS.ROOM", "Room of the section";
    TeacherNumber = "teachernumber", "TEACHERS.TEACHERNUMBER", "Number of the teacher";
    ExternalExpression = "[03]external_expression", "SECTIONS.EXTERNAL_EXPRESSION",
        "Periods and days as PowerSchool shows them; nothing where the section has none";
    Id = "ID", "CC.ID", "PowerSchool's internal number of the enrolment";
    Dcid = "DCID", "CC.DCID", "PowerSchool's internal number of the record";
    Student = "studentid", "CC.STUDENTID", "PowerSchool's internal number of the student";
    Section = "sectionid", "CC.SECTIONID", "PowerSchool's internal number of the section";
    Teacher = "teacherid", "CC.TEACHERID", "PowerSchool's internal number of the teacher at the school";
    DateEnrolled = "dateenrolled", "CC.DATEENROLLED", "First day in the class, MM/DD/YYYY";
    DateLeft = "dateleft", "CC.DATELEFT", "The day after the last one in the class, MM/DD/YYYY";
    StudentGradeLevel = "[01]grade_level", "STUDENTS.GRADE_LEVEL", "Grade of the student";
    StudentSchool = "[01]schoolid", "STUDENTS.SCHOOLID", "Number of the student's own school";
    StudentEnrollStatus = "[01]enroll_status", "STUDENTS.ENROLL_STATUS", "0 attends, -1 is pre-registered";
    StudentDcid = "[01]dcid", "STUDENTS.DCID", "PowerSchool's internal number of the student's record";
    SectionDcid = "[03]dcid", "SECTIONS.DCID", "PowerSchool's internal number of the section's record";
    SectionTerm = "[03]termid", "SECTIONS.TERMID", "Term of the section";
    SectionTeacher = "[03]teacher", "SECTIONS.TEACHER",
        "PowerSchool's internal number of the section's lead teacher";
    @also
        "[05]teachernumber" => TeacherNumber, "period_obsolete" => Period, "[04]period_obsolete" => Period,
        "[01]id" => Student, "[02]course_number" => CourseNumber, "[03]id" => Section,
        "[03]course_number" => CourseNumber, "[03]section_number" => SectionNumber, "[03]schoolid" => School,
        "[05]id" => Teacher
}

fields! {
    /// The fields of the teacher export.
    TeacherField of Teachers;
    School = "Schoolid", "TEACHERS.SCHOOLID", "Number of the school", 50;
    LastName = "[05]last_name", "TEACHERS.LAST_NAME", "Last name";
    FirstName = "[05]first_name", "TEACHERS.FIRST_NAME", "First name";
    Number = "teachernumber", "TEACHERS.TEACHERNUMBER", "Number of the teacher";
    Email = "email_addr", "TEACHERS.EMAIL_ADDR", "E-mail address";
    Status = "status", "TEACHERS.STATUS", "1 is current, 2 is no longer there";
    Id = "ID", "TEACHERS.ID", "PowerSchool's internal number of the teacher at the school";
    @also
}

impl ScheduleField {
    /// Whether [`ScheduleRow::section`](crate::ScheduleRow::section) is needed to send it.
    pub const fn needs_section(self) -> bool {
        matches!(self, Self::SectionDcid | Self::SectionTerm | Self::SectionTeacher)
    }
}

/// Every field an export can send: those this program reads from PowerSchool for it.
pub fn known_fields(kind: ExportKind) -> Vec<KnownField> {
    fn of<F: Field>() -> Vec<KnownField> {
        F::ALL.iter().map(|field| *field.known()).collect()
    }
    match kind {
        ExportKind::Students => of::<StudentField>(),
        ExportKind::Schedule => of::<ScheduleField>(),
        ExportKind::Teachers => of::<TeacherField>(),
    }
}

/// The fields Hero's procedure has a person enter, one a line, to be pasted into PowerSchool's form.
pub fn default_list(kind: ExportKind) -> String {
    let fields: &[&str] = match kind {
        ExportKind::Students => &STUDENT_FIELDS,
        ExportKind::Schedule => &SCHEDULE_FIELDS,
        ExportKind::Teachers => &TEACHER_FIELDS,
    };
    fields.iter().flat_map(|field| [field, "\n"]).collect()
}

/// What is wrong with an export's field list; nothing if it can be sent.
pub fn field_problems(kind: ExportKind, lines: &[String]) -> Vec<FieldError> {
    match kind {
        ExportKind::Students => parse::<StudentField>(lines).err(),
        ExportKind::Schedule => parse::<ScheduleField>(lines).err(),
        ExportKind::Teachers => parse::<TeacherField>(lines).err(),
    }
    .unwrap_or_default()
}

/// Why a field list cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldError {
    /// No such field.
    #[error("line {line} of the field list: there is no field '{name}'{}", or(*.nearest))]
    Unknown {
        /// The line, counted from 1.
        line: usize,
        /// The name in it.
        name: String,
        /// The known name most like it, if one is.
        nearest: Option<&'static str>,
    },
    /// PowerSchool has it, and this program does not read it.
    #[error("line {line} of the field list: '{name}' can be sent only when PowerSchool sends the file")]
    OnlyFromPowerSchool {
        /// The line, counted from 1.
        line: usize,
        /// The name in it.
        name: String,
    },
    /// No field at all.
    #[error("the field list is empty")]
    Empty,
}

fn or(nearest: Option<&'static str>) -> String {
    nearest.map(|nearest| format!("; did you mean '{nearest}'?")).unwrap_or_default()
}

impl FieldError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unknown { .. } => "hero.field_unknown",
            Self::OnlyFromPowerSchool { .. } => "hero.field_only_from_powerschool",
            Self::Empty => "hero.fields_empty",
        }
    }

    /// What the person can do.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Unknown { .. } => {
                "Correct the name, or choose the field from the list of known fields. One field a line."
            }
            Self::OnlyFromPowerSchool { .. } => {
                "Take the field out of the list, or let PowerSchool's AutoSend send this file."
            }
            Self::Empty => "Enter the fields of Hero's procedure, one a line.",
        }
    }
}

/// A field list, read: what each column of the file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldList<F> {
    fields: Vec<F>,
    /// Each field's name as it was written, for the header row.
    names: Vec<String>,
}

impl<F: Field> FieldList<F> {
    /// The fields, in the file's order.
    pub fn fields(&self) -> &[F] {
        &self.fields
    }

    /// Their names as they were written, in the file's order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The fields that Hero requires and the list does not have.
    pub fn lacking(&self) -> impl Iterator<Item = &'static KnownField> {
        F::ALL
            .iter()
            .filter(|field| !self.fields.contains(field))
            .map(|field| field.known())
            .filter(|f| f.required)
    }
}

impl FieldList<StudentField> {
    /// The list for an account of this level: for a group, SchoolID comes in front, unless it already does.
    #[must_use]
    pub fn for_level(mut self, level: AccountLevel) -> Self {
        if level == AccountLevel::Group && self.fields.first() != Some(&StudentField::School) {
            self.fields.insert(0, StudentField::School);
            self.names.insert(0, StudentField::School.known().name.to_owned());
        }
        self
    }
}

/// Reads a field list. A line may name several fields with spaces between, as Hero's procedure prints
/// `Period Expression`; an empty line names none. Everything that is wrong is told at once.
pub fn parse<F: Field>(lines: &[impl AsRef<str>]) -> Result<FieldList<F>, Vec<FieldError>> {
    let mut list = FieldList { fields: Vec::new(), names: Vec::new() };
    let mut problems = Vec::new();
    // A list may also come as one text with several lines.
    let lines = lines.iter().flat_map(|text| text.as_ref().split('\n'));
    for (line, text) in (1..).zip(lines) {
        for name in text.split_whitespace() {
            match find::<F>(name) {
                Some(field) => {
                    list.fields.push(field);
                    list.names.push(name.to_owned());
                }
                None => problems.push(unknown::<F>(line, name)),
            }
        }
    }
    if problems.is_empty() && list.fields.is_empty() {
        problems.push(FieldError::Empty);
    }
    if problems.is_empty() { Ok(list) } else { Err(problems) }
}

/// The number of the table an export is about.
const fn own_table(kind: ExportKind) -> u32 {
    match kind {
        ExportKind::Students => 1,
        ExportKind::Schedule => 4,
        ExportKind::Teachers => 5,
    }
}

/// A name in a field list, taken apart: the number of the table, if there is one, and the name in it.
fn apart(name: &str) -> (Option<u32>, &str) {
    let numbered = name.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    match numbered.and_then(|(table, bare)| Some((table.parse().ok()?, bare))) {
        Some((table, bare)) => (Some(table), bare),
        None => (None, name),
    }
}

fn find<F: Field>(name: &str) -> Option<F> {
    let own = own_table(F::KIND);
    let (table, bare) = apart(name);
    let same = |other: &str| {
        let (other_table, other_bare) = apart(other);
        other_table.unwrap_or(own) == table.unwrap_or(own) && other_bare.eq_ignore_ascii_case(bare)
    };
    let names = F::ALL.iter().map(|field| (field.known().name, *field)).chain(F::ALSO.iter().copied());
    names.into_iter().find_map(|(other, field)| same(other).then_some(field))
}

/// What to say of a name that is none of the known ones.
fn unknown<F: Field>(line: usize, name: &str) -> FieldError {
    let (table, bare) = apart(name);
    if elsewhere::has(table.unwrap_or(own_table(F::KIND)), bare) {
        return FieldError::OnlyFromPowerSchool { line, name: name.to_owned() };
    }
    let bare = bare.to_ascii_lowercase();
    let likeness = |known: &'static str| {
        strsim::normalized_damerau_levenshtein(&apart(known).1.to_ascii_lowercase(), &bare)
    };
    let nearest = F::ALL
        .iter()
        .map(|field| field.known().name)
        .map(|known| (likeness(known), known))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        // Of equally near ones the first.
        .reduce(|best, next| if next.0 > best.0 { next } else { best });
    FieldError::Unknown { line, name: name.to_owned(), nearest: nearest.map(|(_, known)| known) }
}
