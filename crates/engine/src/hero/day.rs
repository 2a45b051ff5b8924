//! The order of an account's day, in words.

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use rosterbridge_domain::{
    day::{Clash, ClashKind, Day, Planned, Step},
    job::{AccountId, Job, JobId},
    schedule::JobSchedule,
    settings::{ExportKind, HeroAccount, Owner, Setup},
};

use crate::{
    engine::Engine,
    error::{EngineError, sentence},
    report::{OtherSenderView, Timeline, TimelineEntry, TimelineWarning},
};

impl Engine {
    /// The order of an account's day, and what does not fit together in it.
    pub async fn timeline(&self, account: AccountId, now: DateTime<Utc>) -> Result<Timeline, EngineError> {
        let setup = self.setup().await?;
        let tested = self.last_test().await?.and_then(|test| test.server);
        let district = tested.and_then(|server| server.time_zone?.parse().ok());
        let roster = self.roster().await?;
        let summers = self.summers(&setup, roster.as_ref()).await?;
        let today = |zone| summers.today(now, zone);
        let paused = self.other_senders(&setup).await?;
        timeline(&setup, account, &paused, district, today)
            .ok_or(EngineError::NoSuchJob(JobId::new(Job::HeroStudents, account)))
    }
}

/// The day of an account.
struct Told<'a> {
    setup: &'a Setup,
    account: &'a HeroAccount,
    /// The jobs that another sender has paused.
    paused: &'a [OtherSenderView],
    day: Day,
    /// The day that is shown.
    shown: NaiveDate,
}

fn timeline(
    setup: &Setup,
    account: AccountId,
    paused: &[OtherSenderView],
    district: Option<Tz>,
    today: impl Fn(Tz) -> NaiveDate,
) -> Option<Timeline> {
    let account = setup.hero.account(account)?;
    let planned = |of: &HeroAccount| {
        of.jobs().map(|job| Planned {
            step: Step::Job { job, owner: setup.owner(job) },
            schedule: schedule(setup, job),
        })
    };
    let side = &account.hero_side;
    let heros = [
        Planned::at_hero(Step::HeroImports, side.imports_at, side.zone),
        Planned::at_hero(Step::HeroExports, side.exports_at, side.zone),
    ];
    let others = setup.hero.accounts.iter();
    let others = others.filter(|other| other.id != account.id && other.connection == account.connection);
    let day = Day {
        planned: planned(account).into_iter().chain(heros).collect(),
        neighbours: others.flat_map(planned).collect(),
        district,
    };
    let today = today(day.zone());
    let told = Told { setup, account, paused, shown: day.fullest(today), day };
    let (mut entries, mut without_time) = (Vec::new(), Vec::new());
    for (at, step) in told.day.on(told.shown) {
        entries.push(told.entry(step, Some(told.clock(at))));
    }
    for planned in &told.day.planned {
        if !entries.iter().any(|entry| entry.step == planned.step) {
            without_time.push(told.entry(planned.step, None));
        }
    }
    let mut clashes = told.day.clashes(today);
    clashes.extend(told.not_watched());
    clashes.extend(told.other_senders());
    clashes.sort_by(|a, b| (a.kind, &a.steps).cmp(&(b.kind, &b.steps)));
    Some(Timeline {
        account: account.id,
        account_name: account.name.clone(),
        zone: told.day.zone().name().to_owned(),
        zone_known: district.is_some(),
        day: told.shown,
        entries,
        without_time,
        warnings: clashes.iter().map(|clash| told.warning(clash)).collect(),
    })
}

fn schedule(setup: &Setup, job: JobId) -> Option<JobSchedule> {
    setup.jobs.iter().find(|settings| settings.job == job)?.schedule
}

