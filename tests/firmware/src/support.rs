//! The helpers of the tests of the standard, with equal names. Here both parsers, if both exist,
//! read each stream byte by byte, as from a UART.

use crate::memory::Most;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// The number of streams read.
pub(crate) static STREAMS: AtomicUsize = AtomicUsize::new(0);
/// The maximum memory of reading them, per parser.
pub(crate) static LENDING: Most = Most::nothing();
#[cfg(target_has_atomic = "ptr")]
pub(crate) static OWNED: Most = Most::nothing();

pub(crate) mod model {
    use alloc::string::String;

    /// An expected frame of a stream.
    #[derive(Debug)]
    pub(crate) enum Seen {
        Event { event: String, data: String, id: String },
        Comment(String),
    }
}

pub(crate) mod chunking {
    use super::model::Seen;
    use super::*;
    use alloc::borrow::ToOwned;
    use alloc::string::String;
    use alloc::vec::Vec;
    use core::time::Duration;
    use everstream::{Frame, Parser};

    pub(crate) fn message(data: &str) -> Seen {
        named("message", data)
    }

    pub(crate) fn named(event: &str, data: &str) -> Seen {
        Seen::Event { event: event.to_owned(), data: data.to_owned(), id: String::new() }
    }

    pub(crate) fn comment(text: &str) -> Seen {
        Seen::Comment(text.to_owned())
    }

    impl Seen {
        pub(crate) fn with_id(mut self, value: &str) -> Seen {
            match &mut self {
                Seen::Event { id, .. } => *id = value.to_owned(),
                Seen::Comment(_) => panic!("a comment has no id"),
            }
            self
        }

        fn is_event(&self, of_type: &str, with_data: &str, with_id: &str) -> bool {
            matches!(self, Seen::Event { event, data, id }
                if event == of_type && data == with_data && id == with_id)
        }

        fn is_comment(&self, of_text: &str) -> bool {
            matches!(self, Seen::Comment(text) if text == of_text)
        }
    }

    pub(crate) fn stream(bytes: impl AsRef<[u8]>) -> Case {
        let bytes = bytes.as_ref().to_vec();
        Case { bytes, comments: false, last_event_id: String::new() }
    }

    #[must_use = "a case asserts nothing before `gives`"]
    pub(crate) struct Case {
        bytes: Vec<u8>,
        comments: bool,
        last_event_id: String,
    }

    impl Case {
        pub(crate) fn with_comments(mut self) -> Case {
            self.comments = true;
            self
        }

        pub(crate) fn after_id(mut self, id: &str) -> Case {
            self.last_event_id = id.to_owned();
            self
        }

        #[track_caller]
        pub(crate) fn gives(&self, seen: impl IntoIterator<Item = Seen>) -> Outcome {
            let expected: Vec<Seen> = seen.into_iter().collect();
            STREAMS.store(STREAMS.load(Relaxed) + 1, Relaxed);

            // Both compare with the expected frames and collect nothing, so only their own memory
            // is counted.
            let parser = LENDING.count(|| self.lend(&expected));
            let outcome =
                Outcome { last_event_id: parser.last_event_id().to_owned(), retry: parser.retry() };
            #[cfg(target_has_atomic = "ptr")]
            OWNED.count(|| self.own(&expected, &outcome));
            outcome
        }

        #[track_caller]
        pub(crate) fn gives_nothing(&self) -> Outcome {
            self.gives([])
        }

        #[track_caller]
        fn lend(&self, expected: &[Seen]) -> Parser {
            let mut parser =
                Parser::new().with_comments(self.comments).with_last_event_id(&self.last_event_id);
            let mut expected = expected.iter();
            for byte in self.bytes.chunks(1) {
                let mut frames = parser.feed(byte);
                while let Some(frame) = frames.next() {
                    let next = expected.next();
                    let as_expected = next.is_some_and(|next| match &frame {
                        Frame::Message(view) => next.is_event(view.event(), view.data(), view.id()),
                        Frame::Comment(text) => next.is_comment(text),
                        _ => false,
                    });
                    assert!(as_expected, "{self}: lent {frame:?} instead of {next:?}");
                }
            }
            let missing = expected.next();
            assert!(missing.is_none(), "{self}: did not lend {missing:?}");
            parser
        }

        #[cfg(target_has_atomic = "ptr")]
        #[track_caller]
        fn own(&self, expected: &[Seen], outcome: &Outcome) {
            use crate::owned::{Wire, read_to_the_end};
            use everstream::{EventStream, OwnedFrame};

            let mut events = EventStream::new(Wire::of(&self.bytes))
                .with_comments(self.comments)
                .with_last_event_id(&self.last_event_id);
            let mut expected = expected.iter();
            read_to_the_end(&mut events, |frame| {
                let next = expected.next();
                let as_expected = next.is_some_and(|next| match &frame {
                    OwnedFrame::Message(message) => {
                        next.is_event(message.event(), message.data(), message.id())
                    }
                    OwnedFrame::Comment(text) => next.is_comment(text),
                    _ => false,
                });
                assert!(as_expected, "{self}: gave {frame:?} instead of {next:?}");
            });
            let missing = expected.next();
            assert!(missing.is_none(), "{self}: did not give {missing:?}");
            assert_eq!(events.last_event_id(), outcome.last_event_id, "{self}: the last event id");
            assert_eq!(events.retry(), outcome.retry, "{self}: the reconnection time");
        }
    }

    impl core::fmt::Display for Case {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
            write!(f, "\"{}\"", self.bytes.escape_ascii())
        }
    }

    pub(crate) struct Outcome {
        last_event_id: String,
        retry: Option<Duration>,
    }

    impl Outcome {
        #[track_caller]
        pub(crate) fn and_last_event_id(self, id: &str) -> Outcome {
            assert_eq!(self.last_event_id, id, "the last event id");
            self
        }

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
}
