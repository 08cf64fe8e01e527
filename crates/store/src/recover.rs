//! Offline repair, while no process has the store open: a lone survivor goes on without the
//! others, and a backup becomes a store. Both begin a new cluster, so that members of the old one
//! that come back are turned away.

use std::path::Path;

use openraft::EntryPayload;
use uuid::Uuid;

use crate::codec::encode;
use crate::error::{BoxError, Error, Result};
use crate::files::Folder;
use crate::log;
use crate::log_file::{Identity, LogFile};
use crate::meta::Meta;
use crate::open::sole_member;
use crate::options::{Member, MemberId, Migration};
use crate::raft::{LogId, Vote};
use crate::{copies, migrate, snapshot, state::State};

/// What a recovery found and did.
#[derive(Clone, Debug)]
pub struct Recovered {
    /// The member that goes on alone.
    pub me: Member,
    /// The members that are given up; they can come back as new ones, with empty folders.
    pub removed: Vec<MemberId>,
    /// Index of the last entry kept, all of which now count.
    pub last_index: u64,
}

/// Makes this member the only one, when the majority is lost for good. Everything in its own log
/// is kept, also what the others had not confirmed yet.
pub fn recover(dir: &Path) -> Result<Recovered> {
    let folder = Folder::lock(dir)?;
    let path = folder.log();
    if !path.exists() {
        return Err(folder.damaged("log.db is missing"));
    }
    let state = State::open(&folder, &[])?;
    let work = || -> Result<Option<Recovered>, BoxError> {
        let file = log::open_file(&path)?;
        let Some(identity) = file.identity()? else { return Ok(None) };
        let done = go_on_alone(&file, identity.me, &state.meta)?;
        let purged = file.purged()?;
        // It must not be older than where the log begins. Another one is made of the state.
        if snapshot::read_meta(&folder.snapshot()).is_ok_and(|it| it.applied < purged) {
            snapshot::remove(&folder.snapshot())?;
        }
        Ok(Some(done))
    };
    let done = work().map_err(|e| Error::file("recover", &path, e))?;
    done.ok_or_else(|| folder.damaged("log.db does not say whose it is"))
}

fn go_on_alone(file: &LogFile, me: Member, meta: &Meta) -> Result<Recovered, BoxError> {
    let last = file.last()?.map(|entry| entry.log_id).max(file.purged()?);
    let removed = members(file, meta)?.into_iter().filter(|id| *id != me.id).collect();
    file.commit(|file| {
        // The log lost entries that the state has: it goes on after those.
        if let Some(applied) = meta.applied.filter(|applied| Some(*applied) > last) {
            file.purge(&applied)?;
        }
        found_after(file, &me, last.max(meta.applied))
    })?;
    Ok(Recovered { me, removed, last_index: last.max(meta.applied).map_or(0, |id| id.index) })
}

/// The members of the newest membership there is.
fn members(file: &LogFile, meta: &Meta) -> Result<Vec<MemberId>, BoxError> {
    let start = meta.applied.map_or(0, |id| id.index + 1);
    let newer = file.entries(start, u64::MAX)?.into_iter().rev().find_map(|e| match e.payload {
        EntryPayload::Membership(members) => Some(members),
        _ => None,
    });
    let members = newer.unwrap_or_else(|| meta.membership.membership().clone());
    Ok(members.nodes().map(|(id, _)| *id).collect())
}

/// Begins a new cluster of one member that goes on after this entry.
pub(crate) fn found_after(
    file: &LogFile,
    me: &Member,
    last: Option<LogId>,
) -> Result<(), BoxError> {
    let voted = file.vote()?.map_or(0, |vote| vote.leader_id.term);
    let term = last.map_or(0, |id| id.leader_id.term).max(voted) + 1;
    let index = last.map_or(0, |id| id.index + 1);
    let mut vote = Vote::new(term, me.id);
    vote.commit();
    file.put(index, &encode(&sole_member(me, term, index))?)?;
    file.set_vote(&vote)?;
    file.set_identity(&Identity { cluster: Uuid::new_v4(), me: me.clone() })
}

/// Makes a store from a backup, in a folder that has none, with this one member.
///
/// # Errors
/// It cannot be read, or needs a program that knows more steps of the schema than `schema` has.
pub fn restore(backup: &Path, dir: &Path, me: &Member, schema: &'static [Migration]) -> Result<()> {
    let folder = Folder::lock(dir)?;
    if folder.log().exists() || folder.state().exists() {
        return Err(Error::file("restore into", dir, "there is a database already"));
    }
    if !backup.exists() {
        return Err(Error::file("read", backup, "there is no such file"));
    }
    let failed = |e: BoxError| Error::file("restore", backup, e);
    let meta = copies::read(backup).map_err(failed)?;
    let known = schema.last().map_or(0, |step| step.level);
    let found = meta.needs.unwrap_or_else(|| migrate::needs(schema, meta.level));
    if found > known {
        return Err(Error::NewerSchema { found, known });
    }
    let work = || -> Result<(), BoxError> {
        let meta = snapshot::put_back(backup, &folder.state())?;
        begin_after(&folder, me, &meta)
    };
    work().map_err(failed)
}

/// Gives a state a log that begins after it.
pub(crate) fn begin_after(folder: &Folder, me: &Member, meta: &Meta) -> Result<(), BoxError> {
    let file = log::open_file(&folder.log())?;
    file.commit(|file| {
        if let Some(applied) = &meta.applied {
            file.purge(applied)?;
        }
        found_after(file, me, meta.applied)
    })
}
