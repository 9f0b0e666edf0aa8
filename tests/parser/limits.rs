//! Tests of the limit of an event's size, and of bounded memory.
//!
//! Both parsers read each stream in every chunking. The allocator of `support/thread_heap.rs` counts
//! the memory.

use std::convert::Infallible;

use bytes::Bytes;
use everstream::{EventStream, Frame, OwnedFrame, Parser};

use futures_util::{FutureExt, Stream, StreamExt, TryStreamExt, stream as streams};

use crate::support::chunking::{
    comment, discarded, feed, feed_and_take, message, named, next_ready, seen_owned, stream,
};
use crate::support::heap::Heap;
use crate::support::model::Seen;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

// ----------------------------------------------------------------- what counts

#[test]
fn an_event_as_large_as_the_limit_is_delivered() {
    stream("data: 12345\n\n").limited_to(11).gives([message("12345")]);
}

#[test]
fn an_event_one_byte_larger_than_the_limit_is_discarded() {
    stream("data: 123456\n\n").limited_to(11).gives([discarded()]);
}

#[test]
fn the_limit_is_16_mib_unless_set() {
    assert_eq!(Parser::DEFAULT_MAX_EVENT_SIZE, 16 * MIB);
    for (size, delivered) in [(16 * MIB, true), (16 * MIB + 1, false)] {
        let data = "x".repeat(size - "data: ".len());
        let mut parser = Parser::new();
        let mut seen = feed(&mut parser, b"data: ");
        for piece in data.as_bytes().chunks(64 * KIB) {
            seen.extend(feed(&mut parser, piece));
        }
        seen.extend(feed(&mut parser, b"\n\n"));
        let expected = if delivered { message(&data) } else { discarded() };
        assert!(seen == [expected], "{size} bytes");
    }
}

#[test]
fn all_data_lines_count_with_their_names() {
    stream("data: 12\ndata: 45\n\n").limited_to(16).gives([message("12\n45")]);
    stream("data: 12\ndata: 45\n\n").limited_to(15).gives([discarded()]);
    stream("data\ndata\n\n").limited_to(8).gives([message("\n")]);
    stream("data\ndata\n\n").limited_to(7).gives([discarded()]);
}

#[test]
fn the_event_line_counts() {
    stream("event: ab\ndata: 345\n\n").limited_to(18).gives([named("ab", "345")]);
    stream("event: ab\ndata: 345\n\n").limited_to(17).gives([discarded().with_event("ab")]);
    stream("data: 345\nevent: ab\n\n").limited_to(17).gives([discarded()]);
}

#[test]
fn the_id_line_counts() {
    stream("id: ab\ndata: 345\n\n").limited_to(15).gives([message("345").with_id("ab")]);
    stream("id: ab\ndata: 345\n\n").limited_to(14).gives([discarded().with_id("ab")]);
    stream("data: 345\nid: ab\n\n").limited_to(14).gives([discarded()]);
}

#[test]
fn data_event_and_id_lines_count_together() {
    let bytes = "event: a\nid: b\ndata: c\ndata: d\n\n";
    stream(bytes).limited_to(27).gives([named("a", "c\nd").with_id("b")]);
    stream(bytes).limited_to(26).gives([discarded().with_event("a").with_id("b")]);
}

#[test]
fn a_line_that_a_later_one_supersedes_counts_too() {
    stream("event: 1\nevent: 2\ndata\n\n").limited_to(20).gives([named("2", "")]);
    stream("event: 1\nevent: 2\ndata\n\n").limited_to(19).gives([discarded().with_event("2")]);
    stream("id: 1\nid: 2\ndata\n\n").limited_to(14).gives([message("").with_id("2")]);
    stream("id: 1\nid: 2\ndata\n\n").limited_to(13).gives([discarded().with_id("2")]);
}

#[test]
fn an_id_that_is_ignored_counts_too() {
    stream("id: 1\0\ndata: a\n\n").limited_to(13).gives([message("a")]);
    stream("id: 1\0\ndata: a\n\n").limited_to(12).gives([discarded()]);
}

#[test]
fn the_id_of_an_earlier_block_does_not_count() {
    stream("id: 12345\n\ndata: 12345\n\n")
        .limited_to(11)
        .gives([message("12345").with_id("12345")]);
}

#[test]
fn the_id_of_an_earlier_connection_does_not_count() {
    stream("data: 12345\n\n")
        .after_id("an id of any length")
        .limited_to(11)
        .gives([message("12345").with_id("an id of any length")]);
}

#[test]
fn each_block_counts_by_itself() {
    stream("data: 12345\n\ndata: 12345\n\nevent: 1234\n\ndata: 12345\n\n").limited_to(11).gives([
        message("12345"),
        message("12345"),
        message("12345"),
    ]);
}

