//! Tests of chunk boundaries: they only affect the time of a frame, which is reported with the byte
//! that completes it.
//!
//! `spec.rs` checks for every rule that the frames are equal in every chunking. This file has the
//! tests of chunks themselves.

use std::convert::Infallible;
use std::mem;
use std::time::Duration;

use everstream::{EventStream, Frame, OwnedFrame, Parser, Sizes};
use futures_util::{FutureExt, StreamExt, stream};

use crate::support::chunking::{
    FACES, comment, feed, feed_and_take, in_every_chunking, lending, message, parser, seen_owned,
    show,
};
use crate::support::model::{Outcome, Seen, Settings, outcome, outcomes};

/// A stream with all kinds of lines and line ends.
const MIXED: &[u8] = b"\xEF\xBB\xBFid: 1\ndata: a\r\n\r\nretry: 5\rid: 2\revent: e\rdata: \xC3\xA9\xE2\x80\xA6\r\
    data: b\r\r: c\nid: 3\n\nid\ndata: \xFF\n\nretry: 70\ndata: d\nid: 4\r\n: e\r\ndata\r\n\r\nid: 5\ndata: f";

/// Settings that give different frames of the stream.
fn settings_for_mixed() -> [Settings; 4] {
    let settings = |limit, comments, id: &str| Settings {
        limit,
        comments,
        last_event_id: id.to_owned(),
        ..Settings::default()
    };
    [
        Settings::default(),
        settings(usize::MAX, true, "0"),
        settings(3, true, ""),
        settings(0, false, "0"),
    ]
}

fn state(parser: &Parser) -> (String, Option<Duration>) {
    (parser.last_event_id().to_owned(), parser.retry())
}

// ------------------------------------------------------------------ promptness

/// Feeds byte by byte, and returns the frames with the index of their byte.
fn arrivals(bytes: &[u8]) -> Vec<(usize, Seen)> {
    let mut parser = Parser::new().with_comments(true);
    let mut arrivals = Vec::new();
    for (at, byte) in bytes.chunks(1).enumerate() {
        arrivals.extend(feed(&mut parser, byte).into_iter().map(|seen| (at, seen)));
    }
    arrivals
}

#[test]
fn an_event_arrives_with_the_lf_of_its_blank_line() {
    assert_eq!(arrivals(b"data: a\n\ndata: b\n\n"), [(8, message("a")), (17, message("b"))]);
}

#[test]
fn an_event_arrives_with_the_cr_of_its_blank_line() {
    assert_eq!(arrivals(b"data: a\r\rdata: b\r\r"), [(8, message("a")), (17, message("b"))]);
}

#[test]
fn an_event_arrives_with_the_cr_of_the_crlf_of_its_blank_line() {
    // Its LF arrives later, and dispatches nothing more.
    assert_eq!(
        arrivals(b"data: a\r\n\r\ndata: b\r\n\r\n"),
        [(9, message("a")), (20, message("b"))]
    );
}

#[test]
fn an_event_arrives_with_the_first_byte_that_ends_its_blank_line() {
    assert_eq!(arrivals(b"data: a\n\r\n"), [(8, message("a"))]);
    assert_eq!(arrivals(b"data: a\r\n\n"), [(9, message("a"))]);
    assert_eq!(arrivals(b"data: a\n\r"), [(8, message("a"))]);
}

#[test]
fn a_comment_arrives_with_the_first_byte_that_ends_its_line() {
    assert_eq!(
        arrivals(b": a\n: b\r: c\r\n"),
        [(3, comment("a")), (7, comment("b")), (11, comment("c"))]
    );
}

#[test]
fn an_event_of_cr_arrives_in_the_feed_that_carries_the_second_cr() {
    let mut parser = Parser::new();
    assert_eq!(feed(&mut parser, b"data: a\r"), []);
    assert_eq!(feed(&mut parser, b"\r"), [message("a")]);

    let mut parser = Parser::new();
    assert_eq!(feed(&mut parser, b"data: a\r\r"), [message("a")]);
}

