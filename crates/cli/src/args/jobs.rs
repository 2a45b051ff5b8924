//! Jobs and their schedules.

use clap::{Args, Subcommand};
use rosterbridge_api::domain::{
    job::JobId,
    schedule::{TimeOfDay, Weekdays},
};

/// Jobs and their schedules.
#[derive(Debug, Subcommand)]
pub enum Jobs {
    /// List them
    List,
    /// Change one
    Set(SetJob),
    /// Hold all scheduled runs back
    Pause {
        /// Until this date or moment, as 2026-08-24 or 2026-08-24T06:00:00Z; until 'jobs resume' when left out
        #[arg(long, value_name = "WHEN")]
        until: Option<String>,
    },
    /// Let scheduled runs go on
    Resume,
}

/// Changes to one job.
#[derive(Debug, Args)]
pub struct SetJob {
    /// hero-students, hero-schedule, hero-teachers, hero-attendance, with -2, ... for further accounts; raptor-roster,
    /// raptor-tardies
    pub job: JobId,
    /// Switch it on
    #[arg(long, conflicts_with = "off")]
    pub on: bool,
    /// Switch it off
    #[arg(long)]
    pub off: bool,
    /// Days to run on, as MTWHFSU: H is Thursday, S Saturday, U Sunday
    #[arg(long, value_name = "DAYS")]
    pub days: Option<Weekdays>,
    /// Time to run at
    #[arg(long, value_name = "HH:MM")]
    pub at: Option<TimeOfDay>,
    /// Run every so many minutes instead
    #[arg(long, value_name = "MINUTES", conflicts_with_all = ["at", "days"])]
    pub every: Option<u16>,
    /// Run only when a person asks for it
    #[arg(long, conflicts_with_all = ["at", "days", "every"])]
    pub manual: bool,
    /// The zone whose clocks count, as America/Chicago
    #[arg(long, value_name = "ZONE")]
    pub zone: Option<chrono_tz::Tz>,
    /// Whether it stays away on days without school
    #[arg(long, value_name = "true|false")]
    pub only_in_session: Option<bool>,
    /// Whether one run makes up for those missed while the computer was off
    #[arg(long, value_name = "true|false")]
    pub catch_up: Option<bool>,
}

impl SetJob {
    /// Whether the schedule is to be another one.
    pub const fn changes_schedule(&self) -> bool {
        self.days.is_some()
            || self.at.is_some()
            || self.every.is_some()
            || self.zone.is_some()
            || self.only_in_session.is_some()
            || self.catch_up.is_some()
    }
}
