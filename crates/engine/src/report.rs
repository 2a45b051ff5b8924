//! What the engine tells about its work: progress while it runs, and reports when it is done. Serialisable, since
//! every process of a profile sees them; counts and ids only. No student's name but in the rows a dry run shows, and where a
//! person picks a student.

mod activity;
mod connection;
mod held;
mod hero;
mod managed;
mod plan;
mod plugin;
mod raptor;
mod run;
mod setup;
mod status;
mod trace;
mod undo;
mod watch;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

pub use self::{
    activity::{
        DayRuns, OutcomeRuns, RowCursor, RowList, RowPage, RowPageStart, RowPlace, RowSort, RowSummary,
        RunDay, RunHistory, WrittenRows,
    },
    connection::{
        AcceptedHostKey, CertificateView, ConnectionTest, FieldAccess, FieldAccessView, HostKeyView,
        PowerSchoolTest, QueryView, ServerView, StageReport, StageResult, TableAccessView, TestReport,
    },
    held::{
        FoundStudent, HeldCauseView, HeldChoices, HeldCodeChoice, HeldFixView, HeldMeetingChoice, HeldPage,
        HeldView,
    },
    hero::{
        ExportField, ExportPreview, ExportProblemView, ExportProblems, ExportRows, FacultyFileView,
        ProblemCount, RemoteFileKind, RemoteFileView, RemoteFiles, RemoteFolderView, Sheet, SheetEntry,
        SheetRow, SheetScreen, SheetSide, Timeline, TimelineEntry, TimelineWarning,
    },
    managed::{
        HostKeyHistory, HostKeyMarker, KeyView, KnownHostStanding, KnownHostView, KnownHostsView,
        LegacyAlgorithm, OwnerChange, PublicKeyView, ReplacedHostKey, UnreadableLine,
    },
    plan::{FileSample, GuardReason, GuardedSchool, GuardedView, PlanView, PlannedRecord},
    plugin::{ExchangeFit, FieldView, PluginCheck, PluginRemark, PluginView},
    raptor::{RaptorConfirmation, RaptorHistory, RosterPreview, StatusChangeView},
    run::{Event, JobReport, NoticePlace, Phase, PhaseSeconds, Progress, RunView, SyncReport},
    setup::{
        BuildingChoice, Choices, CodeChoice, Handover, MappingChange, MethodKnownBy, MethodPreset,
        NameFoundIn, ReasonChoice, SchoolChoice, SecretState,
    },
    status::{
        CircuitView, HolderView, JobView, MailProblem, Metrics, NoticedChange, RaptorNext, RaptorStep,
        RaptorView, SchoolSeason, SchoolYearView, Sizes, StatusView, SummerPause, SupportBundle,
    },
    trace::{
        ReconciledFile, ReconciledRows, Reconciliation, RowFate, RowsOf, TracePage, TraceQuery, TraceStep,
        TracedRecord, TracedRow,
    },
    undo::{LeftAlone, NotUndone, UndoReport},
    watch::{OtherSenderView, WatchState, WatchView, WatchedFileView},
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
