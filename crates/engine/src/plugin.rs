//! The plugin for PowerSchool: written for the exchanges a district has chosen, and checked when it is somebody else's.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use chrono::{DateTime, NaiveDate, Utc};
use rosterbridge_domain::{job::Job, settings::PluginSettings};
use rosterbridge_powerschool::plugin::{self, Severity};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    engine::{Engine, blocking},
    error::EngineError,
    powerschool_test::level,
    report::{ExchangeFit, FieldView, PluginCheck, PluginRemark, PluginView, StageResult},
};

/// The ledger's value that keeps the plugin last written, as JSON.
const WRITTEN: &str = "powerschool.plugin.written";

/// The plugin last written for a profile.
#[derive(Serialize, Deserialize)]
struct Written {
    jobs: Vec<Job>,
    revision: u32,
    /// SHA256 of its files, whatever their version: tells whether this program would write others now.
    fingerprint: String,
    at: DateTime<Utc>,
}

impl Engine {
    /// Our plugin for some exchanges. With `write` it is kept in the set-up as the one written. Its revision begins with
    /// the day's and is raised when it would ask for something else than the one before, or when the one installed was found to lack something:
    /// PowerSchool updates a plugin in place only to a higher version.
    pub async fn plugin(&self, jobs: Vec<Job>, write: bool) -> Result<PluginView, EngineError> {
        let jobs = in_order(&jobs);
        if write && jobs.is_empty() {
            return Err(EngineError::NotSetUp("no exchange has been chosen for the plugin yet"));
        }
        let settings = self.setup().await?.powerschool.plugin;
        let text = self.ledger(|ledger| ledger.value(WRITTEN)).await?;
        let written: Option<Written> = text.and_then(|text| serde_json::from_str(&text).ok());
        let lacking = self.found_lacking_since(written.as_ref().map(|written| written.at)).await?;
        let fingerprint = fingerprint(&jobs)?;
        // A set-up can be older than the plugin written last (an export taken over again), or newer (a handover).
        let before = written.as_ref().map_or(0, |written| written.revision).max(settings.revision);
        let written = written.filter(|written| written.revision == before);
        let other_files = written.as_ref().is_some_and(|written| written.fingerprint != fingerprint);
        let other_jobs = settings.revision == before && in_order(&settings.jobs) != jobs;
        let raised = before == 0 || other_jobs || other_files || lacking;
        let revision = if raised { next_revision(before, Utc::now().date_naive()) } else { before };

        let mut view = if write {
            let jobs = jobs.clone();
            blocking(move || plugin_view(&jobs, revision)).await?
        } else {
            described(jobs.clone(), revision)
        };
        // Where another installation wrote it, the set-up that came from there tells what for.
        let last = match &written {
            Some(written) => Some(&written.jobs),
            None => (before > 0).then_some(&settings.jobs),
        };
        if let Some(last) = last {
            view.changes = plugin::changes(&in_order(last), &jobs);
            if other_files && view.changes.is_empty() {
                view.changes.push("RosterBridge's own queries have changed since.".to_owned());
            }
            view.written_before = Some(plugin::version(before));
        }
        if write {
            let written = Written { jobs: jobs.clone(), revision, fingerprint, at: Utc::now() };
            let text = serde_json::to_string(&written).unwrap_or_default();
            let _saving = self.saving_setup.lock().await;
            self.ledger(move |ledger| {
                // What was saved meanwhile stays.
                let mut setup = ledger.setup()?.unwrap_or_default();
                setup.powerschool.plugin = PluginSettings { jobs, wanted: None, revision };
                ledger.save_setup(&setup)?;
                ledger.set_value(WRITTEN, &text)
            })
            .await?;
            if revision > before {
                self.forget_test().await?;
            }
        }
        Ok(view)
    }

    /// Whether the latest test found that the installed plugin lacks something, and none has been written since.
    async fn found_lacking_since(&self, written: Option<DateTime<Utc>>) -> Result<bool, EngineError> {
        let Some(test) = self.last_test().await? else { return Ok(false) };
        let lacking = test.report.stages.iter().any(|stage| match &stage.result {
            StageResult::Failed(cause) | StageResult::Warned(cause) => {
                matches!(
                    cause.code.as_str(),
                    "powerschool.no_access" | "powerschool.no_queries" | "powerschool.partial_access"
                )
            }
            _ => false,
        });
        Ok(lacking && written.is_none_or(|written| written < test.tested_at))
    }
}

/// The revision of a plugin whose predecessor in the profile has `before` (0 for none): higher than that, and no lower
/// than the day's.
fn next_revision(before: u32, today: NaiveDate) -> u32 {
    plugin_revision(today).max(before.saturating_add(1))
}

