//! Which bucket the name of the host means, if one: `photos.s3.lan` is the bucket `photos` of `s3.lan`.

use std::{net::IpAddr, sync::Arc};

use cloud::{World, storage::buckets::door};
use s3s::{
    S3Result,
    host::{S3Host, VirtualHost},
};

/// Knows the server's own names and its buckets.
#[derive(Clone)]
pub(crate) struct Hosts {
    pub(crate) world: Arc<World>,
    /// The server's own names.
    pub(crate) own: Vec<String>,
}

impl S3Host for Hosts {
    fn parse_host_header<'a>(&'a self, host: &'a str) -> S3Result<VirtualHost<'a>> {
        let is_bucket = |name: &str| matches!(door::exists(&self.world, name), Ok(true));
        Ok(match split(host, &self.own, is_bucket) {
            Some((bucket, domain)) => VirtualHost::new(domain).with_bucket(bucket),
            None => VirtualHost::new(host),
        })
    }
}

/// The bucket and the rest. A name of the server's own is no bucket; behind another name anything may be the
/// server, so that a bucket is whatever there is one of.
fn split<'a>(
    host: &'a str,
    own: &[String],
    is_bucket: impl Fn(&str) -> bool,
) -> Option<(&'a str, &'a str)> {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let ip = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    if ip.is_ok() || own.iter().any(|own| own.eq_ignore_ascii_case(name)) {
        return None;
    }
    let mut dots = name.match_indices('.').map(|(at, _)| (&name[..at], &name[at + 1..]));
    dots.find(|(bucket, domain)| !domain.is_empty() && is_bucket(bucket))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_before_the_servers_name_is_meant() {
        let own = [String::from("pi.lan"), String::from("localhost")];
        let is_bucket = |name: &str| ["photos", "my.music", "pi"].contains(&name);
        for (host, bucket) in [
            ("photos.pi.lan:8555", Some("photos")),
            ("my.music.pi.lan", Some("my.music")),
            ("pi.lan:8555", None),
            ("pi.pi.lan", Some("pi")),
            ("films.pi.lan", None),
            ("photos.example.org", Some("photos")),
            ("localhost:8555", None),
            ("photos.localhost:8555", Some("photos")),
            ("127.0.0.1:8555", None),
            ("[::1]:8555", None),
            ("photos", None),
        ] {
            assert_eq!(split(host, &own, is_bucket).map(|(bucket, _)| bucket), bucket, "{host}");
        }
    }
}
