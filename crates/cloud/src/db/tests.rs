//! Every step of the schema, tried on a stored database of the level before it.

use std::path::Path;

use options::device::Devices;
use store::{Migration, Options, Store, testing};

use super::{
    MIGRATIONS, backups, buckets, certificates,
    cluster_certificate::{self, Shared},
    instance_snapshots as snapshots, instances, members, networks, pools, projects, server,
    volume_snapshots, volumes,
};
use crate::Error;

/// Databases as older levels left them, made by `testing::dump`.
const LEVEL_1: &str = include_str!("../../schema/dumps/level-1.sql");
const LEVEL_2: &str = include_str!("../../schema/dumps/level-2.sql");
const LEVEL_3: &str = include_str!("../../schema/dumps/level-3.sql");
const LEVEL_4: &str = include_str!("../../schema/dumps/level-4.sql");
const LEVEL_5: &str = include_str!("../../schema/dumps/level-5.sql");
const LEVEL_6: &str = include_str!("../../schema/dumps/level-6.sql");
const LEVEL_7: &str = include_str!("../../schema/dumps/level-7.sql");
const LEVEL_8: &str = include_str!("../../schema/dumps/level-8.sql");

async fn open(dir: &Path, schema: &'static [Migration]) -> Store {
    Store::open(dir, Options::new(schema)).await.unwrap()
}

#[tokio::test]
async fn a_database_without_snapshots_gets_them_and_keeps_its_rows() {
    let (old, fresh) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    testing::restore_dump(LEVEL_1, old.path()).unwrap();
    let store = open(old.path(), MIGRATIONS).await;
    let fresh = open(fresh.path(), MIGRATIONS).await;
    assert_eq!(testing::schema(&store).unwrap(), testing::schema(&fresh).unwrap());
    let web = store.read(|db| instances::get(db, "default", "web")).unwrap().unwrap();
    assert_eq!(web.config.get("user.note"), Some("it's kept"));
    assert_eq!(web.profiles, ["default"]);
    let pool = store.read(|db| volumes::of_instance(db, "default", "container", "web")).unwrap();
    assert_eq!(pool.map(|volume| volume.pool).as_deref(), Some("local"));

    let new = snapshots::Snapshot {
        id: 0,
        instance_id: web.id,
        name: "snap0".into(),
        description: String::new(),
        architecture: web.architecture.clone(),
        config: web.config.clone(),
        devices: Devices::default(),
        profiles: web.profiles.clone(),
        ephemeral: false,
        stateful: false,
        created_at: web.created_at,
        last_used_at: web.last_used_at,
        expires_at: None,
        scheduled: false,
        made: instances::Made::Ready,
    };
    store.write(|db| Ok::<_, Error>(snapshots::insert(db, &new)?)).await.unwrap();
    let twice = store.write(|db| Ok::<_, Error>(snapshots::insert(db, &new)?)).await;
    assert!(twice.is_err(), "a name is there once");
    let seen = store.read(|db| snapshots::of_instance(db, web.id)).unwrap();
    assert_eq!((seen.len(), seen[0].name.as_str()), (1, "snap0"));
    assert_eq!(seen[0].profiles, ["default"]);
    let deleted = store.write(|db| Ok::<_, Error>(instances::delete(db, "default", "web")?));
    deleted.await.unwrap();
    assert!(store.read(snapshots::all).unwrap().is_empty(), "they go with their instance");
}

