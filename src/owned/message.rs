//! An event that owns its text, and the frames of owned events.

use super::batch::{Batch, Part, Record, push_value};
use crate::encoder::{self, EncodeError, Encoder};
use crate::frame::{Discarded, MESSAGE, Update};
use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::time::Duration;

/// An event that owns its text: `Clone`, `Send`, `Sync` and `'static`.
///
/// Events that came in one chunk share its text, so an event costs a reference count and no
/// allocation. The text lives as long as any of them. The text of a chunk under 8 KiB is a copy.
/// A larger one is not copied, so a kept event can hold a whole chunk of up to 128 KiB, or of twice
/// its own size if that is more. To keep a few events out of many for long, keep
/// [detached](MessageEvent::detach) ones.
///
/// Two events are equal if their type, data and id are.
///
/// ```
/// use everstream::MessageEvent;
///
/// let event = MessageEvent::new("price", "12.5", "7");
/// assert_eq!(event.event(), "price");
/// assert_eq!(event.data(), "12.5");
/// assert_eq!(event.id(), "7");
/// ```
// Two words, so it is moved in registers. A larger value is copied through memory at each step from
// the decoder to the caller.
#[derive(Clone)]
pub struct MessageEvent {
    batch: Arc<Batch>,
    index: usize,
}

impl MessageEvent {
    /// Returns an event with this type (empty means `message`), data and id, for tests and for
    /// servers.
    ///
    /// ```
    /// let event = everstream::MessageEvent::new("", "hi", "");
    /// assert_eq!(event.event(), "message");
    /// ```
    pub fn new(event: &str, data: &str, id: &str) -> Self {
        let mut batch = Batch::default();
        let size = data.len().saturating_add(event.len()).saturating_add(id.len());
        let [data, event, id] = if size <= Part::MAX {
            batch.values.reserve_exact(size);
            [data, event, id].map(|value| push_value(&mut batch.values, value))
        } else {
            [data, event, id].map(|value| batch.push_shared(Arc::from(value)))
        };
        batch.records.push(Record { data, event, id });
        MessageEvent::of(Arc::new(batch), 0)
    }

    /// Returns the event of a batch's record at `index`.
    #[inline(always)]
    pub(super) fn of(batch: Arc<Batch>, index: usize) -> Self {
        MessageEvent { batch, index }
    }

    #[inline(always)]
    fn record(&self) -> &Record {
        &self.batch.records[self.index]
    }

    /// Returns the type: the value of the last `event` field, or `message`.
    /// See [`MessageEvent`] for an example.
    #[inline]
    pub fn event(&self) -> &str {
        match self.record().event.of(&self.batch) {
            "" => MESSAGE,
            event => event,
        }
    }

    /// Returns the values of the `data` fields, joined by LF.
    /// See [`MessageEvent`] for an example.
    #[inline]
    pub fn data(&self) -> &str {
        self.record().data.of(&self.batch)
    }

    /// Returns the bytes of [`data`](MessageEvent::data), for parsers that take bytes.
    ///
    /// ```
    /// let event = everstream::MessageEvent::new("", "[1, 2]", "");
    /// assert_eq!(event.data_bytes(), b"[1, 2]");
    /// ```
    #[inline]
    pub fn data_bytes(&self) -> &[u8] {
        self.data().as_bytes()
    }

    /// Returns the last event ID string at the time of the event: the value of its own `id` field
    /// or of an earlier one. It is empty if there is none.
    /// See [`MessageEvent`] for an example.
    #[inline]
    pub fn id(&self) -> &str {
        self.record().id.of(&self.batch)
    }

    /// Returns the data as a `String`. This does not copy if the event has several data lines, is
    /// the first of its chunk, and has no other clone.
    ///
    /// ```
    /// let event = everstream::MessageEvent::new("", "hi", "");
    /// assert_eq!(event.into_data(), "hi".to_string());
    /// ```
    pub fn into_data(self) -> String {
        let data = self.record().data;
        match Arc::try_unwrap(self.batch) {
            Ok(Batch { mut values, .. }) if data.end_of_first_value().is_some() => {
                values.truncate(data.end_of_first_value().unwrap_or_default());
                values
            }
            Ok(batch) => data.of(&batch).to_owned(),
            Err(batch) => data.of(&batch).to_owned(),
        }
    }

    /// Returns a copy that shares its memory with no other event.
    ///
    /// ```
    /// let event = everstream::MessageEvent::new("", "hi", "1");
    /// assert_eq!(event.detach(), event);
    /// ```
    #[must_use]
    pub fn detach(&self) -> Self {
        MessageEvent::new(self.record().event.of(&self.batch), self.data(), self.id())
    }
}

