//! A file name for a building's roster, whatever the building is called.

use chrono::NaiveDateTime;
use sha2::{Digest, Sha256};

/// Names that Windows gives to devices, with or without an extension (Microsoft: Naming Files, Paths, and
/// Namespaces).
const DEVICES: [&str; 7] = ["con", "prn", "aux", "nul", "conin$", "conout$", "clock$"];
/// The longest stem, in characters, so that the name leaves room for the folder in Windows' 260 characters.
const LONGEST_STEM: usize = 48;
/// The longest stem, in bytes: a name with everything that is added to it stays below the 200 bytes that are sure to be
/// taken by SFTP servers.
const LONGEST_BYTES: usize = 120;
/// Stands between the building and the time in the name of a file of changes.
const CHANGES: &str = " changes ";
/// Hexadecimal digits of the suffix.
const SUFFIX: usize = 8;

/// The name of the roster file of `building`, safe on Windows, macOS and Linux.
///
/// A plain name is kept: `Lincoln High School` is `Lincoln High School.csv`. In any other name the characters that
/// some system refuses become `_`, and a short hash of the name follows, so that two buildings never share a file.
/// Names that differ only in letter case or spacing are the same building, as in the mapping table.
pub fn building_file_name(building: &str) -> String {
    let name = building.split_whitespace().collect::<Vec<_>>().join(" ");
    if is_plain(&name) {
        return format!("{name}.csv");
    }
    let mut stem: String = name
        .chars()
        .map(|c| if c.is_alphanumeric() || matches!(c, ' ' | '-' | '_') { c } else { '_' })
        .take(LONGEST_STEM)
        .collect();
    while stem.len() > LONGEST_BYTES {
        stem.pop();
    }
    stem.truncate(stem.trim_end().len());
    if !stem.starts_with(char::is_alphanumeric) {
        stem.insert_str(0, "building ");
    }
    let hash = hex::encode(&Sha256::digest(name.to_lowercase())[..SUFFIX / 2]);
    // The hash also keeps `con` from being a device, since only the whole stem counts.
    format!("{stem}-{hash}.csv")
}

/// The name of a file of changes of `building`: the roster file's, with the local time at which it was made. The
/// `count`th file of that second has its number behind the time, from the second on.
pub fn changes_file_name(building: &str, at: NaiveDateTime, count: u32) -> String {
    let name = building_file_name(building);
    let stem = name.strip_suffix(".csv").unwrap_or(&name);
    let time = at.format("%Y-%m-%d %H%M%S");
    if count < 2 {
        format!("{stem}{CHANGES}{time}.csv")
    } else {
        format!("{stem}{CHANGES}{time} {count}.csv")
    }
}

/// Whether every system takes the name as it is, and it can be no other name's result. Letters beyond ASCII are not
/// plain: systems differ in which of their spellings are one file.
fn is_plain(name: &str) -> bool {
    let allowed =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, ' ' | '-' | '_' | '.' | '\'' | '&' | '(' | ')');
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.len() <= LONGEST_STEM
        && name.chars().all(allowed)
        && !is_device(name)
        && !ends_like_a_hash(name)
        && !name.to_ascii_lowercase().contains(CHANGES)
}

fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_ascii_lowercase();
    let port = |kind: &str| {
        stem.strip_prefix(kind)
            .is_some_and(|rest| rest.len() == 1 && rest.bytes().all(|byte| byte.is_ascii_digit()))
    };
    DEVICES.contains(&stem.as_str()) || port("com") || port("lpt")
}

fn ends_like_a_hash(name: &str) -> bool {
    name.rsplit_once('-')
        .is_some_and(|(_, end)| end.len() == SUFFIX && end.bytes().all(|byte| byte.is_ascii_hexdigit()))
}
