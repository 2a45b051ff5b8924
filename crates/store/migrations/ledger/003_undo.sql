-- A run may be an undo of another one. Foreign keys are off while layouts change, so nothing follows the old table out.
CREATE TABLE runs_with_undo (
    id BLOB PRIMARY KEY CHECK (length(id) = 16),
    trigger TEXT NOT NULL CHECK (trigger IN ('manual', 'schedule', 'dry_run', 'undo')),
    started_at INTEGER NOT NULL,
    finished_at INTEGER,
    outcome TEXT NOT NULL,
    cause TEXT
) WITHOUT ROWID;
INSERT INTO runs_with_undo SELECT id, trigger, started_at, finished_at, outcome, cause FROM runs;
DROP TABLE runs;
ALTER TABLE runs_with_undo RENAME TO runs;
CREATE INDEX runs_unfinished ON runs (id) WHERE finished_at IS NULL;

-- What a write needs to be taken back: the comment that stood before it (NULL: not known), the write it takes back if it
-- is an undo itself, and the write of ours that stood in `written` when it was decided.
ALTER TABLE outbox ADD COLUMN previous_comment TEXT;
ALTER TABLE outbox ADD COLUMN undoes INTEGER;
ALTER TABLE outbox ADD COLUMN follows INTEGER;
UPDATE outbox SET previous_comment = '' WHERE replaces IS NULL;
UPDATE outbox SET follows =
    (SELECT max(earlier.id) FROM outbox AS earlier
     WHERE earlier.source IN ('hero', 'raptor') AND earlier.school = outbox.school
         AND earlier.student = outbox.student AND earlier.date = outbox.date AND earlier.mode = outbox.mode
         AND earlier.cc = outbox.cc AND earlier.period = outbox.period AND earlier.id < outbox.id
         AND earlier.state = 'confirmed');

-- The rows of the last upload of each name, school by school: what the next one is compared with. `students` are the
-- student numbers in ascending order, each as the distance to the one before it in LEB128; empty where none are kept.
CREATE TABLE upload_schools (
    upload INTEGER NOT NULL REFERENCES uploads (id) ON DELETE CASCADE,
    school INTEGER NOT NULL,
    row_count INTEGER NOT NULL,
    students BLOB NOT NULL,
    PRIMARY KEY (upload, school)
);
