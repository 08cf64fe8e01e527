//! Progress as clients read it in an operation's metadata.
//!
//! The stock clients print the text of whatever key ends in `_progress`; graphical ones read the
//! numbers under `progress`. There is at most one stage at a time.

use std::time::{Duration, Instant};

use exec::Progress;
use serde_json::{Map, Value, json};

/// Between two reports of the same stage, so that a fast download does not flood the bus.
const SPACING: Duration = Duration::from_millis(100);

/// Remembers what the rate and the spacing need.
#[derive(Default)]
pub(super) struct Reporter {
    current: Option<Current>,
}

struct Current {
    stage: String,
    since: Instant,
    /// Bytes the stage had when it began; a resumed download starts above zero.
    first: u64,
    told: Instant,
}

impl Reporter {
    /// Writes a report into the metadata; false if it came too soon to be worth an event.
    pub(super) fn note(
        &mut self,
        progress: &Progress,
        now: Instant,
        metadata: &mut Map<String, Value>,
    ) -> bool {
        let ended = progress.percent == Some(100);
        let rate = match &mut self.current {
            Some(current) if current.stage == progress.stage => {
                if now.duration_since(current.told) < SPACING && !ended {
                    return false;
                }
                current.told = now;
                rate(progress.bytes.saturating_sub(current.first), now - current.since)
            }
            _ => {
                let stage = progress.stage.clone().into_owned();
                let first = progress.bytes;
                self.current = Some(Current { stage, since: now, first, told: now });
                0
            }
        };
        metadata.retain(|key, _| !key.ends_with("_progress"));
        metadata.insert(key(&progress.stage), text(progress, rate).into());
        metadata.insert("progress".to_owned(), numbers(progress, rate));
        true
    }

    /// Takes the last report away again: the work has ended.
    pub(super) fn clear(&mut self, metadata: &mut Map<String, Value>) {
        if self.current.take().is_some() {
            metadata.retain(|key, _| !key.ends_with("_progress"));
            metadata.remove("progress");
        }
    }
}

fn rate(bytes: u64, time: Duration) -> u64 {
    let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    bytes.saturating_mul(1000).checked_div(millis).unwrap_or(0)
}

fn key(stage: &str) -> String {
    let word = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    stage.chars().map(word).chain("_progress".chars()).collect()
}

fn text(progress: &Progress, rate: u64) -> String {
    let mut parts = Vec::new();
    match (progress.percent, progress.bytes) {
        (Some(percent), _) => parts.push(format!("{percent}%")),
        (None, 0) => {}
        (None, bytes) => parts.push(size(bytes)),
    }
    if rate > 0 {
        parts.push(format!("({}/s)", size(rate)));
    }
    if parts.is_empty() {
        return progress.stage.clone().into_owned();
    }
    format!("{}: {}", progress.stage, parts.join(" "))
}

/// The API gives all of these as strings.
fn numbers(progress: &Progress, rate: u64) -> Value {
    let percent = progress.percent.unwrap_or(0);
    json!({
        "stage": progress.stage,
        "percent": percent.to_string(),
        "processed": progress.bytes.to_string(),
        "speed": rate.to_string(),
    })
}

fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes}B") } else { format!("{value:.2}{}", UNITS[unit]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_download_shows_percent_and_speed_under_a_key_the_clients_look_for() {
        let mut reporter = Reporter::default();
        let mut metadata = Map::new();
        let start = Instant::now();
        let at = |bytes| Progress::bytes("download", bytes, Some(100_000_000));
        assert!(reporter.note(&at(0), start, &mut metadata));
        assert_eq!(metadata["download_progress"], "download: 0%");
        let later = start + Duration::from_secs(2);
        assert!(reporter.note(&at(45_000_000), later, &mut metadata));
        assert_eq!(metadata["download_progress"], "download: 45% (22.50MB/s)");
        assert_eq!(metadata["progress"]["speed"], "22500000");
    }

    #[test]
    fn reports_that_follow_too_fast_are_dropped_but_a_new_stage_and_the_end_are_not() {
        let mut reporter = Reporter::default();
        let mut metadata = Map::new();
        let now = Instant::now();
        assert!(reporter.note(&Progress::percent("download", 1), now, &mut metadata));
        assert!(!reporter.note(&Progress::percent("download", 2), now, &mut metadata));
        assert!(reporter.note(&Progress::percent("download", 100), now, &mut metadata));
        assert!(reporter.note(&Progress::stage("unpack rootfs"), now, &mut metadata));
        assert_eq!(metadata["unpack_rootfs_progress"], "unpack rootfs");
        assert!(!metadata.contains_key("download_progress"));
        reporter.clear(&mut metadata);
        assert!(metadata.is_empty());
    }
}
