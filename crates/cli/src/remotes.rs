//! Servers that the user gave names: `remotes.yml` in `~/.config/microcloud`, beside the certificate that they know
//! the user by.
//!
//! A word `NAME:rest` of the command line is of the server NAME; it is taken off before the words are parsed
//! ([`choose`]), so that it works with every command. `local` is the daemon of this machine.

use std::{collections::BTreeMap, env, ffi::OsString, sync::Arc};

use clap::{Arg, Command, CommandFactory};
use client::{Client, Network};
use serde::{Deserialize, Serialize};
use tls::{Identity, Pin, Purpose};

use crate::{
    arguments::Arguments,
    error::{Error, Result},
    settings,
};

/// Where they are remembered.
const FILE: &str = "remotes.yml";
/// An authority of the user's own, PEM, if there is one.
const AUTHORITY: &str = "client.ca";
/// The daemon of this machine.
pub(crate) const LOCAL: &str = "local";
/// The port of a server when none is named.
const PORT: u16 = 8443;
/// A server of images that has a name from the start: images of many distributions, made anew every day for servers
/// with LXD's API.
pub(crate) const IMAGES: (&str, &str) = ("images", "https://images.lxd.canonical.com");
/// What servers of images speak.
pub(crate) const SIMPLESTREAMS: &str = "simplestreams";

/// Servers that have names.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Remotes {
    /// The one that is meant when none is named; empty is `local`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) default: String,
    /// All but `local`.
    pub(crate) remotes: BTreeMap<String, Remote>,
}

/// A server.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Remote {
    /// `https://host:port`.
    pub(crate) url: String,
    /// SHA-256 of its certificate, in hexadecimal; empty for a server of images, whose certificate an authority vouches
    /// for.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) fingerprint: String,
    /// What it speaks: nothing said is our API.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) protocol: String,
}

/// The name of an image on a server of images.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ImageName<'a> {
    /// The address of the server.
    pub(crate) server: &'a str,
    /// Alias or fingerprint; empty means none.
    pub(crate) rest: &'a str,
}

impl Remotes {
    /// Reads them; there are none where there is no file.
    pub(crate) fn load() -> Result<Remotes> {
        settings::load(FILE)
    }

    /// Writes them, in place or not at all.
    pub(crate) fn store(&self) -> Result<()> {
        settings::store(FILE, self)
    }

    /// The one that is meant when none is named.
    pub(crate) fn default_name(&self) -> &str {
        if self.default.is_empty() { LOCAL } else { &self.default }
    }

    /// Whether a server has that name, of images or not.
    pub(crate) fn has(&self, name: &str) -> bool {
        name == LOCAL || name == IMAGES.0 || self.remotes.contains_key(name)
    }

    /// What a word means that names an image of a server of images.
    pub(crate) fn image<'a>(&'a self, word: &'a str) -> Option<ImageName<'a>> {
        let (name, rest) = word.split_once(':')?;
        let server = match self.remotes.get(name) {
            Some(remote) => remote.is_of_images().then_some(remote.url.as_str())?,
            None if name == IMAGES.0 => IMAGES.1,
            None => return None,
        };
        Some(ImageName { server, rest })
    }

    /// The server of that name; `None` is the daemon of this machine.
    pub(crate) fn find(&self, name: &str) -> Result<Option<&Remote>> {
        match self.remotes.get(name) {
            None if name == LOCAL => Ok(None),
            None if name == IMAGES.0 => Err(Error::OfImages(name.to_owned())),
            None => Err(Error::NoRemote(name.to_owned())),
            found => Ok(found),
        }
    }
}

impl Remote {
    /// Whether it holds images and nothing else.
    pub(crate) fn is_of_images(&self) -> bool {
        self.protocol == SIMPLESTREAMS
    }

    /// A client of it.
    pub(crate) fn client(&self) -> Result<Client> {
        if self.is_of_images() {
            return Err(Error::OfImages(self.url.clone()));
        }
        let (host, port) = place(&self.url)?;
        let pin = pin(self.fingerprint.clone())?;
        Ok(Client::remote(Network { host, port, pin, identity: Some(identity()?) }))
    }
}

