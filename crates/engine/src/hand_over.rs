//! Who carries out a job for Hero: PowerSchool or this program, exactly one of them.

use chrono::Utc;
use rosterbridge_domain::{
    job::{Job, JobId},
    settings::{ExportKind, HandOver, HeroAccount, Owner, Setup},
};

use crate::{
    engine::Engine,
    error::EngineError,
    hero::{record, too_many_schools},
    host_keys::account,
    report::OwnerChange,
};

impl Engine {
    /// Takes a job over from PowerSchool: somebody has ticked 'Turn Execution Off' on the record of this name there.
    pub async fn hand_over(&self, job: JobId, record: &str) -> Result<OwnerChange, EngineError> {
        let record = record.trim();
        if record.is_empty() {
            return Err(EngineError::HandOverWithoutRecord(job));
        }
        let confirmed =
            HandOver { record: record.to_owned(), confirmed_at: Utc::now(), confirmed_by: account() };
        let _saving = self.saving_setup.lock().await;
        let mut setup = self.setup().await?;
        let owned = of_job(&mut setup, job)?;
        *owned.owner = Owner::RosterBridge;
        *owned.hand_over = Some(confirmed.clone());
        let known = self.known_schools().await?;
        let account = setup.hero.account(job.account());
        let warning = account
            .filter(|_| job.kind() == Job::HeroStudents)
            .and_then(|account| too_many_schools(&setup.hero, account, &known));
        self.keep_word(setup, job).await?;
        tracing::info!(%job, "a person handed the job over to RosterBridge");
        Ok(OwnerChange { warnings: warning.into_iter().collect(), ..ours(job, confirmed) })
    }

    /// Lets a job go on that was paused because another sender was active: somebody has ticked 'Turn Execution Off' on its
    /// record in PowerSchool, and no other installation does it. What stood before is no sign of another sender any more.
    pub async fn confirm_one_sender(&self, job: JobId) -> Result<OwnerChange, EngineError> {
        let _saving = self.saving_setup.lock().await;
        let mut setup = self.setup().await?;
        if !self.other_senders(&setup).await?.iter().any(|paused| paused.job == job) {
            return Err(EngineError::NoOtherSender(job));
        }
        let record = record(&setup, job);
        let confirmed = HandOver { record, confirmed_at: Utc::now(), confirmed_by: account() };
        *of_job(&mut setup, job)?.hand_over = Some(confirmed.clone());
        self.keep_word(setup, job).await?;
        tracing::info!(%job, "a person confirmed that nobody else does it: the job goes on");
        Ok(ours(job, confirmed))
    }

    /// Gives a job to PowerSchool. From now on it does not run here.
    pub async fn take_back(&self, job: JobId) -> Result<OwnerChange, EngineError> {
        let _saving = self.saving_setup.lock().await;
        let mut setup = self.setup().await?;
        let owned = of_job(&mut setup, job)?;
        *owned.owner = Owner::PowerSchool;
        let record = owned.hand_over.take().map_or_else(|| owned.name.clone(), |confirmed| confirmed.record);
        self.keep_setup(setup).await?;
        tracing::info!(%job, "a person gave the job to PowerSchool");
        Ok(OwnerChange {
            job,
            owner: Owner::PowerSchool,
            in_powerschool: format!(
                "Untick 'Turn Execution Off' on the {} record '{record}' in PowerSchool, or create that record: until \
                 then nobody carries this exchange out.",
                form(job)
            ),
            record,
            at: Utc::now(),
            by: account(),
            warnings: Vec::new(),
        })
    }
}

/// That a job is this program's, by a person's word.
fn ours(job: JobId, confirmed: HandOver) -> OwnerChange {
    OwnerChange {
        job,
        owner: Owner::RosterBridge,
        in_powerschool: format!(
            "'Turn Execution Off' has to stay ticked on the {} record '{}': with both at work, the same rows would \
             arrive twice.",
            form(job),
            confirmed.record
        ),
        record: confirmed.record,
        at: confirmed.confirmed_at,
        by: confirmed.confirmed_by,
        warnings: Vec::new(),
    }
}

/// Where a new set-up's word for a hand-over may come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Confirmations {
    /// Only from what is kept already: who saves a set-up confirms nothing.
    Kept,
    /// From a setup file, too: it was confirmed where the file was written.
    InFile,
}

/// Sees to it that a new set-up takes no job from PowerSchool without somebody's word that it is off there.
pub(crate) fn keep_owners(
    before: &Setup,
    after: &mut Setup,
    confirmations: Confirmations,
) -> Result<(), EngineError> {
    for account in &mut after.hero.accounts {
        let id = account.id;
        let mut known = before.hero.account(id).cloned();
        for kind in HERO_JOBS {
            let Some(owned) = owned(account, kind) else { continue };
            let known = known.as_mut().and_then(|known| self::owned(known, kind));
            if *owned.owner == Owner::PowerSchool {
                *owned.hand_over = None;
                continue;
            }
            let confirmed = match confirmations {
                Confirmations::Kept => None,
                Confirmations::InFile => owned.hand_over.take(),
            };
            *owned.hand_over = match known {
                Some(known) if *known.owner == Owner::PowerSchool && confirmed.is_none() => {
                    let record = known.name.clone();
                    return Err(EngineError::HandOverNotConfirmed { job: JobId::new(kind, id), record });
                }
                Some(known) => confirmed.or_else(|| known.hand_over.clone()),
                None => confirmed,
            };
        }
    }
    Ok(())
}

