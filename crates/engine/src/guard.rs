//! The large-change rule: nothing leaves the machine that would lose much of what was accepted last.

/// Losses up to this share of the rows pass.
const SHARE: f64 = 0.10;
/// Losses of fewer rows pass, unless all are lost.
const ROWS: u64 = 20;

/// Whether going from `before` rows to `now` loses more than 10 % and at least 20 of them, or all.
pub(crate) fn is_large_loss(before: u64, now: u64) -> bool {
    let lost = before.saturating_sub(now);
    #[allow(clippy::cast_precision_loss)] // Row counts stay far below 2^52.
    let share = if before == 0 { 0.0 } else { lost as f64 / before as f64 };
    (before > 0 && now == 0) || (lost >= ROWS && share > SHARE)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::is_large_loss;

    #[rstest]
    #[case::first_file(0, 600, false)]
    #[case::growth(600, 900, false)]
    #[case::small_share(1000, 901, false)]
    #[case::few_rows(30, 11, false)]
    #[case::both(200, 170, true)]
    #[case::exactly_ten_percent(200, 180, false)]
    #[case::all_of_few(5, 0, true)]
    #[case::nothing_before(0, 0, false)]
    fn the_rule(#[case] before: u64, #[case] now: u64, #[case] stops: bool) {
        assert_eq!(is_large_loss(before, now), stops);
    }
}
