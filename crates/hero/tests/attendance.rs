//! Hero's attendance export, and everything that can be wrong with one.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::io::{self, Read};

use chrono::NaiveDate;
use proptest::prelude::*;
use rosterbridge_domain::{
    id::{SchoolNumber, StudentNumber},
    settings::{CharacterSet, FieldDelimiter, ImportField, ImportJob, RecordDelimiter},
};
use rosterbridge_hero::{
    AttendanceRow, FieldOrder, FieldOrderError, FileError, ImportLayout, ImportRow, RowError, read_attendance,
};
use rstest::rstest;

const GOOD: &str = "100\t4711\tMAT07\t02\t09/30/2026\tT\tP1";

fn read_as(bytes: &[u8], characters: CharacterSet) -> Result<Vec<ImportRow>, FileError> {
    read_attendance(bytes, ImportLayout { characters, ..ImportLayout::default() })?.collect()
}

fn read(bytes: impl AsRef<[u8]>) -> Vec<ImportRow> {
    read_as(bytes.as_ref(), CharacterSet::WindowsAnsi).unwrap()
}

fn good() -> AttendanceRow {
    AttendanceRow {
        school: SchoolNumber::new(100),
        student: StudentNumber::new(4711),
        course_number: "MAT07".into(),
        section_number: "02".into(),
        date: NaiveDate::from_ymd_opt(2026, 9, 30).unwrap(),
        code: "T".into(),
        period_abbreviation: "P1".into(),
    }
}

#[rstest]
#[case::lf(format!("{GOOD}\n"))]
#[case::crlf(format!("{GOOD}\r\n"))]
#[case::last_line_without_end(GOOD.to_owned())]
#[case::empty_lines(format!("\n\r\n{GOOD}\n\n\r\n"))]
#[case::leading_zeros("0100\t004711\tMAT07\t02\t09/30/2026\tT\tP1".to_owned())]
#[case::spaces_around_numbers(" 100\t4711 \tMAT07\t02\t 9/30/2026\tT\tP1".to_owned())]
#[case::iso_date("100\t4711\tMAT07\t02\t2026-09-30\tT\tP1".to_owned())]
fn a_row_that_states(#[case] file: String) {
    let rows = read(&file);
    let [row] = rows.as_slice() else { panic!("{rows:?}") };
    assert_eq!(row.parsed, Ok(good()));
}

#[test]
fn an_empty_file_has_no_rows() {
    for empty in ["", "\n", "\r\n\n", "\u{feff}"] {
        assert!(read_as(empty.as_bytes(), CharacterSet::Utf8).unwrap().is_empty());
    }
}

#[test]
fn text_stays_exactly_as_it_is() {
    let rows = read("1\t2\t Mat,\"7\" \t \t09/30/2026\tt \t\n");
    let row = rows[0].parsed.as_ref().unwrap();
    assert_eq!(
        (
            row.course_number.as_str(),
            row.section_number.as_str(),
            row.code.as_str(),
            row.period_abbreviation.as_str()
        ),
        (" Mat,\"7\" ", " ", "t ", "")
    );
}

#[test]
fn a_stray_quote_swallows_nothing() {
    let rows = read(format!("100\t4711\t\"MAT07\t02\t09/30/2026\tT\tP1\n{GOOD}\n"));
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0].parsed.as_ref().unwrap().course_number, "\"MAT07");
    assert_eq!(rows[1].parsed, Ok(good()));
}

