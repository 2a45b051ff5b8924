//! Certificates of servers whose authority this computer does not know.

use crate::{engine::Engine, error::EngineError};

impl Engine {
    /// Trusts the certificate with this SHA256, if the server presents it now and can be connected to with it: one for
    /// another name, or past its dates, is not kept.
    pub async fn trust_certificate(&self, sha256: &str) -> Result<(), EngineError> {
        let setup = self.setup().await?;
        let mut connection = self.powerschool_connection(&setup).await?;
        let presented = rosterbridge_powerschool::presented_certificates(&connection).await?;
        let wanted = digits(sha256);
        let certificate = presented
            .into_iter()
            .find(|certificate| !wanted.is_empty() && digits(&certificate.sha256) == wanted)
            .ok_or_else(|| EngineError::CertificateNotPresented(sha256.trim().to_owned()))?;
        connection.extra_roots.push(certificate.pem.clone());
        rosterbridge_powerschool::trusts(&connection).await?;
        // What was saved while the server was asked stays; a certificate of another server is not what was compared.
        let asked = setup.powerschool.url;
        let _saving = self.saving_setup.lock().await;
        let before = self.setup().await?;
        let mut setup = before.clone();
        if setup.powerschool.url != asked {
            return Err(EngineError::CertificateNotPresented(sha256.trim().to_owned()));
        }
        let roots = &mut setup.powerschool.extra_roots;
        if roots.iter().any(|root| root.trim() == certificate.pem.trim()) {
            return Ok(());
        }
        roots.push(certificate.pem);
        Box::pin(self.save_over(before, setup)).await
    }
}

/// A fingerprint's digits, however it is written.
fn digits(sha256: &str) -> String {
    let text = sha256.trim();
    let text = text.strip_prefix("SHA256:").or_else(|| text.strip_prefix("sha256:")).unwrap_or(text);
    text.chars().filter(|c| !c.is_whitespace() && *c != ':').collect::<String>().to_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use super::digits;

    #[test]
    fn a_fingerprint_is_the_same_however_it_is_written() {
        for text in ["AB:CD:01", "abcd01", " ab cd 01 ", "SHA256:AB:cd:01"] {
            assert_eq!(digits(text), "ABCD01", "{text}");
        }
    }
}
