//! A Hero account: who signs in, what its files may hold, and what Hero does with them.

use std::{
    collections::{BTreeMap, HashSet},
    fs, io,
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};
use russh::keys::PublicKey;
use serde::{Deserialize, Serialize};

use super::{
    export::HeroExport,
    folder::Folder,
    import::{FileReport, is_import_file},
};

/// What an account is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeroLevel {
    /// One school: twelve student columns.
    School,
    /// Several schools: the SchoolID in front of the student columns.
    Group,
}

/// What becomes of a file in `imports/`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeroTaking {
    /// Hero reads the three files whenever one arrives and all are there, and leaves them.
    #[default]
    Leave,
    /// Hero reads a file when it arrives and takes it away.
    AtOnce,
    /// Hero reads nothing until it is asked to (`POST /control/hero/read`); then it takes the files away.
    WhenAsked,
}

/// What an administrator of Hero can set for an account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HeroAccountSettings {
    /// A line as in OpenSSH's `authorized_keys`, without options; the holder of the private key may sign in.
    pub public_key: Option<String>,
    /// The password no longer signs in.
    pub refuse_password: bool,
    /// What becomes of the files that arrive.
    pub taking: HeroTaking,
}

impl HeroAccountSettings {
    /// The authorised key, if there is a line; an error if it is none.
    pub(super) fn authorised(&self) -> Result<Option<PublicKey>, String> {
        self.public_key
            .as_deref()
            .map(|line| PublicKey::from_openssh(line.trim()).map_err(|error| error.to_string()))
            .transpose()
    }
}

/// An account to serve.
#[derive(Clone)]
pub struct HeroAccountOptions {
    /// What Hero's administrator calls it.
    pub name: String,
    /// The account ID that an administrator would create in Hero.
    pub username: String,
    /// The account's password.
    pub password: String,
    /// Which student file it takes. An account of every school takes both.
    pub level: HeroLevel,
    /// School numbers; empty for every school. Rows of other schools are skipped.
    pub schools: Vec<i64>,
    /// The account's folder; `imports/` and `export/` are made in it.
    pub root: PathBuf,
    /// What its administrator has set.
    pub settings: HeroAccountSettings,
}

/// An account at work.
pub(super) struct Account {
    pub folder: Folder,
    pub name: String,
    pub username: String,
    pub password: String,
    pub level: HeroLevel,
    pub schools: Vec<i64>,
    /// Held while Hero takes in files: two sessions may deliver at once.
    pub turn: tokio::sync::Mutex<()>,
    state: Mutex<State>,
}

/// What changes while an account is served.
#[derive(Default)]
pub(super) struct State {
    pub settings: HeroAccountSettings,
    pub export: HeroExport,
    /// Student numbers of the last student file; none before the first.
    pub known: Option<HashSet<i64>>,
    /// What was read, by file name.
    pub reports: BTreeMap<&'static str, FileReport>,
}

impl Account {
    pub(super) fn new(options: HeroAccountOptions) -> Self {
        let HeroAccountOptions { name, username, password, level, schools, root, settings } = options;
        Self {
            folder: Folder::new(root),
            name,
            username,
            password,
            level,
            schools,
            turn: tokio::sync::Mutex::new(()),
            state: Mutex::new(State { settings, ..State::default() }),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn takes_school(&self, school: i64) -> bool {
        self.schools.is_empty() || self.schools.contains(&school)
    }

    /// Whether Hero reads files as soon as `name` has arrived.
    pub(super) fn reads_on_arrival(&self, name: &str) -> bool {
        is_import_file(name) && self.state().settings.taking != HeroTaking::WhenAsked
    }

    /// Puts a file where another sender would, in place as PowerSchool does. Blocking.
    pub(super) fn receive(
        &self,
        name: &str,
        in_imports: bool,
        bytes: &[u8],
        modified: Option<DateTime<Utc>>,
    ) -> io::Result<()> {
        let folder = if in_imports { self.folder.imports() } else { self.folder.root().to_owned() };
        let path = folder.join(name);
        fs::write(&path, bytes)?;
        match modified {
            Some(modified) => fs::File::options().write(true).open(path)?.set_modified(modified.into()),
            None => Ok(()),
        }
    }
}
