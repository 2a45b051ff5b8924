//! Records out of an answer of any size, as it arrives.
//!
//! [`RecordSplitter`] finds the elements of the top-level `record` in chunks of bytes and never holds more than one
//! record and one chunk; [`Fields`] reads the columns of one of them.

mod fields;

use crate::error::AnswerProblem;

pub(crate) use fields::{Cell, MOST_COLUMNS, absent, column_named};
pub use fields::{FieldError, FieldProblem, Fields};

/// The largest record accepted, in bytes. PowerSchool's rows have a few hundred; an unbounded one would be a way to
/// exhaust memory.
const MAX_RECORD: usize = 1 << 20;

/// The key of an answer's data version (PowerSchool: beside `record`, since 9.3).
const DATA_VERSION: &[u8] = b"$dataversion";

/// What a [`RecordSplitter`] hands its records to.
pub(crate) trait Records {
    /// Why no more records are wanted, or why the answer can't be read.
    type Error: From<AnswerProblem>;

    /// A record begins here and may be among these bytes as a whole: its length, if it was taken at once.
    fn begins(&mut self, bytes: &[u8]) -> Result<Option<usize>, Self::Error>;

    /// A record that was not taken when it began, as the bytes of a JSON object.
    fn complete(&mut self, record: &[u8]) -> Result<(), Self::Error>;
}

/// Where the splitter stands in the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Before the outermost `{`.
    Start,
    /// Inside the outermost object, before a key.
    Key,
    /// Inside a key of the outermost object.
    InKey { escaped: bool },
    /// Behind such a key, before the colon.
    Colon,
    /// Before the value of such a key.
    Value,
    /// Inside a value that is of no interest. `depth` counts open braces and brackets.
    Skipping { depth: u32 },
    /// Inside a string of such a value.
    SkippingText { depth: u32, escaped: bool },
    /// Behind a value of the outermost object.
    AfterValue,
    /// Inside the list of records, between two of them.
    Records,
    /// Inside a record. `alone` when it is not in a list.
    Record { depth: u32, alone: bool },
    /// Inside a string of a record.
    RecordText { depth: u32, alone: bool, escaped: bool },
    /// Behind the outermost `}`.
    End,
}

/// Finds the records of an answer, `{"name":…,"record":[{…},{…}],…}`, in the chunks it arrives in.
///
/// PowerSchool leaves `record` out when there are none, or sends `""` or `null`, and sends the bare object when there
/// is one.
pub(crate) struct RecordSplitter {
    place: Place,
    key: Vec<u8>,
    /// The part of a record that earlier chunks held.
    pending: Vec<u8>,
    /// The value of [`DATA_VERSION`], as far as it has come.
    data_version: Vec<u8>,
}

impl RecordSplitter {
    pub(crate) const fn new() -> Self {
        Self { place: Place::Start, key: Vec::new(), pending: Vec::new(), data_version: Vec::new() }
    }

    /// The data version the answer is of, where it has one: a number, or a number as text.
    pub(crate) fn data_version(&self) -> Option<u64> {
        std::str::from_utf8(&self.data_version).ok()?.trim().parse().ok()
    }

    /// Keeps a byte of a value outside the records, if it is the data version's.
    fn keep(&mut self, byte: u8) {
        if self.key == DATA_VERSION && self.data_version.len() < 32 {
            self.data_version.push(byte);
        }
    }

