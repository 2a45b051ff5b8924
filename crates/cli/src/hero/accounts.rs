//! `hero accounts`: whom each account at Hero is for, its exports and its import.

mod text;

use rosterbridge_api::{
    Fault, Request, Response, Session, SetupView,
    domain::{
        job::{AccountId, Job, JobId},
        settings::{
            ConnectionId, Destination, ExportJob, ExportKind, HeroAccount, HeroSide, ImportJob, JobSettings,
            Owner, Setup,
        },
    },
};
use serde_json::{Value, json};

use super::absolute;
use crate::{
    answer::{to_value, unexpected},
    args::{AccountChanges, Accounts, AddAccount, EitherRecord, Format, SetAccount, SetExport, SetImport},
    document::Document,
    setup,
};

/// Carries out a command about accounts at Hero.
pub async fn carry_out(session: &Session, accounts: Accounts) -> Result<Document, Fault> {
    match accounts {
        Accounts::List => list(session).await,
        Accounts::Show { account } => {
            let setup = setup::now(session).await?.setup;
            let name = text::named(found(&setup, account)?);
            shown(session, &setup, account, name, text::whole).await
        }
        Accounts::Add(new) => add(session, *new).await,
        Accounts::Set { account, changes } => set(session, account, changes).await,
        Accounts::SetExport(changes) => set_export(session, *changes).await,
        Accounts::SetImport(changes) => set_import(session, *changes).await,
        Accounts::Remove { account, yes } => remove(session, account, yes).await,
    }
}

async fn list(session: &Session) -> Result<Document, Fault> {
    let view = setup::now(session).await?;
    let accounts = &view.setup.hero.accounts;
    let data: Vec<Value> =
        accounts.iter().map(|account| described(&view.setup, account)).collect::<Result<_, _>>()?;
    let text = accounts.iter().map(|account| text::lines(&view.setup, account)).collect();
    let data = json!({ "accounts": data, "next": view.next_account });
    Ok(Document::done("Accounts at Hero", data).with_text(text))
}

/// An account as it is saved, with what is worth knowing about it.
async fn shown(
    session: &Session,
    setup: &Setup,
    id: AccountId,
    message: String,
    in_words: fn(&Setup, &HeroAccount) -> String,
) -> Result<Document, Fault> {
    let account = found(setup, id)?;
    let mut told: Vec<String> = Vec::new();
    for kind in ExportKind::ALL {
        for note in notes(session, account, kind).await {
            if !told.contains(&note) {
                told.push(note);
            }
        }
    }
    told.extend(account.attendance.in_powerschool.ticks_to_take_off());
    let mut data = described(setup, account)?;
    data["notes"] = json!(told);
    let text = format!("{message}\n{}{}", in_words(setup, account), text::notes(&told));
    Ok(Document::done(message, data).with_text(text))
}

/// What is worth knowing about an export as it is set up. Where that can't be found out it is said: what was saved is saved.
async fn notes(session: &Session, account: &HeroAccount, kind: ExportKind) -> Vec<String> {
    let job = Box::new(account.export(kind).clone());
    let request = Request::ExportPreview { account: account.id, kind, job, rows: false };
    let fault = match session.call(request, |_| ()).await {
        Ok(Response::ExportPreview(preview)) => return preview.notes,
        Ok(_) => unexpected(),
        Err(fault) => fault,
    };
    let job = JobId::new(kind.job(), account.id);
    vec![format!("Whether anything is to be noted about {job} can't be told now: {}", fault.message)]
}

/// An account as the setup file has it, with whether and when its jobs run.
fn described(setup: &Setup, account: &HeroAccount) -> Result<Value, Fault> {
    let jobs: Vec<&JobSettings> = account.jobs().into_iter().filter_map(|job| settings(setup, job)).collect();
    let mut data = to_value(account)?;
    data["jobs"] = to_value(&jobs)?;
    Ok(data)
}

/// Whether and when a job runs.
fn settings(setup: &Setup, job: JobId) -> Option<&JobSettings> {
    setup.jobs.iter().find(|settings| settings.job == job)
}

fn found(setup: &Setup, id: AccountId) -> Result<&HeroAccount, Fault> {
    setup.hero.account(id).ok_or_else(|| no_such(id))
}

fn found_mut(setup: &mut Setup, id: AccountId) -> Result<&mut HeroAccount, Fault> {
    setup.hero.accounts.iter_mut().find(|account| account.id == id).ok_or_else(|| no_such(id))
}

fn no_such(id: AccountId) -> Fault {
    Fault {
        code: "hero.no_account".to_owned(),
        message: format!("There is no account {} at Hero in the set-up.", id.number()),
        remedy: "See those that there are with: rosterbridge hero accounts list".to_owned(),
    }
}

