//! Any bytes as an answer of PowerSchool, in pieces whose size the first byte gives. However it is cut, it holds the same
//! records.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rosterbridge_powerschool::fuzzing::records;

fuzz_target!(|input: &[u8]| {
    let Some((size, answer)) = input.split_first() else { return };
    let whole = records(answer, answer.len());
    assert_eq!(records(answer, usize::from(*size)), whole);
});
