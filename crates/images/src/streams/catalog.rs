//! What a server has: its lists, flattened into images.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use exec::{Control, Progress};

use super::{
    Web,
    product::{Index, Item, METADATA, Product, Products, ROOTS, Root, Version},
};
use crate::{Error, Kind, Result};

/// The kernel's names of processors, and Debian's, which lists use.
const PROCESSORS: [(&str, &str); 7] = [
    ("x86_64", "amd64"),
    ("aarch64", "arm64"),
    ("armv7l", "armhf"),
    ("i686", "i386"),
    ("ppc64le", "ppc64el"),
    ("riscv64", "riscv64"),
    ("s390x", "s390x"),
];

/// All images of a server.
#[derive(Debug, Default)]
pub struct Catalog {
    images: Vec<Listed>,
}

/// An image that a server has.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// SHA-256 of both files, in hexadecimal.
    pub fingerprint: String,
    /// What can be made of it.
    pub kind: Kind,
    /// The kernel's name of its processor.
    pub architecture: String,
    /// Names that mean the newest of its product.
    pub aliases: Vec<String>,
    /// `os`, `release`, `description` and the like.
    pub properties: BTreeMap<String, String>,
    /// When it was made, such as `20261120_05:24`; later ones are greater.
    pub serial: String,
    /// The day until which its maker looks after it, such as `2027-06-01`.
    pub until: Option<String>,
    /// Its metadata.
    pub metadata: Part,
    /// Its root.
    pub root: Part,
}

/// A file of an image.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// Where it is, from the server's address on.
    pub path: String,
    /// In hexadecimal.
    pub sha256: String,
    /// Bytes.
    pub size: u64,
}

impl Catalog {
    /// Reads the lists of a server.
    ///
    /// # Errors
    /// When they cannot be had, or are none.
    pub fn read(web: &Web, server: &str, control: &Control) -> Result<Catalog> {
        control.report(Progress::stage("read list of images"));
        let url = join(server, "streams/v1/index.json");
        let mut all = Catalog::default();
        for path in Catalog::lists(&url, &web.text(&url)?)? {
            control.check()?;
            let url = join(server, &path);
            all.images.extend(Catalog::parse(&url, &web.text(&url)?)?.images);
        }
        Ok(all)
    }

    /// Where the lists of images are that an index names. `url` is where it came from, for messages.
    ///
    /// # Errors
    /// When it is none.
    pub fn lists(url: &str, text: &str) -> Result<Vec<String>> {
        let index: Index = parse(url, text)?;
        let lists = index.index.into_values().filter(|entry| entry.datatype == "image-downloads");
        Ok(lists.map(|entry| entry.path).collect())
    }

    /// The images of one list. `url` is where it came from, for messages.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(url: &str, text: &str) -> Result<Catalog> {
        Ok(Catalog { images: listed(parse(url, text)?).collect() })
    }

    /// Every image, the newest of a product first.
    pub fn all(&self) -> &[Listed] {
        &self.images
    }

    /// The newest image of that name for a processor; `NAME/PROCESSOR` is one of another processor.
    pub fn by_alias(&self, alias: &str, architecture: &str, kind: Kind) -> Option<&Listed> {
        let named = |image: &&Listed| image.kind == kind && image.is_called(alias, architecture);
        let newest = self.images.iter().filter(named).map(|image| &image.serial).max()?;
        // Of one product there are several kinds of roots: the best stands first.
        self.images.iter().filter(named).find(|image| image.serial == *newest)
    }

    /// The image whose fingerprint begins so.
    ///
    /// # Errors
    /// When there are several.
    pub fn by_fingerprint(&self, start: &str) -> Result<Option<&Listed>> {
        let start = start.to_ascii_lowercase();
        let mut found = self.images.iter().filter(|image| image.fingerprint.starts_with(&start));
        let first = found.next();
        match found.find(|other| first.is_none_or(|one| one.fingerprint != other.fingerprint)) {
            Some(_) => Err(Error::Ambiguous { start }),
            None => Ok(first),
        }
    }
}

impl Listed {
    /// When it was made, where its serial says it.
    pub fn made_at(&self) -> Option<DateTime<Utc>> {
        moment(&self.serial)
    }

    /// When its maker looks after it no more, where the list says it.
    pub fn expires_at(&self) -> Option<DateTime<Utc>> {
        moment(self.until.as_deref()?)
    }

    /// Bytes of both files, as far as the list is right.
    pub fn size(&self) -> u64 {
        self.metadata.size.saturating_add(self.root.size)
    }

    fn is_called(&self, alias: &str, architecture: &str) -> bool {
        let own = debian_name(&self.architecture);
        let (name, here) = match alias.rsplit_once('/') {
            Some((name, last)) if last == own => (name, true),
            _ => (alias, self.architecture == architecture),
        };
        // A name may end with a processor's of its own.
        here && self.aliases.iter().any(|other| other == name || other == alias)
    }
}

