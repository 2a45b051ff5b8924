//! Windows' service control manager itself: makes, asks about and removes a service, and has one run under it.

use std::{
    ffi::OsString,
    io::{self, IsTerminal},
    sync::{Mutex, OnceLock, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

use rosterbridge_api::Fault;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use windows_service::{
    Error, service,
    service::{
        ServiceAccess, ServiceAction, ServiceActionType, ServiceControl, ServiceControlAccept,
        ServiceErrorControl, ServiceExitCode, ServiceFailureActions, ServiceFailureResetPeriod, ServiceInfo,
        ServiceStartType, ServiceState, ServiceStatus, ServiceType,
    },
    service_control_handler::{self, ServiceControlHandlerResult, ServiceStatusHandle},
    service_dispatcher,
    service_manager::{ServiceManager as ControlManager, ServiceManagerAccess},
};

use super::{
    ServiceError,
    plan::State,
    windows_service::{Definition, Ended, RESTART_AFTER, state},
};
use crate::{document::Exit, files::text_from_stdin};

/// How long a start or a stop may take before it is given up waiting for.
const PATIENCE: Duration = Duration::from_secs(60);

/// Time between two looks at a service that starts or stops.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Windows' answers: ERROR_INVALID_LEVEL, ERROR_SERVICE_DOES_NOT_EXIST, ERROR_SERVICE_NOT_ACTIVE,
/// ERROR_FAILED_SERVICE_CONTROLLER_CONNECT.
const NO_SUCH_SETTING: i32 = 124;
const NOT_THERE: i32 = 1060;
const NOT_ACTIVE: i32 = 1062;
const STARTED_BY_HAND: i32 = 1063;

/// A service that is there.
pub struct Registered {
    /// How Windows starts it.
    pub command_line: String,
    /// What is known of it.
    pub state: State,
}

/// Looks for a service.
pub fn find(name: &str) -> Result<Option<Registered>, ServiceError> {
    let failed = |error| refused("find", name, error);
    let manager = connect(ServiceManagerAccess::CONNECT, name)?;
    let access = ServiceAccess::QUERY_CONFIG | ServiceAccess::QUERY_STATUS;
    let Some(service) = there(manager.open_service(name, access)).map_err(failed)? else { return Ok(None) };
    let config = service.query_config().map_err(failed)?;
    let status = service.query_status().map_err(failed)?;
    Ok(Some(Registered {
        command_line: config.executable_path.to_string_lossy().into_owned(),
        state: read(&status),
    }))
}

/// Comes back if this process may make services.
pub fn may_install(name: &str) -> Result<(), ServiceError> {
    connect(ServiceManagerAccess::CONNECT | ServiceManagerAccess::CREATE_SERVICE, name).map(drop)
}

/// Asks for an account's password: at the console, or on standard input where that is none.
pub fn ask_password(account: &str) -> Result<SecretString, Fault> {
    if !io::stdin().is_terminal() {
        return text_from_stdin("account's password").map(SecretString::from);
    }
    rpassword::prompt_password(format!("Password of {account}: "))
        .map(SecretString::from)
        .map_err(|_| ServiceError::NoConsole.into())
}

/// Makes the service, or changes the one that is there, and sees it start. One that runs goes on, unless it `restarts`.
pub async fn install(
    definition: &Definition,
    password: &SecretString,
    restarts: bool,
) -> Result<(), ServiceError> {
    let name = &definition.name;
    let access = ServiceManagerAccess::CONNECT | ServiceManagerAccess::CREATE_SERVICE;
    let manager = connect(access, name)?;
    let info = ServiceInfo {
        name: name.into(),
        display_name: (&definition.display_name).into(),
        service_type: ServiceType::OWN_PROCESS,
        start_type: ServiceStartType::AutoStart,
        error_control: ServiceErrorControl::Normal,
        executable_path: (&definition.executable).into(),
        launch_arguments: definition.arguments.iter().map(OsString::from).collect(),
        dependencies: Vec::new(),
        account_name: Some((&definition.account).into()),
        // The library takes and keeps no other form.
        account_password: Some(password.expose_secret().into()),
    };
    let access = ServiceAccess::QUERY_STATUS
        | ServiceAccess::CHANGE_CONFIG
        | ServiceAccess::START
        | ServiceAccess::STOP;
    let failed = |error| refused("change", name, error);
    let service = if let Some(service) = there(manager.open_service(name, access)).map_err(failed)? {
        service.change_config(&info).map_err(|error| logged_on(definition, "change", error))?;
        service
    } else {
        manager.create_service(&info, access).map_err(|error| logged_on(definition, "make", error))?
    };
    let set = |outcome| where_known(outcome).map_err(failed);
    set(service.set_description(&definition.description))?;
    set(service.set_delayed_auto_start(true))?;
    let again = ServiceAction {
        action_type: ServiceActionType::Restart,
        delay: Duration::from_secs(RESTART_AFTER.into()),
    };
    let actions = ServiceFailureActions {
        // The last action is for all further failures.
        reset_period: ServiceFailureResetPeriod::Never,
        reboot_msg: None,
        command: None,
        actions: Some(vec![again]),
    };
    set(service.update_failure_actions(actions))?;
    set(service.set_failure_actions_on_non_crash_failures(true))?;

    let status = service.query_status().map_err(failed)?;
    if status.current_state != ServiceState::Stopped {
        if !restarts {
            return Ok(());
        }
        stop(&service, name).await?;
    }
    service.start::<OsString>(&[]).map_err(|error| logged_on(definition, "start", error))?;
    let status = settled(&service, name, "start", ServiceState::StartPending).await?;
    match exit(&status) {
        _ if status.current_state != ServiceState::Stopped => Ok(()),
        Ended::Windows(code) | Ended::Program(code) => {
            Err(ServiceError::EndedAtOnce { name: name.clone(), code })
        }
    }
}

/// Ends and deletes a service.
pub async fn remove(name: &str) -> Result<(), ServiceError> {
    let failed = |error| refused("remove", name, error);
    let manager = connect(ServiceManagerAccess::CONNECT, name)?;
    let access = ServiceAccess::QUERY_STATUS | ServiceAccess::STOP | ServiceAccess::DELETE;
    let Some(service) = there(manager.open_service(name, access)).map_err(failed)? else { return Ok(()) };
    stop(&service, name).await?;
    service.delete().map_err(failed)
}

/// Ends a service, and comes back when it has.
async fn stop(service: &service::Service, name: &str) -> Result<(), ServiceError> {
    match service.stop() {
        Ok(_) => {}
        Err(Error::Winapi(error)) if error.raw_os_error() == Some(NOT_ACTIVE) => return Ok(()),
        Err(error) => return Err(refused("stop", name, error)),
    }
    let status = settled(service, name, "stop", ServiceState::StopPending).await?;
    if status.current_state == ServiceState::Stopped {
        Ok(())
    } else {
        Err(refused("stop", name, Error::Winapi(io::ErrorKind::TimedOut.into())))
    }
}

/// A service's status once it is no longer `pending`.
async fn settled(
    service: &service::Service,
    name: &str,
    action: &'static str,
    pending: ServiceState,
) -> Result<ServiceStatus, ServiceError> {
    let begun = Instant::now();
    loop {
        let status = service.query_status().map_err(|error| refused(action, name, error))?;
        if status.current_state != pending || begun.elapsed() > PATIENCE {
            return Ok(status);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

fn connect(access: ServiceManagerAccess, name: &str) -> Result<ControlManager, ServiceError> {
    ControlManager::local_computer(None::<&str>, access).map_err(|error| refused("look for", name, error))
}

/// A service, if there is one of the name.
fn there(opened: Result<service::Service, Error>) -> Result<Option<service::Service>, Error> {
    match opened {
        Ok(service) => Ok(Some(service)),
        Err(Error::Winapi(error)) if error.raw_os_error() == Some(NOT_THERE) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A setting that is not to be had (Wine has not all of them): the service does without.
fn where_known(outcome: Result<(), Error>) -> Result<(), Error> {
    match outcome {
        Err(Error::Winapi(error)) if error.raw_os_error() == Some(NO_SUCH_SETTING) => Ok(()),
        outcome => outcome,
    }
}

fn read(status: &ServiceStatus) -> State {
    state(status.current_state != ServiceState::Stopped, exit(status))
}

fn exit(status: &ServiceStatus) -> Ended {
    match status.exit_code {
        ServiceExitCode::Win32(code) => Ended::Windows(code),
        ServiceExitCode::ServiceSpecific(code) => Ended::Program(code),
    }
}

fn refused(action: &'static str, name: &str, error: Error) -> ServiceError {
    ServiceError::of_windows(action, name, None, source(error))
}

/// The same where Windows looks at the account's name or logs it on.
fn logged_on(definition: &Definition, action: &'static str, error: Error) -> ServiceError {
    ServiceError::of_windows(action, &definition.name, Some(&definition.account), source(error))
}

fn source(error: Error) -> io::Error {
    match error {
        Error::Winapi(source) => source,
        other => io::Error::other(other),
    }
}

/// This process, if the service control manager has started it as a service.
pub struct Hosted {
    hosting: &'static Hosting,
}

/// There is one a process: the service control manager calls functions that know of nothing else.
static HOSTING: OnceLock<Hosting> = OnceLock::new();

/// The service control manager takes the name from its own list.
const ANY_NAME: &str = "RosterBridge";

struct Hosting {
    /// Cancelled when the service is to stop.
    stop: CancellationToken,
    /// Who is told that the service control manager has taken this process, or why not.
    taken: Mutex<Option<oneshot::Sender<Result<(), Error>>>>,
    /// Where the service stands, and who is told: none before it is taken.
    stands: Mutex<(Stands, Option<ServiceStatusHandle>)>,
    /// Says that the service has ended.
    ended: Mutex<Option<mpsc::Receiver<()>>>,
    /// Dropped when it has.
    runs: Mutex<Option<mpsc::Sender<()>>>,
}

/// Where a service stands, in the order it goes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stands {
    Starts,
    Runs,
    Stops,
    Ended(u32),
}

impl Hosted {
    /// Reports to the service control manager. None if it did not start this process.
    pub async fn find() -> Result<Option<Self>, ServiceError> {
        let (taken, answer) = oneshot::channel();
        let (runs, ended) = mpsc::channel();
        let hosting = HOSTING.get_or_init(|| Hosting {
            stop: CancellationToken::new(),
            taken: Mutex::new(Some(taken)),
            stands: Mutex::new((Stands::Starts, None)),
            ended: Mutex::new(Some(ended)),
            runs: Mutex::new(Some(runs)),
        });
        // It comes back only when the service has ended.
        thread::spawn(|| {
            if let Err(error) = service_dispatcher::start(ANY_NAME, service_main) {
                hosting.tell(Err(error));
            }
        });
        match answer.await {
            Ok(Ok(())) => Ok(Some(Self { hosting })),
            Ok(Err(Error::Winapi(error))) if error.raw_os_error() == Some(STARTED_BY_HAND) => Ok(None),
            Ok(Err(error)) => Err(refused("run as", ANY_NAME, error)),
            Err(_) => Err(refused("run as", ANY_NAME, Error::Winapi(io::ErrorKind::BrokenPipe.into()))),
        }
    }

    /// Cancelled when the service is to stop.
    pub fn stop(&self) -> CancellationToken {
        self.hosting.stop.clone()
    }

    /// Tells that it runs.
    pub fn runs(&self) {
        self.hosting.report(Stands::Runs);
    }

    /// Tells that it has ended, and how. Then nothing but the process's end should follow.
    pub fn ended(self, exit: Exit) {
        self.hosting.report(Stands::Ended(exit.code().into()));
        locked(&self.hosting.runs).take();
    }
}

impl Hosting {
    fn tell(&self, taken: Result<(), Error>) {
        if let Some(told) = locked(&self.taken).take() {
            let _ = told.send(taken);
        }
    }

    /// Tells where the service stands. It never goes back: a stop may be asked for while it ends by itself.
    fn report(&self, stands: Stands) {
        let mut now = locked(&self.stands);
        if stands < now.0 {
            return;
        }
        now.0 = stands;
        let Some(handle) = now.1 else { return };
        let (current_state, controls_accepted) = match stands {
            Stands::Starts => (ServiceState::StartPending, ServiceControlAccept::empty()),
            Stands::Runs => {
                (ServiceState::Running, ServiceControlAccept::STOP | ServiceControlAccept::SHUTDOWN)
            }
            Stands::Stops => (ServiceState::StopPending, ServiceControlAccept::empty()),
            Stands::Ended(_) => (ServiceState::Stopped, ServiceControlAccept::empty()),
        };
        let status = ServiceStatus {
            service_type: ServiceType::OWN_PROCESS,
            current_state,
            controls_accepted,
            exit_code: match stands {
                Stands::Ended(code) if code != 0 => ServiceExitCode::ServiceSpecific(code),
                _ => ServiceExitCode::NO_ERROR,
            },
            checkpoint: 0,
            wait_hint: match stands {
                Stands::Starts | Stands::Stops => PATIENCE,
                Stands::Runs | Stands::Ended(_) => Duration::ZERO,
            },
            process_id: None,
        };
        if let Err(error) = handle.set_service_status(status) {
            tracing::warn!(%error, "the service control manager was not told");
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The service control manager calls this on a thread of its own. When it comes back, the service is over.
extern "system" fn service_main(_count: u32, _arguments: *mut *mut u16) {
    let Some(hosting) = HOSTING.get() else { return };
    match service_control_handler::register(ANY_NAME, on_control) {
        Ok(handle) => {
            locked(&hosting.stands).1 = Some(handle);
            hosting.report(Stands::Starts);
            hosting.tell(Ok(()));
            let ended = locked(&hosting.ended).take();
            // Nothing is ever sent: it comes back when the other end is gone.
            let _ = ended.map(|ended| ended.recv());
        }
        Err(error) => hosting.tell(Err(error)),
    }
}

/// What the service control manager asks for. A function and not a closure with things of its own: those the library frees
/// with the first stop, and may be asked something still.
fn on_control(control: ServiceControl) -> ServiceControlHandlerResult {
    match (control, HOSTING.get()) {
        (ServiceControl::Stop | ServiceControl::Shutdown, Some(hosting)) => {
            hosting.report(Stands::Stops);
            hosting.stop.cancel();
            ServiceControlHandlerResult::NoError
        }
        (ServiceControl::Interrogate, _) => ServiceControlHandlerResult::NoError,
        _ => ServiceControlHandlerResult::NotImplemented,
    }
}