#[tokio::test]
async fn a_database_without_buckets_gets_them_and_keeps_its_rows() {
    let (old, fresh) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    testing::restore_dump(LEVEL_2, old.path()).unwrap();
    let store = open(old.path(), MIGRATIONS).await;
    let fresh = open(fresh.path(), MIGRATIONS).await;
    assert_eq!(testing::schema(&store).unwrap(), testing::schema(&fresh).unwrap());
    let kept = store.read(snapshots::all).unwrap();
    assert_eq!((kept.len(), kept[0].config.get("user.note")), (1, Some("it's kept")));

    let bucket = |name: &str| buckets::Bucket {
        id: 0,
        pool: "local".into(),
        project: "default".into(),
        member: "pi".into(),
        name: name.into(),
        description: String::new(),
        config: [("size", "1GiB")].into_iter().collect(),
        created_at: kept[0].created_at,
        made: instances::Made::Ready,
    };
    let add = |name: &'static str| {
        let new = bucket(name);
        store.write(move |db| Ok::<_, Error>(buckets::insert(db, &new)?))
    };
    add("photos").await.unwrap();
    assert!(add("photos").await.is_err(), "a name is there once");
    add("music").await.unwrap();
    let row = store.read(|db| buckets::get(db, "pi", "photos")).unwrap().unwrap();
    assert_eq!((row.pool.as_str(), row.config.get("size")), ("local", Some("1GiB")));
    let other = store.read(|db| buckets::get(db, "pi", "music")).unwrap().unwrap();
    let key = |bucket_id: i64, name: &str| buckets::Key {
        id: 0,
        bucket_id,
        name: name.into(),
        description: String::new(),
        role: buckets::Role::Admin,
        access: name.into(),
        secret: "12345678".into(),
    };
    let add =
        |new: buckets::Key| store.write(move |db| Ok::<_, Error>(buckets::insert_key(db, &new)?));
    add(key(row.id, "k")).await.unwrap();
    assert!(add(key(other.id, "k")).await.is_err(), "an access key is there once");
    let found = store.read(|db| buckets::key_of_access(db, "k")).unwrap().unwrap();
    assert_eq!((found.bucket_id, found.role), (row.id, buckets::Role::Admin));
    store.write(|db| Ok::<_, Error>(buckets::delete(db, row.id)?)).await.unwrap();
    assert!(store.read(|db| buckets::key_of_access(db, "k")).unwrap().is_none(), "keys go too");
}

#[tokio::test]
async fn a_database_without_custom_volumes_gets_them_and_keeps_its_rows() {
    let (old, fresh) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    testing::restore_dump(LEVEL_3, old.path()).unwrap();
    let store = open(old.path(), MIGRATIONS).await;
    let fresh = open(fresh.path(), MIGRATIONS).await;
    assert_eq!(testing::schema(&store).unwrap(), testing::schema(&fresh).unwrap());
    let seen = store.read(snapshots::all).unwrap();
    assert_eq!((seen.len(), seen[0].name.as_str()), (1, "snap0"));
    let root = store.read(|db| volumes::of_instance(db, "default", "container", "web"));
    let root = root.unwrap().unwrap();
    assert_eq!(root.made, instances::Made::Ready, "a root that is there is whole");
    assert!(store.read(volumes::custom).unwrap().is_empty());

    let new = volumes::Volume { kind: "custom".into(), name: "data".into(), ..root };
    store.write(|db| Ok::<_, Error>(volumes::insert(db, &new)?)).await.unwrap();
    let kept = store.read(|db| volumes::get(db, "local", "default", "data")).unwrap().unwrap();
    let snapshot = volume_snapshots::Snapshot {
        id: 0,
        volume_id: kept.id,
        name: "snap0".into(),
        description: String::new(),
        config: kept.config.clone(),
        created_at: kept.created_at,
        expires_at: None,
        scheduled: false,
        made: instances::Made::Ready,
    };
    store.write(|db| Ok::<_, Error>(volume_snapshots::insert(db, &snapshot)?)).await.unwrap();
    let twice = store.write(|db| Ok::<_, Error>(volume_snapshots::insert(db, &snapshot)?)).await;
    assert!(twice.is_err(), "a name is there once");
    assert_eq!(store.read(|db| volume_snapshots::of_volume(db, kept.id)).unwrap().len(), 1);
    let deleted = store.write(|db| Ok::<_, Error>(volumes::remove(db, kept.id)?));
    deleted.await.unwrap();
    assert!(store.read(volume_snapshots::all).unwrap().is_empty(), "they go with their volume");
}

