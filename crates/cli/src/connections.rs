//! `connections`: managed connections and the host keys of their servers; and whose the exchanges with Hero are.

use std::{fmt::Write, path::Path};

use rosterbridge_api::{
    Fault, Request, Response, Session, SetupView,
    domain::settings::{ConnectionId, ManagedConnection, SignInMethod},
    report::{
        AcceptedHostKey, HostKeyHistory, HostKeyMarker, KnownHostStanding, KnownHostsView, OwnerChange,
        ReplacedHostKey, SecretState,
    },
};
use serde_json::{Value, json};

use crate::{
    answer::{to_value, unexpected},
    args::{Connections, Ownership, SetConnection, SignIn},
    document::Document,
    files, setup, stop,
};

/// Carries out a command about managed connections.
pub async fn carry_out(session: &Session, connections: Connections) -> Result<Document, Fault> {
    match connections {
        Connections::List => list(session).await,
        Connections::Show { id } => show(session, id).await,
        Connections::Set(changes) => set(session, *changes).await,
        Connections::Remove { id } => {
            match session.call(Request::DeleteConnection { connection: id }, |_| ()).await? {
                Response::Setup(_) => {
                    let message = format!("The managed connection {id} and its secrets are deleted.");
                    Ok(Document::done(message, json!({ "id": id })))
                }
                _ => Err(unexpected()),
            }
        }
        Connections::KnownHosts { id, file, accept } => known_hosts(session, id, &file, accept).await,
        Connections::ReplaceHostKey { id, presented, typed } => {
            let request = Request::ReplaceHostKey { connection: id, presented_sha256: presented, typed };
            let cancel = Some(Request::CancelConnectionTest);
            match stop::tested(session, request, |_| (), cancel).await? {
                Response::HostKeyReplaced(replaced) => {
                    let text: String = replaced.iter().map(replacement).collect();
                    Ok(Document::done("The accepted host key is replaced.", json!({ "replaced": replaced }))
                        .with_text(format!("The accepted host key is replaced.\n{text}")))
                }
                _ => Err(unexpected()),
            }
        }
        Connections::History { id } => {
            match session.call(Request::HostKeyHistory { connection: id }, |_| ()).await? {
                Response::HostKeyHistory(history) => {
                    let message = format!("Host keys of {}:{}", history.host, history.port);
                    Ok(Document::done(message, to_value(&history)?).with_text(history_text(&history)))
                }
                _ => Err(unexpected()),
            }
        }
    }
}

/// Carries out a command about whose the exchanges with Hero are.
pub async fn own(session: &Session, ownership: Ownership) -> Result<Document, Fault> {
    let goes_on = matches!(ownership, Ownership::OnlySender { .. });
    let request = match ownership {
        Ownership::HandOver { job, record, yes: _ } => Request::HandOver { job, record },
        Ownership::OnlySender { job, yes: _ } => Request::ConfirmOneSender { job },
        Ownership::TakeBack { job } => Request::TakeBack { job },
    };
    match session.call(request, |_| ()).await? {
        Response::OwnerChanged(change) => {
            let data = to_value(&change)?;
            let OwnerChange { job, owner, in_powerschool, .. } = &change;
            let who = match owner {
                rosterbridge_api::domain::settings::Owner::PowerSchool => "PowerSchool",
                rosterbridge_api::domain::settings::Owner::RosterBridge => "RosterBridge",
            };
            let message = if goes_on {
                format!(
                    "{job} goes on at its next time; to run it now: rosterbridge sync {job}. {in_powerschool}"
                )
            } else {
                format!("{who} carries out {job} from now on. {in_powerschool}")
            };
            let told = change.warnings.iter().fold(format!("{message}\n"), |text, told| text + told + "\n");
            Ok(Document::done(message, data).with_text(told))
        }
        _ => Err(unexpected()),
    }
}

async fn list(session: &Session) -> Result<Document, Fault> {
    let view = setup::now(session).await?;
    let connections: Vec<Value> = view
        .setup
        .connections
        .iter()
        .map(|connection| described(&view, connection))
        .collect::<Result<_, _>>()?;
    let text = view.setup.connections.iter().map(|connection| lines(&view, connection)).collect();
    let data = json!({ "connections": connections, "next": view.next_connection });
    Ok(Document::done("Managed connections", data).with_text(text))
}

