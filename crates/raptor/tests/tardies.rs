//! Tardy files and lists from Raptor, and everything that can be wrong with them.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::io::{self, Read};

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, Timelike};
use proptest::prelude::*;
use rosterbridge_domain::id::StudentNumber;
use rosterbridge_raptor::{
    FileError, LARGEST_TARDY_FILE, RowError, SignInTime, StudentReason, Tardy, TardyFile, TardyRow,
    read_buildings, read_reasons,
};
use rstest::rstest;

const HEADER: &str = "Building,IdNumber,SignInTime,Reason,Comment";
const GOOD: &str = "Lincoln High,4711,2026-09-30T08:12,Late bus,ran";

fn at(hour: u32, minute: u32, second: u32) -> NaiveDateTime {
    NaiveDate::from_ymd_opt(2026, 9, 30).unwrap().and_hms_opt(hour, minute, second).unwrap()
}

fn good() -> Tardy {
    Tardy {
        building: "Lincoln High".to_owned(),
        student: StudentNumber::new(4711),
        signed_in: SignInTime::Local(at(8, 12, 0)),
        reason: "Late bus".to_owned(),
        comment: "ran".to_owned(),
    }
}

fn read(file: impl AsRef<[u8]>) -> Result<Vec<TardyRow>, FileError> {
    TardyFile::open(file.as_ref())?.collect()
}

fn rows(file: impl AsRef<[u8]>) -> Vec<TardyRow> {
    read(file).unwrap()
}

#[rstest]
#[case::comma(format!("{HEADER}\n{GOOD}\n"))]
#[case::crlf(format!("{HEADER}\r\n{GOOD}\r\n"))]
#[case::no_last_end(format!("{HEADER}\n{GOOD}"))]
#[case::tab(format!("{HEADER}\n{GOOD}\n").replace(',', "\t"))]
#[case::byte_order_mark(format!("\u{feff}{HEADER}\n{GOOD}\n"))]
#[case::empty_lines(format!("\n{HEADER}\n\r\n\n{GOOD}\n\n"))]
#[case::letter_case("BUILDING,idnumber, signintime ,reASON,comment\nLincoln High,4711,2026-09-30T08:12,Late bus,ran".to_owned())]
#[case::other_order("Reason,Comment,Building,SignInTime,IdNumber\nLate bus,ran,Lincoln High,2026-09-30T08:12,4711".to_owned())]
#[case::unknown_columns("Id,Building,Kiosk,IdNumber,SignInTime,Reason,Comment,Id\nx,Lincoln High,,4711,2026-09-30T08:12,Late bus,ran,y".to_owned())]
#[case::quotes("\"Building\",IdNumber,SignInTime,Reason,Comment\n\"Lincoln High\",\"4711\",\"2026-09-30T08:12\",\"Late bus\",\"ran\"".to_owned())]
#[case::spaces(format!("{HEADER}\n Lincoln High , 004711, 2026-09-30T08:12 ,Late bus ,ran "))]
#[case::empty_surplus_columns(format!("{HEADER}\n{GOOD},,\n"))]
fn a_file_that_states(#[case] file: String) {
    let rows = rows(&file);
    let [row] = rows.as_slice() else { panic!("{rows:?}") };
    assert_eq!(row.parsed, Ok(good()));
}

#[rstest]
#[case::no_comment_column("Building,IdNumber,SignInTime,Reason\nLincoln High,4711,2026-09-30T08:12,Late bus")]
#[case::short_row("Building,IdNumber,SignInTime,Reason,Comment\nLincoln High,4711,2026-09-30T08:12,Late bus")]
fn a_comment_may_be_missing(#[case] file: &str) {
    assert_eq!(rows(file)[0].parsed, Ok(Tardy { comment: String::new(), ..good() }));
}

#[rstest]
#[case::utf_8("École".as_bytes())]
#[case::windows_1252(b"\xC9cole")]
fn characters_are_recognised(#[case] building: &[u8]) {
    let file = [HEADER.as_bytes(), b"\n", building, b",1,2026-09-30T08:12,Late,\n"].concat();
    assert_eq!(rows(file)[0].parsed.as_ref().unwrap().building, "École");
}

