//! The PowerSchool step: what is exchanged, the plugin, a vendor's plugin, the stages of the test, a wrong
//! secret, and a test that waits for the server and then runs by itself.

use std::fs;

use fantoccini::Locator;
use serde_json::json;

use crate::support::Window;

const SOME_SECRET: &str = "0f3c9b1e-52d7-4a86-9e0b-7d41c2aa5f10";

const VENDOR_PLUGIN: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<plugin xmlns="http://plugin.powerschool.pearson.com" name="Visitor desk" version="2.1" description="Names at the door">
  <oauth/>
  <access_request>
    <field table="STUDENTS" field="FIRST_NAME" access="ViewOnly"/>
    <field table="STUDENTS" field="LAST_NAME" access="ReadOnly"/>
  </access_request>
  <publisher name="Visitor desk"><contact email="support@example.org"/></publisher>
</plugin>
"#;

#[tokio::test(flavor = "multi_thread")]
async fn powerschool_is_connected_step_by_step() {
    let window = Window::open().await;
    window.click("welcome-practice").await;
    window.find("field-url").await;

    plugin(&window).await;
    vendor(&window).await;
    stages(&window).await;
    wrong_secret(&window).await;
    waiting(&window).await;
    window.close().await;
}

/// Fewer exchanges ask for less; the instructions say where the plugin is enabled.
async fn plugin(window: &Window) {
    window.click("section-exchanges").await;
    window.says("plugin-asks", "and to write to ATTENDANCE.").await;
    window.click("exchange-raptor-tardies").await;
    window.click("exchange-hero-attendance").await;
    window.says("plugin-asks", "It writes nothing.").await;
    window.picture("exchanges").await;
    window.click("exchange-raptor-tardies").await;
    window.click("exchange-hero-attendance").await;
    window.says("plugin-asks", "and to write to ATTENDANCE.").await;
    window.click("exchanges-continue").await;
    window.says("plugin-version", "Version 1.").await;
    window.click("walk-enable").await;
    window.says("walk-text", "Enable/Disable").await;
    window.picture("plugin").await;
}

async fn vendor(window: &Window) {
    let file = window.practice().join("Plugin.xml");
    fs::write(&file, VENDOR_PLUGIN).unwrap();
    window.click("vendor-open").await;
    window.find("field-plugin-file").await.send_keys(file.to_str().unwrap()).await.unwrap();
    window.until("plugin-check", "data-valid", "false").await;
    window.says("plugin-check", "line 6, column").await;
    window.picture("vendor-refused").await;

    fs::write(&file, VENDOR_PLUGIN.replace("ReadOnly", "ViewOnly")).unwrap();
    window.find("field-plugin-file").await.send_keys(file.to_str().unwrap()).await.unwrap();
    window.until("plugin-check", "data-valid", "true").await;
    window.picture("vendor").await;
    window.click("vendor-continue").await;
    window.gone("plugin-check").await;
}

/// Twelve stages, and under Access every field.
async fn stages(window: &Window) {
    window.click("test-powerschool").await;
    window.until("powerschool-stages", "data-passed", "true").await;
    let stages = "[data-testid='powerschool-stages'] [data-result='passed'],
                  [data-testid='powerschool-stages'] [data-result='warned']";
    assert_eq!(window.client.find_all(Locator::Css(stages)).await.unwrap().len(), 12);
    window.click("access-toggle").await;
    window
        .find("access-ATTENDANCE")
        .await
        .find(Locator::Css("summary"))
        .await
        .unwrap()
        .click()
        .await
        .unwrap();
    window.says("access-ATTENDANCE", "ATT_DATE").await;
    window.picture("access").await;
}

/// A mistyped secret leads back to its field, which is empty and takes the right one.
async fn wrong_secret(window: &Window) {
    window.click("field-client-secret-replace").await;
    window.fill("field-client-secret", SOME_SECRET).await;
    window.click("test-powerschool").await;
    window.told("powerschool.bad_credentials").await;
    window.picture("wrong-secret").await;
    window.click("credentials-again").await;
    let right = window.ready()["powerschool"]["client_secret"].as_str().unwrap().to_owned();
    window.fill("field-client-secret", &right).await;
}

/// Down for maintenance when it is queued, it runs when PowerSchool is back, without anybody's doing.
async fn waiting(window: &Window) {
    window.control("faults", &json!({"maintenance": "html"}));
    window.click("test-offline").await;
    window.find("test-waiting").await;
    window.picture("waiting").await;
    window.control("faults", &json!({}));
    window.until("powerschool-stages", "data-passed", "true").await;
    window.gone("test-waiting").await;

    window.control("faults", &json!({"maintenance": "html"}));
    window.click("test-offline").await;
    window.click("test-stop").await;
    window.gone("test-waiting").await;
    window.control("faults", &json!({}));
}
