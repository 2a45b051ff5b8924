//! What Hero does with the three files: it takes them in, notes what it could not read, and
//! writes the day's attendance export for students it now knows.

use std::{
    collections::HashSet,
    fmt::Write as _,
    fs::{self, File},
    io::{self, BufRead, BufReader},
    path::Path,
};

use chrono::NaiveDate;
use csv::ByteRecord;
use encoding_rs::WINDOWS_1252;

use super::{
    account::Folder,
    classes::{ActiveStudent, Class, Draw, Share, Timetable, active_students},
};
use crate::district::District;

/// The student file's exact name, case included (Hero: import settings).
pub(super) const STUDENTS: &str = "STUDENT.TXT";
/// The schedule file's exact name.
pub(super) const SCHEDULE: &str = "SCHEDULE.TXT";
/// The teacher file's exact name; only its extension is lower case in Hero's procedure.
pub(super) const TEACHERS: &str = "TEACHER.txt";

const STUDENT_FIELDS: usize = 12;
/// A group-level account has the SchoolID in front of the student fields.
const GROUP_STUDENT_FIELDS: usize = 13;
const SCHEDULE_FIELDS: usize = 12;
const TEACHER_FIELDS: usize = 7;

const ATTENDANCE_EXPORT: &str = "ATTENDANCE.txt";
/// Hero places every export of the account in one folder; this one is not for PowerSchool.
const REFERRAL_EXPORT: &str = "REFERRALS.txt";

/// Hero gives one student in twenty a tardy.
const STUDENTS_PER_TARDY: usize = 20;
const FEWEST_TARDIES: usize = 5;
/// The code that every school of the practice district has.
const TARDY: &str = "T";
/// Problems listed per file; the rest are only counted.
const LISTED_PROBLEMS: usize = 20;
const QUESTION_CLASS: u64 = 1;

