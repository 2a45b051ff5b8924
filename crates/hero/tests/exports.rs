//! The exports, byte for byte.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod support;

use std::path::Path;

use proptest::prelude::*;
use rosterbridge_domain::{
    id::StudentNumber,
    roster::{Student, Teacher},
    settings::{
        AccountLevel, CharacterSet, ExportJob, ExportKind, FieldDelimiter, LongValues, RecordDelimiter,
        SCHEDULE_FIELDS, STUDENT_FIELDS, TEACHER_FIELDS,
    },
};
use rosterbridge_hero::{
    ExportLayout, FIRST_ROWS, FacultyFile, Kind, Problem, ProblemCounts, ScheduleFile, ScheduleRow,
    StudentFile, Subject, TeacherFile, Written,
    fields::{self, Field, FieldList, ScheduleField, StudentField, TeacherField},
};
use rstest::rstest;
use support::{ALL_KEPT, SCHOOL, class, course, parsed, section, student, teacher, visible};

const TAB: ExportLayout = ExportLayout {
    field_delimiter: FieldDelimiter::Tab,
    record_delimiter: RecordDelimiter::Crlf,
    header: false,
    character_set: CharacterSet::Utf8,
    long_values: LongValues::AsIs,
};
const COMMA: ExportLayout = ExportLayout { field_delimiter: FieldDelimiter::Comma, ..TAB };
const LF: ExportLayout = ExportLayout { record_delimiter: RecordDelimiter::Lf, ..TAB };
const CR: ExportLayout = ExportLayout { record_delimiter: RecordDelimiter::Cr, ..TAB };
const HEADER: ExportLayout = ExportLayout { header: true, ..TAB };
const ANSI: ExportLayout = ExportLayout { character_set: CharacterSet::WindowsAnsi, ..TAB };
const ANSI_COMMA: ExportLayout = ExportLayout { character_set: CharacterSet::WindowsAnsi, ..COMMA };
const SHORTENED: ExportLayout = ExportLayout { long_values: LongValues::Shorten, ..TAB };
const OTHER: ExportLayout = ExportLayout { header: true, record_delimiter: RecordDelimiter::Lf, ..COMMA };

fn write_students(
    fields: &FieldList<StudentField>,
    layout: ExportLayout,
    students: &[Student],
) -> (Vec<u8>, Written) {
    let mut file = StudentFile::new(Vec::new(), fields, layout, ALL_KEPT);
    for student in students {
        file.write(student).unwrap();
    }
    file.finish().unwrap()
}

fn usual_students(layout: ExportLayout, students: &[Student]) -> (Vec<u8>, Written) {
    write_students(&parsed(&STUDENT_FIELDS), layout, students)
}

fn difficult_students() -> Vec<Student> {
    let mut quoted = student(4711, "Zoë", "O'Brien, Jr.");
    quoted.mailing_street = "12 \"The Oaks\"\tApt 3\r\nRear".into();
    let mut bare = student(4712, "Łukasz", "Müller");
    bare.middle_name = "".into();
    bare.dob = None;
    bare.grade_level = -1;
    let mut long = student(4713, "Maximilienne-Éléonore-Ré", "de la Fontaine");
    long.guardian_email = "ana@example.org,bo@example.org".into();
    long.mailing_zip = "62704-1234-56".into();
    vec![student(42, "Ada", "Byron"), quoted, bare, long]
}

fn difficult_schedule(fields: &FieldList<ScheduleField>, layout: ExportLayout) -> (Vec<u8>, Written) {
    let mut file = ScheduleFile::new(Vec::new(), fields, layout, ALL_KEPT);
    let (student, class) = (student(4711, "Zoë", "O'Brien"), class());
    let (course, section) = (course("Mathematics, \"Honors\" 7"), section());
    let row = ScheduleRow {
        student: &student,
        enrollment: &class,
        course: Some(&course),
        room: "B\t12",
        external_expression: &section.external_expression,
        section: Some(&section),
        teacher_last_name: "Nuñez-Łoś",
        teacher_first_name: "Inés",
        teacher_number: "T0031",
    };
    file.write(&row).unwrap();
    let without = ScheduleRow {
        course: None,
        room: "",
        external_expression: "",
        section: None,
        teacher_last_name: "",
        teacher_first_name: "",
        teacher_number: "",
        ..row
    };
    file.write(&without).unwrap();
    file.finish().unwrap()
}