#[tokio::test]
async fn a_database_without_backups_gets_them_and_keeps_its_rows() {
    let (old, fresh) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    testing::restore_dump(LEVEL_4, old.path()).unwrap();
    let store = open(old.path(), MIGRATIONS).await;
    let fresh = open(fresh.path(), MIGRATIONS).await;
    assert_eq!(testing::schema(&store).unwrap(), testing::schema(&fresh).unwrap());
    let web = store.read(|db| instances::get(db, "default", "web")).unwrap().unwrap();
    let kept = store.read(|db| snapshots::of_instance(db, web.id)).unwrap();
    assert_eq!((kept.len(), kept[0].name.as_str()), (1, "snap0"));

    let new = backups::Backup {
        id: 0,
        owner_id: web.id,
        name: "backup0".into(),
        without_snapshots: true,
        optimized: false,
        created_at: web.created_at,
        expires_at: Some(web.created_at),
        made: instances::Made::Ready,
    };
    store.write(|db| Ok::<_, Error>(backups::OF_INSTANCES.insert(db, &new)?)).await.unwrap();
    let twice = store.write(|db| Ok::<_, Error>(backups::OF_INSTANCES.insert(db, &new)?)).await;
    assert!(twice.is_err(), "a name is there once");
    let seen = store.read(|db| backups::OF_INSTANCES.of(db, web.id)).unwrap();
    assert_eq!((seen[0].expires_at, seen[0].without_snapshots), (Some(web.created_at), true));
    let deleted = store.write(|db| Ok::<_, Error>(instances::delete(db, "default", "web")?));
    deleted.await.unwrap();
    assert!(
        store.read(|db| backups::OF_INSTANCES.all(db)).unwrap().is_empty(),
        "they go with their instance"
    );
}

#[tokio::test]
async fn a_database_without_backups_of_volumes_gets_them_and_keeps_its_rows() {
    let (old, fresh) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    testing::restore_dump(LEVEL_5, old.path()).unwrap();
    let store = open(old.path(), MIGRATIONS).await;
    let fresh = open(fresh.path(), MIGRATIONS).await;
    assert_eq!(testing::schema(&store).unwrap(), testing::schema(&fresh).unwrap());
    let kept = store.read(|db| backups::OF_INSTANCES.all(db)).unwrap();
    assert_eq!((kept.len(), kept[0].name.as_str()), (1, "backup0"));

    let volume = store.read(|db| volumes::of_pool(db, "local")).unwrap().remove(0);
    let bucket = store.read(buckets::all).unwrap().remove(0);
    for (table, owner_id) in [(backups::OF_VOLUMES, volume.id), (backups::OF_BUCKETS, bucket.id)] {
        let new = backups::Backup { owner_id, ..kept[0].clone() };
        store.write(|db| Ok::<_, Error>(table.insert(db, &new)?)).await.unwrap();
        let twice = store.write(|db| Ok::<_, Error>(table.insert(db, &new)?)).await;
        assert!(twice.is_err(), "a name is there once");
        let seen = store.read(|db| table.get(db, owner_id, "backup0")).unwrap().unwrap();
        assert_eq!((seen.expires_at, seen.without_snapshots), (kept[0].expires_at, true));
    }
    let deleted = store.write(|db| {
        volumes::remove(db, volume.id)?;
        Ok::<_, Error>(buckets::delete(db, bucket.id)?)
    });
    deleted.await.unwrap();
    for table in [backups::OF_VOLUMES, backups::OF_BUCKETS] {
        assert!(store.read(|db| table.all(db)).unwrap().is_empty(), "they go with their owner");
    }
}

