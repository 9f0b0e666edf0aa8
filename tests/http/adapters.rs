//! Tests of the adapters of `EventStreamExt`, on each kind of stream and on each other.

use std::convert::Infallible;
use std::error::Error as _;
use std::future::{Ready, ready};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::support::server::{Closed, Feed, Reply, Server};
use everstream::reconnect::{self, Attempt, Connect, ConnectError, Connection, Reconnect};
use everstream::{
    Discarded, EncodedError, Error, EventItem, EventReader, EventSource, EventStream,
    EventStreamExt, JsonError, ManualTimer, MessageError, MessageEvent, OnOversize, OwnedFrame,
    ReadyState, RequestBuilderExt, Router,
};
use futures_util::stream::{self, FusedStream, Iter, Stream};
use futures_util::{FutureExt, StreamExt, TryStreamExt};
use serde::Deserialize;

use crate::support::client::{get, http, post, quickly, within};

/// A stream of all kinds: a comment, an event over the limit of 64, three types.
const STREAM: &str = concat!(
    ": hi\n",
    "id: 1\ndata: a\n\n",
    "event: price\ndata: 12\n\n",
    "data: far too long, far too long, far too long, far too long, far too long\n\n",
    "event: message\ndata: b\n\n",
    "event: Price\ndata: 13\n\n",
    "event: price\nid: 2\ndata: 14\n\n",
);

type Body = Iter<std::vec::IntoIter<io::Result<&'static str>>>;