fn difficult_teachers() -> Vec<Teacher> {
    let first = teacher("T0031", "Inés", "Nuñez, \"Nu\"");
    let mut gone = teacher("T0032", "Łucja", "Ro\nsa");
    gone.status = 2;
    gone.email.clear();
    vec![first, gone]
}

fn write_teachers(
    fields: &FieldList<TeacherField>,
    layout: ExportLayout,
    teachers: &[Teacher],
) -> (Vec<u8>, Written) {
    let mut file = TeacherFile::new(Vec::new(), fields, layout, ALL_KEPT);
    for teacher in teachers {
        file.write(teacher).unwrap();
    }
    file.finish().unwrap()
}

/// Compares with `tests/golden/NAME`, byte for byte. `UPDATE_GOLDEN=1` writes it instead; then read the difference.
fn golden(name: &str, bytes: &[u8]) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&file, bytes).unwrap();
    }
    let expected = std::fs::read(&file).unwrap();
    assert!(
        expected == bytes,
        "{name} is\n{}\nand what was written is\n{}",
        visible(&expected),
        visible(bytes)
    );
}

const USUAL: &[&str] = &STUDENT_FIELDS;
const STUDENTS_REORDERED: &[&str] =
    &["grade_level", "LAST_NAME", "[01]First_Name", "student_number", "student_number", "Enroll_Status"];

#[rstest]
#[case::usual("student.txt", USUAL, AccountLevel::School, TAB)]
#[case::comma("student_comma.txt", USUAL, AccountLevel::School, COMMA)]
#[case::lf("student_lf.txt", USUAL, AccountLevel::School, LF)]
#[case::cr("student_cr.txt", USUAL, AccountLevel::School, CR)]
#[case::header("student_header.txt", USUAL, AccountLevel::School, HEADER)]
#[case::ansi("student_ansi.txt", USUAL, AccountLevel::School, ANSI)]
#[case::ansi_comma("student_ansi_comma.txt", USUAL, AccountLevel::School, ANSI_COMMA)]
#[case::group("student_group.txt", USUAL, AccountLevel::Group, HEADER)]
#[case::shortened("student_shortened.txt", USUAL, AccountLevel::School, SHORTENED)]
#[case::reordered("student_reordered.txt", STUDENTS_REORDERED, AccountLevel::School, OTHER)]
fn the_student_file(
    #[case] name: &str,
    #[case] fields: &[&str],
    #[case] level: AccountLevel,
    #[case] layout: ExportLayout,
) {
    let fields = parsed(fields).for_level(level);
    let (bytes, written) = write_students(&fields, layout, &difficult_students());
    golden(name, &bytes);
    assert_eq!(written.rows, 4);
}

const SCHEDULE_REORDERED: &[&str] = &[
    "[5]TeacherNumber",
    "TermID",
    "[01]STUDENT_NUMBER",
    "[03]external_expression",
    "Period Expression",
    "[03]termid",
    "DateEnrolled",
    "dateleft",
    "[01]grade_level",
];

#[rstest]
#[case::usual("schedule.txt", &SCHEDULE_FIELDS, TAB)]
#[case::comma("schedule_comma.txt", &SCHEDULE_FIELDS, COMMA)]
#[case::lf("schedule_lf.txt", &SCHEDULE_FIELDS, LF)]
#[case::cr("schedule_cr.txt", &SCHEDULE_FIELDS, CR)]
#[case::header("schedule_header.txt", &SCHEDULE_FIELDS, HEADER)]
#[case::ansi("schedule_ansi.txt", &SCHEDULE_FIELDS, ANSI)]
#[case::reordered("schedule_reordered.txt", SCHEDULE_REORDERED, OTHER)]
fn the_schedule_file(#[case] name: &str, #[case] fields: &[&str], #[case] layout: ExportLayout) {
    let (bytes, written) = difficult_schedule(&parsed(fields), layout);
    golden(name, &bytes);
    assert_eq!(written.rows, 2);
}

const TEACHERS_REORDERED: &[&str] = &["Status", "LAST_NAME", "[05]teachernumber", "id"];

