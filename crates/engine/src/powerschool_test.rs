//! The connection test of PowerSchool: what a person entered, the keychain, then the network stage by stage.

mod queue;
mod text;
mod trust;
mod views;

use std::time::Instant;

use chrono::{DateTime, Utc};
use rosterbridge_domain::{job::Job, settings::Setup};
use rosterbridge_powerschool::{Findings, KnownPlugin, StageEvent, StageName, TestPlan};
use rosterbridge_vault::SecretName;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub(crate) use queue::Queue;
pub(crate) use views::level;

use crate::{
    connections::powerschool_timeouts,
    engine::Engine,
    error::EngineError,
    report::{Cause, PowerSchoolTest, StageReport, StageResult, TestReport},
};

/// Names of the ledger's single values about tests.
mod value {
    /// The latest test, as JSON.
    pub(super) const LAST: &str = "powerschool.test.last";
    /// Set while a test waits for the server.
    pub(super) const WAITING: &str = "powerschool.test.waiting";
    /// The plugin the profile last signed in with, as JSON.
    pub(super) const KNOWN: &str = "powerschool.plugin.known";
}

/// The plugin a sign-in last worked with: tells a reinstalled plugin from mistyped credentials.
#[derive(Serialize, Deserialize)]
struct Known {
    client_id: String,
    /// SHA256 of the secret: tells a replaced secret from one mistyped since.
    secret_sha256: String,
    plugin_id: i64,
    last_worked: DateTime<Utc>,
}

/// What the stages that need no network found out.
struct Local {
    stages: Vec<StageReport>,
    /// The secret, where both stages passed.
    client_secret: Option<SecretString>,
}

impl Engine {
    /// Tests PowerSchool, and keeps the result as the profile's latest. With `offline` only what needs no network is
    /// tested; the rest waits for the server, unless what was tested is wrong.
    pub async fn test_powerschool(
        &self,
        offline: bool,
        mut on_stage: impl FnMut(StageReport) + Send,
    ) -> Result<PowerSchoolTest, EngineError> {
        let cancelled = self.test_token();
        let queue = self.queue.subscribe();
        let testing = async {
            if offline {
                return Ok((self.queue_test(&mut on_stage).await?, false));
            }
            let test = self.whole_test(&mut on_stage).await?;
            let comes_back = self.is_test_waiting() && self.comes_back(&test.report).await;
            Ok::<_, EngineError>((test, comes_back))
        };
        let (mut test, comes_back) = tokio::select! {
            test = testing => test?,
            () = cancelled.cancelled() => return Err(EngineError::TestCancelled),
        };
        let _concluding = self.concluding.lock().await;
        if cancelled.is_cancelled() {
            return Err(EngineError::TestCancelled);
        }
        if !offline {
            // One that was put on the list while this one was made is about newer input.
            let asked_since = queue.has_changed().unwrap_or(false);
            test.waiting = self.is_test_waiting() && (comes_back || asked_since);
        }
        self.keep_test(&mut test).await?;
        if offline {
            if test.waiting {
                self.set_waiting(true).await?;
            }
        } else if !test.waiting {
            // What waited to be found out is known now.
            self.set_waiting(false).await?;
        }
        Ok(test)
    }

    /// The latest test.
    pub async fn last_test(&self) -> Result<Option<PowerSchoolTest>, EngineError> {
        let text = self.ledger(|ledger| ledger.value(value::LAST)).await?;
        // One that another version wrote in another form is as good as none.
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
    }

    /// Forgets the latest test, since it was of another plugin than the one there is now. One that waits is still to
    /// be made.
    pub(crate) async fn forget_test(&self) -> Result<(), EngineError> {
        let _concluding = self.concluding.lock().await;
        if self.is_test_waiting() {
            return Ok(());
        }
        self.ledger(|ledger| ledger.set_value(value::LAST, "")).await
    }

    /// Keeps a test as the latest, with its text.
    async fn keep_test(&self, test: &mut PowerSchoolTest) -> Result<(), EngineError> {
        test.text = text::text(test);
        let text = serde_json::to_string(test).unwrap_or_default();
        self.ledger(move |ledger| ledger.set_value(value::LAST, &text)).await
    }

