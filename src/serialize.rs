//! The serialized forms of events.
//!
//! Invariants:
//! - Every value is deserialized to an equal value.
//! - A [`Frame`] has the same form as the equal [`OwnedFrame`].
//! - No input causes a panic.

use crate::frame::{Discarded, EventView, Frame, Update};
use crate::owned::{MessageEvent, OwnedFrame, OwnedUpdate};
use crate::reconnect::ReadyState;
use alloc::borrow::Cow;
use core::time::Duration;
use serde::de::{Deserialize, Deserializer};
use serde::ser::{Serialize, Serializer};

#[derive(serde::Serialize, serde::Deserialize)]
#[serde(rename = "MessageEvent")]
struct MessageForm<'a> {
    #[serde(borrow, default)]
    event: Cow<'a, str>,
    #[serde(borrow)]
    data: Cow<'a, str>,
    #[serde(borrow, default)]
    id: Cow<'a, str>,
}

#[derive(serde::Serialize, serde::Deserialize)]
#[serde(rename = "Discarded")]
struct DiscardedForm<'a> {
    size: usize,
    limit: usize,
    id: Option<Cow<'a, str>>,
    event: Option<Cow<'a, str>>,
}

#[derive(serde::Serialize, serde::Deserialize)]
#[serde(rename = "Update")]
struct UpdateForm<'a> {
    #[serde(borrow)]
    last_event_id: Cow<'a, str>,
    retry: Option<Duration>,
}

#[derive(serde::Serialize, serde::Deserialize)]
#[serde(rename = "Frame", rename_all = "snake_case")]
enum FrameForm<'a> {
    #[serde(borrow)]
    Message(MessageForm<'a>),
    #[serde(borrow)]
    Comment(Cow<'a, str>),
    #[serde(borrow)]
    Discarded(DiscardedForm<'a>),
    #[serde(borrow)]
    Update(UpdateForm<'a>),
}

#[derive(serde::Serialize, serde::Deserialize)]
#[serde(remote = "ReadyState", rename = "ReadyState", rename_all = "snake_case")]
enum ReadyStateForm {
    Connecting,
    Open,
    Closed,
}

impl<'a> From<EventView<'a>> for MessageForm<'a> {
    fn from(event: EventView<'a>) -> Self {
        let [event, data, id] = [event.event(), event.data(), event.id()].map(Cow::Borrowed);
        MessageForm { event, data, id }
    }
}

impl<'a> From<&'a MessageEvent> for MessageForm<'a> {
    fn from(event: &'a MessageEvent) -> Self {
        let [event, data, id] = [event.event(), event.data(), event.id()].map(Cow::Borrowed);
        MessageForm { event, data, id }
    }
}

impl<'a> From<&'a Discarded> for DiscardedForm<'a> {
    fn from(report: &'a Discarded) -> Self {
        let [id, event] = [report.id(), report.event()].map(|text| text.map(Cow::Borrowed));
        DiscardedForm { size: report.size(), limit: report.limit(), id, event }
    }
}

impl<'a> From<Update<'a>> for UpdateForm<'a> {
    fn from(update: Update<'a>) -> Self {
        let last_event_id = Cow::Borrowed(update.last_event_id());
        UpdateForm { last_event_id, retry: update.retry() }
    }
}

impl<'a> From<&'a Frame<'a>> for FrameForm<'a> {
    fn from(frame: &'a Frame<'a>) -> Self {
        match frame {
            Frame::Message(event) => FrameForm::Message((*event).into()),
            Frame::Comment(text) => FrameForm::Comment(Cow::Borrowed(text)),
            Frame::Discarded(report) => FrameForm::Discarded(report.into()),
            Frame::Update(update) => FrameForm::Update((*update).into()),
        }
    }
}

impl<'a> From<&'a OwnedFrame> for FrameForm<'a> {
    fn from(frame: &'a OwnedFrame) -> Self {
        match frame {
            OwnedFrame::Message(event) => FrameForm::Message(event.into()),
            OwnedFrame::Comment(text) => FrameForm::Comment(Cow::Borrowed(text)),
            OwnedFrame::Discarded(report) => FrameForm::Discarded(report.into()),
            OwnedFrame::Update(update) => FrameForm::Update(update.as_update().into()),
        }
    }
}

impl MessageForm<'_> {
    fn into_event(self) -> MessageEvent {
        MessageEvent::new(&self.event, &self.data, &self.id)
    }
}

impl DiscardedForm<'_> {
    fn into_report(self) -> Discarded {
        let [id, event] = [self.id, self.event].map(|text| text.map(|text| (*text).into()));
        Discarded::of(self.size, self.limit, id, event)
    }
}

/// Serializes the event as a struct of `event`, `data` and `id`.
///
/// ```
/// let event = everstream::MessageEvent::new("price", "12.5", "7");
/// let json = serde_json::to_string(&event)?;
/// assert_eq!(json, r#"{"event":"price","data":"12.5","id":"7"}"#);
/// # Ok::<_, serde_json::Error>(())
/// ```
impl Serialize for MessageEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        MessageForm::from(self).serialize(serializer)
    }
}

