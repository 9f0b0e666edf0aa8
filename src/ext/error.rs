//! The error of the adapters that yield messages.

use crate::frame::Discarded;
use core::error::Error;
use core::fmt;

/// The error of a stream of messages.
///
/// The stream may continue after an error: [`Discarded`](Self::Discarded) is never the last
/// item, [`EndedEarly`](Self::EndedEarly) always is, and after [`Stream`](Self::Stream) the
/// stream of events decides. An `EventSource` ends with its first error.
///
/// ```
/// # futures_util::FutureExt::now_or_never(async {
/// use everstream::{EventStream, EventStreamExt, MessageError};
/// use futures_util::StreamExt;
///
/// let body = futures_util::stream::iter([Ok::<_, std::io::Error>(
///     "data: much too long for the limit\n\ndata: a\n\n",
/// )]);
/// let mut messages = EventStream::new(body).with_max_event_size(16).messages();
/// match messages.next().await {
///     Some(Err(MessageError::Discarded(report))) => assert_eq!(report.limit(), 16),
///     other => panic!("{other:?}"),
/// }
/// assert_eq!(messages.next().await.unwrap()?.data(), "a");
/// # Ok::<_, MessageError<std::io::Error>>(())
/// # }).unwrap().unwrap();
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MessageError<E> {
    /// The error of the stream of events.
    Stream(E),
    /// The report of an event that was over the size limit. The stream continues after it.
    Discarded(Discarded),
    /// The stream of events ended before the terminator that
    /// [`terminated_by`](super::EventStreamExt::terminated_by) or
    /// [`through`](super::EventStreamExt::through) waits for.
    EndedEarly,
}

/// The text of [`MessageError::EndedEarly`] and its equal in `JsonError`.
pub(super) const ENDED_EARLY: &str = "the stream ended before its terminator";

impl<E: fmt::Display> fmt::Display for MessageError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MessageError::Stream(error) => error.fmt(f),
            MessageError::Discarded(report) => report.fmt(f),
            MessageError::EndedEarly => f.write_str(ENDED_EARLY),
        }
    }
}

impl<E: Error + 'static> Error for MessageError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            // `Display` prints the error, so the chain continues with its source.
            MessageError::Stream(error) => error.source(),
            MessageError::Discarded(_) | MessageError::EndedEarly => None,
        }
    }
}
