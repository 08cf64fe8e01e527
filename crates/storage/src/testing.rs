//! What the tests share: scratch file systems, a tree with everything in it, and a way to compare.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Gid, Mode, Uid, XattrFlags};
use rustix::mount::{MountFlags, UnmountFlags};

use crate::{
    Attached, CephOptions, Driver, FillError, LvmOptions, Pool, PoolOptions, PoolSpec, VolumeId,
    VolumeKind, ZfsOptions,
};

/// A `security.capability` value: revision 2, effective, cap_net_raw.
const CAPABILITY: [u8; 20] = [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// Why root's tests cannot run here, if so.
pub(crate) fn not_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        eprintln!("SKIP: needs root");
    }
    !root
}

/// Whether root here may not do all: ext4 that is mounted grows for who has CAP_SYS_RESOURCE.
pub(crate) fn grows_no_ext4() -> bool {
    const SYS_RESOURCE: u64 = 1 << 24;
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:")).unwrap();
    u64::from_str_radix(effective.trim(), 16).unwrap() & SYS_RESOURCE == 0
}

/// A pool in a folder of its own, removed with it.
pub(crate) struct Scratch {
    pub(crate) pool: Box<dyn Pool>,
    pub(crate) spec: PoolSpec,
    pub(crate) driver: &'static dyn Driver,
    _folder: Option<tempfile::TempDir>,
}

impl Scratch {
    /// None, with a word why, where the machine lacks what the driver needs.
    pub(crate) fn able(driver: &'static dyn Driver) -> Option<Scratch> {
        match driver.unable() {
            Some(why) => {
                eprintln!("SKIP: {why}");
                None
            }
            None if driver.info().remote && !crate::laws::is_chosen(driver) => {
                eprintln!("SKIP: {} is tried in its rig", driver.info().name);
                None
            }
            None => Some(Scratch::new(driver)),
        }
    }

    pub(crate) fn new(driver: &'static dyn Driver) -> Scratch {
        Scratch::with(driver, |_| ())
    }

    /// A pool in a folder that is another's to remove.
    pub(crate) fn at(
        driver: &'static dyn Driver,
        path: &Path,
        folder: Option<tempfile::TempDir>,
    ) -> Scratch {
        own_namespace();
        Scratch::of(driver, Scratch::spec(path), folder)
    }

    fn spec(path: &Path) -> PoolSpec {
        // For those in a file: as little as file systems take, and some room.
        let id = uuid::Uuid::new_v4();
        let lvm = LvmOptions { group: Some(format!("scratch-{id}")), ..LvmOptions::default() };
        let zfs = ZfsOptions {
            pool: Some(format!("scratch-{id}")),
            export: true,
            ..ZfsOptions::default()
        };
        let ceph = CephOptions {
            pool: Some(format!("scratch-{id}")),
            pg_num: Some(1),
            ..CephOptions::default()
        };
        let options =
            PoolOptions { size: Some(512 << 20), lvm, zfs, ceph, ..PoolOptions::default() };
        PoolSpec {
            name: "scratch".into(),
            id: Some(id),
            disk: None,
            keys: None,
            path: path.to_owned(),
            source: None,
            options,
        }
    }

    /// A pool in a folder of its own, of another kind than the usual one.
    pub(crate) fn with(driver: &'static dyn Driver, change: impl Fn(&mut PoolSpec)) -> Scratch {
        own_namespace();
        let folder = tempfile::Builder::new().prefix("storage-").tempdir().unwrap();
        let mut spec = Scratch::spec(&folder.path().join("pool"));
        change(&mut spec);
        Scratch::of(driver, spec, Some(folder))
    }

    fn of(
        driver: &'static dyn Driver,
        spec: PoolSpec,
        folder: Option<tempfile::TempDir>,
    ) -> Scratch {
        driver.create(&spec).unwrap();
        Scratch { pool: driver.open(&spec).unwrap(), spec, driver, _folder: folder }
    }

    /// The pool as it is found on a copy of its disk.
    pub(crate) fn found_on(&self, disk: &Disk) -> Scratch {
        let spec = PoolSpec { path: disk.mounted.path.join("pool"), ..self.spec.clone() };
        let pool = self.driver.open(&spec).unwrap();
        Scratch { pool, spec, driver: self.driver, _folder: None }
    }

