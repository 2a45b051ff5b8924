//! `cargo xtask run`: from a fresh clone to the window on the practice district.

use crate::{
    cargo, headless, packages,
    process::{self, StepError},
    session_bus::{self, PrivateSession},
    steps::{Failed, Steps},
    ui::Ui,
};
use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

/// Below RosterBridge's data folder: a keyring made by this program, when the machine offers none.
pub const PRACTICE_KEYRING: &str = "practice-keyring";

/// Builds everything and opens the window; without a display, the same job by command line.
/// `home` is RosterBridge's data folder when the person named one.
pub fn run(root: &Path, target: &Path, home: Option<PathBuf>) -> Result<(), Failed> {
    let mut steps = Steps::default();
    let scratch = target.join("practice");
    let display = has_display();
    let own_keyring = !cfg!(target_os = "linux") || (display && session_bus::secret_service_answers(true));

    steps.take("System packages", || {
        let mut wanted = vec![packages::BUILD];
        if !own_keyring {
            wanted.push(packages::KEYRING);
        }
        if !display {
            wanted.push(packages::COMMAND_LINE);
        }
        packages::ensure(&wanted)
    })?;
    let ui = Ui::new(root, &target.join("xtask"));
    steps.take("Interface packages", || ui.install())?;
    steps.take("Interface", || ui.build())?;
    steps.take("App and command line", || cargo::binaries(root))?;

    if !display {
        println!("==> There is no display, so no window opens. The same job, by command line:");
        return headless::run(&mut steps, &scratch.join("headless"), home);
    }
    if own_keyring {
        return steps.take("Window", || window(None, home.as_deref()));
    }
    // A private keyring and the databases it unlocks stay together, apart from the person's own.
    let home = home.unwrap_or_else(|| scratch.join("window"));
    println!("    No Secret Service answers; using a keyring of our own in {}.", home.display());
    let session = steps.take("Private keyring", || PrivateSession::start(&home.join(PRACTICE_KEYRING)))?;
    steps.take("Window", || window(Some(&session), Some(&home)))
}

/// Only Linux can be without one and say so.
fn has_display() -> bool {
    let set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
    !cfg!(target_os = "linux") || set("DISPLAY") || set("WAYLAND_DISPLAY")
}

fn window(session: Option<&PrivateSession>, home: Option<&Path>) -> Result<(), StepError> {
    let mut app = Command::new(cargo::binary("rosterbridge-desktop")?);
    app.args(["--profile", "practice"]);
    if let Some(home) = home {
        app.arg("--home").arg(home);
    }
    if let Some(session) = session {
        session.apply(&mut app);
    }
    process::run(&mut app)
}
