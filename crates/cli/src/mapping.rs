//! `mapping`: which PowerSchool school stands for a Raptor building, and which attendance code for a tardy code.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

use rosterbridge_api::{
    Fault, Request, Response, Session, SetupView,
    domain::{
        id::SchoolNumber,
        mapping::{BuildingMapping, Mappings, TardyMapping, folded},
        settings::Setup,
    },
    report::{Choices, MappingChange, NameFoundIn, SchoolChoice},
};
use serde_json::{Value, json};

use crate::{
    answer::{to_value, unexpected},
    args::{MapBuilding, Mapping},
    document::Document,
    setup,
};

/// Carries out a command about mappings.
pub async fn carry_out(session: &Session, command: Mapping) -> Result<Document, Fault> {
    let SetupView { mut setup, revision, .. } = *setup::now(session).await?;
    let message = match command {
        Mapping::List => {
            let choices = choices(session).await?;
            let (data, text) = (list(&setup.mappings, &choices)?, listed(&setup.mappings, &choices));
            return Ok(Document::done("Mappings", data).with_text(text));
        }
        Mapping::Suggest { apply } => return suggest(session, setup, revision, apply).await,
        Mapping::Set(set) => {
            let choices = choices(session).await?;
            let Some(school) = choices.schools.iter().find(|school| school.number == set.school) else {
                return Err(unknown_school(set.school));
            };
            map_building(&mut setup.mappings, &set, school);
            format!("{} is mapped to {}.", set.building.trim(), school.name)
        }
        Mapping::Code { reason, code, inactive } => {
            let choices = choices(session).await?;
            if !choices.codes.iter().any(|choice| choice.code.as_deref() == Some(&code)) {
                return Err(unknown_code(&code, &choices));
            }
            let message = format!("{} is recorded as {code}.", reason.trim());
            map_reason(
                &mut setup.mappings,
                TardyMapping { reason: reason.trim().to_owned(), code, active: !inactive },
            );
            message
        }
        Mapping::Remove { name, reason } => {
            if !remove(&mut setup.mappings, &name, reason) {
                return Err(not_mapped(&name));
            }
            format!("{} is not mapped any more.", name.trim())
        }
    };
    let data = json!({
        "buildings": to_value(&setup.mappings.buildings)?,
        "tardy_codes": to_value(&setup.mappings.tardy_codes)?,
    });
    setup::save(session, setup, revision).await?;
    Ok(Document::done(message, data))
}

async fn choices(session: &Session) -> Result<Choices, Fault> {
    match session.call(Request::Choices, |_| ()).await? {
        Response::Choices(choices) => Ok(choices),
        _ => Err(unexpected()),
    }
}

/// Buildings without a school, with the school that is clearly meant if there is one. One that is mapped already, or that
/// two of them mean, is left to a person.
fn suggestions<'a>(mappings: &Mappings, choices: &'a Choices) -> Vec<(&'a str, Option<&'a SchoolChoice>)> {
    let known = mappings.buildings_by_name();
    let open = || {
        let names = choices
            .buildings
            .iter()
            .filter(|choice| known.get(&folded(&choice.building)).is_none_or(|row| row.school.is_none()));
        names.map(|choice| (choice.building.as_str(), choice.suggested_school))
    };
    let mut taken: BTreeMap<i64, usize> = BTreeMap::new();
    let mapped = mappings.buildings.iter().filter_map(|row| row.school.map(SchoolNumber::get));
    for school in mapped.chain(open().filter_map(|(_, school)| school)) {
        *taken.entry(school).or_default() += 1;
    }
    open()
        .map(|(building, school)| {
            let clear = school.filter(|school| taken.get(school) == Some(&1));
            (building, choices.schools.iter().find(|choice| Some(choice.number) == clear))
        })
        .collect()
}

async fn suggest(
    session: &Session,
    mut setup: Setup,
    revision: String,
    apply: bool,
) -> Result<Document, Fault> {
    let choices = choices(session).await?;
    let suggestions = suggestions(&setup.mappings, &choices);
    let clear = || suggestions.iter().filter_map(|(building, school)| Some((*building, (*school)?)));
    let unclear: Vec<&str> =
        suggestions.iter().filter(|(_, school)| school.is_none()).map(|(building, _)| *building).collect();
    let rows: Vec<Value> = clear()
        .map(|(building, school)| {
            json!({
                "building": building,
                "school": school.number,
                "school_name": school.name,
                "method": school.method.as_ref().map(|preset| preset.method),
            })
        })
        .collect();
    let mut text = String::new();
    for (building, school) in clear() {
        let _ = writeln!(text, "{building}: {} ({})", school.name, school.number);
    }
    for building in &unclear {
        let _ = writeln!(text, "{building}: choose a school");
    }
    let count = rows.len();
    let data = json!({ "suggested": rows, "unclear": unclear, "applied": apply });
    let message = if apply {
        for (building, school) in clear() {
            let set = MapBuilding::new(building.to_owned(), school.number);
            map_building(&mut setup.mappings, &set, school);
        }
        if count > 0 {
            setup::save(session, setup, revision).await?;
        }
        format!("Mapped {count} buildings.")
    } else {
        format!("{count} buildings have a school that is clearly meant.")
    };
    Ok(Document::done(message, data).with_text(text))
}

