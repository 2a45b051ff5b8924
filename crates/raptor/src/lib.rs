//! Raptor's file layouts: the roster of a building out; tardies, buildings and student reasons in. Over `Read` and
//! `Write` only: where the bytes come from and go to is the caller's.

mod error;
mod lists;
mod name;
mod records;
mod roster;
mod sign_in;
mod tardies;

pub use error::{FileError, RowError, WriteError};
pub use lists::{StudentReason, read_buildings, read_reasons};
pub use name::building_file_name;
pub use roster::{FIRST_ROWS, ROSTER_COLUMNS, RosterFile, RosterStatus};
pub use sign_in::SignInTime;
pub use tardies::{TARDY_COLUMNS, Tardy, TardyFile, TardyRow};
