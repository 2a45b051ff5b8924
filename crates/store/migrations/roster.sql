-- A cache, replaced as a whole: a changed layout gets a new number in `roster.rs` and the cache is pulled again.
-- Every table is clustered by its primary key, in the order its rows arrive, so that filling it only ever appends.
-- Column names are those of the types in `rosterbridge-domain`. Dates are days of the common era.
CREATE TABLE meta (id INTEGER PRIMARY KEY CHECK (id = 1), json TEXT NOT NULL);

CREATE TABLE schools (
    number INTEGER NOT NULL, dcid INTEGER NOT NULL, name TEXT NOT NULL, abbreviation TEXT NOT NULL,
    PRIMARY KEY (number)
) WITHOUT ROWID;

CREATE TABLE students (
    number INTEGER NOT NULL, dcid INTEGER NOT NULL, id INTEGER NOT NULL,
    first_name TEXT NOT NULL, middle_name TEXT NOT NULL, last_name TEXT NOT NULL, dob INTEGER,
    grade_level INTEGER NOT NULL, school INTEGER NOT NULL, enroll_status INTEGER NOT NULL,
    entry_date INTEGER, exit_date INTEGER,
    mailing_street TEXT NOT NULL, mailing_city TEXT NOT NULL, mailing_state TEXT NOT NULL, mailing_zip TEXT NOT NULL,
    guardian_email TEXT NOT NULL, home_phone TEXT NOT NULL, home_room TEXT NOT NULL,
    PRIMARY KEY (number, dcid)
) WITHOUT ROWID;

CREATE TABLE reenrollments (
    student INTEGER NOT NULL, id INTEGER NOT NULL, school INTEGER NOT NULL, entry_date INTEGER,
    exit_date INTEGER NOT NULL,
    PRIMARY KEY (student, id)
) WITHOUT ROWID;

CREATE TABLE enrollments (
    student INTEGER NOT NULL, id INTEGER NOT NULL, dcid INTEGER NOT NULL, section INTEGER NOT NULL,
    term INTEGER NOT NULL, dropped INTEGER NOT NULL, course_number TEXT NOT NULL, section_number TEXT NOT NULL,
    school INTEGER NOT NULL, teacher INTEGER NOT NULL, expression TEXT NOT NULL, period TEXT NOT NULL,
    date_enrolled INTEGER NOT NULL, date_left INTEGER NOT NULL,
    PRIMARY KEY (student, id)
) WITHOUT ROWID;

CREATE TABLE sections (
    id INTEGER NOT NULL, dcid INTEGER NOT NULL, course_number TEXT NOT NULL, section_number TEXT NOT NULL,
    school INTEGER NOT NULL, term INTEGER NOT NULL, teacher INTEGER NOT NULL, room TEXT NOT NULL,
    external_expression TEXT NOT NULL, att_mode_code TEXT NOT NULL, attendance_type_code INTEGER NOT NULL,
    PRIMARY KEY (id)
) WITHOUT ROWID;

CREATE TABLE courses (
    number TEXT NOT NULL, dcid INTEGER NOT NULL, name TEXT NOT NULL,
    PRIMARY KEY (number, dcid)
) WITHOUT ROWID;

CREATE TABLE teachers (
    id INTEGER NOT NULL, school INTEGER NOT NULL, number TEXT NOT NULL, first_name TEXT NOT NULL,
    last_name TEXT NOT NULL, email TEXT NOT NULL, status INTEGER NOT NULL,
    PRIMARY KEY (id)
) WITHOUT ROWID;

CREATE TABLE terms (
    school INTEGER NOT NULL, id INTEGER NOT NULL, dcid INTEGER NOT NULL, year INTEGER NOT NULL,
    abbreviation TEXT NOT NULL, first_day INTEGER NOT NULL, last_day INTEGER NOT NULL,
    PRIMARY KEY (school, id)
) WITHOUT ROWID;

CREATE TABLE attendance_codes (
    school INTEGER NOT NULL, year INTEGER NOT NULL, id INTEGER NOT NULL, dcid INTEGER NOT NULL, code TEXT,
    description TEXT NOT NULL, presence TEXT NOT NULL,
    PRIMARY KEY (school, year, id)
) WITHOUT ROWID;

-- The small tables below are clustered by what they are looked up by, whatever order they arrive in.
CREATE TABLE periods (
    school INTEGER NOT NULL, year INTEGER NOT NULL, id INTEGER NOT NULL, number INTEGER NOT NULL,
    name TEXT NOT NULL, abbreviation TEXT NOT NULL,
    PRIMARY KEY (school, year, id)
) WITHOUT ROWID;

CREATE TABLE cycle_days (
    school INTEGER NOT NULL, year INTEGER NOT NULL, id INTEGER NOT NULL, number INTEGER NOT NULL,
    letter TEXT NOT NULL,
    PRIMARY KEY (school, year, id)
) WITHOUT ROWID;

CREATE TABLE calendar_days (
    school INTEGER NOT NULL, date INTEGER NOT NULL, id INTEGER NOT NULL, in_session INTEGER NOT NULL,
    cycle_day INTEGER, bell_schedule INTEGER,
    PRIMARY KEY (school, date, id)
) WITHOUT ROWID;

CREATE TABLE bell_schedule_items (
    bell_schedule INTEGER NOT NULL, id INTEGER NOT NULL, period INTEGER NOT NULL,
    "start" INTEGER NOT NULL, "end" INTEGER NOT NULL,
    PRIMARY KEY (bell_schedule, id)
) WITHOUT ROWID;

CREATE TABLE section_meetings (
    section INTEGER NOT NULL, id INTEGER NOT NULL, period_number INTEGER NOT NULL, cycle_day_letter TEXT NOT NULL,
    school INTEGER NOT NULL, year INTEGER NOT NULL,
    PRIMARY KEY (section, id, period_number, cycle_day_letter)
) WITHOUT ROWID;

-- What an import asks about all over the district, packed: see `roster/packed.rs`.
CREATE TABLE packed_numbers (first INTEGER PRIMARY KEY, entries BLOB NOT NULL);
CREATE TABLE packed_seats (first INTEGER PRIMARY KEY, entries BLOB NOT NULL);
CREATE TABLE packed_seat_names (first INTEGER PRIMARY KEY, entries BLOB NOT NULL);
CREATE TABLE packed_sections (first INTEGER PRIMARY KEY, entries BLOB NOT NULL);
