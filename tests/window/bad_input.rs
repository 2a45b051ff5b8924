//! What the window says when something put into it is wrong: each time its own code and what to do, and nothing lost.

use std::{
    fs,
    net::{Ipv4Addr, TcpListener},
};

use fantoccini::Locator;
use serde_json::json;

use crate::support::Window;

const SOME_SECRET: &str = "0f3c9b1e-52d7-4a86-9e0b-7d41c2aa5f10";

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_told_in_the_window() {
    let window = Window::open().await;
    window.click("welcome-practice").await;
    window.find("field-url").await;
    powerschool(&window).await;

    for _ in 0..3 {
        window.click("step-next").await;
    }
    hero_before_its_key_is_accepted(&window).await;
    hero(&window).await;
    window.click("step-next").await;
    window.click("finish-setup").await;

    powerschool_down_during_a_run(&window).await;
    held_rows(&window).await;
    wrong_columns(&window).await;
    window.close().await;
}

async fn powerschool(window: &Window) {
    let ready = window.ready();
    let url = ready["powerschool"]["url"].as_str().unwrap();

    window.fill("field-url", "http://powerschool.example.org").await;
    window.click("test-powerschool").await;
    window.told("powerschool.http_refused").await;

    window.fill("field-url", &format!("https://127.0.0.1:{}", closed_port())).await;
    window.click("test-powerschool").await;
    window.told("powerschool.unreachable").await;
    window.picture("unreachable").await;

    // A path after the address is dropped, so this is the right one again.
    window.fill("field-url", &format!("{url}/admin/home.html")).await;
    window.click("field-client-secret-replace").await;
    window.fill("field-client-secret", SOME_SECRET).await;
    window.click("test-powerschool").await;
    window.told("powerschool.bad_credentials").await;

    window.click("field-client-secret-replace").await;
    window.fill("field-client-secret", ready["powerschool"]["client_secret"].as_str().unwrap()).await;
    window.click("test-powerschool").await;
    window.until("powerschool-stages", "data-passed", "true").await;

    // The page may still scroll to the test's result, away from under a click.
    while window.client.find(Locator::Css("details[open] > [data-testid='certificates']")).await.is_err() {
        window.click("certificates").await;
    }
    window.click("certificate-0-remove").await;
    window.gone("certificate-0-remove").await;
    window.click("test-powerschool").await;
    window.told("powerschool.unknown_authority").await;

    let authority = window.practice().join("authority-to-add.pem");
    fs::write(&authority, ready["powerschool"]["ca_pem"].as_str().unwrap()).unwrap();
    window.find("field-certificate").await.send_keys(authority.to_str().unwrap()).await.unwrap();
    window.find("certificate-0-remove").await;
    window.click("test-powerschool").await;
    window.until("powerschool-stages", "data-passed", "true").await;

    window.control("faults", &json!({"maintenance": "html"}));
    window.click("test-powerschool").await;
    window.told("powerschool.maintenance").await;
    window.control("faults", &json!({}));
    window.click("test-powerschool").await;
    window.until("powerschool-stages", "data-passed", "true").await;
}

/// Cancel on the question accepts nothing: Hero's exchanges stop, Raptor's go on.
async fn hero_before_its_key_is_accepted(window: &Window) {
    let ready = window.ready();

    window.fill("field-hero-port", &closed_port().to_string()).await;
    window.click("test-hero").await;
    window.told("sftp.refused").await;

    window.fill("field-hero-port", &ready["hero"]["port"].to_string()).await;
    window.click("test-hero").await;
    window.click("refuse-host-key").await;
    window.told("sftp.host_key_unknown").await;

    window.click("setup-close").await;
    window.click("run-now").await;
    window.until("run-outcome", "data-outcome", "failed").await;
    window.told("sftp.host_key_unknown").await;
    window.until("job-raptor-tardies-written", "data-value", "6").await;
    window.picture("host-key-refused").await;
    assert_eq!(fs::read_dir(window.practice().join("hero/imports")).unwrap().count(), 0);

    let runs = window.command_line(&["runs"]);
    for job in runs["data"]["runs"][0]["jobs"].as_array().unwrap() {
        let name = job["job"].as_str().unwrap();
        if name.starts_with("hero-") {
            assert_eq!(job["cause"]["code"], "sftp.host_key_unknown", "{job}");
        } else {
            assert_eq!(job["outcome"], "succeeded", "{job}");
        }
    }
    window.click("close-run").await;
    window.click("open-setup").await;
    window.click("step-hero").await;
}

