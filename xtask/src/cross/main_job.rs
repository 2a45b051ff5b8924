//! The whole exchange with a practice district, once by the program for this system and once by the one for Windows: what
//! they leave behind has to be the same.

use super::wine::Wine;
use crate::{
    command_line, district,
    process::{self, StepError},
    session_bus::PrivateSession,
};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// A school day. Both districts have the same one, whatever today is.
const DATE: &str = "2026-11-18";

/// What the practice Hero notes with the time of day.
const WITH_TIMES: &str = "hero/import-log.txt";

/// One of the two programs.
pub enum Program<'a> {
    /// For this system, with a keyring of its own.
    Here(&'a Path),
    /// For Windows.
    Windows(&'a Path, &'a Wine),
}

/// What an exchange left behind.
#[derive(PartialEq, Eq)]
pub struct Left {
    /// Attendance that PowerSchool took, in no order: jobs write several at a time.
    attendance: Vec<String>,
    /// What Hero and Raptor have, below the district's folder.
    files: BTreeMap<String, Vec<u8>>,
    /// What the second run reports: nothing is left to do.
    again: Vec<String>,
}

impl Left {
    /// In one line.
    pub fn summary(&self) -> String {
        let bytes: usize = self.files.values().map(Vec::len).sum();
        format!("{} attendance rows, {} files, {bytes} bytes", self.attendance.len(), self.files.len())
    }

    /// What the other one has otherwise; none when both are the same.
    pub fn difference(&self, other: &Self) -> Option<String> {
        if self.attendance != other.attendance {
            return Some("the attendance in PowerSchool".to_owned());
        }
        let names = self.files.keys().chain(other.files.keys());
        if let Some(name) = names.into_iter().find(|name| self.files.get(*name) != other.files.get(*name)) {
            return Some(format!("the file {name}"));
        }
        (self.again != other.again)
            .then(|| format!("the second run's report ({:?}, {:?})", self.again, other.again))
    }
}

/// Serves a district in `scratch` with `server`, and does the whole exchange with `program`.
pub fn exchange(server: &Path, program: &Program, scratch: &Path) -> Result<Left, StepError> {
    let file_error = |source| StepError::file(scratch.display(), source);
    match fs::remove_dir_all(scratch) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => return Err(file_error(source)),
        _ => fs::create_dir_all(scratch).map_err(file_error)?,
    }
    let data = scratch.join("district");
    let ready_file = scratch.join("ready.json");
    let (_serving, ready) =
        district::start(server, &data, &ready_file, &["--date", DATE].map(str::to_owned))?;
    let home = scratch.join("home");
    let session = match program {
        Program::Here(_) => Some(PrivateSession::start(&scratch.join("keyring"))?),
        Program::Windows(..) => {
            name_folders_as_windows_does(&ready_file)?;
            None
        }
    };
    let rosterbridge = |arguments: &[&str]| {
        let mut command = match program {
            Program::Here(path) => Command::new(path),
            Program::Windows(path, wine) => {
                let mut command = Command::new(Wine::program());
                wine.apply(&mut command).arg(path);
                command
            }
        };
        if let Some(session) = &session {
            session.apply(&mut command);
        }
        let home = match program {
            Program::Here(_) => home.clone(),
            Program::Windows(..) => PathBuf::from(windows_path(&home)),
        };
        command.arg("--home").arg(home).args(["--profile", "practice"]).args(arguments);
        command
    };
    let ready_path = match program {
        Program::Here(_) => ready_file.display().to_string(),
        Program::Windows(..) => windows_path(&ready_file),
    };
    for arguments in [
        &["setup", "import", "--practice", &ready_path] as &[&str],
        &["test", "powerschool"],
        &["test", "hero"],
    ] {
        command_line::data::<Value>(&mut rosterbridge(&[arguments, &["--json"]].concat()))?;
    }
    command_line::data::<Value>(&mut rosterbridge(&["sync", "--json"]))?;
    let again: Value = command_line::data(&mut rosterbridge(&["sync", "--json"]))?;
    let audit = process::output(Command::new("curl").args(["-fsS", "--noproxy", "*"]).arg(&ready.audit_url))?;
    let audit: Value = process::parse("the audit log", &audit)?;
    let mut attendance: Vec<String> = audit["writes"]
        .as_array()
        .into_iter()
        .flatten()
        .cloned()
        .map(|mut write| {
            if let Some(write) = write.as_object_mut() {
                write.remove("seq");
            }
            write.to_string()
        })
        .collect();
    attendance.sort();
    let mut files = BTreeMap::new();
    for folder in ["hero", "raptor"] {
        read_all(&data.join(folder), folder, &mut files)?;
    }
    files.remove(WITH_TIMES);
    if attendance.is_empty() || files.is_empty() {
        return Err(StepError::Unmet("the exchange left nothing behind".to_owned()));
    }
    let jobs = again["jobs"].as_array().into_iter().flatten();
    let again = jobs.map(|job| format!("{} {} {}", job["job"], job["outcome"], job["rows"])).collect();
    Ok(Left { attendance, files, again })
}

/// Wine has the whole file system as a drive.
fn windows_path(path: &Path) -> String {
    format!("Z:{}", path.display().to_string().replace('/', "\\"))
}

/// A district's ready file names a folder of this system.
fn name_folders_as_windows_does(ready_file: &Path) -> Result<(), StepError> {
    let file_error = |source| StepError::file(ready_file.display(), source);
    let mut ready: Value = process::parse("the ready file", &fs::read(ready_file).map_err(file_error)?)?;
    let folder = &mut ready["raptor"]["folder"];
    let Some(named) = folder.as_str() else {
        return Err(StepError::Unmet("the ready file names no folder for Raptor".to_owned()));
    };
    *folder = windows_path(Path::new(named)).into();
    fs::write(ready_file, ready.to_string()).map_err(file_error)
}

fn read_all(folder: &Path, name: &str, files: &mut BTreeMap<String, Vec<u8>>) -> Result<(), StepError> {
    let file_error = |source| StepError::file(folder.display(), source);
    for entry in fs::read_dir(folder).map_err(file_error)? {
        let entry = entry.map_err(file_error)?;
        let name = format!("{name}/{}", entry.file_name().to_string_lossy());
        if entry.file_type().map_err(file_error)?.is_dir() {
            read_all(&entry.path(), &name, files)?;
        } else {
            files.insert(name, fs::read(entry.path()).map_err(file_error)?);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_on_wines_drive_of_everything() {
        assert_eq!(windows_path(Path::new("/tmp/a district")), r"Z:\tmp\a district");
    }

    #[test]
    fn what_differs_is_named() {
        let left = |row: &str, file: &[u8]| Left {
            attendance: vec![row.to_owned()],
            files: BTreeMap::from([("hero/STUDENT.TXT".to_owned(), file.to_vec())]),
            again: Vec::new(),
        };
        assert_eq!(left("1", b"a").difference(&left("1", b"a")), None);
        assert!(left("1", b"a").difference(&left("2", b"a")).unwrap().contains("attendance"));
        assert!(left("1", b"a").difference(&left("1", b"b")).unwrap().contains("STUDENT.TXT"));
    }
}
