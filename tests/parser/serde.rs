//! Tests of serializing and deserializing events.

use std::fmt::Debug;

use everstream::{Discarded, EventStream, Frame, MessageEvent, OwnedFrame, Parser, ReadyState};
use futures_util::{FutureExt, TryStreamExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// A stream of each kind of frame, with a limit of 40 bytes.
const STREAM: &str = concat!(
    "data: a\n\n",
    ": \"quoted\"\n",
    "id: 1\nevent: e\ndata: \"b\\\"\ndata: \u{1}ä\n\n",
    "id: 2\nevent: f\ndata: far too long, far too long, too\n\n",
    "data: far too long, far too long, far too long\n\n",
    "id\ndata:\n\n",
);

fn frames() -> Vec<OwnedFrame> {
    let body = futures_util::stream::iter([Ok::<_, ()>(STREAM)]);
    let events = EventStream::new(body).with_comments(true).with_max_event_size(40);
    events.try_collect().now_or_never().unwrap().unwrap()
}

/// Checks that the value is deserialized equal, and returns its form.
#[track_caller]
fn there_and_back<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) -> Value {
    let text = serde_json::to_string(value).unwrap();
    // Values may be borrowed from text, but not from a reader or a value.
    assert_eq!(&serde_json::from_str::<T>(&text).unwrap(), value, "{text}");
    assert_eq!(&serde_json::from_reader::<_, T>(text.as_bytes()).unwrap(), value, "{text}");
    let form = serde_json::to_value(value).unwrap();
    assert_eq!(&serde_json::from_value::<T>(form.clone()).unwrap(), value, "{text}");
    form
}

#[test]
fn every_kind_of_frame_comes_back_equal() {
    let forms: Vec<Value> = frames().iter().map(there_and_back).collect();
    let expected = [
        json!({"message": {"event": "message", "data": "a", "id": ""}}),
        json!({"comment": "\"quoted\""}),
        json!({"message": {"event": "e", "data": "\"b\\\"\n\u{1}ä", "id": "1"}}),
        json!({"discarded": {"size": 0, "limit": 40, "id": "2", "event": "f"}}),
        json!({"discarded": {"size": 0, "limit": 40, "id": null, "event": null}}),
        json!({"message": {"event": "message", "data": "", "id": ""}}),
    ];
    assert_eq!(forms.len(), expected.len());
    for (form, mut expected) in forms.into_iter().zip(expected) {
        // The size of a discarded block depends on the parser.
        if let Some(report) = form.get("discarded") {
            expected["discarded"]["size"] = report["size"].clone();
        }
        assert_eq!(form, expected);
    }
}

#[test]
fn a_message_and_a_report_come_back_equal_by_themselves() {
    for frame in frames() {
        match frame {
            OwnedFrame::Message(message) => drop(there_and_back::<MessageEvent>(&message)),
            OwnedFrame::Discarded(report) => drop(there_and_back::<Discarded>(&report)),
            _ => {}
        }
    }
}

#[test]
fn borrowed_frames_have_the_form_of_owned_frames() {
    let mut parser = Parser::new().with_comments(true).with_max_event_size(40);
    let mut lent = parser.feed(STREAM.as_bytes());
    for owned in frames() {
        let frame = lent.next().unwrap();
        let form = serde_json::to_value(&frame).unwrap();
        assert_eq!(form, serde_json::to_value(&owned).unwrap());
        if let Frame::Message(view) = frame {
            assert_eq!(serde_json::to_value(view).unwrap(), form["message"]);
        }
    }
    assert_eq!(lent.next(), None);
}

#[test]
fn each_ready_state_comes_back_equal() {
    let states = [ReadyState::Connecting, ReadyState::Open, ReadyState::Closed];
    assert_eq!(states.each_ref().map(there_and_back), ["connecting", "open", "closed"]);
}

#[test]
fn a_message_may_lack_its_type_and_its_id() {
    let of = |form: Value| serde_json::from_value::<MessageEvent>(form);
    assert_eq!(of(json!({"data": "a"})).unwrap(), MessageEvent::new("", "a", ""));
    assert_eq!(
        of(json!({"id": "1", "data": "a", "more": 1})).unwrap(),
        MessageEvent::new("message", "a", "1")
    );
    let error = of(json!({"event": "e", "id": "1"})).unwrap_err();
    assert!(error.to_string().contains("data"), "{error}");
    assert!(of(json!({"data": 1})).is_err());
}

/// Formats without field names hold the fields in order.
#[test]
fn a_message_can_be_read_from_its_fields_in_order() {
    let message: MessageEvent = serde_json::from_str(r#"["e", "d", "1"]"#).unwrap();
    assert_eq!(message, MessageEvent::new("e", "d", "1"));
}

#[test]
fn a_frame_or_a_state_of_another_kind_is_an_error() {
    assert!(serde_json::from_str::<OwnedFrame>(r#"{"event": "x"}"#).is_err());
    assert!(serde_json::from_str::<ReadyState>(r#""waiting""#).is_err());
    assert!(serde_json::from_str::<ReadyState>("7").is_err());
}
