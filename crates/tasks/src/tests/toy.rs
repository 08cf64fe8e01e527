//! A folder as the world, and tasks that make and move files in it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use tokio::sync::Notify;

use crate::{AfterCrash, Bus, Cancelled, Cx, Locks, Operations, Runner, Step, Task, step};

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    #[error("change file")]
    Io(#[from] std::io::Error),
}

type Result = std::result::Result<(), Error>;

pub(crate) struct World {
    folder: PathBuf,
    temporary: Option<TempDir>,
    /// Lets `Hold` go on.
    pub(crate) release: Notify,
}

impl World {
    pub(crate) fn new() -> Arc<World> {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path().to_owned();
        let world = World { folder, temporary: Some(temporary), release: Notify::new() };
        std::fs::create_dir(world.folder.join("files")).unwrap();
        std::fs::write(world.file("old"), "treasure").unwrap();
        Arc::new(world)
    }

    /// The world of another process.
    pub(crate) fn at(folder: PathBuf) -> Arc<World> {
        Arc::new(World { folder, temporary: None, release: Notify::new() })
    }

    pub(crate) fn folder(&self) -> &Path {
        self.temporary.as_ref().map_or(&self.folder, |temporary| temporary.path())
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.join("files").join(name)
    }

    pub(crate) fn journal(&self) -> PathBuf {
        self.folder.join("local.db")
    }

    /// All there is to see.
    pub(crate) fn files(&self) -> Vec<(String, String)> {
        let entries = std::fs::read_dir(self.folder().join("files")).unwrap();
        let mut files: Vec<_> = entries
            .map(|entry| {
                let entry = entry.unwrap();
                let text = std::fs::read_to_string(entry.path()).unwrap();
                (entry.file_name().into_string().unwrap(), text)
            })
            .collect();
        files.sort();
        files
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.files().into_iter().map(|(name, _)| name).collect()
    }
}

pub(crate) fn operations() -> Operations {
    Operations::new(Bus::new("none"), Locks::new())
}

pub(crate) fn runner(world: &Arc<World>) -> Runner<World> {
    builder(world).open(&world.journal()).unwrap()
}

pub(crate) fn builder(world: &Arc<World>) -> crate::Builder<World> {
    Runner::builder(world.clone(), operations())
        .register::<Make>()
        .register::<Finish>()
        .register::<Move>()
        .register::<Hold>()
        .register::<Clumsy>()
}

fn remove(path: PathBuf) -> Result {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// Makes three files; unwinds after a crash.
#[derive(Serialize, Deserialize)]
pub(crate) struct Make {
    pub(crate) name: String,
}

#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Sizes {
    bytes: usize,
}

impl Task for Make {
    const KIND: &'static str = "make";
    type World = World;
    type Notes = Sizes;
    type Error = Error;

    fn steps() -> Vec<Step<Self>> {
        vec![
            step("write first", write_first).undo(remove_first),
            step("measure", measure),
            step("write second", write_second).undo(remove_second),
        ]
    }
}

async fn write_first(cx: &mut Cx<Make>) -> Result {
    cx.check()?;
    Ok(std::fs::write(cx.world.file(&cx.input.name), "first")?)
}

async fn remove_first(cx: &mut Cx<Make>) -> Result {
    remove(cx.world.file(&cx.input.name))
}

async fn measure(cx: &mut Cx<Make>) -> Result {
    cx.notes.bytes = std::fs::read(cx.world.file(&cx.input.name))?.len();
    Ok(())
}

async fn write_second(cx: &mut Cx<Make>) -> Result {
    let path = cx.world.file(&format!("{}.size", cx.input.name));
    Ok(std::fs::write(path, cx.notes.bytes.to_string())?)
}

async fn remove_second(cx: &mut Cx<Make>) -> Result {
    remove(cx.world.file(&format!("{}.size", cx.input.name)))
}

/// The same, but goes on after a crash.
#[derive(Serialize, Deserialize)]
pub(crate) struct Finish {
    pub(crate) name: String,
}

