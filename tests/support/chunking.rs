//! Feeds a byte stream to both parsers in chunks, and collects the frames.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::path::Path;
use std::time::Duration;
use std::{env, fs};

use everstream::{Discarded, EventStream, Frame, OwnedFrame, Parser, Update};
use futures_util::{FutureExt, Stream, StreamExt, stream};

use super::model::{self, Outcome, Seen, Settings};

/// Returns the event of most streams of the tests.
pub(crate) fn message(data: &str) -> Seen {
    named("message", data)
}

pub(crate) fn named(event: &str, data: &str) -> Seen {
    Seen::Event { event: event.to_owned(), data: data.to_owned(), id: String::new() }
}

pub(crate) fn comment(text: &str) -> Seen {
    Seen::Comment(text.to_owned())
}

pub(crate) fn discarded() -> Seen {
    Seen::Discarded { id: None, event: None }
}

impl Seen {
    /// Sets the ID.
    pub(crate) fn with_id(mut self, value: &str) -> Seen {
        match &mut self {
            Seen::Event { id, .. } => *id = value.to_owned(),
            Seen::Discarded { id, .. } => *id = Some(value.to_owned()),
            _ => panic!("{self:?} has no id"),
        }
        self
    }

    /// Sets the type.
    pub(crate) fn with_event(mut self, value: &str) -> Seen {
        match &mut self {
            Seen::Event { event, .. } => *event = value.to_owned(),
            Seen::Discarded { event, .. } => *event = Some(value.to_owned()),
            _ => panic!("{self:?} has no event name"),
        }
        self
    }
}

/// Creates a parser with these settings.
pub(crate) fn parser(settings: &Settings) -> Parser {
    Parser::new()
        .with_max_event_size(settings.limit)
        .with_comments(settings.comments)
        .with_updates(settings.updates)
        .with_sizes(settings.sizes)
        .with_last_event_id(&settings.last_event_id)
}

/// Returns the frames of one `feed` of the borrowing parser.
#[track_caller]
pub(crate) fn feed(parser: &mut Parser, chunk: &[u8]) -> Vec<Seen> {
    feed_and_take(parser, chunk, usize::MAX)
}

/// Returns the first `count` frames of one `feed` of the borrowing parser, and drops the rest.
#[track_caller]
pub(crate) fn feed_and_take(parser: &mut Parser, chunk: &[u8], count: usize) -> Vec<Seen> {
    let mut seen = Vec::new();
    let mut frames = parser.feed(chunk);
    while seen.len() < count {
        let Some(frame) = frames.next() else { break };
        seen.push(match frame {
            Frame::Message(view) => Seen::Event {
                event: view.event().to_owned(),
                data: view.data().to_owned(),
                id: view.id().to_owned(),
            },
            Frame::Comment(text) => comment(text),
            Frame::Discarded(report) => seen_discarded(&report),
            Frame::Update(update) => seen_update(update),
            other => panic!("no test knows the frame {other:?}"),
        });
    }
    seen
}

#[track_caller]
pub(crate) fn seen_discarded(report: &Discarded) -> Seen {
    assert!(report.size() > report.limit(), "{report:?} has a size that is within the limit");
    Seen::Discarded { id: report.id().map(str::to_owned), event: report.event().map(str::to_owned) }
}

fn seen_update(update: Update<'_>) -> Seen {
    Seen::Update { last_event_id: update.last_event_id().to_owned(), retry: update.retry() }
}

#[track_caller]
pub(crate) fn seen_owned(frame: OwnedFrame) -> Seen {
    match frame {
        OwnedFrame::Message(message) => Seen::Event {
            event: message.event().to_owned(),
            data: message.data().to_owned(),
            id: message.id().to_owned(),
        },
        OwnedFrame::Comment(text) => comment(&text),
        OwnedFrame::Discarded(report) => seen_discarded(&report),
        OwnedFrame::Update(update) => seen_update(update.as_update()),
        other => panic!("no test knows the frame {other:?}"),
    }
}

/// Reads the chunks with the borrowing parser, [`Parser`].
#[track_caller]
pub(crate) fn lending(chunks: &[&[u8]], settings: &Settings) -> Outcome {
    let mut parser = parser(settings);
    let mut seen = Vec::new();
    for chunk in chunks {
        seen.extend(feed(&mut parser, chunk));
    }
    Outcome { seen, last_event_id: parser.last_event_id().to_owned(), retry: parser.retry() }
}

/// Returns the next item of a stream whose source is always ready. The stream may be pending to make
/// room for other tasks, and has then taken many chunks.
#[track_caller]
pub(crate) fn next_ready<S: Stream + Unpin>(stream: &mut S) -> Option<S::Item> {
    for _ in 0..1_000_000 {
        if let Some(item) = stream.next().now_or_never() {
            return item;
        }
    }
    panic!("the source is ready, and the stream is not");
}

/// Reads the chunks with the parser of owned events, [`EventStream`].
#[track_caller]
pub(crate) fn owned(chunks: &[&[u8]], settings: &Settings) -> Outcome {
    let chunks: Vec<_> = chunks.iter().map(|chunk| chunk.to_vec()).collect();
    let source = stream::iter(chunks.into_iter().map(Ok::<_, Infallible>));
    let mut events = EventStream::new(source)
        .with_max_event_size(settings.limit)
        .with_comments(settings.comments)
        .with_updates(settings.updates)
        .with_sizes(settings.sizes)
        .with_last_event_id(&settings.last_event_id);

    // The events are kept while the stream is read, so that an error in shared memory would show.
    let mut frames = Vec::new();
    while let Some(frame) = next_ready(&mut events) {
        let Ok(frame) = frame;
        frames.push(frame);
    }
    Outcome {
        last_event_id: events.last_event_id().to_owned(),
        retry: events.retry(),
        seen: frames.into_iter().map(seen_owned).collect(),
    }
}

