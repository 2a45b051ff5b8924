//! Whom we trust, and servers that speak no TLS that can be trusted.

use std::{
    io::Write,
    process::{Command, Stdio},
    sync::Arc,
};

use chrono::{Datelike, TimeDelta, Utc};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rosterbridge_powerschool::{
    Certificate, Client, Connection, Error, Findings, StageName, presented_certificates, reach, trusts,
};
use rstest::rstest;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer},
    },
};

use crate::{
    staged::{failure, outcome, plan, stage, test},
    stub::Stub,
};

/// What is wrong with the server's certificate.
#[derive(Clone, Copy, PartialEq)]
enum Flaw {
    Nothing,
    OtherName,
    Expired,
    NotYetValid,
}

/// Serves nothing but handshakes; gives its address and its authority's certificate.
async fn serve(flaw: Flaw) -> (String, String) {
    let authority_key = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::default();
    authority.distinguished_name.push(DnType::CommonName, "Test authority");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_pem = authority.self_signed(&authority_key).unwrap().pem();
    let issuer = Issuer::new(authority, authority_key);

    let name = if flaw == Flaw::OtherName { "other.example.org" } else { "localhost" };
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    match flaw {
        Flaw::Expired => params.not_after = date_time_ymd(2001, 1, 1),
        Flaw::NotYetValid => params.not_before = date_time_ymd(2999, 1, 1),
        Flaw::Nothing | Flaw::OtherName => {}
    }
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    let (url, _) = shake_hands("127.0.0.1:0", vec![certificate.der().clone()], &key).await;
    (url, authority_pem)
}

/// Serves nothing but handshakes with a chain, its own certificate first; gives its address and, for each handshake,
/// whether the client went through with it.
async fn shake_hands(
    address: &str,
    chain: Vec<CertificateDer<'static>>,
    key: &KeyPair,
) -> (String, mpsc::UnboundedReceiver<bool>) {
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::Pkcs8(key.serialize_der().into()))
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind(address).await.unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let (done, shaken) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // Dropped after the handshake: a trusted connection simply breaks.
            _ = done.send(acceptor.accept(stream).await.is_ok());
        }
    });
    (url, shaken)
}

fn client(url: &str, extra_roots: Vec<String>) -> Result<Client, Error> {
    Client::new(Connection { extra_roots, ..crate::stub::connection(url) })
}

#[rstest]
#[case::trusted(Flaw::Nothing, true, "powerschool.unreachable")]
#[case::unknown_authority(Flaw::Nothing, false, "powerschool.unknown_authority")]
#[case::other_name(Flaw::OtherName, true, "powerschool.certificate")]
#[case::expired(Flaw::Expired, true, "powerschool.certificate")]
#[case::not_yet_valid(Flaw::NotYetValid, true, "powerschool.certificate")]
#[tokio::test]
async fn a_certificate_that_does_not_hold_has_its_code(
    #[case] flaw: Flaw,
    #[case] trusted: bool,
    #[case] code: &str,
) {
    let (url, authority) = serve(flaw).await;
    let roots = if trusted { vec![authority] } else { Vec::new() };
    let error = client(&url, roots).unwrap().time().await.unwrap_err();
    assert_eq!(error.code(), code, "{error}");
}

#[rstest]
#[case("not a certificate")]
#[case("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")]
#[tokio::test]
async fn an_unreadable_certificate_is_named(#[case] pem: &str) {
    let (_, good) = serve(Flaw::Nothing).await;
    let error = client("https://localhost", vec![good, pem.to_owned()]).unwrap_err();
    assert!(matches!(error, Error::BadExtraRoot { number: 2 }), "{error}");
}

fn named(name: &str, alternative: &[&str], authority: bool) -> CertificateParams {
    let alternative: Vec<String> = alternative.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(alternative).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    if authority {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }
    params
}

fn connection(url: &str, added: &[&Certificate]) -> Connection {
    let extra_roots = added.iter().map(|certificate| certificate.pem.clone()).collect();
    Connection { extra_roots, ..crate::stub::connection(url) }
}

fn offered(findings: &Findings) -> &Certificate {
    let offered: Vec<_> = findings.certificates.iter().filter(|certificate| certificate.offered).collect();
    assert_eq!(offered.len(), 1, "{findings:#?}");
    offered[0]
}

/// Whether a test with these certificates added gets past the handshake.
async fn is_trusted(url: &str, added: &[&Certificate]) -> bool {
    let findings = test(plan(connection(url, added))).await;
    outcome(stage(&findings, StageName::Tls)) == "passed"
}

