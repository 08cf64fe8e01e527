//! Images made to hurt. Each either fails with a clear word or unpacks to something harmless, and
//! never touches what lies beside the folder it is unpacked into.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use exec::Control;
use proptest::prelude::*;
use tar::EntryType;

use super::testing::{Tar, not_root};
use super::*;

/// A folder to unpack into, and beside it what must not change.
struct Trap {
    folder: tempfile::TempDir,
}

impl Trap {
    fn new() -> Trap {
        let folder = tempfile::Builder::new().prefix("images-").tempdir().unwrap();
        fs::create_dir(folder.path().join("into")).unwrap();
        fs::create_dir(folder.path().join("outside")).unwrap();
        fs::write(folder.path().join("outside/precious"), "precious").unwrap();
        Trap { folder }
    }

    fn into(&self) -> PathBuf {
        self.folder.path().join("into")
    }

    fn rootfs(&self, path: &str) -> PathBuf {
        self.into().join("rootfs").join(path)
    }

    fn unpack(&self, data: &[u8]) -> crate::Result<Unpacked> {
        self.unpack_with(data, &Limits::default())
    }

    fn unpack_with(&self, data: &[u8], limits: &Limits) -> crate::Result<Unpacked> {
        let file = self.folder.path().join("image");
        fs::write(&file, data).unwrap();
        let result = unpack(&Files::unified(&file), &self.into(), limits, &Control::none());
        self.check();
        result
    }

    /// Nothing outside was changed, added or taken.
    fn check(&self) {
        let names = |path: &Path| {
            let mut names: Vec<_> = fs::read_dir(path)
                .unwrap()
                .map(|e| e.unwrap().file_name().into_string().unwrap())
                .collect();
            names.sort();
            names
        };
        let precious = self.folder.path().join("outside/precious");
        assert_eq!(names(self.folder.path()), ["image", "into", "outside"]);
        assert_eq!(names(&self.folder.path().join("outside")), ["precious"]);
        assert_eq!(fs::read_to_string(&precious).unwrap(), "precious");
        let stat = fs::metadata(&precious).unwrap();
        assert_eq!((stat.nlink(), stat.permissions().mode() & 0o7777), (1, 0o644));
    }
}

fn refused(result: crate::Result<Unpacked>) -> String {
    let error = result.unwrap_err();
    assert!(
        matches!(error, Error::Hostile { .. } | Error::Damaged { .. } | Error::Io { .. }),
        "{error:?}"
    );
    error.to_string()
}

#[test]
fn names_that_climb_out_are_refused() {
    if not_root() {
        return;
    }
    for name in ["rootfs/../../outside/x", "../outside/x", "rootfs/..", "..", "templates/../../x"] {
        let trap = Trap::new();
        let error = refused(trap.unpack(&Tar::image().file(name, b"evil").end()));
        assert!(error.contains(".."), "{error}");
    }
    let trap = Trap::new();
    let long =
        Tar::image().extended(&[("path", b"rootfs/a/../../../outside/x")]).file("x", b"evil").end();
    refused(trap.unpack(&long));
}

#[test]
fn absolute_names_stay_inside() {
    if not_root() {
        return;
    }
    let trap = Trap::new();
    let target = trap.folder.path().join("outside/new");
    let name = format!("rootfs/{}", target.display());
    trap.unpack(&Tar::image().file(&name, b"evil").file("/rootfs/etc/x", b"y").end()).unwrap();
    assert!(trap.rootfs("etc/x").exists());
}

#[test]
fn links_that_lead_out_are_kept_and_never_followed_out() {
    if not_root() {
        return;
    }
    let trap = Trap::new();
    let outside = trap.folder.path().join("outside");
    let outside = outside.to_str().unwrap();
    let data = Tar::image()
        .symlink("rootfs/abs", outside)
        .file("rootfs/abs/precious", b"evil")
        .symlink("rootfs/rel", "../../outside")
        .file("rootfs/rel/precious", b"evil")
        .folder("rootfs/rel/made/")
        .symlink("rootfs/file", &format!("{outside}/precious"))
        .file("rootfs/file", b"evil")
        .symlink("rootfs/chain", "rel/../../outside")
        .file("rootfs/chain/new", b"evil")
        .end();
    let _ = trap.unpack(&data); // refused or unpacked inside: the check is what counts
    assert_eq!(fs::read_link(trap.rootfs("abs")).unwrap().to_str(), Some(outside));
}

