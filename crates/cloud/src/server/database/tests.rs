use super::*;

fn server(folder: &Path) -> Dirs {
    let dirs = Dirs::new(folder);
    dirs.make().unwrap();
    dirs
}

fn tarball(file: &Path, entries: &[(&str, &str)]) {
    let mut tarball = tar::Builder::new(fs::File::create(file).unwrap());
    for (name, text) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o600);
        // As a hostile hand would write it: the crate's own way refuses such names.
        header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        tarball.append(&header, text.as_bytes()).unwrap();
    }
    tarball.finish().unwrap();
}

const HEAD: &str = r#"{"format":1,"program":"0","made":"2026-01-01T00:00:00Z","member":1,"name":"a","address":""}"#;

#[test]
fn what_is_no_backup_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let dirs = server(folder.path());
    let file = folder.path().join("file.tar");
    let newer = HEAD.replace("\"format\":1", "\"format\":2");
    for (entries, wanted) in [
        (&[][..], "state.db is not in it"),
        (&[("backup.json", HEAD)], "state.db is not in it"),
        (&[("state.db", "text")], "backup.json is not in it"),
        (&[("backup.json", "{}"), ("state.db", "text")], "backup.json"),
        (&[("backup.json", newer.as_str()), ("state.db", "text")], "format 2"),
        (&[("backup.json", HEAD), ("state.db", "text")], "restore"),
    ] {
        tarball(&file, entries);
        let error = tasks::chain(&stage(&dirs, &file, &[]).unwrap_err()).to_string();
        assert!(error.contains(wanted), "{error}");
        finish(&dirs).unwrap();
    }
    fs::write(&file, "no tarball").unwrap();
    stage(&dirs, &file, &[]).unwrap_err();
    assert!(!dirs.recovering().exists() && dirs.database().exists());
}

#[test]
fn a_backup_writes_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    let dirs = server(&folder.path().join("server"));
    let file = folder.path().join("file.tar");
    let names = ["../escaped", "storage-keys/../../escaped", "/tmp/escaped", "unix.socket"];
    let hostile = names.map(|name| (name, "x"));
    tarball(&file, &[&hostile[..], &[("backup.json", HEAD)]].concat());
    stage(&dirs, &file, &[]).unwrap_err();
    assert!(!folder.path().join("escaped").exists() && !dirs.socket().exists());
}

#[tokio::test]
async fn a_backup_takes_the_place_of_what_is_there_and_keys_stay() {
    let folder = tempfile::tempdir().unwrap();
    let dirs = server(&folder.path().join("server"));
    let copy = folder.path().join("state.db");
    {
        let options = store::Options::new(&[]);
        let store = store::Store::open(&folder.path().join("other"), options).await.unwrap();
        store.backup(&copy).await.unwrap();
        store.close().await.unwrap();
    }
    let put = |path: PathBuf, text: &str| {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    put(dirs.root().join("server.crt"), "old");
    put(dirs.database().join("log.db"), "old");
    put(dirs.powers(), "old");
    put(dirs.keys().join("one"), "old");
    let file = folder.path().join("file.tar");
    let mut made = tar::Builder::new(fs::File::create(&file).unwrap());
    for (name, text) in [
        ("backup.json", HEAD),
        ("server.crt", "new"),
        ("storage-keys/one", "new"),
        ("storage-keys/two", "new"),
    ] {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        made.append_data(&mut header, name, text.as_bytes()).unwrap();
    }
    made.append_path_with_name(&copy, "state.db").unwrap();
    made.finish().unwrap();
    stage(&dirs, &file, &[]).unwrap();
    assert_eq!(fs::read_to_string(dirs.root().join("server.crt")).unwrap(), "old", "not yet");
    finish(&dirs).unwrap();
    // A power cut while the last of it went.
    fs::create_dir(dirs.restoring()).unwrap();
    finish(&dirs).unwrap();
    assert!(!dirs.restoring().exists());
    let read = |path: PathBuf| fs::read_to_string(path).unwrap();
    assert_eq!(read(dirs.root().join("server.crt")), "new");
    assert_eq!(
        (read(dirs.keys().join("one")), read(dirs.keys().join("two"))),
        ("old".into(), "new".into())
    );
    assert!(!dirs.powers().exists() && dirs.recovering().exists());
    let names = fs::read_dir(dirs.root()).unwrap().flatten();
    let before: Vec<_> = names
        .map(|one| one.path())
        .filter(|path| path.display().to_string().contains("before-"))
        .collect();
    assert_eq!(read(before[0].join("database/log.db")), "old");
    assert_eq!(read(before[0].join("server.crt")), "old");
    store::mend(&dirs.database()).unwrap();
    store::Store::open(&dirs.database(), store::Options::new(&[])).await.unwrap();
}