#[test]
fn an_lf_that_follows_a_cr_in_the_next_chunk_is_swallowed() {
    let mut parser = Parser::new();
    assert_eq!(feed(&mut parser, b"data: a\r"), []);
    assert_eq!(feed(&mut parser, b"\ndata: b\r"), []);
    assert_eq!(feed(&mut parser, b"\n\r"), [message("a\nb")]);
    assert_eq!(feed(&mut parser, b"\ndata: c\n\n"), [message("c")]);
}

#[test]
fn an_lf_is_swallowed_after_empty_chunks_too() {
    let mut parser = Parser::new();
    assert_eq!(feed(&mut parser, b"data: a\r"), []);
    assert_eq!(feed(&mut parser, b""), []);
    assert_eq!(feed(&mut parser, b"\n"), []);
    assert_eq!(feed(&mut parser, b"\n"), [message("a")]);
}

#[test]
fn a_retry_counts_with_the_first_byte_that_ends_its_line() {
    for end in ["\n", "\r", "\r\n"] {
        let mut parser = Parser::new();
        feed(&mut parser, b"data: a\nretry: 5");
        assert_eq!(parser.retry(), None);
        feed(&mut parser, &end.as_bytes()[..1]);
        assert_eq!(parser.retry(), Some(Duration::from_millis(5)));
    }
}

#[test]
fn an_id_counts_with_the_first_byte_that_ends_the_blank_line() {
    for end in ["\n\n", "\r\r", "\n\r\n"] {
        let mut parser = Parser::new();
        feed(&mut parser, b"id: 1");
        assert_eq!(parser.last_event_id(), "");
        feed(&mut parser, &end.as_bytes()[..1]);
        assert_eq!(parser.last_event_id(), "");
        feed(&mut parser, &end.as_bytes()[1..2]);
        assert_eq!(parser.last_event_id(), "1");
    }
}

#[test]
fn after_each_chunk_the_state_is_that_of_the_bytes_so_far() {
    for settings in settings_for_mixed() {
        for size in [1, 2, 3, 5, 8] {
            let mut parser = parser(&settings);
            let mut seen = Vec::new();
            let mut fed = 0;
            for chunk in MIXED.chunks(size) {
                seen.extend(feed(&mut parser, chunk));
                fed += chunk.len();
                let (last_event_id, retry) = state(&parser);
                let known = Outcome { seen: seen.clone(), last_event_id, retry };
                let allowed = outcomes(&MIXED[..fed], &settings);
                assert!(
                    allowed.contains(&known),
                    "after {fed} bytes in chunks of {size}, with {settings:?}\n    got: {known:?}\n wanted: {allowed:?}"
                );
            }
        }
    }
}

#[test]
fn a_stream_yields_an_event_while_its_source_idles() {
    for end in ["\n\n", "\r\r", "\r\n\r", "\n\r"] {
        let bytes = format!("data: a{end}");
        in_every_chunking(bytes.as_bytes(), |chunks| {
            let chunks: Vec<_> = chunks.iter().map(|chunk| chunk.to_vec()).collect();
            let source = stream::iter(chunks).map(Ok::<_, Infallible>).chain(stream::pending());
            let mut events = EventStream::new(source);
            let Some(Some(Ok(frame))) = events.next().now_or_never() else {
                panic!("{end:?} ends the event, but it is held back");
            };
            assert_eq!(seen_owned(frame), message("a"));
            assert!(events.next().now_or_never().is_none(), "more came than was sent");
        });
    }
}

#[test]
fn a_stream_asks_its_source_for_no_more_than_the_next_event_needs() {
    let mut asked = 0;
    let source = stream::iter([&b"data: a\n\ndata: b\n\n"[..], b"data: c\n\n", b"data: d\n\n"])
        .inspect(|_| asked += 1)
        .map(Ok::<_, Infallible>);
    let mut events = EventStream::new(source);
    for expected in ["a", "b", "c"] {
        let Some(Some(Ok(OwnedFrame::Message(event)))) = events.next().now_or_never() else {
            panic!("the source is ready and has an event");
        };
        assert_eq!(event.data(), expected);
    }
    drop(events);
    assert_eq!(asked, 2);
}

