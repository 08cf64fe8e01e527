//! A machine's socket to its host, where that has it (`/dev/vhost-vsock`): a quicker way to the agent than its port.
//! What fails here is no reason not to start: the port is there.

use std::{
    fs::File,
    hash::{DefaultHasher, Hash, Hasher},
    path::Path,
};

use vm::{Layout, Qmp};

use crate::{Error, Result, World};

const DEVICE: &str = "/dev/vhost-vsock";
/// Numbers below belong to hypervisor and host; the highest means any.
const FIRST: u32 = 3;
/// Another machine may have the first choice.
const TRIES: u32 = 16;

/// Gives a machine one, if it can have it; one that goes on with its memory has what it had. A machine whose memory may
/// go elsewhere gets none: not every server has it.
pub(super) async fn plug(
    world: &World,
    qmp: &Qmp,
    id: &str,
    (goes_on, may_go): (bool, bool),
    layout: &Layout,
) -> Result<()> {
    if goes_on && vm::had_vsock(layout) {
        return add(world, qmp, id, layout).await;
    }
    if !goes_on
        && !may_go
        && Path::new(DEVICE).exists()
        && let Err(error) = add(world, qmp, id, layout).await
    {
        tracing::warn!(instance = id, error = tasks::chain(&error), "it has no socket to its host");
    }
    Ok(())
}

async fn add(world: &World, qmp: &Qmp, id: &str, layout: &Layout) -> Result<()> {
    let mut hasher = DefaultHasher::new();
    (&world.tag, id).hash(&mut hasher);
    let first = u32::try_from(hasher.finish() >> 33).unwrap_or(FIRST);
    let mut tried = 0;
    loop {
        let device = Path::new(DEVICE);
        let file = File::options().read(true).write(true).open(device);
        let file = file.map_err(Error::file("open", device))?;
        let number = first.wrapping_add(tried).max(FIRST);
        tried += 1;
        match vm::add_vsock(qmp, number, file.into(), layout).await {
            Err(vm::Error::Refused { why, .. }) if tried < TRIES && why.contains("in use") => {}
            done => return Ok(done?),
        }
    }
}
