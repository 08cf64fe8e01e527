//! `start`, `stop`, `restart`, `pause`, `resume`.

use wire::{
    InstanceStatePut, StateAction, StatusCode,
    endpoints::instances::{InstanceGet, InstanceStateSet, InstancesList},
};

use super::{OK, each};
use crate::{
    context::Context,
    error::{Error, Result},
};

/// Which instances.
#[derive(Debug, clap::Args)]
pub(crate) struct Which {
    /// Instances
    #[arg(required_unless_present = "all")]
    names: Vec<String>,
    /// Every instance of the project
    #[arg(long, conflicts_with = "names")]
    all: bool,
}

/// How hard to stop.
#[derive(Debug, clap::Args)]
pub(crate) struct How {
    /// Stop it at once
    #[arg(short, long)]
    force: bool,
    /// Seconds to wait for a clean stop; -1 is as long as it takes
    #[arg(long, default_value_t = -1, allow_negative_numbers = true)]
    timeout: i64,
}

/// Starts instances.
#[derive(Debug, clap::Args)]
pub(crate) struct Start {
    #[command(flatten)]
    which: Which,
    /// Forget the memory that was kept of a virtual machine
    #[arg(long)]
    stateless: bool,
}

/// Stops instances.
#[derive(Debug, clap::Args)]
pub(crate) struct Stop {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    how: How,
    /// Keep the memory of a virtual machine: its next start goes on from there
    #[arg(long, conflicts_with_all = ["force", "timeout"])]
    stateful: bool,
}

/// Stops and starts instances.
#[derive(Debug, clap::Args)]
pub(crate) struct Restart {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    how: How,
}

/// Freezes instances.
#[derive(Debug, clap::Args)]
pub(crate) struct Pause {
    #[command(flatten)]
    which: Which,
}

/// Unfreezes instances.
#[derive(Debug, clap::Args)]
pub(crate) struct Resume {
    #[command(flatten)]
    which: Which,
}

impl Start {
    pub(crate) async fn run(self, cx: &Context) -> Result<u8> {
        let names = match self.which.all {
            true => fitting(cx, StateAction::Start).await?,
            false => self.which.names,
        };
        let stateless = self.stateless;
        let start = async |name: String| {
            let stateful = !stateless && is_kept(cx, &name).await?;
            let put = InstanceStatePut { stateful, ..request(StateAction::Start, None) };
            change(cx, &name, &put).await
        };
        each(names, start).await?;
        Ok(OK)
    }
}

impl Stop {
    pub(crate) async fn run(self, cx: &Context) -> Result<u8> {
        let put = request(StateAction::Stop, Some(&self.how));
        set(cx, self.which, InstanceStatePut { stateful: self.stateful, ..put }).await
    }
}

impl Restart {
    pub(crate) async fn run(self, cx: &Context) -> Result<u8> {
        set(cx, self.which, request(StateAction::Restart, Some(&self.how))).await
    }
}

impl Pause {
    pub(crate) async fn run(self, cx: &Context) -> Result<u8> {
        set(cx, self.which, request(StateAction::Freeze, None)).await
    }
}

impl Resume {
    pub(crate) async fn run(self, cx: &Context) -> Result<u8> {
        set(cx, self.which, request(StateAction::Unfreeze, None)).await
    }
}

pub(super) fn request(action: StateAction, how: Option<&How>) -> InstanceStatePut {
    InstanceStatePut {
        action,
        timeout: how.map_or(-1, |how| how.timeout),
        force: how.is_some_and(|how| how.force),
        stateful: false,
    }
}

/// Whether memory of an instance is kept that its start goes on with.
async fn is_kept(cx: &Context, name: &str) -> Result<bool> {
    let query = wire::query::ThingQuery { project: cx.project.clone(), ..Default::default() };
    let found = cx.client.request::<InstanceGet>(&[name]).query(&query)?.send().await?;
    Ok(found.reply.instance.stateful)
}

/// Changes the state of each instance.
async fn set(cx: &Context, which: Which, put: InstanceStatePut) -> Result<u8> {
    let names = if which.all { fitting(cx, put.action).await? } else { which.names };
    each(names, async |name| change(cx, &name, &put).await).await?;
    Ok(OK)
}

/// Changes the state of one instance.
pub(crate) async fn change(cx: &Context, name: &str, put: &InstanceStatePut) -> Result<()> {
    let operation = cx.client.call::<InstanceStateSet>(&[name], &cx.query(), put).await?;
    match cx.finish(&operation).await {
        Err(Error::Client(client::Error::Operation { id, code, message })) => {
            let message = format!("{message}\nSee \"microcloud info {name} --show-log\" for more");
            Err(Error::Client(client::Error::Operation { id, code, message }))
        }
        other => other.map(drop),
    }
}

/// Instances of the project for which the action means something.
async fn fitting(cx: &Context, action: StateAction) -> Result<Vec<String>> {
    let instances = cx.client.get::<InstancesList>(&[], &cx.list()).await?.into_full();
    let fits = |code: StatusCode| match action {
        StateAction::Start => code == StatusCode::STOPPED || code == StatusCode::ERROR,
        StateAction::Unfreeze => code == StatusCode::FROZEN,
        StateAction::Stop => code != StatusCode::STOPPED,
        StateAction::Restart | StateAction::Freeze => {
            code == StatusCode::RUNNING || code == StatusCode::READY
        }
    };
    let fitting = instances.into_iter().filter(|full| fits(full.instance.status_code));
    Ok(fitting.map(|full| full.instance.name.clone()).collect())
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::json;

    use super::*;
    use crate::arguments::{Arguments, Command};

    fn stop(words: &str) -> Stop {
        let words = ["microcloud", "stop"].into_iter().chain(words.split(' '));
        match Arguments::try_parse_from(words).unwrap().command {
            Command::Stop(stop) => stop,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_hard_stop_of_two() {
        let stop = stop("web db --force");
        assert_eq!(stop.which.names, ["web", "db"]);
        let want = json!({ "action": "stop", "timeout": -1, "force": true, "stateful": false });
        assert_eq!(json!(request(StateAction::Stop, Some(&stop.how))), want);
    }

    #[test]
    fn a_clean_stop_with_a_limit() {
        let put = request(StateAction::Stop, Some(&stop("web --timeout 30").how));
        assert_eq!((put.timeout, put.force), (30, false));
    }

    #[test]
    fn names_or_all_but_not_both() {
        let parse = |words: &str| Arguments::try_parse_from(words.split(' '));
        assert!(parse("microcloud stop").is_err());
        assert!(parse("microcloud stop web --all").is_err());
        assert!(parse("microcloud stop --all").is_ok());
    }
}
