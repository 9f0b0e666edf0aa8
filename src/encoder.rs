//! The other direction: events, comments and reconnection times as the bytes that the
//! parser reads.
//!
//! Invariants:
//! - What is written is read back equal, save that a CR in data becomes an LF: the
//!   standard has no way to write one ("split at CR, LF, CRLF; join by LF").
//! - What could not be read back is an error, before anything is written.
//! - Every line begins with the name of its field, so no value ever becomes another field.
//! - Each call writes whole blocks, blank line included.

use crate::frame::{EventView, MESSAGE};
use core::error::Error;
use core::fmt::{self, Write};
use core::time::Duration;
use memchr::{memchr, memchr2};

/// Writes an event stream, for servers, relays and tests.
///
/// It writes to anything that takes text: a [`String`](alloc::string::String), the
/// `BytesMut` of the bytes crate, a `&mut` to either. It allocates nothing itself.
///
/// ```
/// use everstream::Encoder;
/// use std::time::Duration;
///
/// let mut stream = Encoder::new(String::new());
/// stream.retry(Duration::from_secs(5))?;
/// stream.comment("hello")?;
/// stream.event("price", "12.5", Some("7"))?;
/// stream.event("", "two\nlines", None)?;
/// assert_eq!(
///     stream.into_inner(),
///     "retry: 5000\n\n: hello\n\nid: 7\nevent: price\ndata: 12.5\n\ndata: two\ndata: lines\n\n"
/// );
/// # Ok::<_, everstream::EncodeError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Encoder<W> {
    output: W,
}

impl<W: Write> Encoder<W> {
    /// An encoder that appends to `output`. See [`Encoder`] for an example.
    pub const fn new(output: W) -> Self {
        Encoder { output }
    }

    /// Writes an event of this type (empty means `message`) and data.
    ///
    /// `id` becomes the reader's last event ID. `None` leaves that as it is, and
    /// `Some("")` resets it. To send an event on that was received, pass the id that it
    /// has, which is the last event ID at its time: `Some(message.id())`.
    ///
    /// Line breaks in data are kept, as LF whether they are CR, LF or CRLF. Everything
    /// else is kept as it is.
    ///
    /// # Errors
    ///
    /// A type or an id with a line break in it, and an id with a NUL in it, which readers
    /// ignore. Nothing is written then. An error of the output may leave a part of the
    /// event in it.
    ///
    /// ```
    /// use everstream::{EncodeError, Encoder};
    ///
    /// let mut stream = Encoder::new(String::new());
    /// let error = stream.event("price\ndata: forged", "12", None).unwrap_err();
    /// assert_eq!(error, EncodeError::LineBreakInEvent { at: 5 });
    /// assert_eq!(stream.get_ref(), "");
    /// ```
    pub fn event(&mut self, event: &str, data: &str, id: Option<&str>) -> Result<(), EncodeError> {
        let line_break = |text: &str| memchr2(b'\n', b'\r', text.as_bytes());
        if let Some(at) = line_break(event) {
            return Err(EncodeError::LineBreakInEvent { at });
        }
        if let Some(id) = id {
            if let Some(at) = line_break(id) {
                return Err(EncodeError::LineBreakInId { at });
            }
            if let Some(at) = memchr(0, id.as_bytes()) {
                return Err(EncodeError::NulInId { at });
            }
        }
        write_event(&mut self.output, event, data, id)?;
        Ok(())
    }

    /// Writes a comment, which readers ignore, but which shows that the connection lives.
    /// One of several lines is written, and read, as several.
    ///
    /// # Errors
    ///
    /// Those of the output. See [`Encoder`] for an example.
    pub fn comment(&mut self, text: &str) -> Result<(), EncodeError> {
        write_field(&mut self.output, ":", text)?;
        self.output.write_str("\n")?;
        Ok(())
    }

    /// Writes how long a reader is to wait before it connects again, in whole
    /// milliseconds: a fraction is cut off.
    ///
    /// # Errors
    ///
    /// Those of the output. See [`Encoder`] for an example.
    pub fn retry(&mut self, delay: Duration) -> Result<(), EncodeError> {
        let milliseconds = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        write!(self.output, "retry: {milliseconds}\n\n")?;
        Ok(())
    }

    /// The output, to see what is in it. See [`event`](Self::event) for an example.
    pub const fn get_ref(&self) -> &W {
        &self.output
    }

    /// The output, to take out what is to be sent.
    ///
    /// ```
    /// use everstream::Encoder;
    ///
    /// let mut stream = Encoder::new(String::new());
    /// stream.event("", "hi", None)?;
    /// let chunk = std::mem::take(stream.get_mut());
    /// assert_eq!(chunk.into_bytes(), b"data: hi\n\n");
    /// # Ok::<_, everstream::EncodeError>(())
    /// ```
    pub const fn get_mut(&mut self) -> &mut W {
        &mut self.output
    }

    /// The output. See [`Encoder`] for an example.
    pub fn into_inner(self) -> W {
        self.output
    }
}

/// Writes the block of an event. The id and the type come first, so that a reader to
/// whom the data is too large knows what it missed.
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

/// Writes a field for each line of `value`. A value is always set off by a space, for one
/// is taken away when it is read.
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

/// Writes an event as a new reader reads it: no id is as good as an empty one.
pub(crate) fn display(
    f: &mut fmt::Formatter<'_>,
    event: &str,
    data: &str,
    id: &str,
) -> fmt::Result {
    write_event(f, event, data, Some(id).filter(|id| !id.is_empty()))
}

/// The block of the event stream that a new reader reads as this event.
///
/// ```
/// use everstream::{Frame, Parser};
///
/// let mut parser = Parser::new();
/// let mut frames = parser.feed(b"event:tick\nid:1\ndata:a\ndata:b\n\n");
/// let Some(Frame::Event(event)) = frames.next() else { panic!() };
/// assert_eq!(event.to_string(), "id: 1\nevent: tick\ndata: a\ndata: b\n\n");
/// ```
impl fmt::Display for EventView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        display(f, self.event(), self.data(), self.id())
    }
}

/// Why something cannot be written to an event stream.
///
/// ```
/// use everstream::{EncodeError, Encoder};
///
/// let error = Encoder::new(String::new()).event("", "hi", Some("a\0")).unwrap_err();
/// assert_eq!(error, EncodeError::NulInId { at: 1 });
/// assert_eq!(error.to_string(), "the id has a NUL at byte 1, and readers would ignore it");
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EncodeError {
    /// The type has a line break in it, which would end its field.
    LineBreakInEvent {
        /// At which byte.
        at: usize,
    },
    /// The id has a line break in it, which would end its field.
    LineBreakInId {
        /// At which byte.
        at: usize,
    },
    /// The id has a NUL in it: "if the field value does not contain U+0000 NULL, then set
    /// the last event ID buffer to the field value. Otherwise, ignore the field."
    NulInId {
        /// At which byte.
        at: usize,
    },
    /// The output takes no more.
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
            EncodeError::Output(_) => f.write_str("the output takes no more"),
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
