//! A store that is frozen, and made anew of what it gave.

use std::fs;
use std::io::Read;

use super::*;

/// Writes what a frozen store gives where [`restore`] looks for it.
fn save(frozen: &Frozen, to: &Path) {
    let (names, contents) = (to.join(NAMES), to.join(CONTENTS));
    fs::create_dir(&names).unwrap();
    fs::create_dir(&contents).unwrap();
    let (mut after, mut count) = (0, 0);
    while let Some((last, bytes)) = frozen.names(after).unwrap() {
        fs::write(names.join(format!("{count:04}")), bytes).unwrap();
        (after, count) = (last, count + 1);
    }
    fs::write(names.join("9999"), frozen.settings().unwrap()).unwrap();
    let mut after = String::new();
    while let Some(found) = Some(frozen.blobs(&after).unwrap()).filter(|all| !all.is_empty()) {
        for blob in &found {
            let mut bytes = Vec::new();
            frozen.open(blob).unwrap().read_to_end(&mut bytes).unwrap();
            fs::write(contents.join(blob), bytes).unwrap();
        }
        after.clone_from(found.last().unwrap());
    }
}

fn saved() -> (tempfile::TempDir, tempfile::TempDir) {
    let (folder, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = open(folder.path());
    put(&store, "small", b"first");
    put(&store, "large", &vec![7; LARGE]);
    save(&store.freeze().unwrap(), to.path());
    (folder, to)
}

#[test]
fn what_was_frozen_comes_back_whatever_became_of_the_store() {
    let (folder, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = open(folder.path());
    store.set_versioning(Versioning::Kept).unwrap();
    store.set_document("cors", Some("[]")).unwrap();
    let old = put(&store, "a", b"old");
    put(&store, "a", b"new");
    put(&store, "gone", b"x");
    store.delete("gone", |_| true).unwrap();
    let large: Vec<u8> = (0..LARGE).map(|n| (n % 251) as u8).collect();
    put(&store, "large", &large);
    store.set_tags("large", None, &Tags::from([("k".into(), "v".into())])).unwrap();
    let (mut query, total) = (Query { most: 100, ..Query::default() }, store.total().unwrap());
    let all_of = |store: &Store, query: Query<'_>| {
        store.list_versions(query, After { key: "", version: None }).unwrap().objects
    };
    let before = all_of(&store, query);

    let frozen = store.freeze().unwrap();
    let gone: Vec<(String, Option<String>)> =
        before.iter().map(|one| (one.key.clone(), Some(one.version.clone()))).collect();
    store.delete_many(&gone).unwrap();
    put(&store, "later", &large);
    save(&frozen, to.path());
    drop(frozen);
    assert_eq!(blobs(folder.path()), 1, "what was deleted meanwhile is gone now");

    restore(to.path()).unwrap();
    let back = open(to.path());
    assert_eq!(all_of(&back, query), before);
    assert_eq!(back.total().unwrap(), total);
    assert_eq!(read(&back, "a"), b"new");
    assert_eq!(read(&back, "large"), large);
    let first = back.get_version("a", Some(&old.version)).unwrap();
    assert_eq!(all(back.reader(&first, 0..3).unwrap()), b"old");
    assert_eq!(back.tags("large", None).unwrap().len(), 1);
    assert_eq!(back.versioning().unwrap(), Versioning::Kept);
    assert_eq!(back.document("cors").unwrap().as_deref(), Some("[]"));
    put(&back, "more", b"x");
    query.prefix = "more";
    assert_eq!(all_of(&back, query).len(), 1);
    assert!(!to.path().join(NAMES).exists());
}

#[test]
fn what_is_not_whole_or_lies_makes_no_store() {
    type Spoil = fn(&Path);
    let spoil: [(&str, Spoil); 7] = [
        ("empty", |to| {
            fs::remove_dir_all(to.join(NAMES)).unwrap();
            fs::create_dir(to.join(NAMES)).unwrap();
        }),
        ("missing", |to| {
            let blob = fs::read_dir(to.join(CONTENTS)).unwrap().next().unwrap().unwrap();
            fs::remove_file(blob.path()).unwrap();
        }),
        ("shorter", |to| {
            let blob = fs::read_dir(to.join(CONTENTS)).unwrap().next().unwrap().unwrap();
            fs::write(blob.path(), b"short").unwrap();
        }),
        ("more", |to| fs::write(to.join(CONTENTS).join("abcdef"), b"x").unwrap()),
        ("torn", |to| {
            let path = to.join(NAMES).join("0000");
            let bytes = fs::read(&path).unwrap();
            fs::write(path, &bytes[..bytes.len() - 2]).unwrap();
        }),
        ("twice", |to| {
            let names = to.join(NAMES);
            let text = fs::read_to_string(names.join("0000")).unwrap();
            let other = text.replace("\"id\":1,", "\"id\":8,").replace("\"id\":2,", "\"id\":9,");
            fs::write(names.join("0001"), other).unwrap();
        }),
        ("outside", |to| {
            let path = to.join(NAMES).join("0000");
            let text = fs::read_to_string(&path).unwrap();
            let blob = fs::read_dir(to.join(CONTENTS)).unwrap().next().unwrap().unwrap();
            let blob = blob.file_name().into_string().unwrap();
            fs::write(path, text.replace(&blob, "../../../../etc/shadow")).unwrap();
        }),
    ];
    for (what, spoil) in spoil {
        let (_folder, to) = saved();
        spoil(to.path());
        let error = restore(to.path()).unwrap_err();
        assert!(matches!(error, Error::Damaged { .. }), "{what}: {error:?}");
    }
}
