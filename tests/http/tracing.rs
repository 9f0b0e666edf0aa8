//! Tests of the logs of connections by `tracing`: their levels, and that they hold no secret.

use std::collections::BTreeMap;
use std::fmt;
use std::future::pending;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard};
use std::time::Duration;

use crate::support::server::{ClosedPort, Reply, Server};
use everstream::reconnect::{Attempt, Connect, ConnectError, Connection, Reconnect};
use everstream::{
    Backoff, EventSourceBuilder, ManualTimer, OnOversize, Reconnection, RequestBuilderExt,
};
use futures_util::{FutureExt, StreamExt, stream};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::{DefaultGuard, Interest, NoSubscriber};
use tracing::{Dispatch, Event, Level, Metadata, Subscriber};

use crate::support::client::{get, post, quick, quickly, story, within};

type Fields = BTreeMap<&'static str, String>;

/// A log event.
#[derive(Debug, Clone)]
struct Told {
    level: Level,
    message: String,
    fields: Fields,
    /// Its span, as an index in [`Log::spans`].
    of: Option<usize>,
}

#[derive(Debug, Clone)]
struct SpanTold {
    fields: Fields,
    references: usize,
}

#[derive(Debug, Default)]
struct Log {
    told: Vec<Told>,
    spans: Vec<SpanTold>,
    entered: Vec<usize>,
}

/// A subscriber that collects the logs of `everstream` up to a level.
#[derive(Clone)]
struct Collector {
    log: Arc<Mutex<Log>>,
    level: Level,
}

/// Starts to collect on this thread, until the guard is dropped.
fn listen(level: Level) -> (Collector, DefaultGuard) {
    // With one subscriber in the process, `tracing` asks that of the thread which reaches a log line
    // first. That thread may run another test, which has none, and the line would stay off.
    static SECOND: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(NoSubscriber::new()));
    LazyLock::force(&SECOND);
    let collector = Collector { log: Arc::default(), level };
    let guard = tracing::subscriber::set_default(collector.clone());
    (collector, guard)
}

impl Collector {
    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap()
    }

    /// Returns the messages, each with its level.
    fn told(&self) -> Vec<String> {
        self.log().told.iter().map(|told| format!("{} {}", told.level, told.message)).collect()
    }

    fn span(&self, index: usize) -> SpanTold {
        self.log().spans[index].clone()
    }

    /// Returns the log event with this message.
    fn find(&self, message: &str) -> Told {
        let found = self.log().told.iter().find(|told| told.message == message).cloned();
        found.unwrap_or_else(|| panic!("no {message:?} in {:#?}", self.log()))
    }

    /// Returns the only warning, if there is one.
    fn warning(&self) -> Option<Told> {
        let log = self.log();
        let mut warnings = log.told.iter().filter(|told| told.level <= Level::WARN).cloned();
        let warning = warnings.next();
        assert!(warnings.next().is_none(), "{log:#?}");
        warning
    }
}

struct Into<'a>(&'a mut Fields);

impl Visit for Into<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }
}

fn index(id: &Id) -> usize {
    id.into_u64() as usize - 1
}

impl Subscriber for Collector {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        // Each test has its own collector.
        Interest::sometimes()
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("everstream") && *metadata.level() <= self.level
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut fields = Fields::new();
        span.record(&mut Into(&mut fields));
        let mut log = self.log();
        log.spans.push(SpanTold { fields, references: 1 });
        Id::from_u64(log.spans.len() as u64)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        values.record(&mut Into(&mut self.log().spans[index(span)].fields));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::new();
        event.record(&mut Into(&mut fields));
        let message = fields.remove("message").unwrap_or_default();
        let mut log = self.log();
        let of = log.entered.last().copied();
        log.told.push(Told { level: *event.metadata().level(), message, fields, of });
    }

    fn enter(&self, span: &Id) {
        self.log().entered.push(index(span));
    }

    fn exit(&self, span: &Id) {
        assert_eq!(self.log().entered.pop(), Some(index(span)));
    }

    fn clone_span(&self, id: &Id) -> Id {
        self.log().spans[index(id)].references += 1;
        id.clone()
    }

    fn try_close(&self, id: Id) -> bool {
        let mut log = self.log();
        let span = &mut log.spans[index(&id)];
        span.references -= 1;
        span.references == 0
    }
}