fn body<const N: usize>(chunks: [io::Result<&'static str>; N]) -> Body {
    stream::iter(Vec::from(chunks))
}

fn broken() -> io::Error {
    io::Error::from(io::ErrorKind::ConnectionReset)
}

fn events(stream: &'static str) -> EventStream<Body> {
    EventStream::new(body([Ok(stream)])).with_comments(true).with_max_event_size(64)
}

/// A connector whose attempts are refused by turns. The others send this and end.
struct Twice(&'static str);

impl Connect for Twice {
    type Head = ();
    type Chunk = &'static str;
    type Body = Iter<std::array::IntoIter<Result<&'static str, Infallible>, 1>>;
    type Error = Infallible;
    type Fatal = &'static str;
    type Connecting =
        Ready<Result<Connection<(), Self::Body>, ConnectError<Infallible, &'static str>>>;

    fn connect(&mut self, attempt: Attempt<Infallible>) -> Self::Connecting {
        ready(match attempt.was_open {
            false => Ok(Connection { head: (), body: stream::iter([Ok(self.0)]) }),
            true => Err(ConnectError::Fatal("no more")),
        })
    }
}

/// Returns the items of a stream that is never pending.
#[track_caller]
fn all<S: Stream>(events: S) -> Vec<S::Item> {
    events.collect::<Vec<_>>().now_or_never().expect("a stream that never waits")
}

fn data<E: std::fmt::Debug>(message: Result<MessageEvent, E>) -> String {
    message.expect("a message").into_data()
}

fn is_done(message: &MessageEvent) -> bool {
    message.data() == "[DONE]"
}

// ----------------------------------------------------------------------------- messages and named

#[test]
fn messages_are_all_that_is_left_of_a_stream_of_frames() {
    let frames = all(events(STREAM));
    assert_eq!(frames.len(), 7, "{frames:?}");
    let messages = events(STREAM).messages().skip_discarded();
    let messages: Vec<_> = all(messages).into_iter().map(data).collect();
    assert_eq!(messages, ["a", "12", "b", "13", "14"]);
}

#[test]
fn messages_of_an_event_reader() {
    let reader = EventReader::new(STREAM.as_bytes());
    let messages: Vec<_> = all(reader.messages()).into_iter().map(data).collect();
    assert_eq!(messages.len(), 6);
    assert_eq!(messages[1], "12");
}

#[test]
fn messages_of_a_reconnecting_stream_go_on_over_its_connections_and_end_with_its_error() {
    let timer = ManualTimer::new();
    let mut messages = Reconnect::new(Twice("data: a\n\ndata: b\n\n"), timer.clone()).messages();
    let mut next = || messages.next().now_or_never();
    assert_eq!(next().unwrap().unwrap().unwrap().data(), "a");
    assert_eq!(next().unwrap().unwrap().unwrap().data(), "b");
    assert!(next().is_none(), "it waits");
    timer.advance_to_next();
    let error = next().unwrap().unwrap().unwrap_err();
    assert_eq!(error.to_string(), "no more");
    assert!(next().unwrap().is_none());
}

#[test]
fn messages_named_are_those_of_that_very_type() {
    let named = |event: &str| -> Vec<_> {
        all(events(STREAM).named(event).skip_discarded()).into_iter().map(data).collect()
    };
    assert_eq!(named("price"), ["12", "14"]);
    assert_eq!(named("Price"), ["13"]);
    assert_eq!(named("message"), ["a", "b"]);
    assert_eq!(named(""), ["a", "b"], "the type of events that name none");
    assert!(named("pric").is_empty());
    assert!(named("prices").is_empty());
}

#[test]
fn adapters_adapt_each_other() {
    let prices = events(STREAM).messages().named("price").skip_discarded();
    let chained = prices.messages().until(|m| m.data() == "14");
    assert_eq!(all(chained).into_iter().map(data).collect::<Vec<_>>(), ["12"]);
}

#[test]
fn streams_of_combinators_can_be_adapted() {
    let mut seen = 0;
    let inspected = events(STREAM).inspect_ok(|_| seen += 1).boxed_local();
    let messages = all(inspected.messages());
    assert_eq!(messages.len(), 6, "five messages and a report");
    assert_eq!(seen, 7, "comments and reports can be looked at before they are dropped");
}

#[test]
fn an_error_passes_through_and_what_follows_it_too() {
    let broken_stream =
        || EventStream::new(body([Ok("data: 1\n\n"), Err(broken()), Ok("data: 2\n\n")]));
    fn shape<T, E>(items: Vec<Result<T, E>>) -> Vec<bool> {
        items.iter().map(Result::is_ok).collect()
    }
    assert_eq!(shape(all(broken_stream().messages())), [true, false, true]);
    assert_eq!(shape(all(broken_stream().named(""))), [true, false, true]);
    assert_eq!(shape(all(broken_stream().until(|_| false))), [true, false, true]);
    assert_eq!(shape(all(broken_stream().json::<u8>())), [true, false, true]);
}

#[test]
fn an_event_over_the_limit_can_be_an_error_of_the_messages() {
    let stream = Reconnect::new(Twice(STREAM), ManualTimer::new())
        .with_max_event_size(64)
        .with_on_oversize(OnOversize::Fail);
    let found = all(stream.messages().map_err(|error| error.to_string()));
    assert_eq!(found.len(), 3);
    assert!(found[2].as_ref().unwrap_err().starts_with("event discarded"));
}

#[test]
fn a_flood_of_unselected_items_yields_to_other_tasks() {
    let flood = stream::repeat_with(|| Ok::<_, Infallible>(": flood\n"));
    let mut messages = EventStream::new(flood).with_comments(true).messages();
    assert!(messages.next().now_or_never().is_none(), "it gives way, and does not hang");
    // The task is woken at once.
    let flood = stream::repeat(Ok::<_, Infallible>(": flood\n")).take(10_000);
    let flood = flood.chain(stream::iter([Ok("data: a\n\n")]));
    let mut messages = EventStream::new(flood).with_comments(true).messages();
    let message = futures_executor::block_on(messages.next()).unwrap().unwrap();
    assert_eq!(message.data(), "a");
}

#[test]
fn items_of_the_user_can_be_adapted() {
    struct Tagged(u32, OwnedFrame);
    impl EventItem for Tagged {
        fn into_event(self) -> Option<Result<MessageEvent, Discarded>> {
            if self.0 % 2 == 0 { self.1.into_event() } else { None }
        }
    }
    let mut number = 0;
    let tagged = events("data: a\n\ndata: b\n\ndata: c\n\n").map_ok(move |frame| {
        number += 1;
        Tagged(number, frame)
    });
    assert_eq!(all(tagged.messages()).into_iter().map(data).collect::<Vec<_>>(), ["b"]);
}

// ------------------------------------------------------------------------------------------- until

#[test]
fn the_sentinel_ends_the_stream_and_is_not_yielded() {
    let stream = events("data: a\n\ndata: [DONE]\n\ndata: b\n\n");
    let mut messages = stream.messages().until(is_done);
    assert!(!messages.is_terminated());
    assert_eq!(data(messages.next().now_or_never().unwrap().unwrap()), "a");
    assert!(!messages.is_done());
    for _ in 0..3 {
        assert!(messages.next().now_or_never().unwrap().is_none());
    }
    assert!(messages.is_done());
    assert!(messages.is_terminated());
}

#[test]
fn at_the_sentinel_the_stream_is_dropped() {
    let source = Arc::new(());
    let held = Arc::clone(&source);
    let bytes =
        stream::iter([Ok::<_, Infallible>("data: a\n\ndata: [DONE]\n\n")]).map(move |chunk| {
            let _ = &held;
            chunk
        });
    let mut messages = EventStream::new(bytes).messages().until(is_done);
    assert!(messages.next().now_or_never().unwrap().is_some());
    assert_eq!(Arc::strong_count(&source), 2);
    assert!(messages.next().now_or_never().unwrap().is_none());
    assert_eq!(Arc::strong_count(&source), 1, "though the adapter lives on");
    assert!(messages.get_ref().is_none());
    assert!(messages.get_mut().is_none());
    assert!(messages.into_inner().is_none());
}

#[test]
fn an_end_without_a_sentinel_differs_from_one_with_it() {
    let mut messages = events("data: a\n\n").messages().until(is_done);
    while messages.next().now_or_never().unwrap().is_some() {}
    assert!(messages.is_terminated());
    assert!(!messages.is_done());
    assert_eq!(messages.into_inner().unwrap().into_inner().last_event_id(), "");
}

#[test]
fn a_sentinel_can_be_any_item() {
    let comments = events(": a\n: stop\n: b\n");
    let until =
        comments.until(|frame| matches!(frame, OwnedFrame::Comment(text) if text == "stop"));
    let frames: Vec<_> = all(until).into_iter().map(Result::unwrap).collect();
    assert_eq!(frames, [OwnedFrame::Comment("a".to_owned())]);

    let reconnecting = Reconnect::new(Twice("data: a\n\n"), ManualTimer::new());
    let once = reconnecting
        .until(|event| matches!(event, reconnect::ReconnectEvent::Reconnecting { .. }))
        .messages();
    assert_eq!(all(once).len(), 1);
}

#[test]
fn a_predicate_can_count() {
    let mut left = 2;
    let until = events(STREAM).messages().until(move |_| {
        left -= 1;
        left == 0
    });
    assert_eq!(all(until).len(), 1);
}

/// The server never ends its response, so the client must close.
#[tokio::test]
async fn a_sentinel_closes_the_connection_of_an_event_source() {
    let server = Server::scripted([Reply::events("id: 7\ndata: a\n\ndata: [DONE]\n\n").hold()]);
    let mut source = get(server.url()).into_event_source();
    let handle = source.handle();
    let mut messages = source.messages().until(is_done);
    assert_eq!(within(messages.next()).await.unwrap().unwrap().data(), "a");
    assert_eq!(handle.ready_state(), ReadyState::Open);
    assert!(within(messages.next()).await.is_none());
    // The adapter still exists, and is not polled.
    assert_ne!(server.until_closed(0).await, Closed::ByServer);
    assert_eq!(handle.ready_state(), ReadyState::Closed);
    assert_eq!(handle.last_event_id().as_deref(), Some("7"), "the handle still knows");
    assert!(within(messages.next()).await.is_none());
    assert_eq!(server.requests().len(), 1, "and there is no reconnection");
}

#[derive(Debug, PartialEq, Deserialize)]
struct Chunk {
    text: String,
}

fn chunk(text: &str) -> Chunk {
    Chunk { text: text.to_owned() }
}

#[tokio::test]
async fn the_stream_of_an_llm_is_typed_and_ends_at_its_sentinel() {
    let answer = "data: {\"text\": \"hel\"}\n\ndata: {\"text\": \"lo\"}\n\ndata: [DONE]\n\n";
    let server = Server::scripted([Reply::events(answer).hold()]);
    let prompt = r#"{"prompt": "greet"}"#;
    let chunks = post(server.url())
        .body(prompt)
        .into_event_source()
        .messages()
        .until(|message| message.data() == "[DONE]")
        .json::<Chunk>();
    let chunks: Vec<Chunk> = within(chunks.try_collect()).await.unwrap();
    assert_eq!(chunks, [chunk("hel"), chunk("lo")]);
    server.until_closed(0).await;
    assert_eq!(server.requests().len(), 1);
    assert_eq!(server.requests()[0].body, prompt.as_bytes());
}

#[tokio::test]
async fn an_answer_that_is_cut_off_is_an_error_and_no_end() {
    let server = Server::scripted([Reply::events("data: {\"text\": \"hel\"}\n\n").reset()]);
    let chunks = post(server.url()).into_event_source().messages().until(is_done).json::<Chunk>();
    let mut chunks = chunks;
    assert_eq!(within(chunks.next()).await.unwrap().unwrap(), chunk("hel"));
    let error = within(chunks.next()).await.unwrap().unwrap_err();
    assert!(matches!(error, JsonError::Stream(MessageError::Stream(Error::Lost(_)))), "{error:?}");
    assert!(within(chunks.next()).await.is_none());
    assert!(!chunks.get_ref().get_ref().is_done());
}

// ------------------------------------------------------------------- terminated_by and through

type Found = Vec<Result<String, MessageError<io::Error>>>;

/// Collects the data of messages and the errors between them.
fn found(messages: impl Stream<Item = Result<MessageEvent, MessageError<io::Error>>>) -> Found {
    all(messages.map_ok(|message| message.into_data()))
}

#[track_caller]
fn assert_found(found: &Found, expected: &[Result<&str, &str>]) {
    let found: Vec<_> = found.iter().map(|item| item.as_ref().map_err(|e| e.to_string())).collect();
    let expected: Vec<_> = expected.iter().map(|item| item.map_err(str::to_owned)).collect();
    let found: Vec<_> = found.into_iter().map(|item| item.map(String::as_str)).collect();
    assert_eq!(found, expected);
}

const EARLY: &str = "the stream ended before its terminator";

#[test]
fn a_stream_ends_at_its_terminator_and_without_it_with_one_error() {
    let done = "data: a\n\ndata: [DONE]\n\ndata: b\n\n";
    let cut = "data: a\n\n";
    let is_end = |message: &MessageEvent| message.data() == "[DONE]";
    assert_found(&found(events(done).terminated_by("[DONE]")), &[Ok("a")]);
    assert_found(&found(events(done).through(is_end)), &[Ok("a"), Ok("[DONE]")]);
    assert_found(&found(events(cut).terminated_by("[DONE]")), &[Ok("a"), Err(EARLY)]);
    assert_found(&found(events(cut).through(is_end)), &[Ok("a"), Err(EARLY)]);
    assert_found(&found(events("").terminated_by("[DONE]")), &[Err(EARLY)]);
    let alike = "data: [DONE] \n\ndata: [done]\n\n";
    let alike = found(events(alike).terminated_by("[DONE]"));
    assert_found(&alike, &[Ok("[DONE] "), Ok("[done]"), Err(EARLY)]);
}

#[test]
fn a_terminator_is_found_whatever_type_is_selected() {
    let stream = "event: delta\ndata: a\n\ndata: noise\n\nevent: stop\ndata: b\n\n";
    let is_stop = |message: &MessageEvent| message.event() == "stop";
    assert_found(&found(events(stream).named("delta").through(is_stop)), &[Ok("a")]);
    assert_found(&found(events(stream).through(is_stop).named("delta")), &[Ok("a")]);
    assert_found(&found(events(stream).named("delta").terminated_by("b")), &[Ok("a")]);
}

#[test]
fn the_error_of_the_stream_is_not_followed_by_a_second_one() {
    let stream = EventStream::new(body([Ok("data: a\n\n"), Err(broken())]));
    let items = all(stream.terminated_by("[DONE]"));
    assert_eq!(items.len(), 2, "{items:?}");
    assert!(matches!(items[1], Err(MessageError::Stream(_))));
    // A stream that goes on after its error can still end early.
    let stream = EventStream::new(body([Err(broken()), Ok("data: a\n\n")]));
    let items = all(stream.terminated_by("[DONE]"));
    assert_eq!(items.len(), 3, "{items:?}");
    assert!(matches!(items[2], Err(MessageError::EndedEarly)));
}

/// A stream such as `unfold` panics if it is polled after its end.
#[test]
fn a_stream_without_its_terminator_is_not_polled_after_its_end() {
    let stream = || {
        stream::unfold(false, |is_over| async move {
            let message = MessageEvent::new("", "a", "");
            (!is_over).then_some((Ok::<_, io::Error>(message), true))
        })
    };
    let early = [Ok("a"), Err(EARLY)];
    assert_found(&found(stream().boxed().terminated_by("[DONE]")), &early);
    assert_found(&found(stream().boxed().through(|_| false)), &early);
}

#[test]
fn a_terminated_stream_is_fused_after_its_last_item_and_not_before() {
    let mut cut = events("").terminated_by("[DONE]").json::<u8>();
    assert!(!cut.is_terminated());
    let error = cut.next().now_or_never().unwrap().unwrap().unwrap_err();
    assert!(matches!(error, JsonError::EndedEarly));
    assert_eq!(error.to_string(), EARLY);
    assert!(cut.is_terminated());
    assert!(cut.next().now_or_never().unwrap().is_none());
    assert!(!cut.get_ref().is_done());

    let mut done = events("data: 1\n\n").through(|message| message.data() == "1").json::<u8>();
    assert_eq!(done.next().now_or_never().unwrap().unwrap().unwrap(), 1);
    assert!(done.is_terminated());
    assert!(done.get_ref().is_done());
    assert!(done.get_ref().get_ref().is_none(), "the stream is dropped with its last message");
    assert!(done.next().now_or_never().unwrap().is_none());
}

#[test]
fn a_terminator_may_come_on_a_later_connection() {
    struct Numbered(usize);
    impl Connect for Numbered {
        type Head = ();
        type Chunk = &'static str;
        type Body = Iter<std::array::IntoIter<Result<&'static str, Infallible>, 1>>;
        type Error = Infallible;
        type Fatal = Infallible;
        type Connecting =
            Ready<Result<Connection<(), Self::Body>, ConnectError<Infallible, Infallible>>>;

        fn connect(&mut self, _: Attempt<Infallible>) -> Self::Connecting {
            self.0 += 1;
            let text = if self.0 == 1 { "data: a\n\n" } else { "data: b\n\ndata: [DONE]\n\n" };
            ready(Ok(Connection { head: (), body: stream::iter([Ok(text)]) }))
        }
    }
    let timer = ManualTimer::new();
    let mut messages = Reconnect::new(Numbered(0), timer.clone()).terminated_by("[DONE]");
    let mut next = || messages.next().now_or_never();
    assert_eq!(data(next().unwrap().unwrap()), "a");
    assert!(next().is_none(), "the lost connection is no end");
    timer.advance_to_next();
    assert_eq!(data(next().unwrap().unwrap()), "b");
    assert!(next().unwrap().is_none());
}

#[tokio::test]
async fn a_terminated_answer_closes_its_connection_and_a_cut_one_is_an_error() {
    let answer = "data: {\"text\": \"hel\"}\n\n";
    let whole = "data: {\"text\": \"hel\"}\n\ndata: [DONE]\n\n";
    let server = Server::scripted([Reply::events(whole).hold(), Reply::events(answer)]);
    let ask = || post(server.url()).into_event_source().terminated_by("[DONE]").json::<Chunk>();
    let chunks: Vec<Chunk> = within(ask().try_collect()).await.unwrap();
    assert_eq!(chunks, [chunk("hel")]);
    assert_ne!(server.until_closed(0).await, Closed::ByServer);
    let mut cut = ask();
    assert_eq!(within(cut.next()).await.unwrap().unwrap(), chunk("hel"));
    let error = within(cut.next()).await.unwrap().unwrap_err();
    assert!(matches!(error, JsonError::EndedEarly), "{error:?}");
    assert!(within(cut.next()).await.is_none());
    assert_eq!(server.requests().len(), 2, "a POST is sent once");
}

// ----------------------------------------------------------------------------------- discarded

/// A message, an event over the limit of 64 with its type, one without, and a message.
const OVERSIZED: &str = concat!(
    "data: 1\n\n",
    "event: price\n",
    "data: 1111111111111111111111111111111111111111111111111111111111111111111111\n\n",
    "data: 2222222222222222222222222222222222222222222222222222222222222222222222\n\n",
    "data: 3\n\n",
);

#[test]
fn an_event_over_the_limit_is_an_error_and_the_stream_continues() {
    let reports = |found: &Found| -> Vec<bool> {
        let is_report = |item: &Result<_, _>| matches!(item, Err(MessageError::Discarded(_)));
        found.iter().map(is_report).collect()
    };
    let all_of_them = [false, true, true, false];
    assert_eq!(reports(&found(events(OVERSIZED).messages())), all_of_them);
    let through = events(OVERSIZED).through(|message| message.data() == "3");
    assert_eq!(reports(&found(through)), all_of_them);
    let numbers = all(events(OVERSIZED).json::<u8>());
    let is_report = |item: &Result<_, _>| matches!(item, Err(JsonError::Discarded(_)));
    assert_eq!(numbers.iter().map(is_report).collect::<Vec<_>>(), all_of_them);
    let Err(error) = &numbers[1] else { panic!("{numbers:?}") };
    assert!(error.to_string().starts_with("event discarded: at least"), "{error}");
    assert!(error.source().is_none(), "`Display` has said it");
}

#[test]
fn an_event_over_the_limit_is_reported_unless_it_is_known_to_be_of_another_type() {
    let reported = |event: &str| -> Vec<Option<String>> {
        let report = |item| match item {
            Err(MessageError::Discarded(report)) => Some(report.event().map(str::to_owned)),
            _ => None,
        };
        let items = all(events(OVERSIZED).named(event));
        items.into_iter().filter_map(report).map(|event| event.or(None)).collect()
    };
    assert_eq!(reported("price"), [Some("price".to_owned()), None]);
    assert_eq!(reported("other"), [None], "its type may have come later");
}

#[test]
fn skipped_events_over_the_limit_are_not_an_error() {
    let messages = found(events(OVERSIZED).messages().skip_discarded());
    assert_found(&messages, &[Ok("1"), Ok("3")]);
    let messages = found(events(OVERSIZED).through(|m| m.data() == "3").skip_discarded());
    assert_found(&messages, &[Ok("1"), Ok("3")]);
    let numbers = all(events(OVERSIZED).messages().skip_discarded().json::<u8>());
    assert_eq!(numbers.into_iter().map(Result::unwrap).collect::<Vec<_>>(), [1, 3]);
}

#[test]
fn a_reconnecting_stream_reports_events_over_the_limit_too() {
    let stream = Reconnect::new(Twice(OVERSIZED), ManualTimer::new()).with_max_event_size(64);
    let mut messages = stream.messages();
    let mut next = || messages.next().now_or_never().unwrap().unwrap();
    assert_eq!(data(next()), "1");
    assert!(matches!(next(), Err(MessageError::Discarded(_))));
}

// ------------------------------------------------------------------------------------- fairness

/// An endless ready stream that counts its items.
fn flood(
    item: OwnedFrame,
    taken: &std::cell::Cell<usize>,
) -> impl Stream<Item = io::Result<OwnedFrame>> {
    stream::repeat_with(move || {
        taken.set(taken.get() + 1);
        assert!(taken.get() < 1_000_000, "the poll never yields to other tasks");
        Ok(item.clone())
    })
}

#[test]
fn a_poll_of_any_adapter_skips_a_bounded_number_of_items() {
    let message = |data: &str| OwnedFrame::Message(MessageEvent::new("", data, ""));
    let comment = || OwnedFrame::Comment("hi".to_owned());
    let taken = std::cell::Cell::new(0);
    #[track_caller]
    fn bounded<S: Stream>(events: S, taken: &std::cell::Cell<usize>) {
        taken.set(0);
        let mut events = Box::pin(events);
        assert!(events.next().now_or_never().is_none(), "it yields to other tasks");
        assert!((1..=1000).contains(&taken.get()), "{} items in one poll", taken.get());
    }
    bounded(flood(comment(), &taken).messages(), &taken);
    bounded(flood(message("a"), &taken).named("b"), &taken);
    bounded(flood(message("a"), &taken).terminated_by("b").named("b"), &taken);
    bounded(flood(message("a"), &taken).through(|_| false).named("b"), &taken);
    bounded(flood(message(" "), &taken).json::<u8>(), &taken);
    bounded(flood(comment(), &taken).json::<u8>(), &taken);
    bounded(flood(comment(), &taken).encoded(), &taken);
    bounded(flood(message(" "), &taken).terminated_by("b").json::<u8>(), &taken);
}

// -------------------------------------------------------------------------------------------- json

#[test]
fn data_of_the_wrong_shape_is_an_error_with_the_event_in_it_and_the_stream_continues() {
    let stream = "data: 1\n\nid: 4\nevent: odd\ndata: one\n\ndata: 300\n\ndata: 1 2\n\ndata: 2\n\n";
    let items = all(events(stream).json::<u8>());
    assert_eq!(items.len(), 5);
    assert!(matches!((&items[0], &items[4]), (Ok(1), Ok(2))));
    let Err(JsonError::Decode { event, error }) = &items[1] else { panic!("{items:?}") };
    assert_eq!((event.event(), event.data(), event.id()), ("odd", "one", "4"));
    assert!(error.is_syntax());
    let Err(JsonError::Decode { error, .. }) = &items[2] else { panic!("{items:?}") };
    assert!(error.is_data());
    assert!(items[3].is_err(), "what is behind the value is not ignored");
}

/// H12
#[test]
fn events_of_empty_data_are_neither_json_nor_an_error() {
    let stream = "id: 1\ndata\n\ndata: 1\n\ndata:\n\ndata: \n\ndata: 2\n\n";
    let numbers = events(stream).json::<u8>();
    let numbers: Vec<u8> = all(numbers).into_iter().map(Result::unwrap).collect();
    assert_eq!(numbers, [1, 2]);
    // They are no unit and no `None` either.
    assert!(all(events("data:\n\n").json::<Option<u8>>()).is_empty());
    // JSON's white space counts as empty; a no-break space does not.
    let blank = "data:  \n\ndata: \t\ndata:  \n\ndata: 3\n\ndata: \u{a0}\n\n";
    let numbers = all(events(blank).json::<u8>());
    assert_eq!(numbers.len(), 2);
    assert_eq!(*numbers[0].as_ref().unwrap(), 3);
    assert!(matches!(numbers[1], Err(JsonError::Decode { .. })));
}

#[test]
fn the_id_of_an_event_that_is_not_decoded_counts() {
    let mut numbers = events("id: 9\ndata:\n\n").json::<u8>();
    assert!(numbers.next().now_or_never().unwrap().is_none());
    assert_eq!(numbers.get_ref().get_ref().last_event_id(), "9");
}

#[test]
fn json_over_several_lines_is_one_value() {
    let numbers = events("data: [1,\ndata: 2]\n\n").json::<Vec<u8>>();
    assert_eq!(all(numbers)[0].as_ref().unwrap(), &[1, 2]);
}

#[test]
fn errors_of_the_stream_and_of_decoding_differ_and_print_their_cause() {
    let stream = EventStream::new(body([Ok("event: e\ndata: x\n\n"), Err(broken())]));
    let items = all(stream.json::<u8>());
    let [Err(decode), Err(lost)] = &items[..] else { panic!("{items:?}") };
    assert_eq!(decode.to_string(), "could not decode an event of type \"e\" with data \"x\"");
    assert!(decode.source().unwrap().is::<serde_json::Error>());
    let JsonError::Stream(error) = lost else { panic!("{lost:?}") };
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    assert_eq!(lost.to_string(), error.to_string());
}

#[test]
fn an_error_shows_the_beginning_of_the_data_and_leaves_the_reason_to_its_source() {
    let shown = |data: &str| -> String {
        let message = MessageEvent::new("", data, "");
        let items = all(stream::iter([Ok::<_, io::Error>(message)]).json::<u8>());
        let Err(error) = &items[0] else { panic!("{items:?}") };
        let source = error.source().expect("serde_json's error").to_string();
        assert!(!error.to_string().contains(&source), "{error}");
        error.to_string()
    };
    let of = "could not decode an event of type \"message\" with data ";
    assert_eq!(shown("{\n\x1b"), format!("{of}\"{{\\n\\u{{1b}}\""));
    assert_eq!(shown(&"x".repeat(64)), format!("{of}\"{}\"", "x".repeat(64)));
    assert_eq!(shown(&"x".repeat(65)), format!("{of}\"{}\"..", "x".repeat(64)));
    // The 64th byte is the first of two.
    let cut = format!("{}é", "x".repeat(63));
    assert_eq!(shown(&cut), format!("{of}\"{}\"..", "x".repeat(63)));
}

// ------------------------------------------------------------------------------------- encoded

#[test]
fn encoded_messages_are_read_back_with_their_ids() {
    let text =
        "data: a\n\nid: 1\ndata: b\n\nevent: e\ndata: c\ndata: d\n\nid\ndata: f\n\ndata: g\n\n";
    let chunks: Vec<_> = all(events(text).encoded()).into_iter().map(Result::unwrap).collect();
    assert_eq!(chunks.len(), 5);
    assert_eq!(chunks[0], "data: a\n\n", "there is no ID to reset");
    assert_eq!(chunks[3], "id:\ndata: f\n\n");
    assert_eq!(chunks[4], "data: g\n\n");
    let again = EventStream::new(stream::iter(chunks.into_iter().map(Ok::<_, io::Error>)));
    assert_eq!(
        all(again.messages()).into_iter().map(Result::unwrap).collect::<Vec<_>>(),
        all(events(text).messages()).into_iter().map(Result::unwrap).collect::<Vec<_>>()
    );
}

#[test]
fn encoded_streams_pass_each_error_on() {
    let kinds = |items: Vec<Result<bytes::Bytes, EncodedError<io::Error>>>| -> Vec<String> {
        items.into_iter().filter_map(Result::err).map(|error| error.to_string()).collect()
    };
    let errors = kinds(all(events(OVERSIZED).terminated_by("x").encoded()));
    assert_eq!(errors.len(), 3);
    assert!(errors[0].starts_with("event discarded: at least"), "{errors:?}");
    assert_eq!(errors[2], EARLY);
    assert!(kinds(all(events(OVERSIZED).messages().skip_discarded().encoded())).is_empty());
    let errors = kinds(all(EventStream::new(body([Err(broken())])).encoded()));
    assert_eq!(errors, [broken().to_string()]);
    let forged = MessageEvent::new("a\ndata: forged", "", "");
    let items = stream::iter([Ok::<_, io::Error>(forged), Ok(MessageEvent::new("", "b", ""))]);
    let items = all(items.encoded());
    assert_eq!(items[1].as_ref().unwrap(), "data: b\n\n", "the stream goes on");
    assert_eq!(kinds(items), ["the type has a line break at byte 1, which would end its field"]);
}

// -------------------------------------------------------------------------------------- router

#[test]
fn a_router_calls_the_handler_of_the_type_and_returns_its_result() {
    let mut router = Router::new();
    router.on("price", |m| format!("price {}", m.data()));
    router.on("", |m| format!("plain {}", m.data()));
    let routed: Vec<_> = all(events(STREAM).messages().skip_discarded())
        .into_iter()
        .map(|message| router.dispatch(&message.unwrap()))
        .collect();
    let routed: Vec<_> = routed.iter().map(Option::as_deref).collect();
    assert_eq!(
        routed,
        [Some("plain a"), Some("price 12"), Some("plain b"), None, Some("price 14")]
    );
    assert_eq!(router.unhandled(), 1, "types are compared literally");
}

#[test]
fn a_later_handler_replaces_an_earlier_one_and_the_default_takes_the_rest() {
    let of = |event: &str| MessageEvent::new(event, "", "");
    let mut router = Router::new();
    router.on("a", |_| 1).on("a", |_| 2);
    assert_eq!(router.dispatch(&of("a")), Some(2));
    router.otherwise(|_| 3);
    assert_eq!(router.dispatch(&of("b")), Some(3));
    assert!(router.remove("a"));
    assert!(!router.remove("a"));
    assert_eq!(router.dispatch(&of("a")), Some(3));
    router.on("message", |_| 4);
    assert_eq!(router.dispatch(&of("")), Some(4));
    assert!(router.remove(""));
    assert_eq!(router.unhandled(), 0);
}

#[test]
fn handlers_borrow_and_change_local_state() {
    let (mut sum, mut names) = (0, Vec::new());
    let mut router = Router::new();
    router.on("add", |m| sum += m.data().parse::<u32>().unwrap());
    router.on("name", |m| names.push(m.data().to_owned()));
    for (event, data) in [("add", "2"), ("name", "x"), ("add", "3"), ("other", "")] {
        router.dispatch(&MessageEvent::new(event, data, ""));
    }
    assert_eq!(router.unhandled(), 1);
    drop(router);
    assert_eq!((sum, names), (5, vec!["x".to_owned()]));
}

#[test]
fn a_router_finds_each_of_many_types() {
    let mut router = Router::new();
    for number in 0..1000 {
        router.on(format!("type-{number}"), move |_| number);
    }
    for number in 0..1000 {
        let message = MessageEvent::new(&format!("type-{number}"), "", "");
        assert_eq!(router.dispatch(&message), Some(number));
    }
}

#[tokio::test]
async fn a_task_that_owns_a_router_can_be_spawned() {
    let task = tokio::spawn(async {
        let mut router = Router::new();
        router.on("price", |m| m.data().len());
        let mut messages = events("event: price\ndata: 12\n\n").messages();
        let message = messages.next().await.unwrap().unwrap();
        router.dispatch(&message)
    });
    assert_eq!(task.await.unwrap(), Some(2));
}

// ------------------------------------------------------------------------------------- the surface

#[test]
fn the_stream_can_be_looked_at_changed_and_had_back() {
    let mut json = events("id: 1\ndata: 1\n\nid: 2\ndata: 2\n\n").messages().named("").json::<u8>();
    json.next().now_or_never();
    assert_eq!(json.get_ref().get_ref().last_event_id(), "1");
    *json.get_mut().get_mut().get_mut() = body([Ok("data: 3\n\n")]);
    let mut events = json.into_inner().into_inner();
    let second = events.next().now_or_never().unwrap().unwrap().unwrap();
    assert_eq!(second.into_message().unwrap().data(), "2", "nothing was read ahead");
}

/// The adapters report the end of their stream.
#[tokio::test]
async fn adapters_of_a_closed_event_source_are_over_and_of_a_revived_one_are_not() {
    let server = Server::scripted([Reply::events("data: 1\n\n").hold()]);
    let source: EventSource = quickly(get(server.url()));
    let mut numbers = source.messages().until(is_done).json::<u8>();
    assert!(!numbers.is_terminated());
    numbers.get_mut().get_mut().get_mut().unwrap().get_mut().close();
    assert!(numbers.is_terminated());
    assert!(within(numbers.next()).await.is_none());
    numbers.get_mut().get_mut().get_mut().unwrap().get_mut().force_reconnect();
    assert!(!numbers.is_terminated());
    assert_eq!(within(numbers.next()).await.unwrap().unwrap(), 1);
}

#[tokio::test]
async fn a_cancelled_next_loses_nothing() {
    let feed = Feed::new();
    let server = Server::scripted([Reply::sse().send_head().fed_by(&feed)]);
    let mut numbers = http().get(server.url()).into_event_source().json::<u8>();
    for number in 1..=3 {
        let impatient = tokio::time::timeout(Duration::from_millis(1), numbers.next());
        assert!(impatient.await.is_err(), "there is nothing yet");
        feed.send(format!("data: {number}\n\n"));
        assert_eq!(within(numbers.next()).await.unwrap().unwrap(), number);
    }
}

#[test]
fn debug_output_shows_the_stream() {
    let events = || EventReader::new(&b"x"[..]);
    let inner = format!("{:?}", events());
    for shown in [
        format!("{:?}", events().named("a")),
        format!("{:?}", events().terminated_by("[DONE]")),
        format!("{:?}", events().through(|_| false)),
        format!("{:?}", events().until(|_| false)),
        format!("{:?}", events().through(|_| false).json::<u8>()),
    ] {
        assert!(shown.contains(&inner), "{shown}");
    }
}
