-- Everything configured, as the setup file's JSON.
CREATE TABLE setup (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    json TEXT NOT NULL
);

-- Small facts of the engine, one a name.
CREATE TABLE facts (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

-- Secrets too long for the operating system's keychain, sealed before they come here.
CREATE TABLE sealed_secrets (
    name TEXT PRIMARY KEY,
    sealed BLOB NOT NULL
) WITHOUT ROWID;

-- SSH host keys a person accepted.
CREATE TABLE host_keys (
    host TEXT NOT NULL,
    port INTEGER NOT NULL,
    algorithm TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    accepted_at INTEGER NOT NULL,
    accepted_by TEXT NOT NULL,
    PRIMARY KEY (host, port)
) WITHOUT ROWID;

-- Runs. Times are milliseconds since 1970-01-01 UTC throughout. Ids are UUIDs of version 7, so they sort by time.
CREATE TABLE runs (
    id BLOB PRIMARY KEY CHECK (length(id) = 16),
    trigger TEXT NOT NULL CHECK (trigger IN ('manual', 'schedule', 'dry_run')),
    started_at INTEGER NOT NULL,
    finished_at INTEGER,
    outcome TEXT NOT NULL,
    cause TEXT
) WITHOUT ROWID;
CREATE INDEX runs_unfinished ON runs (id) WHERE finished_at IS NULL;

CREATE TABLE run_jobs (
    run BLOB NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    job TEXT NOT NULL,
    position INTEGER NOT NULL,
    started_at INTEGER,
    finished_at INTEGER,
    outcome TEXT NOT NULL,
    rows_read INTEGER NOT NULL DEFAULT 0,
    rows_written INTEGER NOT NULL DEFAULT 0,
    rows_noop INTEGER NOT NULL DEFAULT 0,
    rows_held INTEGER NOT NULL DEFAULT 0,
    rows_rejected INTEGER NOT NULL DEFAULT 0,
    newly_held INTEGER NOT NULL DEFAULT 0,
    files TEXT NOT NULL DEFAULT '[]',
    notes TEXT NOT NULL DEFAULT '[]',
    cause TEXT,
    PRIMARY KEY (run, job)
) WITHOUT ROWID;
CREATE INDEX run_jobs_by_job ON run_jobs (job, run);

-- What was uploaded and accepted by the other side.
CREATE TABLE uploads (
    id INTEGER PRIMARY KEY,
    job TEXT NOT NULL,
    name TEXT NOT NULL,
    row_count INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    uploaded_at INTEGER NOT NULL,
    run BLOB NOT NULL REFERENCES runs (id)
);
CREATE INDEX uploads_by_name ON uploads (job, name, id);

-- Attendance decided to be written. `cc` and `period` are 0 in the daily mode.
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY,
    source TEXT NOT NULL CHECK (source IN ('hero', 'raptor')),
    school INTEGER NOT NULL,
    student INTEGER NOT NULL,
    date TEXT NOT NULL,
    mode TEXT NOT NULL CHECK (mode IN ('ATT_ModeDaily', 'ATT_ModeMeeting')),
    cc INTEGER NOT NULL,
    period INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('decided', 'sending', 'unknown', 'confirmed', 'already_recorded', 'held')),
    code TEXT NOT NULL,
    code_id INTEGER NOT NULL,
    year INTEGER NOT NULL,
    calendar_day INTEGER NOT NULL,
    starts_at INTEGER,
    ends_at INTEGER,
    comment TEXT NOT NULL,
    replaces INTEGER,
    previous_code TEXT,
    file TEXT NOT NULL,
    line INTEGER NOT NULL,
    row_hash BLOB NOT NULL CHECK (length(row_hash) = 32),
    raw TEXT NOT NULL,
    student_number INTEGER,
    run BLOB NOT NULL REFERENCES runs (id),
    reason TEXT NOT NULL DEFAULT '',
    decided_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    CHECK ((mode = 'ATT_ModeDaily') = (cc = 0 AND period = 0)),
    CHECK ((starts_at IS NULL) = (ends_at IS NULL)),
    UNIQUE (source, school, student, date, mode, cc, period, revision)
);
-- A record has at most one write under way, whichever source wants it: the second would be judged against what the
-- first has not written yet.
CREATE UNIQUE INDEX outbox_open ON outbox (school, student, date, mode, cc, period)
    WHERE state IN ('decided', 'sending', 'unknown');

-- The code a source last stated for a record, once it is known to stand in PowerSchool.
CREATE TABLE stated (
    source TEXT NOT NULL,
    school INTEGER NOT NULL,
    student INTEGER NOT NULL,
    date TEXT NOT NULL,
    mode TEXT NOT NULL,
    cc INTEGER NOT NULL,
    period INTEGER NOT NULL,
    code TEXT NOT NULL,
    stated_at INTEGER NOT NULL,
    PRIMARY KEY (source, school, student, date, mode, cc, period)
) WITHOUT ROWID;

-- The last write of a record that PowerSchool confirmed to us.
CREATE TABLE written (
    school INTEGER NOT NULL,
    student INTEGER NOT NULL,
    date TEXT NOT NULL,
    mode TEXT NOT NULL,
    cc INTEGER NOT NULL,
    period INTEGER NOT NULL,
    source TEXT NOT NULL,
    code TEXT NOT NULL,
    written_at INTEGER NOT NULL,
    outbox INTEGER NOT NULL REFERENCES outbox (id),
    PRIMARY KEY (school, student, date, mode, cc, period)
) WITHOUT ROWID;
CREATE INDEX written_by_outbox ON written (outbox);

-- The latest decision about a source row, by the hash of the row. Final unless `hold`.
CREATE TABLE decisions (
    source TEXT NOT NULL,
    row_hash BLOB NOT NULL CHECK (length(row_hash) = 32),
    decision TEXT NOT NULL CHECK (decision IN ('write', 'noop', 'hold', 'reject', 'discard')),
    reason TEXT NOT NULL,
    file TEXT NOT NULL,
    line INTEGER NOT NULL,
    raw TEXT,
    run BLOB NOT NULL REFERENCES runs (id),
    decided_at INTEGER NOT NULL,
    PRIMARY KEY (source, row_hash)
) WITHOUT ROWID;

-- Rows kept for a person.
CREATE TABLE held_rows (
    id INTEGER PRIMARY KEY,
    source TEXT NOT NULL CHECK (source IN ('hero', 'raptor')),
    row_hash BLOB NOT NULL CHECK (length(row_hash) = 32),
    file TEXT NOT NULL,
    line INTEGER NOT NULL,
    raw TEXT NOT NULL,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL,
    student_number INTEGER,
    first_seen INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    run BLOB NOT NULL REFERENCES runs (id),
    state TEXT NOT NULL CHECK (state IN ('open', 'retried', 'discarded', 'resolved'))
);
-- A file that is delivered again does not double the list.
CREATE UNIQUE INDEX held_rows_open ON held_rows (source, row_hash) WHERE state IN ('open', 'retried');
CREATE INDEX held_rows_by_state ON held_rows (state, id);

-- Files that were decided as a whole, by content.
CREATE TABLE files_seen (
    source TEXT NOT NULL,
    name TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    run BLOB NOT NULL REFERENCES runs (id),
    first_seen INTEGER NOT NULL,
    PRIMARY KEY (source, name, sha256)
) WITHOUT ROWID;
