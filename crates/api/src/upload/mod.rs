//! An image or a backup that a client sends: straight into files of the cache folder, never into memory.
//!
//! One file is the body itself; a split image is a form of `metadata` and `rootfs`. What is said
//! of the image stands in headers. Whatever goes wrong, also that the client breaks off, the files
//! are removed; once an operation has taken them over, they are its own.

use std::path::{Path, PathBuf};

use axum::body::Body;
use bytes::Bytes;
use cloud::images::Upload;
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use http::{HeaderMap, Request, header::CONTENT_TYPE};
use multer::Multipart;
use tokio::io::{AsyncWriteExt, BufWriter};
use wire::{ConfigMap, ImageAlias, ImagesPost};

use crate::{
    error::{Error, Result},
    routes::content_type,
};

const FORM: &str = "multipart/form-data";

/// Pieces of a body that may be blank before it says what it is.
const BLANKS: usize = 16;

/// Bytes gathered before they are written.
const BUFFER: usize = 1 << 20;

/// An image that has arrived.
pub(crate) struct Received {
    files: Staged,
    fingerprint: Option<String>,
    /// What the client says of it.
    pub(crate) post: ImagesPost,
}

impl Received {
    /// Its files, as the verb wants them.
    pub(crate) fn upload(&self) -> Upload {
        Upload {
            main: self.files.main.clone(),
            rootfs: self.files.has_rootfs.then(|| self.files.rootfs.clone()),
            fingerprint: self.fingerprint.clone(),
        }
    }

    /// From now on the files belong to the operation.
    pub(crate) fn hand_over(mut self) {
        self.files.owned = false;
    }
}

/// What another server brings an image by that was asked for: the secret, and which image.
pub(crate) fn brought(headers: &HeaderMap) -> Result<Option<(String, String)>> {
    let fingerprint = said(headers, "x-lxd-fingerprint")?.unwrap_or_default();
    Ok(said(headers, "x-lxd-secret")?.map(|secret| (secret, fingerprint)))
}

/// Whether a request carries an image, and not JSON; and the request. Where the client does not say (pylxd), the first
/// byte tells: no format of images begins as JSON does.
pub(crate) async fn is_upload(request: Request<Body>) -> Result<(bool, Request<Body>)> {
    let said = content_type(&request);
    if !said.is_empty() {
        return Ok((matches!(said.as_str(), "application/octet-stream" | FORM), request));
    }
    let (head, body) = request.into_parts();
    let mut body = body.into_data_stream();
    let (mut begun, mut first) = (Vec::new(), None);
    while first.is_none()
        && let Some(bytes) = body.next().await
    {
        let bytes = bytes.map_err(|error| Error::bad("body", error))?;
        first = bytes.iter().copied().find(|byte| !byte.is_ascii_whitespace());
        begun.push(Ok(bytes));
        if begun.len() > BLANKS {
            return Err(Error::bad("body", "it is neither an image nor JSON"));
        }
    }
    let whole = Body::from_stream(stream::iter(begun).chain(body));
    Ok((first.is_some_and(|byte| byte != b'{'), Request::from_parts(head, whole)))
}

/// A backup, or another file that becomes something, that has arrived.
pub(crate) struct ReceivedFile {
    files: Staged,
    upload: cloud::backups::Upload,
}

impl ReceivedFile {
    /// It, as the verb wants it.
    pub(crate) fn upload(&self) -> &cloud::backups::Upload {
        &self.upload
    }

    /// From now on the file belongs to the operation.
    pub(crate) fn hand_over(mut self) {
        self.files.owned = false;
    }
}

/// Whether a request carries a file, and not JSON.
pub(crate) fn is_file(request: &Request<Body>) -> bool {
    content_type(request) == "application/octet-stream"
}

/// What the client says a file is; empty when it says nothing.
pub(crate) fn said_type(request: &Request<Body>) -> Result<&str> {
    Ok(text(request.headers(), "x-lxd-type")?.unwrap_or_default())
}

/// Receives a file into `folder`.
pub(crate) async fn receive_file(folder: &Path, request: Request<Body>) -> Result<ReceivedFile> {
    let files = Staged::new(folder);
    let upload = cloud::backups::Upload {
        file: files.main.clone(),
        name: said(request.headers(), "x-lxd-name")?,
        pool: said(request.headers(), "x-lxd-pool")?,
    };
    let body = request.into_body().into_data_stream();
    save(&files.main, body.map_err(|error| Error::bad("body", error))).await?;
    Ok(ReceivedFile { files, upload })
}

/// Receives an image into `folder`.
pub(crate) async fn receive(folder: &Path, request: Request<Body>) -> Result<Received> {
    let (post, fingerprint) = described(request.headers())?;
    let mut files = Staged::new(folder);
    if content_type(&request) == FORM {
        form(&mut files, request).await?;
    } else {
        let body = request.into_body().into_data_stream();
        save(&files.main, body.map_err(|error| Error::bad("body", error))).await?;
    }
    Ok(Received { files, fingerprint, post })
}

