//! The one JSON document of `--json`, and the exit codes.

use std::process::ExitCode;

use rosterbridge_api::Fault;
use serde::Serialize;
use serde_json::Value;

/// How a command ended, for the shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0
    Ok,
    /// 1
    Failed,
    /// 2
    WrongUsage,
    /// 3: this call stopped for a person, or newly held rows.
    NeedsPerson,
}

impl Exit {
    /// The exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failed => 1,
            Self::WrongUsage => 2,
            Self::NeedsPerson => 3,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}

/// A command's result: `{"schema":1,"ok","code","message","remedy","data"}`.
#[derive(Debug, Serialize)]
pub struct Document {
    schema: u32,
    /// Whether it was done.
    pub ok: bool,
    /// `ok`, or the stable code of what went wrong.
    pub code: String,
    /// What happened, in a sentence.
    pub message: String,
    /// What to do; empty when nothing is.
    pub remedy: String,
    /// The command's own data.
    pub data: Value,
    #[serde(skip)]
    /// For the shell.
    pub exit: Exit,
    #[serde(skip)]
    /// For a person, instead of `data`.
    pub text: String,
}

impl Document {
    /// Something that was done.
    pub fn done(message: impl Into<String>, data: Value) -> Self {
        Self {
            schema: 1,
            ok: true,
            code: "ok".to_owned(),
            message: message.into(),
            remedy: String::new(),
            data,
            exit: Exit::Ok,
            text: String::new(),
        }
    }

    /// Something that was not.
    pub fn failed(fault: &Fault, data: Value) -> Self {
        Self {
            schema: 1,
            ok: false,
            code: fault.code.clone(),
            message: fault.message.clone(),
            remedy: remedy(fault),
            data,
            exit: if stops_for_a_person(&fault.code) { Exit::NeedsPerson } else { Exit::Failed },
            text: String::new(),
        }
    }

    /// A command line that can't be understood.
    pub fn wrong_usage(message: String) -> Self {
        Self {
            schema: 1,
            ok: false,
            code: "usage".to_owned(),
            message,
            remedy: "Run 'rosterbridge help' to see what there is.".to_owned(),
            data: Value::Null,
            exit: Exit::WrongUsage,
            text: String::new(),
        }
    }

    /// Adds what a person reads.
    #[must_use]
    pub fn with_text(mut self, text: String) -> Self {
        self.text = text;
        self
    }
}

/// The commands for what a remedy tells a person to do in the window.
fn commands(code: &str) -> Option<&'static str> {
    Some(match code {
        "powerschool.no_access"
        | "powerschool.core_only"
        | "powerschool.no_queries"
        | "powerschool.partial_access" => {
            "rosterbridge plugin build FILE.zip --of-profile writes that plugin, and rosterbridge test powerschool lists \
             every field."
        }
        "powerschool.unknown_authority" | "powerschool.certificate_not_presented" => {
            "rosterbridge test powerschool lists the certificates, and rosterbridge test powerschool \
             --accept-certificate SHA256 trusts one."
        }
        "powerschool.bad_client_secret"
        | "powerschool.bad_credentials"
        | "powerschool.credentials_replaced"
        | "powerschool.credentials_swapped" => {
            "rosterbridge secrets set powerschool.client-secret takes the Client Secret on standard input. The Client ID \
             is in the setup file: rosterbridge setup export FILE, change it, rosterbridge setup import FILE."
        }
        "powerschool.proxy_credentials" => {
            "rosterbridge secrets set proxy.password takes the password on standard input. The user name is in the setup \
             file: rosterbridge setup export FILE, change it, rosterbridge setup import FILE."
        }
        "powerschool.bad_url"
        | "powerschool.http_refused"
        | "powerschool.bad_client_id"
        | "powerschool.bad_proxy"
        | "powerschool.bad_extra_root"
        | "powerschool.wrong_scheme"
        | "powerschool.not_powerschool"
        | "powerschool.proxy_unreachable"
        | "powerschool.proxy_pac"
        | "raptor.no_buildings"
        | "raptor.no_exchange"
        | "raptor.prerequisites"
        | "setup.incomplete"
        | "setup.switched_off" => {
            "it is in the setup file: rosterbridge setup export FILE, change it, rosterbridge setup import FILE."
        }
        "sftp.host_key_unknown" | "sftp.host_key_mismatch" => {
            "rosterbridge test connection ID shows the key, and rosterbridge test connection ID --accept-host-key \
             SHA256:... accepts it."
        }
        "sftp.host_key_changed" => {
            "rosterbridge test connection ID shows both keys, and rosterbridge connections replace-host-key ID \
             --presented SHA256:... --typed CHARACTERS replaces the accepted one."
        }
        "hero.no_account" => {
            "rosterbridge hero accounts list shows the accounts, and rosterbridge hero accounts add makes one."
        }
        "hero.settings_invalid" => {
            "rosterbridge hero accounts set, set-export and set-import change it, and rosterbridge connections set a \
             managed connection."
        }
        "sftp.bad_password" | "sftp.password_expired" => {
            "rosterbridge secrets set ID.password (hero.password for the connection 'hero') takes the password on standard input."
        }
        _ => return None,
    })
}

/// A fault's remedy, with the command for it where the remedy names none.
fn remedy(fault: &Fault) -> String {
    match commands(&fault.code) {
        Some(commands) if !fault.remedy.contains("rosterbridge ") => {
            format!("{} On the command line: {commands}", fault.remedy)
        }
        _ => fault.remedy.clone(),
    }
}

/// Whether a code means that a person has to decide before it can go on.
pub fn stops_for_a_person(code: &str) -> bool {
    matches!(
        code,
        "sftp.host_key_unknown"
            | "sftp.host_key_changed"
            | "sftp.host_key_mismatch"
            | "guard.large_change"
            | "hero.other_sender"
    )
}

impl From<Fault> for Document {
    fn from(fault: Fault) -> Self {
        Self::failed(&fault, Value::Null)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::named("powerschool.no_access", "Install it.", "plugin build FILE.zip --of-profile")]
    #[case::certificate("powerschool.unknown_authority", "Add it.", "--accept-certificate SHA256")]
    #[case::secret("powerschool.bad_credentials", "Copy it.", "secrets set powerschool.client-secret")]
    fn a_remedy_names_the_command_for_it(#[case] code: &str, #[case] remedy: &str, #[case] command: &str) {
        let fault = Fault { code: code.to_owned(), message: String::new(), remedy: remedy.to_owned() };
        let document = Document::from(fault);
        assert!(document.remedy.starts_with(remedy) && document.remedy.contains(command), "{document:?}");
    }

    #[rstest]
    #[case::named_already(
        "sftp.host_key_unknown",
        "Run: rosterbridge test hero --accept-host-key SHA256:abc"
    )]
    #[case::nothing_to_enter("powerschool.timeout", "Try again later.")]
    fn other_remedies_stay_as_they_are(#[case] code: &str, #[case] remedy: &str) {
        let fault = Fault { code: code.to_owned(), message: String::new(), remedy: remedy.to_owned() };
        assert_eq!(Document::from(fault).remedy, remedy);
    }
}
