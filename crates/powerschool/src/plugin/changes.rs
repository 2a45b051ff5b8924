//! What is different between the plugin for some exchanges and the one for others.

use std::collections::{BTreeMap, BTreeSet};

use rosterbridge_domain::job::Job;

use super::{Access, access_request, named_queries, words};

/// Fields named one by one in a sentence; of more only the first are.
const NAMED: usize = 6;

/// What a plugin for the exchanges `after` does otherwise than one for `before`, in sentences: fields by table, then
/// queries. None when nothing is different.
pub fn changes(before: &[Job], after: &[Job]) -> Vec<String> {
    let (old, new) = (by_table(before), by_table(after));
    let tables: BTreeSet<&str> = old.keys().chain(new.keys()).copied().collect();
    let (mut added, mut removed) = (Vec::new(), Vec::new());
    for table in tables {
        let (empty, other) = (BTreeMap::new(), BTreeMap::new());
        let (old, new) = (old.get(table).unwrap_or(&empty), new.get(table).unwrap_or(&other));
        let gained = |access: Access| -> Vec<&str> {
            new.iter()
                .filter(|(field, now)| **now == access && old.get(*field).is_none_or(|then| *then < access))
                .map(|(field, _)| field.as_str())
                .collect()
        };
        let lost: Vec<&str> =
            old.keys().filter(|field| !new.contains_key(*field)).map(String::as_str).collect();
        let only_read: Vec<&str> = old
            .iter()
            .filter(|(field, then)| {
                **then == Access::FullAccess && new.get(*field) == Some(&Access::ViewOnly)
            })
            .map(|(field, _)| field.as_str())
            .collect();
        let (reading, writing) = (gained(Access::ViewOnly), gained(Access::FullAccess));
        let name = words::table(table);
        if !reading.is_empty() {
            added.push(if old.is_empty() && writing.is_empty() {
                format!("Adds reading of {} of {name}.", words::fields(reading.len()))
            } else {
                format!("Adds reading of {} of {name} ({}).", words::fields(reading.len()), listed(&reading))
            });
        }
        if !writing.is_empty() {
            added.push(format!(
                "Adds FullAccess to {} of {name} ({}).",
                words::fields(writing.len()),
                listed(&writing)
            ));
        }
        if !only_read.is_empty() {
            removed.push(format!("No longer writes {name}, and only reads it ({}).", listed(&only_read)));
        }
        if new.is_empty() {
            let wrote = old.values().any(|access| *access == Access::FullAccess);
            removed.push(format!("No longer reads {}{name}.", if wrote { "or writes " } else { "" }));
        } else if !lost.is_empty() {
            removed.push(format!(
                "No longer reads {} of {name} ({}).",
                words::fields(lost.len()),
                listed(&lost)
            ));
        }
    }
    added.append(&mut removed);
    added.extend(query_changes(before, after));
    added
}

fn by_table(jobs: &[Job]) -> BTreeMap<&'static str, BTreeMap<String, Access>> {
    let mut tables: BTreeMap<&'static str, BTreeMap<String, Access>> = BTreeMap::new();
    for asked in access_request(jobs) {
        tables.entry(asked.table).or_default().insert(asked.field, asked.access);
    }
    tables
}

fn listed(fields: &[&str]) -> String {
    match fields.len().checked_sub(NAMED) {
        Some(more) if more > 0 => format!("{} and {more} more", fields[..NAMED].join(", ")),
        _ => fields.join(", "),
    }
}

fn query_changes(before: &[Job], after: &[Job]) -> Vec<String> {
    let old: BTreeMap<&str, Vec<String>> =
        named_queries(before).into_iter().map(|query| (query.name, query.columns)).collect();
    let new: BTreeMap<&str, Vec<String>> =
        named_queries(after).into_iter().map(|query| (query.name, query.columns)).collect();
    let added = new.keys().filter(|name| !old.contains_key(*name));
    let other = new.iter().filter(|(name, columns)| old.get(*name).is_some_and(|then| then != *columns));
    let gone = old.keys().filter(|name| !new.contains_key(*name));
    added
        .map(|name| format!("Adds the query {name}."))
        .chain(other.map(|(name, _)| format!("Changes the columns of the query {name}.")))
        .chain(gone.map(|name| format!("No longer has the query {name}.")))
        .collect()
}
