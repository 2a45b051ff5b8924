//! Reading records that look like the one before them.
//!
//! The records of an answer differ in their values only: the same keys in the same order, the same nesting, the same
//! spaces. A [`Shape`] is what one record has besides its values. The next one is compared with it piece by piece,
//! which finds its end and its values in one pass; whatever does not fit is left to the general reading, and comes to
//! the same result there.

use crate::records::{Cell, FieldError, Fields, MOST_COLUMNS, column_named};

/// Values of a record that are looked at, wanted or not. A record of more has no shape.
const MOST_VALUES: usize = 40;

/// What a record has besides its values.
pub(crate) struct Shape {
    columns: &'static [&'static str],
    values: Vec<Place>,
    /// Behind the last value.
    end: Box<[u8]>,
}

/// Where a value stands.
struct Place {
    /// Everything between the value before and this one: comma, key, colon, and what is opened.
    before: Box<[u8]>,
    /// The wanted column it is of, if any.
    column: Option<usize>,
}

/// A value, by its bytes in the record.
#[derive(Clone, Copy)]
enum Found {
    Null,
    Integer(i64),
    Text { start: usize, end: usize },
}

impl Shape {
    /// The shape of a record that has been read, with the columns wanted from the next ones. `None` where there is more
    /// to it than columns, flat or in `tables.TABLE`.
    pub(crate) fn of(record: &[u8], columns: &'static [&'static str]) -> Option<Self> {
        if columns.len() > MOST_COLUMNS {
            return None;
        }
        let mut shape = Self { columns, values: Vec::new(), end: Box::default() };
        // Keys of the objects that are open, without the record itself.
        let mut path: Vec<&[u8]> = Vec::new();
        let mut key: Option<&[u8]> = None;
        let mut opened = false;
        let mut done = 0;
        let mut at = 0;
        while let Some(&byte) = record.get(at) {
            match (byte, key) {
                (b' ' | b'\t' | b'\r' | b'\n' | b':' | b',', _) => at += 1,
                (b'{', None) if !opened => {
                    opened = true;
                    at += 1;
                }
                (b'{', Some(name)) => {
                    // The columns are in `tables`, in an object of whatever name.
                    if path.len() > 1 || path.is_empty() && name != b"tables" {
                        return None;
                    }
                    path.push(name);
                    key = None;
                    at += 1;
                }
                (b'}', None) => {
                    path.pop();
                    at += 1;
                }
                (b'"', None) => {
                    let end = plain_text_end(record, at + 1)?;
                    key = record.get(at + 1..end);
                    at = end + 1;
                }
                (_, Some(name)) => {
                    // `tables`, or a table's name, with a value instead of an object.
                    let no_table = path.len() == 1 || path.is_empty() && name == b"tables";
                    if no_table || shape.values.len() == MOST_VALUES {
                        return None;
                    }
                    let before = record.get(done..at)?.into();
                    let column = std::str::from_utf8(name).ok().and_then(|name| column_named(columns, name));
                    shape.values.push(Place { before, column });
                    done = value_end(record, at)?;
                    at = done;
                    key = None;
                }
                _ => return None,
            }
        }
        shape.end = record.get(done..)?.into();
        Some(shape)
    }

    /// Reads the record that `bytes` begin with, if it is of this shape and there as a whole; its length, and what
    /// `read` made of its columns.
    pub(crate) fn read<R>(
        &self,
        bytes: &[u8],
        read: impl FnOnce(&mut Fields<'_, '_>) -> Result<R, FieldError>,
    ) -> Option<(usize, Result<R, FieldError>)> {
        let mut found = [Found::Null; MOST_VALUES];
        let mut at = 0;
        for (place, found) in self.values.iter().zip(&mut found) {
            at = behind(bytes, at, &place.before)?;
            match *bytes.get(at)? {
                b'"' => {
                    let (start, end) = (at + 1, plain_text_end(bytes, at + 1)?);
                    *found = Found::Text { start, end };
                    at = end + 1;
                }
                b'n' => {
                    *found = Found::Null;
                    at = behind(bytes, at, b"null")?;
                }
                b'1'..=b'9' => {
                    let (number, end) = integer_at(bytes, at)?;
                    *found = Found::Integer(number);
                    at = end;
                }
                _ => return None,
            }
        }
        at = behind(bytes, at, &self.end)?;
        // Checked as a whole, which is faster than text by text.
        let record = std::str::from_utf8(bytes.get(..at)?).ok()?;
        let mut cells: [Cell<'_>; MOST_COLUMNS] = [const { Cell::Null }; MOST_COLUMNS];
        for (place, found) in self.values.iter().zip(found) {
            if let Some(cell) = place.column.and_then(|column| cells.get_mut(column)) {
                *cell = match found {
                    Found::Null => Cell::Null,
                    Found::Integer(number) => Cell::Integer(number),
                    Found::Text { start, end } => Cell::Text(record.get(start..end)?.into()),
                };
            }
        }
        let row = read(&mut Fields::new(self.columns, cells.get_mut(..self.columns.len())?));
        Some((at, row))
    }
}

