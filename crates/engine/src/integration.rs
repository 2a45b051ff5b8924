//! The Raptor integration's status: what moves it, how it came about, and what switching the integration on would do.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use rosterbridge_domain::{
    following::{Following, WHOLE_LOOKS},
    id::SchoolNumber,
    integration::{IntegrationEvent, IntegrationStatus},
    job::JobId,
    notice::{Happening, Notice, StatusChange as ToldChange},
    settings::Setup,
};
use rosterbridge_store::{
    Roster, StoreError,
    ledger::{RunId, StatusChange},
};

use crate::{
    engine::{Engine, blocking},
    error::EngineError,
    following::FOLLOWING,
    notices::{Kept, reason},
    report::{
        Cause, RaptorConfirmation, RaptorHistory, RaptorNext, RaptorStep, RaptorView, StatusChangeView,
        SummerPause,
    },
    school_year::Sent,
};

/// The ledger's value that holds the integration's status.
const STATUS: &str = "raptor.status";

/// The most that one page of the history holds.
const LONGEST_PAGE: u32 = 500;

/// Something that happens to the integration.
pub(crate) struct Incident<'a> {
    pub(crate) event: IntegrationEvent,
    /// Why, in sentences.
    pub(crate) because: &'a str,
    /// What failed, where something did.
    pub(crate) error: Option<&'a EngineError>,
    /// The run it happens in.
    pub(crate) run: Option<RunId>,
}

impl<'a> Incident<'a> {
    /// One beside a run.
    pub(crate) const fn new(event: IntegrationEvent, because: &'a str) -> Self {
        Self { event, because, error: None, run: None }
    }
}

