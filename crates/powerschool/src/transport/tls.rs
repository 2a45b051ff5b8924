//! Whom we trust: the operating system's authorities, and what the administrator added.

use std::{
    error::Error as StdError,
    io,
    sync::{Arc, Mutex, PoisonError},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::{DateTime, Utc};
use rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, InvalidMessage,
    PeerIncompatible, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_name,
    },
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
    server::ParsedCertificate,
};
use sha2::{Digest, Sha256};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::{
    address::ServerUrl,
    error::{CertificateProblem, Error},
};

/// A certificate a server presented.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Whom it is for, as its distinguished name.
    pub subject: String,
    /// Who issued it, as its distinguished name.
    pub issuer: String,
    /// Its SHA-256 fingerprint: pairs of capital hexadecimal digits between colons, as browsers show it.
    pub sha256: String,
    /// Its first moment.
    pub not_before: DateTime<Utc>,
    /// Its last moment.
    pub not_after: DateTime<Utc>,
    /// The certificate itself, to be added to the trusted ones.
    pub pem: String,
    /// Whether this is the one to add when the server is to be trusted: the topmost authority it presented, or its
    /// own certificate when it stands alone.
    pub offered: bool,
}

impl Certificate {
    /// Reads what a server presented, its own certificate first; what cannot be read is left out.
    pub(crate) fn chain(presented: &[CertificateDer<'_>]) -> Vec<Self> {
        let parsed: Vec<_> = presented
            .iter()
            .filter_map(|der| X509Certificate::from_der(der).ok().map(|(_, parsed)| (der, parsed)))
            .collect();
        // From the server's own upwards, as far as each one's issuer was presented too.
        let mut topmost = 0;
        for _ in 0..parsed.len() {
            let Some((_, below)) = parsed.get(topmost) else { break };
            let above = parsed.iter().position(|(_, above)| {
                above.subject() == below.issuer() && above.subject() != below.subject() && above.is_ca()
            });
            match above {
                Some(place) => topmost = place,
                None => break,
            }
        }
        parsed
            .iter()
            .enumerate()
            .map(|(place, (der, parsed))| Self {
                subject: parsed.subject().to_string(),
                issuer: parsed.issuer().to_string(),
                sha256: fingerprint(der),
                not_before: moment(parsed.validity().not_before.timestamp()),
                not_after: moment(parsed.validity().not_after.timestamp()),
                pem: pem(der),
                offered: place == topmost,
            })
            .collect()
    }
}

fn moment(timestamp: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(timestamp, 0).unwrap_or_default()
}

fn fingerprint(der: &[u8]) -> String {
    let pairs: Vec<String> = Sha256::digest(der).iter().map(|byte| format!("{byte:02X}")).collect();
    pairs.join(":")
}

/// PEM text (RFC 7468): base64 in lines of 64 characters.
fn pem(der: &[u8]) -> String {
    let mut text = "-----BEGIN CERTIFICATE-----\n".to_owned();
    // 48 bytes make 64 characters.
    for line in der.chunks(48) {
        BASE64_STANDARD.encode_string(line, &mut text);
        text.push('\n');
    }
    text.push_str("-----END CERTIFICATE-----\n");
    text
}

/// Reads the certificates an administrator added, each text one or more of them in PEM form.
pub(crate) fn added_certificates(texts: &[String]) -> Result<Vec<CertificateDer<'static>>, Error> {
    let mut added = Vec::new();
    for (place, text) in texts.iter().enumerate() {
        let unreadable = || Error::BadExtraRoot { number: place + 1 };
        let read = CertificateDer::pem_slice_iter(text.as_bytes())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| unreadable())?;
        // PEM says nothing about what is inside.
        if read.is_empty() || read.iter().any(|der| X509Certificate::from_der(der).is_err()) {
            return Err(unreadable());
        }
        added.extend(read);
    }
    Ok(added)
}

/// How connections to one server are encrypted, and what it presented last.
#[derive(Clone, Debug)]
pub(crate) struct Tls {
    pub(crate) config: Arc<ClientConfig>,
    verifier: Arc<ServerVerifier>,
}