/// Deserializes a struct of `event`, `data` and `id`. A missing `event` means `message`, and a
/// missing `id` no ID.
///
/// ```
/// use everstream::MessageEvent;
///
/// let event: MessageEvent = serde_json::from_str(r#"{"data": "hi"}"#)?;
/// assert_eq!(event, MessageEvent::new("message", "hi", ""));
/// # Ok::<_, serde_json::Error>(())
/// ```
impl<'de> Deserialize<'de> for MessageEvent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(MessageForm::deserialize(deserializer)?.into_event())
    }
}

/// Serializes the event in the form of a [`MessageEvent`].
///
/// ```
/// use everstream::{Frame, MessageEvent, Parser};
///
/// let mut parser = Parser::new();
/// let mut frames = parser.feed(b"data: hi\n\n");
/// let Some(Frame::Message(event)) = frames.next() else { panic!() };
/// let kept: MessageEvent = serde_json::from_str(&serde_json::to_string(&event)?)?;
/// assert_eq!(kept.data(), "hi");
/// # Ok::<_, serde_json::Error>(())
/// ```
impl Serialize for EventView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        MessageForm::from(*self).serialize(serializer)
    }
}

/// Serializes the report as a struct of `size`, `limit`, `id` and `event`. The last two are
/// optional.
///
/// ```
/// use everstream::{Frame, Parser};
///
/// let mut parser = Parser::new().with_max_event_size(4);
/// let mut frames = parser.feed(b"data: too long\n\n");
/// let Some(Frame::Discarded(report)) = frames.next() else { panic!() };
/// assert_eq!(serde_json::to_value(&report)?["limit"], 4);
/// # Ok::<_, serde_json::Error>(())
/// ```
impl Serialize for Discarded {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        DiscardedForm::from(self).serialize(serializer)
    }
}

/// Deserializes the serialized form.
///
/// ```
/// use everstream::Discarded;
///
/// let report: Discarded = serde_json::from_str(r#"{"size": 9, "limit": 4, "id": "7"}"#)?;
/// assert_eq!((report.id(), report.event()), (Some("7"), None));
/// # Ok::<_, serde_json::Error>(())
/// ```
impl<'de> Deserialize<'de> for Discarded {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(DiscardedForm::deserialize(deserializer)?.into_report())
    }
}

/// Serializes the frame in the form of an [`OwnedFrame`].
///
/// ```
/// use everstream::Frame;
///
/// assert_eq!(serde_json::to_string(&Frame::Comment("hi"))?, r#"{"comment":"hi"}"#);
/// # Ok::<_, serde_json::Error>(())
/// ```
impl Serialize for Frame<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        FrameForm::from(self).serialize(serializer)
    }
}

/// Serializes the frame as an enum of `message`, `comment`, `discarded` and `update`.
///
/// ```
/// use everstream::{MessageEvent, OwnedFrame};
///
/// let frame = OwnedFrame::Message(MessageEvent::new("", "hi", ""));
/// let json = serde_json::to_string(&frame)?;
/// assert_eq!(json, r#"{"message":{"event":"message","data":"hi","id":""}}"#);
/// # Ok::<_, serde_json::Error>(())
/// ```
impl Serialize for OwnedFrame {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        FrameForm::from(self).serialize(serializer)
    }
}

/// Deserializes the serialized form.
///
/// ```
/// use everstream::OwnedFrame;
///
/// let frame: OwnedFrame = serde_json::from_str(r#"{"comment": "hi"}"#)?;
/// assert_eq!(frame, OwnedFrame::Comment("hi".to_string()));
/// # Ok::<_, serde_json::Error>(())
/// ```
impl<'de> Deserialize<'de> for OwnedFrame {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match FrameForm::deserialize(deserializer)? {
            FrameForm::Message(form) => OwnedFrame::Message(form.into_event()),
            FrameForm::Comment(text) => OwnedFrame::Comment(text.into_owned()),
            FrameForm::Discarded(form) => OwnedFrame::Discarded(form.into_report()),
            FrameForm::Update(form) => {
                OwnedFrame::Update(OwnedUpdate::new(&form.last_event_id, form.retry))
            }
        })
    }
}

/// Serializes the state as `connecting`, `open` or `closed`.
///
/// ```
/// use everstream::ReadyState;
///
/// assert_eq!(serde_json::to_string(&ReadyState::Open)?, r#""open""#);
/// # Ok::<_, serde_json::Error>(())
/// ```
impl Serialize for ReadyState {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        ReadyStateForm::serialize(self, serializer)
    }
}

/// Deserializes the serialized form.
///
/// ```
/// use everstream::ReadyState;
///
/// let state: ReadyState = serde_json::from_str(r#""closed""#)?;
/// assert_eq!(state, ReadyState::Closed);
/// # Ok::<_, serde_json::Error>(())
/// ```
impl<'de> Deserialize<'de> for ReadyState {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        ReadyStateForm::deserialize(deserializer)
    }
}