/// Gives a building its school. What is not said stays as it is; of a building that had another school, the method is that
/// of the new one.
fn map_building(mappings: &mut Mappings, set: &MapBuilding, school: &SchoolChoice) {
    let name = folded(&set.building);
    let place =
        mappings.buildings.iter().position(|row| folded(&row.building) == name).unwrap_or_else(|| {
            mappings.buildings.push(BuildingMapping {
                building: set.building.trim().to_owned(),
                enabled: true,
                ..BuildingMapping::default()
            });
            mappings.buildings.len() - 1
        });
    let row = &mut mappings.buildings[place];
    let number = SchoolNumber::new(school.number);
    if row.school != Some(number) || row.method.is_none() {
        row.method = school.method.as_ref().map(|preset| preset.method);
        row.bridge_period =
            school.method.as_ref().map(|preset| preset.bridge_period.clone()).unwrap_or_default();
    }
    row.school = Some(number);
    row.school_name.clone_from(&school.name);
    row.method = set.method.map(Into::into).or(row.method);
    if let Some(bridge) = &set.bridge_period {
        row.bridge_period.clone_from(bridge);
    }
    row.between_classes = set.between_classes.map_or(row.between_classes, Into::into);
    row.enabled = if set.active || set.inactive { set.active } else { row.enabled };
}

fn map_reason(mappings: &mut Mappings, row: TardyMapping) {
    let name = folded(&row.reason);
    match mappings.tardy_codes.iter_mut().find(|known| folded(&known.reason) == name) {
        Some(known) => *known = TardyMapping { reason: known.reason.clone(), ..row },
        None => mappings.tardy_codes.push(row),
    }
}

/// Removes a building's row, or a reason's; whether there was one.
fn remove(mappings: &mut Mappings, name: &str, reason: bool) -> bool {
    let name = folded(name);
    let before = mappings.buildings.len() + mappings.tardy_codes.len();
    if reason {
        mappings.tardy_codes.retain(|row| folded(&row.reason) != name);
    } else {
        mappings.buildings.retain(|row| folded(&row.building) != name);
    }
    mappings.buildings.len() + mappings.tardy_codes.len() < before
}

/// What a person should know about a building's row.
fn warnings(row: &BuildingMapping, mappings: &Mappings) -> Vec<&'static str> {
    let shared = row.school.is_some()
        && mappings.buildings.iter().filter(|other| other.school == row.school).count() > 1;
    let told = [
        (row.school.is_none(), "No school is chosen."),
        (shared, "Another building has the same school."),
        (row.method.is_none(), "The attendance method is not set."),
        (!row.enabled, "It is not active."),
    ];
    told.into_iter().filter_map(|(applies, warning)| applies.then_some(warning)).collect()
}

/// Schools that no building stands for.
fn left_out<'a>(mappings: &Mappings, choices: &'a Choices) -> Vec<&'a SchoolChoice> {
    let mapped: BTreeSet<i64> =
        mappings.buildings.iter().filter_map(|row| row.school.map(SchoolNumber::get)).collect();
    choices.schools.iter().filter(|school| !mapped.contains(&school.number)).collect()
}

fn unmapped_reasons<'a>(mappings: &Mappings, choices: &'a Choices) -> Vec<&'a str> {
    let mapped: BTreeSet<String> = mappings.tardy_codes.iter().map(|row| folded(&row.reason)).collect();
    let names = choices.reasons.iter().map(|choice| choice.reason.as_str());
    names.filter(|reason| !mapped.contains(&folded(reason))).collect()
}

/// The mapped schools that do not have a code this year.
fn missing_in(code: &str, choices: &Choices) -> Vec<i64> {
    let choice = choices.codes.iter().find(|choice| choice.code.as_deref() == Some(code));
    choice.map(|choice| choice.missing_in.clone()).unwrap_or_default()
}

