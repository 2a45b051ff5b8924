//! What was told, and what waits for the mail server: kept in the ledger.

use std::collections::{BTreeSet, VecDeque};

use chrono::{DateTime, TimeDelta, Utc};
use rosterbridge_domain::{
    job::{Job, JobId},
    notice::{Notice, Told},
    settings::{ExportKind, Setup},
};
use rosterbridge_store::{Ledger, StoreError};
use serde::{Deserialize, Serialize};

use crate::report::Cause;

/// The ledger's value that holds [`Post`].
pub(super) const POST: &str = "notices";
/// The most notices that wait for the mail server.
pub(super) const MOST_WAITING: usize = 200;
/// The longest pause between two tries to send.
const LONGEST_PAUSE: TimeDelta = TimeDelta::minutes(60);

/// What was told, and what waits for the mail server.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Post {
    pub(super) told: Told,
    /// Oldest first.
    pub(super) waiting: VecDeque<Waiting>,
    pub(super) last_id: u64,
    /// Given up because too many waited.
    pub(super) dropped: u64,
    pub(super) trouble: Option<Trouble>,
}

/// A notice that waits for the mail server.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Waiting {
    pub(super) id: u64,
    /// When it came to be told.
    pub(super) at: DateTime<Utc>,
    pub(super) notice: Notice,
    /// The run it is about, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) run: Option<String>,
    /// Whom the mail server has taken it for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) sent_to: Vec<String>,
}

/// Why mail does not go out.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Trouble {
    pub(super) cause: Cause,
    pub(super) since: DateTime<Utc>,
    pub(super) tried_at: DateTime<Utc>,
    pub(super) tries: u32,
}

impl Waiting {
    /// The runs it is about.
    fn runs(&self) -> Vec<&str> {
        match &self.notice {
            Notice::RunsInterrupted { runs, .. } => runs.iter().map(|run| run.run.as_str()).collect(),
            _ => self.run.as_deref().into_iter().collect(),
        }
    }
}

/// What a mail is about, for the log: each run with each kind of notice once. Kinds without a run have none.
pub(super) fn subjects(waiting: &[Waiting]) -> BTreeSet<(Option<&str>, &'static str)> {
    let mut subjects = BTreeSet::new();
    for waiting in waiting {
        let (runs, kind) = (waiting.runs(), waiting.notice.kind());
        if runs.is_empty() {
            subjects.insert((None, kind));
        }
        subjects.extend(runs.into_iter().map(|run| (Some(run), kind)));
    }
    subjects
}

impl Trouble {
    /// Whether the server is left alone for a while: twice as long after each try.
    pub(super) fn is_fresh(&self, now: DateTime<Utc>) -> bool {
        let pause = TimeDelta::minutes(1 << self.tries.min(6)).min(LONGEST_PAUSE);
        (TimeDelta::zero()..pause).contains(&(now - self.tried_at))
    }
}

impl Post {
    pub(super) fn read(ledger: &Ledger) -> Result<Self, StoreError> {
        Ok(ledger.value(POST)?.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
    }

    pub(super) fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Lets notices wait, about the run `run` if they are about one, that have somebody to go to. When too many wait, the oldest go: completion
    /// reports first, changes of the integration's status last.
    pub(super) fn take(&mut self, notices: &[Notice], setup: &Setup, at: DateTime<Utc>, run: Option<&str>) {
        let addressed = |notice: &&Notice| {
            !setup.mail.host.trim().is_empty() && !addressees(setup, Readers::of(notice)).is_empty()
        };
        for notice in notices.iter().filter(addressed) {
            self.last_id += 1;
            self.waiting.push_back(Waiting {
                id: self.last_id,
                at,
                notice: notice.clone(),
                run: run.map(str::to_owned),
                sent_to: Vec::new(),
            });
        }
        while self.waiting.len() > MOST_WAITING {
            let oldest =
                |least: fn(&Notice) -> bool| self.waiting.iter().position(|waiting| least(&waiting.notice));
            let least = oldest(|notice| notice.completed_job().is_some())
                .or_else(|| oldest(|notice| !notice.is_status_change()));
            self.waiting.remove(least.unwrap_or(0));
            self.dropped += 1;
        }
    }

    /// What the next mail to some readers tells: one thing, or everything at once; nothing of what was tried already.
    pub(super) fn next(&self, letters: Letters, tried: &[u64]) -> Vec<Waiting> {
        let wanted = |waiting: &&Waiting| {
            Readers::of(&waiting.notice).letters() == letters && !tried.contains(&waiting.id)
        };
        let most = if letters == Letters::Everything { MOST_WAITING } else { 1 };
        self.waiting.iter().filter(wanted).take(most).cloned().collect()
    }
}

/// The kinds of mails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Letters {
    /// A change of the integration's status, by itself.
    StatusChange,
    /// A job's completion report, by itself.
    Completion,
    /// Everything else at once.
    Everything,
}

impl Letters {
    /// All, in the order in which they are sent.
    pub(super) const ALL: [Self; 3] = [Self::StatusChange, Self::Completion, Self::Everything];
}

/// Who is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Readers {
    /// Those of the integration's status.
    Status,
    /// Those of a job's completion report.
    Job(JobId),
    /// Those of everything else.
    Everybody,
}

impl Readers {
    /// Whoever is told a notice.
    pub(super) fn of(notice: &Notice) -> Self {
        match notice.completed_job() {
            Some(job) => Self::Job(job),
            None if notice.is_status_change() => Self::Status,
            None => Self::Everybody,
        }
    }

    const fn letters(self) -> Letters {
        match self {
            Self::Status => Letters::StatusChange,
            Self::Job(_) => Letters::Completion,
            Self::Everybody => Letters::Everything,
        }
    }
}

