//! The three exports, byte for byte.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use chrono::NaiveDate;
use proptest::prelude::*;
use rosterbridge_domain::{
    id::{SchoolNumber, StudentDcid, StudentId, StudentNumber, TeacherId, TermId},
    roster::{EnrollStatus, Student, Teacher},
};
use rosterbridge_hero::{
    Characters, Concern, Delimiter, ExportLayout, FIRST_ROWS, LISTED_WARNINGS, RecordEnd, ScheduleFile,
    ScheduleRow, StudentFile, TeacherFile, Written,
};
use rstest::rstest;

/// Shows every byte: `→` a tab, `␍` and `␊` the ends of lines, `\x..` what is not UTF-8.
fn visible(bytes: &[u8]) -> String {
    let mut shown = String::new();
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\t' => shown.push('→'),
                '\r' => shown.push('␍'),
                '\n' => shown.push_str("␊\n"),
                other => shown.push(other),
            }
        }
        shown.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02X}")));
    }
    shown
}

fn student(number: i64, first: &str, last: &str) -> Student {
    Student {
        dcid: StudentDcid::new(number + 7_000),
        id: StudentId::new(number + 9_000),
        number: StudentNumber::new(number),
        first_name: first.into(),
        middle_name: "Mae".into(),
        last_name: last.into(),
        dob: NaiveDate::from_ymd_opt(2012, 3, 9),
        grade_level: 8,
        school: SchoolNumber::new(100),
        enroll_status: EnrollStatus::ACTIVE,
        entry_date: None,
        exit_date: None,
        mailing_street: "12 Oak St".into(),
        mailing_city: "Springfield".into(),
        mailing_state: "IL".into(),
        mailing_zip: "62704".into(),
        guardian_email: "pat@example.org".into(),
        home_phone: "217-555-0101".into(),
        home_room: "8A".into(),
    }
}

fn students(layout: ExportLayout, students: &[Student]) -> (Vec<u8>, Written) {
    let mut file = StudentFile::new(Vec::new(), layout);
    for student in students {
        file.write(student).unwrap();
    }
    file.finish().unwrap()
}

fn difficult() -> Vec<Student> {
    let mut obrien = student(4711, "Zoë", "O'Brien, Jr.");
    obrien.mailing_street.replace_range(.., "12 \"The Oaks\"\tApt 3\r\nRear");
    let mut bare = student(4712, "Łukasz", "Müller");
    bare.middle_name = "".into();
    bare.dob = None;
    bare.grade_level = -1;
    vec![student(42, "Ada", "Byron"), obrien, bare]
}

