//! The staged connection test, against the practice district and servers that answer oddly.

use rosterbridge_domain::job::Job;
use rosterbridge_powerschool::{Connection, Findings, Outcome, Stage, StageName, TestPlan, test_connection};

pub fn plan(connection: Connection) -> TestPlan {
    TestPlan { connection, jobs: Job::ALL.to_vec(), check_clock: false, known: None }
}

pub async fn test(plan: TestPlan) -> Findings {
    test_connection(plan, |_| {}).await
}

pub fn outcome(stage: &Stage) -> &'static str {
    match &stage.outcome {
        Outcome::Passed => "passed",
        Outcome::Warned { code, .. } | Outcome::Failed { code, .. } => code,
        Outcome::Skipped => "skipped",
    }
}

/// The stage a test failed at, and the code.
pub fn failure(findings: &Findings) -> (StageName, &'static str) {
    let stage = findings.failure().unwrap();
    (stage.name, outcome(stage))
}

#[tokio::test]
async fn passes_on_the_practice_district() {
    let running = crate::practice::district(rosterbridge_practice::ServeOptions::default()).await;
    // On a task of its own, as the engine runs it.
    let plan = plan(crate::practice::connection(&running));
    let findings = tokio::spawn(test(plan)).await.unwrap();
    assert!(findings.passed(), "{findings:#?}");
    running.stop().await;
}
