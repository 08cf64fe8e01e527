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
    /// What a PUT takes.
    type Put: DeserializeOwned;

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

/// Replaces its changeable part by what the user wrote.
pub(crate) async fn edit<T: Thing>(cx: &Context, name: &str) -> Result<()> {
    T::store(cx, name, &edit::edited()?, None).await
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
