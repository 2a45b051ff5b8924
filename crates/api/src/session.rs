//! A process's way to a profile's engine, whichever process holds it.

use std::{fmt, io, path::Path, sync::Arc, time::Duration};

use interprocess::local_socket::tokio::Listener;
use rosterbridge_engine::{
    Engine, EngineError,
    care::{Erased, RestoredView},
    profile::{ProfileFolder, ProfileLock},
    report::Event,
};
use tokio::{
    sync::{RwLock, broadcast, mpsc, watch},
    task::JoinHandle,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument;

use crate::{
    care, desk,
    logging::ProfileLog,
    request::{Fault, Reply, Request, Response},
    socket::{self, Line},
};

/// How long a process tries to reach, or to become, the holder of a profile.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a process that ends waits for the run it has cancelled.
const STOPPING: Duration = Duration::from_secs(4);

/// How long a guest that has just come may take to say what it wants of a host that leaves.
const FIRST_WORD: Duration = Duration::from_secs(1);

/// How long what is done to a profile that nothing works on waits for what other processes have asked for. Less than
/// [`PATIENCE`], so that whoever comes meanwhile does not give up where it is refused.
const LETTING_GO: Duration = Duration::from_secs(8);

/// How often it looks meanwhile, since a guest may ask for another run.
const STOPPED: Duration = Duration::from_millis(50);

/// How often a process that follows the schedule looks whether the holder has ended.
const SUCCESSION: Duration = Duration::from_secs(2);

/// Notices that a process that listens may be behind. It loses the oldest beyond; its mail has them.
const NOTICES_BEHIND: usize = 64;

/// A profile, opened. The first process to open it holds its lock, hosts its engine and listens for the others;
/// every other process sends the same requests there. When the holder ends, the next request takes its place.
#[derive(Clone, Debug)]
pub struct Session {
    folder: ProfileFolder,
    seat: Arc<RwLock<Seat>>,
    /// Told what scheduled runs do; none where the schedule is not followed.
    follower: Option<Follower>,
}

/// Whom a session that follows the schedule tells what happens.
#[derive(Clone)]
struct Follower(desk::OnEvent);

impl fmt::Debug for Follower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Follower")
    }
}

/// The schedule being followed.
#[derive(Debug)]
struct Following {
    task: JoinHandle<()>,
    stop: CancellationToken,
}

#[derive(Debug)]
enum Seat {
    Host(Host),
    Guest,
}

/// The holder's side. Dropping it stops listening and lets go of the lock.
#[derive(Debug)]
struct Host {
    engine: Arc<Engine>,
    listening: JoinHandle<()>,
    /// Makes tests that wait for PowerSchool.
    testing: JoinHandle<()>,
    /// Sends mail.
    sending: JoinHandle<()>,
    /// Runs jobs when they are due.
    following: Option<Following>,
    /// The notices of runs nobody asked for, for other processes.
    notices: broadcast::Sender<Event>,
    /// The requests under way, of other processes and of this one.
    guests: TaskTracker,
    door: watch::Sender<Door>,
    /// Keeps the profile's log open. None when it can't be written, which stops nothing else.
    _log: Option<ProfileLog>,
}

/// What guests come in by.
#[derive(Clone, Debug)]
struct Door {
    /// Whoever comes while it is shut waits before it: either it is opened again, or the host is gone.
    is_open: bool,
    /// Tells those that only wait to wait elsewhere. Those that come in later have another one.
    leaving: CancellationToken,
}

impl Door {
    fn open() -> Self {
        Self { is_open: true, leaving: CancellationToken::new() }
    }
}

impl Host {
    /// Sends away who only waits, and waits for what the others have asked for. Where that does not come to its end, it is
    /// refused, and everything goes on as before.
    async fn empty(&self) -> Result<(), Fault> {
        self.door.send_modify(|door| door.is_open = false);
        self.door.borrow().leaving.cancel();
        self.guests.close();
        // A scheduled run, which is nobody's request, may have begun meanwhile.
        if tokio::time::timeout(LETTING_GO, self.guests.wait()).await.is_ok() && !self.engine.is_running() {
            return Ok(());
        }
        self.guests.reopen();
        self.door.send_replace(Door::open());
        Err(EngineError::Busy.into())
    }

