//! The generated district: what has to hold whatever its size, seed and date.

#![allow(clippy::unwrap_used, reason = "a test that cannot set up its parts fails")]

use std::collections::BTreeSet;

use chrono::NaiveDate;
use rosterbridge_practice::District;
use rosterbridge_practice::district::Plan;
use rstest::rstest;
use rusqlite::Connection;

const KEYED: &[&str] = &[
    "Schools",
    "Prefs",
    "Terms",
    "Period",
    "Cycle_Day",
    "Bell_Schedule",
    "Bell_Schedule_Items",
    "Calendar_Day",
    "Attendance_Code",
    "Courses",
    "Users",
    "SchoolStaff",
    "Sections",
    "Section_Meeting",
    "Students",
    "ReEnrollments",
    "CC",
    "Attendance",
];

fn plan(students: u32, schools: u32, seed: u64, date: &str) -> Plan {
    Plan { students, schools, seed, date: date.parse().unwrap(), keeps_summer: false }
}

/// On a day between two school years.
fn summer(students: u32, schools: u32, date: &str) -> Plan {
    Plan { keeps_summer: true, ..plan(students, schools, 1, date) }
}

fn generated(plan: Plan) -> (tempfile::TempDir, Connection) {
    let folder = tempfile::tempdir().unwrap();
    let district = District::generate(&folder.path().join("district.db"), plan).unwrap();
    let connection = district.connect().unwrap();
    (folder, connection)
}

fn number(connection: &Connection, sql: &str) -> i64 {
    connection.query_row(sql, (), |row| row.get::<_, Option<i64>>(0)).unwrap().unwrap_or(-1)
}

#[track_caller]
fn none(connection: &Connection, sql: &str) {
    assert_eq!(number(connection, &format!("SELECT COUNT(*) FROM ({sql})")), 0, "{sql}");
}

#[track_caller]
fn some(connection: &Connection, sql: &str) {
    assert!(number(connection, &format!("SELECT COUNT(*) FROM ({sql})")) > 0, "{sql}");
}

