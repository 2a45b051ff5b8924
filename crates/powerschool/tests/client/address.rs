//! Addresses and Client IDs as people type and paste them.

use base64::{Engine, prelude::BASE64_STANDARD};
use rosterbridge_domain::settings::{PowerSchoolSettings, ProxyMode, ProxySettings};
use rosterbridge_powerschool::{
    Client, ClientId, Connection, CredentialProblem, Error, ProxyProblem, ServerUrl, Timeouts, UrlProblem,
    check_input,
};
use rstest::rstest;
use secrecy::SecretString;

use crate::stub::{CLIENT_ID, Stub};

#[rstest]
#[case("https://district.powerschool.com", "https://district.powerschool.com")]
#[case("https://district.powerschool.com/", "https://district.powerschool.com")]
#[case("https:/district.powerschool.com", "https://district.powerschool.com")]
#[case("district.powerschool.com", "https://district.powerschool.com")]
#[case("DISTRICT.PowerSchool.com", "https://district.powerschool.com")]
#[case(
    "  \u{201c}https://district.powerschool.com/admin/pw.html?a=b#c\u{201d}\n",
    "https://district.powerschool.com"
)]
#[case("<https://ps.example.org:8443/public/home.html>", "https://ps.example.org:8443")]
#[case("ps.example.org:8443", "https://ps.example.org:8443")]
#[case("10.1.2.3", "https://10.1.2.3")]
#[case("https://[2001:db8::1]/", "https://[2001:db8::1]")]
#[case("http://127.0.0.1:8080/x", "http://127.0.0.1:8080")]
#[case("http://localhost", "http://localhost")]
fn accepts(#[case] typed: &str, #[case] meant: &str) {
    assert_eq!(ServerUrl::parse(typed).unwrap().to_string(), meant);
}

#[rstest]
#[case("", UrlProblem::Empty)]
#[case(" '' ", UrlProblem::Empty)]
#[case("ftp://district.powerschool.com", UrlProblem::Scheme)]
#[case("district powerschool com", UrlProblem::Malformed)]
#[case("https://", UrlProblem::Malformed)]
#[case("https://district..powerschool.com", UrlProblem::Malformed)]
#[case("https://district,powerschool.com", UrlProblem::Malformed)]
#[case("https://me:secret@district.powerschool.com", UrlProblem::Credentials)]
#[case(" c5a1a0a4-3f0b-4a3e-a6a4-4c5a0f3a2b1d ", UrlProblem::Swapped)]
fn refuses(#[case] typed: &str, #[case] problem: UrlProblem) {
    let error = ServerUrl::parse(typed).unwrap_err();
    assert!(matches!(error, Error::BadUrl(found) if found == problem), "{error}");
    assert_eq!(error.code(), "powerschool.bad_url");
}

#[rstest]
#[case("http://district.powerschool.com")]
#[case("HTTP://10.1.2.3")]
fn refuses_to_send_the_secret_unprotected(#[case] typed: &str) {
    assert_eq!(ServerUrl::parse(typed).unwrap_err().code(), "powerschool.http_refused");
}

#[rstest]
#[case("0e2fbd3c-9ac2-4c32-8a6c-6a4a3b0d1f5e")]
#[case("  0E2FBD3C-9AC2-4C32-8A6C-6A4A3B0D1F5E\n")]
#[case("\u{201c}0e2fbd3c-9ac2-4c32-8a6c-6a4a3b0d1f5e\u{201d}")]
fn accepts_a_client_id(#[case] typed: &str) {
    assert_eq!(ClientId::parse(typed).unwrap().to_string(), "0e2fbd3c-9ac2-4c32-8a6c-6a4a3b0d1f5e");
}

#[rstest]
#[case("", CredentialProblem::Empty)]
#[case("0e2fbd3c-9ac2-4c32 8a6c-6a4a3b0d1f5e", CredentialProblem::Whitespace)]
#[case("0e2fbd3c-9ac2\"4c32-8a6c-6a4a3b0d1f5e", CredentialProblem::Quotes)]
#[case("0e2fbd3c-9ac2-4c32-8a6c-6a4a3b0d1f", CredentialProblem::Truncated { length: 34 })]
#[case("https://district.powerschool.com", CredentialProblem::Swapped)]
#[case("district.powerschool.com", CredentialProblem::Swapped)]
#[case("client", CredentialProblem::NotAUuid)]
#[case("0e2fbd3c-9ac2-4c32-8a6c-6a4a3b0d1f5z", CredentialProblem::NotAUuid)]
fn says_what_is_wrong_with_a_client_id(#[case] typed: &str, #[case] problem: CredentialProblem) {
    let error = ClientId::parse(typed).unwrap_err();
    assert!(matches!(error, Error::BadClientId(found) if found == problem), "{error}");
}

const SECRET: &str = "c5a1a0a4-3f0b-4a3e-a6a4-4c5a0f3a2b1d";

fn entered() -> PowerSchoolSettings {
    PowerSchoolSettings {
        url: "district.powerschool.com/admin/home.html".to_owned(),
        client_id: CLIENT_ID.to_owned(),
        ..PowerSchoolSettings::default()
    }
}

fn problems(settings: &PowerSchoolSettings, secret: &str) -> Vec<Error> {
    check_input(settings, Some(&SecretString::from(secret))).unwrap_err()
}

