//! `image copy --mode push`: the server that has the image brings it to the one that is meant, by a secret of that one.

use wire::{
    ImageExportPost, ImagesPost, ImagesPostSource,
    endpoints::images::{ImageCreate, ImagePush},
};

use super::copy::{There, secret_of};
use crate::{
    commands::mode::{Known, no_address},
    context::Context,
    error::Result,
};

/// Sends it; `post` says what it is to be here.
pub(super) async fn push(cx: &Context, there: &There<'_>, mut post: ImagesPost) -> Result<()> {
    let here = Known::ask(&cx.client, cx.remotes.find(&cx.server)?).await?;
    post.source = Some(ImagesPostSource {
        r#type: "image".into(),
        mode: "push".into(),
        fingerprint: there.image.fingerprint.clone(),
        ..ImagesPostSource::default()
    });
    let token = cx.client.call::<ImageCreate>(&[], &cx.query(), &post).await?;
    let sent = bring(cx, there, &here, &secret_of(&token)).await;
    if sent.is_err() {
        // Nobody will come. It may be spent, or the server gone: what went wrong first is told.
        let _ = cx.client.cancel(&token).await;
    }
    sent
}

async fn bring(cx: &Context, there: &There<'_>, here: &Known, secret: &str) -> Result<()> {
    let mut last = no_address();
    for url in &here.urls {
        let ask = ImageExportPost {
            target: url.clone(),
            secret: secret.to_owned(),
            certificate: here.certificate.clone(),
            project: cx.project.clone().unwrap_or_default(),
            ..ImageExportPost::default()
        };
        let path = [there.image.fingerprint.as_str()];
        let operation = there.client.call::<ImagePush>(&path, &cx.query(), &ask).await?;
        match there.client.wait(&operation).await {
            Ok(_) => return Ok(()),
            Err(error) => last = error.into(),
        }
    }
    Err(last)
}
