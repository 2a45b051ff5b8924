//! The files that Hero places in `export/`.

use std::{
    collections::HashSet,
    fmt::Write as _,
    fs,
    io::{self, Write as _},
    path::Path,
};

use chrono::{DateTime, NaiveDate, Utc};
use encoding_rs::{Encoding, MACINTOSH, UTF_8, WINDOWS_1252};
use serde::{Deserialize, Serialize};

use super::{
    account::Account,
    classes::{ActiveStudent, Class, Draw, Share, Timetable, active_students},
};
use crate::district::District;

/// The name of the attendance export unless another is set.
const ATTENDANCE_EXPORT: &str = "ATTENDANCE.txt";
/// Hero places every export of the account in one folder; this one is not for PowerSchool.
const REFERRAL_EXPORT: &str = "REFERRALS.txt";

/// Hero gives one student in twenty a tardy.
const STUDENTS_PER_TARDY: usize = 20;
const FEWEST_TARDIES: usize = 5;
/// The code that every school of the practice district has.
const TARDY: &str = "T";
const QUESTION_CLASS: u64 = 1;

/// The names of the attendance export's fields, for a header row.
const FIELDS: [&str; 7] = [
    "SchoolID",
    "Student_Number",
    "Course_Number",
    "Section_Number",
    "Att_Date",
    "Attendance Code",
    "Period Abbreviation",
];

/// How the attendance export looks: the day's tardies in the layout that the exchange asks for, unless set otherwise.
///
/// `POST /control/hero/export` replaces the whole of it and writes the file; every later import keeps to it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HeroExport {
    /// The file's name in `export/`; none for `ATTENDANCE.txt`. A file of another name stays.
    pub name: Option<String>,
    /// How much of it is there.
    pub form: ExportForm,
    /// Rows that came later in the day, after the others, as far as students have classes to be late to.
    pub more_rows: u32,
    /// Other rows than the day's: fields apart by tabs, each row ended by a line feed.
    pub text: Option<String>,
    /// The file's characters.
    pub characters: ExportCharacters,
    /// What stands between fields.
    pub delimiter: ExportDelimiter,
    /// What ends a row.
    pub record_end: ExportRecordEnd,
    /// Whether the first row holds the fields' names.
    pub header: bool,
    /// When it was written; none for now.
    pub modified: Option<DateTime<Utc>>,
}

/// How much of an export is there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExportForm {
    /// All of it. What was there and is its beginning is written on; else the file is replaced as a whole.
    #[default]
    Whole,
    /// Its first half, which ends inside a row: Hero is still writing.
    Half,
    /// A file of no bytes.
    Empty,
    /// No file.
    Missing,
}

/// The characters of an export. What one lacks becomes a character reference, as in web pages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExportCharacters {
    /// windows-1252.
    #[default]
    WindowsAnsi,
    /// UTF-8 without a byte order mark.
    Utf8,
    /// Mac OS Roman.
    MacRoman,
}

impl ExportCharacters {
    fn encoding(self) -> &'static Encoding {
        match self {
            Self::WindowsAnsi => WINDOWS_1252,
            Self::Utf8 => UTF_8,
            Self::MacRoman => MACINTOSH,
        }
    }
}

/// What stands between the fields of an export.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExportDelimiter {
    /// A tab; nothing is quoted.
    #[default]
    Tab,
    /// A comma; quoted as RFC 4180 says.
    Comma,
}

/// What ends a row of an export.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExportRecordEnd {
    /// Line feed.
    #[default]
    Lf,
    /// Carriage return and line feed.
    Crlf,
    /// Carriage return.
    Cr,
}

impl ExportRecordEnd {
    fn text(self) -> &'static str {
        match self {
            Self::Lf => "\n",
            Self::Crlf => "\r\n",
            Self::Cr => "\r",
        }
    }
}

impl HeroExport {
    /// The file's name.
    pub fn file_name(&self) -> &str {
        self.name.as_deref().unwrap_or(ATTENDANCE_EXPORT)
    }

    /// The file's bytes when it is whole.
    fn render(&self, rows: &str) -> Vec<u8> {
        let header = FIELDS.join("\t");
        let rows = self.text.as_deref().unwrap_or(rows);
        let rows = rows.strip_suffix('\n').unwrap_or(rows);
        let mut text = String::new();
        // Of no rows nothing is left, not an empty one.
        let body = rows.split('\n').filter(|_| !rows.is_empty());
        for row in self.header.then_some(header.as_str()).into_iter().chain(body) {
            match self.delimiter {
                ExportDelimiter::Tab => text.push_str(row),
                ExportDelimiter::Comma => {
                    let fields: Vec<String> = row.split('\t').map(quoted).collect();
                    text.push_str(&fields.join(","));
                }
            }
            text.push_str(self.record_end.text());
        }
        self.characters.encoding().encode(&text).0.into_owned()
    }
}

fn quoted(value: &str) -> String {
    if value.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", value.replace('"', "\"\""))
    } else {
        value.to_owned()
    }
}

/// What was placed in `export/`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exported {
    /// The file's name.
    pub file: String,
    /// Rows of the day, whether or not all of them are in the file.
    pub rows: usize,
    /// Bytes of the file; none if there is none.
    pub bytes: Option<u64>,
}

