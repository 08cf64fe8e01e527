//! The verbs that every thing with a name and options has: one set for networks, profiles, projects
//! and storage pools. A noun's own verbs stand beside them in its enum, with `#[command(flatten)]`.

use client::Answer;
use serde::{Serialize, de::DeserializeOwned};
use wire::{ConfigMap, DevicesMap, Empty, Endpoint};

use crate::{
    context::Context,
    error::Result,
    thing::{self, Thing},
};

/// A thing that has a name of its own, so that three endpoints say how it is shown, replaced and
/// deleted.
pub(crate) trait Named {
    /// See [`Thing::NOUN`].
    const NOUN: &'static str;
    /// See [`Thing::EXAMPLE`].
    const EXAMPLE: &'static str;
    /// What stands behind the `?` of all three.
    type Query;
    /// What is shown.
    type Shown: Serialize;
    /// The changeable part of it.
    type Put: Serialize + DeserializeOwned;
    /// Shows it.
    type Get: Endpoint<Query = Self::Query, Reply = Self::Shown>;
    /// Replaces its changeable part.
    type Replace: Endpoint<Query = Self::Query, Body = Self::Put>;
    /// Deletes it.
    type Delete: Endpoint<Query = Self::Query, Body = Empty>;

    /// Where it is.
    fn query(cx: &Context) -> Self::Query;
    /// See [`Thing::writable`].
    fn writable(shown: &Self::Shown) -> Self::Put;
    /// See [`Thing::config`].
    fn config(put: &mut Self::Put) -> &mut ConfigMap;
    /// See [`Thing::devices`].
    fn devices(_put: &mut Self::Put) -> Option<&mut DevicesMap> {
        None
    }
}

impl<T: Named> Thing for T {
    const NOUN: &'static str = T::NOUN;
    const EXAMPLE: &'static str = T::EXAMPLE;
    type Shown = T::Shown;
    type Put = T::Put;

    async fn load(cx: &Context, name: &str) -> Result<Answer<T::Shown>> {
        Ok(cx.client.request::<T::Get>(&[name]).query(&T::query(cx))?.send().await?)
    }

    async fn store(cx: &Context, name: &str, put: &T::Put, etag: Option<String>) -> Result<()> {
        let request = cx.client.request::<T::Replace>(&[name]).query(&T::query(cx))?;
        request.body(put)?.if_match(etag).send().await?;
        Ok(())
    }

    fn writable(shown: &T::Shown) -> T::Put {
        T::writable(shown)
    }

    fn config(put: &mut T::Put) -> &mut ConfigMap {
        T::config(put)
    }

    fn devices(put: &mut T::Put) -> Option<&mut DevicesMap> {
        T::devices(put)
    }
}

/// What can be done with any thing that has options.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Settings {
    /// Show one
    Show {
        /// Its name
        name: String,
    },
    /// Change one as YAML: in an editor, or from standard input
    Edit {
        /// Its name
        name: String,
    },
    /// Print the value of an option
    Get {
        /// Its name
        name: String,
        /// Option
        key: String,
    },
    /// Set options
    Set {
        /// Its name
        name: String,
        /// Options; an empty value takes one away
        #[arg(required = true, value_name = "KEY=VALUE")]
        options: Vec<String>,
    },
    /// Take an option away
    Unset {
        /// Its name
        name: String,
        /// Option
        key: String,
    },
}

impl Settings {
    pub(crate) async fn run<T: Thing>(self, cx: &Context) -> Result<()> {
        match self {
            Self::Show { name } => thing::show::<T>(cx, &name).await,
            Self::Edit { name } => thing::edit::<T>(cx, &name).await,
            Self::Get { name, key } => thing::get::<T>(cx, &name, &key).await,
            Self::Set { name, options } => thing::set::<T>(cx, &name, &options).await,
            Self::Unset { name, key } => thing::unset::<T>(cx, &name, &key).await,
        }
    }
}

/// What can be done with any of them, where they are deleted by their names alone.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verbs {
    #[command(flatten)]
    Settings(Settings),
    /// Delete some
    #[command(visible_alias = "rm")]
    Delete {
        /// Their names
        #[arg(required = true)]
        names: Vec<String>,
    },
}

impl Verbs {
    pub(crate) async fn run<T: Named>(self, cx: &Context) -> Result<()> {
        match self {
            Self::Settings(verb) => verb.run::<T>(cx).await,
            Self::Delete { names } => {
                for name in names {
                    cx.client.call::<T::Delete>(&[&name], &T::query(cx), &Empty {}).await?;
                    cx.say(format!("{} {name} deleted", capital(<T as Named>::NOUN)));
                }
                Ok(())
            }
        }
    }
}

/// With a capital letter at its beginning.
fn capital(noun: &str) -> String {
    let mut letters = noun.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_begins_with_a_capital() {
        assert_eq!(capital("storage pool"), "Storage pool");
    }
}