#[test]
fn the_colon_and_the_space_after_it_count() {
    stream("data:12345\n\n").limited_to(10).gives([message("12345")]);
    stream("data: 12345\n\n").limited_to(10).gives([discarded()]);
    stream("data:  1234\n\n").limited_to(11).gives([message(" 1234")]);
}

#[test]
fn line_ends_and_the_bom_do_not_count() {
    stream("\u{FEFF}data:\r\n\r\nevent\r\n\r\nid:\r\n\r\ndata\r\rdata\n\n").limited_to(5).gives([
        message(""),
        message(""),
        message(""),
    ]);
}

#[test]
fn retries_comments_and_unknown_fields_do_not_count() {
    stream("retry: 0000012345\n: comment\nfoobar: value\nfoobarbaz\ndata: 1\n: comment\nretry: 0000012345\n\n")
        .limited_to(7)
        .gives([message("1")])
        .and_retry(12345);
}

#[test]
fn a_retry_that_is_ignored_does_not_count() {
    stream("retry: never\ndata: 1\nretry: 12345678901234567890x\n\n")
        .limited_to(7)
        .gives([message("1")]);
}

#[test]
fn characters_count_with_their_bytes() {
    stream("data: é…😀\n\n").limited_to(15).gives([message("é…😀")]);
    stream("data: é…😀\n\n").limited_to(14).gives([discarded()]);
}

#[test]
fn ill_formed_bytes_count_as_received() {
    stream(b"data: \xFF\n\n").limited_to(7).gives([message("\u{FFFD}")]);
    stream(b"data: \xFF\n\n").limited_to(6).gives([discarded()]);
    stream(b"data: \xF0\x9F\x98\n\n").limited_to(9).gives([message("\u{FFFD}")]);
    stream(b"data: \xC0\x80\n\n").limited_to(7).gives([discarded()]);
    stream(b"event: \xFF\ndata\n\n").limited_to(11).gives([discarded().with_event("\u{FFFD}")]);
    stream(b"id: \xFF\ndata\n\n").limited_to(8).gives([discarded().with_id("\u{FFFD}")]);
}

// -------------------------------------------------------------- past the limit

#[test]
fn a_block_over_the_limit_is_reported_once() {
    stream("data: 123456\ndata: 123456\nevent: 123456\nid: 123456\ndata: 123456\n\n")
        .limited_to(11)
        .gives([discarded()]);
}

#[test]
fn each_block_over_the_limit_is_reported() {
    stream("data: 12\n\ndata: 3\n\ndata: 45\n\ndata: 67\n\n").limited_to(7).gives([
        discarded(),
        message("3"),
        discarded(),
        discarded(),
    ]);
}

#[test]
fn a_block_without_data_is_discarded_and_reported_too() {
    stream("event: 123456\n\ndata: 1\n\n").limited_to(12).gives([discarded(), message("1")]);
    stream("id: 123456\n\ndata: 1\n\n").limited_to(9).gives([discarded(), message("1")]);
}

#[test]
fn after_a_discarded_block_the_stream_continues() {
    for end in ["\n", "\r", "\r\n"] {
        stream(format!("data: 1{end}{end}data: 123456{end}{end}data: 2{end}{end}"))
            .limited_to(11)
            .gives([message("1"), discarded(), message("2")]);
    }
}

#[test]
fn any_blank_line_ends_a_discarded_block() {
    for end in ["\n\n", "\r\r", "\r\n\r\n", "\n\r\n", "\r\n\n", "\n\r", "\r\n\r", "\r\r\n"] {
        stream(format!("data: 123456{end}data: 1{end}"))
            .limited_to(11)
            .gives([discarded(), message("1")]);
    }
}

#[test]
fn a_cr_and_its_lf_are_one_line_end_in_a_discarded_block_too() {
    stream("data: 123456\r\ndata: 1\r\n\r\ndata: 2\r\n\r\n")
        .limited_to(11)
        .gives([discarded(), message("2")]);
}

#[test]
fn a_bom_or_a_space_does_not_make_a_line_of_a_discarded_block_blank() {
    stream("data: 12\n \ndata: 3\n\u{FEFF}\ndata: 4\n\0\ndata: 5\n\ndata: 6\n\n")
        .limited_to(7)
        .gives([discarded(), message("6")]);
}

#[test]
fn the_rest_of_a_discarded_block_is_ignored() {
    stream("data: 123456\ndata: 1\nevent: e\n: comment\nfoo: bar\nid: 1\nretry: 1\n\ndata: 2\n\n")
        .with_comments()
        .limited_to(11)
        .gives([discarded(), message("2")])
        .and_last_event_id("")
        .and_no_retry();
}