#[rstest]
#[case::columns("100\t4711\tMAT07", RowError::Columns { found: 3 }, "hero.row_columns")]
#[case::too_many_columns("1\t2\t3\t4\t09/30/2026\tT\tP\t", RowError::Columns { found: 8 }, "hero.row_columns")]
#[case::no_school("\t4711\tM\t2\t09/30/2026\tT\tP", RowError::School { column: 1 }, "hero.row_school")]
#[case::school_name("Lincoln\t4711\tM\t2\t09/30/2026\tT\tP", RowError::School { column: 1 }, "hero.row_school")]
#[case::huge_school(
    "99999999999999999999\t4711\tM\t2\t09/30/2026\tT\tP",
    RowError::School { column: 1 },
    "hero.row_school"
)]
#[case::student("100\t47-11\tM\t2\t09/30/2026\tT\tP", RowError::Student { column: 2 }, "hero.row_student")]
#[case::signed_student("100\t+4711\tM\t2\t09/30/2026\tT\tP", RowError::Student { column: 2 }, "hero.row_student")]
#[case::month_13("100\t4711\tM\t2\t13/30/2026\tT\tP", RowError::Date { column: 5 }, "hero.row_date")]
#[case::february_30("100\t4711\tM\t2\t02/30/2026\tT\tP", RowError::Date { column: 5 }, "hero.row_date")]
#[case::two_digit_year("100\t4711\tM\t2\t09/30/26\tT\tP", RowError::Date { column: 5 }, "hero.row_date")]
#[case::no_date("100\t4711\tM\t2\t\tT\tP", RowError::Date { column: 5 }, "hero.row_date")]
#[case::no_code("100\t4711\tM\t2\t09/30/2026\t\tP", RowError::Code { column: 6 }, "hero.row_code")]
#[case::null_byte("100\t4711\tM\t2\t09/30/2026\tT\0\tP", RowError::Characters, "hero.row_characters")]
#[case::cr_inside("100\t4711\tM\t2\t09/30/2026\tT\r\tP", RowError::Characters, "hero.row_characters")]
fn a_bad_row_spoils_no_other(#[case] line: &str, #[case] error: RowError, #[case] code: &str) {
    let rows = read(format!("{GOOD}\n{line}\n{GOOD}\n"));
    assert_eq!(rows.iter().map(|row| row.line).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(rows[0].parsed, Ok(good()));
    assert_eq!(rows[1].parsed, Err(error));
    assert_eq!(rows[1].parsed.as_ref().unwrap_err().code(), code);
    assert_eq!(rows[2].parsed, Ok(good()));
}

#[rstest]
#[case(0x81)]
#[case(0x8D)]
#[case(0x8F)]
#[case(0x90)]
#[case(0x9D)]
fn a_byte_windows_1252_does_not_define_is_kept_visibly(#[case] byte: u8) {
    let mut file = format!("{GOOD}\n100\t4711\tM").into_bytes();
    file.push(byte);
    file.extend_from_slice(b"\xE9\t2\t09/30/2026\tT\tP\n");
    file.extend_from_slice(GOOD.as_bytes());
    let rows = read(&file);
    assert_eq!(rows[1].parsed, Err(RowError::Characters));
    assert_eq!(rows[1].raw, format!("100\t4711\tM\\x{byte:02X}é\t2\t09/30/2026\tT\tP"));
    assert_eq!(rows[2].parsed, Ok(good()));
}

#[rstest]
#[case::windows_ansi(CharacterSet::WindowsAnsi, b"caf\xE9 \x80", "café €")]
#[case::utf_8(CharacterSet::Utf8, "café €".as_bytes(), "café €")]
#[case::mac_roman(CharacterSet::MacRoman, b"caf\x8E \xDB", "café €")]
fn text_in_the_imports_character_set(
    #[case] characters: CharacterSet,
    #[case] bytes: &[u8],
    #[case] text: &str,
) {
    let mut file = b"1\t2\t".to_vec();
    file.extend_from_slice(bytes);
    file.extend_from_slice(b"\t4\t09/30/2026\tT\tP");
    let rows = read_as(&file, characters).unwrap();
    assert_eq!(rows[0].parsed.as_ref().unwrap().course_number, text);
}

#[test]
fn broken_utf_8_is_a_bad_row() {
    let rows = read_as(b"1\t2\tM\xE9\t4\t09/30/2026\tT\tP\n", CharacterSet::Utf8).unwrap();
    assert_eq!(rows[0].parsed, Err(RowError::Characters));
    assert_eq!(rows[0].raw, "1\t2\tM\\xE9\t4\t09/30/2026\tT\tP");
}

#[rstest]
#[case::another_export("100\t4711\t09/30/2026\tHallway pass\tClosed\n", 5)]
#[case::commas("100,4711,MAT07,02,09/30/2026,T,P1\n", 1)]
#[case::one_too_many("1\t2\t3\t4\t09/30/2026\tT\tP\tx\n", 8)]
#[case::after_empty_lines("\n\nwhatever\n", 1)]
#[case::two_records_ended_by_cr("1\t2\t3\t4\t09/30/2026\tT\tP\r1\t2\t3\t4\t09/30/2026\tT\tP\r", 13)]
fn a_file_with_other_columns_is_refused_as_a_whole(#[case] file: &str, #[case] columns: usize) {
    let file = format!("{file}{GOOD}\n{GOOD}\n");
    let error = read_as(file.as_bytes(), CharacterSet::WindowsAnsi).unwrap_err();
    assert_eq!(error.code(), "hero.wrong_columns");
    assert!(
        matches!(error, FileError::WrongColumns { found } if found == columns || file.contains('\r')),
        "{error}"
    );
}

#[rstest]
#[case::utf_16_little(b"\xFF\xFE1\x000\x00".as_slice(), CharacterSet::Utf8)]
#[case::utf_16_big(b"\xFE\xFF\x001\x000".as_slice(), CharacterSet::WindowsAnsi)]
#[case::utf_8_where_ansi_is_set(b"\xEF\xBB\xBF100\t4711".as_slice(), CharacterSet::WindowsAnsi)]
fn a_byte_order_mark_of_another_character_set_refuses_the_file(
    #[case] file: &[u8],
    #[case] characters: CharacterSet,
) {
    assert_eq!(read_as(file, characters).unwrap_err().code(), "hero.wrong_characters");
}

#[test]
fn a_utf_8_byte_order_mark_is_no_part_of_the_first_value() {
    let rows = read_as(format!("\u{feff}{GOOD}\n").as_bytes(), CharacterSet::Utf8).unwrap();
    assert_eq!(rows[0].parsed, Ok(good()));
}

#[rstest]
#[case::just_fits(64 * 1024, false)]
#[case::one_too_long(64 * 1024 + 1, true)]
#[case::much_too_long(3_000_000, true)]
fn a_line_has_a_longest_length(
    #[case] length: usize,
    #[case] refused: bool,
    #[values("\n", "\r\n")] end: &str,
) {
    let mut long = "1\t2\t3\t4\t09/30/2026\tT\t".to_owned();
    long.extend(std::iter::repeat_n('x', length - long.len()));
    let rows = read(format!("{long}{end}{GOOD}{end}{long}"));
    assert_eq!(rows.len(), 3);
    assert_eq!(rows[0].parsed == Err(RowError::TooLong), refused);
    assert_eq!(rows[1].parsed, Ok(good()));
    assert_eq!(rows[2].parsed == Err(RowError::TooLong), refused);
    assert_eq!(rows[0].raw.len() < 300, refused);
    assert_eq!(rows[2].line, 3);
}

/// Gives its bytes one at a time, then fails.
struct Breaking<'a>(&'a [u8]);

