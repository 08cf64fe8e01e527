//! Subvolumes and quotas of btrfs: `ioctl`s of `linux/btrfs.h`.
//!
//! On a file system that is not btrfs all of them fail with `ENOTTY`.

use std::{
    ffi::CStr,
    io,
    os::fd::{AsRawFd, BorrowedFd},
};

use crate::call::check;

/// `_IOC(direction, 0x94, number, size)`; direction 1 hands over, 2 takes back.
const fn request(direction: u64, number: u64, size: usize) -> u64 {
    (direction << 30) | ((size as u64) << 16) | (0x94 << 8) | number
}

/// Inode number of the root of every subvolume (`BTRFS_FIRST_FREE_OBJECTID`).
pub const SUBVOLUME_INODE: u64 = 256;
/// `BTRFS_SUBVOL_RDONLY`.
const READONLY: u64 = 1 << 1;
/// `BTRFS_QGROUP_LIMIT_MAX_RFER`.
const MAX_REFERENCED: u64 = 1;

/// `struct btrfs_ioctl_vol_args`.
#[repr(C)]
struct Name {
    fd: i64,
    name: [u8; 4088],
}

/// `struct btrfs_ioctl_vol_args_v2`.
#[repr(C)]
struct Snapshot {
    fd: i64,
    transaction: u64,
    flags: u64,
    unused: [u64; 4],
    name: [u8; 4040],
}

/// `struct btrfs_ioctl_quota_ctl_args`.
#[repr(C)]
struct Quota {
    command: u64,
    status: u64,
}

/// `struct btrfs_ioctl_qgroup_limit_args`.
#[repr(C)]
struct Limit {
    group: u64,
    flags: u64,
    max_referenced: u64,
    max_exclusive: u64,
    reserved: [u64; 2],
}

/// `struct btrfs_ioctl_ino_lookup_args`.
#[repr(C)]
struct Lookup {
    tree: u64,
    object: u64,
    name: [u8; 4080],
}

/// `struct btrfs_ioctl_get_subvol_rootref_args`.
#[repr(C)]
struct Children {
    from: u64,
    found: [[u64; 2]; 255],
    count: u8,
    align: [u8; 7],
}

/// `struct btrfs_ioctl_get_subvol_info_args`.
#[repr(C)]
struct Identity {
    tree: u64,
    name: [u8; 256],
    parent: u64,
    folder: u64,
    generation: u64,
    flags: u64,
    uuid: [u8; 16],
    parent_uuid: [u8; 16],
    received_uuid: [u8; 16],
    changed: u64,
    made: u64,
    sent: u64,
    received: u64,
    times: [[u64; 2]; 4],
    reserved: [u64; 8],
}

/// `struct btrfs_ioctl_received_subvol_args`.
#[repr(C)]
struct Receipt {
    uuid: [u8; 16],
    sent: u64,
    received: u64,
    times: [[u64; 2]; 2],
    flags: u64,
    reserved: [u64; 16],
}

/// `struct btrfs_ioctl_send_args`.
#[repr(C)]
struct Send {
    to: i64,
    sources: u64,
    source: *const u64,
    parent: u64,
    flags: u64,
    version: u32,
    reserved: [u8; 28],
}

/// `struct file_clone_range`.
#[repr(C)]
struct CloneRange {
    source: i64,
    from: u64,
    length: u64,
    to: u64,
}

/// A part of a file that becomes a part of another.
#[derive(Debug, Clone, Copy)]
pub struct BlockRange {
    /// Where it begins in the one.
    pub from: u64,
    /// Bytes of it.
    pub length: u64,
    /// Where it goes in the other.
    pub to: u64,
}

/// By what a subvolume is known. Numbers of transactions grow with every change of the file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subvolume {
    /// Its number in the file system.
    pub tree: u64,
    /// Its identity, which no other subvolume has.
    pub uuid: [u8; 16],
    /// The transaction that changed it last.
    pub changed: u64,
    /// The transaction that made it.
    pub made: u64,
    /// What it was received from: identity and transaction; zeros where it was not.
    pub origin: ([u8; 16], u64),
    /// The transaction in which that was noted.
    pub received: u64,
}

/// `struct btrfs_ioctl_scrub_args`, with `struct btrfs_scrub_progress` in it.
#[repr(C)]
struct Scrub {
    device: u64,
    start: u64,
    end: u64,
    flags: u64,
    /// In the order of the kernel's structure; see [`Scrubbed`] for those that are used.
    progress: [u64; 15],
    unused: [u64; 109],
}

impl Scrub {
    fn of(device: u64) -> Scrub {
        Scrub { device, start: 0, end: u64::MAX, flags: 0, progress: [0; 15], unused: [0; 109] }
    }
}

