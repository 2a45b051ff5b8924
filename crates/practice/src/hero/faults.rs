//! Ways a Hero server can misbehave, for whichever account.

use serde::Deserialize;

/// What is wrong with the practice Hero server on purpose. All off by default.
///
/// `POST /control/hero` replaces the whole set; absent fields are off.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HeroFaults {
    /// There is no `imports/` folder.
    pub missing_imports: bool,
    /// Files can be written but not renamed, by either kind of rename.
    pub refuse_rename: bool,
    /// `posix-rename@openssh.com` is neither offered nor answered: a rename never replaces.
    pub no_posix_rename: bool,
    /// `fsync@openssh.com` is neither offered nor answered.
    pub no_fsync: bool,
    /// `statvfs@openssh.com` and `fstatvfs@openssh.com` are neither offered nor answered.
    pub no_statvfs: bool,
    /// A connection may have one channel at a time, as with OpenSSH's `MaxSessions 1`.
    pub one_channel: bool,
    /// The connection breaks, without a farewell, at the first write that exceeds this number of
    /// bytes of file content in one session.
    pub drop_after_bytes: Option<u64>,
    /// One connection breaks, without a farewell; those after it don't.
    pub cut_once: Option<CutOnce>,
    /// Milliseconds that every packet of requests waits before it is looked at.
    pub answer_ms: u64,
    /// Bytes that all files in an account's `imports/` may have together; a write beyond them fails as on a full disk.
    pub imports_hold: Option<u64>,
    /// What `statvfs` tells; none for a large disk that is half full.
    pub space: Option<HeroSpace>,
    /// Requests of this kind get no answer and do nothing until the faults are set anew; then their connection breaks.
    pub hang: Option<HeroHang>,
    /// Milliseconds until a file gets the name of an import file. It keeps the name it has if the client leaves meanwhile.
    pub late_name_ms: Option<u64>,
}

/// Where a connection breaks: `{"received": 20000}` or `{"sent": 20000}`. Counted is file content of one session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CutOnce {
    /// At the write that exceeds this number of bytes; nothing of that write arrives.
    Received(u64),
    /// At the read that exceeds this number of bytes; it gets no answer.
    Sent(u64),
}

/// The figures of a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeroSpace {
    /// Bytes of the whole disk.
    pub total_bytes: u64,
    /// Bytes that may still be written.
    pub free_bytes: u64,
}

/// Requests that can hang.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeroHang {
    /// Looking at a file or folder.
    Stat,
    /// Opening a file.
    Open,
    /// Writing to one.
    Write,
    /// Reading from one.
    Read,
    /// Renaming one.
    Rename,
}

impl HeroFaults {
    /// Whether the connection of a session that has moved this much file content is to break now.
    pub(super) fn take_cut(&mut self, received: u64, sent: u64) -> bool {
        let cut = self.cut_once.is_some_and(|cut| match cut {
            CutOnce::Received(limit) => received > limit,
            CutOnce::Sent(limit) => sent > limit,
        });
        if cut {
            self.cut_once = None;
        }
        cut
    }
}
