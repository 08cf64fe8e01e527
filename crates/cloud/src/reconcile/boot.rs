//! The start of a daemon, in order.

use std::{collections::BTreeMap, sync::Arc};

use options::{Raw, device::Devices};
use tasks::Runner;

use super::Autostart;
use crate::{
    Error, Result, World, backups,
    db::{members, profiles, projects},
    depots, images, instances, names, networks, storage, volumes,
};

/// Brings the world up: what must be there from the first day, what a crash left half-made, the
/// networks, the instances that run. What fails in one of them does not hold up the others. Gives
/// what is to start once the daemon answers.
pub async fn boot(world: &Arc<World>) -> Result<Autostart> {
    seed(world).await?;
    let [store, fence] = [world.store.clone(), world.store.clone()];
    let runner = Runner::builder(world.clone(), world.operations.clone())
        .room(move || store.make_room())
        .fence(move || {
            let store = fence.clone();
            async move { store.fence().await }
        })
        .register::<images::Download>()
        .register::<images::Refresh>()
        .register::<instances::launch::Launch>()
        .register::<instances::start::Start>()
        .register::<instances::resume::Resume>()
        .register::<instances::delete::Delete>()
        .register::<instances::rename::Rename>()
        .register::<instances::copy::Copy>()
        .register::<instances::copy::Refresh>()
        .register::<instances::rebuild::Rebuild>()
        .register::<instances::reconfigure::Reconfigure>()
        .register::<instances::relocate::Relocate>()
        .register::<instances::suspend::Suspend>()
        .register::<depots::Change>()
        .register::<backups::Make<instances::backups::Of>>()
        .register::<backups::Delete<instances::backups::Of>>()
        .register::<backups::Rename<instances::backups::Of>>()
        .register::<instances::backups::Import>()
        .register::<instances::migrate::Arrive>()
        .register::<instances::migrate::Land>()
        .register::<instances::migrate::Depart>()
        .register::<instances::migrate::Leave>()
        .register::<instances::snapshots::Take>()
        .register::<instances::snapshots::Delete>()
        .register::<instances::snapshots::Rename>()
        .register::<instances::snapshots::Restore>()
        .register::<images::Import>()
        .register::<images::Publish>()
        .register::<images::Build>()
        .register::<images::Delete>()
        .register::<networks::Create>()
        .register::<networks::Delete>()
        .register::<networks::Rename>()
        .register::<storage::Create>()
        .register::<storage::Delete>()
        .register::<storage::buckets::Create>()
        .register::<storage::buckets::Delete>()
        .register::<backups::Make<storage::buckets::backups::Of>>()
        .register::<backups::Delete<storage::buckets::backups::Of>>()
        .register::<backups::Rename<storage::buckets::backups::Of>>()
        .register::<storage::buckets::backups::Import>()
        .register::<volumes::Create>()
        .register::<volumes::Update>()
        .register::<volumes::Rename>()
        .register::<volumes::Delete>()
        .register::<volumes::Copy>()
        .register::<volumes::Refresh>()
        .register::<volumes::Relocate>()
        .register::<backups::Make<volumes::backups::Of>>()
        .register::<backups::Delete<volumes::backups::Of>>()
        .register::<backups::Rename<volumes::backups::Of>>()
        .register::<volumes::backups::Import>()
        .register::<volumes::snapshots::Take>()
        .register::<volumes::snapshots::Delete>()
        .register::<volumes::snapshots::Rename>()
        .register::<volumes::snapshots::Restore>()
        .open(&world.dirs.local_db())?;
    world.set_runner(runner.clone());
    super::networks::repair(world).await;
    depots::look(world).await?;
    let settled = runner.recover().await?;
    if !settled.is_empty() {
        tracing::info!(?settled, "tasks that a crash interrupted were settled");
    }
    images::clean(world)?;
    Ok(super::instances::find(world).await)
}

/// Writes the rows that are always there: this member, the project `default` with its profile.
async fn seed(world: &World) -> Result<()> {
    let seeded = world.store.read(|db| Ok::<_, Error>(!members::all(db)?.is_empty()))?;
    if seeded {
        return Ok(());
    }
    let config = Raw::from(BTreeMap::from(
        [
            "features.images",
            "features.networks",
            "features.networks.zones",
            "features.profiles",
            "features.storage.buckets",
            "features.storage.volumes",
        ]
        .map(|key| (key.to_owned(), String::from("true"))),
    ));
    world
        .store
        .write(|db| {
            if !members::all(db)?.is_empty() {
                return Ok(());
            }
            members::insert_first(db, &world.me(), &world.host.architecture, clock::utc())?;
            let name = names::DEFAULT_PROJECT;
            projects::insert(db, name, "Default project", &config)?;
            let profile = crate::profiles::DEFAULT;
            let (words, raw, none) = ("Default profile", Raw::new(), Devices::default());
            Ok::<_, Error>(profiles::insert(db, name, profile, words, &raw, &none)?)
        })
        .await
}
