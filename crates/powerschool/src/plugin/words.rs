//! Plain words for what plugins ask for.

use std::collections::BTreeSet;

/// A table's name as people write it: `ATTENDANCE_CODE` is `Attendance_Code`, and `CC` stays.
pub(super) fn table(name: &str) -> String {
    if name.len() <= 2 {
        return name.to_uppercase();
    }
    name.split('_')
        .map(|part| {
            let mut letters = part.chars();
            letters
                .next()
                .map(|first| first.to_uppercase().chain(letters.flat_map(char::to_lowercase)).collect())
                .unwrap_or_default()
        })
        .collect::<Vec<String>>()
        .join("_")
}

/// `1 field`, `2 fields`.
pub(super) fn fields(count: usize) -> String {
    counted(count, "field", "fields")
}

/// A number with its noun.
pub(super) fn counted(count: usize, one: &str, several: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { several })
}

/// `a`, `a and b`, `a, b and c`.
pub(crate) fn list(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// What a field's name says about a person: it is or has one of the first as a word between underscores, or has one of
/// the second anywhere. The first topic that fits is the field's.
const TOPICS: [(&[&str], &[&str], &str); 16] = [
    (&["SSN"], &["SOCIAL_SEC"], "social security number"),
    (&["PW"], &["PASSWORD"], "passwords"),
    (&["DOCTOR"], &["MEDICAL", "ALLERG", "IMMUNIZ"], "medical notes"),
    (&["RACE"], &["ETHNIC"], "ethnicity"),
    (&[], &["LUNCH"], "lunch status"),
    (&[], &["ALERT"], "alerts"),
    (&["FIRST", "MIDDLE", "LAST", "LASTFIRST"], &[], "names"),
    (&["DOB"], &["BIRTH"], "date of birth"),
    (&["GENDER", "SEX"], &[], "gender"),
    (&["GUARDIANEMAIL"], &["GUARDIAN_EMAIL"], "guardian e-mail"),
    (&[], &["EMAIL"], "e-mail addresses"),
    (&[], &["PHONE"], "telephone numbers"),
    (&["STREET", "CITY", "STATE", "ZIP"], &[], "addresses"),
    (&["MOTHER", "FATHER"], &["GUARDIAN", "EMERG"], "parents and emergency contacts"),
    (&[], &["PHOTO", "PICTURE"], "photographs"),
    (&["GPA", "GRADE", "PERCENT"], &[], "grades"),
];

/// What the fields tell about people, most telling first and each once.
pub(super) fn topics<'a>(fields: impl Iterator<Item = &'a str>) -> Vec<String> {
    let told: BTreeSet<usize> = fields.filter(|field| *field != "GRADE_LEVEL").filter_map(topic).collect();
    told.into_iter().map(|topic| TOPICS[topic].2.to_owned()).collect()
}

fn topic(field: &str) -> Option<usize> {
    TOPICS.iter().position(|(words, fragments, _)| {
        field.split('_').any(|word| words.contains(&word))
            || fragments.iter().any(|fragment| field.contains(fragment))
    })
}

/// Text out of a file, fit to stand in a message: in one line, and no longer than `most` characters.
pub(super) fn shown(text: &str, most: usize) -> String {
    let mut shown: String =
        text.chars().take(most).map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    if text.chars().nth(most).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("STUDENTS", "Students")]
    #[case("attendance_code", "Attendance_Code")]
    #[case("CC", "CC")]
    #[case("U_DEF_EXT", "U_Def_Ext")]
    #[case("__", "__")]
    fn tables_are_written_as_people_do(#[case] name: &str, #[case] expected: &str) {
        assert_eq!(table(name), expected);
    }

    #[rstest]
    #[case(&["FIRST_NAME", "DOB", "GUARDIANEMAIL"], "names, date of birth and guardian e-mail")]
    #[case(&["GRADE_LEVEL", "DCID"], "")]
    #[case(&["MAILING_STREET", "HOME_PHONE", "SSN"], "social security number, telephone numbers and addresses")]
    #[case(&["LASTDAY", "ENTRYDATE", "CATALOG"], "")]
    fn fields_tell_what_they_are_about(#[case] fields: &[&str], #[case] expected: &str) {
        assert_eq!(list(&topics(fields.iter().copied())), expected);
    }

    #[test]
    fn shown_text_is_one_short_line() {
        assert_eq!(shown("a\nb\u{7}c", 10), "a b c");
        assert_eq!(shown("äöüß", 3), "äöü…");
    }
}
