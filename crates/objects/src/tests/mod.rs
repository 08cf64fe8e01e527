//! What a user of a store sees, on real files.

use std::collections::BTreeMap;
use std::path::Path;
use std::slice;
use std::sync::Arc;

use super::*;
mod backup;
mod batch;

fn open(folder: &Path) -> Arc<Store> {
    Arc::new(Store::open(folder).unwrap())
}

fn write(store: &Store, bytes: &[u8]) -> Written {
    let mut draft = store.draft();
    bytes.chunks(10_000).for_each(|chunk| draft.write(chunk).unwrap());
    draft.finish().unwrap()
}

fn new<'a>(key: &'a str, written: Written) -> New<'a> {
    New { key, written, attributes: Attributes::default(), tags: Tags::new() }
}

fn put(store: &Store, key: &str, bytes: &[u8]) -> Object {
    store.put(new(key, write(store, bytes)), None, |_| true).unwrap()
}

fn read(store: &Arc<Store>, key: &str) -> Vec<u8> {
    let object = store.get(key).unwrap();
    all(store.reader(&object, 0..object.size).unwrap())
}

fn all(mut reader: Reader) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        match reader.next(7_000).unwrap() {
            more if more.is_empty() => return bytes,
            more => bytes.extend(more),
        }
    }
}

/// Files with contents.
fn blobs(folder: &Path) -> usize {
    let mut count = std::fs::read_dir(folder.join("incoming")).unwrap().count();
    for shard in std::fs::read_dir(folder.join("blobs")).unwrap() {
        count += std::fs::read_dir(shard.unwrap().path()).unwrap().count();
    }
    count
}

const LARGE: usize = 100_000;

#[test]
fn objects_of_all_sizes_come_back_and_stay_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    for size in [0, 1, 16 << 10, (16 << 10) + 1, LARGE] {
        let bytes: Vec<u8> = (0..size).map(|n| (n % 251) as u8).collect();
        let object = put(&store, &format!("of/{size}"), &bytes);
        assert_eq!(object.size, size as u64);
    }
    assert_eq!(store.get("of/0").unwrap().etag, "d41d8cd98f00b204e9800998ecf8427e");
    drop(store);
    let store = open(folder.path());
    for size in [0, 1, 16 << 10, (16 << 10) + 1, LARGE] {
        let bytes: Vec<u8> = (0..size).map(|n| (n % 251) as u8).collect();
        assert!(read(&store, &format!("of/{size}")) == bytes, "{size}");
    }
    let object = store.get(&format!("of/{LARGE}")).unwrap();
    let part = all(store.reader(&object, 50_000..50_010).unwrap());
    assert_eq!(part, (50_000..50_010).map(|n| (n % 251) as u8).collect::<Vec<_>>());
    assert_eq!(all(store.reader(&object, 99_999..1 << 40).unwrap()).len(), 1);
    assert_eq!(store.total().unwrap(), 1 + (16 << 10) * 2 + 1 + LARGE as u64);
}

#[test]
fn keys_of_every_kind_are_names_and_not_paths() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let long = "k".repeat(LONGEST_KEY);
    let keys =
        ["a", "a/b", "a/", "/", "//", "../../etc/passwd", ".", "ä/ö", "a b\n%2F", "\u{0}", &long];
    for key in keys {
        put(&store, key, key.as_bytes());
    }
    for key in keys {
        assert_eq!(read(&store, key), key.as_bytes(), "{key:?}");
    }
    for bad in ["", &"k".repeat(LONGEST_KEY + 1)] {
        let refused = store.put(new(bad, write(&store, b"x")), None, |_| true);
        assert!(matches!(refused, Err(Error::Key { .. })), "{refused:?}");
    }
    let page = store.list(Query { most: 100, ..Query::default() }).unwrap();
    let mut sorted = keys.map(str::to_owned).to_vec();
    sorted.sort();
    assert_eq!(page.objects.iter().map(|o| o.key.clone()).collect::<Vec<_>>(), sorted);
}

