//! How the app was started.

use std::{ffi::OsString, path::PathBuf};

/// The profile of a district of one's own, unless another is named.
pub const DEFAULT_PROFILE: &str = "default";
/// The profile of the practice district.
pub const PRACTICE_PROFILE: &str = "practice";

/// Start options: `--home DIR` (or `ROSTERBRIDGE_HOME`) and `--profile NAME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// The folder that holds the profiles; `None` where the account has no home and none was named.
    pub home: Option<PathBuf>,
    /// The profile to open.
    pub profile: String,
}

impl Start {
    /// Reads the arguments after the program's name. Others are left alone: systems and test drivers add their own.
    pub fn new(arguments: impl IntoIterator<Item = OsString>, home_variable: Option<OsString>) -> Self {
        let mut home = home_variable.filter(|value| !value.is_empty()).map(PathBuf::from);
        let mut profile = None;
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            if let Some(value) = value_of("--home", &argument, &mut arguments) {
                home = Some(value.into());
            } else if let Some(value) = value_of("--profile", &argument, &mut arguments) {
                profile = value.into_string().ok();
            }
        }
        Self {
            home: home.or_else(rosterbridge_api::default_home),
            profile: profile.unwrap_or_else(|| DEFAULT_PROFILE.to_owned()),
        }
    }
}

/// The value of an option given as `--name VALUE` or `--name=VALUE`.
fn value_of(name: &str, argument: &OsString, rest: &mut impl Iterator<Item = OsString>) -> Option<OsString> {
    if argument == name {
        return rest.next();
    }
    let value = argument.to_str()?.strip_prefix(name)?.strip_prefix('=')?;
    Some(value.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(arguments: &[&str], variable: Option<&str>) -> (Option<PathBuf>, String) {
        let start = Start::new(arguments.iter().map(OsString::from), variable.map(OsString::from));
        (start.home, start.profile)
    }

    #[test]
    fn options_come_in_both_spellings_and_win_over_the_variable() {
        let here = || Some(PathBuf::from("/here"));
        assert_eq!(
            start(&["--home", "/here", "--profile", "practice"], Some("/there")),
            (here(), "practice".into())
        );
        assert_eq!(start(&["--home=/here", "--profile=north"], None), (here(), "north".into()));
        assert_eq!(start(&["--automation", "--home=/here"], None), (here(), DEFAULT_PROFILE.into()));
    }

    #[test]
    fn without_options_the_variable_counts_unless_it_is_empty() {
        assert_eq!(start(&[], Some("/there")).0, Some(PathBuf::from("/there")));
        assert_eq!(start(&[], Some("")).0, rosterbridge_api::default_home());
    }

    #[test]
    fn a_longer_name_is_another_option() {
        assert_eq!(
            start(&["--profiles=x", "--homely", "/x"], Some("/there")),
            (Some(PathBuf::from("/there")), DEFAULT_PROFILE.into())
        );
    }
}
