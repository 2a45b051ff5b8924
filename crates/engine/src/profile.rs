//! Where a profile lives, who it is, and the lock that makes sure only one engine works on it.

use std::{
    fs::{self, File, TryLockError},
    io::Write,
    path::{Path, PathBuf},
};

use rosterbridge_files::owner_only;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::EngineError;

/// The file that holds a profile's lasting identity.
const IDENTITY: &str = "profile.json";

/// The folder of one profile: `HOME/profiles/NAME/`.
#[derive(Clone, Debug)]
pub struct ProfileFolder {
    name: String,
    path: PathBuf,
}

impl ProfileFolder {
    /// Names the folder; creates nothing. A profile's name is 1 to 40 letters, digits, `-` or `_`.
    pub fn new(home: &Path, name: &str) -> Result<Self, EngineError> {
        let fits = (1..=40).contains(&name.len())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        if !fits {
            return Err(EngineError::ProfileName(name.to_owned()));
        }
        Ok(Self { name: name.to_owned(), path: home.join("profiles").join(name) })
    }

    /// Names the folder of a profile that has been made before.
    pub fn existing(home: &Path, name: &str) -> Result<Self, EngineError> {
        let folder = Self::new(home, name)?;
        if folder.is_made() { Ok(folder) } else { Err(folder.not_found()) }
    }

    /// The profiles that have been made under `home`, by name.
    pub fn all(home: &Path) -> Vec<Self> {
        let mut folders: Vec<Self> = fs::read_dir(home.join("profiles"))
            .into_iter()
            .flatten()
            .filter_map(|entry| Self::new(home, entry.ok()?.file_name().to_str()?).ok())
            .filter(Self::is_made)
            .collect();
        folders.sort_by(|one, other| one.name.cmp(&other.name));
        folders
    }

    /// That the profile is not there, and which ones are.
    fn not_found(&self) -> EngineError {
        // The folder is `HOME/profiles/NAME`.
        let home = self.path.ancestors().nth(2).unwrap_or(&self.path);
        let others = Self::all(home).into_iter().map(|folder| folder.name).collect();
        EngineError::ProfileNotFound { name: self.name.clone(), others }
    }

    /// Whether an engine has worked on it.
    fn is_made(&self) -> bool {
        self.path.join(IDENTITY).exists() || self.ledger().exists()
    }

    /// The profile's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The ledger's file.
    pub fn ledger(&self) -> PathBuf {
        self.path.join("ledger.db")
    }

    /// The folder of the log files.
    pub fn logs(&self) -> PathBuf {
        self.path.join("logs")
    }

    /// The file whose lock says that an engine works on the profile.
    pub(crate) fn lock_file(&self) -> PathBuf {
        self.path.join("engine.lock")
    }

    /// Creates the folder, open to its owner only.
    fn create(&self) -> Result<(), EngineError> {
        owner_only::own_folder(&self.path).map_err(|source| EngineError::io("create", &self.path, source))
    }

    /// The profile's lasting identity, under which its secrets are kept; made on first use.
    pub(crate) fn identity(&self) -> Result<Uuid, EngineError> {
        self.identity_or(Uuid::new_v4())
    }

    /// The file that holds the identity.
    pub(crate) fn identity_file(&self) -> PathBuf {
        self.path.join(IDENTITY)
    }

    /// The profile's lasting identity, and `id` for one that has none.
    pub(crate) fn identity_or(&self, id: Uuid) -> Result<Uuid, EngineError> {
        #[derive(Serialize, Deserialize)]
        struct Identity {
            id: Uuid,
        }

        self.create()?;
        let path = self.path.join(IDENTITY);
        match fs::read(&path) {
            Ok(text) => serde_json::from_slice::<Identity>(&text)
                .map(|identity| identity.id)
                .map_err(|_| EngineError::ProfileDamaged(path)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let mut file = tempfile::NamedTempFile::new_in(&self.path)
                    .map_err(|source| EngineError::io("write", &path, source))?;
                serde_json::to_writer(&mut file, &Identity { id })
                    .map_err(|error| EngineError::io("write", &path, error.into()))?;
                file.as_file().sync_all().map_err(|source| EngineError::io("write", &path, source))?;
                file.persist(&path).map_err(|error| EngineError::io("write", &path, error.error))?;
                Ok(id)
            }
            Err(source) => Err(EngineError::io("read", &path, source)),
        }
    }
}

/// Held by the one process that works on a profile. The operating system lets go of it when the process ends,
/// however it ends.
#[derive(Debug)]
pub struct ProfileLock {
    _file: File,
}

impl ProfileLock {
    /// Takes the lock, or returns `None` when another process has it.
    pub fn take(folder: &ProfileFolder) -> Result<Option<Self>, EngineError> {
        folder.create()?;
        Self::open(folder, true)
    }

    /// Takes the lock of a profile another process has worked on, or returns `None` when one has it still. Refused when
    /// the profile has been erased since: it must not come back.
    pub fn take_over(folder: &ProfileFolder) -> Result<Option<Self>, EngineError> {
        let lock = Self::open(folder, false)?;
        // An erasure removes the identity before it lets go of the lock.
        if lock.is_some() && !folder.is_made() { Err(folder.not_found()) } else { Ok(lock) }
    }

    fn open(folder: &ProfileFolder, create: bool) -> Result<Option<Self>, EngineError> {
        let path = folder.lock_file();
        let mut options = owner_only::options();
        let mut file = match options.create(create).truncate(false).read(true).write(true).open(&path) {
            Ok(file) => file,
            Err(error) if !create && error.kind() == std::io::ErrorKind::NotFound => {
                return Err(folder.not_found());
            }
            Err(source) => return Err(EngineError::io("open", &path, source)),
        };
        owner_only::protect(&file).map_err(|source| EngineError::io("protect", &path, source))?;
        match file.try_lock() {
            Ok(()) => {
                // For a person who looks; nothing reads it.
                let _ = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
                Ok(Some(Self { _file: file }))
            }
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => Err(EngineError::io("lock", &path, source)),
        }
    }
}