    /// Takes no further guests, cancels a scheduled run, and finishes what was asked for.
    async fn end(mut self) {
        self.listening.abort();
        self.testing.abort();
        // Gone: whoever connects from now on becomes the host itself.
        let _ = (&mut self.listening).await;
        let _ = (&mut self.testing).await;
        if let Some(mut following) = self.following.take() {
            following.stop.cancel();
            let _ = (&mut following.task).await;
        }
        self.door.borrow().leaving.cancel();
        self.guests.close();
        self.guests.wait().await;
        self.engine.finish_sending().await;
        self.sending.abort();
        let _ = (&mut self.sending).await;
    }
}

impl Following {
    fn start(engine: &Arc<Engine>, Follower(told): &Follower, notices: &broadcast::Sender<Event>) -> Self {
        let (engine, stop) = (Arc::clone(engine), CancellationToken::new());
        let (told, notices) = (Arc::clone(told), notices.clone());
        let on_event: desk::OnEvent = Arc::new(move |event| {
            if matches!(event, Event::Notice { .. }) {
                // Nobody may be listening.
                let _ = notices.send(event.clone());
            }
            told(event);
        });
        let until = stop.clone();
        let span = tracing::info_span!("schedule", profile = engine.profile_name());
        let task =
            tokio::spawn(async move { engine.follow_schedule(&until, on_event).await }.instrument(span));
        Self { task, stop }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.listening.abort();
        self.testing.abort();
        self.sending.abort();
        if let Some(following) = &self.following {
            following.task.abort();
        }
    }
}

impl Session {
    /// Opens a profile under `home`, creating it when it is new.
    pub async fn open(home: &Path, profile: &str) -> Result<Self, Fault> {
        Self::open_folder(ProfileFolder::new(home, profile).map_err(Fault::from)?).await
    }

    /// Opens a profile under `home` that is there already: a name that was mistyped makes no new one.
    pub async fn open_existing(home: &Path, profile: &str) -> Result<Self, Fault> {
        Self::open_folder(ProfileFolder::existing(home, profile).map_err(Fault::from)?).await
    }

    async fn open_folder(folder: ProfileFolder) -> Result<Self, Fault> {
        let lock = ProfileLock::take(&folder).map_err(Fault::from)?;
        let seat = take_seat(&folder, lock, None).await?;
        Ok(Self { folder, seat: Arc::new(RwLock::new(seat)), follower: None })
    }

    /// From now on, while this process holds the profile, its jobs run when they are due. `on_event` is told what
    /// these runs do; while another process holds it and this one attends it, the notices of that one's.
    #[must_use]
    pub async fn follow(mut self, on_event: impl Fn(Event) + Send + Sync + 'static) -> Self {
        let follower = self.follower.insert(Follower(Arc::new(on_event)));
        if let Seat::Host(host) = &mut *self.seat.write().await {
            host.following = Some(Following::start(&host.engine, follower, &host.notices));
        }
        self
    }

