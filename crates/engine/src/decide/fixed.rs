//! Held rows about which a person decided something: whose row it is, which code counts, which class it is about. The rest
//! is decided as of any other row, and what does not fit holds the row again.

use std::{collections::HashMap, sync::Arc};

use chrono::NaiveDate;
use rosterbridge_domain::{
    attendance::{AttendanceWrite, Meeting, MeetingTimes, Source},
    calendar::{self, SchoolDay},
    held::{HeldFix, HoldReason, PickedMeeting, PickedStudent},
    id::{AttendanceCodeId, PeriodId, SchoolNumber, StudentId, StudentNumber},
    mapping::{AttendanceMethod, folded},
    roster::{AttendanceCode, Course, Enrollment, Student},
};
use rosterbridge_hero::AttendanceRow;
use rosterbridge_raptor::Tardy;
use rosterbridge_store::{StoreError, ledger::RowHash};

use super::{District, KnownSection, Stop, hold};
use crate::{
    attendance::{SourceRow, row_hash},
    engine::Engine,
    error::EngineError,
};

/// What people decided about rows of a source.
#[derive(Clone, Default)]
pub(crate) struct Fixes(Arc<HashMap<RowHash, HeldFix>>);

impl Fixes {
    /// What was decided about a row as it came, if anything.
    pub(crate) fn of(&self, source: Source, raw: &str) -> Option<HeldFix> {
        if self.0.is_empty() { None } else { self.0.get(&row_hash(source, raw)).copied() }
    }
}

impl Engine {
    /// What people decided about rows of a source.
    pub(crate) async fn fixes(&self, source: Source) -> Result<Fixes, EngineError> {
        let kept = self.ledger(move |ledger| ledger.held_fixes(source)).await?;
        // What another version kept is no decision of this one: the row is held as before.
        let fixes = kept.into_iter().filter_map(|(row, fix)| Some((row, serde_json::from_str(&fix).ok()?)));
        Ok(Fixes(Arc::new(fixes.collect())))
    }
}

/// What a held row states, as far as its source tells.
pub(crate) enum Statement {
    Raptor(Tardy),
    Hero(AttendanceRow),
}

impl Statement {
    pub(crate) fn student(&self) -> StudentNumber {
        match self {
            Self::Raptor(tardy) => tardy.student,
            Self::Hero(row) => row.student,
        }
    }
}

/// What there is to pick from for a held row.
#[derive(Default)]
pub(crate) struct RowChoices {
    /// Where it is, if that is known.
    pub(crate) school: Option<SchoolNumber>,
    pub(crate) date: NaiveDate,
    /// The students with its number.
    pub(crate) students: Vec<Student>,
    /// Whose row it is, if that is known.
    pub(crate) student: Option<Student>,
    /// The school's codes of that year that have a text.
    pub(crate) codes: Vec<AttendanceCode>,
    /// The student's classes of that day, or the day itself where the school records that.
    pub(crate) meetings: Vec<MeetingChoice>,
}

/// A record of a student's day to pick.
pub(crate) struct MeetingChoice {
    pub(crate) pick: PickedMeeting,
    /// The class; absent for the day.
    pub(crate) class: Option<ClassChoice>,
}

/// A class of a student on a day.
pub(crate) struct ClassChoice {
    pub(crate) period: String,
    pub(crate) course: Option<Course>,
    pub(crate) enrollment: Enrollment,
    pub(crate) times: MeetingTimes,
}

