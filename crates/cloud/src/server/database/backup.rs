//! A backup of the server itself: its database, its certificates, the keys of its encrypted pools, in one tarball. It
//! is as secret as they are.
//!
//! ```text
//! restore: unpacked, made a database of this server alone ──> restoring/ ──> the daemon begins anew:
//!     what is there goes to before-restore-<time>/, and what is in restoring/ takes its place, one renaming after the other
//! ```
//! Until `restoring/` has its name nothing is changed; from then on it is done, however often it is begun.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Component, Path, PathBuf},
};

use chrono::Utc;
use serde::{Deserialize, Serialize};
use store::{Member, Migration};

use crate::{Caller, Dirs, Error, Result, World, blocking::blocking, disk, names::DEFAULT_PROJECT};

/// The version of what is in the tarball.
const FORMAT: u32 = 1;
/// The head of it.
const HEAD: &str = "backup.json";
/// The copy of the database.
const STATE: &str = "state.db";
/// What is in it besides, if there is any.
const FILES: [&str; 4] = ["server.crt", "server.key", "cluster.crt", "cluster.key"];
const KEYS: &str = "storage-keys";
/// What belongs to the database that goes.
const STALE: [&str; 4] = ["local.db", "local.db-wal", "local.db-shm", "powers.json"];
/// In `restoring/`: the name of the folder for what was there before.
const BEFORE: &str = "before";
/// More than this is no head.
const LONGEST_HEAD: u64 = 64 << 10;

/// Whose backup it is.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    format: u32,
    program: String,
    made: chrono::DateTime<Utc>,
    member: u64,
    name: String,
    address: String,
}

/// Writes a backup to a file of the cache folder, for whoever asked to send and remove.
pub async fn backup(world: &World) -> Result<PathBuf> {
    let name = format!("database-{}", uuid::Uuid::new_v4().simple());
    let (file, state) = (world.dirs.cache().join(&name), world.dirs.cache().join(name + ".db"));
    let done = pack(world, &file, &state).await;
    // It is in the tarball, or good for nothing.
    let _ = fs::remove_file(&state);
    if done.is_err() {
        let _ = fs::remove_file(&file);
    }
    done.map(|()| file)
}

async fn pack(world: &World, file: &Path, state: &Path) -> Result<()> {
    world.store.backup(state).await?;
    let status = world.store.status();
    let me = status.members.into_iter().map(|(one, _)| one).find(|one| one.id == status.me);
    let me = me.unwrap_or(Member { id: status.me, name: String::new(), address: String::new() });
    let head = Head {
        format: FORMAT,
        program: super::super::VERSION.to_owned(),
        made: clock::utc(),
        member: me.id,
        name: me.name,
        address: me.address,
    };
    let (dirs, file, state) = (world.dirs.clone(), file.to_owned(), state.to_owned());
    blocking("back up the database", move || {
        write(&dirs, &head, &file, &state).map_err(Error::file("write", &file))
    })
    .await
}

fn write(dirs: &Dirs, head: &Head, file: &Path, state: &Path) -> io::Result<()> {
    let to = File::options().write(true).create_new(true).mode(0o600).open(file)?;
    let mut tarball = tar::Builder::new(to);
    let text = serde_json::to_vec_pretty(head).map_err(io::Error::other)?;
    let mut entry = tar::Header::new_gnu();
    entry.set_size(text.len() as u64);
    entry.set_mode(0o600);
    tarball.append_data(&mut entry, HEAD, &*text)?;
    tarball.append_path_with_name(state, STATE)?;
    for name in FILES {
        if dirs.root().join(name).exists() {
            tarball.append_path_with_name(dirs.root().join(name), name)?;
        }
    }
    if dirs.keys().exists() {
        tarball.append_dir_all(KEYS, dirs.keys())?;
    }
    tarball.into_inner()?.sync_all()
}

/// Has the server begin anew with a backup.
///
/// # Errors
/// It is none, or needs a newer program; or the server is in a cluster with others. Then nothing was changed.
pub async fn restore(world: &World, caller: &Caller, file: &Path) -> Result<()> {
    let (file, schema) = (file.to_owned(), world.store.schema());
    go_back(world, caller, move |dirs| stage(&dirs, &file, schema)).await
}

/// Has it begin anew with one of the copies that it keeps itself.
///
/// # Errors
/// There is none of that name, or it cannot be read; or the server is in a cluster with others.
pub async fn restore_copy(world: &World, caller: &Caller, name: &str) -> Result<()> {
    let copy = super::copy(&world.dirs, name)?;
    let status = world.store.status();
    let me = status.members.into_iter().map(|(one, _)| one).find(|one| one.id == status.me);
    let me = me.ok_or(Error::Broken("the list of members"))?;
    let schema = world.store.schema();
    go_back(world, caller, move |dirs| {
        fresh(&dirs).and_then(|new| ready(&dirs, &new, &copy, (&me, schema)))
    })
    .await
}

async fn go_back(
    world: &World,
    caller: &Caller,
    stage: impl FnOnce(Dirs) -> Result<()> + Send + 'static,
) -> Result<()> {
    if world.store.status().members.len() > 1 {
        let why = "the other members have what this one has; where none of them is left: microcloud cluster recover";
        return Err(Error::invalid("restore", why));
    }
    let dirs = world.dirs.clone();
    blocking("restore the database", move || stage(dirs)).await?;
    world.tell(caller, DEFAULT_PROJECT, "database-restored", String::from("/1.0"));
    world.cluster.begin_anew();
    Ok(())
}

