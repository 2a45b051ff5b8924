//! PowerSchool SIS: the client that reads the roster and writes attendance, and the plugin that allows it to.
//!
//! [`Client`] speaks PowerSchool's API over HTTPS and is tolerant of how PowerSchool renders JSON; [`plugin`] builds
//! the plugin an administrator installs, whose named queries (PowerQueries) the client reads the roster through;
//! [`test_connection`] says, stage by stage, what is wrong with a connection that does not work.

mod access;
mod address;
mod attendance;
mod client;
mod core;
mod deltas;
mod error;
mod fingerprint;
#[cfg(fuzzing)]
pub mod fuzzing;
mod json;
mod pace;
mod paging;
pub mod plugin;
mod records;
mod roster;
mod shape;
mod staged;
mod tables;
mod transport;

pub use address::{ClientId, CredentialProblem, ServerUrl, UrlProblem, check_input};
pub use attendance::WriteAnswer;
pub use client::{Client, Metadata, PageLimits, Pulled, Version};
pub use deltas::DataVersion;
pub use error::{AnswerProblem, CertificateProblem, Error, ProxyProblem, Warning};
pub use fingerprint::Fingerprint;
pub use paging::Batch;
pub use records::{FieldError, FieldProblem, Fields};
pub use roster::{PullScope, RosterRow};
pub use staged::{
    FieldGrant, Findings, KnownPlugin, Outcome, QueryFact, ServerFacts, Stage, StageEvent, StageName,
    TestPlan, presented_certificates, reach, test_connection, trusts,
};
pub use transport::{Certificate, Connection, Proxy, Timeouts};
