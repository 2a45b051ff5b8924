//! Which layout the roster files have, and what is wrong with settings that no file could be written by.

use std::{borrow::Cow, collections::HashSet};

use rosterbridge_domain::settings::{Delimiter, RosterContent, RosterField, RosterLayout, RosterSettings};

/// What is wrong with the settings of the roster files.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LayoutProblem {
    /// A saved layout has no name.
    #[error("a layout has no name")]
    NoName,
    /// Two saved layouts have one name.
    #[error("two layouts are named '{0}'")]
    SameName(String),
    /// The chosen layout is not among the saved ones.
    #[error("there is no layout named '{0}'")]
    NotSaved(String),
    /// The column every row is recognised by is missing.
    #[error("the layout '{0}' has no column for IdNumber, by which Raptor recognises a student")]
    NoIdNumber(String),
    /// A file of changes has to say who has left.
    #[error("the layout '{0}' has no column for Status, by which a file of changes says who has left")]
    NoStatus(String),
    /// Two columns hold the same.
    #[error("the layout '{layout}' has two columns for {}", .field.title())]
    SameField {
        /// The layout.
        layout: String,
        /// What both hold.
        field: RosterField,
    },
    /// Two columns have one title.
    #[error("the layout '{layout}' has two columns named '{title}'")]
    SameTitle {
        /// The layout.
        layout: String,
        /// The title.
        title: String,
    },
    /// A column has no title.
    #[error("the layout '{layout}' has no name for its column for {}", .field.title())]
    NoTitle {
        /// The layout.
        layout: String,
        /// What the column holds.
        field: RosterField,
    },
    /// A title can't stand in a header as it is.
    #[error("the layout '{layout}' has a delimiter, a quote or a control character in the name of its column for {}", .field.title())]
    BadTitle {
        /// The layout.
        layout: String,
        /// What the column holds.
        field: RosterField,
    },
}

impl LayoutProblem {
    /// The stable code of all of them: a person sees the sentence.
    pub const CODE: &'static str = "raptor.layout";
}

/// The layout in use; `None` where the chosen one is not saved.
pub fn roster_layout(settings: &RosterSettings) -> Option<Cow<'_, RosterLayout>> {
    if settings.layout.is_empty() {
        return Some(Cow::Owned(RosterLayout::default()));
    }
    settings.layouts.iter().find(|layout| layout.name == settings.layout).map(Cow::Borrowed)
}

/// Everything that is wrong with the settings of the roster files; nothing where files can be written.
pub fn roster_problems(settings: &RosterSettings) -> Vec<LayoutProblem> {
    let mut problems = Vec::new();
    let mut names = HashSet::new();
    for layout in &settings.layouts {
        if layout.name.trim().is_empty() {
            problems.push(LayoutProblem::NoName);
        } else if !names.insert(layout.name.trim().to_lowercase()) {
            problems.push(LayoutProblem::SameName(layout.name.clone()));
        }
        columns(layout, &mut problems);
    }
    match roster_layout(settings) {
        None => problems.push(LayoutProblem::NotSaved(settings.layout.clone())),
        Some(layout) if settings.content == RosterContent::Changes && !tells_status(&layout) => {
            problems.push(LayoutProblem::NoStatus(layout.name.clone()));
        }
        Some(_) => {}
    }
    problems
}

/// Whether the rows of a layout say who is active.
pub fn tells_status(layout: &RosterLayout) -> bool {
    has(layout, RosterField::Status)
}

fn has(layout: &RosterLayout, field: RosterField) -> bool {
    layout.columns.iter().any(|column| column.field == field)
}

fn columns(layout: &RosterLayout, problems: &mut Vec<LayoutProblem>) {
    let name = || layout.name.clone();
    if !has(layout, RosterField::IdNumber) {
        problems.push(LayoutProblem::NoIdNumber(name()));
    }
    let delimiter = match layout.delimiter {
        Delimiter::Comma => ',',
        Delimiter::Tab => '\t',
    };
    let (mut fields, mut titles) = (HashSet::new(), HashSet::new());
    for column in &layout.columns {
        let (field, title) = (column.field, column.title.trim());
        if !fields.insert(field) {
            problems.push(LayoutProblem::SameField { layout: name(), field });
        }
        if title.is_empty() {
            problems.push(LayoutProblem::NoTitle { layout: name(), field });
        } else if column.title.chars().any(|c| c == delimiter || c == '"' || c.is_control()) {
            problems.push(LayoutProblem::BadTitle { layout: name(), field });
        } else if !titles.insert(title.to_lowercase()) {
            problems.push(LayoutProblem::SameTitle { layout: name(), title: title.to_owned() });
        }
    }
}
