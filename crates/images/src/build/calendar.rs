//! The date in a serial, in the form image servers use: `20261122_14:05`.

/// The serial of a moment, in seconds since 1970.
pub(super) fn serial(seconds: u64) -> String {
    let (year, month, day) = date(seconds / 86_400);
    let minutes = seconds % 86_400 / 60;
    format!("{year:04}{month:02}{day:02}_{:02}:{:02}", minutes / 60, minutes % 60)
}

/// The Gregorian date of a day since 1970-01-01, counted in years from March on.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468; // since 0000-03-01
    let era = days / 146_097;
    let of_era = days % 146_097;
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march + 2) / 5 + 1;
    let month = if march < 10 { march + 3 } else { march - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_moments() {
        assert_eq!(serial(0), "19700101_00:00");
        assert_eq!(serial(951_782_400), "20000229_00:00");
        assert_eq!(serial(1_716_536_520), "20240524_07:42");
        assert_eq!(serial(4_107_542_399), "21000228_23:59");
    }
}