/// Rules that every district keeps.
fn check_rules(connection: &Connection, plan: Plan) {
    let date = plan.date;
    let in_session = i64::from(!plan.keeps_summer);
    for table in KEYED {
        none(connection, &format!("SELECT 1 FROM {table} WHERE DCID = ID"));
    }
    // The date is in session everywhere, in a term of its year, with a cycle day and bell schedule; in summer nowhere.
    assert_eq!(
        number(connection, &format!("SELECT MAX(InSession) FROM Calendar_Day WHERE Date_Value = '{date}'")),
        in_session
    );
    none(
        connection,
        &format!(
            "SELECT 1 FROM Schools S WHERE School_Number <> 999999 AND {in_session} <> EXISTS
               (SELECT 1 FROM Calendar_Day D JOIN Cycle_Day Y ON Y.ID = D.Cycle_Day_ID AND Y.SchoolID = D.SchoolID
                  JOIN Bell_Schedule B ON B.ID = D.Bell_Schedule_ID AND B.SchoolID = D.SchoolID
                  JOIN Terms T ON T.SchoolID = D.SchoolID AND T.IsYearRec = 1 AND T.YearID = Y.Year_ID
                   AND D.Date_Value BETWEEN T.FirstDay AND T.LastDay
                 WHERE D.SchoolID = S.School_Number AND D.Date_Value = '{date}' AND D.InSession = 1)"
        ),
    );
    none(connection, "SELECT 1 FROM Calendar_Day WHERE InSession <> (Cycle_Day_ID IS NOT NULL)");
    none(connection, "SELECT 1 FROM Calendar_Day WHERE InSession <> (Bell_Schedule_ID IS NOT NULL)");
    // References lead somewhere, through ID or School_Number as PowerSchool's do.
    for (from, condition) in [
        ("CC", "SELECT 1 FROM Students S WHERE S.ID = X.StudentID"),
        (
            "CC",
            "SELECT 1 FROM Sections S WHERE S.ID = ABS(X.SectionID) AND S.SchoolID = X.SchoolID
                AND S.TermID = ABS(X.TermID) AND S.Course_Number = X.Course_Number
                AND S.Section_Number = X.Section_Number AND S.Teacher = X.TeacherID",
        ),
        ("CC", "SELECT 1 FROM Terms T WHERE T.ID = ABS(X.TermID) AND T.SchoolID = X.SchoolID"),
        ("Sections", "SELECT 1 FROM Courses C WHERE C.Course_Number = X.Course_Number"),
        ("Sections", "SELECT 1 FROM Teachers T WHERE T.ID = X.Teacher AND T.SchoolID = X.SchoolID"),
        (
            "Section_Meeting",
            "SELECT 1 FROM Period P JOIN Cycle_Day D ON D.SchoolID = P.SchoolID AND D.Year_ID = P.Year_ID
              WHERE P.SchoolID = X.SchoolID AND P.Year_ID = X.Year_ID AND P.Period_Number = X.Period_Number
                AND D.Letter = X.Cycle_Day_Letter",
        ),
        ("Students", "SELECT 1 FROM Schools S WHERE S.School_Number = X.SchoolID"),
        (
            "Attendance",
            "SELECT 1 FROM Attendance_Code C WHERE C.ID = X.Attendance_CodeID AND C.SchoolID = X.SchoolID",
        ),
        (
            "Attendance",
            "SELECT 1 FROM Calendar_Day D WHERE D.ID = X.Calendar_DayID AND D.Date_Value = X.Att_Date
                AND D.InSession = 1 AND D.SchoolID = X.SchoolID",
        ),
    ] {
        none(connection, &format!("SELECT 1 FROM {from} X WHERE NOT EXISTS ({condition})"));
    }
    // Dropped means both are negative; only then does the enrolment end before its term.
    none(connection, "SELECT 1 FROM CC WHERE (SectionID < 0) <> (TermID < 0)");
    none(connection, "SELECT 1 FROM CC WHERE DateEnrolled > DateLeft");
    none(
        connection,
        "SELECT 1 FROM CC JOIN Students S ON S.ID = CC.StudentID WHERE S.Enroll_Status <> 0 AND CC.SectionID > 0",
    );
    // Nobody sits in two classes at once.
    none(
        connection,
        "SELECT 1 FROM CC JOIN Section_Meeting M ON M.SectionID = CC.SectionID
           JOIN Terms T ON T.ID = CC.TermID AND T.SchoolID = CC.SchoolID
           JOIN CC OTHER ON OTHER.StudentID = CC.StudentID AND OTHER.ID > CC.ID AND OTHER.SchoolID = CC.SchoolID
           JOIN Section_Meeting N ON N.SectionID = OTHER.SectionID AND N.Period_Number = M.Period_Number
            AND N.Cycle_Day_Letter = M.Cycle_Day_Letter
           JOIN Terms U ON U.ID = OTHER.TermID AND U.SchoolID = OTHER.SchoolID
          WHERE T.FirstDay <= U.LastDay AND U.FirstDay <= T.LastDay",
    );
    // Attendance of meetings names a meeting of that day.
    none(
        connection,
        "SELECT 1 FROM Attendance A WHERE Att_Mode_Code = 'ATT_ModeMeeting' AND NOT EXISTS
           (SELECT 1 FROM CC JOIN Section_Meeting M ON M.SectionID = CC.SectionID
              JOIN Period P ON P.ID = A.PeriodID AND P.Period_Number = M.Period_Number
              JOIN Calendar_Day D ON D.ID = A.Calendar_DayID
              JOIN Cycle_Day Y ON Y.ID = D.Cycle_Day_ID AND Y.Letter = M.Cycle_Day_Letter
             WHERE CC.ID = A.CCID AND CC.StudentID = A.StudentID)",
    );
    // Codes: one blank Present and one exact 'T' per school and year.
    none(
        connection,
        "SELECT 1 FROM Attendance_Code GROUP BY SchoolID, YearID
          HAVING SUM(Att_Code IS NULL) <> 1 OR SUM(Att_Code = 'T') <> 1",
    );
    assert_eq!(
        number(connection, "SELECT COUNT(*) FROM Students WHERE Enroll_Status = 0"),
        i64::from(plan.students)
    );
    assert_eq!(
        number(connection, "SELECT COUNT(*) FROM Schools WHERE School_Number <> 999999"),
        i64::from(plan.schools)
    );
}

