//! Files of an instance that are made of its templates, at its start.

use std::{os::fd::AsFd, path::PathBuf};

use images::{
    Metadata, Template,
    templates::{self, Values, Words},
};
use options::Raw;
use runtime::files::{Made, Owner, Server};
use storage::{Access, Attached, View, VolumeId};

use super::{PENDING, Trigger, beside::Beside};
use crate::{
    Error, Result, World, blocking::blocking, db::instances::Instance, expand::Expanded,
    instances::options::Typed, storage::OpenPool,
};

/// What every start renders.
const START: &str = "start";

/// An instance that is about to start, its root attached.
pub(in crate::instances) struct Applying<'a> {
    pub(in crate::instances) instance: &'a Instance,
    pub(in crate::instances) expanded: &'a Expanded,
    pub(in crate::instances) typed: &'a Typed,
    /// What its row does not say, as it was just made.
    pub(in crate::instances) fresh: Option<Trigger>,
}

impl Applying<'_> {
    /// Puts a container's files in place, before anything of it runs.
    pub(in crate::instances) async fn to_root(&self, world: &World, root: &Attached) -> Result<()> {
        let made = self.rendered(world).await?;
        if made.is_empty() {
            return Ok(());
        }
        let root = root.clone();
        blocking("write files of templates", move || {
            let view = View::open(&root, Access::Write)?;
            let root = view.as_fd().try_clone_to_owned();
            let mut server = Server::new(root.map_err(Error::file("open", "/".as_ref()))?);
            made.iter().try_for_each(|one| {
                let path = one.path.display().to_string();
                server.make(one).map_err(|source| Error::File { verb: "write", path, source })
            })
        })
        .await
    }

    /// The files.
    pub(in crate::instances) async fn rendered(&self, world: &World) -> Result<Vec<Made>> {
        let pool = world.pools.open(world, self.typed.root_pool()?).await?;
        let (volume, values) = (self.instance.root()?, self.values());
        let pending = self.expanded.config.get(PENDING).map(str::to_owned);
        let first = pending.or(self.fresh.map(|trigger| trigger.word().to_owned()));
        blocking("render templates", move || {
            rendered(&pool, &volume, &values, &[first.as_deref(), Some(START)])
        })
        .await
    }

    fn values(&self) -> Values {
        let instance = self.instance;
        let word = |yes: bool| yes.to_string();
        let words = [
            ("name", instance.name.clone()),
            ("type", instance.kind().word().to_owned()),
            ("architecture", instance.architecture.clone()),
            ("privileged", word(self.typed.options.security.privileged)),
            ("ephemeral", word(instance.ephemeral)),
        ];
        let devices = self.expanded.devices.0.iter();
        Values {
            instance: words.map(|(key, value)| (key.to_owned(), value)).into(),
            config: plain(&self.expanded.config),
            devices: devices.map(|(name, device)| (name.clone(), plain(device))).collect(),
            ..Values::default()
        }
    }
}

fn plain(config: &Raw) -> Words {
    config.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

fn rendered(
    pool: &OpenPool,
    volume: &VolumeId,
    values: &Values,
    triggers: &[Option<&str>],
) -> Result<Vec<Made>> {
    let beside = Beside::open(&pool.folder(volume)?)?;
    if !beside.has_metadata() {
        return Ok(Vec::new());
    }
    let Metadata { templates, .. } = beside.metadata("")?;
    let mut made = Vec::new();
    for trigger in triggers.iter().flatten() {
        let due = |one: &Template| one.when.iter().any(|when| when == trigger);
        for (path, one) in templates.iter().filter(|(_, one)| due(one)) {
            let values = Values { trigger: (*trigger).to_owned(), ..values.clone() };
            made.push(render(&beside, (path, one), values)?);
        }
    }
    Ok(made)
}

fn render(beside: &Beside, (path, one): (&String, &Template), values: Values) -> Result<Made> {
    let failed = |why: &dyn std::fmt::Display| {
        Error::invalid("template", format!("\"{}\" of {path}: {why}", one.template))
    };
    let text = beside.template(&one.template)?.ok_or_else(|| failed(&"there is none"))?;
    let text = String::from_utf8(text).map_err(|error| failed(&error))?;
    let given = Values { path: path.clone(), properties: one.properties.clone(), ..values };
    let contents = templates::render(&text, &given).map_err(|error| failed(&error))?;
    let mode = one.mode.as_deref().map(mode).transpose().map_err(|why| failed(&why))?;
    let owner = Owner { uid: one.uid, gid: one.gid, mode };
    Ok(Made { path: PathBuf::from(path), contents, owner, create_only: one.create_only })
}

/// Permissions in octal digits.
pub(super) fn mode(text: &str) -> Result<u32, String> {
    match u32::from_str_radix(text, 8) {
        Ok(mode @ 0..=0o7777) => Ok(mode),
        _ => Err(format!("mode: \"{text}\": octal digits from 0 to 7777")),
    }
}
