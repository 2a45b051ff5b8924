//! What an account's server has: the files of its jobs, and those of others, which are shown and never imported.

use std::collections::BTreeSet;

use chrono::{DateTime, Days, NaiveDate, Utc};
use rosterbridge_domain::{
    dated_path::{DatedPath, folder_and_name},
    job::{AccountId, Job, JobId},
    settings::{ConnectionId, Destination, ExportKind, Setup},
};
use rosterbridge_sftp::{Entry, Error as SftpError, RemoteFolder};
use tokio_util::sync::CancellationToken;

use crate::{
    connections::managed,
    engine::Engine,
    error::EngineError,
    exports::{EXPORT, IMPORTS},
    report::{RemoteFileKind, RemoteFileView, RemoteFiles, RemoteFolderView},
};

/// For how many days a dated file is known as its job's.
const DAYS: u64 = 31;

impl Engine {
    /// What an account's server has in `imports`, in `export` and in the folder the account starts in.
    pub async fn remote_files(
        &self,
        account: AccountId,
        now: DateTime<Utc>,
    ) -> Result<RemoteFiles, EngineError> {
        let setup = self.setup().await?;
        let job = JobId::new(Job::HeroStudents, account);
        let connection = setup.hero.account(account).ok_or(EngineError::NoSuchJob(job))?.connection;
        if !managed(&setup, connection)?.allow_download {
            return Err(EngineError::SwitchedOff("'Allow Download' of the Hero connection"));
        }
        let roster = self.roster().await?;
        let zone = setup.jobs.iter().find_map(|of| of.schedule).map_or(chrono_tz::UTC, |of| of.zone);
        let today = self.summers(&setup, roster.as_ref()).await?.today(now, zone);
        let known = Known::of(&setup, connection, today);
        let session = self.connect(&setup, connection, Job::HeroStudents, &CancellationToken::new()).await?;
        let mut folders = Vec::new();
        for folder in known.folders() {
            let at = if folder.is_empty() { RemoteFolder::login() } else { RemoteFolder::parse(&folder)? };
            let (files, unread) = match session.list(&at).await {
                Ok(entries) => (known.files(&folder, &entries), None),
                Err(
                    error @ (SftpError::FolderMissing { .. }
                    | SftpError::Permission { .. }
                    | SftpError::ServerRefused { .. }
                    | SftpError::FolderTooFull { .. }),
                ) => (Vec::new(), Some(EngineError::from(error).cause())),
                Err(error) => return Err(error.into()),
            };
            folders.push(RemoteFolderView { folder, files, unread });
        }
        Ok(RemoteFiles { account, seen_at: now, folders })
    }
}

/// The files that jobs have on a server.
struct Known {
    /// Folder, name and job, of each of the days.
    exports: BTreeSet<(String, String, JobId)>,
    imports: BTreeSet<(String, String, JobId)>,
}

impl Known {
    /// Those of every account that uses the connection.
    fn of(setup: &Setup, connection: ConnectionId, today: NaiveDate) -> Self {
        let (mut exports, mut imports) = (BTreeSet::new(), BTreeSet::new());
        for account in setup.hero.accounts.iter().filter(|account| account.connection == connection) {
            for kind in ExportKind::ALL {
                let export = account.export(kind);
                if export.destination == Destination::Connection {
                    let job = JobId::new(kind.job(), account.id);
                    exports.extend(of_days(&export.path, today).map(|(folder, name)| (folder, name, job)));
                }
            }
            let job = JobId::new(Job::HeroAttendance, account.id);
            let days = of_days(&account.attendance.path, today);
            imports.extend(days.map(|(folder, name)| (folder, name, job)));
        }
        Self { exports, imports }
    }

    /// The folders to look into: Hero's two, others that jobs use, and the one the account starts in.
    fn folders(&self) -> Vec<String> {
        let mut folders = vec![IMPORTS.to_owned(), EXPORT.to_owned()];
        let used: BTreeSet<&String> =
            self.exports.iter().chain(&self.imports).map(|(folder, ..)| folder).collect();
        folders.extend(
            used.into_iter()
                .filter(|used| !used.is_empty() && ![IMPORTS, EXPORT].contains(&used.as_str()))
                .cloned(),
        );
        folders.push(String::new());
        folders
    }

    fn files(&self, folder: &str, entries: &[Entry]) -> Vec<RemoteFileView> {
        let files = entries.iter().filter(|entry| !entry.is_folder);
        files
            .map(|entry| {
                let (is, job) = self.kind(folder, &entry.name);
                RemoteFileView {
                    name: entry.name.clone(),
                    bytes: entry.size,
                    modified: entry.modified.map(DateTime::from),
                    is,
                    job,
                }
            })
            .collect()
    }

