//! Totals out of the test runners' own report files.

use crate::process::StepError;
use serde::Deserialize;
use std::{
    fmt, fs,
    ops::AddAssign,
    path::{Path, PathBuf},
};

/// How many tests ran, and how they ended.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    /// Tests that passed.
    pub passed: u64,
    /// Tests that failed.
    pub failed: u64,
}

impl AddAssign for Totals {
    fn add_assign(&mut self, more: Self) {
        self.passed += more.passed;
        self.failed += more.failed;
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

/// A report file a runner writes.
#[derive(Debug, Clone)]
pub enum Report {
    /// nextest's JUnit file.
    Nextest(PathBuf),
    /// Vitest's JSON file.
    Vitest(PathBuf),
    /// Playwright's JSON file.
    Playwright(PathBuf),
}

impl Report {
    /// The file's place.
    pub fn path(&self) -> &Path {
        match self {
            Self::Nextest(path) | Self::Vitest(path) | Self::Playwright(path) => path,
        }
    }

    /// Removes what an earlier run left, so that it can't be counted as this one's.
    pub fn clear(&self) -> Result<(), StepError> {
        match fs::remove_file(self.path()) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                Err(StepError::file(self.path().display(), source))
            }
            _ => Ok(()),
        }
    }

    /// The totals; none when the runner did not get as far as writing them.
    pub fn totals(&self) -> Option<Totals> {
        let text = fs::read_to_string(self.path()).ok()?;
        match self {
            Self::Nextest(_) => junit(&text),
            Self::Vitest(_) => vitest(&text),
            Self::Playwright(_) => playwright(&text),
        }
    }
}

fn junit(text: &str) -> Option<Totals> {
    let tag = text.split_once("<testsuites ")?.1.split_once('>')?.0;
    let number = |name: &str| -> Option<u64> {
        let value = tag.split_once(&format!("{name}=\""))?.1;
        value.split_once('"')?.0.parse().ok()
    };
    let failed = number("failures")? + number("errors")?;
    Some(Totals { passed: number("tests")?.checked_sub(failed)?, failed })
}

fn vitest(text: &str) -> Option<Totals> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Summary {
        num_passed_tests: u64,
        num_failed_tests: u64,
    }
    let summary: Summary = serde_json::from_str(text).ok()?;
    Some(Totals { passed: summary.num_passed_tests, failed: summary.num_failed_tests })
}

/// A test that passed only when it was repeated counts as failed.
fn playwright(text: &str) -> Option<Totals> {
    #[derive(Deserialize)]
    struct Document {
        stats: Stats,
    }
    #[derive(Deserialize)]
    struct Stats {
        expected: u64,
        unexpected: u64,
        flaky: u64,
    }
    let Stats { expected, unexpected, flaky } = serde_json::from_str::<Document>(text).ok()?.stats;
    Some(Totals { passed: expected, failed: unexpected + flaky })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nextest_totals_come_from_the_outermost_element() {
        let text = r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="nextest-run" tests="7" failures="1" errors="1" uuid="u" time="1.0">
    <testsuite name="a" tests="3" disabled="0" errors="0" failures="0"></testsuite>
</testsuites>"#;
        assert_eq!(junit(text), Some(Totals { passed: 5, failed: 2 }));
        assert_eq!(junit("<nothing/>"), None);
    }

    #[test]
    fn vitest_totals() {
        let text = r#"{"numTotalTests":5,"numPassedTests":4,"numFailedTests":1,"success":false}"#;
        assert_eq!(vitest(text), Some(Totals { passed: 4, failed: 1 }));
    }

    #[test]
    fn playwright_totals() {
        let text = r#"{"suites":[],"stats":{"expected":7,"skipped":1,"unexpected":1,"flaky":1}}"#;
        assert_eq!(playwright(text), Some(Totals { passed: 7, failed: 2 }));
        assert_eq!(playwright("{}"), None);
    }

    #[test]
    fn an_earlier_runs_report_is_not_counted() {
        let folder = tempfile::tempdir().unwrap();
        let report = Report::Vitest(folder.path().join("ui.json"));
        fs::write(report.path(), r#"{"numPassedTests":4,"numFailedTests":0}"#).unwrap();
        report.clear().unwrap();
        assert_eq!(report.totals(), None);
        report.clear().unwrap();
    }
}