/// Calls `check` with the stream as one chunk, byte by byte, cut in two at every place, and with
/// empty chunks between. A short stream is also cut in three at every two places. Miri is slow, so
/// it only reads one chunk, two chunks, and a short stream byte by byte.
pub(crate) fn in_every_chunking(bytes: &[u8], mut check: impl FnMut(&[&[u8]])) {
    const SHORT: usize = 40;

    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    check(&[bytes]);
    if cfg!(miri) {
        let (first, second) = bytes.split_at(bytes.len() / 2);
        check(&[first, b"", second]);
        if bytes.len() <= SHORT {
            check(&single);
        }
        return;
    }

    check(&[b"", bytes, b""]);
    check(&single);
    let spaced: Vec<&[u8]> = single.iter().flat_map(|&byte| [byte, b""]).collect();
    check(&spaced);

    for cut in 1..bytes.len() {
        let (first, second) = bytes.split_at(cut);
        check(&[first, second]);
        check(&[first, b"", b"", second]);
        if bytes.len() <= SHORT {
            for length in 1..second.len() {
                let (second, third) = second.split_at(length);
                check(&[first, second, third]);
            }
        }
    }
}

/// Formats the chunks as text: `"data: a\r" | "\n"`.
pub(crate) fn show(chunks: &[&[u8]]) -> String {
    let mut shown = String::new();
    for (index, chunk) in chunks.iter().enumerate() {
        let separator = if index == 0 { "" } else { " | " };
        write!(shown, "{separator}\"{}\"", chunk.escape_ascii()).unwrap();
    }
    shown
}

/// Returns a hash that is equal in every run.
fn hash(bytes: &[u8]) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(bytes)
}

/// Miri cuts one in this many streams into chunks, and no long one, because each takes a second.
const MIRI_CUTS_ONE_IN: u64 = 16;

/// Returns a stream to read with the default settings. Most tests begin with this.
pub(crate) fn stream(bytes: impl AsRef<[u8]>) -> Case {
    Case { bytes: bytes.as_ref().to_vec(), settings: Settings::default() }
}

#[derive(Debug)]
#[must_use = "a case asserts nothing before `gives`"]
pub(crate) struct Case {
    bytes: Vec<u8>,
    settings: Settings,
}

impl Case {
    pub(crate) fn limited_to(mut self, limit: usize) -> Case {
        self.settings.limit = limit;
        self
    }

    pub(crate) fn with_comments(mut self) -> Case {
        self.settings.comments = true;
        self
    }

    pub(crate) fn after_id(mut self, id: &str) -> Case {
        self.settings.last_event_id = id.to_owned();
        self
    }

    /// Asserts the frames of this stream, by the model and by both parsers in every chunking. All
    /// must agree on the last event ID and the reconnection time.
    #[track_caller]
    pub(crate) fn gives(&self, seen: impl IntoIterator<Item = Seen>) -> Outcome {
        if let Some(folder) = env::var_os("EVERSTREAM_KEEP_STREAMS") {
            self.keep_in(folder.as_ref());
        }
        let seen: Vec<Seen> = seen.into_iter().collect();
        let expected = if cfg!(miri) {
            lending(&[&self.bytes], &self.settings) // takes less than the model
        } else {
            model::outcome(&self.bytes, &self.settings)
        };
        assert_eq!(expected.seen, seen, "the model disagrees with the test");
        if cfg!(miri) && (self.bytes.len() > 200 || hash(&self.bytes) % MIRI_CUTS_ONE_IN != 0) {
            return expected;
        }

        // A closure cannot have `#[track_caller]`, so the first difference is kept and reported
        // later.
        let mut difference = None;
        in_every_chunking(&self.bytes, |chunks| {
            for (face, read) in FACES {
                if difference.is_none() {
                    let outcome = read(chunks, &self.settings);
                    if outcome != expected {
                        difference = Some((face, show(chunks), outcome));
                    }
                }
            }
        });
        if let Some((face, chunks, outcome)) = difference {
            panic!(
                "the {face} face differs\n    fed: {chunks}\n   with: {:?}\n    got: {outcome:?}\n wanted: {expected:?}",
                self.settings
            );
        }
        expected
    }

    /// Writes the stream to a file, as an input of `ci/fuzz`.
    fn keep_in(&self, folder: &Path) {
        let name = format!("{:016x}", hash(&self.bytes));
        fs::write(folder.join(name), &self.bytes).expect("a folder to write to");
    }

    #[track_caller]
    pub(crate) fn gives_nothing(&self) -> Outcome {
        self.gives([])
    }
}

/// A function that reads chunks with one of the parsers.
pub(crate) type Read = fn(&[&[u8]], &Settings) -> Outcome;

/// Both parsers, by name.
pub(crate) const FACES: [(&str, Read); 2] = [("lending", lending), ("owned", owned)];

impl Outcome {
    /// Asserts the last event ID.
    #[track_caller]
    pub(crate) fn and_last_event_id(self, id: &str) -> Outcome {
        assert_eq!(self.last_event_id, id, "the last event id");
        self
    }

    /// Asserts the reconnection time that the server asked for.
    #[track_caller]
    pub(crate) fn and_retry(self, milliseconds: u64) -> Outcome {
        let expected = Some(Duration::from_millis(milliseconds));
        assert_eq!(self.retry, expected, "the reconnection time");
        self
    }

    #[track_caller]
    pub(crate) fn and_no_retry(self) -> Outcome {
        assert_eq!(self.retry, None, "the reconnection time");
        self
    }
}
