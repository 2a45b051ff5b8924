use std::sync::atomic::{AtomicUsize, Ordering};

use serde::{Deserialize, Serialize};

/// What is wrong with the practice PowerSchool on purpose. All off by default.
///
/// `POST /control/faults` replaces the whole set; absent fields are off.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// Down for maintenance: every path answers as a hosted PowerSchool does then.
    pub maintenance: Option<Maintenance>,
    /// Seconds a new token lives; none for an hour.
    pub token_lifetime_seconds: Option<u64>,
    /// Forgets every token handed out so far, once, when the faults are set.
    pub expire_tokens_now: bool,
    /// The administrator regenerated or removed the credentials: tokens and secret are refused.
    pub revoked_credentials: bool,
    /// `TABLE.FIELD` names the plugin may not read, whatever its access_request says.
    pub missing_access: Vec<String>,
    /// The version to play, such as `8.3.0` (no version in metadata, no attendance API), `9.0.0.0`,
    /// `23.9.0.0` (no batch endpoint) or `25.3.0.0`; none for a current one.
    pub version: Option<String>,
    /// Rows a page may have at most, for every resource.
    pub page_limit: Option<u32>,
    /// Added to every answer, milliseconds, on top of the server's own setting.
    pub latency_ms: u64,
    /// The next answers fail with this status.
    pub fail_next: Option<FailNext>,
    /// Named queries answer 404, as when the plugin was installed without its queries.
    pub no_powerqueries: bool,
    /// The status, such as 400 or 500, that a named query with `pagesize=0` is refused with.
    pub refuse_whole: Option<u16>,
    /// The next long answers break off.
    pub cut_body: Option<CutBody>,
    /// Most bytes of an answer that are sent in a second.
    pub slow_body: Option<u64>,
    /// Answers are never compressed. Without this a client that accepts gzip gets it.
    pub no_gzip: bool,
    /// No data versions, whatever the version: 404, and queries ignore that they were asked for one.
    pub no_data_versions: bool,
    /// Forgets every change so far, once, before the next data version is asked for: those handed out
    /// until then are unknown.
    pub purge_data_versions: bool,
    /// How far the server's clock is ahead of the practice date and time, seconds; negative when behind.
    pub clock_ahead_seconds: i64,
    /// Something between the client and PowerSchool refuses.
    pub firewall: Option<Firewall>,
    /// What happens to attendance writes.
    pub attendance: Option<AttendanceFault>,
    /// A meeting record of a school's bridge period sets the daily record too, one-way. PowerSchool does not say whether it
    /// does so for what a program writes.
    pub bridge_daily: bool,
    /// Requests whose path holds this text get no answer and do nothing, until their clients give up. They are counted
    /// at `/control/hanging`.
    pub hang: Option<String>,
}

/// How maintenance shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Maintenance {
    /// 302 to `https://message.powerschool.com/?server=HOST`.
    Redirect,
    /// 200 with the HTML page that redirect ends at.
    Html,
}

/// Long answers that break off: the connection ends in the middle of the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CutBody {
    /// How many answers, of those that are longer.
    pub n: u32,
    /// Bytes of the body, as sent, that still arrive.
    pub after_bytes: u64,
}

/// How a firewall that does not know the client's address shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Firewall {
    /// 403 with a page, not JSON.
    Forbidden,
    /// The connection is reset before TLS.
    Reset,
}

/// A number of answers that fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailNext {
    /// How many requests.
    pub n: u32,
    /// The HTTP status, such as 500, 503 or 429.
    pub status: u16,
    /// Seconds in a `Retry-After` header.
    #[serde(default)]
    pub retry_after: Option<u64>,
}

/// What happens to the next attendance requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttendanceFault {
    /// Applied, then the connection is dropped without an answer.
    ApplyThenDrop {
        /// How many requests.
        n: u32,
    },
    /// The connection is dropped and nothing is applied.
    DropBeforeApply {
        /// How many requests.
        n: u32,
    },
    /// No answer; applied some seconds after the client gave up.
    ApplyLate {
        /// How many requests.
        n: u32,
        /// Seconds after the client closed the connection.
        seconds: u64,
    },
}

impl Faults {
    /// Counts one request against `fail_next` and says whether it is one that fails.
    pub(crate) fn take_failure(&mut self) -> Option<FailNext> {
        let failure = self.fail_next?;
        self.fail_next = failure.n.checked_sub(1).filter(|left| *left > 0).map(|n| FailNext { n, ..failure });
        (failure.n > 0).then_some(failure)
    }

    /// Counts one answer longer than `cut_body.after_bytes` against it and says whether to cut it.
    pub(crate) fn take_cut(&mut self) -> bool {
        let Some(cut) = self.cut_body else { return false };
        self.cut_body = cut.n.checked_sub(1).filter(|left| *left > 0).map(|n| CutBody { n, ..cut });
        cut.n > 0
    }

    /// Counts one attendance request against the fault set for them and says what to do with it.
    pub(crate) fn take_attendance(&mut self) -> Option<AttendanceFault> {
        let fault = self.attendance?;
        let left = fault.requests().saturating_sub(1);
        self.attendance = (left > 0).then_some(match fault {
            AttendanceFault::ApplyThenDrop { .. } => AttendanceFault::ApplyThenDrop { n: left },
            AttendanceFault::DropBeforeApply { .. } => AttendanceFault::DropBeforeApply { n: left },
            AttendanceFault::ApplyLate { seconds, .. } => AttendanceFault::ApplyLate { n: left, seconds },
        });
        (fault.requests() > 0).then_some(fault)
    }
}

impl AttendanceFault {
    fn requests(self) -> u32 {
        match self {
            Self::ApplyThenDrop { n } | Self::DropBeforeApply { n } | Self::ApplyLate { n, .. } => n,
        }
    }
}

/// Counted while a request hangs.
pub(crate) struct Hanging<'a>(&'a AtomicUsize);

impl<'a> Hanging<'a> {
    pub fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Hanging<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
