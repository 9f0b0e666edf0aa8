//! The browser, where `fetch` drives requests, and nothing leaves its thread.

use crate::client::Error;
use crate::client::connect::Driven;
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use bytes::Bytes;
use core::future::Future;
use core::pin::Pin;
use core::time::Duration;
use futures_core::Stream;
use reqwest::header::HeaderValue;
use reqwest::{Client, Request, RequestBuilder, Response};
use std::error::Error as StdError;

/// `Send` where the stream is.
pub trait MaybeSend {}
impl<T: ?Sized> MaybeSend for T {}

/// `Send` and `Sync` where the stream is.
pub trait MaybeSync {}
impl<T: ?Sized> MaybeSync for T {}

pub(crate) type BoxFuture<T> = Pin<Box<dyn Future<Output = T>>>;
pub(crate) type BoxBody = Pin<Box<dyn Stream<Item = reqwest::Result<Bytes>>>>;

pub(crate) fn boxed<T>(future: impl Future<Output = T> + MaybeSend + 'static) -> BoxFuture<T> {
    Box::pin(future)
}

/// What is only used through `&mut`.
pub(crate) struct Exclusive<T>(T);

impl<T> Exclusive<T> {
    pub(crate) fn new(value: T) -> Self {
        Exclusive(value)
    }

    pub(crate) fn get_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

/// `fetch` undoes every content coding, and leaves its header there.
pub(crate) const UNDOES_EVERY_CODING: bool = true;

/// The runtime that drives a request. There is but one, and it is everywhere.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Home;

/// While this is there, the home that was entered is around.
pub(crate) struct Inside;

impl Home {
    /// The runtime around this call.
    pub(crate) fn here() -> Result<Home, Error> {
        Ok(Home)
    }

    /// Sees to it that this runtime is around.
    pub(crate) fn enter(self) -> Option<Inside> {
        Some(Inside)
    }

    /// The bytes of a response that this runtime drives. To drop them aborts the
    /// fetch.
    pub(crate) fn body(self, response: Response) -> Driven<BoxBody> {
        Driven::new(self, Box::pin(response.bytes_stream()))
    }

    /// A response that can be read wherever its reader is.
    pub(crate) fn let_go(self, response: Response) -> Response {
        response
    }
}

/// What a request needs to be sent here. "Set request's cache mode to 'no-store'"
/// (WHATWG HTML, section 9.2.2): a `Cache-Control` header would do as well, but to
/// another origin it would need a CORS preflight.
pub(crate) fn adapt(client: &Client, mut request: Request) -> Request {
    // reqwest panics on a timeout that is longer than `setTimeout` can take, which
    // is 24 days. That is as good as none.
    let longest = Duration::from_millis(i32::MAX as u64);
    *request.timeout_mut() = request.timeout().copied().filter(|timeout| *timeout <= longest);
    let uncached = RequestBuilder::from_parts(client.clone(), request).fetch_cache_no_store();
    uncached.build().expect("a request that was built before")
}

/// A value as the bytes of a header, unless it has control bytes, or others than
/// ASCII: reqwest has no way to hand those to `fetch`.
pub(crate) fn header_value(value: &str) -> Option<HeaderValue> {
    value.is_ascii().then(|| HeaderValue::from_str(value).ok())?
}

/// Whether `fetch` gave no response. The browser does not say why: no connection, or
/// a policy (CORS, CSP, mixed content) that keeps the response from the page.
pub(crate) fn is_connect(error: &reqwest::Error) -> bool {
    error.is_request() && !error.is_timeout()
}

/// What an error of the transport says of itself, in one line: of an exception, which
/// reqwest shows with its stack, only the message.
pub(crate) fn words(error: &dyn StdError) -> String {
    let words = error.to_string();
    let first = words.lines().next().unwrap_or_default();
    match first.strip_prefix("JsValue(") {
        Some(message) => message.strip_suffix(')').unwrap_or(message).to_string(),
        None => words,
    }
}

/// The time that has passed since the beginning of 1970.
pub(crate) fn unix_time() -> Duration {
    Duration::from_millis(js_sys::Date::now() as u64)
}