#[tokio::test]
async fn an_unknown_authority_is_offered_and_trusted_once_it_is_added() {
    let (root_key, between_key, key) =
        (KeyPair::generate().unwrap(), KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let root = Issuer::new(named("District root", &[], true), root_key);
    let between_params = named("District servers", &[], true);
    let between = between_params.signed_by(&between_key, &root).unwrap();
    let issuer = Issuer::new(between_params, between_key);
    let own = named("PowerSchool", &["localhost"], false).signed_by(&key, &issuer).unwrap();
    let chain = vec![own.der().clone(), between.der().clone()];
    let (url, mut shaken) = shake_hands("127.0.0.1:0", chain, &key).await;

    let findings = test(plan(connection(&url, &[]))).await;
    assert_eq!(failure(&findings), (StageName::Tls, "powerschool.unknown_authority"));
    assert!(!shaken.recv().await.unwrap());
    let offer = offered(&findings);
    assert!(
        offer.subject.contains("District servers") && offer.issuer.contains("District root"),
        "{offer:?}"
    );
    assert_eq!(presented_certificates(&connection(&url, &[])).await.unwrap(), findings.certificates);
    assert!(!shaken.recv().await.unwrap());

    assert!(is_trusted(&url, &[offer]).await);
    assert!(shaken.recv().await.unwrap());
    // A certificate that is not an authority's vouches for itself only; here it is the server's own.
    assert!(is_trusted(&url, &[&findings.certificates[0]]).await);
    // Somebody may look at the certificates of a trusted server too.
    assert_eq!(presented_certificates(&connection(&url, &[offer])).await.unwrap().len(), 2);
}

/// What somebody adds has to make the connection work.
#[rstest]
#[case::fits("localhost", None)]
#[case::other_name("other.example.org", Some("powerschool.certificate"))]
#[tokio::test]
async fn a_certificate_that_was_added_is_trusted_under_its_name_only(
    #[case] name: &str,
    #[case] code: Option<&str>,
) {
    let key = KeyPair::generate().unwrap();
    let own = named("PowerSchool", &[name], false).self_signed(&key).unwrap();
    let (url, _shaken) = shake_hands("127.0.0.1:0", vec![own.der().clone()], &key).await;
    let added = presented_certificates(&connection(&url, &[])).await.unwrap();
    let trusted = trusts(&connection(&url, &[&added[0]])).await;
    assert_eq!(trusted.err().map(|error| error.code()), code);
}

#[tokio::test]
#[cfg_attr(windows, ignore = "needs the openssl program")]
async fn the_fingerprint_is_the_one_openssl_prints() {
    let key = KeyPair::generate().unwrap();
    let own = named("PowerSchool", &["localhost"], false).self_signed(&key).unwrap();
    let (url, _shaken) = shake_hands("127.0.0.1:0", vec![own.der().clone()], &key).await;
    let presented = presented_certificates(&connection(&url, &[])).await.unwrap();
    let printed = openssl(&["x509", "-noout", "-fingerprint", "-sha256"], &own.pem());
    assert!(printed.trim().ends_with(&presented[0].sha256), "{printed} {presented:?}");
    // What is offered to be added can be read again.
    assert_eq!(openssl(&["x509", "-noout", "-fingerprint", "-sha256"], &presented[0].pem), printed);
}

fn openssl(arguments: &[&str], input: &str) -> String {
    let mut child =
        Command::new("openssl").args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
}

#[rstest]
#[case::server(false)]
#[case::that_calls_itself_an_authority(true)]
#[tokio::test]
async fn a_self_signed_server_is_offered_and_trusted_as_exactly_itself(#[case] authority: bool) {
    let key = KeyPair::generate().unwrap();
    let own = named("PowerSchool", &["localhost"], authority).self_signed(&key).unwrap();
    let (url, _shaken) = shake_hands("127.0.0.1:0", vec![own.der().clone()], &key).await;
    let findings = test(plan(connection(&url, &[]))).await;
    assert_eq!(failure(&findings), (StageName::Tls, "powerschool.unknown_authority"));
    let added = offered(&findings).clone();
    assert!(is_trusted(&url, &[&added]).await);
    assert_eq!(reach(&connection(&url, &[&added])).await.unwrap_err().code(), "powerschool.unreachable");

    // The same name and key, but another certificate.
    let other = named("PowerSchool", &["localhost"], false).self_signed(&key).unwrap();
    let (url, _shaken) = shake_hands("127.0.0.1:0", vec![other.der().clone()], &key).await;
    assert!(!is_trusted(&url, &[&added]).await || authority);
}

#[tokio::test]
async fn a_server_certificate_that_was_added_vouches_for_no_other() {
    let (key, other_key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let params = named("PowerSchool", &["localhost"], false);
    let own = params.self_signed(&key).unwrap();
    let (url, _shaken) = shake_hands("127.0.0.1:0", vec![own.der().clone()], &key).await;
    let added = presented_certificates(&connection(&url, &[])).await.unwrap();

    let issuer = Issuer::new(params, key);
    let other = named("Impostor", &["localhost"], false).signed_by(&other_key, &issuer).unwrap();
    for (chain, code) in [
        (vec![other.der().clone()], "powerschool.unknown_authority"),
        // Presented as if it were an authority, which is against the rules.
        (vec![other.der().clone(), own.der().clone()], "powerschool.certificate"),
    ] {
        let (url, _shaken) = shake_hands("127.0.0.1:0", chain, &other_key).await;
        let findings = test(plan(connection(&url, &[&added[0]]))).await;
        assert_eq!(failure(&findings), (StageName::Tls, code));
        assert_eq!(offered(&findings).subject, "CN=Impostor");
    }
}

#[rstest]
#[case::other_name(|params: &mut CertificateParams| *params = named("PowerSchool", &["other.example.org"], false), "another server name")]
#[case::expired(|params: &mut CertificateParams| params.not_after = date_time_ymd(2001, 1, 1), "expired")]
#[case::not_yet_valid(|params: &mut CertificateParams| params.not_before = date_time_ymd(2999, 1, 1), "not valid yet")]
#[tokio::test]
async fn a_certificate_that_was_added_still_needs_the_right_name_and_dates(
    #[case] spoil: fn(&mut CertificateParams),
    #[case] problem: &str,
) {
    let key = KeyPair::generate().unwrap();
    let mut params = named("PowerSchool", &["localhost"], false);
    spoil(&mut params);
    let own = params.self_signed(&key).unwrap();
    let (url, _shaken) = shake_hands("127.0.0.1:0", vec![own.der().clone()], &key).await;
    let added = presented_certificates(&connection(&url, &[])).await.unwrap();
    let error = reach(&connection(&url, &[&added[0]])).await.unwrap_err();
    assert_eq!(error.code(), "powerschool.certificate");
    assert!(error.to_string().contains(problem), "{error}");
}

#[rstest]
#[case::soon(10, "powerschool.certificate_expiring")]
#[case::later(60, "passed")]
#[tokio::test]
async fn a_certificate_about_to_expire_is_pointed_out(#[case] days: i64, #[case] code: &str) {
    let key = KeyPair::generate().unwrap();
    let last = (Utc::now() + TimeDelta::days(days)).date_naive();
    let mut params = named("PowerSchool", &["localhost"], false);
    params.not_after =
        date_time_ymd(last.year(), u8::try_from(last.month()).unwrap(), u8::try_from(last.day()).unwrap());
    let own = params.self_signed(&key).unwrap();
    let (url, _shaken) = shake_hands("127.0.0.1:0", vec![own.der().clone()], &key).await;
    let added = presented_certificates(&connection(&url, &[])).await.unwrap();
    let findings = test(plan(connection(&url, &[&added[0]]))).await;
    let tls = stage(&findings, StageName::Tls);
    assert_eq!(outcome(tls), code);
    assert!(tls.detail.contains("CN=PowerSchool") && tls.detail.contains(&last.to_string()), "{tls:?}");
    // A warning stops nothing: the next stage ran.
    assert_eq!(failure(&findings), (StageName::Time, "powerschool.unreachable"));
}

#[tokio::test]
async fn a_server_known_by_its_ipv6_address_is_trusted() {
    let key = KeyPair::generate().unwrap();
    let own = named("PowerSchool", &["::1"], false).self_signed(&key).unwrap();
    let (url, _shaken) = shake_hands("[::1]:0", vec![own.der().clone()], &key).await;
    let url = url.replace("localhost", "[::1]");
    let added = presented_certificates(&connection(&url, &[])).await.unwrap();
    assert!(is_trusted(&url, &[&added[0]]).await);
}

#[tokio::test]
async fn https_and_http_at_the_wrong_port_are_told_apart_from_a_firewall() {
    let plain = Stub::start(|_| None).await;
    let asked = plain.url.replace("http://127.0.0.1", "https://localhost");
    let findings = test(plan(connection(&asked, &[]))).await;
    assert_eq!(failure(&findings), (StageName::Tls, "powerschool.wrong_scheme"));
    assert_eq!(reach(&connection(&asked, &[])).await.unwrap_err().code(), "powerschool.wrong_scheme");

    let (encrypted, _) = serve(Flaw::Nothing).await;
    let findings = test(plan(connection(&encrypted.replace("https://", "http://"), &[]))).await;
    assert_eq!(failure(&findings), (StageName::Tls, "powerschool.wrong_scheme"));
}

/// Passes bytes on to a server, but hangs up where it sends an alert, as some systems do instead of saying why.
async fn without_alerts(server: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let target = server.replace("https://localhost", "127.0.0.1");
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(&target).await.unwrap();
            let (mut from_client, mut to_client) = client.into_split();
            let (mut from_server, mut to_server) = server.into_split();
            tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
            tokio::spawn(async move {
                let kind = from_server.read_u8().await?;
                if kind == 21 {
                    return Ok(0);
                }
                to_client.write_u8(kind).await?;
                tokio::io::copy(&mut from_server, &mut to_client).await
            });
        }
    });
    url
}

