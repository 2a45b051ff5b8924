//! `rosterbridge backup` and `rosterbridge erase`.

use std::path::Path;

use rosterbridge_api::{BackupView, Fault, Request, Response, RestoredView, Session};
use serde_json::{Value, json};

use crate::{
    answer::{to_value, unexpected},
    args::Backup,
    document::Document,
    files::{read, secret_from_stdin, write_owner_only},
};

/// Carries out a `backup` command. Those for a profile that does not open need none that does.
pub async fn backup(command: Backup, home: &Path, profile: &str) -> Result<Document, Fault> {
    match command {
        Backup::List => {
            let backups = rosterbridge_api::backups(home, profile)?;
            Ok(Document::done("Backups", json!({ "backups": to_value(&backups)? })).with_text(list(&backups)))
        }
        Backup::Now => match ask(home, profile, Request::BackUp).await? {
            Response::BackedUp(backup) => {
                Ok(Document::done(format!("Wrote {}.", backup.file), to_value(&backup)?))
            }
            _ => Err(unexpected()),
        },
        Backup::Restore { begin_anew } => {
            let restored = rosterbridge_api::restore(home, profile, begin_anew).await?;
            Ok(Document::done(restored_message(&restored), to_value(&restored)?))
        }
        Backup::RecoveryFile { file } => {
            let passphrase = secret_from_stdin("passphrase")?;
            match ask(home, profile, Request::RecoveryFile { passphrase }).await? {
                Response::RecoveryFile(text) => {
                    write_owner_only(&file, text.as_bytes())?;
                    Ok(Document::done(
                        format!(
                            "Wrote {}. Keep it and its passphrase apart, and neither on this computer.",
                            file.display()
                        ),
                        json!({ "file": file }),
                    ))
                }
                _ => Err(unexpected()),
            }
        }
        Backup::Recover { file } => {
            let text = read(&file)?;
            let passphrase = secret_from_stdin("passphrase")?;
            rosterbridge_api::recover(home, profile, text, passphrase).await?;
            Ok(Document::done(
                "The profile's key is in the keychain again. See with 'rosterbridge status' that the profile opens, and \
                 enter secrets again that the keychain has lost too: rosterbridge secrets check NAME",
                Value::Null,
            ))
        }
    }
}

/// Erases a district.
pub async fn erase(home: &Path, profile: &str, confirm: &str) -> Result<Document, Fault> {
    let erased = rosterbridge_api::erase(home, profile, confirm).await?;
    let data = to_value(&erased)?;
    if erased.left.is_empty() {
        return Ok(Document::done(
            format!("{profile} is erased: no file and no keychain entry is left."),
            data,
        ));
    }
    let left: Vec<String> = erased.left.iter().map(|left| format!("{} ({})", left.what, left.why)).collect();
    Ok(Document::failed(
        &Fault {
            code: "profile.not_erased".to_owned(),
            message: format!("Not everything of {profile} could be erased. Still there: {}", left.join(", ")),
            remedy: "Remove what is named here yourself, or see to the reason and erase the district again."
                .to_owned(),
        },
        data,
    ))
}

async fn ask(home: &Path, profile: &str, request: Request) -> Result<Response, Fault> {
    let session = Session::open_existing(home, profile).await?;
    let answer = session.call(request, |_| ()).await;
    session.close().await;
    answer
}

fn list(backups: &[BackupView]) -> String {
    if backups.is_empty() {
        return "There is no backup yet.\n".to_owned();
    }
    let lines: Vec<String> = backups
        .iter()
        .map(|backup| {
            let kind = if backup.before_layout { ", made before an update" } else { "" };
            format!("{}  {} bytes{kind}  {}", backup.made_at.to_rfc3339(), backup.bytes, backup.file)
        })
        .collect();
    lines.join("\n") + "\n"
}

fn restored_message(restored: &RestoredView) -> String {
    let now = match restored.backup_made_at {
        Some(made_at) => format!(
            "The backup of {} has taken the ledger's place. The next run reads again what happened since.",
            made_at.to_rfc3339()
        ),
        None => {
            "An empty ledger was begun. Set the district up again: rosterbridge setup import FILE".to_owned()
        }
    };
    match &restored.set_aside {
        Some(file) => format!("{now} The former one is kept as {file}."),
        None => now,
    }
}
