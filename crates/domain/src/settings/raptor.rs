//! The exchange with Raptor: who has to have done what, when it runs, and how the files look.

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::ConnectionId;
use crate::schedule::{Interval, TimeOfDay};

/// The exchange with Raptor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(default)]
pub struct RaptorSettings {
    /// What has to be done before buildings are mapped.
    pub prerequisites: Prerequisites,
    /// 'Enable Student Information System Real Time Integration'.
    pub enabled: bool,
    /// 'Select Data to be Integrated: Student Tardy'.
    pub student_tardy: bool,
    /// The exchange folder: rosters go to `roster/` in it, dropped tardy files are taken from it.
    pub folder: String,
    /// An SFTP server in place of the folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub connection: Option<RaptorConnection>,
    /// Who is told when the integration's status changes; empty for those of
    /// [`MailSettings::to`](super::MailSettings::to).
    pub notify: Vec<String>,
    /// When full synchronizations are made.
    pub window: IntegrationWindow,
    /// Minutes between two looks at PowerSchool for updates, once a full synchronization has succeeded.
    pub follow_minutes: Interval,
    /// What the roster files hold and how they look.
    pub roster: RosterSettings,
    /// What becomes of a student who signed in before the first bell.
    pub before_first_bell: BeforeFirstBell,
}

impl Default for RaptorSettings {
    fn default() -> Self {
        Self {
            prerequisites: Prerequisites::default(),
            enabled: false,
            student_tardy: false,
            folder: String::new(),
            connection: None,
            notify: Vec::new(),
            window: IntegrationWindow::default(),
            follow_minutes: const { Interval::known(5) },
            roster: RosterSettings::default(),
            before_first_bell: BeforeFirstBell::default(),
        }
    }
}

/// What the vendor's procedure wants done before SIS settings are configured. Each is ticked by a person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(default)]
pub struct Prerequisites {
    /// Raptor has configured the client and its buildings, and has said so.
    pub client_configured: bool,
    /// The plugin is installed in PowerSchool.
    pub plugin_installed: bool,
    /// Raptor has entered the PowerSchool credentials.
    pub credentials_entered: bool,
}

impl Prerequisites {
    /// All ticked.
    pub const DONE: Self =
        Self { client_configured: true, plugin_installed: true, credentials_entered: true };

    /// Whether all are ticked.
    pub const fn are_done(self) -> bool {
        self.client_configured && self.plugin_installed && self.credentials_entered
    }
}

/// The managed connection over which files are exchanged with Raptor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct RaptorConnection {
    /// Which one.
    pub connection: ConnectionId,
    /// The folder on the server that stands for the exchange folder; empty for the one the account starts in.
    #[serde(default)]
    pub folder: String,
}

/// The daily time in which full synchronizations are made: by wall clock, also when the clocks change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(default)]
pub struct IntegrationWindow {
    /// Its time zone, e.g. `America/Chicago`.
    #[ts(type = "string")]
    pub zone: Tz,
    /// When it opens.
    pub opens: TimeOfDay,
    /// How long it stays open, in minutes.
    pub minutes: Interval,
    /// Minutes from a failed attempt to the next one while it is open.
    pub retry_minutes: Interval,
}

impl Default for IntegrationWindow {
    /// As the vendor's procedure has it, for two hours.
    fn default() -> Self {
        Self {
            zone: chrono_tz::America::Chicago,
            opens: const { TimeOfDay::known(16, 0) },
            minutes: const { Interval::known(120) },
            retry_minutes: const { Interval::known(10) },
        }
    }
}

/// What the roster files hold and how they look.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(default)]
pub struct RosterSettings {
    /// Every student or what has changed.
    pub content: RosterContent,
    /// The name of the layout in use; empty for [`RosterLayout::default`].
    pub layout: String,
    /// The saved layouts, each with a name of its own.
    pub layouts: Vec<RosterLayout>,
}

/// Which students a roster file names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
pub enum RosterContent {
    /// All of the building, and once those who have left.
    #[default]
    Full,
    /// Those who are new, changed or gone since the last accepted file.
    Changes,
}

/// How a roster file looks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct RosterLayout {
    /// What a person calls it.
    pub name: String,
    /// Its columns in order, at least one.
    pub columns: Vec<RosterColumn>,
    /// Between two values.
    pub delimiter: Delimiter,
    /// After each row.
    pub line_end: LineEnd,
    /// Whether the first line names the columns.
    pub header: bool,
    /// Whether the file begins with the UTF-8 byte order mark, by which some programs know UTF-8.
    pub byte_order_mark: bool,
    /// How dates are written.
    pub dates: DateForm,
}

impl Default for RosterLayout {
    fn default() -> Self {
        Self {
            name: "Raptor".to_owned(),
            columns: RosterField::ALL
                .into_iter()
                .map(|field| RosterColumn { title: field.title().to_owned(), field })
                .collect(),
            delimiter: Delimiter::Comma,
            line_end: LineEnd::Crlf,
            header: true,
            byte_order_mark: false,
            dates: DateForm::Iso,
        }
    }
}

/// A column of a roster file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct RosterColumn {
    /// Its name in the header.
    pub title: String,
    /// What it holds.
    pub field: RosterField,
}

/// What a column of a roster file can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum RosterField {
    /// Raptor's name of the building.
    Building,
    /// STUDENTS.STUDENT_NUMBER.
    IdNumber,
    /// STUDENTS.FIRST_NAME.
    FirstName,
    /// STUDENTS.MIDDLE_NAME.
    MiddleName,
    /// STUDENTS.LAST_NAME.
    LastName,
    /// STUDENTS.DOB.
    DateOfBirth,
    /// STUDENTS.GRADE_LEVEL.
    Grade,
    /// STUDENTS.HOME_ROOM.
    Homeroom,
    /// STUDENTS.GUARDIANEMAIL.
    GuardianEmail,
    /// STUDENTS.HOME_PHONE.
    Phone,
    /// `Active` or `Inactive`.
    Status,
}

impl RosterField {
    /// Every field, in the usual order of the columns.
    pub const ALL: [Self; 11] = [
        Self::Building,
        Self::IdNumber,
        Self::FirstName,
        Self::MiddleName,
        Self::LastName,
        Self::DateOfBirth,
        Self::Grade,
        Self::Homeroom,
        Self::GuardianEmail,
        Self::Phone,
        Self::Status,
    ];

    /// The usual name of its column.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Building => "Building",
            Self::IdNumber => "IdNumber",
            Self::FirstName => "FirstName",
            Self::MiddleName => "MiddleName",
            Self::LastName => "LastName",
            Self::DateOfBirth => "DateOfBirth",
            Self::Grade => "Grade",
            Self::Homeroom => "Homeroom",
            Self::GuardianEmail => "GuardianEmail",
            Self::Phone => "Phone",
            Self::Status => "Status",
        }
    }
}

/// What stands between two values of a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
pub enum Delimiter {
    /// `,`
    #[default]
    Comma,
    /// A tab.
    Tab,
}

/// What ends a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
pub enum LineEnd {
    /// Carriage return and line feed.
    #[default]
    Crlf,
    /// Line feed.
    Lf,
}

/// How a date is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
pub enum DateForm {
    /// `2026-09-30`
    #[default]
    Iso,
    /// `09/30/2026`
    Us,
}

/// What becomes of a student who signed in before the first bell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum BeforeFirstBell {
    /// Not tardy: the row is closed with that reason.
    #[default]
    NotTardy,
    /// The row is held for a person.
    Hold,
}