    /// Stays until `stop` is cancelled, and takes the profile over as soon as the process that holds it ends.
    pub async fn attend(&self, stop: &CancellationToken) -> Result<(), Fault> {
        loop {
            {
                let mut seat = self.seat.write().await;
                if matches!(*seat, Seat::Guest) {
                    *seat = take_over(&self.folder, self.follower.as_ref()).await?;
                }
            }
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = self.listen() => {}
            }
        }
    }

    /// As a guest passes on what the holder tells until it ends, then waits a moment.
    async fn listen(&self) {
        if let Some(Follower(on_event)) = &self.follower
            && !self.is_host().await
            && let Ok(Ok(line)) = introduce(&self.folder).await
        {
            // However it ends: the holder has, or is about to.
            let _ = ask(line, &Request::Listen, on_event).await;
        }
        tokio::time::sleep(SUCCESSION).await;
    }

    /// Carries out a request and returns its answer. `on_event` is told what happens on the way.
    pub async fn call(
        &self,
        mut request: Request,
        on_event: impl Fn(Event) + Send + Sync + 'static,
    ) -> Result<Response, Fault> {
        let on_event: desk::OnEvent = Arc::new(on_event);
        let mut started = tokio::time::Instant::now();
        loop {
            {
                let seat = self.seat.read().await;
                if let Seat::Host(host) = &*seat {
                    // Whoever ends the session waits for this. First, so that it goes last: the engine has the lock.
                    let here = host.guests.token();
                    let engine = Arc::clone(&host.engine);
                    let leaving = host.door.borrow().leaving.clone();
                    drop(seat);
                    let waits = matches!(request, Request::AwaitTest);
                    // On the heap, so that whoever waits for it stays small.
                    let carrying_out = Box::pin(desk::carry_out(&engine, request, Arc::clone(&on_event)));
                    tokio::select! {
                        answer = carrying_out => return answer,
                        // It may take days.
                        () = leaving.cancelled(), if waits => {}
                    }
                    // In this order, as on every other way out.
                    drop(engine);
                    drop(here);
                    if !self.is_host().await {
                        return Err(holder_ended());
                    }
                    // The host was to go, and stays.
                    request = Request::AwaitTest;
                    continue;
                }
            }
            match introduce(&self.folder).await {
                Ok(line) => {
                    let answer =
                        ask(line?, &request, &on_event).await.unwrap_or_else(|_| Err(holder_ended()));
                    match answer {
                        // Waiting can go on with the next host; anything else may be half done.
                        Err(fault) if fault.code == HOLDER_ENDED && matches!(request, Request::AwaitTest) => {
                        }
                        answer => return answer,
                    }
                    started = tokio::time::Instant::now();
                }
                Err(_) if started.elapsed() < PATIENCE => {
                    {
                        let mut seat = self.seat.write().await;
                        // Another call of this session may have become the host meanwhile: its lock would look like
                        // another process's.
                        if matches!(*seat, Seat::Guest) {
                            *seat = take_over(&self.folder, self.follower.as_ref()).await?;
                        }
                    }
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                Err(_) => return Err(holder_silent()),
            }
        }
    }

    /// Ends it. A host takes no further guests, cancels a scheduled run, and first finishes what was asked for.
    pub async fn close(self) {
        let seat = std::mem::replace(&mut *self.seat.write().await, Seat::Guest);
        if let Seat::Host(host) = seat {
            host.end().await;
        }
    }

    /// Ends it as [`Session::close`] does, and cancels whatever run is under way rather than waiting for its end.
    pub async fn stop(self) {
        let engine = match &*self.seat.read().await {
            Seat::Host(host) => {
                if let Some(following) = &host.following {
                    following.stop.cancel();
                }
                Some(Arc::clone(&host.engine))
            }
            Seat::Guest => None,
        };
        if let Some(engine) = engine {
            let cancelling = async {
                while engine.is_running() {
                    engine.cancel();
                    tokio::time::sleep(STOPPED).await;
                }
            };
            if tokio::time::timeout(STOPPING, cancelling).await.is_err() {
                tracing::warn!("the run under way does not come to its end");
            }
        }
        self.close().await;
    }

    /// Ends it, and puts the newest usable backup in the ledger's place, or an empty ledger with `begin_anew`. Refused
    /// while a run is under way or another process holds the profile, and where what others have asked for does not come to
    /// its end: a host goes on then.
    pub async fn restore(self, begin_anew: bool) -> Result<RestoredView, Fault> {
        let folder = self.let_go().await?;
        care::restore_folder(folder, begin_anew).await
    }

    /// Ends it, and erases the profile: databases, backups, logs, the keychain's entries and the folder. `confirm` has to
    /// be the profile's name. Refused as [`Session::restore`] is.
    pub async fn erase(self, confirm: &str) -> Result<Erased, Fault> {
        care::check_confirmed(&self.folder, confirm)?;
        let folder = self.let_go().await?;
        care::erase_folder(folder).await
    }

    /// Ends it unless a run is under way, or something else that others have asked for and that does not come to its end:
    /// the profile is in use, nothing can be done to it yet, and a host goes on.
    async fn let_go(self) -> Result<ProfileFolder, Fault> {
        if let Response::Status(status) = self.call(Request::Status, |_| ()).await?
            && status.running.is_some()
        {
            return Err(EngineError::Busy.into());
        }
        // Held, so that nobody here asks for more meanwhile.
        let mut seat = self.seat.write().await;
        if let Seat::Host(host) = &*seat {
            host.empty().await?;
        }
        if let Seat::Host(host) = std::mem::replace(&mut *seat, Seat::Guest) {
            host.end().await;
        }
        drop(seat);
        Ok(self.folder)
    }

    /// Whether this process holds the profile.
    pub async fn is_host(&self) -> bool {
        matches!(&*self.seat.read().await, Seat::Host(_))
    }
}

