//! `mmdebstrap`: makes the root of a Debian or Ubuntu system from its packages.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::control::{Control, Progress};
use crate::error::{Error, Result};
use crate::run::run;
use crate::tool::Tool;

/// A full system over a slow line on a small board.
const TIMEOUT: Duration = Duration::from_secs(2 * 3600);
/// When stopped it unmounts and deletes what it has made so far.
const GRACE: Duration = Duration::from_secs(30);
/// What apt needs of our environment to reach its mirrors.
const PROXIES: [&str; 6] =
    ["http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"];

/// Which packages are taken without being named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Variant {
    /// Only those marked essential.
    Essential,
    /// Essential ones and apt.
    Apt,
    /// All of priority required.
    #[default]
    Minbase,
    /// What the installer calls a standard base: required and important.
    Important,
}

/// The moment a hook runs at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The folder is empty.
    Setup,
    /// The essential packages are unpacked, nothing is configured.
    Extract,
    /// They are configured, the included ones are not installed yet.
    Essential,
    /// All is installed.
    Customize,
}

/// A command at a moment of the build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// When.
    pub stage: Stage,
    /// Either a file to run with the root as its argument, or one of mmdebstrap's own words such as
    /// `copy-in FILE FOLDER`, or a line for sh, in which `"$1"` is the root.
    pub command: OsString,
}

/// What to build.
#[derive(Clone, Debug)]
pub struct Build {
    /// Release by code name, such as `bookworm`.
    pub suite: String,
    /// Mirror addresses or whole `deb ...` lines; empty means the archive's usual ones.
    pub mirrors: Vec<String>,
    /// `main`, `universe`, ...; empty means `main`.
    pub components: Vec<String>,
    /// Debian's name of the processor, such as `arm64`; `None` means this machine's.
    pub architecture: Option<String>,
    /// Which packages come without being named.
    pub variant: Variant,
    /// Packages beside the variant's.
    pub include: Vec<String>,
    /// Commands, run in this order.
    pub hooks: Vec<Hook>,
    /// Options for apt, such as `Acquire::Retries "3"`.
    pub apt_options: Vec<String>,
    /// Options for dpkg, such as `path-exclude=/usr/share/man/*`.
    pub dpkg_options: Vec<String>,
    /// A keyring with the archive's keys; `None` means those this machine trusts.
    pub keyring: Option<PathBuf>,
}

impl Build {
    /// A minimal system of `suite` from its usual mirrors.
    pub fn new(suite: impl Into<String>) -> Build {
        Build {
            suite: suite.into(),
            mirrors: Vec::new(),
            components: Vec::new(),
            architecture: None,
            variant: Variant::default(),
            include: Vec::new(),
            hooks: Vec::new(),
            apt_options: Vec::new(),
            dpkg_options: Vec::new(),
            keyring: None,
        }
    }

    /// Builds into `target`, which must not exist or be an empty folder. Nothing stays there after
    /// a failure.
    pub fn run(&self, target: Target<'_>, control: &Control) -> Result<()> {
        target.check()?;
        let tool = Tool::new("mmdebstrap", "mmdebstrap")
            .args(self.args(target))
            .inherit(&PROXIES)
            .timeout(TIMEOUT)
            .grace(GRACE)
            .on_line(|line| {
                if let Some(progress) = progress(line) {
                    control.report(progress);
                }
            });
        let result = run(tool, control).map(drop);
        if result.is_err() {
            target.discard();
        }
        result
    }

    fn args(&self, target: Target<'_>) -> Vec<OsString> {
        let mut args = vec![option("--variant", variant_word(self.variant))];
        let lists = [("--components", &self.components, ","), ("--include", &self.include, ",")];
        for (name, list, between) in lists {
            if !list.is_empty() {
                args.push(option(name, list.join(between)));
            }
        }
        args.extend(self.architecture.iter().map(|a| option("--architectures", a)));
        args.extend(self.keyring.iter().map(|k| option("--keyring", k)));
        args.extend(self.apt_options.iter().map(|o| option("--aptopt", o)));
        args.extend(self.dpkg_options.iter().map(|o| option("--dpkgopt", o)));
        args.extend(self.hooks.iter().map(|h| option(hook_word(h.stage), &h.command)));
        let (format, path) = match target {
            Target::Tar(path) => ("tar", path),
            Target::Folder(path) => ("directory", path),
        };
        args.push(option("--format", format));
        args.push((&self.suite).into());
        args.push(path.into());
        args.extend(self.mirrors.iter().map(OsString::from));
        args
    }
}

/// Where the new root goes.
#[derive(Clone, Copy, Debug)]
pub enum Target<'a> {
    /// Into an uncompressed tar file with numeric owners and extended attributes.
    Tar(&'a Path),
    /// Into a folder.
    Folder(&'a Path),
}

impl Target<'_> {
    fn check(self) -> Result<()> {
        let (Target::Tar(path) | Target::Folder(path)) = self;
        let empty = || path.read_dir().is_ok_and(|mut entries| entries.next().is_none());
        let free = match self {
            Target::Tar(_) => !path.exists(),
            Target::Folder(_) => !path.exists() || empty(),
        };
        if free { Ok(()) } else { Err(Error::Exists { path: path.to_owned() }) }
    }

    /// Best effort: the failure of the build is what the caller must hear of.
    fn discard(self) {
        let _ = match self {
            Target::Tar(path) => fs::remove_file(path),
            Target::Folder(path) => fs::remove_dir_all(path),
        };
    }
}

