//! Makes a storage pool.

use options::Raw;
use serde::{Deserialize, Serialize};
use tasks::{Cx, Request, Step, Task, step};
use uuid::Uuid;
use wire::StoragePoolsPost;

use super::{everywhere, source};
use crate::{
    Caller, Error, Result, World,
    blocking::blocking,
    db::{
        instances::Made,
        pools::{self as rows, Pool},
    },
    url,
};

/// The key of the source that was asked for.
const INITIAL: &str = "volatile.initial_source";

/// What is done to make a pool.
#[derive(Serialize, Deserialize)]
pub(crate) struct Create {
    name: String,
    driver: String,
    description: String,
    config: Raw,
}

impl Task for Create {
    const KIND: &'static str = "pool-create";
    type World = World;
    type Notes = ();
    type Error = Error;

    fn steps() -> Vec<Step<Create>> {
        vec![
            step("write row", row).undo(delete_row),
            step("make pool", make).undo(unmake),
            step("mark as made", ready),
        ]
    }
}

impl Create {
    pub(crate) fn new(world: &World, new: StoragePoolsPost) -> Result<Create> {
        options::names::check_pool(&new.name).map_err(|why| Error::invalid("pool name", why))?;
        if let Some(why) = super::driver(&new.driver)?.unable() {
            return Err(Error::invalid("storage driver", format!("\"{}\": {why}", new.driver)));
        }
        let mut config: Raw = new.config.clone().into();
        super::parse_options(&new.driver, &config)?;
        // What was said of this member before, and of no other, is part of it.
        let said = world.store.read(|db| match rows::get(db, &new.name)? {
            Some(row) if world.is_clustered() && is_promised(db, &row)? => Ok(Some(row)),
            Some(_) => Err(Error::exists("storage pool", &new.name)),
            None => Ok(None),
        })?;
        if let Some(row) = said {
            check_driver(&row, &new.driver)?;
            for (key, value) in rows::parts(&row.driver, &row.config).1.iter() {
                config.set_default(key, value);
            }
            super::parse_options(&new.driver, &config)?;
        }
        settle_source(world, &new, &mut config)?;
        config.set(super::ID, Uuid::new_v4().to_string());
        let (name, driver, description) = (new.name, new.driver, new.description);
        Ok(Create { name, driver, description, config })
    }
}

/// Whether members were told of a pool that none has yet.
fn is_promised(db: &store::Read<'_>, row: &Pool) -> Result<bool> {
    let made = |local: &rows::Local| local.made != Made::Creating;
    Ok(rows::whole(db, &row.name)? == Some(Made::Creating)
        && !rows::locals(db, &row.name)?.iter().any(made))
}

fn check_driver(row: &Pool, driver: &str) -> Result<()> {
    if row.driver == driver {
        return Ok(());
    }
    let why = format!("\"{driver}\", and members were told of \"{}\"", row.driver);
    Err(Error::invalid("storage driver", why))
}

/// Tells what a pool is to be on one member, before it is made on all.
pub async fn promise(world: &World, member: &str, new: StoragePoolsPost) -> Result<()> {
    options::names::check_pool(&new.name).map_err(|why| Error::invalid("pool name", why))?;
    super::driver(&new.driver)?;
    let config: Raw = new.config.clone().into();
    super::parse_options(&new.driver, &config)?;
    let (shared, local) = rows::parts(&new.driver, &config);
    if let Some(key) = shared.keys().next() {
        let why = format!("{key} is the same on all members: it is said when the pool is made");
        return Err(Error::invalid("configuration", why));
    }
    world
        .store
        .write(|db| {
            let id = crate::cluster::find(db, member)?.id;
            match rows::get(db, &new.name)? {
                Some(row) if is_promised(db, &row)? => check_driver(&row, &new.driver)?,
                Some(_) => return Err(Error::exists("storage pool", &new.name)),
                None => rows::insert_shared(db, &new.name, &new.driver, &new.description)?,
            }
            Ok(rows::set_local(db, &new.name, id, &local, Made::Creating, "")?)
        })
        .await
}

/// Makes on this member a pool that the others have.
pub(crate) async fn make_here(world: &World, row: &Pool) -> Result<()> {
    let mut config = row.config.clone();
    let post = StoragePoolsPost {
        name: row.name.clone(),
        driver: row.driver.clone(),
        description: row.description.clone(),
        config: config.0.clone(),
    };
    if let Some(why) = super::driver(&row.driver)?.unable() {
        return Err(Error::invalid("storage driver", format!("\"{}\": {why}", row.driver)));
    }
    settle_source(world, &post, &mut config)?;
    config.set_default(super::ID, Uuid::new_v4().to_string());
    let (name, driver, description) = (post.name, post.driver, post.description);
    let task = Create { name, driver, description, config };
    source::check_free(world, &as_row(&task)).await?;
    let request = Request::new("Creating storage pool").lock(format!("pool/{}", row.name));
    world.submit(task, request)?.result().await.map_err(Error::failed)
}

