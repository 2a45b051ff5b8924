-- Raptor's rows tell when a student signed in, and of several about one record the latest counts. So what was stated last
-- keeps when it happened and which line told it: a row that waited is compared with that, wherever the other row's file is.
-- `happened` is the district's local time in milliseconds since its 1970-01-01 00:00, NULL where that is not known.
ALTER TABLE outbox ADD COLUMN happened INTEGER;
ALTER TABLE stated ADD COLUMN happened INTEGER;
ALTER TABLE stated ADD COLUMN traced INTEGER;

-- Waiting rows that a restored ledger could not read back, since it was not known which record they are about: they may have
-- been written after the backup, and a person may have changed that.
CREATE TABLE rows_in_doubt (
    source TEXT NOT NULL CHECK (source IN ('hero', 'raptor')),
    row_hash BLOB NOT NULL CHECK (length(row_hash) = 32),
    doubted_at INTEGER NOT NULL,
    PRIMARY KEY (source, row_hash)
) WITHOUT ROWID;
