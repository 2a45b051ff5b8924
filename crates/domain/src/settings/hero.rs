//! The exchange with Hero: its accounts, and for each the three exports and the import. The fields are those of
//! PowerSchool's AutoSend and AutoComm forms, and the defaults what Hero's procedure has a person enter there.
//!
//! 'When to Execute', 'Days to Execute' and 'Turn Execution Off' are the job's [`crate::settings::JobSettings`].

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::ConnectionId;
use crate::{
    id::SchoolNumber,
    job::{AccountId, Job, JobId},
    schedule::TimeOfDay,
};

/// The exchange with Hero.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(default)]
pub struct HeroSettings {
    /// The accounts. There is always the first one, and a school takes part in one of them only.
    pub accounts: Vec<HeroAccount>,
    /// The highest number that any account has had: none gets the number of another again, under which the ledger knows
    /// its files.
    #[ts(as = "Option<AccountId>", optional)]
    pub highest_account: AccountId,
}

impl Default for HeroSettings {
    fn default() -> Self {
        Self { accounts: vec![HeroAccount::default()], highest_account: AccountId::FIRST }
    }
}

impl HeroSettings {
    /// An account.
    pub fn account(&self, id: AccountId) -> Option<&HeroAccount> {
        self.accounts.iter().find(|account| account.id == id)
    }

    /// The number of the next account; `None` when all have been given out.
    pub fn next_account(&self) -> Option<AccountId> {
        let highest = self.accounts.iter().map(|account| account.id).chain([self.highest_account]).max()?;
        AccountId::try_from(highest.number() + 1).ok()
    }

    /// Takes over which numbers are given out already, from these settings and from the ones `before`.
    pub fn note_accounts(&mut self, before: &Self) {
        let own = self.accounts.iter().chain(&before.accounts).map(|account| account.id);
        let highest = own.chain([before.highest_account, self.highest_account]).max();
        self.highest_account = highest.unwrap_or(AccountId::FIRST);
    }

    /// Whether a school takes part in an account. Graduated Students never do.
    pub fn takes(&self, account: &HeroAccount, school: SchoolNumber) -> bool {
        let listed = |account: &HeroAccount| account.schools.contains(&school);
        school != SchoolNumber::GRADUATED
            && if account.schools.is_empty() { !self.accounts.iter().any(listed) } else { listed(account) }
    }

    /// The schools of a one-school account, where its student file takes rows of more than one of `known`, the schools
    /// there are, and no field of it tells to which of them a student belongs. None for an account that is as it should
    /// be. Where no schools are known yet, those chosen for the account count.
    pub fn too_many_schools(
        &self,
        account: &HeroAccount,
        known: impl IntoIterator<Item = SchoolNumber>,
    ) -> BTreeSet<SchoolNumber> {
        let students = &account.students;
        if account.level == AccountLevel::Group || names_the_school(&students.fields) {
            return BTreeSet::new();
        }
        let sent = |school: &SchoolNumber| {
            self.takes(account, *school) && (students.schools.is_empty() || students.schools.contains(school))
        };
        let chosen = account.schools.iter().copied();
        let schools: BTreeSet<SchoolNumber> = known.into_iter().chain(chosen).filter(sent).collect();
        if schools.len() > 1 { schools } else { BTreeSet::new() }
    }

    /// The account a school takes part in.
    pub fn account_of(&self, school: SchoolNumber) -> Option<&HeroAccount> {
        self.accounts.iter().find(|account| self.takes(account, school))
    }
}

/// Whether a list of student fields has SchoolID, which PowerSchool also reads with the number of the students' table.
fn names_the_school(fields: &[String]) -> bool {
    let mut names = fields.iter().flat_map(|line| line.split_whitespace());
    names.any(|name| {
        let name = name.strip_prefix("[1]").or_else(|| name.strip_prefix("[01]")).unwrap_or(name);
        name.eq_ignore_ascii_case("SchoolID")
    })
}

