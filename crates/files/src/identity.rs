//! Which file or folder is which.

use std::{fs::File, io, path::Path};

/// What tells a file or folder from every other one that is there, whatever their names: Unix' device and inode, Windows'
/// volume and file index. When it is removed, a later one may get the same; some file systems of Windows number a file anew once
/// nobody has it open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    volume: u64,
    number: u64,
}

impl Identity {
    /// Of an open file.
    pub fn of(file: &File) -> io::Result<Self> {
        #[cfg(unix)]
        {
            file.metadata().map(|found| Self::told(&found))
        }
        #[cfg(windows)]
        {
            let found = winapi_util::file::information(file)?;
            Ok(Self { volume: found.volume_serial_number(), number: found.file_index() })
        }
    }

    /// Of what is at a path; of a link itself, where that is one.
    pub fn at(path: &Path) -> io::Result<Self> {
        #[cfg(unix)]
        {
            std::fs::symlink_metadata(path).map(|found| Self::told(&found))
        }
        #[cfg(windows)]
        {
            Self::of(&only_asked(path, OPEN_REPARSE_POINT)?)
        }
    }

    /// Of what is at a path, or behind the link that is there.
    pub fn behind(path: &Path) -> io::Result<Self> {
        #[cfg(unix)]
        {
            std::fs::metadata(path).map(|found| Self::told(&found))
        }
        #[cfg(windows)]
        {
            Self::of(&only_asked(path, 0)?)
        }
    }

    #[cfg(unix)]
    fn told(found: &std::fs::Metadata) -> Self {
        use std::os::unix::fs::MetadataExt as _;
        Self { volume: found.dev(), number: found.ino() }
    }
}

/// `FILE_FLAG_OPEN_REPARSE_POINT`: a link itself, not what it leads to.
#[cfg(windows)]
const OPEN_REPARSE_POINT: u32 = 0x0020_0000;

/// Opens a file or folder to be asked about, not read; others may do with it what they like meanwhile.
#[cfg(windows)]
fn only_asked(path: &Path, flags: u32) -> io::Result<File> {
    use std::os::windows::fs::OpenOptionsExt as _;
    /// `FILE_FLAG_BACKUP_SEMANTICS`: a folder, too.
    const BACKUP_SEMANTICS: u32 = 0x0200_0000;
    File::options().access_mode(0).custom_flags(BACKUP_SEMANTICS | flags).open(path)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_is_itself_whatever_it_is_called() {
        let folder = tempfile::tempdir().unwrap();
        let [one, other, moved] = ["one", "other", "moved"].map(|name| folder.path().join(name));
        fs::write(&one, "1").unwrap();
        fs::write(&other, "1").unwrap();
        let identity = Identity::at(&one).unwrap();
        assert_eq!(Identity::of(&File::open(&one).unwrap()).unwrap(), identity);
        assert_eq!(Identity::behind(&one).unwrap(), identity);
        assert_ne!(Identity::at(&other).unwrap(), identity);
        fs::rename(&one, &moved).unwrap();
        assert_eq!(Identity::at(&moved).unwrap(), identity);
        assert_eq!(Identity::at(&one).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    /// Also where both are made in the same moment: Windows gives such a folder the other's time of creation.
    #[test]
    fn a_folder_that_takes_anothers_place_is_not_that_one() {
        let root = tempfile::tempdir().unwrap();
        let [folder, aside] = ["exchange", "aside"].map(|name| root.path().join(name));
        fs::create_dir(&folder).unwrap();
        let before = Identity::behind(&folder).unwrap();
        assert_eq!(Identity::behind(&folder).unwrap(), before);
        fs::rename(&folder, &aside).unwrap();
        fs::create_dir(&folder).unwrap();
        assert_ne!(Identity::behind(&folder).unwrap(), before);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_not_what_it_leads_to() {
        let folder = tempfile::tempdir().unwrap();
        let [file, link] = ["file", "link"].map(|name| folder.path().join(name));
        fs::write(&file, "1").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert_ne!(Identity::at(&link).unwrap(), Identity::at(&file).unwrap());
        assert_eq!(Identity::behind(&link).unwrap(), Identity::at(&file).unwrap());
    }
}
