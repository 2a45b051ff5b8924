//! Mail: who it goes to and how it is sent.

use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{Mailbox, MultiPart},
    transport::smtp::{
        authentication::Credentials,
        client::{Tls, TlsParameters},
    },
};
use rosterbridge_domain::settings::{MailSecurity, MailSettings};
use rosterbridge_vault::SecretName;
use secrecy::ExposeSecret;

use crate::{engine::Engine, error::EngineError};

/// How long the mail server may take for one answer.
const ANSWER: std::time::Duration = std::time::Duration::from_secs(20);
/// How long handing over one mail may take in all.
const WHOLE: std::time::Duration = std::time::Duration::from_mins(1);

/// An address as a person typed it.
pub(crate) fn mailbox(address: &str) -> Result<Mailbox, EngineError> {
    address.trim().parse().map_err(|_| EngineError::MailAddress(address.to_owned()))
}

/// A mail, ready to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Mail {
    /// Tells it from every other one: a mail server that is given the same one twice can see that.
    pub(crate) id: Option<String>,
    /// Whom it goes to. One mail has one addressee: a mailbox that is refused keeps it from nobody else.
    pub(crate) to: String,
    /// Its subject.
    pub(crate) subject: String,
    /// Its content as text.
    pub(crate) text: String,
    /// The same as HTML.
    pub(crate) html: String,
}

/// Why a mail was not taken.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The mail server refuses it for good: trying again is of no use.
    ForGood(EngineError),
    /// The mail server answers, and refuses this one for now.
    ForNow(EngineError),
    /// No mail can be sent now.
    Altogether(EngineError),
}

impl Refusal {
    /// Why, wherever that makes no difference.
    pub(crate) fn into_error(self) -> EngineError {
        match self {
            Self::ForGood(error) | Self::ForNow(error) | Self::Altogether(error) => error,
        }
    }
}

impl From<EngineError> for Refusal {
    fn from(error: EngineError) -> Self {
        Self::Altogether(error)
    }
}

impl Engine {
    /// Hands a mail to the mail server.
    pub(crate) async fn send_mail(&self, settings: &MailSettings, mail: Mail) -> Result<(), Refusal> {
        if settings.host.trim().is_empty() {
            return Err(EngineError::NotSetUp("the mail server is not set up yet").into());
        }
        let refused = |why: String| EngineError::Mail { host: settings.host.clone(), why };
        let message = Message::builder()
            .from(mailbox(&settings.from)?)
            .to(mailbox(&mail.to).map_err(Refusal::ForGood)?)
            .subject(mail.subject)
            .message_id(mail.id.map(|id| format!("<{id}@rosterbridge.invalid>")))
            .multipart(MultiPart::alternative_plain_html(mail.text, mail.html))
            .map_err(|error| refused(error.to_string()))?;
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
        let transport = transport.build();
        match tokio::time::timeout(WHOLE, transport.send(message)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => {
                let why = refused(error.to_string());
                Err(if error.is_permanent() {
                    Refusal::ForGood(why)
                } else if error.is_transient() {
                    Refusal::ForNow(why)
                } else {
                    Refusal::Altogether(why)
                })
            }
            Err(_) => Err(refused("it took too long".to_owned()).into()),
        }
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
