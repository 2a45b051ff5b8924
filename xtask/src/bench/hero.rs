//! Hero's jobs: the schedule file of a large district beside the `sqlite3` shell exporting the same rows, its way to
//! OpenSSH's server beside OpenSSH's own client, and an attendance import beside Python's csv module merely reading it.

use super::{
    Figures, Measured, Target, control, empty, median,
    ours::Ours,
    peers::{is_there, timed, write},
    prepare,
};
use crate::{
    cargo,
    district::{self, Ready},
    process::{self, Running, StepError},
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Measured rounds; one more goes before, uncounted.
const ROUNDS: usize = 3;
/// The practice day, a Tuesday in session, so that every machine measures the same district.
const DATE: &str = "2026-03-17";
/// A district with about 600,000 enrolments, and one with a tenth of them.
const LARGE: u32 = 100_000;
const SMALL: u32 = 10_000;
/// Rows the attendance export has at least.
const IMPORT: u32 = 100_000;
const JOB: &str = "hero-schedule";
const IMPORT_JOB: &str = "hero-attendance";
/// Where the last part of the log line stands that tells how long an import's rows took.
const LOOKED_UP: &str = "the export's rows are looked up";

/// The rows of the schedule file in its order, from a copy of PowerSchool's own tables.
const COPY: &str = "ATTACH 'SOURCE' AS source;
BEGIN;
CREATE TABLE students (id INTEGER PRIMARY KEY, number INTEGER NOT NULL, enroll_status INTEGER NOT NULL);
CREATE TABLE cc (student INTEGER, term INTEGER, course TEXT, section_number TEXT, id INTEGER, school INTEGER, section INTEGER,
    teacher INTEGER, expression TEXT, PRIMARY KEY (student, term, course, section_number, id)) WITHOUT ROWID;
CREATE TABLE courses (number TEXT PRIMARY KEY, name TEXT) WITHOUT ROWID;
CREATE TABLE sections (id INTEGER PRIMARY KEY, room TEXT, external_expression TEXT);
CREATE TABLE teachers (id INTEGER PRIMARY KEY, number TEXT, last_name TEXT, first_name TEXT);
INSERT INTO students SELECT ID, Student_Number, Enroll_Status FROM source.Students;
INSERT INTO cc SELECT StudentID, TermID, Course_Number, Section_Number, ID, SchoolID, SectionID, TeacherID, Expression
    FROM source.CC WHERE TermID > 0 AND SectionID > 0;
INSERT INTO courses SELECT Course_Number, Course_Name FROM source.Courses;
INSERT INTO sections SELECT ID, Room, External_Expression FROM source.Sections;
INSERT INTO teachers SELECT ID, TeacherNumber, Last_Name, First_Name FROM source.Teachers;
CREATE INDEX students_by_number ON students (number);
COMMIT;
";

/// `Period` is empty in the file, as PowerSchool's table has no such column.
const EXPORT: &str = ".mode list
.separator \"\\t\" \"\\r\\n\"
.once schedule.tsv
SELECT cc.school, students.number, cc.term, cc.course, courses.name, cc.section_number, '',
    coalesce(nullif(sections.external_expression, ''), cc.expression),
    teachers.last_name, teachers.first_name, sections.room, teachers.number
  FROM students CROSS JOIN cc ON cc.student = students.id
  LEFT JOIN courses ON courses.number = cc.course
  LEFT JOIN sections ON sections.id = cc.section
  LEFT JOIN teachers ON teachers.id = cc.teacher
  WHERE cc.school <> 999999 AND cc.term BETWEEN YEAR AND YEAR + 99
  ORDER BY students.number, cc.term, cc.course, cc.section_number, cc.id;
";

/// Reads a file as Python's csv module does, and tells the seconds and rows.
const READ: &str = "import csv, sys, time
started = time.perf_counter()
with open(sys.argv[1], newline='', encoding='cp1252') as file:
    rows = sum(1 for _ in csv.reader(file, delimiter='\\t', quoting=csv.QUOTE_NONE))
print(time.perf_counter() - started, rows)
";

/// What every part works with.
struct Bench {
    ours: Ours,
    folder: PathBuf,
}

/// A district, served, and a profile set up on it.
struct Site {
    _serving: Running,
    ready: Ready,
    data: PathBuf,
    home: PathBuf,
}

/// An upload of one file by both clients, as the library's own bench tells it.
#[derive(Deserialize)]
struct Uploads {
    delay_ms: u32,
    ours: Vec<f64>,
    openssh: Vec<f64>,
}

pub fn measure(root: &Path, target: &Path) -> Result<Measured, StepError> {
    let (ours, folder) = prepare(root, target, "hero")?;
    let bench = Bench { ours, folder };
    let mut figures = Figures::default();
    let mut targets = Vec::new();

    eprintln!("==> A district of {SMALL} students: memory");
    let small = bench.site("small", SMALL)?;
    let (small_rows, small_peak) = bench.send(&small)?;
    drop(small);
    eprintln!("==> A district of {LARGE} students: the schedule file, {ROUNDS} counted rounds");
    let site = bench.site("large", LARGE)?;
    let (rows, peak) = bench.send(&site)?;
    figures.fact("schedule file, large: rows", rows);
    figures.fact("schedule file, small: rows", small_rows);
    figures.runs("peak memory, large", "MB", &peak);
    figures.runs("peak memory, small", "MB", &small_peak);
    let (written, peer) = bench.compare_writing(&site, rows)?;
    figures.runs("ours: schedule file put together", "s", &written);
    figures.runs("peer: sqlite3", "s", &peer);
    targets.push(Target::at_most(
        "schedule file / sqlite3 exporting the same rows",
        1.0,
        "x",
        &each(&written, &peer),
    ));
    let against_small =
        median(&small_peak).map_or_else(Vec::new, |small| peak.iter().map(|peak| peak / small).collect());
    targets.push(Target::at_most("peak memory, large / small", 1.1, "x", &against_small));

    eprintln!("==> An import of {IMPORT} rows, {ROUNDS} counted rounds");
    let (looked_up, read, rows) = bench.compare_import(&site)?;
    figures.fact("import: rows", rows);
    figures.runs("ours: import parsed and matched", "s", &looked_up);
    figures.runs("peer: Python's csv module reading it", "s", &read);
    targets.push(Target::at_most(
        "import parsed and matched / Python reading it",
        3.0,
        "x",
        &each(&looked_up, &read),
    ));

    eprintln!("==> The schedule file to OpenSSH's server");
    let file = site.data.join("hero").join("imports").join("SCHEDULE.TXT");
    for Uploads { delay_ms, ours, openssh } in uploads(root, &file)? {
        figures.runs(&format!("ours: upload, {delay_ms} ms"), "s", &ours);
        figures.runs(&format!("peer: sftp put, {delay_ms} ms"), "s", &openssh);
        let (name, limit) = match delay_ms {
            0 => ("upload, 0 ms: speed against OpenSSH's sftp", 0.9),
            _ => ("upload, 50 ms: speed against OpenSSH's sftp", 1.0),
        };
        targets.push(Target::at_least(name, limit, "x", &each(&openssh, &ours)));
    }
    Ok(Measured { figures, targets })
}

/// One against the other, round by round.
fn each(of: &[f64], against: &[f64]) -> Vec<f64> {
    of.iter().zip(against).map(|(of, against)| of / against).collect()
}

impl Bench {
    fn site(&self, name: &str, students: u32) -> Result<Site, StepError> {
        let (data, home) = (self.folder.join(name), self.folder.join(format!("{name}-home")));
        empty(&data)?;
        empty(&home)?;
        let ready_file = self.folder.join(format!("{name}.json"));
        let options = [["--students", &students.to_string()], ["--schools", "20"], ["--date", DATE]];
        let options: Vec<String> = options.as_flattened().iter().map(ToString::to_string).collect();
        let (serving, ready) = district::start(self.ours.rosterbridge(), &data, &ready_file, &options)?;
        self.ours.set_up(&home, &ready_file)?;
        Ok(Site { _serving: serving, ready, data, home })
    }

    /// Sends the schedule file, each time whole; its rows, and the largest resident set of each run.
    fn send(&self, site: &Site) -> Result<(u64, Vec<f64>), StepError> {
        self.change(site, |setup| setup["hero"]["accounts"][0]["schedule"]["skip_unchanged"] = false.into())?;
        let (mut rows, mut peaks) = (0, Vec::new());
        for round in 0..=ROUNDS {
            let run = self.ours.sync(&site.home, &self.folder.join("memory"), &[JOB])?;
            rows = run.report.jobs.iter().map(|job| job.rows.written).sum();
            eprintln!("    round {round}: {rows} rows, {:?} MB", run.peak);
            if round > 0 {
                peaks.extend(run.peak);
            }
        }
        Ok((rows, peaks))
    }

    /// The file put together once, without sending it, beside the shell's export.
    fn compare_writing(&self, site: &Site, rows: u64) -> Result<(Vec<f64>, Vec<f64>), StepError> {
        let (mut ours, mut peer) = (Vec::new(), Vec::new());
        let shell = is_there("sqlite3", "--version");
        let folder = self.folder.join("peer");
        if shell {
            empty(&folder)?;
            let source = site.data.join("district.db");
            let script = write(&folder, "copy.sql", &COPY.replace("SOURCE", &source.display().to_string()))?;
            process::run(&mut sqlite3(&folder, &script))?;
        }
        for round in 0..=ROUNDS {
            let run = self.ours.sync(&site.home, &self.folder.join("memory"), &["--dry-run", JOB])?;
            let written = run
                .phase(JOB)
                .ok_or_else(|| StepError::Unmet("the run tells no time for the schedule file".to_owned()))?;
            let exported = if shell { Some(export(&folder, rows)?) } else { None };
            eprintln!("    round {round}: ours {written:.3} s, sqlite3 {exported:?} s");
            if round > 0 {
                ours.push(written);
                peer.extend(exported);
            }
        }
        Ok((ours, peer))
    }

    /// The import as a dry run looks its rows up, without what it waits for the file, beside Python reading the same
    /// file.
    fn compare_import(&self, site: &Site) -> Result<(Vec<f64>, Vec<f64>, u64), StepError> {
        control::hero_export(&site.ready, &json!({"export": {"more_rows": IMPORT}}))?;
        let file = site.data.join("hero").join("export").join("ATTENDANCE.txt");
        let script = write(&self.folder, "read.py", READ)?;
        let (mut ours, mut peer, mut rows) = (Vec::new(), Vec::new(), 0);
        for round in 0..=ROUNDS {
            self.ours.sync(&site.home, &self.folder.join("memory"), &["--dry-run", IMPORT_JOB])?;
            let (seconds, looked_up) = looked_up(&site.home)?;
            rows = looked_up;
            if rows < u64::from(IMPORT) {
                return Err(StepError::Unmet(format!("the export has {rows} rows instead of {IMPORT}")));
            }
            let read = read(&script, &file, rows)?;
            eprintln!("    round {round}: ours {seconds:.3} s, Python {read:?} s, {rows} rows");
            if round > 0 {
                ours.push(seconds);
                peer.extend(read);
            }
        }
        Ok((ours, peer, rows))
    }

    fn change(&self, site: &Site, change: impl FnOnce(&mut Value)) -> Result<(), StepError> {
        let file = self.folder.join("setup.json");
        self.ours.command(&site.home, &["setup", "export"], &file)?;
        let text = fs::read(&file).map_err(|source| StepError::file(file.display(), source))?;
        let mut setup: Value = process::parse("the setup file", &text)?;
        change(&mut setup);
        fs::write(&file, setup.to_string()).map_err(|source| StepError::file(file.display(), source))?;
        self.ours.command(&site.home, &["setup", "import"], &file)
    }
}

/// The shell's export of the same rows; how long it took.
fn export(folder: &Path, rows: u64) -> Result<f64, StepError> {
    // The school year that began in 2025 is PowerSchool's 35th.
    let script = write(folder, "export.sql", &EXPORT.replace("YEAR", "3500"))?;
    let spent = timed(&mut sqlite3(folder, &script))?.as_secs_f64();
    let file = folder.join("schedule.tsv");
    let text = fs::read_to_string(&file).map_err(|source| StepError::file(file.display(), source))?;
    let exported = text.lines().count() as u64;
    if exported == rows {
        Ok(spent)
    } else {
        Err(StepError::Unmet(format!("sqlite3 exported {exported} rows of {rows}")))
    }
}

fn sqlite3(folder: &Path, script: &Path) -> Command {
    let mut command = Command::new("sqlite3");
    command.current_dir(folder).args(["-batch", "-bail", "copy.db"]);
    command.arg(format!(".read {}", script.display()));
    command
}

/// How long the last import's rows took once they were there, and how many they were: what the log of the profile says.
fn looked_up(home: &Path) -> Result<(f64, u64), StepError> {
    #[derive(Deserialize)]
    struct Line {
        message: Option<String>,
        fields: Option<LookedUp>,
    }

    #[derive(Deserialize)]
    struct LookedUp {
        millis: u32,
        waited_millis: u32,
        rows: u64,
    }

    let folder = Ours::logs(home);
    let failed = |source| StepError::file(folder.display(), source);
    let mut logs: Vec<PathBuf> = fs::read_dir(&folder)
        .map_err(failed)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()
        .map_err(failed)?;
    logs.sort();
    for log in logs.iter().rev() {
        let text = fs::read_to_string(log).map_err(|source| StepError::file(log.display(), source))?;
        for line in text.lines().rev().filter(|line| line.contains(LOOKED_UP)) {
            let line: Line = process::parse("a line of the log", line.as_bytes())?;
            if let (Some(LookedUp { millis, waited_millis, rows }), Some(LOOKED_UP)) =
                (line.fields, line.message.as_deref())
            {
                return Ok((f64::from(millis.saturating_sub(waited_millis)) / 1000.0, rows));
            }
        }
    }
    Err(StepError::Unmet("the log tells no time for the import's rows".to_owned()))
}

/// Python reading the file; nothing where there is no Python.
fn read(script: &Path, file: &Path, rows: u64) -> Result<Option<f64>, StepError> {
    if !is_there("python3", "--version") {
        return Ok(None);
    }
    let output = process::output(Command::new("python3").arg(script).arg(file))?;
    let output = String::from_utf8_lossy(&output);
    let told = output
        .trim()
        .split_once(' ')
        .and_then(|(seconds, rows)| Some((seconds.parse::<f64>().ok()?, rows.parse::<u64>().ok()?)));
    match told {
        Some((seconds, found)) if found == rows => Ok(Some(seconds)),
        _ => Err(StepError::Unmet(format!("Python read '{}' of {rows} rows", output.trim()))),
    }
}

/// The library's own bench: the file uploaded by us and by OpenSSH's client, in turn, to OpenSSH's server.
fn uploads(root: &Path, file: &Path) -> Result<Vec<Uploads>, StepError> {
    let mut bench = cargo::cargo(root);
    bench.args(["bench", "--quiet", "--locked", "-p", "rosterbridge-sftp", "--bench", "openssh", "--"]);
    let output = process::output(bench.arg(file))?;
    output
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| process::parse("the upload bench", line))
        .collect()
}
