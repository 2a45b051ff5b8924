//! Files and folders that only their owner may read. Unix has modes for that. On Windows a file is as open as its folder, and
//! the folders of an account's data are closed to others.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    path::Path,
};

/// Options of opening a file. One that is made with them is its owner's alone; one that is there stays as it is.
#[must_use]
pub fn options() -> OpenOptions {
    #[cfg_attr(not(unix), allow(unused_mut, reason = "only Unix has modes"))]
    let mut options = File::options();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Makes a file that is there its owner's alone.
#[cfg_attr(not(unix), allow(unused_variables, clippy::unnecessary_wraps, reason = "only Unix has modes"))]
pub fn protect(file: &File) -> io::Result<()> {
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    Ok(())
}

/// Makes a missing folder, and those it is in. One that is there stays as it is: it may not be ours alone.
pub fn create_folder(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Makes a folder its owner's alone, also one that is there. Those it is in are made as the system makes them.
pub fn own_folder(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    #[cfg(unix)]
    fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use rstest::rstest;

    use super::*;

    /// Whether it is there with this mode, which only Unix has.
    fn has_mode(path: &Path, mode: u32) -> bool {
        let found = fs::metadata(path).unwrap().permissions();
        #[cfg(unix)]
        {
            std::os::unix::fs::PermissionsExt::mode(&found) & 0o777 == mode
        }
        #[cfg(not(unix))]
        {
            mode != 0 && !found.readonly()
        }
    }

    /// Opens it to everybody, where that can be said.
    fn open_to_all(path: &Path) {
        #[cfg(unix)]
        fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        #[cfg(not(unix))]
        assert!(path.exists());
    }

    #[test]
    fn a_new_file_is_its_owners_alone_and_one_that_is_there_once_it_is_protected() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("students.txt");
        options().write(true).create_new(true).open(&path).unwrap().write_all(b"1").unwrap();
        assert!(has_mode(&path, 0o600));
        open_to_all(&path);
        let mut file = options().read(true).write(true).create(true).truncate(false).open(&path).unwrap();
        assert!(has_mode(&path, 0o755));
        protect(&file).unwrap();
        assert!(has_mode(&path, 0o600));
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "1");
    }

    #[rstest]
    #[case::left_as_it_is(create_folder, 0o755)]
    #[case::taken(own_folder, 0o700)]
    fn a_new_folder_is_its_owners_alone(#[case] make: fn(&Path) -> io::Result<()>, #[case] then: u32) {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("data").join("logs");
        make(&folder).unwrap();
        assert!(has_mode(&folder, 0o700));
        open_to_all(&folder);
        make(&folder).unwrap();
        assert!(has_mode(&folder, then));
    }
}