#[rstest]
#[case::usual(plan(600, 5, 1, "2026-11-20"))]
#[case::another_seed(plan(600, 5, 2, "2026-11-20"))]
#[case::one_student(plan(1, 1, 1, "2026-11-20"))]
#[case::one_school(plan(80, 1, 1, "2026-11-20"))]
#[case::two_schools(plan(80, 2, 1, "2026-11-20"))]
#[case::fewer_students_than_schools(plan(3, 12, 1, "2026-11-20"))]
#[case::january(plan(60, 5, 1, "2026-01-14"))]
#[case::february(plan(60, 5, 1, "2027-02-16"))]
#[case::march_spring_break(plan(60, 5, 1, "2027-03-17"))]
#[case::april(plan(60, 5, 1, "2027-04-01"))]
#[case::may_memorial_day(plan(60, 5, 1, "2027-05-31"))]
#[case::june_last_day(plan(60, 5, 1, "2027-06-30"))]
#[case::july_independence_day(plan(60, 5, 1, "2026-07-04"))]
#[case::july_first(plan(60, 5, 1, "2026-07-01"))]
#[case::august(plan(60, 5, 1, "2026-08-03"))]
#[case::first_day(plan(60, 5, 1, "2026-08-17"))]
#[case::september_labor_day(plan(60, 5, 1, "2026-09-07"))]
#[case::october_sunday(plan(60, 5, 1, "2026-10-11"))]
#[case::thanksgiving(plan(60, 5, 1, "2026-11-26"))]
#[case::christmas(plan(60, 5, 1, "2026-12-25"))]
#[case::leap_day(plan(60, 5, 1, "2028-02-29"))]
#[case::day_after_the_last(summer(60, 5, "2026-06-06"))]
#[case::summer_july(summer(60, 5, "2026-07-15"))]
#[case::day_before_the_first(summer(60, 5, "2026-08-16"))]
fn every_district_keeps_the_rules(#[case] plan: Plan) {
    let (_folder, connection) = generated(plan);
    check_rules(&connection, plan);
}

/// School year start - 1990, a new one from July.
#[rstest]
#[case("2026-06-30", 35)]
#[case("2026-07-01", 36)]
#[case("2026-11-20", 36)]
#[case("2027-01-04", 36)]
fn the_year_follows_powerschools_numbering(#[case] date: &str, #[case] yearid: i64) {
    let (_folder, connection) = generated(plan(60, 5, 1, date));
    let terms = format!(
        "SELECT 1 FROM Terms WHERE IsYearRec = 1 AND ID = {yearid} * 100 AND YearID = {yearid}
            AND '{date}' BETWEEN FirstDay AND LastDay"
    );
    assert_eq!(number(&connection, &format!("SELECT COUNT(*) FROM ({terms})")), 5);
    assert_eq!(number(&connection, "SELECT MAX(TermID) / 100 FROM Sections"), yearid);
}

#[rstest]
#[case("2026-06-15", 36)]
#[case("2026-11-20", 36)]
#[case("2026-07-15", 37)]
fn in_the_summer_the_coming_year_is_prepared(#[case] date: &str, #[case] newest: i64) {
    let (_folder, connection) = generated(plan(20, 2, 1, date));
    assert_eq!(number(&connection, "SELECT MAX(YearID) FROM Terms"), newest);
    assert_eq!(number(&connection, "SELECT MAX(YearID) FROM Attendance_Code"), newest);
}

