//! Memory and processors of a machine that runs: a balloon, and processors that come and go.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::{Call, Error, Qmp, Result, hardware::remove_device};

/// A guest that has not moved for so long does not follow: it has no driver, or uses what it should give back.
const STANDSTILL: Duration = Duration::from_secs(10);
/// Between two looks at the balloon.
const PAUSE: Duration = Duration::from_millis(50);
/// Bytes by which a balloon may miss.
pub const NEAR: u64 = 1 << 20;

/// The bytes that the machine was started with: the most it can have until it is started again.
///
/// # Errors
/// QEMU does not say.
pub async fn most_memory(qmp: &Qmp) -> Result<u64> {
    let all = qmp.call(Call::new("query-memory-size-summary")).await?;
    Ok(all["base-memory"].as_u64().unwrap_or_default())
}

/// Gives a guest so many bytes of memory, or takes what is beyond them, and waits until it is so.
///
/// # Errors
/// [`Error::Keeps`] when the guest does not follow; then it is asked for what it had.
pub async fn set_memory(qmp: &Qmp, bytes: u64) -> Result<()> {
    let before = memory_now(qmp).await?;
    let (mut last, mut moved) = (before, Instant::now());
    qmp.call(Call::new("balloon").with("value", bytes)).await?;
    while last.abs_diff(bytes) >= NEAR {
        if moved.elapsed() > STANDSTILL {
            qmp.call(Call::new("balloon").with("value", before)).await?;
            return Err(Error::Keeps { bytes: last, wanted: bytes, patience: STANDSTILL });
        }
        tokio::time::sleep(PAUSE).await;
        let now = memory_now(qmp).await?;
        if now != last {
            (last, moved) = (now, Instant::now());
        }
    }
    Ok(())
}

/// The bytes of memory that a guest has, as its balloon says.
///
/// # Errors
/// QEMU does not say.
pub async fn memory_now(qmp: &Qmp) -> Result<u64> {
    let balloon = qmp.call(Call::new("query-balloon")).await?;
    Ok(balloon["actual"].as_u64().unwrap_or_default())
}

/// How many processors a machine has.
///
/// # Errors
/// QEMU does not say.
pub async fn processors_now(qmp: &Qmp) -> Result<u32> {
    let all = qmp.call(Call::new("query-cpus-fast")).await?;
    Ok(number(all.as_array().map_or(0, Vec::len)))
}

/// QEMU's threads that are the processors, in their order, by their numbers as QEMU counts.
///
/// # Errors
/// QEMU does not say.
pub async fn threads(qmp: &Qmp) -> Result<Vec<i32>> {
    let all = qmp.call(Call::new("query-cpus-fast")).await?;
    let mut all: Vec<(u64, i32)> = all
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|cpu| {
            Some((cpu["cpu-index"].as_u64()?, i32::try_from(cpu["thread-id"].as_i64()?).ok()?))
        })
        .collect();
    all.sort_unstable();
    Ok(all.into_iter().map(|(_, thread)| thread).collect())
}

/// The processors of a machine, and those it could have.
///
/// # Errors
/// QEMU does not say, as where it cannot change them.
pub async fn processors(qmp: &Qmp) -> Result<(u32, u32)> {
    let all = slots(qmp).await?;
    let there = all.iter().filter(|slot| slot["qom-path"].is_string()).count();
    Ok((number(there), number(all.len())))
}

/// Gives a machine so many processors. Those that go are let go of by the guest first.
///
/// # Errors
/// [`Error::Processors`] when it cannot have as many; [`Error::Held`] when the guest does not let go of one; what
/// QEMU refuses.
pub async fn set_processors(qmp: &Qmp, count: u32) -> Result<()> {
    // Arm's board knows no places, and is left alone.
    if processors_now(qmp).await? == count {
        return Ok(());
    }
    let all = slots(qmp).await?;
    if count > number(all.len()) {
        return Err(Error::Processors { most: number(all.len()) });
    }
    for (at, slot) in (0..count).zip(&all) {
        if slot["qom-path"].is_string() {
            continue;
        }
        let mut device = Call::new("device_add")
            .with("driver", slot["type"].clone())
            .with("id", format!("processor{at}"));
        for (name, value) in slot["props"].as_object().into_iter().flatten() {
            device = device.with(name, value.clone());
        }
        qmp.call(device).await?;
    }
    for slot in all.iter().skip(count.try_into().unwrap_or(usize::MAX)).rev() {
        let Some(path) = slot["qom-path"].as_str() else { continue };
        let id = path.strip_prefix("/machine/peripheral/").unwrap_or(path);
        remove_device(qmp, id, "a processor").await?;
    }
    Ok(())
}

/// The places for processors, in the order of their numbers.
async fn slots(qmp: &Qmp) -> Result<Vec<Value>> {
    let all = qmp.call(Call::new("query-hotpluggable-cpus")).await?;
    let mut all = all.as_array().cloned().unwrap_or_default();
    all.sort_by_key(|slot| {
        ["socket-id", "die-id", "cluster-id", "core-id", "thread-id"]
            .map(|name| slot["props"][name].as_u64())
    });
    Ok(all)
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
