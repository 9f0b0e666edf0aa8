//! Tests code that takes an `EventSource`. The server is a function: there is no socket, no runtime,
//! and delays take no time.
//!
//! ```sh
//! cargo run --example testing    # the code under test, on such a server
//! cargo test --example testing   # its tests
//! ```

use everstream::{Error, EventSource, EventSourceBuilder, EventStreamExt, MessageError};
use everstream::{Reconnection, RequestAttempt, timer_fn};
use futures_executor::block_on;
use futures_util::TryStreamExt;
use futures_util::stream::iter;
use reqwest::Body;
use std::future::ready;

/// The code under test: returns the data of all events.
async fn collect(events: EventSource) -> Result<Vec<String>, MessageError<Error>> {
    events.messages().map_ok(|message| message.data().to_owned()).try_collect().await
}

fn main() -> Result<(), MessageError<Error>> {
    let collected = block_on(collect(scripted()))?;
    println!("{} events over a cut connection, without a socket", collected.len());
    Ok(())
}

/// A server that cuts its first connection after two events, and ends the stream with a 204.
fn scripted() -> EventSource {
    let server = |attempt: RequestAttempt| async move {
        let reply = http::Response::builder().header("content-type", "text/event-stream");
        match attempt.last_event_id().map(|id| &**id) {
            None => reply.body(cut_after("id: 1\ndata: a\n\nid: 2\ndata: b\n\n")),
            Some("2") => reply.body(Body::from("id: 3\ndata: c\n\n")),
            _ => reply.status(204).body(Body::default()),
        }
    };
    let builder = EventSourceBuilder::from_response_fn(server).reconnect(Reconnection::Always);
    builder.timer(timer_fn(|_| ready(()))).build()
}

/// A body that breaks.
fn cut_after(text: &'static str) -> Body {
    Body::wrap_stream(iter([Ok(text), Err("connection reset")]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use everstream::{Backoff, Disconnect, Event, Fatal, Jitter, ManualTimer};
    use futures_util::{FutureExt, StreamExt};
    use std::time::Duration;

    /// Open, two events, cut, resume with the ID, end.
    #[test]
    fn a_cut_stream_resumes_with_the_last_id() {
        let server = |attempt: RequestAttempt| async move {
            let reply = http::Response::builder().header("content-type", "text/event-stream");
            match attempt.last_event_id().map(|id| &**id) {
                None => reply.body(cut_after("id: 1\ndata: a\n\nid: 2\ndata: b\n\n")),
                Some("2") => reply.status(204).body(Body::default()),
                id => panic!("resumed from {id:?}"),
            }
        };
        let builder = EventSourceBuilder::from_response_fn(server).reconnect(Reconnection::Always);
        let events = builder.timer(timer_fn(|_| ready(()))).build();
        assert_eq!(block_on(collect(events)).unwrap(), ["a", "b"]);
    }

    #[test]
    fn three_connections_lose_nothing() {
        assert_eq!(block_on(collect(scripted())).unwrap(), ["a", "b", "c"]);
    }

    #[test]
    fn a_fatal_error_ends_the_stream() {
        let server = |_| ready(Err::<http::Response<String>, _>(Fatal("the account is locked")));
        let error = block_on(collect(EventSource::from_response_fn(server))).unwrap_err();
        assert_eq!(error.to_string(), "the account is locked");
    }

    /// Minutes pass here, in no time.
    #[test]
    fn delays_double_while_the_server_is_down() {
        let timer = ManualTimer::new();
        let server = |_| ready(Err::<http::Response<String>, _>("connection refused"));
        let builder = EventSourceBuilder::from_response_fn(server).reconnect(Reconnection::Always);
        let builder = builder.retry_policy(Backoff::new().with_jitter(Jitter::none()));
        let mut events = builder.timer(timer.clone()).build();
        for seconds in [3, 6, 12, 24, 48, 60, 60] {
            let Some(Some(Ok(Event::Reconnecting { reason, delay, .. }))) =
                events.next().now_or_never()
            else {
                panic!("the server is down")
            };
            assert!(matches!(reason, Disconnect::Transport(_)));
            assert_eq!(delay, Duration::from_secs(seconds));
            assert!(events.next().now_or_never().is_none(), "it waits");
            timer.advance(delay);
        }
    }
}
