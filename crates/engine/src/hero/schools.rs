//! Whether the schools of an account fit what it is at Hero: one school's, or a group's.

use rosterbridge_domain::{
    id::SchoolNumber,
    settings::{HeroAccount, HeroSettings},
};
use rosterbridge_store::{Roster, StoreError};

use crate::{
    engine::{Engine, blocking},
    error::EngineError,
};

/// Schools that are named in a sentence.
const NAMED: usize = 5;

impl Engine {
    /// The numbers of the schools in the last roster, without 'Graduated Students'; none before the first.
    pub async fn known_schools(&self) -> Result<Vec<SchoolNumber>, EngineError> {
        let Some(roster) = self.roster().await? else { return Ok(Vec::new()) };
        blocking(move || Ok(schools_of(&roster)?)).await
    }
}

/// The numbers of a roster's schools, without 'Graduated Students'.
pub(crate) fn schools_of(roster: &Roster) -> Result<Vec<SchoolNumber>, StoreError> {
    let numbers = roster.schools()?.into_iter().map(|school| school.number);
    Ok(numbers.filter(|number| *number != SchoolNumber::GRADUATED).collect())
}

/// What to tell of an account that is one school's and whose student file takes more than one of the `known` schools.
pub(crate) fn too_many_schools(
    hero: &HeroSettings,
    account: &HeroAccount,
    known: &[SchoolNumber],
) -> Option<String> {
    let schools = hero.too_many_schools(account, known.iter().copied());
    if schools.is_empty() {
        return None;
    }
    let mut named: Vec<String> = schools.iter().take(NAMED).map(ToString::to_string).collect();
    if schools.len() > NAMED {
        named.push("others".to_owned());
    }
    let last = named.pop().unwrap_or_default();
    Some(format!(
        "'{}' is a school-level account, and its student file takes in {} schools ({} and {last}): no row of it says to \
         which of them a student belongs. Choose the school, or Group-level where Hero has made it a group's account.",
        account.name,
        schools.len(),
        named.join(", "),
    ))
}

#[cfg(test)]
mod tests {
    use rosterbridge_domain::settings::AccountLevel;

    use super::*;

    #[test]
    fn an_account_of_one_school_with_many_is_told_by_their_numbers() {
        let known: Vec<_> = (1..=7).map(|number| SchoolNumber::new(number * 100)).collect();
        let mut hero = HeroSettings::default();
        let told =
            |hero: &HeroSettings, known: &[SchoolNumber]| too_many_schools(hero, &hero.accounts[0], known);
        let all = told(&hero, &known).unwrap();
        assert!(all.contains("7 schools (100, 200, 300, 400, 500 and others)"), "{all}");
        let two = told(&hero, &known[..2]).unwrap();
        assert!(two.contains("2 schools (100 and 200)"), "{two}");
        assert_eq!(told(&hero, &known[..1]), None);
        hero.accounts[0].level = AccountLevel::Group;
        assert_eq!(told(&hero, &known), None);
    }
}
