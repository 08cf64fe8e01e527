//! Changes a network, at once.

use options::Raw;
use wire::NetworkPut;

use super::spec;
use crate::{
    Caller, Error, Result, World,
    db::networks::{self as rows, Network},
    etag::{self, IfMatch},
    url,
};

/// Changes a network to what `change` makes of its editable part. When the kernel cannot have it
/// so, everything stays as it was.
pub async fn update(
    world: &World,
    caller: &Caller,
    project: &str,
    name: &str,
    seen: IfMatch,
    change: impl Fn(NetworkPut) -> Result<NetworkPut> + Send + Sync,
) -> Result<()> {
    let claim = [tasks::Claim::alone(format!("network/{name}"))];
    let _guard = world.locks().lock(&claim, "a change of the network").await;
    let old = world.store.read(|db| super::find(db, project, name))?;
    let writable = super::writable(&old);
    etag::check(&seen, &writable, "network", name)?;
    let put = change(writable)?;
    let config: Raw = put.config.into();
    super::check_options(&config)?;
    let mut new = Network { config, description: put.description, ..old.clone() };
    match world.plane.apply(&spec::of(world, &new)?).await {
        Ok(applied) => super::settle(&mut new.config, &applied),
        Err(error) => {
            put_back(world, &old).await;
            return Err(error.into());
        }
    }
    world
        .store
        .write(|db| Ok::<_, Error>(rows::update(db, new.id, &new.description, &new.config)?))
        .await?;
    world.tell(caller, &old.project, "network-updated", url::of("networks", name, &old.project));
    Ok(())
}

async fn put_back(world: &World, old: &Network) {
    let Ok(spec) = spec::of(world, old) else { return };
    if let Err(error) = world.plane.apply(&spec).await {
        // The reconciler tries again.
        tracing::warn!(network = old.name, error = %tasks::chain(&error), "network put back");
    }
}