/// A day, with a time or without: `20261120`, `20261120_05:24`, `20261120.1`, `2027-06-01`.
fn moment(serial: &str) -> Option<DateTime<Utc>> {
    let (day, time) = serial.split_once('_').unwrap_or((serial, "00:00"));
    let day = day.split('.').next().unwrap_or(day).replace('-', "");
    let day = NaiveDate::parse_from_str(&day, "%Y%m%d").ok()?;
    let time = NaiveTime::parse_from_str(time, "%H:%M").unwrap_or_default();
    Some(NaiveDateTime::new(day, time).and_utc())
}

/// The address of a file of a server.
pub(super) fn join(server: &str, path: &str) -> String {
    format!("{}/{}", server.trim_end_matches('/'), path.trim_start_matches('/'))
}

fn parse<'a, T: serde::Deserialize<'a>>(url: &str, text: &'a str) -> Result<T> {
    serde_json::from_str(text).map_err(|source| Error::List { url: url.to_owned(), source })
}

fn listed(list: Products) -> impl Iterator<Item = Listed> {
    list.products.into_values().flat_map(|product| {
        let newest_first = product.versions.iter().rev();
        let images =
            newest_first.flat_map(|(serial, version)| of_version(&product, serial, version));
        images.collect::<Vec<_>>()
    })
}

/// The images of a version: one a kind of root. What lacks a field is left out.
fn of_version(product: &Product, serial: &str, version: &Version) -> Vec<Listed> {
    let of_type = |ftype: &str| version.items.values().find(|item| item.ftype == ftype);
    let Some(metadata) = METADATA.iter().find_map(|ftype| of_type(ftype)) else {
        return Vec::new();
    };
    let pairs = ROOTS.iter().filter_map(|root| Some((root, of_type(root.ftype)?)));
    pairs
        .filter_map(|(root, item)| image(product, (serial, version), metadata, (root, item)))
        .collect()
}

fn image(
    product: &Product,
    (serial, version): (&str, &Version),
    metadata: &Item,
    (root, item): (&Root, &Item),
) -> Option<Listed> {
    let fingerprint = metadata.more.get(root.combined)?.as_str()?.to_ascii_lowercase();
    let names = product.aliases.split(',').map(str::trim).filter(|name| !name.is_empty());
    Some(Listed {
        kind: root.kind,
        architecture: kernel_name(&product.arch).to_owned(),
        aliases: names.map(str::to_owned).collect(),
        properties: properties(product, (serial, &version.label), root.ftype),
        serial: serial.to_owned(),
        until: product.support_eol.clone(),
        metadata: part(metadata),
        root: part(item),
        fingerprint,
    })
}

fn part(item: &Item) -> Part {
    Part { path: item.path.clone(), sha256: item.sha256.clone(), size: item.size }
}

fn properties(
    product: &Product,
    (serial, label): (&str, &str),
    ftype: &str,
) -> BTreeMap<String, String> {
    let title = match product.release_title.as_str() {
        "" => &product.release,
        title => title,
    };
    let label_shown = if label.is_empty() { String::new() } else { format!(" ({label})") };
    let (os, arch) = (&product.os, &product.arch);
    let description = format!("{os} {title} {arch}{label_shown} ({serial})");
    let known = [
        ("architecture", arch.as_str()),
        ("description", &description),
        ("label", label),
        ("os", os),
        ("release", &product.release),
        ("serial", serial),
        ("type", ftype),
        ("variant", &product.variant),
        ("version", &product.version),
    ];
    let known = known.into_iter().filter(|(_, value)| !value.is_empty());
    let mut all: BTreeMap<_, _> =
        known.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    for (key, value) in &product.requirements {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        all.insert(format!("requirements.{key}"), text);
    }
    all
}

fn kernel_name(debian: &str) -> &str {
    PROCESSORS.iter().find(|(_, name)| *name == debian).map_or(debian, |(kernel, _)| kernel)
}

