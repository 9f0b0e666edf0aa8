//! Checks that the parser reads back what the encoder writes.

use std::fmt;
use std::time::Duration;

use everstream::{EncodeError, Encoder, Frame, MessageEvent, Parser};
use fastrand::Rng;

/// The result of parsing: the events, the comments, and the reconnection time.
#[derive(Debug, Default, PartialEq, Eq)]
struct Read {
    events: Vec<MessageEvent>,
    comments: Vec<String>,
    retry: Option<Duration>,
}

fn read(stream: &str) -> Read {
    let mut parser = Parser::new().with_comments(true);
    let mut read = Read::default();
    let mut frames = parser.feed(stream.as_bytes());
    while let Some(frame) = frames.next() {
        match frame {
            Frame::Message(event) => {
                read.events.push(MessageEvent::new(event.event(), event.data(), event.id()));
            }
            Frame::Comment(text) => read.comments.push(text.to_owned()),
            other => panic!("{other:?}"),
        }
    }
    drop(frames);
    read.retry = parser.retry();
    read
}

/// Returns the text that one call writes.
fn written(write: impl FnOnce(&mut Encoder<String>) -> Result<(), EncodeError>) -> String {
    let mut encoder = Encoder::new(String::new());
    write(&mut encoder).expect("it can be written");
    encoder.into_inner()
}

fn event(event: &str, data: &str, id: Option<&str>) -> String {
    written(|encoder| match id {
        Some(id) => encoder.event(event).id(id).data(data),
        None => encoder.event(event).data(data),
    })
}

/// Returns the data after a round trip: the standard's only line break in data is LF.
fn normal(data: &str) -> String {
    data.replace("\r\n", "\n").replace('\r', "\n")
}

/// Writes an event, and checks that it is read back equal, or that writing fails if no stream can
/// carry it.
#[track_caller]
fn check(name: &str, data: &str, id: &str) {
    let mut encoder = Encoder::new(String::from("data: before\n\n"));
    let result = encoder.event(name).id(id).data(data);
    let stream = encoder.into_inner() + "data: after\n\n";
    let events = read(&stream).events;
    let breaks = ['\n', '\r'];
    if let Some(at) = name.find(breaks) {
        assert_eq!(result, Err(EncodeError::LineBreakInEvent { at }), "{name:?}");
    } else if let Some(at) = id.find(breaks) {
        assert_eq!(result, Err(EncodeError::LineBreakInId { at }), "{id:?}");
    } else if let Some(at) = id.find('\0') {
        assert_eq!(result, Err(EncodeError::NulInId { at }), "{id:?}");
    } else {
        result.expect("it can be written");
        let expected = [
            MessageEvent::new("", "before", ""),
            MessageEvent::new(name, &normal(data), id),
            MessageEvent::new("", "after", id),
        ];
        assert_eq!(events, expected, "{stream:?}");
        return;
    }
    assert_eq!(stream, "data: before\n\ndata: after\n\n", "an error writes nothing");
}

/// Characters that are special to a parser.
const ODD: [char; 9] = ['a', ' ', ':', '\n', '\r', '\0', '\u{feff}', '\u{2028}', 'é'];

/// Returns all texts of up to four such characters.
fn odd_texts() -> Vec<String> {
    let mut texts = vec![String::new()];
    let mut from = 0;
    for _ in 0..4 {
        let longest = texts.len();
        for shorter in from..longest {
            for odd in ODD {
                texts.push(format!("{}{odd}", texts[shorter]));
            }
        }
        from = longest;
    }
    texts
}

#[test]
fn every_text_of_odd_characters_is_read_back_or_is_an_error() {
    let texts = odd_texts();
    assert_eq!(texts.len(), 1 + 9 + 81 + 729 + 6561);
    for text in &texts {
        check("", text, "");
        check(text, "d", "");
        check("", "d", text);
        check(text, text, text);
    }
}