    fn kind(&self, folder: &str, name: &str) -> (RemoteFileKind, Option<JobId>) {
        let here = |files: &BTreeSet<(String, String, JobId)>| {
            files.iter().find(|(in_folder, named, _)| in_folder == folder && named == name).map(|file| file.2)
        };
        if let Some(job) = here(&self.exports) {
            return (RemoteFileKind::Export, Some(job));
        }
        if let Some(job) = here(&self.imports) {
            return (RemoteFileKind::Import, Some(job));
        }
        // The names under which a transfer works until the file is whole.
        let unfinished = [".rosterbridge-part", ".rosterbridge-old", ".rosterbridge-probe"];
        if name.starts_with('.') && unfinished.iter().any(|mark| name.contains(mark)) {
            return (RemoteFileKind::Unfinished, None);
        }
        match self.exports.iter().find(|(_, named, _)| named == name) {
            Some((.., job)) => (RemoteFileKind::WrongFolder, Some(*job)),
            None => (RemoteFileKind::Other, None),
        }
    }
}

/// Folder and name of a path today, and on the days before it.
fn of_days(path: &str, today: NaiveDate) -> impl Iterator<Item = (String, String)> {
    let path = DatedPath::parse(path).ok();
    let days = (0..DAYS).filter_map(move |ago| today.checked_sub_days(Days::new(ago)));
    days.filter_map(move |day| {
        let path = path.as_ref()?.expand(day);
        let (folder, name) = folder_and_name(&path);
        Some((folder.to_owned(), name.to_owned()))
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const TODAY: NaiveDate = NaiveDate::from_ymd_opt(2026, 9, 7).unwrap();

    fn known() -> Known {
        let mut setup = Setup::default();
        let account = &mut setup.hero.accounts[0];
        account.students.path = "imports/STUDENT_%Y%m%d.TXT".to_owned();
        account.teachers.destination = Destination::Folder { folder: "/srv".to_owned() };
        Known::of(&setup, ConnectionId::HERO, TODAY)
    }

    #[rstest]
    #[case::todays("imports", "STUDENT_20260907.TXT", RemoteFileKind::Export, Some(JobId::HERO_STUDENTS))]
    #[case::of_last_week(
        "imports",
        "STUDENT_20260831.TXT",
        RemoteFileKind::Export,
        Some(JobId::HERO_STUDENTS)
    )]
    #[case::of_another_year("imports", "STUDENT_20250907.TXT", RemoteFileKind::Other, None)]
    #[case::undated("imports", "SCHEDULE.TXT", RemoteFileKind::Export, Some(JobId::HERO_SCHEDULE))]
    #[case::other_letters("imports", "Schedule.txt", RemoteFileKind::Other, None)]
    #[case::in_the_root("", "SCHEDULE.TXT", RemoteFileKind::WrongFolder, Some(JobId::HERO_SCHEDULE))]
    #[case::in_export("export", "SCHEDULE.TXT", RemoteFileKind::WrongFolder, Some(JobId::HERO_SCHEDULE))]
    #[case::to_a_local_folder("imports", "TEACHER.txt", RemoteFileKind::Other, None)]
    #[case::imported("export", "ATTENDANCE.txt", RemoteFileKind::Import, Some(JobId::HERO_ATTENDANCE))]
    #[case::another_export("export", "REFERRALS.txt", RemoteFileKind::Other, None)]
    #[case::half_done("imports", ".SCHEDULE.TXT.rosterbridge-part", RemoteFileKind::Unfinished, None)]
    #[case::probe("imports", ".rosterbridge-probe", RemoteFileKind::Unfinished, None)]
    fn files_are_told_apart(
        #[case] folder: &str,
        #[case] name: &str,
        #[case] is: RemoteFileKind,
        #[case] job: Option<JobId>,
    ) {
        assert_eq!(known().kind(folder, name), (is, job));
    }

    #[test]
    fn every_folder_that_matters_is_looked_into() {
        assert_eq!(known().folders(), ["imports", "export", ""]);
        let mut setup = Setup::default();
        setup.hero.accounts[0].teachers.path = "imports/staff/TEACHER.txt".to_owned();
        let known = Known::of(&setup, ConnectionId::HERO, TODAY);
        assert_eq!(known.folders(), ["imports", "export", "imports/staff", ""]);
    }
}
