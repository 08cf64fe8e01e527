//! Backups of buckets: by our own client, since Debian's `lxc` has no such verbs, and as raw requests.

use std::fs;

use lab::{
    s3::Door,
    tarball::{evil, index},
};

#[test]
fn an_export_comes_back_as_it_was() {
    let Some(door) = Door::open(&["size=50MB"]) else { return };
    door.run("fill");
    let bucket = |words: &[&str]| door.bucket(words);
    bucket(&["set", "default", "photos", "user.note=kept"]).ok();
    let file = door.daemon.scratch().join("photos.tar.gz").display().to_string();
    let stops = door.begin("busy", "");
    bucket(&["export", "default", "photos", &file]).ok();
    stops.wait().ok();
    let buckets = "/1.0/storage-pools/default/buckets";
    let left = door.daemon.get("/internal/storage-pools/default/buckets/photos/backups");
    assert_eq!(left, serde_json::json!([]), "the client fetched it and deleted it");
    bucket(&["import", "default", &file]).fails_with("already exists");

    // Beside the first its keys are others; without it they are the same.
    let imported = bucket(&["import", "default", &file, "twin"]).ok().text();
    assert!(imported.contains("Storage bucket name is: twin"), "{imported}");
    let twin = door.daemon.get(&format!("{buckets}/twin/keys/admin"));
    assert_ne!(twin["access-key"], door.access.as_str(), "{twin}");
    assert_eq!(twin["role"], "admin");
    let mut door = door;
    let own = (door.access.clone(), door.secret.clone());
    let word = |key: &str| twin[key].as_str().unwrap_or_default().to_owned();
    (door.access, door.secret, door.bucket) = (word("access-key"), word("secret-key"), "twin");
    door.run("filled");
    let bucket = |words: &[&str]| door.bucket(words);
    bucket(&["delete", "default", "photos"]).ok();
    bucket(&["delete", "default", "twin"]).ok();
    bucket(&["import", "default", &file]).ok();
    let note = bucket(&["get", "default", "photos", "user.note"]).text();
    assert_eq!(note, "kept");
    (door.access, door.secret) = own;
    door.bucket = "photos";
    door.run("filled");
}

#[test]
fn backups_wait_are_renamed_and_go_with_their_bucket() {
    let Some(door) = Door::open(&[]) else { return };
    let of = "/internal/storage-pools/default/buckets/photos/backups";
    let post = |body: &str| door.daemon.lxc(["query", "-X", "POST", "--wait", "-d", body, of]);
    post(r#"{"name": "one", "compression_algorithm": "zstd"}"#).ok();
    post(r#"{"name": "one"}"#).fails_with("already exists");
    post(r#"{"compression_algorithm": "lz77"}"#).fails_with("compression_algorithm");
    let soon = (chrono::Utc::now() + chrono::TimeDelta::seconds(5)).to_rfc3339();
    post(&format!(r#"{{"expires_at": "{soon}", "name": "old"}}"#)).ok();
    let rename = r#"{"name": "two"}"#;
    let one = format!("{of}/one");
    door.daemon.lxc(["query", "-X", "POST", "--wait", "-d", rename, &one]).ok();
    let shown = door.daemon.get(&format!("{of}/two"));
    assert_eq!(shown["name"], "two", "{shown}");
    let waiting = door.daemon.folder().join("backups/buckets");
    let files = || fs::read_dir(&waiting).unwrap().count();
    assert_eq!(files(), 1);
    lab::within(std::time::Duration::from_secs(90), "the old one goes by the clock", || {
        (door.daemon.get(of).as_array().map(Vec::len) == Some(1)).then_some(())
    });
    door.bucket(&["delete", "default", "photos"]).ok();
    assert_eq!(files(), 0);
}

#[test]
fn what_is_no_backup_of_a_bucket_leaves_nothing() {
    let Some(door) = Door::open(&[]) else { return };
    door.run("fill");
    let file = |name: &str| door.daemon.scratch().join(name);
    let import = |name: &str, to: &str| {
        door.bucket(&["import", "default", &file(name).display().to_string(), to])
    };
    fs::write(file("text"), "not a tarball\n").unwrap();
    import("text", "away").fails_with("no backup");
    let good = file("good").display().to_string();
    door.bucket(&["export", "default", "photos", &good, "--compression=none"]).ok();
    let bytes = fs::read(&good).unwrap();
    fs::write(file("torn"), &bytes[..bytes.len() / 2]).unwrap();
    import("torn", "away").fails_with("damaged");
    let index = index(&bytes);
    let bad = index.replace("type: bucket", "type: custom");
    evil(&file("kind"), &bad, &[]);
    import("kind", "away").fails_with("not of a bucket");
    for (name, entries, told) in [
        ("empty", &[][..], "no records"),
        ("link", &[("backup/bucket/names/1", "/etc/passwd", 2)][..], "no file"),
        ("hard", &[("backup/bucket/names/1", "/etc/passwd", 1)][..], "no file"),
        ("index", &[("backup/bucket/index.db", "", 0)][..], "belong"),
        ("up", &[("backup/bucket/blobs/../../../../x", "", 0)][..], ".."),
        ("extra", &[("backup/bucket/blobs/abcdef", "", 0)][..], "damaged"),
    ] {
        evil(&file(name), &index, entries);
        import(name, "away").fails_with(told);
    }
    let list = door.bucket(&["list", "default"]).text();
    assert!(!list.contains("away"), "{list}");
    let folders = fs::read_dir(door.daemon.folder().join("storage-pools/default/buckets"));
    assert_eq!(folders.map_or(0, Iterator::count), 2);
    let cached = fs::read_dir(door.daemon.folder().join("cache")).unwrap();
    let cached: Vec<_> = cached
        .flatten()
        .filter(|one| one.file_name().to_string_lossy().starts_with("upload"))
        .collect();
    assert!(cached.is_empty(), "{cached:?}");
}