#[rstest]
#[case::usual("teacher.txt", &TEACHER_FIELDS, TAB)]
#[case::comma("teacher_comma.txt", &TEACHER_FIELDS, COMMA)]
#[case::lf("teacher_lf.txt", &TEACHER_FIELDS, LF)]
#[case::cr("teacher_cr.txt", &TEACHER_FIELDS, CR)]
#[case::header("teacher_header.txt", &TEACHER_FIELDS, HEADER)]
#[case::ansi("teacher_ansi.txt", &TEACHER_FIELDS, ANSI)]
#[case::reordered("teacher_reordered.txt", TEACHERS_REORDERED, OTHER)]
fn the_teacher_file(#[case] name: &str, #[case] fields: &[&str], #[case] layout: ExportLayout) {
    let (bytes, written) = write_teachers(&parsed(fields), layout, &difficult_teachers());
    golden(name, &bytes);
    assert_eq!(written.rows, 2);
}

#[test]
fn the_faculty_file() {
    let mut file = FacultyFile::new(Vec::new(), "Teacher", "Staff, full", ALL_KEPT);
    for teacher in difficult_teachers() {
        file.write(&teacher).unwrap();
    }
    let (bytes, written) = file.finish().unwrap();
    golden("faculty.csv", &bytes);
    assert_eq!((written.rows, written.altered_values), (2, 0));
}

/// A new export is what Hero's procedure asks for.
#[rstest]
fn the_usual_export_has_the_usual_layout(
    #[values(ExportKind::Students, ExportKind::Schedule, ExportKind::Teachers)] kind: ExportKind,
) {
    assert_eq!(ExportLayout::from(&ExportJob::usual(kind)), ExportLayout::default());
    assert_eq!(ExportLayout::default(), TAB);
}

#[test]
fn a_file_without_rows_is_empty_but_for_its_header() {
    assert_eq!(usual_students(TAB, &[]).0, b"");
    let (bytes, _) = usual_students(HEADER, &[]);
    assert_eq!(String::from_utf8(bytes).unwrap(), format!("{}\r\n", STUDENT_FIELDS.join("\t")));
}

fn problem(row: u64, student: i64, field: &'static str, kind: Kind) -> Problem {
    Problem {
        row: Some(row),
        subject: Subject::Student(StudentNumber::new(student)),
        field: Some(field),
        kind,
    }
}

#[rstest]
#[case::first_name(|s: &mut Student| s.first_name.clear(), "First_Name", Kind::Empty)]
#[case::blank_first_name(|s: &mut Student| s.first_name = "  ".into(), "First_Name", Kind::Empty)]
#[case::last_name(|s: &mut Student| s.last_name.clear(), "Last_Name", Kind::Empty)]
#[case::long_first_name(|s: &mut Student| s.first_name = "é".repeat(21).into(), "First_Name", too_long(21, 20))]
#[case::long_last_name(|s: &mut Student| s.last_name = "x".repeat(21).into(), "Last_Name", too_long(21, 20))]
#[case::middle_name(|s: &mut Student| s.middle_name = "x".repeat(51).into(), "Middle_Name", too_long(51, 50))]
#[case::street(|s: &mut Student| s.mailing_street = "x".repeat(51).into(), "Mailing_Street", too_long(51, 50))]
#[case::city(|s: &mut Student| s.mailing_city = "x".repeat(51).into(), "Mailing_City", too_long(51, 50))]
#[case::state(|s: &mut Student| s.mailing_state = "x".repeat(51).into(), "Mailing_State", too_long(51, 50))]
#[case::zip(|s: &mut Student| s.mailing_zip = "x".repeat(11).into(), "Mailing_Zip", too_long(11, 10))]
#[case::email(|s: &mut Student| s.guardian_email = "x".repeat(256).into(), "GuardianEmail", too_long(256, 255))]
#[case::phone(|s: &mut Student| s.home_phone = "x".repeat(51).into(), "Home_Phone", too_long(51, 50))]
#[case::grade(|s: &mut Student| s.grade_level = -12345, "Grade_Level", too_long(6, 5))]
fn heros_limits_are_reported_and_nothing_is_cut(
    #[case] change: fn(&mut Student),
    #[case] field: &'static str,
    #[case] kind: Kind,
) {
    let mut subject = student(2, "Ada", "Byron");
    change(&mut subject);
    let (bytes, written) = usual_students(TAB, &[student(1, "A", "B"), subject.clone()]);
    assert_eq!(written.problems.listed, [problem(2, 2, field, kind)]);
    assert_eq!((written.problems.counts.total(), written.altered_values), (1, 0));
    let told = written.problems.listed[0].to_string();
    assert!(told.starts_with(&format!("row 2: {field} ")), "{told}");
    let line = String::from_utf8(bytes).unwrap().lines().nth(1).unwrap().to_owned();
    assert_eq!(line.split('\t').collect::<Vec<_>>(), in_order(&subject));
}