impl Engine {
    /// The Raptor integration's status.
    pub async fn raptor_status(&self) -> Result<IntegrationStatus, EngineError> {
        let text = self.ledger(|ledger| ledger.value(STATUS)).await?;
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or(IntegrationStatus::Disabled))
    }

    /// Lets something happen to the Raptor integration, keeps other values of the ledger at once with it, and gives what is
    /// to be told. What its status has no rule for is kept, too, with the reason why there is none.
    pub(crate) async fn raptor_event(
        &self,
        incident: Incident<'_>,
        now: DateTime<Utc>,
        values: Vec<(&'static str, String)>,
    ) -> Result<Vec<Notice>, EngineError> {
        // A run and a person may move it at the same time: switching it off must not get lost.
        let _moving = self.moving_status.lock().await;
        let from = self.raptor_status().await?;
        self.move_status(from, incident, now, Kept { values, ..Kept::default() }).await
    }

    /// Replaces everything configured. Where that switches the integration on or off, its status moves at once with it.
    pub(crate) async fn keep_setup(&self, setup: Setup) -> Result<(), EngineError> {
        let _moving = self.moving_status.lock().await;
        let from = self.raptor_status().await?;
        let incident = match (setup.raptor.enabled, from) {
            (true, IntegrationStatus::Disabled) => {
                Incident::new(IntegrationEvent::Enabled, "A person switched the integration on.")
            }
            (false, from) if from != IntegrationStatus::Disabled => {
                Incident::new(IntegrationEvent::Disabled, "A person switched the integration off.")
            }
            _ => {
                let kept = setup.clone();
                self.ledger(move |ledger| ledger.save_setup(&kept)).await?;
                return self.leave_to_powerschool(&setup).await;
            }
        };
        // What was done in the window before says nothing about this time.
        let following = serde_json::to_string(&Following::default()).unwrap_or_default();
        let kept =
            Kept { values: vec![(FOLLOWING, following)], setup: Some(setup.clone()), ..Kept::default() };
        // Whoever saves it looks at the status already: it is told by mail alone.
        self.move_status(from, incident, Utc::now(), kept).await?;
        self.leave_to_powerschool(&setup).await
    }

    /// Forgets what is no longer this program's to do.
    async fn leave_to_powerschool(&self, setup: &Setup) -> Result<(), EngineError> {
        self.forget_foreign_imports(setup).await?;
        self.end_foreign_pauses(setup).await
    }

    /// The status, how it came about and the mails about it are kept at once: no change goes untold.
    async fn move_status(
        &self,
        from: IntegrationStatus,
        incident: Incident<'_>,
        now: DateTime<Utc>,
        mut kept: Kept,
    ) -> Result<Vec<Notice>, EngineError> {
        let Incident { event, because, error, run } = incident;
        let (to, because) = match from.after(event) {
            Ok(to) => (to, because.to_owned()),
            Err(no_rule) => (from, format!("{because} {no_rule}")),
        };
        let mut happenings = Vec::new();
        if to != from {
            tracing::info!(from = from.as_str(), to = to.as_str(), event = event.as_str(), "Raptor's status");
            kept.values.push((STATUS, serde_json::to_string(&to).unwrap_or_default()));
            happenings.push(Happening::StatusChanged(ToldChange {
                from,
                to,
                event,
                reason: error.map(reason),
            }));
        }
        let cause = error.map(|error| error.cause().into());
        kept.status_change = Some(StatusChange { at: now, from, to, event, because, cause, run });
        let run = run.map(|run| run.to_string());
        self.note_with(happenings, now, kept, run.as_deref()).await
    }

    /// How the status came about, latest first.
    pub async fn raptor_history(
        &self,
        limit: u32,
        before: Option<i64>,
    ) -> Result<RaptorHistory, EngineError> {
        let limit = limit.min(LONGEST_PAGE);
        let status = self.raptor_status().await?;
        let mut found = self.ledger(move |ledger| ledger.status_changes(limit + 1, before)).await?;
        let page = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = found.len() > page;
        found.truncate(page);
        let changes = found.into_iter().map(|(id, change)| StatusChangeView {
            id,
            at: change.at,
            from: change.from,
            to: change.to,
            event: change.event,
            because: change.because,
            cause: change.cause.map(Cause::from),
            run: change.run.map(|run| run.to_string()),
        });
        Ok(RaptorHistory { status, changes: changes.collect(), more })
    }

    /// Since when the integration is as it is, and what it does next: at `next`, if it does anything.
    pub(crate) async fn raptor_view(
        &self,
        setup: &Setup,
        next: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Result<RaptorView, EngineError> {
        let status = self.raptor_status().await?;
        let step = match status {
            IntegrationStatus::Synchronizing => RaptorStep::Look,
            _ => RaptorStep::Synchronize,
        };
        let window = setup.raptor.window;
        Ok(RaptorView {
            status,
            since: self.ledger(rosterbridge_store::Ledger::status_since).await?,
            window,
            open_until: window.open_at(now).map(|opening| opening.closes_at),
            opens_at: window.next_opening(now).map(|opening| opening.opened_at),
            next: next.map(|at| RaptorNext { step, at }),
        })
    }

    /// What enabling the integration with this set-up would do.
    pub async fn raptor_confirmation(
        &self,
        setup: Setup,
        now: DateTime<Utc>,
    ) -> Result<RaptorConfirmation, EngineError> {
        let paused = self.pause().await?.is_paused(now);
        let buildings = taking_part(&setup);
        let roster = self.roster().await?;
        let summers = self.summers(&setup, roster.as_ref()).await?;
        let summer = summers.on(summers.today(now, setup.raptor.window.zone));
        let numbers = match roster {
            Some(roster) => {
                let (schools, summer) = (buildings.keys().copied().collect(), setup.summer);
                Some(blocking(move || Ok(Numbers::of(&roster, &schools, summer)?)).await?)
            }
            None => None,
        };
        let raptor = &setup.raptor;
        let notified = if raptor.notify.is_empty() { &setup.mail.to } else { &raptor.notify };
        let active = setup.mappings.tardy_codes.iter().filter(|row| row.active).count();
        Ok(RaptorConfirmation {
            buildings: count(buildings.values().map(Vec::len).sum()),
            schools: count(buildings.len()),
            schools_left_out: numbers.as_ref().map_or(0, |numbers| numbers.schools_left_out),
            students: numbers.as_ref().map(|numbers| numbers.students),
            tardy_codes: raptor.student_tardy.then(|| count(active)),
            notified: notified.clone(),
            window: raptor.window,
            processed_at: summers.first_in_window(&raptor.window, now),
            paused,
            obstacles: obstacles(&setup).iter().map(EngineError::cause).collect(),
            warnings: warnings(&setup, &buildings, numbers.as_ref(), summer, paused),
        })
    }
}

/// What keeps the integration from being switched on, most basic first.
pub(crate) fn obstacles(setup: &Setup) -> Vec<EngineError> {
    let raptor = &setup.raptor;
    let mut obstacles = Vec::new();
    if !raptor.prerequisites.are_done() {
        let missing = [
            (raptor.prerequisites.client_configured, "Raptor has configured the client and its buildings"),
            (raptor.prerequisites.plugin_installed, "the plugin is installed in PowerSchool"),
            (raptor.prerequisites.credentials_entered, "Raptor has entered the PowerSchool credentials"),
        ];
        let missing = missing.into_iter().filter(|(done, _)| !done).map(|(_, what)| what).collect();
        obstacles.push(EngineError::RaptorPrerequisites(missing));
    }
    if taking_part(setup).is_empty() {
        obstacles.push(EngineError::RaptorNoBuildings);
    }
    if raptor.folder.trim().is_empty() && raptor.connection.is_none() {
        obstacles.push(EngineError::RaptorNoExchange);
    }
    obstacles
}

/// The buildings that take part, by the school each stands for.
pub(crate) fn taking_part(setup: &Setup) -> BTreeMap<SchoolNumber, Vec<&str>> {
    let mut buildings: BTreeMap<SchoolNumber, Vec<&str>> = BTreeMap::new();
    for row in setup.mappings.buildings.iter().filter(|row| row.enabled) {
        if let Some(school) = row.school {
            buildings.entry(school).or_default().push(&row.building);
        }
    }
    buildings
}

/// What the last roster pull tells of the schools that take part.
struct Numbers {
    students: u64,
    schools_left_out: u32,
    /// Whether PowerSchool tells what changed since it was read.
    tells_changes: bool,
}

impl Numbers {
    fn of(
        roster: &Roster,
        taking_part: &BTreeSet<SchoolNumber>,
        summer: rosterbridge_domain::school_year::Summer,
    ) -> Result<Self, StoreError> {
        let sent = Sent::of(roster, summer)?;
        let mut students = 0;
        roster.for_each_student(|student| -> Result<_, StoreError> {
            students += u64::from(taking_part.contains(&student.school) && sent.counts(student));
            Ok(std::ops::ControlFlow::Continue(()))
        })?;
        let schools = roster.schools()?;
        let left_out = schools.iter().filter(|school| {
            school.number != SchoolNumber::GRADUATED && !taking_part.contains(&school.number)
        });
        let tells_changes = roster.state().is_some_and(|state| !state.versions.is_empty());
        Ok(Self { students, schools_left_out: count(left_out.count()), tells_changes })
    }
}

/// What a person should know before the integration is switched on, and may accept.
fn warnings(
    setup: &Setup,
    buildings: &BTreeMap<SchoolNumber, Vec<&str>>,
    numbers: Option<&Numbers>,
    summer: Option<SummerPause>,
    paused: bool,
) -> Vec<String> {
    let raptor = &setup.raptor;
    let mut warnings = Vec::new();
    for (school, names) in buildings.iter().filter(|(_, names)| names.len() > 1) {
        warnings.push(format!(
            "{} stand for the same school ({school}): each of them gets all of its students.",
            names.join(" and ")
        ));
    }
    match numbers.map_or(0, |numbers| numbers.schools_left_out) {
        0 => {}
        1 => warnings
            .push("No building stands for 1 school of PowerSchool: its students are not sent.".to_owned()),
        left_out => warnings.push(format!(
            "No building stands for {left_out} schools of PowerSchool: their students are not sent."
        )),
    }
    if raptor.notify.is_empty() && setup.mail.to.is_empty() {
        warnings.push("Nobody is named who gets a mail when the status changes.".to_owned());
    } else if setup.mail.host.trim().is_empty() {
        warnings
            .push("The mail server is not set up: nobody gets a mail when the status changes.".to_owned());
    }
    if !setup.job_enabled(JobId::RAPTOR_ROSTER) {
        warnings.push(
            "The exchange raptor-roster is switched off: no students are sent by themselves, and the integration stays \
             Pending Initialization, in which no tardy is taken in, until somebody sends them."
                .to_owned(),
        );
    }
    if raptor.student_tardy {
        if !setup.job_enabled(JobId::RAPTOR_TARDIES) {
            warnings.push(
                "The exchange raptor-tardies is switched off: no tardies are taken in by themselves."
                    .to_owned(),
            );
        }
        if !setup.mappings.tardy_codes.iter().any(|row| row.active) {
            warnings.push(
                "'Student Tardy' is Yes and the table has no active row: every tardy is held.".to_owned(),
            );
        }
        let without = setup
            .mappings
            .buildings
            .iter()
            .filter(|row| row.enabled && row.school.is_some() && row.method.is_none())
            .count();
        if without > 0 {
            warnings.push(format!(
                "The attendance method is not confirmed for {without} of the buildings: their tardies are held."
            ));
        }
    }
    if numbers.is_some_and(|numbers| !numbers.tells_changes)
        && i64::from(raptor.follow_minutes.minutes()) < WHOLE_LOOKS.num_minutes()
    {
        warnings.push(
            "PowerSchool does not tell what has changed in it: updates are looked for once an hour."
                .to_owned(),
        );
    }
    if let Some(SummerPause { until }) = summer {
        let day = until.map_or_else(
            || "the first day of school".to_owned(),
            |day| format!("the first day of school, {day}"),
        );
        warnings.push(format!("It is summer: nothing is sent or taken in before {day}."));
    }
    if paused {
        warnings
            .push("Scheduled runs are paused: nothing happens by itself before they are resumed.".to_owned());
    }
    warnings
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
