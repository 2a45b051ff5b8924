//! PowerSchool's AutoSend: the three files for Hero, written and sent by PowerSchool itself.
//!
//! It is the other sender that RosterBridge has to notice, and the one whose work it watches where PowerSchool sends.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use rusqlite::types::ValueRef;
use serde::{Deserialize, Serialize};

use crate::{
    District, PracticeError,
    district::GRADUATED,
    hero::{
        HeroLevel, HeroServer,
        import::{IMPORT_FILES, SCHEDULE, STUDENTS},
    },
};

/// What `POST /control/autosend` sends: by default the three files into `imports/`, as Hero asks for them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AutoSend {
    /// The account's user; none for the first account.
    pub account: Option<String>,
    /// The files' names, as Hero knows them; empty for all three.
    pub files: Vec<String>,
    /// Into the account's own folder, as with a path without `imports/`, where Hero does not look.
    pub in_root: bool,
    /// Commas between fields, not tabs.
    pub comma: bool,
    /// 'First record contains field names' is ticked.
    pub header: bool,
    /// Fields that are missing from the list of fields to export, in any case.
    pub without: Vec<String>,
    /// The first rows only; none for all of them.
    pub rows: Option<usize>,
    /// When it was sent; none for now.
    pub modified: Option<DateTime<Utc>>,
}

/// A file that was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// Its name.
    pub file: String,
    /// Rows, without the header.
    pub rows: usize,
    /// Columns.
    pub columns: usize,
    /// Bytes.
    pub bytes: usize,
}

/// A field as the exchange names it, and where PowerSchool has it.
type Field = (&'static str, &'static str);

/// In front of the student fields of a group-level account.
const SCHOOL: Field = ("SchoolID", "Students.SchoolID");

const STUDENT_FIELDS: [Field; 12] = [
    ("Student_Number", "Students.Student_Number"),
    ("First_Name", "Students.First_Name"),
    ("Last_Name", "Students.Last_Name"),
    ("Middle_Name", "Students.Middle_Name"),
    ("DOB", "STRFTIME('%m/%d/%Y', Students.DOB)"),
    ("Mailing_Street", "Students.Mailing_Street"),
    ("Mailing_City", "Students.Mailing_City"),
    ("Mailing_State", "Students.Mailing_State"),
    ("Mailing_Zip", "Students.Mailing_Zip"),
    ("GuardianEmail", "Students.GuardianEmail"),
    ("Home_Phone", "Students.Home_Phone"),
    ("Grade_Level", "Students.Grade_Level"),
];

const SCHEDULE_FIELDS: [Field; 12] = [
    ("Schoolid", "CC.SchoolID"),
    ("[01]student_number", "Students.Student_Number"),
    ("termid", "CC.TermID"),
    ("course_number", "CC.Course_Number"),
    ("[02]course_name", "Courses.Course_Name"),
    ("section_number", "CC.Section_Number"),
    ("Period", "CC.Period_Obsolete"),
    // What PowerSchool shows of an expression, not what it stores.
    ("Expression", "Sections.External_Expression"),
    ("[05]last_name", "Teachers.Last_Name"),
    ("[05]first_name", "Teachers.First_Name"),
    ("[03]room", "Sections.Room"),
    ("teachernumber", "Teachers.TeacherNumber"),
];

const TEACHER_FIELDS: [Field; 7] = [
    ("Schoolid", "Teachers.SchoolID"),
    ("[05]last_name", "Teachers.Last_Name"),
    ("[05]first_name", "Teachers.First_Name"),
    ("teachernumber", "Teachers.TeacherNumber"),
    ("email_addr", "Teachers.Email_Addr"),
    ("teachernumber", "Teachers.TeacherNumber"),
    ("status", "Teachers.Status"),
];

/// Sends the files, and lets Hero know.
pub(crate) async fn send(
    hero: Arc<HeroServer>,
    district: District,
    yearid: i64,
    request: AutoSend,
) -> Result<Vec<Sent>, PracticeError> {
    let (server, account, hidden) = (hero.clone(), request.account.clone(), request.in_root);
    let sent = tokio::task::spawn_blocking(move || place(&server, &district, yearid, &request)).await??;
    if !hidden {
        hero.received(account.as_deref()).await?;
    }
    Ok(sent)
}

