//! Plugin Management: installing, disabling, deleting, and what becomes of the credentials.

#![allow(clippy::unwrap_used, reason = "a test that cannot set up its parts fails")]

mod support;

use reqwest::{Method, Response, StatusCode};
use rosterbridge_practice::{Faults, ServeOptions};
use serde_json::{Value, json};
use support::{Practice, json_of, options, plugin};

async fn manage(practice: &Practice, method: Method, path: &str, body: Vec<u8>) -> Response {
    let url = format!("{}/plugin{path}", practice.running.control_url());
    let request = practice.client.request(method, url).body(body);
    request.header("content-type", "application/json").send().await.unwrap()
}

/// The status of a token request, and of a read with the token of before.
async fn works(practice: &Practice, id: &Value, secret: &Value) -> (u16, u16) {
    let url = &practice.running.ready().powerschool.url;
    let token = practice
        .client
        .post(format!("{url}/oauth/access_token"))
        .basic_auth(id.as_str().unwrap(), secret.as_str())
        .header("content-type", "application/x-www-form-urlencoded;charset=UTF-8")
        .body("grant_type=client_credentials")
        .send()
        .await
        .unwrap();
    let read = practice.request(Method::GET, "/ws/v1/district").send().await.unwrap();
    (token.status().as_u16(), read.status().as_u16())
}

fn credentials(practice: &Practice) -> (Value, Value) {
    let access = &practice.running.ready().powerschool;
    (json!(access.client_id), json!(access.client_secret))
}

async fn plugin_id(practice: &Practice) -> Value {
    practice.get("/ws/v1/metadata").await["metadata"]["plugin_id"].clone()
}

#[tokio::test]
async fn only_an_enabled_plugin_gets_a_token() {
    let practice = Practice::start(options()).await;
    let (id, secret) = credentials(&practice);
    assert_eq!(works(&practice, &id, &secret).await, (200, 200));
    let disabled = manage(&practice, Method::POST, "/enabled", br#"{"enabled": false}"#.to_vec()).await;
    assert_eq!(disabled.status(), StatusCode::OK);
    assert_eq!(works(&practice, &id, &secret).await, (401, 401));
    let seen = json_of(manage(&practice, Method::GET, "", Vec::new()).await, StatusCode::OK).await;
    assert_eq!(
        (&seen["name"], &seen["version"], &seen["state"]),
        (&json!("Practice Test"), &json!("1.0"), &json!("disabled"))
    );
    // An update does not enable it.
    manage(&practice, Method::POST, "", plugin("1.1", &[])).await;
    assert_eq!(works(&practice, &id, &secret).await, (401, 401));
    manage(&practice, Method::POST, "/enabled", br#"{"enabled": true}"#.to_vec()).await;
    assert_eq!(works(&practice, &id, &secret).await, (200, 200));
    assert_eq!(plugin_id(&practice).await, 1);
}

#[tokio::test]
async fn a_plugin_installed_again_is_another_plugin() {
    let folder = tempfile::tempdir().unwrap();
    let options = ServeOptions { data: Some(folder.path().to_owned()), ..options() };
    let mut practice = Practice::start(options.clone()).await;
    let (id, secret) = credentials(&practice);
    assert_eq!(plugin_id(&practice).await, 1);
    assert_eq!(manage(&practice, Method::DELETE, "", Vec::new()).await.status(), StatusCode::NO_CONTENT);
    assert_eq!(works(&practice, &id, &secret).await, (401, 401));
    let nothing = manage(&practice, Method::POST, "/credentials", Vec::new()).await;
    assert_eq!(json_of(nothing, StatusCode::BAD_REQUEST).await["code"], "practice.change");

    let again = json_of(manage(&practice, Method::POST, "", plugin("1.0", &[])).await, StatusCode::OK).await;
    assert_ne!((&again["client_id"], &again["client_secret"]), (&id, &secret));
    assert_eq!(works(&practice, &id, &secret).await.0, 401);
    assert_eq!(
        works(&practice, &again["client_id"], &again["client_secret"]).await,
        (200, 401),
        "the old token stays dead"
    );
    practice.running.stop().await;

    // Kept over a restart; deleted and offered at the start it is installed once more.
    practice = Practice::start(options.clone()).await;
    assert_eq!(credentials(&practice), (again["client_id"].clone(), again["client_secret"].clone()));
    assert_eq!(plugin_id(&practice).await, 2);
    manage(&practice, Method::DELETE, "", Vec::new()).await;
    practice.running.stop().await;
    practice = Practice::start(options).await;
    assert_ne!(credentials(&practice).0, again["client_id"]);
    assert_eq!(plugin_id(&practice).await, 3);
}

#[tokio::test]
async fn credentials_are_regenerated_where_the_version_can() {
    let practice = Practice::start(options()).await;
    let (id, secret) = credentials(&practice);
    practice.running.set_faults(Faults { version: Some("21.11.1.0".into()), ..Faults::default() });
    let refused = manage(&practice, Method::POST, "/credentials", Vec::new()).await;
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    assert_eq!(works(&practice, &id, &secret).await, (200, 200));
    practice.running.set_faults(Faults::default());
    let fresh =
        json_of(manage(&practice, Method::POST, "/credentials", Vec::new()).await, StatusCode::OK).await;
    assert_eq!(fresh["plugin_id"], 1);
    assert_eq!(works(&practice, &id, &secret).await, (401, 401));
    assert_eq!(works(&practice, &fresh["client_id"], &fresh["client_secret"]).await.0, 200);
}

#[tokio::test]
async fn metadata_names_the_plugin_to_those_with_a_token_only() {
    let practice = Practice::start(options()).await;
    let url = format!("{}/ws/v1/metadata", practice.running.ready().powerschool.url);
    let plain = json_of(practice.client.get(url).send().await.unwrap(), StatusCode::OK).await;
    assert!(plain["metadata"].get("plugin_id").is_none());
    assert_eq!(plugin_id(&practice).await, 1);
}