impl Read for Breaking<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.split_first() {
            Some((first, rest)) => {
                self.0 = rest;
                buffer[0] = *first;
                Ok(1)
            }
            None => Err(io::ErrorKind::ConnectionReset.into()),
        }
    }
}

#[test]
fn a_read_error_is_told_once_and_ends_the_file() {
    let file = format!("{GOOD}\n{GOOD}\n100\t47");
    let mut rows = read_attendance(Breaking(file.as_bytes()), ImportLayout::default()).unwrap();
    assert_eq!(rows.next().unwrap().unwrap().parsed, Ok(good()));
    assert_eq!(rows.next().unwrap().unwrap().line, 2);
    assert_eq!(rows.next().unwrap().unwrap_err().code(), "hero.file_read");
    assert!(rows.next().is_none());
}

fn any_row() -> impl Strategy<Value = AttendanceRow> {
    let text = || "[ -~¡-ÿ€]{0,9}";
    (0..i64::MAX, 0..i64::MAX, text(), text(), 0_i32..3_000_000, "[!-~]{1,7}", text()).prop_map(
        |(school, student, course_number, section_number, day, code, period_abbreviation)| AttendanceRow {
            school: SchoolNumber::new(school),
            student: StudentNumber::new(student),
            course_number: course_number.into(),
            section_number: section_number.into(),
            date: NaiveDate::from_num_days_from_ce_opt(400_000 + day).unwrap(),
            code: code.into(),
            period_abbreviation: period_abbreviation.into(),
        },
    )
}

