//! How mail gets to the mail server.

use std::{sync::atomic::Ordering, time::Duration};

use chrono::{DateTime, Local, Utc};
use rosterbridge_domain::settings::Setup;
use rosterbridge_powerschool::ServerUrl;

use super::{
    html,
    letter::{Letter, Place},
    post::{Letters, POST, Post, Readers, Trouble, Waiting, addressees, subjects},
    text,
};
use crate::{
    engine::Engine,
    error::EngineError,
    mail::{Mail, Refusal},
    report::{Cause, MailProblem},
};

/// How often is looked whether something has become due.
const TICK: Duration = Duration::from_mins(1);
/// How long the program's end waits for mail that is being sent.
const FAREWELL: Duration = Duration::from_secs(20);

impl Engine {
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
        let notices = self.note(Vec::new(), now, None, None).await?;
        let nothing_new = notices.is_empty() && !self.notices.fresh.load(Ordering::Acquire);
        self.notices.keep_unseen(notices);
        let post = self.ledger(Post::read).await?;
        if nothing_new && post.trouble.is_some_and(|trouble| trouble.is_fresh(now)) {
            return Ok(());
        }
        self.send_waiting(now).await
    }

    /// Sends everything that waits: each change of the integration's status and each completion report by itself, everything
    /// else in one mail.
    async fn send_waiting(&self, now: DateTime<Utc>) -> Result<(), EngineError> {
        let _sending = self.notices.sending.lock().await;
        self.notices.fresh.store(false, Ordering::Release);
        let mut sent = false;
        let mut problem = None;
        for letters in Letters::ALL {
            let mut tried = Vec::new();
            loop {
                let setup = self.setup().await?;
                let post = self.ledger(Post::read).await?;
                let waiting = post.next(letters, &tried);
                let Some(readers) = waiting.first().map(|waiting| Readers::of(&waiting.notice)) else {
                    break;
                };
                let ids: Vec<u64> = waiting.iter().map(|waiting| waiting.id).collect();
                let to = addressees(&setup, readers).to_vec();
                if setup.mail.host.trim().is_empty() || to.is_empty() {
                    // Mail was switched off meanwhile.
                    self.forget_waiting(ids, 0).await?;
                    continue;
                }
                let dropped = if letters == Letters::Everything { post.dropped } else { 0 };
                match self.send_to_all(&setup, &to, &waiting, dropped).await? {
                    Ok(()) => {
                        for (run, kind) in subjects(&waiting) {
                            tracing::info!(run, kind, "a mail was sent");
                        }
                        self.forget_waiting(ids, dropped).await?;
                        sent = true;
                    }
                    Err(refusal) => {
                        let goes_on = !matches!(refusal, Refusal::Altogether(_));
                        let error = refusal.into_error();
                        for (run, kind) in subjects(&waiting) {
                            let (code, waiting) = (error.code(), post.waiting.len());
                            tracing::warn!(code, waiting, run, kind, "a mail was not sent");
                        }
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
                    for (run, kind) in subjects(&news) {
                        tracing::warn!(
                            code = error.code(),
                            run,
                            kind,
                            "the mail server refuses an addressee"
                        );
                    }
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

    /// Sends each of them a mail that only shows that mail arrives. An error is the first addressee's
    /// whom the mail server refuses; the others have got it all the same.
    pub(crate) async fn send_test_letters(&self, setup: &Setup, to: &[String]) -> Result<(), EngineError> {
        if to.is_empty() {
            return Err(EngineError::NotSetUp("nobody is named who gets mail"));
        }
        let mut refused = Ok(());
        for address in to {
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