#[rstest]
#[case::tls_1_0(&["-tls1", "-cipher", "ALL:@SECLEVEL=0"], "powerschool.old_tls")]
#[case::tls_1_1(&["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], "powerschool.old_tls")]
#[case::rsa(&["-tls1_2", "-cipher", "AES128-SHA256"], "powerschool.rsa_key_exchange")]
#[case::only_what_nobody_offers(&["-tls1_2", "-cipher", "CAMELLIA128-SHA256"], "powerschool.unreachable")]
#[tokio::test]
#[cfg_attr(windows, ignore = "needs the openssl program")]
async fn outdated_encryption_is_recognised_where_the_server_just_hangs_up(
    #[case] arguments: &[&str],
    #[case] code: &str,
) {
    let server = OpensslServer::start(arguments).await;
    let url = without_alerts(&server.url).await;
    let findings = test(plan(connection(&url, &[]))).await;
    assert_eq!(failure(&findings), (StageName::Tls, code), "{findings:#?}");
}

/// OpenSSL's own server.
struct OpensslServer {
    url: String,
    authority: String,
    _process: tokio::process::Child,
    _folder: tempfile::TempDir,
}

impl OpensslServer {
    async fn start(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "90", "-subj", "/CN=localhost"])
            .args([
                "-addext",
                "subjectAltName=DNS:localhost",
                "-keyout",
                &path("key"),
                "-out",
                &path("certificate"),
            ])
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(made.success());
        let mut process = tokio::process::Command::new("openssl")
            .args([
                "s_server",
                "-www",
                "-accept",
                "127.0.0.1:0",
                "-cert",
                &path("certificate"),
                "-key",
                &path("key"),
            ])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let port = loop {
            let line = lines.next_line().await.unwrap().unwrap();
            if let Some(address) = line.strip_prefix("ACCEPT ") {
                break address.rsplit_once(':').unwrap().1.to_owned();
            }
        };
        Self {
            url: format!("https://localhost:{port}"),
            authority: std::fs::read_to_string(path("certificate")).unwrap(),
            _process: process,
            _folder: folder,
        }
    }
}

