//! Why a row is kept for a person instead of being written.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{
    attendance::Meeting,
    id::{AttendanceCodeId, CcId, PeriodId, StudentId, StudentNumber},
};

/// Declares the reasons with their stable code and the sentence shown to a person.
macro_rules! hold_reasons {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $sentence:literal);+ $(;)?) => {
        /// Why a row is held. A held row is never lost: it is decided again when the cause is gone.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS)]
        pub enum HoldReason {
            $($(#[$doc])* #[serde(rename = $code)] $name,)+
        }

        impl HoldReason {
            /// Every reason, in the order of this page.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The stable code, `held.…`.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }

            /// What happened and what to do, for the person who decides.
            pub const fn sentence(self) -> &'static str {
                match self { $(Self::$name => $sentence,)+ }
            }
        }
    };
}

hold_reasons! {
    /// The building is not in the mapping table.
    BuildingNotMapped = "held.building_not_mapped",
        "This Raptor building is not mapped to a PowerSchool school. Map it under Buildings, then run again.";
    /// The building's tick is off.
    BuildingDisabled = "held.building_disabled",
        "This building is switched off for the exchange. Switch it on under Buildings, then run again.";
    /// The reason has no active row in the tardy table.
    ReasonNotMapped = "held.reason_not_mapped",
        "This Raptor tardy code has no active row in the tardy code table. Map it, then run again.";
    /// No student with this number.
    UnknownStudent = "held.unknown_student",
        "No student in PowerSchool has this number. Correct the number or add the student, then run again.";
    /// More than one student with this number.
    AmbiguousStudent = "held.ambiguous_student",
        "Several students in PowerSchool have this number. Correct PowerSchool, then run again.";
    /// The student does not attend the school on that date.
    StudentNotInSchool = "held.student_not_in_school",
        "The student is not enrolled at this school on that date. Check the enrolment in PowerSchool, then run again.";
    /// The school does not exist.
    UnknownSchool = "held.unknown_school",
        "PowerSchool has no school with this number. Check the file's school column, then run again.";
    /// The school takes part in another account at Hero.
    OtherAccountsSchool = "held.other_accounts_school",
        "This school takes part in another account at Hero, and that account's file states its attendance. Correct the schools of the accounts in the set-up or what Hero exports, then run again.";
    /// The day is not in session.
    NotInSession = "held.not_in_session",
        "The school is not in session on that date. Check the calendar in PowerSchool, then run again.";
    /// The date is older than the limit.
    TooOld = "held.too_old",
        "The date is further back than attendance may be written for. Enter it in PowerSchool by hand if it is right, or allow more school days in the set-up.";
    /// The code does not exist for the school and year.
    UnknownCode = "held.unknown_code",
        "The school has no such attendance code in this school year. Add the code in PowerSchool, or change the mapping or Hero's External Reference Code, then run again.";
    /// Several codes with the same text.
    AmbiguousCode = "held.ambiguous_code",
        "The school has several attendance codes with this text in this year. Correct PowerSchool, then run again.";
    /// No enrolment in the named course and section.
    NoSuchEnrollment = "held.no_such_enrollment",
        "The student has no enrolment in this course and section on that date. Check the schedule in PowerSchool, then run again.";
    /// No such period at the school.
    UnknownPeriod = "held.unknown_period",
        "The school has no period with this abbreviation in this year. Check the period column, then run again.";
    /// Several periods with the same abbreviation.
    AmbiguousPeriod = "held.ambiguous_period",
        "The school has several periods with this abbreviation in this year. Correct PowerSchool, then run again.";
    /// The section does not meet then.
    NoSuchMeeting = "held.no_such_meeting",
        "The section does not meet in this period on that date. Check the bell schedule in PowerSchool, then run again.";
    /// No class meets at the sign-in time.
    NoMeetingNow = "held.no_meeting_now",
        "No class of the student is known to be in progress at the time of signing in: it lies between classes or after the last bell, or the schedule in PowerSchool does not say. Correct the one that is wrong, or choose under Buildings what becomes of sign-ins between classes, then run again.";
    /// Signed in before the first bell, where that is held.
    BeforeFirstBell = "held.before_first_bell",
        "The student signed in before the first bell. Nothing is late then: discard the row, or enter it in PowerSchool by hand.";
    /// Two sections meet at once.
    SeveralMeetings = "held.several_meetings",
        "The student has two classes at the time of signing in. Correct the schedule in PowerSchool, then run again.";
    /// PowerSchool holds a code we did not write.
    ExistingCode = "held.existing_code",
        "PowerSchool already holds another attendance code that RosterBridge did not write. Decide in PowerSchool, or allow that code to be replaced and run again.";
    /// Update existing is off.
    UpdateExistingOff = "held.update_existing_off",
        "PowerSchool already holds an attendance code, and updating existing records is off.";
    /// A person changed what we wrote.
    CorrectedInPowerSchool = "held.corrected_in_powerschool",
        "Somebody changed this record in PowerSchool after RosterBridge wrote it. The correction stands.";
    /// Another source wrote it.
    OtherSourceWrote = "held.other_source_wrote",
        "The other integration already recorded a different code here. Decide in PowerSchool.";
    /// Several records in PowerSchool.
    SeveralRecords = "held.several_records",
        "PowerSchool holds several attendance records for the same student and meeting. Remove the extra ones, then run again.";
    /// PowerSchool refused the record.
    RefusedByPowerSchool = "held.refused_by_powerschool",
        "PowerSchool refused this record. See the reason beside it, correct it, then run again.";
    /// The school's method is not set.
    MethodNotSet = "held.method_not_set",
        "It is not set whether this school records daily or meeting attendance. Set it under Buildings, then run again.";
}

