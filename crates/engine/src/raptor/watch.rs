//! Watching the exchange folder, so that a file that is dropped into it is taken in within seconds and not at the job's
//! next time.
//!
//! Folders of other computers tell nothing, or not always: there the job's own times are what counts. So nothing here may
//! fail; at worst a file waits for the next of them.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use notify::{
    Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher,
    event::{AccessKind, AccessMode},
};
use rosterbridge_domain::{job::JobId, settings::Setup};
use rosterbridge_files::Identity;
use tokio::{sync::Notify, time::Instant};

use super::folder::{QUIET, is_tardy_file};
use crate::{
    engine::{Engine, blocking},
    error::EngineError,
};

/// A file that somebody writes to all the time keeps others waiting no longer than this.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// When a file that was not whole is looked at again; later each time.
const AGAIN: Duration = Duration::from_secs(15);
/// The longest time to that.
const LONGEST_AGAIN: Duration = Duration::from_mins(5);
/// How long a folder may take to be watched before nobody waits for it any more.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is known of the exchange folder between two runs.
#[derive(Default)]
pub(crate) struct ExchangeWatch(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// Only touched by whoever follows the schedule: to let go of a watcher may take until its callback is done.
    watched: Mutex<Watched>,
    drops: Mutex<Drops>,
    /// Told when `drops` has changed.
    dropped: Notify,
    /// Whether the watcher has said that it can't go on.
    broken: AtomicBool,
    /// Whether watching a folder is under way.
    turning: AtomicBool,
}

/// The folder that is watched.
#[derive(Default)]
struct Watched {
    folder: Option<PathBuf>,
    /// Gone where the folder is, or can't be watched.
    watcher: Option<(Identity, RecommendedWatcher)>,
}

/// What was dropped.
#[derive(Debug, Default)]
struct Drops {
    /// When the first and the last thing happened to files that nobody has looked at since.
    happened: Option<(Instant, Instant)>,
    /// When files that were not whole are looked at again.
    again: Option<Instant>,
    /// Looks in a row at which files were not whole.
    in_vain: u32,
    /// Whether the folder is to be looked at.
    due: bool,
}

impl Drops {
    /// When the folder is to be looked at.
    fn ready_at(&self) -> Option<Instant> {
        let quiet = self.happened.map(|(first, last)| (last + QUIET).min(first + LONGEST_WAIT));
        quiet.into_iter().chain(self.again).min()
    }

    fn happened(&mut self, now: Instant) {
        self.happened = Some((self.happened.map_or(now, |(first, _)| first), now));
    }

    fn left(&mut self, now: Instant) {
        let pause = AGAIN.saturating_mul(2_u32.saturating_pow(self.in_vain)).min(LONGEST_AGAIN);
        self.in_vain += 1;
        self.again = Some(now + pause);
    }

    fn none_left(&mut self) {
        (self.again, self.in_vain) = (None, 0);
    }

    /// Whether that time has come.
    fn is_ready(&mut self, now: Instant) -> bool {
        if self.ready_at().is_none_or(|at| now < at) {
            return false;
        }
        (self.happened, self.again, self.due) = (None, None, true);
        true
    }
}

/// What tells one folder from another that has taken its place; `None` where there is no folder.
fn identity(folder: &Path) -> Option<Identity> {
    if folder.is_dir() { Identity::behind(folder).ok() } else { None }
}

impl Shared {
    fn drops(&self) -> MutexGuard<'_, Drops> {
        self.drops.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn something_happened(&self) {
        self.drops().happened(Instant::now());
        self.dropped.notify_one();
    }

    /// Watches a folder, or none. One that has vanished is watched again once it is back.
    fn follow(self: &Arc<Self>, folder: Option<PathBuf>) {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        let now = folder.as_deref().and_then(identity);
        let broken = self.broken.swap(false, Ordering::SeqCst);
        let same = watched.folder == folder;
        let before = watched.watcher.as_ref().map(|(identity, _)| *identity);
        if same && before == now && !broken {
            return;
        }
        watched.watcher = None;
        let (Some(path), Some(now)) = (&folder, now) else {
            watched.folder = folder;
            return;
        };
        match self.watch(path) {
            Ok(watcher) => {
                watched.watcher = Some((now, watcher));
                // What was dropped while nobody was looking told nobody.
                if same {
                    self.something_happened();
                }
            }
            Err(error) if !same => {
                tracing::warn!(%error, "the exchange folder can't be watched: it is looked at at the job's times only");
            }
            Err(error) => tracing::debug!(%error, "the exchange folder still can't be watched"),
        }
        watched.folder = folder;
    }

