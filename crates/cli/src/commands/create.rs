//! `launch` and `create`.

use client::Client;
use wire::{
    ConfigMap, DevicesMap, InstanceSource, InstanceType, InstancesPost, Operation, Profile,
    endpoints::{instances::InstanceCreate, profiles::ProfileGet},
    query::TargetQuery,
};

use super::{OK, source};
use crate::{
    context::Context,
    error::{Error, Result},
    output::human::name_of,
    pairs,
    remotes::Remotes,
};

/// What a new instance is made of.
#[derive(Debug, clap::Args)]
pub(crate) struct Create {
    /// Image: debian:12, ubuntu:24.04 or busybox (built here), or an alias or fingerprint
    #[arg(required_unless_present = "empty")]
    image: Option<String>,
    /// Name; the server finds one otherwise
    name: Option<String>,
    /// Option of the instance
    #[arg(short, long, value_name = "KEY=VALUE")]
    config: Vec<String>,
    /// Option of a device, also of one that a profile brings
    #[arg(short, long, value_name = "NAME,KEY=VALUE,...")]
    device: Vec<String>,
    /// Profile, in place of the default one; may be given several times
    #[arg(short, long)]
    profile: Vec<String>,
    /// Take no profile
    #[arg(long, conflicts_with = "profile")]
    no_profiles: bool,
    /// Network to join
    #[arg(short, long)]
    network: Option<String>,
    /// Storage pool to live in
    #[arg(short, long)]
    storage: Option<String>,
    /// Delete it when it stops
    #[arg(short, long)]
    ephemeral: bool,
    /// Make a virtual machine
    #[arg(long)]
    vm: bool,
    /// Make it without an image
    #[arg(long)]
    empty: bool,
    /// Size by a name of another cloud, such as c2-m4
    #[arg(short = 't', long = "type", value_name = "TYPE")]
    instance_type: Option<String>,
    /// Member to put it on
    #[arg(long, value_name = "MEMBER")]
    target: Option<String>,
    /// Description
    #[arg(long)]
    description: Option<String>,
}

/// As [`Create`], then started.
#[derive(Debug, clap::Args)]
pub(crate) struct Launch {
    #[command(flatten)]
    create: Create,
}

impl Launch {
    pub(crate) async fn run(self, cx: &Context) -> Result<u8> {
        self.create.make(cx, true).await
    }
}

impl Create {
    pub(crate) async fn run(self, cx: &Context) -> Result<u8> {
        self.make(cx, false).await
    }

    async fn make(self, cx: &Context, start: bool) -> Result<u8> {
        let profiles = self.profiles_needed(&cx.client, cx).await?;
        let request = self.request(start, &profiles, &cx.remotes)?;
        let word = if start { "Launching" } else { "Creating" };
        cx.say(format!(
            "{word} {}",
            if request.name.is_empty() { "an instance" } else { &request.name }
        ));
        let query = TargetQuery { project: cx.project.clone(), target: self.target };
        let operation = cx.client.call::<InstanceCreate>(&[], &query, &request).await?;
        cx.finish(&operation).await?;
        if request.name.is_empty() {
            let label = if cx.quiet { "" } else { "Instance name is: " };
            outln!("{label}{}", made(&operation));
        }
        Ok(OK)
    }

    /// The profiles' devices matter only if one is to be changed.
    async fn profiles_needed(&self, client: &Client, cx: &Context) -> Result<Vec<Profile>> {
        let mut profiles = Vec::new();
        if !self.device.is_empty() || self.storage.is_some() {
            for name in self.profile_names().unwrap_or_else(|| vec!["default".into()]) {
                profiles.push(client.get::<ProfileGet>(&[&name], &cx.query()).await?);
            }
        }
        Ok(profiles)
    }

    fn profile_names(&self) -> Option<Vec<String>> {
        (self.no_profiles || !self.profile.is_empty()).then(|| self.profile.clone())
    }

    fn request(
        &self,
        start: bool,
        profiles: &[Profile],
        remotes: &Remotes,
    ) -> Result<InstancesPost> {
        // With --empty there is no image, so the first word is the name.
        let (image, name) = match self.empty {
            true if self.name.is_some() => {
                return Err(Error::Usage("--empty takes no image, only a name"));
            }
            true => (None, &self.image),
            false => (self.image.as_deref(), &self.name),
        };
        Ok(InstancesPost {
            name: name.clone().unwrap_or_default(),
            source: image.map_or_else(no_image, |image| source::of_instance(image, remotes)),
            r#type: if self.vm { InstanceType::VirtualMachine } else { InstanceType::Container },
            start,
            instance_type: self.instance_type.clone().unwrap_or_default(),
            config: pairs::map(&self.config)?,
            devices: self.devices(profiles)?,
            ephemeral: self.ephemeral,
            profiles: self.profile_names(),
            description: self.description.clone().unwrap_or_default(),
            ..InstancesPost::default()
        })
    }