/// What deals with a held row, beside having it decided again and closing it, which any row can.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Remedy {
    /// The building is mapped to a school.
    MapBuilding,
    /// The building is switched on.
    EnableBuilding,
    /// It is chosen how the school records attendance.
    ChooseMethod,
    /// Raptor's tardy code is mapped to an attendance code.
    MapReason,
    /// A person picks whose row it is: [`HeldFix::student`].
    PickStudent,
    /// A person picks one of the school's codes: [`HeldFix::code`].
    PickCode,
    /// A person picks one of the student's classes of the day, or the day: [`HeldFix::meeting`].
    PickMeeting,
    /// Another setting is changed.
    Settings,
    /// Something is corrected, or decided, in PowerSchool.
    PowerSchool,
    /// Whoever makes the file corrects it there.
    SourceFile,
    /// Nothing: the row is closed.
    Discard,
}

impl HoldReason {
    /// What deals with a row that is held for this.
    pub const fn remedy(self) -> Remedy {
        match self {
            Self::BuildingNotMapped => Remedy::MapBuilding,
            Self::BuildingDisabled => Remedy::EnableBuilding,
            Self::MethodNotSet => Remedy::ChooseMethod,
            Self::ReasonNotMapped => Remedy::MapReason,
            // A mistyped number may be that of a student of another school.
            Self::UnknownStudent | Self::AmbiguousStudent | Self::StudentNotInSchool => Remedy::PickStudent,
            Self::UnknownCode | Self::AmbiguousCode => Remedy::PickCode,
            Self::NoSuchEnrollment
            | Self::UnknownPeriod
            | Self::AmbiguousPeriod
            | Self::NoSuchMeeting
            | Self::NoMeetingNow
            | Self::SeveralMeetings => Remedy::PickMeeting,
            Self::OtherAccountsSchool | Self::TooOld => Remedy::Settings,
            Self::UnknownSchool => Remedy::SourceFile,
            Self::NotInSession
            | Self::ExistingCode
            | Self::UpdateExistingOff
            | Self::CorrectedInPowerSchool
            | Self::OtherSourceWrote
            | Self::SeveralRecords
            | Self::RefusedByPowerSchool => Remedy::PowerSchool,
            Self::BeforeFirstBell => Remedy::Discard,
        }
    }
}

/// What a person decided about a held row. What is absent is as the row says. The row itself is never changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
pub struct HeldFix {
    /// Whose row it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub student: Option<PickedStudent>,
    /// The code that counts, of the school and school year of the row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub code: Option<AttendanceCodeId>,
    /// The record of the day it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub meeting: Option<PickedMeeting>,
}

impl HeldFix {
    /// This fix with what `later` decides in its place. A class is one student's, so it goes with another student.
    #[must_use]
    pub fn then(self, later: Self) -> Self {
        let same_student = later.student.is_none() || later.student == self.student;
        Self {
            student: later.student.or(self.student),
            code: later.code.or(self.code),
            meeting: later.meeting.or(self.meeting.filter(|_| same_student)),
        }
    }
}

/// A student as a person picked them: several may have one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
pub struct PickedStudent {
    /// STUDENTS.STUDENT_NUMBER.
    pub number: StudentNumber,
    /// STUDENTS.ID.
    pub id: StudentId,
}

/// A record of a student's day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum PickedMeeting {
    /// That of the day.
    Day,
    /// That of one class.
    Class {
        /// CC.ID.
        cc: CcId,
        /// PERIOD.ID.
        period: PeriodId,
    },
}

impl PickedMeeting {
    /// The class meeting; `None` where it is the day.
    pub const fn meeting(self) -> Option<Meeting> {
        match self {
            Self::Day => None,
            Self::Class { cc, period } => Some(Meeting { cc, period }),
        }
    }
}
