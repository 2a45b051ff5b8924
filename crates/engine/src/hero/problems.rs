//! What is wrong with how the exchange with Hero is set up.

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
};

use rosterbridge_domain::{
    dated_path::{DatedPath, DatedPathError},
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
    #[error("{first} and {second} use the same file over the same connection: {path}")]
    SameFile {
        /// A job.
        first: JobId,
        /// Another one.
        second: JobId,
        /// The file.
        path: String,
    },
}

/// Everything that is wrong with how the exchange with Hero is set up, and with the managed connections.
pub(crate) fn problems(setup: &Setup) -> Vec<HeroProblem> {
    let mut problems = Vec::new();
    connections(setup, &mut problems);
    accounts(&setup.hero.accounts, &mut problems);
    let mut files: HashMap<(String, String), JobId> = HashMap::new();
    for account in &setup.hero.accounts {
        for kind in ExportKind::ALL {
            export(account, kind, &mut problems);
        }
        import(account, &mut problems);
        for (job, place, path) in places(setup, account) {
            // Case is left aside: some servers tell no letter cases apart.
            if let Some(first) = files.insert((place, path.to_lowercase()), job)
                && first != job
            {
                problems.push(HeroProblem::SameFile { first, second: job, path });
            }
        }
    }
    problems
}

fn connections(setup: &Setup, problems: &mut Vec<HeroProblem>) {
    for (place, connection) in setup.connections.iter().enumerate() {
        if setup.connections[..place].iter().any(|other| other.id == connection.id) {
            problems.push(HeroProblem::ConnectionTwice(connection.id));
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

/// The files of an account's jobs: where each is, and its path there.
fn places(setup: &Setup, account: &HeroAccount) -> impl Iterator<Item = (JobId, String, String)> {
    // Two connections can lead to one account.
    let over_connection = setup.connection(account.connection).map_or_else(String::new, |connection| {
        let host = connection.host.trim().trim_start_matches("sftp://").to_lowercase();
        match connection.username.trim() {
            // What is not set up yet leads nowhere.
            "" => connection.id.to_string(),
            username => format!("{username}@{host}:{}", connection.port),
        }
    });
    let import = (
        JobId::new(Job::HeroAttendance, account.id),
        over_connection.clone(),
        account.attendance.path.clone(),
    );
    let exports = ExportKind::ALL.into_iter().map(move |kind| {
        let settings = account.export(kind);
        let place = match &settings.destination {
            Destination::Connection => over_connection.clone(),
            Destination::Folder { folder } => {
                format!("folder {}", Path::new(folder.trim()).components().collect::<PathBuf>().display())
            }
        };
        let path = match &settings.destination {
            Destination::Connection => settings.path.clone(),
            Destination::Folder { .. } => settings.path.rsplit('/').next().unwrap_or_default().to_owned(),
        };
        (JobId::new(kind.job(), account.id), place, path)
    });
    exports.chain([import])
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
