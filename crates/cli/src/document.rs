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

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Ok => 0,
            Exit::Failed => 1,
            Exit::WrongUsage => 2,
            Exit::NeedsPerson => 3,
        })
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
            remedy: fault.remedy.clone(),
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

/// Whether a code means that a person has to decide before it can go on.
pub fn stops_for_a_person(code: &str) -> bool {
    matches!(
        code,
        "sftp.host_key_unknown" | "sftp.host_key_changed" | "sftp.host_key_mismatch" | "guard.large_change"
    )
}

impl From<Fault> for Document {
    fn from(fault: Fault) -> Self {
        Self::failed(&fault, Value::Null)
    }
}