#[test]
fn a_folder_replaced_by_a_link_does_not_lead_out() {
    if not_root() {
        return;
    }
    let trap = Trap::new();
    let data = Tar::image()
        .folder("rootfs/a/")
        .file("rootfs/a/one", b"1")
        .symlink("rootfs/a", "/outside")
        .file("rootfs/a/precious", b"evil")
        .end();
    let error = refused(trap.unpack(&data));
    assert!(error.contains("/a"), "{error}");
    // The trees' own folders cannot be replaced either.
    for name in ["rootfs", "templates", "metadata.yaml"] {
        let trap = Trap::new();
        let data = Tar::image()
            .symlink(name, "../outside")
            .file(&format!("{name}/precious"), b"evil")
            .end();
        let _ = trap.unpack(&data);
    }
}

#[test]
fn hard_links_lead_nowhere_but_into_the_root() {
    if not_root() {
        return;
    }
    let trap = Trap::new();
    let precious = trap.folder.path().join("outside/precious");
    let precious = precious.to_str().unwrap();
    let out =
        Tar::image().symlink("rootfs/l", "/").hard_link("rootfs/x", &format!("rootfs/l{precious}"));
    for data in [
        Tar::image().hard_link("rootfs/x", precious).end(),
        Tar::image().hard_link("rootfs/x", "rootfs/../../outside/precious").end(),
        Tar::image().hard_link("rootfs/x", "metadata.yaml").end(),
        Tar::image().hard_link("rootfs/x", "rootfs").end(),
        Tar::image().hard_link("rootfs/x", "rootfs/absent").end(),
        Tar::image().hard_link("rootfs/x", "rootfs/x").end(),
        out.end(),
    ] {
        let trap = Trap::new();
        refused(trap.unpack(&data));
        assert!(fs::symlink_metadata(trap.rootfs("x")).is_err());
    }
}

#[test]
fn device_nodes_are_left_out_and_counted() {
    if not_root() {
        return;
    }
    let trap = Trap::new();
    let node = |tar: Tar, kind, name: &str| {
        tar.header(b"", |header| {
            header.set_entry_type(kind);
            header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
            header.set_device_major(8).unwrap();
            header.set_device_minor(0).unwrap();
        })
    };
    let tar = node(Tar::image(), EntryType::Block, "rootfs/sda");
    let tar = node(tar, EntryType::Char, "rootfs/mem");
    let done = trap.unpack(&node(tar, EntryType::Fifo, "rootfs/pipe").end()).unwrap();
    assert_eq!(done.devices, 2);
    assert!(!trap.rootfs("sda").exists() && !trap.rootfs("mem").exists());
    assert!(trap.rootfs("pipe").exists());
}

#[test]
fn marks_for_the_hosts_kernel_are_dropped() {
    if not_root() {
        return;
    }
    let trap = Trap::new();
    let data = Tar::image()
        .extended(&[
            ("SCHILY.xattr.trusted.overlay.redirect", b"/outside"),
            ("SCHILY.xattr.user.overlay.opaque", b"y"),
            ("SCHILY.xattr.security.selinux", b"label"),
            ("SCHILY.xattr.user.kept", b"yes"),
        ])
        .file("rootfs/x", b"")
        .end();
    trap.unpack(&data).unwrap();
    let mut names = [0; 1024];
    let used = rustix::fs::listxattr(trap.rootfs("x"), &mut names[..]).unwrap();
    assert_eq!(&names[..used], b"user.kept\0");
}

#[test]
fn bombs_are_stopped_at_the_limits() {
    if not_root() {
        return;
    }
    let limits = Limits { max_bytes: 1 << 20, max_entries: 50, max_file: 1 << 20 };
    let (mut many, trap) = (Tar::image(), Trap::new());
    for n in 0..60 {
        many = many.file(&format!("rootfs/{n}"), b"");
    }
    let error = trap.unpack_with(&many.end(), &limits).unwrap_err().to_string();
    assert!(error.ends_with("more than 50 entries"), "{error}");

    let (zeros, trap) = (vec![0; 8 << 20], Trap::new());
    let bomb =
        zstd::encode_all(Tar::image().file("rootfs/x", &zeros).end().as_slice(), 19).unwrap();
    assert!(bomb.len() < 10_000);
    let error = trap.unpack_with(&bomb, &limits).unwrap_err().to_string();
    assert!(error.ends_with("more than 1048576 bytes"), "{error}");

    let trap = Trap::new();
    let sparse = Tar::image().extended(&[
        ("GNU.sparse.major", b"1"),
        ("GNU.sparse.minor", b"0"),
        ("GNU.sparse.name", b"rootfs/x"),
        ("GNU.sparse.realsize", b"9000000000000000000"),
    ]);
    let error = trap.unpack_with(&sparse.file("rootfs/x", b"0\n").end(), &limits).unwrap_err();
    assert!(matches!(error, Error::TooLarge { .. }), "{error}");
}

