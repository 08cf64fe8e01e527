//! What a process keeps in memory.

use anyhow::{Context, Result};

use super::files;

/// In MiB.
#[derive(Clone, Copy)]
pub(super) struct Memory {
    /// All pages it has mapped, those of its program's file too.
    pub(super) resident: f64,
    /// The same, shared pages divided by their users.
    pub(super) proportional: f64,
    /// Pages that are no file's: what goes away only with the process.
    pub(super) anonymous: f64,
    /// Pages nobody else has mapped, of files too.
    pub(super) private: f64,
}

impl Memory {
    pub(super) fn of(pid: u32) -> Result<Memory> {
        parse(&files::read(format!("/proc/{pid}/smaps_rollup"))?)
    }
}

fn parse(text: &str) -> Result<Memory> {
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let kib = line.and_then(|rest| rest.trim().strip_suffix(" kB")?.parse::<f64>().ok());
        kib.map(|kib| kib / 1024.0).with_context(|| format!("no {name} in smaps_rollup"))
    };
    Ok(Memory {
        resident: field("Rss")?,
        proportional: field("Pss")?,
        anonymous: field("Anonymous")?,
        private: field("Private_Clean")? + field("Private_Dirty")?,
    })
}

/// The process that holds an instance.
pub(super) fn monitor(instance: &str) -> Result<u32> {
    let holds = |pid: &u32| {
        let words = files::words(*pid);
        let ours = words.starts_with("microcloud monitor") && words.contains(instance);
        ours || (words.starts_with("[lxc monitor]") && words.contains(instance))
    };
    let found = files::pids().into_iter().find(holds);
    found.with_context(|| format!("no monitor of {instance} found"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kibibytes_become_mebibytes() {
        let text = "a-b ---p [rollup]\nRss: 2048 kB\nPss: 1024 kB\nPss_Anon: 1 kB\n\
                    Private_Clean: 512 kB\nPrivate_Dirty: 256 kB\nAnonymous: 256 kB\n";
        let memory = parse(text).unwrap();
        assert_eq!((memory.resident, memory.proportional), (2.0, 1.0));
        assert_eq!((memory.private, memory.anonymous), (0.75, 0.25));
        assert!(parse("Rss: 1 kB\n").is_err());
    }
}