fn comma() -> ImportLayout {
    ImportLayout { delimiter: FieldDelimiter::Comma, ..ImportLayout::default() }
}

fn read_by(layout: ImportLayout, text: &str) -> Result<Vec<ImportRow>, FileError> {
    read_attendance(text.as_bytes(), layout)?.collect()
}

#[test]
fn the_usual_import_is_that_of_heros_procedure() {
    assert_eq!(ImportLayout::of(&ImportJob::default()), Ok(ImportLayout::default()));
}

#[rstest]
#[case::plain("100,4711,MAT07,02,09/30/2026,T,P1", "MAT07")]
#[case::quoted(r#""100","4711","MAT07","02","09/30/2026","T","P1""#, "MAT07")]
#[case::a_comma_in_quotes(r#"100,4711,"MAT,07",02,09/30/2026,T,P1"#, "MAT,07")]
#[case::quotes_in_quotes(r#"100,4711,"""MAT"" 07",02,09/30/2026,T,P1"#, "\"MAT\" 07")]
#[case::an_empty_quoted_value(r#"100,4711,"",02,09/30/2026,T,P1"#, "")]
#[case::a_quote_within(r#"100,4711,MAT"07",02,09/30/2026,T,P1"#, "MAT\"07\"")]
#[case::a_tab_within("100,4711,MAT\t07,02,09/30/2026,T,P1", "MAT\t07")]
fn a_row_separated_by_commas(#[case] line: &str, #[case] course: &str) {
    let rows = read_by(comma(), &format!("{line}\r\n{line}")).unwrap();
    let expected = AttendanceRow { course_number: course.into(), ..good() };
    assert_eq!(
        rows.iter().map(|row| row.parsed.clone()).collect::<Vec<_>>(),
        [Ok(expected.clone()), Ok(expected)]
    );
}

#[rstest]
#[case::open_to_the_end(r#"100,4711,"MAT07,02,09/30/2026,T,P1"#, RowError::Quote { column: 3 })]
#[case::text_after_the_quote(r#"100,4711,MAT07,"02"A,09/30/2026,T,P1"#, RowError::Quote { column: 4 })]
#[case::only_a_quote(r#"100,4711,MAT07,02,09/30/2026,T,""#, RowError::Quote { column: 7 })]
#[case::too_few(r#"100,4711,"MAT07,02,09/30/2026",T,P1"#, RowError::Columns { found: 5 })]
#[case::no_date(r#"100,4711,MAT07,02,"",T,P1"#, RowError::Date { column: 5 })]
fn a_bad_row_between_commas_spoils_no_other(#[case] line: &str, #[case] error: RowError) {
    let good_line = GOOD.replace('\t', ",");
    for text in [format!("{good_line}\n{line}\n{good_line}\n"), format!("{good_line}\n\n{line}\n")] {
        let rows = read_by(comma(), &text).unwrap();
        assert_eq!(rows[0].parsed, Ok(good()));
        assert_eq!(rows[1].parsed.as_ref(), Err(&error));
        assert!(rows.get(2).is_none_or(|row| row.parsed == Ok(good())));
    }
}

#[test]
fn a_stray_quote_in_the_first_row_is_about_that_row() {
    let rows =
        read_by(comma(), "100,4711,\"MAT07,02,09/30/2026,T,P1\n100,4711,MAT07,02,09/30/2026,T,P1\n").unwrap();
    assert_eq!(rows[0].parsed.as_ref().unwrap_err().code(), "hero.row_quote");
    assert_eq!(rows[1].parsed, Ok(good()));
}

