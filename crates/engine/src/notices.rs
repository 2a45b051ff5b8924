//! Telling people what happened: which mails wait, how they get to the mail server, and what the desktop shows.
//!
//! What is to be told is kept in the ledger before anything is sent, so that neither a crash nor a mail server that is
//! away loses it. Everybody gets a mail of their own. One may go out twice when the program ends while the server takes
//! it; both have the same id.

mod html;
mod letter;
mod text;

use std::{
    collections::VecDeque,
    mem,
    sync::{
        Mutex as StdMutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, Local, TimeDelta, Utc};
use rosterbridge_domain::{
    job::Outcome,
    notice::{Failure, Happening, Notice, Reason, StoppedFile, Told},
    settings::Setup,
};
use rosterbridge_powerschool::ServerUrl;
use rosterbridge_store::{Ledger, StoreError};
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, Notify};

use crate::{
    engine::Engine,
    error::EngineError,
    mail::{Mail, Refusal},
    notices::letter::{Letter, Place},
    report::{Cause, Event, JobReport, MailProblem, SyncReport},
    run::OnEvent,
};

pub(crate) use letter::RESTORED;

/// The ledger's value that holds [`Post`].
const POST: &str = "notices";
/// The most notices that wait for the mail server.
const MOST_WAITING: usize = 200;
/// How often is looked whether something has become due.
const TICK: Duration = Duration::from_mins(1);
/// The longest pause between two tries to send.
const LONGEST_PAUSE: TimeDelta = TimeDelta::minutes(60);
/// How long the program's end waits for mail that is being sent.
const FAREWELL: Duration = Duration::from_secs(20);

/// What an engine has for its notices beside the ledger.
#[derive(Debug, Default)]
pub(crate) struct NoticeDesk {
    /// Held while [`Post`] changes.
    noting: Mutex<()>,
    /// Held while mail is sent.
    sending: Mutex<()>,
    /// Whether something waits that nobody has tried to send since the last happening.
    fresh: AtomicBool,
    /// Wakes whoever sends.
    wake: Notify,
    /// What became known beside a run and the desktop is still to show: at most [`MOST_WAITING`].
    unseen: StdMutex<Vec<Notice>>,
}

impl NoticeDesk {
    /// Keeps notices for the desktop until somebody shows what happens beside a run.
    fn keep_unseen(&self, notices: Vec<Notice>) {
        let mut unseen = self.unseen.lock().unwrap_or_else(PoisonError::into_inner);
        unseen.extend(notices);
        unseen.truncate(MOST_WAITING);
    }
}

/// What was told, and what waits for the mail server.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Post {
    told: Told,
    /// Oldest first.
    waiting: VecDeque<Waiting>,
    last_id: u64,
    /// Given up because too many waited.
    dropped: u64,
    trouble: Option<Trouble>,
}

/// A notice that waits for the mail server.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Waiting {
    id: u64,
    /// When it came to be told.
    at: DateTime<Utc>,
    notice: Notice,
    /// Whom the mail server has taken it for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    sent_to: Vec<String>,
}

/// Why mail does not go out.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Trouble {
    cause: Cause,
    since: DateTime<Utc>,
    tried_at: DateTime<Utc>,
    tries: u32,
}

impl Trouble {
    /// Whether the server is left alone for a while: twice as long after each try.
    fn is_fresh(&self, now: DateTime<Utc>) -> bool {
        let pause = TimeDelta::minutes(1 << self.tries.min(6)).min(LONGEST_PAUSE);
        (TimeDelta::zero()..pause).contains(&(now - self.tried_at))
    }
}