fn too_long(length: usize, limit: usize) -> Kind {
    Kind::TooLong { length, limit, shortened: false }
}

#[rstest]
#[case(Kind::Empty)]
#[case(too_long(21, 20))]
#[case(Kind::TooLong { length: 25, limit: 20, shortened: true })]
#[case(Kind::Break)]
#[case(Kind::Unmappable)]
#[case(Kind::Duplicate { first_row: 7 })]
#[case(Kind::NoSchedule)]
fn a_problem_is_known_again_by_its_code_and_measures(#[case] kind: Kind) {
    let (found, accepted) = kind.measures();
    assert_eq!(Kind::of(kind.code(), found, accepted), Some(kind));
    // What was kept without its measures can't be told in full.
    let bare = Kind::of(kind.code(), None, None);
    assert_eq!(bare.is_some(), found.is_none());
}

#[test]
fn values_exactly_as_long_as_hero_accepts_are_no_problem() {
    let mut subject = student(1, &"é".repeat(20), &"x".repeat(20));
    subject.middle_name = "x".repeat(50).into();
    subject.guardian_email = "x".repeat(255).into();
    subject.mailing_zip = "1234567890".into();
    subject.grade_level = -1234;
    let (_, written) = usual_students(SHORTENED, &[subject]);
    assert_eq!(written.problems.counts, ProblemCounts::default());
    assert_eq!(written.altered_values, 0);
}

#[test]
fn a_shortened_value_is_reported_and_a_number_is_never_cut() {
    let mut subject = student(7, &"é".repeat(25), "Byron");
    subject.grade_level = 123_456;
    let (bytes, written) = usual_students(SHORTENED, &[subject]);
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.starts_with(&format!("7\t{}\tByron\t", "é".repeat(20))), "{text}");
    assert!(text.ends_with("\t123456\r\n"), "{text}");
    assert_eq!(
        written.problems.listed,
        [
            problem(1, 7, "First_Name", Kind::TooLong { length: 25, limit: 20, shortened: true }),
            problem(1, 7, "Grade_Level", too_long(6, 5)),
        ]
    );
    assert_eq!((written.problems.counts.too_long, written.altered_values), (2, 1));
}

#[test]
fn what_a_tab_file_cannot_hold_is_replaced_and_reported() {
    let mut subject = student(7, "A\tda", "By\r\nron");
    subject.home_phone = "1\n".into();
    let (bytes, written) = usual_students(TAB, &[subject.clone()]);
    assert!(bytes.starts_with(b"7\tA da\tBy  ron\t"));
    let kinds = ["First_Name", "Last_Name", "Home_Phone"].map(|field| problem(1, 7, field, Kind::Break));
    assert_eq!(written.problems.listed, kinds);
    assert_eq!((written.problems.counts.breaks, written.altered_values), (3, 3));
    // Quotes make room for all of it.
    let (_, written) = usual_students(COMMA, &[subject]);
    assert_eq!((written.problems.counts.total(), written.altered_values), (0, 0));
}

#[rstest]
fn characters_a_file_cannot_hold_are_replaced_and_reported(#[values(ANSI, ANSI_COMMA)] layout: ExportLayout) {
    let mut subject = student(1, "Łu\"k,asz Ł", "Zoë €");
    subject.middle_name = "\u{81}".into();
    let (bytes, written) = usual_students(layout, &[subject]);
    let last_name = b"Zo\xEB \x80".as_slice();
    assert!(bytes.windows(last_name.len()).any(|window| window == last_name), "{}", visible(&bytes));
    assert!(!bytes.contains(&0x81));
    assert_eq!(visible(&bytes).matches('?').count(), 3);
    let problems = ["First_Name", "Middle_Name"].map(|field| problem(1, 1, field, Kind::Unmappable));
    assert_eq!(written.problems.listed, problems);
    assert_eq!((written.problems.counts.unmappable, written.altered_values), (2, 2));
}