#[test]
fn commas_where_tabs_are_expected_refuse_the_file_and_the_other_way_round() {
    let error = read_by(comma(), &format!("{GOOD}\n")).unwrap_err();
    assert!(matches!(error, FileError::WrongColumns { found: 1 }), "{error}");
    let error = read_by(ImportLayout::default(), &GOOD.replace('\t', ",")).unwrap_err();
    assert!(matches!(error, FileError::WrongColumns { found: 1 }), "{error}");
}

/// The text, the rows in it, whether the last one lacks its end, and the bytes of the others.
#[rstest]
#[case::lf(RecordDelimiter::Lf, "A\nA\n", 2, false, 2)]
#[case::lf_unfinished(RecordDelimiter::Lf, "A\nA", 2, true, 1)]
#[case::crlf(RecordDelimiter::Crlf, "A\r\nA\r\n", 2, false, 2)]
#[case::crlf_where_lf_is_set(RecordDelimiter::Lf, "A\r\nA\r\n", 2, false, 2)]
#[case::lf_where_crlf_is_set(RecordDelimiter::Crlf, "A\nA\n", 2, false, 2)]
#[case::crlf_without_its_lf(RecordDelimiter::Crlf, "A\r\nA\r", 2, true, 1)]
#[case::cr(RecordDelimiter::Cr, "A\rA\r", 2, false, 2)]
#[case::cr_unfinished(RecordDelimiter::Cr, "A\rA", 2, true, 1)]
#[case::crlf_where_cr_is_set(RecordDelimiter::Cr, "A\r\nA\r\n", 2, false, 2)]
#[case::crlf_where_cr_is_set_without_its_lf(RecordDelimiter::Cr, "A\r\nA\r", 2, false, 2)]
#[case::empty_lines_at_the_end(RecordDelimiter::Lf, "A\n\n\r\n", 1, false, 1)]
#[case::only_one_row_begun(RecordDelimiter::Lf, "A", 1, true, 0)]
#[case::nothing(RecordDelimiter::Lf, "", 0, false, 0)]
fn a_last_record_without_its_end_is_told_apart(
    #[case] record_end: RecordDelimiter,
    #[case] text: &str,
    #[case] expected: usize,
    #[case] unfinished: bool,
    #[case] whole: usize,
) {
    let text = text.replace('A', GOOD);
    let mut file =
        read_attendance(text.as_bytes(), ImportLayout { record_end, ..ImportLayout::default() }).unwrap();
    let rows: Vec<ImportRow> = file.by_ref().map(Result::unwrap).collect();
    assert_eq!(rows.len(), expected);
    assert!(rows.iter().all(|row| row.parsed == Ok(good())), "{rows:?}");
    // Up to there, it is a file of whole records.
    let bytes = usize::try_from(file.whole_bytes()).unwrap();
    assert_eq!(bytes == text.len(), !unfinished, "{bytes}");
    let before = read_by(ImportLayout { record_end, ..ImportLayout::default() }, &text[..bytes]).unwrap();
    assert_eq!(before.len(), whole);
}

#[test]
fn a_long_line_counts_into_the_bytes_of_whole_records() {
    let text = format!("{GOOD}\n{}\n{GOOD}\n{}", "x".repeat(200_000), "y".repeat(200_000));
    let mut file = read_attendance(text.as_bytes(), ImportLayout::default()).unwrap();
    assert_eq!(file.by_ref().count(), 4);
    assert_eq!(file.whole_bytes(), text.len() as u64 - 200_000);
}

const NAMES: &str =
    "SchoolID\tStudent_Number\tCourse_Number\tSection_Number\tAtt_Date\tAttendance Code\tPeriod Abbreviation";

