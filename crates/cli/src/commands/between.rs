//! Between servers: an instance goes from the one that it is on to the one that is meant. The two do the work; here
//! they are brought together.

use std::collections::BTreeMap;

use client::Client;
use serde_json::Value;
use wire::{
    ConfigMap, Empty, Instance, InstancePost, InstancePostTarget, InstanceSource, InstancesPost,
    Operation, StatusCode,
    endpoints::instances::{InstanceCreate, InstanceDelete, InstanceGet, InstanceRename},
    query::{TargetQuery, ThingQuery},
};

use super::{
    mode::{Known, Mode},
    relay,
};
use crate::{
    context::Context,
    error::{Error, Result},
    remotes::Remote,
};

/// What a server finds out by itself about an instance.
const VOLATILE: &str = "volatile.";
/// Of that, what a copy of it has, too.
const KEPT: &str = "volatile.base_image";

/// An instance of another server than the one that is meant.
pub(super) struct Away<'a> {
    client: Client,
    /// `None` is the daemon of this machine, which nobody may be able to connect to.
    remote: Option<&'a Remote>,
    instance: &'a str,
}

/// What it is to be here; what is not said is as it is there.
#[derive(Default)]
pub(super) struct Wish<'a> {
    pub(super) name: Option<&'a str>,
    /// Over its options.
    pub(super) config: ConfigMap,
    pub(super) profiles: Option<Vec<String>>,
    pub(super) pool: Option<&'a str>,
    pub(super) ephemeral: bool,
    /// Without its snapshots.
    pub(super) instance_only: bool,
    /// It is there no more afterwards.
    pub(super) moves: bool,
    /// Who connects; the server that can be reached is connected to otherwise.
    pub(super) mode: Option<Mode>,
    /// Project and member.
    pub(super) to: TargetQuery,
}

impl<'a> Away<'a> {
    /// What a word means that [`crate::remotes::choose`] left the name of a server in.
    pub(super) fn of(cx: &'a Context, word: &'a str) -> Result<Option<Away<'a>>> {
        let Some((name, instance)) = word.split_once(':') else { return Ok(None) };
        let remote = cx.remotes.find(name)?;
        let client = match remote {
            Some(remote) => remote.client()?,
            None => Context::local(),
        };
        Ok(Some(Away { client, remote, instance }))
    }

    /// Copies or moves it; gives its name here.
    pub(super) async fn bring(&self, cx: &Context, wish: &Wish<'_>) -> Result<String> {
        if self.instance.contains('/') {
            return Err(Error::Usage("a snapshot goes to no other server: copy it there first"));
        }
        let query = ThingQuery { project: cx.project.clone(), ..ThingQuery::default() };
        let there = self.client.get::<InstanceGet>(&[self.instance], &query).await?.instance;
        let mut post = wish.request(&there)?;
        let ask = InstancePost {
            migration: true,
            live: post.source.live,
            instance_only: wish.instance_only,
            ..InstancePost::default()
        };
        let what = (&mut post, ask);
        match (wish.mode, self.remote) {
            (Some(Mode::Relay), _) => self.relay(cx, what, &wish.to).await?,
            (Some(Mode::Pull), _) | (None, Some(_)) => self.pull(cx, what, &wish.to).await?,
            (Some(Mode::Push), _) | (None, None) => self.push(cx, what, &wish.to).await?,
        }
        if wish.moves {
            let path = [self.instance];
            let gone = self.client.call::<InstanceDelete>(&path, &cx.query(), &Empty {}).await?;
            self.client.wait(&gone).await?;
        }
        Ok(post.name)
    }

    /// The server that is meant connects to the other one.
    async fn pull(
        &self,
        cx: &Context,
        (post, ask): (&mut InstancesPost, InstancePost),
        to: &TargetQuery,
    ) -> Result<()> {
        post.source.mode = "pull".into();
        let there = Known::ask(&self.client, self.remote).await?;
        let url = there.url()?;
        post.source.certificate.clone_from(&there.certificate);
        let path = [self.instance];
        let sends = self.client.call::<InstanceRename>(&path, &cx.target(), &ask).await?;
        post.source.operation = format!("{url}/1.0/operations/{}", sends.id);
        post.source.secrets = secrets(&sends);
        match cx.client.call::<InstanceCreate>(&[], to, post).await {
            Ok(receives) => cx.finish(&receives).await.map(drop),
            Err(error) => {
                // Nobody will come.
                self.client.cancel(&sends).await?;
                Err(error.into())
            }
        }
    }

    /// The other server connects to the one that is meant.
    async fn push(
        &self,
        cx: &Context,
        (post, mut ask): (&mut InstancesPost, InstancePost),
        to: &TargetQuery,
    ) -> Result<()> {
        let here = Known::ask(&cx.client, cx.remotes.find(&cx.server)?).await?;
        let url = here.url()?;
        post.source.mode = "push".into();
        let receives = cx.client.call::<InstanceCreate>(&[], to, post).await?;
        let operation = format!("{url}/1.0/operations/{}", receives.id);
        let websockets = secrets(&receives);
        let certificate = here.certificate.clone();
        ask.target = Some(InstancePostTarget { certificate, operation, websockets });
        let path = [self.instance];
        match self.client.call::<InstanceRename>(&path, &cx.target(), &ask).await {
            Ok(sends) => {
                cx.finish(&receives).await?;
                Ok(self.client.wait(&sends).await.map(drop)?)
            }
            Err(error) => {
                // Nobody will come.
                cx.client.cancel(&receives).await?;
                Err(error.into())
            }
        }
    }
}