#[rstest]
#[case::iso("2026-09-30T08:12", at(8, 12, 0))]
#[case::seconds("2026-09-30T08:12:59", at(8, 12, 59))]
#[case::space("2026-09-30 08:12", at(8, 12, 0))]
#[case::fraction("2026-09-30T08:12:59.1234567", at(8, 12, 59))]
#[case::midnight("2026-09-30T00:00", at(0, 0, 0))]
#[case::us("9/30/2026 8:12 AM", at(8, 12, 0))]
#[case::us_afternoon("09/30/2026 01:12:05 pm", at(13, 12, 5))]
#[case::us_noon("9/30/2026 12:00 PM", at(12, 0, 0))]
#[case::us_midnight("9/30/2026 12:05 AM", at(0, 5, 0))]
#[case::us_24_hours("9/30/2026 13:12", at(13, 12, 0))]
#[case::us_no_space("9/30/2026 8:12AM", at(8, 12, 0))]
fn local_times(#[case] text: &str, #[case] time: NaiveDateTime) {
    assert_eq!(SignInTime::parse(text), Some(SignInTime::Local(time)));
}

#[rstest]
#[case::utc("2026-09-30T13:12:00Z")]
#[case::offset("2026-09-30T08:12:00-05:00")]
#[case::offset_without_colon("2026-09-30 08:12 -0500")]
#[case::short_offset("2026-09-30T08:12-05")]
#[case::east("2026-09-30T18:42:00+05:30")]
fn zoned_times(#[case] text: &str) {
    let time = SignInTime::parse(text).unwrap();
    let SignInTime::Zoned(instant) = time else { panic!("{time:?}") };
    assert_eq!(instant, DateTime::parse_from_rfc3339("2026-09-30T13:12:00Z").unwrap());
    assert_eq!(time.local(chrono_tz::America::Chicago), at(8, 12, 0));
    assert_eq!(time.local(chrono_tz::America::New_York), at(9, 12, 0));
}

/// The date is the building's, whatever day it is where the zone of the file is.
#[rstest]
#[case::evening_before("2026-10-01T02:30:00Z", (2026, 9, 30), (21, 30))]
#[case::day_after("2026-09-30T23:59:00-12:00", (2026, 10, 1), (6, 59))]
#[case::day_before("2026-09-30T00:01:00+14:00", (2026, 9, 29), (5, 1))]
#[case::new_year("2027-01-01T05:59:00Z", (2026, 12, 31), (23, 59))]
// On 1 November 2026 the clocks of Chicago go back from 2:00 to 1:00, on 14 March 2027 ahead from 2:00 to 3:00.
#[case::before_the_clock_goes_back("2026-11-01T06:30:00Z", (2026, 11, 1), (1, 30))]
#[case::after_the_clock_went_back("2026-11-01T07:30:00Z", (2026, 11, 1), (1, 30))]
#[case::before_the_clock_goes_ahead("2027-03-14T07:59:00Z", (2027, 3, 14), (1, 59))]
#[case::after_the_clock_went_ahead("2027-03-14T08:00:00Z", (2027, 3, 14), (3, 0))]
fn a_zoned_time_has_the_buildings_date(
    #[case] text: &str,
    #[case] (year, month, day): (i32, u32, u32),
    #[case] (hour, minute): (u32, u32),
) {
    let local = SignInTime::parse(text).unwrap().local(chrono_tz::America::Chicago);
    let expected = NaiveDate::from_ymd_opt(year, month, day).unwrap().and_hms_opt(hour, minute, 0).unwrap();
    assert_eq!(local, expected);
}

