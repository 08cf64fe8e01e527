//! Requests of pages of other sites: a browser asks first (OPTIONS) whether it may, and looks at headers of the answer
//! before it gives that to the page. Which site may do what say the bucket's rules.

use std::sync::Arc;

use cloud::{World, storage::buckets::door};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS,
        ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS,
        ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD,
        HOST, ORIGIN, VARY,
    },
};
use hyper::body::Incoming;
use s3s::{Body, HttpError, HttpResponse, dto::CORSRule, host::S3Host, service::S3Service};

use crate::{error::off_thread, host::Hosts, rest, verbs::cors};

/// What stands before the service.
pub(crate) struct Front {
    pub(crate) service: S3Service,
    pub(crate) world: Arc<World>,
    pub(crate) hosts: Hosts,
}

impl Front {
    /// Answers a request.
    pub(crate) async fn answer(
        self: Arc<Front>,
        request: Request<Incoming>,
    ) -> Result<HttpResponse, HttpError> {
        let Some(origin) = text(request.headers(), &ORIGIN) else {
            return rest::answer(self.service.clone(), request).await;
        };
        let rules = self.rules(&request).await;
        if request.method() == Method::OPTIONS {
            return Ok(asked(&rules, &origin, request.headers()));
        }
        let method = request.method().as_str().to_owned();
        let mut answer = rest::answer(self.service.clone(), request).await?;
        if let Some(rule) = rules.iter().find(|rule| allows(rule, &origin, &method, "")) {
            tell(answer.headers_mut(), rule, &origin);
        }
        Ok(answer)
    }

    /// The rules of the bucket that a request names; none where there is no bucket.
    async fn rules(&self, request: &Request<Incoming>) -> Vec<CORSRule> {
        let host = text(request.headers(), &HOST).unwrap_or_default();
        let host = self.hosts.parse_host_header(&host).ok();
        let named = host.as_ref().and_then(|host| host.bucket());
        let first = request.uri().path().split('/').nth(1).unwrap_or_default();
        let found = door::find(&self.world, named.unwrap_or(first));
        let Ok(Some(bucket)) = found else { return Vec::new() };
        match self.world.buckets.of(&self.world, &bucket).await {
            Ok(store) => off_thread(move || cors::stored(&store)).await.unwrap_or_default(),
            Err(_) => Vec::new(),
        }
    }
}

fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

/// The answer to a browser that asks whether it may.
fn asked(rules: &[CORSRule], origin: &str, headers: &HeaderMap) -> HttpResponse {
    let method = text(headers, &ACCESS_CONTROL_REQUEST_METHOD).unwrap_or_default();
    let wanted = text(headers, &ACCESS_CONTROL_REQUEST_HEADERS).unwrap_or_default();
    let mut answer = HttpResponse::new(Body::empty());
    match rules.iter().find(|rule| allows(rule, origin, &method, &wanted)) {
        Some(rule) => {
            tell(answer.headers_mut(), rule, origin);
            set(answer.headers_mut(), ACCESS_CONTROL_ALLOW_HEADERS, &wanted);
            if let Some(seconds) = rule.max_age_seconds {
                set(answer.headers_mut(), ACCESS_CONTROL_MAX_AGE, &seconds.to_string());
            }
        }
        None => *answer.status_mut() = StatusCode::FORBIDDEN,
    }
    answer
}

fn allows(rule: &CORSRule, origin: &str, method: &str, headers: &str) -> bool {
    let header = |name: &str| {
        let mut allowed = rule.allowed_headers.iter().flatten();
        allowed.any(|pattern| fits(&pattern.to_ascii_lowercase(), &name.to_ascii_lowercase()))
    };
    let mut wanted = headers.split(',').map(str::trim).filter(|name| !name.is_empty());
    rule.allowed_origins.iter().any(|pattern| fits(pattern, origin))
        && rule.allowed_methods.iter().any(|allowed| allowed == method)
        && wanted.all(header)
}

/// Whether a text is of a pattern, in which one `*` may stand for anything.
fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, tail)) => {
            text.len() >= head.len() + tail.len() && text.starts_with(head) && text.ends_with(tail)
        }
    }
}

fn tell(headers: &mut HeaderMap, rule: &CORSRule, origin: &str) {
    let anybody = rule.allowed_origins.iter().any(|pattern| pattern == "*");
    set(headers, ACCESS_CONTROL_ALLOW_ORIGIN, if anybody { "*" } else { origin });
    if !anybody {
        set(headers, ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
    }
    set(headers, ACCESS_CONTROL_ALLOW_METHODS, &rule.allowed_methods.join(", "));
    set(
        headers,
        ACCESS_CONTROL_EXPOSE_HEADERS,
        &rule.expose_headers.iter().flatten().cloned().collect::<Vec<_>>().join(", "),
    );
    set(headers, VARY, "Origin, Access-Control-Request-Headers, Access-Control-Request-Method");
}

/// Sets a header that has something to say and may be said.
fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value)
        && !value.is_empty()
    {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_allows_what_it_names_and_no_more() {
        let rule = CORSRule {
            allowed_origins: vec!["https://*.lan".into()],
            allowed_methods: vec!["GET".into()],
            allowed_headers: Some(vec!["X-Amz-*".into()]),
            ..CORSRule::default()
        };
        for (origin, method, headers, right) in [
            ("https://tv.lan", "GET", "", true),
            ("https://tv.lan", "GET", "x-amz-date, X-AMZ-a", true),
            ("https://tv.lan", "PUT", "", false),
            ("https://tv.lan", "GET", "x-amz-date, other", false),
            ("http://tv.lan", "GET", "", false),
            ("https://tv.lan.evil", "GET", "", false),
            ("https://.lan", "GET", "", true),
            ("https://lan", "GET", "", false),
        ] {
            assert_eq!(
                allows(&rule, origin, method, headers),
                right,
                "{origin} {method} {headers}"
            );
        }
    }
}
