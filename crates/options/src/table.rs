//! Tables of options: what a struct with `#[derive(Options)]` declares.

use crate::Kind;

/// When a change takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Apply {
    /// At once, also on what is running.
    Live,
    /// At the next start.
    Restart,
    /// Never: fixed when the object is made.
    Create,
}

/// Whether all members of a cluster have the same value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// One value for the whole cluster.
    Global,
    /// Each member has its own.
    Local,
}

/// The fixed parts of the keys of a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Family {
    /// What stands before the name, with its dot.
    pub head: &'static str,
    /// What stands behind the name, with its dot; empty when nothing does.
    pub tail: &'static str,
}

impl Family {
    /// The name within a key of this family; None when the key is not of it.
    pub fn name<'k>(&self, key: &'k str) -> Option<&'k str> {
        let name = key.strip_prefix(self.head)?.strip_suffix(self.tail)?;
        (!name.is_empty()).then_some(name)
    }

    /// The key for a name.
    pub fn key(&self, name: &str) -> String {
        format!("{}{name}{}", self.head, self.tail)
    }
}

/// One declared option.
#[derive(Debug, Clone, Copy)]
pub struct Opt {
    /// The key; of a family the pattern as it is documented.
    pub key: &'static str,
    /// Set when this is a family of keys.
    pub family: Option<Family>,
    /// The section it is documented in.
    pub group: &'static str,
    /// What values it takes.
    pub kind: Kind,
    /// The value that holds when the key is absent.
    pub default: Option<&'static str>,
    /// The default in words, when it is no fixed value.
    pub default_text: Option<&'static str>,
    /// The value written into the configuration when the object is made without the key.
    pub initial: Option<&'static str>,
    /// Whether all members share the value.
    pub scope: Scope,
    /// When a change takes effect.
    pub apply: Apply,
    /// When the option matters at all, in words.
    pub condition: Option<&'static str>,
    /// The API extension that brought it.
    pub since: Option<&'static str>,
    /// What it is, in less than 80 characters.
    pub short: &'static str,
    /// Everything else there is to say; paragraphs separated by an empty line.
    pub long: &'static str,
}

/// All options of an entity, or a part of them.
#[derive(Debug, Clone, Copy)]
pub struct Table {
    /// The entity, as LXD's metadata names it: `instance`, `network-bridge`, `device-disk`.
    pub entity: &'static str,
    /// The options in the order of declaration.
    pub options: &'static [Opt],
    /// Tables within this one.
    pub nested: &'static [Nested],
}

/// A table within a table.
#[derive(Debug, Clone, Copy)]
pub struct Nested {
    /// What stands before each of its keys; may be empty.
    pub prefix: &'static str,
    /// The table.
    pub table: &'static Table,
}

/// An option found by one of its keys.
#[derive(Debug, Clone, Copy)]
pub struct Found<'k> {
    /// The option.
    pub opt: &'static Opt,
    /// The prefix of the nested table that has it.
    pub prefix: &'k str,
    /// The name within a family.
    pub name: Option<&'k str>,
}

impl Table {
    /// The option that a key belongs to: the exact one first, else the family with the longest
    /// fixed part.
    pub fn find<'k>(&self, key: &'k str) -> Option<Found<'k>> {
        self.exact(key, key).or_else(|| self.family(key, key))
    }

    /// Whether each member of a cluster has its own value of this key.
    pub fn is_local(&self, key: &str) -> bool {
        self.find(key).is_some_and(|found| found.opt.scope == Scope::Local)
    }

    fn exact<'k>(&self, key: &'k str, rest: &'k str) -> Option<Found<'k>> {
        let own = self.options.iter().find(|opt| opt.family.is_none() && opt.key == rest);
        let found = own.map(|opt| Found { opt, prefix: before(key, rest), name: None });
        found.or_else(|| {
            let mut inner =
                self.nested.iter().filter_map(|n| Some((n, rest.strip_prefix(n.prefix)?)));
            inner.find_map(|(nested, rest)| nested.table.exact(key, rest))
        })
    }

    fn family<'k>(&self, key: &'k str, rest: &'k str) -> Option<Found<'k>> {
        let own = self.options.iter().filter_map(|opt| {
            let name = opt.family?.name(rest)?;
            Some(Found { opt, prefix: before(key, rest), name: Some(name) })
        });
        let inner = self
            .nested
            .iter()
            .filter_map(|nested| nested.table.family(key, rest.strip_prefix(nested.prefix)?));
        own.chain(inner).min_by_key(|found| found.name.map(str::len))
    }

    /// Every option, with the prefix of its nested table.
    pub fn all(&self) -> Vec<(String, &'static Opt)> {
        let mut all: Vec<_> = self.options.iter().map(|opt| (String::new(), opt)).collect();
        for nested in self.nested {
            let inner = nested.table.all();
            all.extend(inner.into_iter().map(|(p, opt)| (format!("{}{p}", nested.prefix), opt)));
        }
        all
    }

    /// Every option that has no prefix: what the entity's reference page shows.
    pub fn own(&self) -> Vec<&'static Opt> {
        self.all().into_iter().filter(|(prefix, _)| prefix.is_empty()).map(|(_, opt)| opt).collect()
    }
}

fn before<'k>(key: &'k str, rest: &str) -> &'k str {
    &key[..key.len() - rest.len()]
}
