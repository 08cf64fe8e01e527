//! The text of a profile (apparmor.d(5)); the rules around QEMU are in `machine`.
//!
//! It allows all and then refuses what a container has no business with, because a system container
//! runs any program there is. Signals and tracing end at its border. In an unprivileged container
//! the user namespace refuses the rest; a privileged one may write only those kernel settings that
//! have a namespace, and mount only what is no disk (all, if it is to run containers of its own).

use std::fmt::Write;

use super::{
    features::{Abi, Features},
    machine,
};

/// What a profile depends on.
#[derive(Clone, Copy, Debug)]
pub struct Profile<'a> {
    /// Its name, see [`super::profile_name`].
    pub name: &'a str,
    /// Is it around QEMU? Then what a container may do is of no matter.
    pub machine: bool,
    /// Is the container's root the host's?
    pub privileged: bool,
    /// May it run containers of its own?
    pub nesting: bool,
    /// May it load profiles of its own, into a namespace below this profile? Needs
    /// [`Features::stacking`].
    pub stacked: bool,
    /// What the machine can do.
    pub features: Features,
    /// Further lines of the user (`raw.apparmor`), each with its comma.
    pub extra: &'a str,
}

impl Profile<'_> {
    /// The whole file.
    pub fn text(&self) -> String {
        let mut parts = if self.machine { machine::rules(self) } else { self.container() };
        if !self.extra.trim().is_empty() {
            parts.push(format!("# raw.apparmor\n{}\n", self.extra.trim()));
        }
        let abi = match self.features.abi {
            None => "",
            Some(Abi::V3) => "abi <abi/3.0>,\n",
            Some(Abi::V4) => "abi <abi/4.0>,\n",
        };
        // Paths of files outside the container's root count as absolute, deleted ones keep theirs.
        let flags = "flags=(attach_disconnected,mediate_deleted)";
        let body = indent(&parts.join("\n"));
        let head = "# Written by MicroCloud at each start of the instance.\n";
        format!("{head}{abi}\nprofile \"{}\" {flags} {{\n{body}}}\n", self.name)
    }

    fn container(&self) -> Vec<String> {
        let mut parts = vec![self.base()];
        parts.push(REFUSED.to_owned());
        if self.privileged {
            parts.push(PRIVILEGED_REFUSED.to_owned());
        }
        parts.push(if self.stacked { self.stacking() } else { POLICY_REFUSED.to_owned() });
        parts.push(self.mounts());
        parts
    }

    fn base(&self) -> String {
        let mut text = "capability,\ndbus,\nfile,\nnetwork,\nunix,\n".to_owned();
        if self.features.abi == Some(Abi::V4) {
            text += "io_uring,\nmqueue,\nuserns,\n";
        }
        let name = self.name;
        let stacked = if self.stacked { format!("{name}//&*") } else { String::new() };
        for peer in [name, &stacked].into_iter().filter(|peer| !peer.is_empty()) {
            let _ = write!(text, "signal peer=\"{peer}\",\nptrace peer=\"{peer}\",\n");
        }
        text + "signal (receive) peer=unconfined,\nptrace (readby, tracedby) peer=unconfined,\n"
    }

    fn stacking(&self) -> String {
        let name = self.name;
        format!(
            "# Profiles of its own, below this one\n\
             change_profile -> \":{name}:*\",\nchange_profile -> \":{name}://*\",\n"
        )
    }

    fn mounts(&self) -> String {
        if !self.privileged || self.nesting {
            return "# Mounts: the kernel decides\nmount,\npivot_root,\nremount,\numount,\n".into();
        }
        let mut text = String::from(
            "# Mounts: no disks, and no change of a file system that the host uses too\n\
             pivot_root,\numount,\n",
        );
        let _ = writeln!(text, "mount fstype=({}),", PRIVILEGED_FILE_SYSTEMS.join(", "));
        for how in ["bind", "rbind", "move", "bind,ro", "rbind,ro"] {
            let _ = writeln!(text, "mount options=({}),", with_rw(how));
        }
        for kind in ["private", "shared", "slave", "unbindable"] {
            for how in ["", "r"] {
                let _ = writeln!(text, "mount options=(make-{how}{kind}),");
                let _ = writeln!(text, "mount options=(rw,make-{how}{kind}),");
            }
        }
        for flags in subsets(&["nosuid", "nodev", "noexec", "noatime", "relatime"]) {
            for mode in ["ro", "rw"] {
                let _ = writeln!(text, "remount options=({mode},bind{flags}),");
            }
        }
        text
    }
}