#[test]
fn the_lines_before_the_limit_are_dropped_with_the_block() {
    stream("data: 1\nevent: e\nid: 1\ndata: 23456\n\ndata: 2\n\n")
        .limited_to(30)
        .gives([discarded().with_event("e").with_id("1"), message("2")])
        .and_last_event_id("");
}

#[test]
fn the_id_of_a_discarded_block_is_not_committed() {
    stream("id: 1\ndata: a\n\nid: 2\ndata: 123456\n\ndata: b\n\n")
        .limited_to(16)
        .gives([message("a").with_id("1"), discarded().with_id("2"), message("b").with_id("1")])
        .and_last_event_id("1");
}

#[test]
fn a_reset_of_the_id_in_a_discarded_block_is_not_committed() {
    stream("id: 1\n\nid\ndata: 123456\n\ndata: b\n\n")
        .limited_to(13)
        .gives([discarded().with_id(""), message("b").with_id("1")])
        .and_last_event_id("1");
}

#[test]
fn an_id_over_the_limit_is_not_committed() {
    stream("id: 1\n\nid: 123456\n\ndata: b\n\n")
        .limited_to(9)
        .gives([discarded(), message("b").with_id("1")])
        .and_last_event_id("1");
}

#[test]
fn the_retry_before_the_limit_counts_and_the_one_after_it_does_not() {
    stream("retry: 1\ndata: 123456\nretry: 2\n\n").limited_to(11).gives([discarded()]).and_retry(1);
}

#[test]
fn the_comment_before_the_limit_is_reported_and_the_one_after_it_is_not() {
    stream(": a\ndata: 123456\n: b\n\n: c\n").with_comments().limited_to(11).gives([
        comment("a"),
        discarded(),
        comment("c"),
    ]);
}

#[test]
fn a_report_has_the_id_and_the_name_of_the_complete_lines() {
    stream("id: 1\nevent: e\ndata: 123456\n\n")
        .limited_to(24)
        .gives([discarded().with_id("1").with_event("e")]);
    stream("id: 1\nid: 2\nevent: e\nevent: f\ndata: 123456\n\n")
        .limited_to(37)
        .gives([discarded().with_id("2").with_event("f")]);
}

#[test]
fn a_report_does_not_have_the_id_or_the_name_that_was_too_long() {
    stream("id: 1\nevent: 123456\n\n").limited_to(17).gives([discarded().with_id("1")]);
    stream("event: e\nid: 123456\n\n").limited_to(17).gives([discarded().with_event("e")]);
    stream("event: e\nevent: 123456\n\n").limited_to(20).gives([discarded().with_event("e")]);
    stream("id: 1\nid: 123456\n\n").limited_to(14).gives([discarded().with_id("1")]);
}

#[test]
fn a_report_does_not_have_the_id_or_the_name_that_comes_later() {
    stream("data: 123456\nid: 1\nevent: e\n\n").limited_to(11).gives([discarded()]);
}

#[test]
fn a_report_does_not_have_the_id_of_an_earlier_block() {
    stream("id: 1\n\ndata: 123456\n\n").limited_to(11).gives([discarded()]).and_last_event_id("1");
    stream("data: 123456\n\n")
        .after_id("1")
        .limited_to(11)
        .gives([discarded()])
        .and_last_event_id("1");
}

#[test]
fn a_report_does_not_have_an_id_that_was_ignored() {
    stream("id: 1\0\ndata: 123456\n\n").limited_to(17).gives([discarded()]);
}

#[test]
fn a_report_has_no_name_after_the_name_was_reset() {
    stream("event: e\nevent\ndata: 123456\n\n").limited_to(24).gives([discarded()]);
}

#[test]
fn a_report_has_the_limit_and_a_size_over_it() {
    let mut parser = Parser::new().with_max_event_size(30);
    let mut frames = parser.feed(b"event: 12\nid: 3\ndata: 4\ndata: 6789\n\n");
    let Some(Frame::Discarded(report)) = frames.next() else {
        panic!("the event is larger than the limit");
    };
    assert_eq!(report.limit(), 30);
    assert_eq!(report.size(), 9 + 5 + 7 + 10);
}

#[test]
fn a_line_over_the_limit_is_discarded_before_its_end() {
    for line in ["data: 12345", "data:123456", "event: 1234", "id: 1234567", "id: \0\0\0\0\0\0\0"] {
        let mut parser = Parser::new().with_max_event_size(11);
        assert_eq!(feed(&mut parser, line.as_bytes()), [], "{line:?} is within the limit");
        assert_eq!(feed(&mut parser, b"x"), [discarded()]);
        assert_eq!(feed(&mut parser, b"7"), []);
        assert_eq!(feed(&mut parser, b"\nid: 1\ndata: 1\n"), []);
        assert_eq!(feed(&mut parser, b"\ndata: 2\n\n"), [message("2")]);
    }
}

