//! What the last file of an export has to be looked at for, row by row.

use rosterbridge_domain::{job::JobId, settings::ExportKind};
use rosterbridge_hero::{Kind, Problems};
use rosterbridge_store::ledger::ExportProblem;

use crate::{
    engine::Engine,
    error::{EngineError, sentence},
    exports::LISTED,
    report::{ExportProblemView, ExportProblems, ProblemCount},
};

/// Rows of a page.
const PAGE: u32 = 500;

impl Engine {
    /// A page of it, after the first `skip`.
    pub async fn export_problems(&self, job: JobId, skip: u64) -> Result<ExportProblems, EngineError> {
        let setup = self.setup().await?;
        if ExportKind::of(job.kind()).is_none() || setup.hero.account(job.account()).is_none() {
            return Err(EngineError::NoSuchJob(job));
        }
        let (counted, rows) = self
            .ledger(move |ledger| {
                Ok((ledger.export_problem_counts(job)?, ledger.export_problems(job, skip, PAGE)?))
            })
            .await?;
        let total = counted.iter().map(|(_, count)| count).sum();
        let counts = counted.into_iter().map(|(kind, count)| ProblemCount {
            meaning: meaning(&kind).to_owned(),
            kind,
            count,
        });
        let counts = counts.collect();
        let rows = rows.into_iter().map(view).collect();
        Ok(ExportProblems { job, total, more_than_kept: total >= LISTED as u64, counts, rows })
    }
}

/// How often each kind occurs in a file.
pub(crate) fn counts(problems: &Problems) -> Vec<ProblemCount> {
    let counts = problems.counts;
    [
        ("empty", counts.empty),
        ("too_long", counts.too_long),
        ("break", counts.breaks),
        ("unmappable", counts.unmappable),
        ("duplicate", counts.duplicates),
        ("no_schedule", counts.no_schedule),
    ]
    .into_iter()
    .filter(|(_, count)| *count > 0)
    .map(|(kind, count)| ProblemCount { kind: kind.to_owned(), meaning: meaning(kind).to_owned(), count })
    .collect()
}

/// What a kind of problem is, for a person.
fn meaning(kind: &str) -> &'static str {
    match kind {
        "empty" => "Hero requires a value, and there is none",
        "too_long" => "The value is longer than Hero accepts",
        "shortened" => "The value was longer than Hero accepts and was shortened",
        "break" => "A tab or line break in the value was sent as a space",
        "unmappable" => "Characters that the file's character set lacks were sent as ?",
        "duplicate" => "Another student before has the same number",
        "no_schedule" => "The student is sent, and no class of theirs is",
        _ => "The row has to be looked at",
    }
}

fn view(problem: ExportProblem) -> ExportProblemView {
    let ExportProblem { row, number, field, kind, found, accepted } = problem;
    let message = match Kind::of(&kind, found, accepted) {
        Some(kind) => kind.of_field(&field).to_string(),
        // A file of an earlier program, which did not keep what was measured.
        None => meaning(&kind).to_owned(),
    };
    let (first_row, length) = if kind == "duplicate" { (found, None) } else { (None, found) };
    ExportProblemView {
        row: (row > 0).then_some(row),
        number,
        field,
        message: sentence(&message),
        kind,
        length,
        limit: accepted,
        first_row,
    }
}
