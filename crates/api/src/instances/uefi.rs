//! The variables of a virtual machine's firmware.

use cloud::{etag, instances::uefi};
use wire::{Empty, InstanceUEFIVars, endpoints::instances::*};

use crate::{
    error::Result,
    routes::{Call, Routes, Tagged},
};

pub(super) fn routes(routes: Routes) -> Routes {
    routes.tagged::<InstanceUefiGet, _>(get).sync::<InstanceUefiReplace, _>(replace)
}

async fn get(call: Call<InstanceUefiGet>) -> Result<Tagged<InstanceUEFIVars>> {
    let found = uefi::get(&call.world, call.query.project(), call.path("name")).await?;
    let tag = etag::of(&found);
    Ok(Tagged(found, tag))
}

async fn replace(call: Call<InstanceUefiReplace>) -> Result<Empty> {
    let of = (call.query.project(), call.path("name"));
    uefi::put(&call.world, &call.caller, of, call.if_match.clone(), &call.body).await?;
    Ok(Empty {})
}