impl District<'_> {
    /// The same with what people decided about its rows.
    pub(crate) fn with_fixes(mut self, fixes: Fixes) -> Self {
        self.fixes = fixes;
        self
    }

    /// Decides those of `rows` of Hero's anew about which a person decided something. `stated` reads what a row states.
    pub(crate) fn fix_hero_rows(
        &mut self,
        rows: &mut [SourceRow],
        stated: impl Fn(&str) -> Option<AttendanceRow>,
    ) {
        for row in rows {
            let Some(fix) = self.fixes.of(Source::Hero, &row.raw) else { continue };
            let Some(row_stated) = stated(&row.raw) else { continue };
            row.wanted = self.fixed_hero_row(&row_stated, fix);
        }
    }

    /// The record of one row of Hero's, as a person decided about it.
    pub(crate) fn fixed_hero_row(
        &mut self,
        row: &AttendanceRow,
        fix: HeldFix,
    ) -> Result<AttendanceWrite, Stop> {
        if self.elsewhere.contains(&row.school) {
            return hold(HoldReason::OtherAccountsSchool, row.school.to_string());
        }
        if self.schools.binary_search_by_key(&row.school, |school| school.number).is_err() {
            return hold(HoldReason::UnknownSchool, row.school.to_string());
        }
        let student = self.student_of(row.student, fix)?.id;
        let day = self.writable_day(row.school, row.date)?;
        let meeting = match fix.meeting {
            Some(picked) => self.picked(student, &day, picked)?,
            None => self.named(row, student, &day)?,
        };
        self.record_fixed(student, &day, meeting, &row.code, "", fix)
    }

    /// Whose row it is: the student picked, or the one with the row's number.
    pub(super) fn student_of(&self, number: StudentNumber, fix: HeldFix) -> Result<Student, Stop> {
        let Some(PickedStudent { number, id }) = fix.student else { return self.student(number) };
        match self.roster.students_by_number(number)?.into_iter().find(|student| student.id == id) {
            Some(student) => Ok(student),
            None => hold(HoldReason::UnknownStudent, number.to_string()),
        }
    }

    /// The record a person picked, if the student has it on that day.
    pub(super) fn picked(
        &mut self,
        student: StudentId,
        day: &SchoolDay,
        picked: PickedMeeting,
    ) -> Result<Option<(Meeting, MeetingTimes)>, Stop> {
        let Some(Meeting { cc, period }) = picked.meeting() else { return Ok(None) };
        let enrollments = self.roster.enrollments_of(student)?;
        let sits = |cc: &&Enrollment| cc.school == day.school && cc.includes(day.date);
        let Some(enrollment) = enrollments.iter().filter(sits).find(|sits| sits.id == cc) else {
            return hold(HoldReason::NoSuchEnrollment, "the class that was picked");
        };
        match self.class_in(day, enrollment, period)? {
            Some(meeting) => Ok(Some(meeting)),
            None => hold(HoldReason::NoSuchMeeting, "the class that was picked"),
        }
    }

    /// The record a row of Hero's names by course, section and period.
    fn named(
        &mut self,
        row: &AttendanceRow,
        student: StudentId,
        day: &SchoolDay,
    ) -> Result<Option<(Meeting, MeetingTimes)>, Stop> {
        let Some(seat) = self.seat_named(row, student)? else { return self.no_seat(row, student) };
        self.know_sections(std::iter::once(seat.section))?;
        self.class_named(row, student, day, seat)
    }

    /// When an enrolment's class meets in a period of a day.
    fn class_in(
        &mut self,
        day: &SchoolDay,
        enrollment: &Enrollment,
        period: PeriodId,
    ) -> Result<Option<(Meeting, MeetingTimes)>, StoreError> {
        self.know_sections(std::iter::once(enrollment.section))?;
        let meetings = self.sections.get(&enrollment.section).map_or(&[][..], |known| &known.meetings);
        Ok(day.meetings(enrollment, meetings).find(|(meeting, _)| meeting.period == period))
    }

    /// The record with the code that was picked, or the one that `code` names.
    pub(super) fn record_fixed(
        &mut self,
        student: StudentId,
        day: &SchoolDay,
        meeting: Option<(Meeting, MeetingTimes)>,
        code: &str,
        comment: &str,
        fix: HeldFix,
    ) -> Result<AttendanceWrite, Stop> {
        let Some(picked) = fix.code else { return self.record(student, day, meeting, code, comment) };
        let (code, id) = self.picked_code(day, picked)?;
        Ok(super::write(student, day, meeting, (&code, id), comment))
    }

    fn picked_code(
        &mut self,
        day: &SchoolDay,
        picked: AttendanceCodeId,
    ) -> Result<(String, AttendanceCodeId), Stop> {
        let codes = self.codes(day.school, day.year)?;
        match codes.iter().find(|code| code.id == picked).and_then(|found| found.code.clone()) {
            Some(text) => Ok((text, picked)),
            None => hold(HoldReason::UnknownCode, "the code that was picked"),
        }
    }

    /// What there is to pick from for a row, given what was picked already.
    pub(crate) fn choices(&mut self, statement: &Statement, fix: HeldFix) -> Result<RowChoices, StoreError> {
        let students = self.roster.students_by_number(statement.student())?;
        let student = match fix.student {
            Some(PickedStudent { number, id }) => {
                self.roster.students_by_number(number)?.into_iter().find(|student| student.id == id)
            }
            None => <[Student; 1]>::try_from(students.clone()).ok().map(|[only]| only),
        };
        let (school, date, method) = match statement {
            Statement::Raptor(tardy) => {
                let mapping = self.buildings.get(&folded(&tardy.building)).copied();
                let date = tardy.signed_in.local(self.zone).date();
                (mapping.and_then(|row| row.school), date, mapping.and_then(|row| row.method))
            }
            Statement::Hero(row) => (Some(row.school), row.date, None),
        };
        let mut choices = RowChoices { school, date, students, student, ..RowChoices::default() };
        let Some(mut of) = school else { return Ok(choices) };
        let is_daily = method == Some(AttendanceMethod::Daily);
        if is_daily && let Some(student) = &choices.student {
            // The daily record belongs to the school of the student's enrolment on that day.
            of = self.enrolled_at(student, date, of)?.unwrap_or(of);
        }
        if let Some(year) = calendar::year_of(&self.terms, of, date) {
            let codes = self.codes(of, year)?;
            choices.codes = codes.iter().filter(|code| code.code.is_some()).cloned().collect();
        }
        let (Some(student), Some(day)) = (choices.student.as_ref(), self.day(of, date)?) else {
            return Ok(choices);
        };
        if is_daily {
            choices.meetings.push(MeetingChoice { pick: PickedMeeting::Day, class: None });
            return Ok(choices);
        }
        let enrollments = self.roster.enrollments_of(student.id)?;
        let sits = || enrollments.iter().filter(|cc| cc.school == day.school && cc.includes(day.date));
        self.know_sections(sits().map(|cc| cc.section))?;
        for enrollment in sits() {
            let known = self.sections.get(&enrollment.section);
            if matches!(statement, Statement::Hero(_)) && known.is_some_and(|section| section.daily) {
                // Of several such classes it is the same record.
                if !choices.meetings.iter().any(|choice| choice.pick == PickedMeeting::Day) {
                    choices.meetings.push(MeetingChoice { pick: PickedMeeting::Day, class: None });
                }
                continue;
            }
            let meetings = known.map_or(&[][..], |KnownSection { meetings, .. }| meetings);
            let course = self.roster.course(&enrollment.course_number)?;
            for (Meeting { cc, period }, times) in day.meetings(enrollment, meetings) {
                let rings = day.bells.iter().find(|(rings, _)| rings.id == period);
                let name = rings.map_or_else(String::new, |(rings, _)| rings.name.clone());
                let (enrollment, course) = (enrollment.clone(), course.clone());
                choices.meetings.push(MeetingChoice {
                    pick: PickedMeeting::Class { cc, period },
                    class: Some(ClassChoice { period: name, course, enrollment, times }),
                });
            }
        }
        choices.meetings.sort_by_key(|choice| choice.class.as_ref().map(|class| class.times.start));
        Ok(choices)
    }
}
