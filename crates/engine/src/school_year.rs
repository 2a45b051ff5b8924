//! Which school year and term the schools are in: noticed after each roster pull, told once, and kept, so that what
//! follows from it can be shown; and what the exchanges do in summer.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    ops::ControlFlow,
    sync::Arc,
};

use chrono::{DateTime, Days, NaiveDate, TimeDelta, TimeZone, Utc};
use rosterbridge_domain::{
    id::SchoolNumber,
    job::{AccountId, Job, JobId},
    notice::{Happening, SchoolYearNews},
    roster::{EnrollStatus, Student, Term},
    school_year::{KnownTerm, Season, Summer, TardyCodeFault, YearChange, tardy_code_faults},
    settings::{ExportKind, IntegrationWindow, Setup},
};
use rosterbridge_store::{Roster, StoreError, ledger::RunId};
use serde::{Deserialize, Serialize};

use crate::{
    engine::{Engine, blocking},
    error::EngineError,
    exports::slot,
    notices::announce,
    pull::Pull,
    raptor,
    report::{NoticedChange, SchoolSeason, SchoolYearView, SummerPause},
    run::OnEvent,
};

/// The ledger's value that holds [`Noticed`].
pub(crate) const SCHOOL_YEAR: &str = "school_year";

/// While scheduled runs pause for the summer, PowerSchool is looked at when the last look is this old: the new year's
/// terms may be entered or moved in the meantime.
const LOOK_IN_SUMMER: TimeDelta = TimeDelta::hours(20);

/// What was noticed so far. Bounded by the number of schools and of files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Noticed {
    /// The latest year and term of every school that takes or took part.
    schools: Vec<KnownTerm>,
    /// Of each school the latest change of either kind.
    changes: Vec<NoticedChange>,
    /// Rows of the tardy table that a school cannot use; none before the codes were read for the first time.
    faults: Option<Vec<TardyCodeFault>>,
    /// How many rows of a file sent last were of pre-registered students, where any were.
    pre_registered: BTreeMap<String, u64>,
}

impl Noticed {
    fn read(text: Option<String>) -> Self {
        text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
    }

    fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Takes note of where the schools are now; what is to be told. The first time there is nothing to compare with.
    fn observe(
        &mut self,
        schools: impl IntoIterator<Item = KnownTerm>,
        faults: Option<Vec<TardyCodeFault>>,
        now: DateTime<Utc>,
    ) -> SchoolYearNews {
        let mut news = SchoolYearNews::default();
        for seen in schools {
            let Some(known) = self.schools.iter_mut().find(|known| known.school == seen.school) else {
                self.schools.push(seen);
                continue;
            };
            let (next, change) = known.observe(seen);
            *known = next;
            if let Some(change) = change {
                self.changes.retain(|before| kind(&before.change) != kind(&change));
                self.changes.push(NoticedChange { noticed_at: now, change });
                news.changes.push(change);
            }
        }
        if let Some(faults) = faults {
            if let Some(before) = &self.faults {
                // The year is another every summer: a fault that goes on is told again then.
                news.faults = faults.iter().filter(|fault| !before.contains(fault)).cloned().collect();
            }
            self.faults = Some(faults);
        }
        news
    }
}

/// Of which changes only the latest is kept: whether it is a new year, and the school.
const fn kind(change: &YearChange) -> (bool, SchoolNumber) {
    match *change {
        YearChange::NewYear { school, .. } => (true, school),
        YearChange::NewTerm { school, .. } => (false, school),
    }
}

/// The schools that take part in any exchange that is switched on; without one, every school. Graduated Students
/// never.
fn schools_taking_part(setup: &Setup, roster: &Roster) -> Result<BTreeSet<SchoolNumber>, StoreError> {
    let all: BTreeSet<SchoolNumber> = roster
        .schools()?
        .into_iter()
        .map(|school| school.number)
        .filter(|n| *n != SchoolNumber::GRADUATED)
        .collect();
    let mut wanted = BTreeSet::new();
    for account in &setup.hero.accounts {
        if account.jobs().into_iter().any(|job| setup.job_enabled(job)) {
            wanted.extend(all.iter().copied().filter(|school| setup.hero.takes(account, *school)));
        }
    }
    let mapped = setup.mappings.buildings.iter().filter(|row| row.enabled);
    wanted.extend(mapped.filter_map(|row| row.school));
    let taking_part: BTreeSet<SchoolNumber> = all.intersection(&wanted).copied().collect();
    Ok(if taking_part.is_empty() { all } else { taking_part })
}

