//! What programs wrote whose output was recorded: two files each, among the logs of their instance.
//!
//! They are the user's until he deletes them, or the instance goes. So that a program that is run
//! every minute fills no disk, the oldest give way, and of a long output the beginning is kept.

use std::path::{Path, PathBuf};

use futures_util::future::try_join;
use runtime::{ExecSpec, Stdio};
use serde_json::{Map, Value};
use tasks::{Message, Operation};
use tokio::{
    fs::File,
    io::AsyncWriteExt,
    sync::{
        mpsc::{self, Receiver},
        watch,
    },
};

use super::{exec, guests::Guest, logs, program::Program, streams::Stream};
use crate::{Error, Result, World, names, url};

/// Beneath the folder of logs.
const FOLDER: &str = "exec-output";
/// Bytes kept of each output.
const LONGEST: usize = 16 << 20;
/// Files kept of each instance, two a program.
const MOST: usize = 128;
/// Blocks under way between a program and its file.
const BLOCKS: usize = 4;

/// Runs it without input, and keeps what it writes.
pub(super) async fn recorded(
    world: &World,
    guest: &Guest,
    spec: ExecSpec,
    operation: &Operation,
) -> Result<()> {
    let (project, name) = (guest.project(), guest.name());
    let folder = folder(world, project, name);
    make_room(&folder).await?;
    let files = ["stdout", "stderr"].map(|what| format!("exec_{}.{what}", operation.id()));
    let started = Program::start(guest, spec, true).await;
    let mut started = started.inspect_err(|error| exec::tell_code(error, operation))?;
    let (done, over) = watch::channel(false);
    let [out, err] = files.each_ref().map(|file| folder.join(file));
    let kept = keep_both(started.take_stdio(), [&out, &err], over);
    let ended = async {
        let code = exec::ended(&std::sync::Mutex::new(started)).await;
        done.send_replace(true);
        code
    };
    let ((), code) = try_join(kept, ended).await?;
    let address = |file: &str| url::of(&format!("instances/{name}/logs/{FOLDER}"), file, project);
    let output = ["1", "2"].into_iter().zip(&files);
    let output: Map<_, _> =
        output.map(|(fd, file)| (fd.to_owned(), Value::from(address(file)))).collect();
    operation.set_metadata("output", Value::Object(output));
    operation.set_metadata("return", code);
    Ok(())
}

/// Writes both outputs into files until their end, or until the program is over and nothing is
/// left. Its input is at its end at once.
async fn keep_both(stdio: Stdio, files: [&Path; 2], over: watch::Receiver<bool>) -> Result<()> {
    let Stdio::Pipes { stdin, stdout, stderr } = stdio else { return Ok(()) };
    drop(stdin);
    let [out, err] = files;
    try_join(keep(stdout, out, over.clone()), keep(stderr, err, over)).await?;
    Ok(())
}

async fn keep(from: std::os::fd::OwnedFd, path: &Path, over: watch::Receiver<bool>) -> Result<()> {
    let file = File::create_new(path).await.map_err(Error::file("make", path))?;
    let stream = Stream::new(from).map_err(Error::file("watch", path))?;
    let (sender, receiver) = mpsc::channel(BLOCKS);
    let ((), written) =
        tokio::join!(stream.pump_out(&sender, exec::is_over(over)), write(receiver, file));
    written.map_err(Error::file("write", path))
}

/// Writes as much as is kept; the rest is read all the same, so that the program goes on.
async fn write(mut from: Receiver<Message>, mut file: File) -> std::io::Result<()> {
    let mut room = LONGEST;
    while let Some(Message::Binary(bytes)) = from.recv().await {
        let kept = &bytes[..bytes.len().min(room)];
        room -= kept.len();
        file.write_all(kept).await?;
    }
    file.flush().await
}

/// Removes the oldest files so that two more may come.
async fn make_room(folder: &Path) -> Result<()> {
    tokio::fs::create_dir_all(folder).await.map_err(Error::file("make", folder))?;
    let mut found = Vec::new();
    for name in logs::files(folder).await? {
        let path = folder.join(name);
        let written = tokio::fs::metadata(&path).await.and_then(|data| data.modified());
        // One that was deleted just now is out of the way.
        found.extend(written.ok().map(|written| (written, path)));
    }
    found.sort();
    let surplus = (found.len() + 2).saturating_sub(MOST);
    for (_, path) in found.into_iter().take(surplus) {
        remove(&path).await?;
    }
    Ok(())
}

/// Deletes a file; none is Ok.
async fn remove(path: &Path) -> Result<()> {
    match tokio::fs::remove_file(path).await {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::file("delete", path)(error))
        }
        _ => Ok(()),
    }
}

fn folder(world: &World, project: &str, name: &str) -> PathBuf {
    world.dirs.log(&names::instance_id(project, name)).join(FOLDER)
}

/// The addresses of all that was recorded.
pub async fn list(world: &World, project: &str, name: &str) -> Result<Vec<String>> {
    world.store.read(|db| super::find(db, project, name))?;
    let found = logs::files(&folder(world, project, name)).await?;
    let path = format!("instances/{name}/logs/{FOLDER}");
    Ok(found.iter().map(|file| url::of(&path, file, project)).collect())
}

/// The path of a file that is there.
pub fn path(world: &World, project: &str, name: &str, file: &str) -> Result<PathBuf> {
    world.store.read(|db| super::find(db, project, name))?;
    let path = folder(world, project, name).join(file);
    let there = logs::plain(file) && path.is_file();
    if there { Ok(path) } else { Err(Error::not_found("recorded output", file)) }
}

/// Deletes a file that is there.
pub async fn delete(world: &World, project: &str, name: &str, file: &str) -> Result<()> {
    remove(&path(world, project, name, file)?).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_oldest_give_way_and_a_long_output_is_cut() {
        let place = tempfile::tempdir().unwrap();
        for number in 0..MOST {
            let file = std::fs::File::create(place.path().join(number.to_string())).unwrap();
            let seconds = std::time::Duration::from_secs(number as u64);
            file.set_modified(std::time::UNIX_EPOCH + seconds).unwrap();
        }
        make_room(place.path()).await.unwrap();
        let left = logs::files(place.path()).await.unwrap();
        assert_eq!(left.len(), MOST - 2);
        assert!(!left.contains(&String::from("0")) && !left.contains(&String::from("1")));

        let (sender, receiver) = mpsc::channel(1);
        let path = place.path().join("long");
        let file = File::create_new(&path).await.unwrap();
        let writes = tokio::spawn(write(receiver, file));
        for _ in 0..20 {
            sender.send(Message::Binary(vec![b'x'; 1 << 20].into())).await.unwrap();
        }
        drop(sender);
        writes.await.unwrap().unwrap();
        assert_eq!(std::fs::metadata(path).unwrap().len(), LONGEST as u64);
    }
}
