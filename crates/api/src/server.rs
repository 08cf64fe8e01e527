//! `/`, `/1.0`, `/1.0/resources`, `/1.0/metadata/configuration`

use cloud::{etag, server};
use wire::{
    Empty, MetadataConfiguration, Resources, Server, ServerPut, Wear, endpoints::server::*,
};

use crate::{
    error::{Error, Result},
    routes::{Call, Routes, Tagged},
};

pub(crate) fn routes(routes: Routes) -> Routes {
    greeting(routes)
        .sync::<ServerReplace, _>(replace)
        .sync::<ServerPatch, _>(patch)
        .sync::<ResourcesGet, _>(resources)
        .sync::<WearGet, _>(wear)
        .sync::<MetadataConfigurationGet, _>(metadata)
}

/// What a client asks first of any door.
pub(crate) fn greeting(routes: Routes) -> Routes {
    routes.sync::<RootGet, _>(root).tagged::<ServerGet, _>(get)
}

async fn root(_: Call<RootGet>) -> Result<Vec<String>> {
    Ok(vec![String::from("/1.0")])
}

async fn get(call: Call<ServerGet>) -> Result<Tagged<Server>> {
    let found = server::get(&call.world, &call.caller, call.query.project())?;
    let tag = etag::of(&ServerPut { config: found.config.clone().unwrap_or_default() });
    Ok(Tagged(found, tag))
}

async fn replace(call: Call<ServerReplace>) -> Result<Empty> {
    let change = |_| Ok(call.body.clone());
    server::update(&call.world, &call.caller, call.if_match.clone(), change).await?;
    Ok(Empty {})
}

async fn patch(call: Call<ServerPatch>) -> Result<Empty> {
    let change = |old| call.body.apply(&old).map_err(|error| cloud::Error::invalid("body", error));
    server::update(&call.world, &call.caller, call.if_match.clone(), change).await?;
    Ok(Empty {})
}

async fn resources(call: Call<ResourcesGet>) -> Result<Resources> {
    Ok(server::resources(&call.world))
}

async fn wear(call: Call<WearGet>) -> Result<Wear> {
    Ok(server::wear(&call.world))
}

async fn metadata(_: Call<MetadataConfigurationGet>) -> Result<MetadataConfiguration> {
    described().map_err(|error| Error::bad("description of the options", error))
}

/// The options as the declarations describe them, in the API's shape.
fn described() -> serde_json::Result<MetadataConfiguration> {
    serde_json::from_value(options::metadata())
}

#[cfg(test)]
mod tests {
    #[test]
    fn options_are_described_in_the_shape_of_the_api() {
        let described = super::described().unwrap();
        let instance = &described.configs["instance"];
        let keys = instance.values().flat_map(|group| &group.keys);
        let memory = keys.flat_map(|key| key.get("limits.memory")).next().unwrap();
        assert!(!memory.shortdesc.is_empty());
    }
}
