//! Endpoints of the outside.
//!
//! Answers which URLs the agent may be given for scaling a service and for telling people. It does not call them. They are
//! types of their own, so that a URL is checked once, where the manifest is read, and not at the first action.

use std::collections::BTreeMap;
use std::fmt;

use homeostat_core::ServiceName;
use http::Uri;
use http::uri::Scheme;
use thiserror::Error;

/// Why text is not a URL the agent can call.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum EndpointError {
    /// It is no URL at all.
    #[error("`{text}` is not a URL; write it as http://HOST:PORT/PATH")]
    NotAUrl {
        /// The text.
        text: String,
    },
    /// It wants TLS.
    #[error(
        "`{text}` needs TLS, which is not supported yet; use http:// on a trusted network or through a local proxy"
    )]
    Tls {
        /// The text.
        text: String,
    },
    /// It wants something else.
    #[error("`{text}` does not begin with http://")]
    Scheme {
        /// The text.
        text: String,
    },
}

macro_rules! endpoints {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name(Uri);

        impl $name {
            /// Checks that `url` can be called.
            pub fn parse(url: &str) -> Result<$name, EndpointError> {
                parse(url).map($name)
            }
        }

        impl From<$name> for Uri {
            fn from(endpoint: $name) -> Uri {
                endpoint.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

endpoints! {
    /// Where a service says how many replicas it has, and takes how many it should have.
    ///
    /// `GET` answers `{"replicas": 2, "utilization": 0.93}`, where `utilization` may be left out; `PUT` takes
    /// `{"replicas": 4, "request_id": "a-17"}` and answers the same shape.
    ScaleEndpoint;
    /// Where a service says how many requests in flight it admits, and takes another limit.
    ///
    /// `GET` answers `{"limit": 64, "in_flight": 12, "shed_total": 0}`; `PUT` takes `{"limit": 32, "request_id": "a-17"}`.
    LimitEndpoint;
    /// Where a service says which share of its optional work it does, and takes another.
    ///
    /// `GET` answers `{"dimmer": 1.0}`; `PUT` takes `{"dimmer": 0.5, "request_id": "a-17"}`.
    DimmerEndpoint;
    /// Where the instances of a service are told one by one, and can be restarted.
    ///
    /// `GET` answers `{"instances": [{"id": "cart-0", "ready": true, "in_flight": 3, "completed_total": 1041}],
    /// "request_id": "a-9"}`, with the id of the last restart; `POST` takes `{"instance": "cart-0", "request_id": "a-17"}`.
    RestartEndpoint;
    /// Where profiles of a service are begun.
    ///
    /// `POST` takes `{"profile": "cpu", "seconds": 30, "request_id": "a-17"}` and answers when it has begun; `GET` answers
    /// `{"request_id": "a-17"}`, the last one begun.
    ProfileEndpoint;
    /// Where notifications are posted as JSON: `{"id", "at", "incident", "urgency", "text"}`.
    Webhook;
}

/// The URLs of endpoints of one kind.
pub(crate) fn urls<E: Into<Uri>>(endpoints: BTreeMap<ServiceName, E>) -> BTreeMap<ServiceName, Uri> {
    endpoints.into_iter().map(|(service, endpoint)| (service, endpoint.into())).collect()
}

fn parse(text: &str) -> Result<Uri, EndpointError> {
    let text_of = || text.to_owned();
    let uri: Uri = text.parse().map_err(|_| EndpointError::NotAUrl { text: text_of() })?;
    match (uri.scheme(), uri.host()) {
        (Some(scheme), Some(host)) if *scheme == Scheme::HTTP && !host.is_empty() => Ok(uri),
        (Some(scheme), _) if *scheme == Scheme::HTTPS => Err(EndpointError::Tls { text: text_of() }),
        (Some(scheme), _) if *scheme != Scheme::HTTP => Err(EndpointError::Scheme { text: text_of() }),
        _ => Err(EndpointError::NotAUrl { text: text_of() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: URLs as people write them in a manifest: good, with TLS, with another scheme, without one, empty.
    /// Guarantees: only plain HTTP with a host passes; each refusal shows the text and what to write instead.
    #[test]
    fn only_plain_http_urls_pass() {
        let check = |text: &str, expected: &str| {
            let found = ScaleEndpoint::parse(text).map_or_else(|error| error.to_string(), |url| url.to_string());
            assert!(found.contains(expected), "{text}: {found}");
            assert!(found.contains(text), "{text}: {found}");
        };
        check("http://127.0.0.1:8080/scale", "http://127.0.0.1:8080/scale");
        check("https://shop/scale", "needs TLS");
        check("ftp://shop/scale", "does not begin with http://");
        check("shop:8080", "not a URL");
        check("/scale", "not a URL");
        check("", "not a URL");
        check("http://", "not a URL");
    }
}
