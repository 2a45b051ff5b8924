//! The mapping tables: Raptor's buildings and tardy codes, and what stands for them in PowerSchool.

use clap::{Args, Subcommand, ValueEnum};
use rosterbridge_api::domain::mapping::{AttendanceMethod, BetweenClasses};

/// The mapping tables.
#[derive(Debug, Subcommand)]
pub enum Mapping {
    /// List them, with what PowerSchool and Raptor have that is not mapped, and what has changed
    List,
    /// Schools for the buildings that have none, by name, abbreviation or number
    Suggest {
        /// Map the buildings whose school is clear
        #[arg(long)]
        apply: bool,
    },
    /// Map a building to a school, or change its row
    Set(MapBuilding),
    /// Map a tardy code to an attendance code
    Code {
        /// The student reason, as Raptor writes it
        reason: String,
        /// PowerSchool's attendance code, letter case included
        code: String,
        /// Keep the row, and map nothing with it
        #[arg(long)]
        inactive: bool,
    },
    /// Remove a building's row, or a tardy code's
    Remove {
        /// The building, as Raptor writes it
        name: String,
        /// It is a tardy code
        #[arg(long)]
        reason: bool,
    },
}

/// A building's row.
#[derive(Debug, Args)]
pub struct MapBuilding {
    /// The building, as Raptor writes it
    pub building: String,
    /// The school's number in PowerSchool
    #[arg(value_name = "SCHOOL_NUMBER")]
    pub school: i64,
    /// How the school records attendance; as PowerSchool tells, if not given
    #[arg(long, value_enum)]
    pub method: Option<Method>,
    /// With both methods: the abbreviation of the period that the daily record follows
    #[arg(long, value_name = "PERIOD")]
    pub bridge_period: Option<String>,
    /// What becomes of a student who signs in between classes
    #[arg(long, value_enum)]
    pub between_classes: Option<Between>,
    /// The building takes part
    #[arg(long, conflicts_with = "inactive")]
    pub active: bool,
    /// The building does not take part
    #[arg(long)]
    pub inactive: bool,
}

impl MapBuilding {
    /// A building's school, and nothing else said.
    pub const fn new(building: String, school: i64) -> Self {
        Self {
            building,
            school,
            method: None,
            bridge_period: None,
            between_classes: None,
            active: false,
            inactive: false,
        }
    }
}

/// How a school records attendance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Method {
    /// One record a day
    Daily,
    /// One record a class meeting
    Meeting,
    /// Meeting records, and a daily one that PowerSchool links to them
    Both,
}

impl From<Method> for AttendanceMethod {
    fn from(method: Method) -> Self {
        match method {
            Method::Daily => Self::Daily,
            Method::Meeting => Self::Meeting,
            Method::Both => Self::Both,
        }
    }
}

/// What becomes of a student who signs in between classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Between {
    /// The row is held for a person
    Hold,
    /// The next class gets the record
    Next,
    /// The class that was missed gets the record
    Missed,
}

impl From<Between> for BetweenClasses {
    fn from(between: Between) -> Self {
        match between {
            Between::Hold => Self::Hold,
            Between::Next => Self::NextMeeting,
            Between::Missed => Self::MissedMeeting,
        }
    }
}
