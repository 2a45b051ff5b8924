//! A profile's engine: its databases, its secrets, and the one run that may be under way.

use std::{
    sync::{Arc, Mutex, PoisonError, atomic::AtomicBool},
    time::Instant,
};

use chrono::Utc;
use rosterbridge_domain::{
    mapping::problems,
    schedule::Pause,
    settings::{HeroAccount, Setup},
};
use rosterbridge_powerschool::ServerUrl;
use rosterbridge_store::{Ledger, Roster, StoreError};
use rosterbridge_vault::{LONGEST_KEYCHAIN_VALUE, ProfileKey, SealedSecret, SecretName, Vault};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    care::{self, Household},
    diagnosis::usable_destinations,
    error::EngineError,
    hand_over::{Confirmations, keep_owners},
    hero, integration,
    notices::NoticeDesk,
    powerschool_test::Queue,
    profile::{ProfileFolder, ProfileLock},
    raptor::ExchangeWatch,
    report::{Cause, SecretState},
    scheduler::Circuits,
    school_year::SCHOOL_YEAR,
    transfers::Transfers,
};

/// Names of the ledger's single values.
mod value {
    /// The address of the practice PowerSchool the profile was set up for.
    pub(super) const PRACTICE: &str = "practice";
    /// The district the profile's outbox and history belong to.
    pub(super) const DISTRICT: &str = "district.uuid";
    /// Set while scheduled runs are paused.
    pub(super) const PAUSED: &str = "paused";
}

/// The engine of one profile. The process that has it holds the profile's lock.
pub struct Engine {
    pub(crate) folder: ProfileFolder,
    profile: Uuid,
    vault: Vault,
    key: ProfileKey,
    ledger: Arc<Ledger>,
    running: Mutex<Option<Running>>,
    /// When this process opened the profile.
    pub(crate) opened: Instant,
    /// Cancelled to stop the tests of PowerSchool under way; then the next ones get another.
    pub(crate) testing: Mutex<CancellationToken>,
    /// The test of PowerSchool that waits for the server.
    pub(crate) queue: watch::Sender<Queue>,
    /// What it waits for, once it is known.
    pub(crate) obstacle: watch::Sender<Option<Cause>>,
    /// Held while a test's result is kept and the waiting list follows it: a test that waits may end while another one
    /// is asked for.
    pub(crate) concluding: tokio::sync::Mutex<()>,
    /// Held by the one pull that may fill a new roster file.
    pub(crate) pulling: Arc<tokio::sync::Mutex<()>>,
    /// Who is being told what.
    pub(crate) notices: NoticeDesk,
    /// Set once the program is to stop: what is cancelled from then on is not dealt with.
    pub(crate) stopping: AtomicBool,
    /// Which remote systems the schedule leaves alone for now.
    pub(crate) circuits: Mutex<Circuits>,
    /// What is known of the exchange folder between two runs.
    pub(crate) exchange: ExchangeWatch,
    /// Held while the Raptor integration's status moves.
    pub(crate) moving_status: tokio::sync::Mutex<()>,
    /// Held while it is looked from outside what PowerSchool sends.
    pub(crate) watching: tokio::sync::Mutex<()>,
    /// Held while PowerSchool is looked at between runs.
    pub(crate) looking: tokio::sync::Mutex<()>,
    /// Held while what is configured is read and replaced as one.
    pub(crate) saving_setup: tokio::sync::Mutex<()>,
    /// The sessions that managed connections have open.
    pub(crate) transfers: Transfers,
    /// Cancelled to stop the tests of managed connections under way; then the next ones get another.
    pub(crate) testing_connections: Mutex<CancellationToken>,
    /// What housekeeping keeps in mind.
    pub(crate) house: Household,
    _lock: ProfileLock,
}

