//! Lists of rows: every row once and in order, whatever the page and whatever is added meanwhile.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is how a test fails")]

mod support;

use proptest::prelude::*;
use rosterbridge_domain::{
    attendance::{AttendanceKey, NoOpReason, Source},
    held::HoldReason,
    id::{SchoolNumber, StudentNumber},
};
use rosterbridge_store::{
    Ledger,
    ledger::{
        Decision, HeldFilter, ListedRow, RowColumn, RowCursor, RowFate, RowOrder, RowPlace, TraceFilter,
    },
};
use rstest::rstest;
use support::{Fixture, KEY, at, daily, hold, noop, reject, start_run, write};

const COLUMNS: [RowColumn; 4] = [RowColumn::Read, RowColumn::Student, RowColumn::Fate, RowColumn::School];

const EVERYTHING: TraceFilter = TraceFilter {
    student: None,
    file: None,
    line: None,
    day: None,
    row: None,
    sha256: None,
    source: None,
    fate: None,
    school: None,
};

/// A row of some kind; equal numbers are the same row.
fn row(number: u64) -> Decision {
    let student = i64::try_from(number).unwrap();
    let key = AttendanceKey { school: SchoolNumber::new(100 + student % 3), ..daily(student) };
    let decision = match number % 5 {
        0 => hold(number, HoldReason::ReasonNotMapped),
        1 => reject(number),
        2 => noop(number, key, "T", NoOpReason::NotTardy),
        _ => write(number, key, "T"),
    };
    let student_number = (!number.is_multiple_of(7)).then(|| StudentNumber::new(5_000 + student % 11));
    Decision { student_number, ..decision }
}

fn page(
    ledger: &Ledger,
    filter: &TraceFilter,
    order: RowOrder,
    until: Option<RowPlace>,
    after: Option<RowCursor>,
    limit: u32,
) -> Vec<ListedRow> {
    ledger.listed_rows(filter, order, until, after, 0, limit).unwrap()
}

fn rank(row: &ListedRow) -> i64 {
    match row.row.fate {
        RowFate::Held => 0,
        RowFate::Rejected => 1,
        RowFate::Open => 2,
        RowFate::Written => 3,
        RowFate::Noop => 4,
    }
}

/// What the list is in order by, worked out from the rows themselves.
fn place(row: &ListedRow, by: RowColumn) -> (i64, RowPlace) {
    let key = match by {
        RowColumn::Read => 0,
        RowColumn::Student => row.row.student_number.map_or(-1, StudentNumber::get),
        RowColumn::Fate => rank(row),
        RowColumn::School => row.school.map_or(-1, SchoolNumber::get),
    };
    (key, row.cursor.row)
}

/// Everything there is, by what can be told of each row.
fn sorted(ledger: &Ledger, order: RowOrder, which: impl Fn(&ListedRow) -> bool) -> Vec<ListedRow> {
    let by_reading = RowOrder { by: RowColumn::Read, descending: false };
    let mut rows = page(ledger, &EVERYTHING, by_reading, None, None, 500);
    rows.retain(which);
    rows.sort_by_key(|row| place(row, order.by));
    if order.descending {
        rows.reverse();
    }
    // The cursor is one of the order.
    let keyed = rows.into_iter().map(|row| {
        let (key, at) = place(&row, order.by);
        ListedRow { cursor: RowCursor { key, row: at }, ..row }
    });
    keyed.collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn pages_together_are_all_rows_each_once_and_in_order_while_more_is_read(
        files in prop::collection::vec(prop::collection::vec(1_u64..400, 1..25), 1..4),
        meanwhile in prop::collection::vec(1_u64..400, 0..20),
        by in prop::sample::select(&COLUMNS[..]),
        descending: bool,
        size in 1_u32..9,
    ) {
        let fixture = Fixture::new();
        let ledger = &fixture.ledger;
        let mut second = 0_i64;
        let mut decide = |name: String, numbers: &[u64]| {
            second += 1;
            // A line is the row's number, and no row comes twice.
            let mut numbers: Vec<u64> = numbers.iter().map(|number| number + 1_000 * second.unsigned_abs()).collect();
            numbers.sort_unstable();
            numbers.dedup();
            let rows: Vec<Decision> = numbers.into_iter().map(row).collect();
            fixture.decide(Source::Raptor, &name, &rows, second);
        };
        for (index, numbers) in files.iter().enumerate() {
            decide(format!("{index}.csv"), numbers);
        }
        let order = RowOrder { by, descending };
        let until = ledger.last_row_place().unwrap();
        let expected = sorted(ledger, order, |_| true);
        prop_assert_eq!(ledger.listed_row_count(&EVERYTHING).unwrap(), expected.len() as u64);

        let mut listed = Vec::new();
        let mut after = None;
        loop {
            let rows = page(ledger, &EVERYTHING, order, until, after, size);
            if listed.is_empty() && !meanwhile.is_empty() {
                decide("meanwhile.csv".to_owned(), &meanwhile);
            }
            let Some(last) = rows.last() else { break };
            after = Some(last.cursor);
            listed.extend(rows);
        }
        let places = |rows: &[ListedRow]| rows.iter().map(|row| row.cursor).collect::<Vec<_>>();
        prop_assert_eq!(places(&listed), places(&expected));
    }
}