/// A time the clocks show twice, or never, is what the building's clock showed: nothing is computed from it.
#[rstest]
#[case::twice("2026-11-01T01:30", (2026, 11, 1), (1, 30))]
#[case::never("2027-03-14T02:30", (2027, 3, 14), (2, 30))]
fn a_local_time_is_taken_as_it_is(
    #[case] text: &str,
    #[case] (year, month, day): (i32, u32, u32),
    #[case] (hour, minute): (u32, u32),
) {
    let local = SignInTime::parse(text).unwrap().local(chrono_tz::America::Chicago);
    assert_eq!(
        local,
        NaiveDate::from_ymd_opt(year, month, day).unwrap().and_hms_opt(hour, minute, 0).unwrap()
    );
}

#[test]
fn a_local_time_is_the_buildings_whatever_the_zone() {
    assert_eq!(SignInTime::Local(at(8, 12, 0)).local(chrono_tz::America::Denver), at(8, 12, 0));
}

#[rstest]
#[case("")]
#[case("08:12")]
#[case("2026-09-30")]
#[case("2026-9-30T08:12")]
#[case("2026-02-30T08:12")]
#[case("2026-09-30T24:00")]
#[case("2026-09-30T8:12")]
#[case("2026-09-30T08:60")]
#[case("2026-09-30T08:12:60")]
#[case("2026-09-30T08:12.5")]
#[case("2026-09-30T08:12+15:00")]
#[case("2026-09-30T08:12+5")]
#[case("2026-09-30T08:12 CST")]
#[case("9/30/26 8:12 AM")]
#[case("30/9/2026 8:12")]
#[case("9/30/2026 13:12 PM")]
#[case("9/30/2026 0:12 AM")]
#[case("9/30/2026 8:12 XM")]
#[case("9/30/2026")]
fn no_times(#[case] text: &str) {
    assert_eq!(SignInTime::parse(text), None);
}

#[rstest]
#[case::building(",4711,2026-09-30T08:12,Late bus,", RowError::Building, "raptor.row_building")]
#[case::no_student("L,,2026-09-30T08:12,Late bus,", RowError::Student, "raptor.row_student")]
#[case::student("L,A4711,2026-09-30T08:12,Late bus,", RowError::Student, "raptor.row_student")]
#[case::huge_student(
    "L,99999999999999999999,2026-09-30T08:12,Late bus,",
    RowError::Student,
    "raptor.row_student"
)]
#[case::time("L,4711,yesterday,Late bus,", RowError::SignInTime, "raptor.row_sign_in_time")]
#[case::reason("L,4711,2026-09-30T08:12,,", RowError::Reason, "raptor.row_reason")]
#[case::too_few("L,4711,2026-09-30T08:12", RowError::Columns { found: 3, expected: 5 }, "raptor.row_columns")]
#[case::too_many("L,4711,2026-09-30T08:12,Late, bus,ran", RowError::Columns { found: 6, expected: 5 }, "raptor.row_columns")]
#[case::only_commas(",,,,", RowError::Building, "raptor.row_building")]
#[case::null_byte("L,4711,2026-09-30T08:12,Late\0,", RowError::Characters, "raptor.row_characters")]
#[case::text_after_quote("\"L\"x,4711,2026-09-30T08:12,Late,", RowError::Quote, "raptor.row_quote")]
#[case::open_building("\"L,4711,2026-09-30T08:12,Late,", RowError::Quote, "raptor.row_quote")]
#[case::open_comment("L,4711,2026-09-30T08:12,Late,\"he", RowError::Quote, "raptor.row_quote")]
fn a_bad_row_spoils_no_other(#[case] line: &str, #[case] error: RowError, #[case] code: &str) {
    let rows = rows(format!("{HEADER}\n{GOOD}\n{line}\n{GOOD}\n"));
    assert_eq!(rows.iter().map(|row| row.line).collect::<Vec<_>>(), [2, 3, 4]);
    assert_eq!(rows[0].parsed, Ok(good()));
    assert_eq!(rows[1].parsed, Err(error));
    assert_eq!(rows[1].parsed.as_ref().unwrap_err().code(), code);
    assert_eq!(rows[1].raw, line.replace('\0', "\\x00"));
    assert_eq!(rows[2].parsed, Ok(good()));
}