/// Makes all ready for [`finish`] from a backup, whether or not a daemon runs. `schema` is what this program knows.
///
/// # Errors
/// It is no backup, or needs a newer program. Then nothing was changed.
pub fn stage(dirs: &Dirs, file: &Path, schema: &'static [Migration]) -> Result<()> {
    let new = fresh(dirs)?;
    let done = unpack(file, &new).and_then(|head| {
        let me = Member { id: head.member, name: head.name, address: head.address };
        ready(dirs, &new, &new.join(STATE), (&me, schema))
    });
    if done.is_err() {
        let _ = fs::remove_dir_all(&new);
    }
    done
}

fn new_folder(dirs: &Dirs) -> PathBuf {
    dirs.root().join("restoring.new")
}

fn fresh(dirs: &Dirs) -> Result<PathBuf> {
    let new = new_folder(dirs);
    disk::remove_folder(&new)?;
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&new);
    made.map_err(Error::file("make", &new))?;
    Ok(new)
}

/// Takes out of the tarball what belongs into it, and nothing else.
fn unpack(file: &Path, into: &Path) -> Result<Head> {
    let none = |why: String| Error::invalid("backup", why);
    let broken = |error: io::Error| none(format!("it is no backup of a server: {error}"));
    let from = File::open(file).map_err(Error::file("read", file))?;
    let mut tarball = tar::Archive::new(from);
    let mut head = None;
    for entry in tarball.entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        let path = entry.path().map_err(broken)?.into_owned();
        if path == Path::new(HEAD) {
            if entry.size() > LONGEST_HEAD {
                return Err(none(String::from("its head is too long")));
            }
            let read: Head = serde_json::from_reader(&mut entry)
                .map_err(|error| none(format!("{HEAD}: {error}")))?;
            if read.format > FORMAT {
                let (found, program) = (read.format, read.program);
                return Err(none(format!(
                    "it has format {found}, of microcloud {program}; {FORMAT} is known here"
                )));
            }
            head = Some(read);
        } else if entry.header().entry_type().is_file() && is_ours(&path) {
            let to = into.join(&path);
            if let Some(folder) = to.parent() {
                fs::create_dir_all(folder).map_err(Error::file("make", folder))?;
            }
            let mut out = File::options()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&to)
                .map_err(Error::file("write", &to))?;
            io::copy(&mut entry, &mut out).map_err(Error::file("write", &to))?;
            out.sync_all().map_err(Error::file("write", &to))?;
        }
    }
    if !into.join(STATE).exists() {
        return Err(none(format!("it is no backup of a server: {STATE} is not in it")));
    }
    head.ok_or_else(|| none(format!("it is no backup of a server: {HEAD} is not in it")))
}

fn is_ours(path: &Path) -> bool {
    let parts: Vec<_> = path.components().collect();
    match parts[..] {
        [Component::Normal(name)] => name == STATE || FILES.iter().any(|file| name == *file),
        [Component::Normal(folder), Component::Normal(_)] => folder == KEYS,
        _ => false,
    }
}

/// Makes a database of a copy, for this member alone, and says that all is there.
fn ready(
    dirs: &Dirs,
    new: &Path,
    state: &Path,
    (me, schema): (&Member, &'static [Migration]),
) -> Result<()> {
    store::restore(state, &new.join("database"), me, schema)?;
    // It is in there now; whether it stays makes no difference.
    let _ = fs::remove_file(new.join(STATE));
    let before = format!("before-restore-{}", clock::utc().format("%Y%m%dT%H%M%S%3f"));
    disk::write(&new.join(BEFORE), before.as_bytes())?;
    let keys = new.join(KEYS);
    for folder in [&new.join("database"), &keys, new].into_iter().filter(|one| one.exists()) {
        disk::sync(folder)?;
    }
    // Another one that was never finished.
    disk::remove_folder(&dirs.restoring())?;
    fs::rename(new, dirs.restoring()).map_err(Error::file("rename", new))?;
    disk::sync(dirs.root())
}

/// Puts what was made ready in its place, at start, before the database is opened. Done twice, it is done.
///
/// # Errors
/// When the disk does not let it.
pub fn finish(dirs: &Dirs) -> Result<()> {
    let from = dirs.restoring();
    disk::remove_folder(&new_folder(dirs))?;
    if !from.exists() {
        return Ok(());
    }
    let name = from.join(BEFORE);
    let before = match fs::read_to_string(&name) {
        // All of it was done, but for the last step.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return disk::remove_folder(&from),
        read => read.map_err(Error::file("read", &name))?,
    };
    let before = dirs.root().join(before.trim());
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&before)
        .map_err(Error::file("make", &before))?;
    for name in STALE {
        disk::rename(&dirs.root().join(name), &before.join(name))?;
    }
    add_keys(dirs, &from.join(KEYS))?;
    for name in FILES.iter().chain(&["database"]) {
        let new = from.join(name);
        if !new.exists() {
            continue;
        }
        let place = dirs.root().join(name);
        disk::rename(&place, &before.join(name))?;
        fs::rename(&new, &place).map_err(Error::file("rename", &new))?;
    }
    // The others, if there were any, are not there.
    disk::write(&dirs.recovering(), b"")?;
    for folder in [&before, dirs.root()] {
        disk::sync(folder)?;
    }
    disk::remove_folder(&from)?;
    tracing::warn!(before = %before.display(), "the database was restored; what was there before is kept");
    Ok(())
}

/// Keys of pools are never taken away: one that was made since is needed for its pool still.
fn add_keys(dirs: &Dirs, new: &Path) -> Result<()> {
    let keys = dirs.keys();
    for key in fs::read_dir(new).into_iter().flatten().flatten() {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&keys)
            .map_err(Error::file("make", &keys))?;
        let place = keys.join(key.file_name());
        if !place.exists() {
            fs::rename(key.path(), &place).map_err(Error::file("rename", &place))?;
        }
    }
    if keys.exists() { disk::sync(&keys) } else { Ok(()) }
}
