//! What is wrong with how the exchange with Hero is set up.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use chrono::NaiveDate;
use rosterbridge_domain::{
    dated_path::{DatedPath, DatedPathError, folder_and_name},
    id::SchoolNumber,
    job::{AccountId, Job, JobId},
    settings::{CharacterSet, ConnectionId, Destination, ExportKind, HeroAccount, Owner, Setup},
};
use rosterbridge_hero::{
    FieldOrderError, ImportLayout,
    fields::{FieldError, field_problems},
};

/// Something that can't be as it is set up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeroProblem {
    /// An account without a number of its own.
    #[error("two accounts at Hero have the number {}", .0.number())]
    AccountTwice(AccountId),
    /// There is no account.
    #[error("there is no account at Hero")]
    NoAccount,
    /// A managed connection without an id of its own.
    #[error("two managed connections have the id '{0}'")]
    ConnectionTwice(ConnectionId),
    /// A managed connection whose server has no port.
    #[error("the managed connection '{0}' has the port 0, and no server has")]
    NoPort(ConnectionId),
    /// A connection that does not exist.
    #[error("'{account}' uses the managed connection '{connection}', which does not exist")]
    NoConnection {
        /// The account, or 'Raptor'.
        account: String,
        /// The connection.
        connection: ConnectionId,
    },
    /// A school in two accounts.
    #[error(
        "school {school} takes part in '{first}' and in '{second}'; it can take part in one account only"
    )]
    SchoolTwice {
        /// The school.
        school: SchoolNumber,
        /// An account.
        first: String,
        /// Another one.
        second: String,
    },
    /// Two accounts for all schools that no other account names.
    #[error("'{first}' and '{second}' are both for every school; name the schools of one of them")]
    EverySchoolTwice {
        /// An account.
        first: String,
        /// Another one.
        second: String,
    },
    /// A line of an export's field list.
    #[error("{job}: {error}")]
    Field {
        /// The export.
        job: JobId,
        /// What is wrong with it.
        error: FieldError,
    },
    /// The order of an import's fields.
    #[error("{job}: {error}")]
    Order {
        /// The import.
        job: JobId,
        /// What is wrong with it.
        error: FieldOrderError,
    },
    /// A path.
    #[error("{job}: {error}")]
    Path {
        /// The export or import.
        job: JobId,
        /// What is wrong with it.
        error: DatedPathError,
    },
    /// An export to a folder that is not named.
    #[error("{0} goes to a folder, and none is named")]
    NoFolder(JobId),
    /// A character set that Hero does not read.
    #[error("{0} can't be sent in the Mac Roman character set: choose UTF-8 or Windows ANSI")]
    MacRoman(JobId),
    /// Two jobs with one file.
    #[error("{first} and {second} use the same file {}: {path}", in_words(*.in_folder))]
    SameFile {
        /// A job.
        first: JobId,
        /// Another one.
        second: JobId,
        /// The file.
        path: String,
        /// Whether it is in a folder of this computer.
        in_folder: bool,
    },
    /// Two jobs with one file on a day, because of the dates in their paths.
    #[error(
        "{first} and {second} use the same file {} on {}: {path}",
        in_words(*.in_folder),
        .day.format(if *.every_year { "%-d %B" } else { "%-d %B %Y" })
    )]
    SameFileOn {
        /// A job.
        first: JobId,
        /// Another one.
        second: JobId,
        /// The first day of it.
        day: NaiveDate,
        /// Whether it is so in every year.
        every_year: bool,
        /// The file on that day.
        path: String,
        /// Whether it is in a folder of this computer.
        in_folder: bool,
    },
}

/// Where two jobs have one file.
const fn in_words(in_folder: bool) -> &'static str {
    if in_folder { "in the same place" } else { "over the same connection" }
}

/// Everything that is wrong with how the exchange with Hero is set up, and with the managed connections.
pub(crate) fn problems(setup: &Setup) -> Vec<HeroProblem> {
    let mut problems = Vec::new();
    connections(setup, &mut problems);
    accounts(&setup.hero.accounts, &mut problems);
    let mut files: Vec<UsedFile> = Vec::new();
    for account in &setup.hero.accounts {
        for kind in ExportKind::ALL {
            export(account, kind, &mut problems);
        }
        import(account, &mut problems);
        for file in places(setup, account) {
            problems.extend(files.iter().rev().find_map(|first| first.shared_with(&file)));
            files.push(file);
        }
    }
    problems
}

