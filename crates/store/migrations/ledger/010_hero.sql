-- A server can have keys of several types, and each that was accepted is kept.
CREATE TABLE accepted_host_keys (
    host TEXT NOT NULL,
    port INTEGER NOT NULL,
    algorithm TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    accepted_at INTEGER NOT NULL,
    accepted_by TEXT NOT NULL,
    PRIMARY KEY (host, port, algorithm)
) WITHOUT ROWID;
INSERT INTO accepted_host_keys (host, port, algorithm, sha256, accepted_at, accepted_by)
    SELECT host, port, algorithm, sha256, accepted_at, accepted_by FROM host_keys;
DROP TABLE host_keys;
ALTER TABLE accepted_host_keys RENAME TO host_keys;

-- Keys that were replaced because the server has another one now, with who accepted the old one and who the new one.
CREATE TABLE host_key_replacements (
    id INTEGER PRIMARY KEY,
    host TEXT NOT NULL,
    port INTEGER NOT NULL,
    old_algorithm TEXT NOT NULL,
    old_sha256 TEXT NOT NULL,
    old_accepted_at INTEGER NOT NULL,
    old_accepted_by TEXT NOT NULL,
    new_algorithm TEXT NOT NULL,
    new_sha256 TEXT NOT NULL,
    replaced_at INTEGER NOT NULL,
    replaced_by TEXT NOT NULL
);

-- The name a file was sent under, where its configured path, which is the upload's name, holds the day's date.
ALTER TABLE uploads ADD COLUMN sent_as TEXT;

-- What the last file of an export job had to be told of, row by row. `number` is the student's or teacher's.
CREATE TABLE export_problems (
    job TEXT NOT NULL,
    position INTEGER NOT NULL,
    row INTEGER NOT NULL,
    number TEXT NOT NULL,
    field TEXT NOT NULL,
    kind TEXT NOT NULL,
    PRIMARY KEY (job, position)
) WITHOUT ROWID;

-- Files seen on a server without having been sent from here: what PowerSchool sends is watched from outside.
CREATE TABLE watched_files (
    connection TEXT NOT NULL,
    path TEXT NOT NULL,
    size INTEGER NOT NULL,
    modified INTEGER,
    first_seen INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    gone_at INTEGER,
    PRIMARY KEY (connection, path)
) WITHOUT ROWID;