// ---------------------------------------------------------------------- clones

#[test]
fn a_clone_reads_the_rest_of_the_stream_as_the_parser_does() {
    for settings in settings_for_mixed() {
        for cut in 0..=MIXED.len() {
            let (first, second) = MIXED.split_at(cut);
            let mut parser = parser(&settings);
            feed(&mut parser, first);
            let mut clone = parser.clone();
            assert_eq!(state(&clone), state(&parser));
            assert_eq!(feed(&mut clone, second), feed(&mut parser, second), "after {cut} bytes");
            assert_eq!(state(&clone), state(&parser));
        }
    }
}

// ------------------------------------------------------- frames that end early

#[test]
fn frames_that_are_not_taken_are_skipped() {
    let mut parser = Parser::new();
    assert_eq!(feed_and_take(&mut parser, b"data: a\n\ndata: b\n\ndata: c", 1), [message("a")]);
    assert_eq!(feed(&mut parser, b"\n\ndata: d\n\n"), [message("c"), message("d")]);
}

#[test]
fn ids_and_retries_of_frames_that_are_not_taken_count() {
    let mut parser = Parser::new();
    let chunk = b"data: a\n\nid: 1\nretry: 5\ndata: b\n\nid: 2";
    assert_eq!(feed_and_take(&mut parser, chunk, 0), []);
    assert_eq!(state(&parser), ("1".to_owned(), Some(Duration::from_millis(5))));
    assert_eq!(feed(&mut parser, b"\ndata: c\n\n"), [message("c").with_id("2")]);
}

#[test]
fn however_many_frames_are_taken_the_rest_of_the_stream_is_the_same() {
    for settings in settings_for_mixed() {
        let all = outcome(MIXED, &settings);
        for cut in 0..=MIXED.len() {
            let (first, second) = MIXED.split_at(cut);
            let mut whole = parser(&settings);
            let of_first = feed(&mut whole, first);
            let after_first = state(&whole);
            for count in 0..of_first.len() {
                let mut parser = parser(&settings);
                assert_eq!(feed_and_take(&mut parser, first, count), of_first[..count]);
                assert_eq!(
                    state(&parser),
                    after_first,
                    "after {count} frames of {}",
                    show(&[first])
                );
                let rest = feed(&mut parser, second);
                assert_eq!(
                    rest,
                    all.seen[of_first.len()..],
                    "after {count} frames of {}",
                    show(&[first, second])
                );
                assert_eq!(state(&parser), (all.last_event_id.clone(), all.retry));
            }
        }
    }
}

#[test]
fn frames_that_have_ended_stay_ended() {
    let mut parser = Parser::new();
    let mut frames = parser.feed(b"data: a\n\ndata: b");
    assert!(matches!(frames.next(), Some(Frame::Message(_))));
    for _ in 0..3 {
        assert!(frames.next().is_none());
    }
    drop(frames);
    assert_eq!(feed(&mut parser, b"\n\n"), [message("b")]);
}

#[test]
fn frames_that_are_forgotten_cause_no_panic() {
    for settings in settings_for_mixed() {
        let frames_in_all = outcome(MIXED, &settings).seen.len();
        for cut in 0..=MIXED.len() {
            for count in 0..=frames_in_all {
                let mut parser = parser(&settings);
                let (first, second) = MIXED.split_at(cut);
                let mut frames = parser.feed(first);
                for _ in 0..count {
                    frames.next();
                }
                mem::forget(frames);
                // The frames are unspecified here, but the call must return.
                feed(&mut parser, second);
                feed(&mut parser, b"\n\n");

                // After `reset` the parser works normally.
                parser.reset();
                let settings = Settings {
                    last_event_id: parser.last_event_id().to_owned(),
                    ..settings.clone()
                };
                assert_eq!(feed(&mut parser, MIXED), outcome(MIXED, &settings).seen);
            }
        }
    }
}

// ---------------------------------------------------------------- empty chunks

