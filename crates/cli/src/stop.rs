//! How a person or a service manager asks a command to stop.

use std::time::Duration;

use rosterbridge_api::{Fault, Request, Response, Session, report::Event};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Time between two looks whether there is something to cancel.
const CANCEL_AGAIN: Duration = Duration::from_millis(200);

/// Comes back with Ctrl-C or a termination signal.
pub async fn asked() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}

/// Cancelled when a stop is asked for. One that comes while nobody listens is not lost.
pub fn token() -> CancellationToken {
    let token = CancellationToken::new();
    let cancelled = token.clone();
    tokio::spawn(async move {
        asked().await;
        cancelled.cancel();
    });
    token
}

/// The first two times a stop is asked for. One that comes while nobody listens is not lost.
pub struct Asked(mpsc::Receiver<()>);

impl Asked {
    /// Begins to listen.
    pub fn listen() -> Self {
        let (told, times) = mpsc::channel(2);
        tokio::spawn(async move {
            for _ in 0..2 {
                asked().await;
                if told.send(()).await.is_err() {
                    return;
                }
            }
        });
        Self(times)
    }

    /// Comes back when a stop is asked for, or was.
    pub async fn next(&mut self) {
        if self.0.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    }
}

/// A test that a person stopped, in the words of a test and not of a run.
pub fn test_stopped() -> Fault {
    Fault {
        code: "test.cancelled".to_owned(),
        message: "The test was stopped.".to_owned(),
        remedy: "Start it again when you are ready.".to_owned(),
    }
}

/// Carries a test out. With Ctrl-C it is cancelled, once, since `cancel` stops the tests of others as well; without a
/// `cancel` there is nothing to wait for. Whatever it hangs on, the second Ctrl-C ends it here.
pub async fn tested(
    session: &Session,
    request: Request,
    on_event: impl Fn(Event) + Send + Sync + 'static,
    cancel: Option<Request>,
) -> Result<Response, Fault> {
    let mut asked = Asked::listen();
    let answering = session.call(request, on_event);
    tokio::pin!(answering);
    tokio::select! {
        answer = &mut answering => return answer,
        () = asked.next() => {}
    }
    match cancel {
        Some(cancel) => cancelled(session, answering, cancel, &mut asked).await,
        None => Err(test_stopped()),
    }
}

/// The answer to a test that is cancelled, unless that is too long for a person.
pub async fn cancelled(
    session: &Session,
    answering: impl Future<Output = Result<Response, Fault>>,
    cancel: Request,
    asked: &mut Asked,
) -> Result<Response, Fault> {
    let ended = async {
        session.call(cancel, |_| ()).await?;
        answering.await
    };
    tokio::select! {
        answer = ended => answer,
        () = asked.next() => Err(test_stopped()),
    }
}

/// Carries a run out to its end. With Ctrl-C that is what `cancel` brings about: asked again and again, because what is to
/// be cancelled may not have begun yet.
pub async fn to_its_end(
    session: &Session,
    request: Request,
    on_event: impl Fn(Event) + Send + Sync + 'static,
    cancel: impl Fn() -> Option<Request>,
) -> Result<Response, Fault> {
    let interrupted = token();
    let answering = session.call(request, on_event);
    tokio::pin!(answering);
    tokio::select! {
        answer = &mut answering => return answer,
        () = interrupted.cancelled() => {}
    }
    loop {
        if let Some(request) = cancel() {
            session.call(request, |_| ()).await?;
        }
        tokio::select! {
            answer = &mut answering => return answer,
            () = tokio::time::sleep(CANCEL_AGAIN) => {}
        }
    }
}
