-- What a row has come to and the school of its record beside the row itself: lists of rows are restricted and ordered by
-- them. `fate` ranks those first that want a person: 0 held, 1 rejected, 2 open, 3 written, 4 noop. `school` is that of the
-- latest decision to write the row, and -1 as long as no record of it is known; `student` is -1 where the row names none.
ALTER TABLE traced_rows ADD COLUMN fate INTEGER NOT NULL DEFAULT 2;
ALTER TABLE traced_rows ADD COLUMN school INTEGER NOT NULL DEFAULT -1;
ALTER TABLE traced_rows ADD COLUMN student INTEGER AS (ifnull(student_number, -1)) VIRTUAL;

UPDATE traced_rows SET
    fate = ifnull((SELECT CASE row_events.fate WHEN 'held' THEN 0 WHEN 'rejected' THEN 1 WHEN 'open' THEN 2
            WHEN 'written' THEN 3 ELSE 4 END
        FROM row_events WHERE traced = traced_rows.id ORDER BY seq DESC LIMIT 1), 2),
    school = coalesce((SELECT outbox.school FROM row_events JOIN outbox ON outbox.id = row_events.outbox
        WHERE row_events.traced = traced_rows.id AND what = 'decided_write' ORDER BY seq DESC LIMIT 1),
        (SELECT outbox.school FROM row_events JOIN outbox ON outbox.id = row_events.outbox
        WHERE row_events.traced = traced_rows.id ORDER BY seq LIMIT 1), -1);

DROP INDEX traced_rows_by_student;
CREATE INDEX traced_rows_by_student ON traced_rows (student);
CREATE INDEX traced_rows_by_fate ON traced_rows (fate);
CREATE INDEX traced_rows_by_school ON traced_rows (school);

-- Events are only ever added, the latest last.
CREATE TRIGGER row_events_fate AFTER INSERT ON row_events BEGIN
    UPDATE traced_rows SET fate = CASE NEW.fate WHEN 'held' THEN 0 WHEN 'rejected' THEN 1 WHEN 'open' THEN 2
        WHEN 'written' THEN 3 ELSE 4 END
    WHERE id = NEW.traced AND fate <> CASE NEW.fate WHEN 'held' THEN 0 WHEN 'rejected' THEN 1 WHEN 'open' THEN 2
        WHEN 'written' THEN 3 ELSE 4 END;
END;
CREATE TRIGGER row_events_school AFTER INSERT ON row_events WHEN NEW.outbox IS NOT NULL BEGIN
    UPDATE traced_rows SET school = (SELECT school FROM outbox WHERE id = NEW.outbox)
    WHERE id = NEW.traced AND (NEW.what = 'decided_write' OR school = -1)
        AND school <> (SELECT school FROM outbox WHERE id = NEW.outbox);
END;
