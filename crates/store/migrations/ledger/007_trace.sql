-- What became of every source row, from the line it came in to the record in PowerSchool. Decisions, outbox and held rows
-- know the latest of it; this is the whole of it, in order.

-- Files as they were read, each content once. `day` is the district's day of the first reading. `row_count` is the number
-- of rows in it, 0 until all of them were decided: of those that are not in `traced_rows`, each one repeats what its source
-- had stated before.
CREATE TABLE input_files (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    source TEXT NOT NULL CHECK (source IN ('hero', 'raptor')),
    name TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    first_read INTEGER NOT NULL,
    day TEXT NOT NULL,
    row_count INTEGER NOT NULL DEFAULT 0,
    UNIQUE (source, name, sha256)
);
CREATE INDEX input_files_by_day ON input_files (day);

-- Lines of these files. `id` is the file's id * 2^40 + the line. `repeats` is the line that brought the same row before
-- (nothing refers to it by force: that line may be forgotten first).
CREATE TABLE traced_rows (
    id INTEGER PRIMARY KEY,
    row_hash BLOB NOT NULL CHECK (length(row_hash) = 32),
    student_number INTEGER,
    repeats INTEGER
);
CREATE INDEX traced_rows_by_student ON traced_rows (student_number) WHERE student_number IS NOT NULL;

-- What happened to them, only ever added to. `fate` is what the row has come to with it; `run` is NULL where a person did
-- it; `sent_at` is when the write had been given to PowerSchool, of which this is the outcome.
CREATE TABLE row_events (
    traced INTEGER NOT NULL REFERENCES traced_rows (id) ON DELETE CASCADE,
    seq INTEGER NOT NULL,
    at INTEGER NOT NULL,
    run BLOB,
    what TEXT NOT NULL,
    fate TEXT NOT NULL CHECK (fate IN ('open', 'written', 'noop', 'held', 'rejected')),
    code TEXT NOT NULL DEFAULT '',
    detail TEXT NOT NULL DEFAULT '',
    sent_at INTEGER,
    outbox INTEGER,
    held INTEGER,
    PRIMARY KEY (traced, seq)
) WITHOUT ROWID;

-- Rows that wait for another write of their record, and so have no decision yet.
CREATE TABLE put_off_rows (
    source TEXT NOT NULL,
    row_hash BLOB NOT NULL CHECK (length(row_hash) = 32),
    traced INTEGER NOT NULL,
    PRIMARY KEY (source, row_hash)
) WITHOUT ROWID;

-- The line a decision or a write belongs to.
ALTER TABLE decisions ADD COLUMN traced INTEGER;
ALTER TABLE outbox ADD COLUMN traced INTEGER;

-- Rows from before are traced as far as they are known: by the run that decided them, since the content of their files is
-- not, and by the day in UTC.
CREATE TEMP TABLE rows_before AS
SELECT source, row_hash, file, line, run, at, student_number FROM (
    SELECT *, row_number() OVER (PARTITION BY source, row_hash ORDER BY place, id) AS first FROM (
        SELECT source, row_hash, file, line, run, decided_at AS at, student_number, 1 AS place, id
        FROM outbox WHERE undoes IS NULL
        UNION ALL
        SELECT source, row_hash, file, line, run, last_seen, student_number, 2, id FROM held_rows
        UNION ALL
        SELECT source, row_hash, file, line, run, decided_at, NULL, 3, 0 FROM decisions
        WHERE source = 'raptor' OR decision IN ('reject', 'discard')))
WHERE first = 1;

INSERT INTO input_files (source, name, sha256, first_read, day)
SELECT source, file, 'run-' || lower(hex(run)), min(at), date(min(at) / 1000, 'unixepoch')
FROM rows_before GROUP BY source, file, run ORDER BY min(at);

INSERT OR IGNORE INTO traced_rows (id, row_hash, student_number)
SELECT (input_files.id << 40) + line, row_hash, student_number
FROM rows_before JOIN input_files ON input_files.source = rows_before.source AND name = file
    AND sha256 = 'run-' || lower(hex(run));

-- `stands`: there is a write of it that was not given up.
CREATE TEMP TABLE traced_before (source TEXT, row_hash BLOB, traced INTEGER, stands INTEGER,
    PRIMARY KEY (source, row_hash)) WITHOUT ROWID;
