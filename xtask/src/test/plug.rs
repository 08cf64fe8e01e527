//! `test --rig uml plug [rounds]`: the guest is killed at a random moment while a pool changes, boots from what is on its disk,
//! and the pool is looked through. See `crates/storage/src/lvm/plug.rs`. `plug daemon [rounds]` does the same to a whole
//! server: `lab/tests/plug.rs`. `--rig zfs plug [rounds]` tries a pool of ZFS.

use std::fs;
use std::ops::Range;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};

use super::rig::{self, Rig};
use crate::shell;

const USUAL: u32 = 5;
/// Seconds after which the guest is killed: within these. A server is set up first.
const MOMENTS: [Range<u64>; 2] = [5..25, 15..60];
/// In a machine that is emulated.
const SLOWER: Range<u64> = 25..80;

pub(super) fn run(rig: &Rig, words: &[String]) -> Result<bool> {
    let daemon = words.first().is_some_and(|word| word == "daemon");
    let rounds = words.get(usize::from(daemon));
    let rounds = rounds.map_or(Ok(USUAL), |text| text.parse()).context("rounds is a number")?;
    let [of_pool, of_daemon] = MOMENTS;
    let of_pool = if rig.plug().is_empty() { of_pool } else { SLOWER };
    let (chosen, run, moments) = match daemon {
        true => (rig::Chosen::file("plug"), "./suite --nocapture plug::", of_daemon),
        false => (rig::Chosen::storage("plug"), "./storage --nocapture plug::", of_pool),
    };
    let share = rig::share(rig, &chosen)?;
    let disk = shell::root().join("target/rigs/plug.disk");
    // That of an earlier run; the first time there is none.
    drop(fs::remove_file(&disk));
    let disk = format!("DISK={}", disk.display());
    for round in 1..=rounds {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let moment = moments.start + now.as_millis() as u64 % (moments.end - moments.start);
        println!("round {round} of {rounds}: killed after {moment} seconds");
        for (mode, kill) in [("load", format!("KILL={moment}")), ("check", String::from("KILL="))] {
            let own = rig.plug();
            let script = format!(
                "export PLUG={mode} MICROCLOUD_BIN=$PWD/microcloud{own}\n{run}; status=$?; dmesg | tail -5; exit $status\n"
            );
            fs::write(share.join("run.sh"), script).context("write run.sh")?;
            let (text, well) = rig::shown(&mut rig.command(&[&disk, &kill], &share)?)?;
            if text.contains("panicked") || mode == "check" && !well {
                return Ok(false);
            }
        }
    }
    println!("{rounds} passed, 0 failed, 0 skipped");
    Ok(true)
}