    fn watch(self: &Arc<Self>, folder: &Path) -> notify::Result<RecommendedWatcher> {
        let (shared, root) = (Arc::clone(self), folder.to_owned());
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| match event {
            Ok(event) if is_about_tardies(&event, &root) => shared.something_happened(),
            Ok(event) if event.kind.is_remove() && event.paths.contains(&root) => {
                shared.broken.store(true, Ordering::SeqCst);
            }
            Ok(_) => {}
            Err(error) => {
                tracing::debug!(%error, "watching the exchange folder");
                shared.broken.store(true, Ordering::SeqCst);
            }
        })?;
        watcher.watch(folder, RecursiveMode::NonRecursive)?;
        Ok(watcher)
    }
}

/// Whether a tardy file has come or changed. What this program does itself is none of that: it only reads files, moves
/// them away, and writes to folders beside them.
fn is_about_tardies(event: &Event, folder: &Path) -> bool {
    let changes = match event.kind {
        EventKind::Access(access) => access == AccessKind::Close(AccessMode::Write),
        kind => !kind.is_remove(),
    };
    let is_there = |path: &PathBuf| {
        let Some(name) = path.file_name() else { return false };
        // Some systems also tell of the folders in it: what was moved away has its name there.
        is_tardy_file(&name.to_string_lossy())
            && fs::symlink_metadata(folder.join(name)).is_ok_and(|file| file.is_file())
    };
    event.need_rescan() || (changes && event.paths.iter().any(is_there))
}

impl ExchangeWatch {
    /// Watches a folder, or none.
    async fn follow(&self, folder: Option<PathBuf>) {
        let shared = Arc::clone(&self.0);
        // One that does not answer is asked once.
        if shared.turning.swap(true, Ordering::SeqCst) {
            return;
        }
        let turning = blocking(move || {
            shared.follow(folder);
            shared.turning.store(false, Ordering::SeqCst);
            Ok(())
        });
        // Where it is, it may come to its own end.
        let _ = tokio::time::timeout(PATIENCE, turning).await;
    }

    /// Comes back once the folder is to be looked at: a file has come and is quiet, or was not whole and may be now.
    pub(crate) async fn ready(&self) {
        loop {
            let (due, at) = {
                let mut drops = self.0.drops();
                if !drops.due && drops.is_ready(Instant::now()) {
                    return;
                }
                (drops.due, drops.ready_at())
            };
            let changed = self.0.dropped.notified();
            match at {
                Some(at) if !due => tokio::select! {
                    () = tokio::time::sleep_until(at) => {}
                    () = changed => {}
                },
                _ => changed.await,
            }
        }
    }

    /// Whether the folder is to be looked at.
    pub(crate) fn is_due(&self) -> bool {
        self.0.drops().due
    }

    /// Notes that it is being looked at.
    pub(crate) fn looked_at(&self) {
        self.0.drops().due = false;
    }

    /// Notes whether a look found files that were not whole: they are looked at again soon.
    pub(crate) fn left(&self, any: bool) {
        let mut drops = self.0.drops();
        if any {
            drops.left(Instant::now());
        } else {
            drops.none_left();
        }
        drop(drops);
        self.0.dropped.notify_one();
    }
}

impl Engine {
    /// Watches the exchange folder as long as tardies are taken from it by themselves.
    pub(crate) async fn watch_exchange(&self) -> Result<(), EngineError> {
        let folder = watched_folder(&self.setup().await?);
        self.exchange.follow(folder).await;
        Ok(())
    }
}

/// The folder that tardies are taken from by themselves, if there is one.
fn watched_folder(setup: &Setup) -> Option<PathBuf> {
    let raptor = &setup.raptor;
    let by_itself = setup.jobs.iter().any(|settings| {
        settings.job == JobId::RAPTOR_TARDIES && settings.enabled && settings.schedule.is_some()
    });
    let taken = raptor.enabled && raptor.student_tardy && by_itself && raptor.connection.is_none();
    (taken && !raptor.folder.is_empty()).then(|| PathBuf::from(&raptor.folder))
}

#[cfg(test)]
mod tests {
    use notify::event::{CreateKind, DataChange, ModifyKind, RemoveKind, RenameMode};
    use rstest::rstest;

    use super::*;

    /// Long enough for any system to tell of a change, and never reached.
    const NEVER: Duration = Duration::from_mins(1);

    #[test]
    fn a_file_is_looked_at_once_it_is_quiet() {
        let now = Instant::now();
        let second = Duration::from_secs(1);
        let mut drops = Drops::default();
        assert!(!drops.is_ready(now));
        drops.happened(now);
        drops.happened(now + second);
        assert!(!drops.is_ready(now + second * 2));
        assert!(drops.is_ready(now + second + QUIET));
        assert!(drops.due && !drops.is_ready(now + NEVER), "once");
    }

