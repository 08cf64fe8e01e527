//! From what a store has to what S3 says, and back.

use std::{
    collections::BTreeMap,
    time::{Duration, UNIX_EPOCH},
};

use objects::{Attributes, Object, Tags};
use s3s::{
    S3Result,
    dto::{ETag, ETagCondition, Metadata, ObjectCannedACL, Timestamp, TimestampFormat},
    s3_error,
};

use crate::verbs::acl;

/// What an object is when its owner says nothing.
pub(crate) const CONTENT_TYPE: &str = "binary/octet-stream";
/// Tags of an object at most, as S3 has it.
const MOST_TAGS: usize = 10;
/// Bytes of the owner's own attributes at most, as S3 has it.
const MOST_METADATA: usize = 2048;

pub(crate) fn time(milliseconds: i64) -> Timestamp {
    let since = Duration::from_millis(u64::try_from(milliseconds).unwrap_or(0));
    Timestamp::from(UNIX_EPOCH + since)
}

pub(crate) fn etag(object: &Object) -> ETag {
    ETag::Strong(object.etag.clone())
}

pub(crate) fn size(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// Whether a condition is of this etag. S3 takes them without quotes too.
pub(crate) fn matches(condition: &ETagCondition, etag: &str) -> bool {
    match condition.as_etag() {
        None => true,
        Some(wanted) => wanted.value() == etag,
    }
}

/// Milliseconds since 1970.
pub(crate) fn milliseconds(time: &Timestamp) -> i64 {
    let mut text = Vec::new();
    // Into memory it cannot fail.
    let _ = time.format(TimestampFormat::EpochSeconds, &mut text);
    let text = String::from_utf8_lossy(&text);
    let seconds: i64 = text.split('.').next().and_then(|whole| whole.parse().ok()).unwrap_or(0);
    seconds.saturating_mul(1000)
}

/// Whether it was changed after that time; HTTP knows whole seconds.
pub(crate) fn newer(object: &Object, time: &Timestamp) -> bool {
    object.modified / 1000 > milliseconds(time) / 1000
}

/// What the headers of a request say of its object.
pub(crate) struct Said<'a> {
    pub(crate) metadata: Option<Metadata>,
    pub(crate) expires: Option<&'a Timestamp>,
    pub(crate) headers: [(&'static str, Option<&'a String>); 5],
    pub(crate) acl: Option<&'a ObjectCannedACL>,
    /// Access for somebody by name.
    pub(crate) grants: [&'a Option<String>; 4],
    /// Whether the server is to encrypt it.
    pub(crate) encrypted: bool,
    /// Whether it is to be locked.
    pub(crate) locked: bool,
}

impl Said<'_> {
    pub(crate) fn attributes(self) -> S3Result<Attributes> {
        // Who asks for it and is not told would believe it so.
        if self.encrypted {
            return Err(s3_error!(
                NotImplemented,
                "encryption by the server: use an encrypted pool"
            ));
        }
        if self.locked {
            return Err(s3_error!(InvalidRequest, "Bucket is missing Object Lock Configuration"));
        }
        let access = acl::of_new(self.acl, &self.grants)?;
        let user: BTreeMap<String, String> =
            self.metadata.unwrap_or_default().into_iter().collect();
        let bytes: usize = user.iter().map(|(key, value)| key.len() + value.len()).sum();
        if bytes > MOST_METADATA {
            return Err(s3_error!(MetadataTooLarge));
        }
        let said =
            self.headers.into_iter().filter_map(|(name, value)| Some((name, value?.clone())));
        let mut headers: BTreeMap<String, String> =
            said.map(|(name, value)| (name.to_owned(), value)).collect();
        // How the request came is not how the object is.
        if let Some(encoding) = headers.remove("content-encoding") {
            let parts = encoding.split(',').map(str::trim).filter(|part| *part != "aws-chunked");
            let left = parts.collect::<Vec<_>>().join(",");
            if !left.is_empty() {
                headers.insert(String::from("content-encoding"), left);
            }
        }
        if let Some(expires) = self.expires {
            headers.insert(String::from("expires"), http_date(expires));
        }
        Ok(Attributes { headers, user, access, ..Attributes::default() })
    }
}