    /// Every stage.
    async fn whole_test(
        &self,
        on_stage: &mut (impl FnMut(StageReport) + Send),
    ) -> Result<PowerSchoolTest, EngineError> {
        let setup = self.setup().await?;
        let local = self.local_stages(&setup, on_stage).await?;
        let Some(client_secret) = local.client_secret else {
            return Ok(with_rest(local.stages, &StageResult::Skipped, "", on_stage));
        };
        let connection = rosterbridge_powerschool::Connection::from_settings(
            &setup.powerschool,
            client_secret,
            self.secret(SecretName::ProxyPassword).await?,
            powerschool_timeouts(&setup),
        )?;
        let credentials = Credentials::of(&connection);
        let known = self.known_plugin(&credentials).await?;
        let plan = TestPlan {
            connection,
            jobs: jobs(&setup),
            check_clock: !self.is_at_practice_address().await?,
            known,
        };
        let mut stages = local.stages;
        let findings = rosterbridge_powerschool::test_connection(plan, |event| match event {
            StageEvent::Began(name) => on_stage(running(name)),
            StageEvent::Ended(stage) => {
                let report = views::stage(stage);
                on_stage(report.clone());
                stages.push(report);
            }
        })
        .await;
        if let Some(plugin_id) = signed_in(&findings) {
            self.remember_plugin(&credentials, plugin_id).await?;
        }
        Ok(PowerSchoolTest {
            report: report(stages),
            tested_at: Utc::now(),
            server: findings.server.as_ref().map(views::server),
            certificates: findings.certificates.iter().map(views::certificate).collect(),
            access: views::access(&findings.access),
            queries: findings.queries.iter().map(views::query).collect(),
            waiting: false,
            text: String::new(),
        })
    }

    /// The stages that need no network; those that do wait.
    async fn queue_test(
        &self,
        on_stage: &mut (impl FnMut(StageReport) + Send),
    ) -> Result<PowerSchoolTest, EngineError> {
        let setup = self.setup().await?;
        let local = self.local_stages(&setup, on_stage).await?;
        if local.client_secret.is_none() {
            return Ok(with_rest(local.stages, &StageResult::Skipped, "", on_stage));
        }
        let detail = "runs by itself when the server can be reached";
        let mut test = with_rest(local.stages, &StageResult::Waiting, detail, on_stage);
        test.waiting = true;
        Ok(test)
    }

    /// Input and keychain.
    async fn local_stages(
        &self,
        setup: &Setup,
        on_stage: &mut (impl FnMut(StageReport) + Send),
    ) -> Result<Local, EngineError> {
        let mut local = Local { stages: Vec::new(), client_secret: None };
        let started = Instant::now();
        on_stage(running(StageName::Input));
        // A keychain that does not answer is the next stage's affair.
        let (client_secret, keychain) = match self.secret(SecretName::PowerSchoolClientSecret).await {
            Ok(secret) => (secret, Ok(())),
            Err(error @ EngineError::Vault(_)) => (None, Err(error)),
            Err(other) => return Err(other),
        };
        let input = check_input(setup, client_secret.as_ref(), keychain.is_ok());
        let failed = matches!(input.0, StageResult::Failed(_));
        local.end(StageName::Input, input, started, on_stage);
        if failed {
            return Ok(local);
        }

        let started = Instant::now();
        on_stage(running(StageName::Keychain));
        let trip = match keychain {
            Ok(()) => self.probe_keychain().await,
            Err(error) => Err(error),
        };
        let outcome = match &trip {
            Ok(()) => (StageResult::Passed, "An entry was written, read back and deleted.".to_owned()),
            Err(error) => (StageResult::Failed(error.cause()), String::new()),
        };
        local.end(StageName::Keychain, outcome, started, on_stage);
        if trip.is_ok() {
            local.client_secret = client_secret;
        }
        Ok(local)
    }