    /// The pool as the next run of the daemon finds it.
    pub(crate) fn reopen(&mut self) {
        self.pool = self.driver.open(&self.spec).unwrap();
    }
}

/// A test that fails leaves no mount behind, and no volume group.
impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = rustix::mount::unmount(&self.spec.path, UnmountFlags::DETACH);
        match self.driver.info().name {
            "lvm" => crate::lvm::forget(&crate::encrypted::as_seen_by_driver(&self.spec)),
            "ceph" => crate::ceph_rbd::forget(&self.spec),
            "zfs" => crate::zfs::forget(&crate::encrypted::as_seen_by_driver(&self.spec)),
            _ => {}
        }
        crate::encrypted::forget(&self.spec);
    }
}

pub(crate) fn container(name: &str) -> VolumeId {
    VolumeId::new(VolumeKind::Container, name).unwrap()
}

pub(crate) fn image(name: &str) -> VolumeId {
    VolumeId::new(VolumeKind::Image, name).unwrap()
}

pub(crate) fn custom(name: &str) -> VolumeId {
    VolumeId::new(VolumeKind::Custom, name).unwrap()
}

/// Fills an image with all that a copy could lose.
pub(crate) fn fill_image(into: &Path) -> Result<(), FillError> {
    fs::write(into.join("metadata.yaml"), "architecture: x86_64\n")?;
    fs::create_dir(into.join("templates"))?;
    fs::write(into.join("templates/hostname.tpl"), "{{ container.name }}\n")?;
    let root = into.join("rootfs");
    fs::create_dir(&root)?;
    everything(&root);
    Ok(())
}

/// Waits for what happens beside.
pub(crate) fn wait_until(what: &str, is: impl Fn() -> bool) {
    for _ in 0..1200 {
        if is() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("never: {what}");
}

/// Bytes that no file system can make shorter.
pub(crate) fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let words = (0..length.div_ceil(8)).flat_map(|_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.take(length).collect()
}

/// Every kind of entry and attribute.
pub(crate) fn everything(root: &Path) {
    fs::create_dir_all(root.join("usr/bin")).unwrap();
    fs::create_dir_all(root.join("var/empty")).unwrap();
    fs::write(root.join("usr/bin/tool"), noise(300_000)).unwrap();
    fs::hard_link(root.join("usr/bin/tool"), root.join("usr/bin/tool-2")).unwrap();
    fs::write(root.join("usr/bin/ping"), b"ping").unwrap();
    let cap = root.join("usr/bin/ping");
    rustix::fs::lsetxattr(&cap, "security.capability", &CAPABILITY, XattrFlags::empty()).unwrap();
    rustix::fs::lsetxattr(&cap, "user.note", &[b'n'; 3000], XattrFlags::empty()).unwrap();
    fs::write(root.join("usr/bin/sudo"), b"sudo").unwrap();
    chown(&root.join("usr/bin/sudo"), 0, 5);
    mode(&root.join("usr/bin/sudo"), 0o4755);
    fs::write(root.join("secret"), b"secret").unwrap();
    chown(&root.join("secret"), 1000, 33);
    mode(&root.join("secret"), 0o640);
    symlink("/usr/bin/tool", root.join("link")).unwrap();
    symlink("nowhere/at/all", root.join("dangling")).unwrap();
    let sparse = fs::File::create(root.join("sparse")).unwrap();
    sparse.set_len(64 << 20).unwrap();
    sparse.write_all_at(b"middle", 32 << 20).unwrap();
    node(&root.join("null"), FileType::CharacterDevice, rustix::fs::makedev(1, 3));
    node(&root.join("pipe"), FileType::Fifo, 0);
    mode(&root.join("var/empty"), 0o1777);
    let old = fs::FileTimes::new()
        .set_modified(std::time::UNIX_EPOCH + std::time::Duration::new(1_000_000, 5_000));
    fs::File::open(root.join("secret")).unwrap().set_times(old).unwrap();
    mode(root, 0o751);
}

fn node(path: &Path, kind: FileType, device: u64) {
    rustix::fs::mknodat(CWD, path, kind, Mode::from_raw_mode(0o666), device).unwrap();
}

fn chown(path: &Path, uid: u32, gid: u32) {
    rustix::fs::chown(path, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid))).unwrap();
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// A tree as text, one line an entry: all that a copy must keep.
pub(crate) fn describe(root: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut first_names = BTreeMap::new();
    walk(root, Path::new(""), &mut first_names, &mut found);
    found
}

