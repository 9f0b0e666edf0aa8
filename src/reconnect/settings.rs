//! The settings of a reconnecting stream.

use alloc::boxed::Box;
use core::ops::Deref;
use core::time::Duration;

/// The response to an event over the size limit.
///
/// ```
/// assert_eq!(everstream::OnOversize::default(), everstream::OnOversize::Discard);
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum OnOversize {
    /// Drop the event, report it and continue with the next one.
    #[default]
    Discard,
    /// End the stream with an error.
    Fail,
}

/// The time limits of a connection. By default there are none. Each setter takes a
/// [`Duration`], or `None` for no limit.
///
/// ```
/// use everstream::reconnect::Timeouts;
/// use std::time::Duration;
///
/// let timeouts = Timeouts::new()
///     .with_open(Duration::from_secs(10))
///     .with_idle(Duration::from_secs(45))
///     .with_event(Duration::from_secs(600));
/// assert_eq!(timeouts.idle, Some(Duration::from_secs(45)));
/// assert_eq!(timeouts.with_idle(None).idle, None);
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct Timeouts {
    /// The maximum time until a connection is open.
    #[cfg_attr(feature = "serde", serde(with = "text", skip_serializing_if = "Option::is_none"))]
    pub open: Option<Duration>,
    /// The maximum time without a byte on an open connection; comments count.
    #[cfg_attr(feature = "serde", serde(with = "text", skip_serializing_if = "Option::is_none"))]
    pub idle: Option<Duration>,
    /// The maximum time without an event on an open connection; comments do not count.
    #[cfg_attr(feature = "serde", serde(with = "text", skip_serializing_if = "Option::is_none"))]
    pub event: Option<Duration>,
}

impl Timeouts {
    /// Creates timeouts without a limit. See [`Timeouts`] for an example.
    #[must_use]
    pub const fn new() -> Self {
        Timeouts { open: None, idle: None, event: None }
    }

    /// Sets the maximum time until a connection is open. See [`Timeouts`] for an example.
    #[must_use]
    pub fn with_open(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.open = limit.into();
        self
    }

    /// Sets the maximum time without a byte; comments count. A dead connection can go
    /// unnoticed, so set at least this one. See [`Timeouts`] for an example.
    #[doc(alias = "keepalive")]
    #[must_use]
    pub fn with_idle(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.idle = limit.into();
        self
    }

    /// Sets the maximum time without an event; comments do not count. See [`Timeouts`] for an
    /// example.
    #[must_use]
    pub fn with_event(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.event = limit.into();
        self
    }
}

/// The time limits of a stream. They are boxed, because most streams have none.
#[derive(Default)]
pub(super) struct Limits {
    timeouts: Option<Box<Timeouts>>,
}

impl Limits {
    pub(super) fn new(timeouts: Timeouts) -> Self {
        Limits { timeouts: (timeouts != Timeouts::new()).then(|| Box::new(timeouts)) }
    }
}

impl Deref for Limits {
    type Target = Timeouts;

    #[inline]
    fn deref(&self) -> &Timeouts {
        self.timeouts.as_deref().unwrap_or(const { &Timeouts::new() })
    }
}

#[cfg(feature = "serde")]
mod text {
    use crate::retry::text::Text;
    use core::time::Duration;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S>(limit: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error>
    where
        S: Serializer,
    {
        limit.map(Text).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D>(deserializer: D) -> Result<Option<Duration>, D::Error>
    where
        D: Deserializer<'de>,
    {
        Ok(Option::<Text>::deserialize(deserializer)?.map(|text| text.0))
    }
}