/// The run under way.
#[derive(Debug)]
struct Running {
    id: String,
    /// Whether it only looks at PowerSchool, and gives way to everything else.
    looks: bool,
    cancel: CancellationToken,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("profile", &self.folder.name()).finish_non_exhaustive()
    }
}

impl Engine {
    /// Opens the profile's databases with the key from the keychain; both are made for a new profile. Runs that an
    /// earlier process left unfinished are recorded as interrupted. The newest usable backup takes the place of a damaged
    /// ledger.
    pub async fn open(folder: ProfileFolder, lock: ProfileLock) -> Result<Self, EngineError> {
        let profile = folder.identity()?;
        let vault = Vault::open(profile).await?;
        let path = folder.ledger();
        let key = vault.profile_key(!Ledger::was_at(&path)?).await?;
        let bytes = *key.expose();
        let ledger = blocking(move || Ok(care::open_ledger(&path, &bytes, Utc::now())?)).await?;
        let engine = Self {
            folder,
            profile,
            vault,
            key,
            ledger: Arc::new(ledger),
            running: Mutex::new(None),
            opened: Instant::now(),
            testing: Mutex::default(),
            queue: watch::Sender::new(Queue::Empty),
            obstacle: watch::Sender::new(None),
            concluding: tokio::sync::Mutex::default(),
            pulling: Arc::default(),
            notices: NoticeDesk::default(),
            stopping: AtomicBool::new(false),
            circuits: Mutex::default(),
            exchange: ExchangeWatch::default(),
            moving_status: tokio::sync::Mutex::default(),
            watching: tokio::sync::Mutex::default(),
            looking: tokio::sync::Mutex::default(),
            saving_setup: tokio::sync::Mutex::default(),
            transfers: Transfers::default(),
            testing_connections: Mutex::default(),
            house: Household::default(),
            _lock: lock,
        };
        engine.recall_what_was_told().await?;
        engine.tell_restoration(Utc::now()).await?;
        engine.tell_runs_cut_off(Utc::now()).await?;
        engine.pause_unreadable(Utc::now()).await?;
        engine.restore_queue().await?;
        Ok(engine)
    }

    /// The profile's name.
    pub fn profile_name(&self) -> &str {
        self.folder.name()
    }

    /// Names the profile, whatever it is called.
    pub(crate) fn identity(&self) -> Uuid {
        self.profile
    }

