//! Whether this machine can run containers, in words a person can act on.

use std::fs;

use anyhow::Result;

use crate::shell;

/// The oldest kernel with idmapped mounts.
const KERNEL: (u32, u32) = (5, 12);

/// What is missing; nothing if all is well.
pub(crate) fn problems() -> Result<Vec<String>> {
    if std::env::consts::OS != "linux" {
        return Ok(vec![String::from("it does not run Linux")]);
    }
    let mut found: Vec<String> = [kernel(), overlay()?, cgroups()].into_iter().flatten().collect();
    if let Some(problem) = namespaces()? {
        found.push(problem);
    } else if let Some(problem) = nftables()? {
        found.push(problem);
    }
    Ok(found)
}

fn kernel() -> Option<String> {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let version = version(&release)?;
    let (major, minor) = KERNEL;
    (version < KERNEL)
        .then(|| format!("its kernel is {}: at least {major}.{minor} is needed", release.trim()))
}

fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

fn overlay() -> Result<Option<String>> {
    let known = || has_word("/proc/filesystems", "overlay");
    // Not there yet, or not a module: asked for below.
    let loaded = known() || (shell::installed("modprobe") && quietly("modprobe", &["overlay"])?);
    let words = "its kernel has no overlayfs (CONFIG_OVERLAY_FS): take the distribution's kernel";
    Ok((!loaded && !known()).then(|| words.to_owned()))
}

fn cgroups() -> Option<String> {
    let words = "no control groups version 2 are mounted: boot with systemd, or \
                 mount -t cgroup2 none /sys/fs/cgroup";
    (!has_word("/proc/self/mounts", "cgroup2")).then(|| words.to_owned())
}

/// Makes the namespaces of a container and nothing in them.
fn namespaces() -> Result<Option<String>> {
    if fs::read_to_string("/proc/sys/user/max_user_namespaces").is_ok_and(|most| most.trim() == "0")
    {
        let words = "user namespaces are switched off: sudo sysctl user.max_user_namespaces=65536";
        return Ok(Some(words.to_owned()));
    }
    let flags = ["--user", "--mount", "--net", "--pid", "--ipc", "--uts", "--fork", "true"];
    let words = "root may not make namespaces here: run it on the machine itself, or in a virtual \
                 machine, rather than inside a container";
    Ok((!quietly("unshare", &flags)?).then(|| words.to_owned()))
}

fn nftables() -> Result<Option<String>> {
    let words = "`nft list tables` fails: its kernel has no nf_tables, or root may not use it";
    Ok((!quietly("nft", &["list", "tables"])?).then(|| words.to_owned()))
}

fn quietly(program: &str, args: &[&str]) -> Result<bool> {
    Ok(shell::as_root(program, args)?.output().is_ok_and(|output| output.status.success()))
}

fn has_word(path: &str, word: &str) -> bool {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.split_whitespace().any(|found| found == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_kernels_are_read_as_numbers() {
        assert_eq!(version("6.1.0-13-amd64\n"), Some((6, 1)));
        assert_eq!(version("5.4"), Some((5, 4)));
        assert!(version("5.9.1") < Some(KERNEL) && version("5.15.0-rpi") > Some(KERNEL));
    }
}