#[test]
fn replaced_and_deleted_contents_leave_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    put(&store, "a", &[1; LARGE]);
    let old = store.get("a").unwrap();
    let reader = store.reader(&old, 0..old.size).unwrap();
    put(&store, "a", &[2; LARGE]);
    assert!(all(reader) == [1; LARGE], "what is being read stays what it was");
    assert!(read(&store, "a") == [2; LARGE]);
    assert_eq!((blobs(folder.path()), store.total().unwrap()), (1, LARGE as u64));
    drop(write(&store, &[3; LARGE]));
    assert!(store.reader(&old, 0..1).is_err(), "the old one is gone");
    assert!(store.delete("a", |_| true).unwrap() == store.delete("a", |_| true).unwrap());
    assert_eq!((blobs(folder.path()), store.total().unwrap()), (0, 0));
    assert!(matches!(store.get("a"), Err(Error::NoObject { .. })));
}

#[test]
fn what_a_crash_left_goes_and_what_had_its_name_stays() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    put(&store, "a", &[1; LARGE]);
    // A crash before the file was moved, and one in the middle of a put.
    let shard = std::fs::read_dir(folder.path().join("blobs")).unwrap().next().unwrap().unwrap();
    let blob = std::fs::read_dir(shard.path()).unwrap().next().unwrap().unwrap();
    std::fs::rename(blob.path(), folder.path().join("incoming").join(blob.file_name())).unwrap();
    std::mem::forget(write(&store, &[2; LARGE]));
    assert!(read(&store, "a") == [1; LARGE], "found where it is");
    assert_eq!(blobs(folder.path()), 2);
    drop(store);
    let store = open(folder.path());
    assert!(read(&store, "a") == [1; LARGE]);
    assert_eq!(blobs(folder.path()), 1);
    assert_eq!(std::fs::read_dir(folder.path().join("incoming")).unwrap().count(), 0);
}

#[test]
fn conditions_and_limits_leave_the_old_object() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let old = put(&store, "a", &[1; LARGE]);
    let refused = store.put(new("a", write(&store, b"new")), None, |old| old.is_none());
    assert!(matches!(refused, Err(Error::Condition { .. })), "{refused:?}");
    let limit = Some(LARGE as u64 + 10);
    let full = store.put(new("b", write(&store, &[2; LARGE])), limit, |_| true);
    assert!(matches!(full, Err(Error::Full { .. })), "{full:?}");
    store.put(new("b", write(&store, b"ten bytes!")), limit, |_| true).unwrap();
    store.put(new("a", write(&store, &[3; LARGE])), limit, |_| true).unwrap();
    assert_ne!(store.get("a").unwrap().etag, old.etag);
    assert_eq!(blobs(folder.path()), 1);
}

#[test]
fn lists_come_in_parts_with_common_beginnings() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    for n in 0..600 {
        put(&store, &format!("many/{n:04}"), b"");
    }
    for key in ["a", "b/1", "b/2", "b0", "c/d/e", "zz"] {
        put(&store, key, b"");
    }
    let mut seen = Vec::new();
    let mut after = String::new();
    loop {
        let query = Query { delimiter: "/", after: &after, most: 2, ..Query::default() };
        let page = store.list(query).unwrap();
        let mut names: Vec<_> = page.objects.into_iter().map(|object| object.key).collect();
        names.extend(page.prefixes);
        names.sort();
        seen.extend(names);
        match page.next {
            Some(next) => after = next,
            None => break,
        }
    }
    assert_eq!(seen, ["a", "b/", "b0", "c/", "many/", "zz"]);
    let query = Query { prefix: "many/0", most: 1000, ..Query::default() };
    let page = store.list(query).unwrap();
    assert_eq!((page.objects.len(), page.next), (600, None));
    let query = Query { prefix: "many/", after: "many/0597", most: 1, ..Query::default() };
    let page = store.list(query).unwrap();
    assert_eq!(
        (page.objects[0].key.as_str(), page.next.as_deref()),
        ("many/0598", Some("many/0598"))
    );
    let query = Query { prefix: "b", delimiter: "/", most: 9, ..Query::default() };
    assert_eq!(store.list(query).unwrap().prefixes, ["b/"]);
}