    /// The plugin a sign-in last worked with. Another secret than then is not one that has worked, so no Client ID
    /// counts as known with it.
    async fn known_plugin(&self, credentials: &Credentials) -> Result<Option<KnownPlugin>, EngineError> {
        let text = self.ledger(|ledger| ledger.value(value::KNOWN)).await?;
        let known: Option<Known> = text.and_then(|text| serde_json::from_str(&text).ok());
        Ok(known.map(|known| KnownPlugin {
            client_id: if known.secret_sha256 == credentials.secret_sha256 {
                known.client_id
            } else {
                String::new()
            },
            plugin_id: known.plugin_id,
            last_worked: known.last_worked,
        }))
    }

    /// What a refused sign-in means: credentials that have worked before were replaced since.
    pub(crate) async fn refused_credentials(
        &self,
        credentials: &Credentials,
    ) -> Result<rosterbridge_powerschool::Error, EngineError> {
        Ok(match self.known_plugin(credentials).await? {
            Some(known) if known.client_id.eq_ignore_ascii_case(&credentials.client_id) => {
                rosterbridge_powerschool::Error::CredentialsReplaced { last_worked: known.last_worked }
            }
            _ => rosterbridge_powerschool::Error::BadCredentials,
        })
    }

    /// Remembers which plugin a sign-in worked with just now.
    pub(crate) async fn remember_plugin(
        &self,
        credentials: &Credentials,
        plugin_id: i64,
    ) -> Result<(), EngineError> {
        let Credentials { client_id, secret_sha256 } = credentials.clone();
        let known = Known { client_id, secret_sha256, plugin_id, last_worked: Utc::now() };
        let text = serde_json::to_string(&known).unwrap_or_default();
        self.ledger(move |ledger| ledger.set_value(value::KNOWN, &text)).await
    }
}

/// What a connection signs in with, as far as it is remembered.
#[derive(Clone)]
pub(crate) struct Credentials {
    client_id: String,
    secret_sha256: String,
}

impl Credentials {
    pub(crate) fn of(connection: &rosterbridge_powerschool::Connection) -> Self {
        Self {
            client_id: connection.client_id.to_string(),
            secret_sha256: hex::encode(Sha256::digest(connection.client_secret.expose_secret())),
        }
    }
}

/// The plugin a test signed in with, if it got that far.
fn signed_in(findings: &Findings) -> Option<i64> {
    let known = findings.stages.iter().any(|stage| {
        stage.name == StageName::Plugin
            && matches!(
                stage.outcome,
                rosterbridge_powerschool::Outcome::Passed | rosterbridge_powerschool::Outcome::Warned { .. }
            )
    });
    findings.server.as_ref().and_then(|server| server.plugin_id).filter(|_| known)
}

impl Local {
    fn end(
        &mut self,
        name: StageName,
        (result, detail): (StageResult, String),
        started: Instant,
        on_stage: &mut (impl FnMut(StageReport) + Send),
    ) {
        let millis = crate::diagnosis::millis(started);
        let stage = StageReport { name: name.title().to_owned(), result, detail, millis };
        on_stage(stage.clone());
        self.stages.push(stage);
    }
}

/// The exchanges a test is about: the chosen ones, and those that are switched on. Where nobody has chosen any, nor
/// written a plugin, those that are switched on are all that is known to be wanted.
fn jobs(setup: &Setup) -> Vec<Job> {
    let plugin = &setup.powerschool.plugin;
    let undecided = plugin.revision == 0 && plugin.wanted.is_none();
    let enabled = setup.enabled_exchanges();
    let chosen = if undecided && !enabled.is_empty() { &[] } else { plugin.chosen() };
    Job::ALL.into_iter().filter(|job| chosen.contains(job) || enabled.contains(job)).collect()
}