impl Told<'_> {
    /// A moment on the clocks of the day's zone.
    fn clock(&self, at: DateTime<Utc>) -> String {
        at.with_timezone(&self.day.zone()).format("%H:%M").to_string()
    }

    /// When something happens on a day; nothing where it does not.
    fn at(&self, step: Step, day: NaiveDate) -> String {
        let found = self.day.on(day).into_iter().find(|(_, on_day)| *on_day == step);
        found.map_or_else(String::new, |(at, _)| self.clock(at))
    }

    fn entry(&self, step: Step, time: Option<String>) -> TimelineEntry {
        let schedule =
            self.day.planned.iter().find(|planned| planned.step == step).and_then(|planned| planned.schedule);
        let on = match step {
            Step::Job { job, owner: Owner::RosterBridge } => self.setup.job_enabled(job),
            Step::Job { job, owner: Owner::PowerSchool } => self.is_watched(job),
            Step::HeroImports | Step::HeroExports => true,
        };
        let title = match step {
            Step::Job { job, owner } => {
                let who = match owner {
                    Owner::PowerSchool => "PowerSchool",
                    Owner::RosterBridge => "RosterBridge",
                };
                let what = match ExportKind::of(job.kind()) {
                    Some(ExportKind::Students) => "students, sent by",
                    Some(ExportKind::Schedule) => "schedules, sent by",
                    Some(ExportKind::Teachers) => "teachers, sent by",
                    None => "attendance, imported by",
                };
                format!("{} ({what} {who})", self.job_name(job))
            }
            Step::HeroImports => "Hero takes in the files".to_owned(),
            Step::HeroExports => "Hero writes its attendance export".to_owned(),
        };
        let days = schedule.map_or_else(String::new, |schedule| schedule.when.days().to_string());
        TimelineEntry { step, title, time, days, on }
    }

    /// Whether it is looked at whether PowerSchool does a job: only where it is switched on.
    fn is_watched(&self, job: JobId) -> bool {
        self.setup.jobs.iter().any(|settings| settings.job == job && settings.enabled)
    }

    /// What PowerSchool does at a time that was entered, and nobody looks at.
    fn not_watched(&self) -> Vec<Clash> {
        let off = |planned: &Planned| {
            let Step::Job { job, owner: Owner::PowerSchool } = planned.step else { return None };
            let is_off = planned.schedule.is_some() && !self.is_watched(job);
            is_off.then(|| Clash { kind: ClashKind::NotWatched, steps: vec![planned.step], on: None })
        };
        self.day.planned.iter().filter_map(off).collect()
    }

    /// The jobs of the day that are paused.
    fn other_senders(&self) -> Vec<Clash> {
        let is_paused = |job| self.paused.iter().any(|paused| paused.job == job);
        let steps = self.day.planned.iter().map(|planned| planned.step);
        let paused = steps.filter(|step| matches!(step, Step::Job { job, .. } if is_paused(*job)));
        paused.map(|step| Clash { kind: ClashKind::OtherSender, steps: vec![step], on: None }).collect()
    }

    /// What people call a job.
    fn job_name(&self, job: JobId) -> String {
        let of = |account: &HeroAccount| match ExportKind::of(job.kind()) {
            Some(kind) => account.export(kind).name.clone(),
            None => account.attendance.name.clone(),
        };
        match self.setup.hero.account(job.account()) {
            Some(account) if account.id != self.account.id => format!("{} of {}", of(account), account.name),
            Some(account) => of(account),
            None => job.to_string(),
        }
    }

    fn name(&self, step: Step) -> String {
        match step {
            Step::Job { job, .. } => format!("'{}'", self.job_name(job)),
            Step::HeroImports => "Hero's taking in of the files".to_owned(),
            Step::HeroExports => "Hero's writing of its export".to_owned(),
        }
    }

    fn names(&self, steps: &[Step]) -> String {
        let names: Vec<String> = steps.iter().map(|step| self.name(*step)).collect();
        match names.split_last() {
            Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
            _ => names.concat(),
        }
    }

    fn warning(&self, clash: &Clash) -> TimelineWarning {
        let jobs = clash.steps.iter().filter_map(|step| match step {
            Step::Job { job, .. } => Some(*job),
            Step::HeroImports | Step::HeroExports => None,
        });
        let jobs = jobs.collect();
        let (message, remedy) = self.words(clash);
        TimelineWarning { kind: clash.kind, jobs, message: sentence(&message), remedy }
    }

    /// What does not fit, and what to do about it.
    fn words(&self, clash: &Clash) -> (String, String) {
        let steps = clash.steps.as_slice();
        let day = clash.on.unwrap_or(self.shown);
        let on = clash.on.map_or_else(String::new, |day| format!("on {day}, when the clocks change, "));
        let first = steps.first().copied().unwrap_or(Step::HeroImports);
        let (ours, theirs) = (self.at(first, day), steps.get(1).map(|step| self.at(*step, day)));
        let theirs = theirs.unwrap_or_default();
        match clash.kind {
            ClashKind::OtherSender => (
                format!("{} is paused: another sender is active", self.name(first)),
                "Home says what to switch off in PowerSchool, and lets it go on.".to_owned(),
            ),
            ClashKind::ExportAfterHero => (
                format!(
                    "{on}{} goes out at {ours}, and Hero takes in the files at {theirs}: it takes the file of the day \
                     before",
                    self.name(first)
                ),
                format!("Choose a time well before {theirs}, or let Hero take in the files later."),
            ),
            ClashKind::ImportBeforeHero => (
                format!(
                    "{on}{} is imported at {ours}, and Hero writes its export at {theirs}: the import finds the file of \
                     the day before",
                    self.name(first)
                ),
                format!("Choose a time after {theirs} on the same day, or let Hero write its export earlier."),
            ),
            ClashKind::OtherZone => self.other_zone(steps),
            ClashKind::TooClose => (
                format!("{} are less than ten minutes apart", self.names(steps)),
                "Leave ten minutes between them, as Hero's procedure does: for instance 03:05, 03:15 and 03:25."
                    .to_owned(),
            ),
            ClashKind::OtherDays => self.other_days(steps),
            ClashKind::NoTime => match first {
                Step::Job { owner: Owner::PowerSchool, .. } => (
                    format!("nobody entered when {} runs in PowerSchool", self.name(first)),
                    "Enter its days and time, so that its file can be waited for.".to_owned(),
                ),
                _ => (
                    format!("{} has no time: it runs only when somebody starts it", self.name(first)),
                    "Choose days and a time for it.".to_owned(),
                ),
            },
            ClashKind::NotWatched => (
                format!(
                    "{} is switched off here: RosterBridge does not look whether PowerSchool does it",
                    self.name(first)
                ),
                "Tick 'RosterBridge watches it' where its days and time are entered, or use rosterbridge jobs set JOB \
                 --on; PowerSchool's record stays as it is."
                    .to_owned(),
            ),
            ClashKind::HeroTimeUnknown if first == Step::HeroImports => (
                "nobody entered when Hero takes in the files: whether the exports come before can't be checked".to_owned(),
                "Enter the time that Hero's import settings show.".to_owned(),
            ),
            ClashKind::HeroTimeUnknown => (
                "nobody entered when Hero writes its attendance export: whether the import comes after can't be checked"
                    .to_owned(),
                "Enter the time that Hero's export settings show.".to_owned(),
            ),
            ClashKind::ClocksForward => (
                format!("on {day} the clocks are put forward over the time of {}: it happens at {ours}", self.name(first)),
                "Choose a time outside the hour that is left out, if the order of the others depends on it.".to_owned(),
            ),
            ClashKind::OnTheHour => (
                format!("{} is set to {ours}: PowerSchool does much on the hour", self.name(first)),
                "Choose minutes other than 00.".to_owned(),
            ),
        }
    }

    fn other_zone(&self, steps: &[Step]) -> (String, String) {
        let zone = |step: &Step| {
            let planned = self.day.planned.iter().find(|planned| planned.step == *step)?;
            Some(format!("{} by those of {}", self.name(*step), planned.schedule?.zone))
        };
        let zones: Vec<String> = steps.iter().filter_map(zone).collect();
        let (whose, of) = match self.day.district {
            Some(zone) => ("PowerSchool goes by the clocks of", zone),
            None => ("the first job goes by the clocks of", self.day.zone()),
        };
        (
            format!("{whose} {of}, and {}", zones.join(", ")),
            "Choose the district's zone for every job: PowerSchool's own jobs go by it, whatever is entered here."
                .to_owned(),
        )
    }

    fn other_days(&self, steps: &[Step]) -> (String, String) {
        let days = |step: &Step| {
            let planned = self.day.planned.iter().find(|planned| planned.step == *step)?;
            Some(format!("{} on {}", self.name(*step), planned.schedule?.when.days()))
        };
        let days: Vec<String> = steps.iter().filter_map(days).collect();
        (
            format!("the jobs don't all run on the same days and on every school day: {}", days.join(", ")),
            "Hero's procedure has each of them run on MTWHF.".to_owned(),
        )
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use rosterbridge_domain::{
        schedule::{TimeOfDay, When},
        settings::HeroSide,
    };

    use super::*;

    /// A Monday.
    const MONDAY: NaiveDate = NaiveDate::from_ymd_opt(2026, 9, 7).unwrap();

    fn time(text: &str) -> TimeOfDay {
        text.parse().unwrap()
    }

    /// An account with times at Hero's side; exports by PowerSchool at these times.
    fn setup(times: [&str; 3], import: &str) -> Setup {
        let mut setup = Setup::default();
        let account = &mut setup.hero.accounts[0];
        for export in [&mut account.students, &mut account.schedule, &mut account.teachers] {
            export.owner = Owner::PowerSchool;
        }
        account.hero_side = HeroSide {
            imports_at: Some(time("05:00")),
            exports_at: Some(time("15:30")),
            ..HeroSide::default()
        };
        let times = times.into_iter().chain([import]);
        for (job, at) in account.jobs().into_iter().zip(times) {
            let settings = setup.jobs.iter_mut().find(|settings| settings.job == job).unwrap();
            settings.enabled = job.kind() != Job::HeroAttendance;
            let schedule = settings.schedule.as_mut().unwrap();
            schedule.when = When::At { days: "MTWHF".parse().unwrap(), time: time(at) };
        }
        setup
    }

    fn shown(setup: &Setup, district: Option<Tz>) -> String {
        let timeline = timeline(setup, AccountId::FIRST, &[], district, |_| MONDAY).unwrap();
        let zone = if timeline.zone_known { "known" } else { "unknown" };
        let mut text = format!("{} in {} ({zone})\n", timeline.day, timeline.zone);
        for entry in timeline.entries.iter().chain(&timeline.without_time) {
            let time = entry.time.as_deref().unwrap_or("--:--");
            let on = if entry.on { "" } else { ", off" };
            let _ = writeln!(text, "{time} {}, {}{on}", entry.title, entry.days);
        }
        for warning in &timeline.warnings {
            let _ = writeln!(text, "! {:?}: {}\n  {}", warning.kind, warning.message, warning.remedy);
        }
        text
    }

    #[test]
    fn a_sound_day() {
        let setup = setup(["03:10", "03:20", "03:30"], "16:10");
        insta::assert_snapshot!(shown(&setup, Some(chrono_tz::America::Chicago)));
    }

    #[test]
    fn a_day_in_which_nothing_fits() {
        let mut setup = setup(["03:00", "03:05", "05:30"], "15:00");
        let teachers = setup.jobs.iter_mut().find(|job| job.job == JobId::HERO_TEACHERS).unwrap();
        teachers.schedule.as_mut().unwrap().zone = chrono_tz::America::Denver;
        let attendance = setup.jobs.iter_mut().find(|job| job.job == JobId::HERO_ATTENDANCE).unwrap();
        let when = When::At { days: "MTWHFU".parse().unwrap(), time: time("02:30") };
        attendance.schedule.as_mut().unwrap().when = when;
        insta::assert_snapshot!(shown(&setup, Some(chrono_tz::America::Chicago)));
    }

    #[test]
    fn what_powerschool_does_is_off_where_nobody_looks_at_it() {
        let mut setup = setup(["03:10", "03:20", "03:30"], "16:10");
        let schedule = setup.jobs.iter_mut().find(|job| job.job == JobId::HERO_SCHEDULE).unwrap();
        schedule.enabled = false;
        let timeline =
            timeline(&setup, AccountId::FIRST, &[], Some(chrono_tz::America::Chicago), |_| MONDAY).unwrap();
        let off = |step: Step| matches!(step, Step::Job { job, .. } if job == JobId::HERO_SCHEDULE);
        for entry in timeline
            .entries
            .iter()
            .filter(|entry| matches!(entry.step, Step::Job { owner: Owner::PowerSchool, .. }))
        {
            assert_eq!(entry.on, !off(entry.step), "{}", entry.title);
        }
        let kinds: Vec<_> =
            timeline.warnings.iter().map(|warning| (warning.kind, &warning.jobs[..])).collect();
        assert_eq!(kinds, [(ClashKind::NotWatched, &[JobId::HERO_SCHEDULE][..])]);
    }

    #[test]
    fn a_job_that_another_sender_has_paused_is_told_first() {
        let setup = setup(["03:00", "03:05", "05:30"], "16:10");
        let job = JobId::HERO_TEACHERS;
        let cause = crate::report::Cause {
            code: "hero.other_sender".to_owned(),
            message: "Another sender is active.".to_owned(),
            remedy: "Turn it off.".to_owned(),
        };
        let (record, path) = ("Teachers".to_owned(), "imports/TEACHER.txt".to_owned());
        let paused = OtherSenderView { job, record, path, since: DateTime::UNIX_EPOCH, cause };
        let timeline = timeline(&setup, AccountId::FIRST, &[paused], None, |_| MONDAY).unwrap();
        let first = &timeline.warnings[0];
        assert_eq!((first.kind, &first.jobs[..]), (ClashKind::OtherSender, &[job][..]));
        assert!(first.message.ends_with("is paused: another sender is active."), "{}", first.message);
    }

    #[test]
    fn a_new_profile() {
        insta::assert_snapshot!(shown(&Setup::default(), None));
        let none = timeline(&Setup::default(), AccountId::try_from(7).unwrap(), &[], None, |_| MONDAY);
        assert_eq!(none, None);
    }
}