/// Becomes the host of a profile another process held if nobody is, else stays a guest. A profile that was erased
/// meanwhile stays so.
async fn take_over(folder: &ProfileFolder, follower: Option<&Follower>) -> Result<Seat, Fault> {
    let lock = ProfileLock::take_over(folder).map_err(Fault::from)?;
    take_seat(folder, lock, follower).await
}

/// Becomes the host with the lock, else a guest.
async fn take_seat(
    folder: &ProfileFolder,
    lock: Option<ProfileLock>,
    follower: Option<&Follower>,
) -> Result<Seat, Fault> {
    let Some(lock) = lock else { return Ok(Seat::Guest) };
    let log = ProfileLog::open(folder.name(), &folder.logs())
        .inspect_err(|error| tracing::warn!(%error, "the log can't be written"))
        .ok();
    let span = tracing::info_span!("profile", profile = folder.name());
    let opening = Engine::open(folder.clone(), lock).instrument(span.clone());
    let engine = Arc::new(opening.await.map_err(Fault::from)?);
    let listener = socket::listen(folder).map_err(|error| Fault {
        code: "session.no_socket".to_owned(),
        message: format!("RosterBridge can't listen for its other windows and commands: {error}."),
        remedy: "Check that this account owns the profile's folder and may write to it.".to_owned(),
    })?;
    let guests = TaskTracker::new();
    let door = watch::Sender::new(Door::open());
    let notices = broadcast::Sender::new(NOTICES_BEHIND);
    let house = House { engine: Arc::clone(&engine), notices: notices.clone() };
    let listening = tokio::spawn(receive(house, door.subscribe(), guests.clone(), listener));
    let testing = {
        let engine = Arc::clone(&engine);
        tokio::spawn(async move { engine.make_waiting_tests().await }.instrument(span.clone()))
    };
    let sending = {
        let engine = Arc::clone(&engine);
        tokio::spawn(async move { engine.send_notices().await }.instrument(span))
    };
    let following = follower.map(|follower| Following::start(&engine, follower, &notices));
    Ok(Seat::Host(Host { engine, listening, testing, sending, following, notices, guests, door, _log: log }))
}

/// What a guest finds.
#[derive(Clone)]
struct House {
    engine: Arc<Engine>,
    notices: broadcast::Sender<Event>,
}

