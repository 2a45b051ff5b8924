//! Who the practice district is: keys, certificates, credentials and ports, kept between starts so
//! that whoever trusted it once still does.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rosterbridge_files::owner_only;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::PracticeError;
use crate::error::at;
use crate::hero::{HeroAccountOptions, HeroAccountSettings, HeroLevel};

/// The first Hero account's user; the others' begin with it.
const FIRST_USER: &str = "practice-district";
/// The first Hero account's folder; the others' begin with it.
pub(crate) const HERO_FOLDER: &str = "hero";

/// The content of `identity.json`. No `Debug`: nearly everything in it is a secret.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Identity {
    pub ca_pem: String,
    certificate_pem: String,
    key_pem: String,
    pub credentials: Credentials,
    /// Counts plugins: each installation that is no update gets the next one.
    #[serde(default = "first_plugin")]
    pub plugin_id: u32,
    #[serde(default)]
    pub plugin_state: PluginState,
    pub district_uuid: Uuid,
    pub sftp_username: String,
    pub sftp_password: String,
    /// OpenSSH private key.
    pub host_key: String,
    /// Those that are offered besides.
    #[serde(default)]
    pub further_host_keys: Vec<String>,
    /// All Hero accounts but the first.
    #[serde(default)]
    pub hero_accounts: Vec<HeroAccount>,
    /// What is set for Hero accounts, by user.
    #[serde(default)]
    pub hero_settings: BTreeMap<String, HeroAccountSettings>,
    pub ports: Ports,
}

/// A Hero account besides the first.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct HeroAccount {
    pub name: String,
    pub username: String,
    pub password: String,
    pub level: HeroLevel,
    pub schools: Vec<i64>,
    /// Its folder in the data folder.
    pub folder: String,
}

/// What PowerSchool made for the installed plugin.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Credentials {
    pub client_id: Uuid,
    pub client_secret: Uuid,
}

impl Credentials {
    pub fn new() -> Self {
        Self { client_id: Uuid::new_v4(), client_secret: Uuid::new_v4() }
    }
}

const fn first_plugin() -> u32 {
    1
}

/// What Plugin Management says of the plugin. Before the first one is installed the credentials work already.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PluginState {
    #[default]
    Enabled,
    Disabled,
    Deleted,
}

/// TCP ports on 127.0.0.1; 0 before the first start.
#[derive(Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ports {
    pub https: u16,
    pub control: u16,
    pub sftp: u16,
    pub mail: u16,
}

