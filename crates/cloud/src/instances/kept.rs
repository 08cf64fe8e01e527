//! Instances as clients see them, kept from one list to the next: until a row changes, only their status does.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use wire::InstanceFull;

use super::{guests::Guests, list};
use crate::{Result, World};

/// How long a list is kept that nobody asks for.
const KEPT: Duration = Duration::from_secs(60);

/// The last list of all instances of this member. Clones are handles of the same.
#[derive(Clone, Default)]
pub(crate) struct Kept(Arc<Mutex<Option<List>>>);

struct List {
    /// Of the state in which the rows were read, and what else is shown.
    of: (u64, String, bool),
    asked: Instant,
    /// With snapshots and backups, without their state.
    all: Vec<InstanceFull>,
}

impl Kept {
    /// Gives those of the list that `wanted` makes something of; it is read anew if any row has changed.
    pub(super) fn map<T>(
        &self,
        world: &World,
        db: &store::Read<'_>,
        wanted: impl FnMut(&InstanceFull) -> Option<T>,
    ) -> Result<Vec<T>> {
        let of = (db.revision()?, world.me(), world.is_clustered());
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut list = match held.take() {
            Some(list) if list.of == of => list,
            old => {
                if old.is_none() {
                    tokio::spawn(self.clone().forget());
                }
                let all = list::rows_of(db, world, list::Depth::Full, &of.1)?;
                List { of, asked: Instant::now(), all }
            }
        };
        list.asked = Instant::now();
        list.all.iter_mut().for_each(|one| refresh(one, &world.guests));
        let found = list.all.iter().filter_map(wanted).collect();
        *held = Some(list);
        Ok(found)
    }

    /// Ends with the list.
    async fn forget(self) {
        loop {
            tokio::time::sleep(KEPT).await;
            let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if held.as_ref().is_none_or(|list| list.asked.elapsed() >= KEPT) {
                *held = None;
                return;
            }
        }
    }
}

fn refresh(one: &mut InstanceFull, guests: &Guests) {
    let status = list::status(guests, &one.instance.project, &one.instance.name);
    if one.instance.status_code != status {
        list::set_status(Arc::make_mut(&mut one.instance), status);
    }
}