/// A day between two years belongs to the one to come, whose people and classes are there already.
#[rstest]
#[case("2026-06-06")]
#[case("2026-06-30")]
#[case("2026-07-01")]
#[case("2026-08-16")]
fn in_summer_the_year_to_come_is_the_current_one(#[case] date: &str) {
    let folder = tempfile::tempdir().unwrap();
    let plan = summer(200, 5, date);
    let district = District::generate(&folder.path().join("district.db"), plan).unwrap();
    let connection = district.connect().unwrap();
    let terms = |year: i64| {
        format!("SELECT 1 FROM Terms WHERE YearID = {year} GROUP BY SchoolID HAVING COUNT(*) = 3")
    };
    for year in [35, 36] {
        assert_eq!(number(&connection, &format!("SELECT COUNT(*) FROM ({})", terms(year))), 5);
        some(&connection, &format!("SELECT 1 FROM Attendance_Code WHERE YearID = {year} AND Att_Code = 'T'"));
    }
    none(&connection, &format!("SELECT 1 FROM Terms WHERE '{date}' BETWEEN FirstDay AND LastDay"));
    assert_eq!(number(&connection, "SELECT MIN(FirstDay = '2026-08-17') FROM Terms WHERE ID = 3600"), 1);
    // Every school's calendar knows the day, and nothing of it meets.
    assert_eq!(
        number(
            &connection,
            &format!(
                "SELECT COUNT(*) FROM Calendar_Day WHERE Date_Value = '{date}' AND Note = 'Summer Break'"
            )
        ),
        5
    );
    none(&connection, "SELECT 1 FROM Calendar_Day WHERE Date_Value < '2026-08-17' AND InSession = 1");
    none(&connection, "SELECT 1 FROM Attendance");
    // Those who will come are pre-registered for the new year; nobody has been there yet.
    some(&connection, "SELECT 1 FROM Students WHERE Enroll_Status = -1 AND EntryDate = '2026-08-17'");
    none(&connection, &format!("SELECT 1 FROM Students WHERE Enroll_Status = 0 AND EntryDate <= '{date}'"));
    let summary = district.summary(plan).unwrap();
    assert_eq!(
        i64::from(summary.enrollments),
        number(&connection, "SELECT COUNT(*) FROM CC WHERE SectionID > 0 AND TermID BETWEEN 3600 AND 3699")
    );
    assert!(summary.enrollments > 1_000 && summary.sections > 100, "{summary:?}");
}