#[rstest]
#[case::the_names(NAMES)]
#[case::other_letter_case(
    "schoolid\tSTUDENT_NUMBER\tcourse number\tsection_number\tatt_date\tattendance_code\tperiod abbreviation"
)]
#[case::captions_of_its_own("Building\tStudent\tCourse\tSection\tDate\tCode\tPeriod")]
fn the_first_record_may_hold_the_field_names(#[case] names: &str) {
    let with_header = ImportLayout { header: true, ..ImportLayout::default() };
    let rows = read_by(with_header, &format!("\n{names}\n{GOOD}\n")).unwrap();
    let [row] = rows.as_slice() else { panic!("{rows:?}") };
    assert_eq!((&row.parsed, row.line), (&Ok(good()), 3));
    assert!(read_by(with_header, &format!("{names}\n")).unwrap().is_empty());
    assert!(read_by(with_header, "").unwrap().is_empty());
    // Where none are expected it is a row that can't be used, and no other is lost.
    let rows = read_by(ImportLayout::default(), &format!("{names}\n{GOOD}\n")).unwrap();
    assert_eq!(rows[0].parsed, Err(RowError::School { column: 1 }));
    assert_eq!(rows[1].parsed, Ok(good()));
}

#[test]
fn a_header_that_is_a_row_refuses_the_file() {
    let with_header = ImportLayout { header: true, ..ImportLayout::default() };
    let error = read_by(with_header, &format!("{GOOD}\n{GOOD}\n")).unwrap_err();
    assert_eq!(error.code(), "hero.no_header");
    let error = read_by(with_header, "SchoolID\tStudent_Number\n").unwrap_err();
    assert_eq!(error.code(), "hero.wrong_columns");
}

#[test]
fn a_header_in_another_order_refuses_the_file() {
    let with_header = ImportLayout { header: true, ..ImportLayout::default() };
    let swapped = NAMES.replacen("SchoolID\tStudent_Number", "Student_Number\tSchoolID", 1);
    let error = read_by(with_header, &format!("{swapped}\n{GOOD}\n")).unwrap_err();
    assert_eq!(error.code(), "hero.other_order");
    assert_eq!(
        error.to_string(),
        "column 1 of Hero's attendance export is named Student_Number, and the import takes it for SchoolID"
    );
}

#[test]
fn a_bad_value_is_told_by_the_column_it_stands_in() {
    let fields = FieldOrder::parse(
        "Period Abbreviation\nAttendance Code\nAtt_Date\nSection_Number\nCourse_Number\nStudent_Number\nSchoolID",
    )
    .unwrap();
    let layout = ImportLayout { fields, ..ImportLayout::default() };
    let text = "P1\tT\t09/30/2026\t02\tMAT07\t4711\t100\nP1\t\t09/30/2026\t02\tMAT07\t4711\t100\n\
                P1\tT\tyesterday\t02\tMAT07\t4711\t100\nP1\tT\t09/30/2026\t02\tMAT07\t?\t100\n\
                P1\tT\t09/30/2026\t02\tMAT07\t4711\tNorth\n";
    let rows = read_by(layout, text).unwrap();
    assert_eq!(rows[0].parsed, Ok(good()));
    let told: Vec<String> =
        rows[1..].iter().map(|row| row.parsed.as_ref().unwrap_err().to_string()).collect();
    assert_eq!(
        told,
        [
            "Attendance Code (column 2) is empty",
            "Att_Date (column 3) is not a date like 09/30/2026 or 2026-09-30",
            "Student_Number (column 6) is not a student number",
            "SchoolID (column 7) is not a school number",
        ]
    );
}

#[rstest]
#[case::one_a_line(
    "SchoolID\nStudent_Number\nCourse_Number\nSection_Number\nAtt_Date\nAttendance Code\nPeriod Abbreviation"
)]
#[case::as_the_procedure_prints_them(
    "SchoolID Student_Number Course_Number Section_Number Att_Date Attendance Code Period Abbreviation"
)]
#[case::empty_lines_and_letter_case(
    "\r\nschoolid\r\n\r\n STUDENT_NUMBER \r\ncourse number\r\nSection_Number\r\natt_date\r\nAttendance_Code\r\nperiod_abbreviation\r\n"
)]
#[case::between_commas_and_tabs(
    "SchoolID,Student_Number, Course_Number,\tSection_Number\tAtt_Date,Attendance Code,Period Abbreviation,"
)]
fn a_list_of_fields(#[case] list: &str) {
    assert_eq!(FieldOrder::parse(list), Ok(FieldOrder::default()));
}

