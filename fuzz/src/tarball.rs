//! Tarballs, with their checksums made right, as else nearly none would be looked at. Each byte of what is compressed
//! counts as it is.

use std::{fs, io, path::Path};

use exec::Control;
use images::{Files, Format, Limits};

const BLOCK: usize = 512;
/// Where a header has its checksum, its magic, its size.
const CHECKSUM: std::ops::Range<usize> = 148..156;
const MAGIC: std::ops::Range<usize> = 257..262;
const SIZE: std::ops::Range<usize> = 124..136;
/// What an image may become here.
const LIMITS: Limits = Limits { max_bytes: 4 << 20, max_entries: 1000, max_file: 1 << 30 };

type Reading = fn(&Path, &Path);

const READINGS: [Reading; 5] = [
    |file, _| drop(images::inspect(&Files::unified(file), &Control::none())),
    |file, _| drop(images::backup::Index::of(file, &Control::none())),
    |file, into| drop(images::unpack(&Files::unified(file), into, &LIMITS, &Control::none())),
    |file, into| {
        let part = Path::new("backup/container");
        drop(images::unpack_instance(file, part, into, &LIMITS, &Control::none()));
    },
    |file, into| {
        drop(images::unpack_tree(file, Path::new("backup"), into, &LIMITS, &Control::none()));
    },
];

/// Reads it in each way there is.
pub fn look(data: &[u8]) {
    let mut data = data.to_vec();
    if data.get(MAGIC).is_some_and(|magic| magic == b"ustar") {
        mend(&mut data);
    }
    let place = tempfile::tempdir().unwrap();
    let (file, into) = (place.path().join("file"), place.path().join("into"));
    fs::write(&file, &data).unwrap();
    // Another program reads those.
    if matches!(Format::of(&file), Ok(Format::Squashfs)) {
        return;
    }
    for reading in READINGS {
        fs::create_dir(&into).unwrap();
        reading(&file, &into);
        fs::remove_dir_all(&into).unwrap();
        let left: Vec<_> = fs::read_dir(place.path()).unwrap().flatten().collect();
        assert_eq!(left.len(), 1, "it is not alone: {left:?}");
        assert_eq!(fs::read(&file).unwrap(), data, "it was changed");
    }
}

/// Makes the checksums of all headers right.
fn mend(data: &mut [u8]) {
    let mut at = 0;
    while let Some(header) = data.get_mut(at..at + BLOCK) {
        header[CHECKSUM].fill(b' ');
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        // The end of the archive stays one.
        match sum == 8 * u32::from(b' ') {
            true => header[CHECKSUM].fill(0),
            false => header[CHECKSUM].copy_from_slice(format!("{sum:06o}\0 ").as_bytes()),
        }
        at += BLOCK + size(header).div_ceil(BLOCK).saturating_mul(BLOCK);
    }
}

fn size(header: &[u8]) -> usize {
    let text = String::from_utf8_lossy(&header[SIZE]);
    let digits = text.trim_matches(|c: char| !c.is_digit(8));
    usize::from_str_radix(digits, 8).unwrap_or_default().min(1 << 30)
}

/// An image and a backup, plain.
pub fn seeds() -> Vec<Vec<u8>> {
    let metadata = "architecture: x86_64\ncreation_date: 1\nproperties: {os: a}\ntemplates: {}\n";
    let image = archive(&[("metadata.yaml", metadata), ("templates/a.tpl", "{{ a }}")], "rootfs");
    let index = "name: c1\nbackend: dir\npool: default\ntype: container\noptimized: false\nsnapshots: [s1]\n";
    let backup = [("backup/index.yaml", index), ("backup/container/metadata.yaml", metadata)];
    [image, archive(&backup, "backup/container/rootfs")].map(Result::unwrap).to_vec()
}

/// These files, and a root with each kind of entry.
fn archive(files: &[(&str, &str)], root: &str) -> io::Result<Vec<u8>> {
    let mut tar = tar::Builder::new(Vec::new());
    for (path, text) in files {
        tar.append_data(&mut header(tar::EntryType::Regular, text.len()), path, text.as_bytes())?;
    }
    let at = |name: &str| format!("{root}/{name}");
    let none: &[u8] = &[];
    tar.append_data(&mut header(tar::EntryType::Directory, 0), at("etc"), none)?;
    let pax = [("SCHILY.xattr.user.a", &b"b"[..]), ("mtime", b"1.5")];
    tar.append_pax_extensions(pax)?;
    tar.append_data(&mut header(tar::EntryType::Regular, 3), at("etc/file"), &b"abc"[..])?;
    let (symlink, hard) = (tar::EntryType::Symlink, tar::EntryType::Link);
    tar.append_link(&mut header(symlink, 0), at("etc/link"), "../etc/file")?;
    tar.append_link(&mut header(hard, 0), at("hard"), at("etc/file"))?;
    tar.append_data(&mut header(tar::EntryType::Fifo, 0), at("fifo"), none)?;
    tar.append_data(&mut header(tar::EntryType::Char, 0), at("null"), none)?;
    tar.append_data(&mut header(tar::EntryType::Regular, 1), at(&"long/".repeat(40)), &b"x"[..])?;
    let mut sparse = header(tar::EntryType::Regular, 5);
    tar.append_pax_extensions([
        ("GNU.sparse.major", &b"0"[..]),
        ("GNU.sparse.minor", b"1"),
        ("GNU.sparse.size", b"4096"),
        ("GNU.sparse.numblocks", b"1"),
        ("GNU.sparse.map", b"1024,5"),
    ])?;
    tar.append_data(&mut sparse, at("sparse"), &b"holes"[..])?;
    tar.into_inner()
}

fn header(kind: tar::EntryType, size: usize) -> tar::Header {
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(kind);
    header.set_size(size as u64);
    header.set_mode(0o4755);
    header
}
