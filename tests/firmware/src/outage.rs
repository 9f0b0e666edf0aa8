//! Tests of `Reconnect` over the device's own transport and clock, with lost connections.

use crate::clock::{SysTickTimer, now};
use alloc::boxed::Box;
use alloc::format;
use core::convert::Infallible;
use core::fmt;
use core::future::{Ready, ready};
use core::pin::Pin;
use core::time::Duration;
use cortex_m_semihosting::hprintln;
use everstream::reconnect::{
    Attempt, Connect, ConnectError, Connection, Reconnect, ReconnectEvent, Timeouts,
};
use everstream::{Backoff, Timer};
use futures_util::stream::{self, Stream, StreamExt};

/// The error of a connection.
#[derive(Debug)]
enum Fault {
    CarrierLost,
    NobodyAnswers,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Fault::CarrierLost => "the carrier is gone",
            Fault::NobodyAnswers => "nobody answers",
        })
    }
}

/// The end of a connection after its bytes.
enum End {
    Breaks,
    FallsSilent,
    Ends,
}

struct Modem {
    connections: u32,
}

type Body = Pin<Box<dyn Stream<Item = Result<&'static [u8], Fault>>>>;

impl Connect for Modem {
    type Head = u32;
    type Chunk = &'static [u8];
    type Body = Body;
    type Error = Fault;
    type Fatal = Infallible;
    type Connecting = Ready<Result<Connection<u32, Body>, ConnectError<Fault, Infallible>>>;

    fn connect(&mut self, _: Attempt<Fault>) -> Self::Connecting {
        self.connections += 1;
        let (bytes, end): (&'static str, _) = match self.connections {
            1 => ("retry: 1000\nid: 1\ndata: 20.5 C\n\nid: 2\ndata: 21", End::Breaks),
            2 => {
                let error = Fault::NobodyAnswers;
                return ready(Err(ConnectError::retry(error)));
            }
            3 => ("id: 2\r\ndata: 21.0 C\r\n\r\n: still here\r\n", End::FallsSilent),
            4 => ("id: 3\rdata: 21.5 C\r\r", End::Ends),
            _ => return ready(Err(ConnectError::Finished)),
        };
        ready(Ok(Connection { head: self.connections, body: body(bytes, end) }))
    }
}

/// Returns a body of one byte per millisecond and an end.
fn body(bytes: &'static str, end: End) -> Body {
    let received = stream::iter(bytes.as_bytes().chunks(1)).then(async |byte| {
        SysTickTimer.sleep(Duration::from_millis(1)).await;
        Ok(byte)
    });
    match end {
        End::Breaks => Box::pin(received.chain(stream::iter([Err(Fault::CarrierLost)]))),
        End::FallsSilent => Box::pin(received.chain(stream::pending())),
        End::Ends => Box::pin(received),
    }
}

/// The expected items, in order.
const EXPECTED: [&str; 10] = [
    "connection 1 is open, after nothing",
    "event 1: 20.5 C",
    "the carrier is gone",
    "nobody answers",
    "connection 3 is open, after 1",
    "event 2: 21.0 C",
    "no byte arrived for 10s",
    "connection 4 is open, after 2",
    "event 3: 21.5 C",
    "the server ended the stream",
];

/// Reads the stream to its end, and returns the time.
pub(crate) async fn sit_through() -> Duration {
    let idle = Duration::from_secs(10);
    let mut events = Reconnect::new(Modem { connections: 0 }, SysTickTimer)
        // A device would use its serial number, or noise.
        .with_retry_policy(Backoff::new().with_seed(7))
        .with_timeouts(Timeouts::new().with_idle(idle))
        .with_max_event_size(1024);

    let started = now();
    let mut not_before = started;
    let mut expected = EXPECTED.iter();
    while let Some(event) = events.next().await {
        let time = now();
        let seen = match event.expect("no loss is the last") {
            ReconnectEvent::Open(opened) => {
                assert!(time >= not_before, "connected too early");
                let after = opened.last_event_id().map_or("nothing", |id| id);
                format!("connection {} is open, after {after}", opened.head())
            }
            ReconnectEvent::Message(message) => {
                format!("event {}: {}", message.id(), message.data())
            }
            ReconnectEvent::Reconnecting { reason, delay, attempt, .. } => {
                assert!(time >= not_before, "connected too early");
                // The server's delay, doubled for each failure, with jitter.
                let least = Duration::from_secs(1) * attempt;
                assert!((least..=2 * least).contains(&delay), "attempt {attempt} in {delay:?}");
                not_before = time + delay;
                format!("{reason}")
            }
            other => panic!("{other:?}"),
        };
        hprintln!("{:>6} ms  {}", time.as_millis(), seen);
        assert_eq!(Some(&seen.as_str()), expected.next());
    }
    assert_eq!(expected.next(), None, "the stream ended early");
    assert_eq!(events.last_event_id().map(|id| &**id), Some("3"));
    let took = now() - started;
    assert!(took > idle + Duration::from_secs(4), "it took only {took:?}");
    took
}