fn debian_name(kernel: &str) -> &str {
    PROCESSORS.iter().find(|(name, _)| *name == kernel).map_or(kernel, |(_, debian)| debian)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two releases of one product, and the older one for another processor.
    fn catalog() -> Catalog {
        let text = r#"{ "format": "products:1.0", "products": {
            "debian:bookworm:amd64:default": {
                "aliases": "debian/12/default,debian/12, debian/bookworm", "arch": "amd64",
                "os": "Debian", "release": "bookworm", "release_title": "bookworm",
                "variant": "default", "support_eol": "2028-06-30",
                "requirements": {"secureboot": "false"}, "unknown": [1],
                "versions": {
                    "20261119_05:24": {"items": {
                        "incus.tar.xz": {"ftype": "incus.tar.xz", "path": "old/meta", "size": 1,
                            "sha256": "01", "combined_rootxz_sha256": "AA01"},
                        "root.tar.xz": {"ftype": "root.tar.xz", "path": "old/root", "size": 2, "sha256": "02"}}},
                    "20261120_05:24": {"items": {
                        "incus.tar.xz": {"ftype": "incus.tar.xz", "path": "new/meta", "size": 1,
                            "sha256": "03", "combined_rootxz_sha256": "aa02",
                            "combined_squashfs_sha256": "aa03", "combined_disk-kvm-img_sha256": "bb01"},
                        "disk.qcow2": {"ftype": "disk-kvm.img", "path": "new/disk", "size": 9, "sha256": "05"},
                        "root.squashfs": {"ftype": "squashfs", "path": "new/squash", "size": 4, "sha256": "06"},
                        "root.tar.xz": {"ftype": "root.tar.xz", "path": "new/root", "size": 5, "sha256": "04"}}}}},
            "debian:bookworm:arm64:default": {
                "aliases": "debian/12/default,debian/12", "arch": "arm64", "versions": {
                    "20261118_05:24": {"items": {
                        "lxd.tar.xz": {"ftype": "lxd.tar.xz", "path": "arm/meta", "size": 1,
                            "sha256": "07", "combined_squashfs_sha256": "cc01"},
                        "root.squashfs": {"ftype": "squashfs", "path": "arm/root", "size": 2, "sha256": "08"}}}}}
        }}"#;
        Catalog::parse("test", text).unwrap()
    }

    #[track_caller]
    fn is_found(alias: &str, architecture: &str, kind: Kind, wanted: Option<&str>) {
        let all = catalog();
        let found = all.by_alias(alias, architecture, kind);
        assert_eq!(found.map(|image| image.fingerprint.as_str()), wanted, "{alias}");
    }

    #[test]
    fn serials_are_days() {
        for (serial, shown) in [
            ("20261120_05:24", "2026-11-20 05:24"),
            ("20261120", "2026-11-20 00:00"),
            ("20261120.1", "2026-11-20 00:00"),
            ("2027-06-01", "2027-06-01 00:00"),
        ] {
            let found = moment(serial).map(|at| at.format("%Y-%m-%d %H:%M").to_string());
            assert_eq!(found.as_deref(), Some(shown), "{serial}");
        }
        assert_eq!(moment("newest"), None);
    }

    #[test]
    fn the_newest_of_a_name_is_found_with_its_best_root() {
        is_found("debian/12", "x86_64", Kind::Container, Some("aa03"));
        is_found("debian/bookworm", "x86_64", Kind::Container, Some("aa03"));
        is_found("debian/12", "x86_64", Kind::VirtualMachine, Some("bb01"));
        is_found("debian/12", "aarch64", Kind::Container, Some("cc01"));
        is_found("debian/12/arm64", "x86_64", Kind::Container, Some("cc01"));
        is_found("debian/12", "aarch64", Kind::VirtualMachine, None);
        is_found("debian", "x86_64", Kind::Container, None);
    }

    #[test]
    fn a_fingerprint_must_mean_one() {
        let all = catalog();
        let start =
            |start| all.by_fingerprint(start).map(|it| it.map(|it| it.metadata.path.clone()));
        assert_eq!(start("aa01").unwrap().as_deref(), Some("old/meta"));
        assert_eq!(start("BB").unwrap().as_deref(), Some("new/meta"));
        assert_eq!(start("dd").unwrap(), None);
        assert!(start("aa").unwrap_err().to_string().contains("aa"));
    }

    #[test]
    fn properties_say_what_it_is() {
        let all = catalog();
        let image = all.by_fingerprint("aa03").unwrap().unwrap();
        assert_eq!(image.properties["description"], "Debian bookworm amd64 (20261120_05:24)");
        assert_eq!(image.properties["requirements.secureboot"], "false");
        assert_eq!(image.properties["type"], "squashfs");
        assert_eq!((image.until.as_deref(), image.size()), (Some("2028-06-30"), 5));
    }

    #[test]
    fn a_list_may_tell_any_size() {
        let text = format!(
            r#"{{ "products": {{ "a": {{ "versions": {{ "1": {{ "items": {{
                "lxd.tar.xz": {{ "ftype": "lxd.tar.xz", "size": {most}, "combined_squashfs_sha256": "aa" }},
                "squashfs": {{ "ftype": "squashfs", "size": {most} }} }} }} }} }} }} }}"#,
            most = u64::MAX
        );
        let all = Catalog::parse("test", &text).unwrap();
        assert_eq!(all.all().iter().map(Listed::size).collect::<Vec<_>>(), [u64::MAX]);
    }

    #[test]
    fn addresses_are_joined_with_one_slash() {
        assert_eq!(join("https://a.b/c/", "/d/e"), "https://a.b/c/d/e");
        assert_eq!(join("https://a.b", "d"), "https://a.b/d");
    }
}
