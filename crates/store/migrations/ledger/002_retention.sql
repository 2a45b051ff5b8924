-- What refers to a run, to be found by it: a run is forgotten once nothing does. Ids of runs sort by time, so these are
-- also the way to what is old.
CREATE INDEX outbox_by_run ON outbox (run);
CREATE INDEX uploads_by_run ON uploads (run);
CREATE INDEX decisions_by_run ON decisions (run);
CREATE INDEX held_rows_by_run ON held_rows (run);
CREATE INDEX files_seen_by_run ON files_seen (run);
