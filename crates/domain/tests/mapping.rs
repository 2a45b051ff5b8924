//! The mapping tables, and which school is suggested for a building.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use proptest::prelude::*;
use rosterbridge_domain::{
    id::{SchoolDcid, SchoolNumber},
    mapping::{
        AttendanceMethod, BuildingMapping, MappingProblem, Mappings, TardyMapping, folded, problems,
        suggest_school,
    },
    roster::School,
};
use rstest::rstest;

fn school(number: i64, name: &str, abbreviation: &str) -> School {
    School {
        dcid: SchoolDcid::new(number + 1),
        number: SchoolNumber::new(number),
        name: name.to_owned(),
        abbreviation: abbreviation.to_owned(),
    }
}

fn schools() -> Vec<School> {
    vec![
        school(100, "Lincoln Elementary School", "LES"),
        school(101, "Lincoln Middle School", "LMS"),
        school(102, "Lincoln High School", "LHS"),
        school(103, "Saint Mary Academy", "SMA"),
        school(104, "Washington Junior High School", ""),
        school(105, "Public School 12", "PS12"),
        school(106, "Public School 13", "PS13"),
        school(999_999, "Graduated Students", "Grad"),
    ]
}

#[rstest]
#[case::same("Lincoln High School", 102)]
#[case::letter_case("LINCOLN  HIGH", 102)]
#[case::elementary("Lincoln Elem.", 100)]
#[case::middle("Lincoln MS", 101)]
#[case::high("Lincoln HS", 102)]
#[case::abbreviation("lhs", 102)]
#[case::saint("St. Mary Acad", 103)]
#[case::junior_high("Washington Jr. High", 104)]
#[case::typing_error("Washingtin JH", 104)]
#[case::number("Public School 13", 106)]
#[case::apostrophe("St. Mary's Academy", 103)]
#[case::senior_high("Lincoln Sr. High", 102)]
#[case::number_behind("Lincoln (102)", 102)]
#[case::number_in_front("101 Lincoln", 101)]
#[case::number_with_a_dash("100 - Lincoln Elem", 100)]
#[case::number_with_zeros("Lincoln (0102)", 102)]
#[case::number_and_abbreviation("LMS (101)", 101)]
#[case::number_alone("102", 102)]
#[case::number_of_a_school("School 104", 104)]
#[case::number_and_a_typing_error("Washingtin 104", 104)]
#[case::dotted("Lincoln H.S.", 102)]
#[case::dotted_abbreviation("L.H.S.", 102)]
#[case::spaced_abbreviation("PS 13", 106)]
#[case::dotted_number("P.S. 12", 105)]
fn the_school_meant(#[case] building: &str, #[case] number: i64) {
    let schools = schools();
    assert_eq!(suggest_school(building, &schools).map(|school| school.number.get()), Some(number));
}

#[rstest]
#[case::nothing_alike("District Office")]
#[case::empty("")]
#[case::punctuation("-")]
#[case::several_levels("Lincoln")]
#[case::no_such_level("Washington Elementary")]
#[case::no_such_number("Public School 14")]
#[case::a_number_of_another_name("Roosevelt (102)")]
#[case::the_number_of_another_level("Lincoln Elementary (102)")]
#[case::another_number("Public School 13 (999)")]
#[case::never_the_graduated("Graduated Students")]
fn no_school_is_clearly_meant(#[case] building: &str) {
    let schools = schools();
    assert_eq!(suggest_school(building, &schools), None);
}

#[test]
fn another_level_is_never_suggested() {
    let schools = [school(101, "Lincoln Middle School", ""), school(102, "Lincoln High School", "")];
    assert_eq!(suggest_school("Lincoln Elementary", &schools), None);
}

#[test]
fn another_number_is_never_suggested() {
    assert_eq!(suggest_school("Public School 14", &schools()[5..6]), None);
}

#[test]
fn a_name_that_leaves_the_level_open_means_the_only_school_of_that_name() {
    let schools = schools();
    assert_eq!(suggest_school("Washington", &schools), Some(&schools[4]));
}

#[test]
fn two_schools_of_one_name_are_left_to_a_person() {
    let twins = [school(1, "Lincoln", "A"), school(2, "Lincoln School", "B")];
    assert_eq!(suggest_school("Lincoln", &twins), None);
    assert_eq!(suggest_school("Lincoln", &[]), None);
}