#[rstest]
#[case::unknown(
    "SchoolID\nStudentNumbr\n",
    "hero.import_field_unknown",
    "'StudentNumbr' in line 2 is no field of the import; the nearest is 'Student_Number'"
)]
#[case::unknown_of_two_words(
    "Atendance Code",
    "hero.import_field_unknown",
    "'Atendance Code' in line 1 is no field of the import; the nearest is 'Attendance Code'"
)]
#[case::half_a_name(
    "\nPeriod",
    "hero.import_field_unknown",
    "'Period' in line 2 is no field of the import; the nearest is 'Period Abbreviation'"
)]
#[case::twice(
    "SchoolID\nStudent_Number\nschoolid",
    "hero.import_field_twice",
    "field 3 of the list, 'SchoolID', stands there a second time"
)]
#[case::missing(
    "SchoolID\nStudent_Number\nCourse_Number\nSection_Number\nAttendance Code",
    "hero.import_field_missing",
    "the list lacks 'Att_Date', 'Period Abbreviation'"
)]
#[case::none(
    "",
    "hero.import_field_missing",
    "the list lacks 'SchoolID', 'Student_Number', 'Course_Number', 'Section_Number', 'Att_Date', 'Attendance Code', \
     'Period Abbreviation'"
)]
fn a_list_that_is_refused(#[case] list: &str, #[case] code: &str, #[case] message: &str) {
    let error = FieldOrder::parse(list).unwrap_err();
    assert_eq!((error.code(), error.to_string().as_str()), (code, message));
    assert!(error.remedy().ends_with('.'));
}

#[test]
fn an_import_set_up_with_another_list_is_refused() {
    let fields = vec![ImportField::SchoolId, ImportField::SchoolId];
    let error = ImportLayout::of(&ImportJob { fields, ..ImportJob::default() }).unwrap_err();
    assert_eq!(error, FieldOrderError::Twice { field: ImportField::SchoolId, place: 2 });
}

fn any_order() -> impl Strategy<Value = FieldOrder> {
    Just(ImportField::ALL.to_vec()).prop_shuffle().prop_map(|fields| FieldOrder::new(&fields).unwrap())
}

fn any_layout() -> impl Strategy<Value = ImportLayout> {
    (
        prop_oneof![Just(FieldDelimiter::Tab), Just(FieldDelimiter::Comma)],
        prop_oneof![Just(RecordDelimiter::Lf), Just(RecordDelimiter::Crlf), Just(RecordDelimiter::Cr)],
        prop_oneof![Just(CharacterSet::Utf8), Just(CharacterSet::WindowsAnsi), Just(CharacterSet::MacRoman)],
        any::<bool>(),
        any_order(),
    )
        .prop_map(|(delimiter, record_end, characters, header, fields)| ImportLayout {
            delimiter,
            record_end,
            characters,
            header,
            fields,
        })
}

/// A file of these rows as the layout has it, written by the `csv` crate where commas separate.
fn written(layout: ImportLayout, rows: &[AttendanceRow]) -> Vec<u8> {
    let end = match layout.record_end {
        RecordDelimiter::Crlf => "\r\n",
        RecordDelimiter::Lf => "\n",
        RecordDelimiter::Cr => "\r",
    };
    let names = ImportField::ALL.map(|field| field.as_str().to_owned());
    let values = rows.iter().map(|row| {
        [
            row.school.to_string(),
            row.student.to_string(),
            row.course_number.to_string(),
            row.section_number.to_string(),
            row.date.format("%m/%d/%Y").to_string(),
            row.code.to_string(),
            row.period_abbreviation.to_string(),
        ]
    });
    let mut file = Vec::new();
    for values in layout.header.then_some(names).into_iter().chain(values) {
        let ordered = layout
            .fields
            .fields()
            .map(|field| values[ImportField::ALL.iter().position(|other| *other == field).unwrap()].as_str());
        match layout.delimiter {
            FieldDelimiter::Tab => file.extend(ordered.join("\t").into_bytes()),
            FieldDelimiter::Comma => {
                let mut record =
                    csv::WriterBuilder::new().terminator(csv::Terminator::Any(b'\n')).from_writer(Vec::new());
                record.write_record(ordered).unwrap();
                let record = record.into_inner().unwrap();
                file.extend(record.strip_suffix(b"\n").unwrap());
            }
        }
        file.extend(end.as_bytes());
    }
    file
}