#[test]
fn parts_become_one_object() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let tags = Tags::from([("a".into(), "b".into())]);
    let attributes =
        Attributes { user: BTreeMap::from([("k".into(), "v".into())]), ..Attributes::default() };
    let id = store.begin("big", &attributes, &tags).unwrap();
    let of = ("big", id.as_str());
    let five = vec![5; SMALLEST_PART as usize];
    let part = |number: u32, bytes: &[u8]| {
        let mut draft = store.draft_part();
        draft.write(bytes).unwrap();
        let written = draft.finish().unwrap();
        let etag = written.etag().to_owned();
        store.put_part(of, number, written, None).unwrap();
        (number, etag)
    };
    part(1, b"first try");
    let (one, two, three) = (part(1, &five), part(2, b"end"), part(9, b"not used"));
    assert_eq!(store.parts("big", &id, 0, 100).unwrap().len(), 3);
    let small = store.complete(of, &[one.clone(), two.clone(), three.clone()], |_| true);
    assert!(matches!(small, Err(Error::PartTooSmall { number: 2, .. })), "{small:?}");
    let order = store.complete(of, &[two.clone(), one.clone()], |_| true);
    assert!(matches!(order, Err(Error::PartOrder { number: 1 })), "{order:?}");
    let unknown = store.complete(of, &[(1, "0".repeat(32))], |_| true);
    assert!(matches!(unknown, Err(Error::NoPart { number: 1 })), "{unknown:?}");
    assert!(store.get("big").is_err());
    assert_eq!(store.uploads("", ("", ""), 10).unwrap().len(), 1);
    assert_eq!(store.uploads("c", ("", ""), 10).unwrap().len(), 0);
    let object = store.complete(of, &[one, two], |_| true).unwrap();
    assert!(object.etag.ends_with("-2"), "{}", object.etag);
    assert!(read(&store, "big") == [&five[..], b"end"].concat());
    let middle = store.reader(&object, SMALLEST_PART - 1..SMALLEST_PART + 1).unwrap();
    assert_eq!(all(middle), [5, b'e']);
    assert_eq!(
        (store.tags("big", None).unwrap(), store.get("big").unwrap().attributes),
        (tags, attributes)
    );
    assert_eq!((blobs(folder.path()), store.total().unwrap()), (2, SMALLEST_PART + 3));
    assert_eq!(verify(folder.path(), &mut |_| true).unwrap(), []);
    assert!(store.uploads("", ("", ""), 10).unwrap().is_empty());

    let copy = store.copy(&object).unwrap();
    store.put(new("copy", copy), None, |_| true).unwrap();
    let slow = store.reader(&object, 0..object.size).unwrap();
    store.delete("big", |_| true).unwrap();
    assert_eq!(blobs(folder.path()), 4, "it is being read");
    assert!(all(slow) == read(&store, "copy"));
    assert_eq!(blobs(folder.path()), 2);
    let id = store.begin("big", &Attributes::default(), &Tags::new()).unwrap();
    let mut draft = store.draft_part();
    draft.write(b"x").unwrap();
    store.put_part(("big", &id), 1, draft.finish().unwrap(), None).unwrap();
    store.abort("big", &id).unwrap();
    assert!(matches!(store.abort("big", &id), Err(Error::NoUpload { .. })));
    assert_eq!((blobs(folder.path()), store.total().unwrap()), (2, SMALLEST_PART + 3));
}

