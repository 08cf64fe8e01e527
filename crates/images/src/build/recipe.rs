//! What can be built.

use std::path::PathBuf;

use crate::{Kind, Result};

/// A recipe and what may be changed about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipe {
    name: String,
    kind: Kind,
    /// The archive to take packages from, instead of this machine's own or the usual one.
    pub mirror: Option<String>,
    /// The keys that archive is signed with, instead of those this machine has installed.
    pub keyring: Option<PathBuf>,
}

impl Recipe {
    /// One of [`RECIPES`], by its name, for a container.
    pub fn new(name: &str) -> Result<Recipe> {
        Recipe::of(name, Kind::Container)
    }

    /// One of [`RECIPES`], by its name, for what is given.
    pub fn of(name: &str, kind: Kind) -> Result<Recipe> {
        let recipe = Recipe { name: name.to_owned(), kind, mirror: None, keyring: None };
        match recipe.info()?.makes(kind) {
            true => Ok(recipe),
            false => Err(super::no_machine(name)),
        }
    }

    /// What it is for.
    pub fn kind(&self) -> Kind {
        self.kind
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

impl RecipeInfo {
    /// Whether it makes such an image.
    pub fn makes(&self, kind: Kind) -> bool {
        kind == Kind::Container || matches!(self.source, Source::Archive(_))
    }
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
    /// Packages that a machine needs in it; `ARCH` stands for Debian's name of the processor.
    pub(super) machine: &'static [&'static str],
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

static BOOKWORM: Release = Release {
    suite: "bookworm",
    machine: &["linux-image-cloud-ARCH", "grub-efi-ARCH-signed"],
    distribution: &DEBIAN,
};
static TRIXIE: Release = Release {
    suite: "trixie",
    machine: &["linux-image-cloud-ARCH", "grub-efi-ARCH-signed", "systemd-repart"],
    distribution: &DEBIAN,
};
static NOBLE: Release = Release {
    suite: "noble",
    machine: &["linux-image-virtual", "grub-efi-ARCH-signed"],
    distribution: &UBUNTU,
};

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
