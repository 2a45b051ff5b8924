//! Hero's attendance export, and everything that can be wrong with one.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::io::{self, Read};

use chrono::NaiveDate;
use proptest::prelude::*;
use rosterbridge_domain::id::{SchoolNumber, StudentNumber};
use rosterbridge_hero::{
    AttendanceRow, FileError, ImportCharacters, ImportLayout, ImportRow, RowError, read_attendance,
};
use rstest::rstest;

const GOOD: &str = "100\t4711\tMAT07\t02\t09/30/2026\tT\tP1";

fn read_as(bytes: &[u8], characters: ImportCharacters) -> Result<Vec<ImportRow>, FileError> {
    read_attendance(bytes, ImportLayout { characters })?.collect()
}

fn read(bytes: impl AsRef<[u8]>) -> Vec<ImportRow> {
    read_as(bytes.as_ref(), ImportCharacters::WindowsAnsi).unwrap()
}

fn good() -> AttendanceRow {
    AttendanceRow {
        school: SchoolNumber::new(100),
        student: StudentNumber::new(4711),
        course_number: "MAT07".to_owned(),
        section_number: "02".to_owned(),
        date: NaiveDate::from_ymd_opt(2026, 9, 30).unwrap(),
        code: "T".to_owned(),
        period_abbreviation: "P1".to_owned(),
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
        assert!(read_as(empty.as_bytes(), ImportCharacters::Utf8).unwrap().is_empty());
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
#[case::no_school("\t4711\tM\t2\t09/30/2026\tT\tP", RowError::School, "hero.row_school")]
#[case::school_name("Lincoln\t4711\tM\t2\t09/30/2026\tT\tP", RowError::School, "hero.row_school")]
#[case::huge_school(
    "99999999999999999999\t4711\tM\t2\t09/30/2026\tT\tP",
    RowError::School,
    "hero.row_school"
)]
#[case::student("100\t47-11\tM\t2\t09/30/2026\tT\tP", RowError::Student, "hero.row_student")]
#[case::signed_student("100\t+4711\tM\t2\t09/30/2026\tT\tP", RowError::Student, "hero.row_student")]
#[case::month_13("100\t4711\tM\t2\t13/30/2026\tT\tP", RowError::Date, "hero.row_date")]
#[case::february_30("100\t4711\tM\t2\t02/30/2026\tT\tP", RowError::Date, "hero.row_date")]
#[case::two_digit_year("100\t4711\tM\t2\t09/30/26\tT\tP", RowError::Date, "hero.row_date")]
#[case::no_date("100\t4711\tM\t2\t\tT\tP", RowError::Date, "hero.row_date")]
#[case::no_code("100\t4711\tM\t2\t09/30/2026\t\tP", RowError::Code, "hero.row_code")]
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
#[case::windows_ansi(ImportCharacters::WindowsAnsi, b"caf\xE9 \x80", "café €")]
#[case::utf_8(ImportCharacters::Utf8, "café €".as_bytes(), "café €")]
#[case::mac_roman(ImportCharacters::MacRoman, b"caf\x8E \xDB", "café €")]
fn text_in_the_imports_character_set(
    #[case] characters: ImportCharacters,
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
    let rows = read_as(b"1\t2\tM\xE9\t4\t09/30/2026\tT\tP\n", ImportCharacters::Utf8).unwrap();
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
    let error = read_as(file.as_bytes(), ImportCharacters::WindowsAnsi).unwrap_err();
    assert_eq!(error.code(), "hero.wrong_columns");
    assert!(
        matches!(error, FileError::WrongColumns { found } if found == columns || file.contains('\r')),
        "{error}"
    );
}

#[rstest]
#[case::utf_16_little(b"\xFF\xFE1\x000\x00".as_slice(), ImportCharacters::Utf8)]
#[case::utf_16_big(b"\xFE\xFF\x001\x000".as_slice(), ImportCharacters::WindowsAnsi)]
#[case::utf_8_where_ansi_is_set(b"\xEF\xBB\xBF100\t4711".as_slice(), ImportCharacters::WindowsAnsi)]
fn a_byte_order_mark_of_another_character_set_refuses_the_file(
    #[case] file: &[u8],
    #[case] characters: ImportCharacters,
) {
    assert_eq!(read_as(file, characters).unwrap_err().code(), "hero.wrong_characters");
}

#[test]
fn a_utf_8_byte_order_mark_is_no_part_of_the_first_value() {
    let rows = read_as(format!("\u{feff}{GOOD}\n").as_bytes(), ImportCharacters::Utf8).unwrap();
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
            course_number,
            section_number,
            date: NaiveDate::from_num_days_from_ce_opt(400_000 + day).unwrap(),
            code,
            period_abbreviation,
        },
    )
}

proptest! {
    #[test]
    fn every_line_that_is_not_empty_is_a_row_whatever_the_bytes(
        lines in proptest::collection::vec(proptest::collection::vec(prop_oneof![Just(b'\t'), Just(b'\r'), Just(b'"'), any::<u8>()], 0..40), 0..20),
        characters in prop_oneof![Just(ImportCharacters::WindowsAnsi), Just(ImportCharacters::Utf8), Just(ImportCharacters::MacRoman)],
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
        if let Ok(rows) = read_as(&file, ImportCharacters::WindowsAnsi) {
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
            let values = [&school, &student, course_number, section_number, &date, code, period_abbreviation];
            text += &values.map(String::as_str).join("\t");
            text.push('\n');
        }
        let read: Vec<_> = read_as(text.as_bytes(), ImportCharacters::Utf8)
            .unwrap()
            .into_iter()
            .map(|row| row.parsed.unwrap())
            .collect();
        prop_assert_eq!(read, rows);
    }
}
