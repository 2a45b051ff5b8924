//! Starting and stopping all of it together.

use std::fs::{File, TryLockError};
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::Utc;
use chrono_tz::America::Chicago;
use rosterbridge_files::owner_only;
use tempfile::TempDir;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::control::{self, Control};
use crate::district::{Plan, is_summer, last_weekday};
use crate::error::at;
use crate::hero::{self, HeroAccountOptions, HeroLevel, HeroOptions, HeroServer};
use crate::identity::{HERO_FOLDER, Identity, PluginState, listen, write_private};
use crate::mail::{self, MailSink};
use crate::plugin::{Plugin, version_parts};
use crate::powerschool::{self, Installed, PowerSchool, Settings};
use crate::ready::{HeroAccess, HeroAccountAccess, MailAccess, PowerSchoolAccess, RaptorAccess};
use crate::{
    AutoComm, AutoSend, Changed, District, DistrictChange, Faults, Firewall, Imported, PracticeError, Ready,
    Sent, ServeOptions, autosend, net, raptor,
};

/// A practice district at work. Dropping it stops it; [`Running::stop`] also waits for the end.
pub struct Running {
    ready: Ready,
    control_url: String,
    data: PathBuf,
    district: District,
    yearid: i64,
    powerschool: Arc<PowerSchool>,
    hero: Arc<HeroServer>,
    mail: MailSink,
    stop: DropGuard,
    tasks: TaskTracker,
    ready_file: Option<PathBuf>,
    // Held as long as this lives; released before the folder goes.
    _lock: File,
    // Removed when this goes, if the caller named no folder.
    _temporary: Option<TempDir>,
}

/// Serves until `shutdown` completes.
pub async fn serve(options: ServeOptions, shutdown: impl Future<Output = ()>) -> Result<(), PracticeError> {
    let running = start(options).await?;
    shutdown.await;
    running.stop().await;
    Ok(())
}

/// Generates or reopens the district, starts everything on 127.0.0.1, and writes the ready file.
pub async fn start(options: ServeOptions) -> Result<Running, PracticeError> {
    let today = Utc::now().with_timezone(&Chicago).date_naive();
    let prepared = tokio::task::spawn_blocking(move || prepare(options, today)).await??;
    let Prepared { options, temporary, lock, data, mut identity, district, plan, plugin, summary, schools } =
        prepared;

    let mut ports = identity.ports;
    let (https, control_port) = (listen(&mut ports.https)?, listen(&mut ports.control)?);
    let (sftp, smtp) = (listen(&mut ports.sftp)?, listen(&mut ports.mail)?);
    let identity_path = data.join("identity.json");
    if ports != identity.ports {
        identity.ports = ports;
        identity.save(&identity_path)?;
    }

    let hero = Arc::new(hero::start(HeroOptions {
        listen: sftp,
        host_keys: identity.host_keys(),
        accounts: identity.hero_options(&data),
        district: district.clone(),
        date: plan.date,
        seed: plan.seed,
        faults: hero::HeroFaults::default(),
    })?);
    let mail = mail::start(smtp, data.join("mail"))?;
    let settings = Settings {
        district: district.clone(),
        plan,
        mode: options.attendance,
        latency: Duration::from_millis(options.latency_ms),
        district_uuid: identity.district_uuid,
        faults: options.faults,
        prerender: options.prerender,
        installed: Installed::new(plugin.map(Arc::new), &identity),
    };
    let powerschool = Arc::new(tokio::task::spawn_blocking(move || PowerSchool::new(settings)).await??);

    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    // From here on whatever fails also ends what listens already.
    let stop_guard = stop.clone().drop_guard();
    let tls = TlsAcceptor::from(identity.tls()?);
    let behind = powerschool.clone();
    let serve_tls = net::Tls {
        acceptor: tls,
        resets: Arc::new(move || behind.faults().firewall == Some(Firewall::Reset)),
    };
    net::serve(https, Some(serve_tls), powerschool::router(powerschool.clone()), &stop, &tasks)?;
    let ready = Ready {
        powerschool: PowerSchoolAccess {
            url: format!("https://127.0.0.1:{}", ports.https),
            client_id: identity.credentials.client_id.to_string(),
            client_secret: identity.credentials.client_secret.to_string(),
            ca_pem: identity.ca_pem.clone(),
        },
        hero: HeroAccess {
            host: "127.0.0.1".into(),
            port: ports.sftp,
            username: identity.sftp_username.clone(),
            password: identity.sftp_password.clone(),
            host_key_sha256: hero.host_key_sha256(),
        },
        hero_accounts: identity
            .hero_options(&data)
            .into_iter()
            .map(|account| access(account, &schools))
            .collect(),
        raptor: RaptorAccess { folder: data.join("raptor") },
        mail: MailAccess { host: "127.0.0.1".into(), port: ports.mail },
        audit_url: format!("http://127.0.0.1:{}/audit", ports.control),
        district: summary,
    };
    let control = Control {
        powerschool: powerschool.clone(),
        hero: hero.clone(),
        summary,
        date: plan.date,
        identity: Mutex::new(identity),
        identity_path,
        plugin_path: data.join("plugin.zip"),
        district: district.clone(),
        yearid: plan.yearid(),
        data: data.clone(),
        schools,
    };
    net::serve(control_port, None, control::router(Arc::new(control)), &stop, &tasks)?;
    if let Some(file) = &options.ready_file {
        let bytes = serde_json::to_vec_pretty(&ready)
            .map_err(|error| PracticeError::Corrupt { path: file.clone(), reason: error.to_string() })?;
        write_private(file, &bytes)?;
    }
    Ok(Running {
        ready,
        control_url: format!("http://127.0.0.1:{}/control", ports.control),
        data,
        district,
        yearid: plan.yearid(),
        powerschool,
        hero,
        mail,
        stop: stop_guard,
        tasks,
        ready_file: options.ready_file,
        _lock: lock,
        _temporary: temporary,
    })
}