    fn devices(&self, profiles: &[Profile]) -> Result<DevicesMap> {
        let mut devices = DevicesMap::new();
        if let Some(pool) = &self.storage {
            let (name, mut root) = inherited_root(profiles);
            root.insert("pool".into(), pool.clone());
            devices.insert(name, root);
        }
        if let Some(network) = &self.network {
            let nic = [("type", "nic"), ("name", "eth0"), ("network", network)];
            devices
                .insert("eth0".into(), nic.map(|(key, value)| (key.into(), value.into())).into());
        }
        for word in &self.device {
            let (name, settings) = device(word)?;
            let current = devices.remove(&name).or_else(|| inherited(profiles, &name));
            let mut device = current.unwrap_or_default();
            pairs::apply(&mut device, settings);
            devices.insert(name, device);
        }
        Ok(devices)
    }
}

fn no_image() -> InstanceSource {
    InstanceSource { r#type: "none".into(), ..InstanceSource::default() }
}

/// `NAME,KEY=VALUE,...`
fn device(word: &str) -> Result<(String, ConfigMap)> {
    let form = || Error::Form { word: word.to_owned(), form: "NAME,KEY=VALUE,..." };
    let (name, rest) = word.split_once(',').ok_or_else(form)?;
    let settings: Result<ConfigMap> = rest.split(',').map(pairs::pair).collect();
    Ok((name.to_owned(), settings?))
}

/// The device of this name that the last profile with one brings.
fn inherited(profiles: &[Profile], name: &str) -> Option<ConfigMap> {
    profiles.iter().rev().find_map(|profile| profile.devices.get(name)).cloned()
}

/// The root disk that the profiles bring, or a new one.
fn inherited_root(profiles: &[Profile]) -> (String, ConfigMap) {
    let is_root = |device: &ConfigMap| {
        let is = |key: &str, value: &str| device.get(key).is_some_and(|have| have == value);
        is("type", "disk") && is("path", "/")
    };
    let mut devices = profiles.iter().rev().flat_map(|profile| &profile.devices);
    match devices.find(|(_, device)| is_root(device)) {
        Some((name, device)) => (name.clone(), device.clone()),
        None => {
            let root = [("type", "disk"), ("path", "/")];
            ("root".into(), root.map(|(key, value)| (key.into(), value.into())).into())
        }
    }
}

/// The name the server found.
pub(super) fn made(operation: &Operation) -> &str {
    let urls = operation.resources.get("instances").and_then(|urls| urls.first());
    urls.map_or("", |url| name_of(url))
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::{Value, json};

    use super::*;
    use crate::arguments::{Arguments, Command};

    fn request(words: &str, profiles: &[Profile]) -> Value {
        let words = ["microcloud", "launch"].into_iter().chain(words.split(' '));
        match Arguments::try_parse_from(words).unwrap().command {
            Command::Launch(launch) => {
                json!(launch.create.request(true, profiles, &Remotes::default()).unwrap())
            }
            other => panic!("{other:?}"),
        }
    }

    fn default_profile() -> Profile {
        serde_json::from_value(json!({ "name": "default", "devices": {
            "root": { "type": "disk", "path": "/", "pool": "default" },
            "eth0": { "type": "nic", "name": "eth0", "network": "mcbr0" },
        }}))
        .unwrap()
    }

    #[test]
    fn a_plain_launch() {
        let want = json!({
            "name": "web", "type": "container", "start": true, "architecture": "", "config": {}, "devices": {},
            "ephemeral": false, "profiles": null, "stateful": false, "description": "",
            "source": { "type": "image", "alias": "debian/12", "protocol": "microcloud-build", "mode": "pull" },
        });
        assert_eq!(request("debian:12 web", &[]), want);
    }

    #[test]
    fn options_profiles_and_kind() {
        let got = request("img web -c limits.cpu=2 -c user.a=b=c -p default -p big -e --vm", &[]);
        assert_eq!(got["config"], json!({ "limits.cpu": "2", "user.a": "b=c" }));
        assert_eq!(got["profiles"], json!(["default", "big"]));
        assert_eq!((&got["ephemeral"], &got["type"]), (&json!(true), &json!("virtual-machine")));
    }

    #[test]
    fn no_profiles_is_not_the_default_profile() {
        assert_eq!(request("img --no-profiles", &[])["profiles"], json!([]));
    }

    #[test]
    fn a_devices_options_go_over_those_of_the_profile() {
        let got = request("img web -d root,size=10GiB -s fast -n lan", &[default_profile()]);
        let want = json!({
            "root": { "type": "disk", "path": "/", "pool": "fast", "size": "10GiB" },
            "eth0": { "type": "nic", "name": "eth0", "network": "lan" },
        });
        assert_eq!(got["devices"], want);
    }

    #[test]
    fn a_device_of_ones_own() {
        let got = request("img web -d data,type=disk,source=/srv,path=/srv", &[default_profile()]);
        assert_eq!(
            got["devices"]["data"],
            json!({ "type": "disk", "source": "/srv", "path": "/srv" })
        );
    }

    #[test]
    fn an_empty_instance_has_no_image() {
        let got = request("--empty web", &[]);
        assert_eq!((&got["name"], &got["source"]), (&json!("web"), &json!({ "type": "none" })));
    }

    #[test]
    fn the_name_that_was_found() {
        let operation: Operation = serde_json::from_value(json!({
            "resources": { "instances": ["/1.0/instances/brave-fox?project=x"] }
        }))
        .unwrap();
        assert_eq!(made(&operation), "brave-fox");
    }
}
