//! Tests of `EventReader` over sockets, files and odd readers.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use everstream::{EventReader, OwnedFrame};
use futures_util::future::join;
use futures_util::stream::FusedStream;
use futures_util::{FutureExt, StreamExt, TryStreamExt};
use smol::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use crate::support::chunking::{comment, in_every_chunking, message, seen_owned, show};
use crate::support::model::{Outcome, Seen, Settings, outcome};

const STREAM: &[u8] = b"\xEF\xBB\xBF: hi\nid: 1\ndata: a\r\n\r\nretry: 5\rid: 2\revent: e\r\
    data: \xC3\xA9\rdata\r\rdata: \xFF\n\n: bye\nid: 3\ndata: unfin";

/// The next step of a reader.
#[derive(Clone)]
enum Read {
    Gives(Vec<u8>),
    Fails(ErrorKind),
    /// Returns `Pending` and wakes at once.
    Waits,
}
use Read::{Fails, Gives, Waits};

fn gives(bytes: impl AsRef<[u8]>) -> Read {
    Gives(bytes.as_ref().to_vec())
}

/// A reader that follows these steps and ends.
struct Script(VecDeque<Read>);

fn script(reads: impl IntoIterator<Item = Read>) -> EventReader<Script> {
    EventReader::new(Script(reads.into_iter().collect()))
}

impl AsyncRead for Script {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(match self.0.pop_front() {
            Some(Gives(mut bytes)) => {
                let rest = bytes.split_off(bytes.len().min(buffer.len()));
                buffer[..bytes.len()].copy_from_slice(&bytes);
                if !rest.is_empty() {
                    self.0.push_front(Gives(rest));
                }
                Ok(bytes.len())
            }
            Some(Fails(kind)) => Err(kind.into()),
            Some(Waits) => {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            None => Ok(0),
        })
    }
}

fn settings() -> Settings {
    Settings { limit: 1000, comments: true, last_event_id: "0".to_owned(), ..Settings::default() }
}

fn with_settings<R>(reader: EventReader<R>) -> EventReader<R> {
    let Settings { limit, comments, last_event_id, .. } = settings();
    reader.with_max_event_size(limit).with_comments(comments).with_last_event_id(&last_event_id)
}

/// Reads to the end, without an error.
async fn outcome_of<R: AsyncRead>(reader: EventReader<R>) -> Outcome {
    let mut events = Box::pin(with_settings(reader));
    let mut frames = Vec::new();
    while let Some(frame) = events.next().await {
        frames.push(frame.unwrap());
    }
    assert!(events.is_terminated());
    assert!(events.next().await.is_none());
    Outcome {
        last_event_id: events.last_event_id().to_owned(),
        retry: events.retry(),
        seen: frames.into_iter().map(seen_owned).collect(),
    }
}

fn data(frame: Option<io::Result<OwnedFrame>>) -> String {
    match frame {
        Some(Ok(OwnedFrame::Message(message))) => message.into_data(),
        other => panic!("wanted an event, got {other:?}"),
    }
}

// ----------------------------------------------------------------------------------------- Chunking

#[test]
fn any_chunking_gives_the_same_events() {
    let expected = outcome(STREAM, &settings());
    assert_eq!(expected.seen.len(), 5, "{:?}", expected.seen);
    in_every_chunking(STREAM, |chunks| {
        // A read of zero bytes would be the end.
        let chunks: Vec<_> = chunks.iter().filter(|chunk| !chunk.is_empty()).collect();
        let reads = chunks.iter().map(gives);
        assert_eq!(smol::block_on(outcome_of(script(reads))), expected, "{chunks:?}");
    });
}

#[test]
fn interrupted_reads_and_waits_change_nothing() {
    let expected = outcome(STREAM, &settings());
    in_every_chunking(STREAM, |chunks| {
        let reads = chunks.iter().flat_map(|chunk| {
            let read = (!chunk.is_empty()).then(|| gives(chunk));
            [Some(Fails(ErrorKind::Interrupted)), Some(Waits), read].into_iter().flatten()
        });
        let found = smol::block_on(outcome_of(script(reads)));
        assert_eq!(found, expected, "{}", show(chunks));
    });
}

