//! The pools that are open, and those that cannot be.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tasks::{Claim, Guard};

use crate::{
    Error, Result, World,
    blocking::blocking,
    db::{instances::Instance, pools::Pool},
    names::DEFAULT_PROJECT,
    url,
    warnings::{Kind, notes::About},
};

/// What a warning of a pool is about.
fn trouble(name: &str) -> About {
    About::new(Kind::Pool, "", url::of("storage-pools", name, DEFAULT_PROJECT))
}

/// An open pool.
pub type OpenPool = Arc<dyn storage::Pool>;

/// The pools that are open. Each is opened once, at its first use or by the reconciler.
#[derive(Default)]
pub struct Pools(Mutex<State>);

#[derive(Default)]
struct State {
    open: HashMap<String, OpenPool>,
    /// Those whose source was not there when it was last looked for.
    gone: HashSet<String>,
    /// Those that are being deleted, of which there is a row yet.
    going: HashSet<String>,
    /// Instances that should run and could not be started while a pool was gone.
    waiting: Vec<Instance>,
}

impl Pools {
    /// The pool of that name, opened if it is not yet.
    pub async fn open(&self, world: &World, name: &str) -> Result<OpenPool> {
        if let Some(pool) = self.get(name) {
            return Ok(pool);
        }
        let _turn = self.turn(world, name).await;
        if let Some(pool) = self.get(name) {
            return Ok(pool);
        }
        if self.state().going.contains(name) {
            // Opened now, it would be made again in part.
            return Err(Error::not_found("storage pool", name));
        }
        let row = world.store.read(|db| super::find(db, name))?;
        let (driver, spec) = (super::driver(&row.driver)?, super::spec(world, &row)?);
        match blocking("open pool", move || Ok::<_, Error>(driver.open(&spec)?)).await {
            Ok(pool) => {
                let pool: OpenPool = pool.into();
                let mut state = self.state();
                state.gone.remove(name);
                state.open.insert(name.to_owned(), pool.clone());
                drop(state);
                world.warnings.set(trouble(name), None);
                Ok(pool)
            }
            Err(error) => {
                self.state().gone.insert(name.to_owned());
                world.warnings.set(trouble(name), Some(tasks::chain(&error)));
                Err(Error::Unavailable { pool: name.to_owned(), source: Box::new(error) })
            }
        }
    }

    /// Looks whether the source of an open pool is still there, and opens one that is not.
    pub(crate) async fn check(&self, world: &World, row: &Pool) -> Result<()> {
        let Some(pool) = self.get(&row.name) else {
            return self.open(world, &row.name).await.map(drop);
        };
        let Err(error) = blocking("check pool", move || Ok::<_, Error>(pool.check()?)).await else {
            return Ok(());
        };
        let turn = self.turn(world, &row.name).await;
        {
            let mut state = self.state();
            state.open.remove(&row.name);
            state.gone.insert(row.name.clone());
        }
        tracing::warn!(pool = row.name, error = %tasks::chain(&error), "storage pool is gone");
        let (driver, spec) = (super::driver(&row.driver)?, super::spec(world, row)?);
        blocking("close pool", move || Ok::<_, Error>(driver.close(&spec)?)).await?;
        drop(turn);
        self.open(world, &row.name).await.map(drop)
    }

    /// Keeps something with a pool. One that is going away keeps nothing more.
    pub(crate) async fn keep(&self, world: &World, name: &str, record: Vec<u8>) -> Result<()> {
        let pool = self.open(world, name).await?;
        let _turn = self.turn(world, name).await;
        match self.get(name) {
            Some(now) if Arc::ptr_eq(&now, &pool) => {
                blocking("keep record", move || Ok::<_, Error>(pool.keep(&record)?)).await
            }
            _ => Ok(()),
        }
    }

    /// Whether the pool's source was not there when it was last looked for.
    pub(crate) fn is_gone(&self, name: &str) -> bool {
        self.state().gone.contains(name)
    }

    /// Remembers an instance that could not be started; false when no pool is gone.
    pub(crate) fn wait(&self, row: &Instance) -> bool {
        let mut state = self.state();
        let gone = !state.gone.is_empty();
        if gone {
            state.waiting.push(row.clone());
        }
        gone
    }

    /// Whether all pools serve.
    pub(crate) fn none_gone(&self) -> bool {
        self.state().gone.is_empty()
    }

    /// The instances that wait for a pool, once.
    pub(crate) fn waiting(&self) -> Vec<Instance> {
        std::mem::take(&mut self.state().waiting)
    }

    /// Lets nobody open a pool that is being deleted, until [`Pools::stay`] or its end.
    pub(crate) fn go(&self, name: &str) {
        self.state().going.insert(name.to_owned());
        self.forget(name);
    }

    /// One that goes is gone, or could not go.
    pub(crate) fn stay(&self, name: &str) {
        self.state().going.remove(name);
    }

    /// Forgets a pool that is going away.
    pub(crate) fn forget(&self, name: &str) {
        let mut state = self.state();
        state.open.remove(name);
        state.gone.remove(name);
    }

    /// One at a time opens a pool or removes it: who opened it a second time would clean up under the
    /// other's feet.
    pub(crate) async fn turn(&self, world: &World, name: &str) -> Guard {
        let claim = [Claim::alone(format!("open-pool/{name}"))];
        world.locks().lock(&claim, "the opening of the pool").await
    }

    fn get(&self, name: &str) -> Option<OpenPool> {
        self.state().open.get(name).cloned()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
