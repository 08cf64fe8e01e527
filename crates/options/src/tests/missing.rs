//! Why a key of LXD's is not here. The first that fits a key holds.

use std::collections::BTreeSet;

/// Why, and the beginnings of the keys (entity, group, key) that it is true of; `~` stands before what may be anywhere.
const WHY: [(&str, &[&str]); 20] = [
    ("A MAAS server gives the addresses: no rig has one.", &["~maas."]),
    (
        "Storage of a vendor, which no rig has.",
        &["storage-alletra", "storage-powerflex", "storage-pure"],
    ),
    (
        "Ceph comes with storage that members share.",
        &["storage-ceph", "device-disk device-conf ceph."],
    ),
    (
        "Parts of graphics cards: no rig has a card that can be divided.",
        &["device-gpu-mdev", "device-gpu-mig", "device-gpu-sriov"],
    ),
    ("InfiniBand: no rig has it.", &["device-infiniband"]),
    (
        "Network cards that share or take a card of the host, and OVN, come with the networks of those kinds.",
        &[
            "device-nic-ipvlan",
            "device-nic-macvlan",
            "device-nic-ovn",
            "device-nic-physical",
            "device-nic-routed",
            "device-nic-sriov",
            "network-macvlan",
            "network-ovn",
            "network-physical",
            "network-sriov",
            "server miscellaneous network.ovn",
            "instance volatile volatile.<name>.last_state.v",
        ],
    ),
    (
        "Zones, rules, tunnels and BGP of networks come with them.",
        &[
            "network-bridge",
            "network-zone",
            "device-nic-bridged",
            "server core core.bgp_",
            "server core core.dns_address",
        ],
    ),
    (
        "A container's TPM needs vtpm_proxy of the kernel, which no rig has.",
        &["device-tpm device-conf"],
    ),
    ("AMD's encrypted memory: no rig has it.", &["instance security security.sev"]),
    ("Nvidia's libraries in containers: no rig has such a card.", &["instance nvidia"]),
    (
        "There is no liblxc here, QEMU gets arguments and no file (raw.qemu), and its firmware's log needs a build of its own.",
        &["instance raw raw.lxc", "instance raw raw.qemu.conf", "instance boot boot.debug_edk2"],
    ),
    (
        "BPF tokens need Linux 6.9 and a mount that LXD's own guests know.",
        &["instance security security.delegate_bpf"],
    ),
    ("A service of Ubuntu's alone.", &["instance miscellaneous ubuntu_pro"]),
    (
        "Sign-on by OpenID, certificates by ACME and logs to Loki come with identities.",
        &["server acme", "server oidc", "server loki", "server core core.https_trusted_proxy"],
    ),
    (
        "Containers are not stopped with what they have in memory (CRIU).",
        &["instance migration migration.incremental"],
    ),
    (
        "Control groups of version 2 have no such setting.",
        &["instance resource-limits limits.memory.swap.priority"],
    ),
    (
        "What LXD notes for itself; here it is noted elsewhere, or need not be.",
        &["instance volatile"],
    ),
    (
        "Go's profiler, and what OVN's logs are sent to.",
        &["server core core.debug_address", "server core core.syslog_socket"],
    ),
    (
        "A program in Starlark: cluster.spread and groups of members are words (cluster.md).",
        &["server miscellaneous instances.placement.scriptlet"],
    ),
    (
        "A disk that is another machine's root: LXD has it since 6.",
        &["device-disk device-conf source.type"],
    ),
];

/// Reasons in their order, with their keys. Fails on a reason that no key has.
pub(super) fn grouped(missing: &BTreeSet<String>) -> Vec<(&'static str, Vec<&str>)> {
    let mut groups: Vec<_> = WHY.iter().map(|(why, _)| (*why, Vec::new())).collect();
    for key in missing {
        let fits = |start: &&str| match start.strip_prefix('~') {
            Some(part) => key.contains(part),
            None => key.starts_with(start),
        };
        let at = WHY.iter().position(|(_, starts)| starts.iter().any(fits));
        groups[at.expect("the last fits all")].1.push(key.as_str());
    }
    let idle: Vec<_> = groups.iter().filter(|(_, keys)| keys.is_empty()).collect();
    assert!(idle.is_empty(), "reasons without a key: {idle:?}");
    groups
}