impl Identity {
    /// Reads the identity kept in `path`, or makes a new one there.
    pub fn load_or_create(path: &Path) -> Result<Self, PracticeError> {
        match std::fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|error| PracticeError::Corrupt { path: path.into(), reason: error.to_string() }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let identity = Self::create()?;
                identity.save(path)?;
                Ok(identity)
            }
            Err(error) => Err(at(path)(error)),
        }
    }

    fn create() -> Result<Self, PracticeError> {
        let ca_key = KeyPair::generate()?;
        let mut ca = CertificateParams::new(Vec::<String>::new())?;
        ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        ca.distinguished_name.push(DnType::CommonName, "RosterBridge practice district authority");
        // Fixed, so that neither a wrong clock nor a long school career gets in the way.
        (ca.not_before, ca.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2049, 12, 31));
        let ca_certificate = ca.self_signed(&ca_key)?;

        let key = KeyPair::generate()?;
        let mut server = CertificateParams::new(["localhost", "127.0.0.1", "::1"].map(String::from))?;
        server.distinguished_name.push(DnType::CommonName, "Practice PowerSchool");
        server.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        server.use_authority_key_identifier_extension = true;
        (server.not_before, server.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2049, 12, 30));
        let certificate = server.signed_by(&key, &Issuer::new(ca, ca_key))?;

        Ok(Self {
            ca_pem: ca_certificate.pem(),
            certificate_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
            credentials: Credentials::new(),
            plugin_id: first_plugin(),
            plugin_state: PluginState::Enabled,
            district_uuid: Uuid::new_v4(),
            sftp_username: FIRST_USER.into(),
            sftp_password: password()?,
            host_key: crate::hero::generate_host_key()?,
            further_host_keys: Vec::new(),
            hero_accounts: Vec::new(),
            hero_settings: BTreeMap::new(),
            ports: Ports::default(),
        })
    }

    /// Makes a Hero account. The first school is the one of a school-level account.
    pub fn add_hero_account(
        &mut self,
        name: Option<String>,
        level: HeroLevel,
        schools: Vec<i64>,
    ) -> Result<&HeroAccount, PracticeError> {
        let number = self.hero_accounts.len() + 2;
        self.hero_accounts.push(HeroAccount {
            name: name.unwrap_or_else(|| format!("Practice account {number}")),
            username: format!("{FIRST_USER}-{number}"),
            password: password()?,
            level,
            schools,
            folder: format!("{HERO_FOLDER}-{number}"),
        });
        self.hero_accounts
            .last()
            .ok_or_else(|| PracticeError::Change { reason: "there is no account".into() })
    }

    /// All Hero accounts as the server takes them.
    pub fn hero_options(&self, data: &Path) -> Vec<HeroAccountOptions> {
        let first = HeroAccountOptions {
            name: "Practice District".to_owned(),
            username: self.sftp_username.clone(),
            password: self.sftp_password.clone(),
            level: HeroLevel::School,
            schools: Vec::new(),
            root: data.join(HERO_FOLDER),
            settings: self.settings_of(&self.sftp_username),
        };
        let further = self.hero_accounts.iter().map(|account| self.account_options(account, data));
        [first].into_iter().chain(further).collect()
    }

    /// An account as the server takes it.
    pub fn account_options(&self, account: &HeroAccount, data: &Path) -> HeroAccountOptions {
        HeroAccountOptions {
            name: account.name.clone(),
            username: account.username.clone(),
            password: account.password.clone(),
            level: account.level,
            schools: account.schools.clone(),
            root: data.join(&account.folder),
            settings: self.settings_of(&account.username),
        }
    }

    fn settings_of(&self, username: &str) -> HeroAccountSettings {
        self.hero_settings.get(username).cloned().unwrap_or_default()
    }

    /// The first host key and those offered besides.
    pub fn host_keys(&self) -> Vec<String> {
        [&self.host_key].into_iter().chain(&self.further_host_keys).cloned().collect()
    }

    /// Makes the credentials of a plugin that is installed anew after another.
    pub fn next_plugin(&mut self) {
        self.credentials = Credentials::new();
        self.plugin_id += 1;
        self.plugin_state = PluginState::Enabled;
    }

    /// Replaces the file in `path`, readable by its owner only.
    pub fn save(&self, path: &Path) -> Result<(), PracticeError> {
        let bytes = serde_json::to_vec_pretty(self)
            .map_err(|error| PracticeError::Corrupt { path: path.into(), reason: error.to_string() })?;
        write_private(path, &bytes)
    }

    /// TLS as the practice PowerSchool speaks it.
    pub fn tls(&self) -> Result<Arc<ServerConfig>, PracticeError> {
        let pem = |error: rustls::pki_types::pem::Error| rustls::Error::General(error.to_string());
        let chain = vec![CertificateDer::from_pem_slice(self.certificate_pem.as_bytes()).map_err(pem)?];
        let key = PrivateKeyDer::from_pem_slice(self.key_pem.as_bytes()).map_err(pem)?;
        let mut config =
            ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()?
                .with_no_client_auth()
                .with_single_cert(chain, key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

fn password() -> Result<String, PracticeError> {
    let mut password = [0u8; 16];
    getrandom::fill(&mut password).map_err(PracticeError::Random)?;
    Ok(hex::encode(password))
}

/// Opens the port used last time, or a free one if that is taken, and notes it.
pub(crate) fn listen(port: &mut u16) -> Result<TcpListener, PracticeError> {
    let open = |port| TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    let listener = open(*port).or_else(|_| open(0)).map_err(PracticeError::Listen)?;
    *port = listener.local_addr().map_err(PracticeError::Listen)?.port();
    Ok(listener)
}

/// Writes a whole file under a temporary name, owner-only where the system knows that, and renames it.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> Result<(), PracticeError> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    let temporary = Path::new(&temporary);
    let mut options = owner_only::options();
    let mut file = options.write(true).create(true).truncate(true).open(temporary).map_err(at(temporary))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(at(temporary))?;
    drop(file);
    std::fs::rename(temporary, path).map_err(at(path))
}
