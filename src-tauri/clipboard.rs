//! Credentials that a person has pasted into the window do not stay on the clipboard: a minute later they are taken off it,
//! and at the latest when the app ends. The window itself copies no secret: it is never given one back.

use std::{
    future::Future,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use arboard::Clipboard;
use sha2::{Digest, Sha256};
use tauri::{AppHandle, Manager, async_runtime};
use tokio::time;

/// How long a pasted secret may stay.
const STAY: Duration = Duration::from_mins(1);

/// How long the app's end may wait for the clipboard: whoever owns it may not answer.
const FAREWELL: Duration = Duration::from_secs(1);

/// What a secret on the clipboard is known by; it is not kept itself.
type Mark = [u8; 32];

/// The secret that is to be taken off the clipboard, if one is.
#[derive(Debug, Default)]
pub struct Pasted(Mutex<Option<Mark>>);

impl Pasted {
    fn set(&self, mark: Option<Mark>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = mark;
    }

    fn take(&self) -> Option<Mark> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn take_if(&self, mark: Mark) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take_if(|kept| *kept == mark).is_some()
    }
}

/// The person has pasted a secret: what is on the clipboard now goes in a minute, unless something else is there by then.
#[tauri::command]
pub async fn forget_clipboard(app: AppHandle) {
    let Some(mark) = blocking(|| mark_now(&mut Clipboard::new().ok()?)).await else { return };
    app.state::<Pasted>().set(Some(mark));
    async_runtime::spawn(forget_later(app, mark));
}

async fn forget_later(app: AppHandle, mark: Mark) {
    time::sleep(STAY).await;
    // Another paste may have taken this one's place; that one has a minute of its own.
    if app.state::<Pasted>().take_if(mark) {
        blocking(move || clear(mark)).await;
    }
}

/// Takes it off at the app's end: nobody is there a minute later.
pub fn forget_now(app: &AppHandle) {
    let Some(mark) = app.state::<Pasted>().take() else { return };
    async_runtime::block_on(async {
        if time::timeout(FAREWELL, blocking(move || clear(mark))).await.is_err() {
            tracing::warn!("the clipboard did not answer when the app ended");
        }
    });
}

fn mark_now(clipboard: &mut Clipboard) -> Option<Mark> {
    let text = clipboard.get_text().ok().filter(|text| !text.is_empty())?;
    let mark = Sha256::digest(text.as_bytes()).into();
    drop(rosterbridge_api::SecretText::new(text));
    Some(mark)
}

/// Clears the clipboard if it still holds what is marked.
fn clear(mark: Mark) -> Option<()> {
    let mut clipboard = Clipboard::new().ok()?;
    if mark_now(&mut clipboard)? != mark {
        return None;
    }
    if let Err(error) = clipboard.clear() {
        tracing::warn!(%error, "a pasted secret stays on the clipboard");
    }
    Some(())
}

fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Option<T> + Send + 'static,
) -> impl Future<Output = Option<T>> {
    let work = tokio::task::spawn_blocking(work);
    async { work.await.ok().flatten() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_secret_is_taken_off() {
        let pasted = Pasted::default();
        pasted.set(Some([1; 32]));
        pasted.set(Some([2; 32]));
        assert!(!pasted.take_if([1; 32]));
        assert!(pasted.take_if([2; 32]));
        assert_eq!(pasted.take(), None);
    }
}
