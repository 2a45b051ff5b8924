//! The built interface, under the window's own content security policy.

use std::{
    path::{Component, Path, PathBuf},
    sync::{Arc, LazyLock},
};

use axum::{
    extract::State,
    http::{StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use serde_json::Value;

use super::Host;

/// As the window has it: what the page may not do there it may not do here.
static POLICY: LazyLock<String> = LazyLock::new(policy);

fn policy() -> String {
    let configuration: Value =
        serde_json::from_str(include_str!("../../tauri.conf.json")).unwrap_or_default();
    let Some(directives) = configuration.pointer("/app/security/csp").and_then(Value::as_object) else {
        return "default-src 'none'".to_owned();
    };
    let directives =
        directives.iter().map(|(name, sources)| format!("{name} {}", sources.as_str().unwrap_or("'none'")));
    directives.collect::<Vec<_>>().join("; ")
}

/// A file of the interface.
pub async fn file(State(host): State<Arc<Host>>, address: Uri) -> Response {
    let Some(name) = name(address.path()) else { return StatusCode::NOT_FOUND.into_response() };
    match tokio::fs::read(host.page.join(&name)).await {
        Ok(content) => (
            [
                (header::CONTENT_TYPE, kind(&name)),
                (header::CONTENT_SECURITY_POLICY, POLICY.as_str()),
                (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
                (header::REFERRER_POLICY, "no-referrer"),
                (header::CACHE_CONTROL, "no-store"),
            ],
            content,
        )
            .into_response(),
        Err(_) => StatusCode::NOT_FOUND.into_response(),
    }
}

/// The file an address names, which never leads out of the folder.
fn name(path: &str) -> Option<PathBuf> {
    let name = Path::new(match path.trim_start_matches('/') {
        "" => "index.html",
        name => name,
    });
    name.components().all(|part| matches!(part, Component::Normal(_))).then(|| name.to_owned())
}

fn kind(name: &Path) -> &'static str {
    match name.extension().and_then(|ending| ending.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("json") => "application/json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("woff2") => "font/woff2",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_address_leads_out_of_the_folder() {
        assert_eq!(name("/"), Some("index.html".into()));
        assert_eq!(name("/assets/a.js"), Some("assets/a.js".into()));
        for out in ["/../secret", "/assets/../../secret", "/.."] {
            assert_eq!(name(out), None, "{out}");
        }
    }

    #[test]
    fn the_policy_is_the_windows() {
        assert!(POLICY.contains("default-src 'self'; "), "{}", *POLICY);
        assert!(POLICY.contains("script-src 'self'; style-src 'self'"), "{}", *POLICY);
        assert!(!POLICY.contains("unsafe"), "{}", *POLICY);
    }
}