/// Everything that is wrong with what was entered, as one result.
fn check_input(
    setup: &Setup,
    client_secret: Option<&SecretString>,
    keychain_answers: bool,
) -> (StageResult, String) {
    let settings = &setup.powerschool;
    if settings.url.trim().is_empty() {
        let error = EngineError::NotSetUp("PowerSchool's address and credentials are not set up yet");
        return (StageResult::Failed(error.cause()), String::new());
    }
    let missing = client_secret.is_none() && keychain_answers;
    let missing = missing.then(|| EngineError::SecretMissing(SecretName::PowerSchoolClientSecret).cause());
    match rosterbridge_powerschool::check_input(settings, client_secret) {
        Ok(url) => match missing {
            Some(cause) => (StageResult::Failed(cause), String::new()),
            None => (StageResult::Passed, url.to_string()),
        },
        Err(errors) => {
            let causes = errors.into_iter().map(|error| EngineError::from(error).cause()).chain(missing);
            (StageResult::Failed(joined(&causes.collect::<Vec<_>>())), String::new())
        }
    }
}

/// Several causes told as one, under the first one's code.
fn joined(causes: &[Cause]) -> Cause {
    let text = |part: fn(&Cause) -> &str| {
        let mut parts: Vec<&str> = causes.iter().map(part).collect();
        parts.dedup();
        parts.join(" ")
    };
    Cause {
        code: causes.first().map(|cause| cause.code.clone()).unwrap_or_default(),
        message: text(|cause| &cause.message),
        remedy: text(|cause| &cause.remedy),
    }
}

/// A test that ended with the given stages; all others have the result `rest`.
fn with_rest(
    mut stages: Vec<StageReport>,
    rest: &StageResult,
    detail: &str,
    on_stage: &mut (impl FnMut(StageReport) + Send),
) -> PowerSchoolTest {
    let local = [StageName::Input, StageName::Keychain].into_iter();
    for name in local.chain(StageName::NETWORK).skip(stages.len()) {
        let stage = StageReport {
            name: name.title().to_owned(),
            result: rest.clone(),
            detail: detail.to_owned(),
            millis: 0,
        };
        on_stage(stage.clone());
        stages.push(stage);
    }
    PowerSchoolTest {
        report: report(stages),
        tested_at: Utc::now(),
        server: None,
        certificates: Vec::new(),
        access: Vec::new(),
        queries: Vec::new(),
        waiting: false,
        text: String::new(),
    }
}

fn running(name: StageName) -> StageReport {
    StageReport {
        name: name.title().to_owned(),
        result: StageResult::Running,
        detail: String::new(),
        millis: 0,
    }
}

fn report(stages: Vec<StageReport>) -> TestReport {
    let passed = !stages.iter().any(|stage| matches!(stage.result, StageResult::Failed(_)));
    TestReport { passed, stages }
}

#[cfg(test)]
mod tests {
    use rosterbridge_domain::settings::{JobSettings, PluginSettings};
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::nothing_is_known(PluginSettings::default(), &[], &Job::ALL)]
    #[case::only_switched_on(PluginSettings::default(), &[Job::HeroStudents], &[Job::HeroStudents])]
    #[case::written(
        PluginSettings { jobs: vec![Job::HeroTeachers], wanted: None, revision: 1 },
        &[Job::HeroStudents],
        &[Job::HeroStudents, Job::HeroTeachers]
    )]
    #[case::chosen_since(
        PluginSettings { wanted: Some(vec![Job::RaptorRoster]), ..PluginSettings::default() },
        &[],
        &[Job::RaptorRoster]
    )]
    #[case::chosen_after_it_was_written(
        PluginSettings { jobs: vec![Job::HeroTeachers], wanted: Some(vec![Job::RaptorRoster]), revision: 2 },
        &[Job::HeroStudents],
        &[Job::HeroStudents, Job::RaptorRoster]
    )]
    fn a_test_is_about_what_is_wanted(
        #[case] plugin: PluginSettings,
        #[case] enabled: &[Job],
        #[case] expected: &[Job],
    ) {
        let jobs_enabled = enabled
            .iter()
            .map(|job| JobSettings { job: (*job).into(), enabled: true, schedule: None })
            .collect();
        let mut setup = Setup { jobs: jobs_enabled, ..Setup::default() };
        setup.powerschool.plugin = plugin;
        assert_eq!(jobs(&setup), expected);
    }
}