    /// Takes the next chunk and hands every record completed by it to `records`.
    pub(crate) fn push<R: Records>(&mut self, chunk: &[u8], records: &mut R) -> Result<(), R::Error> {
        let mut record_start = 0;
        let mut at = 0;
        while at < chunk.len() {
            let byte = chunk[at];
            self.place = match self.place {
                // By far the most bytes are inside records: these two run ahead to the next byte that matters.
                Place::Record { depth, alone } => match byte {
                    b'"' => Place::RecordText { depth, alone, escaped: false },
                    b'{' | b'[' => Place::Record { depth: depth + 1, alone },
                    b'}' | b']' if depth > 1 => Place::Record { depth: depth - 1, alone },
                    b'}' => {
                        let last = &chunk[record_start..=at];
                        if self.pending.is_empty() {
                            records.complete(last)?;
                        } else {
                            self.pending.extend_from_slice(last);
                            records.complete(&self.pending)?;
                            self.pending.clear();
                        }
                        if alone { Place::AfterValue } else { Place::Records }
                    }
                    b']' => return Err(AnswerProblem::NotJson.into()),
                    _ => self.place,
                },
                Place::RecordText { depth, alone, escaped: false } => {
                    while at < chunk.len() && chunk[at] != b'"' && chunk[at] != b'\\' {
                        at += 1;
                    }
                    match chunk.get(at) {
                        Some(b'"') => Place::Record { depth, alone },
                        Some(_) => Place::RecordText { depth, alone, escaped: true },
                        None => break,
                    }
                }
                Place::RecordText { depth, alone, escaped: true } => {
                    Place::RecordText { depth, alone, escaped: false }
                }
                Place::InKey { escaped: false } if byte == b'"' => Place::Colon,
                Place::InKey { escaped } => {
                    if self.key.len() < MAX_RECORD {
                        self.key.push(byte);
                    }
                    Place::InKey { escaped: byte == b'\\' && !escaped }
                }
                Place::SkippingText { depth, escaped: true } => Place::SkippingText { depth, escaped: false },
                Place::SkippingText { depth, escaped: false } => match byte {
                    b'"' if depth == 0 => Place::AfterValue,
                    b'"' => Place::Skipping { depth },
                    b'\\' => Place::SkippingText { depth, escaped: true },
                    _ => {
                        self.keep(byte);
                        self.place
                    }
                },
                Place::Skipping { depth } => match byte {
                    b'"' => Place::SkippingText { depth, escaped: false },
                    b'{' | b'[' => Place::Skipping { depth: depth + 1 },
                    // A bare number, `true` or `null` ends with what follows it.
                    b',' if depth == 0 => Place::Key,
                    b'}' if depth == 0 => Place::End,
                    b'}' | b']' if depth == 1 => Place::AfterValue,
                    b'}' | b']' if depth > 1 => Place::Skipping { depth: depth - 1 },
                    b']' => return Err(AnswerProblem::NotJson.into()),
                    _ => {
                        self.keep(byte);
                        self.place
                    }
                },
                _ if byte.is_ascii_whitespace() => self.place,
                // A byte-order mark is no part of JSON, but some gateways send one.
                Place::Start if matches!(byte, 0xEF | 0xBB | 0xBF) => Place::Start,
                Place::Start if byte == b'{' => Place::Key,
                Place::Key if byte == b'"' => {
                    self.key.clear();
                    Place::InKey { escaped: false }
                }
                Place::Colon if byte == b':' => Place::Value,
                Place::Value => {
                    let is_records = self.key == b"record";
                    match byte {
                        b'[' if is_records => Place::Records,
                        b'{' if is_records => {
                            record_start = at;
                            Place::Record { depth: 1, alone: true }
                        }
                        b'{' | b'[' => Place::Skipping { depth: 1 },
                        b'"' => Place::SkippingText { depth: 0, escaped: false },
                        _ => {
                            self.keep(byte);
                            Place::Skipping { depth: 0 }
                        }
                    }
                }
                Place::AfterValue if byte == b',' => Place::Key,
                Place::Key | Place::AfterValue if byte == b'}' => Place::End,
                Place::Records if byte == b'{' => {
                    if let Some(length) = records.begins(&chunk[at..])? {
                        at += length;
                        continue;
                    }
                    record_start = at;
                    Place::Record { depth: 1, alone: false }
                }
                Place::Records if byte == b',' => Place::Records,
                Place::Records if byte == b']' => Place::AfterValue,
                _ => return Err(AnswerProblem::NotJson.into()),
            };
            at += 1;
        }
        if matches!(self.place, Place::Record { .. } | Place::RecordText { .. }) {
            self.pending.extend_from_slice(&chunk[record_start..]);
            if self.pending.len() > MAX_RECORD {
                return Err(AnswerProblem::TooLarge.into());
            }
        }
        Ok(())
    }

    /// Ends the answer: it is an error when it stops in the middle.
    pub(crate) fn finish(&self) -> Result<(), AnswerProblem> {
        match self.place {
            Place::End => Ok(()),
            Place::Start => Err(AnswerProblem::NotJson),
            _ => Err(AnswerProblem::Incomplete),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    /// Hands over every record as a whole.
    struct Whole<F>(F);

    impl<F: FnMut(&[u8]) -> Result<(), AnswerProblem>> Records for Whole<F> {
        type Error = AnswerProblem;

        fn begins(&mut self, _: &[u8]) -> Result<Option<usize>, AnswerProblem> {
            Ok(None)
        }

        fn complete(&mut self, record: &[u8]) -> Result<(), AnswerProblem> {
            (self.0)(record)
        }
    }

    /// The records of an answer that arrives in pieces of `size` bytes.
    fn split(answer: &[u8], size: usize) -> Result<Vec<Value>, AnswerProblem> {
        let mut records = Vec::new();
        let mut splitter = RecordSplitter::new();
        for chunk in answer.chunks(size) {
            splitter.push(
                chunk,
                &mut Whole(|record: &[u8]| {
                    records.push(serde_json::from_slice(record).map_err(|_| AnswerProblem::NotJson)?);
                    Ok(())
                }),
            )?;
        }
        splitter.finish()?;
        Ok(records)
    }

    #[rstest]
    #[case::several(r#"{"name":"x","record":[{"a":1},{"a":2}],"@extensions":""}"#, json!([{"a":1},{"a":2}]))]
    #[case::a_single_object(r#"{"record":{"a":{"b":[1,{"c":"}"}]}}}"#, json!([{"a":{"b":[1,{"c":"}"}]}}]))]
    #[case::absent(r#"{"name":"x","@extensions":""}"#, json!([]))]
    #[case::empty_text(r#"{"record":"","name":"x"}"#, json!([]))]
    #[case::null(r#"{"record":null}"#, json!([]))]
    #[case::empty_list(r#"{"record":[ ]}"#, json!([]))]
    #[case::nothing("{}", json!([]))]
    #[case::inside_another_member(r#"{"meta":{"record":[{"a":1}]},"record":[{"a":2}]}"#, json!([{"a":2}]))]
    #[case::quotes_and_brackets_in_text(
        r#"{"record":[{"a":"\"}]{[\\"},{"a":"\u00e9"}]}"#,
        json!([{"a":"\"}]{[\\"},{"a":"é"}])
    )]
    #[case::bare_members(r#"{"count":12,"more":true,"record":[{"a":1}],"n":-1.5e3}"#, json!([{"a":1}]))]
    #[case::spaced(" \r\n{ \"record\" : [ {\"a\":1} , {\"a\":2} ] } \n", json!([{"a":1},{"a":2}]))]
    #[case::byte_order_mark("\u{feff}{\"record\":[{\"a\":1}]}", json!([{"a":1}]))]
    fn finds_records_in_pieces_of_any_size(#[case] answer: &str, #[case] expected: Value) {
        for size in 1..=answer.len() {
            assert_eq!(
                split(answer.as_bytes(), size).map(Value::Array),
                Ok(expected.clone()),
                "pieces of {size}"
            );
        }
    }