fn connections(setup: &Setup, problems: &mut Vec<HeroProblem>) {
    for (place, connection) in setup.connections.iter().enumerate() {
        if setup.connections[..place].iter().any(|other| other.id == connection.id) {
            problems.push(HeroProblem::ConnectionTwice(connection.id));
        }
        if connection.port == 0 {
            problems.push(HeroProblem::NoPort(connection.id));
        }
    }
    let of_accounts = setup.hero.accounts.iter().map(|account| (account.name.clone(), account.connection));
    let of_raptor = setup.raptor.connection.iter().map(|server| ("Raptor".to_owned(), server.connection));
    for (account, connection) in of_accounts.chain(of_raptor) {
        if setup.connection(connection).is_none() {
            problems.push(HeroProblem::NoConnection { account, connection });
        }
    }
}

fn accounts(accounts: &[HeroAccount], problems: &mut Vec<HeroProblem>) {
    if accounts.is_empty() {
        problems.push(HeroProblem::NoAccount);
    }
    let mut taken: BTreeMap<SchoolNumber, &HeroAccount> = BTreeMap::new();
    let mut every: Option<&HeroAccount> = None;
    for (place, account) in accounts.iter().enumerate() {
        if accounts[..place].iter().any(|other| other.id == account.id) {
            problems.push(HeroProblem::AccountTwice(account.id));
        }
        if account.schools.is_empty() {
            if let Some(first) = every {
                let (first, second) = (first.name.clone(), account.name.clone());
                problems.push(HeroProblem::EverySchoolTwice { first, second });
            }
            every = Some(account);
        }
        for &school in &account.schools {
            if let Some(first) = taken.insert(school, account).filter(|first| first.id != account.id) {
                let (first, second) = (first.name.clone(), account.name.clone());
                problems.push(HeroProblem::SchoolTwice { school, first, second });
            }
        }
    }
}

fn export(account: &HeroAccount, kind: ExportKind, problems: &mut Vec<HeroProblem>) {
    let (job, settings) = (JobId::new(kind.job(), account.id), account.export(kind));
    let mut fields = field_problems(kind, &settings.fields);
    if settings.owner == Owner::PowerSchool {
        fields.retain(|error| !matches!(error, FieldError::OnlyFromPowerSchool { .. }));
    }
    problems.extend(fields.into_iter().map(|error| HeroProblem::Field { job, error }));
    if let Err(error) = DatedPath::parse(&settings.path) {
        problems.push(HeroProblem::Path { job, error });
    }
    if matches!(&settings.destination, Destination::Folder { folder } if folder.trim().is_empty()) {
        problems.push(HeroProblem::NoFolder(job));
    }
    if settings.character_set == CharacterSet::MacRoman {
        problems.push(HeroProblem::MacRoman(job));
    }
}

fn import(account: &HeroAccount, problems: &mut Vec<HeroProblem>) {
    let job = JobId::new(Job::HeroAttendance, account.id);
    if let Err(error) = DatedPath::parse_import(&account.attendance.path) {
        problems.push(HeroProblem::Path { job, error });
    }
    if let Err(error) = ImportLayout::of(&account.attendance) {
        problems.push(HeroProblem::Order { job, error });
    }
}

/// The file of a job: where it is, and its path there.
struct UsedFile {
    job: JobId,
    place: String,
    /// Whether that is a folder of this computer.
    in_folder: bool,
    path: DatedPath,
}

impl UsedFile {
    /// What is wrong where another job uses the same file on any day.
    fn shared_with(&self, other: &Self) -> Option<HeroProblem> {
        // An account without a number of its own is told of elsewhere.
        if (self.in_folder, &self.place) != (other.in_folder, &other.place) || self.job == other.job {
            return None;
        }
        let (first, second, in_folder) = (self.job, other.job, other.in_folder);
        let day = self.path.same_on(&other.path)?;
        let path = other.path.expand(day);
        if self.path.slot().to_lowercase() == other.path.slot().to_lowercase() {
            return Some(HeroProblem::SameFile {
                first,
                second,
                path: other.path.slot().to_owned(),
                in_folder,
            });
        }
        let every_year = [self, other].iter().all(|file| !file.path.slot().contains("%Y"));
        Some(HeroProblem::SameFileOn { first, second, day, every_year, path, in_folder })
    }
}

