//! `image copy --mode relay`: this client gets the files and hands them on.

use client::Upload;
use wire::{
    ImagesPost, InstanceType, endpoints::images::ImageCreate, endpoints::images::ImageExport,
    query::ImageQuery,
};

use super::{alias, copy::There, received};
use crate::{
    context::Context,
    error::{Error, Result},
};

/// Carries it; `post` says what it is to be here.
pub(super) async fn relay(cx: &Context, there: &There<'_>, post: ImagesPost) -> Result<()> {
    let fingerprint = there.image.fingerprint.as_str();
    let made = tempfile::tempdir();
    let folder = made.map_err(|source| Error::File { path: std::env::temp_dir(), source })?;
    let query = ImageQuery { project: cx.project.clone(), secret: None };
    let request = there.client.request::<ImageExport>(&[fingerprint]).query(&query)?;
    let metadata = folder.path().join(fingerprint);
    let rootfs = received(request, &metadata).await?;
    let upload = Upload {
        metadata,
        rootfs,
        disk: there.image.r#type == InstanceType::VirtualMachine,
        public: post.public,
        properties: post.properties.into_iter().collect(),
    };
    let request = cx.client.request::<ImageCreate>(&[]).query(&cx.query())?;
    let request = request.header("x-lxd-fingerprint", fingerprint);
    let operation = request.upload(upload).await?.send().await?.reply;
    cx.finish(&operation).await?;
    for one in post.aliases {
        alias::create(cx, one.name, fingerprint.to_owned(), one.description).await?;
    }
    Ok(())
}
