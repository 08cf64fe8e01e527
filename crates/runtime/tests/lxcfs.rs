//! What lxcfs shows instead of the machine's numbers.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod common;

use common::{Guest, skip};

#[test]
fn memory_is_that_of_the_limit_and_a_fresh_proc_can_be_mounted() {
    if skip() {
        return;
    }
    let Some(lxcfs) = runtime::lxcfs::find() else {
        eprintln!("SKIP: no lxcfs is running");
        return;
    };
    let mut guest = Guest::new("lxcfs");
    guest.spec.lxcfs = Some(lxcfs);
    guest.spec.limits.memory = Some(256 << 20);
    guest.spec.nesting = true;
    let guest = guest.start();
    assert!(guest.ok("cat /proc/meminfo").contains("MemTotal:         262144 kB"));
    let uptime = guest.ok("cat /proc/uptime");
    let seconds: f64 = uptime.split(' ').next().unwrap().parse().unwrap();
    assert!(seconds < 60.0, "{uptime}");
    guest.ok("mkdir -p /tmp/p; mount -t proc proc /tmp/p");
}