#[test]
fn ten_thousand_columns_are_one_bad_row() {
    let rows = rows(format!("{HEADER}\n{}\n{GOOD}\n", "x,".repeat(10_000)));
    assert_eq!(rows[0].parsed, Err(RowError::TooLong));
    let rows = self::rows(format!("{HEADER}\n{}\n{GOOD}\n", "1,".repeat(8_000)));
    assert_eq!(rows[0].parsed, Err(RowError::Columns { found: 8_001, expected: 5 }));
    assert_eq!(rows[1].parsed, Ok(good()));
}

#[rstest]
#[case::just_fits(16 * 1024, false)]
#[case::one_too_long(16 * 1024 + 1, true)]
#[case::much_too_long(3_000_000, true)]
fn a_line_has_a_longest_length(
    #[case] length: usize,
    #[case] refused: bool,
    #[values("\n", "\r\n")] end: &str,
) {
    let mut long = "L,1,2026-09-30T08:12,Late,".to_owned();
    long.extend(std::iter::repeat_n('x', length - long.len()));
    let rows = rows(format!("{HEADER}{end}{long}{end}{GOOD}{end}{long}"));
    assert_eq!(rows.iter().map(|row| row.line).collect::<Vec<_>>(), [2, 3, 4]);
    assert_eq!(rows[0].parsed == Err(RowError::TooLong), refused);
    assert_eq!(rows[1].parsed, Ok(good()));
    assert_eq!(rows[2].parsed == Err(RowError::TooLong), refused);
    assert_eq!(rows[0].raw.len() < 300, refused);
}

#[test]
fn a_comment_may_go_over_lines() {
    let rows = rows(format!(
        "{HEADER}\r\nLincoln High,4711,2026-09-30T08:12,Late bus,\"He said \"\"hi\"\",\r\n\r\nthen ran\"\r\n{GOOD}\r\n"
    ));
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0].parsed.as_ref().unwrap().comment, "He said \"hi\",\n\nthen ran");
    assert_eq!((rows[0].line, rows[1].line), (2, 5));
    assert_eq!(rows[1].parsed, Ok(good()));
}

#[rstest]
#[case::no_end("\"5 minutes", 1)]
#[case::a_row_with_a_quote_at_its_end("\"5 minutes\nL,1,2026-09-30T08:20,Late,5\"", 2)]
#[case::a_row_with_a_quoted_comment("\"5 minutes\nL,1,9/30/2026 8:20 AM,Late,\"with note\"", 2)]
fn a_stray_quote_swallows_no_row(#[case] rest: &str, #[case] lines: u64) {
    let rows =
        rows(format!("{HEADER}\nLincoln High,4711,2026-09-30T08:12,Late bus,{rest}\n{GOOD}\n{GOOD}\n"));
    assert_eq!(rows.len() as u64, lines + 2);
    assert_eq!(rows[0].parsed, Err(RowError::Quote));
    assert!(rows[1..].iter().all(|row| row.parsed.is_ok()), "{rows:?}");
}

#[test]
fn a_comment_over_too_many_lines_is_a_stray_quote() {
    let rows = rows(format!("{HEADER}\nL,1,2026-09-30T08:12,Late,\"{}\"\n{GOOD}", "line\n".repeat(50)));
    assert_eq!(rows[0].parsed, Err(RowError::Quote));
    assert_eq!(rows.last().unwrap().parsed, Ok(good()));
    assert_eq!(rows.len(), 52);
}

#[rstest]
#[case::nothing("", "raptor.empty_file")]
#[case::empty_lines("\r\n\n", "raptor.empty_file")]
#[case::no_header(GOOD, "raptor.wrong_columns")]
#[case::header_with_open_quote("\"Building,IdNumber,SignInTime,Reason", "raptor.wrong_columns")]
#[case::twice("Building,IdNumber,SignInTime,Reason,REASON", "raptor.repeated_column")]
#[case::ten_thousand_columns(format!("{HEADER}{}", ",".repeat(9_995)), "raptor.too_many_columns")]
#[case::ten_thousand_named_columns(format!("{HEADER}{}", ",extra".repeat(9_995)), "raptor.header_too_long")]
#[case::zeros("\0".repeat(100_000), "raptor.header_too_long")]
#[case::zeros_instead_of_names("\0".repeat(100), "raptor.wrong_columns")]
fn a_file_that_is_refused(#[case] file: impl AsRef<str>, #[case] code: &str) {
    let error = read(file.as_ref()).unwrap_err();
    assert_eq!(error.code(), code);
    assert!(!error.remedy().is_empty());
}

