//! The encoder: it writes events, comments and reconnection times as an event stream.
//!
//! Invariants:
//! - The parser reads back equal values, except that a CR in data becomes an LF: the standard
//!   cannot represent a CR, because lines end at CR, LF or CRLF and are joined by LF.
//! - A value that cannot be read back is an error, and nothing is written.
//! - Every line begins with the name of its field, so no value becomes another field.
//! - Each call writes whole blocks, including their blank line.

use crate::frame::{EventView, MESSAGE};
use core::error::Error;
use core::fmt::{self, Write};
use core::time::Duration;
use memchr::{memchr, memchr2};

/// A writer of event streams, for servers, relays and tests.
///
/// It writes to any [`fmt::Write`]: a [`String`](alloc::string::String), the `BytesMut` of the
/// bytes crate, a `&mut` to either. It allocates nothing itself. No value can add a line to
/// the stream: lines of data and comments get their field name, and a line break in a type or
/// an ID is an error.
///
/// ```
/// use everstream::Encoder;
/// use std::time::Duration;
///
/// let mut stream = Encoder::new(String::new());
/// stream.retry(Duration::from_secs(5))?;
/// stream.comment("hello")?;
/// stream.event("price").id("7").data("12.5")?;
/// stream.data("two\nlines")?;
/// stream.keep_alive()?;
/// assert_eq!(
///     stream.into_inner(),
///     "retry: 5000\n\n: hello\n\nid: 7\nevent: price\ndata: 12.5\n\n\
///      data: two\ndata: lines\n\n:\n\n"
/// );
/// # Ok::<_, everstream::EncodeError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Encoder<W> {
    output: W,
}

impl<W: Write> Encoder<W> {
    /// Creates an encoder that appends to `output`. See [`Encoder`] for an example.
    pub const fn new(output: W) -> Self {
        Encoder { output }
    }

    /// Begins an event of this type, which [`data`](EventEncoder::data) writes. An empty type
    /// means `message`. See [`Encoder`] for an example.
    pub fn event<'a>(&'a mut self, event: &'a str) -> EventEncoder<'a, W> {
        EventEncoder { output: &mut self.output, event, id: None }
    }

    /// Begins an event with this ID, which [`data`](EventEncoder::data) writes. See
    /// [`EventEncoder::id`] for an example.
    pub fn id<'a>(&'a mut self, id: &'a str) -> EventEncoder<'a, W> {
        self.event("").id(id)
    }

    /// Writes an event of the type `message`, without an ID. See [`Encoder`] for an example.
    ///
    /// # Errors
    ///
    /// Returns the error of the output.
    pub fn data(&mut self, data: &str) -> Result<(), EncodeError> {
        self.event("").data(data)
    }

    /// Writes a comment, which readers ignore. Each line of the text becomes a comment line.
    /// See [`Encoder`] for an example.
    ///
    /// # Errors
    ///
    /// Returns the error of the output.
    pub fn comment(&mut self, text: &str) -> Result<(), EncodeError> {
        write_field(&mut self.output, ":", text)?;
        self.output.write_str("\n")?;
        Ok(())
    }

    /// Writes an empty comment, which shows that the connection is alive. Send one every 15 s while
    /// there are no events: common proxies close a connection after 60 s of silence. See
    /// [`Encoder`] for an example.
    ///
    /// # Errors
    ///
    /// Returns the error of the output.
    #[doc(alias = "keepalive")]
    #[doc(alias = "ping")]
    #[doc(alias = "heartbeat")]
    pub fn keep_alive(&mut self) -> Result<(), EncodeError> {
        self.comment("")
    }

    /// Writes the delay after which a reader reconnects, in whole milliseconds, rounded down.
    /// See [`Encoder`] for an example.
    ///
    /// # Errors
    ///
    /// Returns the error of the output.
    pub fn retry(&mut self, delay: Duration) -> Result<(), EncodeError> {
        let milliseconds = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        write!(self.output, "retry: {milliseconds}\n\n")?;
        Ok(())
    }

    /// Returns the output. See [`EventEncoder::data`] for an example.
    pub const fn get_ref(&self) -> &W {
        &self.output
    }

    /// Returns the output mutably, for example to take the bytes to send.
    ///
    /// ```
    /// use everstream::Encoder;
    ///
    /// let mut stream = Encoder::new(String::new());
    /// stream.data("hi")?;
    /// let chunk = std::mem::take(stream.get_mut());
    /// assert_eq!(chunk.into_bytes(), b"data: hi\n\n");
    /// # Ok::<_, everstream::EncodeError>(())
    /// ```
    pub const fn get_mut(&mut self) -> &mut W {
        &mut self.output
    }

    /// Returns the output. See [`Encoder`] for an example.
    pub fn into_inner(self) -> W {
        self.output
    }
}

/// An event that is not written yet, created by [`Encoder::event`] or [`Encoder::id`].
/// [`data`](Self::data) writes it.
#[must_use = "an event is written by `data`"]
pub struct EventEncoder<'a, W> {
    output: &'a mut W,
    event: &'a str,
    id: Option<&'a str>,
}

impl<'a, W: Write> EventEncoder<'a, W> {
    /// Sets the ID, which becomes the reader's last event ID. Without it the reader keeps its
    /// last event ID. An empty ID resets it.
    ///
    /// ```
    /// use everstream::Encoder;
    ///
    /// let mut stream = Encoder::new(String::new());
    /// stream.id("7").data("a")?;
    /// stream.id("").data("b")?;
    /// assert_eq!(stream.into_inner(), "id: 7\ndata: a\n\nid:\ndata: b\n\n");
    /// # Ok::<_, everstream::EncodeError>(())
    /// ```
    pub fn id(mut self, id: &'a str) -> Self {
        self.id = Some(id);
        self
    }