impl Away<'_> {
    /// This client connects to both.
    async fn relay(
        &self,
        cx: &Context,
        (post, ask): (&mut InstancesPost, InstancePost),
        to: &TargetQuery,
    ) -> Result<()> {
        post.source.mode = "push".into();
        let receives = cx.client.call::<InstanceCreate>(&[], to, post).await?;
        let path = [self.instance];
        let sends = match self.client.call::<InstanceRename>(&path, &cx.target(), &ask).await {
            Ok(sends) => sends,
            Err(error) => {
                // Nobody will come.
                cx.client.cancel(&receives).await?;
                return Err(error.into());
            }
        };
        if let Err(error) = relay::join((&self.client, &sends), (&cx.client, &receives)).await {
            cx.client.cancel(&receives).await?;
            self.client.cancel(&sends).await?;
            return Err(error);
        }
        cx.finish(&receives).await?;
        Ok(self.client.wait(&sends).await.map(drop)?)
    }
}

impl Wish<'_> {
    fn request(&self, there: &Instance) -> Result<InstancesPost> {
        let mut config = there.config.clone();
        // Where it goes it is the same one still, with its addresses; a copy is another one.
        config.retain(|key, _| self.moves || key == KEPT || !key.starts_with(VOLATILE));
        config.extend(self.config.clone());
        let mut devices = there.devices.clone();
        if let Some(pool) = self.pool {
            let (name, mut root) = super::copy::root(&there.expanded_devices)?;
            root.insert("pool".into(), pool.into());
            devices.insert(name, root);
        }
        let source = InstanceSource {
            r#type: "migration".into(),
            base_image: config.get(KEPT).cloned().unwrap_or_default(),
            // A copy of what runs would be the same one twice; the other server says so.
            live: self.moves && there.status_code == StatusCode::RUNNING,
            instance_only: self.instance_only,
            ..InstanceSource::default()
        };
        Ok(InstancesPost {
            name: self.name.unwrap_or(&there.name).to_owned(),
            source,
            r#type: there.r#type,
            architecture: there.architecture.clone(),
            config,
            devices,
            ephemeral: self.ephemeral || self.moves && there.ephemeral,
            profiles: Some(self.profiles.clone().unwrap_or_else(|| there.profiles.clone())),
            stateful: self.moves && there.stateful,
            description: there.description.clone(),
            ..InstancesPost::default()
        })
    }
}

/// What lets others to the websockets of an operation.
pub(super) fn secrets(operation: &Operation) -> ConfigMap {
    let told: BTreeMap<String, Value> = operation.metadata.clone().unwrap_or_default();
    let text = |(key, value): (String, Value)| Some((key, value.as_str()?.to_owned()));
    told.into_iter().filter_map(text).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn there() -> Instance {
        serde_json::from_value(json!({
            "name": "web", "type": "container", "architecture": "x86_64", "status_code": 103, "status": "Running",
            "config": { "user.a": "b", "volatile.base_image": "abc", "volatile.uuid": "1" },
            "profiles": ["small"],
            "expanded_devices": { "root": { "type": "disk", "path": "/", "pool": "old" } },
        }))
        .unwrap()
    }

    #[test]
    fn a_copy_is_another_one_and_a_move_the_same() {
        let wish = Wish { pool: Some("fast"), ..Wish::default() };
        let post = wish.request(&there()).unwrap();
        assert_eq!(json!(post.config), json!({ "user.a": "b", "volatile.base_image": "abc" }));
        assert_eq!(post.devices["root"]["pool"], "fast");
        assert_eq!((post.name.as_str(), post.source.live), ("web", false));
        assert_eq!(post.profiles, Some(vec!["small".into()]));
        assert_eq!(post.source.base_image, "abc");
        let wish = Wish { moves: true, name: Some("db"), ..Wish::default() };
        let post = wish.request(&there()).unwrap();
        assert_eq!(post.config["volatile.uuid"], "1");
        assert_eq!((post.name.as_str(), post.source.live), ("db", true));
    }
}