#[test]
fn earlier_lines_of_the_block_count_for_an_unfinished_line() {
    let mut parser = Parser::new().with_max_event_size(50);
    let fifty = "event: 123456789\nid: 123456789\ndata: 123456789\ndata: 1";
    assert_eq!(feed(&mut parser, &fifty.as_bytes()[..fifty.len() - 1]), []);
    let size = fifty.len() - 3; // without line ends
    assert_eq!(size, 16 + 13 + 15 + 7);
    assert_eq!(feed(&mut parser, b"1"), [discarded().with_event("123456789").with_id("123456789")]);
}

#[test]
fn an_unfinished_line_without_effect_is_never_discarded() {
    for line in ["data", "dataaaaaaaaaaaaaaa", "foo: 123456", ": 123456", "retry: 123456", "123456"]
    {
        stream(line).limited_to(0).gives_nothing();
    }
}

#[test]
fn a_report_that_is_not_taken_discards_the_block_nevertheless() {
    let mut parser = Parser::new().with_max_event_size(16);
    assert_eq!(feed_and_take(&mut parser, b"id: 1\ndata: 123456\n", 0), []);
    assert_eq!(feed(&mut parser, b"\ndata: 2\n\n"), [message("2")]);
    assert_eq!(feed_and_take(&mut parser, b"id: 1\ndata: 123456789 123456789 123456789", 0), []);
    assert_eq!(feed(&mut parser, b"7\ndata: 1\n\ndata: 2\n\n"), [message("2")]);
    assert_eq!(parser.last_event_id(), "");
}

// -------------------------------------------------------------------- comments

#[test]
fn a_comment_as_large_as_the_limit_is_reported() {
    stream(": 12345\n:12345\n")
        .with_comments()
        .limited_to(5)
        .gives([comment("12345"), comment("12345")]);
}

#[test]
fn a_comment_larger_than_the_limit_is_skipped_silently() {
    stream(": a\n: 123456\n: b\n")
        .with_comments()
        .limited_to(5)
        .gives([comment("a"), comment("b")]);
}

#[test]
fn a_skipped_comment_does_not_discard_its_block() {
    stream("data: a\n: 123456789012345\ndata: b\n\n")
        .with_comments()
        .limited_to(14)
        .gives([message("a\nb")]);
}

#[test]
fn a_comment_does_not_count_for_the_event_around_it() {
    stream("data: 12345\n: 12345\n: 12345\n\n").with_comments().limited_to(11).gives([
        comment("12345"),
        comment("12345"),
        message("12345"),
    ]);
}

#[test]
fn a_comment_is_measured_as_decoded() {
    stream(b": \xFF\n").with_comments().limited_to(3).gives([comment("\u{FFFD}")]);
    stream(b": \xFF\n").with_comments().limited_to(2).gives_nothing();
    stream(": é\n").with_comments().limited_to(2).gives([comment("é")]);
}

// -------------------------------------------------------------- hostile limits

#[test]
fn with_a_limit_of_zero_no_event_is_delivered() {
    stream("data\n\ndata: 1\n\nevent\n\nid\n\n: a\n\n:\n")
        .after_id("1")
        .with_comments()
        .limited_to(0)
        .gives([discarded(), discarded(), discarded(), discarded(), comment("")])
        .and_last_event_id("1");
}

#[test]
fn with_a_limit_of_zero_retries_and_empty_comments_still_work() {
    stream("retry: 5\n\n:\n: \n: a\n")
        .after_id("1")
        .with_comments()
        .limited_to(0)
        .gives([comment(""), comment("")])
        .and_last_event_id("1")
        .and_retry(5);
}

#[test]
fn with_the_largest_limit_everything_is_delivered() {
    stream("event: e\nid: 1\ndata: a\ndata: b\n\nevent: f\nid: 2\0\n: c\ndata: é\n\n")
        .with_comments()
        .limited_to(usize::MAX)
        .gives([named("e", "a\nb").with_id("1"), comment("c"), named("f", "é").with_id("1")]);
    stream("data: a\n\n").limited_to(usize::MAX - 1).gives([message("a")]);
}

// ------------------------------------------------------------------ large input

#[test]
fn a_line_of_several_mib_is_delivered_by_default() {
    let data = "x".repeat(7 * MIB);
    let bytes = format!("data: {data}\n\ndata: a\n\n");
    for size in [bytes.len(), bytes.len() / 2 + 1, 64 * KIB] {
        let mut parser = Parser::new();
        let mut seen = Vec::new();
        for chunk in bytes.as_bytes().chunks(size) {
            seen.extend(feed(&mut parser, chunk));
        }
        assert!(seen == [message(&data), message("a")], "in chunks of {size}");
    }
}

