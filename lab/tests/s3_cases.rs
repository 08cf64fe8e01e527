//! Cases of S3 in the groups of ceph's s3-tests, written anew: `cargo test -p lab --test suite -- --nocapture s3_cases`
//! prints how many of them hold.

use std::time::Duration;

use lab::{Background, s3::Door};

const SCRIPT: &str = include_str!("s3_cases.py");

/// Those that do not hold, by a part of their line, and why that is as it should be.
const KNOWN: [(&str, &str); 1] = [(
    "prefix_and_delimiter['list_objects', '\\n'",
    "S3 encodes the prefix in a list of version 1 when asked to, and boto3 does not decode it there",
)];

#[test]
fn cases_of_s3_hold() {
    let Some(door) = Door::open(&[]) else { return };
    let script = door.daemon.scratch().join("s3_cases.py");
    std::fs::write(&script, SCRIPT).unwrap();
    door.bucket(&["create", "default", "versions"]).ok();
    let mut command = door.daemon.netns().command("python3");
    command.args(["-W", "ignore"]).arg(&script).env("ENDPOINT", door.endpoint());
    command.env("CERTIFICATE", door.certificate());
    command.env("BUCKET", "photos").env("VERSIONED", "versions").env("OTHER", "music");
    let own = |access: &str, secret: &str| (access.to_owned(), secret.to_owned());
    for (who, (access, secret)) in [
        ("ADMIN", own(&door.access, &door.secret)),
        ("READER", own("reader", "reader-secret")),
        ("VERSIONED", door.key("versions", "lab")),
        ("ALT", door.key("music", "lab")),
    ] {
        command.env(format!("{who}_ACCESS"), access).env(format!("{who}_SECRET"), secret);
    }
    let run = Background::start(command, Vec::new()).limit(Duration::from_secs(300)).wait().ok();
    let text = run.text();
    println!("{text}");
    assert!(text.contains("cases of S3: "), "{text}");
    let failed = text.lines().filter(|line| line.starts_with("FAILED"));
    let new: Vec<_> =
        failed.filter(|line| !KNOWN.iter().any(|(case, _)| line.contains(case))).collect();
    assert!(new.is_empty(), "{new:#?}");
}