/// `struct btrfs_ioctl_fs_info_args`: the highest id of a device comes first.
#[repr(C)]
struct Info {
    highest: u64,
    unused: [u64; 127],
}

/// What a scrub of one device has found so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scrubbed {
    /// Bytes that were read.
    pub bytes: u64,
    /// Places that were wrong and are right again, by a second copy.
    pub repaired: u64,
    /// Places that are wrong and stay so.
    pub damaged: u64,
}

impl Scrubbed {
    fn from(progress: &[u64; 15]) -> Scrubbed {
        // data_bytes_scrubbed and tree_bytes_scrubbed; super_errors, uncorrectable_errors; corrected_errors.
        Scrubbed {
            bytes: progress[2] + progress[3],
            damaged: progress[9] + progress[11],
            repaired: progress[12],
        }
    }
}

fn call<T>(fd: BorrowedFd, request: u64, argument: &mut T) -> io::Result<()> {
    // SAFETY: every request here has the size of the structure it is called with, which outlives the
    // call and holds plain integers, so that whatever the kernel writes is valid. What a pointer in one
    // names is only read, and lives as long.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), request as _, &raw mut *argument) }.into()).map(drop)
}

fn named<const N: usize>(name: &CStr) -> io::Result<[u8; N]> {
    let bytes = name.to_bytes_with_nul();
    let mut field = [0; N];
    let room = field.get_mut(..bytes.len());
    let room = room.ok_or_else(|| io::Error::from_raw_os_error(libc::ENAMETOOLONG))?;
    room.copy_from_slice(bytes);
    Ok(field)
}

/// Makes an empty subvolume in an open folder.
pub fn create_subvolume(folder: BorrowedFd, name: &CStr) -> io::Result<()> {
    call(folder, request(1, 14, size_of::<Name>()), &mut Name { fd: 0, name: named(name)? })
}

/// Makes a writable snapshot of the subvolume that is open as `source` in an open folder.
pub fn snapshot_subvolume(source: BorrowedFd, folder: BorrowedFd, name: &CStr) -> io::Result<()> {
    snapshot_with(0, source, folder, name)
}

/// The same, read-only.
pub fn freeze_subvolume(source: BorrowedFd, folder: BorrowedFd, name: &CStr) -> io::Result<()> {
    snapshot_with(READONLY, source, folder, name)
}

fn snapshot_with(
    flags: u64,
    source: BorrowedFd,
    folder: BorrowedFd,
    name: &CStr,
) -> io::Result<()> {
    let fd = source.as_raw_fd().into();
    let (unused, name) = ([0; 4], named(name)?);
    let mut argument = Snapshot { fd, transaction: 0, flags, unused, name };
    call(folder, request(1, 23, size_of::<Snapshot>()), &mut argument)
}

/// Deletes a subvolume; `ENOTEMPTY` if another is inside, `EINVAL` for a plain folder.
pub fn delete_subvolume(folder: BorrowedFd, name: &CStr) -> io::Result<()> {
    call(folder, request(1, 15, size_of::<Name>()), &mut Name { fd: 0, name: named(name)? })
}

/// Lets a subvolume be written to that was read-only.
pub fn make_subvolume_writable(subvolume: BorrowedFd) -> io::Result<()> {
    let mut flags = 0_u64;
    call(subvolume, request(2, 25, size_of::<u64>()), &mut flags)?;
    flags &= !READONLY;
    call(subvolume, request(1, 26, size_of::<u64>()), &mut flags)
}

/// By what a subvolume is known, which is open as any folder of it.
pub fn identify_subvolume(subvolume: BorrowedFd) -> io::Result<Subvolume> {
    let mut found = Identity {
        tree: 0,
        name: [0; 256],
        parent: 0,
        folder: 0,
        generation: 0,
        flags: 0,
        uuid: [0; 16],
        parent_uuid: [0; 16],
        received_uuid: [0; 16],
        changed: 0,
        made: 0,
        sent: 0,
        received: 0,
        times: [[0; 2]; 4],
        reserved: [0; 8],
    };
    call(subvolume, request(2, 60, size_of::<Identity>()), &mut found)?;
    Ok(Subvolume {
        tree: found.tree,
        uuid: found.uuid,
        changed: found.changed,
        made: found.made,
        origin: (found.received_uuid, found.sent),
        received: found.received,
    })
}

/// Notes what a subvolume was received from.
pub fn note_origin(subvolume: BorrowedFd, (uuid, sent): ([u8; 16], u64)) -> io::Result<()> {
    let mut receipt =
        Receipt { uuid, sent, received: 0, times: [[0; 2]; 2], flags: 0, reserved: [0; 16] };
    call(subvolume, request(3, 37, size_of::<Receipt>()), &mut receipt)
}