/// One account at Hero: one connection, one set of files and one import.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(default)]
pub struct HeroAccount {
    /// Which one.
    pub id: AccountId,
    /// What people call it.
    pub name: String,
    /// For a school or for a group of schools.
    pub level: AccountLevel,
    /// The schools that take part; empty for every school that takes part in no other account.
    pub schools: Vec<SchoolNumber>,
    /// The managed connection its files travel over.
    pub connection: ConnectionId,
    /// 'Student Demographics AutoSend Export'.
    pub students: ExportJob,
    /// 'Schedule Information AutoSend Export'.
    pub schedule: ExportJob,
    /// 'Teacher Information AutoSend Export'.
    pub teachers: ExportJob,
    /// 'AutoComm Import'.
    pub attendance: ImportJob,
    /// What was ticked on the pages that show what to enter in PowerSchool, by the names of their rows.
    pub ticked: BTreeSet<String>,
    /// What Hero does at its side, and when.
    pub hero_side: HeroSide,
}

impl Default for HeroAccount {
    fn default() -> Self {
        Self {
            id: AccountId::FIRST,
            name: "Hero".to_owned(),
            level: AccountLevel::default(),
            schools: Vec::new(),
            connection: ConnectionId::HERO,
            students: ExportJob::usual(ExportKind::Students),
            schedule: ExportJob::usual(ExportKind::Schedule),
            teachers: ExportJob::usual(ExportKind::Teachers),
            attendance: ImportJob::default(),
            ticked: BTreeSet::new(),
            hero_side: HeroSide::default(),
        }
    }
}

impl HeroAccount {
    /// The export of a kind.
    pub const fn export(&self, kind: ExportKind) -> &ExportJob {
        match kind {
            ExportKind::Students => &self.students,
            ExportKind::Schedule => &self.schedule,
            ExportKind::Teachers => &self.teachers,
        }
    }

    /// Who carries out one of its jobs.
    pub const fn owner(&self, job: Job) -> Option<Owner> {
        match job {
            Job::HeroAttendance => Some(self.attendance.owner),
            _ => match ExportKind::of(job) {
                Some(kind) => Some(self.export(kind).owner),
                None => None,
            },
        }
    }

    /// Everybody who gets a completion report.
    pub fn report_addresses(&self) -> impl Iterator<Item = &String> {
        let exports = ExportKind::ALL.into_iter().flat_map(|kind| &self.export(kind).email);
        exports.chain(&self.attendance.email)
    }

    /// Its jobs in running order.
    pub fn jobs(&self) -> [JobId; 4] {
        [Job::HeroStudents, Job::HeroSchedule, Job::HeroTeachers, Job::HeroAttendance]
            .map(|job| JobId::new(job, self.id))
    }
}

/// Whom a Hero account is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
pub enum AccountLevel {
    /// One school: Hero's recommendation where student accounts should deactivate by themselves.
    #[default]
    School,
    /// A group of schools, such as a district: the student file begins with the school's number, and students who leave
    /// don't deactivate.
    Group,
}

/// The three exports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
pub enum ExportKind {
    /// Student demographics.
    Students,
    /// Schedule information.
    Schedule,
    /// Teacher information.
    Teachers,
}

impl ExportKind {
    /// All three, in the order of Hero's procedure.
    pub const ALL: [Self; 3] = [Self::Students, Self::Schedule, Self::Teachers];

    /// The export a job sends; `None` for a job that sends none of them.
    pub const fn of(job: Job) -> Option<Self> {
        match job {
            Job::HeroStudents => Some(Self::Students),
            Job::HeroSchedule => Some(Self::Schedule),
            Job::HeroTeachers => Some(Self::Teachers),
            Job::HeroAttendance | Job::RaptorRoster | Job::RaptorTardies => None,
        }
    }

    /// The job that sends it.
    pub const fn job(self) -> Job {
        match self {
            Self::Students => Job::HeroStudents,
            Self::Schedule => Job::HeroSchedule,
            Self::Teachers => Job::HeroTeachers,
        }
    }
}

/// Who carries out an export or import: exactly one of the two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Owner {
    /// PowerSchool's AutoSend or AutoComm.
    PowerSchool,
    /// This program.
    #[default]
    RosterBridge,
}