/// Three files with rows of every kind.
fn filled() -> Fixture {
    let fixture = Fixture::new();
    for (index, source) in [Source::Raptor, Source::Hero, Source::Raptor].into_iter().enumerate() {
        let from = 1 + 40 * index as u64;
        let rows: Vec<Decision> = (from..from + 40).map(row).collect();
        fixture.decide(source, &format!("in/{index}.csv"), &rows, 1 + i64::try_from(index).unwrap());
    }
    fixture
}

#[rstest]
#[case::student(TraceFilter { student: Some(StudentNumber::new(5_003)), ..EVERYTHING }, |row: &ListedRow| row.row.student_number == Some(StudentNumber::new(5_003)))]
#[case::held(TraceFilter { fate: Some(RowFate::Held), ..EVERYTHING }, |row: &ListedRow| row.row.fate == RowFate::Held)]
#[case::nothing(TraceFilter { fate: Some(RowFate::Noop), ..EVERYTHING }, |row: &ListedRow| row.row.fate == RowFate::Noop)]
#[case::school(TraceFilter { school: Some(SchoolNumber::new(101)), ..EVERYTHING }, |row: &ListedRow| row.school == Some(SchoolNumber::new(101)))]
#[case::source(TraceFilter { source: Some(Source::Hero), ..EVERYTHING }, |row: &ListedRow| row.row.at.source == Source::Hero)]
#[case::file(TraceFilter { file: Some("2.csv".to_owned()), ..EVERYTHING }, |row: &ListedRow| row.row.at.file == "in/2.csv")]
#[case::day(TraceFilter { day: Some(support::day()), source: Some(Source::Raptor), ..EVERYTHING }, |row: &ListedRow| row.row.at.source == Source::Raptor)]
#[case::both(TraceFilter { fate: Some(RowFate::Open), school: Some(SchoolNumber::new(100)), ..EVERYTHING }, |row: &ListedRow| row.row.fate == RowFate::Open && row.school == Some(SchoolNumber::new(100)))]
#[case::of_a_source(TraceFilter { fate: Some(RowFate::Rejected), source: Some(Source::Hero), ..EVERYTHING }, |row: &ListedRow| row.row.fate == RowFate::Rejected && row.row.at.source == Source::Hero)]
#[case::row(TraceFilter { row: Some(RowPlace { file: 2, line: 44 }), ..EVERYTHING }, |row: &ListedRow| row.cursor.row == RowPlace { file: 2, line: 44 })]
fn a_list_has_the_rows_it_is_restricted_to(
    #[case] filter: TraceFilter,
    #[case] which: fn(&ListedRow) -> bool,
) {
    let fixture = filled();
    let ledger = &fixture.ledger;
    for by in COLUMNS {
        for descending in [false, true] {
            let order = RowOrder { by, descending };
            let expected = sorted(ledger, order, which);
            assert!(!expected.is_empty());
            assert_eq!(ledger.listed_row_count(&filter).unwrap(), expected.len() as u64, "{order:?}");
            assert_eq!(page(ledger, &filter, order, None, None, 500), expected, "{order:?}");
            let from = Some(expected[0].cursor);
            assert_eq!(
                page(ledger, &filter, order, None, from, 2),
                expected[1..].iter().take(2).cloned().collect::<Vec<_>>()
            );
            let skipped = ledger.listed_rows(&filter, order, None, from, 1, 1).unwrap();
            assert_eq!(skipped.first(), expected.get(2), "{order:?}");
        }
    }
}

