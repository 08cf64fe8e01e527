//! Where packages come from. First what the caller says, then a variable of the environment, then
//! this machine's own sources if it runs the same distribution, then the distribution's usual mirror.

use std::fs;
use std::path::{Path, PathBuf};

use super::recipe::{Recipe, Release};

/// Debian's word for a processor the kernel calls otherwise.
pub(super) fn debian_architecture(kernel: &str) -> &str {
    match kernel {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "arm" => "armhf",
        "x86" => "i386",
        "powerpc64" => "ppc64el",
        other => other,
    }
}

/// The name of a package that has the processor's in it, where `ARCH` stands.
pub(super) fn with_architecture(name: &str) -> String {
    name.replace("ARCH", debian_architecture(std::env::consts::ARCH))
}

/// The lines for the new system's `sources.list`.
pub(super) fn lines(recipe: &Recipe, release: &Release) -> Vec<String> {
    let (main, security) = (main(recipe, release), security(recipe, release));
    let suite = release.suite;
    let components = release.distribution.components.join(" ");
    vec![
        format!("deb {main} {suite} {components}"),
        format!("deb {main} {suite}-updates {components}"),
        format!("deb {security} {suite}-security {components}"),
    ]
}

/// The mirror of the release itself.
pub(super) fn main(recipe: &Recipe, release: &Release) -> String {
    let distribution = release.distribution;
    let usual = match std::env::consts::ARCH {
        "x86_64" | "x86" => distribution.mirror,
        _ => distribution.ports.unwrap_or(distribution.mirror),
    };
    chosen(recipe, release).or_else(|| host(release, "")).unwrap_or_else(|| usual.to_owned())
}

/// The mirror of its security updates. One that was chosen serves Ubuntu's too, Debian's stand apart.
fn security(recipe: &Recipe, release: &Release) -> String {
    let distribution = release.distribution;
    let shared = distribution.id == "ubuntu" && std::env::consts::ARCH != "x86_64";
    match chosen(recipe, release).filter(|_| distribution.id == "ubuntu") {
        Some(mirror) => mirror,
        None if shared => main(recipe, release),
        None => host(release, "-security").unwrap_or_else(|| distribution.security.to_owned()),
    }
}

fn chosen(recipe: &Recipe, release: &Release) -> Option<String> {
    let named = std::env::var(release.distribution.variable).ok().filter(|url| !url.is_empty());
    recipe.mirror.clone().or(named)
}

/// What this machine takes the same distribution from.
fn host(release: &Release, suffix: &str) -> Option<String> {
    let words = fs::read_to_string("/etc/os-release").ok()?;
    let get = |key: &str| words.lines().find_map(|line| Some(unquote(line.strip_prefix(key)?)));
    if get("ID=")? != release.distribution.id {
        return None;
    }
    let suite = format!("{}{suffix}", get("VERSION_CODENAME=")?);
    source_files().iter().find_map(|path| find(&fs::read_to_string(path).ok()?, &suite))
}

fn unquote(word: &str) -> &str {
    word.trim().trim_matches('"')
}

fn source_files() -> Vec<PathBuf> {
    let mut files = vec![PathBuf::from("/etc/apt/sources.list")];
    let more = fs::read_dir("/etc/apt/sources.list.d").into_iter().flatten().flatten();
    let mut more: Vec<_> = more.map(|entry| entry.path()).filter(|path| is_source(path)).collect();
    more.sort();
    files.extend(more);
    files
}

fn is_source(path: &Path) -> bool {
    path.extension().is_some_and(|e| e == "list" || e == "sources")
}

/// The address that serves `suite` with the component main, in either form of apt's sources.
fn find(text: &str, suite: &str) -> Option<String> {
    text.lines().find_map(|line| one_line(line, suite)).or_else(|| {
        text.replace("\r\n", "\n").split("\n\n").find_map(|stanza| deb822(stanza, suite))
    })
}

/// `deb [options] http://... suite main ...`
fn one_line(line: &str, suite: &str) -> Option<String> {
    let rest = line.trim().strip_prefix("deb ")?.trim_start();
    let rest = match rest.strip_prefix('[') {
        Some(options) => options.split_once(']')?.1,
        None => rest,
    };
    let mut words = rest.split_whitespace();
    let (url, its_suite) = (words.next()?, words.next()?);
    let fits = its_suite == suite && words.any(|component| component == "main");
    (fits && is_web(url)).then(|| url.trim_end_matches('/').to_owned())
}

fn deb822(stanza: &str, suite: &str) -> Option<String> {
    let field = |name: &str| -> Option<Vec<&str>> {
        let line = stanza.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        Some(line.split_whitespace().collect())
    };
    let fits = field("Types")?.contains(&"deb")
        && field("Suites")?.contains(&suite)
        && field("Components")?.contains(&"main")
        && field("Enabled").is_none_or(|on| on != ["no"]);
    let url = field("URIs")?.into_iter().find(|url| is_web(url))?;
    fits.then(|| url.trim_end_matches('/').to_owned())
}

/// Other kinds (`file:`, `mirror+`) may not work from inside a new root.
fn is_web(url: &str) -> bool {
    url.starts_with("http://") || url.starts_with("https://")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_sources_are_read() {
        let old = "# deb http://no/debian bookworm main\n\
            deb [signed-by=/k.gpg arch=amd64] http://near/debian/ bookworm main contrib\n\
            deb http://near/debian-security bookworm-security main\n";
        assert_eq!(find(old, "bookworm").as_deref(), Some("http://near/debian"));
        assert_eq!(find(old, "bookworm-security").as_deref(), Some("http://near/debian-security"));
        assert_eq!(find(old, "trixie"), None);
        let new = "Types: deb\nURIs: http://other/x\nSuites: nodistro\nComponents: main\n\n\
            Types: deb deb-src\n# comment\nURIs: https://near/debian\nSuites: trixie trixie-updates\n\
            Components: main non-free-firmware\nSigned-By: /k.gpg\n";
        assert_eq!(find(new, "trixie").as_deref(), Some("https://near/debian"));
        assert_eq!(
            find(&new.replace("Types: deb deb-src", "Enabled: no\nTypes: deb"), "trixie"),
            None
        );
    }

    #[test]
    fn the_callers_mirror_comes_first() {
        let mut recipe = Recipe::new("debian/13").unwrap();
        recipe.mirror = Some("http://mine/debian".into());
        let super::super::recipe::Source::Archive(release) = recipe.info().unwrap().source else {
            panic!()
        };
        let lines = lines(&recipe, release);
        assert_eq!(lines[0], "deb http://mine/debian trixie main");
        assert!(lines[2].ends_with("trixie-security main"), "{lines:?}");
    }
}
