//! What the Raptor integration does by itself: full synchronizations in its window, and looks at PowerSchool for updates.
//! What is due is [`rosterbridge_domain::following`]'s to say; here it is carried out.

use std::{
    ops::ControlFlow,
    sync::{Arc, PoisonError},
};

use chrono::{DateTime, Utc};
use rosterbridge_domain::{
    following::{Following, Step},
    integration::{IntegrationEvent, IntegrationStatus},
    job::{Job, JobId},
    retry::{Circuit, Remote},
    settings::Setup,
};
use rosterbridge_store::{
    Roster, StoreError,
    ledger::{RunId, Trigger},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    engine::{Engine, blocking},
    error::EngineError,
    integration::{Incident, taking_part},
    notices::announce,
    report::Cause,
    run::OnEvent,
    scheduler::POWERSCHOOL,
    school_year::Sent,
};

/// The ledger's value that holds what was done in the window.
pub(crate) const FOLLOWING: &str = "raptor_following";

/// What moves the status where an update can't be read.
pub(crate) const NOT_FETCHED: &str = "An update could not be fetched from PowerSchool.";

/// The ledger's value that holds [`Followed`].
const FOLLOWED: &str = "raptor_followed";

/// What the rosters that Raptor has, or that were stopped last, were made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Followed {
    /// The reading of PowerSchool: as long as it is the same, nothing of it is new.
    reading: Option<String>,
    /// A digest of the set-up, and of what a person has let go out.
    settings: String,
    /// A digest of the students in the rosters; absent where nobody needed to know it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    students: Option<String>,
}

impl Followed {
    /// Whether this is something else than `before`, so that there is something to send.
    fn is_new_after(&self, before: &Self) -> bool {
        let same_reading = self.reading.is_some() && self.reading == before.reading;
        let same_students = self.students.is_some() && self.students == before.students;
        self.settings != before.settings || !(same_reading || same_students)
    }
}

/// An attempt that is about to begin.
pub(crate) struct Attempt {
    /// What is kept should nothing come of it.
    before: Following,
}

impl Engine {
    /// What the integration is to do at `now`. That the window has closed is dealt with at once.
    pub(crate) async fn raptor_step(
        &self,
        setup: &Setup,
        now: DateTime<Utc>,
        on_event: &OnEvent,
    ) -> Result<Step, EngineError> {
        if !setup.raptor.enabled || !setup.job_enabled(JobId::RAPTOR_ROSTER) {
            return Ok(Step::Wait(None));
        }
        let before = self.following().await?;
        let mut following = before.clone();
        let mut step = following.step(self.raptor_status().await?, &setup.raptor, now);
        if step == Step::Close {
            following.close();
            let because = "The window closed, and no attempt in it had succeeded.";
            let incident = Incident::new(IntegrationEvent::WindowClosed, because);
            let notices = self.raptor_event(incident, now, vec![(FOLLOWING, text(&following))]).await?;
            announce(&notices, on_event);
            self.wake_sending();
            let kept = following.clone();
            step = following.step(self.raptor_status().await?, &setup.raptor, now);
            if following != kept {
                self.keep_following(&following).await?;
            }
        } else if following != before {
            self.keep_following(&following).await?;
        }
        Ok(step)
    }

    /// When the integration does something by itself, from `from` on; `None` while it does nothing.
    pub(crate) async fn next_raptor_step(
        &self,
        setup: &Setup,
        from: DateTime<Utc>,
    ) -> Result<Option<DateTime<Utc>>, EngineError> {
        if !setup.raptor.enabled || !setup.job_enabled(JobId::RAPTOR_ROSTER) {
            return Ok(None);
        }
        Ok(match self.following().await?.step(self.raptor_status().await?, &setup.raptor, from) {
            Step::Wait(next) => next,
            Step::Close | Step::Open(_) | Step::Attempt | Step::Look => Some(from),
        })
    }

    /// Notes that an attempt begins, before anything is done; `None` where there is none to begin.
    pub(crate) async fn begin_attempt(
        &self,
        step: Step,
        now: DateTime<Utc>,
        on_event: &OnEvent,
    ) -> Result<Option<Attempt>, EngineError> {
        let mut following = self.following().await?;
        if let Step::Open(opening) = step {
            following.open(opening);
        }
        let before = following.clone();
        following.attempt(now);
        match step {
            Step::Wait(_) | Step::Close | Step::Look => return Ok(None),
            Step::Attempt => self.keep_following(&following).await?,
            Step::Open(_) => {
                let incident =
                    Incident::new(IntegrationEvent::WindowOpened, "The integration window is open.");
                let notices = self.raptor_event(incident, now, vec![(FOLLOWING, text(&following))]).await?;
                announce(&notices, on_event);
                self.wake_sending();
            }
        }
        Ok(Some(Attempt { before }))
    }

