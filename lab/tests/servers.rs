//! Images of other servers: of one that speaks simplestreams, with the certificate of an authority, and of another daemon.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "what fails here fails the test"
)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use lab::{
    Background, Client, Daemon, Run,
    images::{pack, tree},
    until,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const SERVER: &str = "https://127.0.0.1:8444";

/// A web server with files, for as long as this is there. What is asked for `/direct` gets the lines of that file as headers,
/// if it says for which processor.
const SERVE: &str = "import functools, http.server, ssl, sys
class Handler(http.server.SimpleHTTPRequestHandler):
    def end_headers(self):
        if self.path == '/direct' and self.headers.get('LXD-Server-Architectures'):
            for line in open(sys.argv[1] + '/direct').read().splitlines():
                self.send_header(*line.split(': ', 1))
        super().end_headers()
handler = functools.partial(Handler, directory=sys.argv[1])
server = http.server.ThreadingHTTPServer(('127.0.0.1', 8444), handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[2], sys.argv[3])
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()";

/// A daemon, and a server of images that it and its clients trust.
struct Streams {
    daemon: Daemon,
    site: PathBuf,
    tree: PathBuf,
    authority: String,
    server: Option<Background>,
}

impl Streams {
    fn start() -> Option<Streams> {
        let mut daemon = Daemon::ready()?;
        let (site, tree) = (daemon.scratch().join("site"), tree(&daemon));
        fs::create_dir_all(site.join("streams/v1")).unwrap();
        daemon.lxc(["image", "delete", "busybox"]).ok();
        let authority = certificates(&daemon.scratch());
        daemon.stop();
        assert!(daemon.try_launch(&[("SSL_CERT_FILE", authority.clone())]));
        let mut streams = Streams { daemon, site, tree, authority, server: None };
        streams.serve();
        Some(streams)
    }

    fn serve(&mut self) {
        let scratch = self.daemon.scratch();
        let mut command = self.daemon.netns().command("python3");
        command.args(["-c", SERVE]).arg(&self.site);
        command.arg(scratch.join("server.pem")).arg(scratch.join("server.key"));
        let server = Background::start(command, Vec::new());
        self.server = Some(server);
        until("the server of images", || {
            let mut curl = self.daemon.netns().command("curl");
            curl.args(["--silent", "--cacert", &self.authority, SERVER]);
            curl.output().ok()?.status.success().then_some(())
        });
    }

    fn stop_server(&mut self) {
        if let Some(server) = self.server.take() {
            server.signal(rustix::process::Signal::TERM);
            server.wait();
        }
    }

    /// Puts an image there, as the newest by the name `busy/1`; its fingerprint.
    fn publish(&self, serial: &str) -> String {
        let folder = self.site.join(serial);
        fs::create_dir(&folder).unwrap();
        fs::write(self.tree.join("rootfs/etc/serial"), serial).unwrap();
        let (metadata, root) = (folder.join("lxd.tar.xz"), folder.join("root.tar.xz"));
        pack(&self.tree, &["metadata.yaml"], "--xz", &metadata);
        pack(&self.tree.join("rootfs"), &["."], "--xz", &root);
        let both = hash(&[&metadata, &root]);
        let item = |name: &str, path: &Path, combined: &str| {
            json!({
                "ftype": name,
                "path": format!("{serial}/{name}"),
                "sha256": hash(&[path]),
                "size": fs::metadata(path).unwrap().len(),
                "combined_rootxz_sha256": combined,
            })
        };
        let list = self.site.join("streams/v1/images.json");
        let mut all: Value = fs::read(&list).map_or_else(
            |_| {
                let arch = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
                json!({ "format": "products:1.0", "content_id": "images",
                    "datatype": "image-downloads", "products": { "busy:1": {
                    "aliases": "busy/1,busy/one", "arch": arch, "os": "Busy", "release": "one",
                    "release_title": "1", "versions": {} } } })
            },
            |text| serde_json::from_slice(&text).unwrap(),
        );
        all["products"]["busy:1"]["versions"][serial] = json!({ "items": {
            "lxd.tar.xz": item("lxd.tar.xz", &metadata, &both),
            "root.tar.xz": item("root.tar.xz", &root, ""),
        } });
        fs::write(&list, all.to_string()).unwrap();
        let index = json!({ "format": "index:1.0", "index": { "images": {
            "datatype": "image-downloads", "path": "streams/v1/images.json",
            "format": "products:1.0", "products": ["busy:1"] } } });
        fs::write(self.site.join("streams/v1/index.json"), index.to_string()).unwrap();
        both
    }

    /// The stock client, which must reach the server, too.
    fn lxc(&self, words: &[&str]) -> Run {
        self.run(Client::Lxc, words)
    }

    /// A client beside the server, which trusts the authority.
    fn run(&self, client: Client, words: &[&str]) -> Run {
        let client = self.daemon.command(client);
        let mut command = self.daemon.netns().command("env");
        for (name, value) in client.get_envs() {
            match value {
                Some(value) => {
                    command.arg(format!("{}={}", name.to_string_lossy(), value.to_string_lossy()))
                }
                None => command.arg(format!("--unset={}", name.to_string_lossy())),
            };
        }
        command.arg(format!("SSL_CERT_FILE={}", self.authority)).arg(client.get_program());
        command.args(words);
        Background::start(command, Vec::new()).wait()
    }

    fn serial(&self, instance: &str) -> String {
        self.daemon.lxc(["exec", instance, "--", "cat", "/etc/serial"]).text()
    }
}

impl Drop for Streams {
    fn drop(&mut self) {
        self.stop_server();
    }
}

fn hash(files: &[&Path]) -> String {
    let mut digest = Sha256::new();
    files.iter().for_each(|file| digest.update(fs::read(file).unwrap()));
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An authority, and what it says of the server; the authority's file.
fn certificates(folder: &Path) -> String {
    let openssl = |words: &str| {
        let mut command = Command::new("openssl");
        let made = command.args(words.split(' ')).current_dir(folder).output().unwrap();
        assert!(made.status.success(), "{words}: {}", String::from_utf8_lossy(&made.stderr));
    };
    openssl("req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -subj /CN=lab -days 2");
    openssl(
        "req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=images -addext subjectAltName=IP:127.0.0.1",
    );
    openssl(
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -copy_extensions copy -out server.pem",
    );
    folder.join("ca.pem").to_string_lossy().into_owned()
}

#[test]
fn images_of_simplestreams_are_launched_copied_and_refreshed() {
    let Some(mut streams) = Streams::start() else { return };
    let first = streams.publish("20261101_05:00");
    streams.lxc(&["remote", "add", "site", SERVER, "--protocol", "simplestreams"]).ok();
    // Launched by name: it comes by itself, and is marked so.
    streams.lxc(&["launch", "site:busy/1", "c1"]).ok();
    assert_eq!(streams.serial("c1"), "20261101_05:00");
    let image = streams.daemon.get(&format!("/1.0/images/{first}"));
    assert_eq!((&image["cached"], &image["auto_update"]), (&json!(true), &json!(true)));
    assert_eq!(image["update_source"]["server"], SERVER);
    assert_eq!(image["update_source"]["alias"], "busy/1");
    let arch = image["properties"]["architecture"].as_str().unwrap();
    let words = format!("Busy 1 {arch} (20261101_05:00)");
    assert_eq!(image["properties"]["description"], words);
    // Taken in by itself: it is the user's own.
    streams.lxc(&["image", "copy", "site:busy/1", "local:", "--alias", "mine"]).ok();
    assert_eq!(streams.daemon.get(&format!("/1.0/images/{first}"))["cached"], false);
    // The same by our client, which shows what the server has.
    let own = |words: &[&str]| streams.run(Client::Cli, words);
    own(&["remote", "add", "site", SERVER, "--protocol", "simplestreams"]).ok();
    let listed = own(&["image", "list", "site:", "--format", "csv"]).text();
    assert!(listed.starts_with("busy/1") && listed.contains(&first[..12]), "{listed}");
    assert_eq!(own(&["image", "list", "site:none", "--format", "csv"]).text(), "");
    let info = own(&["image", "info", "site:busy/1"]).text();
    assert!(info.contains(&first) && info.contains(&words), "{info}");
    assert!(own(&["image", "info", "site:busy/2"]).fails().contains("busy/2"));
    own(&["launch", "site:busy/1", "c0"]).ok();
    assert_eq!(streams.serial("c0"), "20261101_05:00");
    own(&["image", "copy", "site:busy/1", "--alias", "ours", "--copy-aliases"]).ok();
    for alias in ["ours", "busy%2F1"] {
        let found = streams.daemon.get(&format!("/1.0/images/aliases/{alias}"));
        assert_eq!(found["target"], *first);
    }
    assert!(own(&["list", "site:"]).fails().contains("server of images"));
    // There is a newer one.
    let second = streams.publish("20261102_05:00");
    streams.lxc(&["image", "refresh", "mine"]).ok();
    assert_eq!(streams.daemon.get("/1.0/images/aliases/mine")["target"], *second);
    assert_eq!(streams.daemon.get("/1.0/images").as_array().unwrap().len(), 1);
    streams.daemon.lxc(["launch", "mine", "c2"]).ok();
    assert_eq!(streams.serial("c2"), "20261102_05:00");
    // What is not there is told, and so is a file that is not what the list says.
    let source = |alias: &str| json!({ "type": "image", "mode": "pull", "server": SERVER, "protocol": "simplestreams", "alias": alias });
    let launch = |name: &str, alias: &str| {
        let body = json!({ "name": name, "source": source(alias) }).to_string();
        let made = streams.daemon.request("POST", "/1.0/instances", &body);
        let wait = format!("{}/wait", made.body["operation"].as_str().unwrap());
        streams.daemon.get(&wait)["err"].as_str().unwrap().to_owned()
    };
    assert!(launch("c3", "busy/2").contains("busy/2 of https://127.0.0.1:8444"));
    streams.publish("20261103_05:00");
    fs::write(streams.site.join("20261103_05:00/root.tar.xz"), "another").unwrap();
    let refused = streams.lxc(&["image", "refresh", "mine"]).fails();
    assert!(refused.contains("not what its list announces"), "{refused}");
    assert_eq!(streams.daemon.get("/1.0/images/aliases/mine")["target"], *second);
    // The server is off: what came from it is used.
    streams.stop_server();
    streams.daemon.restart();
    let launch = |name: &str, alias: &str| {
        let body = json!({ "name": name, "source": source(alias) }).to_string();
        let made = streams.daemon.request("POST", "/1.0/instances", &body);
        let wait = format!("{}/wait", made.body["operation"].as_str().unwrap());
        streams.daemon.get(&wait)["err"].as_str().unwrap().to_owned()
    };
    assert_eq!(launch("c4", "busy/1"), "");
    assert!(launch("c5", "busy/one").contains("cannot fetch https://127.0.0.1:8444/streams"));
}

#[test]
fn a_private_image_goes_to_another_server() {
    let Some(a) = Daemon::ready() else { return };
    let b = Daemon::with(&lab::Options { netns: a.beside().netns, ..Default::default() });
    let Some(b) = b else { return };
    b.lxc(["storage", "create", "default", "dir"]).ok();
    b.lxc(["profile", "device", "add", "default", "root", "disk", "path=/", "pool=default"]).ok();
    let home = a.scratch().join("client");
    fs::create_dir_all(&home).unwrap();
    let lxc = |words: &[&str]| {
        let mut command = a.netns().command("env");
        command.arg(format!("LXD_CONF={}", home.display())).arg("LXD_DIR=/nowhere");
        command.arg("lxc").args(words);
        Background::start(command, Vec::new()).wait()
    };
    for (daemon, name, port) in [(&a, "a", "8443"), (&b, "b", "9443")] {
        daemon.lxc(["config", "set", "core.https_address", &format!("127.0.0.1:{port}")]).ok();
        let token = daemon.cli(["config", "trust", "add", "--name", "both", "-q"]).text();
        lxc(&["remote", "add", name, &token]).ok();
    }
    lxc(&["image", "copy", "a:busybox", "b:", "--alias", "came"]).ok();
    let (there, here) = (a.get("/1.0/images/aliases/busybox"), b.get("/1.0/images/aliases/came"));
    assert_eq!(there["target"], here["target"]);
    // The secret was good for once: no token is left.
    assert!(a.get("/1.0/operations")["running"].is_null());
    b.lxc(["image", "delete", "came"]).ok();
    // The same by our client, from a server that has a name and from the one it is at.
    let token = a.cli(["config", "trust", "add", "--name", "own", "-q"]).text();
    let own = |daemon: &Daemon, words: &[&str]| {
        let mut command = a.netns().command("env");
        command.arg(format!("HOME={}", home.display()));
        command.arg(format!("MICROCLOUD_DIR={}", daemon.folder().display()));
        command.arg(daemon.command(Client::Cli).get_program()).args(words);
        Background::start(command, Vec::new()).wait()
    };
    own(&b, &["remote", "add", "a", &token]).ok();
    own(&b, &["image", "copy", "a:busybox", "--alias", "came"]).ok();
    assert_eq!(b.get("/1.0/images/aliases/came")["target"], there["target"]);
    b.lxc(["image", "delete", "came"]).ok();
    let token = b.cli(["config", "trust", "add", "--name", "own", "-q"]).text();
    own(&a, &["remote", "add", "b", &token]).ok();
    own(&a, &["image", "copy", "busybox", "b:", "--alias", "came"]).ok();
    assert_eq!(b.get("/1.0/images/aliases/came")["target"], there["target"]);
    b.lxc(["image", "delete", "came"]).ok();
    // An instance is made of an image of the other server.
    lxc(&["launch", "a:busybox", "b:c1"]).ok();
    assert_eq!(b.lxc(["exec", "c1", "--", "hostname"]).text(), "c1");
    // A stranger has it neither without a secret nor with a wrong one.
    let path = format!("https://127.0.0.1:8443/1.0/images/{}", there["target"].as_str().unwrap());
    for query in ["", "?secret=0123456789abcdef"] {
        let mut curl = a.netns().command("curl");
        let said =
            curl.args(["--silent", "--insecure", &format!("{path}{query}")]).output().unwrap();
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        assert!(said.contains("not found"), "{said}");
    }
}

/// As LXD has it: an address whose server says in headers which image is for whom.
#[test]
fn an_image_at_an_address() {
    let Some(streams) = Streams::start() else { return };
    let Streams { daemon, site, tree, .. } = &streams;
    let image = site.join("image.tar.gz");
    pack(tree, &["metadata.yaml", "rootfs"], "--gzip", &image);
    let right = hash(&[&image]);
    let say = |hash: &str| {
        let text = format!("LXD-Image-Hash: {hash}\nLXD-Image-URL: {SERVER}/image.tar.gz\n");
        fs::write(site.join("direct"), text).unwrap();
    };
    let address = format!("{SERVER}/direct");
    say("nonsense");
    daemon.lxc(["image", "import", &address]).fails_with("LXD-Image-Hash");
    say(&"0".repeat(64));
    daemon.lxc(["image", "import", &address]).fails();
    assert_eq!(daemon.lxc(["image", "list", "--format", "csv"]).text(), "", "nothing is left");
    say(&right);
    daemon.lxc(["image", "import", &address, "--alias", "mine"]).ok();
    let got = daemon.get(&format!("/1.0/images/{right}"));
    assert_eq!(got["update_source"]["protocol"], "direct", "{got}");
    daemon.lxc(["launch", "mine", "c1"]).ok();
    daemon.cli(["delete", "c1", "--force"]).ok();
    daemon.lxc(["image", "delete", "mine"]).ok();
    let imported = daemon.cli(["image", "import", &address, "os=Busy", "--alias", "again"]).text();
    assert!(imported.contains(&right), "{imported}");
    assert_eq!(daemon.lxc(["image", "get-property", "again", "os"]).text(), "Busy");
}
