//! The columns of one record, whatever PowerSchool renders their values as.

use std::{borrow::Cow, fmt, str::FromStr};

use chrono::NaiveDate;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Most columns a table is read with.
pub(crate) const MOST_COLUMNS: usize = 24;

/// A value of a record, as PowerSchool happens to render it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Cell<'de> {
    /// Absent or `null`.
    #[default]
    Null,
    /// A JSON number without fraction.
    Integer(i64),
    /// A JSON number with a fraction, or beyond 64 bits.
    Decimal(f64),
    /// `true` or `false`.
    Flag(bool),
    /// Text.
    Text(Cow<'de, str>),
    /// An object or a list, where a value belongs.
    Nested,
}

struct CellSeed;

impl<'de> DeserializeSeed<'de> for CellSeed {
    type Value = Cell<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Cell<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for CellSeed {
    type Value = Cell<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Cell<'de>, E> {
        Ok(Cell::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Cell<'de>, E> {
        Ok(Cell::Flag(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Cell<'de>, E> {
        Ok(Cell::Integer(value))
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "beyond 64 bits it is no id, and text keeps its size only"
    )]
    fn visit_u64<E>(self, value: u64) -> Result<Cell<'de>, E> {
        Ok(i64::try_from(value).map_or(Cell::Decimal(value as f64), Cell::Integer))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Cell<'de>, E> {
        Ok(Cell::Decimal(value))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Cell<'de>, E> {
        Ok(Cell::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Cell<'de>, E> {
        Ok(Cell::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Cell<'de>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Cell::Nested)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Cell<'de>, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Cell::Nested)
    }
}

/// A key of a record, without copying it where JSON allows.
struct KeySeed;

impl<'de> DeserializeSeed<'de> for KeySeed {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Cow<'de, str>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for KeySeed {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(value.to_owned()))
    }
}

/// Fills the cells of the wanted columns from a record: flat, as a flattened PowerQuery sends it, or with the columns
/// in `tables.TABLE`, as `/ws/schema/table` does.
struct RecordSeed<'a, 'de> {
    columns: &'static [&'static str],
    cells: &'a mut [Cell<'de>],
    /// How many objects deep the columns may still be.
    nesting: u8,
}