impl Tls {
    /// Trusts the system's authorities and the certificates added.
    pub(crate) fn new(extra_roots: &[String]) -> Result<Self, Error> {
        let provider = Arc::new(ring::default_provider());
        let verifier = Arc::new(ServerVerifier::new(added_certificates(extra_roots)?, &provider)?);
        let unavailable = |error: rustls::Error| Error::TlsUnavailable(Arc::new(error));
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(unavailable)?
            // rustls calls every verifier but its own dangerous. Ours never accepts what neither the system nor the
            // administrator vouches for.
            .dangerous()
            .with_custom_certificate_verifier(verifier.clone())
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { config: Arc::new(config), verifier })
    }

    /// The certificates the server presented in the last handshake, whether it was trusted or not.
    pub(crate) fn presented(&self) -> Vec<Certificate> {
        Certificate::chain(&self.verifier.presented.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Decides whether a server's certificate holds.
///
/// The system decides first. What it does not vouch for is accepted if an added authority issued it, or if it was
/// itself added: then for exactly that certificate. Name and dates are checked in every case.
#[derive(Debug)]
struct ServerVerifier {
    /// None when the system has no usable list of authorities; then only what was added counts.
    system: Option<rustls_platform_verifier::Verifier>,
    authorities: Option<Arc<WebPkiServerVerifier>>,
    exact: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
    presented: Mutex<Vec<CertificateDer<'static>>>,
}

impl ServerVerifier {
    fn new(added: Vec<CertificateDer<'static>>, provider: &Arc<CryptoProvider>) -> Result<Self, Error> {
        let system = match rustls_platform_verifier::Verifier::new(provider.clone()) {
            Ok(system) => Some(system),
            Err(error) if added.is_empty() => return Err(Error::TlsUnavailable(Arc::new(error))),
            Err(error) => {
                tracing::warn!(%error, "the system's certificate authorities cannot be used");
                None
            }
        };
        let mut roots = RootCertStore::empty();
        for der in &added {
            // As a trust anchor any certificate could issue others: only authorities become one.
            let is_authority = X509Certificate::from_der(der).is_ok_and(|(_, parsed)| parsed.is_ca());
            if is_authority && let Err(error) = roots.add(der.clone()) {
                return Err(Error::TlsUnavailable(Arc::new(error)));
            }
        }
        let authorities = if roots.is_empty() {
            None
        } else {
            let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
                .build()
                .map_err(|error| Error::TlsUnavailable(Arc::new(error)))?;
            Some(verifier)
        };
        Ok(Self {
            system,
            authorities,
            exact: added,
            provider: provider.clone(),
            presented: Mutex::default(),
        })
    }
}

impl ServerCertVerifier for ServerVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let chain = std::iter::once(end_entity).chain(intermediates);
        *self.presented.lock().unwrap_or_else(PoisonError::into_inner) =
            chain.map(|der| der.clone().into_owned()).collect();

        if self.exact.iter().any(|added| added == end_entity) {
            name_and_dates(end_entity, server_name, now)?;
            return Ok(ServerCertVerified::assertion());
        }
        let unknown = || Err(CertificateError::UnknownIssuer.into());
        let verify = |verifier: &dyn ServerCertVerifier| {
            verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
        };
        let by_system =
            self.system.as_ref().map_or_else(unknown, |system| verify(system).map_err(as_elsewhere));
        if matches!(&by_system, Ok(_) | Err(rustls::Error::InvalidCertificate(CertificateError::Revoked))) {
            return by_system;
        }
        let by_authorities = self.authorities.as_ref().map_or_else(unknown, |added| verify(added.as_ref()));
        if by_authorities.is_ok() {
            return by_authorities;
        }
        // Verifiers disagree about what is wrong with a certificate that is its own issuer. What matters is that
        // nobody vouches for it.
        if is_self_issued(end_entity) {
            name_and_dates(end_entity, server_name, now)?;
            return unknown();
        }
        match by_authorities {
            Err(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)) => by_system,
            // One of the added authorities issued it, so it knows best what is wrong.
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// What Windows says of a chain that leads to no authority it knows (`CERT_E_CHAINING`, 0x800B010A), as the other systems
/// say it. Which code it is stands in the text alone.
fn as_elsewhere(error: rustls::Error) -> rustls::Error {
    match error {
        rustls::Error::InvalidCertificate(CertificateError::Other(said))
            if said.to_string().ends_with("(os error -2146762486)") =>
        {
            CertificateError::UnknownIssuer.into()
        }
        other => other,
    }
}

fn is_self_issued(der: &CertificateDer<'_>) -> bool {
    X509Certificate::from_der(der).is_ok_and(|(_, parsed)| parsed.subject() == parsed.issuer())
}

fn name_and_dates(
    der: &CertificateDer<'_>,
    server_name: &ServerName<'_>,
    now: UnixTime,
) -> Result<(), rustls::Error> {
    let (_, parsed) = X509Certificate::from_der(der).map_err(|_| CertificateError::BadEncoding)?;
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    if now < parsed.validity().not_before.timestamp() {
        return Err(CertificateError::NotValidYet.into());
    }
    if now > parsed.validity().not_after.timestamp() {
        return Err(CertificateError::Expired.into());
    }
    verify_server_name(&ParsedCertificate::try_from(der)?, server_name)
}

/// The TLS error inside another one, if there is one.
pub(crate) fn tls_error<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a rustls::Error> {
    let mut next = Some(error);
    while let Some(cause) = next {
        if let Some(tls) = cause.downcast_ref::<rustls::Error>() {
            return Some(tls);
        }
        next = inner(cause);
    }
    None
}

/// What an error wraps. An I/O error shows that through `get_ref`; its source is what is inside that.
pub(crate) fn inner<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(wrapped) => Some(wrapped),
        None => error.source(),
    }
}