/// The files of an account's jobs. A path that can't be read is told of elsewhere.
fn places(setup: &Setup, account: &HeroAccount) -> impl Iterator<Item = UsedFile> {
    // Two connections can lead to one account.
    let over_connection = setup.connection(account.connection).map_or_else(String::new, |connection| {
        let host = connection.host.trim().trim_start_matches("sftp://").to_lowercase();
        match connection.username.trim() {
            // What is not set up yet leads nowhere.
            "" => connection.id.to_string(),
            username => format!("{username}@{host}:{}", connection.port),
        }
    });
    let import = (Job::HeroAttendance, over_connection.clone(), false, account.attendance.path.clone());
    let exports = ExportKind::ALL.into_iter().map(move |kind| {
        let settings = account.export(kind);
        let (place, in_folder, path) = match &settings.destination {
            Destination::Connection => (over_connection.clone(), false, settings.path.as_str()),
            Destination::Folder { folder } => {
                let folder = Path::new(folder.trim()).components().collect::<PathBuf>();
                (folder.display().to_string(), true, folder_and_name(&settings.path).1)
            }
        };
        (kind.job(), place, in_folder, path.to_owned())
    });
    exports.chain([import]).filter_map(|(job, place, in_folder, path)| {
        Some(UsedFile {
            job: JobId::new(job, account.id),
            place,
            in_folder,
            path: DatedPath::parse(&path).ok()?,
        })
    })
}

#[cfg(test)]
mod tests {
    use rosterbridge_domain::settings::{ManagedConnection, RaptorConnection};
    use rstest::rstest;

    use super::*;

    fn second(setup: &mut Setup) -> &mut HeroAccount {
        let id = AccountId::try_from(2).unwrap();
        let connection = ConnectionId::RAPTOR;
        setup.connections.push(ManagedConnection { id: connection, ..ManagedConnection::default() });
        let schools = vec![SchoolNumber::new(200)];
        let account =
            HeroAccount { id, name: "South".to_owned(), schools, connection, ..HeroAccount::default() };
        setup.hero.accounts.push(account);
        setup.hero.accounts.last_mut().unwrap()
    }

    #[test]
    fn the_defaults_are_fine_and_so_is_an_account_for_each_school() {
        let mut setup = Setup::default();
        assert_eq!(problems(&setup), []);
        second(&mut setup);
        assert_eq!(problems(&setup), []);
    }

