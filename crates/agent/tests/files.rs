//! Files, through an agent at the other end of a pair, in a root of their own.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "all of it is tests")]

mod common;

use std::{
    fs,
    io::{Read, Seek, SeekFrom, Write},
    os::unix::fs::{MetadataExt, symlink},
    path::Path,
};

use agent::Files;
use common::agent;
use runtime::{
    Error,
    files::{Change, FileKind, Owner, Writing},
};

/// A root, somewhere for contents on their way, and the handle.
struct Scene {
    inside: tempfile::TempDir,
    spool: tempfile::TempDir,
    files: Files,
}

/// Verbs block, so what uses them does not run among async tasks.
fn scene(test: impl FnOnce(Scene)) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let agent = runtime.block_on(agent());
    let (inside, spool) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let files = agent.files(inside.path(), spool.path()).unwrap();
    test(Scene { inside, spool, files });
}

fn put(files: &Files, path: &str, how: Writing, bytes: &[u8]) -> runtime::Result<()> {
    let mut file = files.write(Path::new(path), how, Owner::default())?;
    file.write_all(bytes).unwrap();
    files.commit(Path::new(path))
}

fn get(files: &Files, path: &str) -> runtime::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    files.read(Path::new(path))?.read_to_end(&mut bytes).unwrap();
    Ok(bytes)
}

fn errno(result: runtime::Result<impl Sized>) -> i32 {
    match result.err() {
        Some(Error::Step { source, .. }) => source.raw_os_error().unwrap_or_default(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_file_takes_its_place_whole_or_not_at_all() {
    scene(|Scene { inside, files, .. }| {
        let place = inside.path().join("file");
        fs::write(&place, "old").unwrap();
        let big: Vec<u8> = (0..3_000_000_u32).map(|at| (at ^ (at >> 8)) as u8).collect();
        let mut file = files.write(Path::new("/file"), Writing::Replace, Owner::default()).unwrap();
        file.write_all(&big).unwrap();
        assert_eq!(fs::read(&place).unwrap(), b"old");
        files.commit(Path::new("/file")).unwrap();
        assert!(fs::read(&place).unwrap() == big);
        assert!(get(&files, "/file").unwrap() == big);
        // One that is not committed leaves nothing.
        drop(files.write(Path::new("/other"), Writing::Replace, Owner::default()).unwrap());
        drop(files);
        let names = || fs::read_dir(inside.path()).unwrap().flatten().count();
        let end = std::time::Instant::now() + common::SOON;
        while names() != 1 {
            assert!(std::time::Instant::now() < end, "something is left");
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    });
}

#[test]
fn files_are_appended_to_and_changed_within() {
    scene(|Scene { inside, spool, files }| {
        let place = inside.path().join("file");
        put(&files, "/file", Writing::Append, b"one two").unwrap();
        put(&files, "/file", Writing::Append, b" three").unwrap();
        put(&files, "/file", Writing::Append, b"").unwrap();
        assert_eq!(fs::read(&place).unwrap(), b"one two three");
        let within = |truncate, new| Writing::Within { read: true, create: false, truncate, new };
        let mut file =
            files.write(Path::new("/file"), within(false, false), Owner::default()).unwrap();
        let mut there = String::new();
        file.read_to_string(&mut there).unwrap();
        assert_eq!(there, "one two three");
        file.seek(SeekFrom::Start(4)).unwrap();
        file.write_all(b"TWO").unwrap();
        file.set_len(7).unwrap();
        files.commit(Path::new("/file")).unwrap();
        assert_eq!(fs::read(&place).unwrap(), b"one TWO");
        put(&files, "/file", within(true, false), b"x").unwrap();
        assert_eq!(fs::read(&place).unwrap(), b"x");
        let refused = files.write(Path::new("/file"), within(false, true), Owner::default());
        assert_eq!(errno(refused), 17);
        assert_eq!(fs::read_dir(spool.path()).unwrap().count(), 0, "nothing has a name on its way");
    });
}

#[test]
fn every_verb_does_what_it_does_to_a_container() {
    scene(|Scene { inside, files, .. }| {
        let at = |name: &str| inside.path().join(name);
        files.make_folder(Path::new("/folder"), Owner::default()).unwrap();
        files.make_folder(Path::new("/folder"), Owner::default()).unwrap();
        files.make_link(Path::new("/link"), Path::new("folder/a"), Owner::default()).unwrap();
        put(&files, "/folder/a", Writing::Replace, b"text").unwrap();
        assert_eq!(files.link(Path::new("/link")).unwrap(), "folder/a");
        assert_eq!(files.look(Path::new("/link"), false).unwrap().kind, FileKind::Link);
        assert_eq!(files.look(Path::new("/link"), true).unwrap().size, 4);
        let names = files.list(Path::new("/")).unwrap();
        let names: Vec<_> = names.into_iter().map(|entry| entry.name).collect();
        assert_eq!(names, ["folder", "link"]);
        assert_eq!(files.resolve(Path::new("/folder/../x/./y")).unwrap(), "/x/y");
        files.rename(Path::new("/folder/a"), Path::new("/b"), false).unwrap();
        let owner = Owner { mode: Some(0o600), ..Owner::default() };
        let change = Change { owner, size: Some(2), times: Some((5, 6)) };
        files.change(Path::new("/b"), &change).unwrap();
        let seen = fs::metadata(at("b")).unwrap();
        assert_eq!((seen.mode() & 0o777, seen.len(), seen.mtime()), (0o600, 2, 6));
        files.remove(Path::new("/folder"), Some(FileKind::Folder)).unwrap();
        files.remove(Path::new("/b"), None).unwrap();
        files.remove(Path::new("/link"), None).unwrap();
        assert_eq!(fs::read_dir(inside.path()).unwrap().count(), 0);
    });
}

#[test]
fn errors_keep_their_numbers_and_nothing_leads_out() {
    scene(|Scene { inside, files, .. }| {
        assert_eq!(errno(get(&files, "/absent")), 2);
        assert_eq!(errno(get(&files, "/")), 21);
        fs::create_dir_all(inside.path().join("full/folder")).unwrap();
        assert_eq!(errno(files.remove(Path::new("/full"), None)), 39);
        symlink("/etc", inside.path().join("out")).unwrap();
        assert_eq!(errno(get(&files, "/out/passwd")), 2);
        assert_eq!(errno(get(&files, "/../../etc/passwd")), 2);
        let failed = put(&files, "/absent/file", Writing::Replace, b"x").unwrap_err();
        assert_eq!(failed.to_string(), "write /absent/file");
    });
}

#[test]
fn a_folder_with_many_names_is_listed_whole() {
    const MANY: usize = 30_000;
    scene(|Scene { inside, files, .. }| {
        for number in 0..MANY {
            fs::write(inside.path().join(format!("name-{number}")), "").unwrap();
        }
        assert_eq!(files.list(Path::new("/")).unwrap().len(), MANY);
    });
}

#[test]
fn what_the_machine_uses_is_told() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let state = agent().await.state().await.unwrap();
        let lo = &state.network["lo"];
        assert_eq!((lo.r#type.as_str(), lo.mtu > 0), ("loopback", true));
        assert!(state.memory.total > state.memory.usage && state.memory.usage > 0, "{state:?}");
        assert!(state.processes > 1 && state.processors > 0 && state.cpu.usage > 0, "{state:?}");
    });
}
