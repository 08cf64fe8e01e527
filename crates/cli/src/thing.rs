//! What things with options have in common, so that `show`, `edit`, `get`, `set` and `unset` are written once.

use client::Answer;
use serde::{Serialize, de::DeserializeOwned};
use wire::{ConfigMap, DevicesMap};

use crate::{
    context::Context,
    edit,
    error::{Error, Result},
    output, pairs,
};

/// A kind of thing that is shown, and changed by a PUT.
pub(crate) trait Thing {
    /// What it is called.
    const NOUN: &'static str;
    /// What a GET shows.
    type Shown: Serialize;
    /// What can stand in a PUT, as YAML, for whoever edits one.
    const EXAMPLE: &'static str;
    /// What a PUT takes.
    type Put: Serialize + DeserializeOwned;

    /// Fetches it.
    async fn load(cx: &Context, name: &str) -> Result<Answer<Self::Shown>>;
    /// Replaces its changeable part, if it still has this version.
    async fn store(cx: &Context, name: &str, put: &Self::Put, etag: Option<String>) -> Result<()>;
    /// Its changeable part.
    fn writable(shown: &Self::Shown) -> Self::Put;
    /// Its options.
    fn config(put: &mut Self::Put) -> &mut ConfigMap;
    /// Its devices, if it can have any.
    fn devices(_put: &mut Self::Put) -> Option<&mut DevicesMap> {
        None
    }
}

/// Prints it.
pub(crate) async fn show<T: Thing>(cx: &Context, name: &str) -> Result<()> {
    output::yaml(&T::load(cx, name).await?.reply)
}

/// Replaces its changeable part by what the user writes.
pub(crate) async fn edit<T: Thing>(cx: &Context, name: &str) -> Result<()> {
    if !edit::has_person() {
        return T::store(cx, name, &edit::given()?, None).await;
    }
    let seen = T::load(cx, name).await?;
    let text = serde_saphyr::to_string(&T::writable(&seen.reply)).map_err(Error::Yaml)?;
    let text = head::<T>(name) + &text;
    edit::on_terminal(cx, &text, async |put: T::Put| {
        T::store(cx, name, &put, seen.etag.clone()).await
    })
    .await
}

/// What stands above a text that is edited.
fn head<T: Thing>(name: &str) -> String {
    let mut text = format!("# This is the {} {name}", T::NOUN).trim_end().to_owned();
    text += ", as YAML. Comments like this one mean nothing.\n\
             # Save it and leave the editor to make it so; leave it as it is to change nothing.\n\
             #\n# An example of what can stand here:\n#\n";
    for line in T::EXAMPLE.lines() {
        text += &format!("#   {line}\n");
    }
    text + "#\n"
}

/// Prints the value of an option; an empty line when it is not set.
pub(crate) async fn get<T: Thing>(cx: &Context, name: &str, key: &str) -> Result<()> {
    let shown = T::load(cx, name).await?.reply;
    let mut put = T::writable(&shown);
    outln!("{}", T::config(&mut put).get(key).map_or("", String::as_str));
    Ok(())
}

/// Sets options.
pub(crate) async fn set<T: Thing>(cx: &Context, name: &str, words: &[String]) -> Result<()> {
    let settings = pairs::settings(words)?;
    change::<T>(cx, name, |put| {
        pairs::apply(T::config(put), settings);
        Ok(())
    })
    .await
}

/// Takes an option away.
pub(crate) async fn unset<T: Thing>(cx: &Context, name: &str, key: &str) -> Result<()> {
    change::<T>(cx, name, |put| match T::config(put).remove(key) {
        Some(_) => Ok(()),
        None => Err(absent::<T>(name, "option", key)),
    })
    .await
}

/// Loads, changes and stores it.
pub(crate) async fn change<T: Thing>(
    cx: &Context,
    name: &str,
    with: impl FnOnce(&mut T::Put) -> Result<()>,
) -> Result<()> {
    let seen = T::load(cx, name).await?;
    let mut put = T::writable(&seen.reply);
    with(&mut put)?;
    T::store(cx, name, &put, seen.etag).await
}

/// The error that a thing lacks something.
pub(crate) fn absent<T: Thing>(name: &str, what: &'static str, key: &str) -> Error {
    Error::Absent { noun: T::NOUN, name: name.to_owned(), what, key: key.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::{
        bucket::Buckets,
        config::{Instances, TheServer},
        image::Images,
        network::Networks,
        profile::Profiles,
        project::Projects,
        storage::Pools,
        volume::Volumes,
    };

    /// The example as a PUT, and what a field that the PUT does not know is dropped from.
    fn example<T: Thing>() {
        let given: serde_json::Value = serde_saphyr::from_str(T::EXAMPLE).unwrap();
        let put: T::Put = serde_saphyr::from_str(T::EXAMPLE).unwrap();
        let taken = serde_json::to_value(&put).unwrap();
        for (field, value) in given.as_object().unwrap() {
            assert_eq!(&taken[field], value, "{} {field}", T::NOUN);
        }
    }

    #[test]
    fn every_example_can_be_given() {
        example::<Instances>();
        example::<TheServer>();
        example::<Images>();
        example::<Networks>();
        example::<Profiles>();
        example::<Projects>();
        example::<Pools>();
        example::<Buckets>();
        example::<Volumes>();
    }

    #[test]
    fn the_head_is_all_comments() {
        let head = head::<Profiles>("web");
        assert!(head.starts_with("# This is the profile web, as YAML."), "{head}");
        assert!(head.lines().all(|line| line.starts_with('#')), "{head}");
    }
}