/// F8
#[test]
fn a_line_that_arrives_in_thousands_of_pieces_is_delivered() {
    let data = "0123456789abcdef".repeat(64 * KIB);
    let mut parser = Parser::new();
    feed(&mut parser, b"data: ");
    for piece in data.as_bytes().chunks(64) {
        assert_eq!(feed(&mut parser, piece), []);
    }
    assert!(feed(&mut parser, b"\n\n") == [message(&data)]);
}

#[test]
fn tens_of_thousands_of_events_in_one_chunk_are_delivered() {
    let bytes = b"data: x\n\n".repeat(80_000);
    let mut parser = Parser::new();
    let mut frames = parser.feed(&bytes);
    let mut count = 0;
    while let Some(Frame::Message(view)) = frames.next() {
        assert_eq!(view.data(), "x");
        count += 1;
    }
    assert_eq!(count, 80_000);
}

/// F14
#[test]
fn a_million_blank_lines_are_nothing() {
    let mut parser = Parser::new();
    assert_eq!(feed(&mut parser, &b"\n".repeat(1_000_000)), []);
    assert_eq!(feed(&mut parser, &b"\r".repeat(1_000_000)), []);
    assert_eq!(feed(&mut parser, b"data: a\n\n"), [message("a")]);
}

/// F14
#[test]
fn a_million_empty_data_lines_are_one_event() {
    let mut parser = Parser::new();
    assert_eq!(feed(&mut parser, &b"data\n".repeat(1_000_000)), []);
    assert!(feed(&mut parser, b"\n") == [message(&"\n".repeat(999_999))]);
}

// ---------------------------------------------------------------------- memory

/// Reads `start`, then 64 MiB of `filler` without a line end, then an end. Returns the frames
/// before the end.
#[track_caller]
fn endless_line(start: &str, filler: impl AsRef<[u8]>) -> Vec<Seen> {
    endless(start, filler.as_ref(), 64 * MIB)
}

/// Reads `start`, then 8 MiB of `filler` lines, which take longer than a long line.
#[track_caller]
fn endless_lines(filler: &str) -> Vec<Seen> {
    endless("", filler.as_bytes(), 8 * MIB)
}

/// Reads an endless stream with both parsers and a limit of 1 MiB.
#[track_caller]
fn endless(start: &str, filler: &[u8], size: usize) -> Vec<Seen> {
    const PIECE: usize = 64 * KIB;
    const LIMIT: usize = MIB;

    let piece = filler.repeat(PIECE / filler.len());
    let end = "\n\nid\ndata: after\n\n";

    let heap = Heap::measure();
    let mut parser = Parser::new().with_max_event_size(LIMIT).with_comments(true);
    let mut seen = feed(&mut parser, start.as_bytes());
    for _ in 0..size / PIECE {
        seen.extend(feed(&mut parser, &piece));
    }
    heap.assert_peak_below(4 * MIB);
    assert_eq!(feed(&mut parser, end.as_bytes()), [message("after")]);
    heap.assert_live_below(MIB);
    drop(parser);

    let heap = Heap::measure();
    let chunks = std::iter::once(start.as_bytes())
        .chain(std::iter::repeat_n(&*piece, size / PIECE))
        .chain([end.as_bytes()])
        .map(|chunk| Ok::<_, Infallible>(chunk.to_vec()));
    let mut events =
        EventStream::new(streams::iter(chunks)).with_max_event_size(LIMIT).with_comments(true);
    let mut seen_as_owned = Vec::new();
    while let Some(frame) = next(&mut events) {
        seen_as_owned.push(seen_owned(frame));
    }
    heap.assert_peak_below(4 * MIB);
    heap.assert_live_below(MIB);
    assert_eq!(seen_as_owned.pop(), Some(message("after")));
    assert_eq!(seen_as_owned, seen);
    seen
}

/// Returns the next frame of a stream whose source is ready.
fn next(
    events: &mut (impl Stream<Item = Result<OwnedFrame, Infallible>> + Unpin),
) -> Option<OwnedFrame> {
    next_ready(events).map(|Ok(frame)| frame)
}

/// F10
#[test]
fn an_endless_data_line_is_discarded() {
    assert_eq!(endless_line("data: ", "x"), [discarded()]);
}

#[test]
fn an_endless_data_line_after_others_is_discarded() {
    assert_eq!(
        endless_line("id: 1\nevent: e\ndata: a\ndata: ", "x"),
        [discarded().with_id("1").with_event("e")]
    );
}