    #[test]
    fn a_file_that_never_rests_keeps_others_waiting_for_a_while_only() {
        let start = Instant::now();
        let mut drops = Drops::default();
        let mut now = start;
        drops.happened(now);
        while !drops.is_ready(now) {
            now += QUIET / 2;
            drops.happened(now);
        }
        assert_eq!(now - start, LONGEST_WAIT);
    }

    #[test]
    fn what_was_not_whole_is_looked_at_again_ever_later() {
        let mut now = Instant::now();
        let mut drops = Drops::default();
        let pauses: Vec<u64> = (0..7)
            .map(|_| {
                drops.left(now);
                let at = drops.ready_at().unwrap();
                assert!(!drops.is_ready(at - Duration::from_millis(1)) && drops.is_ready(at));
                drops.due = false;
                let pause = at - now;
                now = at;
                pause.as_secs()
            })
            .collect();
        assert_eq!(pauses, [15, 30, 60, 120, 240, 300, 300]);
        drops.left(now);
        drops.none_left();
        assert_eq!(drops.ready_at(), None);
        drops.left(now);
        assert_eq!(drops.ready_at(), Some(now + AGAIN));
    }

    #[rstest]
    #[case::created(EventKind::Create(CreateKind::File), "new.csv", true)]
    #[case::written(EventKind::Modify(ModifyKind::Data(DataChange::Any)), "new.csv", true)]
    #[case::moved_in(EventKind::Modify(ModifyKind::Name(RenameMode::To)), "new.csv", true)]
    #[case::closed(EventKind::Access(AccessKind::Close(AccessMode::Write)), "new.csv", true)]
    #[case::opened_by_us(EventKind::Access(AccessKind::Open(AccessMode::Any)), "new.csv", false)]
    #[case::read_by_us(EventKind::Access(AccessKind::Close(AccessMode::Read)), "new.csv", false)]
    #[case::moved_by_us(EventKind::Modify(ModifyKind::Name(RenameMode::From)), "gone.csv", false)]
    #[case::removed(EventKind::Remove(RemoveKind::File), "new.csv", false)]
    #[case::in_processed(EventKind::Create(CreateKind::File), "processed/gone.csv", false)]
    #[case::a_folder(EventKind::Create(CreateKind::Folder), "roster", false)]
    #[case::named_like_a_file(EventKind::Create(CreateKind::Folder), "folder.csv", false)]
    #[case::no_tardies(EventKind::Create(CreateKind::File), "buildings.csv", false)]
    fn only_tardy_files_count(#[case] kind: EventKind, #[case] name: &str, #[case] counts: bool) {
        let folder = tempfile::tempdir().unwrap();
        for file in ["new.csv", "buildings.csv"] {
            fs::write(folder.path().join(file), "").unwrap();
        }
        fs::create_dir(folder.path().join("folder.csv")).unwrap();
        let event = Event::new(kind).add_path(folder.path().join(name));
        assert_eq!(is_about_tardies(&event, folder.path()), counts);
    }

    /// Waits until something has happened, and forgets it.
    async fn told(watch: &ExchangeWatch) {
        let told = async {
            while watch.0.drops().happened.take().is_none() {
                watch.0.dropped.notified().await;
            }
        };
        tokio::time::timeout(NEVER, told).await.unwrap();
    }

    #[tokio::test]
    async fn a_folder_that_comes_back_is_watched_again() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("exchange");
        fs::create_dir(&folder).unwrap();
        let watch = ExchangeWatch::default();
        watch.follow(Some(folder.clone())).await;
        assert_eq!(watch.0.drops().happened, None, "nothing has happened yet");
        fs::write(folder.join("one.csv"), "1").unwrap();
        told(&watch).await;

        fs::remove_dir_all(&folder).unwrap();
        watch.follow(Some(folder.clone())).await;
        assert!(watch.0.watched.lock().unwrap().watcher.is_none());
        watch.0.drops().happened = None;
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("meanwhile.csv"), "2").unwrap();
        watch.follow(Some(folder.clone())).await;
        assert!(watch.0.drops().happened.take().is_some(), "what was dropped before it was watched again");
        fs::write(folder.join("two.csv"), "2").unwrap();
        told(&watch).await;

        watch.follow(None).await;
        assert!(watch.0.watched.lock().unwrap().watcher.is_none());
    }

    #[tokio::test]
    async fn it_is_ready_once_for_each_drop() {
        let watch = ExchangeWatch::default();
        watch.0.drops().happened(Instant::now() - LONGEST_WAIT);
        watch.ready().await;
        assert!(watch.is_due());
        watch.looked_at();
        assert!(!watch.is_due());
        let mut again = std::pin::pin!(watch.ready());
        assert!(futures_util::poll!(again.as_mut()).is_pending());
        watch.0.drops().happened(Instant::now() - LONGEST_WAIT);
        watch.0.dropped.notify_one();
        again.await;
        assert!(watch.is_due());
    }
}