/// That somebody has ticked 'Turn Execution Off' in PowerSchool, so that this program can take over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
// Next to `Handover`, which is another thing, `HandOver.ts` would be the same file on Windows and macOS.
#[ts(rename = "ConfirmedHandOver")]
pub struct HandOver {
    /// The AutoSend or AutoComm record, as it is called in PowerSchool.
    pub record: String,
    /// When it was confirmed.
    #[ts(type = "string")]
    pub confirmed_at: DateTime<Utc>,
    /// The operating system account it was confirmed under.
    pub confirmed_by: String,
}

/// One export: an AutoSend record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ExportJob {
    /// 'Name'.
    pub name: String,
    /// Who sends it.
    #[serde(default)]
    pub owner: Owner,
    /// That PowerSchool's own record was turned off, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub hand_over: Option<HandOver>,
    /// 'Send Output to'.
    #[serde(default)]
    pub destination: Destination,
    /// 'Path': folder and file name at the other side. `%Y`, `%m` and `%d` stand for the day's date.
    pub path: String,
    /// 'Field Delimiter'.
    #[serde(default)]
    pub field_delimiter: FieldDelimiter,
    /// 'Record Delimiter'.
    #[serde(default)]
    pub record_delimiter: RecordDelimiter,
    /// 'Character Set': UTF-8 or Windows ANSI.
    #[serde(default = "utf8")]
    pub character_set: CharacterSet,
    /// 'First record contains field names'.
    #[serde(default)]
    pub header: bool,
    /// 'Fields to Export', one field each.
    pub fields: Vec<String>,
    /// What becomes of a value that is longer than Hero takes.
    #[serde(default)]
    pub long_values: LongValues,
    /// 'Email completion report': who gets it.
    #[serde(default)]
    pub email: Vec<String>,
    /// The schools it is restricted to; empty for all of the account.
    #[serde(default)]
    pub schools: Vec<SchoolNumber>,
    /// Schedule only: whether enrolments of terms that don't contain the day are left out.
    #[serde(default)]
    pub only_current_terms: bool,
    /// Whether a file that Hero already has as it is, is not sent again on the same day.
    #[serde(default = "yes")]
    pub skip_unchanged: bool,
    /// The form's fields that matter to PowerSchool alone.
    #[serde(default)]
    pub in_powerschool: AutoSendFields,
}

/// How the AutoSend form's other fields stand in PowerSchool's record. They have no effect where this program sends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(default)]
pub struct AutoSendFields {
    /// 'Sort Order'.
    pub sort_order: String,
    /// 'Include "upload_type"'.
    pub upload_type: bool,
    /// 'Attendance-Specific Settings': the line that is chosen in the form's list.
    pub attendance: String,
    /// 'Duplicate this…'.
    pub duplicate: Duplicate,
}

/// 'Attendance-Specific Settings' as Hero's procedure has a person choose it, for each of the three exports.
pub const ATTENDANCE_SETTING: &str = "Send any Attendance modified in last 24 Hours";

impl Default for AutoSendFields {
    fn default() -> Self {
        Self {
            sort_order: String::new(),
            upload_type: false,
            attendance: ATTENDANCE_SETTING.to_owned(),
            duplicate: Duplicate::default(),
        }
    }
}

/// How the AutoComm form's other fields stand in PowerSchool's record. They have no effect where this program imports.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(default)]
pub struct AutoCommFields {
    /// 'Sort Order'.
    pub sort_order: String,
    /// 'Synchronize Mode': it must not be on, as Hero's file holds a part of the attendance only.
    pub synchronize: bool,
    /// 'Mark students…': it must not be on for the same reason.
    pub mark_students: bool,
    /// 'Duplicate this on…'.
    pub duplicate: Duplicate,
}

impl AutoCommFields {
    /// What to do about each tick that must not be there, in sentences.
    pub fn ticks_to_take_off(&self) -> Vec<String> {
        let boxes = [("Synchronize Mode", self.synchronize), ("Mark students…", self.mark_students)];
        let ticked = boxes.into_iter().filter(|(_, ticked)| *ticked);
        ticked
            .map(|(label, _)| {
                format!(
                    "Take the tick off '{label}' in PowerSchool, and then in this account's settings: what is not in \
                     Hero's file would count as gone."
                )
            })
            .collect()
    }
}