#[test]
fn an_event_larger_than_the_buffer_is_yielded_whole() {
    for length in [16 * 1024 - 9, 16 * 1024 - 8, 16 * 1024 - 7, 16 * 1024, 1_000_000] {
        let large = "x".repeat(length);
        let stream = format!("data: {large}\n\ndata: b\n\n");
        let mut events = script([gives(stream)]);
        smol::block_on(async {
            assert!(data(events.next().await) == large);
            assert_eq!(data(events.next().await), "b");
            assert!(events.next().await.is_none());
        });
    }
}

// ------------------------------------------------------------------------------- Errors and the end

#[test]
fn an_error_in_mid_event_is_passed_on_and_loses_nothing_of_what_was_read() {
    let mut events = script([
        gives("id: 1\ndata: a\n\nid: 2\ndata: b"),
        Fails(ErrorKind::TimedOut),
        gives("c\n\n"),
    ]);
    smol::block_on(async {
        assert_eq!(data(events.next().await), "a");
        let error = events.next().await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert_eq!(events.last_event_id(), "1");
        assert!(!events.is_terminated(), "the reader may recover");
        assert_eq!(data(events.next().await), "bc");
        assert_eq!(events.last_event_id(), "2");
        assert!(events.next().await.is_none());
    });
}

#[test]
fn events_before_an_error_come_before_it() {
    let mut events =
        script([gives("data: a\n\ndata: b\n\ndata: c"), Fails(ErrorKind::ConnectionReset)]);
    smol::block_on(async {
        assert_eq!(data(events.next().await), "a");
        assert_eq!(data(events.next().await), "b");
        let error = events.next().await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        assert!(events.next().await.is_none(), "this one is at its end then");
    });
}

#[test]
fn every_error_but_interrupted_is_passed_on() {
    for kind in [ErrorKind::WouldBlock, ErrorKind::UnexpectedEof, ErrorKind::Other] {
        let events = script([Fails(kind)]);
        let found = smol::block_on(events.try_collect::<Vec<_>>()).unwrap_err();
        assert_eq!(found.kind(), kind);
    }
}

#[test]
fn an_event_that_the_end_cuts_off_is_dropped_and_its_id_with_it() {
    for cut_off in ["id: 2\ndata: b", "id: 2\ndata: b\n", "id: 2\ndata: b\r", "id: 2"] {
        let mut events = script([gives("id: 1\ndata: a\n\n"), gives(cut_off)]);
        smol::block_on(async {
            assert_eq!(data(events.next().await), "a");
            for _ in 0..3 {
                assert!(events.next().await.is_none());
            }
            assert!(events.is_terminated());
            assert_eq!(events.last_event_id(), "1");
        });
    }
}

#[test]
fn a_reader_that_is_empty_ends_at_once() {
    let mut events = EventReader::new(&b""[..]);
    assert!(!events.is_terminated());
    assert!(events.next().now_or_never().unwrap().is_none());
    assert!(events.is_terminated());
}

// --------------------------------------------------------------------------------------- The surface

#[test]
fn a_cancelled_next_loses_nothing() {
    let mut events = script([gives("data: a"), Waits, gives("b\n"), Waits, Waits, gives("\n")]);
    for _ in 0..3 {
        assert!(events.next().now_or_never().is_none());
    }
    assert_eq!(data(events.next().now_or_never().unwrap()), "ab");
}

#[test]
fn settings_are_those_of_a_parser() {
    let stream = ": c\ndata: 0123456789\n\nid: 1\ndata: a\n\n";
    let events = EventReader::new(stream.as_bytes());
    let events = events.with_max_event_size(14).with_comments(true).with_last_event_id("0");
    assert_eq!(events.last_event_id(), "0");
    let seen = smol::block_on(events.map(|frame| seen_owned(frame.unwrap())).collect::<Vec<_>>());
    let dropped = Seen::Discarded { id: None, event: None };
    assert_eq!(seen, [comment("c"), dropped, message("a").with_id("1")]);
}

#[test]
fn the_reconnection_time_is_there() {
    let mut events = EventReader::new(&b"retry: 250\n\n"[..]);
    assert_eq!(events.retry(), None);
    assert!(events.next().now_or_never().unwrap().is_none());
    assert_eq!(events.retry(), Some(Duration::from_millis(250)));
}

