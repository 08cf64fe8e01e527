//! A daemon whose clock jumps, as that of a board without a battery: what is over at a moment is, and what counts seconds
//! goes on. Members of a cluster are in `faults`.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use lab::{Daemon, within};

const DAY: i64 = 86_400;
/// For a daemon to see that its clock was set.
const SEEN: Duration = Duration::from_secs(10);

/// How far the clock of a daemon is ahead, as a snapshot says that it makes then.
fn ahead(daemon: &Daemon, name: &str) -> TimeDelta {
    daemon.lxc(["snapshot", "x", name]).ok();
    let made = daemon.get(&format!("/1.0/instances/x/snapshots/{name}"));
    let made = made["created_at"].as_str().unwrap_or_default().to_owned();
    let made: DateTime<Utc> = made.parse().unwrap_or_else(|e| panic!("{made:?}: {e}"));
    made - Utc::now()
}

fn leases(daemon: &Daemon) -> String {
    daemon.cli(["network", "list-leases", "mcbr0", "--format", "csv"]).text()
}

#[test]
fn a_clock_that_jumps_ends_no_lease_of_an_address() {
    let Some(mut daemon) = Daemon::ready() else { return };
    daemon.busybox("x");
    let address = daemon.address("x").to_string();
    let mut count = 0;
    for by in [DAY, 0, -DAY, 0] {
        daemon.set_clock(by);
        within(SEEN, "its clock is set", || {
            count += 1;
            let off = ahead(&daemon, &format!("s{count}")) - TimeDelta::seconds(by);
            (off.abs() < TimeDelta::seconds(60)).then_some(())
        });
        assert!(leases(&daemon).contains(&address), "{by}: {}", leases(&daemon));
        let found = daemon.sh("x", "nslookup -type=a x").shown();
        assert!(found.contains(&address), "{by}: {found}");
    }
    // It begins behind, and hears of the time later.
    daemon.kill9();
    daemon.set_clock(-DAY);
    daemon.launch();
    daemon.set_clock(0);
    assert!(leases(&daemon).contains(&address), "{}", leases(&daemon));
    daemon.lxc(["restart", "x", "--force"]).ok();
    assert_eq!(daemon.address("x").to_string(), address);
    daemon.lxc(["delete", "x", "--force"]).ok();
}