/// What a failed handshake means to a person.
pub(crate) fn tls_problem(error: &rustls::Error, url: &ServerUrl) -> Error {
    use CertificateError as Problem;

    let host = url.host().to_owned();
    let problem = match error {
        rustls::Error::InvalidCertificate(problem) => match problem {
            Problem::UnknownIssuer => return Error::UnknownAuthority { host },
            Problem::NotValidForName | Problem::NotValidForNameContext { .. } => {
                CertificateProblem::WrongName
            }
            Problem::Expired | Problem::ExpiredContext { .. } => CertificateProblem::Expired,
            Problem::NotValidYet | Problem::NotValidYetContext { .. } => CertificateProblem::NotYetValid,
            Problem::Revoked => CertificateProblem::Revoked,
            _ => CertificateProblem::Other,
        },
        // The first bytes are no TLS: most likely 'HTTP/1.1 400'.
        rustls::Error::InvalidMessage(
            InvalidMessage::InvalidContentType
            | InvalidMessage::UnknownProtocolVersion
            | InvalidMessage::MessageTooLarge,
        ) => return Error::WrongScheme { host, port: url.port(), encrypted: false },
        rustls::Error::AlertReceived(AlertDescription::ProtocolVersion)
        | rustls::Error::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
            | PeerIncompatible::Tls12NotOffered
            | PeerIncompatible::Tls12NotOfferedOrEnabled,
        ) => return Error::OldTls { host },
        // We offer every suite with forward secrecy that is still safe, so this is all a server can be missing.
        rustls::Error::AlertReceived(AlertDescription::HandshakeFailure) => {
            return Error::RsaKeyExchange { host };
        }
        _ => CertificateProblem::Handshake,
    };
    Error::Certificate { host, problem }
}

#[cfg(test)]
mod tests {
    use rustls::OtherError;

    use super::*;

    #[test]
    fn a_chain_that_windows_finds_no_end_of_is_of_an_unknown_authority() {
        let said = |code: u32| {
            let text = io::Error::from_raw_os_error(code.cast_signed()).to_string();
            rustls::Error::from(CertificateError::Other(OtherError(Arc::from(Box::from(text)))))
        };
        assert_eq!(as_elsewhere(said(0x800B_010A)), CertificateError::UnknownIssuer.into());
        // The revocation of a certificate could not be looked up.
        assert!(matches!(
            as_elsewhere(said(0x800B_010E)),
            rustls::Error::InvalidCertificate(CertificateError::Other(_))
        ));
    }
}
