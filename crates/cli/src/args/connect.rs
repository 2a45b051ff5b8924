//! What connects a district: its set-up, secrets, connection tests, the plugin and handover files.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use rosterbridge_api::domain::{job::Job, settings::ConnectionId};

/// The setup file.
#[derive(Debug, Subcommand)]
pub enum Setup {
    /// Take over a setup file, or set the profile up for a practice district
    Import {
        /// The setup file. The passphrase of an encrypted one is read from standard input
        #[arg(required_unless_present = "practice", conflicts_with = "practice")]
        file: Option<PathBuf>,
        /// Ready file of a running practice district
        #[arg(long, value_name = "READY")]
        practice: Option<PathBuf>,
        /// Leave the practice district's host key to be accepted
        #[arg(long, requires = "practice")]
        no_pin: bool,
    },
    /// Write the setup file
    Export {
        /// The file
        file: PathBuf,
        /// Include the secrets and encrypt the file with the passphrase on standard input
        #[arg(long)]
        with_secrets: bool,
    },
}

/// Secrets in the keychain.
#[derive(Debug, Subcommand)]
pub enum Secrets {
    /// Store the value on standard input
    Set {
        /// e.g. powerschool.client-secret, hero.password, connection-3.private-key, smtp.password
        name: String,
    },
    /// Tell whether it is there and can be read
    Check {
        /// e.g. powerschool.client-secret, hero.password, connection-3.private-key, smtp.password
        name: String,
    },
}

/// A connection test.
#[derive(Debug, Args)]
pub struct Test {
    /// What to test
    #[arg(value_enum)]
    pub what: Tested,
    /// Which managed connection (connection)
    #[arg(value_name = "ID", required_if_eq("what", "connection"))]
    pub connection: Option<ConnectionId>,
    /// Test only what needs no network now; the rest runs by itself when the server can be reached (powerschool)
    #[arg(long)]
    pub offline: bool,
    /// Stay until that has happened, and show the whole report
    #[arg(long, requires = "offline")]
    pub wait: bool,
    /// Trust the certificate with this fingerprint if the server presents it (powerschool). Compare it first with the
    /// one the server's administrator gives you
    #[arg(long, value_name = "SHA256", value_parser = fingerprint, conflicts_with = "offline")]
    pub accept_certificate: Option<String>,
    /// Accept this host key if the server presents it (connection, hero, raptor): a fingerprint from whoever runs the
    /// server, SHA256 or MD5, or the line that ssh-keygen prints. Never replaces an accepted one
    #[arg(long, value_name = "FINGERPRINT")]
    pub accept_host_key: Option<String>,
}

impl Test {
    /// An option that belongs to another test.
    pub fn misplaced_option(&self) -> Option<&'static str> {
        let options = [
            ("--offline", self.offline, &[Tested::Powerschool][..]),
            ("--accept-certificate", self.accept_certificate.is_some(), &[Tested::Powerschool]),
            (
                "--accept-host-key",
                self.accept_host_key.is_some(),
                &[Tested::Connection, Tested::Hero, Tested::Raptor],
            ),
            ("ID", self.connection.is_some(), &[Tested::Connection]),
        ];
        let misplaced = options.into_iter().find(|(_, given, of)| *given && !of.contains(&self.what));
        misplaced.map(|(option, ..)| option)
    }
}

/// Reads a SHA256 fingerprint as people write it: 64 hexadecimal digits, with or without colons, spaces and `SHA256:`.
fn fingerprint(text: &str) -> Result<String, String> {
    let text = text.trim();
    let digits = match text.split_at_checked(7) {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case("SHA256:") => rest,
        _ => text,
    };
    let digits: String = digits.chars().filter(|c| !c.is_whitespace() && *c != ':').collect();
    if digits.len() == 64 && digits.chars().all(|c| c.is_ascii_hexdigit()) {
        Ok(digits.to_ascii_uppercase())
    } else {
        Err("a SHA256 fingerprint has 64 hexadecimal digits, such as 0F:1E:2D:...".to_owned())
    }
}