/// Who is sent: active students always, pre-registered ones of schools in summer if a person chose so.
pub(crate) struct Sent {
    summer: Summer,
    seasons: HashMap<SchoolNumber, Season>,
}

impl Sent {
    /// On the day of the pull.
    pub(crate) fn of(roster: &Roster, summer: Summer) -> Result<Self, StoreError> {
        let (terms, today) = (roster.terms()?, roster.meta().today);
        let schools = roster.schools()?.into_iter().map(|school| school.number);
        let seasons =
            schools.filter_map(|school| Some((school, Season::of(&terms, school, today)?))).collect();
        Ok(Self { summer, seasons })
    }

    /// Whether a student is sent to either vendor.
    pub(crate) fn counts(&self, student: &Student) -> bool {
        self.counts_at(student.school, student.enroll_status)
    }

    /// Whether a student of this school and status is sent to either vendor.
    pub(crate) fn counts_at(&self, school: SchoolNumber, status: EnrollStatus) -> bool {
        match self.seasons.get(&school) {
            Some(season) => self.summer.counts(status, *season),
            None => status == EnrollStatus::ACTIVE,
        }
    }

    /// Pre-registered students who are sent, by school.
    fn pre_registered(&self, roster: &Roster) -> Result<HashMap<SchoolNumber, u64>, StoreError> {
        let mut counts = HashMap::new();
        if self.summer == Summer::Pause || !self.seasons.values().any(|season| season.is_summer()) {
            return Ok(counts);
        }
        roster.for_each_student(|student| -> Result<_, StoreError> {
            if student.enroll_status == EnrollStatus::PRE_REGISTERED && self.counts(student) {
                *counts.entry(student.school).or_default() += 1;
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(counts)
    }
}

/// What a run knows of years and terms, for the large-change rule.
#[derive(Debug, Default)]
pub(crate) struct YearsInSight {
    noticed: Noticed,
    /// The school a roster file of Raptor is about, by the file's name.
    school_of: HashMap<String, SchoolNumber>,
    /// Rows of pre-registered students in the files of this run, by the file's name; no entry where there are none.
    pre_registered: BTreeMap<String, u64>,
}

impl YearsInSight {
    /// The new school year a file is the first of, since the last one was sent at `sent_at`.
    pub(crate) fn expected(&self, job: JobId, name: &str, sent_at: DateTime<Utc>) -> Option<YearChange> {
        let school = self.school_of.get(name).filter(|_| job == JobId::RAPTOR_ROSTER);
        let of_file = |change: &&NoticedChange| {
            let (new_year, of) = kind(&change.change);
            new_year && change.noticed_at >= sent_at && school.is_none_or(|school| *school == of)
        };
        self.noticed
            .changes
            .iter()
            .filter(of_file)
            .max_by_key(|change| change.noticed_at)
            .map(|found| found.change)
    }

    /// The rows of the last file and of this one, as far as they can be compared: without pre-registered students,
    /// unless both have some.
    pub(crate) fn alike(&self, job: JobId, name: &str, before: u64, now: u64) -> (u64, u64) {
        let key = counted_key(job, name);
        let count = |of: &BTreeMap<String, u64>| of.get(&key).copied().unwrap_or_default();
        let (extra_before, extra_now) = (count(&self.noticed.pre_registered), count(&self.pre_registered));
        if extra_before > 0 && extra_now > 0 {
            (before, now)
        } else {
            (before.saturating_sub(extra_before), now.saturating_sub(extra_now))
        }
    }
}

impl Engine {
    /// Notices after a pull where the schools are in their years. What is new is kept and told as of the run `run`, if it
    /// is one's, unless that is a dry one.
    pub(crate) async fn notice_school_year(
        &self,
        setup: &Setup,
        pull: &Pull,
        dry: bool,
        now: DateTime<Utc>,
        on_event: &OnEvent,
        run: Option<&str>,
    ) -> Result<YearsInSight, EngineError> {
        let before = Noticed::read(self.ledger(|ledger| ledger.value(SCHOOL_YEAR)).await?);
        let mut noticed = before.clone();
        // Without that exchange the codes are not read.
        let codes_read =
            setup.job_enabled(JobId::RAPTOR_TARDIES) && !pull.refused.contains_key(&Job::RaptorTardies);
        let (setup, roster) = (setup.clone(), Arc::clone(&pull.roster));
        let (sight, news) = blocking(move || {
            let terms = roster.terms()?;
            let known = |school| KnownTerm::of(&terms, school, roster.meta().today);
            let schools: Vec<KnownTerm> =
                schools_taking_part(&setup, &roster)?.into_iter().filter_map(known).collect();
            let faults = if codes_read { Some(faults(&setup, &roster, &schools)?) } else { None };
            let sent = Sent::of(&roster, setup.summer)?.pre_registered(&roster)?;
            let news = noticed.observe(schools, faults, now);
            let school_of: HashMap<String, SchoolNumber> = raptor::schools_of_files(&setup).collect();
            let mut pre_registered: BTreeMap<String, u64> = school_of
                .iter()
                .filter_map(|(name, school)| Some((name.clone(), *sent.get(school)?)))
                .collect();
            for account in &setup.hero.accounts {
                let goes_out = |school: SchoolNumber| {
                    let chosen = &account.students.schools;
                    setup.hero.takes(account, school) && (chosen.is_empty() || chosen.contains(&school))
                };
                let sent: u64 =
                    sent.iter().filter(|(school, _)| goes_out(**school)).map(|(_, count)| count).sum();
                if sent > 0 {
                    let job = JobId::new(Job::HeroStudents, account.id);
                    pre_registered.insert(counted_key(job, &slot(account, ExportKind::Students)), sent);
                }
            }
            Ok((YearsInSight { noticed, school_of, pre_registered }, news))
        })
        .await?;
        if dry {
            return Ok(sight);
        }
        for change in &news.changes {
            tracing::info!(?change, "a new school year or term");
        }
        let told = !news.changes.is_empty() || !news.faults.is_empty();
        let happenings = if told { vec![Happening::SchoolYear(news)] } else { Vec::new() };
        if told || sight.noticed != before {
            let notices = self.note(happenings, now, Some((SCHOOL_YEAR, sight.noticed.text())), run).await?;
            announce(&notices, on_event);
        }
        Ok(sight)
    }

    /// Remembers how many rows of files, as the other side has them now, are of pre-registered students.
    pub(crate) async fn keep_pre_registered(
        &self,
        sight: &YearsInSight,
        job: JobId,
        files: &[&str],
    ) -> Result<(), EngineError> {
        let sent: Vec<(String, Option<u64>)> = files
            .iter()
            .map(|name| counted_key(job, name))
            .map(|key| (key.clone(), sight.pre_registered.get(&key).copied()))
            .filter(|(name, count)| sight.noticed.pre_registered.get(name) != count.as_ref())
            .collect();
        if sent.is_empty() {
            return Ok(());
        }
        self.ledger(move |ledger| {
            let mut noticed = Noticed::read(ledger.value(SCHOOL_YEAR)?);
            for (name, count) in sent {
                match count {
                    Some(count) => noticed.pre_registered.insert(name, count),
                    None => noticed.pre_registered.remove(&name),
                };
            }
            ledger.set_value(SCHOOL_YEAR, &noticed.text())
        })
        .await
    }

    /// Where the schools are in their years.
    pub(crate) async fn school_year(
        &self,
        setup: &Setup,
        roster: Option<&Arc<Roster>>,
        now: DateTime<Utc>,
    ) -> Result<SchoolYearView, EngineError> {
        let noticed = Noticed::read(self.ledger(|ledger| ledger.value(SCHOOL_YEAR)).await?);
        let mut view = SchoolYearView {
            schools: Vec::new(),
            summer_pause: None,
            changes: noticed.changes,
            tardy_code_faults: noticed.faults.unwrap_or_default(),
        };
        let Some(roster) = roster.map(Arc::clone) else { return Ok(view) };
        let summers = self.summers(setup, Some(&roster)).await?;
        let zone =
            setup.jobs.iter().find_map(|job| job.schedule).map_or(chrono_tz::UTC, |schedule| schedule.zone);
        let today = summers.today(now, zone);
        view.summer_pause = summers.on(today);
        view.schools =
            summers.seasons(today).map(|(school, season)| SchoolSeason { school, season }).collect();
        Ok(view)
    }

    /// When scheduled runs pause for the summer, by the terms of the last pull.
    pub(crate) async fn summers(
        &self,
        setup: &Setup,
        roster: Option<&Arc<Roster>>,
    ) -> Result<Summers, EngineError> {
        let practice = self.is_practice().await?;
        let Some(roster) = roster.map(Arc::clone) else { return Ok(Summers::default()) };
        // A pull that finds nothing changed has read the terms, too.
        let looked_at = Some(self.roster_as_of(&roster).await?);
        let setup = setup.clone();
        blocking(move || {
            Ok(Summers {
                summer: setup.summer,
                schools: schools_taking_part(&setup, &roster)?,
                terms: roster.terms()?,
                looked_at,
                practice_date: practice.then(|| roster.meta().today),
            })
        })
        .await
    }

    /// Reads the roster without running a job: in a pause for the summer, that is how its end is found.
    pub(crate) async fn look_in_summer(
        self: &Arc<Self>,
        setup: &Setup,
        now: DateTime<Utc>,
        on_event: &OnEvent,
    ) -> Result<(), EngineError> {
        if self.look_between_runs(setup, now, on_event).await?.is_some() {
            // Where earlier looks failed.
            let notices = self.note_all_the_same(vec![Happening::Succeeded(None)], now, None).await;
            announce(&notices, on_event);
        }
        Ok(())
    }

    /// Reads the roster without running a job, for all that are switched on; `None` where a person's run was faster, which
    /// looks as well.
    pub(crate) async fn look_between_runs(
        self: &Arc<Self>,
        setup: &Setup,
        now: DateTime<Utc>,
        on_event: &OnEvent,
    ) -> Result<Option<Pull>, EngineError> {
        // Let go of after the look itself: whoever waits for it may begin then.
        let _looking = self.looking.lock().await;
        let under_way = match self.begin_look(&RunId::new(now).to_string()) {
            Ok(under_way) => under_way,
            Err(EngineError::Busy) => return Ok(None),
            Err(error) => return Err(error),
        };
        let practice = self.is_at_practice_address().await?;
        let jobs = setup.enabled_exchanges();
        let met = under_way.cancel.run_until_cancelled(self.meet(setup, practice)).await;
        let server = met.ok_or(EngineError::Cancelled)??;
        self.bind_to_district(server.district.as_deref()).await?;
        let pull = match self.pull_from(&server, &jobs, &under_way.cancel, &|_, _| ()).await {
            // The roster it began with is damaged. The second time it begins with nothing.
            Err(EngineError::Store(StoreError::Corrupt(_) | StoreError::Damaged { .. })) => {
                self.pull_from(&server, &jobs, &under_way.cancel, &|_, _| ()).await?
            }
            pull => pull?,
        };
        self.notice_school_year(setup, &pull, false, now, on_event, None).await?;
        Ok(Some(pull))
    }
}

/// The name under which a file's rows of pre-registered students are counted: every account has a file of its own.
fn counted_key(job: JobId, name: &str) -> String {
    if job.account() == AccountId::FIRST { name.to_owned() } else { format!("{job} {name}") }
}

/// The rows of the tardy table that schools cannot use in their current years.
fn faults(setup: &Setup, roster: &Roster, schools: &[KnownTerm]) -> Result<Vec<TardyCodeFault>, StoreError> {
    let codes = roster.all_attendance_codes()?;
    let of_school = |known: &KnownTerm| tardy_code_faults(&setup.mappings, &codes, known.school, known.year);
    Ok(schools.iter().flat_map(of_school).collect())
}

/// When scheduled runs pause for the summer. Without a roster never.
#[derive(Debug, Default)]
pub(crate) struct Summers {
    summer: Summer,
    schools: BTreeSet<SchoolNumber>,
    terms: Vec<Term>,
    /// When the terms were read.
    looked_at: Option<DateTime<Utc>>,
    /// The practice district's date, which the clock here says nothing about.
    practice_date: Option<NaiveDate>,
}

impl Summers {
    /// The day it is in the district.
    pub(crate) fn today(&self, now: DateTime<Utc>, zone: chrono_tz::Tz) -> NaiveDate {
        self.practice_date.unwrap_or_else(|| now.with_timezone(&zone).date_naive())
    }

    fn seasons(&self, date: NaiveDate) -> impl Iterator<Item = (SchoolNumber, Season)> {
        self.schools.iter().filter_map(move |school| Some((*school, Season::of(&self.terms, *school, date)?)))
    }

    /// The pause that lasts on a day, if one does.
    pub(crate) fn on(&self, date: NaiveDate) -> Option<SummerPause> {
        if !self.summer.pauses(self.seasons(date).map(|(_, season)| season)) {
            return None;
        }
        let starts = |(_, season)| match season {
            Season::Summer { starts, .. } => starts,
            Season::InSession { .. } | Season::BetweenTerms { .. } => None,
        };
        Some(SummerPause { until: self.seasons(date).filter_map(starts).min() })
    }

    /// When runs may begin that are due at `from` or later: after the pause that lasts then. `None` while its end is
    /// not known.
    pub(crate) fn free_from(&self, from: DateTime<Utc>, zone: chrono_tz::Tz) -> Option<DateTime<Utc>> {
        let Some(pause) = self.on(self.today(from, zone)) else { return Some(from) };
        // A practice date stands still, whatever the clock here says.
        let until = pause.until.filter(|_| self.practice_date.is_none())?;
        // A run at midnight itself is one of that day.
        let last = until.checked_sub_days(Days::new(1))?.and_hms_opt(23, 59, 59)?;
        Some(zone.from_local_datetime(&last).latest()?.with_timezone(&Utc).max(from))
    }

    /// When the integration does something in its window for the first time, from `from` on.
    pub(crate) fn first_in_window(&self, window: &IntegrationWindow, from: DateTime<Utc>) -> DateTime<Utc> {
        // Where the end of a pause is not known, its time of day at least is.
        let from = self.free_from(from, window.zone).unwrap_or(from);
        match window.open_at(from) {
            Some(_) => from,
            None => window.next_opening(from).map_or(from, |opening| opening.opened_at),
        }
    }

    /// Whether PowerSchool is to be looked at in a pause.
    pub(crate) fn look_is_due(&self, now: DateTime<Utc>) -> bool {
        self.looked_at.is_none_or(|at| !(TimeDelta::zero()..LOOK_IN_SUMMER).contains(&(now - at)))
    }
}

#[cfg(test)]
mod tests {
    use rosterbridge_domain::{
        id::{Dcid, TermId, YearId},
        school_year::StartedTerm,
    };
    use rstest::rstest;

    use super::*;

    const SCHOOL: SchoolNumber = SchoolNumber::new(100);

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn whole_year(id: i64, first: &str, last: &str) -> Term {
        let year = YearId::new(id);
        Term {
            dcid: Dcid::new(id),
            id: year.year_term(),
            year,
            school: SCHOOL,
            abbreviation: "YR".into(),
            first_day: day(first),
            last_day: day(last),
        }
    }

    fn summers(terms: Vec<Term>) -> Summers {
        Summers { schools: BTreeSet::from([SCHOOL]), terms, ..Summers::default() }
    }

    /// Around the summer of 2026 in a district of New York.
    #[rstest]
    #[case::in_session("2026-06-05T12:00:00Z", None, Some("2026-06-05T12:00:00Z"))]
    #[case::last_evening("2026-06-06T03:59:59Z", None, Some("2026-06-06T03:59:59Z"))]
    #[case::first_night("2026-06-06T04:00:00Z", Some("2026-08-17"), Some("2026-08-17T03:59:59Z"))]
    #[case::july("2026-07-15T12:00:00Z", Some("2026-08-17"), Some("2026-08-17T03:59:59Z"))]
    #[case::first_day("2026-08-17T04:00:00Z", None, Some("2026-08-17T04:00:00Z"))]
    #[case::no_later_year("2027-07-15T12:00:00Z", Some(""), None)]
    fn the_pause_lasts_from_the_last_day_to_the_first(
        #[case] now: &str,
        #[case] until: Option<&str>,
        #[case] free_from: Option<&str>,
    ) {
        let summers = summers(vec![
            whole_year(35, "2025-08-18", "2026-06-05"),
            whole_year(36, "2026-08-17", "2027-06-04"),
        ]);
        let zone = chrono_tz::America::New_York;
        let expected = until.map(|until| SummerPause { until: until.parse().ok() });
        assert_eq!(summers.on(summers.today(at(now), zone)), expected);
        assert_eq!(summers.free_from(at(now), zone), free_from.map(at));
    }

    /// The window opens at 16:00 in Chicago: 22:00 UTC in winter, 21:00 in summer.
    #[rstest]
    #[case::before_it_opens("2027-01-12T12:00:00Z", "2027-01-12T22:00:00Z")]
    #[case::while_it_is_open("2027-01-12T22:30:00Z", "2027-01-12T22:30:00Z")]
    #[case::in_summer("2026-07-15T12:00:00Z", "2026-08-17T21:00:00Z")]
    #[case::in_summer_while_it_is_open("2026-07-15T21:30:00Z", "2026-08-17T21:00:00Z")]
    #[case::no_later_year("2027-07-15T12:00:00Z", "2027-07-15T21:00:00Z")]
    fn the_window_counts_from_the_end_of_the_pause(#[case] now: &str, #[case] first: &str) {
        let summers = summers(vec![
            whole_year(35, "2025-08-18", "2026-06-05"),
            whole_year(36, "2026-08-17", "2027-06-04"),
        ]);
        assert_eq!(summers.first_in_window(&IntegrationWindow::default(), at(now)), at(first));
    }

    #[test]
    fn without_a_roster_or_by_choice_nothing_pauses() {
        let now = at("2026-07-15T12:00:00Z");
        assert_eq!(Summers::default().free_from(now, chrono_tz::UTC), Some(now));
        let terms = vec![whole_year(36, "2026-08-17", "2027-06-04")];
        let chosen = Summers { summer: Summer::SendPreRegistered, ..summers(terms) };
        assert_eq!(chosen.free_from(now, chrono_tz::UTC), Some(now));
    }

    #[rstest]
    #[case::never(None, true)]
    #[case::just_now(Some("2026-07-15T11:00:00Z"), false)]
    #[case::yesterday(Some("2026-07-14T16:00:00Z"), true)]
    #[case::clock_put_back(Some("2026-07-16T12:00:00Z"), true)]
    fn powerschool_is_looked_at_once_a_day(#[case] looked_at: Option<&str>, #[case] due: bool) {
        let summers = Summers { looked_at: looked_at.map(at), ..Summers::default() };
        assert_eq!(summers.look_is_due(at("2026-07-15T12:00:00Z")), due);
    }

    fn known(year: i64, term: Option<(i64, &str)>) -> KnownTerm {
        let term = term.map(|(id, first)| StartedTerm { id: TermId::new(id), first_day: day(first) });
        KnownTerm { school: SCHOOL, year: YearId::new(year), term }
    }

    fn fault(year: i64) -> TardyCodeFault {
        TardyCodeFault {
            school: SCHOOL,
            year: YearId::new(year),
            reason: "Traffic".into(),
            code: "T".into(),
            why: rosterbridge_domain::held::HoldReason::UnknownCode,
        }
    }

    #[test]
    fn each_change_and_each_fault_is_news_once() {
        let mut noticed = Noticed::default();
        let now = at("2026-06-03T12:00:00Z");
        let june = known(35, Some((3502, "2026-01-12")));
        // The first look compares with nothing.
        let news = noticed.observe([june], Some(vec![fault(35)]), now);
        assert_eq!(news, SchoolYearNews::default());
        let august = known(36, Some((3601, "2026-08-17")));
        let news = noticed.observe([august], Some(vec![fault(36)]), now);
        let year = |id| YearId::new(id);
        let change = YearChange::NewYear { school: SCHOOL, from: year(35), to: year(36) };
        assert_eq!((&news.changes[..], &news.faults[..]), (&[change][..], &[fault(36)][..]));
        let restored = Noticed::read(Some(noticed.text()));
        assert_eq!(restored, noticed);
        assert_eq!(noticed.observe([august], Some(vec![fault(36)]), now), SchoolYearNews::default());
        // The codes may not be read for a while: what is known of them stays.
        noticed.observe([august], None, now);
        assert_eq!(noticed.faults, Some(vec![fault(36)]));
        // The latest change of either kind is kept.
        noticed.observe([known(36, Some((3602, "2027-01-11")))], Some(Vec::new()), now);
        noticed.observe([known(37, None)], Some(Vec::new()), now);
        let kinds: Vec<bool> = noticed.changes.iter().map(|noticed| kind(&noticed.change).0).collect();
        assert_eq!((kinds, noticed.faults), (vec![false, true], Some(Vec::new())));
    }

    #[rstest]
    #[case::none(0, 0, (600, 560))]
    #[case::only_before(50, 0, (550, 560))]
    #[case::only_now(0, 50, (600, 510))]
    #[case::both(50, 40, (600, 560))]
    fn pre_registered_students_count_only_against_pre_registered_students(
        #[case] before: u64,
        #[case] now: u64,
        #[case] expected: (u64, u64),
    ) {
        let of = |count: u64| (count > 0).then(|| ("roster/A.csv".to_owned(), count)).into_iter().collect();
        let years = YearsInSight {
            noticed: Noticed { pre_registered: of(before), ..Noticed::default() },
            pre_registered: of(now),
            ..YearsInSight::default()
        };
        assert_eq!(years.alike(JobId::RAPTOR_ROSTER, "roster/A.csv", 600, 560), expected);
        assert_eq!(years.alike(JobId::RAPTOR_ROSTER, "roster/B.csv", 600, 560), (600, 560));
    }

    #[test]
    fn a_new_year_explains_only_the_first_file_after_it_and_only_of_its_school() {
        let change = YearChange::NewYear { school: SCHOOL, from: YearId::new(35), to: YearId::new(36) };
        let noticed_at = at("2026-08-17T12:00:00Z");
        let years = YearsInSight {
            noticed: Noticed { changes: vec![NoticedChange { noticed_at, change }], ..Noticed::default() },
            school_of: HashMap::from([
                ("roster/A.csv".to_owned(), SCHOOL),
                ("roster/B.csv".to_owned(), SchoolNumber::new(200)),
            ]),
            ..YearsInSight::default()
        };
        let (june, later) = (at("2026-06-03T12:00:00Z"), at("2026-08-18T12:00:00Z"));
        for (job, name, sent_at, expected) in [
            (JobId::HERO_SCHEDULE, "imports/SCHEDULE.TXT", june, Some(change)),
            (JobId::HERO_SCHEDULE, "imports/SCHEDULE.TXT", later, None),
            (JobId::RAPTOR_ROSTER, "roster/A.csv", june, Some(change)),
            (JobId::RAPTOR_ROSTER, "roster/B.csv", june, None),
        ] {
            assert_eq!(years.expected(job, name, sent_at), expected, "{name} {sent_at}");
        }
    }
}