#[tokio::test]
async fn snapshots_of_a_database_that_knew_no_rules_are_of_hands() {
    let (old, fresh) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    testing::restore_dump(LEVEL_6, old.path()).unwrap();
    let store = open(old.path(), MIGRATIONS).await;
    let fresh = open(fresh.path(), MIGRATIONS).await;
    assert_eq!(testing::schema(&store).unwrap(), testing::schema(&fresh).unwrap());
    let of_instances = store.read(snapshots::all).unwrap();
    let of_volumes = store.read(volume_snapshots::all).unwrap();
    let seen = |name: &str, scheduled| (name.to_owned(), scheduled);
    let all = of_instances.iter().map(|row| seen(&row.name, row.scheduled));
    let all = all.chain(of_volumes.iter().map(|row| seen(&row.name, row.scheduled)));
    assert_eq!(all.collect::<Vec<_>>(), [seen("snap0", false), seen("snap0", false)]);
}

#[tokio::test]
async fn a_database_that_trusted_nobody_learns_to() {
    let (old, fresh) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    testing::restore_dump(LEVEL_7, old.path()).unwrap();
    let store = open(old.path(), MIGRATIONS).await;
    let fresh = open(fresh.path(), MIGRATIONS).await;
    assert_eq!(testing::schema(&store).unwrap(), testing::schema(&fresh).unwrap());
    let new = certificates::Certificate {
        id: 0,
        fingerprint: "ab".repeat(32),
        kind: "client".into(),
        name: "laptop".into(),
        certificate: "PEM".into(),
        restricted: true,
        projects: vec!["default".into()],
    };
    store.write(|db| Ok::<_, Error>(certificates::insert(db, &new)?)).await.unwrap();
    let twice = store.write(|db| Ok::<_, Error>(certificates::insert(db, &new)?)).await;
    assert!(twice.is_err(), "a fingerprint is there once");
    let seen = store.read(|db| certificates::get(db, &new.fingerprint)).unwrap().unwrap();
    assert_eq!((seen.projects, seen.restricted), (new.projects.clone(), true));
    let free =
        certificates::Certificate { id: seen.id, restricted: false, projects: vec![], ..new };
    store.write(|db| Ok::<_, Error>(certificates::update(db, &free)?)).await.unwrap();
    assert_eq!(store.read(certificates::all).unwrap()[0].projects, Vec::<String>::new());
    store.write(|db| Ok::<_, Error>(certificates::delete(db, seen.id)?)).await.unwrap();
    assert!(store.read(certificates::all).unwrap().is_empty());
}

#[tokio::test]
async fn what_a_server_has_alone_becomes_the_members_own() {
    let (old, fresh) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    testing::restore_dump(LEVEL_8, old.path()).unwrap();
    let store = open(old.path(), MIGRATIONS).await;
    let fresh = open(fresh.path(), MIGRATIONS).await;
    assert_eq!(testing::schema(&store).unwrap(), testing::schema(&fresh).unwrap());
    let config = store.read(server::get).unwrap();
    assert_eq!(config.get("core.https_address"), Some(":8443"));
    assert_eq!(config.get("images.auto_update_interval"), Some("0"));
    let own = store.read(|db| server::local(db, 1)).unwrap();
    assert_eq!(own, [("core.https_address".to_owned(), ":8443".to_owned())]);

    let pool = store.read(|db| pools::get(db, "local")).unwrap().unwrap();
    assert_eq!(pool.made, instances::Made::Ready);
    assert_eq!(
        (pool.config.get("source"), pool.config.get("size")),
        (Some("/p.img"), Some("9GiB"))
    );
    assert_eq!(pool.config.get("user.note"), Some("x"));
    let (shared, local) = pools::parts(&pool.driver, &pool.config);
    let locals = store.read(|db| pools::locals(db, "local")).unwrap();
    assert_eq!((locals[0].member.as_str(), &locals[0].config), ("pi", &local));
    assert_eq!(shared.keys().collect::<Vec<_>>(), ["user.note"]);

    // A number is given once, also when the last member has gone.
    let new = |name: &str| members::Member { name: name.to_owned(), ..members::Member::default() };
    let add = async |name: &str| {
        let add = |db: &mut store::Write<'_>| {
            Ok::<_, Error>(members::insert(db, &new(name), chrono::Utc::now())?)
        };
        store.write(add).await.unwrap()
    };
    assert_eq!(add("b").await, 2);
    store.write(|db| Ok::<_, Error>(members::delete(db, 2)?)).await.unwrap();
    assert_eq!(add("c").await, 3);
    let all = store.read(members::all).unwrap();
    assert_eq!(all.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["c", "pi"]);
}