/// Writes a read-only subvolume as a stream, or what makes it of the read-only one with number `base`.
pub fn send_subvolume(subvolume: BorrowedFd, base: Option<u64>, to: BorrowedFd) -> io::Result<()> {
    let source = base.unwrap_or(0);
    let mut send = Send {
        to: to.as_raw_fd().into(),
        // What is in the base already is told by reference.
        sources: base.is_some().into(),
        source: &raw const source,
        parent: source,
        flags: 0,
        version: 0,
        reserved: [0; 28],
    };
    call(subvolume, request(1, 38, size_of::<Send>()), &mut send)
}

/// Lets a file have blocks of another, or of itself, in a place (`FICLONERANGE`).
pub fn share_blocks(from: BorrowedFd, to: BorrowedFd, range: BlockRange) -> io::Result<()> {
    let BlockRange { from: start, length, to: place } = range;
    let source = from.as_raw_fd().into();
    let mut argument = CloneRange { source, from: start, length, to: place };
    call(to, request(1, 13, size_of::<CloneRange>()), &mut argument)
}

/// Counts what subvolumes take, so that they can be limited.
pub fn enable_subvolume_quotas(root: BorrowedFd) -> io::Result<()> {
    call(root, request(3, 40, size_of::<Quota>()), &mut Quota { command: 1, status: 0 })
}

/// Limits the bytes that a subvolume refers to; `None` lifts the limit.
pub fn limit_subvolume(subvolume: BorrowedFd, bytes: Option<u64>) -> io::Result<()> {
    // `u64::MAX` clears a limit (CLEAR_VALUE in fs/btrfs/qgroup.c). Group 0 is that of the subvolume.
    let mut limit = Limit {
        group: 0,
        flags: MAX_REFERENCED,
        max_referenced: bytes.unwrap_or(u64::MAX),
        max_exclusive: 0,
        reserved: [0; 2],
    };
    call(subvolume, request(2, 43, size_of::<Limit>()), &mut limit)
}

/// Makes the file system as large as its one device.
pub fn grow_btrfs(root: BorrowedFd) -> io::Result<()> {
    call(root, request(1, 3, size_of::<Name>()), &mut Name { fd: 0, name: named(c"max")? })
}

/// The highest id that a device of the file system has; not every id beneath it is one.
pub fn highest_device(root: BorrowedFd) -> io::Result<u64> {
    let mut info = Info { highest: 0, unused: [0; 127] };
    call(root, request(2, 31, size_of::<Info>()), &mut info)?;
    Ok(info.highest)
}

/// Reads a whole device, compares with the checksums and mends from a second copy what it can. Returns when
/// that is done, after `ECANCELED` when another thread cancels it; `ENODEV` where no device has that id.
pub fn scrub(root: BorrowedFd, device: u64) -> io::Result<Scrubbed> {
    let mut scrub = Scrub::of(device);
    call(root, request(3, 27, size_of::<Scrub>()), &mut scrub)?;
    Ok(Scrubbed::from(&scrub.progress))
}

/// How far a scrub of a device is; `ENOTCONN` where none is under way.
pub fn scrub_progress(root: BorrowedFd, device: u64) -> io::Result<Scrubbed> {
    let mut scrub = Scrub::of(device);
    call(root, request(3, 29, size_of::<Scrub>()), &mut scrub)?;
    Ok(Scrubbed::from(&scrub.progress))
}

/// Ends the scrub of a file system that is under way.
pub fn cancel_scrub(root: BorrowedFd) -> io::Result<()> {
    call(root, request(0, 28, 0), &mut 0_u64)
}

/// The folders below a subvolume's root in which other subvolumes lie, as relative paths; 255 at most,
/// the same one several times.
pub fn folders_with_subvolumes(subvolume: BorrowedFd) -> io::Result<Vec<Vec<u8>>> {
    let mut children = Children { from: 0, found: [[0; 2]; 255], count: 0, align: [0; 7] };
    match call(subvolume, request(3, 61, size_of::<Children>()), &mut children) {
        // There are more; these come first.
        Err(error) if error.raw_os_error() != Some(libc::EOVERFLOW) => return Err(error),
        _ => {}
    }
    let found = children.found.iter().take(children.count.into());
    found.map(|[_, folder]| path_of(subvolume, *folder)).collect()
}

fn path_of(subvolume: BorrowedFd, object: u64) -> io::Result<Vec<u8>> {
    let mut lookup = Lookup { tree: 0, object, name: [0; 4080] };
    call(subvolume, request(3, 18, size_of::<Lookup>()), &mut lookup)?;
    let end = lookup.name.iter().position(|byte| *byte == 0).unwrap_or(lookup.name.len());
    Ok(lookup.name[..end].to_vec())
}