#[test]
fn an_endless_data_line_of_bad_bytes_is_discarded() {
    assert_eq!(endless_line("data: ", b"\xFF"), [discarded()]);
    assert_eq!(endless_line("data: ", b"\xF0\x9F"), [discarded()]);
}

#[test]
fn an_endless_event_line_is_discarded() {
    assert_eq!(endless_line("event: ", "x"), [discarded()]);
}

/// F10
#[test]
fn an_endless_id_line_is_discarded() {
    assert_eq!(endless_line("id: ", "x"), [discarded()]);
    assert_eq!(endless_line("id: \0", "x"), [discarded()]);
}

/// E6, F10
#[test]
fn an_endless_comment_is_skipped() {
    assert_eq!(endless_line(": ", "x"), []);
}

/// F10
#[test]
fn an_endless_unknown_field_is_skipped() {
    assert_eq!(endless_line("foo: ", "x"), []);
}

/// F10
#[test]
fn an_endless_line_without_a_colon_is_skipped() {
    assert_eq!(endless_line("", "x"), []);
    assert_eq!(endless_line("data", "x"), []);
}

#[test]
fn an_endless_line_of_spaces_is_skipped() {
    assert_eq!(endless_line("", " "), []);
}

#[test]
fn an_endless_run_of_retry_digits_yields_nothing() {
    assert_eq!(endless_line("retry: ", "9"), []);
}

#[test]
fn an_endless_run_of_retry_zeros_yields_nothing() {
    assert_eq!(endless_line("retry: ", "0"), []);
}

#[test]
fn an_endless_retry_that_is_not_a_number_is_skipped() {
    assert_eq!(endless_line("retry: x", "9"), []);
}

#[test]
fn an_endless_block_of_data_lines_is_discarded() {
    assert_eq!(endless_lines("data: 0123456789\n"), [discarded()]);
}

#[test]
fn an_endless_block_of_empty_data_lines_is_discarded() {
    assert_eq!(endless_lines("data\n"), [discarded()]);
    assert_eq!(endless_lines("data:\r"), [discarded()]);
}

#[test]
fn an_endless_block_of_names_and_ids_is_discarded() {
    let line = "0123456789";
    assert_eq!(
        endless_lines(&format!("event: {line}\nid: {line}\nretry: 5\n")),
        [discarded().with_event(line).with_id(line)]
    );
}

#[test]
fn an_endless_block_of_comments_retries_and_unknown_lines_yields_nothing() {
    let lines = b"foo: 0123456789\nretry: 5\n";
    let mut parser = Parser::new().with_max_event_size(MIB);
    let heap = Heap::measure();
    assert_eq!(feed(&mut parser, b"data: a\n"), []);
    for _ in 0..2_000 {
        assert_eq!(feed(&mut parser, &lines.repeat(100)), []);
    }
    heap.assert_peak_below(MIB);
    assert_eq!(feed(&mut parser, b"\n"), [message("a")]);
}

#[test]
fn an_endless_run_of_line_ends_is_nothing() {
    assert_eq!(endless_lines("\n"), []);
    assert_eq!(endless_lines("\r"), []);
    assert_eq!(endless_lines("\r\n"), []);
}

#[test]
fn the_last_retry_of_an_endless_run_of_digits_is_as_large_as_can_be() {
    let mut parser = Parser::new();
    feed(&mut parser, b"retry: ");
    for _ in 0..100 {
        feed(&mut parser, &[b'0'; KIB]);
    }
    feed(&mut parser, b"25");
    for _ in 0..100 {
        feed(&mut parser, &[b'9'; KIB]);
    }
    feed(&mut parser, b"\n");
    assert_eq!(parser.retry(), Some(std::time::Duration::from_millis(u64::MAX)));
}

#[test]
fn a_retry_with_another_character_after_many_digits_is_no_number() {
    let digits = "9".repeat(40 * KIB);
    for line in [format!("retry: {}x{digits}\n", &digits[..30]), format!("retry: {digits}x\n")] {
        for size in [1000, line.len() - 1, line.len()] {
            let mut parser = Parser::new();
            for chunk in line.as_bytes().chunks(size) {
                feed(&mut parser, chunk);
            }
            assert_eq!(parser.retry(), None, "in chunks of {size}");
        }
    }
}

