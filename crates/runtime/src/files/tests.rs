use std::{
    fs,
    io::{Read, Write},
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::{Path, PathBuf},
    thread,
};

use super::*;

/// A root with something outside it, served.
struct Scene {
    outside: tempfile::TempDir,
    inside: tempfile::TempDir,
    files: Files,
}

fn scene() -> Scene {
    let outside = tempfile::tempdir().unwrap();
    let inside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "outside").unwrap();
    let (files, theirs) = Files::pair().unwrap();
    let root = fs::File::open(inside.path()).unwrap();
    thread::spawn(move || serve(root.into(), std::os::fd::AsFd::as_fd(&theirs)));
    Scene { outside, inside, files }
}

fn put(files: &Files, path: &str, text: &str, owner: Owner) -> crate::Result<()> {
    let path = Path::new(path);
    let mut file = files.write(path, Writing::Replace, owner)?;
    file.write_all(text.as_bytes()).unwrap();
    files.commit(path)
}

fn text(files: &Files, path: &str) -> crate::Result<String> {
    let mut text = String::new();
    files.read(Path::new(path))?.read_to_string(&mut text).unwrap();
    Ok(text)
}

fn errno(result: crate::Result<impl Sized>) -> i32 {
    match result.err() {
        Some(crate::Error::Step { source, .. }) => source.raw_os_error().unwrap_or_default(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn links_do_not_lead_out() {
    let Scene { outside, inside, files } = scene();
    let at = |name: &str| inside.path().join(name);
    symlink(outside.path(), at("way")).unwrap();
    symlink(outside.path().join("secret"), at("direct")).unwrap();
    symlink("../../../../../../etc", at("up")).unwrap();
    symlink("loop", at("loop")).unwrap();
    for path in ["/way/secret", "/direct", "/up/passwd", "/../../etc/passwd", "direct"] {
        assert_eq!(errno(text(&files, path)), libc::ENOENT, "{path}");
    }
    assert_eq!(errno(text(&files, "/loop")), libc::ELOOP);
    assert_eq!(errno(put(&files, "/way/new", "x", Owner::default())), libc::ENOENT);
    assert_eq!(errno(put(&files, "/direct", "x", Owner::default())), libc::ENOENT);
    assert_eq!(errno(files.remove(Path::new("/way/secret"), None)), libc::ENOENT);
    assert_eq!(errno(files.list(Path::new("/way"))), libc::ENOENT);
    files.remove(Path::new("/way"), None).unwrap();
    assert_eq!(fs::read_to_string(outside.path().join("secret")).unwrap(), "outside");
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
}

#[test]
fn a_folder_that_is_swapped_all_the_time_does_not_lead_out() {
    let Scene { outside, inside, files } = scene();
    let (a, b) = (inside.path().join("a"), inside.path().join("b"));
    fs::create_dir(&a).unwrap();
    fs::write(a.join("secret"), "inside").unwrap();
    symlink(outside.path(), &b).unwrap();
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let seen = stop.clone();
    let swapper = thread::spawn(move || {
        while !seen.load(std::sync::atomic::Ordering::Relaxed) {
            let flags = rustix::fs::RenameFlags::EXCHANGE;
            rustix::fs::renameat_with(rustix::fs::CWD, &a, rustix::fs::CWD, &b, flags).unwrap();
        }
    });
    for n in 0..2000 {
        if let Ok(text) = text(&files, "/a/secret") {
            assert_eq!(text, "inside");
        }
        let _ = put(&files, &format!("/a/new{}", n % 3), "x", Owner::default());
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    swapper.join().unwrap();
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1, "nothing was made outside");
}

#[test]
fn pipes_and_devices_are_not_opened() {
    let Scene { inside, files, .. } = scene();
    let mode = rustix::fs::Mode::RWXU;
    let fifo = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(rustix::fs::CWD, inside.path().join("fifo"), fifo, mode, 0).unwrap();
    assert_eq!(errno(text(&files, "/fifo")), libc::EOPNOTSUPP);
    assert_eq!(errno(put(&files, "/fifo", "x", Owner::default())), libc::EOPNOTSUPP);
    assert_eq!(
        errno(files.write(Path::new("/fifo"), Writing::Append, Owner::default())),
        libc::EOPNOTSUPP
    );
    assert_eq!(files.look(Path::new("/fifo"), true).unwrap().kind, FileKind::Other);
    files.remove(Path::new("/fifo"), None).unwrap();
}

#[test]
fn half_a_file_is_never_seen() {
    let Scene { inside, files, .. } = scene();
    let path = Path::new("/file");
    put(&files, "/file", "old", Owner { mode: Some(0o640), ..Owner::default() }).unwrap();
    let mut half = files.write(path, Writing::Replace, Owner::default()).unwrap();
    half.write_all(b"ha").unwrap();
    assert_eq!(text(&files, "/file").unwrap(), "old");
    drop(half);
    drop(files);
    // The server tidies up when it sees the end.
    for _ in 0..500 {
        if fs::read_dir(inside.path()).unwrap().count() == 1 {
            break;
        }
        thread::sleep(std::time::Duration::from_millis(10));
    }
    let left: Vec<PathBuf> =
        fs::read_dir(inside.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(left, [inside.path().join("file")]);
    assert_eq!(fs::read_to_string(&left[0]).unwrap(), "old");
}

#[test]
fn a_file_that_is_replaced_keeps_its_mode_unless_another_is_given() {
    let Scene { inside, files, .. } = scene();
    let mode = |mode| Owner { mode: Some(mode), ..Owner::default() };
    let seen = || fs::metadata(inside.path().join("file")).unwrap().permissions().mode() & 0o7777;
    put(&files, "/file", "one", mode(0o4750)).unwrap();
    assert_eq!(seen(), 0o4750);
    put(&files, "/file", "two", Owner::default()).unwrap();
    assert_eq!(seen(), 0o4750);
    put(&files, "/file", "three", mode(0o600)).unwrap();
    assert_eq!(seen(), 0o600);
    let mut more = files.write(Path::new("/file"), Writing::Append, Owner::default()).unwrap();
    more.write_all(b" four").unwrap();
    assert_eq!(text(&files, "/file").unwrap(), "three four");
}

#[test]
fn a_link_is_written_through_and_links_are_replaced() {
    let Scene { inside, files, .. } = scene();
    files.make_folder(Path::new("/etc"), Owner::default()).unwrap();
    put(&files, "/etc/real", "old", Owner::default()).unwrap();
    files.make_link(Path::new("/link"), Path::new("/etc/real"), Owner::default()).unwrap();
    put(&files, "/link", "new", Owner::default()).unwrap();
    assert_eq!(fs::read_to_string(inside.path().join("etc/real")).unwrap(), "new");
    assert_eq!(files.link(Path::new("/link")).unwrap(), "/etc/real");
    files.make_link(Path::new("/link"), Path::new("other"), Owner::default()).unwrap();
    assert_eq!(files.link(Path::new("/link")).unwrap(), "other");
    assert_eq!(errno(files.remove(Path::new("/etc"), None)), libc::ENOTEMPTY);
    assert_eq!(errno(files.remove(Path::new("/"), None)), libc::EBUSY);
    let names: Vec<_> = files.list(Path::new("/")).unwrap().into_iter().map(|e| e.name).collect();
    assert_eq!(names, ["etc", "link"]);
    assert_eq!(fs::metadata(inside.path().join("etc")).unwrap().mode() & 0o7777, 0o755);
}

#[test]
fn switches_of_the_kernel_are_read_and_not_changed() {
    let Some(group) = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"]
        .into_iter()
        .find(|path| Path::new(path).join("cgroup.procs").exists())
    else {
        return eprintln!("SKIP: no control groups of version 2");
    };
    if !rustix::process::geteuid().is_root() {
        return eprintln!("SKIP: needs root");
    }
    let (files, theirs) = Files::pair().unwrap();
    let root = fs::File::open(group).unwrap();
    thread::spawn(move || serve(root.into(), std::os::fd::AsFd::as_fd(&theirs)));
    let name = format!("microcloud-files-{}", std::process::id());
    let (new, there) = (Path::new("/").join(&name), Path::new("/").join(format!("{name}-there")));
    let on_disk = |path: &Path| Path::new(group).join(path.strip_prefix("/").unwrap());
    fs::create_dir(on_disk(&there)).unwrap();
    let all = [
        files.make_folder(&new, Owner::default()),
        files.make_link(&new, Path::new("x"), Owner::default()),
        files.rename(&there, &new, false),
        files.remove(&there, None),
        files.write(&there.join("cgroup.freeze"), Writing::Append, Owner::default()).map(drop),
    ];
    let (made, kept) = (on_disk(&new).exists(), on_disk(&there).exists());
    for path in [&new, &there] {
        let _ = fs::remove_dir(on_disk(path));
    }
    assert_eq!(all.map(errno), [libc::EROFS; 5]);
    assert!(!made && kept, "made {made}, kept {kept}");
    assert!(text(&files, "/cgroup.controllers").is_ok());
}
