//! Schedule expressions such as `1-2(A) 3(B,D-E)`.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use proptest::{collection::vec, prelude::*};
use rosterbridge_domain::expression::{Expression, ExpressionError, Group, Span};
use rstest::rstest;

fn cycle(letters: &str) -> Vec<String> {
    letters.chars().map(String::from).collect()
}

/// The meetings of an expression in a cycle, as `1A 2A`.
fn meetings(expression: &str, letters: &str) -> String {
    let found = expression.parse::<Expression>().unwrap().meetings(&cycle(letters));
    found.iter().map(|(period, day)| format!("{period}{day}")).collect::<Vec<_>>().join(" ")
}

#[rstest]
#[case::one("3(B)", "AB", "3B")]
#[case::a_range_of_periods("1-3(A)", "AB", "1A 2A 3A")]
#[case::listed_periods("1,3(A)", "A", "1A 3A")]
#[case::ranges_among_them("1-2,5(A)", "A", "1A 2A 5A")]
#[case::a_range_of_days("2(A-C)", "ABCD", "2A 2B 2C")]
#[case::days_and_ranges("3(B,D-E)", "ABCDE", "3B 3D 3E")]
#[case::groups("1-2(A) 3(B,D-E)", "ABCDE", "1A 2A 3B 3D 3E")]
#[case::without_a_space("1(A)2(B)", "AB", "1A 2B")]
#[case::spaces_anywhere(" 1 - 2 ( A , B )  3(A) ", "AB", "1A 1B 2A 2B 3A")]
#[case::named_twice("1(A) 1(A-B)", "AB", "1A 1B")]
#[case::period_zero("0(A)", "A", "0A")]
#[case::the_cycle_orders_the_days("1(R-M)", "TRFM", "1F 1M 1R")]
#[case::the_alphabet_does_not("1(A-C)", "CBA", "")]
#[case::not_in_the_cycle("1(X,A)", "AB", "1A")]
#[case::a_range_that_leaves_the_cycle("1(A-Z)", "AB", "")]
#[case::no_cycle("1(A)", "", "")]
fn what_meets_when(#[case] expression: &str, #[case] letters: &str, #[case] expected: &str) {
    assert_eq!(meetings(expression, letters), expected);
}

#[test]
fn without_a_cycle_every_period_is_met_on_any_day() {
    let expression: Expression = "1-2(A) 4(B)".parse().unwrap();
    assert_eq!(expression.periods().into_iter().collect::<Vec<_>>(), [1, 2, 4]);
}

#[rstest]
#[case::nothing("", ExpressionError::Empty)]
#[case::only_space("  ", ExpressionError::Empty)]
#[case::no_days("1-2", ExpressionError::Group("1-2".into()))]
#[case::open_bracket("1(A", ExpressionError::Group("1(A".into()))]
#[case::a_rest("1(A) x", ExpressionError::Group("x".into()))]
#[case::no_period("(A)", ExpressionError::Period(String::new()))]
#[case::an_abbreviation("HR(A)", ExpressionError::Period("HR".into()))]
#[case::backwards("3-1(A)", ExpressionError::Period("3-1".into()))]
#[case::two_dashes("1-2-3(A)", ExpressionError::Period("1-2-3".into()))]
#[case::a_sign("+1(A)", ExpressionError::Period("+1".into()))]
#[case::far_too_large("70000(A)", ExpressionError::Period("70000".into()))]
#[case::too_large("1-1000(A)", ExpressionError::Period("1-1000".into()))]
#[case::no_day("1()", ExpressionError::Day(String::new()))]
#[case::empty_day("1(A,)", ExpressionError::Day(String::new()))]
#[case::nested("1((A))", ExpressionError::Day("(A".into()))]
fn not_an_expression(#[case] text: &str, #[case] expected: ExpressionError) {
    assert_eq!(text.parse::<Expression>(), Err(expected));
}

fn periods() -> impl Strategy<Value = Vec<Span<u16>>> {
    let one = (0_u16..=999).prop_map(Span::One);
    let range = (0_u16..=999, 0_u16..=999).prop_map(|(a, b)| Span::Range(a.min(b), a.max(b)));
    vec(prop_oneof![one, range], 1..4)
}

fn days() -> impl Strategy<Value = Vec<Span<String>>> {
    let one = "[A-Z]".prop_map(Span::One);
    let range = ("[A-Z]", "[A-Z][0-9]?").prop_map(|(from, to)| Span::Range(from, to));
    vec(prop_oneof![one, range], 1..4)
}

proptest! {
    #[test]
    fn what_is_written_reads_back(
        groups in vec((periods(), days()).prop_map(|(periods, days)| Group { periods, days }), 1..5)
    ) {
        let expression = Expression::of(groups);
        prop_assert_eq!(expression.to_string().parse::<Expression>(), Ok(expression));
    }

    #[test]
    fn any_text_is_read_or_refused(text in any::<String>(), near in "[0-9A-E(),\\- ]{0,24}") {
        for text in [text, near] {
            if let Ok(expression) = text.parse::<Expression>() {
                let letters = cycle("ABCDE");
                for (period, day) in expression.meetings(&letters) {
                    prop_assert!((0..=999).contains(&period) && letters.contains(&day));
                    prop_assert!(expression.periods().contains(&period));
                }
                prop_assert_eq!(expression.to_string().parse::<Expression>(), Ok(expression));
            }
        }
    }
}
