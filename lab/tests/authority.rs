//! An authority of one's own (PKI): made with openssl, used by the stock client and ours.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::{fs, path::PathBuf};

use lab::{Daemon, Run, host};

const NEW_KEY: [&str; 7] =
    ["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

/// An authority in a folder.
struct Authority(PathBuf);

impl Authority {
    fn new(folder: PathBuf) -> Authority {
        fs::create_dir_all(&folder).unwrap();
        let made = Authority(folder);
        let settings = format!(
            "[ca]\ndefault_ca=own\n[own]\ndatabase={}\ndefault_md=sha256\ndefault_crl_days=30\n\
             crl_extensions=list\n[list]\nauthorityKeyIdentifier=keyid:always\n",
            made.path("index")
        );
        fs::write(made.path("settings"), settings).unwrap();
        fs::write(made.path("index"), "").unwrap();
        fs::write(made.path("names"), "subjectAltName=IP:127.0.0.1\n").unwrap();
        let (key, certificate) = (made.path("ca.key"), made.path("ca.crt"));
        let mut words = NEW_KEY.to_vec();
        words.extend(["-x509", "-keyout", &key, "-out", &certificate, "-subj", "/CN=authority"]);
        words.extend(["-days", "30", "-addext", "keyUsage=keyCertSign,cRLSign"]);
        host(&words).ok();
        made
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_string_lossy().into_owned()
    }

    /// Signs a certificate, which is put with its key into that folder.
    fn sign(&self, name: &str, folder: &std::path::Path, file: &str) {
        fs::create_dir_all(folder).unwrap();
        let into = |end: &str| folder.join(format!("{file}.{end}")).to_string_lossy().into_owned();
        let (key, certificate, request) = (into("key"), into("crt"), self.path("request"));
        let subject = format!("/CN={name}");
        let mut words = NEW_KEY.to_vec();
        words.extend(["-keyout", &key, "-out", &request, "-subj", &subject]);
        host(&words).ok();
        let (ca, ca_key, names) = (self.path("ca.crt"), self.path("ca.key"), self.path("names"));
        let mut words = vec!["openssl", "x509", "-req", "-days", "30", "-extfile", &names];
        words.extend(["-CA", &ca, "-CAkey", &ca_key, "-CAcreateserial"]);
        words.extend(["-in", &request, "-out", &certificate]);
        host(&words).ok();
    }

    /// Revokes a certificate; tells where the list is then.
    fn revoke(&self, certificate: &std::path::Path) -> String {
        let (ca, key, settings) = (self.path("ca.crt"), self.path("ca.key"), self.path("settings"));
        let common = ["openssl", "ca", "-config", &settings, "-cert", &ca, "-keyfile", &key];
        let certificate = certificate.to_string_lossy();
        let list = self.path("ca.crl");
        host(&[&common[..], &["-revoke", &certificate]].concat()).ok();
        host(&[&common[..], &["-gencrl", "-out", &list]].concat()).ok();
        list
    }
}

/// The stock client of somebody else: settings of its own, and only the network to come by.
fn lxc(daemon: &Daemon, home: &str, words: &[&str]) -> Run {
    let mut command = daemon.netns().command("env");
    command.arg(format!("LXD_CONF={}", daemon.scratch().join(home).display()));
    command.args(["LXD_DIR=/nowhere", "lxc"]).args(words);
    lab::Background::start(command, Vec::new()).wait()
}

/// Ours.
fn own(daemon: &Daemon, home: &str, words: &[&str]) -> Run {
    let mut command = daemon.netns().command("env");
    command.arg(format!("XDG_CONFIG_HOME={}", daemon.scratch().join(home).display()));
    command.arg("MICROCLOUD_DIR=/nowhere").arg(lab::binary()).args(words);
    lab::Background::start(command, Vec::new()).wait()
}

fn token(daemon: &Daemon, name: &str) -> String {
    daemon.cli(["config", "trust", "add", "--name", name, "-q"]).text()
}

#[test]
fn with_an_authority_only_what_it_signed_comes_in() {
    let Some(mut daemon) = Daemon::start() else { return };
    daemon.lxc(["config", "set", "core.https_address", "127.0.0.1:8443"]).ok();
    fs::create_dir_all(daemon.scratch().join("before")).unwrap();
    lxc(&daemon, "before", &["remote", "add", "pi", &token(&daemon, "before")]).ok();
    lxc(&daemon, "before", &["list", "pi:"]).ok();

    daemon.stop();
    let ca = Authority::new(daemon.scratch().join("authority"));
    ca.sign("server", &daemon.folder(), "server");
    fs::copy(ca.path("ca.crt"), daemon.folder().join("server.ca")).unwrap();
    daemon.launch();
    let scratch = daemon.scratch();
    let folder = |home: &str| scratch.join(home);
    for home in ["laptop", "desk"] {
        ca.sign(home, &folder(home), "client");
        fs::copy(ca.path("ca.crt"), folder(home).join("client.ca")).unwrap();
    }

    // Who was trusted before is a stranger now, and no token helps him.
    fs::remove_file(folder("before").join("servercerts/pi.crt")).unwrap();
    lxc(&daemon, "before", &["list", "pi:"]).fails();
    let good = token(&daemon, "laptop");
    lxc(&daemon, "before", &["remote", "add", "two", &good])
        .fails_with("the authority did not sign it");

    // What it signed must be trusted as well.
    lxc(&daemon, "laptop", &["remote", "add", "pi", &good]).ok();
    lxc(&daemon, "laptop", &["list", "pi:"]).ok();
    lxc(&daemon, "desk", &["remote", "add", "pi", "127.0.0.1"]).fails();
    daemon.lxc(["config", "set", "core.trust_ca_certificates", "true"]).ok();
    lxc(&daemon, "desk", &["remote", "add", "pi", "127.0.0.1"]).ok();
    lxc(&daemon, "desk", &["list", "pi:"]).ok();
    let known = daemon.lxc(["config", "trust", "list", "--format", "csv"]).text();
    assert_eq!(known.lines().count(), 2, "{known}");

    // Our client believes the same authority, whatever the server's certificate is.
    ca.sign("phone", &folder("phone/microcloud"), "client");
    let add = ["remote", "add", "pi", "https://127.0.0.1:8443"];
    own(&daemon, "phone", &add).fails_with("--accept-certificate");
    let client_ca = folder("phone/microcloud").join("client.ca");
    fs::copy(ca.path("ca.crt"), &client_ca).unwrap();
    own(&daemon, "phone", &add).ok();
    own(&daemon, "phone", &["list", "pi:"]).ok();
    daemon.stop();
    ca.sign("server anew", &daemon.folder(), "server");
    daemon.launch();
    own(&daemon, "phone", &["list", "pi:"]).ok();
    fs::remove_file(&client_ca).unwrap();
    own(&daemon, "phone", &["list", "pi:"]).fails_with("another server");
    fs::copy(ca.path("ca.crt"), &client_ca).unwrap();

    // Revoked is out with the next request.
    let list = ca.revoke(&folder("desk").join("client.crt"));
    fs::copy(&list, daemon.folder().join("ca.crl")).unwrap();
    lxc(&daemon, "desk", &["list", "pi:"]).fails();
    lxc(&daemon, "laptop", &["list", "pi:"]).ok();
    own(&daemon, "phone", &["list", "pi:"]).ok();

    daemon.lxc(["config", "unset", "core.trust_ca_certificates"]).ok();
    own(&daemon, "phone", &["list", "pi:"]).fails();
    // One that cannot be read lets nobody in.
    fs::write(daemon.folder().join("server.ca"), "none").unwrap();
    lxc(&daemon, "laptop", &["list", "pi:"]).fails_with("server.ca");
}
