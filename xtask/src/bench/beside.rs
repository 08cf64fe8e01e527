//! What a user would do without a cloud, beside the same through ours: `tar` of an instance's files, a
//! plain file server (nginx, with the same certificate on the same disk) for objects.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::peer::{Client, Kind, Peer};
use super::place::Place;
use super::samples::Samples;
use super::{machines, say, stores};
use crate::shell;

/// One thing, done both ways; milliseconds.
pub(super) struct Beside {
    pub(super) words: &'static str,
    pub(super) plain: Samples,
    pub(super) ours: Samples,
    /// Ours must have at least this share of the plain way's speed.
    pub(super) target: Option<f64>,
}

impl Beside {
    pub(super) fn new(words: &'static str, target: Option<f64>) -> Beside {
        Beside { words, plain: Samples::default(), ours: Samples::default(), target }
    }

    /// Which share of the plain way's speed ours has.
    pub(super) fn share(&self) -> Option<f64> {
        Some(self.plain.median()? / self.ours.median()?)
    }
}

/// Objects of one size: how many in a row, over one connection.
struct Objects {
    name: &'static str,
    bytes: u64,
    count: u32,
    put: &'static str,
    get: &'static str,
}

const OBJECTS: [Objects; 3] = [
    Objects {
        name: "small",
        bytes: 1 << 10,
        count: 200,
        put: "S3 put of 1 KiB (nginx, which does not wait for the disk)",
        get: "S3 get of 1 KiB (nginx)",
    },
    Objects {
        name: "middle",
        bytes: 1 << 20,
        count: 40,
        put: "S3 put of 1 MiB (nginx, which does not wait for the disk)",
        get: "S3 get of 1 MiB (nginx)",
    },
    Objects {
        name: "large",
        bytes: 1 << 30,
        count: 1,
        put: "S3 put of 1 GiB (nginx, which does not wait for the disk)",
        get: "S3 get of 1 GiB (nginx)",
    },
];

const S3: &str = "127.0.0.1:8555";
const PLAIN: &str = "127.0.0.1:8556";

pub(super) fn measure(peers: &[Peer], place: &Place, runs: usize) -> Result<Vec<Beside>> {
    let Some(peer) = peers.iter().find(|peer| peer.kind == Kind::Ours) else {
        return Ok(Vec::new());
    };
    let mut rows = vec![export(peer, place, runs)?];
    rows.extend(machines::measure(peer, place, runs)?);
    let doors = Doors::open(peer, place)?;
    for objects in &OBJECTS {
        say(&format!("objects of {} bytes", objects.bytes));
        rows.extend(doors.measure(objects, runs)?);
    }
    Ok(rows)
}

/// The files of the instance "still" by `tar`, and by `export`.
fn export(peer: &Peer, place: &Place, runs: usize) -> Result<Beside> {
    let mut row = Beside::new("`export` of a Debian (`tar` of its files)", Some(0.8));
    let file = place.path().join("plain.tar");
    let root = image_root(peer)?;
    let (path, root) = (file.to_string_lossy(), root.to_string_lossy());
    for _ in 0..runs {
        stores::forget_files()?;
        let words = ["--create", "--xattrs", "--file", &path, "--directory", &root, "."];
        row.plain.add_time(timed(shell::command("tar", &words))?);
        stores::forget_files()?;
        let words = ["export", "still", &path, "--compression", "none"];
        row.ours.add_time(peer.timed(Client::Own, &words)?);
    }
    fs::remove_file(&file).context("remove an export")?;
    Ok(row)
}

/// Where the files of the image "debian" lie.
fn image_root(peer: &Peer) -> Result<PathBuf> {
    let json = peer.says(Client::Stock, &["query", "/1.0/images/aliases/debian"])?;
    let alias: serde_json::Value = serde_json::from_str(&json).context("read an alias")?;
    let image = alias["target"].as_str().context("the alias names no image")?;
    let folder = peer.folder().join("storage-pools/default/images").join(image).join("rootfs");
    Ok(folder)
}

fn timed(mut command: Command) -> Result<Duration> {
    let start = Instant::now();
    let output = command.stdin(Stdio::null()).output().context("start a program")?;
    let taken = start.elapsed();
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(taken)
}

/// Our door to a bucket, and nginx.
struct Doors<'a> {
    peer: &'a Peer,
    folder: PathBuf,
    keys: String,
    certificate: PathBuf,
    plain: Child,
}

