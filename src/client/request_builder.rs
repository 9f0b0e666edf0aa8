//! The extension trait of reqwest's `RequestBuilder`.

use super::{EventSource, EventSourceBuilder};

/// Creates an [`EventSource`] from a reqwest `RequestBuilder`.
///
/// ```
/// use everstream::RequestBuilderExt;
///
/// let events = reqwest::Client::new().get("http://localhost/events").into_event_source();
/// ```
pub trait RequestBuilderExt: sealed::RequestOfReqwest {
    /// Creates a stream, as [`EventSource::new`] does. See [`RequestBuilderExt`] for an example.
    fn into_event_source(self) -> EventSource;

    /// Creates a builder, as [`EventSource::builder`] does. See [`EventSourceBuilder`] for an
    /// example.
    fn into_event_source_builder(self) -> EventSourceBuilder;
}

impl<T: sealed::RequestOfReqwest> RequestBuilderExt for T {
    fn into_event_source(self) -> EventSource {
        EventSource::new(self.into_request())
    }

    fn into_event_source_builder(self) -> EventSourceBuilder {
        EventSource::builder(self.into_request())
    }
}

// `RequestBuilderExt` is implemented for every type with this trait. If it were implemented for
// `RequestBuilder` only, rustc would print "no method named `into_event_source`" in place of the
// note.
mod sealed {
    use reqwest::RequestBuilder;

    #[diagnostic::on_unimplemented(
        message = "`{Self}` is not a `RequestBuilder` of the reqwest that everstream uses",
        label = "not a `RequestBuilder` of reqwest 0.13",
        note = "for another version of reqwest, for reqwest-middleware and for other clients, use \
                `EventSource::from_response_fn`: see docs/another-reqwest.md"
    )]
    pub trait RequestOfReqwest {
        fn into_request(self) -> RequestBuilder;
    }

    impl RequestOfReqwest for RequestBuilder {
        fn into_request(self) -> RequestBuilder {
            self
        }
    }
}
