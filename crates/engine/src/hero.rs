//! Hero's jobs: the three exports out, the attendance export in.

mod day;
mod faculty;
mod fetch;
mod gone;
mod kept;
mod local;
mod missed;
mod other_sender;
mod preview;
mod problems;
mod remote_files;
mod row_problems;
mod schools;
mod send;
mod sheet;
mod watch;

use rosterbridge_domain::attendance::Source;

pub use self::problems::HeroProblem;
pub(crate) use self::{
    fetch::{Fetched, Import},
    kept::KeptImportRow,
    missed::{Missed, Version},
    other_sender::record,
    problems::problems,
    schools::{schools_of, too_many_schools},
    send::{Composing, Place},
    sheet::keep_ticks,
};

/// The name under which Hero's rows are decided.
pub(crate) const SOURCE: Source = Source::Hero;