/// The fields of a request that say something of its object. They are spelled alike in several.
macro_rules! said {
    ($input:expr) => {
        $crate::convert::Said {
            metadata: $input.metadata.take(),
            expires: $input.expires.as_ref(),
            headers: [
                ("cache-control", $input.cache_control.as_ref()),
                ("content-disposition", $input.content_disposition.as_ref()),
                ("content-encoding", $input.content_encoding.as_ref()),
                ("content-language", $input.content_language.as_ref()),
                ("content-type", $input.content_type.as_ref()),
            ],
            acl: $input.acl.as_ref(),
            grants: [
                &$input.grant_full_control,
                &$input.grant_read,
                &$input.grant_read_acp,
                &$input.grant_write_acp,
            ],
            encrypted: $input.server_side_encryption.is_some()
                || $input.sse_customer_algorithm.is_some(),
            locked: $input.object_lock_mode.is_some()
                || $input.object_lock_legal_hold_status.is_some()
                || $input.object_lock_retain_until_date.is_some(),
        }
    };
}
pub(crate) use said;

fn http_date(time: &Timestamp) -> String {
    let mut text = Vec::new();
    // Into memory it only fails for years that HTTP cannot write.
    let _ = time.format(TimestampFormat::HttpDate, &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// A header of an object as it was said.
pub(crate) fn header(object: &Object, name: &str) -> Option<String> {
    object.attributes.headers.get(name).cloned()
}

pub(crate) fn expires(object: &Object) -> Option<Timestamp> {
    Timestamp::parse(TimestampFormat::HttpDate, object.attributes.headers.get("expires")?).ok()
}

pub(crate) fn metadata(object: &Object) -> Option<Metadata> {
    let user = &object.attributes.user;
    (!user.is_empty()).then(|| user.clone().into_iter().collect())
}

/// Tags as a header has them: like a query.
pub(crate) fn header_tags(text: Option<&str>) -> S3Result<Tags> {
    let pairs = text.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let decoded: Vec<_> = pairs.map(|(key, value)| (decoded(key), decoded(value))).collect();
    tags(decoded)
}

/// Tags that an object may have, as S3 has it.
pub(crate) fn tags(pairs: Vec<(String, String)>) -> S3Result<Tags> {
    tags_of(pairs, MOST_TAGS)
}

/// So many tags at most.
pub(crate) fn tags_of(pairs: Vec<(String, String)>, most: usize) -> S3Result<Tags> {
    let count = pairs.len();
    let tags: Tags = pairs.into_iter().collect();
    let right = |(key, value): (&String, &String)| {
        (1..=128).contains(&key.chars().count()) && value.chars().count() <= 256
    };
    if count > most || tags.len() != count || !tags.iter().all(right) {
        return Err(s3_error!(InvalidTag));
    }
    Ok(tags)
}

pub(crate) fn decoded(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let [first, more @ ..] = rest {
        rest = more;
        let hex = more.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        match (first, hex.and_then(|two| u8::from_str_radix(two, 16).ok())) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &more[2..];
            }
            (b'+', _) => bytes.push(b' '),
            (byte, _) => bytes.push(*byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A key as XML can hold it, for clients that ask for that.
pub(crate) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// MD5 as a header has it, from hexadecimal (RFC 4648, 4).
pub(crate) fn base64_of_hex(hex: &str) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let byte = |at: usize| u8::from_str_radix(hex.get(at..at + 2).unwrap_or("0"), 16).unwrap_or(0);
    let bytes: Vec<u8> = (0..hex.len()).step_by(2).map(byte).collect();
    let mut out = String::new();
    for three in bytes.chunks(3) {
        let at = |n: usize| u32::from(three.get(n).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for n in 0..4 {
            match n <= three.len() {
                true => out.push(char::from(LETTERS[(bits >> (18 - 6 * n)) as usize & 63])),
                false => out.push('='),
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_coded_as_clients_do() {
        assert_eq!(encoded("a b/ä\n"), "a%20b/%C3%A4%0A");
        assert_eq!(decoded("a%20b+c%C3%A4%"), "a b cä%");
        assert_eq!(base64_of_hex("d41d8cd98f00b204e9800998ecf8427e"), "1B2M2Y8AsgTpgAmY7PhCfg==");
        assert_eq!(base64_of_hex("666f6f"), "Zm9v");
    }

    #[test]
    fn tags_are_few_and_short() {
        assert_eq!(header_tags(Some("a=b&c=%20")).unwrap()["c"], " ");
        assert!(header_tags(None).unwrap().is_empty());
        for bad in ["=b", "a=1&a=2"] {
            assert!(header_tags(Some(bad)).is_err(), "{bad}");
        }
        let eleven = (0..11).map(|n| (n.to_string(), String::new())).collect();
        assert!(tags(eleven).is_err());
    }
}
