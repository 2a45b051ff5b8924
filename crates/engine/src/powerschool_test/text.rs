//! A test as text, to be copied into a mail or saved. It is made of what the report holds, and that holds no secret.

use std::fmt::Write;

use crate::report::{FieldAccess, PowerSchoolTest, StageReport, StageResult};

/// The whole report.
pub(super) fn text(test: &PowerSchoolTest) -> String {
    let mut text = String::from("RosterBridge: test of the connection to PowerSchool\n\n");
    facts(&mut text, test);
    text.push_str("\nStages\n");
    for stage in &test.report.stages {
        self::stage(&mut text, stage);
    }
    access(&mut text, test);
    queries(&mut text, test);
    certificates(&mut text, test);
    text
}

fn facts(text: &mut String, test: &PowerSchoolTest) {
    let mut fact = |name: &str, value: &str| {
        let _ = writeln!(text, "{name:<15}{value}");
    };
    fact("Result", &result(test));
    fact("Made at", &test.tested_at.format("%Y-%m-%d %H:%M:%S UTC").to_string());
    let version = env!("CARGO_PKG_VERSION");
    fact("RosterBridge", &format!("{version} ({} {})", std::env::consts::OS, std::env::consts::ARCH));
    let Some(server) = &test.server else { return };
    fact("Server", &server.url);
    if let Some(version) = &server.version {
        fact("PowerSchool", version);
    }
    if let Some(zone) = &server.time_zone {
        fact("Time zone", zone);
    }
    if let Some(plugin) = server.plugin_id {
        fact("Plugin id", &plugin.to_string());
    }
    if let Some(size) = server.table_page_size {
        fact("Page limit", &format!("{size} rows of a table"));
    }
    match server.clock_ahead_seconds {
        Some(ahead @ 1..) => fact("Clock", &format!("{ahead} s ahead of this computer")),
        Some(behind @ ..=-1) => fact("Clock", &format!("{} s behind this computer", behind.unsigned_abs())),
        Some(0) => fact("Clock", "as on this computer"),
        None => {}
    }
}

fn result(test: &PowerSchoolTest) -> String {
    let failed = test.report.stages.iter().find_map(|stage| match &stage.result {
        StageResult::Failed(cause) => Some(format!("failed at '{}' [{}]", stage.name, cause.code)),
        _ => None,
    });
    match failed {
        Some(failed) => failed,
        None if test.waiting => "waits until the server can be reached".to_owned(),
        None if test.report.stages.iter().any(|stage| stage.result == StageResult::Skipped) => {
            "not finished".to_owned()
        }
        None => "passed".to_owned(),
    }
}

fn stage(text: &mut String, stage: &StageReport) {
    let (mark, cause) = match &stage.result {
        StageResult::Running => ("running", None),
        StageResult::Passed => ("ok", None),
        StageResult::Warned(cause) => ("note", Some(cause)),
        StageResult::Failed(cause) => ("FAILED", Some(cause)),
        StageResult::Skipped => ("skipped", None),
        StageResult::Waiting => ("waiting", None),
    };
    let time = match stage.result {
        StageResult::Passed | StageResult::Warned(_) | StageResult::Failed(_) => {
            format!("{} ms", stage.millis)
        }
        _ => String::new(),
    };
    let line = format!("  {mark:<8} {:<18} {time:>9}  {}", stage.name, stage.detail);
    let _ = writeln!(text, "{}", line.trim_end());
    if let Some(cause) = cause {
        let _ = writeln!(text, "{:11}{} [{}]\n{:11}{}", "", cause.message, cause.code, "", cause.remedy);
    }
}

fn access(text: &mut String, test: &PowerSchoolTest) {
    let fields =
        || test.access.iter().flat_map(|table| table.fields.iter().map(move |field| (&table.table, field)));
    let wanted = fields().count();
    if wanted == 0 {
        return;
    }
    let granted = fields().filter(|(_, field)| field.granted >= field.wanted).count();
    let _ = writeln!(text, "\nAccess: {granted} of {wanted} fields granted");
    for (table, field) in fields().filter(|(_, field)| field.granted < field.wanted) {
        let name = format!("{table}.{}", field.field);
        let _ = writeln!(
            text,
            "  missing  {name:<44} needs {}, has {}",
            level(field.wanted),
            level(field.granted)
        );
    }
}

fn level(access: FieldAccess) -> &'static str {
    match access {
        FieldAccess::NoAccess => "no access",
        FieldAccess::ViewOnly => "ViewOnly",
        FieldAccess::FullAccess => "FullAccess",
    }
}

fn queries(text: &mut String, test: &PowerSchoolTest) {
    if test.queries.is_empty() {
        return;
    }
    let present = test.queries.iter().filter(|query| query.present).count();
    let _ = writeln!(text, "\nNamed queries: {present} of {} there", test.queries.len());
    for query in test.queries.iter().filter(|query| !query.present) {
        let _ = writeln!(text, "  missing  {}", query.name);
    }
}

