//! Rows kept for a person: what they wait for, and what a person decides about them.

use std::{collections::HashSet, ops::ControlFlow, sync::Arc};

use chrono::{DateTime, Utc};
use rosterbridge_domain::{
    attendance::Source,
    held::{HeldFix, HoldReason},
    id::{SchoolNumber, StudentNumber},
    mapping::folded,
    roster::{EnrollStatus, School, Student},
    settings::Setup,
};
use rosterbridge_store::{
    Roster, StoreError,
    ledger::{Fixed, HeldFilter, HeldId, HeldRow, HeldState, HeldStatement},
};

use crate::{
    activity::zone,
    decide::{ClassChoice, District, MeetingChoice, RowChoices, Statement},
    engine::{Engine, blocking},
    error::EngineError,
    hero::KeptImportRow,
    host_keys::account,
    report::{
        FoundStudent, HeldCauseView, HeldChoices, HeldCodeChoice, HeldFixView, HeldMeetingChoice, HeldPage,
        HeldView,
    },
};

/// Causes told at once.
const MOST_CAUSES: u32 = 200;
/// Students found at once. Whoever sees so many goes on typing.
const MOST_STUDENTS: usize = 50;

impl Engine {
    /// Rows kept for a person, those first held first: a page of those of a source, with a reason and a detail, as far as
    /// these are given.
    pub async fn held(
        &self,
        limit: u32,
        offset: u32,
        (source, reason, detail): (Option<Source>, Option<HoldReason>, Option<String>),
    ) -> Result<HeldPage, EngineError> {
        let filter = HeldFilter { source, reason, detail };
        self.ledger(move |ledger| {
            Ok(HeldPage {
                total: ledger.held_waiting_count(&filter)?,
                by_reason: ledger.held_by_reason()?,
                causes: ledger
                    .held_causes(MOST_CAUSES)?
                    .into_iter()
                    .map(|cause| HeldCauseView {
                        source: cause.source,
                        code: cause.reason,
                        message: cause.reason.sentence().to_owned(),
                        remedy: cause.reason.remedy(),
                        detail: cause.detail,
                        rows: cause.rows,
                    })
                    .collect(),
                rows: ledger.held_waiting(&filter, limit, offset)?.into_iter().map(view).collect(),
            })
        })
        .await
    }

    /// Marks rows to be decided again, which the next run of their exchange does. Answers those it can decide only from
    /// their file, since what they state was not kept by the version that held them.
    pub async fn retry_held(&self, ids: Vec<i64>) -> Result<Vec<i64>, EngineError> {
        let ids: Vec<HeldId> = ids.into_iter().map(HeldId).collect();
        self.ledger(move |ledger| {
            ledger.retry_held(&ids, Utc::now())?;
            let mut unkept: HashSet<HeldId> = HashSet::new();
            // Hero's need the export that holds them, whatever is kept of them.
            for (source, kept) in [(Source::Raptor, false), (Source::Hero, false), (Source::Hero, true)] {
                unkept.extend(ledger.held_hashes(source, kept)?.into_values());
            }
            Ok(ids.iter().filter(|id| unkept.contains(id)).map(|id| id.0).collect())
        })
        .await
    }

    /// Closes rows for good: they are never written, and their file can be moved away.
    pub async fn discard_held(&self, ids: Vec<i64>) -> Result<(), EngineError> {
        let ids: Vec<HeldId> = ids.into_iter().map(HeldId).collect();
        self.ledger(move |ledger| ledger.discard_held(&ids, Utc::now())).await
    }

