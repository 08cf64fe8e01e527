//! A root from a distribution's packages, by `mmdebstrap`: small, but a system one can live in.

use std::path::Path;

use exec::Control;
use exec::mmdebstrap::{Build, Hook, Stage, Target, Variant};

use super::recipe::{Recipe, Release};
use super::{files, keyring, machine, mirror};
use crate::{Kind, Result};

/// Beyond what the archive calls required. No udev, no kernel, no ssh server.
const PACKAGES: [&str; 17] = [
    "ca-certificates",
    "curl",
    "dbus",
    "dialog",
    "iproute2",
    "iputils-ping",
    "less",
    "libnss-myhostname",
    "libpam-systemd",
    "netbase",
    "procps",
    "psmisc",
    "sudo",
    "systemd",
    "systemd-resolved",
    "systemd-sysv",
    "vim-tiny",
];

/// IPv4 by DHCP, IPv6 by router advertisements. The lease carries the instance's name.
const NETWORK: &str = "\
[Match]
Name=eth0

[Network]
DHCP=ipv4
IPv6AcceptRA=yes
LinkLocalAddressing=ipv6

[DHCPv4]
UseDomains=yes
ClientIdentifier=mac

[IPv6AcceptRA]
UseDomains=yes
";

/// networkd waits for udev to announce a link unless `/sys` is read-only, as where no udev can run.
/// So it sees one: a udev daemon in each container would cost memory and do nothing.
const NO_UDEV: &str = "\
[Service]
BindReadOnlyPaths=/sys
";

const HOSTS: &str = "\
127.0.0.1\tlocalhost
::1\t\tlocalhost ip6-localhost ip6-loopback
ff02::1\t\tip6-allnodes
ff02::2\t\tip6-allrouters
";

/// Units for hardware or for a kernel of one's own: inside a container they can only fail or wait.
const MASKED: [&str; 9] = [
    "systemd-udevd.service",
    "systemd-udev-trigger.service",
    "systemd-modules-load.service",
    "sys-kernel-debug.mount",
    "sys-kernel-config.mount",
    "dev-hugepages.mount",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "modprobe@.service",
];

/// Makes the root in a folder that does not exist yet; of a machine, all but what its disk needs.
pub(super) fn make(
    recipe: &Recipe,
    release: &Release,
    root: &Path,
    control: &Control,
) -> Result<()> {
    let (mut include, mut hooks) = (PACKAGES.map(String::from).to_vec(), Vec::new());
    if recipe.kind() == Kind::VirtualMachine {
        include.extend(machine::PACKAGES.map(String::from));
        include.extend(release.machine.iter().map(|name| mirror::with_architecture(name)));
        hooks.push(Hook { stage: Stage::Essential, command: machine::BEFORE_KERNEL.into() });
    }
    hooks.push(Hook { stage: Stage::Customize, command: ENABLE.into() });
    let work = root.parent().unwrap_or(root);
    let keyring = keyring::find(recipe, release, work, control)?;
    let build = Build {
        mirrors: mirror::lines(recipe, release),
        components: release.distribution.components.iter().map(ToString::to_string).collect(),
        variant: Variant::Minbase,
        include,
        hooks,
        apt_options: vec!["Acquire::Retries \"3\"".into(), "Acquire::Languages \"none\"".into()],
        // The root is synced as a whole when it is done.
        dpkg_options: vec!["force-unsafe-io".into()],
        keyring: Some(keyring),
        ..Build::new(release.suite)
    };
    build.run(Target::Folder(root), control)?;
    if recipe.kind() == Kind::Container {
        of_container(root)?;
    }
    settings(root)
}

const ENABLE: &str = "chroot \"$1\" systemctl enable systemd-networkd.service";

/// With these every container on a machine would fetch package lists at the same hour.
const TIMERS: [&str; 2] = ["apt-daily.timer", "apt-daily-upgrade.timer"];

fn of_container(root: &Path) -> Result<()> {
    files::write(root, "etc/systemd/network/50-eth0.network", 0o644, NETWORK)?;
    let drop_in = "etc/systemd/system/systemd-networkd.service.d/50-no-udev.conf";
    files::write(root, drop_in, 0o644, NO_UDEV)?;
    MASKED
        .iter()
        .try_for_each(|unit| files::link(root, &format!("etc/systemd/system/{unit}"), "/dev/null"))
}

fn settings(root: &Path) -> Result<()> {
    files::write(root, "etc/hosts", 0o644, HOSTS)?;
    files::write(root, "etc/default/locale", 0o644, "LANG=C.UTF-8\n")?;
    files::link(root, "etc/resolv.conf", "../run/systemd/resolve/stub-resolv.conf")?;
    for timer in TIMERS {
        files::remove(root, &format!("etc/systemd/system/timers.target.wants/{timer}"))?;
    }
    // Whoever starts the instance sets its name; each gets a machine id of its own at its first start.
    files::remove(root, "etc/hostname")?;
    files::write(root, "etc/machine-id", 0o444, "")?;
    files::remove(root, "var/lib/dbus/machine-id")?;
    // What only the build wanted.
    files::remove(root, "etc/apt/apt.conf.d/99mmdebstrap")?;
    files::remove(root, "etc/dpkg/dpkg.cfg.d/99mmdebstrap")?;
    files::empty(root, "var/cache/apt")?;
    files::empty(root, "var/log/apt")?;
    for log in ["alternatives.log", "bootstrap.log", "dpkg.log", "fontconfig.log"] {
        files::remove(root, &format!("var/log/{log}"))?;
    }
    // An instance gets its own; and what is unpacked from the tarball has none either.
    files::empty(root, "dev")?;
    files::empty(root, "tmp")
}
