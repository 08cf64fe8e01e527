//! The text of the profile around QEMU, and around the programs beside it.
//!
//! The other way round than a container's: what is not allowed is refused. There is no program to be run, no
//! network, no mount, no setting of the host's. Files are not told apart by their places: of the host's it sees but
//! few, and what it was given open (disks, taps) has a place that it does not see.

use std::fmt::Write;

use super::Profile;

/// Without `x`: nothing is executed.
const FILES: &str = "\
# What it sees, and what it was given open
/ r,
/** rwklm,
deny /{boot,etc,lib,lib64,usr}/** wl,
deny /proc/{acpi,irq,sys}/** wkl,
deny /proc/kcore rwkl,
deny /proc/sysrq-trigger rwkl,
deny /sys/** wkl,
";

/// Unix sockets: its own and SPICE's; news of USB devices.
const SOCKETS: &str = "\
network netlink raw,
network unix dgram,
network unix stream,
unix,
";

/// What `virtiofsd` does for a guest's files, and `swtpm` for its own, as root of a user namespace.
const ABILITIES: &str = "\
# Programs beside QEMU
capability chown,
capability dac_override,
capability dac_read_search,
capability fowner,
capability fsetid,
capability mknod,
capability setfcap,
capability setgid,
capability setpcap,
capability setuid,
capability sys_chroot,
capability sys_resource,
";

/// The rules, without what is around them.
pub(super) fn rules(profile: &Profile<'_>) -> Vec<String> {
    let mut peers = String::new();
    // Writing to a String cannot fail.
    let _ = write!(peers, "signal peer=\"{0}\",\nptrace peer=\"{0}\",\n", profile.name);
    peers += "signal (receive) peer=unconfined,\nptrace (readby, tracedby) peer=unconfined,\n";
    vec![FILES.to_owned(), SOCKETS.to_owned(), ABILITIES.to_owned(), peers]
}
