-- What a held row of Raptor's states, as JSON: its text alone does not tell which value is in which column, and its file may
-- be gone when the row can be decided. NULL of rows held before, and of Hero's, whose export comes again.
ALTER TABLE held_rows ADD COLUMN fields TEXT;