/// What a connection test is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Tested {
    /// PowerSchool's API
    Powerschool,
    /// The SFTP server of a managed connection
    Connection,
    /// The SFTP server of the first account at Hero
    Hero,
    /// The exchange with Raptor: its folder, or its SFTP server
    Raptor,
    /// The mail server
    Mail,
}

/// The plugin.
#[derive(Debug, Subcommand)]
pub enum Plugin {
    /// Write the plugin to install in PowerSchool
    Build {
        /// The zip file to write
        file: PathBuf,
        /// An exchange it shall allow; may be repeated. All of them when none is named
        #[arg(long = "job", value_name = "JOB")]
        jobs: Vec<Job>,
        /// For this profile: its exchanges when none is named, and a higher version when it asks for something else
        /// than the one before, so that PowerSchool updates it in place
        #[arg(long)]
        of_profile: bool,
    },
    /// Check a plugin file, ours or a vendor's: whether PowerSchool would take it, and what it asks for
    Check {
        /// A zip, or a bare Plugin.xml
        file: PathBuf,
    },
}

/// Handover files.
#[derive(Debug, Subcommand)]
pub enum Handover {
    /// Write one, encrypted with the passphrase on standard input, and the mail to send it with
    Write {
        /// The file
        file: PathBuf,
        /// Encrypt it for this public key instead: what 'handover key' prints where it will be opened
        #[arg(long, value_name = "age1...")]
        to: Option<String>,
    },
    /// Take over what one holds. A passphrase, if it needs one, is read from standard input
    Open {
        /// The file
        file: PathBuf,
    },
    /// Show the public key that files for this profile can be encrypted for
    Key,
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use rstest::rstest;

    use crate::args::Cli;

    const SHA256: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[rstest]
    #[case(&["powerschool", "--offline", "--wait"], true)]
    #[case(&["powerschool", "--accept-certificate", SHA256], true)]
    #[case(&["hero", "--accept-host-key", "SHA256:abc"], true)]
    #[case(&["connection", "connection-3", "--accept-host-key", "SHA256:abc"], true)]
    #[case(&["connection"], false)]
    #[case(&["connection", "elsewhere"], false)]
    #[case(&["connection", "hero", "--offline"], false)]
    #[case(&["hero", "connection-3"], false)]
    #[case(&["hero", "--offline"], false)]
    #[case(&["raptor", "--offline", "--wait"], false)]
    #[case(&["mail", "--accept-certificate", SHA256], false)]
    #[case(&["powerschool", "--accept-host-key", "SHA256:abc"], false)]
    #[case(&["raptor", "--accept-host-key", "SHA256:abc"], true)]
    #[case(&["mail", "--accept-host-key", "SHA256:abc"], false)]
    fn a_test_takes_its_own_options_only(#[case] test: &[&str], #[case] taken: bool) {
        let arguments = ["rosterbridge", "test"].iter().chain(test).map(OsString::from);
        assert_eq!(Cli::read(arguments).is_ok(), taken);
    }

    #[rstest]
    #[case::bare(SHA256, true)]
    #[case::as_browsers_show_it(&format!("{}EF", "AB:".repeat(31)), true)]
    #[case::named(&format!("SHA256:{SHA256}"), true)]
    #[case::in_groups(&format!("sha256:{} {}", &SHA256[..32], &SHA256[32..]), true)]
    #[case::cut_off("AB:CD", false)]
    #[case::too_long(&format!("{SHA256}00"), false)]
    #[case::sha1(&SHA256[..40], false)]
    #[case::no_digits(&"x".repeat(64), false)]
    #[case::base64("SHA256:n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg", false)]
    #[case::not_ascii("ää", false)]
    #[case::empty("", false)]
    fn a_fingerprint_has_64_digits(#[case] text: &str, #[case] taken: bool) {
        let arguments = ["rosterbridge", "test", "powerschool", "--accept-certificate", text];
        assert_eq!(Cli::read(arguments.map(OsString::from)).is_ok(), taken);
    }
}