fn option(name: &str, value: impl Into<OsString>) -> OsString {
    let mut option = OsString::from(name);
    option.push("=");
    option.push(value.into());
    option
}

fn variant_word(variant: Variant) -> &'static str {
    match variant {
        Variant::Essential => "essential",
        Variant::Apt => "apt",
        Variant::Minbase => "minbase",
        Variant::Important => "important",
    }
}

fn hook_word(stage: Stage) -> &'static str {
    match stage {
        Stage::Setup => "--setup-hook",
        Stage::Extract => "--extract-hook",
        Stage::Essential => "--essential-hook",
        Stage::Customize => "--customize-hook",
    }
}

/// It says no percentage where its output is no terminal, but it names its steps. The shares are
/// from a minimal Debian 12 over a quick line.
fn progress(line: &str) -> Option<Progress> {
    const STEPS: [(&str, &str, u8); 9] = [
        ("running apt-get update", "read package lists", 5),
        ("downloading packages with apt", "download packages", 15),
        ("extracting archives", "unpack packages", 40),
        ("installing essential packages", "configure base packages", 55),
        ("installing remaining packages", "install packages", 65),
        ("running --customize-hook", "customize", 85),
        ("cleaning package lists", "clean up", 90),
        ("creating tarball", "write archive", 95),
        ("success in", "done", 100),
    ];
    let said = line.strip_prefix("I: ")?;
    let (_, stage, percent) = STEPS.iter().find(|(words, ..)| said.starts_with(words))?;
    Some(Progress::percent(*stage, *percent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_complete() {
        let build = Build {
            mirrors: vec!["http://mirror.test/debian".into()],
            components: vec!["main".into(), "contrib".into()],
            architecture: Some("arm64".into()),
            include: vec!["systemd-sysv".into(), "iproute2".into()],
            hooks: vec![Hook { stage: Stage::Customize, command: "echo > \"$1\"/x".into() }],
            apt_options: vec!["Acquire::Retries \"3\"".into()],
            dpkg_options: vec!["path-exclude=/usr/share/man/*".into()],
            keyring: Some("/k.gpg".into()),
            ..Build::new("trixie")
        };
        let expected = [
            "--variant=minbase",
            "--components=main,contrib",
            "--include=systemd-sysv,iproute2",
            "--architectures=arm64",
            "--keyring=/k.gpg",
            "--aptopt=Acquire::Retries \"3\"",
            "--dpkgopt=path-exclude=/usr/share/man/*",
            "--customize-hook=echo > \"$1\"/x",
            "--format=tar",
            "trixie",
            "/tmp/x.tar",
            "http://mirror.test/debian",
        ];
        assert_eq!(build.args(Target::Tar("/tmp/x.tar".as_ref())), expected);
    }

    #[test]
    fn a_plain_build_says_little() {
        let args = Build::new("bookworm").args(Target::Folder("/tmp/x".as_ref()));
        assert_eq!(args, ["--variant=minbase", "--format=directory", "bookworm", "/tmp/x"]);
    }

    #[test]
    fn its_lines_become_progress() {
        let known = progress("I: downloading packages with apt...").unwrap();
        assert_eq!((&*known.stage, known.percent), ("download packages", Some(15)));
        assert_eq!(progress("I: success in 51.8468 seconds").unwrap().percent, Some(100));
        assert_eq!(progress("I: using /tmp/mmdebstrap.x as tempdir"), None);
        assert_eq!(progress("Get:1 http://deb.debian.org"), None);
    }

    #[test]
    fn an_unreachable_mirror_is_an_error_that_says_so() {
        if !crate::installed("mmdebstrap") {
            eprintln!("SKIP: mmdebstrap is not installed");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let build = Build {
            mirrors: vec!["http://127.0.0.1:1/debian".into()],
            apt_options: vec!["Acquire::Retries \"0\"".into()],
            ..Build::new("bookworm")
        };
        let target = folder.path().join("root.tar");
        let error = build.run(Target::Tar(&target), &Control::none()).unwrap_err().to_string();
        assert!(error.contains("mmdebstrap") && error.contains("127.0.0.1"), "{error}");
        assert!(!target.exists(), "nothing half made stays behind");

        std::fs::write(&target, "precious").unwrap();
        let error = build.run(Target::Tar(&target), &Control::none()).unwrap_err();
        assert!(matches!(error, Error::Exists { .. }));
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "precious");
    }

    #[test]
    fn a_real_build_makes_an_archive() {
        if std::env::var_os("MICROCLOUD_TEST_BUILD").is_none() {
            eprintln!("SKIP: it downloads fifty megabytes: set MICROCLOUD_TEST_BUILD=1");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("root.tar");
        let build = Build {
            variant: Variant::Essential,
            hooks: vec![Hook { stage: Stage::Customize, command: "touch \"$1\"/hooked".into() }],
            ..Build::new("bookworm")
        };
        let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let sink = std::sync::Arc::clone(&seen);
        let control = Control::new(move |p| sink.lock().unwrap().extend(p.percent));
        build.run(Target::Tar(&target), &control).unwrap();
        let list = Tool::new("tar", "tar").arg("-tf").arg(&target);
        let list = run(list, &Control::none()).unwrap().text();
        assert!(list.lines().any(|line| line == "./hooked"), "{list}");
        let seen = seen.lock().unwrap();
        assert!(seen.is_sorted() && seen.last() == Some(&100), "{seen:?}");
    }
}