async fn add(session: &Session, new: AddAccount) -> Result<Document, Fault> {
    let view = setup::now(session).await?;
    let Some(id) = view.next_account else {
        return Ok(Document::wrong_usage(format!(
            "There can't be another account: their numbers end with {}, and none is given twice.",
            AccountId::MOST
        )));
    };
    let SetupView { mut setup, revision, .. } = *view;
    let zone = setup.jobs.iter().find_map(|job| Some(job.schedule?.zone));
    let zone = zone.unwrap_or(chrono_tz::America::Chicago);
    let hero_side = HeroSide { zone, ..HeroSide::default() };
    let mut account = HeroAccount { id, hero_side, ..HeroAccount::default() };
    to(&mut account.students.path, new.students_path);
    to(&mut account.schedule.path, new.schedule_path);
    to(&mut account.teachers.path, new.teachers_path);
    to(&mut account.attendance.path, new.attendance_path);
    apply(Some(new.name), Some(new.connection), &new.other, &mut account);
    // What is saved under the number of an account that is gone is not the new one's.
    let jobs = account.jobs();
    setup.jobs.retain(|settings| !jobs.contains(&settings.job));
    setup.jobs.extend(jobs.map(|job| JobSettings::new(job, zone)));
    setup.hero.accounts.push(account);
    let setup = setup::save(session, setup, revision).await?.setup;
    let added = text::named(found(&setup, id)?);
    let message = format!("{added} is added. Its exchanges are off until: rosterbridge jobs set JOB --on");
    shown(session, &setup, id, message, text::lines).await
}

async fn set(session: &Session, id: AccountId, changes: SetAccount) -> Result<Document, Fault> {
    let SetupView { mut setup, revision, .. } = *setup::now(session).await?;
    apply(changes.name, changes.connection, &changes.other, found_mut(&mut setup, id)?);
    let setup = setup::save(session, setup, revision).await?.setup;
    let message = format!("{} is saved.", text::named(found(&setup, id)?));
    shown(session, &setup, id, message, text::lines).await
}

fn to<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

fn apply(
    name: Option<String>,
    connection: Option<ConnectionId>,
    changes: &AccountChanges,
    account: &mut HeroAccount,
) {
    to(&mut account.name, name.map(|name| name.trim().to_owned()));
    to(&mut account.connection, connection);
    to(&mut account.level, changes.level.map(Into::into));
    to(&mut account.schools, changes.schools.chosen().map(<[_]>::to_vec));
    to(&mut account.hero_side.imports_at, changes.hero_imports_at.map(|time| time.0));
    to(&mut account.hero_side.exports_at, changes.hero_exports_at.map(|time| time.0));
    to(&mut account.hero_side.zone, changes.hero_zone);
}

async fn set_export(session: &Session, changes: SetExport) -> Result<Document, Fault> {
    let job = changes.job;
    let Some(kind) = ExportKind::of(job.kind()) else { return Ok(super::files::no_export(job)) };
    if changes.only_current_terms.is_some() && kind != ExportKind::Schedule {
        return Ok(Document::wrong_usage(format!(
            "--only-current-terms can't be used with {job}: hero-schedule alone has terms."
        )));
    }
    let folder = changes.folder.as_deref().map(absolute).transpose()?;
    let SetupView { mut setup, revision, .. } = *setup::now(session).await?;
    let account = found_mut(&mut setup, job.account())?;
    let export = match kind {
        ExportKind::Students => &mut account.students,
        ExportKind::Schedule => &mut account.schedule,
        ExportKind::Teachers => &mut account.teachers,
    };
    if folder.is_some() && export.owner == Owner::PowerSchool {
        return Ok(Document::wrong_usage(format!(
            "PowerSchool sends {job}, over its managed connection. Only what RosterBridge sends can go to a folder."
        )));
    }
    apply_to_export(changes, folder, kind, export);
    let setup = setup::save(session, setup, revision).await?.setup;
    let account = found(&setup, job.account())?;
    let notes = notes(session, account, kind).await;
    let mut data = to_value(account.export(kind))?;
    data["job"] = json!(job);
    data["notes"] = json!(notes);
    let message = format!("{job} is saved.");
    let text = format!("{message}\n{}{}", text::export(&setup, account, kind), text::notes(&notes));
    Ok(Document::done(message, data).with_text(text))
}