#[test]
fn empty_chunks_change_nothing() {
    let mut parser = Parser::new().with_comments(true);
    for chunk in [
        &b""[..],
        b"\xEF",
        b"",
        b"\xBB\xBF",
        b"",
        b"da",
        b"",
        b"ta",
        b"",
        b":",
        b"",
        b" ",
        b"",
        b"\xC3",
        b"",
        b"\xA9\r",
        b"",
        b"\n",
        b"",
    ] {
        assert_eq!(feed(&mut parser, chunk), []);
    }
    assert_eq!(feed(&mut parser, b"\n"), [message("é")]);
    assert_eq!(feed(&mut parser, b""), []);
}

#[test]
fn a_stream_of_empty_chunks_ends_without_an_event() {
    let source = stream::iter(vec![Vec::new(); 10]).map(Ok::<_, Infallible>);
    let mut events = EventStream::new(source);
    assert!(matches!(events.next().now_or_never(), Some(None)));
}

// ----------------------------------------------------------------------- reset

#[test]
fn a_reset_forgets_the_unfinished_block() {
    let mut parser = Parser::new();
    assert_eq!(feed(&mut parser, b"event: e\nid: 1\ndata: a\n"), []);
    parser.reset();
    assert_eq!(feed(&mut parser, b"data: b\n\n"), [message("b")]);
    assert_eq!(parser.last_event_id(), "");
}

#[test]
fn a_reset_forgets_the_unfinished_line() {
    let mut parser = Parser::new();
    assert_eq!(feed(&mut parser, b"data: a"), []);
    parser.reset();
    assert_eq!(feed(&mut parser, b"data: b\n\n"), [message("b")]);
}

#[test]
fn a_reset_forgets_half_a_character() {
    let mut parser = Parser::new();
    assert_eq!(feed(&mut parser, b"data: \xE2\x82"), []);
    parser.reset();
    assert_eq!(feed(&mut parser, b"\xACdata: a\ndata: b\n\n"), [message("b")]);
}

#[test]
fn a_reset_forgets_that_an_lf_would_belong_to_a_cr() {
    // If it were swallowed, the BOM would be at the start.
    let mut parser = Parser::new();
    assert_eq!(feed(&mut parser, b"data: a\r"), []);
    parser.reset();
    assert_eq!(feed(&mut parser, b"\n\xEF\xBB\xBFdata: b\ndata: c\n\n"), [message("c")]);
}

#[test]
fn a_reset_forgets_that_a_block_was_discarded() {
    let mut parser = Parser::new().with_max_event_size(9);
    assert!(matches!(feed(&mut parser, b"data: abcd\n")[..], [Seen::Discarded { .. }]));
    parser.reset();
    assert_eq!(feed(&mut parser, b"data: a\n\n"), [message("a")]);
}

#[test]
fn after_a_reset_a_bom_is_expected_again() {
    let mut parser = Parser::new();
    assert_eq!(feed(&mut parser, b"\xEF\xBB\xBFdata: a\n\n"), [message("a")]);
    parser.reset();
    assert_eq!(feed(&mut parser, b"\xEF\xBB\xBFdata: b\n\n"), [message("b")]);
    parser.reset();
    assert_eq!(feed(&mut parser, b"\xEF\xBB"), []);
    parser.reset();
    assert_eq!(feed(&mut parser, b"\xEF\xBB\xBFdata: c\n\n"), [message("c")]);
}

#[test]
fn a_reset_keeps_the_id_and_the_retry() {
    let mut parser = Parser::new();
    assert_eq!(feed(&mut parser, b"id: 1\nretry: 5\ndata: a\n\n"), [message("a").with_id("1")]);
    parser.reset();
    assert_eq!(state(&parser), ("1".to_owned(), Some(Duration::from_millis(5))));
    assert_eq!(feed(&mut parser, b"data: b\n\n"), [message("b").with_id("1")]);
}

#[test]
fn a_reset_keeps_the_retry_of_an_unfinished_block() {
    let mut parser = Parser::new();
    assert_eq!(feed(&mut parser, b"id: 1\nretry: 5\ndata: a\nretry: 6"), []);
    parser.reset();
    assert_eq!(state(&parser), (String::new(), Some(Duration::from_millis(5))));
}

