//! Mail: who it goes to and how it is sent.

use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::Mailbox,
    transport::smtp::{
        authentication::Credentials,
        client::{Tls, TlsParameters},
    },
};
use rosterbridge_domain::settings::{MailSecurity, MailSettings, Setup};
use rosterbridge_vault::SecretName;
use secrecy::ExposeSecret;

use crate::{engine::Engine, error::EngineError};

/// How long the mail server may take for one answer.
const ANSWER: std::time::Duration = std::time::Duration::from_secs(20);

/// An address as a person typed it.
pub(crate) fn mailbox(address: &str) -> Result<Mailbox, EngineError> {
    address.trim().parse().map_err(|_| EngineError::MailAddress(address.to_owned()))
}

impl Engine {
    /// Sends a message to everybody the set-up names for reports.
    pub(crate) async fn send_mail(
        &self,
        setup: &Setup,
        subject: &str,
        body: &str,
    ) -> Result<(), EngineError> {
        let settings = &setup.mail;
        if settings.host.trim().is_empty() || settings.to.is_empty() {
            return Err(EngineError::NotSetUp("the mail server is not set up yet"));
        }
        let refused = |why: String| EngineError::Mail { host: settings.host.clone(), why };
        let mut message = Message::builder().from(mailbox(&settings.from)?).subject(subject);
        for address in &settings.to {
            message = message.to(mailbox(address)?);
        }
        let message = message.body(body.to_owned()).map_err(|error| refused(error.to_string()))?;
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(settings.host.trim())
            .port(settings.port)
            .tls(tls(settings)?)
            .timeout(Some(ANSWER));
        if !settings.username.is_empty() {
            let password = self.required_secret(SecretName::SmtpPassword).await?;
            transport = transport.credentials(Credentials::new(
                settings.username.clone(),
                password.expose_secret().to_owned(),
            ));
        }
        transport.build().send(message).await.map_err(|error| refused(error.to_string()))?;
        Ok(())
    }
}

/// How the connection is protected. Without protection only this machine is spoken to.
fn tls(settings: &MailSettings) -> Result<Tls, EngineError> {
    let refused = |why: String| EngineError::Mail { host: settings.host.clone(), why };
    let host = settings.host.trim();
    let parameters = || TlsParameters::new(host.to_owned()).map_err(|error| refused(error.to_string()));
    match settings.security {
        MailSecurity::Tls => Ok(Tls::Wrapper(parameters()?)),
        MailSecurity::StartTls => Ok(Tls::Required(parameters()?)),
        MailSecurity::None => {
            let loopback = host == "localhost"
                || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
            if loopback {
                Ok(Tls::None)
            } else {
                Err(refused("an unprotected connection is accepted to this machine only".to_owned()))
            }
        }
    }
}