/// Why an import could not be finished.
#[derive(Debug, thiserror::Error)]
pub(super) enum ImportError {
    #[error("a file of the Hero account could not be read or written: {0}")]
    File(#[from] io::Error),
    #[error("the practice district's database could not be read: {0}")]
    District(#[from] rusqlite::Error),
}

/// Whether `name` is one of the three files an import consists of.
pub(super) fn is_import_file(name: &str) -> bool {
    [STUDENTS, SCHEDULE, TEACHERS].contains(&name)
}

/// Takes in the three files and writes the exports, if all three are there.
///
/// The export depends on seed and date only; the uploaded student file can take students out of
/// it, but cannot change which class or code a student has.
pub(super) fn import(
    folder: &Folder,
    district: &District,
    date: NaiveDate,
    seed: u64,
) -> Result<(), ImportError> {
    if !all_present(&folder.imports())? {
        return Ok(());
    }
    let mut log = String::new();
    let mut known = HashSet::new();
    let mut take_student = |row: &ByteRecord| {
        let field = row.get(usize::from(row.len() == GROUP_STUDENT_FIELDS)).unwrap_or_default();
        let number = str::from_utf8(field).ok().and_then(|text| text.trim().parse::<i64>().ok());
        number.map(|number| _ = known.insert(number)).ok_or("the student number is not a number")
    };
    take_in(folder, STUDENTS, &[STUDENT_FIELDS, GROUP_STUDENT_FIELDS], &mut log, &mut take_student)?;
    take_in(folder, SCHEDULE, &[SCHEDULE_FIELDS], &mut log, &mut |_| Ok(()))?;
    take_in(folder, TEACHERS, &[TEACHER_FIELDS], &mut log, &mut |_| Ok(()))?;

    let tardies = tardies(district, date, seed, &known)?;
    write_exports(folder, date, &tardies)?;
    _ = writeln!(log, "export/{ATTENDANCE_EXPORT}: {} rows", tardies.len());
    put(&folder.import_log(), &folder.root().join(".import-log.part"), log.as_bytes())?;
    Ok(())
}

/// Compares names byte for byte, because a case-insensitive file system would accept more.
fn all_present(imports: &Path) -> io::Result<bool> {
    let mut missing = vec![STUDENTS, SCHEDULE, TEACHERS];
    for entry in fs::read_dir(imports)? {
        let name = entry?.file_name();
        missing.retain(|wanted| name.to_str() != Some(wanted));
    }
    Ok(missing.is_empty())
}

/// Reads one file record by record, hands the good ones on and logs the others.
fn take_in(
    folder: &Folder,
    name: &str,
    widths: &[usize],
    log: &mut String,
    take: &mut dyn FnMut(&ByteRecord) -> Result<(), &'static str>,
) -> io::Result<()> {
    let mut file = BufReader::new(File::open(folder.imports().join(name))?);
    // Hero's import is set to tab or comma; tab files are never quoted, comma files follow RFC 4180.
    let tab = {
        let start = file.fill_buf()?;
        let line = start.split(|&byte| byte == b'\n').next().unwrap_or_default();
        line.contains(&b'\t')
    };
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(if tab { b'\t' } else { b',' })
        .quoting(!tab)
        .from_reader(file);

    let (mut taken, mut skipped) = (0_usize, 0_usize);
    let mut record = ByteRecord::new();
    while reader.read_byte_record(&mut record)? {
        let line = record.position().map_or(0, csv::Position::line);
        let outcome = if widths.contains(&record.len()) {
            take(&record).map_err(str::to_owned)
        } else {
            Err(format!("{} columns instead of {}", record.len(), widths[0]))
        };
        match outcome {
            Ok(()) => taken += 1,
            Err(problem) => {
                skipped += 1;
                if skipped <= LISTED_PROBLEMS {
                    _ = writeln!(log, "imports/{name} line {line}: {problem}, skipped");
                }
            }
        }
    }
    _ = writeln!(log, "imports/{name}: {taken} rows taken, {skipped} skipped");
    Ok(())
}

struct Tardy {
    student: ActiveStudent,
    class: Class,
}

fn tardies(
    district: &District,
    date: NaiveDate,
    seed: u64,
    known: &HashSet<i64>,
) -> Result<Vec<Tardy>, ImportError> {
    let connection = district.connect()?;
    let students = active_students(&connection, date)?;
    let wanted = (students.len() / STUDENTS_PER_TARDY).max(FEWEST_TARDIES);
    let draw = Draw::new(seed, date);
    let mut timetable = Timetable::on(&connection, date)?;
    let mut tardies = Vec::with_capacity(wanted);
    for student in draw.order(&students, Share::Hero) {
        if tardies.len() == wanted {
            break;
        }
        let classes = timetable.classes_of(&student)?;
        if let Some(class) = draw.choose(&student, QUESTION_CLASS, &classes) {
            tardies.push(Tardy { class: class.clone(), student });
        }
    }
    // Only now: filtering before the draw would make other students move up.
    tardies.retain(|tardy| known.contains(&tardy.student.number));
    tardies.sort_by_key(|tardy| tardy.student.number);
    Ok(tardies)
}

/// Hero: no header, tab between fields, LF after records, Windows ANSI, dates as MM/DD/YYYY.
fn write_exports(folder: &Folder, date: NaiveDate, tardies: &[Tardy]) -> io::Result<()> {
    let day = date.format("%m/%d/%Y");
    let mut attendance = String::new();
    let mut referrals = String::new();
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
    for (name, text) in [(ATTENDANCE_EXPORT, attendance), (REFERRAL_EXPORT, referrals)] {
        let (bytes, _, _) = WINDOWS_1252.encode(&text);
        put(&folder.export().join(name), &folder.root().join(".export.part"), &bytes)?;
    }
    Ok(())
}

/// Replaces `target` as a whole, so that a client never downloads half a file.
fn put(target: &Path, part: &Path, bytes: &[u8]) -> io::Result<()> {
    fs::write(part, bytes)?;
    fs::rename(part, target)
}
