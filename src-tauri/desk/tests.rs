use std::fs;

use tempfile::TempDir;

use super::*;
use crate::browser::Pages;

/// A desk on a home in which the profile can't be made.
struct Stuck {
    desk: Desk,
    folder: TempDir,
}

impl Stuck {
    fn new(profile: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("home");
        fs::write(&home, "no folder").unwrap();
        let start =
            Start { home: Some(home), profile: profile.to_owned(), in_tray: false, quit_on_close: true };
        Self { desk: Desk::new(Audience::Browser(Pages::new()), start), folder }
    }

    /// The same profile cannot be opened for another reason from now on.
    fn damage(&self) {
        let home = self.folder.path().join("home");
        fs::remove_file(&home).unwrap();
        let profile = home.join("profiles").join(DEFAULT_PROFILE);
        fs::create_dir_all(&profile).unwrap();
        fs::write(profile.join("profile.json"), "no identity").unwrap();
    }

    async fn told(&self) -> String {
        self.desk.session(DEFAULT_PROFILE).await.map(drop).unwrap_err().code
    }
}

const DAMAGED: &str = "profile.damaged";

#[test]
fn a_request_for_another_profile_than_the_one_shown_is_refused() {
    let mut shown = Shown::new(DEFAULT_PROFILE.to_owned());
    assert_eq!(shown.check(DEFAULT_PROFILE), Ok(()));
    PRACTICE_PROFILE.clone_into(&mut shown.profile);
    // Clicked before the window turned, and come here after.
    assert_eq!(shown.check(DEFAULT_PROFILE).unwrap_err().code, "window.other_profile");
    assert_eq!(shown.check("").unwrap_err().code, "window.other_profile");
    assert_eq!(shown.check(PRACTICE_PROFILE), Ok(()));
}

#[tokio::test]
async fn why_a_profile_does_not_open_ahead_is_told_once_and_then_it_is_tried_anew() {
    let stuck = Stuck::new(DEFAULT_PROFILE);
    stuck.desk.open_ahead().await;
    assert!(!stuck.desk.is_open().await);
    stuck.damage();
    // Of the try that was made: no second one for the first request.
    assert_ne!(stuck.told().await, DAMAGED);
    assert_eq!(stuck.told().await, DAMAGED);
}

#[tokio::test]
async fn a_profile_the_window_has_asked_for_is_not_opened_ahead_any_more() {
    let stuck = Stuck::new(DEFAULT_PROFILE);
    assert_ne!(stuck.told().await, DAMAGED);
    stuck.desk.open_ahead().await;
    stuck.damage();
    assert_eq!(stuck.told().await, DAMAGED);
}

#[tokio::test]
async fn a_window_of_the_practice_district_opens_nothing_ahead() {
    let stuck = Stuck::new(PRACTICE_PROFILE);
    stuck.desk.open_ahead().await;
    assert!(matches!(stuck.desk.shown.lock().await.ahead, Ahead::Untried));
}

#[tokio::test]
async fn what_the_districts_profile_failed_with_is_no_answer_about_the_practice_district() {
    let stuck = Stuck::new(DEFAULT_PROFILE);
    stuck.desk.open_ahead().await;
    PRACTICE_PROFILE.clone_into(&mut stuck.desk.shown.lock().await.profile);
    assert!(stuck.desk.session(PRACTICE_PROFILE).await.is_err());
    assert!(matches!(stuck.desk.shown.lock().await.ahead, Ahead::Failed(_)));
}

#[tokio::test]
async fn what_is_done_about_a_failure_outdates_it() {
    for care in ["erase", "recover", "restore"] {
        let stuck = Stuck::new(DEFAULT_PROFILE);
        stuck.desk.open_ahead().await;
        let nothing = || SecretText::new(String::new());
        let refused = match care {
            "erase" => stuck.desk.erase(DEFAULT_PROFILE, "another name").await.is_err(),
            "recover" => stuck.desk.recover(DEFAULT_PROFILE, String::new(), nothing()).await.is_err(),
            _ => stuck.desk.restore(DEFAULT_PROFILE, false).await.is_err(),
        };
        assert!(refused, "{care}");
        stuck.damage();
        assert_eq!(stuck.told().await, DAMAGED, "{care}");
    }
}
