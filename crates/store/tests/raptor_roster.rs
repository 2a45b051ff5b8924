//! What Raptor has, as the accepted roster files told it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is how a test fails")]

mod support;

use proptest::prelude::*;
use rosterbridge_domain::{
    id::{SchoolNumber, StudentNumber},
    job::{FileReceipt, JobId},
};
use rosterbridge_store::{
    Ledger,
    ledger::{ELSEWHERE, LEFT, RaptorRoster, RaptorStudents, SentRosters, StagedRoster},
};
use support::{Fixture, KEY, at};

fn students(numbers: &[i64]) -> RaptorStudents {
    let mut students = RaptorStudents::default();
    for number in numbers {
        students.push(StudentNumber::new(*number), [number.to_le_bytes()[0]; 16]);
    }
    students
}

fn roster(building: &str, numbers: &[i64]) -> RaptorRoster {
    RaptorRoster {
        building: building.to_owned(),
        school: SchoolNumber::new(100),
        students: students(numbers),
    }
}

fn receipt(name: &str) -> FileReceipt {
    FileReceipt { name: name.to_owned(), rows: 3, bytes: 90, sha256: "ab".repeat(32) }
}

fn staged(building: &str, numbers: &[i64]) -> StagedRoster {
    StagedRoster {
        roster: roster(building, numbers),
        destination: "folder".to_owned(),
        receipt: receipt(&format!("roster/{building} changes 2026-09-30 160000.csv")),
    }
}

fn sent<'a>(rosters: &'a [RaptorRoster], uploads: &'a [FileReceipt]) -> SentRosters<'a> {
    SentRosters { rosters, in_table: None, uploads }
}

#[test]
fn what_raptor_has_is_replaced_building_by_building_and_counted() {
    let Fixture { ledger, run, folder: _folder } = Fixture::new();
    assert_eq!(
        (ledger.raptor_rosters().unwrap(), ledger.raptor_revision().unwrap()),
        (vec![], String::new())
    );
    assert_eq!(ledger.raptor_accepted_at().unwrap(), None);
    let (north, south) = (roster("north", &[4, 9, 9]), roster("south", &[]));
    let both = [north.clone(), south.clone()];
    let files = [receipt("roster/North.csv"), receipt("roster/South.csv")];
    assert!(ledger.accept_raptor_rosters(run, sent(&both, &files), at(5)).unwrap());
    assert_eq!(ledger.raptor_rosters().unwrap(), both);
    assert_eq!(ledger.raptor_accepted_at().unwrap(), Some(at(5)));
    assert_eq!(
        ledger.last_upload(JobId::RAPTOR_ROSTER, "roster/South.csv").unwrap().unwrap().receipt,
        files[1]
    );
    let first = ledger.raptor_revision().unwrap();

    // Nothing is different: nothing is written.
    assert!(!ledger.accept_raptor_rosters(run, sent(&both, &[]), at(6)).unwrap());
    assert_eq!(ledger.raptor_revision().unwrap(), first);
    assert_eq!(ledger.raptor_accepted_at().unwrap(), Some(at(5)));

    let fewer = roster("north", &[4]);
    assert!(ledger.accept_raptor_rosters(run, sent(std::slice::from_ref(&fewer), &[]), at(7)).unwrap());
    assert_eq!(ledger.raptor_rosters().unwrap(), [fewer.clone(), south.clone()]);
    assert_ne!(ledger.raptor_revision().unwrap(), first);

    // The same students at another school are a change.
    let moved = RaptorRoster { school: SchoolNumber::new(200), ..fewer };
    assert!(ledger.accept_raptor_rosters(run, sent(std::slice::from_ref(&moved), &[]), at(8)).unwrap());

    // A building whose row was deleted is forgotten.
    let second = ledger.raptor_revision().unwrap();
    let in_table = ["north".to_owned()];
    let only = SentRosters { rosters: &[], in_table: Some(&in_table), uploads: &[] };
    assert!(ledger.accept_raptor_rosters(run, only, at(9)).unwrap());
    assert_eq!(ledger.raptor_rosters().unwrap(), [moved]);
    assert_ne!(ledger.raptor_revision().unwrap(), second);

    ledger.forget_exchange().unwrap();
    assert_eq!(ledger.raptor_rosters().unwrap(), []);
}