#[test]
fn a_thousand_columns_are_read() {
    let file = format!("{HEADER}{}\n{GOOD}\n", ",x".repeat(995));
    assert_eq!(rows(file)[0].parsed, Ok(good()));
}

/// A file as long as asked for, which is made as it is read: it may be longer than the memory.
struct Endless {
    beginning: &'static [u8],
    /// What follows again and again.
    rest: &'static [u8],
    at: u64,
    given: u64,
}

impl Endless {
    const fn new(beginning: &'static [u8], rest: &'static [u8]) -> Self {
        Self { beginning, rest, at: 0, given: 0 }
    }
}

impl Read for &mut Endless {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        for byte in &mut *buffer {
            let beginning = self.beginning.get(usize::try_from(self.at).unwrap());
            *byte = match beginning {
                Some(byte) => *byte,
                None => self.rest[usize::try_from(self.at).unwrap() % self.rest.len()],
            };
            self.at += 1;
        }
        self.given += buffer.len() as u64;
        Ok(buffer.len())
    }
}

const BEGINNING: &[u8] =
    b"Building,IdNumber,SignInTime,Reason,Comment\nLincoln High,4711,2026-09-30T08:12,Late bus,ran\n";

/// However long a file is, it is read up to the largest that is taken, and what is kept of it is bounded.
#[rstest]
#[case::rows(BEGINNING, b"L,1,2026-09-30T08:12,Late,\n", 100_000)]
#[case::short_rows(BEGINNING, b"x\n", 100_000)]
#[case::empty_lines(BEGINNING, b"\n", 1)]
#[case::one_line(BEGINNING, b"x", 2)]
#[case::zeros(BEGINNING, b"\0", 2)]
#[case::no_header(b"", b"x", 0)]
#[case::quotes(BEGINNING, b"L,1,2026-09-30T08:12,Late,\"\n", 100_000)]
fn an_endless_file_is_refused(
    #[case] beginning: &'static [u8],
    #[case] rest: &'static [u8],
    #[case] most_rows: usize,
) {
    let mut file = Endless::new(beginning, rest);
    let (mut rows, mut code) = (0, None);
    match TardyFile::open(&mut file) {
        Ok(tardies) => {
            for row in tardies {
                match row {
                    Ok(row) => {
                        rows += 1;
                        assert!(row.raw.len() <= 16 * 1024);
                    }
                    Err(error) => code = Some(error.code()),
                }
            }
        }
        Err(error) => code = Some(error.code()),
    }
    let refused =
        if beginning.is_empty() && rest == b"x" { "raptor.header_too_long" } else { "raptor.file_too_large" };
    assert_eq!((code, rows <= most_rows), (Some(refused), true), "{rows} rows");
    assert!(file.given <= LARGEST_TARDY_FILE + 64 * 1024, "{} bytes were read", file.given);
}

/// Bytes that are no characters take four characters each to be shown: that must not multiply a file.
#[test]
fn a_line_of_zeros_is_shown_no_longer_than_a_line_may_be() {
    let rows = rows(format!("{HEADER}\n{}\n{GOOD}", "\0".repeat(16 * 1024)));
    assert_eq!(rows[0].parsed, Err(RowError::Characters));
    assert!(rows[0].raw.len() <= 16 * 1024 + 3 && rows[0].raw.ends_with('…'), "{}", rows[0].raw.len());
    assert_eq!(rows[1].parsed, Ok(good()));
}

