//! Compares everything in a pool of ZFS with its checksums; what has a second copy is mended from it.

use std::time::Duration;

use exec::{Control, Progress, zfs};

use super::source::failed;
use crate::{Result, Scrubbed};

/// How often it is told that it goes on.
const LOOK: Duration = Duration::from_millis(500);

/// Scrubs a pool, and says what was found since the last scrub.
pub(super) fn scrub(pool: &str, control: &Control) -> Result<Scrubbed> {
    let stage = || Progress { stage: "compare with checksums".into(), ..Progress::default() };
    let (sender, over) = std::sync::mpsc::channel::<()>();
    std::thread::scope(|threads| {
        threads.spawn(move || {
            while over.recv_timeout(LOOK) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                control.report(stage());
            }
        });
        let done = zfs::scrub(pool, control);
        drop(sender);
        done
    })
    .map_err(|e| failed("compare with its checksums", pool, e))?;
    let text = zfs::status(pool).map_err(|e| failed("look at", pool, e))?;
    let bytes = zfs::pool_property(pool, "allocated").map_err(|e| failed("measure", pool, e))?;
    let (repaired, damaged) = read(&text);
    // It tells repaired bytes; a place is at least one of its smallest blocks.
    let repaired = repaired.div_ceil(4096);
    Ok(Scrubbed { bytes: bytes.parse().unwrap_or(0), repaired, damaged })
}

/// Repaired bytes and places that stay wrong, from a line such as
/// `scan: scrub repaired 131072 in 00:00:01 with 0 errors on Sat Nov 28 11:00:00 2026`.
fn read(status: &str) -> (u64, u64) {
    let line = status.lines().find_map(|line| line.trim().strip_prefix("scan: scrub repaired "));
    let number = |text: Option<&str>| -> u64 {
        let text = text.unwrap_or_default().trim_end_matches('B');
        text.parse().unwrap_or(0)
    };
    let mut words = line.unwrap_or_default().split(' ');
    let repaired = number(words.next());
    let damaged = number(words.skip_while(|word| *word != "with").nth(1));
    (repaired, damaged)
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn the_line_of_a_scrub_is_read() {
        let text = "  pool: tank\n state: ONLINE\n  scan: scrub repaired 131072 in 00:00:01 with 3 errors \
                    on Sat Nov 28 11:00:00 2026\nconfig:\n";
        assert_eq!(read(text), (131_072, 3));
        assert_eq!(read("scan: scrub repaired 0B in 00:00:00 with 0 errors on"), (0, 0));
        assert_eq!(read("scan: none requested"), (0, 0));
    }
}
