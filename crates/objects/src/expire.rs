//! Deletes what is old enough, by rules.

use crate::store::now;
use crate::{After, Object, Query, Result, Store, Tags};

const DAY: i64 = 24 * 60 * 60 * 1000;
/// Objects, versions or uploads that are looked at, and deleted, at once.
const CHUNK: usize = 500;

/// When objects expire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// At the midnight (UTC) after so many days, as S3 has it.
    Days(u32),
    /// At that time, in milliseconds since 1970.
    At(i64),
}

impl Due {
    fn is_past(self, since: i64, now: i64) -> bool {
        match self {
            Due::At(time) => time <= now,
            Due::Days(days) => {
                let end = since.saturating_add(i64::from(days) * DAY);
                // The midnight at it or after it.
                end.div_euclid(DAY) * DAY + if end.rem_euclid(DAY) > 0 { DAY } else { 0 } <= now
            }
        }
    }
}

/// A rule. What it does not name it leaves alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rule {
    /// It is of keys that begin so.
    pub prefix: String,
    /// It is of objects that have these tags.
    pub tags: Tags,
    /// It is of objects with more bytes.
    pub above: Option<u64>,
    /// It is of objects with fewer bytes.
    pub below: Option<u64>,
    /// When objects are deleted.
    pub objects: Option<Due>,
    /// When older versions are deleted, counted from when they became that.
    pub versions: Option<Due>,
    /// So many older versions of an object are kept, whatever their age.
    pub kept: usize,
    /// Whether delete markers go that have no version left behind them.
    pub markers: bool,
    /// When uploads in parts are given up.
    pub uploads: Option<Due>,
}

/// How much was deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Expired {
    /// Objects.
    pub objects: usize,
    /// Older versions and delete markers.
    pub versions: usize,
    /// Uploads in parts.
    pub uploads: usize,
}

impl Store {
    /// Does what the rules say, as of now.
    pub fn expire(&self, rules: &[Rule]) -> Result<Expired> {
        self.expire_at(rules, now())
    }

    pub(crate) fn expire_at(&self, rules: &[Rule], now: i64) -> Result<Expired> {
        let mut expired = Expired::default();
        for rule in rules {
            if let Some(due) = rule.objects {
                expired.objects += self.expire_objects(rule, due, now)?;
            }
            if rule.versions.is_some() || rule.markers {
                expired.versions += self.expire_versions(rule, now)?;
            }
            if let Some(due) = rule.uploads {
                expired.uploads += self.expire_uploads(rule, due, now)?;
            }
        }
        Ok(expired)
    }

    fn expire_objects(&self, rule: &Rule, due: Due, now: i64) -> Result<usize> {
        let (mut after, mut count) = (String::new(), 0);
        loop {
            let query = Query { prefix: &rule.prefix, after: &after, most: CHUNK, delimiter: "" };
            let page = self.list(query)?;
            for object in &page.objects {
                if due.is_past(object.modified, now) && self.is_meant(rule, object)? {
                    // One that was put meanwhile is another.
                    let same = |now: &Object| now.id == object.id;
                    count += usize::from(self.delete(&object.key, same).is_ok());
                }
            }
            match page.next {
                Some(next) => after = next,
                None => return Ok(count),
            }
        }
    }

    fn is_meant(&self, rule: &Rule, object: &Object) -> Result<bool> {
        let size = rule.above.is_none_or(|above| object.size > above)
            && rule.below.is_none_or(|below| object.size < below);
        if !size || rule.tags.is_empty() {
            return Ok(size);
        }
        let tags = self.tags(&object.key, Some(&object.version)).unwrap_or_default();
        Ok(rule.tags.iter().all(|(key, value)| tags.get(key) == Some(value)))
    }

    fn expire_versions(&self, rule: &Rule, now: i64) -> Result<usize> {
        let (mut key, mut version, mut count) = (String::new(), None::<String>, 0);
        let mut walk = Walk::default();
        loop {
            let after = After { key: &key, version: version.as_deref() };
            let query = Query { prefix: &rule.prefix, most: CHUNK, ..Query::default() };
            let page = self.list_versions(query, after)?;
            let mut due = Vec::new();
            for object in &page.objects {
                due.extend(walk.alone(rule, Some(object)));
                if walk.step(rule, object, now) && (object.marker || self.is_meant(rule, object)?) {
                    walk.left -= 1;
                    due.push(name(object));
                }
            }
            let next = page.next.zip(page.next_version);
            if next.is_none() {
                due.extend(walk.alone(rule, None));
            }
            // The next part of the list begins behind the last version of this one: that one stays till then.
            let stays = next.as_ref().map(|(key, version)| (key.clone(), Some(version.clone())));
            due.retain(|due| Some(due) != stays.as_ref());
            count += due.len();
            self.delete_many(&due)?;
            match next {
                Some((next, name)) => (key, version) = (next, Some(name)),
                None => return Ok(count),
            }
        }
    }

    fn expire_uploads(&self, rule: &Rule, due: Due, now: i64) -> Result<usize> {
        let (mut after, mut count) = ((String::new(), String::new()), 0);
        loop {
            let uploads = self.uploads(&rule.prefix, (&after.0, &after.1), CHUNK)?;
            let Some(last) = uploads.last() else { return Ok(count) };
            after = (last.key.clone(), last.id.clone());
            for upload in uploads.iter().filter(|upload| due.is_past(upload.started, now)) {
                count += usize::from(self.abort(&upload.key, &upload.id).is_ok());
            }
        }
    }
}

/// A key and a version of it.
type Name = (String, Option<String>);

fn name(object: &Object) -> Name {
    (object.key.clone(), Some(object.version.clone()))
}

/// Where a walk over versions is: those of a key come one after the other, the newest first.
#[derive(Default)]
struct Walk {
    key: Option<String>,
    /// Since when the next one is an older version: when the one before it was made.
    since: i64,
    /// Older versions so far.
    older: usize,
    /// The key's newest version, when that is a marker.
    marker: Option<Name>,
    /// Versions of the key that stay.
    left: usize,
}

impl Walk {
    /// Whether a version is old enough.
    fn step(&mut self, rule: &Rule, object: &Object, now: i64) -> bool {
        if self.key.as_deref() != Some(&object.key) {
            let marker = object.marker.then(|| name(object));
            let key = Some(object.key.clone());
            *self = Walk { key, since: object.modified, older: 0, marker, left: 1 };
            return false;
        }
        let since = std::mem::replace(&mut self.since, object.modified);
        self.older += 1;
        self.left += 1;
        self.older > rule.kept && rule.versions.is_some_and(|due| due.is_past(since, now))
    }

    /// The marker of the key that the walk leaves now, when it is all that is left of it.
    fn alone(&mut self, rule: &Rule, next: Option<&Object>) -> Option<Name> {
        if next.is_some_and(|next| self.key.as_deref() == Some(&next.key)) {
            return None;
        }
        let alone = rule.markers && self.left == 1;
        self.marker.take().filter(|_| alone)
    }
}