#[rstest]
#[case::formula("=1+1")]
#[case::command("=cmd|' /C calc'!A0")]
#[case::plus("+1+1")]
#[case::at("@SUM(1)")]
fn a_formula_is_text(#[case] text: &str) {
    let rows = rows(format!("{HEADER}\nLincoln High,4711,2026-09-30T08:12,Late bus,{text}\n"));
    assert_eq!(rows[0].parsed, Ok(Tardy { comment: text.to_owned(), ..good() }));
}

#[rstest]
#[case::up("..\\..\\x")]
#[case::root("/etc/passwd")]
#[case::device("CON")]
fn a_buildings_name_is_text(#[case] building: &str) {
    let rows = rows(format!("{HEADER}\n{building},4711,2026-09-30T08:12,Late bus,ran\n"));
    assert_eq!(rows[0].parsed, Ok(Tardy { building: building.to_owned(), ..good() }));
}

#[rstest]
#[case::long_ago("1899-12-31T08:12", 1899)]
#[case::far_ahead("12/31/2999 8:12 AM", 2999)]
fn a_date_far_off_is_a_date(#[case] time: &str, #[case] year: i32) {
    let rows = rows(format!("{HEADER}\nLincoln High,4711,{time},Late bus,ran\n"));
    let local = rows[0].parsed.as_ref().unwrap().signed_in.local(chrono_tz::America::Chicago);
    assert_eq!((local.year(), local.hour(), local.minute()), (year, 8, 12));
}

#[test]
fn utf_16_is_refused() {
    let error = read(b"\xFF\xFEB\x00u\x00i\x00").unwrap_err();
    assert_eq!(error.code(), "raptor.wrong_characters");
}

#[test]
fn missing_columns_are_named() {
    let error = read("Building,SignInTime,Comment\n").unwrap_err();
    assert!(
        matches!(&error, FileError::WrongColumns { missing } if *missing == ["IdNumber", "Reason"]),
        "{error}"
    );
    assert!(error.to_string().contains("IdNumber, Reason"));
}

#[test]
fn a_file_marked_as_utf_8_is_nothing_else() {
    let file = [b"\xEF\xBB\xBF", HEADER.as_bytes(), b"\n\xC9cole,1,2026-09-30T08:12,Late,\n"].concat();
    let rows = rows(file);
    assert_eq!(rows[0].parsed, Err(RowError::Characters));
    assert_eq!(rows[0].raw, "\\xC9cole,1,2026-09-30T08:12,Late,");
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
    let file = format!("\u{feff}{HEADER}\n{GOOD}\nLinc");
    let mut rows = TardyFile::open(Breaking(file.as_bytes())).unwrap();
    assert_eq!(rows.next().unwrap().unwrap().parsed, Ok(good()));
    assert_eq!(rows.next().unwrap().unwrap_err().code(), "raptor.file_read");
    assert!(rows.next().is_none());
}

#[test]
fn buildings_are_listed_once_in_order() {
    let list = read_buildings(
        "Code,BUILDING\n2,\"Roosevelt, East\"\n1, Lincoln High\n2,\"Roosevelt, East\"\n".as_bytes(),
    );
    assert_eq!(list.unwrap(), ["Roosevelt, East", "Lincoln High"]);
    assert!(read_buildings("Building\n".as_bytes()).unwrap().is_empty());
}

#[test]
fn reasons_are_listed_once_for_each_building() {
    let list = read_reasons(
        "Reason\tBuilding\nLate bus\tLincoln\nLate bus\tRoosevelt\nLate bus\tLincoln\n".as_bytes(),
    );
    let reason =
        |building: &str| StudentReason { building: building.to_owned(), reason: "Late bus".to_owned() };
    assert_eq!(list.unwrap(), [reason("Lincoln"), reason("Roosevelt")]);
}

#[rstest]
#[case::other_columns("Name\nLincoln\n", "raptor.wrong_columns")]
#[case::no_name("Building,Reason\nLincoln,Late\n,Late\n", "raptor.list_row")]
#[case::no_reason("Building,Reason\nLincoln,\n", "raptor.list_row")]
#[case::lines_in_a_name("Building,Reason\n\"Lin\ncoln\",Late\n", "raptor.list_row")]
fn a_list_that_is_refused(#[case] list: &str, #[case] code: &str) {
    assert_eq!(read_reasons(list.as_bytes()).unwrap_err().code(), code);
}