INSERT INTO traced_before
SELECT rows_before.source, rows_before.row_hash, traced_rows.id, 0
FROM rows_before JOIN input_files ON input_files.source = rows_before.source AND name = file
    AND sha256 = 'run-' || lower(hex(run))
JOIN traced_rows ON traced_rows.id = (input_files.id << 40) + line AND traced_rows.row_hash = rows_before.row_hash;
UPDATE traced_before SET stands = 1 WHERE (source, row_hash) IN
    (SELECT source, row_hash FROM outbox WHERE undoes IS NULL AND state <> 'held');

UPDATE outbox SET traced = (SELECT traced FROM traced_before AS before
    WHERE before.source = outbox.source AND before.row_hash = outbox.row_hash);
UPDATE decisions SET traced = (SELECT traced FROM traced_before AS before
    WHERE before.source = decisions.source AND before.row_hash = decisions.row_hash);

INSERT INTO row_events (traced, seq, at, run, what, fate, code, detail, outbox, held)
SELECT traced, row_number() OVER (PARTITION BY traced ORDER BY at, step, outbox), at, run, what, fate, code, detail,
    outbox, held
FROM (
    SELECT traced, decided_at AS at, 1 AS step, run, iif(undoes IS NULL, 'decided_write', 'undo_decided') AS what,
        'open' AS fate, '' AS code, '' AS detail, id AS outbox, NULL AS held
    FROM outbox
    UNION ALL
    SELECT traced, changed_at, 2, run,
        CASE state
            WHEN 'unknown' THEN iif(undoes IS NULL, 'unknown', 'undo_unknown')
            WHEN 'confirmed' THEN iif(undoes IS NULL, 'confirmed', 'undone')
            WHEN 'already_recorded' THEN iif(undoes IS NULL, 'already_recorded', 'already_undone')
            ELSE iif(undoes IS NULL, 'held', 'not_undone')
        END,
        CASE state
            WHEN 'unknown' THEN 'open'
            WHEN 'confirmed' THEN iif(undoes IS NULL, 'written', 'noop')
            WHEN 'already_recorded' THEN 'noop'
            ELSE iif(undoes IS NULL, 'held', 'written')
        END, reason, '', id, NULL
    FROM outbox WHERE state NOT IN ('decided', 'sending')
    UNION ALL
    SELECT traced, last_seen, 3, run, 'held', 'held', reason, detail, NULL, id
    FROM held_rows JOIN traced_before USING (source, row_hash)
    UNION ALL
    SELECT traced, last_seen, 4, NULL, 'retried', 'held', '', '', NULL, id
    FROM held_rows JOIN traced_before USING (source, row_hash) WHERE state = 'retried'
    UNION ALL
    SELECT decisions.traced, decided_at, 5, iif(decision = 'discard', NULL, run),
        CASE decision WHEN 'noop' THEN 'noop' WHEN 'reject' THEN 'rejected' ELSE 'discarded' END,
        iif(decision = 'reject', 'rejected', 'noop'), iif(decision = 'noop', reason, ''),
        iif(decision = 'reject', reason, ''), NULL, NULL
    FROM decisions JOIN traced_before USING (source, row_hash)
    WHERE decision IN ('reject', 'discard') OR (decision = 'noop' AND stands = 0))
WHERE traced IS NOT NULL;
-- A write that was held is on the list of held rows as well, with what was wrong.
DELETE FROM row_events WHERE what = 'held' AND held IS NULL AND EXISTS
    (SELECT 1 FROM row_events AS listed
     WHERE listed.traced = row_events.traced AND listed.what = 'held' AND listed.held IS NOT NULL
         AND listed.at = row_events.at);
-- What is known of the row only by a decision to write it that is not in the outbox any more has been written.
INSERT INTO row_events (traced, seq, at, run, what, fate)
SELECT decisions.traced, 1, decided_at, run, 'decided_write', 'written' FROM decisions
WHERE decision = 'write' AND decisions.traced NOT IN (SELECT traced FROM row_events);
DELETE FROM traced_rows WHERE id NOT IN (SELECT traced FROM row_events);
DELETE FROM input_files WHERE NOT EXISTS (SELECT 1 FROM traced_rows
    WHERE traced_rows.id BETWEEN input_files.id << 40 AND ((input_files.id + 1) << 40) - 1);

DROP TABLE traced_before;
DROP TABLE rows_before;
