//! Compile-time checks of `Send`, `Sync`, `Unpin` and `'static`.

use std::convert::Infallible;
use std::error::Error;
use std::fmt::{Debug, Display};
use std::future::Future;
use std::hash::Hash;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use everstream::reconnect::{
    self, Action, Attempt, Connect, ConnectError, Connection, Input, Machine, Reconnect,
    ReconnectError, State, Timeouts,
};
use everstream::retry::PolicyFn;
use everstream::timer::{DefaultSleep, ManualSleep};
use everstream::{
    Backoff, DefaultTimer, Discarded, DisconnectKind, EncodeError, Encoder, EventStream, EventView,
    Frame, Frames, Handle, Jitter, ManualTimer, MessageEvent, OnOversize, OwnedFrame, Parser,
    ReadyState, RetryContext, RetryPolicy, StateWatch, Stats, Timer, TimerFn,
};
use futures_util::StreamExt;
use futures_util::stream::{FusedStream, Pending, Stream};

/// Requires a type for any thread, any place and any lifetime.
fn free<T: Send + Sync + Unpin + 'static>() {}

/// Requires a type for any thread, any place and any lifetime, with `Debug`.
fn value<T: Send + Sync + Unpin + Debug + 'static>() {}

/// Requires a borrowed type for any thread and any place.
fn borrowed<T: Send + Sync + Unpin + Debug>() {}

fn copied<T: Copy + Debug + Send + Sync + Unpin + 'static>() {}

fn cloned<T: Clone + Send + Sync + Unpin + Debug + 'static>() {}

/// Requires an error that converts into `Box<dyn Error + Send + Sync>`, as `anyhow` needs it.
fn error<T: Error + Display + Send + Sync + Unpin + 'static>()
where
    Box<dyn Error + Send + Sync>: From<T>,
{
}

/// Requires a stream for all combinators of the futures crates.
fn stream<T, E, S: Stream<Item = Result<T, E>> + FusedStream + Unpin + Debug>() {}

/// Requires a future that a multi-threaded runtime can spawn.
fn spawned<T: Future + Send + 'static>(_: impl Fn() -> T) {}

/// A transport whose parts are `Send`, `Sync` and `Unpin`.
struct Free;

impl Connect for Free {
    type Head = String;
    type Chunk = Vec<u8>;
    type Body = Pending<Result<Vec<u8>, std::io::Error>>;
    type Error = std::io::Error;
    type Fatal = std::io::Error;
    type Connecting = std::future::Ready<
        Result<Connection<String, Self::Body>, ConnectError<std::io::Error, std::io::Error>>,
    >;

    fn connect(&mut self, _: Attempt<std::io::Error>) -> Self::Connecting {
        std::future::ready(Err(ConnectError::Finished))
    }
}