impl Running {
    /// How to reach everything.
    pub fn ready(&self) -> &Ready {
        &self.ready
    }

    /// Base of the control port's own paths: `/plugin`, `/faults`, `/hero`, `/district`.
    pub fn control_url(&self) -> &str {
        &self.control_url
    }

    /// The folder that keeps identity, database, mail and exchange folders.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// The generated district, to look into its tables.
    pub fn district(&self) -> &District {
        &self.district
    }

    /// Replaces PowerSchool's faults, like `POST /control/faults`.
    pub fn set_faults(&self, faults: Faults) {
        self.powerschool.set_faults(faults);
    }

    /// Changes the district while it is served, like `POST /control/district`: all of it or nothing.
    pub async fn change_district(&self, changes: Vec<DistrictChange>) -> Result<Changed, PracticeError> {
        self.powerschool.clone().change_district(changes).await
    }

    /// Replaces Hero's faults, like `POST /control/hero`.
    pub fn set_hero_faults(&self, faults: hero::HeroFaults) {
        self.hero.set_faults(faults);
    }

    /// Hero's server. What is set there is not kept for the next start; by the control port it is.
    pub fn hero(&self) -> &HeroServer {
        &self.hero
    }

    /// Lets PowerSchool send files to Hero by itself, like `POST /control/autosend`.
    pub async fn auto_send(&self, request: AutoSend) -> Result<Vec<Sent>, PracticeError> {
        autosend::send(self.hero.clone(), self.district.clone(), self.yearid, request).await
    }

    /// Lets PowerSchool read Hero's attendance by itself, like `POST /control/autocomm`.
    pub async fn auto_comm(&self, request: AutoComm) -> Result<Imported, PracticeError> {
        control::auto_comm(&self.powerschool, &self.hero, request).await
    }

    /// Cuts all connections, waits until the servers are gone, and removes the ready file.
    pub async fn stop(self) {
        if let Some(file) = &self.ready_file {
            // It may be gone already, which is what is wanted.
            let _ = std::fs::remove_file(file);
        }
        drop(self.stop);
        self.tasks.close();
        self.tasks.wait().await;
        self.mail.stop().await;
        // The control port's share went with its tasks.
        if let Some(hero) = Arc::into_inner(self.hero) {
            hero.stop().await;
        }
    }
}

/// Everything that is made on a blocking thread before anything listens.
struct Prepared {
    options: ServeOptions,
    temporary: Option<TempDir>,
    lock: File,
    data: PathBuf,
    identity: Identity,
    district: District,
    plan: Plan,
    plugin: Option<Plugin>,
    summary: crate::Summary,
    schools: Vec<i64>,
}

/// How to reach a Hero account. One that takes every school is of all that there are.
pub(crate) fn access(account: HeroAccountOptions, schools: &[i64]) -> HeroAccountAccess {
    let HeroAccountOptions { name, username, password, level, schools: own, root, .. } = account;
    let schools = if own.is_empty() { schools.to_vec() } else { own };
    HeroAccountAccess { name, username, password, level, schools, folder: root }
}