fn list(mappings: &Mappings, choices: &Choices) -> Result<Value, Fault> {
    let mut buildings = Vec::new();
    for row in &mappings.buildings {
        let mut building = to_value(row)?;
        building["warnings"] = json!(warnings(row, mappings));
        buildings.push(building);
    }
    let mut tardy_codes = Vec::new();
    for row in &mappings.tardy_codes {
        let mut code = to_value(row)?;
        code["missing_in"] = json!(missing_in(&row.code, choices));
        tardy_codes.push(code);
    }
    let unmapped: Vec<Value> = suggestions(mappings, choices)
        .into_iter()
        .map(|(building, school)| json!({ "building": building, "suggested_school": school.map(|school| school.number) }))
        .collect();
    Ok(json!({
        "buildings": buildings,
        "unmapped_buildings": unmapped,
        "left_out_schools": left_out(mappings, choices)
            .into_iter()
            .map(|school| json!({ "number": school.number, "name": school.name }))
            .collect::<Vec<_>>(),
        "tardy_codes": tardy_codes,
        "unmapped_reasons": unmapped_reasons(mappings, choices),
        "replaceable_codes": to_value(&mappings.replaceable_codes)?,
        "codes": to_value(&choices.codes)?,
        "changes": to_value(&choices.changes)?,
        "lists_unread": to_value(&choices.lists_unread)?,
    }))
}

fn listed(mappings: &Mappings, choices: &Choices) -> String {
    let mut text = String::from("Buildings\n");
    for row in &mappings.buildings {
        let school = row.school.map_or_else(
            || "no school".to_owned(),
            |number| {
                let known = choices.schools.iter().find(|school| school.number == number.get());
                format!(
                    "{} ({number})",
                    known.map_or(row.school_name.as_str(), |school| school.name.as_str())
                )
            },
        );
        let method = row.method.map(|method| format!(", {}", method.as_str())).unwrap_or_default();
        let _ = writeln!(text, "  {}: {school}{method}", row.building);
        for warning in warnings(row, mappings) {
            let _ = writeln!(text, "    {warning}");
        }
    }
    let found = |building: &str| {
        let choice = choices.buildings.iter().find(|choice| choice.building == building);
        choice.is_some_and(|choice| choice.found_in == NameFoundIn::TardyFile)
    };
    for (building, _) in suggestions(mappings, choices) {
        let from = if found(building) { ", named in a tardy file" } else { "" };
        let _ = writeln!(text, "  {building}: not mapped{from}");
    }
    if let Some(why) = &choices.lists_unread {
        let _ = writeln!(
            text,
            "  Raptor's lists could not be read: {} [{}] {}",
            why.message, why.code, why.remedy
        );
    }
    for school in left_out(mappings, choices) {
        let _ = writeln!(text, "  No building: {} ({})", school.name, school.number);
    }
    text.push_str("Tardy codes\n");
    for row in &mappings.tardy_codes {
        let inactive = if row.active { "" } else { ", not active" };
        let _ = writeln!(text, "  {}: {}{inactive}", row.reason, row.code);
        let missing: Vec<String> = missing_in(&row.code, choices).iter().map(ToString::to_string).collect();
        if !missing.is_empty() {
            let _ = writeln!(text, "    No such code at school {}.", missing.join(", "));
        }
    }
    for reason in unmapped_reasons(mappings, choices) {
        let _ = writeln!(text, "  {reason}: not mapped");
    }
    if !choices.changes.is_empty() {
        text.push_str("Changed since\n");
    }
    for change in &choices.changes {
        let _ = writeln!(text, "  {}", told(change));
    }
    text
}

fn told(change: &MappingChange) -> String {
    match change {
        MappingChange::SchoolRenamed { building, from, to, .. } => {
            format!("{building}: its school was {from} and is {to} now.")
        }
        MappingChange::SchoolGone { building, school } => {
            format!("{building}: PowerSchool has no school {school} any more.")
        }
        MappingChange::BuildingGone { building } => format!("{building} is not in Raptor's list any more."),
        MappingChange::ReasonGone { reason } => format!("{reason} is not among Raptor's reasons any more."),
        MappingChange::CodeGone { reason, code } => {
            format!("{reason}: none of the mapped schools has the code {code} this year.")
        }
    }
}

fn unknown_school(number: i64) -> Fault {
    Fault {
        code: "mapping.unknown_school".to_owned(),
        message: format!("PowerSchool has no school with the number {number}."),
        remedy: "See the schools without a building with: rosterbridge mapping list".to_owned(),
    }
}

fn unknown_code(code: &str, choices: &Choices) -> Fault {
    let known: Vec<&str> = choices.codes.iter().filter_map(|choice| choice.code.as_deref()).collect();
    Fault {
        code: "mapping.unknown_code".to_owned(),
        message: format!("None of the mapped schools has the attendance code '{code}' this year."),
        remedy: format!("Use one that they have, letter case included: {}.", known.join(", ")),
    }
}

fn not_mapped(name: &str) -> Fault {
    Fault {
        code: "mapping.not_mapped".to_owned(),
        message: format!("{} has no row.", name.trim()),
        remedy: "See the rows with: rosterbridge mapping list. A tardy code is removed with --reason."
            .to_owned(),
    }
}
