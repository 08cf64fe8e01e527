//! Instances as clients see them, kept from one list to the next: until a row changes, only their status does.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use wire::{InstanceBackup, InstanceFull, InstanceSnapshot};

use super::{guests::Guests, list};
use crate::{Result, World, db};

/// How long a list is kept that nobody asks for.
const KEPT: Duration = Duration::from_secs(60);

/// The last list of all instances of this member. Clones are handles of the same.
#[derive(Clone, Default)]
pub(crate) struct Kept(Arc<Mutex<Option<List>>>);

struct List {
    /// Of the state in which the rows were read, and what else is shown.
    of: (u64, String, bool),
    asked: Instant,
    all: Vec<One>,
}

/// One instance of the list.
pub(super) struct One {
    /// With snapshots and backups, without its state.
    pub(super) full: InstanceFull,
    text: Option<Text>,
}

/// An instance as JSON, made when somebody asks for it.
#[derive(Clone)]
pub(super) struct Text {
    /// Itself.
    pub(super) own: Arc<str>,
    /// What is shown beside it.
    pub(super) beside: Arc<str>,
}

#[derive(serde::Serialize)]
struct Beside<'a> {
    snapshots: &'a Option<Vec<InstanceSnapshot>>,
    backups: &'a Option<Vec<InstanceBackup>>,
}

impl One {
    pub(super) fn text(&mut self) -> Text {
        let InstanceFull { instance, snapshots, backups, .. } = &self.full;
        let make = || Text {
            own: db::json(&**instance).into(),
            beside: db::json(&Beside { snapshots, backups }).into(),
        };
        self.text.get_or_insert_with(make).clone()
    }

    fn refresh(&mut self, guests: &Guests) {
        let instance = &mut self.full.instance;
        let status = list::status(guests, &instance.project, &instance.name);
        if instance.status_code != status {
            list::set_status(Arc::make_mut(instance), status);
            self.text = None;
        }
    }
}

impl Kept {
    /// Gives those of the list that `wanted` makes something of; it is read anew if any row has changed.
    pub(super) fn map<T>(
        &self,
        world: &World,
        rows: &store::Read<'_>,
        wanted: impl FnMut(&mut One) -> Option<T>,
    ) -> Result<Vec<T>> {
        let of = (rows.revision()?, world.me(), world.is_clustered());
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut list = match held.take() {
            Some(list) if list.of == of => list,
            old => {
                if old.is_none() {
                    tokio::spawn(self.clone().forget());
                }
                let all = list::rows_of(rows, world, list::Depth::Full, &of.1)?;
                let all = all.into_iter().map(|full| One { full, text: None }).collect();
                List { of, asked: Instant::now(), all }
            }
        };
        list.asked = Instant::now();
        list.all.iter_mut().for_each(|one| one.refresh(&world.guests));
        let found = list.all.iter_mut().filter_map(wanted).collect();
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
