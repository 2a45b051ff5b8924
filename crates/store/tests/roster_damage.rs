//! A damaged roster is no roster: it is removed, and PowerSchool is read anew.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is how a test fails")]

mod support;

use std::{fs, path::Path};

use rosterbridge_domain::{
    id::{SchoolDcid, SchoolNumber, YearId},
    roster::School,
};
use rosterbridge_store::{
    Roster, RosterStaging,
    roster::{PullState, RosterMeta},
};
use rstest::rstest;
use support::{KEY, OTHER_KEY, at, day, files_in};

const SCHOOLS: i64 = 3_000;

fn school(number: i64) -> School {
    School {
        dcid: SchoolDcid::new(number),
        number: SchoolNumber::new(number),
        name: format!("School number {number}"),
        abbreviation: format!("S{number}"),
    }
}

/// A roster of nothing but schools, which the next pull may go on from.
fn pull(folder: &Path) -> Roster {
    let mut staging = RosterStaging::create(folder, &KEY).unwrap();
    let schools: Vec<_> = (1..=SCHOOLS).map(school).collect();
    staging.insert(&schools).unwrap();
    staging.keep(PullState {
        basis: "one".to_owned(),
        whole_at: at(0),
        versions: [].into(),
        answers: [].into(),
    });
    staging.finish(RosterMeta { pulled_at: at(0), today: day(), years: vec![YearId::new(36)] }).unwrap()
}

fn open(folder: &Path) -> Option<Roster> {
    Roster::open(&folder.join("roster.db"), &KEY).unwrap()
}

#[rstest]
#[case::emptied(|bytes: &mut Vec<u8>| bytes.clear())]
#[case::a_byte(|bytes: &mut Vec<u8>| bytes.truncate(1))]
#[case::half(|bytes: &mut Vec<u8>| bytes.truncate(bytes.len() / 2))]
#[case::first_page_only(|bytes: &mut Vec<u8>| bytes.truncate(4096))]
#[case::salt(|bytes: &mut Vec<u8>| bytes[3] ^= 1)]
#[case::header(|bytes: &mut Vec<u8>| bytes[40] ^= 1)]
#[case::zeros(|bytes: &mut Vec<u8>| bytes.fill(0))]
#[case::other_content(|bytes: &mut Vec<u8>| *bytes = b"no database ".repeat(1_000))]
fn one_that_does_not_open_is_removed(#[case] spoil: fn(&mut Vec<u8>)) {
    let folder = tempfile::tempdir().unwrap();
    drop(pull(folder.path()));
    let path = folder.path().join("roster.db");
    let mut bytes = fs::read(&path).unwrap();
    spoil(&mut bytes);
    fs::write(&path, bytes).unwrap();
    assert!(open(folder.path()).is_none());
    // And the next pull takes its place.
    assert_eq!(pull(folder.path()).counts().schools, SCHOOLS.unsigned_abs());
    assert_eq!(open(folder.path()).unwrap().schools().unwrap().len(), 3_000);
}

#[test]
fn one_of_another_key_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    drop(pull(folder.path()));
    assert!(Roster::open(&folder.path().join("roster.db"), &OTHER_KEY).unwrap().is_none());
    assert_eq!(files_in(folder.path()), [] as [std::path::PathBuf; 0]);
}

/// Flips a bit in the middle of the file, which is a page of schools.
fn spoil_the_middle(folder: &Path) {
    let path = folder.join("roster.db");
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).unwrap();
}

#[test]
fn one_that_turns_out_damaged_while_it_is_read_is_not_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    drop(pull(folder.path()));
    spoil_the_middle(folder.path());
    let roster = open(folder.path()).unwrap();
    assert_eq!(roster.schools().unwrap_err().code(), "store.corrupt");
    drop(roster);
    // A pull must not go on from it: it would carry the damage along.
    assert!(open(folder.path()).is_none());
    assert_eq!(files_in(folder.path()), [] as [std::path::PathBuf; 0]);
}

#[test]
fn a_pull_that_takes_the_place_of_a_damaged_roster_is_a_good_one() {
    let folder = tempfile::tempdir().unwrap();
    drop(pull(folder.path()));
    spoil_the_middle(folder.path());
    open(folder.path()).unwrap().schools().unwrap_err();
    drop(pull(folder.path()));
    assert_eq!(open(folder.path()).unwrap().schools().unwrap().len(), 3_000);
    assert_eq!(files_in(folder.path()), [folder.path().join("roster.db")]);
}

#[test]
fn a_reader_is_not_kept_waiting_by_a_pull() {
    let folder = tempfile::tempdir().unwrap();
    drop(pull(folder.path()));
    let mut staging = RosterStaging::create(folder.path(), &KEY).unwrap();
    for number in 1..=SCHOOLS {
        staging.insert(&[school(number)]).unwrap();
        if number % 1_000 == 0 {
            // Neither one that opens it now nor what it reads.
            assert_eq!(open(folder.path()).unwrap().schools().unwrap().len(), 3_000);
        }
    }
}
