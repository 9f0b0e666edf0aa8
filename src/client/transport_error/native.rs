//! The errors of reqwest on native targets, over hyper and tokio.

use super::{Inner, TransportErrorKind, chain};
use alloc::string::{String, ToString};
use std::error::Error as StdError;
use std::io;

pub(super) fn classified(mut inner: Inner) -> Inner {
    let links = || chain(&*inner.error);
    let Some(error) = links().find_map(|error| error.downcast_ref::<reqwest::Error>()) else {
        return inner;
    };
    let is_connect = error.is_connect();
    let kind = if error.is_builder() {
        TransportErrorKind::Invalid
    } else if is_connect {
        TransportErrorKind::Connect
    } else if error.is_timeout() {
        TransportErrorKind::Timeout
    } else if error.is_redirect() {
        TransportErrorKind::Redirect
    } else if error.is_body() || error.is_decode() {
        TransportErrorKind::Body
    } else {
        TransportErrorKind::Request
    };
    let is_permanent = error.is_builder() || needs_tls(error) || (is_connect && inner.is_permanent);
    let peer = error
        .url()
        .and_then(|url| Some(std::format!("{}:{}", url.host_str()?, url.port_or_known_default()?)));
    inner.kind = kind;
    inner.is_permanent = is_permanent;
    inner.peer = peer.map(String::into_boxed_str);
    inner
}

pub(super) fn text(error: &(dyn StdError + 'static)) -> Option<String> {
    let reqwest = chain(error).find_map(|error| error.downcast_ref::<reqwest::Error>())?;
    if needs_tls(reqwest) {
        return Some("the URL is an https one, and reqwest was built without TLS".to_string());
    }
    if chain(error).any(is_parse) && !reqwest.is_body() && !reqwest.is_decode() {
        let words = super::root(error);
        return Some(std::format!(
            "the answer is not HTTP/1.1, the server may expect https or HTTP/2: {words}"
        ));
    }
    None
}

fn is_parse(error: &(dyn StdError + 'static)) -> bool {
    error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse)
}

/// Returns whether reqwest failed to connect without asking a resolver or a socket: the error of
/// hyper's connector, two levels below reqwest's, has no source. A proxy that refuses a tunnel
/// cannot be distinguished from this.
fn needs_tls(error: &reqwest::Error) -> bool {
    let is_https = error.url().is_some_and(|url| url.scheme() == "https");
    let tried = |error: &(dyn StdError + 'static)| error.is::<io::Error>();
    is_https
        && error.is_connect()
        && !error.is_timeout()
        && chain(error).count() <= 3
        && !chain(error).any(tried)
}
