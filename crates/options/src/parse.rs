//! From a raw map to a typed struct, with all problems at once.

use std::collections::BTreeMap;

use crate::{Changes, Family, Problem, Problems, Raw, Table, Value, Why, nearest, surface};

/// A struct of declared options; made by `#[derive(Options)]`.
pub trait Options: Sized + 'static {
    /// What is declared.
    const TABLE: Table;

    /// Reads the struct's fields; None after a problem, which the reader has noted. Called by the
    /// derived code.
    fn read(reader: &mut Reader<'_>) -> Option<Self>;

    /// Rules across keys; called when each key for itself is right.
    fn check(&self) -> Vec<Problem> {
        Vec::new()
    }

    /// Parses a map. All problems come at once; a key that nobody declared is one.
    fn parse(raw: &Raw) -> Result<Self, Problems> {
        let mut reader = Reader::new(raw, Self::TABLE);
        reader.refuse_unknown();
        finish(reader)
    }

    /// Parses what was accepted before, perhaps by a later version of the program: keys that this one does not know
    /// are left out.
    fn parse_known(raw: &Raw) -> Result<Self, Problems> {
        finish(Reader::new(raw, Self::TABLE))
    }

    /// Which keys differ between two maps, and when the change takes effect.
    fn changes(old: &Raw, new: &Raw) -> Changes {
        Changes::between(&Self::TABLE, old, new)
    }

    /// Writes the initial value of each option that is absent: for an object that is being made.
    fn fill_initial(raw: &mut Raw) {
        for opt in Self::TABLE.own() {
            if let Some(initial) = opt.initial {
                raw.set_default(opt.key, initial);
            }
        }
    }
}

fn finish<O: Options>(mut reader: Reader<'_>) -> Result<O, Problems> {
    match O::read(&mut reader) {
        Some(typed) if reader.problems.is_empty() => {
            Problems(typed.check()).into_result().map(|()| typed)
        }
        _ => Err(Problems(reader.problems)),
    }
}

/// Reads values out of a raw map and gathers problems; used by the derived code.
pub struct Reader<'a> {
    raw: &'a Raw,
    root: Table,
    prefix: String,
    problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    fn new(raw: &'a Raw, root: Table) -> Reader<'a> {
        Reader { raw, root, prefix: String::new(), problems: Vec::new() }
    }
    /// A value that may be absent.
    pub fn optional<T: Value>(&mut self, key: &str) -> Option<Option<T>> {
        let key = format!("{}{key}", self.prefix);
        match self.raw.get(&key) {
            None => Some(None),
            Some(text) => self.parsed(&key, text).map(Some),
        }
    }

    /// A value that must be there unless it has a default.
    pub fn value<T: Value>(&mut self, key: &str, default: Option<&str>) -> Option<T> {
        let key = format!("{}{key}", self.prefix);
        if let Some(text) = self.raw.get(&key).or(default) {
            return self.parsed(&key, text);
        }
        self.problems.push(Problem::missing(key, T::KIND.to_string()));
        None
    }

    /// The values of a family, by name. Keys that another option claims more exactly are left out.
    pub fn family<T: Value>(
        &mut self,
        pattern: &str,
        family: Family,
    ) -> Option<BTreeMap<String, T>> {
        let raw = self.raw;
        let mut members = BTreeMap::new();
        let mut whole = true;
        for (key, text) in raw.iter() {
            let rest = key.strip_prefix(self.prefix.as_str());
            let Some(name) = rest.and_then(|rest| family.name(rest)) else { continue };
            if self.root.find(key).is_none_or(|found| found.opt.key != pattern) {
                continue;
            }
            match self.parsed(key, text) {
                Some(value) => drop(members.insert(name.to_owned(), value)),
                None => whole = false,
            }
        }
        whole.then_some(members)
    }

    /// Another struct of options, behind a prefix.
    pub fn nested<O: Options>(&mut self, prefix: &str) -> Option<O> {
        let before = self.prefix.len();
        self.prefix.push_str(prefix);
        let typed = O::read(self);
        let full = self.prefix.clone();
        self.prefix.truncate(before);
        let problems: Vec<_> = typed.iter().flat_map(O::check).collect();
        let whole = problems.is_empty();
        self.problems.extend(
            problems
                .into_iter()
                .map(|problem| Problem { key: format!("{full}{}", problem.key), ..problem }),
        );
        typed.filter(|_| whole)
    }

    fn parsed<T: Value>(&mut self, key: &str, text: &str) -> Option<T> {
        T::parse(text)
            .map_err(|allowed| self.problems.push(Problem::invalid(key, text, allowed)))
            .ok()
    }

    fn refuse_unknown(&mut self) {
        for (key, value) in self.raw.iter().filter(|(key, _)| self.root.find(key).is_none()) {
            let why = if surface::is_published(self.root.entity, key) {
                Why::NotYet
            } else {
                Why::Unknown(nearest::key(&self.root, key))
            };
            self.problems.push(Problem::new(key, Some(value.to_owned()), why));
        }
    }
}