/// The row of a pool that is there already, whose identity is not known yet.
pub(crate) fn found_row(world: &World, post: StoragePoolsPost) -> Result<Pool> {
    options::names::check_pool(&post.name).map_err(|why| Error::invalid("pool name", why))?;
    let mut config: Raw = post.config.clone().into();
    super::driver(&post.driver)?;
    super::parse_options(&post.driver, &config)?;
    settle_source(world, &post, &mut config)?;
    let source = config.get("source").unwrap_or_default();
    // What is no disk and no file is not encrypted; whether it is a pool is looked at later.
    if storage::encrypted_driver_in(source.as_ref()).is_ok_and(|driver| driver.is_some()) {
        config.set("source.encrypt", "true");
    }
    let (name, driver, description) = (post.name, post.driver, post.description);
    Ok(Pool { id: 0, name, driver, description, config, made: Made::Creating })
}

/// Where the pool is to be, said or not.
fn settle_source(world: &World, new: &StoragePoolsPost, config: &mut Raw) -> Result<()> {
    let own = super::own_source(world, &new.driver, &new.name).display().to_string();
    if let Some(source) = config.get("source").map(str::to_owned).filter(|path| *path != own) {
        if config.has("size") {
            let why =
                format!("\"{source}\" has one already: only a pool without a source is given one");
            return Err(Error::invalid("size", why));
        }
        config.set(INITIAL, source);
    }
    config.set_default("source", own);
    Ok(())
}

/// Makes a pool.
pub async fn create(world: &World, caller: &Caller, new: StoragePoolsPost) -> Result<()> {
    let task = Create::new(world, new)?;
    source::check_free(world, &as_row(&task)).await?;
    let address = url::of("storage-pools", &task.name, crate::names::DEFAULT_PROJECT);
    let request = Request::new("Creating storage pool")
        .resource("storage-pools", address.clone())
        .requestor(caller.requestor.clone())
        .lock(format!("pool/{}", task.name));
    let name = task.name.clone();
    world.submit(task, request)?.result().await.map_err(Error::failed)?;
    everywhere::until_made(world, &name).await?;
    world.tell(caller, crate::names::DEFAULT_PROJECT, "storage-pool-created", address);
    Ok(())
}

fn as_row(input: &Create) -> Pool {
    Pool {
        id: 0,
        name: input.name.clone(),
        driver: input.driver.clone(),
        description: input.description.clone(),
        config: input.config.clone(),
        made: Made::Creating,
    }
}

async fn row(cx: &mut Cx<Create>) -> Result<()> {
    let input = cx.input.clone();
    // Another pool may have come since the request was looked at: one at a time looks and writes.
    let claim = [tasks::Claim::alone(source::CLAIM)];
    let _turn = cx.world.locks().lock(&claim, "the making of a pool").await;
    source::check_free(&cx.world, &as_row(&input)).await?;
    cx.world
        .store
        .write(|db| match rows::get(db, &input.name)? {
            Some(row) if row.made == Made::Ready => Ok(()),
            _ => Ok::<_, Error>(rows::insert(db, &as_row(&input))?),
        })
        .await
}

async fn delete_row(cx: &mut Cx<Create>) -> Result<()> {
    let input = cx.input.clone();
    cx.world.store.write(|db| Ok::<_, Error>(rows::delete(db, &input.name)?)).await
}

async fn make(cx: &mut Cx<Create>) -> Result<()> {
    let (driver, spec) =
        (super::driver(&cx.input.driver)?, super::spec(&cx.world, &as_row(&cx.input))?);
    blocking("make pool", move || driver.create(&spec)).await
}

async fn unmake(cx: &mut Cx<Create>) -> Result<()> {
    // After a power cut this runs though nothing was made: what another pool has is not ours to remove.
    if source::owner(&cx.world, &as_row(&cx.input)).await?.is_some() {
        return Ok(());
    }
    let (driver, spec) =
        (super::driver(&cx.input.driver)?, super::spec(&cx.world, &as_row(&cx.input))?);
    blocking("unmake pool", move || driver.delete(&spec)).await
}

async fn ready(cx: &mut Cx<Create>) -> Result<()> {
    let mut row = as_row(&cx.input);
    let (driver, spec) = (super::driver(&row.driver)?, super::spec(&cx.world, &row)?);
    let disk = blocking("identify disk", move || Ok::<_, Error>(driver.identify(&spec)?)).await?;
    if let Some(disk) = disk {
        row.config.set(super::DISK, disk.to_string());
    }
    cx.world
        .store
        .write(|db| {
            if let Some(made) = rows::get(db, &row.name)? {
                rows::update(db, made.id, &row.description, &row.config)?;
            }
            Ok::<_, Error>(rows::set_made(db, &row.name, Made::Ready)?)
        })
        .await
}