/// A transport whose parts are neither `Send` nor `Unpin`, as in a browser.
struct Bound(#[allow(dead_code, reason = "it is what it is")] Rc<()>);

impl Connect for Bound {
    type Head = Rc<()>;
    type Chunk = String;
    type Body = futures_util::stream::LocalBoxStream<'static, Result<String, Rc<()>>>;
    type Error = Rc<()>;
    type Fatal = Rc<()>;
    type Connecting = futures_util::future::LocalBoxFuture<
        'static,
        Result<Connection<Rc<()>, Self::Body>, ConnectError<Rc<()>, Rc<()>>>,
    >;

    fn connect(&mut self, _: Attempt<Rc<()>>) -> Self::Connecting {
        Box::pin(async { Err(ConnectError::Finished) })
    }
}

/// A timer whose sleeps cannot be moved.
struct Rooted;

impl Timer for Rooted {
    type Sleep = RootedSleep;

    fn sleep(&self, _: Duration) -> RootedSleep {
        RootedSleep(std::marker::PhantomPinned)
    }
}

struct RootedSleep(#[allow(dead_code, reason = "it is what it is")] std::marker::PhantomPinned);

impl Future for RootedSleep {
    type Output = ();

    fn poll(self: std::pin::Pin<&mut Self>, _: &mut std::task::Context<'_>) -> std::task::Poll<()> {
        std::task::Poll::Pending
    }
}

#[test]
fn parsers_and_their_frames_are_send_and_sync() {
    cloned::<Parser>();
    borrowed::<Frames<'_>>();
    cloned::<Frame<'static>>();
    copied::<EventView<'static>>();
    cloned::<Discarded>();
    cloned::<MessageEvent>();
    cloned::<OwnedFrame>();
    fn key<T: Eq + Hash>() {}
    key::<MessageEvent>();
    cloned::<Encoder<String>>();
    error::<EncodeError>();
}

#[cfg(feature = "serde")]
#[test]
fn owned_values_are_deserialized_without_a_lifetime() {
    fn both<T: serde::Serialize + serde::de::DeserializeOwned>() {}
    both::<MessageEvent>();
    both::<OwnedFrame>();
    both::<Discarded>();
    both::<ReadyState>();
    fn serialized<T: serde::Serialize>() {}
    serialized::<EventView<'_>>();
    serialized::<Frame<'_>>();
}

#[test]
fn policies_and_timers_go_anywhere() {
    cloned::<Backoff>();
    cloned::<Jitter>();
    cloned::<RetryContext>();
    copied::<DisconnectKind>();
    copied::<PolicyFn<fn(&RetryContext) -> Option<Duration>>>();
    cloned::<ManualTimer>();
    value::<ManualSleep>();
    copied::<DefaultTimer>();
    value::<DefaultSleep>();
    copied::<TimerFn<fn(Duration) -> std::future::Ready<()>>>();
    free::<Box<dyn RetryPolicy + Send + Sync>>();
    fn policy<T: RetryPolicy + ?Sized>() {}
    policy::<Box<dyn RetryPolicy>>();
    policy::<&mut dyn RetryPolicy>();
    fn timer<T: Timer + ?Sized>() {}
    timer::<dyn Timer<Sleep = ManualSleep>>();
    timer::<Arc<dyn Timer<Sleep = ManualSleep> + Send + Sync>>();
    timer::<Rc<ManualTimer>>();
    timer::<&ManualTimer>();
    #[cfg(feature = "tokio")]
    copied::<everstream::TokioTimer>();
    #[cfg(feature = "smol")]
    copied::<everstream::SmolTimer>();
    #[cfg(feature = "smol")]
    value::<everstream::timer::SmolSleep>();
}

#[test]
fn an_event_stream_goes_where_its_source_goes() {
    type Source = Pending<Result<Vec<u8>, Infallible>>;
    value::<EventStream<Source>>();
    stream::<_, _, EventStream<Source>>();
    spawned(|| async {
        let mut events = EventStream::new(futures_util::stream::pending::<Result<Vec<u8>, ()>>());
        while let Some(frame) = events.next().await {
            let kept = frame;
            events.next().await;
            drop(kept);
        }
    });
    fn any_stream<S: Stream>() {}
    any_stream::<EventStream<futures_util::stream::LocalBoxStream<'static, Result<Vec<u8>, Rc<()>>>>>(
    );
}

#[cfg(feature = "futures-io")]
#[test]
fn an_event_reader_goes_where_its_reader_goes() {
    use everstream::EventReader;
    use futures_util::io::{AsyncRead, Empty};
    use std::pin::Pin;

    value::<EventReader<Empty>>();
    value::<EventReader<smol::net::TcpStream>>();
    stream::<_, _, EventReader<Empty>>();
    spawned(|| async {
        let mut events = EventReader::new(futures_util::io::empty());
        while let Some(frame) = events.next().await {
            let kept = frame?;
            events.next().await;
            drop(kept);
        }
        Ok::<_, Box<dyn Error + Send + Sync>>(())
    });
    fn any_stream<S: Stream>() {}
    any_stream::<EventReader<Pin<Box<dyn AsyncRead>>>>();
}

#[test]
fn adapters_go_where_their_stream_goes() {
    use everstream::{
        Encoded, EncodedError, EventStreamExt, MessageError, Messages, Sentinel, Terminated, Until,
    };
    use std::marker::PhantomPinned;

    type Events = EventStream<Pending<Result<Vec<u8>, Infallible>>>;
    type Predicate = fn(&MessageEvent) -> bool;
    value::<Messages<Events>>();
    value::<Terminated<Events, Sentinel>>();
    value::<Terminated<Events, everstream::Predicate<Predicate>>>();
    value::<Until<Messages<Events>, Predicate>>();
    stream::<_, _, Messages<Events>>();
    stream::<_, _, Terminated<Events, Sentinel>>();
    error::<MessageError<std::io::Error>>();
    value::<Encoded<Messages<Events>>>();
    stream::<_, _, Encoded<Messages<Events>>>();
    error::<EncodedError<std::io::Error>>();
    stream::<_, _, Until<Messages<Events>, Predicate>>();
    stream::<_, _, Messages<Reconnect<Bound, Rooted>>>();
    stream::<_, _, Until<Messages<Reconnect<Bound, Rooted>>, Predicate>>();
    // A predicate is not polled, so the adapter is `Unpin` without it.
    fn unpin<T: Unpin>(_: T) {}
    let events = EventStream::new(futures_util::stream::pending::<Result<Vec<u8>, Infallible>>());
    let rooted = PhantomPinned;
    unpin(events.until(move |_| {
        let _ = &rooted;
        false
    }));
    spawned(|| async {
        let events = EventStream::new(futures_util::stream::pending::<Result<Vec<u8>, ()>>());
        let mut prices = events.named("price").until(|price| price.data().is_empty());
        while let Some(price) = prices.next().await {
            prices.next().await;
            drop(price);
        }
    });
}

#[cfg(feature = "json")]
#[test]
fn decoded_data_goes_where_its_stream_goes_whatever_it_is() {
    use everstream::{EventStreamExt, Json, JsonError, Messages};

    type Events = EventStream<Pending<Result<Vec<u8>, std::io::Error>>>;
    value::<Json<Messages<Events>, u8>>();
    value::<Json<Messages<Events>, Rc<()>>>();
    stream::<_, _, Json<Messages<Events>, String>>();
    error::<JsonError<std::io::Error>>();
    spawned(|| async {
        let source = futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>();
        let mut numbers = EventStream::new(source).messages().json::<u64>();
        while let Some(number) = numbers.next().await {
            numbers.next().await;
            let _: u64 = number?;
        }
        Ok::<_, Box<dyn Error + Send + Sync>>(())
    });
}

#[test]
fn a_reconnecting_stream_goes_where_its_parts_go() {
    value::<Reconnect<Free, ManualTimer>>();
    value::<Reconnect<Free, DefaultTimer>>();
    #[cfg(feature = "smol")]
    value::<Reconnect<Free, everstream::SmolTimer>>();
    stream::<_, _, Reconnect<Free, ManualTimer>>();
    spawned(|| async {
        let mut events = Reconnect::new(Free, ManualTimer::new());
        let handle = events.handle();
        while let Some(item) = events.next().await {
            let kept = item;
            events.next().await;
            handle.close();
            drop(kept);
        }
    });
}

#[test]
fn a_reconnecting_stream_can_be_moved_though_its_parts_cannot() {
    stream::<_, _, Reconnect<Bound, Rooted>>();
    stream::<_, _, Reconnect<Bound, Rc<ManualTimer>>>();
    stream::<_, _, Reconnect<Free, Rooted>>();
}

#[test]
fn the_parts_of_a_reconnecting_stream_go_anywhere() {
    cloned::<Handle>();
    value::<StateWatch>();
    copied::<Stats>();
    cloned::<Machine>();
    copied::<State>();
    copied::<Input>();
    copied::<Action>();
    copied::<ReadyState>();
    copied::<OnOversize>();
    copied::<Timeouts>();
    copied::<Connection<u8, u8>>();
    copied::<ConnectError<u8, u8>>();
    cloned::<Attempt<std::io::Error>>();
    cloned::<reconnect::Health>();
    cloned::<reconnect::NextAttempt>();
    value::<reconnect::Once<&'static [u8]>>();
    value::<reconnect::ConnectFn<fn(), std::io::Error>>();
    value::<reconnect::ConnectFnFuture<std::future::Ready<()>>>();
    cloned::<reconnect::ReconnectOpened<String>>();
    value::<reconnect::ReconnectEvent<String, std::io::Error>>();
    error::<reconnect::Reason<std::io::Error>>();
    error::<ReconnectError<std::io::Error, std::io::Error>>();
}

#[cfg(feature = "reqwest")]
mod over_reqwest {
    use super::*;
    use everstream::{
        Event, EventSource, EventSourceBuilder, Opened, Reconnection, RequestAttempt,
        RequestBuilderExt,
    };
    use futures_util::TryStreamExt;

    #[test]
    fn an_event_source_goes_anywhere() {
        value::<EventSource>();
        stream::<Event, everstream::Error, EventSource>();
    }

    #[test]
    fn a_builder_of_event_sources_can_be_sent() {
        fn sent<T: Send + Unpin + Debug + 'static>() {}
        sent::<EventSourceBuilder>();
    }

    #[test]
    fn items_of_an_event_source_are_send_and_sync() {
        value::<Event>();
        cloned::<Opened>();
        cloned::<everstream::Disconnect>();
        cloned::<everstream::ResponseStart>();
        cloned::<everstream::TransportError>();
        copied::<Reconnection>();
        cloned::<RequestAttempt>();
    }

    #[test]
    fn the_errors_of_an_event_source_are_errors_like_others() {
        error::<everstream::Error>();
        error::<everstream::Disconnect>();
        error::<everstream::TransportError>();
    }

    #[test]
    fn a_task_that_reads_an_event_source_can_be_spawned() {
        spawned(|| async {
            let request = reqwest::Client::new().get("http://localhost/");
            let mut events = request.into_event_source();
            let handle = events.handle();
            while let Some(event) = events.try_next().await? {
                let kept = event;
                events.next().await;
                handle.reconnect_now();
                drop(kept);
            }
            Ok::<_, Box<dyn Error + Send + Sync>>(())
        });
    }

    #[test]
    fn the_combinators_of_streams_work_on_an_event_source() {
        spawned(|| async {
            let request = reqwest::Client::new().get("http://localhost/");
            let events = request.into_event_source();
            let messages = events.try_filter_map(async |event| {
                Ok(match event {
                    Event::Message(message) => Some(message),
                    _ => None,
                })
            });
            let mut data = messages.map_ok(MessageEvent::into_data).take(3).fuse().boxed();
            let _: Option<Result<String, everstream::Error>> = data.next().await;
        });
    }
}
