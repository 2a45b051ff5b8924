//! How a person or a service manager asks a command to stop.

use tokio_util::sync::CancellationToken;

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
