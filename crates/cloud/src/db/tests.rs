//! Every step of the schema, tried on a stored database of the level before it.

use std::path::Path;

use options::device::Devices;
use store::{Migration, Options, Store, testing};

use super::{MIGRATIONS, instance_snapshots as snapshots, instances, volumes};
use crate::Error;

/// Databases as older levels left them, made by `testing::dump`.
const LEVEL_1: &str = include_str!("../../schema/dumps/level-1.sql");

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
