//! Starts, stops, restarts, pauses and resumes: one instance, or all of a project.

use std::{sync::Arc, time::Duration};

use cloud::{
    Caller, World,
    instances::{
        freeze::freeze,
        guests::Phase,
        list::{self, Depth},
        start::{Memory, start},
        state,
        stop::{How, stop},
        suspend::suspend,
    },
    url,
};
use futures_util::future::join_all;
use tasks::{Operation, Request};
use wire::{InstanceState, InstanceStatePut, StateAction, StatusCode, endpoints::instances::*};

use crate::{
    error::{Error, Result},
    routes::{Call, Routes},
};

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .sync::<InstanceStateGet, _>(get)
        .background::<InstanceStateSet, _>(set)
        .background::<InstancesSetState, _>(set_all)
}

async fn get(call: Call<InstanceStateGet>) -> Result<InstanceState> {
    Ok(state::get(&call.world, call.query.project(), call.path("name")).await?)
}

async fn set(call: Call<InstanceStateSet>) -> Result<Operation> {
    let (project, name) = (call.query.project(), call.path("name"));
    Ok(act(&call.world, &call.caller, project, name, &call.body).await?)
}

async fn act(
    world: &Arc<World>,
    caller: &Caller,
    project: &str,
    name: &str,
    put: &InstanceStatePut,
) -> cloud::Result<Operation> {
    match put.action {
        StateAction::Start if paused(world, project, name) => {
            freeze(world, caller, project, name, false).await
        }
        StateAction::Start => {
            let memory = if put.stateful { Memory::Needed } else { Memory::Forgotten };
            start(world, caller, project, name, memory).await
        }
        StateAction::Stop if put.stateful => suspend(world, caller, project, name).await,
        StateAction::Stop => stop(world, caller, project, name, how(put)).await,
        StateAction::Restart => {
            stop(world, caller, project, name, How { again: true, ..how(put) }).await
        }
        StateAction::Freeze => freeze(world, caller, project, name, true).await,
        StateAction::Unfreeze => freeze(world, caller, project, name, false).await,
    }
}

/// A time that is not positive means as long as it takes, and so does none.
fn how(put: &InstanceStatePut) -> How {
    let seconds = u64::try_from(put.timeout).ok().filter(|seconds| *seconds > 0);
    How { force: put.force, timeout: seconds.map(Duration::from_secs), again: false }
}

/// Starting what is paused lets it go on.
fn paused(world: &World, project: &str, name: &str) -> bool {
    world.guests.get(project, name).is_some_and(|guest| guest.phase() == Phase::Frozen)
}

/// Whether an action has anything to do to an instance in this state.
fn concerns(action: StateAction, status: StatusCode) -> bool {
    match action {
        StateAction::Start => status == StatusCode::STOPPED,
        StateAction::Stop => runs(status) || status == StatusCode::FROZEN,
        StateAction::Restart | StateAction::Freeze => runs(status),
        StateAction::Unfreeze => status == StatusCode::FROZEN,
    }
}

/// Whether it runs; some say of themselves that they are ready.
fn runs(status: StatusCode) -> bool {
    status == StatusCode::RUNNING || status == StatusCode::READY
}

/// Those of a project that did not do as they were told.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.iter().map(|(name, why)| format!("{name}: {why}")).collect::<Vec<_>>().join("; "))]
struct Failed(Vec<(String, String)>);

async fn set_all(call: Call<InstancesSetState>) -> Result<Operation> {
    let Some(put) = call.body.state else {
        return Err(Error::bad("body", "the state is missing"));
    };
    let project = call.query.project().to_owned();
    let all = list::list(&call.world, Some(&project), Depth::Plain).await?;
    let concerned = all.into_iter().filter(|one| concerns(put.action, one.instance.status_code));
    let names: Vec<String> = concerned.map(|one| one.instance.name.clone()).collect();
    let request = Request::new("Changing the state of instances")
        .project(project.clone())
        .requestor(call.caller.requestor.clone())
        .uncancellable();
    let request = names.iter().fold(request, |request, name| {
        request.resource("instances", url::instance(&project, name))
    });
    let (world, caller) = (call.world, call.caller);
    let operations = world.operations.clone();
    let work = async move |_| {
        let each = names.iter().map(|name| finished(&world, &caller, &project, name, &put));
        let failed: Vec<_> = join_all(each).await.into_iter().filter_map(Result::err).collect();
        if failed.is_empty() { Ok(()) } else { Err(Failed(failed)) }
    };
    Ok(operations.spawn(request, work)?)
}

/// Acts on one and waits for the end; the error is its name and why.
async fn finished(
    world: &Arc<World>,
    caller: &Caller,
    project: &str,
    name: &str,
    put: &InstanceStatePut,
) -> Result<(), (String, String)> {
    let words = match act(world, caller, project, name, put).await {
        Ok(operation) => match operation.result().await {
            Ok(()) => return Ok(()),
            Err(failure) => failure.to_string(),
        },
        Err(error) => tasks::chain(&error),
    };
    Err((name.to_owned(), words))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(json: &str) -> InstanceStatePut {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_time_that_is_not_positive_is_no_limit() {
        for (json, timeout) in [
            (r#"{"action":"stop","timeout":-1}"#, None),
            (r#"{"action":"stop"}"#, None),
            (r#"{"action":"stop","timeout":30}"#, Some(Duration::from_secs(30))),
        ] {
            let how = how(&put(json));
            assert_eq!((how.timeout, how.force), (timeout, false), "{json}");
        }
        assert!(how(&put(r#"{"action":"stop","force":true}"#)).force);
    }

    #[test]
    fn all_of_a_project_are_those_the_action_concerns() {
        use StateAction::*;
        let concerned = |action| {
            let all = [StatusCode::STOPPED, StatusCode::RUNNING, StatusCode::FROZEN];
            all.map(|status| concerns(action, status))
        };
        assert_eq!(concerned(Start), [true, false, false]);
        assert_eq!(concerned(Stop), [false, true, true]);
        assert_eq!(concerned(Restart), [false, true, false]);
        assert_eq!(concerned(Freeze), [false, true, false]);
        assert_eq!(concerned(Unfreeze), [false, false, true]);
    }

    #[test]
    fn every_failure_is_named() {
        let failed = [("db", "it is busy"), ("web", "no such image")];
        let failed = Failed(failed.map(|(a, b)| (a.to_owned(), b.to_owned())).to_vec());
        assert_eq!(failed.to_string(), "db: it is busy; web: no such image");
    }
}