/// The boxes at the end of both forms that copy a record to other places of PowerSchool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(default)]
pub struct Duplicate {
    /// '… all schools'.
    pub all_schools: bool,
    /// '… district office'.
    pub district_office: bool,
}

const fn yes() -> bool {
    true
}

const fn utf8() -> CharacterSet {
    CharacterSet::Utf8
}

impl ExportJob {
    /// What Hero's procedure has a person enter, with the folder Hero's help names.
    pub fn usual(kind: ExportKind) -> Self {
        let (name, path, fields): (_, _, &[&str]) = match kind {
            ExportKind::Students => ("Hero Student Info", "imports/STUDENT.TXT", &STUDENT_FIELDS),
            ExportKind::Schedule => ("Hero Schedule Info", "imports/SCHEDULE.TXT", &SCHEDULE_FIELDS),
            ExportKind::Teachers => ("Hero Teacher Info", "imports/TEACHER.txt", &TEACHER_FIELDS),
        };
        Self {
            name: name.to_owned(),
            owner: Owner::default(),
            hand_over: None,
            destination: Destination::default(),
            path: path.to_owned(),
            field_delimiter: FieldDelimiter::default(),
            record_delimiter: RecordDelimiter::default(),
            character_set: CharacterSet::Utf8,
            header: false,
            fields: fields.iter().map(|&field| field.to_owned()).collect(),
            long_values: LongValues::default(),
            email: Vec::new(),
            schools: Vec::new(),
            only_current_terms: false,
            skip_unchanged: true,
            in_powerschool: AutoSendFields::default(),
        }
    }
}

/// 'Fields to Export' of the student export, as Hero's procedure prints them.
pub const STUDENT_FIELDS: [&str; 12] = [
    "Student_Number",
    "First_Name",
    "Last_Name",
    "Middle_Name",
    "DOB",
    "Mailing_Street",
    "Mailing_City",
    "Mailing_State",
    "Mailing_Zip",
    "GuardianEmail",
    "Home_Phone",
    "Grade_Level",
];

/// 'Fields to Export' of the schedule export. Hero's procedure prints `Period Expression` with a space between two
/// fields.
pub const SCHEDULE_FIELDS: [&str; 12] = [
    "Schoolid",
    "[01]student_number",
    "termid",
    "course_number",
    "[02]course_name",
    "section_number",
    "Period",
    "Expression",
    "[05]last_name",
    "[05]first_name",
    "[03]room",
    "teachernumber",
];

/// 'Fields to Export' of the teacher export: `teachernumber` stands there twice.
pub const TEACHER_FIELDS: [&str; 7] =
    ["Schoolid", "[05]last_name", "[05]first_name", "teachernumber", "email_addr", "teachernumber", "status"];

/// 'Send Output to' of the AutoSend form.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Destination {
    /// The account's managed connection.
    #[default]
    Connection,
    /// A folder of this computer or a network share, under the path's file name.
    Folder {
        /// The folder.
        folder: String,
    },
}

/// 'Field Delimiter' of the AutoSend and AutoComm forms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
pub enum FieldDelimiter {
    /// Nothing is ever quoted; a tab or line break inside a value becomes a space. Hero: 'TAB is preferable'.
    #[default]
    Tab,
    /// Values are quoted as in RFC 4180 where they have to be.
    Comma,
}

/// 'Record Delimiter' of the AutoSend and AutoComm forms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
pub enum RecordDelimiter {
    /// Carriage return and line feed, which Hero requires of the exports.
    #[default]
    Crlf,
    /// Line feed, in which the records of Hero's own file end.
    Lf,
    /// Carriage return.
    Cr,
}

/// 'Character Set' of the AutoSend and AutoComm forms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum CharacterSet {
    /// windows-1252, which Hero writes. In an export a character it lacks is sent as `?`, counted and reported.
    #[default]
    WindowsAnsi,
    /// UTF-8; written without a byte order mark, read with or without one.
    Utf8,
    /// Mac OS Roman: for an import only.
    MacRoman,
}