    /// Works on the ledger aside, since it blocks.
    pub(crate) async fn ledger<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Ledger) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, EngineError> {
        let (ledger, span) = (Arc::clone(&self.ledger), tracing::Span::current());
        Ok(tokio::task::spawn_blocking(move || span.in_scope(|| work(&ledger))).await??)
    }

    /// Gives back the memory a run has taken. Aside: nobody has to wait for it.
    pub(crate) fn give_back_memory(&self) {
        let ledger = Arc::clone(&self.ledger);
        drop(tokio::task::spawn_blocking(move || {
            ledger.give_back_memory();
            rosterbridge_allocator::give_back();
        }));
    }

    /// Where the last complete pull is.
    pub(crate) fn roster_folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// The key both databases are encrypted with.
    pub(crate) fn key(&self) -> &ProfileKey {
        &self.key
    }

    /// The last complete pull, if there was one.
    pub(crate) async fn roster(&self) -> Result<Option<Arc<Roster>>, EngineError> {
        let (path, key) = (self.folder.path().join("roster.db"), self.key.clone());
        let roster = blocking(move || Ok(Roster::open(&path, key.expose())?)).await?;
        Ok(roster.map(Arc::new))
    }

    /// Everything configured.
    pub async fn setup(&self) -> Result<Setup, EngineError> {
        Ok(self.ledger(Ledger::setup).await?.unwrap_or_default())
    }

    /// Replaces everything configured with what somebody has made of the set-up of this revision. Refused where the set-up
    /// is another one by now: nobody's changes are lost unseen. Switching the Raptor integration on or off moves its status;
    /// it is switched on only where everything it needs is there.
    pub async fn save_setup(&self, setup: Setup, revision: &str) -> Result<(), EngineError> {
        let _saving = self.saving_setup.lock().await;
        let before = self.setup().await?;
        if setup_revision(&before) != revision {
            return Err(EngineError::SetupChanged);
        }
        Box::pin(self.save_over(before, setup)).await
    }

    /// Replaces the set-up as it was `before`. Whoever calls holds [`Engine::saving_setup`].
    pub(crate) async fn save_over(&self, before: Setup, mut setup: Setup) -> Result<(), EngineError> {
        keep_owners(&before, &mut setup, Confirmations::Kept)?;
        hero::keep_ticks(&before, &mut setup);
        if setup.raptor.enabled
            && !before.raptor.enabled
            && let Some(obstacle) = integration::obstacles(&setup).into_iter().next()
        {
            return Err(obstacle);
        }
        usable_destinations(&before, &setup).await?;
        self.replace_setup(setup).await
    }

    /// Replaces everything configured, whoever carried what out before.
    pub(crate) async fn replace_setup(&self, setup: Setup) -> Result<(), EngineError> {
        self.adopt_setup(setup).await?;
        self.wake_sending();
        Ok(())
    }

    async fn adopt_setup(&self, mut setup: Setup) -> Result<(), EngineError> {
        if let Some(problem) = problems(&setup.mappings).into_iter().next() {
            return Err(problem.into());
        }
        let layouts = rosterbridge_raptor::roster_problems(&setup.raptor.roster);
        if !layouts.is_empty() {
            return Err(EngineError::RosterLayout(layouts));
        }
        let before = self.setup().await?;
        let mut of_hero = hero::problems(&setup);
        if !of_hero.is_empty() {
            // What was like this before keeps nobody from changing something else.
            let known = hero::problems(&before);
            of_hero.retain(|problem| !known.contains(problem));
        }
        if !of_hero.is_empty() {
            return Err(EngineError::HeroSettings(of_hero));
        }
        setup.hero.note_accounts(&before.hero);
        // Nobody is asked for a sender before there is a mail server.
        let from = (!setup.mail.host.trim().is_empty()).then_some(&setup.mail.from);
        let reports = setup.hero.accounts.iter().flat_map(HeroAccount::report_addresses);
        for address in setup.raptor.notify.iter().chain(&setup.mail.to).chain(reports).chain(from) {
            crate::mail::mailbox(address)?;
        }
        // A connection takes its secrets with it: the next one may get its id.
        for gone in &before.connections {
            if setup.connection(gone.id).is_none() {
                self.forget_connection_secrets(gone.id).await?;
            }
        }
        let kept = setup.clone();
        self.keep_setup(setup).await?;
        self.forget_gone_accounts(&before, &kept).await
    }

    /// Takes over a setup file. The profile starts paused.
    pub async fn import_setup(
        &self,
        mut setup: Setup,
        secrets: Vec<(String, SecretString)>,
    ) -> Result<(), EngineError> {
        let secrets = secrets
            .into_iter()
            .map(|(name, value)| Ok((secret_name(&name)?, value)))
            .collect::<Result<Vec<_>, EngineError>>()?;
        // A connection that is made later must not find a secret that somebody meant for another.
        for (name, _) in &secrets {
            if let SecretName::Connection(id, _) = name
                && setup.connection(*id).is_none()
            {
                return Err(EngineError::NoSuchConnection(*id));
            }
        }
        let _saving = self.saving_setup.lock().await;
        keep_owners(&self.setup().await?, &mut setup, Confirmations::InFile)?;
        self.set_flag(value::PAUSED, true).await?;
        self.adopt_setup(setup).await?;
        for (name, value) in secrets {
            self.put_secret(name, &value).await?;
        }
        // Now that the mail server's password is there, too.
        self.wake_sending();
        Ok(())
    }

    /// Makes the profile the district's whose server it first ran against. What is under way and what was written
    /// there says nothing about another district, so another one is refused.
    pub(crate) async fn bind_to_district(&self, district: Option<&str>) -> Result<(), EngineError> {
        let Some(district) = district.map(str::to_owned) else { return Ok(()) };
        match self.ledger(|ledger| ledger.value(value::DISTRICT)).await?.filter(|bound| !bound.is_empty()) {
            Some(bound) if bound == district => Ok(()),
            Some(_) => Err(EngineError::OtherDistrict),
            None => {
                // What is not a practice district from now on must never be let go of like one.
                let real = !self.is_at_practice_address().await?;
                self.ledger(move |ledger| {
                    if real {
                        ledger.set_value(value::PRACTICE, "")?;
                    }
                    ledger.set_value(value::DISTRICT, &district)
                })
                .await
            }
        }
    }

    /// Moves a practice profile to the practice district at hand: what was written to another one is forgotten, since
    /// it says nothing about this one. A real district is never let go of.
    pub(crate) async fn move_to_practice(&self, district: Option<&str>) -> Result<(), EngineError> {
        let bound =
            self.ledger(|ledger| ledger.value(value::DISTRICT)).await?.filter(|bound| !bound.is_empty());
        match bound {
            Some(bound) if Some(bound.as_str()) == district => Ok(()),
            Some(_) if !self.is_practice().await? => Err(EngineError::OtherDistrict),
            Some(_) => {
                self.ledger(|ledger| {
                    ledger.forget_exchange()?;
                    ledger.set_values(&[(value::DISTRICT, ""), (SCHOOL_YEAR, "")])
                })
                .await
            }
            None => Ok(()),
        }
    }

    /// Marks the profile as set up for the practice district at `url`, which takes its date from there.
    pub(crate) async fn mark_practice(&self, url: &str) -> Result<(), EngineError> {
        let url = url.to_owned();
        self.ledger(move |ledger| ledger.set_value(value::PRACTICE, &url)).await?;
        self.set_flag(value::PAUSED, true).await
    }

    /// Whether the profile is set up for a practice district. It stays so whatever a person enters, until it has run
    /// against another server.
    pub async fn is_practice(&self) -> Result<bool, EngineError> {
        Ok(self.ledger(|ledger| ledger.value(value::PRACTICE)).await?.is_some_and(|url| !url.is_empty()))
    }

    /// Whether the server entered is the practice district's, whose date and clock are not the real ones.
    pub(crate) async fn is_at_practice_address(&self) -> Result<bool, EngineError> {
        let Some(practice) = self.ledger(|ledger| ledger.value(value::PRACTICE)).await? else {
            return Ok(false);
        };
        let configured = ServerUrl::parse(&self.setup().await?.powerschool.url);
        Ok(configured.is_ok_and(|configured| ServerUrl::parse(&practice).is_ok_and(|url| url == configured)))
    }

    /// Whether scheduled runs are paused now.
    pub async fn is_paused(&self) -> Result<bool, EngineError> {
        Ok(self.pause().await?.is_paused(Utc::now()))
    }

    /// Whether, and until when, a person holds scheduled runs back.
    pub async fn pause(&self) -> Result<Pause, EngineError> {
        let text = self.ledger(|ledger| ledger.value(value::PAUSED)).await?;
        Ok(match text.as_deref() {
            None | Some("false") => Pause::No,
            Some("true") => Pause::UntilResumed,
            // What can't be read was meant as a pause.
            Some(text) => serde_json::from_str(text).unwrap_or(Pause::UntilResumed),
        })
    }

    /// Holds scheduled runs back, or lets them go on.
    pub async fn set_pause(&self, pause: Pause) -> Result<(), EngineError> {
        let text = serde_json::to_string(&pause).unwrap_or_else(|_| "true".to_owned());
        self.ledger(move |ledger| ledger.set_value(value::PAUSED, &text)).await
    }

    pub(crate) async fn flag(&self, name: &'static str) -> Result<bool, EngineError> {
        Ok(self.ledger(move |ledger| ledger.value(name)).await?.as_deref() == Some("true"))
    }

    pub(crate) async fn set_flag(&self, name: &'static str, on: bool) -> Result<(), EngineError> {
        self.ledger(move |ledger| ledger.set_value(name, if on { "true" } else { "false" })).await
    }

    /// Stores a secret under its name. One of a managed connection needs the connection first.
    pub async fn set_secret(&self, name: &str, value: SecretString) -> Result<SecretState, EngineError> {
        let name = secret_name(name)?;
        let _saving = self.saving_setup.lock().await;
        self.has_connection_of(name).await?;
        self.put_secret(name, &value).await?;
        Ok(SecretState { name: name.to_string(), set: true })
    }

    /// Refuses a secret of a managed connection that does not exist.
    async fn has_connection_of(&self, name: SecretName) -> Result<(), EngineError> {
        let SecretName::Connection(id, _) = name else { return Ok(()) };
        let connections: Vec<_> =
            self.setup().await?.connections.into_iter().map(|connection| connection.id).collect();
        if connections.contains(&id) {
            return Ok(());
        }
        Err(EngineError::SecretOfNoConnection { secret: name, connections })
    }

    /// A secret too long for every system's keychain is sealed with the profile's key and kept in the ledger.
    pub(crate) async fn put_secret(&self, name: SecretName, value: &SecretString) -> Result<(), EngineError> {
        if value.expose_secret().encode_utf16().count() <= LONGEST_KEYCHAIN_VALUE {
            self.vault.set(name, value).await?;
            self.ledger(move |ledger| ledger.delete_sealed_secret(&name.to_string())).await?;
        } else {
            let sealed = SealedSecret::seal(&self.key, self.profile, name, value)?;
            self.ledger(move |ledger| ledger.put_sealed_secret(&name.to_string(), sealed.as_bytes())).await?;
            self.vault.delete(name).await?;
        }
        Ok(())
    }

    /// Forgets a secret, wherever it is kept.
    pub(crate) async fn forget_secret(&self, name: SecretName) -> Result<(), EngineError> {
        self.vault.delete(name).await?;
        self.ledger(move |ledger| ledger.delete_sealed_secret(&name.to_string())).await?;
        Ok(())
    }

    /// A secret's value, for a connection.
    pub(crate) async fn secret(&self, name: SecretName) -> Result<Option<SecretString>, EngineError> {
        if let Some(bytes) = self.ledger(move |ledger| ledger.sealed_secret(&name.to_string())).await? {
            return Ok(Some(SealedSecret::from_bytes(bytes).open(&self.key, self.profile, name)?));
        }
        Ok(self.vault.get(name).await?)
    }

    /// A secret's value that has to be there.
    pub(crate) async fn required_secret(&self, name: SecretName) -> Result<SecretString, EngineError> {
        self.secret(name).await?.ok_or(EngineError::SecretMissing(name))
    }

    /// Whether a secret is there and can be read. One of a managed connection needs the connection first.
    pub async fn check_secret(&self, name: &str) -> Result<SecretState, EngineError> {
        let name = secret_name(name)?;
        self.has_connection_of(name).await?;
        Ok(SecretState { name: name.to_string(), set: self.secret(name).await?.is_some() })
    }

    /// The names of every secret this profile can have now.
    async fn secret_names(&self) -> Result<Vec<SecretName>, EngineError> {
        let connections = self.setup().await?.connections;
        Ok(SecretName::of(connections.into_iter().map(|connection| connection.id)))
    }

    /// The state of every secret.
    pub async fn secret_states(&self) -> Result<Vec<SecretState>, EngineError> {
        let mut states = Vec::new();
        for name in self.secret_names().await? {
            states.push(SecretState { name: name.to_string(), set: self.secret(name).await?.is_some() });
        }
        Ok(states)
    }

    /// Writes an entry to the keychain, reads it back and deletes it.
    pub(crate) async fn probe_keychain(&self) -> Result<(), EngineError> {
        Ok(self.vault.probe().await?)
    }

    /// Every secret with its value, for an encrypted setup file. The key for handover files stays: what is encrypted
    /// for this profile is for nobody else.
    pub async fn secrets(&self) -> Result<Vec<(String, SecretString)>, EngineError> {
        let mut secrets = Vec::new();
        let names = self.secret_names().await?.into_iter();
        for name in names.filter(|name| *name != SecretName::HandoverIdentity) {
            if let Some(value) = self.secret(name).await? {
                secrets.push((name.to_string(), value));
            }
        }
        Ok(secrets)
    }

    /// Stops the run under way, if there is one.
    pub fn cancel(&self) {
        if let Some(running) = &*self.running.lock().unwrap_or_else(PoisonError::into_inner) {
            running.cancel.cancel();
        }
    }

    /// Stops this run, if it is the one under way.
    pub fn cancel_run(&self, id: &str) {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = running.as_ref().filter(|running| running.id == id) {
            running.cancel.cancel();
        }
    }

    /// Whether a run is under way.
    pub fn is_running(&self) -> bool {
        self.running().is_some()
    }

    /// The run under way.
    pub(crate) fn running(&self) -> Option<String> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|running| running.id.clone())
    }

    /// The run under way, if a person takes it for one.
    pub(crate) fn visible_run(&self) -> Option<String> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.as_ref().filter(|running| !running.looks).map(|running| running.id.clone())
    }

    /// Makes a run the one under way until the returned guard is dropped.
    pub(crate) fn begin(self: &Arc<Self>, id: &str) -> Result<UnderWay, EngineError> {
        self.begin_either(id, false)
    }

    /// As [`Engine::begin`], for a look at PowerSchool between runs. Whoever holds [`Engine::looking`] may.
    pub(crate) fn begin_look(self: &Arc<Self>, id: &str) -> Result<UnderWay, EngineError> {
        self.begin_either(id, true)
    }

    /// Ends a look under way: nobody who wants to run something waits for it or is refused.
    pub(crate) async fn end_look(&self) {
        let look = {
            let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
            running.as_ref().filter(|running| running.looks).map(|running| running.cancel.clone())
        };
        if let Some(look) = look {
            look.cancel();
            drop(self.looking.lock().await);
        }
    }

    fn begin_either(self: &Arc<Self>, id: &str, looks: bool) -> Result<UnderWay, EngineError> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if running.is_some() {
            return Err(EngineError::Busy);
        }
        let cancel = CancellationToken::new();
        *running = Some(Running { id: id.to_owned(), looks, cancel: cancel.clone() });
        Ok(UnderWay { engine: Arc::clone(self), cancel })
    }
}

/// Held while a run is under way.
#[derive(Debug)]
pub(crate) struct UnderWay {
    engine: Arc<Engine>,
    pub(crate) cancel: CancellationToken,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        *self.engine.running.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Tells one set-up from another: the same for what is the same, whoever has saved it and wherever it came from.
pub fn setup_revision(setup: &Setup) -> String {
    // It has no map whose keys are no text, so it always becomes JSON.
    let json = serde_json::to_vec(setup).unwrap_or_default();
    hex::encode(&Sha256::digest(json)[..16])
}

fn secret_name(name: &str) -> Result<SecretName, EngineError> {
    name.parse().map_err(|_| EngineError::UnknownSecret(name.to_owned()))
}

/// Does blocking work aside.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, EngineError> + Send + 'static,
) -> Result<T, EngineError> {
    let span = tracing::Span::current();
    tokio::task::spawn_blocking(move || span.in_scope(work)).await?
}