#[test]
fn a_student_number_that_comes_again_is_reported() {
    let numbers = [3, 5, 5, 5, 6];
    let students = numbers.map(|number| student(number, "Ada", "Byron"));
    // Whether or not the file has the number.
    for fields in [&STUDENT_FIELDS[..], &["Last_Name", "First_Name"]] {
        let (_, written) = write_students(&parsed(fields), TAB, &students);
        let again = |row| problem(row, 5, "Student_Number", Kind::Duplicate { first_row: 2 });
        assert_eq!(written.problems.listed, [again(3), again(4)]);
        assert_eq!((written.rows, written.problems.counts.duplicates), (5, 2));
    }
}

#[test]
fn a_student_without_a_schedule_is_reported() {
    let fields = parsed(&SCHEDULE_FIELDS);
    let mut file = ScheduleFile::new(Vec::new(), &fields, TAB, ALL_KEPT);
    file.without_schedule(StudentNumber::new(9));
    let (bytes, written) = file.finish().unwrap();
    let [problem] = written.problems.listed.as_slice() else { panic!("{written:?}") };
    assert_eq!((problem.row, problem.field, problem.kind), (None, None, Kind::NoSchedule));
    assert_eq!(problem.subject, Subject::Student(StudentNumber::new(9)));
    assert_eq!((bytes.len(), written.rows, written.problems.counts.no_schedule), (0, 0, 1));
    assert_eq!(problem.to_string(), "a student has no class in the schedule");
}

#[test]
fn a_teachers_problem_names_the_teacher() {
    let (_, written) = write_teachers(&parsed(&TEACHER_FIELDS), TAB, &difficult_teachers());
    let [problem] = written.problems.listed.as_slice() else { panic!("{written:?}") };
    assert_eq!(problem.subject, Subject::Teacher("T0032".to_owned()));
    assert_eq!((problem.row, problem.field, problem.kind), (Some(2), Some("[05]last_name"), Kind::Break));
}

#[test]
fn problems_are_counted_and_the_first_ones_kept() {
    let fields = parsed(&STUDENT_FIELDS);
    let mut file = StudentFile::new(Vec::new(), &fields, TAB, 100);
    for number in 0..500 {
        file.write(&student(number, "", "Byron")).unwrap();
    }
    let (_, written) = file.finish().unwrap();
    assert_eq!((written.problems.listed.len(), written.problems.counts.empty), (100, 500));
    assert_eq!(written.problems.listed.last().unwrap().row, Some(100));
}

/// The rows kept as a sample are what a reader of the file finds.
#[rstest]
fn the_first_rows_are_kept_as_they_were_written(
    #[values(FieldDelimiter::Tab, FieldDelimiter::Comma)] field_delimiter: FieldDelimiter,
    #[values(CharacterSet::Utf8, CharacterSet::WindowsAnsi, CharacterSet::MacRoman)]
    character_set: CharacterSet,
    #[values(false, true)] header: bool,
) {
    let layout = ExportLayout { field_delimiter, character_set, header, ..ExportLayout::default() };
    let mut all = difficult_students();
    all.extend((5000..=5010).map(|number| student(number, "\"Al\"", "Zoë")));
    let (bytes, written) = usual_students(layout, &all);
    let encoding = match character_set {
        CharacterSet::Utf8 => encoding_rs::UTF_8,
        CharacterSet::WindowsAnsi => encoding_rs::WINDOWS_1252,
        CharacterSet::MacRoman => encoding_rs::MACINTOSH,
    };
    let text = encoding.decode_without_bom_handling(&bytes).0;
    let comma = field_delimiter == FieldDelimiter::Comma;
    let read: Vec<Vec<String>> = csv::ReaderBuilder::new()
        .delimiter(if comma { b',' } else { b'\t' })
        .quoting(comma)
        .has_headers(header)
        .from_reader(text.as_bytes())
        .into_records()
        .map(|row| row.unwrap().iter().map(str::to_owned).collect())
        .collect();
    assert_eq!(read.len(), all.len());
    assert_eq!(written.first, read[..FIRST_ROWS]);
    assert!(!format!("{written:?}").contains("Zoë"), "a log must not get them");
}

/// Takes a few bytes, then no more.
struct Full(usize);

