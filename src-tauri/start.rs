//! How the app was started.

use std::{
    ffi::OsString,
    hash::{DefaultHasher, Hash, Hasher},
    path::{self, PathBuf},
};

/// The profile of a district of one's own, unless another is named.
pub const DEFAULT_PROFILE: &str = "default";
/// The profile of the practice district.
pub const PRACTICE_PROFILE: &str = "practice";

/// Starts beside the clock, without a window: how it starts at login.
pub const IN_TRAY: &str = "--in-tray";
/// Ends the app when its window is closed, as `rosterbridge run` keeps the exchange going, or for a test.
const QUIT_ON_CLOSE: &str = "--quit-on-close";

/// Start options: `--home DIR` (or `ROSTERBRIDGE_HOME`), `--profile NAME`, `--in-tray` and `--quit-on-close`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// The folder that holds the profiles; `None` where the account has no home and none was named.
    pub home: Option<PathBuf>,
    /// The profile to open.
    pub profile: String,
    /// Whether no window is shown until a person asks for it.
    pub in_tray: bool,
    /// Whether closing the window ends the app.
    pub quit_on_close: bool,
}

impl Start {
    /// Reads the arguments after the program's name. Others are left alone: systems and test drivers add their own.
    pub fn new(arguments: impl IntoIterator<Item = OsString>, home_variable: Option<OsString>) -> Self {
        let mut home = home_variable.filter(|value| !value.is_empty()).map(PathBuf::from);
        let mut profile = None;
        let (mut in_tray, mut quit_on_close) = (false, false);
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            if let Some(value) = value_of("--home", &argument, &mut arguments) {
                home = Some(value.into());
            } else if let Some(value) = value_of("--profile", &argument, &mut arguments) {
                profile = value.into_string().ok();
            } else if argument == IN_TRAY {
                in_tray = true;
            } else if argument == QUIT_ON_CLOSE {
                quit_on_close = true;
            }
        }
        Self {
            home: home.or_else(rosterbridge_api::default_home),
            profile: profile.unwrap_or_else(|| DEFAULT_PROFILE.to_owned()),
            in_tray,
            quit_on_close,
        }
    }

    /// The home, where it is not the usual one.
    fn other_home(&self) -> Option<PathBuf> {
        let home = path::absolute(self.home.as_ref()?).ok()?;
        (Some(&home) != rosterbridge_api::default_home().as_ref()).then_some(home)
    }

    /// What to start with again to come to the same profile.
    pub fn arguments(&self) -> Vec<String> {
        let mut arguments = Vec::new();
        if let Some(home) = self.other_home().as_ref().and_then(|home| home.to_str()) {
            // Entries for login are command lines, but for macOS's, which are lists.
            let quoted = !cfg!(target_os = "macos") && home.contains(char::is_whitespace);
            arguments.push(if quoted { format!("\"--home={home}\"") } else { format!("--home={home}") });
        }
        if self.profile != DEFAULT_PROFILE {
            arguments.push(format!("--profile={}", self.profile));
        }
        arguments
    }

    /// The arguments of a process that is started so.
    pub fn command_line(&self) -> Vec<OsString> {
        let mut arguments = vec!["--profile".into(), OsString::from(&self.profile)];
        if let Some(home) = &self.home {
            arguments.extend(["--home".into(), home.clone().into_os_string()]);
        }
        arguments.extend(self.in_tray.then(|| IN_TRAY.into()));
        arguments.extend(self.quit_on_close.then(|| QUIT_ON_CLOSE.into()));
        arguments
    }

    /// Tells this home and profile from others among the programs of an account; none for the usual ones.
    pub fn name(&self) -> Option<String> {
        let home = self.other_home();
        let profile = (self.profile != DEFAULT_PROFILE).then_some(&self.profile);
        match (home, profile) {
            (None, profile) => profile.cloned(),
            (Some(home), profile) => {
                let mut hasher = DefaultHasher::new();
                (home, profile).hash(&mut hasher);
                Some(format!("h{:016x}", hasher.finish()))
            }
        }
    }
}

/// The value of an option given as `--name VALUE` or `--name=VALUE`.
pub fn value_of(
    name: &str,
    argument: &OsString,
    rest: &mut impl Iterator<Item = OsString>,
) -> Option<OsString> {
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
    fn what_is_started_again_comes_to_the_same_profile() {
        let first = Start::new(["--home=/a folder", "--profile=north"].map(OsString::from), None);
        let again: Vec<OsString> =
            first.arguments().iter().map(|argument| argument.trim_matches('"').into()).collect();
        assert_eq!(Start::new(again, None), first);
        let other = Start { profile: "south".to_owned(), quit_on_close: true, ..first.clone() };
        assert_eq!(Start::new(other.command_line(), None), other);
        let usual = Start::new([IN_TRAY.into()], None);
        assert_eq!(Start::new(usual.command_line(), None), usual);
        assert!(usual.in_tray && !usual.quit_on_close);
        assert_eq!((usual.arguments(), usual.name()), (Vec::new(), None));
    }

    #[test]
    fn each_home_and_profile_has_a_name_of_its_own() {
        let name = |arguments: &[&str]| Start::new(arguments.iter().map(OsString::from), None).name();
        let names = [
            name(&[]),
            name(&["--profile=north"]),
            name(&["--home=/here"]),
            name(&["--home=/there"]),
            name(&["--home=/here", "--profile=north"]),
        ];
        for (index, name) in names.iter().enumerate() {
            assert!(!names[..index].contains(name), "{names:?}");
        }
    }

    #[test]
    fn a_longer_name_is_another_option() {
        assert_eq!(
            start(&["--profiles=x", "--homely", "/x"], Some("/there")),
            (Some(PathBuf::from("/there")), DEFAULT_PROFILE.into())
        );
    }
}
