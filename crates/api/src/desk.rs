//! Where requests are carried out: each one becomes a call of the engine.

use std::sync::Arc;

use rosterbridge_engine::{Engine, EngineError, report::Event};
use secrecy::SecretString;

use crate::{
    request::{Fault, Request, Response, SecretText, SetupView},
    setup_file,
};

/// Told what happens while a request is carried out.
pub(crate) type OnEvent = Arc<dyn Fn(Event) + Send + Sync>;

impl From<EngineError> for Fault {
    fn from(error: EngineError) -> Self {
        let cause = error.cause();
        Self { code: cause.code, message: cause.message, remedy: cause.remedy }
    }
}

impl From<SecretText> for SecretString {
    fn from(text: SecretText) -> Self {
        Self::from(text.0.clone())
    }
}

/// Carries out a request.
pub(crate) async fn carry_out(
    engine: &Arc<Engine>,
    request: Request,
    on_event: OnEvent,
) -> Result<Response, Fault> {
    Ok(match request {
        Request::Status => Response::Status(Box::new(engine.status().await?)),
        Request::Runs { limit } => Response::Runs(engine.runs(limit).await?),
        Request::Held { limit, offset } => Response::Held(engine.held(limit, offset).await?),
        Request::Setup => Response::Setup(setup_view(engine).await?),
        Request::SaveSetup { setup } => {
            engine.save_setup(*setup).await?;
            Response::Setup(setup_view(engine).await?)
        }
        Request::ImportSetup { text, passphrase } => {
            let (setup, secrets) =
                blocking(move || setup_file::read(&text.0, passphrase.map(SecretString::from))).await?;
            engine.import_setup(setup, secrets).await?;
            Response::Setup(setup_view(engine).await?)
        }
        Request::ImportPractice { ready, pin } => {
            engine.import_practice(&ready.0, pin).await?;
            Response::Setup(setup_view(engine).await?)
        }
        Request::ExportSetup { passphrase } => {
            let setup = engine.setup().await?;
            let secrets = if passphrase.is_some() { engine.secrets().await? } else { Vec::new() };
            let passphrase = passphrase.map(SecretString::from);
            Response::Exported(blocking(move || setup_file::write(&setup, &secrets, passphrase)).await?)
        }
        Request::SetSecret { name, value } => {
            Response::Secret(engine.set_secret(&name, SecretString::from(value)).await?)
        }
        Request::CheckSecret { name } => Response::Secret(engine.check_secret(&name).await?),
        Request::TestPowerSchool { offline } => {
            let report = engine.test_powerschool(offline, |stage| on_event(Event::Stage(stage))).await?;
            Response::Test(report)
        }
        Request::CancelTest
        | Request::AwaitTest
        | Request::LastTest
        | Request::TrustCertificate { .. }
        | Request::Plugin { .. }
        | Request::CheckPlugin { .. }
        | Request::WriteHandover { .. }
        | Request::OpenHandover { .. }
        | Request::HandoverKey => {
            return Err(Fault {
                code: "session.unexpected_answer".to_owned(),
                message: "WIP".to_owned(),
                remedy: "WIP".to_owned(),
            });
        }
        Request::TestHero { accept_host_key } => Response::HeroTest(
            engine.test_hero(accept_host_key, |stage| on_event(Event::Stage(stage))).await?,
        ),
        Request::TestRaptor => Response::Test(engine.test_raptor().await?),
        Request::TestMail => Response::Test(engine.test_mail().await?),
        Request::Choices => Response::Choices(engine.choices().await?),
        Request::Sync { jobs, dry_run } => Response::Sync(engine.sync(jobs, dry_run, on_event).await?),
        Request::Guarded => Response::Guarded(engine.guarded().await?),
        Request::DecideGuarded { id, accept } => Response::Guarded(engine.decide_guarded(&id, accept).await?),
        Request::Cancel => {
            engine.cancel();
            Response::Done
        }
    })
}

async fn setup_view(engine: &Engine) -> Result<Box<SetupView>, Fault> {
    Ok(Box::new(SetupView {
        setup: engine.setup().await?,
        secrets: engine.secret_states().await?,
        host_key_sha256: engine.pinned_host_key().await?,
        practice: engine.is_practice().await?,
        test_waiting: false,
    }))
}

/// Runs slow arithmetic (age's key derivation) aside.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    tokio::task::spawn_blocking(work).await.map_err(EngineError::from)?
}
