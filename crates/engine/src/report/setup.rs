//! What the steps of the set-up show and offer.

use rosterbridge_domain::mapping::AttendanceMethod;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::Cause;

/// Credentials on their way to the person who sets a site up, encrypted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Handover {
    /// The name to save the file under.
    pub file_name: String,
    /// The file: age, armoured. It holds address, Client ID and Client Secret.
    pub text: String,
    /// Subject of the mail to send it with.
    pub subject: String,
    /// Text of that mail. It carries no secret.
    pub body: String,
}

/// Whether a secret is in the keychain. Its value never leaves the engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct SecretState {
    /// e.g. `hero.password`.
    pub name: String,
    /// Whether it is set.
    pub set: bool,
}

/// A school to choose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct SchoolChoice {
    /// SCHOOLS.SCHOOL_NUMBER.
    pub number: i64,
    /// SCHOOLS.NAME.
    pub name: String,
    /// SCHOOLS.ABBREVIATION; empty for none.
    pub abbreviation: String,
    /// How it takes attendance, as far as PowerSchool tells: a preset that a person confirms.
    #[ts(optional)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<MethodPreset>,
}

/// How a school takes attendance, and how that is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct MethodPreset {
    /// The method.
    pub method: AttendanceMethod,
    /// The abbreviation of the bridge period; empty where there is none or it is not known.
    pub bridge_period: String,
    /// How it is known.
    pub by: MethodKnownBy,
}

/// How a school's attendance method is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum MethodKnownBy {
    /// By the school's attendance preferences in PowerSchool.
    Preferences,
    /// By its sections: the preferences could not be read.
    Sections,
}

/// Where a Raptor building's name comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum NameFoundIn {
    /// Raptor's own list in the exchange folder.
    List,
    /// A file of tardies.
    TardyFile,
}

/// A Raptor building found in the exchange, with a suggestion a person confirms.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct BuildingChoice {
    /// The name as Raptor writes it.
    pub building: String,
    /// The school most likely meant.
    pub suggested_school: Option<i64>,
    /// Where the name was found.
    pub found_in: NameFoundIn,
}

/// A Raptor reason found in the exchange.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ReasonChoice {
    /// The reason as Raptor writes it.
    pub reason: String,
    /// Where it was found.
    pub found_in: NameFoundIn,
}

/// An attendance code to choose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct CodeChoice {
    /// ATTENDANCE_CODE.ATT_CODE; `null` is PowerSchool's blank code, which a tardy can't be mapped to.
    pub code: Option<String>,
    /// Its description.
    pub description: String,
    /// `Present` or `Absent`.
    pub presence: String,
    /// In how many of the mapped schools it exists this year; of all schools while none is mapped.
    pub schools: u32,
    /// The numbers of those it does not exist in.
    pub missing_in: Vec<i64>,
}

/// Something that was mapped and is not any more what it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum MappingChange {
    /// The school of a building has another name in PowerSchool now.
    SchoolRenamed {
        /// The building.
        building: String,
        /// The school's number.
        school: i64,
        /// Its name when it was chosen.
        from: String,
        /// Its name now.
        to: String,
    },
    /// The school of a building is not in PowerSchool any more.
    SchoolGone {
        /// The building.
        building: String,
        /// The school's number.
        school: i64,
    },
    /// A mapped building is not in Raptor's list any more.
    BuildingGone {
        /// The building.
        building: String,
    },
    /// A mapped tardy code is not among Raptor's reasons any more.
    ReasonGone {
        /// The reason.
        reason: String,
    },
    /// A row of the tardy table names an attendance code that none of the mapped schools has this year.
    CodeGone {
        /// The reason.
        reason: String,
        /// The code.
        code: String,
    },
}

/// Everything there is to choose from in the mapping steps.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Choices {
    /// PowerSchool's schools.
    pub schools: Vec<SchoolChoice>,
    /// Raptor's buildings.
    pub buildings: Vec<BuildingChoice>,
    /// Raptor's student reasons.
    pub reasons: Vec<ReasonChoice>,
    /// The attendance codes of this year.
    pub codes: Vec<CodeChoice>,
    /// What has changed about what is mapped.
    pub changes: Vec<MappingChange>,
    /// Why Raptor's lists, or one of them, could not be read on its server; absent where they could, or files are exchanged in a folder.
    #[ts(optional)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lists_unread: Option<Cause>,
}