fn apply_to_export(changes: SetExport, folder: Option<String>, kind: ExportKind, export: &mut ExportJob) {
    to(&mut export.name, changes.name);
    if changes.over_connection {
        export.destination = Destination::Connection;
    }
    to(&mut export.destination, folder.map(|folder| Destination::Folder { folder }));
    to(&mut export.path, changes.path);
    let Format { field_delimiter, record_delimiter, header } = changes.format;
    to(&mut export.field_delimiter, field_delimiter.map(Into::into));
    to(&mut export.record_delimiter, record_delimiter.map(Into::into));
    to(&mut export.header, header);
    to(&mut export.character_set, changes.character_set.map(Into::into));
    to(&mut export.fields, changes.fields.map(|fields| fields.0));
    if changes.usual_fields {
        export.fields = ExportJob::usual(kind).fields;
    }
    to(&mut export.schools, changes.schools.chosen().map(<[_]>::to_vec));
    to(&mut export.only_current_terms, changes.only_current_terms);
    to(&mut export.long_values, changes.long_values.map(Into::into));
    to(&mut export.skip_unchanged, changes.skip_unchanged);
    to(&mut export.email, changes.reports.chosen().map(<[_]>::to_vec));
    let record = &mut export.in_powerschool;
    to(&mut record.attendance, changes.record.attendance_setting);
    to(&mut record.upload_type, changes.record.upload_type);
    let EitherRecord { sort_order, duplicate_all_schools, duplicate_district_office } = changes.record.both;
    to(&mut record.sort_order, sort_order);
    to(&mut record.duplicate.all_schools, duplicate_all_schools);
    to(&mut record.duplicate.district_office, duplicate_district_office);
}

async fn set_import(session: &Session, changes: SetImport) -> Result<Document, Fault> {
    let job = changes.job;
    if job.kind() != Job::HeroAttendance {
        return Ok(Document::wrong_usage(format!("{job} is no import of an account: hero-attendance is.")));
    }
    let SetupView { mut setup, revision, .. } = *setup::now(session).await?;
    apply_to_import(changes, &mut found_mut(&mut setup, job.account())?.attendance);
    let setup = setup::save(session, setup, revision).await?.setup;
    let account = found(&setup, job.account())?;
    let notes = account.attendance.in_powerschool.ticks_to_take_off();
    let mut data = to_value(&account.attendance)?;
    data["job"] = json!(job);
    data["notes"] = json!(notes);
    let message = format!("{job} is saved.");
    let text = format!("{message}\n{}{}", text::import(&setup, account), text::notes(&notes));
    Ok(Document::done(message, data).with_text(text))
}

fn apply_to_import(changes: SetImport, import: &mut ImportJob) {
    to(&mut import.name, changes.name);
    to(&mut import.path, changes.path);
    let Format { field_delimiter, record_delimiter, header } = changes.format;
    to(&mut import.field_delimiter, field_delimiter.map(Into::into));
    to(&mut import.record_delimiter, record_delimiter.map(Into::into));
    to(&mut import.header, header);
    to(&mut import.character_set, changes.character_set.map(Into::into));
    to(&mut import.update_existing, changes.update_existing);
    to(&mut import.fields, changes.fields.map(|fields| fields.0));
    if changes.usual_fields {
        import.fields = ImportJob::default().fields;
    }
    to(&mut import.email, changes.reports.chosen().map(<[_]>::to_vec));
    let record = &mut import.in_powerschool;
    to(&mut record.synchronize, changes.record.synchronize);
    to(&mut record.mark_students, changes.record.mark_students);
    let EitherRecord { sort_order, duplicate_all_schools, duplicate_district_office } = changes.record.both;
    to(&mut record.sort_order, sort_order);
    to(&mut record.duplicate.all_schools, duplicate_all_schools);
    to(&mut record.duplicate.district_office, duplicate_district_office);
}

async fn remove(session: &Session, id: AccountId, yes: bool) -> Result<Document, Fault> {
    let SetupView { mut setup, revision, .. } = *setup::now(session).await?;
    let account = found(&setup, id)?;
    if id == AccountId::FIRST {
        return Err(Fault {
            code: "hero.first_account".to_owned(),
            message: format!("{} can't be removed: every profile has it.", text::named(account)),
            remedy:
                "Change it with: rosterbridge hero accounts set 1. Or switch its exchanges off, each with: \
                     rosterbridge jobs set JOB --off"
                    .to_owned(),
        });
    }
    let name = text::named(account);
    let consequences = text::removal(&setup, account);
    if !yes {
        return Ok(Document::wrong_usage(format!(
            "{name} is not removed yet. {consequences} Remove it with: rosterbridge hero accounts remove {} --yes",
            id.number()
        )));
    }
    let jobs = account.jobs();
    setup.hero.accounts.retain(|account| account.id != id);
    setup.jobs.retain(|settings| !jobs.contains(&settings.job));
    setup::save(session, setup, revision).await?;
    let message = format!("{name} is removed. {consequences}");
    Ok(Document::done(message, json!({ "account": id })))
}