impl PartialEq for MessageEvent {
    fn eq(&self, other: &Self) -> bool {
        self.event() == other.event() && self.data() == other.data() && self.id() == other.id()
    }
}

impl Eq for MessageEvent {}

impl Hash for MessageEvent {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.event(), self.data(), self.id()).hash(state);
    }
}

impl fmt::Debug for MessageEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageEvent")
            .field("event", &self.event())
            .field("data", &self.data())
            .field("id", &self.id())
            .finish()
    }
}

/// Writes the block of an event stream that a parser reads as this event.
///
/// Line breaks in a type or an id, which only [`MessageEvent::new`] allows, are lost.
///
/// ```
/// let event = everstream::MessageEvent::new("tick", "a\nb", "1");
/// assert_eq!(event.to_string(), "id: 1\nevent: tick\ndata: a\ndata: b\n\n");
/// ```
impl fmt::Display for MessageEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        encoder::display(f, self.event(), self.data(), self.id())
    }
}

impl<W: fmt::Write> Encoder<W> {
    /// Writes a message with its type, data and ID. The ID of a received message is the last
    /// event ID when it was dispatched, so a reader of the copy can resume after it.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`EventEncoder::data`](crate::EventEncoder::data). A received message
    /// only causes those of the output.
    ///
    /// ```
    /// use everstream::{Encoder, MessageEvent};
    ///
    /// let mut stream = Encoder::new(String::new());
    /// stream.message(&MessageEvent::new("price", "12.5", "7"))?;
    /// assert_eq!(stream.into_inner(), "id: 7\nevent: price\ndata: 12.5\n\n");
    /// # Ok::<_, everstream::EncodeError>(())
    /// ```
    pub fn message(&mut self, message: &MessageEvent) -> Result<(), EncodeError> {
        self.event(message.event()).id(message.id()).data(message.data())
    }
}

/// An item of a stream of events: a [`Frame`](crate::Frame) that owns its text.
///
/// ```
/// use everstream::{MessageEvent, OwnedFrame};
///
/// let frame = OwnedFrame::Message(MessageEvent::new("", "hi", ""));
/// assert!(matches!(frame, OwnedFrame::Message(message) if message.data() == "hi"));
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OwnedFrame {
    /// An event was dispatched.
    Message(MessageEvent),
    /// A comment, without its colon and one space after it. Only reported if asked for.
    Comment(String),
    /// An event was over the limit and was dropped.
    Discarded(Discarded),
    /// A block without data set the last event ID or the reconnection time. Only reported
    /// [if asked for](crate::EventStream::with_updates).
    Update(OwnedUpdate),
}

/// The last event ID and the reconnection time after a block that set one of them and had no data:
/// an [`Update`](crate::Update) that owns its text.
///
/// ```
/// # futures_util::FutureExt::now_or_never(async {
/// use everstream::{EventStream, OwnedFrame};
/// use futures_util::StreamExt;
///
/// let body = futures_util::stream::iter([Ok::<_, std::io::Error>("id: 1\nretry: 250\n\n")]);
/// let mut events = EventStream::new(body).with_updates(true);
/// let Some(Ok(OwnedFrame::Update(update))) = events.next().await else { panic!() };
/// assert_eq!(update.last_event_id(), "1");
/// assert_eq!(update.retry(), Some(std::time::Duration::from_millis(250)));
/// # }).unwrap();
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedUpdate {
    /// Boxed because it is rare, and the enum that it is in is moved with each event.
    update: Box<(Box<str>, Option<Duration>)>,
}

impl OwnedUpdate {
    /// Creates an update, to test code that takes one.
    ///
    /// ```
    /// # use everstream::OwnedUpdate;
    /// let update = OwnedUpdate::new("41", None);
    /// assert_eq!(update.last_event_id(), "41");
    /// ```
    #[must_use]
    pub fn new(last_event_id: &str, retry: Option<Duration>) -> Self {
        OwnedUpdate { update: Box::new((last_event_id.into(), retry)) }
    }

    /// Returns this update, borrowed.
    ///
    /// ```
    /// fn id(update: &everstream::OwnedUpdate) -> &str {
    ///     update.as_update().last_event_id()
    /// }
    /// ```
    pub fn as_update(&self) -> Update<'_> {
        Update::new(self.last_event_id(), self.retry())
    }

    /// Returns the last event ID string, which is empty if there is none. See [`OwnedUpdate`] for
    /// an example.
    pub fn last_event_id(&self) -> &str {
        &self.update.0
    }

    /// Returns the reconnection time, which is `None` if the server has not set any. See
    /// [`OwnedUpdate`] for an example.
    pub fn retry(&self) -> Option<Duration> {
        self.update.1
    }
}
