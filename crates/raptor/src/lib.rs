//! Raptor's file layouts: the roster of a building out; tardies, buildings and student reasons in. Over `Read` and
//! `Write` only: where the bytes come from and go to is the caller's.

mod error;
mod layout;
mod lists;
mod name;
mod records;
mod roster;
mod sign_in;
mod tardies;

pub use error::{FileError, RowError, WriteError};
pub use layout::{LayoutProblem, roster_layout, roster_problems, tells_status};
pub use lists::{StudentReason, read_buildings, read_reasons};
pub use name::{building_file_name, changes_file_name};
pub use roster::{DIGEST, FIRST_ROWS, RosterFile, RosterStatus, RowDigest};
pub use sign_in::SignInTime;
pub use tardies::{LARGEST_TARDY_FILE, TARDY_COLUMNS, Tardy, TardyFile, TardyRow};