async fn form(files: &mut Staged, request: Request<Body>) -> Result<()> {
    let bad = |error| Error::bad("form", error);
    let kind = text(request.headers(), CONTENT_TYPE.as_str())?.unwrap_or_default();
    let boundary = multer::parse_boundary(kind).map_err(bad)?;
    let mut form = Multipart::new(request.into_body().into_data_stream(), boundary);
    let mut has_metadata = false;
    while let Some(field) = form.next_field().await.map_err(bad)? {
        let name = field.name().unwrap_or_default().to_owned();
        let (path, has) = match name.as_str() {
            "metadata" => (&files.main, &mut has_metadata),
            "rootfs" | "rootfs.img" => (&files.rootfs, &mut files.has_rootfs),
            other => {
                let why = format!("a part \"{other}\": metadata, rootfs, rootfs.img");
                return Err(Error::bad("form", why));
            }
        };
        if std::mem::replace(has, true) {
            return Err(Error::bad("form", format!("more than one part \"{name}\"")));
        }
        save(path, field.map_err(bad)).await?;
    }
    match (has_metadata, files.has_rootfs) {
        (true, true) => Ok(()),
        (false, _) => Err(Error::bad("form", "the part \"metadata\" is missing")),
        (true, false) => Err(Error::bad("form", "the part \"rootfs\" is missing")),
    }
}

/// Writes what comes into a new file. After a failure the rest is read and thrown away: a client
/// that still sends would see a broken connection instead of the reason.
async fn save(path: &Path, body: impl Stream<Item = Result<Bytes>>) -> Result<()> {
    let failed = |error| cloud::Error::file("write", path)(error);
    let mut options = tokio::fs::OpenOptions::new();
    let opened = options.write(true).create_new(true).mode(0o600).open(path).await;
    let mut writer = opened.map(|file| BufWriter::with_capacity(BUFFER, file));
    let mut body = std::pin::pin!(body);
    while let Some(bytes) = body.next().await {
        let bytes = bytes?;
        if let Ok(file) = &mut writer
            && let Err(error) = file.write_all(&bytes).await
        {
            writer = Err(error);
        }
    }
    Ok(writer.map_err(failed)?.flush().await.map_err(failed)?)
}

/// Files of an upload under way.
struct Staged {
    main: PathBuf,
    rootfs: PathBuf,
    has_rootfs: bool,
    owned: bool,
}

impl Staged {
    fn new(folder: &Path) -> Staged {
        let name = format!("upload-{}", uuid::Uuid::new_v4().simple());
        let (main, rootfs) = (folder.join(&name), folder.join(name + ".rootfs"));
        Staged { main, rootfs, has_rootfs: false, owned: true }
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.owned {
            return;
        }
        for path in [&self.main, &self.rootfs] {
            match std::fs::remove_file(path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    // It is removed when the daemon starts again.
                    tracing::warn!(path = %path.display(), %error, "upload left behind");
                }
                _ => {}
            }
        }
    }
}

/// What the headers say of an image, and its fingerprint.
fn described(headers: &HeaderMap) -> Result<(ImagesPost, Option<String>)> {
    let properties: ConfigMap = pairs(headers, "x-lxd-properties")?.into_iter().collect();
    let alias = |name: String| ImageAlias { name, description: String::new() };
    let public = text(headers, "x-lxd-public")?.unwrap_or_default().to_ascii_lowercase();
    let post = ImagesPost {
        aliases: values(headers, "x-lxd-aliases", "alias")?.into_iter().map(alias).collect(),
        filename: text(headers, "x-lxd-filename")?.unwrap_or_default().to_owned(),
        profiles: values(headers, "x-lxd-profiles", "profile")?,
        public: matches!(public.as_str(), "1" | "true" | "yes" | "on"),
        properties,
        ..ImagesPost::default()
    };
    Ok((post, said(headers, "x-lxd-fingerprint")?))
}

/// What a header says, if it is there and says something.
fn said(headers: &HeaderMap, name: &str) -> Result<Option<String>> {
    Ok(text(headers, name)?.filter(|text| !text.is_empty()).map(str::to_owned))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    let text = std::str::from_utf8(value.as_bytes());
    text.map(Some).map_err(|error| Error::bad("header", format!("{name}: {error}")))
}

/// A header that is written like a query.
fn pairs(headers: &HeaderMap, name: &str) -> Result<Vec<(String, String)>> {
    let text = text(headers, name)?.unwrap_or_default();
    serde_urlencoded::from_str(text)
        .map_err(|error| Error::bad("header", format!("{name}: {error}")))
}

/// The values of one key in a header that is written like a query.
fn values(headers: &HeaderMap, name: &str, key: &str) -> Result<Vec<String>> {
    let pairs = pairs(headers, name)?.into_iter();
    Ok(pairs.filter(|(found, _)| found == key).map(|(_, value)| value).collect())
}

#[cfg(test)]
mod tests;