/// What reaches the kernel or the firmware of the machine.
const REFUSED: &str = "\
# The machine
deny /proc/acpi/** wklx,
deny /proc/kcore rwklx,
deny /proc/sysrq-trigger rwklx,
deny /sys/firmware/efi/efivars/** rwklx,
deny /sys/kernel/debug/** rwklx,
deny /sys/kernel/tracing/** rwklx,
";

/// The rules of security modules.
const POLICY_REFUSED: &str = "\
# Rules of security modules
deny /sys/kernel/security/** wklx,
";

/// Settings of the machine. Of /proc/sys the net folder and some of the kernel folder belong to the
/// container's namespaces (hostname, domainname, sem*, shm*, msg*); of /sys its network links, its
/// control groups and fuse.
const PRIVILEGED_REFUSED: &str = "\
# Settings of the machine
deny /proc/sys/[^kn]** wklx,
deny /proc/sys/kernel/[^dhms]** wklx,
deny /proc/sys/kernel/d[^o]** wklx,
deny /proc/sys/kernel/h[^o]** wklx,
deny /proc/sys/kernel/ho[^s]** wklx,
deny /proc/sys/kernel/m[^s]** wklx,
deny /proc/sys/kernel/s[^eh]** wklx,
deny /proc/sys/kernel/se[^m]** wklx,
deny /sys/{block,bus,dev,firmware,hypervisor,kernel,module,power}/** wklx,
deny /sys/devices/[^v]** wklx,
deny /sys/devices/virtual/[^n]** wklx,
deny /sys/fs/[^cf]** wklx,
";

/// File systems without a disk behind them.
const PRIVILEGED_FILE_SYSTEMS: [&str; 14] = [
    "cgroup",
    "cgroup2",
    "devpts",
    "fuse",
    "fuse.*",
    "hugetlbfs",
    "mqueue",
    "nfs",
    "nfs4",
    "overlay",
    "proc",
    "ramfs",
    "sysfs",
    "tmpfs",
];

/// Every set of the words, as `,a,b`.
fn subsets(words: &[&str]) -> Vec<String> {
    let subset = |bits: usize| -> String {
        let chosen = words.iter().enumerate().filter(|(index, _)| bits & 1 << index != 0);
        chosen.map(|(_, word)| format!(",{word}")).collect()
    };
    (0..1 << words.len()).map(subset).collect()
}

/// A mount that is not read-only is "rw" to the parser.
fn with_rw(options: &str) -> String {
    if options.ends_with(",ro") { options.to_owned() } else { format!("rw,{options}") }
}

fn indent(text: &str) -> String {
    text.lines()
        .map(|line| if line.is_empty() { "\n".to_owned() } else { format!("  {line}\n") })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const V4: Features = Features { abi: Some(Abi::V4), stacking: true };

    fn profile(change: impl Fn(&mut Profile<'static>)) -> Profile<'static> {
        let mut profile = Profile {
            name: "microcloud-a1_default_web",
            machine: false,
            privileged: false,
            nesting: false,
            stacked: false,
            features: Features { abi: Some(Abi::V3), stacking: false },
            extra: "",
        };
        change(&mut profile);
        profile
    }

    fn variants() -> Vec<(Profile<'static>, &'static str)> {
        let unprivileged = profile(|_| {});
        let nested = profile(|profile| {
            (profile.nesting, profile.stacked, profile.features) = (true, true, V4);
            profile.extra = "deny /secret r,\n";
        });
        let privileged = profile(|profile| profile.privileged = true);
        let machine = profile(|profile| profile.machine = true);
        vec![
            (unprivileged, include_str!("golden/unprivileged.txt")),
            (nested, include_str!("golden/nested.txt")),
            (privileged, include_str!("golden/privileged.txt")),
            (machine, include_str!("golden/machine.txt")),
        ]
    }

    #[test]
    fn profiles_as_text() {
        for (profile, golden) in variants() {
            let text = profile.text();
            assert_eq!(text, golden, "now:\n{text}");
        }
    }

    #[test]
    fn the_parser_takes_them() {
        if !exec::installed("apparmor_parser") {
            eprintln!("SKIP: apparmor_parser is not installed");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        for (profile, _) in variants() {
            let file = folder.path().join("profile");
            let text = Profile { features: Features::default(), ..profile }.text();
            std::fs::write(&file, text).unwrap();
            exec::apparmor_parser::check(&file).unwrap();
        }
    }

    #[test]
    fn a_bad_line_of_the_user_is_named() {
        if !exec::installed("apparmor_parser") {
            eprintln!("SKIP: apparmor_parser is not installed");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("profile");
        let text = profile(|profile| profile.extra = "deny nonsense").text();
        std::fs::write(&file, text.replace("abi <abi/3.0>,\n", "")).unwrap();
        let error = exec::apparmor_parser::check(&file).unwrap_err().to_string();
        assert!(error.contains("syntax error"), "{error}");
    }
}
