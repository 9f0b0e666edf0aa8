//! Tests of the memory that an idle `EventSource` takes, without that of its HTTP client.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use everstream::{Event, EventSource};
use futures_util::StreamExt;
use http_body::{Body, Frame};

use crate::support::alone::is_alone;
use crate::support::client::assert_pending;
use crate::support::process_heap::Heap;

/// The size of a span of `tracing`. The stream and its body have one each.
const SPAN: usize = if cfg!(feature = "tracing") { 40 } else { 0 };

/// A body of one event that stays open.
struct OneEvent(Option<Bytes>);

impl Body for OneEvent {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.0.take() {
            Some(event) => Poll::Ready(Some(Ok(Frame::data(event)))),
            None => Poll::Pending,
        }
    }
}

async fn respond() -> http::Result<http::Response<OneEvent>> {
    let response = http::Response::builder().header("content-type", "text/event-stream");
    response.body(OneEvent(Some(Bytes::from_static(b"id: 1\ndata: hello\n\n"))))
}

#[test]
fn an_event_source_is_small() {
    let size = size_of::<EventSource>() - SPAN;
    assert!(size <= 784, "an EventSource has {size} bytes");
}

#[tokio::test]
async fn an_idle_event_source_holds_little_memory() {
    if !is_alone("memory::an_idle_event_source_holds_little_memory") {
        return;
    }
    let heap = Heap::measure();
    let mut events = Box::new(EventSource::from_response_fn(|_| respond()));
    while !matches!(events.next().await, Some(Ok(Event::Message(_)))) {}
    assert_pending(&mut events);
    heap.assert_live_below(1100 + 2 * SPAN);
}