fn walk(
    root: &Path,
    path: &Path,
    names: &mut BTreeMap<u64, PathBuf>,
    found: &mut BTreeMap<PathBuf, String>,
) {
    let full = root.join(path);
    let stat = fs::symlink_metadata(&full).unwrap();
    let first = names.entry(stat.ino()).or_insert_with(|| path.to_owned()).clone();
    let data = match stat.file_type() {
        t if t.is_file() => {
            let data = fs::read(&full).unwrap();
            let sum = data.iter().fold(0_u64, |sum, b| sum.wrapping_mul(31) + u64::from(*b));
            format!(
                "size={} sum={sum:x} holes={}",
                data.len(),
                stat.blocks() * 512 < stat.len() / 2
            )
        }
        t if t.is_symlink() => format!("to={}", fs::read_link(&full).unwrap().display()),
        _ => format!("dev={:x}", stat.rdev()),
    };
    let times = if stat.is_dir() {
        String::new()
    } else {
        format!("mtime={}.{}", stat.mtime(), stat.mtime_nsec())
    };
    let line = format!(
        "mode={:o} owner={}:{} same-as={} {data} {times} {:?}",
        stat.mode(),
        stat.uid(),
        stat.gid(),
        first.display(),
        xattrs(&full)
    );
    found.insert(path.to_owned(), line);
    if stat.is_dir() {
        let mut entries: Vec<_> =
            fs::read_dir(&full).unwrap().map(|e| e.unwrap().file_name()).collect();
        entries.sort();
        for name in entries {
            walk(root, &path.join(name), names, found);
        }
    }
}

fn xattrs(path: &Path) -> Vec<String> {
    let mut names = [0; 4096];
    let used = rustix::fs::llistxattr(path, &mut names[..]).unwrap_or(0);
    let mut all: Vec<_> = names[..used]
        .split(|b| *b == 0)
        .filter(|n| !n.is_empty())
        .map(|name| {
            let mut value = [0; 4096];
            let used = rustix::fs::lgetxattr(path, name, &mut value[..]).unwrap();
            format!("{}={:x?}", std::ffi::OsStr::from_bytes(name).display(), &value[..used])
        })
        .collect();
    all.sort();
    all
}

/// Asserts that two trees are the same, naming what differs.
#[track_caller]
pub(crate) fn assert_same(a: &Path, b: &Path) {
    let (a, b) = (describe(a), describe(b));
    let differ: Vec<_> = a
        .iter()
        .filter(|(path, line)| b.get(*path) != Some(line))
        .map(|(path, line)| (path, line, b.get(path)))
        .collect();
    assert!(differ.is_empty(), "{differ:#?}");
    assert_eq!(a.keys().collect::<Vec<_>>(), b.keys().collect::<Vec<_>>());
}

/// A mount in this process' own namespace, taken away at the end.
pub(crate) struct Mounted {
    pub(crate) path: PathBuf,
    _folder: Option<tempfile::TempDir>,
}

impl Mounted {
    /// Mounts what an attach gave, as whoever runs the instance would.
    pub(crate) fn volume(attached: &Attached) -> Mounted {
        let Attached::Overlay { lower, upper, work } = attached else {
            let Attached::Path(path) = attached else { panic!("a disk: {attached:?}") };
            return Mounted { path: path.clone(), _folder: None };
        };
        let layers: Vec<_> = lower.iter().map(|path| path.display().to_string()).collect();
        let options = format!(
            "lowerdir={},upperdir={},workdir={}",
            layers.join(":"),
            upper.display(),
            work.display()
        );
        Mounted::new("overlay", "overlay", &options)
    }