impl<'de> DeserializeSeed<'de> for RecordSeed<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for RecordSeed<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record")
    }

    /// An empty `tables` may be `""` or `null`.
    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        // Columns nearly always arrive in the order they were asked for.
        let mut expected = 0;
        while let Some(key) = map.next_key_seed(KeySeed)? {
            // `tables` holds one object per table, and that one the columns.
            if self.nesting == 2 && key == "tables" || self.nesting == 1 {
                let inner =
                    RecordSeed { columns: self.columns, cells: &mut *self.cells, nesting: self.nesting - 1 };
                map.next_value_seed(inner)?;
                continue;
            }
            let found = match self.columns.get(expected) {
                Some(column) if *column == key => Some(expected),
                _ => column_named(self.columns, &key),
            };
            match found {
                Some(column) => {
                    self.cells[column] = map.next_value_seed(CellSeed)?;
                    expected = column + 1;
                }
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// The place of a column; PowerSchool's own spelling of its name may differ in case.
pub(crate) fn column_named(columns: &[&str], name: &str) -> Option<usize> {
    columns.iter().position(|column| column.eq_ignore_ascii_case(name))
}

/// Which of `wanted` a record has no key for, flat or in `tables`. A record that is no JSON has what it has: reading
/// it will tell.
pub(crate) fn absent(record: &[u8], wanted: &[&'static str]) -> Vec<&'static str> {
    use serde_json::{Map, Value};

    fn has(record: &Map<String, Value>, column: &str) -> bool {
        record.keys().any(|key| key.eq_ignore_ascii_case(column))
    }

    let Ok(record) = serde_json::from_slice::<Map<String, Value>>(record) else { return Vec::new() };
    let tables: Vec<&Map<String, Value>> = match record.get("tables") {
        Some(Value::Object(tables)) => tables.values().filter_map(Value::as_object).collect(),
        _ => vec![&record],
    };
    wanted.iter().filter(|column| !tables.iter().any(|table| has(table, column))).copied().collect()
}

/// What is wrong with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldProblem {
    /// No value where one is required.
    #[error("has no value")]
    Missing,
    /// Not a whole number.
    #[error("is not a whole number")]
    NotANumber,
    /// Outside what the field can mean.
    #[error("is out of range")]
    OutOfRange,
    /// Not a date.
    #[error("is not a date")]
    NotADate,
    /// Neither yes nor no.
    #[error("is neither yes nor no")]
    NotAFlag,
    /// An object or a list.
    #[error("is not a single value")]
    Nested,
    /// The record as a whole is not JSON.
    #[error("cannot be read")]
    NotJson,
}

/// A field of a record that is not what PowerSchool documents. The value itself is not kept: it may be personal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} {problem}")]
pub struct FieldError {
    /// The column's name.
    pub field: &'static str,
    /// What is wrong with it.
    pub problem: FieldProblem,
}

/// The columns of one record, read one after the other in the order they are asked for.
///
/// Numbers may come as text and text as numbers; an absent column, `null` and `""` are the same.
pub struct Fields<'a, 'de> {
    columns: &'static [&'static str],
    cells: &'a mut [Cell<'de>],
    next: usize,
}

impl<'a, 'de> Fields<'a, 'de> {
    /// Reads the JSON object in `record` and hands its columns to `read`.
    pub(crate) fn of_record<R>(
        record: &'de [u8],
        columns: &'static [&'static str],
        read: impl FnOnce(&mut Fields<'_, 'de>) -> Result<R, FieldError>,
    ) -> Result<R, FieldError> {
        let mut cells: [Cell<'de>; MOST_COLUMNS] = [const { Cell::Null }; MOST_COLUMNS];
        let not_json = || FieldError { field: "record", problem: FieldProblem::NotJson };
        let cells = cells.get_mut(..columns.len()).ok_or_else(not_json)?;
        // Checked as a whole, which is faster than text by text.
        let record = std::str::from_utf8(record).map_err(|_| not_json())?;
        let mut deserializer = serde_json::Deserializer::from_str(record);
        RecordSeed { columns, cells: &mut *cells, nesting: 2 }
            .deserialize(&mut deserializer)
            .and_then(|()| deserializer.end())
            .map_err(|_| not_json())?;
        read(&mut Fields::new(columns, cells))
    }

    /// The cells of `columns`, in the same order.
    pub(crate) fn new(columns: &'static [&'static str], cells: &'a mut [Cell<'de>]) -> Self {
        Self { columns, cells, next: 0 }
    }

    fn take(&mut self) -> (&'static str, Cell<'de>) {
        let at = self.next;
        self.next += 1;
        match (self.columns.get(at), self.cells.get_mut(at)) {
            (Some(column), Some(cell)) => (column, std::mem::take(cell)),
            _ => ("record", Cell::Null),
        }
    }

    /// A whole number, if there is one.
    pub fn optional_integer(&mut self) -> Result<Option<i64>, FieldError> {
        let (field, cell) = self.take();
        let problem = match cell {
            Cell::Null => return Ok(None),
            Cell::Integer(value) => return Ok(Some(value)),
            Cell::Text(text) => match integer_of(&text).or_else(|| integer_of(text.trim())) {
                Some(value) => return Ok(Some(value)),
                None if text.trim().is_empty() => return Ok(None),
                None => FieldProblem::NotANumber,
            },
            Cell::Decimal(value) => match integer_of(&value.to_string()) {
                Some(value) => return Ok(Some(value)),
                None => FieldProblem::NotANumber,
            },
            Cell::Flag(_) => FieldProblem::NotANumber,
            Cell::Nested => FieldProblem::Nested,
        };
        Err(FieldError { field, problem })
    }

    /// A whole number.
    pub fn integer(&mut self) -> Result<i64, FieldError> {
        let field = self.upcoming();
        self.optional_integer()?.ok_or(FieldError { field, problem: FieldProblem::Missing })
    }

    /// A whole number that 0 stands for 'none' in (PowerSchool fills references that lead nowhere with 0).
    pub fn reference(&mut self) -> Result<Option<i64>, FieldError> {
        Ok(self.optional_integer()?.filter(|value| *value != 0))
    }

    /// Seconds since midnight.
    pub fn seconds(&mut self) -> Result<u32, FieldError> {
        let field = self.upcoming();
        let value = self.integer()?;
        u32::try_from(value)
            .ok()
            .filter(|seconds| *seconds <= 86_400)
            .ok_or(FieldError { field, problem: FieldProblem::OutOfRange })
    }

    /// Text, if there is any.
    pub fn optional_text<T: for<'t> From<Cow<'t, str>>>(&mut self) -> Result<Option<T>, FieldError> {
        let (field, cell) = self.take();
        Ok(match cell {
            Cell::Null => None,
            Cell::Text(text) if text.is_empty() => None,
            Cell::Text(text) => Some(text.into()),
            Cell::Integer(value) => Some(T::from(value.to_string().into())),
            Cell::Decimal(value) => Some(T::from(value.to_string().into())),
            Cell::Flag(value) => Some(T::from(value.to_string().into())),
            Cell::Nested => return Err(FieldError { field, problem: FieldProblem::Nested }),
        })
    }

    /// Text; empty when there is none.
    pub fn text<T: Default + for<'t> From<Cow<'t, str>>>(&mut self) -> Result<T, FieldError> {
        Ok(self.optional_text()?.unwrap_or_default())
    }

    /// A date, if there is one.
    pub fn optional_date(&mut self) -> Result<Option<NaiveDate>, FieldError> {
        let (field, cell) = self.take();
        match cell {
            Cell::Null => Ok(None),
            Cell::Text(text) if text.trim().is_empty() => Ok(None),
            Cell::Text(text) => match date_of(text.trim()) {
                Some(date) => Ok(Some(date)),
                None => Err(FieldError { field, problem: FieldProblem::NotADate }),
            },
            Cell::Nested => Err(FieldError { field, problem: FieldProblem::Nested }),
            Cell::Integer(_) | Cell::Decimal(_) | Cell::Flag(_) => {
                Err(FieldError { field, problem: FieldProblem::NotADate })
            }
        }
    }

    /// A date.
    pub fn date(&mut self) -> Result<NaiveDate, FieldError> {
        let field = self.upcoming();
        self.optional_date()?.ok_or(FieldError { field, problem: FieldProblem::Missing })
    }

    /// Yes or no; no value is no.
    pub fn flag(&mut self) -> Result<bool, FieldError> {
        let (field, cell) = self.take();
        match &cell {
            Cell::Null | Cell::Integer(0) | Cell::Flag(false) => Ok(false),
            Cell::Integer(1) | Cell::Flag(true) => Ok(true),
            Cell::Text(text) => match text.trim() {
                "" | "0" | "false" | "False" | "N" | "n" => Ok(false),
                "1" | "true" | "True" | "Y" | "y" => Ok(true),
                _ => Err(FieldError { field, problem: FieldProblem::NotAFlag }),
            },
            Cell::Integer(_) | Cell::Decimal(_) => Err(FieldError { field, problem: FieldProblem::NotAFlag }),
            Cell::Nested => Err(FieldError { field, problem: FieldProblem::Nested }),
        }
    }

    fn upcoming(&self) -> &'static str {
        self.columns.get(self.next).copied().unwrap_or("record")
    }
}