async fn show(session: &Session, id: ConnectionId) -> Result<Document, Fault> {
    let view = setup::now(session).await?;
    let connection = view.setup.connection(id).ok_or_else(|| no_such(id))?;
    let text = whole(&view, connection);
    Ok(Document::done(connection.name.clone(), described(&view, connection)?).with_text(text))
}

async fn set(session: &Session, changes: SetConnection) -> Result<Document, Fault> {
    let SetupView { mut setup, revision, .. } = *setup::now(session).await?;
    let id = changes.id;
    let known = setup.connections.iter_mut().find(|connection| connection.id == id);
    let created = known.is_none();
    if let Some(connection) = known {
        apply(changes, connection);
    } else {
        if changes.name.as_deref().is_none_or(|name| name.trim().is_empty()) {
            return Ok(Document::wrong_usage(format!(
                "There is no managed connection '{id}': give it a name with --name to create it, or see those that there \
                 are with: rosterbridge connections list"
            )));
        }
        let mut connection = ManagedConnection { id, ..ManagedConnection::default() };
        apply(changes, &mut connection);
        setup.connections.push(connection);
    }
    let view = setup::save(session, setup, revision).await?;
    let connection = view.setup.connection(id).ok_or_else(unexpected)?;
    let done = if created { "created" } else { "saved" };
    let message = format!("{} ({id}) is {done}.", connection.name);
    let text = format!("{message}\n{}", whole(&view, connection));
    Ok(Document::done(message, described(&view, connection)?).with_text(text))
}

fn apply(changes: SetConnection, connection: &mut ManagedConnection) {
    fn to<T>(field: &mut T, value: Option<T>) {
        if let Some(value) = value {
            *field = value;
        }
    }
    to(&mut connection.name, changes.name);
    to(&mut connection.description, changes.description);
    to(&mut connection.host, changes.host);
    to(&mut connection.port, changes.port);
    to(&mut connection.username, changes.username);
    if let Some(sign_in) = changes.sign_in {
        connection.sign_in = Some(match sign_in {
            SignIn::Password => SignInMethod::Password,
            SignIn::PrivateKey => SignInMethod::PrivateKey,
        });
    }
    to(&mut connection.allow_download, changes.allow_download);
    to(&mut connection.allow_upload, changes.allow_upload);
    to(&mut connection.allow_legacy, changes.allow_legacy);
    // The grammar lets no other numbers through.
    to(
        &mut connection.transfers_at_once,
        changes.transfers_at_once.and_then(|number| number.try_into().ok()),
    );
    to(&mut connection.answer_seconds, changes.answer_seconds);
    to(&mut connection.keep_alive_seconds, changes.keep_alive_seconds);
}

async fn known_hosts(
    session: &Session,
    id: ConnectionId,
    file: &Path,
    accept: Vec<String>,
) -> Result<Document, Fault> {
    let text = files::read(file)?;
    if accept.is_empty() {
        return match session.call(Request::ReadKnownHosts { connection: id, text }, |_| ()).await? {
            Response::KnownHosts(read) => {
                let message = format!("{} host keys of {}:{}", read.keys.len(), read.host, read.port);
                Ok(Document::done(message, to_value(&read)?).with_text(known_hosts_text(&read)))
            }
            _ => Err(unexpected()),
        };
    }
    let request = Request::AcceptKnownHosts { connection: id, text, sha256: accept };
    match session.call(request, |_| ()).await? {
        Response::HostKeyHistory(history) => {
            let message = format!("The host keys of {}:{} are accepted.", history.host, history.port);
            Ok(Document::done(message, to_value(&history)?).with_text(history_text(&history)))
        }
        _ => Err(unexpected()),
    }
}

fn no_such(id: ConnectionId) -> Fault {
    Fault {
        code: "connection.unknown".to_owned(),
        message: format!("There is no managed connection '{id}'."),
        remedy: "See those that there are with: rosterbridge connections list".to_owned(),
    }
}

/// A connection's settings, with the host keys accepted for its server.
fn described(view: &SetupView, connection: &ManagedConnection) -> Result<Value, Fault> {
    let mut data = to_value(connection)?;
    data["host_keys"] = to_value(&view.host_keys.get(&connection.id))?;
    data["secrets"] = to_value(&secrets(view, connection).collect::<Vec<_>>())?;
    Ok(data)
}