#[test]
fn a_server_that_invents_event_names_takes_no_memory() {
    for padding in ["", "x", &"x".repeat(100), &"x".repeat(KIB)] {
        let heap = Heap::measure();
        let chunks = (0..1000).map(|chunk| {
            let mut bytes = Vec::new();
            for event in 0..64 {
                bytes.extend(format!("event: {chunk}-{event}{padding}\ndata: a\n\n").into_bytes());
            }
            Ok::<_, Infallible>(bytes)
        });
        let mut events = EventStream::new(streams::iter(chunks));
        let mut count = 0;
        while let Some(OwnedFrame::Message(event)) = next(&mut events) {
            assert!(event.event().ends_with(padding));
            count += 1;
        }
        assert_eq!(count, 64_000);
        heap.assert_peak_below(MIB);
    }
}

#[test]
fn the_memory_of_a_large_event_is_freed() {
    let large = "x".repeat(8 * MIB);
    for shape in [
        "data: {}\n\n",
        "data: {}\ndata: {}\n\n",
        "event: {}\ndata\n\n",
        "id: a\ndata: {}\nid: b\n\n",
    ] {
        let bytes = shape.replacen("{}", &large, 1).replace("{}", "x");
        for size in [bytes.len(), bytes.len() / 2, 64 * KIB] {
            let heap = Heap::measure();
            let mut parser = Parser::new();
            let mut count = 0;
            for chunk in
                bytes.as_bytes().chunks(size).chain([&b"data: a\n\ndata: b\ndata: c\n\n"[..]])
            {
                let mut frames = parser.feed(chunk);
                while let Some(frame) = frames.next() {
                    assert!(matches!(frame, Frame::Message(_)));
                    count += 1;
                }
            }
            assert_eq!(count, 3);
            heap.assert_live_below(MIB);
        }
    }
}

#[test]
fn the_memory_of_a_discarded_event_is_freed_at_once() {
    let mut parser = Parser::new().with_max_event_size(8 * MIB);
    let piece = vec![b'x'; 64 * KIB];
    let heap = Heap::measure();
    feed(&mut parser, b"data: ");
    let mut seen = Vec::new();
    while seen.is_empty() {
        seen = feed(&mut parser, &piece);
    }
    assert_eq!(seen, [discarded()]);
    drop(seen);
    heap.assert_live_below(MIB);
}

/// Reads an event of 8 MiB and drops it, then a thousand small ones, and holds
/// these while the stream lives.
#[track_caller]
fn hold_small_events_after_a_large_one<C>(
    small: &str,
    expected: &Seen,
    size: usize,
    chunk: fn(&[u8]) -> C,
) where
    C: AsRef<[u8]> + Into<Bytes>,
{
    let mut bytes = format!("data: {}\n\n", "x".repeat(8 * MIB));
    bytes += &small.repeat(1000);

    let heap = Heap::measure();
    let chunks = bytes.as_bytes().chunks(size).map(|bytes| Ok::<_, Infallible>(chunk(bytes)));
    let mut events = EventStream::new(streams::iter(chunks));
    let Some(OwnedFrame::Message(large)) = next(&mut events) else {
        panic!("the large event is within the default limit");
    };
    assert_eq!(large.data().len(), 8 * MIB);
    drop(large);

    let mut held = Vec::new();
    while let Some(frame) = next(&mut events) {
        held.push(frame);
    }
    heap.assert_live_below(MIB);

    assert_eq!(held.len(), 1000);
    assert!(held.into_iter().map(seen_owned).all(|seen| seen == *expected));
    drop(events);
}

#[test]
fn small_events_that_came_in_one_chunk_with_a_large_one_do_not_keep_its_memory() {
    let one_chunk = usize::MAX;
    hold_small_events_after_a_large_one("data: hi\n\n", &message("hi"), one_chunk, <[u8]>::to_vec);
    hold_small_events_after_a_large_one(
        "data: hi\n\n",
        &message("hi"),
        one_chunk,
        Bytes::copy_from_slice,
    );
    let small = "event: e\nid: 1\ndata: h\ndata: i\n\n";
    let expected = named("e", "h\ni").with_id("1");
    hold_small_events_after_a_large_one(small, &expected, one_chunk, <[u8]>::to_vec);
}

#[test]
fn small_events_that_came_in_chunks_after_a_large_one_do_not_keep_its_memory() {
    let size = 64 * KIB;
    hold_small_events_after_a_large_one("data: hi\n\n", &message("hi"), size, <[u8]>::to_vec);
    hold_small_events_after_a_large_one(
        "data: hi\n\n",
        &message("hi"),
        size,
        Bytes::copy_from_slice,
    );
    let small = "event: e\nid: 1\ndata: h\ndata: i\n\n";
    let expected = named("e", "h\ni").with_id("1");
    hold_small_events_after_a_large_one(small, &expected, size, <[u8]>::to_vec);
}