fn certificates(text: &mut String, test: &PowerSchoolTest) {
    if test.certificates.is_empty() {
        return;
    }
    text.push_str("\nCertificates the server presented, its own first\n");
    for certificate in &test.certificates {
        let _ = writeln!(
            text,
            "  {}\n    issued by {}\n    valid from {} to {}\n    SHA256 {}",
            certificate.subject,
            certificate.issuer,
            certificate.not_before.format("%Y-%m-%d"),
            certificate.not_after.format("%Y-%m-%d"),
            certificate.sha256,
        );
    }
}

#[cfg(test)]
mod tests {
    use chrono::{TimeZone, Utc};

    use super::*;
    use crate::report::{
        Cause, CertificateView, FieldAccessView, QueryView, ServerView, TableAccessView, TestReport,
    };

    fn ended(name: &str, result: StageResult, detail: &str, millis: u64) -> StageReport {
        StageReport { name: name.to_owned(), result, detail: detail.to_owned(), millis }
    }

    fn cause(code: &str, message: &str, remedy: &str) -> Cause {
        Cause { code: code.to_owned(), message: message.to_owned(), remedy: remedy.to_owned() }
    }

    #[test]
    fn a_report_tells_everything_a_support_engineer_asks_for() {
        let field = |field: &str, granted| FieldAccessView {
            field: field.to_owned(),
            wanted: FieldAccess::ViewOnly,
            granted,
        };
        let at = |day| Utc.with_ymd_and_hms(2026, 11, day, 9, 30, 0).unwrap();
        let expiring = cause(
            "powerschool.certificate_expiring",
            "The certificate expires in 12 days.",
            "Have it renewed.",
        );
        let missing = cause(
            "powerschool.no_access",
            "The plugin has no access to STUDENTS.HOME_PHONE.",
            "Update the plugin.",
        );
        let test = PowerSchoolTest {
            report: TestReport {
                passed: false,
                stages: vec![
                    ended("Input", StageResult::Passed, "https://sis.district.example", 0),
                    ended("Certificate", StageResult::Warned(expiring), "issued by District CA", 41),
                    ended("Access", StageResult::Failed(missing), "", 1250),
                    ended("Sample read", StageResult::Skipped, "", 0),
                ],
            },
            tested_at: at(18),
            server: Some(ServerView {
                url: "https://sis.district.example".to_owned(),
                version: Some("25.3.0.0".to_owned()),
                time_zone: Some("America/Chicago".to_owned()),
                plugin_id: Some(12),
                table_page_size: Some(100),
                clock_ahead_seconds: Some(-4),
            }),
            certificates: vec![CertificateView {
                subject: "CN=sis.district.example".to_owned(),
                issuer: "CN=District CA".to_owned(),
                sha256: "AB:CD".to_owned(),
                not_before: at(1),
                not_after: at(30),
                offered: false,
            }],
            access: vec![TableAccessView {
                table: "STUDENTS".to_owned(),
                fields: vec![
                    field("LAST_NAME", FieldAccess::FullAccess),
                    field("HOME_PHONE", FieldAccess::NoAccess),
                ],
            }],
            queries: vec![QueryView {
                name: "app.rosterbridge.roster.students.all".to_owned(),
                table: "STUDENTS".to_owned(),
                present: false,
            }],
            waiting: false,
            text: String::new(),
        };
        let system =
            format!("{} ({} {})", env!("CARGO_PKG_VERSION"), std::env::consts::OS, std::env::consts::ARCH);
        insta::assert_snapshot!(text(&test).replace(&system, "VERSION (SYSTEM)"), @r"
        RosterBridge: test of the connection to PowerSchool

        Result         failed at 'Access' [powerschool.no_access]
        Made at        2026-11-18 09:30:00 UTC
        RosterBridge   VERSION (SYSTEM)
        Server         https://sis.district.example
        PowerSchool    25.3.0.0
        Time zone      America/Chicago
        Plugin id      12
        Page limit     100 rows of a table
        Clock          4 s behind this computer

        Stages
          ok       Input                   0 ms  https://sis.district.example
          note     Certificate            41 ms  issued by District CA
                   The certificate expires in 12 days. [powerschool.certificate_expiring]
                   Have it renewed.
          FAILED   Access               1250 ms
                   The plugin has no access to STUDENTS.HOME_PHONE. [powerschool.no_access]
                   Update the plugin.
          skipped  Sample read

        Access: 1 of 2 fields granted
          missing  STUDENTS.HOME_PHONE                          needs ViewOnly, has no access

        Named queries: 0 of 1 there
          missing  app.rosterbridge.roster.students.all

        Certificates the server presented, its own first
          CN=sis.district.example
            issued by CN=District CA
            valid from 2026-11-01 to 2026-11-30
            SHA256 AB:CD
        ");
    }
}
