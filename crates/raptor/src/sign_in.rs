//! SignInTime: what people and programs write for a date and a time of day.

use std::ops::RangeInclusive;

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

/// When a student signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SignInTime {
    /// Without a zone: the building's local time.
    Local(NaiveDateTime),
    /// With a zone: an instant.
    Zoned(DateTime<FixedOffset>),
}

impl SignInTime {
    /// Reads `YYYY-MM-DDTHH:MM[:SS[.f]]` with a space for the T if need be and `Z` or an offset (`-05:00`, `-0500`,
    /// `-05`) after it; or `M/D/YYYY H:MM[:SS]` with or without `AM` and `PM`. Fractions of a second are dropped.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.contains('/') { us(text).map(Self::Local) } else { iso(text) }
    }

    /// The time of day and date in `zone`, the district's.
    pub fn local(self, zone: Tz) -> NaiveDateTime {
        match self {
            Self::Local(local) => local,
            Self::Zoned(instant) => instant.with_timezone(&zone).naive_local(),
        }
    }
}

fn iso(text: &str) -> Option<SignInTime> {
    let (date, rest) = text.split_once(['T', 't', ' '])?;
    let (year, rest_of_date) = date.split_once('-')?;
    let (month, day) = rest_of_date.split_once('-')?;
    let date = date_of(year, month, day, 2..=2)?;

    let rest = rest.trim_start();
    let zone_at = rest.find(['Z', 'z', '+', '-']);
    let (clock, zone) = rest.split_at(zone_at.unwrap_or(rest.len()));
    let clock = clock.trim_end();
    let clock = match clock.split_once('.') {
        Some((whole, fraction)) if whole.len() > 5 => {
            number(fraction, 1..=9)?;
            whole
        }
        Some(_) => return None,
        None => clock,
    };
    let (hour, minute, second) = clock_of(clock, 2..=2)?;
    let local = date.and_time(NaiveTime::from_hms_opt(hour, minute, second)?);
    if zone.is_empty() {
        return Some(SignInTime::Local(local));
    }
    let instant = local.and_local_timezone(offset(zone)?).single()?;
    Some(SignInTime::Zoned(instant))
}

fn offset(zone: &str) -> Option<FixedOffset> {
    if zone.eq_ignore_ascii_case("z") {
        return FixedOffset::east_opt(0);
    }
    let (west, digits) = match zone.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, zone.strip_prefix('+')?),
    };
    let (hours, minutes) = match (digits.split_once(':'), digits.len()) {
        (Some((hours, minutes)), _) => (number(hours, 2..=2)?, number(minutes, 2..=2)?),
        (None, 2) => (number(digits, 2..=2)?, 0),
        (None, 4) => {
            let both = number(digits, 4..=4)?;
            (both / 100, both % 100)
        }
        (None, _) => return None,
    };
    // No zone is farther than 14 hours from Greenwich.
    if hours > 14 || minutes > 59 {
        return None;
    }
    let seconds = i32::try_from(hours * 3600 + minutes * 60).ok()?;
    FixedOffset::east_opt(if west { -seconds } else { seconds })
}

fn us(text: &str) -> Option<NaiveDateTime> {
    let (month, rest) = text.split_once('/')?;
    let (day, rest) = rest.split_once('/')?;
    let (year, clock) = rest.split_once(' ')?;
    let date = date_of(year, month, day, 1..=2)?;

    let clock = clock.trim_start();
    let split = clock.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(clock.len());
    let (clock, half) = clock.split_at(split);
    let (hour, minute, second) = clock_of(clock.trim_end(), 1..=2)?;
    let hour = if half.is_empty() {
        hour
    } else {
        if !(1..=12).contains(&hour) {
            return None;
        }
        if half.eq_ignore_ascii_case("am") {
            hour % 12
        } else if half.eq_ignore_ascii_case("pm") {
            hour % 12 + 12
        } else {
            return None;
        }
    };
    Some(date.and_time(NaiveTime::from_hms_opt(hour, minute, second)?))
}

fn date_of(year: &str, month: &str, day: &str, lengths: RangeInclusive<usize>) -> Option<NaiveDate> {
    let year = i32::try_from(number(year, 4..=4)?).ok()?;
    NaiveDate::from_ymd_opt(year, number(month, lengths.clone())?, number(day, lengths)?)
}

fn clock_of(clock: &str, hour_lengths: RangeInclusive<usize>) -> Option<(u32, u32, u32)> {
    let (hour, rest) = clock.split_once(':')?;
    let (minute, second) = rest.split_once(':').unwrap_or((rest, "00"));
    Some((number(hour, hour_lengths)?, number(minute, 2..=2)?, number(second, 2..=2)?))
}

fn number(digits: &str, lengths: RangeInclusive<usize>) -> Option<u32> {
    let plain = lengths.contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    if plain { digits.parse().ok() } else { None }
}
