//! 'PowerSchool fields to import into': which column of Hero's attendance export is which field.

use rosterbridge_domain::settings::ImportField;

/// How many fields an attendance row has.
pub(crate) const FIELDS: usize = ImportField::ALL.len();

/// The seven fields of the import in the file's order, each of them once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldOrder([ImportField; FIELDS]);

/// The order of Hero's procedure.
impl Default for FieldOrder {
    fn default() -> Self {
        Self(ImportField::ALL)
    }
}

/// Why a list of fields can't be imported by.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldOrderError {
    /// No field of the import.
    #[error("'{name}' in line {line} is no field of the import; the nearest is '{}'", nearest.as_str())]
    Unknown {
        /// The line of the list, counted from 1.
        line: usize,
        /// What stands there.
        name: String,
        /// The field whose name is most like it.
        nearest: ImportField,
    },
    /// A field that stands there before.
    #[error("field {place} of the list, '{}', stands there a second time", field.as_str())]
    Twice {
        /// The field.
        field: ImportField,
        /// The place of the second one, counted from 1.
        place: usize,
    },
    /// Fields that every attendance row needs.
    #[error("the list lacks {}", names(fields))]
    Missing {
        /// The fields, in the order of Hero's procedure.
        fields: Vec<ImportField>,
    },
}

fn names(fields: &[ImportField]) -> String {
    let quoted: Vec<String> = fields.iter().map(|field| format!("'{}'", field.as_str())).collect();
    quoted.join(", ")
}

impl FieldOrderError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unknown { .. } => "hero.import_field_unknown",
            Self::Twice { .. } => "hero.import_field_twice",
            Self::Missing { .. } => "hero.import_field_missing",
        }
    }

    /// What the person can do.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Unknown { .. } => {
                "Correct the name, or go back to the list of Hero's procedure: SchoolID, Student_Number, \
                 Course_Number, Section_Number, Att_Date, Attendance Code and Period Abbreviation, one a line."
            }
            Self::Twice { .. } => {
                "Take it out once. Each of the seven fields stands in the list exactly once."
            }
            Self::Missing { .. } => {
                "Add it at the place its column has in Hero's export. Each of the seven fields stands in the list \
                 exactly once."
            }
        }
    }
}

impl FieldOrder {
    /// An order of the seven fields.
    pub fn new(fields: &[ImportField]) -> Result<Self, FieldOrderError> {
        for (place, field) in fields.iter().enumerate() {
            if fields[..place].contains(field) {
                return Err(FieldOrderError::Twice { field: *field, place: place + 1 });
            }
        }
        Self::whole(fields).ok_or_else(|| FieldOrderError::Missing {
            fields: ImportField::ALL.into_iter().filter(|field| !fields.contains(field)).collect(),
        })
    }

    fn whole(fields: &[ImportField]) -> Option<Self> {
        fields.try_into().ok().map(Self)
    }

    /// Reads a list as a person edits it: one field a line. Letter case and the choice between a space and an
    /// underscore don't matter, nor do empty lines. A line may hold several fields, as in the table of Hero's procedure.
    pub fn parse(text: &str) -> Result<Self, FieldOrderError> {
        let mut fields = Vec::with_capacity(FIELDS);
        for (line, written) in (1..).zip(text.lines()) {
            for part in written.split(['\t', ',']).map(str::trim).filter(|part| !part.is_empty()) {
                let named = fields_in(part).ok_or_else(|| FieldOrderError::Unknown {
                    line,
                    name: part.to_owned(),
                    nearest: nearest(part),
                })?;
                fields.extend(named);
            }
        }
        Self::new(&fields)
    }

    /// The fields in the file's order.
    pub const fn fields(&self) -> &[ImportField; FIELDS] {
        &self.0
    }

    /// The column of a field, counted from 1.
    pub(crate) fn column(self, field: ImportField) -> usize {
        1 + self.0.iter().take_while(|other| **other != field).count()
    }
}

/// The field a text names.
pub(crate) fn field_named(text: &str) -> Option<ImportField> {
    let asked = folded(text);
    ImportField::ALL.into_iter().find(|field| folded(field.as_str()) == asked)
}

/// The fields that the words of a text name one after another.
fn fields_in(text: &str) -> Option<Vec<ImportField>> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut left = words.as_slice();
    let mut fields = Vec::new();
    while !left.is_empty() {
        // 'Attendance Code' is two words.
        let (field, taken) = [2, 1].into_iter().find_map(|taken| {
            let name = left.get(..taken)?.join(" ");
            Some((field_named(&name)?, taken))
        })?;
        fields.push(field);
        left = &left[taken..];
    }
    Some(fields)
}

fn nearest(text: &str) -> ImportField {
    let asked = folded(text);
    // Beginnings weigh more: 'Period' is short for something.
    let likeness = |field: &ImportField| strsim::jaro_winkler(&asked, &folded(field.as_str()));
    let most = |a: &ImportField, b: &ImportField| likeness(a).total_cmp(&likeness(b));
    ImportField::ALL.into_iter().max_by(most).unwrap_or(ImportField::SchoolId)
}

fn folded(name: &str) -> String {
    name.trim().chars().filter(|c| !matches!(c, '_' | ' ')).map(|c| c.to_ascii_lowercase()).collect()
}
