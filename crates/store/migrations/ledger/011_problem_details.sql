-- What a problem of an export measures: the length of a value and how much Hero accepts, or the first row of a number that
-- came twice. Problems of earlier programs have none.
ALTER TABLE export_problems ADD COLUMN found INTEGER;
ALTER TABLE export_problems ADD COLUMN accepted INTEGER;
