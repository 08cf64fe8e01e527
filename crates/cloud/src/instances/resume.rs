//! Starts a virtual machine that goes on with memory that was kept.
//!
//! Until QEMU has read all of it, and the row is written, the memory is whole and the start is undone when
//! anything fails. Then the machine goes, the memory is forgotten, and there is no way back: the disk moves on.

use serde::{Deserialize, Serialize};
use tasks::{Cx, Step, Task, step};

use super::{
    boot::{Notes, Starting},
    exit,
    start::{self, Start},
};
use crate::{Error, Result, World, db::instances as rows};

/// What is done to start it.
#[derive(Serialize, Deserialize)]
pub(crate) struct Resume(pub(crate) Start);

impl Task for Resume {
    const KIND: &'static str = "instance-resume";
    // It makes no row, and may be begun without a majority.
    const FENCED: bool = false;
    type World = World;
    type Notes = Notes;
    type Error = Error;

    fn steps() -> Vec<Step<Resume>> {
        vec![
            step("start monitor", monitor).undo(abandon),
            step("attach ports", ports),
            step("run init", release),
            step("write row", record).undo(unrecord),
            step("go", go).point_of_no_return(),
        ]
    }
}

fn starting(cx: &Cx<Resume>) -> Starting<'_> {
    cx.input.0.starting(&cx.world)
}

async fn monitor(cx: &mut Cx<Resume>) -> Result<()> {
    let mut notes = cx.notes.clone();
    starting(cx).monitor(&mut notes).await?;
    cx.notes = notes;
    Ok(())
}

async fn abandon(cx: &mut Cx<Resume>) -> Result<()> {
    starting(cx).abandon().await
}

async fn ports(cx: &mut Cx<Resume>) -> Result<()> {
    starting(cx).ports().await
}

async fn release(cx: &mut Cx<Resume>) -> Result<()> {
    starting(cx).release().await
}

async fn record(cx: &mut Cx<Resume>) -> Result<()> {
    start::write(&cx.world, &cx.input.0.instance).await
}

async fn keeps(cx: &Cx<Resume>) -> Result<()> {
    let id = cx.input.0.instance.id;
    cx.world.store.write(|db| Ok::<_, Error>(rows::set_stateful(db, id, true)?)).await
}

async fn unrecord(cx: &mut Cx<Resume>) -> Result<()> {
    exit::note_stopped(&cx.world, &cx.input.0.instance).await?;
    keeps(cx).await
}

async fn go(cx: &mut Cx<Resume>) -> Result<()> {
    if starting(cx).go().await? {
        // QEMU was killed before the machine's first instruction, perhaps by a power cut: the next start goes
        // on with it.
        return keeps(cx).await;
    }
    let Start { caller, instance, .. } = &cx.input.0;
    start::tell(&cx.world, caller, instance);
    Ok(())
}
