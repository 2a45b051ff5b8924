//! Named places in a run at which a test ends the process, as a power cut would: no destructor runs, nothing is
//! flushed, nobody is told.
//!
//! `ROSTERBRIDGE_CRASH_AT=upload-renamed` ends the process when it first comes to that place,
//! `upload-renamed@3` when it comes there the third time. `ROSTERBRIDGE_CRASH_TRACE=FILE` adds the name of every place
//! to a file as the process comes to it, so that a test knows which of them a job passes. A release build has none
//! of this: there, [`pass`] is empty.
#![forbid(unsafe_code)]

/// Declares the places with the names that the environment and the tests know them by.
macro_rules! crash_points {
    ($($(#[$doc:meta])* $point:ident = $name:literal;)+) => {
        /// A place in a run at which it may end.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum CrashPoint {
            $($(#[$doc])* $point,)+
        }

        impl CrashPoint {
            /// All of them, in the order of a run.
            pub const ALL: &'static [Self] = &[$(Self::$point,)+];

            /// Its name, e.g. `upload-renamed`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$point => $name,)+ }
            }
        }
    };
}

crash_points! {
    /// The run's own record is in the ledger, and nothing has been done.
    RunRecorded = "run-recorded";
    /// PowerSchool has answered, and the profile is bound to its district.
    ServerMet = "server-met";
    /// The file for a new roster is there, empty.
    StagingCreated = "staging-created";
    /// Rows of a table are in the new roster.
    StagingFilled = "staging-filled";
    /// The new roster is committed beside the old one.
    StagingCommitted = "staging-committed";
    /// A new file is on the disk and about to take the place of the old one.
    ReplacementFlushed = "replacement-flushed";
    /// A new file has taken the place of the old one.
    ReplacementRenamed = "replacement-renamed";
    /// The roster is complete.
    RosterPulled = "roster-pulled";
    /// A job's start is in the ledger.
    JobStarted = "job-started";
    /// An export is put together and has passed the large-change rule.
    ExportPlanned = "export-planned";
    /// The connection to Hero is open.
    HeroConnected = "hero-connected";
    /// The temporary file is open at the server, empty.
    UploadOpened = "upload-opened";
    /// The first rows are on their way.
    UploadBegun = "upload-begun";
    /// The temporary file is complete and closed.
    UploadWritten = "upload-written";
    /// Its size is verified, and the renaming is about to be asked for.
    UploadVerified = "upload-verified";
    /// The previous file is set aside, and the new one has not its name yet.
    UploadSetAside = "upload-set-aside";
    /// The file has its name, and with it the place of the previous one, in one step.
    UploadReplaced = "upload-replaced";
    /// The file has its name.
    UploadRenamed = "upload-renamed";
    /// The upload is about to be recorded.
    UploadUnrecorded = "upload-unrecorded";
    /// The upload is in the ledger.
    UploadRecorded = "upload-recorded";
    /// Hero's attendance export is here, and its rows are looked up.
    ImportFetched = "import-fetched";
    /// Raptor's files are read, and their rows are looked up.
    TardiesRead = "tardies-read";
    /// Every row is decided, and no decision is in the ledger.
    AttendancePlanned = "attendance-planned";
    /// The decisions about one file are in the ledger.
    DecisionsRecorded = "decisions-recorded";
    /// Writes are marked as being sent, and none has left.
    WritesMarked = "writes-marked";
    /// PowerSchool has answered writes, and nothing of the answers is in the ledger.
    WritesAnswered = "writes-answered";
    /// What became of these writes is in the ledger.
    WritesRecorded = "writes-recorded";
    /// PowerSchool was read back for writes left open, and nothing of it is in the ledger.
    WritesLookedUp = "writes-looked-up";
    /// What the look-up showed is in the ledger.
    WritesSettled = "writes-settled";
    /// It is known what an undo has to write, and nothing of it is in the ledger.
    UndoPlanned = "undo-planned";
    /// The writes of an undo are in the ledger, and none has left.
    UndoRecorded = "undo-recorded";
    /// A building's roster is in a temporary file.
    RosterFileWritten = "roster-file-written";
    /// Files of changes are whole, and the names they get are in the ledger.
    RosterFilesStaged = "roster-files-staged";
    /// A building's roster has its name.
    RosterFileNamed = "roster-file-named";
    /// The rosters are about to be recorded.
    RosterFilesUnrecorded = "roster-files-unrecorded";
    /// What Raptor has now is in the ledger.
    RosterFilesRecorded = "roster-files-recorded";
    /// A tardy file is decided and about to be moved.
    TardiesDecided = "tardies-decided";
    /// A tardy file is in `processed`.
    TardiesMoved = "tardies-moved";
    /// The Raptor integration's status is about to follow what happened.
    StatusUnmoved = "status-unmoved";
    /// A job is done, and its result is not in the ledger.
    JobDone = "job-done";
    /// A job's result is in the ledger.
    JobRecorded = "job-recorded";
    /// Every job is done, and the run is not finished in the ledger.
    RunDone = "run-done";
    /// The run is finished in the ledger, and nobody has been told.
    RunFinished = "run-finished";
    /// The ledger is copied, and nobody has looked at the copy.
    BackupCopied = "backup-copied";
    /// The copy is whole, and has not its name yet.
    BackupChecked = "backup-checked";
    /// The backup has its name, and older ones are still there.
    BackupNamed = "backup-named";
    /// A backup that is too old is gone.
    BackupPruned = "backup-pruned";
    /// It is noted that the ledger is damaged, and nobody has been told.
    DamageMarked = "damage-marked";
    /// What a backup makes is ready beside the damaged ledger.
    RestorationPrepared = "restoration-prepared";
    /// A file of the damaged ledger has been moved.
    LedgerFileMoved = "ledger-file-moved";
    /// The damaged ledger is out of the way, and nothing has taken its place.
    LedgerSetAside = "ledger-set-aside";
    /// It is no longer noted that the ledger is damaged, and nothing has taken its place.
    DamageUnmarked = "damage-unmarked";
    /// A backup has taken the ledger's place.
    LedgerRestored = "ledger-restored";
    /// What a source's file states is in the restored ledger again.
    FileReadAgain = "file-read-again";
    /// Everything a source states was read again, and that is not in the ledger.
    SourceReadAgain = "source-read-again";
    /// That a source was read again is in the ledger.
    SourceNoted = "source-noted";
    /// The restored ledger knows all that happened.
    RestorationCompleted = "restoration-completed";
    /// A newer layout is made, and not committed.
    LayoutMade = "layout-made";
    /// A newer layout is committed.
    LayoutCommitted = "layout-committed";
    /// The key of a recovery file fits, and is not in the keychain.
    KeyChecked = "key-checked";
    /// The key of a recovery file is in the keychain.
    KeyRecovered = "key-recovered";
    /// A backup or a ledger that was set aside is erased.
    BackupErased = "backup-erased";
    /// A file of a database is erased, or was not there.
    DatabaseFileErased = "database-file-erased";
    /// Databases and logs are erased, and the keychain has its entries.
    FilesErased = "files-erased";
    /// The keychain's entries are erased, and the profile has its identity.
    KeychainErased = "keychain-erased";
    /// The profile's identity is erased.
    IdentityErased = "identity-erased";
}

/// Comes to a place. Ends the process there if the environment asks for it; nothing otherwise.
#[cfg(debug_assertions)]
pub fn pass(point: CrashPoint) {
    armed::pass(point);
}

/// Comes to a place: nothing, in a release build.
#[cfg(not(debug_assertions))]
#[inline]
pub const fn pass(_: CrashPoint) {}

#[cfg(debug_assertions)]
mod armed {
    use std::{
        env,
        fs::OpenOptions,
        io::Write,
        path::PathBuf,
        process,
        sync::{
            LazyLock,
            atomic::{AtomicU64, Ordering},
        },
    };

    use super::CrashPoint;

    struct Armed {
        name: String,
        /// How many times the process may still come there, with the last.
        left: AtomicU64,
    }

    static CRASH_AT: LazyLock<Option<Armed>> = LazyLock::new(|| {
        let asked = env::var("ROSTERBRIDGE_CRASH_AT").ok()?;
        let (name, time) = match asked.split_once('@') {
            Some((name, time)) => (name, time.parse().ok()?),
            None => (asked.as_str(), 1),
        };
        Some(Armed { name: name.to_owned(), left: AtomicU64::new(time) })
    });

    static TRACE: LazyLock<Option<PathBuf>> =
        LazyLock::new(|| env::var_os("ROSTERBRIDGE_CRASH_TRACE").map(PathBuf::from));

    pub(super) fn pass(point: CrashPoint) {
        if let Some(path) = &*TRACE {
            let line = format!("{}\n", point.as_str());
            let written = OpenOptions::new()
                .create(true)
                .append(true)
                .open(path)
                .and_then(|mut file| file.write_all(line.as_bytes()));
            // A trace with a gap would hide a place from the test that asked for it.
            if written.is_err() {
                process::abort();
            }
        }
        if let Some(armed) = CRASH_AT.as_ref().filter(|armed| armed.name == point.as_str())
            && armed.left.fetch_sub(1, Ordering::SeqCst) == 1
        {
            process::abort();
        }
    }
}