#[test]
fn headers_without_end_do_not_fill_the_memory() {
    if not_root() {
        return;
    }
    let trap = Trap::new();
    let huge = Tar::image().entry(EntryType::GNULongName, "x", "", &vec![b'a'; 8 << 20]);
    let error = refused(trap.unpack(&huge.file("x", b"").end()));
    assert!(error.contains("damaged at byte"), "{error}");
}

#[test]
fn an_archive_that_stops_is_damaged_and_says_where() {
    if not_root() {
        return;
    }
    let whole = || Tar::image().file("rootfs/a", &[1; 3000]);
    let cut = whole().cut();
    let error = refused(Trap::new().unpack(&cut));
    assert!(error.contains("damaged at byte") && error.contains("image"), "{error}");
    let error = refused(Trap::new().unpack(&cut[..cut.len() - 2000]));
    assert!(error.contains("in rootfs/a"), "{error}");
    let packed = zstd::encode_all(whole().end().as_slice(), 3).unwrap();
    refused(Trap::new().unpack(&packed[..packed.len() - 7]));
    let mut flipped = cut.clone();
    flipped[512 + 5] ^= 0x40;
    refused(Trap::new().unpack(&flipped));
}

#[test]
fn gzip_with_a_wrong_checksum_is_damaged() {
    if not_root() {
        return;
    }
    use std::io::Write;
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(&Tar::image().file("rootfs/a", &[1; 3000]).end()).unwrap();
    let mut data = out.finish().unwrap();
    let sum = data.len() - 8;
    data[sum] ^= 1;
    refused(Trap::new().unpack(&data));
}

#[test]
fn owners_and_maps_that_cannot_be_are_refused() {
    if not_root() {
        return;
    }
    let owner = |uid: u64| {
        Tar::image().header(b"", |header| {
            header.as_mut_bytes()[..8].copy_from_slice(b"rootfs/x");
            header.set_uid(uid);
        })
    };
    refused(Trap::new().unpack(&owner(u64::from(u32::MAX)).end()));
    refused(Trap::new().unpack(&owner(1 << 40).end()));
    let map = |map: &[u8]| {
        let mut block = map.to_vec();
        block.resize(512, 0);
        Tar::image()
            .extended(&[
                ("GNU.sparse.major", b"1"),
                ("GNU.sparse.minor", b"0"),
                ("GNU.sparse.name", b"rootfs/x"),
                ("GNU.sparse.realsize", b"1000"),
            ])
            .file("rootfs/x", &block)
            .end()
    };
    for bad in [
        &b"1\n900\n200\n"[..],
        b"2\n500\n10\n0\n10\n",
        b"1\n0\n900\n",
        b"99999999\n",
        b"-1\n",
        b"1\n",
    ] {
        refused(Trap::new().unpack(&map(bad)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever bytes are changed, nothing outside is and nothing panics.
    #[test]
    fn garbled_archives_hurt_nobody(at in 0_usize..6000, xor in 1_u8..=255, cut in 0_usize..6000) {
        if not_root() {
            return Ok(());
        }
        let mut data = Tar::image()
            .symlink("rootfs/l", "../../outside")
            .extended(&[("path", b"rootfs/l/precious"), ("SCHILY.xattr.user.a", b"b")])
            .file("rootfs/x", b"evil")
            .hard_link("rootfs/h", "rootfs/x")
            .end();
        let (at, cut) = (at % data.len(), cut % data.len());
        data[at] ^= xor;
        let trap = Trap::new();
        let _ = trap.unpack(&data);
        let trap = Trap::new();
        let _ = trap.unpack(&data[..cut]);
    }
}