    #[rstest]
    #[case::html("<html></html>", AnswerProblem::NotJson)]
    #[case::a_list("[]", AnswerProblem::NotJson)]
    #[case::empty("", AnswerProblem::NotJson)]
    #[case::text_between_records(r#"{"record":[{"a":1} x]}"#, AnswerProblem::NotJson)]
    #[case::more_behind_the_end(r#"{"record":[]} {"#, AnswerProblem::NotJson)]
    #[case::cut_in_a_record(r#"{"record":[{"a":1},{"a"#, AnswerProblem::Incomplete)]
    #[case::cut_between_records(r#"{"record":[{"a":1}"#, AnswerProblem::Incomplete)]
    #[case::cut_behind_the_records(r#"{"record":[{"a":1}]"#, AnswerProblem::Incomplete)]
    fn says_what_is_wrong(#[case] answer: &str, #[case] problem: AnswerProblem) {
        for size in 1..=answer.len().max(1) {
            assert_eq!(split(answer.as_bytes(), size), Err(problem.clone()), "pieces of {size}");
        }
    }

    #[test]
    fn a_record_without_end_does_not_fill_the_memory() {
        let mut splitter = RecordSplitter::new();
        let endless = vec![b'a'; 64 << 10];
        let mut ignored = Whole(|_: &[u8]| Ok(()));
        let begun = splitter.push(br#"{"record":[{"a":""#, &mut ignored);
        assert_eq!(begun, Ok(()));
        let refused = (0..64).find_map(|_| splitter.push(&endless, &mut ignored).err());
        assert_eq!(refused, Some(AnswerProblem::TooLarge));
    }

    const COLUMNS: &[&str] = &["number", "name"];

    proptest! {
        /// Whatever text a column holds, and however the answer is cut, the text comes out as it was.
        #[test]
        fn text_survives_any_cut(
            texts in prop::collection::vec(".*", 0..6),
            size in 1_usize..64,
            number in any::<i64>(),
        ) {
            let records: Vec<Value> =
                texts.iter().map(|text| json!({"number": number.to_string(), "name": text})).collect();
            let answer = json!({"name": "x{[\"", "record": records, "@extensions": ""}).to_string();
            let mut read = Vec::new();
            let mut splitter = RecordSplitter::new();
            for chunk in answer.as_bytes().chunks(size) {
                splitter.push(chunk, &mut Whole(|record: &[u8]| {
                    let row = Fields::of_record(record, COLUMNS, |fields| Ok((fields.integer()?, fields.text()?)));
                    read.push(row.map_err(|_| AnswerProblem::NotJson)?);
                    Ok(())
                })).unwrap();
            }
            prop_assert_eq!(splitter.finish(), Ok(()));
            let expected: Vec<(i64, String)> = texts.into_iter().map(|text| (number, text)).collect();
            prop_assert_eq!(read, expected);
        }

        /// Whatever a server sends, it is the records and an end, or an error; and the cut makes no difference.
        #[test]
        fn any_bytes_give_the_same_in_any_cut(
            bytes in prop::collection::vec(prop::sample::select(&b"{}[]\":,\\ record1n"[..]), 0..80),
            size in 1_usize..32,
        ) {
            let mut answer = br#"{"record":"#.to_vec();
            answer.extend(bytes);
            prop_assert_eq!(split(&answer, size), split(&answer, answer.len()));
        }
    }
}