    pub(crate) fn new(source: impl AsRef<Path>, kind: &str, options: &str) -> Mounted {
        own_namespace();
        let folder = tempfile::Builder::new().prefix("storage-mnt-").tempdir().unwrap();
        let options = std::ffi::CString::new(options).unwrap();
        let none = MountFlags::empty();
        rustix::mount::mount(source.as_ref(), folder.path(), kind, none, Some(options.as_c_str()))
            .unwrap();
        Mounted { path: folder.path().to_owned(), _folder: Some(folder) }
    }
}

/// A file system in a file, mounted where only this test sees it.
pub(crate) struct Disk {
    pub(crate) mounted: Mounted,
    image: PathBuf,
    kind: &'static str,
    folder: tempfile::TempDir,
}

impl Disk {
    /// None, with a word why, where it cannot be made.
    pub(crate) fn new(kind: &'static str, megabytes: u64) -> Option<Disk> {
        Disk::with(kind, megabytes, &[], "loop")
    }

    /// One with project quotas.
    pub(crate) fn with_quotas(kind: &'static str, megabytes: u64) -> Option<Disk> {
        let more: &[_] = if kind == "ext4" { &["-O", "project,quota"] } else { &[] };
        Disk::with(kind, megabytes, more, "loop,prjquota")
    }

    fn with(kind: &'static str, megabytes: u64, more: &[&str], mount: &str) -> Option<Disk> {
        let folder = tempfile::Builder::new().prefix("storage-disk-").tempdir().unwrap();
        let image = folder.path().join("image");
        fs::File::create(&image).unwrap().set_len(megabytes << 20).unwrap();
        let (program, options): (_, &[&str]) = match kind {
            "ext4" => ("mkfs.ext4", &["-q", "-b", "4096"]),
            "xfs" => ("mkfs.xfs", &["-q"]),
            _ => ("mkfs.btrfs", &["-q"]),
        };
        if !exec::installed(program) {
            eprintln!("SKIP: {program} is not installed");
            return None;
        }
        let options = options.iter().map(Path::new);
        let options = options.chain(more.iter().map(Path::new)).chain([image.as_path()]);
        tool(program, &options.collect::<Vec<_>>())?;
        let mounted = Disk::mount(&image, kind, mount)?;
        Some(Disk { mounted, image, kind, folder })
    }

    /// The disk as it would be found if the power went now: whatever reached it and nothing else.
    pub(crate) fn after_power_cut(&self) -> Disk {
        let folder = tempfile::tempdir_in(self.folder.path()).unwrap();
        let image = folder.path().join("image");
        fs::copy(&self.image, &image).unwrap();
        // Copies of a file system have its id; xfs would refuse the second.
        let options = if self.kind == "xfs" { "loop,nouuid" } else { "loop" };
        let mounted = Disk::mount(&image, self.kind, options).unwrap();
        Disk { mounted, image, kind: self.kind, folder }
    }

    fn mount(image: &Path, kind: &str, options: &str) -> Option<Mounted> {
        own_namespace();
        let folder = tempfile::Builder::new().prefix("storage-mnt-").tempdir().unwrap();
        let args = ["-t", kind, "-o", options].map(Path::new);
        tool("mount", &[&args[..], &[image, folder.path()]].concat())?;
        Some(Mounted { path: folder.path().to_owned(), _folder: Some(folder) })
    }
}

/// Runs a program in this thread's namespaces; None, with a word why, when it fails.
fn tool(program: &'static str, args: &[&Path]) -> Option<()> {
    match exec::run(exec::Tool::new(program, program).args(args), &exec::Control::none()) {
        Ok(_) => Some(()),
        Err(e) => {
            eprintln!("SKIP: {e}");
            None
        }
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if self._folder.is_some() {
            let _ = rustix::mount::unmount(&self.path, UnmountFlags::DETACH);
        }
    }
}

/// Gives this thread a mount namespace of its own, so that a test that dies leaves no mounts.
pub(crate) fn own_namespace() {
    use rustix::mount::MountPropagationFlags;
    use rustix::thread::UnshareFlags;
    thread_local!(static DONE: std::cell::Cell<bool> = const { std::cell::Cell::new(false) });
    if DONE.replace(true) {
        return;
    }
    #[allow(deprecated)]
    rustix::thread::unshare(UnshareFlags::FS | UnshareFlags::NEWNS).unwrap();
    let flags = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    rustix::mount::mount_change("/", flags).unwrap();
}