impl std::io::Write for Full {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.0 == 0 {
            return Err(std::io::ErrorKind::StorageFull.into());
        }
        let taken = bytes.len().min(self.0);
        self.0 -= taken;
        Ok(taken)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_is_an_error_while_writing_and_at_the_end() {
    let fields = parsed(&STUDENT_FIELDS);
    let mut file = StudentFile::new(Full(100), &fields, TAB, ALL_KEPT);
    file.write(&student(1, "A", "B")).unwrap();
    file.write(&student(2, "A", "B")).unwrap();
    let Err(error) = file.finish() else { panic!("the disk is full") };
    assert_eq!(error.code(), "hero.file_write");

    let mut file = StudentFile::new(Full(100), &fields, TAB, ALL_KEPT);
    let failed = (0..10_000).find_map(|number| file.write(&student(number, "A", "B")).err());
    assert_eq!(failed.map(|error| error.code()), Some("hero.file_write"));
}

#[test]
fn a_large_file_arrives_whole() {
    let rows: Vec<_> = (0..5_000).map(|number| student(number, "Ada", "Byron")).collect();
    let (bytes, written) = usual_students(TAB, &rows);
    assert_eq!(written.rows, 5_000);
    let text = String::from_utf8(bytes).unwrap();
    for (number, line) in text.split_terminator("\r\n").enumerate() {
        assert_eq!(line.split('\t').next(), Some(number.to_string().as_str()));
        assert_eq!(line.split('\t').count(), 12);
    }
    assert_eq!(text.matches("\r\n").count(), 5_000);
}

fn any_text() -> impl Strategy<Value = String> {
    // Characters that layouts care about come up often.
    let character =
        prop_oneof![Just(','), Just('"'), Just('\t'), Just('\r'), Just('\n'), Just('ë'), any::<char>()];
    proptest::collection::vec(character, 0..30).prop_map(|chars| chars.into_iter().collect())
}

fn any_student() -> impl Strategy<Value = Student> {
    (any::<i64>(), any_text(), any_text(), any_text(), any_text(), any::<i64>(), 0_i32..200_000).prop_map(
        |(number, first, last, street, phone, grade, day)| {
            let mut subject = student(number, &first, &last);
            subject.mailing_street = street.into();
            subject.home_phone = phone.into();
            subject.grade_level = grade;
            subject.dob = chrono::NaiveDate::from_num_days_from_ce_opt(600_000 + day);
            subject
        },
    )
}

fn any_teacher() -> impl Strategy<Value = Teacher> {
    (any_text(), any_text(), any_text(), any_text(), any::<i64>()).prop_map(
        |(number, first, last, email, status)| {
            let mut subject = teacher(&number, &first, &last);
            subject.email = email;
            subject.status = status;
            subject
        },
    )
}

fn any_layout() -> impl Strategy<Value = ExportLayout> {
    let ends = prop_oneof![Just(RecordDelimiter::Crlf), Just(RecordDelimiter::Lf), Just(RecordDelimiter::Cr)];
    (ends, any::<bool>()).prop_map(|(record_delimiter, header)| ExportLayout {
        record_delimiter,
        header,
        ..COMMA
    })
}

/// Some of an export's fields, in any order, some of them more than once.
fn any_fields<F: Field>() -> impl Strategy<Value = Vec<F>> {
    proptest::collection::vec(proptest::sample::select(F::ALL), 1..20)
}

fn list<F: Field>(fields: &[F]) -> FieldList<F> {
    fields::parse(&fields.iter().map(|field| field.known().name).collect::<Vec<_>>()).unwrap()
}

fn in_order(student: &Student) -> [String; 12] {
    let text = |value: &str| value.to_owned();
    [
        student.number.to_string(),
        text(&student.first_name),
        text(&student.last_name),
        text(&student.middle_name),
        student.dob.unwrap().format("%m/%d/%Y").to_string(),
        text(&student.mailing_street),
        text(&student.mailing_city),
        text(&student.mailing_state),
        text(&student.mailing_zip),
        text(&student.guardian_email),
        text(&student.home_phone),
        student.grade_level.to_string(),
    ]
}

fn value_of(teacher: &Teacher, field: TeacherField) -> String {
    match field {
        TeacherField::School => SCHOOL.to_string(),
        TeacherField::LastName => teacher.last_name.clone(),
        TeacherField::FirstName => teacher.first_name.clone(),
        TeacherField::Number => teacher.number.clone(),
        TeacherField::Email => teacher.email.clone(),
        TeacherField::Status => teacher.status.to_string(),
        TeacherField::Id => teacher.id.to_string(),
    }
}

/// The values of a comma file as a reader of such files finds them.
fn read_back(bytes: &[u8], layout: ExportLayout) -> Vec<Vec<String>> {
    csv::ReaderBuilder::new()
        .has_headers(layout.header)
        .from_reader(bytes)
        .deserialize()
        .collect::<Result<_, _>>()
        .unwrap()
}

/// A row of one empty value is an empty line, which such a reader passes over.
fn is_an_empty_line(row: &[String]) -> bool {
    matches!(row, [only] if only.is_empty())
}

proptest! {
    #[test]
    fn a_csv_reader_finds_the_very_values_in_a_comma_file(
        rows in proptest::collection::vec(any_student(), 0..8),
        layout in any_layout(),
    ) {
        let (bytes, written) = usual_students(layout, &rows);
        prop_assert_eq!(written.altered_values, 0);
        let expected: Vec<Vec<String>> = rows.iter().map(|student| in_order(student).to_vec()).collect();
        prop_assert_eq!(read_back(&bytes, layout), expected);
    }

    #[test]
    fn fields_in_any_order_come_in_that_order(
        rows in proptest::collection::vec(any_teacher(), 0..8),
        fields in any_fields::<TeacherField>(),
        layout in any_layout(),
    ) {
        let (bytes, written) = write_teachers(&list(&fields), layout, &rows);
        prop_assert_eq!(written.rows, rows.len() as u64);
        let mut expected: Vec<Vec<String>> = rows
            .iter()
            .map(|teacher| fields.iter().map(|field| value_of(teacher, *field)).collect())
            .collect();
        expected.retain(|row| !is_an_empty_line(row));
        prop_assert_eq!(read_back(&bytes, layout), expected);
    }

    #[test]
    fn every_line_of_a_tab_file_has_as_many_tabs(
        rows in proptest::collection::vec(any_student(), 0..8),
        fields in any_fields::<StudentField>(),
        level in prop_oneof![Just(AccountLevel::School), Just(AccountLevel::Group)],
        header: bool,
        ansi: bool,
        shorten: bool,
    ) {
        let fields = list(&fields).for_level(level);
        let layout = ExportLayout {
            header,
            character_set: if ansi { CharacterSet::WindowsAnsi } else { CharacterSet::Utf8 },
            long_values: if shorten { LongValues::Shorten } else { LongValues::AsIs },
            ..TAB
        };
        let (bytes, written) = write_students(&fields, layout, &rows);
        let expected = rows.len() + usize::from(header);
        prop_assert_eq!(written.rows, rows.len() as u64);
        // Each byte of Windows ANSI is a character of its own.
        let text: String = bytes.iter().copied().map(char::from).collect();
        prop_assert_eq!(text.matches('\n').count(), expected);
        prop_assert_eq!(text.matches('\r').count(), expected);
        prop_assert!(text.is_empty() || text.ends_with("\r\n"));
        for line in text.split_inclusive('\n') {
            prop_assert_eq!(line.matches('\t').count(), fields.fields().len() - 1);
        }
    }

    #[test]
    fn a_tab_file_has_the_values_with_spaces_for_breaks(rows in proptest::collection::vec(any_student(), 0..8)) {
        let (bytes, written) = usual_students(TAB, &rows);
        let text = String::from_utf8(bytes).unwrap();
        let mut altered = 0;
        let mut lines = text.split_terminator("\r\n");
        for student in &rows {
            let expected = in_order(student).map(|value| value.replace(['\t', '\r', '\n'], " "));
            altered += expected.iter().zip(in_order(student)).filter(|(sent, held)| *sent != held).count() as u64;
            let line: Vec<&str> = lines.next().unwrap().split('\t').collect();
            prop_assert_eq!(line, expected.to_vec());
        }
        prop_assert_eq!(lines.next(), None);
        prop_assert_eq!((written.altered_values, written.problems.counts.breaks), (altered, altered));
    }

    #[test]
    fn a_shortened_value_is_the_beginning_of_the_whole_one(name in "\\PC{0,40}") {
        let subject = student(1, &name, "Byron");
        let (bytes, written) = usual_students(SHORTENED, std::slice::from_ref(&subject));
        let text = String::from_utf8(bytes).unwrap();
        let sent = text.split('\t').nth(1).unwrap();
        prop_assert_eq!(sent, name.chars().take(20).collect::<String>());
        prop_assert_eq!(written.problems.counts.too_long, u64::from(name.chars().count() > 20));
    }
}
