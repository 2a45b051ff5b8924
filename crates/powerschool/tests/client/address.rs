//! Addresses and Client IDs as people type and paste them.

use rosterbridge_powerschool::{ClientId, CredentialProblem, Error, ServerUrl, UrlProblem};
use rstest::rstest;

#[rstest]
#[case("https://district.powerschool.com", "https://district.powerschool.com")]
#[case("https://district.powerschool.com/", "https://district.powerschool.com")]
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
