//! Names, times and reports the steps of a chore; the first failure ends it.

use crate::process::StepError;
use std::time::{Duration, Instant};
use thiserror::Error;

/// The step that failed, and why.
#[derive(Debug, Error)]
#[error("{step}: {source}")]
pub struct Failed {
    /// The step's name as it was printed.
    pub step: &'static str,
    /// What went wrong in it.
    #[source]
    pub source: StepError,
}

/// The steps taken so far.
#[derive(Debug, Default)]
pub struct Steps {
    taken: Vec<(&'static str, Duration)>,
}

impl Steps {
    /// Prints the name, does the work, prints how long it took.
    pub fn take<T>(
        &mut self,
        step: &'static str,
        work: impl FnOnce() -> Result<T, StepError>,
    ) -> Result<T, Failed> {
        println!("==> {step}");
        let started = Instant::now();
        let outcome = work();
        let spent = started.elapsed();
        match outcome {
            Ok(value) => {
                println!("    {step}: {}", seconds(spent));
                self.taken.push((step, spent));
                Ok(value)
            }
            Err(source) => {
                println!("    {step}: FAILED after {}", seconds(spent));
                Err(Failed { step, source })
            }
        }
    }

    /// Prints every step with its time.
    pub fn print_times(&self) {
        println!("==> Times");
        for (step, spent) in &self.taken {
            println!("    {:>9}  {step}", seconds(*spent));
        }
    }
}

fn seconds(spent: Duration) -> String {
    format!("{:.1} s", spent.as_secs_f64())
}
