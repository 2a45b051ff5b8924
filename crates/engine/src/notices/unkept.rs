//! What happened while the ledger took nothing.

use chrono::{DateTime, Utc};
use rosterbridge_domain::notice::{Happening, Notice, Told};

use super::post::MOST_WAITING;

/// What the ledger did not take, until it does.
#[derive(Debug, Default)]
pub(super) struct Unkept {
    /// What was told: by the ledger's last word, and since without it.
    told: Told,
    /// What happened since, oldest first; the same failure once. At most [`MOST_WAITING`].
    pub(super) happened: Vec<Past>,
}

/// Something that happened.
#[derive(Clone, Debug)]
pub(super) struct Past {
    pub(super) at: DateTime<Utc>,
    /// In which run.
    pub(super) run: Option<String>,
    pub(super) happening: Happening,
}

impl Unkept {
    /// Nothing, after the ledger took what was told.
    pub(super) fn after(told: Told) -> Self {
        Self { told, happened: Vec::new() }
    }

    /// Keeps in mind what happened, and gives what is to be told of it now.
    pub(super) fn tell(
        &mut self,
        happenings: Vec<Happening>,
        now: DateTime<Utc>,
        run: Option<&str>,
    ) -> Vec<Notice> {
        for happening in &happenings {
            if self.happened.len() < MOST_WAITING && !self.is_known(happening) {
                let (run, happening) = (run.map(str::to_owned), happening.clone());
                self.happened.push(Past { at: now, run, happening });
            }
        }
        self.told.tell(happenings, now)
    }

    /// Whether it only goes on: the same failure with no success since.
    fn is_known(&self, happening: &Happening) -> bool {
        matches!(happening, Happening::Failed(_))
            && self
                .happened
                .iter()
                .rev()
                .map(|past| &past.happening)
                .take_while(|past| !matches!(past, Happening::Succeeded(_)))
                .any(|past| past == happening)
    }
}
