//! What is done to the profile the window shows while nothing works on it: its session ends first.

use rosterbridge_api::{Erased, Fault, RestoredView, SecretText, Session};

use super::{Ahead, Attending, Desk, Opened, PRACTICE_PROFILE, Shown};

impl Desk {
    /// Puts the newest usable backup in the ledger's place, or an empty ledger with `begin_anew`, and opens the profile
    /// again. Where that fails the window is told when it asks for something.
    pub async fn restore(&self, profile: &str, begin_anew: bool) -> Result<RestoredView, Fault> {
        let mut shown = self.shown.lock().await;
        shown.check(profile)?;
        shown.ahead = Ahead::Settled;
        let restored = match shown.let_go().await {
            Some(session) => {
                let restored = session.clone().restore(begin_anew).await;
                shown.keep_if_failed(session, &restored);
                restored
            }
            None => rosterbridge_api::restore(self.required_home()?, profile, begin_anew).await,
        }?;
        if let Err(fault) = self.open(&mut shown, profile).await {
            tracing::warn!(code = fault.code, "the restored profile does not open");
        }
        Ok(restored)
    }

    /// Puts the profile's key back into the keychain from the text of a recovery file.
    pub async fn recover(&self, profile: &str, text: String, passphrase: SecretText) -> Result<(), Fault> {
        // Held, so that nothing opens the profile meanwhile.
        let mut shown = self.shown.lock().await;
        shown.check(profile)?;
        shown.ahead = Ahead::Settled;
        rosterbridge_api::recover(self.required_home()?, profile, text, passphrase).await
    }

    /// Erases the profile. `confirm` has to be its name.
    pub async fn erase(&self, profile: &str, confirm: &str) -> Result<Erased, Fault> {
        let mut shown = self.shown.lock().await;
        shown.check(profile)?;
        shown.ahead = Ahead::Settled;
        match shown.let_go().await {
            Some(session) => {
                let erased = session.clone().erase(confirm).await;
                shown.keep_if_failed(session, &erased);
                erased
            }
            None => rosterbridge_api::erase(self.required_home()?, profile, confirm).await,
        }
    }
}

impl Shown {
    /// Takes the session of the shown profile out, if it is open; from then on nothing waits to take the profile over.
    async fn let_go(&mut self) -> Option<Session> {
        let Opened { session, attending } = self.sessions.remove(&self.profile)?;
        if let Some(attending) = attending {
            attending.end().await;
        }
        Some(session)
    }

    /// Puts a session back that goes on, because what was to be done after its end was refused.
    fn keep_if_failed<T>(&mut self, session: Session, done: &Result<T, Fault>) {
        if done.is_err() {
            let attending = (self.profile != PRACTICE_PROFILE)
                .then(|| Attending::start(self.profile.clone(), session.clone()));
            self.sessions.insert(self.profile.clone(), Opened { session, attending });
        }
    }
}
