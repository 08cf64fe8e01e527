//! `/1.0/instances/{name}/files`, and the same of custom volumes: what a file is stands in headers, its contents
//! are the body.

use std::{io, path::Path};

use axum::{
    Json,
    body::Body,
    response::{IntoResponse, Response},
};
use bytes::{Bytes, BytesMut};
use cloud::{
    files::{self, FileKind, Found, New, Of, Open, Owner, Seen, Writing},
    volumes::Key,
};
use futures_util::{Stream, StreamExt, stream};
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
};
use tokio::{fs::File, io::AsyncReadExt};
use wire::{Empty, Endpoint, endpoints::files::*, query::FileQuery};

use crate::{
    error::{Error, Result},
    routes::{Call, RawCall, Routes},
};

/// Bytes read from a file at once.
const BLOCK: usize = 256 << 10;

/// Bytes of a link's target at most (`PATH_MAX`).
const TARGET: usize = 4096;

pub(crate) fn routes(routes: Routes) -> Routes {
    routes
        .raw::<InstanceFileGet, _>(|call| get(instance, call))
        .raw::<InstanceFileHead, _>(|call| head(instance, call))
        .raw::<InstanceFilePut, _>(|call| put(instance, call))
        .sync::<InstanceFileDelete, _>(|call| delete(instance, call))
        .raw::<InstanceSftp, _>(crate::sftp::get)
        .raw::<VolumeFileGet, _>(|call| get(volume, call))
        .raw::<VolumeFileHead, _>(|call| head(volume, call))
        .raw::<VolumeFilePut, _>(|call| put(volume, call))
        .sync::<VolumeFileDelete, _>(|call| delete(volume, call))
}

/// Whose files a request is about.
type Owned<E> = fn(&Call<E>) -> Result<Of>;

fn instance<E: Endpoint<Query = FileQuery>>(call: &Call<E>) -> Result<Of> {
    let (project, name) = (call.query.project().to_owned(), call.path("name").to_owned());
    Ok(Of::Instance { project, name })
}

fn volume<E: Endpoint<Query = FileQuery>>(call: &Call<E>) -> Result<Of> {
    let (pool, project) = (call.path("pool"), call.query.project());
    let asked = (pool, project, call.path("type"), call.path("volumeName"));
    Ok(Of::Volume(Key::asked(&call.world, asked)?))
}

fn path(query: &FileQuery) -> Result<&Path> {
    match query.path.as_str() {
        "" => Err(Error::bad("path", "it is missing: the query names it, as in ?path=/etc/hosts")),
        path if path.contains('\0') => Err(Error::bad("path", "it holds a zero byte")),
        path => Ok(Path::new(path)),
    }
}

async fn get<E: Endpoint<Query = FileQuery>>(
    of: Owned<E>,
    RawCall { call, .. }: RawCall<E>,
) -> Result<Response> {
    let path = path(&call.query)?;
    let (seen, found) = files::get(&call.world, &call.caller, &of(&call)?, path).await?;
    let mut response = match found {
        Found::File(open) => contents(open, seen.size),
        Found::Link(target) => raw(Body::from(target)),
        Found::Folder(names) => Json(wire::Response::sync(names)).into_response(),
    };
    describe(&seen, response.headers_mut())?;
    Ok(response)
}

async fn head<E: Endpoint<Query = FileQuery>>(
    of: Owned<E>,
    RawCall { call, .. }: RawCall<E>,
) -> Result<Response> {
    let seen = files::look(&call.world, &of(&call)?, path(&call.query)?).await?;
    let mut response = raw(Body::empty());
    describe(&seen, response.headers_mut())?;
    if seen.kind == FileKind::File {
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(seen.size));
    }
    Ok(response)
}

/// To the end even if the client goes away: half a body is no body.
async fn put<E: Endpoint<Query = FileQuery>>(
    of: Owned<E>,
    RawCall { call, request }: RawCall<E>,
) -> Result<Response> {
    let work = tokio::spawn(async move {
        let (parts, body) = request.into_parts();
        let (kind, how, owner) = wanted(&parts.headers)?;
        let mut body = body.into_data_stream();
        let new = match kind {
            FileKind::Folder => New::Folder,
            FileKind::Link => New::Link(target(&mut body).await?.into()),
            _ => New::File(&mut body, how),
        };
        let (of, path) = (of(&call)?, path(&call.query)?);
        let done = files::put(&call.world, &call.caller, &of, path, (new, owner)).await;
        if done.is_err() {
            // A client that still sends would see a broken connection instead of the reason.
            while let Some(Ok(_)) = body.next().await {}
        }
        Ok(done?)
    });
    work.await.unwrap_or(Err(Error::Broken))?;
    Ok(Json(wire::Response::sync(Empty {})).into_response())
}

async fn delete<E: Endpoint<Query = FileQuery>>(of: Owned<E>, call: Call<E>) -> Result<Empty> {
    files::delete(&call.world, &call.caller, &of(&call)?, path(&call.query)?).await?;
    Ok(Empty {})
}

async fn target(
    body: &mut (impl Stream<Item = Result<Bytes, axum::Error>> + Unpin),
) -> Result<String> {
    let mut text = Vec::new();
    while let Some(block) = body.next().await {
        text.extend_from_slice(&block.map_err(|error| Error::bad("body", error))?);
        if text.len() > TARGET {
            return Err(Error::TooLarge { limit: TARGET });
        }
    }
    match String::from_utf8(text) {
        Ok(text) if !text.is_empty() && !text.contains('\0') => Ok(text),
        _ => Err(Error::bad("body", "it has to be the text a link leads to")),
    }
}

