//! Accounts at Hero: whom each is for, its exports and its import.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use rosterbridge_api::domain::{
    id::SchoolNumber,
    job::{AccountId, JobId},
    schedule::TimeOfDay,
    settings::{
        AccountLevel, CharacterSet, ConnectionId, FieldDelimiter, ImportField, LongValues, RecordDelimiter,
    },
};

use super::hero::account;

/// Accounts at Hero.
#[derive(Debug, Subcommand)]
pub enum Accounts {
    /// List them
    List,
    /// Show one whole: whom it is for, its exports and its import
    Show {
        /// The account's number
        #[arg(value_name = "N", value_parser = account)]
        account: AccountId,
    },
    /// Add one, with the exports and the import of Hero's procedure. They stay off until 'jobs set JOB --on'
    Add(Box<AddAccount>),
    /// Change one: whom it is for, its connection and what Hero does when. What is not named stays
    Set {
        /// The account's number
        #[arg(value_name = "N", value_parser = account)]
        account: AccountId,
        #[command(flatten)]
        changes: SetAccount,
    },
    /// Change an export, by the fields of the AutoSend form. What is not named stays; 'jobs set' has days and time
    SetExport(Box<SetExport>),
    /// Change the import, by the fields of the AutoComm form. What is not named stays; 'jobs set' has days and time
    SetImport(Box<SetImport>),
    /// Remove one with its settings, times and ticks. Without --yes it only tells what that comes to
    Remove {
        /// The account's number
        #[arg(value_name = "N", value_parser = account)]
        account: AccountId,
        /// Yes: remove it
        #[arg(long)]
        yes: bool,
    },
}

/// A new account.
#[derive(Debug, Args)]
pub struct AddAccount {
    /// What people call it
    #[arg(long)]
    pub name: String,
    /// The managed connection its files travel over
    #[arg(long, value_name = "ID")]
    pub connection: ConnectionId,
    #[command(flatten)]
    pub other: AccountChanges,
    /// Path of the student export; imports/STUDENT.TXT if not given
    #[arg(long, value_name = "PATH")]
    pub students_path: Option<String>,
    /// Path of the schedule export; imports/SCHEDULE.TXT if not given
    #[arg(long, value_name = "PATH")]
    pub schedule_path: Option<String>,
    /// Path of the teacher export; imports/TEACHER.txt if not given
    #[arg(long, value_name = "PATH")]
    pub teachers_path: Option<String>,
    /// Path of the attendance import; export/ATTENDANCE.txt if not given
    #[arg(long, value_name = "PATH")]
    pub attendance_path: Option<String>,
}

/// Changes to an account.
#[derive(Debug, Args)]
pub struct SetAccount {
    /// What people call it
    #[arg(long)]
    pub name: Option<String>,
    /// The managed connection its files travel over
    #[arg(long, value_name = "ID")]
    pub connection: Option<ConnectionId>,
    #[command(flatten)]
    pub other: AccountChanges,
}

/// What a new account may have from the beginning, and an old one can be changed to.
#[derive(Debug, Args)]
pub struct AccountChanges {
    /// Whom it is for, as it was made at Hero
    #[arg(long, value_enum)]
    pub level: Option<Level>,
    #[command(flatten)]
    pub schools: Schools,
    /// When Hero takes in the files, as set there, such as 04:00; or 'unknown'
    #[arg(long, value_name = "HH:MM", value_parser = hero_time)]
    pub hero_imports_at: Option<HeroTime>,
    /// When Hero writes its attendance export, as set there, such as 15:30; or 'unknown'
    #[arg(long, value_name = "HH:MM", value_parser = hero_time)]
    pub hero_exports_at: Option<HeroTime>,
    /// The zone of Hero's two times, as America/Chicago
    #[arg(long, value_name = "ZONE")]
    pub hero_zone: Option<chrono_tz::Tz>,
}

/// The schools that take part.
#[derive(Debug, Args)]
pub struct Schools {
    /// Only the school with this number in PowerSchool; may be repeated. Replaces the schools there were
    #[arg(long = "school", value_name = "NUMBER", value_parser = school, conflicts_with = "every_school")]
    pub schools: Vec<SchoolNumber>,
    /// Every school: of an account those that no other account names, of an export those of its account
    #[arg(long)]
    pub every_school: bool,
}

