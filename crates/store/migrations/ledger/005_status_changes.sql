-- What happened to the Raptor integration. Where its status has no rule for it, or the rule is that it stays, `from_status`
-- is `to_status`. `cause` is what failed, as JSON. The run may be forgotten before.
CREATE TABLE status_changes (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    from_status TEXT NOT NULL,
    to_status TEXT NOT NULL,
    event TEXT NOT NULL,
    because TEXT NOT NULL,
    cause TEXT,
    run BLOB
);
-- Which status it has come to last, and since when.
CREATE INDEX status_changes_moved ON status_changes (id) WHERE from_status <> to_status;