    /// Sets the type of the event. An empty one means `message`.
    ///
    /// ```
    /// use everstream::Encoder;
    ///
    /// let mut stream = Encoder::new(String::new());
    /// stream.id("7").event("tick").data("a")?;
    /// assert_eq!(stream.into_inner(), "id: 7\nevent: tick\ndata: a\n\n");
    /// # Ok::<_, everstream::EncodeError>(())
    /// ```
    pub fn event(mut self, event: &'a str) -> Self {
        self.event = event;
        self
    }

    /// Writes the event with this data. CR, LF and CRLF in it are received as LF. All other
    /// characters are kept.
    ///
    /// # Errors
    ///
    /// An error is returned for a type or an ID with a line break, and for an ID with a NUL, which
    /// readers ignore. Nothing is written then. An error of the output may leave a partial event in
    /// it.
    ///
    /// ```
    /// use everstream::{EncodeError, Encoder};
    ///
    /// let mut stream = Encoder::new(String::new());
    /// let error = stream.event("price\ndata: forged").data("12").unwrap_err();
    /// assert_eq!(error, EncodeError::LineBreakInEvent { at: 5 });
    /// assert_eq!(stream.get_ref(), "");
    /// ```
    pub fn data(self, data: &str) -> Result<(), EncodeError> {
        let line_break = |text: &str| memchr2(b'\n', b'\r', text.as_bytes());
        if let Some(at) = line_break(self.event) {
            return Err(EncodeError::LineBreakInEvent { at });
        }
        if let Some(id) = self.id {
            if let Some(at) = line_break(id) {
                return Err(EncodeError::LineBreakInId { at });
            }
            if let Some(at) = memchr(0, id.as_bytes()) {
                return Err(EncodeError::NulInId { at });
            }
        }
        write_event(self.output, self.event, data, self.id)?;
        Ok(())
    }
}

impl<W> fmt::Debug for EventEncoder<'_, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventEncoder")
            .field("event", &self.event)
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// Writes the block of an event. The ID and the type come first, so that a reader that
/// discards too large data can still report them.
fn write_event(out: &mut impl Write, event: &str, data: &str, id: Option<&str>) -> fmt::Result {
    if let Some(id) = id {
        write_field(out, "id:", id)?;
    }
    if !event.is_empty() && event != MESSAGE {
        write_field(out, "event:", event)?;
    }
    write_field(out, "data:", data)?;
    out.write_str("\n")
}

/// Writes a field for each line of `value`. A space precedes each value, because the reader
/// removes one.
fn write_field(out: &mut impl Write, name: &str, value: &str) -> fmt::Result {
    let mut rest = Some(value);
    while let Some(lines) = rest {
        let line = match memchr2(b'\n', b'\r', lines.as_bytes()) {
            Some(end) => {
                let next = if lines[end..].starts_with("\r\n") { end + 2 } else { end + 1 };
                rest = Some(&lines[next..]);
                &lines[..end]
            }
            None => {
                rest = None;
                lines
            }
        };
        out.write_str(name)?;
        if !line.is_empty() {
            out.write_str(" ")?;
            out.write_str(line)?;
        }
        out.write_str("\n")?;
    }
    Ok(())
}

/// Writes an event for a new reader. An empty ID is left out, because a new reader has none to
/// reset.
pub(crate) fn display(
    f: &mut fmt::Formatter<'_>,
    event: &str,
    data: &str,
    id: &str,
) -> fmt::Result {
    write_event(f, event, data, Some(id).filter(|id| !id.is_empty()))
}

/// Writes the event as a block of an event stream.
///
/// ```
/// use everstream::{Frame, Parser};
///
/// let mut parser = Parser::new();
/// let mut frames = parser.feed(b"event:tick\nid:1\ndata:a\ndata:b\n\n");
/// let Some(Frame::Message(event)) = frames.next() else { panic!() };
/// assert_eq!(event.to_string(), "id: 1\nevent: tick\ndata: a\ndata: b\n\n");
/// ```
impl fmt::Display for EventView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        display(f, self.event(), self.data(), self.id())
    }
}

/// The error of an [`Encoder`].
///
/// ```
/// use everstream::{EncodeError, Encoder};
///
/// let error = Encoder::new(String::new()).id("a\0").data("hi").unwrap_err();
/// assert_eq!(error, EncodeError::NulInId { at: 1 });
/// assert_eq!(error.to_string(), "the id has a NUL at byte 1, and readers would ignore it");
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EncodeError {
    /// The type has a line break in it, which would end its field.
    LineBreakInEvent {
        /// The index of its first byte.
        at: usize,
    },
    /// The id has a line break in it, which would end its field.
    LineBreakInId {
        /// The index of its first byte.
        at: usize,
    },
    /// The id has a NUL in it: "if the field value does not contain U+0000 NULL, then set
    /// the last event ID buffer to the field value. Otherwise, ignore the field."
    NulInId {
        /// The index of its first byte.
        at: usize,
    },
    /// The output reported an error.
    Output(fmt::Error),
}

impl From<fmt::Error> for EncodeError {
    fn from(error: fmt::Error) -> Self {
        EncodeError::Output(error)
    }
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EncodeError::LineBreakInEvent { at } => {
                write!(f, "the type has a line break at byte {at}, which would end its field")
            }
            EncodeError::LineBreakInId { at } => {
                write!(f, "the id has a line break at byte {at}, which would end its field")
            }
            EncodeError::NulInId { at } => {
                write!(f, "the id has a NUL at byte {at}, and readers would ignore it")
            }
            EncodeError::Output(_) => f.write_str("could not write to the output"),
        }
    }
}

impl Error for EncodeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            EncodeError::Output(error) => Some(error),
            _ => None,
        }
    }
}