impl Schools {
    /// The schools there shall be, if they are to be others.
    pub fn chosen(&self) -> Option<&[SchoolNumber]> {
        (self.every_school || !self.schools.is_empty()).then_some(&self.schools)
    }
}

/// Who gets the completion report.
#[derive(Debug, Args)]
pub struct Reports {
    /// 'Email completion report' to this address; may be repeated. Replaces the addresses there were
    #[arg(long, value_name = "ADDRESS", conflicts_with = "no_email")]
    pub email: Vec<String>,
    /// No completion report
    #[arg(long)]
    pub no_email: bool,
}

impl Reports {
    /// The addresses there shall be, if they are to be others.
    pub fn chosen(&self) -> Option<&[String]> {
        (self.no_email || !self.email.is_empty()).then_some(&self.email)
    }
}

/// Changes to an export.
#[derive(Debug, Args)]
pub struct SetExport {
    /// hero-students, hero-schedule or hero-teachers; with -2, ... for further accounts
    pub job: JobId,
    /// 'Name': what the AutoSend record is called
    #[arg(long)]
    pub name: Option<String>,
    /// 'Send Output to' this folder of this computer or of a network share, under the path's file name
    #[arg(long, value_name = "DIR", conflicts_with = "over_connection")]
    pub folder: Option<PathBuf>,
    /// 'Send Output to' the account's managed connection
    #[arg(long)]
    pub over_connection: bool,
    /// 'Path': folder and file name; %Y, %m and %d stand for the day's date
    #[arg(long)]
    pub path: Option<String>,
    #[command(flatten)]
    pub format: Format,
    /// 'Character Set'
    #[arg(long, value_enum)]
    pub character_set: Option<ExportCharacters>,
    /// 'Fields to Export' in their order, apart by spaces or commas
    #[arg(long, value_name = "FIELDS", conflicts_with = "usual_fields")]
    pub fields: Option<ExportFields>,
    /// The fields of Hero's procedure
    #[arg(long)]
    pub usual_fields: bool,
    #[command(flatten)]
    pub schools: Schools,
    /// Whether only terms that contain the day are sent (schedule)
    #[arg(long, value_name = "true|false")]
    pub only_current_terms: Option<bool>,
    /// What becomes of a value that is longer than Hero takes. It is reported in either case
    #[arg(long, value_enum)]
    pub long_values: Option<Long>,
    /// Whether a file that Hero has already as it is, is not sent again on the same day
    #[arg(long, value_name = "true|false")]
    pub skip_unchanged: Option<bool>,
    #[command(flatten)]
    pub reports: Reports,
    #[command(flatten)]
    pub record: AutoSendRecord,
}

/// Changes to an import.
#[derive(Debug, Args)]
pub struct SetImport {
    /// hero-attendance; with -2, ... for further accounts
    pub job: JobId,
    /// 'Name': what the AutoComm record is called
    #[arg(long)]
    pub name: Option<String>,
    /// 'Path': export/ and the file's name; %Y, %m and %d stand for the day's date
    #[arg(long)]
    pub path: Option<String>,
    #[command(flatten)]
    pub format: Format,
    /// 'Character Set'
    #[arg(long, value_enum)]
    pub character_set: Option<ImportCharacters>,
    /// 'Update existing records'
    #[arg(long, value_name = "true|false")]
    pub update_existing: Option<bool>,
    /// 'PowerSchool fields to import into' in the file's order, apart by commas
    #[arg(long, value_name = "FIELDS", value_parser = import_fields, conflicts_with = "usual_fields")]
    pub fields: Option<ImportFields>,
    /// The fields of Hero's procedure
    #[arg(long)]
    pub usual_fields: bool,
    #[command(flatten)]
    pub reports: Reports,
    #[command(flatten)]
    pub record: AutoCommRecord,
}

/// The form of a file.
#[derive(Debug, Args)]
pub struct Format {
    /// 'Field Delimiter'
    #[arg(long, value_enum)]
    pub field_delimiter: Option<Field>,
    /// 'Record Delimiter'
    #[arg(long, value_enum)]
    pub record_delimiter: Option<Record>,
    /// 'First record contains field names'
    #[arg(long, value_name = "true|false")]
    pub header: Option<bool>,
}