/// What becomes of a value that is longer than Hero takes. It is reported in either case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum LongValues {
    /// It is sent whole.
    #[default]
    AsIs,
    /// It is cut to the length Hero takes.
    Shorten,
}

/// The import of Hero's attendance: an AutoComm record. 'Table to Import' is always Attendance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(default)]
pub struct ImportJob {
    /// 'Name'.
    pub name: String,
    /// Who imports it.
    pub owner: Owner,
    /// That PowerSchool's own record was turned off, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub hand_over: Option<HandOver>,
    /// 'Path': one file in `export/`. `%Y`, `%m` and `%d` stand for the day's date.
    pub path: String,
    /// 'Field Delimiter'.
    pub field_delimiter: FieldDelimiter,
    /// 'Record Delimiter'.
    pub record_delimiter: RecordDelimiter,
    /// 'Character Set'.
    pub character_set: CharacterSet,
    /// 'First record contains field names'.
    pub header: bool,
    /// 'Update existing records'.
    pub update_existing: bool,
    /// 'PowerSchool fields to import into', in the file's order.
    pub fields: Vec<ImportField>,
    /// 'Email completion report': who gets it.
    pub email: Vec<String>,
    /// The form's fields that matter to PowerSchool alone.
    pub in_powerschool: AutoCommFields,
}

impl Default for ImportJob {
    /// What Hero's procedure has a person enter; the file's name is the administrator's.
    fn default() -> Self {
        Self {
            name: "Hero Attendance".to_owned(),
            owner: Owner::default(),
            hand_over: None,
            path: "export/ATTENDANCE.txt".to_owned(),
            field_delimiter: FieldDelimiter::Tab,
            record_delimiter: RecordDelimiter::Lf,
            character_set: CharacterSet::WindowsAnsi,
            header: false,
            update_existing: true,
            fields: ImportField::ALL.to_vec(),
            email: Vec::new(),
            in_powerschool: AutoCommFields::default(),
        }
    }
}

/// A field of the import, under the name Hero's procedure prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
pub enum ImportField {
    /// The school's number.
    #[serde(rename = "SchoolID")]
    SchoolId,
    /// The student's number.
    #[serde(rename = "Student_Number")]
    StudentNumber,
    /// The course's number.
    #[serde(rename = "Course_Number")]
    CourseNumber,
    /// The section's number within the course.
    #[serde(rename = "Section_Number")]
    SectionNumber,
    /// The day.
    #[serde(rename = "Att_Date")]
    AttendanceDate,
    /// The attendance code, letter by letter as in PowerSchool.
    #[serde(rename = "Attendance Code")]
    AttendanceCode,
    /// The abbreviation of the period.
    #[serde(rename = "Period Abbreviation")]
    PeriodAbbreviation,
}

impl ImportField {
    /// All, in the order of Hero's procedure.
    pub const ALL: [Self; 7] = [
        Self::SchoolId,
        Self::StudentNumber,
        Self::CourseNumber,
        Self::SectionNumber,
        Self::AttendanceDate,
        Self::AttendanceCode,
        Self::PeriodAbbreviation,
    ];

    /// The name Hero's procedure prints.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SchoolId => "SchoolID",
            Self::StudentNumber => "Student_Number",
            Self::CourseNumber => "Course_Number",
            Self::SectionNumber => "Section_Number",
            Self::AttendanceDate => "Att_Date",
            Self::AttendanceCode => "Attendance Code",
            Self::PeriodAbbreviation => "Period Abbreviation",
        }
    }
}

/// What Hero does at its side, as its administrator set it up there: known here only because somebody entered it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(default)]
pub struct HeroSide {
    /// When Hero takes in the three files; `None` where nobody said.
    pub imports_at: Option<TimeOfDay>,
    /// When Hero writes its attendance export; `None` where nobody said.
    pub exports_at: Option<TimeOfDay>,
    /// The zone of both times.
    #[ts(type = "string")]
    pub zone: Tz,
}

impl Default for HeroSide {
    fn default() -> Self {
        Self { imports_at: None, exports_at: None, zone: chrono_tz::America::Chicago }
    }
}