/// The place behind `expected`, if that is what stands at `at`.
fn behind(bytes: &[u8], at: usize, expected: &[u8]) -> Option<usize> {
    bytes.get(at..)?.starts_with(expected).then_some(at + expected.len())
}

/// The place of the quotation mark that ends a text which is all that it says: no escapes, and none of the characters
/// that JSON wants escaped.
fn plain_text_end(bytes: &[u8], start: usize) -> Option<usize> {
    let length = bytes.get(start..)?.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f))?;
    (bytes.get(start + length) == Some(&b'"')).then_some(start + length)
}

/// A whole number that certainly fits, and the place behind it.
fn integer_at(bytes: &[u8], start: usize) -> Option<(i64, usize)> {
    let digits = bytes.get(start..)?.iter().take(18).take_while(|byte| byte.is_ascii_digit());
    let (mut number, mut end) = (0, start);
    for digit in digits {
        number = number * 10 + i64::from(digit - b'0');
        end += 1;
    }
    // More digits, a fraction or an exponent: not what is looked for here. At the end of the bytes more may follow.
    matches!(bytes.get(end)?, b',' | b'}' | b' ' | b'\t' | b'\r' | b'\n').then_some((number, end))
}

/// The place behind a value that is neither an object nor a list.
fn value_end(record: &[u8], start: usize) -> Option<usize> {
    let rest = record.get(start..)?;
    match rest.first()? {
        b'"' => {
            let mut escaped = false;
            let length = rest.iter().skip(1).position(|byte| {
                let ends = *byte == b'"' && !escaped;
                escaped = *byte == b'\\' && !escaped;
                ends
            })?;
            Some(start + length + 2)
        }
        b'{' | b'[' => None,
        _ => {
            let ends = |byte: &u8| matches!(byte, b',' | b'}' | b' ' | b'\t' | b'\r' | b'\n');
            Some(start + rest.iter().position(ends)?)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;
    use crate::records::FieldProblem;

    const COLUMNS: &[&str] = &["number", "name"];
    type Row = (Option<i64>, String);

    fn row(fields: &mut Fields<'_, '_>) -> Result<Row, FieldError> {
        Ok((fields.optional_integer()?, fields.text()?))
    }

    /// What the shape of `first` makes of `second`.
    fn by_shape(first: &str, second: &str) -> Option<(usize, Result<Row, FieldError>)> {
        Shape::of(first.as_bytes(), COLUMNS)?.read(second.as_bytes(), row)
    }

    #[rstest]
    #[case::flat(r#"{"number":"1","name":"a"}"#, r#"{"number":"27","name":"Zoë"}"#, (Some(27), "Zoë"))]
    #[case::other_order(r#"{"name":"a","number":"1"}"#, r#"{"name":"","number":null}"#, (None, ""))]
    #[case::other_case(r#"{"NAME":"a","Number":1}"#, r#"{"NAME":"b","Number":"2"}"#, (Some(2), "b"))]
    #[case::spaced(r#"{ "number" : 1, "name" : "a" }"#, r#"{ "number" : 2, "name" : "b" }"#, (Some(2), "b"))]
    #[case::more_values(r#"{"x":1.5,"number":1,"name":"a"}"#, r#"{"x":3,"number":2,"name":"b"}"#, (Some(2), "b"))]
    #[case::a_table_row(
        r#"{"id":1,"name":"Students","tables":{"students":{"number":"1","name":"a"}}}"#,
        r#"{"id":2,"name":"Students","tables":{"students":{"number":"2","name":"b"}}}"#,
        (Some(2), "b")
    )]
    #[case::escapes_before(r#"{"number":"1","name":"\"\\"}"#, r#"{"number":"2","name":"b"}"#, (Some(2), "b"))]
    fn a_record_of_the_same_shape_is_read(
        #[case] first: &str,
        #[case] second: &str,
        #[case] expected: (Option<i64>, &str),
        #[values("", ",{", "]}")] behind: &str,
    ) {
        let expected = (expected.0, expected.1.to_owned());
        assert_eq!(by_shape(first, &format!("{second}{behind}")), Some((second.len(), Ok(expected))));
    }

    #[rstest]
    #[case::another_key(r#"{"number":"1","other":"a"}"#)]
    #[case::a_key_less(r#"{"number":"1"}"#)]
    #[case::a_key_more(r#"{"number":"1","name":"a","x":1}"#)]
    #[case::cut(r#"{"number":"1","name":"a""#)]
    #[case::cut_in_a_text(r#"{"number":"1","na"#)]
    #[case::an_escape(r#"{"number":"1","name":"\u00e9"}"#)]
    #[case::a_raw_line_break("{\"number\":\"1\",\"name\":\"a\nb\"}")]
    #[case::a_fraction(r#"{"number":1.5,"name":"a"}"#)]
    #[case::a_leading_zero(r#"{"number":01,"name":"a"}"#)]
    #[case::nineteen_digits(r#"{"number":1234567890123456789,"name":"a"}"#)]
    #[case::a_flag(r#"{"number":true,"name":"a"}"#)]
    #[case::an_object(r#"{"number":{},"name":"a"}"#)]
    fn what_does_not_fit_is_left_to_the_general_reading(#[case] second: &str) {
        assert_eq!(by_shape(r#"{"number":"1","name":"a"}"#, second), None);
    }

    #[rstest]
    #[case::a_list(r#"{"number":[1],"name":"a"}"#)]
    #[case::an_object_elsewhere(r#"{"x":{"number":1},"name":"a"}"#)]
    #[case::tables_of_values(r#"{"tables":{"students":"1"}}"#)]
    #[case::tables_as_a_value(r#"{"tables":1}"#)]
    #[case::too_deep(r#"{"tables":{"students":{"number":{"x":1}}}}"#)]
    fn a_record_of_more_than_columns_has_no_shape(#[case] record: &str) {
        assert!(Shape::of(record.as_bytes(), COLUMNS).is_none());
    }

    #[test]
    fn a_wrong_value_is_named_as_in_the_general_reading() {
        let (_, row) = by_shape(r#"{"number":"1","name":"a"}"#, r#"{"number":"x","name":"a"}"#).unwrap();
        assert_eq!(row, Err(FieldError { field: "number", problem: FieldProblem::NotANumber }));
    }

    fn value() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<bool>().prop_map(Value::from),
            ".{0,12}".prop_map(Value::from),
            "-?[0-9]{1,20}".prop_map(Value::from),
            Just(json!({"number": 1})),
            Just(json!([])),
        ]
    }

    fn record() -> impl Strategy<Value = Value> {
        let columns = prop::collection::vec(("number|name|NAME|x|tables", value()), 0..4)
            .prop_map(|members| Value::Object(members.into_iter().collect()));
        (columns, any::<bool>()).prop_map(|(columns, nested)| {
            if nested { json!({"id": 1, "tables": {"students": columns}}) } else { columns }
        })
    }

    proptest! {
        /// Whatever two records are like: where the shape of one reads the other, the general reading agrees.
        #[test]
        fn the_shape_agrees_with_the_general_reading(first in record(), second in record()) {
            let (first, second) = (first.to_string(), second.to_string());
            for of in [&first, &second] {
                if let Some((length, read)) = by_shape(of, &second) {
                    prop_assert_eq!(length, second.len());
                    prop_assert_eq!(read, Fields::of_record(second.as_bytes(), COLUMNS, row));
                }
            }
        }

        /// Bytes that are no record at all, or a spoilt one, are never taken for one.
        #[test]
        fn a_spoilt_record_is_refused_or_read_alike(
            at in 0_usize..60,
            byte in prop::sample::select(&b"{}[]\":,\\ nul1.-\x01\xc3\x80"[..]),
        ) {
            let first = r#"{"id":1,"tables":{"t":{"number":12,"name":"Zo\u00eb","x":null}}}"#;
            let mut second = r#"{"id":1,"tables":{"t":{"number":12,"name":"Zoë","x":null}}}"#.as_bytes().to_vec();
            let place = at % second.len();
            second[place] = byte;
            let shape = Shape::of(first.as_bytes(), COLUMNS).unwrap();
            if let Some((length, read)) = shape.read(&second, row) {
                prop_assert_eq!(length, second.len());
                prop_assert_eq!(read, Fields::of_record(&second, COLUMNS, row));
            }
        }
    }
}
