//! The files of one log: one a day, another when one is full, and only so many kept.
//!
//! Own code: of the appenders there are, `tracing-appender` bounds no size and makes files everybody may read, and
//! `file-rotate` panics when the folder is gone or the disk is full.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use chrono::NaiveDate;
use rosterbridge_files::owner_only;

/// Bytes after which a file is full.
pub const LONGEST_FILE: u64 = 4 << 20;

/// Files kept, the one being written included: two weeks of days on which none is full.
pub const FILES_KEPT: usize = 14;

/// How the names of log files end.
const ENDING: &str = ".jsonl";

/// The files of one log.
#[derive(Debug)]
pub(super) struct LogFiles {
    folder: PathBuf,
    /// The file being written. None when it could not be opened; the next line tries again.
    current: Option<Current>,
}

#[derive(Debug)]
struct Current {
    day: NaiveDate,
    number: u32,
    file: File,
    bytes: u64,
}

impl LogFiles {
    /// Goes on in the file of `day`, creating the folder and the file as needed.
    pub(super) fn open(folder: &Path, day: NaiveDate) -> io::Result<Self> {
        owner_only::create_folder(folder)?;
        let mut files = Self { folder: folder.to_owned(), current: None };
        files.turn_to(day, files.last_number(day)?)?;
        Ok(files)
    }

    /// Writes a line.
    pub(super) fn write(&mut self, line: &[u8], day: NaiveDate) -> io::Result<()> {
        match &self.current {
            Some(current) if current.day == day && current.bytes < LONGEST_FILE => {}
            Some(current) if current.day == day => self.turn_to(day, current.number.saturating_add(1))?,
            _ => self.turn_to(day, self.last_number(day)?)?,
        }
        let Some(current) = &mut self.current else { return Ok(()) };
        current.file.write_all(line)?;
        current.bytes += line.len() as u64;
        Ok(())
    }

    /// Goes on in a file, and removes those there are too many of.
    fn turn_to(&mut self, day: NaiveDate, mut number: u32) -> io::Result<()> {
        self.current = None;
        let mut opened = self.append(day, number)?;
        if opened.bytes >= LONGEST_FILE {
            number = number.saturating_add(1);
            opened = self.append(day, number)?;
        }
        self.current = Some(opened);
        let kept = name(day, number);
        let mut others = self.names()?;
        others.retain(|name| *name != kept);
        others.sort_unstable();
        others.truncate((others.len() + 1).saturating_sub(FILES_KEPT));
        // One that can't be removed now is tried again with the next file.
        for name in others {
            let _ = fs::remove_file(self.folder.join(name));
        }
        Ok(())
    }

    fn append(&self, day: NaiveDate, number: u32) -> io::Result<Current> {
        let path = self.folder.join(name(day, number));
        let file = owner_only::options().create(true).append(true).open(path)?;
        let bytes = file.metadata()?.len();
        Ok(Current { day, number, file, bytes })
    }

    /// The number of the last file of a day; 1 when there is none.
    fn last_number(&self, day: NaiveDate) -> io::Result<u32> {
        let day = format!("{day}.");
        let numbers = self
            .names()?
            .into_iter()
            .filter_map(|name| name.strip_prefix(&day)?.strip_suffix(ENDING)?.parse().ok());
        Ok(numbers.max().unwrap_or(1))
    }

    /// The names of the log files in the folder.
    fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            if let Ok(name) = entry?.file_name().into_string()
                && name.ends_with(ENDING)
            {
                names.push(name);
            }
        }
        Ok(names)
    }
}

/// The name of a day's file: names sort by time.
fn name(day: NaiveDate, number: u32) -> String {
    format!("{day}.{number:04}{ENDING}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 11, day).unwrap()
    }

    fn names(files: &LogFiles) -> Vec<String> {
        let mut names = files.names().unwrap();
        names.sort();
        names
    }

    #[test]
    fn a_day_has_a_file_and_a_restart_goes_on_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let logs = folder.path().join("logs");
        LogFiles::open(&logs, day(1)).unwrap().write(b"one\n", day(1)).unwrap();
        let mut files = LogFiles::open(&logs, day(1)).unwrap();
        files.write(b"two\n", day(1)).unwrap();
        files.write(b"three\n", day(2)).unwrap();
        assert_eq!(names(&files), ["2026-11-01.0001.jsonl", "2026-11-02.0001.jsonl"]);
        assert_eq!(fs::read(logs.join("2026-11-01.0001.jsonl")).unwrap(), b"one\ntwo\n");
        assert_eq!(fs::read(logs.join("2026-11-02.0001.jsonl")).unwrap(), b"three\n");
        #[cfg(unix)]
        for (path, mode) in [(logs.clone(), 0o700), (logs.join("2026-11-01.0001.jsonl"), 0o600)] {
            let found = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(path).unwrap().permissions());
            assert_eq!(found & 0o777, mode);
        }
    }

    #[test]
    fn the_whole_log_stays_bounded_and_keeps_the_newest() {
        let folder = tempfile::tempdir().unwrap();
        let mut files = LogFiles::open(folder.path(), day(1)).unwrap();
        let line = vec![b'x'; usize::try_from(LONGEST_FILE / 2).unwrap()];
        // Two lines fill a file: five days of three files each and a half one.
        for day in (1..=5).map(day) {
            for _ in 0..7 {
                files.write(&line, day).unwrap();
            }
        }
        let kept = names(&files);
        assert_eq!(kept.len(), FILES_KEPT);
        assert_eq!(kept.first().unwrap(), "2026-11-02.0003.jsonl");
        assert_eq!(kept.last().unwrap(), "2026-11-05.0004.jsonl");
        let bytes: u64 = kept.iter().map(|name| fs::metadata(folder.path().join(name)).unwrap().len()).sum();
        assert!(bytes <= LONGEST_FILE * FILES_KEPT as u64);
    }

    #[test]
    fn what_else_is_in_the_folder_stays() {
        let folder = tempfile::tempdir().unwrap();
        let logs = folder.path().join("logs");
        let mut files = LogFiles::open(&logs, day(1)).unwrap();
        fs::write(logs.join("notes.txt"), "mine").unwrap();
        for day in (1..=30).map(day) {
            files.write(b"line\n", day).unwrap();
        }
        assert_eq!(names(&files).len(), FILES_KEPT);
        assert!(logs.join("notes.txt").exists());
    }

    /// Windows removes no folder with an open file in it.
    #[cfg(unix)]
    #[test]
    fn a_removed_folder_breaks_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let logs = folder.path().join("logs");
        let mut files = LogFiles::open(&logs, day(30)).unwrap();
        files.write(b"line\n", day(30)).unwrap();
        fs::remove_dir_all(&logs).unwrap();
        files.write(b"line\n", day(1)).unwrap_err();
        fs::create_dir(&logs).unwrap();
        files.write(b"line\n", day(1)).unwrap();
        assert_eq!(fs::read(logs.join("2026-11-01.0001.jsonl")).unwrap(), b"line\n");
    }
}