/// What only PowerSchool's AutoSend record has. It has no effect where RosterBridge sends.
#[derive(Debug, Args)]
#[command(next_help_heading = "As PowerSchool's own record has it; without effect where RosterBridge sends")]
pub struct AutoSendRecord {
    /// 'Attendance-Specific Settings': the line chosen there
    #[arg(long, value_name = "LINE", value_parser = chosen_line)]
    pub attendance_setting: Option<String>,
    /// 'Include "upload_type"'
    #[arg(long, value_name = "true|false")]
    pub upload_type: Option<bool>,
    #[command(flatten)]
    pub both: EitherRecord,
}

/// What only PowerSchool's AutoComm record has. It has no effect where RosterBridge imports.
#[derive(Debug, Args)]
#[command(
    next_help_heading = "As PowerSchool's own record has it; without effect where RosterBridge imports"
)]
pub struct AutoCommRecord {
    /// 'Synchronize Mode'
    #[arg(long, value_name = "true|false")]
    pub synchronize: Option<bool>,
    /// 'Mark students'
    #[arg(long, value_name = "true|false")]
    pub mark_students: Option<bool>,
    #[command(flatten)]
    pub both: EitherRecord,
}

/// What both of PowerSchool's forms have.
#[derive(Debug, Args)]
pub struct EitherRecord {
    /// 'Sort Order'; an empty text for none
    #[arg(long, value_name = "FIELDS")]
    pub sort_order: Option<String>,
    /// 'Duplicate this' for all schools
    #[arg(long, value_name = "true|false")]
    pub duplicate_all_schools: Option<bool>,
    /// 'Duplicate this' for the district office
    #[arg(long, value_name = "true|false")]
    pub duplicate_district_office: Option<bool>,
}

/// A time that Hero does something at; nothing where nobody knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeroTime(pub Option<TimeOfDay>);

fn hero_time(text: &str) -> Result<HeroTime, String> {
    if text == "unknown" {
        return Ok(HeroTime(None));
    }
    text.parse().map(|time| HeroTime(Some(time))).map_err(|error| format!("{error}; or write 'unknown'"))
}

fn school(number: &str) -> Result<SchoolNumber, String> {
    let number: Option<i64> = number.parse().ok().filter(|number| *number > 0);
    number.map(SchoolNumber::new).ok_or_else(|| "a school's number has digits only".to_owned())
}

fn chosen_line(line: &str) -> Result<String, String> {
    match line.trim() {
        "" => Err("there is always a line chosen".to_owned()),
        line => Ok(line.to_owned()),
    }
}

/// The fields of an export, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportFields(pub Vec<String>);

impl From<&str> for ExportFields {
    fn from(list: &str) -> Self {
        let fields = list.split(|c: char| c.is_whitespace() || c == ',').filter(|field| !field.is_empty());
        Self(fields.map(str::to_owned).collect())
    }
}

/// The fields of an import, in the file's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportFields(pub Vec<ImportField>);

fn import_fields(list: &str) -> Result<ImportFields, String> {
    let names = list.split([',', '\n']).map(str::trim).filter(|name| !name.is_empty());
    let fields = names.map(|name| {
        let known = ImportField::ALL.into_iter().find(|field| field.as_str().eq_ignore_ascii_case(name));
        known.ok_or_else(|| {
            let known: Vec<&str> = ImportField::ALL.into_iter().map(ImportField::as_str).collect();
            format!("'{name}' is no field of the import: {} are", known.join(", "))
        })
    });
    fields.collect::<Result<_, _>>().map(ImportFields)
}

/// Whom an account is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Level {
    /// One school: accounts of students who leave deactivate by themselves
    School,
    /// A group of schools: the student file begins with the school, and students who leave don't deactivate
    Group,
}

impl From<Level> for AccountLevel {
    fn from(level: Level) -> Self {
        match level {
            Level::School => Self::School,
            Level::Group => Self::Group,
        }
    }
}

/// What stands between two fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Field {
    /// A tab, which Hero prefers
    Tab,
    /// A comma, with quotes where they are needed
    Comma,
}

impl From<Field> for FieldDelimiter {
    fn from(field: Field) -> Self {
        match field {
            Field::Tab => Self::Tab,
            Field::Comma => Self::Comma,
        }
    }
}

/// What ends a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Record {
    /// Carriage return and line feed
    Crlf,
    /// Line feed
    Lf,
    /// Carriage return
    Cr,
}

impl From<Record> for RecordDelimiter {
    fn from(record: Record) -> Self {
        match record {
            Record::Crlf => Self::Crlf,
            Record::Lf => Self::Lf,
            Record::Cr => Self::Cr,
        }
    }
}

