//! The verbs that every thing with a name and options has: one set for networks, profiles, projects
//! and storage pools. A noun's own verbs stand beside them in its enum, with `#[command(flatten)]`.

use crate::{
    context::Context,
    error::Result,
    thing::{self, Thing},
};

/// A thing that people make and delete.
pub(crate) trait Named: Thing {
    /// Deletes it.
    async fn delete(cx: &Context, name: &str) -> Result<()>;
}

/// What can be done with any of them.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verbs {
    /// Show one
    Show {
        /// Its name
        name: String,
    },
    /// Delete some
    #[command(visible_alias = "rm")]
    Delete {
        /// Their names
        #[arg(required = true)]
        names: Vec<String>,
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

impl Verbs {
    pub(crate) async fn run<T: Named>(self, cx: &Context) -> Result<()> {
        match self {
            Self::Show { name } => thing::show::<T>(cx, &name).await,
            Self::Delete { names } => {
                for name in names {
                    T::delete(cx, &name).await?;
                    cx.say(format!("{} {name} deleted", capital(T::NOUN)));
                }
                Ok(())
            }
            Self::Edit { name } => thing::edit::<T>(cx, &name).await,
            Self::Get { name, key } => thing::get::<T>(cx, &name, &key).await,
            Self::Set { name, options } => thing::set::<T>(cx, &name, &options).await,
            Self::Unset { name, key } => thing::unset::<T>(cx, &name, &key).await,
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