fn raw(body: Body) -> Response {
    ([(CONTENT_TYPE, "application/octet-stream")], body).into_response()
}

/// As many bytes as there were when it was opened, for a log may grow. The session is ended before
/// the last of them is sent: then the client may already start the instance.
fn contents(open: Open, length: u64) -> Response {
    let Open { file, session } = open;
    let start = (File::from_std(file), Some(session), length);
    let blocks = stream::try_unfold(start, |(mut file, mut session, left)| async move {
        if left == 0 {
            return Ok::<_, io::Error>(None);
        }
        let size = usize::try_from(left).unwrap_or(BLOCK).min(BLOCK);
        let mut block = BytesMut::with_capacity(size);
        let read = (&mut file).take(size as u64).read_buf(&mut block).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let left = left - read as u64;
        if left == 0
            && let Some(session) = session.take()
        {
            session.close().await;
        }
        Ok(Some((block.freeze(), (file, session, left))))
    });
    let mut response = raw(Body::from_stream(blocks));
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    response
}

/// What a client reads of a file.
fn describe(seen: &Seen, headers: &mut HeaderMap) -> Result<()> {
    let kind = match seen.kind {
        FileKind::Folder => "directory",
        FileKind::Link => "symlink",
        _ => "file",
    };
    let fields = [
        ("x-lxd-uid", seen.uid.to_string()),
        ("x-lxd-gid", seen.gid.to_string()),
        ("x-lxd-mode", format!("{:04o}", seen.mode & 0o7777)),
        ("x-lxd-type", kind.to_owned()),
        ("x-lxd-modified", files::modified(seen)),
    ];
    for (name, value) in fields {
        let value = HeaderValue::from_str(&value).map_err(|error| Error::bad("header", error))?;
        headers.insert(HeaderName::from_static(name), value);
    }
    Ok(())
}

/// What a client wants made.
fn wanted(headers: &HeaderMap) -> Result<(FileKind, Writing, Owner)> {
    let text = |name| {
        let value = headers.get(name).map_or(Ok(""), HeaderValue::to_str);
        value.map(str::trim).map_err(|error| Error::bad(name, error))
    };
    let kind = match text("x-lxd-type")? {
        "" | "file" => FileKind::File,
        "directory" => FileKind::Folder,
        "symlink" => FileKind::Link,
        other => {
            let why = format!("\"{other}\": file, directory, symlink");
            return Err(Error::bad("X-LXD-type", why));
        }
    };
    let how = match text("x-lxd-write")? {
        "" | "overwrite" => Writing::Replace,
        "append" => Writing::Append,
        other => {
            return Err(Error::bad("X-LXD-write", format!("\"{other}\": overwrite, append")));
        }
    };
    let owner = Owner {
        uid: id("X-LXD-uid", text("x-lxd-uid")?)?,
        gid: id("X-LXD-gid", text("x-lxd-gid")?)?,
        mode: mode(text("x-lxd-mode")?)?,
    };
    Ok((kind, how, owner))
}

/// A user or group; -1 is what some clients say for none.
fn id(header: &'static str, text: &str) -> Result<Option<u32>> {
    match text {
        "" | "-1" => Ok(None),
        text => match text.parse() {
            Ok(id) if id < u32::MAX => Ok(Some(id)),
            _ => Err(Error::bad(header, format!("\"{text}\": a number from 0 to 4294967294"))),
        },
    }
}

/// Permissions in octal digits.
fn mode(text: &str) -> Result<Option<u32>> {
    let digits = text.strip_prefix("0o").unwrap_or(text);
    match (text, u32::from_str_radix(digits, 8)) {
        ("" | "-1", _) => Ok(None),
        (_, Ok(mode @ 0..=0o7777)) => Ok(Some(mode)),
        _ => Err(Error::bad("X-LXD-mode", format!("\"{text}\": octal digits from 0 to 7777"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wants(pairs: &[(&'static str, &str)]) -> Result<(FileKind, Writing, Owner)> {
        let pairs = pairs.iter().map(|(name, value)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        });
        wanted(&pairs.collect())
    }

    #[test]
    fn headers_say_what_is_wanted() {
        let (kind, how, owner) = wants(&[]).unwrap();
        assert_eq!((kind, how, owner), (FileKind::File, Writing::Replace, Owner::default()));
        let given = [("x-lxd-type", "directory"), ("x-lxd-mode", "0750"), ("x-lxd-uid", "-1")];
        let (kind, _, owner) = wants(&given).unwrap();
        assert_eq!((kind, owner.mode, owner.uid), (FileKind::Folder, Some(0o750), None));
    }

    #[test]
    fn wrong_headers_name_themselves_and_what_is_allowed() {
        let wrong = [
            ("x-lxd-type", "socket", "invalid X-LXD-type: \"socket\": file, directory, symlink"),
            ("x-lxd-write", "w", "invalid X-LXD-write: \"w\": overwrite, append"),
            ("x-lxd-mode", "rwx", "invalid X-LXD-mode: \"rwx\": octal digits from 0 to 7777"),
            ("x-lxd-mode", "17777", "invalid X-LXD-mode: \"17777\": octal digits from 0 to 7777"),
            ("x-lxd-uid", "-2", "invalid X-LXD-uid: \"-2\": a number from 0 to 4294967294"),
        ];
        for (name, value, words) in wrong {
            assert_eq!(wants(&[(name, value)]).unwrap_err().to_string(), words);
        }
    }
}