#[test]
fn many_at_once_are_all_there() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let threads: Vec<_> = (0..4_u8)
        .map(|n| {
            let store = store.clone();
            std::thread::spawn(move || {
                for i in 0..10 {
                    put(&store, "shared", &[n; LARGE]);
                    put(&store, &format!("own/{n}/{i}"), &[n; 100]);
                    let bytes = read_any(&store, "shared");
                    assert!(bytes.iter().all(|byte| *byte == bytes[0]), "of one put alone");
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    let page = store.list(Query { prefix: "own/", most: 100, ..Query::default() }).unwrap();
    assert_eq!(page.objects.len(), 40);
    assert_eq!(blobs(folder.path()), 1);
}

/// An object that others replace: again until it can be read.
fn read_any(store: &Arc<Store>, key: &str) -> Vec<u8> {
    loop {
        let object = store.get(key).unwrap();
        if let Ok(reader) = store.reader(&object, 0..object.size) {
            return all(reader);
        }
    }
}

#[test]
fn versions_stay_until_they_are_deleted_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let zero = put(&store, "a", b"before");
    assert_eq!(zero.version, NULL);
    store.set_versioning(Versioning::Kept).unwrap();
    let (one, two) = (put(&store, "a", &[1; LARGE]), put(&store, "a", &[2; LARGE]));
    put(&store, "b", b"b");
    assert!(read(&store, "a") == [2; LARGE]);
    let of = |version: &str| {
        let object = store.get_version("a", Some(version)).unwrap();
        all(store.reader(&object, 0..object.size).unwrap())
    };
    assert!(of(&one.version) == [1; LARGE] && of(NULL) == b"before");

    let gone = store.delete("a", |_| true).unwrap();
    let marker = gone.version.clone().unwrap();
    assert!(gone.marker && matches!(store.get("a"), Err(Error::NoObject { .. })));
    let is = store.get_version("a", Some(&marker));
    assert!(matches!(is, Err(Error::Marker { .. })), "{is:?}");
    let names = || {
        let page = store.list(Query { most: 9, ..Query::default() }).unwrap();
        page.objects.into_iter().map(|object| object.key).collect::<Vec<_>>()
    };
    assert_eq!(names(), ["b"]);
    let listed = |most: usize| {
        let mut seen = Vec::new();
        let (mut key, mut version): (String, Option<String>) = Default::default();
        loop {
            let after = After { key: &key, version: version.as_deref() };
            let query = Query { most, after: after.key, ..Query::default() };
            let page = store.list_versions(query, after).unwrap();
            seen.extend(page.objects.into_iter().map(|object| object.version));
            match page.next {
                Some(next) => (key, version) = (next, page.next_version),
                None => return seen,
            }
        }
    };
    let b = store.get("b").unwrap().version;
    let order = [marker.as_str(), &two.version, &one.version, NULL, &b];
    assert_eq!(listed(9), order);
    assert_eq!(listed(1), order);
    assert_eq!(listed(2), order);

    let by_name = |version: &str| {
        store.delete_many(&[("a".into(), Some(version.into()))]).unwrap().pop().unwrap()
    };
    assert!(by_name(&marker).marker);
    assert!(read(&store, "a") == [2; LARGE], "without the marker it is there again");
    by_name(&two.version);
    assert!(read(&store, "a") == [1; LARGE]);
    assert_eq!(blobs(folder.path()), 1);
    store.set_versioning(Versioning::Suspended).unwrap();
    put(&store, "a", b"replaces null");
    assert_eq!((read(&store, "a"), listed(9).len()), (b"replaces null".to_vec(), 3));
    assert!(store.delete("a", |_| true).unwrap().marker);
    assert_eq!((listed(9).len(), names()), (3, vec!["b".to_owned()]));
    by_name(NULL);
    by_name(&one.version);
    assert_eq!((blobs(folder.path()), store.total().unwrap()), (0, 1));
}

#[test]
fn what_is_old_enough_goes_by_rules() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let day = 24 * 60 * 60 * 1000;
    let now = put(&store, "logs/a", b"a").modified;
    put(&store, "keep/a", b"a");
    let tagged =
        New { tags: Tags::from([("t".into(), "1".into())]), ..new("logs/t", write(&store, b"t")) };
    store.put(tagged, None, |_| true).unwrap();
    let upload = store.begin("logs/up", &Attributes::default(), &Tags::new()).unwrap();
    let rule = Rule { prefix: "logs/".into(), objects: Some(Due::Days(2)), ..Rule::default() };
    assert_eq!(
        store.expire_at(slice::from_ref(&rule), now + 2 * day - 1).unwrap(),
        Expired::default()
    );
    let of_tag = Rule { tags: Tags::from([("t".into(), "1".into())]), ..rule.clone() };
    assert_eq!(store.expire_at(&[of_tag], now + 3 * day).unwrap().objects, 1);
    let large = Rule { above: Some(1), ..rule.clone() };
    assert_eq!(store.expire_at(&[large], now + 3 * day).unwrap().objects, 0);
    assert_eq!(store.expire_at(&[rule], now + 3 * day).unwrap().objects, 1);
    store.get("keep/a").unwrap();
    let rule = Rule { uploads: Some(Due::Days(1)), ..Rule::default() };
    assert_eq!(store.expire_at(&[rule], now + 2 * day).unwrap().uploads, 1);
    assert!(store.upload("logs/up", &upload).is_err());

    store.set_versioning(Versioning::Kept).unwrap();
    for n in 0..1200 {
        put(&store, "v", &[n as u8]);
    }
    store.delete("keep/a", |_| true).unwrap();
    let kept = Rule { versions: Some(Due::Days(1)), kept: 3, markers: true, ..Rule::default() };
    assert_eq!(store.expire_at(slice::from_ref(&kept), now).unwrap(), Expired::default());
    // "keep/a" has one older version, which is kept, so its marker is too.
    let expired = store.expire_at(&[kept], now + 9 * day).unwrap();
    assert!((1196 - 3..=1196).contains(&expired.versions), "{expired:?}");
    assert_eq!(read(&store, "v"), [1199_u32 as u8]);
    let all = Rule { versions: Some(Due::Days(1)), markers: true, ..Rule::default() };
    store.expire_at(slice::from_ref(&all), now + 9 * day).unwrap();
    store.expire_at(&[all], now + 9 * day).unwrap();
    let query = Query { most: 9, ..Query::default() };
    let left = store.list_versions(query, After { key: "", version: None }).unwrap().objects;
    assert_eq!(left.iter().map(|o| o.key.as_str()).collect::<Vec<_>>(), ["v"]);
}

#[test]
fn objects_whose_contents_have_changed_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    put(&store, "small", b"small");
    let large = put(&store, "large", &[7; LARGE]);
    put(&store, "other", &[8; LARGE]);
    let look = || verify(folder.path(), &mut |_| true).unwrap();
    assert_eq!(look(), []);
    let (blob, _) = store.reader(&large, 0..1).unwrap().blob().unwrap();
    let places = [store.blobs().place(&blob), store.blobs().new_place(&blob)];
    let blob = places.iter().find(|path| path.exists()).unwrap();
    let mut bytes = std::fs::read(blob).unwrap();
    bytes[50_000] ^= 1;
    std::fs::write(blob, &bytes).unwrap();
    let found = look();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((&*found[0].key, &*found[0].version), ("large", NULL));
    std::fs::write(blob, &bytes[..10]).unwrap();
    assert!(look()[0].why.contains("10 of 100000 bytes"));
    std::fs::remove_file(blob).unwrap();
    assert!(look()[0].why.contains("cannot be opened"));
    store.delete("large", |_| true).unwrap();
    assert_eq!(look(), []);
}

/// Key, version, whether it is a marker, contents, tags, attributes, time.
type Seen = (String, String, bool, Vec<u8>, Tags, Attributes, i64);

/// All there is to see of a store's objects.
fn look(store: &Arc<Store>) -> Vec<Seen> {
    let after = After { key: "", version: None };
    let page = store.list_versions(Query { most: 1000, ..Query::default() }, after).unwrap();
    let seen = page.objects.into_iter().map(|object| {
        let (bytes, tags) = match object.marker {
            true => Default::default(),
            false => (
                all(store.reader(&object, 0..object.size).unwrap()),
                store.tags(&object.key, Some(&object.version)).unwrap(),
            ),
        };
        let Object { key, version, marker, attributes, modified, .. } = object;
        (key, version, marker, bytes, tags, attributes, modified)
    });
    seen.collect()
}

/// A store with all kinds of objects, and some that are gone.
fn lived_in(folder: &Path) -> Arc<Store> {
    let store = open(folder);
    for key in ["a", "a/b", "../x", "ä\n\"{}"] {
        put(&store, key, key.as_bytes());
        put(&store, &format!("{key} large"), &[key.len() as u8; LARGE]);
    }
    put(&store, "empty", b"");
    put(&store, "replaced", &[1; LARGE]);
    put(&store, "replaced", b"small now");
    put(&store, "gone", &[1; LARGE]);
    store.delete("gone", |_| true).unwrap();
    store.set_versioning(Versioning::Kept).unwrap();
    put(&store, "versions", b"one\n");
    put(&store, "versions", &[2; LARGE]);
    put(&store, "marked", b"there");
    store.delete("marked", |_| true).unwrap();
    store.set_tags("a", None, &Tags::from([("of".into(), "summer".into())])).unwrap();
    store.set_document("cors", Some("rules")).unwrap();
    store.set_document("lifecycle", Some("rules")).unwrap();
    store.set_document("lifecycle", None).unwrap();
    let id = store.begin("parts", &Attributes::default(), &Tags::new()).unwrap();
    for (number, size) in [(1, SMALLEST_PART as usize), (2, 10)] {
        let mut draft = store.draft_part();
        draft.write(&vec![number as u8; size]).unwrap();
        store.put_part(("parts", &id), number, draft.finish().unwrap(), None).unwrap();
    }
    let parts = store.parts("parts", &id, 0, 10).unwrap();
    let named: Vec<_> = parts.into_iter().map(|part| (part.number, part.etag)).collect();
    store.complete(("parts", &id), &named, |_| true).unwrap();
    let copied = store.copy(&store.get("a large").unwrap()).unwrap();
    store.put(new("copy", copied), None, |_| true).unwrap();
    store
}

#[test]
fn a_lost_index_is_made_anew_with_every_object() {
    for damage in ["lost", "empty", "noise", "twice"] {
        let folder = tempfile::tempdir().unwrap();
        let store = lived_in(folder.path());
        let (before, total) = (look(&store), store.total().unwrap());
        assert_eq!(before.len(), 16);
        drop(store);
        let index = folder.path().join("index.db");
        match damage {
            "lost" | "twice" => std::fs::remove_file(&index).unwrap(),
            "empty" => std::fs::write(&index, b"").unwrap(),
            _ => std::fs::write(&index, [7; 20_000]).unwrap(),
        }
        let store = open(folder.path());
        assert_eq!((look(&store), store.total().unwrap()), (before, total), "{damage}");
        assert_eq!(store.document("cors").unwrap().as_deref(), Some("rules"));
        assert_eq!(store.document("lifecycle").unwrap(), None);
        assert_eq!(store.versioning().unwrap(), Versioning::Kept);
        put(&store, "after", &[9; LARGE]);
        let before = look(&store);
        if damage == "twice" {
            drop(store);
            std::fs::remove_file(&index).unwrap();
            assert_eq!(look(&open(folder.path())), before);
        }
    }
}

#[test]
fn names_that_end_too_early_are_written_anew() {
    let folder = tempfile::tempdir().unwrap();
    let store = lived_in(folder.path());
    let before = look(&store);
    drop(store);
    // A power cut took their end, or they were never there; the index has it all.
    let log = folder.path().join("names.log");
    let length = std::fs::metadata(&log).unwrap().len();
    for cut in [length - 1, length / 2, 0] {
        let file = std::fs::OpenOptions::new().write(true).open(&log).unwrap();
        file.set_len(cut).unwrap();
        drop(open(folder.path()));
        std::fs::remove_file(folder.path().join("index.db")).unwrap();
        assert_eq!(look(&open(folder.path())), before, "{cut}");
    }
}

#[test]
fn an_object_whose_contents_are_gone_is_left_out_of_the_new_index() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    put(&store, "stays", &[1; LARGE]);
    put(&store, "goes", &[2; LARGE]);
    drop(store);
    for shard in std::fs::read_dir(folder.path().join("blobs")).unwrap() {
        for blob in std::fs::read_dir(shard.unwrap().path()).unwrap() {
            let path = blob.unwrap().path();
            if std::fs::read(&path).unwrap()[0] == 2 {
                std::fs::remove_file(path).unwrap();
            }
        }
    }
    std::fs::remove_file(folder.path().join("index.db")).unwrap();
    let store = open(folder.path());
    assert!(read(&store, "stays") == [1; LARGE]);
    assert!(matches!(store.get("goes"), Err(Error::NoObject { .. })));
    assert_eq!(store.total().unwrap(), LARGE as u64);
}

#[test]
fn an_object_that_is_replaced_again_and_again_does_not_fill_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let contents = vec![b'x'; 15 << 10];
    let log = || std::fs::metadata(folder.path().join("names.log")).unwrap().len();
    let mut most = 0;
    for _ in 0..150 {
        put(&store, "counter", &contents);
        most = most.max(log());
    }
    // It was written anew on the way, with the one object.
    assert!(most < names::SLACK + (40 << 10) && log() < most, "{most}, {}", log());
    std::fs::remove_file(folder.path().join("index.db")).unwrap();
    drop(store);
    let store = open(folder.path());
    assert!(read(&store, "counter") == contents);
}