/// Writes the account's exports as they are set. Blocking.
pub(super) fn write(
    account: &Account,
    district: &District,
    date: NaiveDate,
    seed: u64,
) -> io::Result<Exported> {
    let (export, known) = {
        let state = account.state();
        (state.export.clone(), state.known.clone())
    };
    let tardies =
        tardies(account, district, date, seed, export.more_rows, known.as_ref()).map_err(io::Error::other)?;
    let (attendance, referrals) = texts(date, &tardies);
    let folder = account.folder.export();
    let path = folder.join(export.file_name());
    let part = account.folder.root().join(".export.part");
    let bytes = export.render(&attendance);
    match export.form {
        ExportForm::Whole => put_or_append(&path, &part, &bytes)?,
        ExportForm::Half => fs::write(&path, first_half(&bytes))?,
        ExportForm::Empty => fs::write(&path, "")?,
        ExportForm::Missing => match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        },
    }
    if let Some(modified) = export.modified.filter(|_| export.form != ExportForm::Missing) {
        fs::File::options().write(true).open(&path)?.set_modified(modified.into())?;
    }
    let (referrals, _, _) = WINDOWS_1252.encode(&referrals);
    put(&folder.join(REFERRAL_EXPORT), &part, &referrals)?;
    let rows = export.text.as_deref().map_or(tardies.len(), |text| text.lines().count());
    let bytes = fs::metadata(&path).ok().map(|metadata| metadata.len());
    Ok(Exported { file: export.file_name().to_owned(), rows, bytes })
}

/// Replaces `target` as a whole, so that a client never downloads half a file.
pub(super) fn put(target: &Path, part: &Path, bytes: &[u8]) -> io::Result<()> {
    fs::write(part, bytes)?;
    fs::rename(part, target)
}

/// Writes on what is the beginning of `bytes`, and replaces everything else.
fn put_or_append(target: &Path, part: &Path, bytes: &[u8]) -> io::Result<()> {
    let there = fs::read(target).unwrap_or_default();
    match bytes.strip_prefix(there.as_slice()) {
        Some(rest) if !there.is_empty() && !rest.is_empty() => {
            fs::File::options().append(true).open(target)?.write_all(rest)
        }
        _ => put(target, part, bytes),
    }
}

/// About half of a file, so that a row is under way at its end.
fn first_half(bytes: &[u8]) -> &[u8] {
    let is_end = |place: usize| matches!(bytes.get(place), Some(b'\n' | b'\r'));
    let mut end = bytes.len() / 2;
    // Neither after a row nor after its last character, where it would look like a whole one.
    while end > 0 && (is_end(end - 1) || is_end(end)) {
        end -= 1;
    }
    bytes.get(..end).unwrap_or_default()
}

struct Tardy {
    student: ActiveStudent,
    class: Class,
}

/// The day's tardies by student number, and then those that came later as they were drawn: of more rows than there are
/// students, some are about the same student in another class.
fn tardies(
    account: &Account,
    district: &District,
    date: NaiveDate,
    seed: u64,
    more: u32,
    known: Option<&HashSet<i64>>,
) -> rusqlite::Result<Vec<Tardy>> {
    let connection = district.connect()?;
    let mut students = active_students(&connection, date)?;
    students.retain(|student| account.takes_school(student.school));
    let usual = (students.len() / STUDENTS_PER_TARDY).max(FEWEST_TARDIES);
    let wanted = usual.saturating_add(more as usize);
    let draw = Draw::new(seed, date);
    let mut timetable = Timetable::on(&connection, date)?;
    let mut tardies = Vec::new();
    // Who was late to a class, and to which others they may be late as well.
    let mut late: Vec<(ActiveStudent, Vec<Class>)> = Vec::new();
    for student in draw.order(&students, Share::Hero) {
        if tardies.len() == wanted {
            break;
        }
        let mut classes = timetable.classes_of(&student)?;
        classes.retain(|class| account.takes_school(class.school));
        if let Some(class) = draw.choose(&student, QUESTION_CLASS, &classes).cloned() {
            classes.retain(|other| *other != class);
            tardies.push(Tardy { class, student: student.clone() });
            late.push((student, classes));
        }
    }
    let more_than_once = late.into_iter().flat_map(|(student, classes)| {
        classes.into_iter().map(move |class| Tardy { class, student: student.clone() })
    });
    tardies.extend(more_than_once.take(wanted - tardies.len()));
    let usual = usual.min(tardies.len());
    if let Some(first) = tardies.get_mut(..usual) {
        first.sort_by_key(|tardy| tardy.student.number);
    }
    // Only now: filtering before the draw would make other students move up.
    if let Some(known) = known {
        tardies.retain(|tardy| known.contains(&tardy.student.number));
    }
    Ok(tardies)
}

/// Fields apart by tabs, rows ended by a line feed, dates as MM/DD/YYYY.
fn texts(date: NaiveDate, tardies: &[Tardy]) -> (String, String) {
    let day = date.format("%m/%d/%Y");
    let (mut attendance, mut referrals) = (String::new(), String::new());
    for (index, Tardy { student, class }) in tardies.iter().enumerate() {
        let Class { school, course, section, period, .. } = class;
        _ = writeln!(
            attendance,
            "{school}\t{}\t{course}\t{section}\t{day}\t{TARDY}\t{period}",
            student.number
        );
        if index % STUDENTS_PER_TARDY == 0 {
            _ = writeln!(referrals, "{school}\t{}\t{day}\tHallway pass\tClosed", student.number);
        }
    }
    (attendance, referrals)
}
