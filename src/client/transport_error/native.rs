//! reqwest errors on native targets, over hyper and tokio.

mod tls;

use super::{Facts, TransportError, TransportErrorKind, chain, has_invalid_data};
use alloc::string::{String, ToString};
use std::error::Error as StdError;
use std::io;

pub(super) fn of(error: reqwest::Error) -> TransportError {
    TransportError::new(error)
}

pub(super) fn facts(error: &reqwest::Error) -> Facts {
    let is_connect = error.is_connect();
    let kind = if error.is_builder() {
        TransportErrorKind::Invalid
    } else if is_connect {
        TransportErrorKind::Connect
    } else if error.is_timeout() {
        TransportErrorKind::Timeout
    } else if error.is_redirect() {
        TransportErrorKind::Redirect
    } else if is_coding(error) {
        TransportErrorKind::Decode
    } else if error.is_body() || error.is_decode() {
        TransportErrorKind::Body
    } else {
        TransportErrorKind::Request
    };
    let is_handshake = is_connect && has_invalid_data(error);
    let peer = error
        .url()
        .and_then(|url| Some(std::format!("{}:{}", url.host_str()?, url.port_or_known_default()?)));
    Facts {
        kind,
        is_permanent: error.is_builder() || needs_tls(error) || is_handshake || is_malformed(error),
        peer: peer.map(String::into_boxed_str),
    }
}

/// Returns a text for an error with a reqwest error in its chain.
pub(super) fn text(error: &(dyn StdError + 'static), reqwest: &reqwest::Error) -> Option<String> {
    if reqwest.is_builder() {
        return of_url(error, reqwest);
    }
    if needs_tls(reqwest) {
        let text = match is_https(reqwest) {
            true => "the URL is an https one, and reqwest was built without TLS",
            false => "it redirects to https, and reqwest was built without TLS",
        };
        return Some(text.to_string());
    }
    if is_coding(reqwest) {
        let text = "it is not in the coding that its content-encoding names";
        return Some(text.to_string());
    }
    if reqwest.is_body() || reqwest.is_decode() {
        return None;
    }
    if reqwest.is_connect() && has_invalid_data(error) {
        let words = super::root(error);
        return Some(std::format!(
            "the TLS handshake failed, so the server is not trusted or the port expects http: \
             {words}"
        ));
    }
    let text = match hyper_error(error)? {
        hyper if hyper.is_incomplete_message() => {
            "the server closed the connection before its response was complete"
        }
        hyper if hyper.is_parse() => {
            let words = super::root(error);
            return Some(std::format!(
                "the response is not valid HTTP/1.1 ({words}), the port may expect https or HTTP/2"
            ));
        }
        _ => return None,
    };
    Some(text.to_string())
}

/// Returns a text for a URL that reqwest rejects. A URL without a scheme may have been parsed with
/// the host as its scheme.
fn of_url(error: &(dyn StdError + 'static), reqwest: &reqwest::Error) -> Option<String> {
    type ParseError = <reqwest::Url as core::str::FromStr>::Err;

    let parse = chain(error).find_map(|error| error.downcast_ref::<ParseError>());
    if parse == Some(&ParseError::RelativeUrlWithoutBase) {
        return Some("the URL has no scheme such as https".to_string());
    }
    match reqwest.url()?.scheme() {
        "http" | "https" => None,
        scheme => Some(std::format!("the scheme of the URL is {scheme:?}, not http or https")),
    }
}

/// Returns whether a body does not match its content coding. An error of the connection would have
/// an error of hyper in its chain.
fn is_coding(error: &reqwest::Error) -> bool {
    let is_wrong = |error: &(dyn StdError + 'static)| {
        let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
        matches!(kind, Some(io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput))
    };
    error.is_decode() && chain(error).any(is_wrong) && hyper_error(error).is_none()
}

/// Returns whether the head of the response is not HTTP/1.1, as on a port that expects https or
/// HTTP/2, or is too large.
fn is_malformed(error: &reqwest::Error) -> bool {
    hyper_error(error).is_some_and(hyper::Error::is_parse)
}

fn hyper_error<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a hyper::Error> {
    chain(error).find_map(|error| error.downcast_ref())
}

fn is_https(error: &reqwest::Error) -> bool {
    error.url().is_some_and(|url| url.scheme() == "https")
}

/// Returns whether reqwest lacks TLS, and so failed to connect without asking a resolver or a
/// socket: the error of hyper's connector, two levels below reqwest's, has no source. That of a
/// proxy that refuses a tunnel looks alike, but only a reqwest with TLS asks for tunnels.
fn needs_tls(error: &reqwest::Error) -> bool {
    let tried = |error: &(dyn StdError + 'static)| error.is::<io::Error>();
    !tls::is_available()
        && error.is_connect()
        && !error.is_timeout()
        && chain(error).count() <= 3
        && !chain(error).any(tried)
}