#[test]
fn names_are_compared_without_spacing_and_letter_case() {
    let mappings = Mappings {
        buildings: vec![BuildingMapping {
            building: "Lincoln  High".to_owned(),
            school: Some(SchoolNumber::new(102)),
            method: Some(AttendanceMethod::Meeting),
            enabled: true,
            ..BuildingMapping::default()
        }],
        tardy_codes: vec![
            TardyMapping { reason: "Overslept".to_owned(), code: "X".to_owned(), active: false },
            TardyMapping { reason: "overslept ".to_owned(), code: "T".to_owned(), active: true },
            TardyMapping { reason: "Weather".to_owned(), code: "W".to_owned(), active: false },
        ],
        ..Mappings::default()
    };
    let school = |name| mappings.buildings_by_name().get(&folded(name)).map(|row| row.school);
    assert_eq!(school(" lincoln HIGH "), Some(Some(SchoolNumber::new(102))));
    assert_eq!(school("Lincoln"), None);
    let codes = mappings.codes_by_reason();
    assert_eq!(codes.get(&folded("OVERSLEPT")), Some(&"T"));
    assert_eq!(codes.get(&folded("Weather")), None, "an inactive row maps nothing");
    assert_eq!(codes.get(&folded("Flat tire")), None);
}

#[test]
fn a_number_in_a_schools_own_name_is_not_another_schools() {
    let schools = [school(13, "Oak Elementary School", "OES"), school(105, "Public School 13", "")];
    assert_eq!(suggest_school("Public School 13", &schools), Some(&schools[1]));
    assert_eq!(suggest_school("Oak (13)", &schools), Some(&schools[0]));
}

fn building(name: &str, school: i64) -> BuildingMapping {
    let school = Some(SchoolNumber::new(school));
    BuildingMapping { building: name.to_owned(), school, ..BuildingMapping::default() }
}

fn reason(reason: &str, code: &str, active: bool) -> TardyMapping {
    TardyMapping { reason: reason.to_owned(), code: code.to_owned(), active }
}

#[rstest]
#[case::nothing(vec![], vec![], &[])]
#[case::several_buildings_of_a_school(vec![building("North", 1), building("South", 1)], vec![], &[])]
#[case::one_code_for_all(vec![], vec![reason("Bus", "T", true), reason("Rain", "T", true)], &[])]
#[case::building_twice(vec![building("North", 1), building(" north ", 2)], vec![], &["mapping.building_twice"])]
#[case::reason_twice(vec![], vec![reason("Bus", "T", true), reason("BUS", "TX", true)], &["mapping.reason_twice"])]
#[case::reason_twice_inactive(
    vec![], vec![reason("Late  bus", "T", false), reason("late bus", "T", true)], &["mapping.reason_twice"]
)]
#[case::blank_code(vec![], vec![reason("Bus", " ", true)], &["mapping.blank_code"])]
#[case::each_is_told(
    vec![building("A", 1), building("a", 1)],
    vec![reason("Bus", "", true), reason("bus", "T", true)],
    &["mapping.building_twice", "mapping.blank_code", "mapping.reason_twice"],
)]
fn what_keeps_tables_from_being_saved(
    #[case] buildings: Vec<BuildingMapping>,
    #[case] tardy_codes: Vec<TardyMapping>,
    #[case] expected: &[&str],
) {
    let mappings = Mappings { buildings, tardy_codes, ..Mappings::default() };
    let codes: Vec<_> = problems(&mappings).iter().map(MappingProblem::code).collect();
    assert_eq!(codes, expected);
}

proptest! {
    #[test]
    fn a_suggestion_does_not_depend_on_the_order_of_the_schools(
        building in "[A-Za-z]{1,9} (ES|MS|HS|School|Elem|12|13)?",
        turn in 0_usize..8,
    ) {
        let schools = schools();
        let mut turned = schools.clone();
        turned.rotate_left(turn);
        prop_assert_eq!(suggest_school(&building, &schools), suggest_school(&building, &turned));
    }

    #[test]
    fn any_name_is_compared_without_panic(building in any::<String>()) {
        let schools = schools();
        if let Some(found) = suggest_school(&building, &schools) {
            prop_assert_ne!(found.number, SchoolNumber::GRADUATED);
        }
    }

    #[test]
    fn every_school_is_suggested_for_its_own_name(index in 0_usize..7) {
        let schools = schools();
        prop_assert_eq!(suggest_school(&schools[index].name, &schools), Some(&schools[index]));
    }
}
