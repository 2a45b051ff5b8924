-- The students Raptor has as active, by building, as the accepted roster files told it: what the next files are compared
-- with. A building is named as names are compared. `students` holds, in ascending order, each student's number (as the
-- distance from the one before, in LEB128) and 16 bytes that stand for the values in the file.
CREATE TABLE raptor_rosters (
    building TEXT PRIMARY KEY,
    school INTEGER NOT NULL,
    students BLOB NOT NULL
);

-- Files of changes that are whole at their destination and get their names now, and what Raptor has once they have.
CREATE TABLE raptor_rosters_staged (
    building TEXT PRIMARY KEY,
    school INTEGER NOT NULL,
    students BLOB NOT NULL,
    destination TEXT NOT NULL,
    name TEXT NOT NULL,
    row_count INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    sha256 TEXT NOT NULL
);
