//! Numbers and dates as Java prints them.

/// `Double.toString`: shortest digits that read back, at least one decimal, and an exponent below
/// 0.001 and from 10,000,000 on.
#[must_use]
pub fn java_double(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let magnitude = value.abs();
    if magnitude == 0.0 || (1e-3..1e7).contains(&magnitude) {
        return format!("{value:?}");
    }
    let text = format!("{value:E}");
    match text.split_once('E') {
        Some((digits, exponent)) if !digits.contains('.') => format!("{digits}.0E{exponent}"),
        _ => text,
    }
}

/// Rounds to the four decimals of all averages.
pub(super) fn round4(value: f64) -> f64 {
    (value * 10_000.0).round() / 10_000.0
}

/// An average with at most four decimals; 0 when there is nothing to average.
#[must_use]
pub fn average(sum: i64, count: u64) -> f64 {
    if count == 0 {
        0.0
    } else {
        round4(sum as f64 / count as f64)
    }
}

const SECOND_MS: i64 = 1000;
const DAY_S: i64 = 86_400;
const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// `Date.toString` in UTC, from milliseconds since 1970.
#[must_use]
pub fn java_date(epoch_ms: i64) -> String {
    let seconds = epoch_ms.div_euclid(SECOND_MS);
    let days = seconds.div_euclid(DAY_S);
    let time = seconds.rem_euclid(DAY_S);
    let (year, month, day) = civil_date(days);
    let weekday = WEEKDAYS[usize::try_from(days.rem_euclid(7)).unwrap_or(0)];
    let month = MONTHS[usize::try_from(month - 1).unwrap_or(0)];
    let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
    format!("{weekday} {month} {day:02} {hour:02}:{minute:02}:{second:02} UTC {year}")
}

/// Year, month and day of a day since 1970. Years are counted from March here, so that the leap day
/// is the last of its year, and in eras of 400 years, which all have the same length.
fn civil_date(days: i64) -> (i64, i64, i64) {
    const ERA_DAYS: i64 = 146_097;
    /// From 0000-03-01 to 1970-01-01.
    const EPOCH_OFFSET: i64 = 719_468;
    let days = days + EPOCH_OFFSET;
    let era = days.div_euclid(ERA_DAYS);
    let day_of_era = days.rem_euclid(ERA_DAYS);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles() {
        for (value, expected) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (2.7647, "2.7647"),
            (0.001, "0.001"),
            (0.0001, "1.0E-4"),
            (0.00025, "2.5E-4"),
            (9_999_999.0, "9999999.0"),
            (10_000_000.0, "1.0E7"),
            (12_345_678.5, "1.23456785E7"),
            (-1e20, "-1.0E20"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "Infinity"),
        ] {
            assert_eq!(java_double(value), expected);
        }
    }

    #[test]
    fn averages() {
        for (sum, count, expected) in [
            (0, 0, "0.0"),
            (94, 34, "2.7647"),
            (1, 3, "0.3333"),
            (2, 3, "0.6667"),
            (1, 100_000, "0.0"),
        ] {
            assert_eq!(java_double(average(sum, count)), expected, "{sum}/{count}");
        }
    }

    #[test]
    fn dates() {
        for (ms, expected) in [
            (0, "Thu Jan 01 00:00:00 UTC 1970"),
            (1_795_437_102_999, "Mon Nov 23 12:31:42 UTC 2026"),
            (951_782_400_000, "Tue Feb 29 00:00:00 UTC 2000"),
            (4_107_542_399_000, "Sun Feb 28 23:59:59 UTC 2100"),
            (4_107_542_400_000, "Mon Mar 01 00:00:00 UTC 2100"),
            (-1, "Wed Dec 31 23:59:59 UTC 1969"),
        ] {
            assert_eq!(java_date(ms), expected, "{ms}");
        }
        assert!(java_date(i64::MAX).starts_with("Sun Aug 17"));
        assert!(!java_date(i64::MIN).is_empty());
    }
}
