//! What Unix and Windows do differently with files: who may read them, which of them is which, and whether another program
//! has one to itself.
#![forbid(unsafe_code)]

pub mod owner_only;

mod identity;

use std::{io, path::Path};

pub use identity::Identity;

/// Whether another program has the file to itself. Only Windows keeps others out (`ERROR_SHARING_VIOLATION`,
/// `ERROR_LOCK_VIOLATION`).
#[must_use]
pub fn is_locked(error: &io::Error) -> bool {
    cfg!(windows) && matches!(error.raw_os_error(), Some(32 | 33))
}

/// Whether a file could not be moved or replaced because somebody has it open. Only Windows minds; it says the same where
/// that is not allowed at all.
#[must_use]
pub fn is_open_elsewhere(error: &io::Error) -> bool {
    cfg!(windows) && error.kind() == io::ErrorKind::PermissionDenied
}

/// Has the system put a folder's names on the disk, where it can be asked to: Windows does that by itself.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { std::fs::File::open(folder)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_windows_minds_an_open_file() {
        let folder = tempfile::tempdir().unwrap();
        let [one, other] = ["one", "other"].map(|name| folder.path().join(name));
        std::fs::write(&one, "1").unwrap();
        std::fs::write(&other, "2").unwrap();
        let open = std::fs::File::open(&other).unwrap();
        match std::fs::rename(&one, &other) {
            Ok(()) => assert_eq!(std::fs::read(&other).unwrap(), b"1"),
            Err(error) => assert!(is_open_elsewhere(&error), "{error}"),
        }
        drop(open);
        assert_eq!(is_open_elsewhere(&io::ErrorKind::PermissionDenied.into()), cfg!(windows));
        assert!(!is_open_elsewhere(&io::ErrorKind::NotFound.into()));
    }

    #[test]
    fn a_folder_is_put_on_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        sync_folder(folder.path()).unwrap();
        assert_eq!(sync_folder(&folder.path().join("none")).is_err(), cfg!(unix));
    }

    #[test]
    fn a_missing_file_is_not_locked() {
        assert!(!is_locked(&io::ErrorKind::NotFound.into()));
        assert_eq!(is_locked(&io::Error::from_raw_os_error(32)), cfg!(windows));
        assert_eq!(is_locked(&io::Error::from_raw_os_error(33)), cfg!(windows));
        assert!(!is_locked(&io::Error::from_raw_os_error(5)));
    }
}