/// The secrets of a connection.
fn secrets<'a>(view: &'a SetupView, connection: &ManagedConnection) -> impl Iterator<Item = &'a SecretState> {
    let id = connection.id.to_string();
    view.secrets
        .iter()
        .filter(move |secret| secret.name.strip_prefix(&id).is_some_and(|rest| rest.starts_with('.')))
}

/// A connection with everything that is set up for it.
fn whole(view: &SetupView, connection: &ManagedConnection) -> String {
    let mut text = lines(view, connection);
    if !connection.description.trim().is_empty() {
        let _ = writeln!(text, "               {}", connection.description.trim());
    }
    let keep_alive = match connection.keep_alive_seconds {
        0 => "is not kept alive while idle".to_owned(),
        seconds => format!("is kept alive every {seconds} seconds while idle"),
    };
    let _ = writeln!(
        text,
        "               waits {} seconds for an answer; {keep_alive}",
        connection.answer_seconds
    );
    for secret in secrets(view, connection) {
        let kept = if secret.set { "is kept" } else { "is not kept" };
        let _ = writeln!(text, "               {} {kept}", secret.name);
    }
    text
}

fn lines(view: &SetupView, connection: &ManagedConnection) -> String {
    let mut text = format!(
        "{:<14} {}: {}@{}:{}\n",
        connection.id.to_string(),
        connection.name,
        connection.username,
        connection.host,
        connection.port
    );
    let allowed = [
        (connection.allow_download, "download"),
        (connection.allow_upload, "upload"),
        (connection.allow_legacy, "legacy ciphers"),
    ];
    let allowed: Vec<&str> = allowed.into_iter().filter_map(|(on, what)| on.then_some(what)).collect();
    let allowed = if allowed.is_empty() { "nothing".to_owned() } else { allowed.join(", ") };
    let sign_in = match connection.sign_in {
        Some(SignInMethod::Password) => "by password",
        Some(SignInMethod::PrivateKey) => "by private key",
        None => "by private key if one is kept, else by password",
    };
    let _ = writeln!(
        text,
        "               signs in {sign_in}; allows {allowed}; {} at a time",
        connection.transfers_at_once.get()
    );
    for key in view.host_keys.get(&connection.id).into_iter().flatten() {
        let _ = writeln!(text, "               host key {}", accepted(key));
    }
    text
}

/// An accepted key, with when and by whom.
pub fn accepted(key: &AcceptedHostKey) -> String {
    let at = key.accepted_at.format("%Y-%m-%d %H:%M UTC");
    format!("{} {}, accepted {at} by {}", key.algorithm, key.sha256, key.accepted_by)
}

fn replacement(replaced: &ReplacedHostKey) -> String {
    format!("  old: {}\n  new: {}\n", accepted(&replaced.old), accepted(&replaced.new))
}

fn history_text(history: &HostKeyHistory) -> String {
    let mut text = format!("Host keys of {}:{}\n", history.host, history.port);
    if history.accepted.is_empty() {
        text.push_str("  none is accepted\n");
    }
    for key in &history.accepted {
        let _ = writeln!(text, "  {}", accepted(key));
    }
    if !history.replaced.is_empty() {
        text.push_str("Replaced, latest first\n");
    }
    text.extend(history.replaced.iter().map(replacement));
    text
}

fn known_hosts_text(read: &KnownHostsView) -> String {
    let mut text = String::new();
    if read.keys.is_empty() {
        let _ = writeln!(text, "The file says nothing of {}:{}.", read.host, read.port);
    }
    for key in &read.keys {
        let standing = match key.standing {
            KnownHostStanding::New => "can be accepted",
            KnownHostStanding::Accepted => "is accepted already",
            KnownHostStanding::Differs => "DIFFERS from the accepted key of this type",
            KnownHostStanding::NotUsed => "is of no use",
        };
        let marker = match key.marker {
            Some(HostKeyMarker::Revoked) => " (marked @revoked)",
            Some(HostKeyMarker::CertAuthority) => " (marked @cert-authority)",
            None => "",
        };
        let _ = writeln!(
            text,
            "line {:<4} {} {}\n          {}: {standing}{marker}",
            key.line, key.algorithm, key.sha256, key.md5
        );
    }
    for problem in &read.problems {
        let _ = writeln!(text, "line {:<4} can't be read, because {}", problem.line, problem.reason);
    }
    text
}