/// Blocking.
fn place(
    hero: &HeroServer,
    district: &District,
    yearid: i64,
    request: &AutoSend,
) -> Result<Vec<Sent>, PracticeError> {
    let account = request.account.as_deref();
    let (level, schools) = hero.shape(account)?;
    if let Some(unknown) = request.files.iter().find(|name| !IMPORT_FILES.contains(&name.as_str())) {
        return Err(PracticeError::Change { reason: format!("PowerSchool sends no file {unknown} to Hero") });
    }
    let wanted = |name: &str| request.files.is_empty() || request.files.iter().any(|file| file == name);
    let mut sent = Vec::new();
    for file in IMPORT_FILES.into_iter().filter(|name| wanted(name)) {
        // Only an account of chosen schools has a level that shows.
        let group = level == HeroLevel::Group && !schools.is_empty();
        let mut fields: Vec<Field> = match file {
            STUDENTS if group => [SCHOOL].into_iter().chain(STUDENT_FIELDS).collect(),
            STUDENTS => STUDENT_FIELDS.to_vec(),
            SCHEDULE => SCHEDULE_FIELDS.to_vec(),
            _ => TEACHER_FIELDS.to_vec(),
        };
        fields.retain(|(name, _)| !request.without.iter().any(|without| without.eq_ignore_ascii_case(name)));
        if fields.is_empty() {
            return Err(PracticeError::Change { reason: format!("no field of {file} is left") });
        }
        let (bytes, rows) = content(district, yearid, file, &fields, &schools, request)?;
        hero.receive(account, file, !request.in_root, &bytes, request.modified)?;
        sent.push(Sent { file: file.to_owned(), rows, columns: fields.len(), bytes: bytes.len() });
    }
    Ok(sent)
}

/// The bytes of a file and how many rows it has.
fn content(
    district: &District,
    yearid: i64,
    file: &str,
    fields: &[Field],
    schools: &[i64],
    request: &AutoSend,
) -> Result<(Vec<u8>, usize), PracticeError> {
    let of_schools = |column: &str| {
        if schools.is_empty() {
            format!("{column} <> {GRADUATED}")
        } else {
            let schools: Vec<String> = schools.iter().map(i64::to_string).collect();
            format!("{column} IN ({})", schools.join(", "))
        }
    };
    let (tables, school, rest) = match file {
        STUDENTS => (
            "Students",
            "Students.SchoolID",
            "Students.Enroll_Status = 0 ORDER BY Students.Student_Number".to_owned(),
        ),
        SCHEDULE => (
            "CC JOIN Students ON Students.ID = CC.StudentID JOIN Sections ON Sections.ID = CC.SectionID
                LEFT JOIN Courses ON Courses.Course_Number = CC.Course_Number
                LEFT JOIN Teachers ON Teachers.ID = CC.TeacherID",
            "CC.SchoolID",
            // A term's number is the year's, a hundred times, and the term's own.
            format!(
                "CC.TermID / 100 = {yearid} AND CC.SectionID > 0
                 ORDER BY Students.Student_Number, CC.TermID, CC.Course_Number, CC.Section_Number"
            ),
        ),
        _ => (
            "Teachers",
            "Teachers.SchoolID",
            "1 ORDER BY Teachers.TeacherNumber, Teachers.SchoolID".to_owned(),
        ),
    };
    let columns: Vec<&str> = fields.iter().map(|(_, column)| *column).collect();
    let sql = format!("SELECT {} FROM {tables} WHERE {} AND {rest}", columns.join(", "), of_schools(school));
    let connection = district.connect()?;
    let mut statement = connection.prepare(&sql)?;
    let mut found = statement.query(())?;
    let (mut bytes, mut count) = (Vec::new(), 0);
    if request.header {
        let names: Vec<String> = fields.iter().map(|(name, _)| (*name).to_owned()).collect();
        append(&mut bytes, &names, request.comma);
    }
    while let Some(row) = found.next()? {
        if request.rows.is_some_and(|rows| count == rows) {
            break;
        }
        let values = (0..fields.len())
            .map(|column| {
                Ok(match row.get_ref(column)? {
                    ValueRef::Integer(number) => number.to_string(),
                    ValueRef::Real(number) => number.to_string(),
                    ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
                    ValueRef::Null | ValueRef::Blob(_) => String::new(),
                })
            })
            .collect::<rusqlite::Result<Vec<String>>>()?;
        append(&mut bytes, &values, request.comma);
        count += 1;
    }
    Ok((bytes, count))
}

/// One record, ended by CRLF.
fn append(bytes: &mut Vec<u8>, values: &[String], comma: bool) {
    for (column, value) in values.iter().enumerate() {
        if column > 0 {
            bytes.push(if comma { b',' } else { b'\t' });
        }
        if comma && value.contains([',', '"', '\r', '\n']) {
            bytes.extend(format!("\"{}\"", value.replace('"', "\"\"")).into_bytes());
        } else {
            bytes.extend(value.replace(['\t', '\r', '\n'], " ").into_bytes());
        }
    }
    bytes.extend(b"\r\n");
}
