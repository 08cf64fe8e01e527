//! Buckets as S3 clients see them: boto3 of Debian, over TLS with the server's own certificate.

use std::time::Duration;

use crate::{Background, Client, Daemon, Run};

const SCRIPT: &str = include_str!("../tests/s3_ops.py");

/// A daemon that serves a bucket `photos`, with an admin's and a reader's key, and a bucket `music`.
pub struct Door {
    /// Who serves it.
    pub daemon: Daemon,
    /// The bucket.
    pub bucket: &'static str,
    /// An admin's key to it.
    pub access: String,
    /// Its secret.
    pub secret: String,
    /// Where it is served.
    pub port: u16,
}

/// What stands behind a word in a text of lines.
pub fn after(text: &str, word: &str) -> String {
    let line = text.lines().find_map(|line| line.strip_prefix(word));
    line.unwrap_or_else(|| panic!("no {word:?} in {text}")).trim().to_owned()
}

impl Door {
    /// `None`, and a word why, where there is no client.
    pub fn open(options: &[&str]) -> Option<Door> {
        Door::of("default", options)
    }

    /// The bucket in that pool, which is on btrfs unless it is the usual one.
    pub fn of(pool: &str, options: &[&str]) -> Option<Door> {
        let python = crate::installed("python3");
        if !python || crate::host(&["python3", "-c", "import boto3"]).status != 0 {
            crate::skip("python3 has no boto3");
            return None;
        }
        let daemon = Daemon::ready()?;
        daemon.lxc(["config", "set", "core.storage_buckets_address", "127.0.0.1:8555"]).ok();
        if pool != "default" {
            daemon.lxc(["storage", "create", pool, "btrfs", "size=512MiB"]).ok();
        }
        let bucket = ["storage", "bucket", "create", pool, "photos"];
        let made = daemon.run(Client::Cli, &[&bucket[..], options].concat()).text();
        daemon.cli(["storage", "bucket", "create", "default", "music"]).ok();
        let reader = ["storage", "bucket", "key", "create", pool, "photos", "reader"];
        let keys = ["--access-key=reader", "--secret-key=reader-secret"];
        daemon.run(Client::Cli, &[&reader[..], &keys].concat()).ok();
        // By a name its words stay short when it fails.
        let script = daemon.scratch().join("s3_ops.py");
        std::fs::write(&script, SCRIPT).unwrap_or_else(|e| panic!("cannot write {script:?}: {e}"));
        let (access, secret) = (after(&made, "Access key:"), after(&made, "Secret key:"));
        Some(Door { daemon, bucket: "photos", access, secret, port: 8555 })
    }

    /// Where it is served.
    pub fn endpoint(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// What it shows for itself.
    /// What the server shows for itself.
    pub fn certificate(&self) -> String {
        self.daemon.folder().join("server.crt").display().to_string()
    }

    /// A function of the script, in the daemon's network.
    pub fn begin(&self, function: &str, stdin: &str) -> Background {
        let mut command = self.daemon.netns().command("python3");
        command.args(["-W", "ignore"]).arg(self.daemon.scratch().join("s3_ops.py")).arg(function);
        command.env("ENDPOINT", self.endpoint()).env("BUCKET", self.bucket).env("OTHER", "music");
        command.env("CERTIFICATE", self.certificate());
        command.env("ACCESS", &self.access).env("SECRET", &self.secret).env("WRONG", "wrong-key");
        command.env("READER", "reader").env("READER_SECRET", "reader-secret");
        Background::start(command, stdin.as_bytes().to_vec())
    }

    /// The same to its end, which must be good.
    pub fn run(&self, function: &str) -> Run {
        self.begin(function, "").limit(Duration::from_secs(120)).wait().ok()
    }

    /// Bytes of memory of the daemon's own.
    pub fn memory(&self) -> u64 {
        let pid = self.daemon.pid().unwrap_or_default();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        let kib = line.and_then(|line| line.trim().split(' ').next()?.parse::<u64>().ok());
        kib.unwrap_or_default() << 10
    }

    /// A verb of `storage bucket` by our own client.
    pub fn bucket(&self, words: &[&str]) -> Run {
        self.daemon.run(Client::Cli, &[&["storage", "bucket"], words].concat())
    }

    /// A key to a bucket, made for that name: access key and secret.
    pub fn key(&self, bucket: &str, name: &str) -> (String, String) {
        let made = self.bucket(&["key", "create", "default", bucket, name, "--role=admin"]).text();
        (after(&made, "Access key:"), after(&made, "Secret key:"))
    }
}
