//! What comes in: into a draft as it comes, checked against all that the client says of it.

use std::collections::BTreeMap;

use futures_util::StreamExt;
use objects::{Draft, Written};
use s3s::{
    S3Error, S3Result, TrailingHeaders,
    checksum::ChecksumHasher,
    crypto::{Checksum as _, Crc32, Crc32c, Crc64Nvme, Sha1, Sha256},
    dto::StreamingBlob,
    s3_error,
};

use crate::{
    convert,
    error::{off_thread, other_contents},
};

/// Bytes that are gathered before they are written: few trips to another thread, little memory.
const GATHERED: usize = 256 << 10;

/// What a client says of a body.
pub(crate) struct Told {
    pub(crate) length: Option<i64>,
    pub(crate) md5: Option<String>,
    /// Checksums by their algorithms.
    pub(crate) sums: [(&'static str, Option<String>); 5],
    /// Names of headers that come behind the body.
    pub(crate) announced: String,
    pub(crate) trailers: Option<TrailingHeaders>,
}

/// The fields of a request that say something of its body.
macro_rules! told {
    ($req:expr) => {
        $crate::body::Told {
            length: $req.input.content_length,
            md5: $req.input.content_md5.take(),
            sums: [
                ("crc32", $req.input.checksum_crc32.take()),
                ("crc32c", $req.input.checksum_crc32c.take()),
                ("crc64nvme", $req.input.checksum_crc64nvme.take()),
                ("sha1", $req.input.checksum_sha1.take()),
                ("sha256", $req.input.checksum_sha256.take()),
            ],
            announced: $crate::body::announced(&$req.headers),
            trailers: $req.trailing_headers.take(),
        }
    };
}
pub(crate) use told;

/// Checksums by their algorithms.
pub(crate) type Sums = BTreeMap<String, String>;

/// What stands in `x-amz-trailer`.
pub(crate) fn announced(headers: &http::HeaderMap) -> String {
    let value = headers.get("x-amz-trailer").and_then(|value| value.to_str().ok());
    value.unwrap_or_default().to_ascii_lowercase()
}

/// Takes a body in, all of it or none.
pub(crate) async fn receive(
    draft: Draft,
    body: Option<StreamingBlob>,
    mut told: Told,
) -> S3Result<(Written, Sums)> {
    if told.md5.as_ref().is_some_and(|md5| !is_md5(md5)) {
        return Err(s3_error!(InvalidDigest));
    }
    let mut hasher = hasher(&told);
    let draft = match body {
        Some(body) => fill(draft, body, &mut hasher).await?,
        None => draft,
    };
    check_length(&told, draft.size())?;
    let sums = check_sums(&mut told, hasher)?;
    let written = off_thread(move || draft.finish()).await?;
    match &told.md5 {
        Some(md5) if *md5 != convert::base64_of_hex(written.etag()) => Err(s3_error!(BadDigest)),
        _ => Ok((written, sums)),
    }
}

/// Writes what comes. When that fails the rest is read all the same: most clients hear no error while they send.
async fn fill(
    draft: Draft,
    mut body: StreamingBlob,
    hasher: &mut ChecksumHasher,
) -> S3Result<Draft> {
    let (mut filled, mut gathered) = (Ok(draft), Vec::new());
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|error| broken(&*error))?;
        hasher.update(&chunk);
        if let Ok(draft) = filled {
            gathered.extend_from_slice(&chunk);
            filled = match gathered.len() {
                GATHERED.. => write(draft, &mut gathered).await,
                _ => Ok(draft),
            };
        }
    }
    write(filled?, &mut gathered).await
}

async fn write(mut draft: Draft, gathered: &mut Vec<u8>) -> S3Result<Draft> {
    let mut bytes = std::mem::take(gathered);
    let written = off_thread(move || {
        draft.write(&bytes)?;
        bytes.clear();
        Ok((draft, bytes))
    });
    let (draft, bytes) = written.await?;
    *gathered = bytes;
    Ok(draft)
}

/// Whether it is 16 bytes in base64.
fn is_md5(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"+/".contains(&byte);
    text.len() == 24 && text.ends_with("==") && text.bytes().take(22).all(plain)
}

fn check_length(told: &Told, size: u64) -> S3Result<()> {
    match told.length.and_then(|length| u64::try_from(length).ok()) {
        Some(length) if length != size => Err(s3_error!(IncompleteBody)),
        _ => Ok(()),
    }
}

fn hasher(told: &Told) -> ChecksumHasher {
    let wants = |name: &str| {
        let given = told.sums.iter().any(|(algorithm, sum)| *algorithm == name && sum.is_some());
        given || told.announced.split(',').any(|header| header.trim() == header_of(name))
    };
    ChecksumHasher {
        crc32: wants("crc32").then(Crc32::new),
        crc32c: wants("crc32c").then(Crc32c::new),
        crc64nvme: wants("crc64nvme").then(Crc64Nvme::new),
        sha1: wants("sha1").then(Sha1::new),
        sha256: wants("sha256").then(Sha256::new),
    }
}

fn header_of(algorithm: &str) -> String {
    format!("x-amz-checksum-{algorithm}")
}

/// Each checksum that was told, before the body or behind it, is right.
fn check_sums(told: &mut Told, hasher: ChecksumHasher) -> S3Result<Sums> {
    let found = hasher.finalize();
    let found = [
        found.checksum_crc32,
        found.checksum_crc32c,
        found.checksum_crc64nvme,
        found.checksum_sha1,
        found.checksum_sha256,
    ];
    let trailers = told.trailers.take().and_then(|trailers| trailers.take()).unwrap_or_default();
    let mut sums = Sums::new();
    for ((algorithm, given), found) in told.sums.iter_mut().zip(found) {
        let Some(found) = found else { continue };
        let behind = trailers.get(header_of(algorithm)).and_then(|value| value.to_str().ok());
        match given.as_deref().or(behind) {
            Some(given) if given == found => sums.insert((*algorithm).to_owned(), found),
            Some(_) => return Err(s3_error!(BadDigest, "the {algorithm} is another")),
            None => return Err(s3_error!(IncompleteBody, "the {algorithm} did not come")),
        };
    }
    Ok(sums)
}

/// Why a body did not come whole. s3s tells it in words alone.
fn broken(error: &(dyn std::error::Error + Send + Sync + 'static)) -> S3Error {
    let text = error.to_string();
    match () {
        () if text.contains("SignatureMismatch") => s3_error!(SignatureDoesNotMatch),
        () if text.contains("Sha256Mismatch") => other_contents(),
        () => s3_error!(IncompleteBody),
    }
}