/// A whole number, also where a database writes it as `7.0`.
fn integer_of(text: &str) -> Option<i64> {
    // Nearly all are plain digits, too few to overflow.
    if (1..=18).contains(&text.len()) && text.bytes().all(|digit| digit.is_ascii_digit()) {
        return Some(text.bytes().fold(0, |number, digit| number * 10 + i64::from(digit - b'0')));
    }
    let whole = match text.split_once('.') {
        Some((whole, fraction)) if fraction.bytes().all(|digit| digit == b'0') => whole,
        Some(_) => return None,
        None => text,
    };
    i64::from_str(whole).ok()
}

/// A date as PowerSchool's API writes it, `YYYY-MM-DD`, also with a time behind it, or as its exports do,
/// `MM/DD/YYYY`.
fn date_of(text: &str) -> Option<NaiveDate> {
    // Nearly all are this long and of nothing but digits between the hyphens.
    if let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = text.as_bytes()
        && [y1, y2, y3, y4, m1, m2, d1, d2].iter().all(u8::is_ascii_digit)
    {
        let number =
            |digits: &[u8]| digits.iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0'));
        let year = i32::try_from(number(&[y1, y2, y3, y4])).ok()?;
        return NaiveDate::from_ymd_opt(year, number(&[m1, m2]), number(&[d1, d2]));
    }
    if let Some(date) = text.get(..10)
        && matches!(text.as_bytes().get(10), None | Some(b'T' | b' '))
        && let Some((year, rest)) = date.split_once('-')
        && year.len() == 4
        && let Some((month, day)) = rest.split_once('-')
    {
        return NaiveDate::from_ymd_opt(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?);
    }
    NaiveDate::parse_from_str(text, "%m/%d/%Y").ok()
}

#[cfg(test)]
#[expect(clippy::redundant_closure_for_method_calls, reason = "a method's lifetimes are not general enough")]
mod tests {
    use rstest::rstest;

    use super::*;