/// The addresses of those who are told. Changes of the integration's status have addressees of their own; where none are
/// named, they go to those of everything else. A completion report goes to those whom its job names, and to nobody else.
pub(super) fn addressees(setup: &Setup, readers: Readers) -> &[String] {
    match readers {
        Readers::Status if !setup.raptor.notify.is_empty() => &setup.raptor.notify,
        Readers::Status | Readers::Everybody => &setup.mail.to,
        Readers::Job(job) => report_addresses(setup, job),
    }
}

/// Who gets a job's completion report.
pub(super) fn report_addresses(setup: &Setup, job: JobId) -> &[String] {
    let Some(account) = setup.hero.account(job.account()) else { return &[] };
    match (ExportKind::of(job.kind()), job.kind()) {
        (Some(kind), _) => &account.export(kind).email,
        (None, Job::HeroAttendance) => &account.attendance.email,
        (None, _) => &[],
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;
    use rosterbridge_domain::{
        integration::{IntegrationEvent, IntegrationStatus},
        job::JobId,
        notice::{InterruptedRun, StatusChange},
    };
    use rstest::rstest;

    use super::*;
    use crate::error::EngineError;

    fn setup(host: &str, notify: &[&str], to: &[&str]) -> Setup {
        let owned = |addresses: &[&str]| addresses.iter().map(|&address| address.to_owned()).collect();
        let mut setup = Setup::default();
        host.clone_into(&mut setup.mail.host);
        setup.mail.to = owned(to);
        setup.raptor.notify = owned(notify);
        setup
    }

    fn status_change() -> Notice {
        Notice::StatusChanged(StatusChange {
            from: IntegrationStatus::Initializing,
            to: IntegrationStatus::Synchronizing,
            event: IntegrationEvent::SyncSucceeded,
            reason: None,
        })
    }

    fn recovered() -> Notice {
        Notice::Recovered { job: Some(JobId::HERO_STUDENTS), failures: 1, since: now() }
    }

    fn now() -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2026, 11, 18, 9, 10, 0).unwrap()
    }

    #[rstest]
    #[case::no_server("", &["raptor@example.org"], &["it@example.org"], 0)]
    #[case::nobody("mail.example.org", &[], &[], 0)]
    #[case::only_status("mail.example.org", &["raptor@example.org"], &[], 1)]
    #[case::both("mail.example.org", &["raptor@example.org"], &["it@example.org"], 2)]
    #[case::status_goes_to_the_others("mail.example.org", &[], &["it@example.org"], 2)]
    fn only_what_somebody_gets_waits(
        #[case] host: &str,
        #[case] notify: &[&str],
        #[case] to: &[&str],
        #[case] waiting: usize,
    ) {
        let mut post = Post::default();
        post.take(&[status_change(), recovered()], &setup(host, notify, to), now(), None);
        assert_eq!(post.waiting.len(), waiting);
    }

    #[test]
    fn the_newest_wait_and_status_changes_stay_longest() {
        let setup = setup("mail.example.org", &[], &["it@example.org"]);
        let mut post = Post::default();
        post.take(&[status_change()], &setup, now(), None);
        for _ in 0..MOST_WAITING + 4 {
            post.take(&[recovered()], &setup, now(), None);
        }
        assert_eq!((post.waiting.len(), post.dropped), (MOST_WAITING, 5));
        assert_eq!(post.next(Letters::StatusChange, &[]).len(), 1, "the status change is still there");
        let ids: Vec<u64> = post.next(Letters::Everything, &[]).iter().map(|waiting| waiting.id).collect();
        assert_eq!((ids.first(), ids.last()), (Some(&7), Some(&205)));
    }

    #[test]
    fn a_status_change_is_alone_in_its_mail() {
        let setup = setup("mail.example.org", &[], &["it@example.org"]);
        let mut post = Post::default();
        post.take(&[status_change(), recovered(), status_change(), recovered()], &setup, now(), None);
        assert_eq!(
            (post.next(Letters::StatusChange, &[]).len(), post.next(Letters::Everything, &[]).len()),
            (1, 2)
        );
        assert_eq!(
            post.next(Letters::StatusChange, &[1])[0].id,
            3,
            "one that was tried keeps no other from being sent"
        );
    }

    #[rstest]
    #[case(1, 1, true)]
    #[case(1, 2, false)]
    #[case(3, 7, true)]
    #[case(3, 8, false)]
    #[case(30, 59, true)]
    #[case(30, 60, false)]
    #[case::clock_put_back(30, -5, false)]
    fn a_server_that_is_away_is_left_alone(#[case] tries: u32, #[case] minutes: i64, #[case] fresh: bool) {
        let cause = EngineError::MailAddress(String::new()).cause();
        let trouble = Trouble { cause, since: now(), tried_at: now(), tries };
        assert_eq!(trouble.is_fresh(now() + TimeDelta::minutes(minutes)), fresh);
    }

    #[test]
    fn a_mail_is_about_each_of_its_runs() {
        let cut_off = |run: &str| InterruptedRun { run: run.to_owned(), started_at: now(), undo: false };
        let interrupted = Notice::RunsInterrupted { runs: vec![cut_off("a"), cut_off("b")], more: 0 };
        let mut post = Post::default();
        let setup = setup("mail.example.org", &[], &["it@example.org"]);
        post.take(&[recovered(), recovered()], &setup, now(), Some("c"));
        post.take(&[recovered(), interrupted], &setup, now(), None);
        let about: Vec<(Option<&str>, &str)> = subjects(post.waiting.make_contiguous()).into_iter().collect();
        assert_eq!(
            about,
            [
                (None, "recovered"),
                (Some("a"), "runs_interrupted"),
                (Some("b"), "runs_interrupted"),
                (Some("c"), "recovered")
            ]
        );
    }
}
