//! Sends an image to another server: a client asks that one for a token ([`super::expected`] there), and this one to
//! bring it with the files. It is not told who asks; what the image is called there, the other server was told.

use std::sync::Arc;

use ::client::{Client, Upload};
use images::Files;
use tasks::{Operation, Request};
use wire::{ImageExportPost, endpoints::images::ImageCreate, query::ProjectQuery};

use super::{fetch, files, remote};
use crate::{Caller, Error, Result, World, db::images::Image, url};

/// The server that an image goes to.
struct Target {
    client: Client,
    project: Option<String>,
    secret: String,
}

impl Target {
    fn new(post: ImageExportPost) -> Result<Target> {
        if post.secret.is_empty() || !post.secret.bytes().all(|byte| byte.is_ascii_graphic()) {
            let why = "the one that the other server gave for the image is needed";
            return Err(Error::invalid("secret", why));
        }
        let client = remote::client(&post.target, &post.certificate)?;
        let project = Some(post.project).filter(|name| !name.is_empty());
        Ok(Target { client, project, secret: post.secret })
    }

    /// Sends the files, and waits until they are an image there.
    async fn send(&self, image: &Image, files: Files) -> Result<()> {
        let upload = Upload {
            metadata: files.main,
            rootfs: files.rootfs,
            disk: image.kind == "virtual-machine",
            ..Upload::default()
        };
        let request = self.client.request::<ImageCreate>(&[]);
        let request = request.query(&ProjectQuery { project: self.project.clone() })?;
        let request = request.header("x-lxd-secret", self.secret.as_str());
        let request = request.header("x-lxd-fingerprint", image.fingerprint.as_str());
        let sent = request.upload(upload).await?.send().await?.reply;
        self.client.wait_by_secret(&sent, &self.secret).await?;
        Ok(())
    }
}

/// Sends an image to the server that `post` names.
pub fn push(
    world: &Arc<World>,
    caller: &Caller,
    project: &str,
    fingerprint: &str,
    post: ImageExportPost,
) -> Result<Operation> {
    let image = world.store.read(|db| super::find(db, project, fingerprint))?;
    let target = Target::new(post)?;
    // Shared: others may use it meanwhile, and nobody delete it.
    let request = Request::new("Exporting image")
        .project(project)
        .requestor(caller.requestor.clone())
        .resource("images", url::of("images", &image.fingerprint, project))
        .share(format!("image/{}/{}", image.project, image.fingerprint));
    let work = {
        let world = world.clone();
        async move |operation: Operation| {
            fetch::ensure(&world, &image).await?;
            let held = files::hold(&world).await?;
            let sent = target.send(&image, files::of(&held, &image.fingerprint));
            tokio::select! {
                sent = sent => sent,
                () = operation.cancelled() => Err(exec::Cancelled.into()),
            }
        }
    };
    Ok(world.operations.spawn(request, work)?)
}
