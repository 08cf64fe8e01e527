//! `test --rig uml plug [rounds]`: the guest is killed at a random moment while a pool changes, boots from what is on its disk,
//! and the pool is looked through. See `crates/storage/src/lvm/plug.rs`.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};

use super::rig::{self, Rig};
use crate::shell;

const USUAL: u32 = 5;
/// Seconds after which the guest is killed: within these.
const MOMENTS: std::ops::Range<u64> = 5..25;

pub(super) fn run(rig: &Rig, rounds: Option<&String>) -> Result<bool> {
    let rounds = rounds.map_or(Ok(USUAL), |text| text.parse()).context("rounds is a number")?;
    let share = rig::share(rig, &rig::Chosen::storage("plug"))?;
    let disk = shell::root().join("target/rigs/plug.disk");
    // That of an earlier run; the first time there is none.
    drop(fs::remove_file(&disk));
    let disk = format!("DISK={}", disk.display());
    for round in 1..=rounds {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let moment = MOMENTS.start + now.as_millis() as u64 % (MOMENTS.end - MOMENTS.start);
        println!("round {round} of {rounds}: killed after {moment} seconds");
        for (mode, kill) in [("load", format!("KILL={moment}")), ("check", String::from("KILL="))] {
            let script = format!("export PLUG={mode}\nexec ./storage --nocapture plug::\n");
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