#[test]
fn every_character_is_read_back_or_is_an_error() {
    let mut data = String::new();
    for character in '\0'..=char::MAX {
        // No later character is special, so one event holds all of them.
        if u32::from(character) < 0x3000 {
            let text = character.to_string();
            check(&text, &text, &text);
        }
        data.push(character);
    }
    check("", &data, "");
}

#[test]
fn random_events_one_after_the_other_are_read_back() {
    let words =
        ["data: ", "id: 1", "\n\n", "event", "\r\n", "\r", "\u{feff}", "retry: 1\n", "ä", " ", ""];
    for seed in 0..2_000 {
        let mut rng = Rng::with_seed(seed);
        let mut text = |allowed: fn(char) -> bool| -> String {
            let words = (0..rng.usize(..6)).map(|_| words[rng.usize(..words.len())]);
            words.collect::<String>().chars().filter(|&c| allowed(c)).collect()
        };
        let is_inline = |c| c != '\n' && c != '\r';
        let mut encoder = Encoder::new(String::new());
        let mut expected = Read::default();
        let mut last_id = String::new();
        for round in 0..10 {
            let (name, data, id) = (text(is_inline), text(|_| true), text(is_inline));
            // The event has the current ID, or none.
            let id = if round % 3 == 0 { None } else { Some(id) };
            match &id {
                Some(id) => encoder.id(id).event(&name).data(&data).unwrap(),
                None => encoder.event(&name).data(&data).unwrap(),
            }
            last_id = id.unwrap_or(last_id);
            expected.events.push(MessageEvent::new(&name, &normal(&data), &last_id));
            let comment = text(|_| true);
            encoder.comment(&comment).unwrap();
            expected.comments.extend(normal(&comment).split('\n').map(str::to_owned));
            let delay = Duration::from_millis(seed * 10 + round);
            encoder.retry(delay).unwrap();
            expected.retry = Some(delay);
        }
        let stream = encoder.into_inner();
        assert_eq!(read(&stream), expected, "seed {seed}: {stream:?}");
    }
}

#[test]
fn an_event_that_was_received_is_sent_on_with_the_id_that_was_in_force() {
    let received = read("id: 1\ndata: a\n\ndata: b\n\nid\ndata: c\n\nevent: e\ndata: d\n\n").events;
    let mut encoder = Encoder::new(String::new());
    for message in &received {
        encoder.message(message).unwrap();
    }
    assert_eq!(read(&encoder.into_inner()).events, received);
}

#[test]
fn an_id_that_is_not_given_leaves_the_last_one_and_an_empty_one_resets_it() {
    let stream = event("", "a", Some("1")) + &event("", "b", None) + &event("", "c", Some(""));
    assert_eq!(stream, "id: 1\ndata: a\n\ndata: b\n\nid:\ndata: c\n\n");
    let ids: Vec<_> = read(&stream).events.iter().map(|event| event.id().to_owned()).collect();
    assert_eq!(ids, ["1", "1", ""]);
}

#[test]
fn an_event_of_empty_data_is_an_event() {
    assert_eq!(event("", "", None), "data:\n\n");
    assert_eq!(event("", "\n", None), "data:\ndata:\n\n");
    assert_eq!(read("data:\n\n").events, [MessageEvent::new("", "", "")]);
}

#[test]
fn the_usual_type_is_not_written() {
    assert_eq!(event("message", "a", None), "data: a\n\n");
    assert_eq!(event("", "a", None), "data: a\n\n");
    assert_eq!(event("Message", "a", None), "event: Message\ndata: a\n\n");
}

#[test]
fn a_cr_in_data_becomes_an_lf() {
    assert_eq!(event("", "a\rb\r\nc\n\rd", None), "data: a\ndata: b\ndata: c\ndata:\ndata: d\n\n");
}

