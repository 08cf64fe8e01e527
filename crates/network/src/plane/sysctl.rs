//! Kernel settings. The files show the network namespace of the thread that reads them, so they are
//! never handed to another thread; a read or write takes microseconds.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use crate::{Error, Result, Sysctl};

fn file(path: &str) -> PathBuf {
    Path::new("/proc/sys").join(path)
}

pub(super) fn read(path: &str) -> Option<String> {
    Some(fs::read_to_string(file(path)).ok()?.trim().to_owned())
}

pub(super) fn read_all(wanted: &[Sysctl]) -> BTreeMap<String, String> {
    wanted.iter().filter_map(|sysctl| Some((sysctl.path.clone(), read(&sysctl.path)?))).collect()
}

pub(super) fn write(sysctl: &Sysctl) -> Result<()> {
    // A link may have gone since the plan was made; what it had to be set to goes with it.
    fs::write(file(&sysctl.path), &sysctl.value).map_err(|source| Error::Sysctl {
        path: sysctl.path.clone(),
        value: sysctl.value.clone(),
        source,
    })
}

/// No IPv6 on a port; a kernel without IPv6 has no such file.
pub(super) fn quiet(link: &str) {
    let off = fs::write(file(&format!("net/ipv6/conf/{link}/disable_ipv6")), "1");
    if let Err(error) = off {
        tracing::debug!(%error, link, "IPv6 stays on the port");
    }
}

/// Whether bridged packets pass the rules for routed ones.
pub(super) fn filters_bridged() -> bool {
    ["iptables", "ip6tables"].iter().any(|kind| {
        let file = format!("/proc/sys/net/bridge/bridge-nf-call-{kind}");
        fs::read_to_string(file).is_ok_and(|text| text.trim() == "1")
    })
}