/// Serves every process that connects until the host ends. The listener comes last because it has to go first: it
/// takes the socket's name along, which belongs to the next host as soon as the engine lets go of the profile.
async fn receive(house: House, mut door: watch::Receiver<Door>, guests: TaskTracker, listener: Listener) {
    loop {
        match socket::accept(&listener).await {
            Ok(line) => {
                // Kept until the guest is one of those under way: nobody shuts the door meanwhile.
                let Ok(door) = door.wait_for(|door| door.is_open).await else { return };
                let (house, leaving) = (house.clone(), door.leaving.clone());
                guests.spawn(async move {
                    if let Err(error) = serve(line, &house, &leaving).await {
                        tracing::debug!(%error, "another process went away");
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "another process could not connect");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// One request of another process. Events are passed on as they happen; a guest that went away doesn't stop the
/// work it asked for.
async fn serve(
    mut line: Line,
    House { engine, notices }: &House,
    leaving: &CancellationToken,
) -> io::Result<()> {
    // Whoever waits for this process's end waits for its guests, too: one that says nothing must not keep them.
    let welcoming = tokio::time::timeout(PATIENCE, line.welcome());
    let request = tokio::select! {
        request = welcoming => request??,
        () = left_behind(leaving) => return Ok(()),
    };
    let Some(request) = request else { return Ok(()) };
    if matches!(request, Request::AwaitTest) {
        return wait(line, engine, leaving).await;
    }
    if matches!(request, Request::Listen) {
        return tell_notices(line, notices.subscribe(), leaving).await;
    }
    let (events, mut happened) = mpsc::unbounded_channel();
    let on_event: desk::OnEvent = Arc::new(move |event| {
        // The receiver is gone when the guest is: nobody listens.
        let _ = events.send(event);
    });
    let work = {
        let engine = Arc::clone(engine);
        tokio::spawn(async move { desk::carry_out(&engine, request, on_event).await })
    };
    // The work goes on, and is waited for, when the guest is gone. One that does not read is cut off.
    let mut guest = Some(line);
    while let Some(event) = happened.recv().await {
        if let Some(line) = &mut guest
            && line.tell(&Reply::Event(event), leaving).await.is_err()
        {
            guest = None;
        }
    }
    let answer = match work.await {
        Ok(Ok(response)) => Reply::Answer(Box::new(response)),
        Ok(Err(fault)) => Reply::Fault(fault),
        Err(_) => Reply::Fault(holder_ended()),
    };
    match guest {
        Some(mut line) => line.tell(&answer, leaving).await,
        None => Err(io::ErrorKind::BrokenPipe.into()),
    }
}

/// Comes to its end once a leaving host need not hear any more what a guest wants: whoever does speaks at once.
async fn left_behind(leaving: &CancellationToken) {
    leaving.cancelled().await;
    tokio::time::sleep(FIRST_WORD).await;
}

/// A guest that waits for a test. It may take days, so a host that leaves does not wait along, nor for one that has
/// gone itself.
async fn wait(mut line: Line, engine: &Engine, leaving: &CancellationToken) -> io::Result<()> {
    let (events, mut happened) = mpsc::unbounded_channel();
    let waiting = engine.await_test(move |stage| {
        // The receiver is gone when the guest is: nobody listens.
        let _ = events.send(stage);
    });
    tokio::pin!(waiting);
    let answer = loop {
        tokio::select! {
            test = &mut waiting => break match test {
                Ok(test) => Reply::Answer(Box::new(Response::PowerSchoolTest(Box::new(test)))),
                Err(error) => Reply::Fault(error.into()),
            },
            Some(stage) = happened.recv() => line.tell(&Reply::Event(Event::Stage(stage)), leaving).await?,
            () = leaving.cancelled() => break Reply::Fault(holder_ended()),
            () = line.gone() => return Ok(()),
        }
    };
    line.tell(&answer, leaving).await
}

/// A guest that listens. A host that leaves does not wait for it.
async fn tell_notices(
    mut line: Line,
    mut notices: broadcast::Receiver<Event>,
    leaving: &CancellationToken,
) -> io::Result<()> {
    loop {
        tokio::select! {
            notice = notices.recv() => match notice {
                Ok(notice) => line.tell(&Reply::Event(notice), leaving).await?,
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => break,
            },
            () = leaving.cancelled() => break,
            () = line.gone() => return Ok(()),
        }
    }
    line.tell(&Reply::Fault(holder_ended()), leaving).await
}

/// Reaches the holder. An error means that there is none (any more) and that nothing was asked yet.
pub(crate) async fn introduce(folder: &ProfileFolder) -> io::Result<Result<Line, Fault>> {
    let reaching = async {
        let mut line = Line::connect(folder).await?;
        Ok(line.greet().await?.map(|()| line))
    };
    // One that is frozen takes the connection and says nothing.
    tokio::time::timeout(PATIENCE, reaching).await.unwrap_or_else(|_| Ok(Err(holder_silent())))
}

/// Asks the holder.
pub(crate) async fn ask(
    mut line: Line,
    request: &Request,
    on_event: &desk::OnEvent,
) -> io::Result<Result<Response, Fault>> {
    line.ask(request).await?;
    loop {
        match line.reply().await? {
            Reply::Event(event) => on_event(event),
            Reply::Answer(response) => return Ok(Ok(*response)),
            Reply::Fault(fault) => return Ok(Err(fault)),
        }
    }
}

/// The code of a host that ended at work.
const HOLDER_ENDED: &str = "session.holder_ended";

fn holder_ended() -> Fault {
    Fault {
        code: HOLDER_ENDED.to_owned(),
        message: "The RosterBridge that was carrying this out has ended.".to_owned(),
        remedy: "Look at the latest run, then try again: nothing is done twice.".to_owned(),
    }
}

fn holder_silent() -> Fault {
    Fault {
        code: "session.holder_silent".to_owned(),
        message: "Another RosterBridge is using this district and does not answer.".to_owned(),
        remedy: "Close the other RosterBridge window, or wait for its command to end, then try again."
            .to_owned(),
    }
}