#[test]
fn students_as_hero_asks_for_them() {
    let (bytes, written) = students(ExportLayout::default(), &difficult());
    insta::assert_snapshot!(visible(&bytes), @r#"
    42→Ada→Byron→Mae→03/09/2012→12 Oak St→Springfield→IL→62704→pat@example.org→217-555-0101→8␍␊
    4711→Zoë→O'Brien, Jr.→Mae→03/09/2012→12 "The Oaks" Apt 3  Rear→Springfield→IL→62704→pat@example.org→217-555-0101→8␍␊
    4712→Łukasz→Müller→→→12 Oak St→Springfield→IL→62704→pat@example.org→217-555-0101→-1␍␊
    "#);
    assert_eq!(
        (written.rows, written.altered_values, written.warnings, written.warnings_total),
        (3, 1, vec![], 0)
    );
}

#[test]
fn students_with_commas_and_a_header() {
    let layout = ExportLayout { delimiter: Delimiter::Comma, header: true, ..ExportLayout::default() };
    let (bytes, written) = students(layout, &difficult());
    insta::assert_snapshot!(visible(&bytes), @r#"
    Student_Number,First_Name,Last_Name,Middle_Name,DOB,Mailing_Street,Mailing_City,Mailing_State,Mailing_Zip,GuardianEmail,Home_Phone,Grade_Level␍␊
    42,Ada,Byron,Mae,03/09/2012,12 Oak St,Springfield,IL,62704,pat@example.org,217-555-0101,8␍␊
    4711,Zoë,"O'Brien, Jr.",Mae,03/09/2012,"12 ""The Oaks""→Apt 3␍␊
    Rear",Springfield,IL,62704,pat@example.org,217-555-0101,8␍␊
    4712,Łukasz,Müller,,,12 Oak St,Springfield,IL,62704,pat@example.org,217-555-0101,-1␍␊
    "#);
    assert_eq!((written.rows, written.altered_values), (3, 0));
}

#[rstest]
#[case(Delimiter::Tab)]
#[case(Delimiter::Comma)]
fn windows_ansi_replaces_what_it_lacks_and_says_so(#[case] delimiter: Delimiter) {
    let layout = ExportLayout { delimiter, characters: Characters::WindowsAnsi, ..ExportLayout::default() };
    let mut subject = student(1, "Łu\"k,asz Ł", "Zoë €");
    subject.middle_name = "\u{81}".into();
    let (bytes, written) = students(layout, &[subject]);
    let last_name = b"Zo\xEB \x80".as_slice();
    assert!(bytes.windows(last_name.len()).any(|window| window == last_name), "{}", visible(&bytes));
    assert!(!bytes.contains(&0x81));
    assert_eq!(visible(&bytes).matches('?').count(), 3);
    assert_eq!(written.altered_values, 2);
    let concerns: Vec<_> =
        written.warnings.iter().map(|warning| (warning.row, warning.field, warning.what)).collect();
    assert_eq!(concerns, [(1, "First_Name", Concern::Unmappable), (1, "Middle_Name", Concern::Unmappable)]);
}

#[rstest]
#[case(RecordEnd::CrLf, "\r\n")]
#[case(RecordEnd::Lf, "\n")]
#[case(RecordEnd::Cr, "\r")]
fn records_end_as_chosen(#[case] record_end: RecordEnd, #[case] end: &str) {
    let layout = ExportLayout { record_end, header: true, ..ExportLayout::default() };
    let (bytes, _) = students(layout, &[student(1, "A", "B"), student(2, "C", "D")]);
    let text = String::from_utf8(bytes).unwrap();
    assert_eq!(text.matches(end).count(), 3);
    assert!(text.ends_with(end));
    assert_eq!(text.matches(['\r', '\n']).count(), 3 * end.len());
}

#[test]
fn the_schedule_as_hero_asks_for_it() {
    let mut file = ScheduleFile::new(Vec::new(), ExportLayout { header: true, ..ExportLayout::default() });
    let row = ScheduleRow {
        school: SchoolNumber::new(100),
        student_number: StudentNumber::new(4711),
        term: TermId::new(3600),
        course_number: "MAT07",
        course_name: "Mathematics 7",
        section_number: "02",
        period: "1",
        expression: "1(A-B)",
        teacher_last_name: "Nuñez",
        teacher_first_name: "Inés",
        room: "B 12",
        teacher_number: "T0031",
    };
    file.write(&row).unwrap();
    file.write(&ScheduleRow { teacher_last_name: "", teacher_first_name: "", room: "", ..row }).unwrap();
    let (bytes, written) = file.finish().unwrap();
    insta::assert_snapshot!(visible(&bytes), @r#"
    Schoolid→[01]student_number→termid→course_number→[02]course_name→section_number→Period→Expression→[05]last_name→[05]first_name→[03]room→teachernumber␍␊
    100→4711→3600→MAT07→Mathematics 7→02→1→1(A-B)→Nuñez→Inés→B 12→T0031␍␊
    100→4711→3600→MAT07→Mathematics 7→02→1→1(A-B)→→→→T0031␍␊
    "#);
    let first = written.first.clone();
    assert_eq!(first[1][7..], ["1(A-B)", "", "", "", "T0031"]);
    assert_eq!(written, Written { rows: 2, first, ..Written::default() });
}

/// The rows kept as a sample are what a reader of the file finds.
#[rstest]
fn the_first_rows_are_kept_as_they_were_written(
    #[values(Delimiter::Tab, Delimiter::Comma)] delimiter: Delimiter,
    #[values(Characters::Utf8, Characters::WindowsAnsi)] characters: Characters,
    #[values(false, true)] header: bool,
) {
    let layout = ExportLayout { delimiter, characters, header, ..ExportLayout::default() };
    let mut all = difficult();
    all.extend((1..=10).map(|number| student(number, "\"Al\"", "Zoë")));
    let (bytes, written) = students(layout, &all);
    let comma = delimiter == Delimiter::Comma;
    let text = match characters {
        Characters::Utf8 => String::from_utf8(bytes).unwrap(),
        Characters::WindowsAnsi => {
            encoding_rs::WINDOWS_1252.decode_without_bom_handling(&bytes).0.into_owned()
        }
    };
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

#[test]
fn teachers_as_hero_asks_for_them() {
    let mut file = TeacherFile::new(Vec::new(), ExportLayout { header: true, ..ExportLayout::default() });
    let teacher = Teacher {
        id: TeacherId::new(31),
        school: SchoolNumber::new(100),
        number: "T0031".to_owned(),
        first_name: "Inés".to_owned(),
        last_name: "Nuñez".to_owned(),
        email: "ines@example.org".to_owned(),
        status: 1,
    };
    file.write(&teacher).unwrap();
    file.write(&Teacher { status: 2, email: String::new(), ..teacher }).unwrap();
    let (bytes, written) = file.finish().unwrap();
    insta::assert_snapshot!(visible(&bytes), @r#"
    Schoolid→[05]last_name→[05]first_name→teachernumber→email_addr→teachernumber→status␍␊
    100→Nuñez→Inés→T0031→ines@example.org→T0031→1␍␊
    100→Nuñez→Inés→T0031→→T0031→2␍␊
    "#);
    assert_eq!(written.rows, 2);
}

#[rstest]
#[case::empty_first_name(|s: &mut Student| s.first_name.clear(), "First_Name", Concern::Missing)]
#[case::empty_last_name(|s: &mut Student| s.last_name.clear(), "Last_Name", Concern::Missing)]
#[case::first_name(|s: &mut Student| s.first_name = "é".repeat(21).into(), "First_Name", Concern::TooLong { length: 21, limit: 20 })]
#[case::last_name(|s: &mut Student| s.last_name = "x".repeat(21).into(), "Last_Name", Concern::TooLong { length: 21, limit: 20 })]
#[case::middle_name(|s: &mut Student| s.middle_name = "x".repeat(51).into(), "Middle_Name", Concern::TooLong { length: 51, limit: 50 })]
#[case::street(|s: &mut Student| s.mailing_street = "x".repeat(51).into(), "Mailing_Street", Concern::TooLong { length: 51, limit: 50 })]
#[case::city(|s: &mut Student| s.mailing_city = "x".repeat(51).into(), "Mailing_City", Concern::TooLong { length: 51, limit: 50 })]
#[case::state(|s: &mut Student| s.mailing_state = "x".repeat(51).into(), "Mailing_State", Concern::TooLong { length: 51, limit: 50 })]
#[case::zip(|s: &mut Student| s.mailing_zip = "x".repeat(11).into(), "Mailing_Zip", Concern::TooLong { length: 11, limit: 10 })]
#[case::email(|s: &mut Student| s.guardian_email = "x".repeat(256).into(), "GuardianEmail", Concern::TooLong { length: 256, limit: 255 })]
#[case::phone(|s: &mut Student| s.home_phone = "x".repeat(51).into(), "Home_Phone", Concern::TooLong { length: 51, limit: 50 })]
fn heros_limits_are_warnings_and_nothing_is_cut(
    #[case] change: fn(&mut Student),
    #[case] field: &str,
    #[case] what: Concern,
) {
    let mut subject = student(2, "Ada", "Byron");
    change(&mut subject);
    let (bytes, written) = students(ExportLayout::default(), &[student(1, "A", "B"), subject.clone()]);
    let [warning] = written.warnings.as_slice() else { panic!("{:?}", written.warnings) };
    assert_eq!((warning.row, warning.field, warning.what), (2, field, what));
    assert_eq!((written.warnings_total, written.altered_values), (1, 0));
    assert!(warning.to_string().contains(field));
    let fields = [
        &subject.first_name,
        &subject.last_name,
        &subject.middle_name,
        &subject.mailing_street,
        &subject.mailing_city,
        &subject.mailing_state,
        &subject.mailing_zip,
        &subject.guardian_email,
        &subject.home_phone,
    ];
    let text = String::from_utf8(bytes).unwrap();
    for value in fields {
        assert!(text.contains(value.as_str()));
    }
}

#[test]
fn values_exactly_as_long_as_hero_accepts_are_no_warning() {
    let mut subject = student(1, &"é".repeat(20), &"x".repeat(20));
    subject.middle_name = "x".repeat(50).into();
    subject.guardian_email = "x".repeat(255).into();
    subject.mailing_zip = "1234567890".into();
    let (_, written) = students(ExportLayout::default(), &[subject]);
    assert_eq!(written.warnings_total, 0, "{:?}", written.warnings);
}

#[test]
fn warnings_are_bounded_and_counted() {
    let rows: Vec<_> = (0..500).map(|number| student(number, "", "Byron")).collect();
    let (_, written) = students(ExportLayout::default(), &rows);
    assert_eq!((written.warnings.len(), written.warnings_total), (LISTED_WARNINGS, 500));
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
    let mut file = StudentFile::new(Full(100), ExportLayout::default());
    file.write(&student(1, "A", "B")).unwrap();
    file.write(&student(2, "A", "B")).unwrap();
    let Err(error) = file.finish() else { panic!("the disk is full") };
    assert_eq!(error.code(), "hero.file_write");

    let mut file = StudentFile::new(Full(100), ExportLayout::default());
    let failed = (0..10_000).find_map(|number| file.write(&student(number, "A", "B")).err());
    assert_eq!(failed.map(|error| error.code()), Some("hero.file_write"));
}

#[test]
fn a_large_file_arrives_whole() {
    let rows: Vec<_> = (0..5_000).map(|number| student(number, "Ada", "Byron")).collect();
    let (bytes, written) = students(ExportLayout::default(), &rows);
    assert_eq!(written.rows, 5_000);
    let text = String::from_utf8(bytes).unwrap();
    for (number, line) in text.split_terminator("\r\n").enumerate() {
        assert_eq!(line.split('\t').next(), Some(number.to_string().as_str()));
        assert_eq!(line.split('\t').count(), 12);
    }
    assert_eq!(text.matches("\r\n").count(), 5_000);
}

fn any_student() -> impl Strategy<Value = Student> {
    // Characters that layouts care about come up often.
    let text = || {
        proptest::collection::vec(
            prop_oneof![Just(','), Just('"'), Just('\t'), Just('\r'), Just('\n'), any::<char>()],
            0..12,
        )
        .prop_map(|chars| chars.into_iter().collect::<String>())
    };
    (any::<i64>(), text(), text(), text(), text(), any::<i64>(), 0_i32..200_000).prop_map(
        |(number, first, last, street, phone, grade, day)| {
            let mut subject = student(0, &first, &last);
            subject.number = StudentNumber::new(number);
            subject.mailing_street = street.into();
            subject.home_phone = phone.into();
            subject.grade_level = grade;
            subject.dob = NaiveDate::from_num_days_from_ce_opt(600_000 + day);
            subject
        },
    )
}

fn in_order(student: &Student) -> [String; 12] {
    [
        student.number.to_string(),
        student.first_name.to_string(),
        student.last_name.to_string(),
        student.middle_name.to_string(),
        student.dob.unwrap().format("%m/%d/%Y").to_string(),
        student.mailing_street.to_string(),
        student.mailing_city.to_string(),
        student.mailing_state.to_string(),
        student.mailing_zip.to_string(),
        student.guardian_email.to_string(),
        student.home_phone.to_string(),
        student.grade_level.to_string(),
    ]
}

proptest! {
    #[test]
    fn a_csv_reader_finds_the_very_values_in_a_comma_file(rows in proptest::collection::vec(any_student(), 0..8)) {
        let layout = ExportLayout { delimiter: Delimiter::Comma, ..ExportLayout::default() };
        let (bytes, written) = students(layout, &rows);
        prop_assert_eq!(written.altered_values, 0);
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(bytes.as_slice());
        let read: Vec<Vec<String>> =
            reader.deserialize().collect::<Result<_, _>>().unwrap();
        let expected: Vec<Vec<String>> = rows.iter().map(|student| in_order(student).to_vec()).collect();
        prop_assert_eq!(read, expected);
    }

    #[test]
    fn a_tab_file_has_twelve_columns_and_spaces_for_breaks(rows in proptest::collection::vec(any_student(), 0..8)) {
        let (bytes, written) = students(ExportLayout::default(), &rows);
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
        prop_assert_eq!(written.altered_values, altered);
    }
}
