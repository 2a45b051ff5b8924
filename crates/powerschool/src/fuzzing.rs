//! What the fuzz targets feed; compiled by cargo-fuzz only.

use crate::{
    error::AnswerProblem,
    records::{FieldError, Fields, RecordSplitter, Records},
    shape::Shape,
    tables,
};

/// Splits an answer that arrives in pieces of `size` bytes, at least 1, and reads every column of every record in every
/// way: by the shape of the record before where it fits, by itself where it does not. The records found; nothing when
/// the answer is refused.
pub fn records(answer: &[u8], size: usize) -> Option<usize> {
    let mut reader = Reader { found: 0, shape: None };
    let mut splitter = RecordSplitter::new();
    for piece in answer.chunks(size.max(1)) {
        splitter.push(piece, &mut reader).ok()?;
    }
    splitter.finish().ok()?;
    Some(reader.found)
}

/// Reads records as the product does.
struct Reader {
    found: usize,
    /// That of the last record that was read by itself.
    shape: Option<Shape>,
}

impl Records for Reader {
    type Error = AnswerProblem;

    fn begins(&mut self, bytes: &[u8]) -> Result<Option<usize>, AnswerProblem> {
        let read = self.shape.as_ref().and_then(|shape| shape.read(bytes, in_every_way));
        Ok(read.map(|(length, _)| {
            self.found += 1;
            length
        }))
    }

    fn complete(&mut self, record: &[u8]) -> Result<(), AnswerProblem> {
        let columns = tables::STUDENTS.columns;
        self.found += 1;
        for way in WAYS {
            _ = Fields::of_record(record, columns, |fields| all(fields, *way));
        }
        self.shape = Shape::of(record, columns);
        Ok(())
    }
}

type Way = fn(&mut Fields<'_, '_>);

const WAYS: &[Way] = &[
    |fields| _ = fields.integer(),
    |fields| _ = fields.reference(),
    |fields| _ = fields.seconds(),
    |fields| _ = fields.text::<String>(),
    |fields| _ = fields.optional_text::<String>(),
    |fields| _ = fields.date(),
    |fields| _ = fields.flag(),
];

/// Reads all columns in one way, and one more than there are.
fn all(fields: &mut Fields<'_, '_>, way: Way) -> Result<(), FieldError> {
    for _ in 0..=tables::STUDENTS.columns.len() {
        way(fields);
    }
    Ok(())
}

/// Reads each column in another way, since a record that has been taken can't be read twice.
fn in_every_way(fields: &mut Fields<'_, '_>) -> Result<(), FieldError> {
    for way in WAYS.iter().cycle().take(tables::STUDENTS.columns.len() + 1) {
        way(fields);
    }
    Ok(())
}
