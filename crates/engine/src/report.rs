//! What the engine tells about its work: progress while it runs, and reports when it is done. Serialisable, since
//! every process of a profile sees them; counts and ids only. No student's name but in the rows a dry run shows.

mod connection;
mod held;
mod plan;
mod plugin;
mod run;
mod setup;
mod status;
mod undo;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

pub use self::{
    connection::{
        CertificateView, FieldAccess, FieldAccessView, HeroTest, HostKeyView, PowerSchoolTest, QueryView,
        ServerView, StageReport, StageResult, TableAccessView, TestReport,
    },
    held::{HeldPage, HeldView},
    plan::{FileSample, GuardReason, GuardedSchool, GuardedView, PlanView, PlannedRecord},
    plugin::{ExchangeFit, FieldView, PluginCheck, PluginRemark, PluginView},
    run::{Event, JobReport, Phase, PhaseSeconds, Progress, RunView, SyncReport},
    setup::{BuildingChoice, Choices, CodeChoice, Handover, SchoolChoice, SecretState},
    status::{
        CircuitView, HolderView, JobView, MailProblem, Metrics, NoticedChange, SchoolSeason, SchoolYearView,
        Sizes, StatusView, SummerPause, SupportBundle,
    },
    undo::{LeftAlone, NotUndone, UndoReport},
};

/// Why something failed: a stable code, what happened, what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Cause {
    /// Stable, e.g. `powerschool.bad_credentials`.
    pub code: String,
    /// What happened, in a sentence.
    pub message: String,
    /// What the person can do.
    pub remedy: String,
}
