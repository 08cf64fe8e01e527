//! Builds an image from a distribution's own archive, or from busybox.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use exec::Control;
use images::{Built, Files, Recipe};
use serde::{Deserialize, Serialize};
use tasks::{Cx, Operation, Request, Step, Task, step};
use wire::ImagesPost;

use super::{BUILD_PROTOCOL, files, import::write_row};
use crate::{
    Caller, Error, Result, World,
    blocking::blocking,
    db::{
        images::{self as rows, Image, Source},
        instances::Made,
    },
    url,
};

/// What is done to build an image that a user asks for by itself.
#[derive(Serialize, Deserialize)]
pub(crate) struct Build {
    caller: Caller,
    project: String,
    recipe: String,
    post: ImagesPost,
}

impl Task for Build {
    const KIND: &'static str = "image-build";
    type World = World;
    type Notes = ();
    type Error = Error;

    fn steps() -> Vec<Step<Build>> {
        vec![step("build image", make).undo(forget)]
    }
}

impl Build {
    pub(crate) fn new(
        world: &World,
        caller: &Caller,
        project: &str,
        recipe: &str,
        post: ImagesPost,
    ) -> Result<Build> {
        check(recipe)?;
        world.store.read(|db| super::home(db, project))?;
        let (project, recipe) = (project.to_owned(), recipe.to_owned());
        Ok(Build { caller: caller.clone(), project, recipe, post })
    }
}

/// Builds an image anew, whether or not one of that recipe is there.
pub fn build(
    world: &World,
    caller: &Caller,
    project: &str,
    recipe: &str,
    post: ImagesPost,
) -> Result<Operation> {
    let request =
        Request::new("Building image").project(project).requestor(caller.requestor.clone());
    world.submit(Build::new(world, caller, project, recipe, post)?, request)
}

/// Fails when there is no such recipe.
pub(super) fn check(recipe: &str) -> Result<()> {
    Recipe::new(recipe)?;
    Ok(())
}

async fn make(cx: &mut Cx<Build>) -> Result<()> {
    let (world, input) = (&cx.world, &cx.input);
    let image = built(world, &input.project, &input.recipe, &cx.control, false).await?;
    let aliases = input.post.aliases.iter().map(|a| (a.name.clone(), a.description.clone()));
    write_row(world, &image, aliases).await?;
    cx.operation.set_metadata("fingerprint", image.fingerprint.clone());
    cx.operation.set_metadata("size", image.size.to_string());
    let source = url::of("images", &image.fingerprint, &image.project);
    world.tell(&input.caller, &image.project, "image-created", source);
    Ok(())
}

/// A build that broke off left at most a work folder, which was removed, and files without a row.
async fn forget(cx: &mut Cx<Build>) -> Result<()> {
    let work = work_folder(&cx.world, &cx.input.recipe);
    blocking("clean up", move || remove(&work)).await
}

/// The newest image of a recipe that the project has; else it is built. Of two who want it, one
/// waits for the other.
pub(super) async fn provide(
    world: &World,
    project: &str,
    recipe: &str,
    control: &Control,
) -> Result<Image> {
    built(world, project, recipe, control, true).await
}

async fn built(
    world: &World,
    project: &str,
    recipe: &str,
    control: &Control,
    reuse: bool,
) -> Result<Image> {
    if reuse && let Some(image) = newest(world, project, recipe)? {
        return Ok(image);
    }
    let claim = [tasks::Claim::alone(format!("image-build/{recipe}"))];
    let _guard = world.locks().lock(&claim, "the building of the image").await;
    control.check()?;
    if reuse && let Some(image) = newest(world, project, recipe)? {
        return Ok(image);
    }
    let work = work_folder(world, recipe);
    let result = make_in(world, project, recipe, &work, control).await;
    blocking("clean up", move || remove(&work)).await?;
    result
}

async fn make_in(
    world: &World,
    project: &str,
    recipe: &str,
    work: &Path,
    control: &Control,
) -> Result<Image> {
    let home = world.store.read(|db| super::home(db, project))?;
    let (plan, folder, watched) = (Recipe::new(recipe)?, work.to_owned(), control.clone());
    let built = blocking("build image", move || {
        remove(&folder)?;
        fs::create_dir_all(&folder).map_err(Error::file("make", &folder))?;
        Ok::<_, Error>(images::build(&plan, &folder, &watched)?)
    })
    .await?;
    let source = Source { protocol: BUILD_PROTOCOL.to_owned(), alias: recipe.to_owned() };
    let mut image = files::row(&built.found, &home, "image.tar.zst", source);
    image.cached = true;
    let built = Arc::new(built);
    warm(world, &image, built.clone(), control).await?;
    files::keep(world, Files::unified(&built.tarball), &image.fingerprint).await?;
    write_row(world, &image, std::iter::empty()).await?;
    name_after_recipe(world, &image, recipe).await?;
    world.store.read(|db| super::find(db, project, &image.fingerprint))
}

/// Gives the newest image of a recipe the recipe's name as an alias, for clients that know nothing
/// of recipes; an alias of that name that is somebody's own image is left alone.
async fn name_after_recipe(world: &World, image: &Image, recipe: &str) -> Result<()> {
    world
        .store
        .write(|db| {
            let (home, print) = (&image.project, &image.fingerprint);
            let Some(alias) = rows::alias(db, home, recipe)? else {
                return Ok(rows::insert_alias(db, home, recipe, "", print)?);
            };
            let old = rows::get(db, home, &alias.fingerprint)?;
            match old.is_some_and(|old| old.source == image.source) {
                true => {
                    Ok::<_, Error>(rows::update_alias(db, alias.id, print, &alias.description)?)
                }
                false => Ok(()),
            }
        })
        .await
}

/// Makes the image's volume out of the tree that was built, in the pool that new instances use,
/// so that the first launch need not unpack what was just packed.
async fn warm(world: &World, image: &Image, built: Arc<Built>, control: &Control) -> Result<()> {
    let pools = world.store.read(|db| Ok::<_, Error>(crate::db::pools::all(db)?))?;
    let [pool] = &pools[..] else { return Ok(()) };
    let (pool, volume) = (world.pools.open(world, &pool.name).await?, super::volume::id(image)?);
    let control = control.clone();
    blocking("make image volume", move || {
        let mut place = |folder: &Path| Ok(built.place(folder, &control)?);
        pool.create(&volume, &storage::Shape::filesystem(), Some(&mut place), &control)
    })
    .await
}

fn newest(world: &World, project: &str, recipe: &str) -> Result<Option<Image>> {
    world.store.read(|db| {
        let home = super::home(db, project)?;
        let fits = |image: &Image| {
            image.project == home
                && image.made == Made::Ready
                && image.source.protocol == BUILD_PROTOCOL
                && image.source.alias == recipe
        };
        Ok(rows::all(db)?.into_iter().filter(fits).max_by_key(|image| image.uploaded_at))
    })
}

fn work_folder(world: &World, recipe: &str) -> PathBuf {
    world.dirs.cache().join(format!("build-{}", recipe.replace('/', "-")))
}

fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::file("remove", folder)(error))
        }
        _ => Ok(()),
    }
}
