//! What the fuzz targets feed; compiled by cargo-fuzz only.

use crate::{
    error::AnswerProblem,
    records::{Fields, RecordSplitter},
    tables,
};

/// Splits an answer that arrives in pieces of `size` bytes, at least 1, and reads every column of every record in every
/// way. The records found; nothing when the answer is refused.
pub fn records(answer: &[u8], size: usize) -> Option<usize> {
    let mut found = 0;
    let mut splitter = RecordSplitter::new();
    for piece in answer.chunks(size.max(1)) {
        splitter
            .push(piece, |record| {
                found += 1;
                read(record);
                Ok::<(), AnswerProblem>(())
            })
            .ok()?;
    }
    splitter.finish().ok()?;
    Some(found)
}

fn read(record: &[u8]) {
    let columns = tables::STUDENTS.columns;
    let ways: [fn(&mut Fields<'_, '_>); 7] = [
        |fields| _ = fields.integer(),
        |fields| _ = fields.reference(),
        |fields| _ = fields.seconds(),
        |fields| _ = fields.text(),
        |fields| _ = fields.optional_text(),
        |fields| _ = fields.date(),
        |fields| _ = fields.flag(),
    ];
    for way in ways {
        _ = Fields::of_record(record, columns, |fields| {
            // One more than there are.
            for _ in 0..=columns.len() {
                way(fields);
            }
            Ok(())
        });
    }
}