/// What tells a server with this certificate from others: its fingerprint, or that the authority in `client.ca` signed
/// it, if there is one.
fn pin(fingerprint: String) -> Result<Pin> {
    Ok(match settings::text(AUTHORITY)? {
        Some(authority) => Pin::Signed { authority, otherwise: fingerprint },
        None => Pin::Fingerprint(fingerprint),
    })
}

/// Whether an authority of this user vouches for the server there.
pub(crate) async fn is_signed(url: &str) -> Result<bool> {
    let (host, port) = place(url)?;
    let Pin::Signed { authority, .. } = pin(String::new())? else { return Ok(false) };
    let pin = Pin::Signed { authority, otherwise: String::new() };
    // Why not, whoever is asked about its certificate need not know.
    Ok(tls::connect(&host, port, &pin, None).await.is_ok())
}

/// The certificate that servers know this user by; made when it is first needed.
pub(crate) fn identity() -> Result<Arc<Identity>> {
    let folder = settings::needed_folder()?;
    let (certificate, key) = (folder.join("client.crt"), folder.join("client.key"));
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let user = env::var("USER").unwrap_or_else(|_| String::from("root"));
    let found = Identity::find(&certificate, &key, Purpose::Client(&format!("{user}@{name}")));
    found.map(Arc::new).map_err(|source| Error::File { path: certificate, source })
}

/// Host and port of an address: `https://host:port`, `host:port`, `host`.
pub(crate) fn place(url: &str) -> Result<(String, u16)> {
    let bad = || Error::Form { word: url.to_owned(), form: "https://HOST:PORT" };
    let rest = url.strip_prefix("https://").unwrap_or(url).trim_end_matches('/');
    if rest.is_empty() || rest.contains(['/', '@']) || url.starts_with("http://") {
        return Err(bad());
    }
    let (host, port) = match rest.strip_prefix('[') {
        Some(inner) => {
            let (host, rest) = inner.split_once(']').ok_or_else(bad)?;
            (host, rest.strip_prefix(':'))
        }
        None => match rest.split_once(':') {
            // An IPv6 address alone has more colons.
            Some((_, port)) if port.contains(':') => (rest, None),
            Some((host, port)) => (host, Some(port)),
            None => (rest, None),
        },
    };
    let port = port.map_or(Ok(PORT), |port| port.parse().map_err(|_| bad()))?;
    Ok((host.to_owned(), port))
}

/// The words without the names of servers, and the server that they are for.
///
/// Names of images keep one, as `local:`: so an image of the server is told from one that it would build. What is
/// copied or moved from another server keeps the name of that one.
pub(crate) fn choose(words: Vec<OsString>, remotes: &Remotes) -> Result<(Vec<OsString>, String)> {
    let split = |word: &OsString| {
        let word = word.to_str()?;
        let (name, rest) = word.split_once(':')?;
        // What is of a server of images, the command finds out.
        (remotes.has(name) && remotes.image(word).is_none())
            .then(|| (name.to_owned(), rest.to_owned()))
    };
    let usual = remotes.default_name().to_owned();
    let of_images =
        |word: &OsString| word.to_str().is_some_and(|word| remotes.image(word).is_some());
    if !words.iter().any(|word| split(word).is_some() || of_images(word)) {
        return Ok((words, usual));
    }
    let command = Arguments::command();
    let mut place = Place::new(&command);
    let mut chosen: Option<String> = None;
    let mut left = Vec::with_capacity(words.len());
    let mut from: Option<(usize, String)> = None;
    for (at, word) in words.into_iter().enumerate() {
        let meant = place.next(at, word.to_str().unwrap_or_default());
        if of_images(&word)
            && !matches!(meant, Meant::Image | Meant::Other)
            && !place.is_of("image")
        {
            let word = word.to_string_lossy();
            return Err(Error::OfImages(word.split(':').next().unwrap_or_default().to_owned()));
        }
        if meant == Meant::Source {
            let (name, rest) = split(&word).unwrap_or((usual.clone(), String::new()));
            left.push(if rest.is_empty() { word } else { rest.into() });
            from = Some((left.len() - 1, name));
            continue;
        }
        let named = split(&word).filter(|_| meant != Meant::Other);
        // A name without a server is on the one that is meant where none is named, not on that of its neighbour.
        let own = meant == Meant::Instance || from.is_some() && meant == Meant::Thing;
        let named = named.or_else(|| own.then(|| (usual.clone(), word.to_string_lossy().into())));
        match named {
            Some((name, rest)) => {
                if chosen.as_ref().is_some_and(|chosen| *chosen != name) {
                    return Err(Error::Usage("a command works on one server"));
                }
                chosen = Some(name);
                match (meant, rest.as_str()) {
                    // `list pi:` names the server alone.
                    (_, "") => {}
                    (Meant::Image, rest) => left.push(format!("{LOCAL}:{rest}").into()),
                    (_, rest) => left.push(rest.into()),
                }
            }
            None => left.push(word),
        }
    }
    let chosen = chosen.or_else(|| Some(from.as_ref()?.1.clone())).unwrap_or(usual);
    if let Some((at, name)) = from.filter(|(_, name)| *name != chosen) {
        let mut word = OsString::from(format!("{name}:"));
        word.push(&left[at]);
        left[at] = word;
    }
    Ok((left, chosen))
}