#[test]
fn staged_files_stay_until_something_is_accepted() {
    let Fixture { ledger, run, folder: _folder } = Fixture::new();
    assert_eq!(ledger.staged_raptor_rosters().unwrap(), []);
    ledger.stage_raptor_rosters(&[staged("west", &[1])]).unwrap();
    let files = [staged("north", &[4, 9]), staged("south", &[7])];
    ledger.stage_raptor_rosters(&files).unwrap();
    assert_eq!(ledger.staged_raptor_rosters().unwrap(), files);
    assert_eq!(ledger.raptor_rosters().unwrap(), []);
    let north = [files[0].roster.clone()];
    assert!(ledger.accept_raptor_rosters(run, sent(&north, &[]), at(5)).unwrap());
    assert_eq!(ledger.staged_raptor_rosters().unwrap(), []);
    assert_eq!(ledger.raptor_rosters().unwrap(), north);
}

#[test]
fn a_restored_ledger_knows_who_was_told_and_not_what() {
    let Fixture { ledger, run, folder } = Fixture::new();
    let mut away = students(&[4, 9]);
    away.push(StudentNumber::new(12), ELSEWHERE);
    away.push(StudentNumber::new(13), LEFT);
    let told = [RaptorRoster { students: away, ..roster("north", &[]) }, roster("south", &[])];
    assert!(told.iter().all(|roster| !roster.students.are_of_a_backup()));
    ledger.accept_raptor_rosters(run, sent(&told, &[]), at(5)).unwrap();
    ledger.stage_raptor_rosters(&[staged("north", &[4])]).unwrap();
    let revision = ledger.raptor_revision().unwrap();
    let path = folder.path().join("ledger.db");
    let backups = Ledger::backups_beside(&path);
    ledger.back_up(&backups, &KEY, at(6), 7).unwrap();
    drop(ledger);

    Ledger::restore_latest(&path, &backups, &KEY, at(9)).unwrap();
    let ledger = Ledger::open(&path, &KEY, at(9)).unwrap();
    let known = ledger.raptor_rosters().unwrap();
    assert_eq!(ledger.staged_raptor_rosters().unwrap(), []);
    assert_ne!(ledger.raptor_revision().unwrap(), revision);
    let numbers = |roster: &RaptorRoster| -> Vec<i64> {
        roster.students.iter().map(|(number, _)| number.get()).collect()
    };
    assert_eq!(known.iter().map(numbers).collect::<Vec<_>>(), [vec![4, 9, 12, 13], vec![]]);
    let same = |(before, now): (_, _)| before == now;
    let kept: Vec<bool> = told[0].students.iter().zip(known[0].students.iter()).map(same).collect();
    assert_eq!(kept, [false, false, true, true], "who is elsewhere or has left is named by no file");
    assert_eq!(
        known.iter().map(|roster| roster.students.are_of_a_backup()).collect::<Vec<_>>(),
        [true, false]
    );
}

proptest! {
    #[test]
    fn students_come_back_as_they_went_in(
        mut numbers in proptest::collection::vec(prop_oneof![any::<i64>(), 1_i64..500_000], 0..60),
        digests in proptest::collection::vec(any::<[u8; 16]>(), 60),
    ) {
        numbers.sort_unstable();
        let mut students = RaptorStudents::default();
        for (number, digest) in numbers.iter().zip(&digests) {
            students.push(StudentNumber::new(*number), *digest);
        }
        prop_assert_eq!(students.len(), numbers.len() as u64);
        prop_assert_eq!(students.is_empty(), numbers.is_empty());
        let back: Vec<_> = students.iter().map(|(number, digest)| (number.get(), digest)).collect();
        let expected: Vec<_> = numbers.iter().copied().zip(digests).collect();
        prop_assert_eq!(back, expected);
    }
}

#[test]
fn a_list_comes_back_from_the_disk() {
    let Fixture { ledger, run, folder: _folder } = Fixture::new();
    let extremes = [roster("north", &[i64::MIN, -1, 0, 1, 127, 128, 16_384, i64::MAX])];
    ledger.accept_raptor_rosters(run, sent(&extremes, &[]), at(1)).unwrap();
    assert_eq!(ledger.raptor_rosters().unwrap(), extremes);
}
