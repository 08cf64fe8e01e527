//! `storage volume copy` and `move`, between `POOL/VOLUME`s.

use wire::{
    StorageVolumePost, StorageVolumeSource, StorageVolumesPost,
    endpoints::volumes::{StorageVolumeCreate, StorageVolumeRename},
    query::TargetQuery,
};

use crate::{
    context::Context,
    error::{Error, Result},
};

fn split(word: &str) -> Result<(&str, &str)> {
    let form = "POOL/VOLUME";
    word.split_once('/').ok_or_else(|| Error::Form { word: word.to_owned(), form })
}

pub(super) async fn copy(
    cx: &Context,
    source: &str,
    target: &str,
    target_project: Option<String>,
    volume_only: bool,
    refresh: bool,
) -> Result<()> {
    let ((of_pool, of_name), (pool, name)) = (split(source)?, split(target)?);
    let request = StorageVolumesPost {
        name: name.to_owned(),
        r#type: String::from("custom"),
        source: StorageVolumeSource {
            r#type: String::from("copy"),
            name: of_name.to_owned(),
            pool: of_pool.to_owned(),
            project: cx.query().project().to_owned(),
            volume_only,
            refresh,
            ..StorageVolumeSource::default()
        },
        ..StorageVolumesPost::default()
    };
    let project = target_project.or_else(|| cx.project.clone());
    let query = TargetQuery { project, target: None };
    let begun = cx.client.call::<StorageVolumeCreate>(&[pool, "custom"], &query, &request).await?;
    super::finish(cx, &begun).await
}

pub(super) async fn relocate(
    cx: &Context,
    source: &str,
    target: &str,
    target_project: Option<String>,
) -> Result<()> {
    let ((of_pool, of_name), (pool, name)) = (split(source)?, split(target)?);
    let request = StorageVolumePost {
        name: name.to_owned(),
        pool: pool.to_owned(),
        project: target_project.unwrap_or_default(),
        ..StorageVolumePost::default()
    };
    let path = [of_pool, "custom", of_name];
    let begun = cx.client.call::<StorageVolumeRename>(&path, &cx.target(), &request).await?;
    super::finish(cx, &begun).await
}