proptest! {
    #[test]
    fn every_line_that_is_not_empty_is_a_row_whatever_the_bytes(
        lines in proptest::collection::vec(proptest::collection::vec(prop_oneof![Just(b'\t'), Just(b'\r'), Just(b'"'), any::<u8>()], 0..40), 0..20),
        characters in prop_oneof![Just(CharacterSet::WindowsAnsi), Just(CharacterSet::Utf8), Just(CharacterSet::MacRoman)],
    ) {
        let mut file = format!("{GOOD}\n").into_bytes();
        file.extend(lines.join(&b'\n'));
        let rows = read_as(&file, characters).unwrap();
        let expected: Vec<u64> = (1..)
            .zip(file.split(|byte| *byte == b'\n'))
            .filter(|(_, line)| !line.is_empty() && *line != b"\r")
            .map(|(number, _)| number)
            .collect();
        prop_assert_eq!(rows.iter().map(|row| row.line).collect::<Vec<_>>(), expected);
        prop_assert!(rows.iter().all(|row| !row.raw.chars().any(|c| c != '\t' && c.is_ascii_control())));
    }

    #[test]
    fn any_bytes_are_read_or_refused(file in proptest::collection::vec(any::<u8>(), 0..400)) {
        if let Ok(rows) = read_as(&file, CharacterSet::WindowsAnsi) {
            prop_assert!(rows.len() <= file.len());
        }
    }

    #[test]
    fn what_hero_writes_is_what_is_read(rows in proptest::collection::vec(any_row(), 1..10)) {
        let mut text = String::new();
        for row in &rows {
            let AttendanceRow { school, student, course_number, section_number, date, code, period_abbreviation } = row;
            let (school, student) = (school.to_string(), student.to_string());
            let date = date.format("%m/%d/%Y").to_string();
            let values: [&str; 7] =
                [&school, &student, course_number, section_number, &date, code, period_abbreviation];
            text += &values.join("\t");
            text.push('\n');
        }
        let read: Vec<_> = read_as(text.as_bytes(), CharacterSet::Utf8)
            .unwrap()
            .into_iter()
            .map(|row| row.parsed.unwrap())
            .collect();
        prop_assert_eq!(read, rows);
    }

    #[test]
    fn any_layout_gives_the_same_rows(layout in any_layout(), rows in proptest::collection::vec(any_row(), 0..10)) {
        let layout = ImportLayout { characters: CharacterSet::Utf8, ..layout };
        let read: Vec<_> = read_attendance(written(layout, &rows).as_slice(), layout)
            .unwrap()
            .map(|row| row.unwrap().parsed.unwrap())
            .collect();
        prop_assert_eq!(read, rows);
    }

    #[test]
    fn any_bytes_are_read_or_refused_by_any_layout(
        layout in any_layout(),
        before in proptest::collection::vec(any_row(), 0..3),
        bytes in proptest::collection::vec(
            prop_oneof![Just(b'\t'), Just(b','), Just(b'"'), Just(b'\r'), Just(b'\n'), any::<u8>()],
            0..200,
        ),
    ) {
        let mut file = written(layout, &before);
        file.extend(bytes);
        if let Ok(mut rows) = read_attendance(file.as_slice(), layout) {
            let read = rows.by_ref().count();
            let whole = usize::try_from(rows.whole_bytes()).unwrap();
            prop_assert!(whole <= file.len());
            // What is behind them is one row at most.
            let before = read_attendance(&file[..whole], layout).unwrap().count();
            prop_assert!(before == read || before + 1 == read, "{} of {}", before, read);
        }
    }

    #[test]
    fn any_list_of_fields_is_read_or_refused(list in "(SchoolID|Period|Abbreviation|[A-z, \t\n_]){0,30}") {
        if let Err(error) = FieldOrder::parse(&list) {
            prop_assert!(error.code().starts_with("hero.import_field_"));
        }
    }
}