#[test]
fn an_endless_list_is_refused() {
    let list = (0..20_001).fold("Building\n".to_owned(), |list, number| format!("{list}B{number}\n"));
    assert_eq!(read_buildings(list.as_bytes()).unwrap_err().code(), "raptor.list_too_long");
}

fn any_tardy() -> impl Strategy<Value = Tardy> {
    let text = || "[a-zA-Z,\"'é€-][ a-zA-Z,\"'é€\\-]{0,8}[a-zA-Z,\"é]";
    let comment = "([a-zA-Z,\"é]([ a-z,\"\n]{0,12}[a-z,\"])?)?";
    (text(), 0..i64::MAX, 0_i64..4_000_000_000, any::<bool>(), text(), comment).prop_map(
        |(building, student, second, zoned, reason, comment)| {
            let instant = DateTime::from_timestamp(second, 0).unwrap();
            let signed_in = if zoned {
                SignInTime::Zoned(instant.fixed_offset())
            } else {
                SignInTime::Local(instant.naive_utc())
            };
            Tardy { building, student: StudentNumber::new(student), signed_in, reason, comment }
        },
    )
}

proptest! {
    #[test]
    fn what_a_csv_writer_writes_is_what_is_read(
        tardies in proptest::collection::vec(any_tardy(), 0..10),
        tab in any::<bool>(),
    ) {
        let delimiter = if tab { b'\t' } else { b',' };
        let mut writer = csv::WriterBuilder::new().delimiter(delimiter).from_writer(Vec::new());
        writer.write_record(HEADER.split(',')).unwrap();
        for Tardy { building, student, signed_in, reason, comment } in &tardies {
            let time = match signed_in {
                SignInTime::Local(local) => local.format("%Y-%m-%dT%H:%M:%S").to_string(),
                SignInTime::Zoned(instant) => instant.to_rfc3339(),
            };
            writer.write_record([building, &student.to_string(), &time, reason, comment]).unwrap();
        }
        let read: Vec<_> =
            rows(writer.into_inner().unwrap()).into_iter().map(|row| row.parsed.unwrap()).collect();
        prop_assert_eq!(read, tardies);
    }

    #[test]
    fn every_line_that_is_not_empty_belongs_to_one_row_whatever_the_bytes(
        lines in proptest::collection::vec(
            proptest::collection::vec(prop_oneof![4 => Just(b','), 3 => Just(b'"'), 1 => Just(b'\r'), 4 => any::<u8>(), 2 => Just(b'x')], 0..30),
            0..25,
        ),
    ) {
        let mut file = format!("Comment,{}\n", &HEADER[..HEADER.len() - 8]).into_bytes();
        file.extend(lines.join(&b'\n'));
        let mut next = 2;
        let lines: Vec<&[u8]> = file.split(|byte| *byte == b'\n').collect();
        let empty = |number: u64| {
            let line = lines[usize::try_from(number).unwrap() - 1];
            line.is_empty() || line == b"\r"
        };
        for row in rows(&file) {
            prop_assert!((next..row.line).all(empty));
            next = row.line + 1 + row.raw.matches('\n').count() as u64;
        }
        prop_assert!((next..=lines.len() as u64).all(empty));
    }

    #[test]
    fn any_bytes_are_read_or_refused(file in proptest::collection::vec(any::<u8>(), 0..400)) {
        if let Ok(rows) = read(&file) {
            prop_assert!(rows.len() <= file.len());
        }
    }

    #[test]
    fn any_text_is_a_time_or_none(text in "[0-9TZ:/ +.\\-APM]{0,24}") {
        if let Some(time) = SignInTime::parse(&text) {
            prop_assert!(text.contains(':'));
            time.local(chrono_tz::America::Chicago);
        }
    }
}