/// The revision of a plugin written on a day by somebody who knows of no earlier one: the days since 2020-01-01. A
/// profile that is set up anew thus does not begin below the plugin an earlier one had installed, which PowerSchool
/// would not let itself be updated to.
pub fn plugin_revision(today: NaiveDate) -> u32 {
    const FIRST: NaiveDate = NaiveDate::from_ymd_opt(2020, 1, 1).unwrap();
    u32::try_from(today.signed_duration_since(FIRST).num_days()).unwrap_or(0)
}

/// Exchanges in their usual order, each once.
fn in_order(jobs: &[Job]) -> Vec<Job> {
    Job::ALL.into_iter().filter(|job| jobs.contains(job)).collect()
}

fn fingerprint(jobs: &[Job]) -> Result<String, EngineError> {
    let mut digest = Sha256::new();
    for (path, content) in plugin::files(jobs, 0)? {
        // Lengths keep two files from being taken for one.
        digest.update(format!("{path}\n{}\n", content.len()));
        digest.update(content);
    }
    Ok(hex::encode(digest.finalize()))
}

/// Our plugin without its file.
fn described(jobs: Vec<Job>, revision: u32) -> PluginView {
    let version = plugin::version(revision);
    PluginView {
        name: plugin::NAME.to_owned(),
        asks: plugin::access_request(&jobs)
            .into_iter()
            .map(|field| FieldView {
                table: field.table.to_owned(),
                field: field.field,
                access: level(field.access),
            })
            .collect(),
        queries: plugin::named_queries(&jobs).into_iter().map(|query| query.name.to_owned()).collect(),
        jobs,
        changes: Vec::new(),
        written_before: None,
        file_name: format!("rosterbridge-plugin-{version}.zip"),
        version,
        content: String::new(),
    }
}

/// Our plugin for some exchanges, with its file, for whoever has no profile yet.
pub fn plugin_view(jobs: &[Job], revision: u32) -> Result<PluginView, EngineError> {
    let jobs = in_order(jobs);
    let content = BASE64_STANDARD.encode(plugin::build(&jobs, revision)?);
    Ok(PluginView { content, ..described(jobs, revision) })
}

/// Checks a plugin file, ours or a vendor's. Needs no profile; hostile files are refused with a remark.
pub fn check_plugin(file_name: &str, content: &[u8]) -> PluginCheck {
    let checked = plugin::check(file_name, content);
    let exchanges = Job::ALL
        .into_iter()
        .map(|job| {
            let fit = checked.fit(job);
            ExchangeFit {
                job,
                missing: fit
                    .missing
                    .into_iter()
                    .map(|(table, field, access)| FieldView { table, field, access: level(access) })
                    .collect(),
                without_queries: fit.without_queries,
                sentence: fit.sentence,
            }
        })
        .collect();
    PluginCheck {
        file_name: file_name.to_owned(),
        valid: checked.valid(),
        name: checked.name,
        version: checked.version,
        publisher: checked.publisher,
        description: checked.description,
        remarks: checked
            .remarks
            .into_iter()
            .map(|remark| PluginRemark {
                error: matches!(remark.severity, Severity::Error),
                file: remark.file,
                line: remark.line,
                column: remark.column,
                code: remark.code.to_owned(),
                message: remark.message,
            })
            .collect(),
        summary: checked.summary,
        asks: checked
            .asks
            .into_iter()
            .map(|(table, field, access)| FieldView { table, field, access: level(access) })
            .collect(),
        queries: checked.queries.into_iter().map(|query| query.name).collect(),
        exchanges,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[rstest]
    #[case::first(0, "2026-11-18", 2513)]
    #[case::again_the_same_day(2513, "2026-11-18", 2514)]
    #[case::later(2514, "2026-11-30", 2525)]
    #[case::of_an_earlier_numbering(3, "2026-11-18", 2513)]
    #[case::a_clock_that_was_ahead(9000, "2026-11-18", 9001)]
    #[case::a_clock_that_is_wrong(5, "1999-12-31", 6)]
    fn a_revision_is_the_days_and_higher_than_the_one_before(
        #[case] before: u32,
        #[case] today: &str,
        #[case] revision: u32,
    ) {
        assert_eq!(next_revision(before, day(today)), revision);
    }

    #[test]
    fn a_profile_set_up_anew_is_not_below_an_earlier_one() {
        let former = next_revision(0, day("2026-11-18"));
        assert!(next_revision(0, day("2026-11-18")) >= former);
        assert!(next_revision(0, day("2026-11-19")) > former);
        // Nor is the plugin of somebody without a profile.
        assert!(plugin_revision(day("2026-11-18")) >= former);
    }
}