/// What a word of a command line is.
#[derive(Clone, Copy, PartialEq)]
enum Meant {
    /// Something on a server.
    Thing,
    /// An image on a server.
    Image,
    /// What is to be copied or moved, perhaps from another server.
    Source,
    /// One of several instances.
    Instance,
    /// An option, a verb, or a word of the program that `exec` runs.
    Other,
}

/// Where in a command line a word is.
struct Place<'a> {
    root: &'a Command,
    /// The verb so far, of one word or more.
    command: &'a Command,
    verbs: usize,
    things: usize,
    /// Whether the next word is an option's value.
    value: bool,
    over: bool,
}

impl<'a> Place<'a> {
    fn new(root: &'a Command) -> Place<'a> {
        Place { root, command: root, verbs: 0, things: 0, value: false, over: false }
    }

    fn next(&mut self, at: usize, word: &str) -> Meant {
        self.over |= word == "--";
        if at == 0 || self.over || std::mem::take(&mut self.value) {
            return Meant::Other;
        }
        if word.starts_with('-') {
            self.value = self.takes_value(word);
            return Meant::Other;
        }
        if self.things == 0
            && let Some(verb) = self.command.find_subcommand(word)
        {
            (self.command, self.verbs) = (verb, self.verbs + 1);
            return Meant::Other;
        }
        self.things += 1;
        if self.is_below("image", "copy") {
            // It is of another server than the one that is meant.
            return if self.things == 1 { Meant::Other } else { Meant::Thing };
        }
        // What comes behind the instance is of the program that runs there; `remote` speaks of names alone.
        match (self.verbs, self.command.get_name(), self.things) {
            (1, "launch" | "create" | "rebuild", 1) => Meant::Image,
            (1, "copy" | "move", 1) => Meant::Source,
            (1, "delete" | "pause" | "restart" | "resume" | "start" | "stop", _) => Meant::Instance,
            (1, "exec", 2..) => Meant::Other,
            _ if self.is_of("remote") => Meant::Other,
            _ => Meant::Thing,
        }
    }

    fn is_below(&self, noun: &str, verb: &str) -> bool {
        let noun = self.root.find_subcommand(noun);
        let found = noun.and_then(|noun| noun.find_subcommand(verb));
        found.is_some_and(|found| std::ptr::eq(found, self.command))
    }

    /// Whether the verb is that noun, or one of it.
    fn is_of(&self, noun: &str) -> bool {
        let noun = self.root.find_subcommand(noun);
        let is = |one: &Command, other: &Command| std::ptr::eq(one, other);
        noun.is_some_and(|noun| {
            is(noun, self.command) || noun.get_subcommands().any(|verb| is(verb, self.command))
        })
    }

    /// Whether an option is one that the next word belongs to.
    fn takes_value(&self, word: &str) -> bool {
        let is = |option: &Arg| match word.strip_prefix("--") {
            Some(long) => option.get_long() == Some(long),
            None => option.get_short().is_some_and(|short| word == format!("-{short}")),
        };
        let mut all = self.command.get_arguments().chain(self.root.get_arguments());
        all.any(|option| is(option) && option.get_action().takes_values())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> Remotes {
        let one = Remote { url: "https://pi:8443".into(), ..Remote::default() };
        let streams = Remote { protocol: SIMPLESTREAMS.into(), ..one.clone() };
        let all = [("pi", one.clone()), ("nas", one), ("site", streams)];
        let remotes = all.map(|(name, remote)| (name.to_owned(), remote)).into();
        Remotes { default: String::new(), remotes }
    }

    fn chosen(line: &str) -> Result<(String, String)> {
        let words = line.split(' ').map(OsString::from).collect();
        let (words, server) = choose(words, &some())?;
        let words: Vec<_> = words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
        Ok((words.join(" "), server))
    }

    #[test]
    fn names_of_servers_are_taken_off() {
        for (line, words, server) in [
            ("mc list", "mc list", "local"),
            ("mc list pi:", "mc list", "pi"),
            ("mc launch debian:12 pi:web", "mc launch debian:12 web", "pi"),
            ("mc exec pi:web -- echo nas:x", "mc exec web -- echo nas:x", "pi"),
            ("mc exec pi:web echo nas:x", "mc exec web echo nas:x", "pi"),
            ("mc file push local:x pi:web/root/x", "", ""),
            ("mc file push a:b pi:web/root/x", "mc file push a:b web/root/x", "pi"),
            ("mc copy pi:web nas:web", "mc copy pi:web web", "nas"),
            ("mc copy pi:web pi:db", "mc copy web db", "pi"),
            ("mc copy pi:web db", "mc copy pi:web db", "local"),
            ("mc copy web nas:", "mc copy local:web", "nas"),
            ("mc delete pi:web pi:db", "mc delete web db", "pi"),
            ("mc delete web pi:db", "", ""),
            ("mc list site:", "", ""),
            ("mc copy images:x web", "", ""),
            ("mc image list site:", "mc image list site:", "local"),
            ("mc stop pi:db web", "", ""),
            ("mc move pi:web -s fast", "mc move web -s fast", "pi"),
            ("mc move local:web nas:db", "mc move local:web db", "nas"),
            ("mc remote remove pi:", "mc remote remove pi:", "local"),
            ("mc launch site:a/1 pi:web", "mc launch site:a/1 web", "pi"),
            ("mc image list images:debian", "mc image list images:debian", "local"),
            ("mc image copy pi:base", "mc image copy pi:base", "local"),
            ("mc image copy pi:base nas:", "mc image copy pi:base", "nas"),
            ("mc image copy base nas:", "mc image copy base", "nas"),
            ("mc delete local:web", "mc delete web", "local"),
            ("mc launch local:busybox x", "mc launch local:busybox x", "local"),
            ("mc launch -c a=b pi:base pi:web", "mc launch -c a=b local:base web", "pi"),
            (
                "mc rebuild local:busybox web --force",
                "mc rebuild local:busybox web --force",
                "local",
            ),
            ("mc --project p exec pi:web echo nas:x", "mc --project p exec web echo nas:x", "pi"),
            ("mc storage volume create pi:fast data", "mc storage volume create fast data", "pi"),
        ] {
            match chosen(line) {
                Ok(found) => assert_eq!(found, (words.into(), server.into()), "{line}"),
                Err(_) => assert_eq!(words, "", "{line}"),
            }
        }
    }

    #[test]
    fn addresses_have_a_host_and_perhaps_a_port() {
        for (url, host, port) in [
            ("https://pi.lan:9443", "pi.lan", 9443),
            ("https://pi.lan/", "pi.lan", 8443),
            ("10.0.0.7", "10.0.0.7", 8443),
            ("https://[fd00::1]:1", "fd00::1", 1),
            ("fd00::1", "fd00::1", 8443),
        ] {
            assert_eq!(place(url).unwrap(), (host.to_owned(), port), "{url}");
        }
        for url in ["http://pi", "https://", "https://pi:x", "https://pi/1.0", "[fd00::1"] {
            assert!(place(url).is_err(), "{url}");
        }
    }
}