impl<'a> Doors<'a> {
    fn open(peer: &'a Peer, place: &Place) -> Result<Doors<'a>> {
        let address = format!("core.storage_buckets_address={S3}");
        peer.must(Client::Own, &["config", "set", &address])?;
        let made = peer.says(Client::Own, &["storage", "bucket", "create", "default", "bench"])?;
        let after = |word: &str| {
            let line = made.lines().find_map(|line| line.strip_prefix(word));
            line.map(str::trim).with_context(|| format!("no {word} in: {made}"))
        };
        let keys = format!("{}:{}", after("Access key:")?, after("Secret key:")?);
        let folder = place.path().join("nginx");
        fs::create_dir_all(folder.join("files")).context("make a folder for nginx")?;
        let certificate = peer.folder().join("server.crt");
        let plain = nginx(peer, place, &folder)?;
        let doors = Doors { peer, folder, keys, certificate, plain };
        doors.wait()?;
        Ok(doors)
    }

    /// Until both listen.
    fn wait(&self) -> Result<()> {
        let end = Instant::now() + Duration::from_secs(20);
        for address in [S3, PLAIN] {
            let url = format!("https://{address}/");
            while timed(self.peer.inside("curl", &["--silent", "--insecure", &url])).is_err() {
                if Instant::now() > end {
                    bail!("nobody answers at {url}");
                }
                thread::sleep(Duration::from_millis(20));
            }
        }
        Ok(())
    }

    fn measure(&self, objects: &Objects, runs: usize) -> Result<[Beside; 2]> {
        let file = self.folder.join(objects.name);
        random(&file, objects.bytes)?;
        let mut rows = [Beside::new(objects.put, None), Beside::new(objects.get, None)];
        for _ in 0..runs {
            for (index, up) in [(0, true), (1, false)] {
                let each = |address| self.transfer(address, objects, up.then_some(&*file));
                rows[index].plain.add(each(PLAIN)?);
                rows[index].ours.add(each(S3)?);
            }
        }
        fs::remove_file(&file).context("remove a file")?;
        Ok(rows)
    }

    /// Milliseconds an object.
    fn transfer(&self, address: &str, objects: &Objects, from: Option<&Path>) -> Result<f64> {
        let url = format!("https://{address}/bench/{}-[1-{}]", objects.name, objects.count);
        let (certificate, path) =
            (self.certificate.to_string_lossy(), from.map(Path::to_string_lossy));
        let mut words = vec!["--silent", "--show-error", "--fail", "--cacert", &certificate];
        if address == S3 {
            words.extend(["--aws-sigv4", "aws:amz:us-east-1:s3", "--user", &self.keys]);
            words.extend(["--header", "x-amz-content-sha256: UNSIGNED-PAYLOAD"]);
        }
        match &path {
            Some(path) => words.extend(["--upload-file", path]),
            None => words.extend(["--output", "/dev/null"]),
        }
        words.push(&url);
        let taken = timed(self.peer.inside("curl", &words)).with_context(|| url.clone())?;
        Ok(taken.as_secs_f64() * 1e3 / f64::from(objects.count))
    }
}

impl Drop for Doors<'_> {
    fn drop(&mut self) {
        drop(self.plain.kill());
        drop(self.plain.wait());
    }
}

/// Bytes that nothing can shorten.
fn random(file: &Path, bytes: u64) -> Result<()> {
    let random = fs::File::open("/dev/urandom").context("open /dev/urandom")?;
    let mut to = fs::File::create(file).with_context(|| format!("make {}", file.display()))?;
    std::io::copy(&mut std::io::Read::take(random, bytes), &mut to).context("write a file")?;
    Ok(())
}

fn nginx(peer: &Peer, place: &Place, folder: &Path) -> Result<Child> {
    let (files, state) = (folder.display(), peer.folder().display());
    let text = format!(
        "daemon off; master_process off; user root; pid {files}/pid; error_log {files}/log;
events {{}}
http {{
    access_log off; client_max_body_size 0; sendfile on;
    client_body_temp_path {files}/body; proxy_temp_path {files}/proxy; fastcgi_temp_path {files}/fastcgi;
    uwsgi_temp_path {files}/uwsgi; scgi_temp_path {files}/scgi; keepalive_requests 100000;
    server {{
        listen {PLAIN} ssl; ssl_certificate {state}/server.crt; ssl_certificate_key {state}/server.key;
        location / {{ root {files}/files; dav_methods PUT DELETE; create_full_put_path on; }}
    }}
}}
"
    );
    let file = place.write("nginx/nginx.conf", &text)?;
    let words = ["-c", &file.to_string_lossy(), "-p", &folder.to_string_lossy()].map(str::to_owned);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    peer.inside("nginx", &words).stdin(Stdio::null()).spawn().context("start nginx")
}