    /// Puts off what can't be done now. A look has its next time; an attempt is asked for as long as the window is open.
    pub(crate) async fn put_off(&self, step: Step, now: DateTime<Utc>) -> Result<(), EngineError> {
        if step != Step::Look {
            return Ok(());
        }
        let mut following = self.following().await?;
        following.look(now);
        self.keep_following(&following).await
    }

    /// Takes an attempt back that did not come about.
    pub(crate) async fn withdraw_attempt(&self, attempt: &Attempt) -> Result<(), EngineError> {
        self.keep_following(&attempt.before).await
    }

    /// Looks at PowerSchool, and has the rosters sent if anything is new; the jobs that ran. What can't be looked at moves
    /// the status.
    pub(crate) async fn look_for_updates(
        self: &Arc<Self>,
        setup: &Setup,
        now: DateTime<Utc>,
        on_event: &OnEvent,
    ) -> Result<Vec<JobId>, EngineError> {
        let before = self.following().await?;
        let mut following = before.clone();
        // Known before anything is done: a look that takes the program with it must not do so for ever.
        following.look(now);
        self.keep_following(&following).await?;
        let looked = match self.look_between_runs(setup, now, on_event).await {
            // The run that was faster looks as well, and a person's stop says nothing about the integration.
            Ok(None) | Err(EngineError::Cancelled) => {
                self.keep_following(&before).await?;
                return Ok(Vec::new());
            }
            Ok(Some(pull)) => match pull.refused.get(&Job::RaptorRoster) {
                Some(refused) => Err(EngineError::from(refused.clone())),
                None => Ok(pull.roster),
            },
            Err(error) => Err(error),
        };
        let roster = match looked {
            Ok(roster) => roster,
            Err(error) => {
                self.miss_look(&error, now);
                let because = "PowerSchool was looked at for updates, and that failed.";
                self.raptor_failed(IntegrationEvent::FetchFailed, because, &error, None, now, on_event)
                    .await?;
                return Ok(Vec::new());
            }
        };
        self.circuits.lock().unwrap_or_else(PoisonError::into_inner).insert(POWERSCHOOL, Circuit::default());
        let kept = following.clone();
        following.looked(roster.state().is_none_or(|state| state.versions.is_empty()));
        if following != kept {
            self.keep_following(&following).await?;
        }
        let before = self.followed().await?;
        let mut found = self.at_hand(&roster, setup, now).await?;
        if before.as_ref().is_some_and(|before| !found.is_new_after(before)) {
            return Ok(Vec::new());
        }
        // What is new may be of classes, or of schools that have no building.
        found.students = Some(students_digest(Arc::clone(&roster), setup.clone()).await?);
        // Windows replaces no file that is open: the roster is let go of before the run.
        drop(roster);
        if before.is_some_and(|before| !found.is_new_after(&before)) {
            self.keep_followed(&found).await?;
            return Ok(Vec::new());
        }
        let because = "PowerSchool was looked at for updates, and something is new.";
        let incident = Incident::new(IntegrationEvent::FetchSucceeded, because);
        announce(&self.raptor_event(incident, now, Vec::new()).await?, on_event);
        let jobs = vec![JobId::RAPTOR_ROSTER];
        let ran = match self.run_jobs(jobs.clone(), Trigger::Schedule, Arc::clone(on_event)).await {
            Ok(ran) => ran,
            // A person was faster: after their run there may be nothing left to do.
            Err(EngineError::Busy) => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        self.follow_circuits(setup, &ran, now);
        let stopped = |cause: &Cause| cause.code == EngineError::LARGE_CHANGE;
        let waits = ran.report.jobs.iter().any(|job| job.cause.as_ref().is_some_and(stopped));
        // What waits for a person would only stop again. What failed is tried again at the next look, and what was sent
        // may be of a later reading than the one at hand.
        let failed = ran.failures.contains_key(&JobId::RAPTOR_ROSTER);
        if waits || (!failed && self.followed().await?.is_some_and(|sent| sent.reading == found.reading)) {
            found.settings = self.followed_settings(setup, now).await?;
            self.keep_followed(&found).await?;
        }
        Ok(jobs)
    }

    /// Notes that the rosters Raptor has are made from this.
    pub(crate) async fn remember_followed(
        &self,
        roster: &Roster,
        setup: &Setup,
        now: DateTime<Utc>,
    ) -> Result<(), EngineError> {
        let sent = self.at_hand(roster, setup, now).await?;
        if self
            .followed()
            .await?
            .is_some_and(|before| before.reading.is_some() && !sent.is_new_after(&before))
        {
            return Ok(());
        }
        self.keep_followed(&sent).await
    }

    /// What the rosters are made from now, as far as it is known without looking at the students.
    async fn at_hand(
        &self,
        roster: &Roster,
        setup: &Setup,
        now: DateTime<Utc>,
    ) -> Result<Followed, EngineError> {
        let reading = roster.content().map(str::to_owned);
        Ok(Followed { reading, settings: self.followed_settings(setup, now).await?, students: None })
    }

    async fn followed_settings(&self, setup: &Setup, now: DateTime<Utc>) -> Result<String, EngineError> {
        let raptor = &setup.raptor;
        let settings = serde_json::json!({
            "program": env!("CARGO_PKG_VERSION"),
            "summer": setup.summer,
            "buildings": setup.mappings.buildings,
            "roster": raptor.roster,
            "folder": raptor.folder,
            "connection": crate::raptor::destination_name(setup),
            "accepted": self.accepted(JobId::RAPTOR_ROSTER, now).await?,
        });
        Ok(hex::encode(Sha256::digest(settings.to_string())))
    }

    async fn followed(&self) -> Result<Option<Followed>, EngineError> {
        let text = self.ledger(|ledger| ledger.value(FOLLOWED)).await?.unwrap_or_default();
        Ok(serde_json::from_str(&text).ok())
    }

    async fn keep_followed(&self, followed: &Followed) -> Result<(), EngineError> {
        let text = serde_json::to_string(followed).unwrap_or_default();
        self.ledger(move |ledger| ledger.set_value(FOLLOWED, &text)).await
    }

    /// A scheduled run did not come to the roster.
    pub(crate) async fn raptor_not_reached(&self, error: &EngineError, run: RunId, on_event: &OnEvent) {
        if matches!(error, EngineError::Cancelled) {
            return;
        }
        let moved = async {
            let unreadable = matches!(error, EngineError::PowerSchool(_));
            let (event, because) = match self.raptor_status().await? {
                IntegrationStatus::Synchronizing if unreadable => {
                    (IntegrationEvent::FetchFailed, NOT_FETCHED)
                }
                IntegrationStatus::Synchronizing => (
                    IntegrationEvent::FetchFailed,
                    "An update could not be followed: the run broke off before the roster was done.",
                ),
                _ if unreadable => (
                    IntegrationEvent::SyncFailed,
                    "A full synchronization failed: PowerSchool could not be read.",
                ),
                _ => (
                    IntegrationEvent::SyncFailed,
                    "A full synchronization failed: the run broke off before the roster was done.",
                ),
            };
            self.raptor_failed(event, because, error, Some(run), Utc::now(), on_event).await
        };
        // The run has its end all the same.
        if let Err(error) = moved.await {
            tracing::error!(code = error.code(), "the Raptor integration's status could not be moved");
        }
    }

    async fn raptor_failed(
        &self,
        event: IntegrationEvent,
        because: &str,
        error: &EngineError,
        run: Option<RunId>,
        now: DateTime<Utc>,
        on_event: &OnEvent,
    ) -> Result<(), EngineError> {
        let incident = Incident { event, because, error: Some(error), run };
        announce(&self.raptor_event(incident, now, Vec::new()).await?, on_event);
        self.wake_sending();
        Ok(())
    }

    /// Lets a look that failed open PowerSchool's circuit, as a run would.
    fn miss_look(&self, error: &EngineError, now: DateTime<Utc>) {
        if error.remote() == Some(Remote::PowerSchool) {
            let mut circuits = self.circuits.lock().unwrap_or_else(PoisonError::into_inner);
            let circuit = circuits.entry(POWERSCHOOL).or_default();
            *circuit = circuit.missed(now, error.retry_after(), crate::scheduler::chance());
        }
    }

    async fn following(&self) -> Result<Following, EngineError> {
        let text = self.ledger(|ledger| ledger.value(FOLLOWING)).await?;
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
    }

    async fn keep_following(&self, following: &Following) -> Result<(), EngineError> {
        let text = text(following);
        self.ledger(move |ledger| ledger.set_value(FOLLOWING, &text)).await
    }
}

/// A digest of all that a roster can hold of the students in it.
async fn students_digest(roster: Arc<Roster>, setup: Setup) -> Result<String, EngineError> {
    blocking(move || {
        let sent = Sent::of(&roster, setup.summer)?;
        let taking_part = taking_part(&setup);
        let mut digest = Sha256::new();
        roster.for_each_student(|student| -> Result<_, StoreError> {
            if taking_part.contains_key(&student.school) && sent.counts(student) {
                let values = (
                    (student.number, student.school, student.grade_level, student.dob),
                    (&student.first_name, &student.middle_name, &student.last_name),
                    (&student.home_room, &student.guardian_email, &student.home_phone),
                );
                // As it is printed, each text is quoted: no two students come to the same.
                digest.update(format!("{values:?}"));
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(hex::encode(digest.finalize()))
    })
    .await
}

fn text(following: &Following) -> String {
    serde_json::to_string(following).unwrap_or_default()
}
