//! Takes in an image of another server that a user asks for by itself.

use serde::{Deserialize, Serialize};
use tasks::{Cx, Operation, Request, Step, Task, step};
use wire::ImagesPost;

use super::{Age, Origin, Said, alone, fetch, known, locate};
use crate::{
    Caller, Error, Result, World,
    db::images as rows,
    images::{
        delete::take_back,
        got::Got,
        import::{check_aliases, written},
    },
    instances::Kind,
};

/// What is done to take it in.
#[derive(Serialize, Deserialize)]
pub(crate) struct Download {
    caller: Caller,
    project: String,
    home: String,
    origin: Origin,
    kind: Kind,
    post: ImagesPost,
}

impl Task for Download {
    const KIND: &'static str = "image-download";
    type World = World;
    type Notes = Got;
    type Error = Error;

    fn steps() -> Vec<Step<Download>> {
        vec![step("fetch image", get).undo(drop_files), step("write row", row).undo(drop_row)]
    }
}

impl Download {
    pub(crate) fn new(
        world: &World,
        caller: &Caller,
        project: &str,
        post: ImagesPost,
    ) -> Result<Download> {
        check_aliases(&post)?;
        let source = post.source.clone().unwrap_or_default();
        let origin = match source.r#type.as_str() {
            "url" => Origin::at(&source.url)?,
            _ => Origin::new(&Said {
                server: &source.server,
                protocol: &source.protocol,
                certificate: &source.certificate,
                secret: &source.secret,
                project: &source.project,
                alias: &source.alias,
                fingerprint: &source.fingerprint,
            })?,
        };
        let home = world.store.read(|db| crate::images::home(db, project))?;
        let (caller, project) = (caller.clone(), project.to_owned());
        Ok(Download { caller, project, home, origin, kind: Kind::of(&source.image_type), post })
    }
}

/// Takes in an image of another server.
pub fn download(
    world: &World,
    caller: &Caller,
    project: &str,
    post: ImagesPost,
) -> Result<Operation> {
    let request =
        Request::new("Downloading image").project(project).requestor(caller.requestor.clone());
    world.submit(Download::new(world, caller, project, post)?, request)
}

async fn get(cx: &mut Cx<Download>) -> Result<()> {
    let (world, input) = (&cx.world, &cx.input);
    let _guard = alone(world, &input.origin, &cx.control).await?;
    let located = locate(world, &input.origin, (input.kind, Age::Usual), &cx.control).await?;
    let known = known(world, &input.home, &located.fingerprint)?;
    cx.notes.known = known.is_some();
    let mut image = match known {
        Some(image) => image,
        None => {
            let fetched = fetch(world, &input.home, (&input.origin, &located), &cx.control).await?;
            let mut image = fetched;
            image.source.task = cx.id.to_string();
            image
        }
    };
    // What was only fetched for an instance is the user's own now.
    image.cached = false;
    image.public = input.post.public;
    image.auto_update = input.post.auto_update;
    image.properties.extend(input.post.properties.clone());
    cx.notes.image = Some(image);
    Ok(())
}

async fn drop_files(cx: &mut Cx<Download>) -> Result<()> {
    cx.notes.drop_files(&cx.world).await
}

async fn row(cx: &mut Cx<Download>) -> Result<()> {
    let Some(image) = cx.notes.image.clone() else { return Ok(()) };
    if cx.notes.known {
        let update = |db: &mut store::Write<'_>| Ok::<_, Error>(rows::update(db, &image)?);
        cx.world.store.write(update).await?;
    }
    written(&cx.world, &cx.operation, (&cx.input.caller, &cx.input.post), &image).await
}

async fn drop_row(cx: &mut Cx<Download>) -> Result<()> {
    take_back(&cx.world, &cx.id.to_string()).await
}
