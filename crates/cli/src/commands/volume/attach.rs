//! `storage volume attach` and `detach`: disk devices of instances and profiles that name a volume.

use wire::{ConfigMap, DevicesMap};

use crate::{
    context::Context,
    error::{Error, Result},
    thing::{self, Thing},
};

/// Gives an instance or profile a volume: `[DEVICE] [PATH]` in `words`, the device called as the
/// volume where none is named.
pub(super) async fn attach<T: Thing>(
    cx: &Context,
    pool: String,
    volume: String,
    owner: &str,
    words: &[String],
) -> Result<()> {
    let (device, path) = match words {
        [device, path] => (device.as_str(), Some(path)),
        [path] => (volume.as_str(), Some(path)),
        _ => (volume.as_str(), None),
    };
    let device = device.to_owned();
    let mut disk = ConfigMap::from([
        (String::from("type"), String::from("disk")),
        (String::from("pool"), pool),
        (String::from("source"), volume),
    ]);
    disk.extend(path.map(|path| (String::from("path"), path.clone())));
    change::<T>(cx, owner, |devices| {
        if devices.contains_key(&device) {
            let (name, key) = (owner.to_owned(), device.clone());
            return Err(Error::Present { noun: T::NOUN, name, what: "device", key });
        }
        devices.insert(device, disk);
        Ok(())
    })
    .await
}

/// Takes a volume from an instance or profile: its one device with it, or the one that is named.
pub(super) async fn detach<T: Thing>(
    cx: &Context,
    pool: &str,
    volume: &str,
    owner: &str,
    device: Option<&str>,
) -> Result<()> {
    change::<T>(cx, owner, |devices| {
        let is_it = |disk: &ConfigMap| {
            let is = |key: &str, value: &str| disk.get(key).is_some_and(|have| have == value);
            is("type", "disk") && is("pool", pool) && is("source", volume)
        };
        let found = devices.iter().filter(|(_, disk)| is_it(disk)).map(|(name, _)| name.clone());
        let mut found: Vec<String> =
            found.filter(|name| device.is_none_or(|wanted| wanted == name)).collect();
        if found.len() > 1 {
            return Err(Error::Usage("it has the volume more than once: name the device"));
        }
        let Some(name) = found.pop() else {
            return Err(thing::absent::<T>(owner, "device with the volume", volume));
        };
        devices.remove(&name);
        Ok(())
    })
    .await
}

async fn change<T: Thing>(
    cx: &Context,
    owner: &str,
    with: impl FnOnce(&mut DevicesMap) -> Result<()>,
) -> Result<()> {
    thing::change::<T>(cx, owner, |put| T::devices(put).map_or(Ok(()), with)).await
}