/// The character set of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExportCharacters {
    /// UTF-8
    #[value(name = "utf-8")]
    Utf8,
    /// Windows-1252
    WindowsAnsi,
}

impl From<ExportCharacters> for CharacterSet {
    fn from(characters: ExportCharacters) -> Self {
        match characters {
            ExportCharacters::Utf8 => Self::Utf8,
            ExportCharacters::WindowsAnsi => Self::WindowsAnsi,
        }
    }
}

/// The character set of an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ImportCharacters {
    /// Windows-1252, which Hero writes
    WindowsAnsi,
    /// UTF-8
    #[value(name = "utf-8")]
    Utf8,
    /// Mac OS Roman
    MacRoman,
}

impl From<ImportCharacters> for CharacterSet {
    fn from(characters: ImportCharacters) -> Self {
        match characters {
            ImportCharacters::WindowsAnsi => Self::WindowsAnsi,
            ImportCharacters::Utf8 => Self::Utf8,
            ImportCharacters::MacRoman => Self::MacRoman,
        }
    }
}

/// What becomes of a value that is longer than Hero takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Long {
    /// It is sent as it is
    AsIs,
    /// It is cut to the length Hero takes
    Shorten,
}

impl From<Long> for LongValues {
    fn from(long: Long) -> Self {
        match long {
            Long::AsIs => Self::AsIs,
            Long::Shorten => Self::Shorten,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use rstest::rstest;

    use super::*;
    use crate::args::Cli;

    #[rstest]
    #[case::nothing_named(&["set", "1"], true)]
    #[case::no_number(&["set", "first"], false)]
    #[case::one_too_many(&["set", "101"], false)]
    #[case::schools(&["set", "1", "--school", "100", "--school", "200"], true)]
    #[case::every_school(&["set", "1", "--every-school"], true)]
    #[case::some_and_every_school(&["set", "1", "--school", "100", "--every-school"], false)]
    #[case::no_school(&["set", "1", "--school", "North"], false)]
    #[case::hero_time(&["set", "1", "--hero-imports-at", "04:00"], true)]
    #[case::unknown_time(&["set", "1", "--hero-imports-at", "unknown"], true)]
    #[case::no_time(&["set", "1", "--hero-imports-at", "25:00"], false)]
    #[case::without_name(&["add", "--connection", "connection-3"], false)]
    #[case::added(&["add", "--name", "North", "--connection", "connection-3", "--level", "group"], true)]
    #[case::two_destinations(&["set-export", "hero-students", "--folder", "/x", "--over-connection"], false)]
    #[case::two_field_lists(&["set-export", "hero-students", "--fields", "DOB", "--usual-fields"], false)]
    #[case::mac_roman_out(&["set-export", "hero-students", "--character-set", "mac-roman"], false)]
    #[case::mac_roman_in(&["set-import", "hero-attendance", "--character-set", "mac-roman"], true)]
    #[case::someone_and_nobody(&["set-import", "hero-attendance", "--email", "a@b.org", "--no-email"], false)]
    #[case::unknown_field(&["set-import", "hero-attendance", "--fields", "SchoolID, Lunch"], false)]
    #[case::unknown_job(&["set-export", "hero-student"], false)]
    fn an_account_is_named_with_what_goes_together(#[case] command: &[&str], #[case] taken: bool) {
        let arguments = ["rosterbridge", "hero", "accounts"].iter().chain(command).map(OsString::from);
        assert_eq!(Cli::read(arguments).is_ok(), taken);
    }

    #[rstest]
    #[case::as_printed("Student_Number First_Name", &["Student_Number", "First_Name"])]
    #[case::commas_and_lines("[05]last_name,\n [05]first_name", &["[05]last_name", "[05]first_name"])]
    #[case::nothing(" ", &[])]
    fn fields_of_an_export_are_apart_by_spaces_or_commas(#[case] list: &str, #[case] fields: &[&str]) {
        assert_eq!(ExportFields::from(list).0, fields);
    }

    #[test]
    fn fields_of_an_import_have_spaces_in_them() {
        let fields = import_fields("attendance code, Period Abbreviation\nSchoolID").unwrap().0;
        let expected = [ImportField::AttendanceCode, ImportField::PeriodAbbreviation, ImportField::SchoolId];
        assert_eq!(fields, expected);
    }
}
