//! The practice district: PowerSchool, Hero, Raptor and mail on this machine.
//!
//! A person can try RosterBridge, and tests can run its whole job, without a network and without
//! anybody's data. [`start`] generates a school district from a seed and serves it on 127.0.0.1 the
//! way the real systems would, quirks included:
//!
//! * PowerSchool over HTTPS, with a certificate authority of its own, from a SQLite database that has
//!   PowerSchool's table and column names;
//! * Hero's SFTP server, a Raptor exchange folder, and a mail sink;
//! * a control port (plain HTTP) with the audit log, plugin installation, faults, what Hero's administrator sets and
//!   what PowerSchool's own AutoSend and AutoComm do.

mod autosend;
mod control;
pub mod district;
mod error;
mod faults;
pub mod hero;
mod identity;
pub mod mail;
mod net;
mod options;
pub mod plugin;
mod powerschool;
pub mod raptor;
mod ready;
mod serve;

pub use autosend::{AutoSend, Sent};
pub use district::{Changed, District, DistrictChange, Summary};
pub use error::PracticeError;
pub use faults::{AttendanceFault, CutBody, FailNext, Faults, Firewall, Maintenance};
pub use options::{AttendanceMode, ServeOptions};
pub use powerschool::{AutoComm, Imported};
pub use ready::{HeroAccess, HeroAccountAccess, MailAccess, PowerSchoolAccess, RaptorAccess, Ready};
pub use serve::{Running, serve, start};
