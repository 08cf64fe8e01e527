//! Copies an instance to another member: a copy beside it, which then goes there. What breaks off leaves no copy.

use std::sync::Arc;

use tasks::Operation;
use wire::InstancesPost;

use super::resettle::{go, start_there};
use crate::{
    Caller, Error, Result, World, cluster,
    instances::{copy, delete, launch},
    url,
};

/// Copies an instance of this member.
///
/// # Errors
/// There is no such member; what the copy is refused for comes with the operation.
pub fn copy_to_member(
    world: &Arc<World>,
    caller: &Caller,
    project: &str,
    mut post: InstancesPost,
    target: &str,
) -> Result<Operation> {
    let place = world.cluster.links.by_name(target);
    let place = place.ok_or_else(|| Error::not_found("cluster member", target))?;
    if post.source.refresh {
        return Err(Error::invalid("refresh", "a copy is brought up to date where it is"));
    }
    if post.name.is_empty() {
        post.name = world.store.read(|db| launch::free_name(db, project))?;
    }
    let request = tasks::Request::new("Copying instance")
        .project(project)
        .resource("instances", url::instance(project, &post.name))
        .requestor(caller.requestor.clone());
    let (held, caller, project) = (world.clone(), caller.clone(), project.to_owned());
    let work = async move |operation: Operation| {
        let (name, starts) = (post.name.clone(), std::mem::take(&mut post.start));
        let copied = copy::copy(&held, &caller, &project, post).await?;
        super::receive::ended(&operation, &copied).await?;
        let of = (project.as_str(), name.as_str());
        if let Err(error) = super::cancellable(&operation, go(&held, &caller, of, &place)).await {
            remove(&held, &caller, of).await;
            return Err(error);
        }
        if starts { start_there(&held, of, &place).await } else { Ok(()) }
    };
    Ok(world.operations.spawn(request, work)?)
}

/// Deletes a copy that did not go, unless it is underway still, or went in spite of the error.
async fn remove(world: &World, caller: &Caller, (project, name): (&str, &str)) {
    let here = world.store.read(|db| {
        let row = crate::db::instances::get(db, project, name)?;
        Ok::<_, Error>(row.map(|row| row.member) == Some(cluster::own(db)?.name))
    });
    if here.is_ok_and(|here| here)
        && let Err(error) = delete::unguarded(world, caller, project, name).await
    {
        tracing::warn!(project, name, error = %tasks::chain(&error), "a copy that did not go");
    }
}