fn prepare(mut options: ServeOptions, today: chrono::NaiveDate) -> Result<Prepared, PracticeError> {
    let temporary = match options.data {
        Some(_) => None,
        None => Some(
            tempfile::Builder::new()
                .prefix("practice-district")
                .tempdir()
                .map_err(at(std::env::temp_dir()))?,
        ),
    };
    let data = match (&options.data, &temporary) {
        (Some(data), _) => data.clone(),
        (None, Some(folder)) => folder.path().to_owned(),
        (None, None) => std::env::temp_dir(),
    };
    create_private(&data)?;
    // Absolute, because the ready file is read elsewhere.
    let data = std::path::absolute(&data).map_err(at(&data))?;
    let lock = lock(&data.join("lock"))?;
    if let Some(file) = &options.ready_file {
        // One that a killed practice district left behind would be taken for this one's.
        match std::fs::remove_file(file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(at(file)(error)),
            _ => {}
        }
    }
    let identity_path = data.join("identity.json");
    let ours = identity_path.exists();
    let mut identity = Identity::load_or_create(&identity_path)?;

    let path = data.join("district.db");
    let found = District::open(&path)?;
    // Without a date a district keeps its own, so that a restart on another day changes nothing. A day that somebody
    // names is what it is; one that a district begins with by itself has to be of use.
    let (date, keeps_summer) = match (options.date, &found) {
        (Some(date), _) => (date, is_summer(date)),
        (None, Some((_, plan))) => (plan.date, plan.keeps_summer),
        (None, None) => (last_weekday(today), false),
    };
    let plan =
        Plan { students: options.students, schools: options.schools, seed: options.seed, date, keeps_summer };
    let district = match found {
        Some((district, before)) if before == plan => district,
        // The same people on a later day. What they had of attendance is not kept.
        Some((_, before)) if plan.continues(before) => District::generate(&path, plan)?,
        _ => {
            // What Hero and Raptor hold belongs to the students of before. A folder that was no practice
            // district's until now may hold somebody's own files under these names.
            let accounts = std::mem::take(&mut identity.hero_accounts);
            identity.hero_settings.clear();
            let accounts = accounts.iter().map(|account| account.folder.as_str());
            for folder in [HERO_FOLDER, "raptor"].into_iter().chain(accounts) {
                let folder = data.join(folder);
                if ours && folder.exists() {
                    std::fs::remove_dir_all(&folder).map_err(at(&folder))?;
                }
            }
            let district = District::generate(&path, plan)?;
            // Whoever holds data of the one before can tell that this is another district.
            if ours {
                identity.district_uuid = Uuid::new_v4();
                identity.save(&identity_path)?;
            }
            district
        }
    };
    let schools = district.school_numbers()?;
    if add_hero_accounts(&mut identity, options.hero_accounts, &schools)? {
        identity.save(&identity_path)?;
    }
    let raptor_folder = data.join("raptor");
    std::fs::create_dir_all(&raptor_folder).map_err(at(&raptor_folder))?;
    raptor::write_folder(&district, plan.date, plan.seed, options.tardies, &raptor_folder)?;
    let offered = options.plugin.take();
    if offered.is_some() && identity.plugin_state == PluginState::Deleted {
        identity.next_plugin();
        identity.save(&identity_path)?;
    }
    let plugin = install_at_start(offered, &data.join("plugin.zip"))?;
    let summary = district.summary(plan)?;
    Ok(Prepared { options, temporary, lock, data, identity, district, plan, plugin, summary, schools })
}

/// Makes accounts until there are as many as wanted: one of a single school, one of all, and so on. Says whether it
/// made any.
fn add_hero_accounts(identity: &mut Identity, wanted: u32, schools: &[i64]) -> Result<bool, PracticeError> {
    let before = identity.hero_accounts.len();
    while identity.hero_accounts.len() + 1 < wanted as usize {
        let further = identity.hero_accounts.len();
        if further.is_multiple_of(2) {
            let school = schools.iter().cycle().nth(further / 2).copied();
            identity.add_hero_account(None, HeroLevel::School, school.into_iter().collect())?;
        } else {
            identity.add_hero_account(None, HeroLevel::Group, schools.to_vec())?;
        }
    }
    Ok(identity.hero_accounts.len() > before)
}

/// Makes the data folder, its owner's only where the system knows that.
fn create_private(folder: &Path) -> Result<(), PracticeError> {
    owner_only::create_folder(folder).map_err(at(folder))
}

/// Keeps a second practice district out of the same folder.
fn lock(path: &Path) -> Result<File, PracticeError> {
    let file = File::options().write(true).create(true).truncate(false).open(path).map_err(at(path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(PracticeError::InUse { path: path.into() }),
        Err(TryLockError::Error(error)) => Err(at(path)(error)),
    }
}

/// The plugin that is in force: the offered one, unless a higher version of it is installed already.
fn install_at_start(offered: Option<Vec<u8>>, path: &Path) -> Result<Option<Plugin>, PracticeError> {
    let installed = match std::fs::read(path) {
        Ok(zip) => Some(Plugin::read(&zip)?),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(at(path)(error)),
    };
    let Some(zip) = offered else { return Ok(installed) };
    let plugin = Plugin::read(&zip)?;
    match installed {
        Some(installed)
            if installed.name == plugin.name
                && version_parts(&installed.version) > version_parts(&plugin.version) =>
        {
            Ok(Some(installed))
        }
        _ => {
            write_private(path, &zip)?;
            Ok(Some(plugin))
        }
    }
}
