//! Certificates that do not hold.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rosterbridge_powerschool::{Client, Connection, Error};
use rstest::rstest;
use tokio::net::TcpListener;
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer},
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
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // Dropped after the handshake: a trusted connection simply breaks.
            let _ = acceptor.accept(stream).await;
        }
    });
    (url, authority_pem)
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
