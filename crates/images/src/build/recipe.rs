//! What can be built.

use std::path::PathBuf;

use crate::Result;

/// A recipe and what may be changed about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipe {
    name: String,
    /// The archive to take packages from, instead of this machine's own or the usual one.
    pub mirror: Option<String>,
    /// The keys that archive is signed with, instead of those this machine has installed.
    pub keyring: Option<PathBuf>,
}

impl Recipe {
    /// One of [`RECIPES`], by its name.
    pub fn new(name: &str) -> Result<Recipe> {
        let recipe = Recipe { name: name.to_owned(), mirror: None, keyring: None };
        recipe.info()?;
        Ok(recipe)
    }

    /// What it makes.
    pub fn info(&self) -> Result<&'static RecipeInfo> {
        let found = RECIPES.iter().find(|info| info.name == self.name);
        found.ok_or_else(|| super::unknown(&self.name))
    }
}

/// What a recipe makes.
#[derive(Debug)]
pub struct RecipeInfo {
    /// What users ask for, such as `debian/12`.
    pub name: &'static str,
    /// The system's name.
    pub os: &'static str,
    /// Its release.
    pub release: &'static str,
    pub(super) source: Source,
}

#[derive(Debug)]
pub(super) enum Source {
    Busybox,
    Archive(&'static Release),
}

/// A release in a distribution's archive.
#[derive(Debug)]
pub(super) struct Release {
    pub(super) suite: &'static str,
    pub(super) distribution: &'static Distribution,
}

/// A distribution's archive.
#[derive(Debug)]
pub(super) struct Distribution {
    /// As in `/etc/os-release`.
    pub(super) id: &'static str,
    pub(super) mirror: &'static str,
    /// For processors the main mirror does not serve.
    pub(super) ports: Option<&'static str>,
    pub(super) security: &'static str,
    /// The variable that names another mirror.
    pub(super) variable: &'static str,
    pub(super) components: &'static [&'static str],
    pub(super) keyring: &'static str,
    pub(super) keyring_package: &'static str,
}

static DEBIAN: Distribution = Distribution {
    id: "debian",
    mirror: "http://deb.debian.org/debian",
    ports: None,
    security: "http://deb.debian.org/debian-security",
    variable: "MICROCLOUD_DEBIAN_MIRROR",
    components: &["main"],
    keyring: "/usr/share/keyrings/debian-archive-keyring.gpg",
    keyring_package: "debian-archive-keyring",
};

static UBUNTU: Distribution = Distribution {
    id: "ubuntu",
    mirror: "http://archive.ubuntu.com/ubuntu",
    ports: Some("http://ports.ubuntu.com/ubuntu-ports"),
    security: "http://security.ubuntu.com/ubuntu",
    variable: "MICROCLOUD_UBUNTU_MIRROR",
    components: &["main", "universe"],
    keyring: "/usr/share/keyrings/ubuntu-archive-keyring.gpg",
    keyring_package: "ubuntu-keyring",
};

static BOOKWORM: Release = Release { suite: "bookworm", distribution: &DEBIAN };
static TRIXIE: Release = Release { suite: "trixie", distribution: &DEBIAN };
static NOBLE: Release = Release { suite: "noble", distribution: &UBUNTU };

/// Every recipe.
pub static RECIPES: &[RecipeInfo] = &[
    RecipeInfo { name: "busybox", os: "Busybox", release: "current", source: Source::Busybox },
    RecipeInfo {
        name: "debian/12",
        os: "Debian",
        release: "bookworm",
        source: Source::Archive(&BOOKWORM),
    },
    RecipeInfo {
        name: "debian/13",
        os: "Debian",
        release: "trixie",
        source: Source::Archive(&TRIXIE),
    },
    RecipeInfo {
        name: "ubuntu/24.04",
        os: "Ubuntu",
        release: "noble",
        source: Source::Archive(&NOBLE),
    },
];
