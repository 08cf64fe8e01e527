//! A real world for a law, made once and put back between its many runs.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use network::Plane;
use rustix::thread::UnshareFlags;
use store::Store;
use wire::{ConfigMap, DevicesMap, ImagesPost, NetworksPost, ProfilePut, StoragePoolsPost};

use crate::{
    Caller, Dirs, Host, Parts, World,
    db::{self, images as image_rows, instances as instance_rows},
    instances::exit,
    names, reconcile,
};

/// The bridge of the scene.
pub(super) const BRIDGE: &str = "lawbr0";

/// Runs a law on a thread with a network namespace of its own, unless something is missing here.
pub(super) fn play(law: impl AsyncFnOnce(Arc<World>) + Send + 'static) {
    let Some(binary) = monitor() else {
        eprintln!("SKIP: no monitor to start instances with: cargo build -p microcloud");
        return;
    };
    let thread = std::thread::spawn(move || {
        if let Err(error) = unshare() {
            eprintln!("SKIP: no network namespace: {error}");
            return;
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let world = world(folder.path(), binary).await;
            law(world.clone()).await;
            clear(&world).await;
            world.store.close().await.unwrap();
            runtime::forget_groups(&world.tag);
        });
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

#[expect(deprecated, reason = "unsafe only for what threads share: not this")]
fn unshare() -> rustix::io::Result<()> {
    rustix::thread::unshare(UnshareFlags::NEWNET)
}

/// The program, or the runtime's own monitor for tests, beside the test that runs.
fn monitor() -> Option<PathBuf> {
    let built = std::env::current_exe().ok()?.parent()?.parent()?.to_owned();
    let named = std::env::var_os("MICROCLOUD_BIN").map(PathBuf::from);
    let beside = ["microcloud", "runtime-test-monitor"].map(|name| built.join(name));
    named.into_iter().chain(beside).find(|path| path.is_file())
}

async fn world(folder: &Path, binary: PathBuf) -> Arc<World> {
    let dirs = Dirs::new(folder);
    dirs.make().unwrap();
    let options = store::Options::new(db::MIGRATIONS);
    let (world, started) = World::new(Parts {
        store: Store::open(&dirs.database(), options).await.unwrap(),
        plane: Plane::new(names::daemon_tag(folder)).unwrap(),
        links: Arc::default(),
        host: Host::look().unwrap(),
        dirs,
        binary,
    });
    let world = Arc::new(world);
    tokio::spawn(exit::follow(world.clone(), started));
    reconcile::boot(&world).await.unwrap();
    furnish(&world).await;
    world
}

/// A pool, a bridge, a profile that uses both, and a busybox image.
async fn furnish(world: &Arc<World>) {
    let caller = Caller::default();
    let pool =
        StoragePoolsPost { name: "default".into(), driver: "dir".into(), ..Default::default() };
    crate::storage::create(world, &caller, pool).await.unwrap();
    let network = NetworksPost {
        name: BRIDGE.into(),
        config: ConfigMap::from([("ipv6.address".into(), "none".into())]),
        ..Default::default()
    };
    crate::networks::create(world, &caller, "default", network).await.unwrap();
    let device = |pairs: &[(&str, &str)]| -> ConfigMap {
        pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect()
    };
    let devices = DevicesMap::from([
        ("root".into(), device(&[("type", "disk"), ("path", "/"), ("pool", "default")])),
        ("eth0".into(), device(&[("type", "nic"), ("network", BRIDGE)])),
    ]);
    let change = |_| Ok(ProfilePut { devices: devices.clone(), ..ProfilePut::default() });
    crate::profiles::update(world, &caller, "default", "default", None, change).await.unwrap();
    let post = ImagesPost::default();
    let built = crate::images::build(world, &caller, "default", "busybox", post).unwrap();
    built.result().await.unwrap();
}

/// The fingerprint of the busybox image.
pub(super) fn busybox(world: &World) -> String {
    world
        .store
        .read(|db| Ok::<_, crate::Error>(image_rows::all(db)?[0].fingerprint.clone()))
        .unwrap()
}

/// Removes every instance, whatever its state.
pub(super) async fn clear(world: &Arc<World>) {
    let rows = world.store.read(|db| Ok::<_, crate::Error>(instance_rows::all(db)?)).unwrap();
    for row in rows {
        crate::instances::boot::end(world, &row.project, &row.name).await.unwrap();
        let operation =
            crate::instances::delete::delete(world, &Caller::default(), &row.project, &row.name)
                .await
                .unwrap();
        operation.result().await.unwrap();
    }
}

/// All there is to see: rows, volumes, files, guests, links, control groups.
pub(super) async fn observe(world: &World) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    world
        .store
        .read(|db| {
            for row in instance_rows::all(db)? {
                let state = crate::instances::volatile::was_running(&row.config);
                seen.insert(format!("row instance {} running={state} {:?}", row.name, row.made));
                seen.insert(format!("row instance {} at {}", row.name, row.member));
                let devices: Vec<_> = row.devices.0.keys().collect();
                seen.insert(format!("row instance {} has {devices:?}", row.name));
                let note = row.config.get("user.note").unwrap_or("-");
                let stateful = row.stateful;
                seen.insert(format!("row instance {} note={note} memory={stateful}", row.name));
                for backup in db::backups::OF_INSTANCES.of(db, row.id)? {
                    let (name, made) = (&backup.name, backup.made);
                    seen.insert(format!("row backup {}/{name} {made:?}", row.name));
                }
                for snapshot in db::instance_snapshots::of_instance(db, row.id)? {
                    let (name, made) = (&snapshot.name, snapshot.made);
                    seen.insert(format!("row snapshot {}/{name} {made:?}", row.name));
                }
            }
            for row in image_rows::all(db)? {
                seen.insert(format!("row image {} {:?}", row.fingerprint, row.made));
            }
            for row in db::networks::all(db)? {
                seen.insert(format!("row network {} {:?}", row.name, row.made));
            }
            for row in db::pools::all(db)? {
                seen.insert(format!("row pool {} {:?}", row.name, row.made));
                for volume in db::volumes::of_pool(db, &row.name)? {
                    let size = volume.config.get("size").unwrap_or("-");
                    let made = volume.made;
                    seen.insert(format!("row volume {}/{} {made:?} {size}", row.name, volume.name));
                    for backup in db::backups::OF_VOLUMES.of(db, volume.id)? {
                        let (name, made) = (&backup.name, backup.made);
                        seen.insert(format!("row backup {}/{name} {made:?}", volume.name));
                    }
                    for kept in db::volume_snapshots::of_volume(db, volume.id)? {
                        let (name, made) = (&kept.name, kept.made);
                        seen.insert(format!("row snapshot {}/{name} {made:?}", volume.name));
                    }
                }
            }
            for row in db::buckets::all(db)? {
                let keys = db::buckets::keys(db, row.id)?.len();
                seen.insert(format!("row bucket {} {:?} {keys} keys", row.name, row.made));
                for backup in db::backups::OF_BUCKETS.of(db, row.id)? {
                    let (name, made) = (&backup.name, backup.made);
                    seen.insert(format!("row backup {}/{name} {made:?}", row.name));
                }
            }
            Ok::<_, crate::Error>(())
        })
        .unwrap();
    for guest in world.guests.all() {
        let frozen = guest.monitor().info().map(|info| info.state == runtime::State::Frozen);
        seen.insert(format!("guest {} {:?} {frozen:?}", guest.name(), guest.phase()));
        seen.extend(mounts(&guest));
        if let Some(qmp) = guest.qmp() {
            let status = qmp.call(vm::Call::new("query-status")).await.unwrap()["status"].clone();
            seen.insert(format!("machine {} {status}", guest.name()));
        }
    }
    seen.extend(
        world.plane.interfaces().await.unwrap().into_iter().map(|l| format!("link {}", l.name)),
    );
    seen.extend(files(world));
    seen.extend(snapshots(world));
    seen.extend(groups(&world.tag));
    seen
}

/// The disks that laws give to a guest, each time they are mounted.
fn mounts(guest: &crate::instances::guests::Guest) -> Vec<String> {
    let Ok(info) = guest.monitor().info() else { return Vec::new() };
    let table = fs::read_to_string(format!("/proc/{}/mountinfo", info.pid)).unwrap_or_default();
    let places = table.lines().filter_map(|line| line.split(' ').nth(4));
    let given = places.filter(|place| place.starts_with("/law")).enumerate();
    given.map(|(at, place)| format!("mount {at} {place}")).collect()
}

/// What is on disk of pools, images, uploads, runs and logs; not what is in a root.
fn files(world: &World) -> Vec<String> {
    let root = world.dirs.root();
    let mut seen = Vec::new();
    for (folder, depth) in [
        ("storage-pools", 3),
        ("images", 1),
        ("backups", 3),
        ("cache", 1),
        ("run", 1),
        ("logs", 1),
        ("networks", 1),
        ("machines", 1),
    ] {
        walk(&root.join(folder), depth, &mut seen);
    }
    // A deleted volume is a rename away; what is in the trash is removed in the background.
    seen.retain(|path| !path.contains("trash") && !path.contains("/tmp"));
    seen
}

/// The snapshots of every root and custom volume on disk, and the note in it and in them.
fn snapshots(world: &World) -> Vec<String> {
    let mut seen = Vec::new();
    let pools = children(&world.dirs.root().join("storage-pools"));
    for kind in ["containers", "custom"] {
        for volume in pools.iter().flat_map(|pool| children(&pool.join(kind))) {
            let kept = children(&volume.join("snapshots"));
            for place in kept.into_iter().chain([volume]) {
                let files = ["upper", "rootfs", "data"].map(|files| place.join(files).join("note"));
                let note = files.into_iter().find_map(|note| fs::read_to_string(note).ok());
                let note = note.unwrap_or_default();
                seen.push(format!("files {} note={note}", place.display()));
            }
        }
    }
    seen
}

fn children(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

fn walk(folder: &Path, depth: u32, seen: &mut Vec<String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        seen.push(format!("file {}", entry.path().display()));
        if depth > 1 && entry.path().is_dir() {
            walk(&entry.path(), depth - 1, seen);
        }
    }
}

fn groups(tag: &str) -> Vec<String> {
    let mut seen = Vec::new();
    for hierarchy in fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten() {
        let payload = hierarchy.path().join("microcloud.payload").join(tag);
        for entry in fs::read_dir(payload).into_iter().flatten().flatten() {
            let kind = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let name = entry.file_name().to_string_lossy().into_owned();
            // Its last part is the number of the start.
            let name = name.rsplit_once('-').map_or(name.clone(), |(name, _)| name.to_owned());
            seen.extend(kind.then(|| format!("group {name}")));
        }
    }
    seen
}
