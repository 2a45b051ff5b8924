//! What the steps of the set-up show and offer.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

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
}

/// A Raptor building found in the exchange folder, with a suggestion a person confirms.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct BuildingChoice {
    /// The name as Raptor writes it.
    pub building: String,
    /// The school most likely meant.
    pub suggested_school: Option<i64>,
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
    /// In how many of the schools it exists this year.
    pub schools: u32,
}

/// Everything there is to choose from in the mapping steps.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Choices {
    /// PowerSchool's schools.
    pub schools: Vec<SchoolChoice>,
    /// Raptor's buildings.
    pub buildings: Vec<BuildingChoice>,
    /// Raptor's student reasons.
    pub reasons: Vec<String>,
    /// The schools' attendance codes of this year.
    pub codes: Vec<CodeChoice>,
}