    #[rstest]
    #[case::no_account(|setup: &mut Setup| setup.hero.accounts.clear(), "there is no account at Hero")]
    #[case::number(|setup: &mut Setup| second(setup).id = AccountId::FIRST, "two accounts at Hero have the number 1")]
    #[case::connection_twice(
        |setup: &mut Setup| setup.connections.push(ManagedConnection::default()),
        "two managed connections have the id 'hero'"
    )]
    #[case::no_port(
        |setup: &mut Setup| setup.connections[0].port = 0,
        "the managed connection 'hero' has the port 0, and no server has"
    )]
    #[case::no_connection(
        |setup: &mut Setup| setup.hero.accounts[0].connection = ConnectionId::RAPTOR,
        "'Hero' uses the managed connection 'raptor', which does not exist"
    )]
    #[case::none_for_raptor(
        |setup: &mut Setup| setup.raptor.connection =
            Some(RaptorConnection { connection: ConnectionId::RAPTOR, folder: String::new() }),
        "'Raptor' uses the managed connection 'raptor', which does not exist"
    )]
    #[case::school(
        |setup: &mut Setup| {
            second(setup);
            setup.hero.accounts[0].schools = vec![SchoolNumber::new(100), SchoolNumber::new(200)];
        },
        "school 200 takes part in 'Hero' and in 'South'; it can take part in one account only"
    )]
    #[case::every_school(
        |setup: &mut Setup| second(setup).schools.clear(),
        "'Hero' and 'South' are both for every school; name the schools of one of them"
    )]
    #[case::folder(
        |setup: &mut Setup| setup.hero.accounts[0].schedule.destination =
            Destination::Folder { folder: " ".to_owned() },
        "hero-schedule goes to a folder, and none is named"
    )]
    #[case::characters(
        |setup: &mut Setup| setup.hero.accounts[0].teachers.character_set = CharacterSet::MacRoman,
        "hero-teachers can't be sent in the Mac Roman character set: choose UTF-8 or Windows ANSI"
    )]
    #[case::same_file(
        |setup: &mut Setup| setup.hero.accounts[0].teachers.path = "imports/Student.txt".to_owned(),
        "hero-students and hero-teachers use the same file over the same connection: imports/Student.txt"
    )]
    #[case::a_day_of_every_month(
        |setup: &mut Setup| {
            setup.hero.accounts[0].students.path = "imports/A%d.txt".to_owned();
            setup.hero.accounts[0].teachers.path = "imports/a05.TXT".to_owned();
        },
        "hero-students and hero-teachers use the same file over the same connection on 5 January: imports/a05.TXT"
    )]
    #[case::day_and_month(
        |setup: &mut Setup| {
            setup.hero.accounts[0].schedule.path = "imports/A%d%m.txt".to_owned();
            setup.hero.accounts[0].teachers.path = "imports/A%m%d.txt".to_owned();
        },
        "hero-schedule and hero-teachers use the same file over the same connection on 1 January: imports/A0101.txt"
    )]
    #[case::a_leap_day_in_a_folder(
        |setup: &mut Setup| {
            let account = &mut setup.hero.accounts[0];
            let folder = "/srv/hero".to_owned();
            for export in [&mut account.schedule, &mut account.teachers] {
                export.destination = Destination::Folder { folder: folder.clone() };
            }
            account.schedule.path = "imports/A%m%d.txt".to_owned();
            account.teachers.path = "staff/A0229.txt".to_owned();
        },
        "hero-schedule and hero-teachers use the same file in the same place on 29 February: A0229.txt"
    )]
    #[case::in_a_folder(
        |setup: &mut Setup| {
            let account = &mut setup.hero.accounts[0];
            let folder = "/srv/hero".to_owned();
            for export in [&mut account.schedule, &mut account.teachers] {
                export.destination = Destination::Folder { folder: folder.clone() };
            }
            account.teachers.path = account.schedule.path.clone();
        },
        "hero-schedule and hero-teachers use the same file in the same place: SCHEDULE.TXT"
    )]
    #[case::a_year(
        |setup: &mut Setup| {
            setup.hero.accounts[0].students.path = "imports/A%Y%m%d.txt".to_owned();
            setup.hero.accounts[0].teachers.path = "imports/A20270304.txt".to_owned();
        },
        "hero-students and hero-teachers use the same file over the same connection on 4 March 2027: \
         imports/A20270304.txt"
    )]
    #[case::same_file_of_two_accounts(
        |setup: &mut Setup| {
            let account = second(setup);
            account.connection = ConnectionId::HERO;
            account.students.path = "imports/SOUTH.TXT".to_owned();
            account.schedule.path = "imports/SOUTH_SCHEDULE.TXT".to_owned();
            account.attendance.path = "export/SOUTH.txt".to_owned();
        },
        "hero-teachers and hero-teachers-2 use the same file over the same connection: imports/TEACHER.txt"
    )]
    fn what_cannot_be_is_told(#[case] change: impl FnOnce(&mut Setup), #[case] told: &str) {
        let mut setup = Setup::default();
        change(&mut setup);
        let problems: Vec<String> = problems(&setup).iter().map(ToString::to_string).collect();
        assert_eq!(problems, [told]);
    }

    #[test]
    fn fields_paths_and_orders_name_their_job() {
        let mut setup = Setup::default();
        let account = &mut setup.hero.accounts[0];
        account.students.fields.push("Lunch_Balance_7".to_owned());
        account.schedule.path = "imports/MY SCHEDULE.TXT".to_owned();
        account.attendance.path = "imports/ATTENDANCE.txt".to_owned();
        account.attendance.fields.pop();
        let jobs: Vec<String> = problems(&setup)
            .iter()
            .map(|problem| problem.to_string().split(':').next().unwrap_or_default().to_owned())
            .collect();
        assert_eq!(jobs, ["hero-students", "hero-schedule", "hero-attendance", "hero-attendance"]);
    }
}
