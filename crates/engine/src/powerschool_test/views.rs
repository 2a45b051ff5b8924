//! What the client found, as other processes see it.

use rosterbridge_powerschool::{Certificate, FieldGrant, Outcome, QueryFact, ServerFacts, Stage};

use crate::report::{
    Cause, CertificateView, FieldAccess, FieldAccessView, QueryView, ServerView, StageReport, StageResult,
    TableAccessView,
};

pub(super) fn stage(stage: &Stage) -> StageReport {
    let cause = |code: &str, message: &str, remedy: &str| Cause {
        code: code.to_owned(),
        message: crate::error::sentence(message),
        remedy: remedy.to_owned(),
    };
    StageReport {
        name: stage.name.title().to_owned(),
        result: match &stage.outcome {
            Outcome::Passed => StageResult::Passed,
            Outcome::Warned { code, message, remedy } => StageResult::Warned(cause(code, message, remedy)),
            Outcome::Failed { code, message, remedy } => StageResult::Failed(cause(code, message, remedy)),
            Outcome::Skipped => StageResult::Skipped,
        },
        detail: stage.detail.clone(),
        millis: stage.millis,
    }
}

pub(super) fn server(server: &ServerFacts) -> ServerView {
    ServerView {
        url: server.url.clone(),
        version: server.version.as_ref().map(ToString::to_string),
        time_zone: server.time_zone.map(|zone| zone.name().to_owned()),
        plugin_id: server.plugin_id,
        table_page_size: server.table_page_size,
        clock_ahead_seconds: server.clock_ahead_seconds,
    }
}

pub(super) fn certificate(certificate: &Certificate) -> CertificateView {
    CertificateView {
        subject: certificate.subject.clone(),
        issuer: certificate.issuer.clone(),
        sha256: certificate.sha256.clone(),
        not_before: certificate.not_before,
        not_after: certificate.not_after,
        offered: certificate.offered,
    }
}

pub(super) fn query(query: &QueryFact) -> QueryView {
    QueryView { name: query.name.clone(), table: query.table.clone(), present: query.present }
}

/// The fields by table, tables in the order they were asked about.
pub(super) fn access(grants: &[FieldGrant]) -> Vec<TableAccessView> {
    let mut tables: Vec<TableAccessView> = Vec::new();
    for grant in grants {
        let field = FieldAccessView {
            field: grant.field.clone(),
            wanted: level(grant.wanted),
            granted: grant.granted.map_or(FieldAccess::NoAccess, level),
        };
        match tables.iter_mut().find(|table| table.table == grant.table) {
            Some(table) => table.fields.push(field),
            None => tables.push(TableAccessView { table: grant.table.clone(), fields: vec![field] }),
        }
    }
    tables
}

/// How much of a field, in the words other processes know.
pub(crate) fn level(access: rosterbridge_powerschool::plugin::Access) -> FieldAccess {
    use rosterbridge_powerschool::plugin::Access;
    match access {
        Access::ViewOnly => FieldAccess::ViewOnly,
        Access::FullAccess => FieldAccess::FullAccess,
    }
}
