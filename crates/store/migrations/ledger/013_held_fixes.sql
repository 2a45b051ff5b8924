-- What a person decided about a held row, as JSON, with its words, who did it and when. The row as it came stays as it is.
-- A row of Hero's that comes again is decided in the same way: so it stays with the row when that is held no more.
ALTER TABLE held_rows ADD COLUMN fix TEXT;
ALTER TABLE held_rows ADD COLUMN fix_words TEXT;
ALTER TABLE held_rows ADD COLUMN fixed_at INTEGER;
ALTER TABLE held_rows ADD COLUMN fixed_by TEXT;
CREATE INDEX held_rows_fixed ON held_rows (source, row_hash) WHERE fix IS NOT NULL;