#[test]
fn the_reader_can_be_looked_at_changed_and_had_back() {
    let mut events = EventReader::new(&b"data: a\n\n"[..]);
    assert_eq!(events.get_ref(), b"data: a\n\n");
    assert_eq!(data(events.next().now_or_never().unwrap()), "a");
    assert_eq!(events.get_ref(), b"");
    *events.get_mut() = b"data: b\n\n";
    assert_eq!(data(events.next().now_or_never().unwrap()), "b");
    *events.get_mut() = b"rest";
    assert_eq!(events.into_inner(), b"rest");
}

#[test]
fn debug_output_shows_the_reader_and_no_buffer() {
    let events = EventReader::new(&b"x"[..]).with_last_event_id("7");
    assert_eq!(
        format!("{events:?}"),
        r#"EventReader { reader: [120], last_event_id: "7", retry: None, .. }"#
    );
}

/// The reader is not `Unpin`.
#[test]
fn a_reader_that_cannot_be_moved_can_be_read_in_its_place() {
    struct Rooted(std::marker::PhantomPinned);
    impl AsyncRead for Rooted {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &mut [u8],
        ) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(0))
        }
    }
    let rooted = Rooted(std::marker::PhantomPinned);
    let mut events = std::pin::pin!(EventReader::new(rooted));
    assert!(events.next().now_or_never().unwrap().is_none());
}

/// A reader that reports more bytes than its buffer holds.
#[test]
fn a_reader_that_reports_a_wrong_length_causes_no_panic() {
    struct Liar;
    impl AsyncRead for Liar {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buffer: &mut [u8],
        ) -> Poll<io::Result<usize>> {
            for (to, byte) in buffer.iter_mut().zip(b": c\n".iter().cycle()) {
                *to = *byte;
            }
            Poll::Ready(Ok(usize::MAX))
        }
    }
    let mut events = EventReader::new(Liar).with_comments(true);
    let frame = events.next().now_or_never().unwrap();
    assert_eq!(seen_owned(frame.unwrap().unwrap()), comment("c"));
}

// ----------------------------------------------------------------------------- Real sockets and files

/// Writes the stream in chunks, with pauses in which the reader can read.
async fn write(mut to: impl AsyncWrite + Unpin) {
    for piece in STREAM.chunks(7) {
        to.write_all(piece).await.unwrap();
        to.flush().await.unwrap();
        smol::future::yield_now().await;
    }
    to.close().await.unwrap();
}

#[test]
fn a_tcp_stream_of_smol_can_be_read() {
    smol::block_on(async {
        let listener = smol::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = smol::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        let (found, ()) = join(outcome_of(EventReader::new(client)), write(server)).await;
        assert_eq!(found, outcome(STREAM, &settings()));
    });
}

#[test]
fn a_reset_tcp_connection_is_an_error_after_its_events() {
    smol::block_on(async {
        let listener = smol::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = smol::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        let mut events = EventReader::new(client);
        server.write_all(b"data: a\n\ndata: b").await.unwrap();
        assert_eq!(data(events.next().await), "a");
        socket2::SockRef::from(&server).set_linger(Some(Duration::ZERO)).unwrap();
        drop(server);
        let error = events.next().await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    });
}

#[cfg(unix)]
#[test]
fn a_unix_socket_can_be_read() {
    smol::block_on(async {
        let (server, client) = smol::net::unix::UnixStream::pair().unwrap();
        let (found, ()) = join(outcome_of(EventReader::new(client)), write(server)).await;
        assert_eq!(found, outcome(STREAM, &settings()));
    });
}

#[test]
fn a_file_can_be_read() {
    let path = std::env::temp_dir().join(format!("everstream-{}.events", std::process::id()));
    std::fs::write(&path, STREAM).unwrap();
    smol::block_on(async {
        let file = smol::fs::File::open(&path).await.unwrap();
        assert_eq!(outcome_of(EventReader::new(file)).await, outcome(STREAM, &settings()));
    });
    std::fs::remove_file(&path).unwrap();
}

/// async-std's readers have these traits too.
#[test]
fn a_reader_of_async_std_can_be_read() {
    let cursor = async_std::io::Cursor::new(STREAM);
    let found = async_std::task::block_on(outcome_of(EventReader::new(cursor)));
    assert_eq!(found, outcome(STREAM, &settings()));
}