#[test]
fn a_comment_of_several_lines_stays_a_comment() {
    let stream = written(|encoder| encoder.comment("hi\ndata: forged\n\n"));
    assert_eq!(stream, ": hi\n: data: forged\n:\n:\n\n");
    assert!(read(&stream).events.is_empty());
}

#[test]
fn a_keep_alive_is_a_block_that_readers_ignore() {
    let stream = written(|encoder| encoder.keep_alive());
    assert_eq!(stream, ":\n\n");
    assert_eq!(read(&stream), Read { comments: vec![String::new()], ..Read::default() });
}

#[test]
fn the_last_setter_of_an_event_counts_and_none_but_data_writes() {
    let mut encoder = Encoder::new(String::new());
    encoder.event("a").id("1").event("b").id("2").data("c").unwrap();
    let _ = encoder.event("dropped").id("3");
    assert_eq!(encoder.get_ref(), "id: 2\nevent: b\ndata: c\n\n");
}

#[test]
fn a_reconnection_time_is_in_whole_milliseconds() {
    let retry = |delay| read(&written(|encoder| encoder.retry(delay))).retry;
    assert_eq!(retry(Duration::ZERO), Some(Duration::ZERO));
    assert_eq!(retry(Duration::from_micros(2_999)), Some(Duration::from_millis(2)));
    assert_eq!(retry(Duration::MAX), Some(Duration::from_millis(u64::MAX)));
}

// ------------------------------------------------------------------------------------------ Display

#[test]
fn an_event_is_shown_as_the_stream_that_a_new_reader_reads_as_it() {
    for (name, data, id) in
        [("", "", ""), ("e", "a\nb", "1"), ("message", " a", " "), ("", "a", "")]
    {
        let stream = MessageEvent::new(name, data, id).to_string();
        assert_eq!(read(&stream).events, [MessageEvent::new(name, data, id)]);
        let mut parser = Parser::new();
        let mut frames = parser.feed(stream.as_bytes());
        let Some(Frame::Message(view)) = frames.next() else { panic!("{stream:?}") };
        assert_eq!(view.to_string(), stream);
    }
    assert_eq!(MessageEvent::new("", "hi", "").to_string(), "data: hi\n\n");
}

#[test]
fn even_an_event_that_no_stream_can_carry_is_shown_without_a_panic_and_forges_nothing() {
    let odd = MessageEvent::new("e\ndata: forged", "d", "1\r\rdata: forged\n\n\0");
    let shown = odd.to_string();
    let events = read(&shown).events;
    assert_eq!(events.len(), 1, "{shown:?}");
    assert_eq!(events[0].data(), "d");
}

#[test]
fn views_are_equal_whether_the_usual_type_is_written_or_not() {
    let (mut one, mut other) = (Parser::new(), Parser::new());
    let (mut one, mut other) =
        (one.feed(b"data: a\n\n"), other.feed(b"event: message\ndata: a\n\n"));
    assert_eq!(one.next(), other.next());
}

// ------------------------------------------------------------------------------------------- Output

/// An output that fails after this many bytes.
struct Full(usize);

impl fmt::Write for Full {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 = self.0.checked_sub(text.len()).ok_or(fmt::Error)?;
        Ok(())
    }
}

#[test]
fn an_output_that_takes_no_more_is_an_error() {
    for room in 0.."data: aa\n\n".len() {
        assert_eq!(Encoder::new(Full(room)).data("aa"), Err(fmt::Error.into()));
    }
    assert_eq!(Encoder::new(Full(10)).data("aa"), Ok(()));
    assert_eq!(Encoder::new(Full(3)).comment("aa"), Err(fmt::Error.into()));
    assert_eq!(Encoder::new(Full(3)).retry(Duration::ZERO), Err(fmt::Error.into()));
}

#[test]
fn any_output_for_text_will_do() {
    let mut bytes = bytes::BytesMut::new();
    Encoder::new(&mut bytes).event("e").data("ä").unwrap();
    assert_eq!(bytes, "event: e\ndata: ä\n\n");
}
