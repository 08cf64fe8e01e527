//! Buckets: the API by the stock client's `query`, our own command line, and S3 clients.

use lab::{Client, Daemon};

/// A daemon with a bucket `photos` in its usual pool.
fn daemon() -> Option<Daemon> {
    let daemon = Daemon::ready()?;
    daemon.cli(["storage", "bucket", "create", "default", "photos"]).ok();
    Some(daemon)
}

const PHOTOS: &str = "/1.0/storage-pools/default/buckets/photos";

#[test]
fn a_bucket_and_its_keys_from_their_making_to_their_end() {
    let Some(daemon) = Daemon::ready() else { return };
    let made = daemon.cli(["storage", "bucket", "create", "default", "photos", "size=1GiB"]).ok();
    let text = made.text();
    assert!(text.contains("Access key: ") && text.contains("Secret key: "), "{text}");
    let list = daemon.cli(["storage", "bucket", "list", "default"]).text();
    assert!(list.contains("photos"), "{list}");
    let urls = daemon.lxc(["query", "/1.0/storage-pools/default/buckets"]).text();
    assert!(urls.contains(PHOTOS), "{urls}");
    let shown = daemon.lxc(["query", PHOTOS]).text();
    assert!(shown.contains(r#""size": "1GiB""#) && shown.contains(r#""s3_url": """#), "{shown}");
    let key = daemon.lxc(["query", &format!("{PHOTOS}/keys/admin")]).text();
    assert!(key.contains(r#""role": "admin""#) && key.contains("Admin user"), "{key}");

    daemon.cli(["storage", "bucket", "set", "default", "photos", "size=2GiB", "user.a=b"]).ok();
    let size = daemon.cli(["storage", "bucket", "get", "default", "photos", "size"]).text();
    assert_eq!(size, "2GiB");
    daemon.cli(["storage", "bucket", "unset", "default", "photos", "user.a"]).ok();
    let patch = r#"{"description": "Of the family"}"#;
    daemon.lxc(["query", "-X", "PATCH", "-d", patch, PHOTOS]).ok();
    let shown = daemon.cli(["storage", "bucket", "show", "default", "photos"]).text();
    assert!(shown.contains("Of the family") && shown.contains("2GiB"), "{shown}");

    let key = ["storage", "bucket", "key"];
    let with = |words: &[&str]| daemon.run(Client::Cli, &[&key[..], words].concat());
    with(&["create", "default", "photos", "tv", "--access-key=tv", "--secret-key=12345678"])
        .fails_with("access key");
    let given = ["--access-key=tv-1", "--secret-key=12345678"];
    with(&[&["create", "default", "photos", "tv"], &given[..]].concat()).ok();
    with(&[&["create", "default", "photos", "tv2"], &given[..]].concat())
        .fails_with("already exists");
    with(&["create", "default", "photos", "tv"]).fails_with("already exists");
    let list = with(&["list", "default", "photos"]).text();
    assert!(list.contains("tv-1") && list.contains("read-only"), "{list}");
    let put = r#"{"role": "admin"}"#;
    daemon.lxc(["query", "-X", "PUT", "-d", put, &format!("{PHOTOS}/keys/tv")]).ok();
    let shown = with(&["show", "default", "photos", "tv"]).text();
    assert!(shown.contains("role: admin") && shown.contains("access-key: tv-1"), "{shown}");
    with(&["delete", "default", "photos", "tv"]).ok();
    with(&["show", "default", "photos", "tv"]).fails_with("not found");

    daemon.cli(["storage", "bucket", "delete", "default", "photos"]).ok();
    daemon.cli(["storage", "bucket", "show", "default", "photos"]).fails_with("not found");
    assert!(!daemon.folder().join("storage-pools/default/buckets/photos").exists());
}

#[test]
fn what_cannot_be_is_refused_and_leaves_nothing() {
    let Some(daemon) = daemon() else { return };
    let create = |words: &[&str]| {
        daemon.run(Client::Cli, &[&["storage", "bucket", "create"], words].concat())
    };
    create(&["default", "Photos"]).fails_with("bucket name");
    create(&["default", ".."]).fails_with("bucket name");
    create(&["default", "a_b"]).fails_with("bucket name");
    create(&["default", "music", "size=lots"]).fails_with("size");
    create(&["default", "music", "colour=red"]).fails_with("colour");
    create(&["nowhere", "music"]).fails_with("not found");
    create(&["default", "photos"]).fails_with("already exists");
    let keys = format!("{PHOTOS}/keys");
    let key = |body: &str| daemon.lxc(["query", "-X", "POST", "-d", body, &keys]);
    key(r#"{"name": "a/b"}"#).fails_with("key name");
    key(r#"{"name": "k", "role": "king"}"#).fails_with("role");
    key(r#"{"name": "k", "secret-key": "short"}"#).fails_with("secret key");
    let list = daemon.cli(["storage", "bucket", "list", "default"]).text();
    assert!(!list.contains("music"), "{list}");
    let folders = std::fs::read_dir(daemon.folder().join("storage-pools/default/buckets"));
    assert_eq!(folders.map_or(0, Iterator::count), 1);
    let keys = daemon.cli(["storage", "bucket", "key", "list", "default", "photos"]).text();
    assert!(keys.contains("admin") && !keys.contains("| k "), "{keys}");
}

#[test]
fn a_pool_and_a_project_with_buckets_are_not_deleted() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.lxc(["storage", "create", "second", "dir"]).ok();
    daemon.lxc(["project", "create", "lab"]).ok();
    let bucket = |verb: &str, project: &str| {
        daemon.cli(["--project", project, "storage", "bucket", verb, "second", "music"])
    };
    bucket("create", "lab").ok();
    bucket("show", "default").fails_with("not found");
    bucket("create", "default").fails_with("already exists");
    daemon.lxc(["storage", "delete", "second"]).fails_with("in use");
    daemon.lxc(["project", "delete", "lab"]).fails_with("in use");
    let users = daemon.lxc(["storage", "show", "second"]).text();
    assert!(users.contains("/buckets/music?project=lab"), "{users}");
    // A project without buckets of its own has those of the default one.
    daemon.lxc(["project", "create", "guest", "-c", "features.storage.buckets=false"]).ok();
    bucket("show", "guest").fails_with("not found");
    bucket("delete", "lab").ok();
    bucket("create", "guest").ok();
    bucket("show", "default").ok();
    bucket("delete", "default").ok();
    for name in ["lab", "guest"] {
        daemon.lxc(["project", "delete", name]).ok();
    }
    daemon.lxc(["storage", "delete", "second"]).ok();
}