    const COLUMNS: &[&str] = &["number", "name"];

    fn read<T>(
        record: &str,
        read: fn(&mut Fields<'_, '_>) -> Result<T, FieldError>,
    ) -> Result<T, FieldProblem> {
        Fields::of_record(record.as_bytes(), COLUMNS, |fields| read(fields)).map_err(|error| error.problem)
    }

    #[rstest]
    #[case(r#"{"number":7}"#, Ok(7))]
    #[case(r#"{"number":"7"}"#, Ok(7))]
    #[case(r#"{"number":" 007 "}"#, Ok(7))]
    #[case(r#"{"number":"-7"}"#, Ok(-7))]
    #[case(r#"{"number":7.0}"#, Ok(7))]
    #[case(r#"{"number":"7.00"}"#, Ok(7))]
    #[case(r#"{"NUMBER":"7"}"#, Ok(7))]
    #[case(r#"{"name":"x","number":"7"}"#, Ok(7))]
    #[case(r#"{"id":1,"name":"Students","tables":{"students":{"number":"7","name":"x"}}}"#, Ok(7))]
    #[case(r#"{"number":"7.5"}"#, Err(FieldProblem::NotANumber))]
    #[case(r#"{"number":"seven"}"#, Err(FieldProblem::NotANumber))]
    #[case(r#"{"number":true}"#, Err(FieldProblem::NotANumber))]
    #[case(r#"{"number":99999999999999999999}"#, Err(FieldProblem::NotANumber))]
    #[case(r#"{"number":{"a":1}}"#, Err(FieldProblem::Nested))]
    #[case(r#"{"number":[1]}"#, Err(FieldProblem::Nested))]
    #[case(r#"{"number":null}"#, Err(FieldProblem::Missing))]
    #[case(r#"{"number":""}"#, Err(FieldProblem::Missing))]
    #[case("{}", Err(FieldProblem::Missing))]
    #[case(r#"{"tables":""}"#, Err(FieldProblem::Missing))]
    #[case(r#"{"number":7"#, Err(FieldProblem::NotJson))]
    fn reads_numbers(#[case] record: &str, #[case] expected: Result<i64, FieldProblem>) {
        assert_eq!(read(record, |fields| fields.integer()), expected);
    }

    #[rstest]
    #[case(r#"{"number":"2026-08-24"}"#, Ok(NaiveDate::from_ymd_opt(2026, 8, 24)))]
    #[case(r#"{"number":"2026-08-24T00:00:00"}"#, Ok(NaiveDate::from_ymd_opt(2026, 8, 24)))]
    #[case(r#"{"number":"2026-08-24 00:00:00.0"}"#, Ok(NaiveDate::from_ymd_opt(2026, 8, 24)))]
    #[case(r#"{"number":"08/24/2026"}"#, Ok(NaiveDate::from_ymd_opt(2026, 8, 24)))]
    #[case(r#"{"number":""}"#, Ok(None))]
    #[case("{}", Ok(None))]
    #[case(r#"{"number":"2026-02-30"}"#, Err(FieldProblem::NotADate))]
    #[case(r#"{"number":"2026-08-245"}"#, Err(FieldProblem::NotADate))]
    #[case(r#"{"number":20260824}"#, Err(FieldProblem::NotADate))]
    #[case(r#"{"number":"ééééé"}"#, Err(FieldProblem::NotADate))]
    fn reads_dates(#[case] record: &str, #[case] expected: Result<Option<NaiveDate>, FieldProblem>) {
        assert_eq!(read(record, |fields| fields.optional_date()), expected);
    }

    #[rstest]
    #[case(r#"{"number":1}"#, Ok(true))]
    #[case(r#"{"number":"1"}"#, Ok(true))]
    #[case(r#"{"number":true}"#, Ok(true))]
    #[case(r#"{"number":"0"}"#, Ok(false))]
    #[case(r#"{"number":null}"#, Ok(false))]
    #[case(r#"{"number":"perhaps"}"#, Err(FieldProblem::NotAFlag))]
    fn reads_flags(#[case] record: &str, #[case] expected: Result<bool, FieldProblem>) {
        assert_eq!(read(record, |fields| fields.flag()), expected);
    }

    #[test]
    fn an_error_names_the_field_and_keeps_the_value_to_itself() {
        let record = br#"{"number":"O'Brien"}"#;
        let error = Fields::of_record(record, COLUMNS, |fields| fields.integer()).unwrap_err();
        assert_eq!(error.to_string(), "number is not a whole number");
    }
}
