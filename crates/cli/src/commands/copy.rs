//! `copy`.

use wire::{
    ConfigMap, DevicesMap, InstanceSource, InstancesPost, StateAction,
    endpoints::instances::{InstanceCreate, InstanceGet, InstanceStateSet},
    query::{ProjectQuery, TargetQuery, ThingQuery},
};

use super::{
    OK,
    between::{Away, Wish},
    create,
    mode::Mode,
    state,
};
use crate::{
    context::Context,
    error::{Error, Result},
    pairs,
};

/// Copies an instance, or makes one from a snapshot. One that runs is paused meanwhile.
#[derive(Debug, clap::Args)]
pub(crate) struct Copy {
    /// What to copy: INSTANCE or INSTANCE/SNAPSHOT, of another server with NAME: before it
    source: String,
    /// Name of the copy; the server finds one otherwise
    name: Option<String>,
    /// Option of the copy, over those of the source
    #[arg(short, long, value_name = "KEY=VALUE")]
    config: Vec<String>,
    /// Profile, in place of the source's; may be given several times
    #[arg(short, long)]
    profile: Vec<String>,
    /// Take no profile
    #[arg(long, conflicts_with = "profile")]
    no_profiles: bool,
    /// Leave the snapshots out
    #[arg(long)]
    instance_only: bool,
    /// Delete the copy when it stops
    #[arg(short, long)]
    ephemeral: bool,
    /// Bring a copy that exists up to date: its files and snapshots become those of the source
    #[arg(long)]
    refresh: bool,
    /// Start the copy
    #[arg(long, conflicts_with = "refresh")]
    start: bool,
    /// Storage pool for the copy
    #[arg(short, long)]
    storage: Option<String>,
    /// Member of the cluster for the copy
    #[arg(long, value_name = "MEMBER")]
    target: Option<String>,
    /// Project for the copy
    #[arg(long, value_name = "PROJECT")]
    target_project: Option<String>,
    /// Between two servers, who connects to whom; the one that can be reached is connected to otherwise
    #[arg(long)]
    mode: Option<Mode>,
}

impl Copy {
    pub(crate) async fn run(self, cx: &Context) -> Result<u8> {
        if let Some(away) = Away::of(cx, &self.source)? {
            return self.bring(cx, &away).await;
        }
        if self.mode.is_some() {
            return Err(Error::Usage("--mode is for a copy to another server"));
        }
        let request = self.request(cx).await?;
        let operation = cx.client.call::<InstanceCreate>(&[], &self.to(cx), &request).await?;
        cx.finish(&operation).await?;
        if request.name.is_empty() {
            let label = if cx.quiet { "" } else { "Instance name is: " };
            outln!("{label}{}", create::made(&operation));
        }
        Ok(OK)
    }

    /// From another server.
    async fn bring(&self, cx: &Context, away: &Away<'_>) -> Result<u8> {
        if self.refresh {
            return Err(Error::Usage("--refresh works on one server"));
        }
        let wish = Wish {
            name: self.name.as_deref(),
            config: pairs::map(&self.config)?,
            profiles: self.profiles(),
            pool: self.storage.as_deref(),
            ephemeral: self.ephemeral,
            instance_only: self.instance_only,
            moves: false,
            mode: self.mode,
            to: self.to(cx),
        };
        let name = away.bring(cx, &wish).await?;
        if self.start {
            // In the project that it is in now.
            let query = ProjectQuery { project: wish.to.project };
            let put = state::request(StateAction::Start, None);
            let started = cx.client.call::<InstanceStateSet>(&[&name], &query, &put).await?;
            cx.finish(&started).await?;
        }
        Ok(OK)
    }

    fn profiles(&self) -> Option<Vec<String>> {
        (self.no_profiles || !self.profile.is_empty()).then(|| self.profile.clone())
    }

    fn to(&self, cx: &Context) -> TargetQuery {
        let project = self.target_project.clone().or_else(|| cx.project.clone());
        TargetQuery { project, target: self.target.clone() }
    }

    async fn request(&self, cx: &Context) -> Result<InstancesPost> {
        let source = InstanceSource {
            r#type: "copy".into(),
            source: self.source.clone(),
            project: cx.project.clone().unwrap_or_else(|| wire::DEFAULT_PROJECT.into()),
            instance_only: self.instance_only,
            refresh: self.refresh,
            ..InstanceSource::default()
        };
        let mut request = InstancesPost {
            name: self.name.clone().unwrap_or_default(),
            source,
            config: pairs::map(&self.config)?,
            ephemeral: self.ephemeral,
            start: self.start,
            profiles: self.profiles(),
            ..InstancesPost::default()
        };
        if let Some(pool) = &self.storage {
            let query = ThingQuery { project: cx.project.clone(), ..ThingQuery::default() };
            let instance = self.source.split('/').next().unwrap_or_default();
            let found = cx.client.get::<InstanceGet>(&[instance], &query).await?;
            let (name, mut device) = root(&found.instance.expanded_devices)?;
            device.insert("pool".into(), pool.clone());
            request.devices.insert(name, device);
        }
        Ok(request)
    }
}

/// The root disk among devices.
pub(super) fn root(devices: &DevicesMap) -> Result<(String, ConfigMap)> {
    let is = |device: &ConfigMap, key: &str, value: &str| {
        device.get(key).is_some_and(|found| found == value)
    };
    let root = |device: &ConfigMap| is(device, "type", "disk") && is(device, "path", "/");
    let found = devices.iter().find(|(_, device)| root(device));
    let (name, device) = found.ok_or(Error::Usage("the source has no root disk"))?;
    Ok((name.clone(), device.clone()))
}