    /// The students of the last roster whose number begins with a text, or whose names begin with its words; those with
    /// just this number first, at most 50. Nothing is found for an empty text.
    pub async fn find_students(&self, text: &str) -> Result<Vec<FoundStudent>, EngineError> {
        let words: Vec<String> = folded(&text.replace(',', " ")).split(' ').map(str::to_owned).collect();
        let wanted: Vec<String> = words.into_iter().filter(|word| !word.is_empty()).collect();
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let roster = self.last_roster().await?;
        blocking(move || {
            let schools = roster.schools()?;
            let mut found = Vec::new();
            if let [number] = &wanted[..]
                && let Ok(number) = number.parse()
            {
                found = roster.students_by_number(StudentNumber::new(number))?;
            }
            roster.for_each_student(|student| -> Result<_, StoreError> {
                if begins_with(student, &wanted) && !found.iter().any(|known| known.id == student.id) {
                    found.push(student.clone());
                }
                let is_full = found.len() >= MOST_STUDENTS;
                Ok(if is_full { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
            })?;
            Ok(found.iter().map(|student| student_view(student, &schools)).collect())
        })
        .await
    }

    /// What there is to pick from for a held row, by the last roster and what was decided about it.
    pub async fn held_choices(&self, id: i64) -> Result<HeldChoices, EngineError> {
        let id = HeldId(id);
        let rows = self.ledger(move |ledger| ledger.held_statements(&[id])).await?;
        let (setup, roster) = (self.setup().await?, self.last_roster().await?);
        blocking(move || {
            let row = rows.into_iter().next().ok_or(EngineError::HeldRowNotKept(id.0))?;
            let (statement, before) = read(&row)?;
            let mut district = district(&roster, &setup)?;
            let choices = district.choices(&statement, before)?;
            Ok(choices_view(choices, &roster.schools()?))
        })
        .await
    }

    /// Keeps what a person decided about held rows, beside what was decided before, and has the next run decide them
    /// again: all of them, or none where one can't be decided so. Nothing is sent.
    pub async fn fix_held(&self, ids: Vec<i64>, fix: HeldFix, now: DateTime<Utc>) -> Result<(), EngineError> {
        self.not_while_running()?;
        let ids: Vec<HeldId> = ids.into_iter().map(HeldId).collect();
        let rows = self.ledger(move |ledger| ledger.held_statements(&ids)).await?;
        let (setup, roster) = (self.setup().await?, self.last_roster().await?);
        let fixed = blocking(move || {
            let mut district = district(&roster, &setup)?;
            let mut fixed = Vec::with_capacity(rows.len());
            let mut number = None;
            for row in rows {
                let (statement, before) = read(&row)?;
                // One pick is about one student: rows of several numbers are several students.
                if fix.student.is_some() && *number.get_or_insert(statement.student()) != statement.student()
                {
                    return Err(EngineError::NotToPick(row.id.0));
                }
                let fix = before.then(fix);
                let choices = district.choices(&statement, fix)?;
                let words = words(fix, &choices).ok_or(EngineError::NotToPick(row.id.0))?;
                let text = serde_json::to_string(&fix).unwrap_or_default();
                fixed.push((row.id, Fixed { fix: text, words, by: account(), at: now }));
            }
            Ok(fixed)
        })
        .await?;
        self.ledger(move |ledger| ledger.fix_held(&fixed)).await
    }

    /// Takes back what was decided about held rows: they wait, as they came.
    pub async fn take_back_held_fix(&self, ids: Vec<i64>, now: DateTime<Utc>) -> Result<(), EngineError> {
        self.not_while_running()?;
        let ids: Vec<HeldId> = ids.into_iter().map(HeldId).collect();
        self.ledger(move |ledger| ledger.take_back_fix(&ids, &account(), now)).await
    }

    /// A run has read what was decided when it began, and would go by that.
    fn not_while_running(&self) -> Result<(), EngineError> {
        if self.is_running() { Err(EngineError::Busy) } else { Ok(()) }
    }

    async fn last_roster(&self) -> Result<Arc<Roster>, EngineError> {
        let roster = self.roster().await?;
        roster.ok_or(EngineError::NotSetUp("PowerSchool's roster has not been read yet"))
    }
}

fn view(row: HeldRow) -> HeldView {
    HeldView {
        id: row.id.0,
        source: row.source.to_string(),
        file: row.file,
        line: row.line,
        code: row.reason.code().to_owned(),
        message: row.reason.sentence().to_owned(),
        remedy: row.reason.remedy(),
        detail: row.detail,
        raw: row.raw,
        student_number: row.student_number,
        first_seen: row.first_seen,
        retried: row.state == HeldState::Retried,
        fixed: row.fixed.map(|Fixed { words, by, at, .. }| HeldFixView { words, by, at }),
    }
}

/// What a held row states, and what was decided about it before.
fn read(row: &HeldStatement) -> Result<(Statement, HeldFix), EngineError> {
    let unkept = || EngineError::HeldRowNotKept(row.id.0);
    let fields = row.fields.as_deref().ok_or_else(unkept)?;
    let statement = match row.source {
        Source::Raptor => serde_json::from_str(fields).map(Statement::Raptor),
        Source::Hero => serde_json::from_str::<KeptImportRow>(fields).map(|kept| Statement::Hero(kept.row)),
    };
    let before = row.fix.as_deref().and_then(|fix| serde_json::from_str(fix).ok()).unwrap_or_default();
    Ok((statement.map_err(|_| unkept())?, before))
}

/// For choices only: the district's own zone is known while PowerSchool is asked, and till then it is that of its jobs.
fn district<'a>(roster: &'a Roster, setup: &'a Setup) -> Result<District<'a>, StoreError> {
    District::new(roster, setup, zone(setup))
}

/// A decision in words; `None` where it is not one of the choices.
fn words(fix: HeldFix, choices: &RowChoices) -> Option<String> {
    let mut words = Vec::new();
    if let Some(picked) = fix.student {
        let student = choices.student.as_ref().filter(|student| student.id == picked.id)?;
        words.push(format!("student {}, {}", student.number, name(student)));
    }
    if let Some(picked) = fix.code {
        let code = choices.codes.iter().find(|code| code.id == picked)?;
        words.push(format!("code {}", code.code.as_deref().unwrap_or_default()));
    }
    if let Some(picked) = fix.meeting {
        let meeting = choices.meetings.iter().find(|choice| choice.pick == picked)?;
        words.push(match &meeting.class {
            None => "the record of the day".to_owned(),
            Some(class) => format!("{}, {}", class.period, class_name(class)),
        });
    }
    (!words.is_empty()).then(|| words.join("; "))
}

fn name(student: &Student) -> String {
    let given = [&student.first_name, &student.middle_name].map(|name| name.trim());
    let given: Vec<&str> = given.into_iter().filter(|name| !name.is_empty()).collect();
    format!("{}, {}", student.last_name.trim(), given.join(" "))
}

fn class_name(class: &ClassChoice) -> String {
    let section = format!("{}.{}", class.enrollment.course_number, class.enrollment.section_number);
    match &class.course {
        Some(course) if !course.name.is_empty() => format!("{}, {section}", course.name),
        _ => section,
    }
}

/// Whether each of the words begins one of the student's names or the student's number.
fn begins_with(student: &Student, wanted: &[String]) -> bool {
    let number = student.number.to_string();
    let names = [&student.last_name, &student.first_name, &student.middle_name];
    let names: Vec<String> = names.iter().map(|name| name.as_str().to_lowercase()).collect();
    wanted.iter().all(|word| {
        number.starts_with(word.as_str())
            || names.iter().any(|name| {
                name.starts_with(word.as_str())
                    || name.split([' ', '-', '\'']).any(|part| part.starts_with(word.as_str()))
            })
    })
}

fn school_name(number: SchoolNumber, schools: &[School]) -> String {
    let school = schools.iter().find(|school| school.number == number);
    school.map_or_else(|| number.to_string(), |school| school.name.clone())
}

fn student_view(student: &Student, schools: &[School]) -> FoundStudent {
    FoundStudent {
        number: student.number,
        id: student.id,
        name: name(student),
        grade: student.grade_level,
        school: student.school,
        school_name: school_name(student.school, schools),
        active: student.enroll_status == EnrollStatus::ACTIVE,
    }
}

fn choices_view(choices: RowChoices, schools: &[School]) -> HeldChoices {
    let clock = |seconds: u32| format!("{:02}:{:02}", seconds / 3_600, seconds / 60 % 60);
    HeldChoices {
        date: choices.date,
        school_name: choices.school.map_or_else(String::new, |number| school_name(number, schools)),
        students: choices.students.iter().map(|student| student_view(student, schools)).collect(),
        student: choices.student.as_ref().map(|student| student_view(student, schools)),
        codes: choices
            .codes
            .into_iter()
            .map(|code| HeldCodeChoice {
                id: code.id,
                code: code.code.unwrap_or_default(),
                description: code.description,
            })
            .collect(),
        meetings: choices
            .meetings
            .into_iter()
            .map(|MeetingChoice { pick, class }| match class {
                None => HeldMeetingChoice {
                    pick,
                    period: String::new(),
                    class: String::new(),
                    times: String::new(),
                },
                Some(class) => HeldMeetingChoice {
                    pick,
                    class: class_name(&class),
                    times: format!("{}–{}", clock(class.times.start), clock(class.times.end)),
                    period: class.period,
                },
            })
            .collect(),
    }
}
