//! The bytes at the end of a body that are no event: they are never lost without a word.

use everstream::reconnect::{
    Attempt, ConnectError, Reason, Reconnect, ReconnectError, ReconnectEvent, connect_fn,
};
use everstream::{DisconnectKind, ManualTimer, Sizes};
use futures_util::{FutureExt, StreamExt, stream};
use std::convert::Infallible;

type Never = Infallible;
type Chunks = Vec<Result<Vec<u8>, Never>>;

/// The end of a body, after `data: a` and its blank line.
#[derive(Debug, Clone, PartialEq)]
enum End {
    Whole,
    MidEvent(&'static str),
    Text(&'static str),
}
use End::{MidEvent, Text, Whole};

impl End {
    fn reason<E>(&self) -> Reason<E> {
        match self {
            Whole => Reason::Ended,
            MidEvent(text) => Reason::ended_mid_event(*text),
            Text(text) => Reason::ended_with_text(*text),
        }
    }
}

const ENDS: [(&str, End); 45] = [
    ("", Whole),
    ("\n", Whole),
    ("\r\n\r", Whole),
    (":", Whole),
    (": keep-alive", Whole),
    (": keep-alive\n", Whole),
    (": keep-alive\n\n", Whole),
    (": a\r: b\r\n: c", Whole),
    ("retry", Whole),
    ("ret", Whole),
    ("retry: 10\n", Whole),
    ("retry: soon\n: b", Whole),
    ("event: done\n\n", Whole),
    ("id: 2\n\n", Whole),
    ("event: done\n\n: b\n", Whole),
    (" \n\t\n", Whole),
    ("x: y\ndata: b\n\n", Whole),
    ("{\"error\": 1}\n\ndata: b\n\n", Whole),
    ("x: y\n\ndata: b\n\n: c\n", Whole),
    ("d", MidEvent("d")),
    ("data", MidEvent("data")),
    ("data: half", MidEvent("data: half")),
    ("data: half\n", MidEvent("data: half")),
    ("data: half\r", MidEvent("data: half")),
    ("data: half\r\n", MidEvent("data: half")),
    (": a\nevent: x\n: b\nid: 2\n", MidEvent("event: x\nid: 2")),
    ("id", MidEvent("id")),
    ("i", MidEvent("i")),
    ("data: b\n\ndata: c", MidEvent("data: c")),
    ("retry: 1\ndata: [DONE]\n", MidEvent("data: [DONE]")),
    ("oops\n\ndata: half", MidEvent("oops\ndata: half")),
    ("data: half\noops", MidEvent("data: half\noops")),
    ("{\"error\": 1}", Text("{\"error\": 1}")),
    ("{\"error\": 1}\n", Text("{\"error\": 1}")),
    ("{\"error\": 1}\r\n\r\n", Text("{\"error\": 1}")),
    (": keep-alive\n\n{\"error\": 1}\n", Text("{\"error\": 1}")),
    ("{\"error\": 1}\n\n: keep-alive\n\n", Text("{\"error\": 1}")),
    ("{\"error\": 1}\n\nretry: 1\n\nid: 2\n\n", Text("{\"error\": 1}")),
    ("{\n  \"error\": 1\n}", Text("{\n  \"error\": 1\n}")),
    ("{\n\n}\n: b\n", Text("{\n}")),
    ("x: y\ndata: b\n\n<html>\n", Text("<html>")),
    ("<html>\n\ndata: b\n\n</html>", Text("</html>")),
    ("DATA: loud\n\n", Text("DATA: loud")),
    ("datax", Text("datax")),
    ("caf\u{e9}\n", Text("caf\u{e9}")),
];

/// Returns the body in all cuts into two chunks, and in chunks of 1, 2, 3 and 7 bytes.
fn cuts(body: &[u8]) -> Vec<Chunks> {
    let own = |chunk: &[u8]| Ok(chunk.to_vec());
    let halves = (0..=body.len()).map(|at| vec![own(&body[..at]), own(&body[at..])]);
    let small = [1, 2, 3, 7].map(|size| body.chunks(size).map(own).collect());
    halves.chain(small).collect()
}

/// Takes the items up to the end of the first connection.
fn play(
    mut next: impl FnMut() -> Option<Result<ReconnectEvent<(), Never>, ReconnectError<Never, Never>>>,
) -> Option<(Reason<Never>, bool)> {
    loop {
        match next() {
            None => return None,
            Some(Ok(ReconnectEvent::Reconnecting { reason, .. })) => {
                return Some(((*reason).clone(), true));
            }
            Some(Err(ReconnectError::Lost(reason))) => return Some(((*reason).clone(), false)),
            Some(Err(error)) => panic!("{error:?}"),
            Some(Ok(_)) => {}
        }
    }
}

#[test]
fn a_body_in_hand_ends_whole_or_with_an_error_that_shows_the_rest() {
    for (rest, end) in ENDS {
        for chunks in cuts(format!("data: a\n\n{rest}").as_bytes()) {
            let shown = format!("{rest:?} in {chunks:?}");
            for comments in [false, true] {
                let body = stream::iter(chunks.clone());
                let events = Reconnect::once(body, ManualTimer::new());
                let mut events = events.with_comments(comments);
                let reason = play(|| events.next().now_or_never().expect("never pending"));
                let expected = match &end {
                    Whole => None,
                    end => Some((end.reason(), false)),
                };
                assert_eq!(reason, expected, "{shown}");
                assert!(events.next().now_or_never().expect("never pending").is_none());
            }
        }
    }
}

#[test]
fn a_repeated_connection_says_in_its_reason_how_the_body_ended() {
    for (rest, end) in ENDS {
        for chunks in cuts(format!("data: a\n\n{rest}").as_bytes()) {
            let shown = format!("{rest:?} in {chunks:?}");
            let connect = connect_fn(|_: Attempt<Never>| {
                let chunks = chunks.clone();
                async { Ok::<_, ConnectError<_, Never>>(stream::iter(chunks)) }
            });
            let mut events = Reconnect::new(connect, ManualTimer::new());
            let reason = play(|| events.next().now_or_never().expect("not pending yet"));
            assert_eq!(reason, Some((end.reason(), true)), "{shown}");
        }
    }
}

#[test]
fn no_internal_size_of_the_parser_changes_the_rest() {
    static SMALL: Sizes =
        Sizes { batch: 5, drop_lines: 3, keep: 2, large: 7, share: 4, take: 6, copy_id: 1 };
    for (rest, end) in ENDS {
        for chunks in cuts(format!("data: a\n\n{rest}").as_bytes()) {
            let shown = format!("{rest:?} in {chunks:?}");
            let body = stream::iter(chunks);
            let mut events = Reconnect::once(body, ManualTimer::new()).with_sizes(&SMALL);
            let reason = play(|| events.next().now_or_never().expect("never pending"));
            match (reason, &end) {
                // Lines that were dropped early come first.
                (Some((Reason::EndedMidEvent { remainder, .. }, _)), MidEvent(text)) => {
                    let sorted = |text: &str| {
                        let mut lines: Vec<_> = text.lines().map(str::to_string).collect();
                        lines.sort();
                        lines
                    };
                    assert_eq!(sorted(&remainder), sorted(text), "{shown}");
                }
                (None, Whole) => {}
                (reason, end) => assert_eq!(reason, Some((end.reason(), false)), "{shown}"),
            }
        }
    }
}

#[test]
fn an_end_in_mid_event_is_a_broken_connection_and_text_is_a_clean_end() {
    let kinds = |rest: &str| {
        let body = format!("data: a\n\n{rest}").into_bytes();
        let connect = connect_fn(move |_: Attempt<Never>| {
            let body = body.clone();
            async { Ok::<_, ConnectError<_, Never>>(stream::iter([Ok(body)])) }
        });
        let connect = connect.with_may_reconnect(|kind| kind == DisconnectKind::Broken);
        let mut events = Reconnect::new(connect, ManualTimer::new());
        play(|| events.next().now_or_never().expect("not pending yet"))
    };
    assert_eq!(kinds("data: half"), Some((Reason::ended_mid_event("data: half"), true)));
    assert_eq!(kinds("oops"), Some((Reason::ended_with_text("oops"), false)));
    assert_eq!(kinds(""), None);
}

/// Returns the reason of a body that is not repeated.
fn reason_of(body: Vec<u8>) -> Reason<Never> {
    let chunks: Chunks = body.chunks(5000).map(|chunk| Ok(chunk.to_vec())).collect();
    let mut events = Reconnect::once(stream::iter(chunks), ManualTimer::new());
    play(|| events.next().now_or_never().expect("never pending")).expect("a reason").0
}

#[test]
fn at_most_4_kib_are_shown() {
    let first = "data: a\n\n".to_string();
    let long = "x".repeat(100_000);
    for (rest, start) in [
        (format!("{{{long}"), "{xxx"),
        (format!("{{{long}\n\n"), "{xxx"),
        (format!("data: {long}"), "data: xxx"),
    ] {
        let reason = reason_of((first.clone() + &rest).into_bytes());
        let text = reason.remainder().unwrap();
        assert!(text.starts_with(start) && text.len() > 4000 && text.len() <= 4096, "{text}");
        let shown = reason.to_string();
        assert!(shown.len() < 400 && shown.ends_with("xxx\"..."), "{shown}");
    }
    let lines = "some words\n".repeat(10_000);
    let reason = reason_of((first + &lines + "the end\n").into_bytes());
    let text = reason.remainder().unwrap();
    assert!(text.len() > 1000 && text.len() <= 4096 && text.ends_with("the end"), "{text}");
}

#[test]
fn a_body_that_was_not_an_event_stream_shows_its_first_4_kib() {
    let page = "<html>\n".to_string() + &"<p>Service unavailable\n".repeat(1000);
    let reason = reason_of(page.clone().into_bytes());
    assert_eq!(reason, Reason::not_an_event_stream(&page[..4096]));
    assert_eq!(reason.remainder(), Some(&page[..4096]));
}

#[test]
fn a_discarded_event_that_never_ends_has_nothing_to_show() {
    let body = stream::iter([Ok::<_, Never>("data: a\n\ndata: too long for it")]);
    let mut events = Reconnect::once(body, ManualTimer::new()).with_max_event_size(10);
    let reason = play(|| events.next().now_or_never().expect("never pending"));
    assert_eq!(reason, Some((Reason::ended_mid_event(""), false)));
    let text = reason.unwrap().0.to_string();
    assert_eq!(text, "the server ended the stream in the middle of an event");
}

#[test]
fn binary_data_is_named_and_not_quoted() {
    let gzip = b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x4b\x49\x2c\x49\xb4\x52\x48\xe4\xe2\x02\0".to_vec();
    let text = reason_of(gzip.clone()).to_string();
    assert_eq!(
        text,
        "the server ended the stream, which held no event: data in gzip, which no content-encoding \
         names"
    );
    let text = reason_of([b"data: a\n\n".to_vec(), vec![0xfe, 0, 0x81, 7]].concat()).to_string();
    assert_eq!(text, "the server ended the stream with text that is not an event: binary data");
}
