//! The fence around the API.
//!
//! Answers whether a request may come in. Does not know what it asks for. The API asks nobody who they are, because it is
//! on loopback; but every web page a person on this machine opens can also send requests to loopback, so two things are
//! demanded that a foreign page cannot produce: a `Host` that no name server could have pointed here (DNS rebinding), and,
//! for everything that steers, a header that makes the browser ask first.

use std::net::IpAddr;

use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// Demanded of every request that steers, unless its content type is JSON.
pub(crate) const OPERATOR_HEADER: &str = "x-homeostat-operator";

/// Lets a request through or answers why not.
pub(crate) async fn guard(request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let named = host.or_else(|| request.uri().authority().map(|authority| authority.as_str()));
    if !named.is_some_and(is_own_name) {
        let why = "this host name is not the agent's; use 127.0.0.1, [::1] or localhost\n";
        return (StatusCode::FORBIDDEN, why).into_response();
    }
    if !request.method().is_safe() && !is_deliberate(request.headers()) {
        let why = format!("send the header {OPERATOR_HEADER}: 1, so that a web page cannot steer the agent unseen\n");
        return (StatusCode::FORBIDDEN, why).into_response();
    }
    next.run(request).await
}

/// An address was typed, not looked up, so it cannot have been rebound. Of the names only `localhost` is ours.
fn is_own_name(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((name, _)) => name,
            None => return false,
        },
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

fn is_deliberate(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    headers.get(OPERATOR_HEADER).is_some_and(|value| value == "1") || essence.eq_ignore_ascii_case("application/json")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: hosts as people type them, and as an attacker's name server would have them.
    /// Guarantees: addresses and localhost pass, every other name is refused.
    #[test]
    fn only_addresses_and_localhost_are_own_names() {
        for own in ["127.0.0.1:4390", "localhost:4390", "LOCALHOST", "[::1]:4390", "[::1]", "10.0.0.7"] {
            assert!(is_own_name(own), "{own}");
        }
        for foreign in ["evil.example:4390", "localhost.evil.example", "127.0.0.1.evil.example", "", "[::1", ":4390"] {
            assert!(!is_own_name(foreign), "{foreign}");
        }
    }

    /// Scenario: a form post, a JSON post, a post with the operator's header.
    /// Guarantees: what a foreign page can send without asking is not deliberate.
    #[test]
    fn a_form_post_is_not_deliberate() {
        let with = |name: &'static str, value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().expect("a header value"));
            is_deliberate(&headers)
        };
        assert!(with("x-homeostat-operator", "1"));
        assert!(with("content-type", "application/json; charset=utf-8"));
        assert!(!with("content-type", "text/plain"));
        assert!(!with("content-type", "application/x-www-form-urlencoded"));
        assert!(!is_deliberate(&HeaderMap::new()));
    }
}