#[rstest]
#[case::tls_1_0(&["-tls1", "-cipher", "ALL:@SECLEVEL=0"], "powerschool.old_tls")]
#[case::tls_1_1(&["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], "powerschool.old_tls")]
#[case::rsa(&["-tls1_2", "-cipher", "AES128-SHA256"], "powerschool.rsa_key_exchange")]
#[case::rsa_gcm(&["-tls1_2", "-cipher", "AES256-GCM-SHA384"], "powerschool.rsa_key_exchange")]
#[case::tls_1_2(&["-tls1_2"], "passed")]
#[case::tls_1_3(&["-tls1_3"], "passed")]
#[tokio::test]
#[cfg_attr(windows, ignore = "needs the openssl program")]
async fn a_server_with_outdated_encryption_has_its_code(#[case] arguments: &[&str], #[case] code: &str) {
    let server = OpensslServer::start(arguments).await;
    let connection =
        Connection { extra_roots: vec![server.authority.clone()], ..crate::stub::connection(&server.url) };
    let findings = test(plan(connection.clone())).await;
    assert_eq!(outcome(stage(&findings, StageName::Tls)), code, "{findings:#?}");
    let error = reach(&connection).await.unwrap_err();
    // OpenSSL's page is no PowerSchool.
    let expected = if code == "passed" { "powerschool.maintenance" } else { code };
    assert_eq!(error.code(), expected, "{error}");
}
