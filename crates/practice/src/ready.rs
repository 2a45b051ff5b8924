use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{Summary, hero::HeroLevel};

/// Everything needed to reach a running practice district: the ready file's content.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Ready {
    /// The practice PowerSchool.
    pub powerschool: PowerSchoolAccess,
    /// The practice Hero account.
    pub hero: HeroAccess,
    /// All practice Hero accounts, that of `hero` first. They share its server.
    pub hero_accounts: Vec<HeroAccountAccess>,
    /// The Raptor exchange.
    pub raptor: RaptorAccess,
    /// The mail sink.
    pub mail: MailAccess,
    /// Answers every accepted attendance write in order, over plain HTTP on 127.0.0.1.
    pub audit_url: String,
    /// How large the district is.
    pub district: Summary,
}

/// URL, credentials and certificate authority of the practice PowerSchool.
#[derive(Clone, Serialize, Deserialize)]
pub struct PowerSchoolAccess {
    /// Such as `https://127.0.0.1:40123`.
    pub url: String,
    /// A UUID.
    pub client_id: String,
    /// A UUID. Worthless outside this machine, still kept out of logs.
    pub client_secret: String,
    /// PEM text of the practice certificate authority.
    pub ca_pem: String,
}

impl fmt::Debug for PowerSchoolAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PowerSchoolAccess").field("url", &self.url).finish_non_exhaustive()
    }
}

/// Where the practice Hero account lives.
#[derive(Clone, Serialize, Deserialize)]
pub struct HeroAccess {
    /// Always `127.0.0.1`.
    pub host: String,
    /// TCP port of the SFTP server.
    pub port: u16,
    /// SFTP user.
    pub username: String,
    /// SFTP password. Worthless outside this machine, still kept out of logs.
    pub password: String,
    /// `SHA256:...`, as `ssh-keygen -lf` prints it.
    pub host_key_sha256: String,
}

impl fmt::Debug for HeroAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeroAccess")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("host_key_sha256", &self.host_key_sha256)
            .finish_non_exhaustive()
    }
}

/// An account of the practice Hero server.
#[derive(Clone, Serialize, Deserialize)]
pub struct HeroAccountAccess {
    /// What Hero's administrator calls it.
    pub name: String,
    /// SFTP user.
    pub username: String,
    /// SFTP password. Worthless outside this machine, still kept out of logs.
    pub password: String,
    /// Which student file it takes. The first account takes both.
    pub level: HeroLevel,
    /// School numbers: all for the first account, one at school level.
    pub schools: Vec<i64>,
    /// The local folder that its user sees as `/`.
    pub folder: PathBuf,
}

impl fmt::Debug for HeroAccountAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeroAccountAccess")
            .field("name", &self.name)
            .field("level", &self.level)
            .field("schools", &self.schools)
            .finish_non_exhaustive()
    }
}

/// The folder shared with the practice Raptor.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RaptorAccess {
    /// Absolute path.
    pub folder: PathBuf,
}

/// The practice mail server, which stores what it gets.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MailAccess {
    /// Always `127.0.0.1`.
    pub host: String,
    /// TCP port, plain SMTP.
    pub port: u16,
}