#[rstest]
#[case::as_it_is(SECRET)]
#[case::capitals("C5A1A0A4-3F0B-4A3E-A6A4-4C5A0F3A2B1D")]
#[case::padded(" c5a1a0a4-3f0b-4a3e-a6a4-4c5a0f3a2b1d\r\n")]
#[case::quoted("\u{201c}c5a1a0a4-3f0b-4a3e-a6a4-4c5a0f3a2b1d\u{201d}")]
fn accepts_what_was_entered(#[case] secret: &str) {
    let url = check_input(&entered(), Some(&SecretString::from(secret))).unwrap();
    assert_eq!(url.to_string(), "https://district.powerschool.com");
    assert!(check_input(&entered(), None).is_ok());
}

#[tokio::test]
async fn a_pasted_secret_is_sent_without_what_came_along() {
    let stub = Stub::start(|_| None).await;
    let settings = PowerSchoolSettings { url: stub.url.clone(), ..entered() };
    let secret = SecretString::from(format!(" \"{SECRET}\"\n"));
    let connection = Connection::from_settings(&settings, secret, None, Timeouts::default()).unwrap();
    Client::new(connection).unwrap().authenticate().await.unwrap();
    let expected = format!("Basic {}", BASE64_STANDARD.encode(format!("{CLIENT_ID}:{SECRET}")));
    assert_eq!(stub.authorizations(), [expected]);
}

#[rstest]
#[case("", CredentialProblem::Empty)]
#[case("  ", CredentialProblem::Empty)]
#[case("c5a1a0a4-3f0b-4a3e-a6a4-4c5a0f3a2b", CredentialProblem::Truncated { length: 34 })]
#[case("c5a1a0a4-3f0b-4a3e-a6a4-4c5a0f3a2b1dc5a1", CredentialProblem::TooLong { length: 40 })]
#[case("c5a1a0a4-3f0b-4a3e\n-a6a4-4c5a0f3a2b1d", CredentialProblem::Whitespace)]
#[case("c5a1a0a4-3f0b'4a3e-a6a4-4c5a0f3a2b1d", CredentialProblem::Quotes)]
#[case("https://district.powerschool.com", CredentialProblem::Swapped)]
#[case(CLIENT_ID, CredentialProblem::SameAsId)]
#[case("secret", CredentialProblem::NotAUuid)]
fn says_what_is_wrong_with_a_client_secret(#[case] typed: &str, #[case] problem: CredentialProblem) {
    let found = problems(&entered(), typed);
    assert!(matches!(&found[..], [Error::BadClientSecret(found)] if *found == problem), "{found:?}");
    assert_eq!(found[0].code(), "powerschool.bad_client_secret");
    let told = format!("{} {} {found:?}", found[0], found[0].remedy());
    assert!(typed.trim().len() < 6 || !told.contains(typed.trim()), "{told}");
}

#[test]
fn names_every_problem_at_once() {
    let settings = PowerSchoolSettings {
        // The first two fields the other way round.
        url: CLIENT_ID.to_owned(),
        client_id: "https://district.powerschool.com".to_owned(),
        extra_roots: vec!["no certificate".to_owned()],
        proxy: ProxySettings {
            mode: ProxyMode::Explicit,
            url: "socks5://proxy:1080".to_owned(),
            ..ProxySettings::default()
        },
        ..PowerSchoolSettings::default()
    };
    let found = problems(&settings, "short");
    let codes: Vec<_> = found.iter().map(Error::code).collect();
    assert_eq!(
        codes,
        [
            "powerschool.bad_url",
            "powerschool.bad_client_id",
            "powerschool.bad_client_secret",
            "powerschool.bad_extra_root",
            "powerschool.bad_proxy",
        ]
    );
    assert!(matches!(found[0], Error::BadUrl(UrlProblem::Swapped)));
    assert!(matches!(found[1], Error::BadClientId(CredentialProblem::Swapped)));
}

#[rstest]
#[case("", ProxyProblem::Empty)]
#[case("https://proxy.example.org:8080", ProxyProblem::Scheme)]
#[case("socks5://proxy.example.org:1080", ProxyProblem::Scheme)]
#[case("http://me:word@proxy.example.org:8080", ProxyProblem::Credentials)]
#[case("http://proxy example org", ProxyProblem::Malformed)]
fn says_what_is_wrong_with_a_proxy(#[case] typed: &str, #[case] problem: ProxyProblem) {
    let proxy =
        ProxySettings { mode: ProxyMode::Explicit, url: typed.to_owned(), ..ProxySettings::default() };
    let found = problems(&PowerSchoolSettings { proxy, ..entered() }, SECRET);
    assert!(matches!(&found[..], [Error::BadProxy(found)] if *found == problem), "{found:?}");
}

#[rstest]
#[case::no_scheme(ProxyMode::Explicit, "proxy.example.org:8080")]
#[case::ipv6(ProxyMode::Explicit, "http://[2001:db8::1]:3128")]
#[case::not_in_use(ProxyMode::System, "socks5://left over from before")]
fn accepts_a_proxy(#[case] mode: ProxyMode, #[case] typed: &str) {
    let proxy = ProxySettings { mode, url: typed.to_owned(), ..ProxySettings::default() };
    assert!(check_input(&PowerSchoolSettings { proxy, ..entered() }, None).is_ok());
}