#[test]
fn small_events_that_came_one_by_one_do_not_keep_a_chunk_each() {
    // One event per chunk of 4 KiB, most of which is a comment.
    let heap = Heap::measure();
    let chunks = (0..1000).map(|_| {
        let mut chunk = b"data: hi\n\n: ".to_vec();
        chunk.resize(4 * KIB - 1, b' ');
        chunk.push(b'\n');
        Ok::<_, Infallible>(chunk)
    });
    let mut events = EventStream::new(streams::iter(chunks));
    let mut held = Vec::new();
    while let Some(frame) = next(&mut events) {
        held.push(frame);
    }
    assert_eq!(held.len(), 1000);
    heap.assert_live_below(MIB);
}

#[cfg(feature = "futures-io")]
#[test]
fn events_of_a_reader_do_not_keep_its_buffer() {
    /// A reader that returns one small event per read.
    struct OneByOne(usize);
    impl futures_util::io::AsyncRead for OneByOne {
        fn poll_read(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
            buffer: &mut [u8],
        ) -> std::task::Poll<std::io::Result<usize>> {
            let event = b"data: hi\n\n";
            let count = if self.0 == 0 { 0 } else { event.len() };
            buffer[..count].copy_from_slice(&event[..count]);
            self.0 = self.0.saturating_sub(1);
            std::task::Poll::Ready(Ok(count))
        }
    }
    let heap = Heap::measure();
    let mut events = everstream::EventReader::new(OneByOne(1000));
    heap.assert_live_below(4 * KIB); // nothing was read so far
    let mut held = Vec::new();
    while let Some(frame) = events.next().now_or_never().unwrap() {
        held.push(frame.unwrap());
    }
    assert_eq!(held.len(), 1000);
    heap.assert_live_below(MIB);
    drop(events);

    // A large read is one chunk, and its events only share that chunk.
    let stream = b"data: 0123456789\n\n".repeat(100_000);
    let heap = Heap::measure();
    let mut events = everstream::EventReader::new(&stream[..]);
    let mut held = Vec::new();
    let mut index = 0;
    while let Some(frame) = events.next().now_or_never().unwrap() {
        if index % 10_000 == 0 {
            held.push(frame.unwrap());
        }
        index += 1;
    }
    drop(events);
    assert_eq!(held.len(), 10);
    // Each batch holds the text of one read and the places of its events.
    heap.assert_live_below(10 * 64 * KIB);
}

#[test]
fn a_long_id_is_freed_with_the_next_one() {
    let long = format!("id: {}\ndata: a\n\n", "i".repeat(MIB));
    let small = b"id: 1\ndata: b\n\n";

    let heap = Heap::measure();
    let mut parser = Parser::new();
    for chunk in long.as_bytes().chunks(1000).chain([&small[..]; 3]) {
        drop(feed(&mut parser, chunk));
    }
    heap.assert_live_below(32 * KIB);
    drop(parser);

    let heap = Heap::measure();
    let chunks: Vec<Vec<u8>> =
        long.as_bytes().chunks(1000).chain([&small[..]; 3]).map(<[u8]>::to_vec).collect();
    let mut events = EventStream::new(streams::iter(chunks.into_iter().map(Ok::<_, Infallible>)));
    while next(&mut events).is_some() {}
    assert_eq!(events.last_event_id(), "1");
    heap.assert_live_below(32 * KIB);
}

#[test]
fn buffers_are_freed_while_only_short_chunks_come() {
    let event = format!("data: {}\n\n", "x".repeat(30 * KIB));
    for keep_alive in [&b": keep-alive\n\n"[..], b": keep"] {
        let heap = Heap::measure();
        let mut parser = Parser::new();
        for chunk in event.repeat(2).as_bytes().chunks(1000) {
            drop(feed(&mut parser, chunk));
        }
        for _ in 0..4 {
            assert_eq!(feed(&mut parser, keep_alive), []);
            assert_eq!(feed(&mut parser, b"\n\n"), []);
        }
        heap.assert_live_below(8 * KIB);
    }
}

#[test]
fn a_flood_of_comments_yields_to_other_tasks() {
    let chunks = std::iter::repeat_n(b": flood\n", 1_000_000).chain([b"data:a\n\n"]);
    let mut taken = 0;
    let source = streams::iter(chunks.inspect(|_| taken += 1).map(Ok::<_, Infallible>));
    let mut events = EventStream::new(source.map_ok(|chunk| &chunk[..]));
    let mut polls = 0;
    let frame = loop {
        polls += 1;
        if let Some(frame) = events.next().now_or_never() {
            break frame;
        }
    };
    assert!(matches!(frame, Some(Ok(OwnedFrame::Message(_)))));
    drop(events);
    assert_eq!(taken, 1_000_001);
    assert!((15_000..17_000).contains(&polls), "{polls} polls");
}