fn fields<const N: usize>(fields: [(&'static str, &str); N]) -> Fields {
    fields.into_iter().map(|(name, value)| (name, value.to_owned())).collect()
}

// --------------------------------------------------------------------------------- Spans and levels

#[tokio::test]
async fn each_attempt_has_a_span_and_routine_is_logged_at_debug() {
    let server = Server::scripted([Reply::events("id: 1\ndata: a\n\n"), Reply::events("").reset()]);
    let (collector, _guard) = listen(Level::TRACE);
    let mut events = quickly(get(server.url_at("/events")));
    let story = story(&mut events).await;
    assert_eq!(story.len(), 5, "{story:?}");

    let url = server.url_at("/events");
    let told = collector.told();
    let expected = [
        "DEBUG open",
        "DEBUG disconnected",
        "DEBUG waiting",
        "DEBUG open",
        "DEBUG the transport failed",
        "DEBUG disconnected",
        "DEBUG waiting",
        "DEBUG the stream is over",
    ];
    assert_eq!(told, expected);
    let of: Vec<_> = collector.log().told.iter().map(|told| told.of.unwrap()).collect();
    assert_eq!(of, [0, 0, 0, 1, 1, 1, 1, 2]);
    let span = |attempt, resumes, status| {
        fields([("attempt", attempt), ("resumes", resumes), ("status", status), ("url", &url)])
    };
    assert_eq!(collector.span(0).fields, span("0", "false", "200"));
    assert_eq!(collector.span(1).fields, span("1", "true", "200"));
    assert_eq!(collector.span(2).fields, span("2", "true", "204"));

    assert_eq!(collector.find("disconnected").fields, fields([("reason", "ended")]));
    let wait = fields([("attempt", "1"), ("delay", "1ms")]);
    assert_eq!(collector.find("waiting").fields, wait);
    let error = &collector.find("the transport failed").fields["error"];
    assert!(error.starts_with("the connection broke: "), "{error}");
}

#[tokio::test]
async fn a_refused_stream_is_a_warning_with_the_status() {
    let server = Server::scripted([Reply::empty(404, "Not Found")]);
    // The span is enabled even at the level `WARN`.
    let (collector, _guard) = listen(Level::WARN);
    story(&mut quickly(get(server.url()))).await;
    let warning = collector.warning().unwrap();
    assert_eq!(warning.fields, fields([("why", "the connection was refused for good")]));
    assert_eq!(warning.of, Some(0));
    assert_eq!(collector.span(0).fields["status"], "404");
    assert_eq!(collector.span(0).fields["url"], server.url());
    assert_eq!(collector.told().len(), 1);
}

#[tokio::test]
async fn a_post_that_breaks_is_a_warning_and_one_that_ends_is_none() {
    let server =
        Server::scripted([Reply::events("data: a\n\n"), Reply::events("data: a\n\n").reset()]);
    let (collector, _guard) = listen(Level::TRACE);
    story(&mut quickly(post(server.url()))).await;
    assert!(collector.warning().is_none());
    assert_eq!(collector.told().last().unwrap(), "DEBUG the stream is over");
    story(&mut quickly(post(server.url()))).await;
    let why = "the connection was lost and must not be repeated";
    assert_eq!(collector.warning().unwrap().fields, fields([("why", why)]));
}

#[tokio::test]
async fn giving_up_is_a_warning() {
    let port = ClosedPort::new();
    let (collector, _guard) = listen(Level::TRACE);
    let policy = quick().with_max_retries(2);
    let builder = get(port.url()).into_event_source_builder().retry_policy(policy);
    story(&mut builder.build()).await;
    let why = "the retry policy gave up";
    assert_eq!(collector.warning().unwrap().fields, fields([("attempts", "2"), ("why", why)]));
    assert_eq!(collector.warning().unwrap().of, Some(2));
    let error = &collector.find("the transport failed").fields["error"];
    assert!(error.starts_with("could not connect to 127.0.0.1:"), "{error}");
}

#[tokio::test]
async fn an_event_over_the_limit_is_a_warning_if_it_is_the_end() {
    let (collector, _guard) = listen(Level::TRACE);
    for (on_oversize, warns) in [(OnOversize::Discard, false), (OnOversize::Fail, true)] {
        let server = Server::scripted([Reply::events("data: too long\n\n")]);
        let mut events = get(server.url())
            .into_event_source_builder()
            .reconnect(Reconnection::Never)
            .max_event_size(4)
            .on_oversize(on_oversize)
            .build();
        story(&mut events).await;
        assert_eq!(collector.warning().is_some(), warns);
    }
}

#[tokio::test]
async fn a_span_is_over_when_its_connection_is() {
    let server =
        Server::scripted([Reply::events("data: a\n\n"), Reply::events("data: b\n\n").hold()]);
    let (collector, _guard) = listen(Level::TRACE);
    let timer = ManualTimer::new();
    let mut events = get(server.url()).into_event_source_builder().timer(timer.clone()).build();
    assert_eq!(collector.log().spans.len(), 0, "nothing happens before it is polled");
    crate::support::client::opened(&mut events).await;
    assert_eq!(crate::support::client::data(&mut events).await, "a");
    assert!(collector.span(0).references > 0);
    crate::support::client::reconnecting(&mut events).await;
    assert_eq!(collector.span(0).references, 0, "it waits, and has no connection");
    timer.advance_to_next();
    crate::support::client::opened(&mut events).await;
    assert_eq!(collector.log().spans.len(), 2);
    events.close();
    assert_eq!(collector.span(1).references, 0);
    assert_eq!(collector.told().last().unwrap(), "DEBUG dropped on request");
    let told = collector.told().len();
    events.close();
    assert_eq!(collector.told().len(), told, "there was nothing to drop");
}

#[tokio::test]
async fn an_order_of_a_handle_is_logged() {
    let server = Server::scripted([Reply::events("data: a\n\n").hold()]);
    let (collector, _guard) = listen(Level::TRACE);
    let mut events = quickly(get(server.url()));
    let handle = events.handle();
    crate::support::client::opened(&mut events).await;
    handle.reconnect_now();
    assert_eq!(story(&mut events).await, Vec::<String>::new());
    assert_eq!(
        collector.told(),
        ["DEBUG open", "DEBUG dropped on request", "DEBUG the stream is over"]
    );
}

#[tokio::test]
async fn logs_of_the_user_between_two_items_are_not_in_the_span() {
    let server = Server::scripted([Reply::events("data: a\n\n").hold()]);
    let (collector, _guard) = listen(Level::TRACE);
    let url = server.url();
    let make = move |_: everstream::RequestAttempt| {
        tracing::info!(target: "everstream_user", "making");
        let request = get(&url);
        async move {
            tracing::info!(target: "everstream_user", "made");
            Ok(request)
        }
    };
    let mut events = get("http://localhost/").into_event_source_builder().request_fn(make).build();
    crate::support::client::opened(&mut events).await;
    tracing::info!(target: "everstream_user", "between");
    let of = |message| collector.find(message).of;
    assert_eq!((of("making"), of("made"), of("between")), (Some(0), Some(0), None));
}

/// I2: over HTTP/2, the response of a stream over the server's limit may never arrive.
#[test]
fn a_response_that_is_late_is_logged_once_for_each_attempt() {
    let (collector, _guard) = listen(Level::INFO);
    let timer = ManualTimer::new();
    let mut events = EventSourceBuilder::from_response_fn(|_| {
        pending::<Result<http::Response<String>, String>>()
    })
    .timer(timer.clone())
    .build();
    for attempt in [1, 2] {
        events.force_reconnect();
        let mut waits = || assert!(events.next().now_or_never().is_none());
        waits();
        timer.advance(Duration::from_millis(9999));
        waits();
        assert_eq!(collector.told().len(), attempt - 1);
        for _ in 0..3 {
            timer.advance(Duration::from_secs(60));
            waits();
        }
        assert_eq!(collector.told(), vec!["INFO no response yet"; attempt]);
    }
    let told = collector.find("no response yet");
    assert_eq!((&*told.fields["after"], told.of), ("10s", Some(0)));
    assert!(told.fields["cause"].contains("no free stream"), "{told:?}");
    assert_eq!(timer.pending(), 0);
}

// ------------------------------------------------------------------------------------------ Secrets

/// Every possible place contains a secret.
#[tokio::test]
async fn no_secret_is_ever_logged() {
    const SECRET: &str = "s3cr3t";
    let reply = Reply::events(format!(
        "id: {SECRET}\nevent: {SECRET}\ndata: {SECRET}\n\n: {SECRET}\n\nid: {SECRET}2\n\n"
    ));
    let location = format!("http://{SECRET}:{SECRET}@127.0.0.1:1/{SECRET}?{SECRET}");
    let server = Server::scripted([
        reply.header("Set-Cookie", SECRET).reset(),
        Reply::redirect(302, &location),
        Reply::with_body(503, "Unavailable", "text/plain", SECRET).header("X-Token", SECRET),
        Reply::with_body(200, "OK", "text/event-stream", "").header("X-Token", SECRET).reset(),
        Reply::with_body(401, "Unauthorized", SECRET, SECRET).header("WWW-Authenticate", SECRET),
        Reply::with_body(200, "OK", SECRET, SECRET),
    ]);
    let (collector, _guard) = listen(Level::TRACE);
    let origin = server.origin();
    let address = origin.strip_prefix("http://").unwrap();
    let url = format!("http://{SECRET}:{SECRET}@{address}/path?token={SECRET}#{SECRET}");
    let request = || {
        let request = get(&url).bearer_auth(SECRET).header("Cookie", SECRET);
        request.header("Last-Event-ID", SECRET).body(SECRET)
    };
    let first = story(&mut quickly(request())).await;
    let second = story(&mut quickly(request())).await;
    let broken = request()
        .into_event_source_builder()
        .request_fn(|_| async { Err(everstream::Fatal(SECRET).into()) });
    let third = story(&mut broken.build()).await;
    assert!(first.last().unwrap().contains("401"), "{first:?}");
    assert!(second.last().unwrap().contains(SECRET), "its error is told to whom it belongs");
    assert!(third.last().unwrap().contains(SECRET));

    let everything = format!("{:#?}", collector.log());
    assert!(!everything.contains(SECRET), "{everything}");
    assert_eq!(collector.span(0).fields["url"], format!("{origin}/path"));
    assert_eq!(collector.span(0).fields["resumes"], "true");
    assert_eq!(collector.log().told.iter().filter(|told| told.level == Level::WARN).count(), 3);
    assert!(collector.log().told.iter().any(|told| told.fields.contains_key("error")));
}

// -------------------------------------------------------------------------- Without an HTTP client

/// A connector that logs its use. Each connection sends one event and ends.
struct Greeter;

impl Connect for Greeter {
    type Head = ();
    type Chunk = &'static str;
    type Body = stream::BoxStream<'static, Result<&'static str, &'static str>>;
    type Error = &'static str;
    type Fatal = &'static str;
    type Connecting = futures_util::future::BoxFuture<
        'static,
        Result<Connection<(), Self::Body>, ConnectError<&'static str, &'static str>>,
    >;

    fn connect(&mut self, attempt: Attempt<&'static str>) -> Self::Connecting {
        let number = attempt.number;
        Box::pin(async move {
            tracing::debug!(target: "everstream_greeter", "connecting");
            if number > 0 {
                return Err(ConnectError::retry("busy"));
            }
            let body = stream::once(async {
                tracing::debug!(target: "everstream_greeter", "greeting");
                Ok("data: hello\n\n")
            });
            Ok(Connection { head: (), body: body.boxed() })
        })
    }
}

#[test]
fn a_custom_transport_has_the_same_spans() {
    let (collector, _guard) = listen(Level::TRACE);
    let timer = ManualTimer::new();
    let policy = Backoff::new().with_max_elapsed(Duration::from_secs(60));
    let mut events = Reconnect::new(Greeter, timer.clone()).with_retry_policy(policy);
    let mut items = 0;
    loop {
        match events.next().now_or_never() {
            Some(Some(_)) => items += 1,
            Some(None) => break,
            None => drop(timer.advance_to_next()),
        }
    }
    assert!(items > 4);
    assert_eq!(collector.span(0).fields, fields([("attempt", "0"), ("resumes", "false")]));
    assert_eq!(collector.span(1).fields["attempt"], "1");
    for message in ["connecting", "greeting", "open"] {
        assert_eq!(collector.find(message).of, Some(0), "{message}");
    }
    assert_eq!(collector.warning().unwrap().fields["why"], "the retry policy gave up");
    assert!(collector.log().spans.iter().all(|span| span.references == 0));
}

/// A subscriber must not change the debug output.
#[test]
fn the_debug_output_of_an_attempt_shows_no_span() {
    struct Shown(Arc<Mutex<String>>);
    impl Connect for Shown {
        type Head = ();
        type Chunk = &'static str;
        type Body = stream::Empty<Result<&'static str, ()>>;
        type Error = ();
        type Fatal = ();
        type Connecting =
            std::future::Ready<Result<Connection<(), Self::Body>, ConnectError<(), ()>>>;

        fn connect(&mut self, attempt: Attempt<()>) -> Self::Connecting {
            *self.0.lock().unwrap() = format!("{attempt:?}");
            std::future::ready(Err(ConnectError::Finished))
        }
    }
    let shown = Arc::<Mutex<String>>::default();
    let mut events = Reconnect::new(Shown(Arc::clone(&shown)), ManualTimer::new());
    assert!(events.next().now_or_never().unwrap().is_none());
    assert_eq!(
        *shown.lock().unwrap(),
        "Attempt { number: 0, was_open: false, last_event_id: None, reason: None }"
    );
}

#[tokio::test]
async fn a_stream_without_a_subscriber_works_the_same() {
    let server = Server::scripted([Reply::events("data: a\n\n")]);
    let story = within(story(&mut quickly(get(server.url())))).await;
    assert_eq!(story, ["open", "message: a", "reconnecting: the server ended the stream"]);
}
