//! What the fault-injection tests tried, as they wrote it down.

use crate::process::StepError;
use serde::Deserialize;
use std::{fs, path::Path};

/// One test's report: `{"tried": 55, "lost": 0, "doubled": 0, …}`. A fault that was not survived fails its test, and
/// then there is no report of it.
#[derive(Deserialize)]
struct Report {
    tried: u64,
    lost: u64,
    doubled: u64,
    /// Named crash points that were met.
    #[serde(default)]
    places: Vec<String>,
}

/// An empty folder for the tests' reports.
pub fn folder(scratch: &Path) -> Result<std::path::PathBuf, StepError> {
    let folder = scratch.join("faults");
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(|source| StepError::file(folder.display(), source))?;
    }
    fs::create_dir_all(&folder).map_err(|source| StepError::file(folder.display(), source))?;
    Ok(folder)
}

/// The sum of all reports in a sentence.
pub fn summary(folder: &Path) -> Result<String, StepError> {
    let unreadable = |source| StepError::file(folder.display(), source);
    let (mut tried, mut lost, mut doubled) = (0, 0, 0);
    let mut places = std::collections::BTreeSet::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let text = fs::read_to_string(&path).map_err(|source| StepError::file(path.display(), source))?;
        let report: Report = serde_json::from_str(&text)
            .map_err(|error| StepError::Unmet(format!("{} is no report: {error}", path.display())))?;
        tried += report.tried;
        lost += report.lost;
        doubled += report.doubled;
        places.extend(report.places);
    }
    Ok(format!(
        "{tried} faults tried and survived, at {} named crash points and elsewhere: {lost} records lost, {doubled} \
         doubled",
        places.len()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_summed_up() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = folder(scratch.path()).unwrap();
        fs::write(folder.join("a.json"), r#"{"tried": 3, "lost": 0, "doubled": 0, "places": ["x", "y"]}"#)
            .unwrap();
        fs::write(
            folder.join("b.json"),
            r#"{"tried": 4, "lost": 0, "doubled": 0, "places": ["y"], "job": "j"}"#,
        )
        .unwrap();
        assert_eq!(
            summary(&folder).unwrap(),
            "7 faults tried and survived, at 2 named crash points and elsewhere: 0 records lost, 0 doubled"
        );
    }
}
