//! Builds an image from a distribution's own archive, or from busybox.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use exec::Control;
use images::{Built, Recipe};
use serde::{Deserialize, Serialize};
use tasks::{Cx, Operation, Request, Step, Task, step};
use wire::ImagesPost;

use super::{
    BUILD_PROTOCOL, files,
    got::Got,
    import::{write_row, written},
};
use crate::{
    Caller, Error, Result, World,
    blocking::blocking,
    db::{
        images::{self as rows, Image, Source},
        instances::Made,
    },
    disk,
    instances::Kind,
};

/// What is done to build an image that a user asks for by itself.
#[derive(Serialize, Deserialize)]
pub(crate) struct Build {
    caller: Caller,
    project: String,
    recipe: String,
    #[serde(default)]
    kind: Kind,
    post: ImagesPost,
}

impl Task for Build {
    const KIND: &'static str = "image-build";
    type World = World;
    type Notes = Got;
    type Error = Error;

    fn steps() -> Vec<Step<Build>> {
        vec![step("build image", make).undo(drop_files), step("write row", row).undo(drop_row)]
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
        let kind = post.source.as_ref().map_or("", |source| &source.image_type);
        let kind = Kind::of(kind);
        check(recipe, kind)?;
        world.store.read(|db| super::home(db, project))?;
        let (project, recipe) = (project.to_owned(), recipe.to_owned());
        Ok(Build { caller: caller.clone(), project, recipe, kind, post })
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

/// Fails when there is no such recipe, or none that makes this.
pub(super) fn check(recipe: &str, kind: Kind) -> Result<()> {
    Recipe::of(recipe, kind.of_image())?;
    Ok(())
}

/// A recipe, and what is to be made by it.
type What<'a> = (&'a str, Kind);

async fn make(cx: &mut Cx<Build>) -> Result<()> {
    let (world, input) = (&cx.world, &cx.input);
    let what = (input.recipe.as_str(), input.kind);
    let _guard = alone(world, what, &cx.control).await?;
    let mut image = make_in_work(world, &input.project, what, &cx.control).await?;
    image.source.task = cx.id.to_string();
    // It was asked for by itself, and stays although it is not used.
    image.cached = false;
    cx.notes.known = world
        .store
        .read(|db| Ok::<_, Error>(rows::get(db, &image.project, &image.fingerprint)?.is_some()))?;
    cx.notes.image = Some(image);
    Ok(())
}

async fn drop_files(cx: &mut Cx<Build>) -> Result<()> {
    let work = work_folder(&cx.world, (&cx.input.recipe, cx.input.kind));
    blocking("clean up", move || disk::remove_folder(&work)).await?;
    cx.notes.drop_files(&cx.world).await
}

async fn row(cx: &mut Cx<Build>) -> Result<()> {
    let Some(image) = &cx.notes.image else { return Ok(()) };
    let (world, input) = (&cx.world, &cx.input);
    written(world, &cx.operation, (&input.caller, &input.post), image).await?;
    name_after_recipe(world, image, &input.recipe).await
}

async fn drop_row(cx: &mut Cx<Build>) -> Result<()> {
    super::delete::take_back(&cx.world, &cx.id.to_string()).await
}

/// The newest image of a recipe that the project has; else it is built. Of two who want it, one
/// waits for the other.
pub(super) async fn provide(
    world: &World,
    project: &str,
    what: What<'_>,
    control: &Control,
) -> Result<Image> {
    if let Some(image) = newest(world, project, what)? {
        return Ok(image);
    }
    files::check_place(world)?;
    let _guard = alone(world, what, control).await?;
    if let Some(image) = newest(world, project, what)? {
        return Ok(image);
    }
    let image = make_in_work(world, project, what, control).await?;
    write_row(world, &image, std::iter::empty()).await?;
    name_after_recipe(world, &image, what.0).await?;
    world.store.read(|db| super::find(db, project, &image.fingerprint))
}

/// Waits until nobody else builds that recipe.
async fn alone(world: &World, what: What<'_>, control: &Control) -> Result<tasks::Guard> {
    let claim = [tasks::Claim::alone(format!("image-build/{}", folder_of(what)))];
    let guard = world.locks().lock(&claim, "the building of the image").await;
    control.check()?;
    Ok(guard)
}

/// Makes files and volume of an image, not its row.
async fn make_in_work(
    world: &World,
    project: &str,
    what: What<'_>,
    control: &Control,
) -> Result<Image> {
    let work = work_folder(world, what);
    let result = make_in(world, project, what, &work, control).await;
    blocking("clean up", move || disk::remove_folder(&work)).await?;
    result
}

async fn make_in(
    world: &World,
    project: &str,
    what: What<'_>,
    work: &Path,
    control: &Control,
) -> Result<Image> {
    let home = world.store.read(|db| super::home(db, project))?;
    let plan = Recipe::of(what.0, what.1.of_image())?;
    let (folder, watched) = (work.to_owned(), control.clone());
    let built = blocking("build image", move || {
        disk::remove_folder(&folder)?;
        fs::create_dir_all(&folder).map_err(Error::file("make", &folder))?;
        Ok::<_, Error>(images::build(&plan, &folder, &watched)?)
    })
    .await?;
    let (protocol, alias) = (BUILD_PROTOCOL.to_owned(), what.0.to_owned());
    let source = Source { protocol, alias, ..Source::default() };
    let mut image = files::row(&built.found, &home, "image.tar.zst", source);
    image.cached = true;
    let built = Arc::new(built);
    warm(world, &image, built.clone(), control).await?;
    files::keep(world, built.files.clone(), &image.fingerprint).await?;
    Ok(image)
}

/// Gives the newest image of a recipe the recipe's name as an alias, for clients that know nothing
/// of recipes; an alias of that name that is somebody's own image is left alone, and one of the recipe's
/// other kind. A machine's image has a name of its own besides: the stock client looks at what kind an
/// alias is of, and asks for no other.
async fn name_after_recipe(world: &World, image: &Image, recipe: &str) -> Result<()> {
    let own = (Kind::of(&image.kind) == Kind::VirtualMachine).then(|| format!("{recipe}/vm"));
    world
        .store
        .write(|db| {
            name_as(db, image, recipe, recipe)?;
            own.iter().try_for_each(|name| name_as(db, image, recipe, name))
        })
        .await
}

fn name_as(db: &mut store::Write<'_>, image: &Image, recipe: &str, name: &str) -> Result<()> {
    let (home, print) = (&image.project, &image.fingerprint);
    let Some(alias) = rows::alias(db, home, name)? else {
        return Ok(rows::insert_alias(db, home, name, "", print)?);
    };
    let old = rows::get(db, home, &alias.fingerprint)?;
    let built = |old: Image| {
        image.kind == old.kind
            && old.source.protocol == BUILD_PROTOCOL
            && old.source.alias == recipe
    };
    match old.is_some_and(built) {
        true => Ok(rows::update_alias(db, alias.id, print, &alias.description)?),
        false => Ok(()),
    }
}

/// Makes the image's volume out of the tree that was built, in the pool that new instances use,
/// so that the first launch need not unpack what was just packed.
async fn warm(world: &World, image: &Image, built: Arc<Built>, control: &Control) -> Result<()> {
    let pools = world.store.read(|db| Ok::<_, Error>(crate::db::pools::all(db)?))?;
    let [pool] = &pools[..] else { return Ok(()) };
    let (pool, volume) = (world.pools.open(world, &pool.name).await?, super::volume::id(image)?);
    let (control, content) = (control.clone(), Kind::of(&image.kind).content());
    let shape = storage::Shape { content, ..storage::Shape::filesystem() };
    blocking("make image volume", move || {
        let mut place = |folder: &Path| Ok(built.place(folder, &control)?);
        pool.create(&volume, &shape, Some(&mut place), &control)
    })
    .await
}

fn newest(world: &World, project: &str, (recipe, kind): What<'_>) -> Result<Option<Image>> {
    world.store.read(|db| {
        let home = super::home(db, project)?;
        let fits = |image: &Image| {
            image.project == home
                && image.made == Made::Ready
                && Kind::of(&image.kind) == kind
                && image.source.protocol == BUILD_PROTOCOL
                && image.source.alias == recipe
        };
        Ok(rows::all(db)?.into_iter().filter(fits).max_by_key(|image| image.uploaded_at))
    })
}

fn work_folder(world: &World, what: What<'_>) -> PathBuf {
    world.dirs.cache().join(format!("build-{}", folder_of(what)))
}

fn folder_of((recipe, kind): What<'_>) -> String {
    format!("{}-{}", recipe.replace('/', "-"), kind.word())
}