impl Task for Finish {
    const KIND: &'static str = "finish";
    const AFTER_CRASH: AfterCrash = AfterCrash::Resume;
    type World = World;
    type Notes = Sizes;
    type Error = Error;

    fn steps() -> Vec<Step<Self>> {
        vec![step("one", finish_one).undo(unfinish_one), step("two", finish_two).undo(unfinish_two)]
    }
}

async fn finish_one(cx: &mut Cx<Finish>) -> Result {
    cx.notes.bytes = 5;
    Ok(std::fs::write(cx.world.file("one"), &cx.input.name)?)
}

async fn unfinish_one(cx: &mut Cx<Finish>) -> Result {
    remove(cx.world.file("one"))
}

async fn finish_two(cx: &mut Cx<Finish>) -> Result {
    Ok(std::fs::write(cx.world.file("two"), cx.notes.bytes.to_string())?)
}

async fn unfinish_two(cx: &mut Cx<Finish>) -> Result {
    remove(cx.world.file("two"))
}

/// Moves the treasure: copies it, and then there is no way back.
#[derive(Serialize, Deserialize)]
pub(crate) struct Move;

impl Task for Move {
    const KIND: &'static str = "move";
    type World = World;
    type Notes = ();
    type Error = Error;

    fn steps() -> Vec<Step<Self>> {
        vec![
            step("copy", copy).undo(remove_copy),
            step("delete source", delete_source).point_of_no_return(),
            step("write receipt", write_receipt),
        ]
    }
}

async fn copy(cx: &mut Cx<Move>) -> Result {
    std::fs::copy(cx.world.file("old"), cx.world.file("new"))?;
    Ok(())
}

async fn remove_copy(cx: &mut Cx<Move>) -> Result {
    remove(cx.world.file("new"))
}

async fn delete_source(cx: &mut Cx<Move>) -> Result {
    remove(cx.world.file("old"))
}

async fn write_receipt(cx: &mut Cx<Move>) -> Result {
    Ok(std::fs::write(cx.world.file("receipt"), "moved")?)
}

/// Waits until it is released or cancelled.
#[derive(Serialize, Deserialize)]
pub(crate) struct Hold;

impl Task for Hold {
    const KIND: &'static str = "hold";
    type World = World;
    type Notes = ();
    type Error = Error;

    fn steps() -> Vec<Step<Self>> {
        vec![step("begin", hold_begin).undo(hold_undo), step("wait", hold_wait)]
    }
}

async fn hold_begin(cx: &mut Cx<Hold>) -> Result {
    Ok(std::fs::write(cx.world.file("held"), "")?)
}

async fn hold_undo(cx: &mut Cx<Hold>) -> Result {
    remove(cx.world.file("held"))
}

async fn hold_wait(cx: &mut Cx<Hold>) -> Result {
    tokio::select! {
        () = cx.world.release.notified() => Ok(()),
        () = cx.operation.cancelled() => cx.check(),
    }
}

/// Breaks several laws.
#[derive(Serialize, Deserialize)]
pub(crate) struct Clumsy {
    pub(crate) panic: bool,
}

impl Task for Clumsy {
    const KIND: &'static str = "clumsy";
    type World = World;
    type Notes = ();
    type Error = Error;

    fn steps() -> Vec<Step<Self>> {
        vec![step("append", append).undo(forget_half), step("maybe panic", maybe_panic)]
    }
}

async fn append(cx: &mut Cx<Clumsy>) -> Result {
    let old = std::fs::read_to_string(cx.world.file("log")).unwrap_or_default();
    Ok(std::fs::write(cx.world.file("log"), old + "x")?)
}

/// Fails when it runs a second time.
async fn forget_half(cx: &mut Cx<Clumsy>) -> Result {
    Ok(std::fs::remove_file(cx.world.file("log"))?)
}

async fn maybe_panic(cx: &mut Cx<Clumsy>) -> Result {
    assert!(!cx.input.panic, "stumbled");
    Ok(())
}
