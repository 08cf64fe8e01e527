//! What the agent says of itself and its machine, and the machine's clock.

use std::{
    fs,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use hyper::{Request, body::Incoming};
use rustix::system::uname;

use super::reply::{self, Refusal, Reply, blocking};
use crate::words::{Clock, Info};

pub(super) async fn get() -> Reply {
    reply::json(&blocking(|| Ok(info())).await?)
}

fn info() -> Info {
    let name = uname();
    let text = |part: &std::ffi::CStr| part.to_string_lossy().into_owned();
    let release = fs::read_to_string("/etc/os-release")
        .or_else(|_| fs::read_to_string("/usr/lib/os-release"))
        .unwrap_or_default();
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Info {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        features: Vec::new(),
        os: field(&release, "ID"),
        os_version: field(&release, "VERSION_ID"),
        os_name: field(&release, "PRETTY_NAME"),
        kernel: text(name.sysname()),
        kernel_version: text(name.release()),
        architecture: text(name.machine()),
        hostname: text(name.nodename()),
        boot_id: read("/proc/sys/kernel/random/boot_id"),
        booted_at: boot_time(&read("/proc/stat")),
        clock: i64::try_from(clock.as_nanos()).unwrap_or(i64::MAX),
    }
}

/// What cannot be read is left empty: a guest may hide what it likes.
fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

fn boot_time(stat: &str) -> i64 {
    let line = stat.lines().find_map(|line| line.strip_prefix("btime "));
    line.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
}

/// A line of `os-release`, without its quotes (os-release(5)).
fn field(release: &str, key: &str) -> String {
    let value = |line: &str| Some(line.strip_prefix(key)?.strip_prefix('=')?.trim().to_owned());
    let value = release.lines().find_map(value).unwrap_or_default();
    value.trim_matches(['"', '\'']).to_owned()
}

pub(super) async fn set_clock(request: Request<Incoming>) -> Reply {
    let Clock { now } = reply::read(request).await?;
    let set = |now: u64| sys::set_clock(Duration::from_nanos(now));
    let now = u64::try_from(now).map_err(|_| rustix::io::Errno::INVAL.into());
    now.and_then(set).map_err(|error| Refusal::at("set", "clock", &error))?;
    reply::done()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_is_named_by_its_release_file() {
        let release =
            "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_ID=\"12\"\nID=debian\n";
        assert_eq!(field(release, "PRETTY_NAME"), "Debian GNU/Linux 12 (bookworm)");
        assert_eq!(
            (field(release, "ID").as_str(), field(release, "ID_LIKE").as_str()),
            ("debian", "")
        );
        assert_eq!(field(release, "VERSION_ID"), "12");
        assert_eq!(boot_time("cpu 1 2\nbtime 1700000000\n"), 1_700_000_000);
    }
}