#[tokio::test]
async fn a_cluster_has_one_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), MIGRATIONS).await;
    assert_eq!(store.read(cluster_certificate::get).unwrap(), None);
    for name in ["first", "second"] {
        let new = Shared { certificate: name.to_owned(), key: format!("key of {name}") };
        store.write(|db| Ok::<_, Error>(cluster_certificate::set(db, &new)?)).await.unwrap();
        assert_eq!(store.read(cluster_certificate::get).unwrap(), Some(new));
    }
}

#[tokio::test]
async fn networks_have_what_is_said_of_this_member() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), MIGRATIONS).await;
    let (key, new) = (
        "bridge.external_interfaces",
        networks::Network {
            id: 0,
            project: "default".into(),
            name: "lan0".into(),
            kind: "bridge".into(),
            description: String::new(),
            config: [("ipv4.nat", "true"), ("bridge.external_interfaces", "eth1")]
                .into_iter()
                .collect(),
            made: instances::Made::Ready,
        },
    );
    let write = |db: &mut store::Write<'_>| {
        members::insert_first(db, "pi", "aarch64", chrono::Utc::now())?;
        let other = members::Member { name: "other".into(), ..members::Member::default() };
        let other = members::insert(db, &other, chrono::Utc::now())?;
        projects::insert(db, "default", "", &options::Raw::new())?;
        networks::promise(db, "lan0", other, &[(key, "eth9")].into_iter().collect())?;
        networks::insert(db, &new)?;
        Ok::<_, Error>(networks::unpromise(db, "lan0")?)
    };
    store.write(write).await.unwrap();
    let row = || store.read(|db| networks::get(db, "default", "lan0")).unwrap().unwrap();
    assert_eq!(row().config, new.config);
    let id = row().id;
    let without = networks::parts(&new.config).0;
    let update =
        |db: &mut store::Write<'_>| Ok::<_, Error>(networks::update(db, id, "", &without)?);
    store.write(update).await.unwrap();
    assert_eq!(row().config, without);
    let of_other = "SELECT config FROM networks_members WHERE member_id = 2";
    let told = store.read(|db| db.query_one(of_other, &[], |row| row.get::<String>(0)));
    assert_eq!(told.unwrap().as_deref(), Some(r#"{"bridge.external_interfaces":"eth9"}"#));
}

#[tokio::test]
async fn what_a_network_has_of_a_member_becomes_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let before = MIGRATIONS.iter().position(|step| step.level == 13).unwrap();
    let store = open(folder.path(), &MIGRATIONS[..before]).await;
    let write = |db: &mut store::Write<'_>| {
        members::insert_first(db, "pi", "aarch64", chrono::Utc::now())?;
        projects::insert(db, "default", "", &options::Raw::new())?;
        let config = r#"{"ipv4.nat":"true","ipv4.nat.address":"192.0.2.1"}"#;
        db.execute(
            "INSERT INTO networks (project_id, name, type, description, config, state)
             SELECT id, 'lan0', 'bridge', '', ?1, 'ready' FROM projects",
            store::params![config],
        )?;
        Ok::<_, Error>(())
    };
    store.write(write).await.unwrap();
    store.close().await.unwrap();
    let store = open(folder.path(), MIGRATIONS).await;
    let row = store.read(|db| networks::get(db, "default", "lan0")).unwrap().unwrap();
    assert_eq!(row.config.get("ipv4.nat"), Some("true"));
    assert_eq!(row.config.get("ipv4.nat.address"), Some("192.0.2.1"));
    let shared = "SELECT config FROM networks";
    let shared = store.read(|db| db.query_one(shared, &[], |row| row.get::<String>(0)));
    assert_eq!(shared.unwrap().as_deref(), Some(r#"{"ipv4.nat":"true"}"#));
}