async fn hero(window: &Window) {
    let ready = window.ready();
    window.click("test-hero").await;
    window.click("accept-host-key").await;
    window.until("hero-stages", "data-passed", "true").await;

    password(window, "not the password").await;
    window.click("test-hero").await;
    window.told("sftp.bad_password").await;
    password(window, ready["hero"]["password"].as_str().unwrap()).await;
    window.click("test-hero").await;
    window.until("hero-stages", "data-passed", "true").await;

    window.control("hero", &json!({"missing_imports": true}));
    window.click("test-hero").await;
    window.told("sftp.folder_missing").await;
    window.control("hero", &json!({}));
    window.click("test-hero").await;
    window.until("hero-stages", "data-passed", "true").await;
}

async fn password(window: &Window, password: &str) {
    window.click("field-hero-password-replace").await;
    window.fill("field-hero-password", password).await;
    window.fill("field-hero-confirm", password).await;
}

async fn powerschool_down_during_a_run(window: &Window) {
    window.control("faults", &json!({"maintenance": "html"}));
    window.click("run-now").await;
    window.until("run-outcome", "data-outcome", "failed").await;
    window.told("powerschool.maintenance").await;
    window.picture("maintenance").await;
    window.control("faults", &json!({}));
    window.click("close-run").await;
}

/// A tardy of a student whom PowerSchool doesn't know, and one with a reason that isn't mapped.
async fn held_rows(window: &Window) {
    let folder = window.practice().join("raptor");
    let processed = fs::read_dir(folder.join("processed")).unwrap().next().unwrap().unwrap().path();
    let taken = fs::read_to_string(processed).unwrap();
    let mut lines = taken.lines();
    let header = lines.next().unwrap();
    let fields: Vec<&str> = lines.next().unwrap().split(',').collect();
    let [building, student, time] = [fields[0], fields[1], fields[2]];
    let late = format!(
        "{header}\n{building},999999999,{time},Tardy - Traffic,\n{building},{student},{time},Went fishing,\n"
    );
    fs::write(folder.join("tardies-late.csv"), late).unwrap();

    window.click("run-now").await;
    window.until("run-outcome", "data-outcome", "succeeded_with_held_rows").await;
    window.until("held-count", "data-value", "2").await;
    window.click("close-run").await;
    window.click("show-held").await;
    window.find("held-rows").await;
    let mut codes = window.texts("held-code").await;
    codes.sort();
    assert_eq!(codes, ["held.reason_not_mapped", "held.unknown_student"]);
    window.picture("held").await;
    // Until every row of it is decided the file stays.
    assert!(folder.join("tardies-late.csv").exists());
    window.client.active_element().await.unwrap().send_keys("\u{e00c}").await.unwrap();
}

/// A file that isn't Raptor's stays where it is, for a person to look into.
async fn wrong_columns(window: &Window) {
    let stray = window.practice().join("raptor/tardies-stray.csv");
    fs::write(&stray, "Name,Colour\nAda,green\n").unwrap();
    window.click("nav-home").await;
    window.click("run-now").await;
    window.until("run-outcome", "data-outcome", "failed").await;
    window.told("raptor.wrong_columns").await;
    assert_eq!(fs::read_to_string(&stray).unwrap(), "Name,Colour\nAda,green\n");
}

/// A port of this machine on which nothing listens.
fn closed_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}
