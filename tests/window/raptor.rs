//! Raptor's part of the set-up: a list of buildings is pasted, the integration is switched off after a question, and on
//! again by 'Submit' and 'Setup Confirmation', which first tells what is missing.

use crate::support::Window;

/// WebDriver's Enter key.
const ENTER: &str = "\u{E007}";

#[tokio::test(flavor = "multi_thread")]
async fn the_integration_is_submitted_and_confirmed() {
    let window = Window::open().await;
    window.click("welcome-practice").await;
    window.find("field-url").await;
    window.click("step-buildings").await;
    window.find("building-row-0").await;
    window.until("buildings", "aria-busy", "false").await;

    window.click("buildings-several").await;
    // WebKit takes the Enter key for a new line, and not the character.
    let list = ["Building", "North Annex", "South Annex", "north  annex"].join(ENTER);
    window.fill("field-names", &list).await;
    window.says("names-found", "2 new").await;
    window.click("names-add").await;
    window.gone("names-found").await;
    let named = window.texts("buildings").await.concat();
    assert!(named.contains("North Annex") && named.contains("South Annex"), "{named}");

    window.click("raptor-enabled-no").await;
    window.click("disable-confirm").await;
    window.says("integration-status", "Disabled").await;
    assert_eq!(window.command_line(&["status"])["data"]["raptor_status"], "disabled");

    // Without the ticks it can't be confirmed, and the way to them is shown.
    window.click("prerequisites-show").await;
    window.click("prerequisite-client").await;
    window.click("raptor-enabled-yes").await;
    window.click("raptor-submit").await;
    window.says("confirmation-obstacles", "raptor.prerequisites").await;
    window.picture("confirmation-obstacles").await;
    window.click("obstacle-place").await;
    window.gone("confirmation").await;
    window.click("prerequisite-client").await;

    window.click("raptor-submit").await;
    window.says("confirmation-sentence", "Your synchronization request will be processed").await;
    window.picture("confirmation").await;
    assert_eq!(window.command_line(&["status"])["data"]["raptor_status"], "disabled");
    window.click("confirmation-confirm").await;
    window.says("raptor-confirmed", "Your synchronization request will be processed").await;
    window.says("integration-status", "Pending Initialization").await;
    assert_eq!(window.command_line(&["status"])["data"]["raptor_status"], "pending_initialization");
    window.picture("confirmed").await;
    window.close().await;
}