const HERO_JOBS: [Job; 4] = [Job::HeroStudents, Job::HeroSchedule, Job::HeroTeachers, Job::HeroAttendance];

/// An export or import of an account, and whose it is.
struct Owned<'a> {
    name: &'a String,
    owner: &'a mut Owner,
    hand_over: &'a mut Option<HandOver>,
}

fn owned(account: &mut HeroAccount, job: Job) -> Option<Owned<'_>> {
    let export = match ExportKind::of(job) {
        Some(ExportKind::Students) => &mut account.students,
        Some(ExportKind::Schedule) => &mut account.schedule,
        Some(ExportKind::Teachers) => &mut account.teachers,
        None if job == Job::HeroAttendance => {
            let import = &mut account.attendance;
            return Some(Owned {
                name: &import.name,
                owner: &mut import.owner,
                hand_over: &mut import.hand_over,
            });
        }
        None => return None,
    };
    Some(Owned { name: &export.name, owner: &mut export.owner, hand_over: &mut export.hand_over })
}

fn of_job(setup: &mut Setup, job: JobId) -> Result<Owned<'_>, EngineError> {
    let account = setup.hero.accounts.iter_mut().find(|account| account.id == job.account());
    let account = account.ok_or(EngineError::NoSuchJob(job))?;
    owned(account, job.kind()).ok_or(EngineError::NotHeros(job))
}

/// What PowerSchool calls the form of a job's record.
fn form(job: JobId) -> &'static str {
    if job.kind() == Job::HeroAttendance { "AutoComm" } else { "AutoSend" }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use rstest::rstest;

    use super::*;

    fn word(record: &str) -> HandOver {
        let record = record.to_owned();
        HandOver { record, confirmed_at: chrono::DateTime::UNIX_EPOCH, confirmed_by: "ada".to_owned() }
    }

    fn with(owner: Owner, hand_over: Option<HandOver>) -> Setup {
        let mut setup = Setup::default();
        let export = &mut setup.hero.accounts[0].schedule;
        (export.owner, export.hand_over) = (owner, hand_over);
        setup
    }

    #[rstest]
    #[case::saved_without_a_word(Confirmations::Kept, None)]
    #[case::saved_with_an_invented_word(Confirmations::Kept, Some(word("invented")))]
    #[case::in_a_file_without_a_word(Confirmations::InFile, None)]
    fn a_job_of_powerschools_is_not_taken(
        #[case] confirmations: Confirmations,
        #[case] hand_over: Option<HandOver>,
    ) {
        let before = with(Owner::PowerSchool, None);
        let mut after = with(Owner::RosterBridge, hand_over);
        let refused = keep_owners(&before, &mut after, confirmations).unwrap_err();
        let EngineError::HandOverNotConfirmed { job, record } = refused else { panic!("{refused}") };
        assert_eq!((job, record.as_str()), (JobId::HERO_SCHEDULE, "Hero Schedule Info"));
    }

    #[rstest]
    #[case::a_word_in_a_file(
        with(Owner::PowerSchool, None),
        with(Owner::RosterBridge, Some(word("file"))),
        Confirmations::InFile,
        Some(word("file"))
    )]
    #[case::the_word_that_is_kept(
        with(Owner::RosterBridge, Some(word("kept"))),
        with(Owner::RosterBridge, None),
        Confirmations::Kept,
        Some(word("kept"))
    )]
    #[case::no_other_word_than_that(
        with(Owner::RosterBridge, Some(word("kept"))),
        with(Owner::RosterBridge, Some(word("new"))),
        Confirmations::Kept,
        Some(word("kept"))
    )]
    #[case::never_powerschools(
        with(Owner::RosterBridge, None),
        with(Owner::RosterBridge, None),
        Confirmations::Kept,
        None
    )]
    #[case::given_to_powerschool(
        with(Owner::RosterBridge, Some(word("kept"))),
        with(Owner::PowerSchool, Some(word("kept"))),
        Confirmations::Kept,
        None
    )]
    fn a_word_counts_where_it_was_given(
        #[case] before: Setup,
        #[case] mut after: Setup,
        #[case] confirmations: Confirmations,
        #[case] expected: Option<HandOver>,
    ) {
        let owner = after.hero.accounts[0].schedule.owner;
        keep_owners(&before, &mut after, confirmations).unwrap();
        let export = &after.hero.accounts[0].schedule;
        assert_eq!((export.owner, &export.hand_over), (owner, &expected));
    }
}
