//! Serving a router on a socket, with TLS or without.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::PracticeError;
use crate::powerschool::answer::DropConnection;

/// How long a client may take for the TLS handshake, and for the head of a request.
const PATIENCE: Duration = Duration::from_secs(30);
/// Pause after a failed accept: the process is out of file descriptors, and asking again at once
/// would keep a core busy.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// TLS, and what stands in front of it.
#[derive(Clone)]
pub(crate) struct Tls {
    pub acceptor: TlsAcceptor,
    /// Whether a connection that arrives now is reset instead of answered.
    pub resets: Arc<dyn Fn() -> bool + Send + Sync>,
}

/// Serves until `stop`; connections and the accept loop are tasks of `tasks`.
pub(crate) fn serve(
    listener: TcpListener,
    tls: Option<Tls>,
    router: Router,
    stop: &CancellationToken,
    tasks: &TaskTracker,
) -> Result<(), PracticeError> {
    listener.set_nonblocking(true).map_err(PracticeError::Listen)?;
    let listener = tokio::net::TcpListener::from_std(listener).map_err(PracticeError::Listen)?;
    let (stop, connections) = (stop.clone(), tasks.clone());
    tasks.spawn(async move {
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            let Ok((stream, _)) = accepted else {
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            };
            let (tls, router, stop) = (tls.clone(), router.clone(), stop.clone());
            connections.spawn(async move {
                let connection = async {
                    // Answers are written in whole pieces; waiting for more only delays them.
                    let _ = stream.set_nodelay(true);
                    match tls {
                        None => answer(stream, router).await,
                        // Closing a socket that does not linger resets the connection.
                        Some(tls) if (tls.resets)() => _ = stream.set_zero_linger(),
                        Some(tls) => {
                            let accepted = tokio::time::timeout(PATIENCE, tls.acceptor.accept(stream)).await;
                            if let Ok(Ok(stream)) = accepted {
                                answer(stream, router).await;
                            }
                        }
                    }
                };
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = connection => {}
                }
            });
        }
    });
    Ok(())
}

async fn answer<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(stream: S, router: Router) {
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |request| {
        let response = router.call(request);
        async move {
            let Ok(response) = response.await;
            if response.extensions().get::<DropConnection>().is_some() {
                return Err(std::io::Error::from(std::io::ErrorKind::ConnectionAborted));
            }
            Ok(response)
        }
    });
    let result = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = result {
        tracing::debug!(%error, "a connection of the practice district ended");
    }
}