/// What a row has come to and its school are those of its last event, however it came to that.
#[test]
fn a_list_follows_what_happens_to_its_rows() {
    let fixture = Fixture::new();
    let ledger = &fixture.ledger;
    fixture.decide(Source::Raptor, "a.csv", &[hold(1, HoldReason::ReasonNotMapped), row(3)], 1);
    let list = |fate| {
        let order = RowOrder { by: RowColumn::Read, descending: false };
        let rows = page(ledger, &TraceFilter { fate: Some(fate), ..EVERYTHING }, order, None, None, 9);
        rows.iter().map(|row| (row.row.at.line, row.school.map(SchoolNumber::get))).collect::<Vec<_>>()
    };
    assert_eq!((list(RowFate::Held), list(RowFate::Open)), (vec![(1, None)], vec![(3, Some(100))]));
    let written: Vec<_> = ledger.pending(Source::Raptor).unwrap().iter().map(|row| row.id).collect();
    ledger.mark_sending(&written, at(2)).unwrap();
    ledger.mark_confirmed(&written, at(3)).unwrap();
    let held = ledger.held(9, 0, None).unwrap()[0].id;
    ledger.retry_held(&[held], at(4)).unwrap();
    let later = start_run(ledger, 5);
    support::record(ledger, later, Source::Raptor, "a.csv", &[write(1, daily(1), "T")], at(6)).unwrap();
    assert_eq!((list(RowFate::Written), list(RowFate::Open)), (vec![(3, Some(100))], vec![(1, Some(100))]));
    assert_eq!(list(RowFate::Held), []);
}

/// A run that writes while a list is read to its end moves rows to another place in it.
#[test]
fn a_list_of_one_moment_has_every_row_once_while_rows_come_to_something_else() {
    let fixture = filled();
    let ledger = &fixture.ledger;
    let order = RowOrder { by: RowColumn::Fate, descending: false };
    let expected = sorted(ledger, order, |_| true);
    let snapshot = ledger.row_snapshot(&KEY).unwrap();
    let mut listed: Vec<ListedRow> = Vec::new();
    let mut second: i64 = 100;
    loop {
        let after = listed.last().map(|row| row.cursor);
        let rows = snapshot.listed_rows(&EVERYTHING, order, after, 10).unwrap();
        if rows.is_empty() {
            break;
        }
        listed.extend(rows);
        // What was held first comes to nothing, and is behind all others; and more is read.
        for source in [Source::Raptor, Source::Hero] {
            let open =
                ledger.held_waiting(&HeldFilter { source: Some(source), ..HeldFilter::default() }, 3, 0);
            second += 1;
            let decided: Vec<Decision> = open
                .unwrap()
                .iter()
                .map(|held| {
                    let row = u64::from_be_bytes(held.row_hash[..8].try_into().unwrap());
                    noop(row, daily(i64::try_from(row).unwrap()), "T", NoOpReason::NotTardy)
                })
                .chain([row(5_000 + second.unsigned_abs())])
                .collect();
            fixture.decide(source, &format!("meanwhile-{second}.csv"), &decided, second);
        }
    }
    assert_eq!(listed, expected);
    // The list of now is another one.
    assert_ne!(sorted(ledger, order, |_| true).len(), expected.len());
}
