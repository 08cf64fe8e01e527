//! `/internal/recover`: after the database is gone.

use cloud::recover::{self, Found};
use wire::{Recovered, RecoveredVolume, endpoints::recover::*};

use crate::{
    error::Result,
    routes::{Call, Routes},
};

pub(crate) fn routes(routes: Routes) -> Routes {
    routes.sync::<RecoverValidate, _>(validate).sync::<RecoverImport, _>(import)
}

async fn validate(call: Call<RecoverValidate>) -> Result<Recovered> {
    Ok(told(recover::look(&call.world, call.body.pools).await?))
}

async fn import(call: Call<RecoverImport>) -> Result<Recovered> {
    Ok(told(recover::recover(&call.world, &call.caller, call.body.pools).await?))
}

fn told(found: Found) -> Recovered {
    let volumes = found.volumes.into_iter().map(|volume| RecoveredVolume {
        r#type: volume.kind_word().to_owned(),
        name: volume.name,
        snapshots: volume.snapshots,
        project: volume.project,
        pool: volume.pool,
    });
    Recovered { pools: found.pools, volumes: volumes.collect(), problems: found.problems }
}
