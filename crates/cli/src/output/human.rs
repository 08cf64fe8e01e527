//! Numbers and moments for people.

use chrono::Local;
use wire::Timestamp;

/// Bytes with a unit: `11.53MiB`.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if count < 1024 {
        return format!("{count}B");
    }
    let (mut value, mut unit) = (count as f64 / 1024.0, 0);
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.2}{}", UNITS[unit])
}

/// A moment in local time; empty for "never".
pub(crate) fn moment(moment: Timestamp) -> String {
    if moment.is_never() {
        return String::new();
    }
    moment.utc().with_timezone(&Local).format("%Y/%m/%d %H:%M %:z").to_string()
}

/// Time of day, local, to the millisecond.
pub(crate) fn time_of_day(moment: Timestamp) -> String {
    moment.utc().with_timezone(&Local).format("%H:%M:%S%.3f").to_string()
}

/// A time in its largest whole unit: `12h`.
pub(crate) fn span(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}min", seconds / 60),
        3600..86400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86400),
    }
}

/// `YES` or `NO`.
pub(crate) fn yes(value: bool) -> &'static str {
    if value { "YES" } else { "NO" }
}

/// The last part of an address, without query: `web` of `/1.0/instances/web?project=x`.
pub(crate) fn name_of(url: &str) -> &str {
    let path = url.split('?').next().unwrap_or(url);
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_units() {
        assert_eq!(bytes(0), "0B");
        assert_eq!(bytes(1023), "1023B");
        assert_eq!(bytes(12_090_000), "11.53MiB");
        assert_eq!(bytes(u64::MAX), "16.00EiB");
    }

    #[test]
    fn times_have_one_unit() {
        assert_eq!([0, 59, 60, 7199, 86400].map(span), ["0s", "59s", "1min", "1h", "1d"]);
    }

    #[test]
    fn never_is_blank() {
        assert_eq!(moment(Timestamp::NEVER), "");
    }

    #[test]
    fn names_of_addresses() {
        assert_eq!(name_of("/1.0/instances/web?project=x"), "web");
        assert_eq!(name_of("web"), "web");
    }
}
