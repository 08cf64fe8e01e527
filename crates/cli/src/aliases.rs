//! Commands of the user's own: words that stand for others, in `aliases.yml`.
//!
//! They are put in the place of the first word before anything else is read ([`Aliases::expand`]). A command that there is
//! cannot be an alias, so nothing that a script says changes its meaning.

use std::{collections::BTreeMap, ffi::OsString};

use clap::CommandFactory;
use serde::{Deserialize, Serialize};

use crate::{
    arguments::Arguments,
    error::{Error, Result},
    settings,
};

const FILE: &str = "aliases.yml";
/// Stands for all words behind the alias; without it they come last.
const ALL: &str = "@ARGS@";

/// The words that each stands for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Aliases(pub(crate) BTreeMap<String, Vec<String>>);

impl Aliases {
    pub(crate) fn load() -> Result<Aliases> {
        settings::load(FILE)
    }

    pub(crate) fn store(&self) -> Result<()> {
        settings::store(FILE, self)
    }

    /// Remembers one.
    pub(crate) fn add(&mut self, name: &str, words: Vec<String>) -> Result<()> {
        let commands = Arguments::command();
        let mut all = commands.get_subcommands();
        if name == "help"
            || all.any(|one| {
                one.get_name() == name || one.get_all_aliases().any(|other| other == name)
            })
        {
            return Err(Error::Usage(
                "a command of that name is there, which cannot mean anything else",
            ));
        }
        if name.is_empty() || name.starts_with('-') || name.contains(char::is_whitespace) {
            return Err(Error::Usage("an alias is one word, and does not begin with \"-\""));
        }
        self.0.insert(name.to_owned(), words);
        Ok(())
    }

    /// The words that are meant; the first is the program's name.
    pub(crate) fn expand(&self, words: Vec<OsString>) -> Vec<OsString> {
        let meant = words.get(1).and_then(|word| word.to_str()).and_then(|word| self.0.get(word));
        let Some(meant) = meant else { return words };
        let mut words = words.into_iter();
        let program = words.next();
        // The alias itself.
        words.next();
        let rest: Vec<_> = words.collect();
        let place = meant.iter().position(|word| word == ALL).unwrap_or(meant.len());
        let own = |words: &[String]| words.iter().map(OsString::from).collect::<Vec<_>>();
        let behind = meant.get(place + 1..).unwrap_or_default();
        program.into_iter().chain(own(&meant[..place])).chain(rest).chain(own(behind)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(line: &str) -> String {
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let mut aliases = Aliases::default();
        aliases.add("ll", words("list --columns ns")).unwrap();
        aliases.add("root", words("exec @ARGS@ -- su -")).unwrap();
        let given = words(line).into_iter().map(OsString::from).collect();
        let meant = aliases.expand(given).into_iter().map(|word| word.into_string().unwrap());
        meant.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_first_word_may_stand_for_others() {
        assert_eq!(expanded("mc ll web"), "mc list --columns ns web");
        assert_eq!(expanded("mc root web"), "mc exec web -- su -");
        assert_eq!(expanded("mc list ll"), "mc list ll");
        assert_eq!(expanded("mc"), "mc");
    }

    #[test]
    fn what_means_something_cannot_mean_another() {
        for name in ["list", "ls", "help", "", "-x", "a b"] {
            assert!(Aliases::default().add(name, vec!["list".into()]).is_err(), "{name}");
        }
    }
}