/// What a day is about moves on with it, and the people stay who they are.
#[rstest]
#[case::semester("2027-01-08", 3601, "2027-01-11", 3602, true)]
#[case::new_year("2026-06-03", 3502, "2026-08-17", 3601, false)]
fn the_term_changes_with_the_day(
    #[case] before: &str,
    #[case] before_term: i64,
    #[case] after: &str,
    #[case] after_term: i64,
    #[case] same_year: bool,
) {
    let (_one, first) = generated(plan(120, 5, 1, before));
    let (_other, second) = generated(plan(120, 5, 1, after));
    for (connection, date, term) in [(&first, before, before_term), (&second, after, after_term)] {
        let current = format!(
            "SELECT COUNT(*) FROM Terms WHERE ID = {term} AND '{date}' BETWEEN FirstDay AND LastDay AND IsYearRec = 0"
        );
        assert_eq!(number(connection, &current), 5);
    }
    let students = |connection: &Connection| -> Vec<(i64, i64, i64, String)> {
        connection
            .prepare("SELECT ID, Student_Number, Enroll_Status, LastFirst FROM Students ORDER BY ID")
            .unwrap()
            .query_map((), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
            .unwrap()
            .map(Result::unwrap)
            .collect()
    };
    assert_eq!(students(&first), students(&second));
    let sections = "SELECT COUNT(*) FROM Sections WHERE TermID = 3602";
    assert_eq!(number(&first, sections) == number(&second, sections), same_year);
}

#[test]
fn a_usual_district_has_what_interfaces_stumble_over() {
    let (_folder, connection) = generated(plan(600, 5, 1, "2026-11-20"));
    let grades: BTreeSet<i64> = connection
        .prepare("SELECT DISTINCT Grade_Level FROM Students WHERE Enroll_Status = 0")
        .unwrap()
        .query_map((), |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(grades, (0..=12).collect());
    for status in [0, 2, 3, -1] {
        some(&connection, &format!("SELECT 1 FROM Students WHERE Enroll_Status = {status}"));
    }
    some(&connection, "SELECT 1 FROM Students WHERE Enroll_Status = 3 AND SchoolID = 999999");
    for name in ["O'Brien", "Muñoz", "Wójcik", "O", "Ng", "D'Angelo-Smith"] {
        some(
            &connection,
            &format!("SELECT 1 FROM Students WHERE Last_Name = '{}'", name.replace('\'', "''")),
        );
    }
    some(&connection, "SELECT 1 FROM Students WHERE LENGTH(First_Name) > 30");
    some(&connection, "SELECT 1 FROM Students WHERE LENGTH(Last_Name) > 30");
    some(&connection, "SELECT 1 FROM Students WHERE Middle_Name IS NULL");
    some(&connection, "SELECT 1 FROM Students WHERE GuardianEmail LIKE '%,%'");
    some(&connection, "SELECT 1 FROM Students WHERE GuardianEmail IS NULL");
    // Student numbers have several lengths and do not follow the IDs.
    assert!(number(&connection, "SELECT COUNT(DISTINCT LENGTH(Student_Number)) FROM Students") > 1);
    some(
        &connection,
        "SELECT 1 FROM Students A JOIN Students B ON B.ID = A.ID + 1 WHERE B.Student_Number < A.Student_Number",
    );
    // Some came from another school of their grade this year, some left and came back; at no time are they in two.
    let earlier = |which: &str| {
        format!(
            "SELECT 1 FROM ReEnrollments R JOIN Students S ON S.ID = R.StudentID
              WHERE R.EntryDate = '2026-08-17' AND R.Grade_Level = S.Grade_Level AND {which}"
        )
    };
    some(&connection, &earlier("R.SchoolID <> S.SchoolID AND R.ExitDate = S.EntryDate"));
    some(&connection, &earlier("R.SchoolID = S.SchoolID AND R.ExitDate < S.EntryDate"));
    none(
        &connection,
        "SELECT 1 FROM ReEnrollments R JOIN Students S ON S.ID = R.StudentID WHERE R.ExitDate > S.EntryDate",
    );
    none(&connection, "SELECT 1 FROM ReEnrollments WHERE EntryDate >= ExitDate");
    // Somewhere an ID is another row's DCID, so that mixing them up shows.
    for table in
        ["Schools", "Students", "Sections", "CC", "SchoolStaff", "Attendance_Code", "Period", "Terms"]
    {
        some(&connection, &format!("SELECT 1 FROM {table} A JOIN {table} B ON A.ID = B.DCID"));
    }
    some(&connection, "SELECT 1 FROM CC WHERE SectionID < 0");
    some(
        &connection,
        "SELECT 1 FROM CC JOIN Students S ON S.ID = CC.StudentID
          WHERE CC.SchoolID <> S.SchoolID AND CC.SectionID > 0 AND S.Enroll_Status = 0",
    );
    some(&connection, "SELECT 1 FROM CC WHERE TermID = 3500");
    some(&connection, "SELECT 1 FROM CC WHERE TermID = 3601");
    some(&connection, "SELECT 1 FROM Teachers WHERE Status <> 1");
    some(&connection, "SELECT 1 FROM SchoolStaff GROUP BY Users_DCID HAVING COUNT(*) > 1");
    for code in [0, 2] {
        some(&connection, &format!("SELECT 1 FROM Sections WHERE Attendance_Type_Code = {code}"));
    }
    // Daily, meeting and both-method schools, the last with a bridge period.
    let method = |daily: i64, meeting: i64| {
        format!(
            "SELECT 1 FROM Prefs D JOIN Prefs M ON M.SchoolID = D.SchoolID
              WHERE D.Name = 'ATT_RecordModeDaily' AND D.Value = '{daily}'
                AND M.Name = 'ATT_RecordModeMeeting' AND M.Value = '{meeting}'"
        )
    };
    for (daily, meeting) in [(1, 0), (0, 1), (1, 1)] {
        some(&connection, &method(daily, meeting));
    }
    some(
        &connection,
        "SELECT 1 FROM Prefs JOIN Period P ON P.ID = Value WHERE Prefs.Name = 'ATT_BridgePeriod'",
    );
    // Cycles of one, two and six days.
    for days in [1, 2, 6] {
        some(
            &connection,
            &format!("SELECT 1 FROM Cycle_Day WHERE Year_ID = 36 GROUP BY SchoolID HAVING COUNT(*) = {days}"),
        );
    }
    some(&connection, "SELECT 1 FROM Calendar_Day WHERE Note = 'Thanksgiving' AND InSession = 0");
    // A little attendance is there already: blank Present of today, and codes of the day before.
    some(
        &connection,
        "SELECT 1 FROM Attendance A JOIN Attendance_Code C ON C.ID = A.Attendance_CodeID
          WHERE Att_Date = '2026-11-20' AND C.Att_Code IS NULL",
    );
    some(&connection, "SELECT 1 FROM Attendance WHERE Att_Date = '2026-11-19'");
    none(
        &connection,
        "SELECT 1 FROM Attendance A JOIN Attendance_Code C ON C.ID = A.Attendance_CodeID
          WHERE Att_Date = '2026-11-20' AND C.Att_Code IS NOT NULL",
    );
}

/// Oracle has no empty strings, so neither may the rows that queries are tested on.
#[test]
fn no_value_is_an_empty_string() {
    let (_folder, connection) = generated(plan(300, 5, 1, "2026-11-20"));
    for table in KEYED {
        let columns: Vec<String> = connection
            .prepare("SELECT name FROM pragma_table_info(?1)")
            .unwrap()
            .query_map([table], |row| row.get(0))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        for column in columns {
            none(&connection, &format!("SELECT 1 FROM {table} WHERE {column} = ''"));
        }
    }
}

#[test]
fn ten_thousand_students_have_about_sixty_thousand_enrollments() {
    // A tenth of it has the same shape.
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(1_000, 5, 1, "2026-11-20");
    let district = District::generate(&folder.path().join("district.db"), plan).unwrap();
    let summary = district.summary(plan).unwrap();
    assert!((5_700..=6_600).contains(&summary.enrollments), "{summary:?}");
    assert_eq!((summary.students, summary.schools), (1_000, 5));
    assert!(summary.sections > 0 && summary.teachers > 0, "{summary:?}");
}

#[test]
fn equal_inputs_give_equal_bytes_and_another_seed_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = |name: &str, seed: u64| {
        let path = folder.path().join(name);
        District::generate(&path, plan(200, 5, seed, "2026-11-20")).unwrap();
        std::fs::read(path).unwrap()
    };
    let first = bytes("first.db", 1);
    assert_eq!(first, bytes("again.db", 1));
    assert_ne!(first, bytes("other.db", 2));
}

#[rstest]
#[case(0, 1)]
#[case(1, 0)]
#[case(1, 3_000)]
#[case(3_000_000, 1)]
fn impossible_sizes_are_refused(#[case] students: u32, #[case] schools: u32) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("district.db");
    let error = District::generate(&path, plan(students, schools, 1, "2026-11-20")).unwrap_err();
    assert_eq!(error.code(), "practice.size");
    assert!(!path.exists());
}

#[test]
fn a_district_is_opened_with_what_it_was_made_from() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("district.db");
    assert!(District::open(&path).unwrap().is_none());
    let made = Plan {
        students: 20,
        schools: 2,
        seed: u64::MAX,
        date: NaiveDate::from_ymd_opt(2027, 7, 15).unwrap(),
        keeps_summer: true,
    };
    District::generate(&path, made).unwrap();
    assert_eq!(District::open(&path).unwrap().unwrap().1, made);
}