#[test]
fn a_reset_keeps_the_id_that_an_unfinished_block_would_have_reset() {
    let mut parser = Parser::new().with_last_event_id("1");
    assert_eq!(feed(&mut parser, b"id\ndata: a\n"), []);
    parser.reset();
    assert_eq!(feed(&mut parser, b"data: b\n\n"), [message("b").with_id("1")]);
}

#[test]
fn a_reset_keeps_the_settings() {
    let mut parser = Parser::new().with_max_event_size(8).with_comments(true);
    parser.reset();
    assert_eq!(feed(&mut parser, b": a\ndata: ab\n\n"), [comment("a"), message("ab")]);
    assert!(matches!(feed(&mut parser, b"data: abc\n\n")[..], [Seen::Discarded { .. }]));
}

#[test]
fn a_reset_of_a_new_parser_changes_nothing() {
    let mut parser = Parser::new().with_last_event_id("1");
    parser.reset();
    parser.reset();
    assert_eq!(feed(&mut parser, b"\xEF\xBB\xBFdata: a\n\n"), [message("a").with_id("1")]);
}

#[test]
fn after_a_reset_at_any_place_the_next_stream_is_read_from_its_start() {
    let next_streams: [&[u8]; 6] = [
        b"\xEF\xBB\xBFdata: a\n\nid: 9\ndata: b\n\n",
        b"\ndata: a\n\n",
        b"\n\xEF\xBB\xBFdata: a\n\ndata: b\n\n",
        b"\xBFdata: a\ndata: b\n\n",
        b": b\r\n\r\ndata: a\r\n\r\n",
        MIXED,
    ];
    for settings in settings_for_mixed() {
        for cut in 0..=MIXED.len() {
            let mut at_cut = parser(&settings);
            feed(&mut at_cut, &MIXED[..cut]);
            let (last_event_id, retry) = state(&at_cut);
            let settings_then = Settings { last_event_id, ..settings.clone() };
            for next in next_streams {
                let expected = outcome(next, &settings_then);
                for size in [1, next.len()] {
                    let mut parser = parser(&settings);
                    feed(&mut parser, &MIXED[..cut]);
                    parser.reset();
                    let mut seen = Vec::new();
                    for chunk in next.chunks(size) {
                        seen.extend(feed(&mut parser, chunk));
                    }
                    let streams = show(&[&MIXED[..cut], next]);
                    assert_eq!(seen, expected.seen, "the second of {streams}");
                    assert_eq!(
                        state(&parser),
                        (expected.last_event_id.clone(), expected.retry.or(retry)),
                        "after both of {streams}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_long_line_that_a_reset_cut_leaves_nothing() {
    let mut parser = Parser::new();
    for _ in 0..1000 {
        assert_eq!(feed(&mut parser, b"data: 0123456789"), []);
    }
    parser.reset();
    assert_eq!(feed(&mut parser, b"\n\ndata: a\n\n"), [message("a")]);
}

// ------------------------------------------------------------- large chunks

/// Reads a stream in chunks of `size` bytes with the borrowing and with the owned parser, and
/// asserts that both see what the borrowing parser sees byte by byte.
#[track_caller]
fn assert_same_as_byte_by_byte(bytes: &[u8], size: usize) {
    let by_byte: Vec<&[u8]> = bytes.chunks(1).collect();
    let wanted = lending(&by_byte, &Settings::default());
    let chunks: Vec<&[u8]> = bytes.chunks(size).collect();
    for (face, read) in FACES {
        let got = read(&chunks, &Settings::default());
        assert_eq!(got.seen.len(), wanted.seen.len(), "{face}, chunks of {size} bytes");
        assert!(got == wanted, "{face}, chunks of {size} bytes");
    }
}

#[test]
fn a_blank_line_at_the_start_of_a_long_chunk_ends_a_block_of_any_length() {
    for length in [10, 100, 2000, 20_000] {
        let data = "x".repeat(length);
        let mut parser = Parser::new();
        assert_eq!(feed(&mut parser, format!("data: {data}\n").as_bytes()), []);
        let next = "y".repeat(200);
        let seen = feed(&mut parser, format!("\ndata: {next}").as_bytes());
        assert_eq!(seen, [message(&data)], "{length}");
        assert_eq!(feed(&mut parser, b"\n\n"), [message(&next)], "{length}");
    }
}

#[test]
fn frames_have_the_last_event_id_of_the_last_frame_that_was_taken() {
    let mut parser = Parser::new().with_last_event_id("0");
    let mut frames = parser.feed(b"data: a\n\nid: 1\ndata: b\n\nid: 2\ndata: c\n\nid: 3\n");
    for id in ["0", "0", "1", "2", "2"] {
        assert_eq!(frames.last_event_id(), id);
        let _ = frames.next();
    }
    drop(frames);
    assert_eq!(parser.feed(b"").last_event_id(), "2");
}

#[test]
fn an_event_after_a_line_that_fills_a_batch_is_not_lost() {
    let mut first = b"data: ".to_vec();
    first.resize(6 + 65_528, b'x');
    first.extend_from_slice(b"\n\nid: 7\ndata: y\n\n");
    let mut parser = Parser::new();
    let seen = feed(&mut parser, &first);
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[1], message("y").with_id("7"));
    assert_eq!(parser.last_event_id(), "7");
    assert_eq!(feed(&mut parser, b"data: q\n\n"), [message("q").with_id("7")]);
}

#[test]
#[cfg(not(miri))] // would take hours
fn a_chunk_larger_than_a_batch_gives_all_of_its_events() {
    let events = b"data: x\n\n".repeat(7_736);
    assert_same_as_byte_by_byte(&events, events.len());
    let events = b"id: 123\ndata: x\n\n".repeat(9_000);
    for size in [65_535, 65_536, 65_537, 69_624, 100_000, 131_071, 131_073] {
        assert_same_as_byte_by_byte(&events, size);
    }
}

// ------------------------------------------------- settings in mid-stream

/// Sizes at which each line is examined at once.
const TINY: Sizes =
    Sizes { batch: 1, drop_lines: 0, keep: 0, large: 0, share: 0, take: 0, copy_id: 0 };

#[test]
fn a_comment_that_began_before_comments_were_asked_for_is_not_reported() {
    for sizes in [&Sizes::DEFAULT, &TINY] {
        for block in ["", "data: a\n"] {
            let mut parser = Parser::new().with_sizes(sizes);
            assert_eq!(feed(&mut parser, format!("{block}: early\n: begun").as_bytes()), []);
            let mut parser = parser.with_comments(true);
            assert_eq!(feed(&mut parser, b" early\n: late\n"), [comment("late")], "{sizes:?}");
            let mut parser = parser.with_comments(false);
            assert_eq!(feed(&mut parser, b": unasked\n"), []);
        }
    }
}

#[test]
fn an_open_comment_that_began_early_is_not_reported_after_lines_were_dropped() {
    let mut parser = Parser::new().with_sizes(&TINY);
    assert_eq!(feed(&mut parser, b"data: a\nfoo: 1\n: be"), []);
    let mut parser = parser.with_comments(true).with_max_event_size(100);
    assert_eq!(feed(&mut parser, b"gun\nfoo: 2\n: c"), []);
    assert_eq!(feed(&mut parser, b"\n\n"), [comment("c"), message("a")]);
}

#[test]
fn a_reset_forgets_that_a_dropped_line_set_the_reconnection_time() {
    let mut parser = Parser::new().with_sizes(&TINY).with_updates(true);
    // The comment lets the block grow until its first line is dropped.
    assert_eq!(feed(&mut parser, b"retry: 5\n: comment"), []);
    parser.reset();
    assert_eq!(parser.retry(), Some(Duration::from_millis(5)));
    // Only a block that arrives in more than one chunk looks for a dropped line.
    assert_eq!(feed(&mut parser, b"foo: 1"), []);
    assert_eq!(feed(&mut parser, b"\n\n"), []);
    assert_eq!(parser.retry(), Some(Duration::from_millis(5)));
}

#[test]
fn a_stream_after_a_reset_replaces_the_reconnection_time_that_a_dropped_line_set() {
    let mut parser = Parser::new().with_sizes(&TINY);
    assert_eq!(feed(&mut parser, b"retry: 5\n: comment"), []);
    parser.reset();
    assert_eq!(feed(&mut parser, b"retry: 6\n\n"), []);
    assert_eq!(parser.retry(), Some(Duration::from_millis(6)));
}

// ----------------------------------------------------------- blocks without data

fn update(id: &str, milliseconds: Option<u64>) -> Seen {
    Seen::Update { last_event_id: id.to_owned(), retry: milliseconds.map(Duration::from_millis) }
}

#[test]
fn a_block_that_sets_only_an_id_or_the_reconnection_time_is_reported_if_asked_for() {
    let bytes =
        b"id: 1\n\nretry: 5\n\nevent: e\n\n: c\n\nretry: x\n\nid\nretry: 7\n\ndata: a\n\n\n";
    let settings = Settings { updates: true, ..Settings::default() };
    let wanted = [update("1", None), update("1", Some(5)), update("", Some(7)), message("a")];
    in_every_chunking(bytes, |chunks| {
        for (parser, read) in FACES {
            assert_eq!(read(chunks, &settings).seen, wanted, "{parser}: {}", show(chunks));
        }
    });
}

#[test]
fn a_stream_is_in_the_middle_of_an_event_from_its_first_line_to_its_blank_line() {
    for (bytes, wanted) in [
        ("", false),
        ("\n\n", false),
        ("data: a\n\n", false),
        (": comment", false),
        (": comment\n", false),
        ("foo: bar\n", false),
        ("retry: 5\n", false),
        ("foo: bar", false),
        ("d", true),
        ("data", true),
        ("data: a", true),
        ("data: a\n", true),
        ("event: a\n", true),
        ("id: a\n: comment\n", true),
        ("data: a\n\nid", true),
    ] {
        let mut parser = Parser::new();
        feed(&mut parser, bytes.as_bytes());
        assert_eq!(parser.is_mid_event(), wanted, "{bytes:?}");
        parser.reset();
        assert!(!parser.is_mid_event());

        let source = stream::iter([Ok::<_, Infallible>(bytes.to_owned())]);
        let mut events = EventStream::new(source);
        while events.next().now_or_never().unwrap().is_some() {}
        assert_eq!(events.is_mid_event(), wanted, "{bytes:?}");
    }
    let mut parser = Parser::new().with_max_event_size(10);
    feed(&mut parser, b"data: too long");
    assert!(parser.is_mid_event(), "the rest of a discarded event may come");
}

#[test]
fn a_comment_that_has_begun_is_reported_if_comments_are_asked_for_again() {
    let mut parser = Parser::new().with_comments(true);
    assert_eq!(feed(&mut parser, b": keep-"), []);
    let mut parser = parser.with_comments(true);
    assert_eq!(feed(&mut parser, b"alive\n"), [comment("keep-alive")]);
}

#[test]
fn an_empty_chunk_changes_nothing_even_if_the_limit_was_lowered() {
    let mut parser = Parser::new().with_comments(true);
    assert_eq!(feed(&mut parser, b": comment"), []);
    let mut parser = parser.with_max_event_size(0);
    assert_eq!(feed(&mut parser, b""), []);
    let mut parser = parser.with_max_event_size(100);
    assert_eq!(feed(&mut parser, b"\n"), [comment("comment")]);
}

#[test]
fn a_lowered_limit_discards_a_block_whose_comments_were_reported() {
    let mut parser = Parser::new().with_comments(true);
    assert_eq!(feed(&mut parser, b"foo\xFF\ndata: abc\n: c\ndata: d"), [comment("c")]);
    let mut parser = parser.with_max_event_size(4);
    let Seen::Discarded { .. } = feed(&mut parser, b"e\n").remove(0) else { panic!() };
    assert_eq!(feed(&mut parser, b"\nid\n\n"), []);
}
