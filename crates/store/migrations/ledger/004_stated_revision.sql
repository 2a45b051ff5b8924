-- Counts the changes of what the sources stated, so that an import that changed nothing is known to be final as long as the
-- count is the same. The same statement once more is no change.
CREATE TRIGGER stated_inserted BEFORE INSERT ON stated
WHEN NOT EXISTS (
    SELECT 1 FROM stated
    WHERE source = NEW.source AND school = NEW.school AND student = NEW.student AND date = NEW.date
        AND mode = NEW.mode AND cc = NEW.cc AND period = NEW.period AND code = NEW.code)
BEGIN
    INSERT INTO facts (name, value) VALUES ('stated_revision', '1')
        ON CONFLICT (name) DO UPDATE SET value = CAST(value AS INTEGER) + 1;
END;
CREATE TRIGGER stated_updated AFTER UPDATE ON stated BEGIN
    INSERT INTO facts (name, value) VALUES ('stated_revision', '1')
        ON CONFLICT (name) DO UPDATE SET value = CAST(value AS INTEGER) + 1;
END;
CREATE TRIGGER stated_deleted AFTER DELETE ON stated BEGIN
    INSERT INTO facts (name, value) VALUES ('stated_revision', '1')
        ON CONFLICT (name) DO UPDATE SET value = CAST(value AS INTEGER) + 1;
END;
