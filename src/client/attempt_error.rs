//! The error of a request or response function.

#[cfg(feature = "reqwest")]
use super::transport_error::TransportError;
use super::transport_error::reqwest_source;
use alloc::boxed::Box;
use alloc::string::ToString;
use core::fmt;
use std::error::Error as StdError;

/// The error of a request or response function. Another attempt follows it unless it is [`Fatal`].
///
/// `?` creates it from any error, from `&str` and from `String`. The async block of a request
/// function needs no annotation:
///
/// ```
/// use everstream::{EventSource, Fatal};
///
/// # async fn token() -> Result<String, std::io::Error> { Ok(String::new()) }
/// # fn is_locked() -> bool { false }
/// # fn build(client: reqwest::Client, url: &'static str) -> EventSource {
/// EventSource::from_request_fn(move |_| {
///     let client = client.clone();
///     async move {
///         if is_locked() {
///             return Err(Fatal("the account is locked").into());
///         }
///         Ok(client.get(url).bearer_auth(token().await?))
///     }
/// })
/// # }
/// ```
pub struct AttemptError {
    pub(super) error: Box<dyn StdError + Send + Sync>,
    pub(super) is_fatal: bool,
}

/// An error that ends the stream, returned by a request or response function.
/// See [`AttemptError`] for an example.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fatal<E>(pub E);

impl<E: Into<Box<dyn StdError + Send + Sync>>> From<E> for AttemptError {
    fn from(error: E) -> Self {
        AttemptError { error: without_url(error.into()), is_fatal: false }
    }
}

impl<E: Into<Box<dyn StdError + Send + Sync>>> From<Fatal<E>> for AttemptError {
    fn from(Fatal(error): Fatal<E>) -> Self {
        AttemptError { error: without_url(error.into()), is_fatal: true }
    }
}

/// Replaces a reqwest error, which prints its URL, by one that does not.
fn without_url(error: Box<dyn StdError + Send + Sync>) -> Box<dyn StdError + Send + Sync> {
    #[cfg(feature = "reqwest")]
    if error.is::<reqwest::Error>() {
        return Box::new(TransportError::new(error));
    }
    error
}

impl fmt::Display for AttemptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        UserError(&*self.error).fmt(f)
    }
}

impl fmt::Debug for AttemptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = if self.is_fatal { "Fatal" } else { "AttemptError" };
        // The `Debug` output of an error may hold secrets that its text does not.
        f.debug_tuple(name).field(&self.error.to_string()).finish()
    }
}

/// An error of a user's function. If a reqwest error is among its sources, `Display` includes that
/// error without its URL, and `source` returns none.
pub(super) struct UserError<'a>(pub(super) &'a (dyn StdError + 'static));

impl<'a> UserError<'a> {
    pub(super) fn source(self) -> Option<&'a (dyn StdError + 'static)> {
        match reqwest_source(self.0) {
            Some(_) => None,
            None => self.0.source(),
        }
    }
}

impl fmt::Display for UserError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.0, f)?;
        match reqwest_source(self.0) {
            Some(text) => write!(f, ": {text}"),
            None => Ok(()),
        }
    }
}