impl Post {
    fn read(ledger: &Ledger) -> Result<Self, StoreError> {
        Ok(ledger.value(POST)?.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
    }

    fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Lets notices wait that have somebody to go to. When too many wait, the oldest go, changes of the integration's
    /// status last.
    fn take(&mut self, notices: &[Notice], setup: &Setup, now: DateTime<Utc>) {
        let addressed = |notice: &&Notice| {
            !setup.mail.host.trim().is_empty() && !addressees(setup, notice.is_status_change()).is_empty()
        };
        for notice in notices.iter().filter(addressed) {
            self.last_id += 1;
            self.waiting.push_back(Waiting {
                id: self.last_id,
                at: now,
                notice: notice.clone(),
                sent_to: Vec::new(),
            });
        }
        while self.waiting.len() > MOST_WAITING {
            let oldest = self.waiting.iter().position(|waiting| !waiting.notice.is_status_change());
            self.waiting.remove(oldest.unwrap_or(0));
            self.dropped += 1;
        }
    }

    /// What the next mail tells: one change of the integration's status, or everything else at once; nothing of what
    /// was tried already.
    fn next(&self, status_changes: bool, tried: &[u64]) -> Vec<Waiting> {
        let wanted = |waiting: &&Waiting| {
            waiting.notice.is_status_change() == status_changes && !tried.contains(&waiting.id)
        };
        let most = if status_changes { 1 } else { MOST_WAITING };
        self.waiting.iter().filter(wanted).take(most).cloned().collect()
    }
}

/// Who is told. Changes of the integration's status have addressees of their own; where none are named, they go to
/// those of everything else.
fn addressees(setup: &Setup, status_change: bool) -> &[String] {
    if status_change && !setup.raptor.notify.is_empty() { &setup.raptor.notify } else { &setup.mail.to }
}

/// Why something failed, as it is told.
pub(crate) fn reason(error: &EngineError) -> Reason {
    Reason { code: error.code().to_owned(), remedy: error.remedy() }
}

/// Hands on what the desktop is to show: everything but digests.
pub(crate) fn announce(notices: &[Notice], on_event: &OnEvent) {
    for notice in notices.iter().filter(|notice| !matches!(notice, Notice::Digest { .. })) {
        on_event(Event::Notice { title: letter::title(notice), body: letter::in_short(notice) });
    }
}

impl Engine {
    /// Takes note of what happened, and gives what is to be told of it now. It is kept at once with another of the
    /// ledger's values, if one is given; mail is sent later.
    pub(crate) async fn note(
        &self,
        happenings: Vec<Happening>,
        now: DateTime<Utc>,
        with: Option<(&'static str, String)>,
    ) -> Result<Vec<Notice>, EngineError> {
        let _noting = self.notices.noting.lock().await;
        let happened = !happenings.is_empty();
        let (notices, waits) = self
            .ledger(move |ledger| {
                let mut post = Post::read(ledger)?;
                let before = post.text();
                let notices = post.told.tell(happenings, now);
                post.take(&notices, &ledger.setup()?.unwrap_or_default(), now);
                let after = post.text();
                let mut values = Vec::new();
                if after != before {
                    values.push((POST, after.as_str()));
                }
                values.extend(with.as_ref().map(|(name, value)| (*name, value.as_str())));
                if !values.is_empty() {
                    ledger.set_values(&values)?;
                }
                Ok((notices, !post.waiting.is_empty()))
            })
            .await?;
        // What the mail server did not take before is tried again after each run.
        if happened && waits {
            self.notices.fresh.store(true, Ordering::Release);
        }
        Ok(notices)
    }

    /// Takes note of how a run ended.
    pub(crate) async fn note_run(
        &self,
        report: &SyncReport,
        now: DateTime<Utc>,
    ) -> Result<Vec<Notice>, EngineError> {
        let mut happenings = Vec::new();
        match (&report.cause, report.outcome) {
            (_, Outcome::Cancelled) => {}
            (None, _) => happenings.push(Happening::Succeeded(None)),
            (Some(cause), _) => {
                let reason = Reason { code: cause.code.clone(), remedy: cause.remedy.clone() };
                happenings.push(Happening::Failed(Failure { job: None, reason, stopped: Vec::new() }));
            }
        }
        for job in &report.jobs {
            match (job.outcome, &job.cause) {
                (Outcome::Failed, Some(cause)) => {
                    let reason = Reason { code: cause.code.clone(), remedy: cause.remedy.clone() };
                    let stopped = self.stopped_files(job).await?;
                    happenings.push(Happening::Failed(Failure { job: Some(job.job), reason, stopped }));
                }
                (Outcome::Succeeded | Outcome::SucceededWithHeldRows, _) => {
                    happenings.push(Happening::Succeeded(Some(job.job)));
                }
                _ => {}
            }
            if job.newly_held > 0 {
                happenings.push(Happening::RowsHeld { job: job.job, rows: job.newly_held });
            }
        }
        self.note(happenings, now, None).await
    }

    /// The files the large-change guard stopped, if it is what made a job fail.
    async fn stopped_files(&self, job: &JobReport) -> Result<Vec<StoppedFile>, EngineError> {
        if job.cause.as_ref().is_none_or(|cause| cause.code != EngineError::LARGE_CHANGE) {
            return Ok(Vec::new());
        }
        let stopped = self.guarded().await?.into_iter().filter(|file| file.job == job.job);
        Ok(stopped
            .map(|file| StoppedFile { id: file.id, name: file.name, before: file.before, now: file.now })
            .collect())
    }

    /// As [`Engine::note`], for what happens beside a run: the desktop shows it when it is next asked to.
    pub(crate) async fn note_beside(
        &self,
        happenings: Vec<Happening>,
        now: DateTime<Utc>,
        with: Option<(&'static str, String)>,
    ) -> Result<(), EngineError> {
        self.notices.keep_unseen(self.note(happenings, now, with).await?);
        Ok(())
    }

    /// Hands on what happened beside a run and was not shown yet.
    pub(crate) fn announce_unseen(&self, on_event: &OnEvent) {
        let unseen = mem::take(&mut *self.notices.unseen.lock().unwrap_or_else(PoisonError::into_inner));
        announce(&unseen, on_event);
    }

    /// Has what was noted sent soon.
    pub(crate) fn wake_sending(&self) {
        if self.notices.fresh.load(Ordering::Acquire) {
            self.notices.wake.notify_one();
        }
    }

    /// Sends mail whenever there is some, and what becomes due in the course of time. Never ends.
    pub async fn send_notices(&self) {
        loop {
            let woken = tokio::time::timeout(TICK, self.notices.wake.notified()).await.is_ok();
            let now = Utc::now();
            let sent = if woken { self.send_waiting(now).await } else { self.send_due_notices(now).await };
            if let Err(error) = sent {
                tracing::warn!(code = error.code(), "what is to be told can't be kept");
            }
        }
    }

    /// Waits, for a while, until what was noted last is sent.
    pub async fn finish_sending(&self) {
        let finish = async {
            if self.notices.fresh.load(Ordering::Acquire) {
                self.send_waiting(Utc::now()).await
            } else {
                // Somebody may be at it.
                drop(self.notices.sending.lock().await);
                Ok(())
            }
        };
        match tokio::time::timeout(FAREWELL, finish).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(code = error.code(), "what is to be told can't be kept"),
            Err(_) => tracing::warn!("the mail server is slow: what is to be told waits for the next time"),
        }
    }

    /// Sends what has become due by `now`: digests, failures that went on, and what the mail server has not taken
    /// yet, unless it was tried a short while ago. That a mail can't be sent is no error here: it waits, and the state
    /// of the profile shows why.
    pub async fn send_due_notices(&self, now: DateTime<Utc>) -> Result<(), EngineError> {
        let notices = self.note(Vec::new(), now, None).await?;
        let nothing_new = notices.is_empty();
        self.notices.keep_unseen(notices);
        let post = self.ledger(Post::read).await?;
        if nothing_new && post.trouble.is_some_and(|trouble| trouble.is_fresh(now)) {
            return Ok(());
        }
        self.send_waiting(now).await
    }

    /// Sends everything that waits: each change of the integration's status by itself, everything else in one mail.
    async fn send_waiting(&self, now: DateTime<Utc>) -> Result<(), EngineError> {
        let _sending = self.notices.sending.lock().await;
        self.notices.fresh.store(false, Ordering::Release);
        let mut sent = false;
        let mut problem = None;
        for status_changes in [true, false] {
            let mut tried = Vec::new();
            loop {
                let setup = self.setup().await?;
                let post = self.ledger(Post::read).await?;
                let waiting = post.next(status_changes, &tried);
                if waiting.is_empty() {
                    break;
                }
                let ids: Vec<u64> = waiting.iter().map(|waiting| waiting.id).collect();
                let to = addressees(&setup, status_changes).to_vec();
                if setup.mail.host.trim().is_empty() || to.is_empty() {
                    // Mail was switched off meanwhile.
                    self.forget_waiting(ids, 0).await?;
                    continue;
                }
                let dropped = if status_changes { 0 } else { post.dropped };
                match self.send_to_all(&setup, &to, &waiting, dropped).await? {
                    Ok(()) => {
                        self.forget_waiting(ids, dropped).await?;
                        sent = true;
                    }
                    Err(refusal) => {
                        let goes_on = !matches!(refusal, Refusal::Altogether(_));
                        let error = refusal.into_error();
                        tracing::warn!(
                            code = error.code(),
                            waiting = post.waiting.len(),
                            "a mail was not sent"
                        );
                        problem.get_or_insert(error.cause());
                        if !goes_on {
                            break;
                        }
                        tried.extend(ids);
                    }
                }
            }
        }
        match problem {
            Some(cause) => self.keep_trouble(Some(cause), now).await,
            None if sent => self.keep_trouble(None, now).await,
            None => self.end_trouble_of_nothing(now).await,
        }
    }

    /// Sends what waits to everybody who has not got it yet. It is sent when the mail server has taken it for somebody
    /// and refuses the others for good; else the inner result is why it goes on waiting.
    async fn send_to_all(
        &self,
        setup: &Setup,
        to: &[String],
        waiting: &[Waiting],
        dropped: u64,
    ) -> Result<Result<(), Refusal>, EngineError> {
        let (mut taken, mut refused, mut problem) = (false, None, None);
        for address in to {
            let news: Vec<Waiting> =
                waiting.iter().filter(|waiting| !waiting.sent_to.contains(address)).cloned().collect();
            if news.is_empty() {
                taken = true;
                continue;
            }
            match self.send_mail(&setup.mail, self.mail(setup, address.clone(), &news, dropped)).await {
                Ok(()) => {
                    taken = true;
                    // With nobody else to go to it is about to be forgotten.
                    if to.len() > 1 {
                        self.mark_sent(news.iter().map(|waiting| waiting.id).collect(), address).await?;
                    }
                }
                Err(Refusal::ForGood(error)) => {
                    tracing::warn!(code = error.code(), "the mail server refuses an addressee");
                    refused.get_or_insert(Refusal::ForGood(error));
                }
                Err(Refusal::ForNow(error)) => {
                    problem.get_or_insert(Refusal::ForNow(error));
                }
                Err(Refusal::Altogether(error)) => return Ok(Err(Refusal::Altogether(error))),
            }
        }
        Ok(match (problem, refused) {
            (Some(refusal), _) => Err(refusal),
            (None, Some(refusal)) if !taken => Err(refusal),
            (None, _) => Ok(()),
        })
    }

    /// With nothing left to send nothing is wrong.
    async fn end_trouble_of_nothing(&self, now: DateTime<Utc>) -> Result<(), EngineError> {
        let post = self.ledger(Post::read).await?;
        if post.trouble.is_some() { self.keep_trouble(None, now).await } else { Ok(()) }
    }

    fn mail(&self, setup: &Setup, to: String, waiting: &[Waiting], dropped: u64) -> Mail {
        let letter = Letter::new(&self.place(setup), waiting, dropped, &Local);
        let id =
            waiting.last().map(|last| format!("{}.{}.{}", self.identity(), last.id, last.at.timestamp()));
        Mail { id, to, text: text::write(&letter), html: html::write(&letter), subject: letter.subject }
    }

    /// Sends everybody who gets reports a mail that only shows that mail arrives. An error is the first addressee's
    /// whom the mail server refuses; the others have got it all the same.
    pub(crate) async fn send_test_letters(&self, setup: &Setup) -> Result<(), EngineError> {
        if setup.mail.to.is_empty() {
            return Err(EngineError::NotSetUp("nobody is named who gets mail"));
        }
        let mut refused = Ok(());
        for address in &setup.mail.to {
            let letter = Letter::test(&self.place(setup));
            let mail = Mail {
                id: None,
                to: address.clone(),
                text: text::write(&letter),
                html: html::write(&letter),
                subject: letter.subject,
            };
            match self.send_mail(&setup.mail, mail).await {
                Ok(()) => {}
                Err(Refusal::Altogether(error)) => return Err(error),
                Err(refusal) => refused = refused.and(Err(refusal.into_error())),
            }
        }
        refused
    }

    fn place(&self, setup: &Setup) -> Place {
        let server = ServerUrl::parse(&setup.powerschool.url);
        Place {
            profile: self.folder.name().to_owned(),
            server: server.map_or_else(|_| String::new(), |url| url.host().to_owned()),
        }
    }

    async fn forget_waiting(&self, ids: Vec<u64>, dropped: u64) -> Result<(), EngineError> {
        self.change_post(move |post| {
            post.waiting.retain(|waiting| !ids.contains(&waiting.id));
            post.dropped = post.dropped.saturating_sub(dropped);
        })
        .await
    }

    async fn mark_sent(&self, ids: Vec<u64>, address: &str) -> Result<(), EngineError> {
        let address = address.to_owned();
        self.change_post(move |post| {
            for waiting in post.waiting.iter_mut().filter(|waiting| ids.contains(&waiting.id)) {
                waiting.sent_to.push(address.clone());
            }
        })
        .await
    }

    async fn keep_trouble(&self, cause: Option<Cause>, now: DateTime<Utc>) -> Result<(), EngineError> {
        self.change_post(move |post| {
            let before = post.trouble.take();
            post.trouble = cause.map(|cause| Trouble {
                cause,
                since: before.as_ref().map_or(now, |trouble| trouble.since),
                tried_at: now,
                tries: before.map_or(1, |trouble| trouble.tries.saturating_add(1)),
            });
        })
        .await
    }

    async fn change_post(&self, change: impl FnOnce(&mut Post) + Send + 'static) -> Result<(), EngineError> {
        let _noting = self.notices.noting.lock().await;
        self.ledger(move |ledger| {
            let mut post = Post::read(ledger)?;
            change(&mut post);
            ledger.set_value(POST, &post.text())
        })
        .await
    }

    /// Why mail does not go out; `None` when it does.
    pub(crate) async fn mail_problem(&self) -> Result<Option<MailProblem>, EngineError> {
        let post = self.ledger(Post::read).await?;
        Ok(post.trouble.map(|trouble| MailProblem {
            cause: trouble.cause,
            since: trouble.since,
            waiting: post.waiting.len() as u64,
            dropped: post.dropped,
        }))
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;
    use rosterbridge_domain::{
        integration::{IntegrationEvent, IntegrationStatus},
        job::Job,
        notice::StatusChange,
    };
    use rstest::rstest;

    use super::*;

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
        Notice::Recovered { job: Some(Job::HeroStudents), failures: 1, since: now() }
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
        post.take(&[status_change(), recovered()], &setup(host, notify, to), now());
        assert_eq!(post.waiting.len(), waiting);
    }

    #[test]
    fn the_newest_wait_and_status_changes_stay_longest() {
        let setup = setup("mail.example.org", &[], &["it@example.org"]);
        let mut post = Post::default();
        post.take(&[status_change()], &setup, now());
        for _ in 0..MOST_WAITING + 4 {
            post.take(&[recovered()], &setup, now());
        }
        assert_eq!((post.waiting.len(), post.dropped), (MOST_WAITING, 5));
        assert_eq!(post.next(true, &[]).len(), 1, "the status change is still there");
        let ids: Vec<u64> = post.next(false, &[]).iter().map(|waiting| waiting.id).collect();
        assert_eq!((ids.first(), ids.last()), (Some(&7), Some(&205)));
    }

    #[test]
    fn a_status_change_is_alone_in_its_mail() {
        let setup = setup("mail.example.org", &[], &["it@example.org"]);
        let mut post = Post::default();
        post.take(&[status_change(), recovered(), status_change(), recovered()], &setup, now());
        assert_eq!((post.next(true, &[]).len(), post.next(false, &[]).len()), (1, 2));
        assert_eq!(post.next(true, &[1])[0].id, 3, "one that was tried keeps no other from being sent");
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
}
