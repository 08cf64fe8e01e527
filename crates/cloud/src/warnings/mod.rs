//! Warnings: what this server could not do as asked, or cannot do at all.
//!
//! ```text
//! new ─ a client puts it ──> acknowledged
//!  └────────┬─────────────────────┘
//!           │ its cause is gone          a day later
//!           └──────────────> resolved ──────────────> forgotten
//!                              └ it comes again ──> new, counted once more
//! ```
//! Who finds trouble notes it ([`Notes`]), and takes it back; what is true of the machine is looked up
//! (`causes.rs`). One reconciler compares both with the rows (`diff.rs`) and writes only what changed, so trouble
//! that lasts costs nothing. One that a client deletes while its cause lasts does not come back for that.

pub(crate) mod causes;
pub(crate) mod diff;
mod kind;
pub(crate) mod notes;

use store::Read;
use wire::{Warning, WarningPut};

pub(crate) use self::kind::Kind;
pub use self::notes::Notes;
use crate::{
    Caller, Error, Result, World,
    db::warnings as rows,
    etag::{self, IfMatch},
    names::DEFAULT_PROJECT,
    url,
};

/// It was seen by nobody yet.
pub(crate) const NEW: &str = "new";
/// Somebody knows.
pub(crate) const ACKNOWLEDGED: &str = "acknowledged";
/// Its cause is gone.
pub(crate) const RESOLVED: &str = "resolved";

/// All of them, or those about a project and about none.
pub fn list(world: &World, project: Option<&str>) -> Result<Vec<Warning>> {
    let found = world.store.read(|db| {
        if let Some(name) = project {
            crate::projects::find(db, name)?;
        }
        Ok::<_, Error>(rows::all(db)?)
    })?;
    let about = |row: &rows::Warning| {
        row.project.is_empty() || project.is_none_or(|name| name == row.project)
    };
    Ok(found.into_iter().filter(about).map(render).collect())
}

/// One.
pub fn get(world: &World, uuid: &str) -> Result<Warning> {
    world.store.read(|db| Ok(render(find(db, uuid)?)))
}

/// How many are not settled.
pub(crate) fn open(world: &World) -> Result<usize> {
    let found = world.store.read(|db| Ok::<_, Error>(rows::all(db)?))?;
    Ok(found.iter().filter(|row| row.status != RESOLVED).count())
}

fn find(db: &Read<'_>, uuid: &str) -> Result<rows::Warning> {
    rows::get(db, uuid)?.ok_or_else(|| Error::not_found("warning", uuid))
}

/// Changes its status: `new` or `acknowledged`.
pub async fn update(
    world: &World,
    caller: &Caller,
    uuid: &str,
    seen: IfMatch,
    change: impl Fn(WarningPut) -> Result<WarningPut> + Send + Sync,
) -> Result<()> {
    let status = world
        .store
        .write(|db| {
            let mut row = find(db, uuid)?;
            let old = WarningPut { status: row.status.clone() };
            etag::check(&seen, &old, "warning", uuid)?;
            let new = change(old)?.status;
            if ![NEW, ACKNOWLEDGED].contains(&new.as_str()) {
                let why = format!("\"{new}\" is none of {NEW}, {ACKNOWLEDGED}");
                return Err(Error::invalid("status", why));
            }
            row.status.clone_from(&new);
            row.updated_at = clock::utc();
            rows::put(db, &row)?;
            Ok(new)
        })
        .await?;
    let action = if status == NEW { "warning-reset" } else { "warning-acknowledged" };
    world.tell(caller, DEFAULT_PROJECT, action, address(uuid));
    Ok(())
}

/// Deletes it.
pub async fn delete(world: &World, caller: &Caller, uuid: &str) -> Result<()> {
    world
        .store
        .write(|db| {
            find(db, uuid)?;
            Ok::<_, Error>(rows::delete(db, uuid)?)
        })
        .await?;
    world.tell(caller, DEFAULT_PROJECT, "warning-deleted", address(uuid));
    Ok(())
}

/// The address of a warning in the API.
pub fn address(uuid: &str) -> String {
    url::of("warnings", uuid, DEFAULT_PROJECT)
}

fn render(row: rows::Warning) -> Warning {
    Warning {
        severity: Kind::severity(&row.kind).to_owned(),
        uuid: row.uuid,
        entity_url: row.entity,
        project: row.project,
        location: row.member,
        r#type: row.kind,
        status: row.status,
        count: row.count,
        first_seen_at: row.first_seen_at.into(),
        last_seen_at: row.last_seen_at.into(),
        last_message: row.message,
    }
}
