//! WHATWG HTML, section 9.2 "Server-sent events", rule by rule.
//!
//! Both parsers read every stream in every chunking, and the model of `support/model.rs` reads it
//! too; see `Case::gives`.

use crate::support::chunking::{comment, message, named, stream};
use crate::support::model::Seen;

// ---------------------------------------------------------------- blank lines

#[test]
fn a_blank_line_dispatches_the_event() {
    stream("data: hello\n\n").gives([message("hello")]);
}

#[test]
fn each_blank_line_dispatches_the_event_before_it() {
    stream("data: 1\n\ndata: 2\n\ndata: 3\n\n").gives([message("1"), message("2"), message("3")]);
}

#[test]
fn an_empty_stream_has_no_event() {
    stream("").gives_nothing().and_last_event_id("").and_no_retry();
}

#[test]
fn blank_lines_alone_dispatch_nothing() {
    stream("\n\n\r\r\r\n\r\n\n").gives_nothing();
}

#[test]
fn more_blank_lines_after_an_event_dispatch_nothing() {
    stream("data: a\n\n\n\n\r\n\r\r").gives([message("a")]);
}

#[test]
fn blank_lines_before_the_first_event_are_ignored() {
    stream("\n\r\n\rdata: a\n\n").gives([message("a")]);
}

#[test]
fn a_line_of_one_space_is_not_blank() {
    stream("data: a\n \ndata: b\n\n").gives([message("a\nb")]);
}

#[test]
fn a_line_of_one_nul_is_not_blank() {
    stream("data: a\n\0\ndata: b\n\n").gives([message("a\nb")]);
}

#[test]
fn an_event_without_its_blank_line_is_dropped_at_the_end() {
    stream("data: a\n\ndata: b\n").gives([message("a")]);
}

#[test]
fn an_event_without_its_line_end_is_dropped_at_the_end() {
    stream("data: a\n\ndata: b").gives([message("a")]);
}

#[test]
fn an_event_cut_within_a_character_is_dropped_at_the_end() {
    stream(b"data: a\n\ndata: \xE2\x82").gives([message("a")]);
}

// ------------------------------------------------------------------ line ends

#[test]
fn lines_end_with_lf() {
    stream("event: e\ndata: a\n\ndata: b\n\n").gives([named("e", "a"), message("b")]);
}

#[test]
fn lines_end_with_cr() {
    stream("event: e\rdata: a\r\rdata: b\r\r").gives([named("e", "a"), message("b")]);
}

#[test]
fn lines_end_with_crlf() {
    stream("event: e\r\ndata: a\r\n\r\ndata: b\r\n\r\n").gives([named("e", "a"), message("b")]);
}

#[test]
fn crlf_is_one_line_end_and_not_two() {
    stream("data: a\r\ndata: b\r\n\r\n").gives([message("a\nb")]);
}

#[test]
fn lfcr_is_two_line_ends() {
    stream("data: a\n\rdata: b\n\r").gives([message("a"), message("b")]);
}

#[test]
fn crcrlf_is_two_line_ends() {
    stream("data: a\r\r\ndata: b\n\n").gives([message("a"), message("b")]);
}

#[test]
fn crlflf_is_two_line_ends() {
    stream("data: a\r\n\ndata: b\n\n").gives([message("a"), message("b")]);
}

#[test]
fn crlfcr_is_two_line_ends() {
    stream("data: a\r\n\rdata: b\n\n").gives([message("a"), message("b")]);
}

#[test]
fn only_one_lf_belongs_to_a_cr() {
    stream("data: a\r\n\n\ndata: b\r\r\n\n").gives([message("a"), message("b")]);
}

#[test]
fn line_ends_may_be_mixed_within_an_event() {
    stream("event: e\rdata: a\ndata: b\r\ndata: c\r\n\n").gives([named("e", "a\nb\nc")]);
}

#[test]
fn an_event_ends_at_a_cr_that_is_the_last_byte() {
    stream("data: a\r\r").gives([message("a")]);
    stream("data: a\n\r").gives([message("a")]);
    stream("data: a\r\n\r").gives([message("a")]);
}

#[test]
fn a_lone_cr_at_the_end_is_not_a_blank_line() {
    stream("data: a\r").gives_nothing();
    stream("data: a\r\n").gives_nothing();
}

#[test]
fn other_line_and_paragraph_separators_are_data() {
    // Of Unicode: next line, line separator, paragraph separator.
    stream("data: a\u{85}b\u{2028}c\u{2029}d\n\n").gives([message("a\u{85}b\u{2028}c\u{2029}d")]);
}

#[test]
fn vertical_tab_form_feed_and_information_separators_are_data() {
    stream("data: a\x0Bb\x0Cc\x1Cd\x1De\x1Ef\n\n").gives([message("a\x0Bb\x0Cc\x1Cd\x1De\x1Ef")]);
}

#[test]
fn bytes_that_are_a_line_end_but_for_one_bit_are_data() {
    // In UTF-8, Ċ and č end with 8A and 8D.
    stream("data: Ċč\x0B\x0C\x08\x0F\x02\x1A*-JM\n\n")
        .gives([message("Ċč\x0B\x0C\x08\x0F\x02\x1A*-JM")]);
}

#[test]
fn bytes_that_follow_a_line_end_and_differ_from_it_by_one_are_not_blank_lines() {
    stream("data: a\n\x0B\ndata: b\r\x0C\rdata: c\n\x09\r\n\n").gives([message("a\nb\nc")]);
}

// -------------------------------------------------------------- fields, colons

#[test]
fn one_space_after_the_colon_is_removed() {
    stream("data: a\n\n").gives([message("a")]);
    stream("data:a\n\n").gives([message("a")]);
}

#[test]
fn only_one_space_after_the_colon_is_removed() {
    stream("data:  a\n\n").gives([message(" a")]);
    stream("data:    \n\n").gives([message("   ")]);
}

#[test]
fn a_tab_after_the_colon_is_kept() {
    stream("data:\ta\n\n").gives([message("\ta")]);
    stream("data: \ta\n\n").gives([message("\ta")]);
}

#[test]
fn a_no_break_space_after_the_colon_is_kept() {
    stream("data:\u{A0}a\n\n").gives([message("\u{A0}a")]);
}

#[test]
fn spaces_at_the_end_of_a_value_are_kept() {
    stream("data: a  \n\n").gives([message("a  ")]);
}

#[test]
fn the_field_name_ends_at_the_first_colon() {
    stream("data:a:b: c\n\n").gives([message("a:b: c")]);
    stream("data::a\n\n").gives([message(":a")]);
    stream("data: :a\n\n").gives([message(":a")]);
}

#[test]
fn a_line_without_a_colon_is_a_field_with_an_empty_value() {
    stream("data\n\n").gives([message("")]);
}

#[test]
fn a_space_before_the_colon_makes_another_field() {
    stream("data : a\ndata: b\n\n").gives([message("b")]);
}

#[test]
fn a_space_before_the_name_makes_another_field() {
    stream(" data: a\ndata: b\n\n").gives([message("b")]);
}

#[test]
fn a_space_instead_of_the_colon_makes_another_field() {
    stream("data a\ndata: b\n\n").gives([message("b")]);
}

#[test]
fn field_names_are_case_sensitive() {
    stream("Data: a\nDATA: b\nEvent: e\nID: 1\nRetry: 1\ndata: c\n\n")
        .gives([message("c")])
        .and_last_event_id("")
        .and_no_retry();
}

#[test]
fn names_that_begin_like_a_field_are_other_fields() {
    stream("d: 1\nda: 2\ndat: 3\ndat\ndata: a\n\n").gives([message("a")]);
    stream("e: x\neven: x\ni: 1\nretr: 5\ndata: a\n\n").gives([message("a")]).and_no_retry();
}

#[test]
fn names_that_go_on_after_a_field_are_other_fields() {
    stream("data2: 1\ndatadata: 2\ndatax\nevents: x\nids: 1\nretry2: 5\ndata: a\n\n")
        .gives([message("a")])
        .and_last_event_id("")
        .and_no_retry();
}

#[test]
fn unknown_fields_are_ignored() {
    stream("foo: bar\ndata: a\nbaz\nqux:\n\n").gives([message("a")]);
}

#[test]
fn a_block_of_unknown_fields_dispatches_nothing() {
    stream("foo: bar\n\nbaz\n\n").gives_nothing();
}

#[test]
fn names_of_object_properties_are_unknown_fields() {
    stream("__proto__: 1\nconstructor: 2\ncomment: 3\nmessage: 4\nlastEventId: 5\ndata: a\n\n")
        .with_comments()
        .gives([message("a")]);
}

#[test]
fn a_line_that_is_not_an_event_stream_at_all_is_an_unknown_field() {
    stream("<!DOCTYPE html>\n{\"data\": 1}\n\ndata: a\n\n").gives([message("a")]);
}

// ----------------------------------------------------------------------- data

#[test]
fn data_lines_are_joined_with_lf() {
    stream("data: a\ndata: b\ndata: c\n\n").gives([message("a\nb\nc")]);
}

#[test]
fn data_lines_are_joined_with_lf_whatever_ended_them() {
    stream("data: a\r\ndata: b\rdata: c\n\n").gives([message("a\nb\nc")]);
}

#[test]
fn data_lines_are_joined_across_other_lines() {
    stream("data: a\n: hi\nid: 1\nfoo\ndata: b\nevent: e\n\n")
        .gives([named("e", "a\nb").with_id("1")]);
}

#[test]
fn a_data_line_without_a_colon_is_an_empty_line() {
    stream("data: a\ndata\ndata: b\n\n").gives([message("a\n\nb")]);
}

#[test]
fn empty_data_is_dispatched() {
    stream("data\n\n").gives([message("")]);
    stream("data:\n\n").gives([message("")]);
    stream("data: \n\n").gives([message("")]);
}

#[test]
fn two_empty_data_lines_are_one_lf() {
    stream("data\ndata\n\n").gives([message("\n")]);
    stream("data:\ndata: \ndata\n\n").gives([message("\n\n")]);
}

#[test]
fn an_empty_first_or_last_data_line_keeps_its_lf() {
    stream("data\ndata: a\n\n").gives([message("\na")]);
    stream("data: a\ndata\n\n").gives([message("a\n")]);
}

#[test]
fn data_does_not_leak_into_the_next_event() {
    stream("data: a\ndata: b\n\ndata: c\n\n").gives([message("a\nb"), message("c")]);
}

#[test]
fn a_nul_in_the_data_is_kept() {
    stream("data: a\0b\n\n").gives([message("a\0b")]);
}

#[test]
fn data_that_looks_like_a_field_is_data() {
    stream("data: data: a\ndata: event: e\ndata: id: 1\ndata: : c\n\n")
        .gives([message("data: a\nevent: e\nid: 1\n: c")]);
}

#[test]
fn values_of_all_lengths_arrive_whole() {
    // Lengths around the widths of a vectorised scanner.
    for length in [0, 1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 57, 58, 63, 64, 65, 127, 128, 129] {
        let value = "x".repeat(length);
        stream(format!("data: {value}\n\ndata:{value}\r\n\r\ndata\n\n")).gives([
            message(&value),
            message(&value),
            message(""),
        ]);
    }
}

#[test]
fn line_ends_at_all_offsets_are_found() {
    for length in 0..70 {
        let padding = ":".repeat(length);
        stream(format!("{padding}\rdata: a\n\r\ndata: b\r\r")).gives([message("a"), message("b")]);
    }
}

// ----------------------------------------------------------------- event names

#[test]
fn an_event_without_a_name_is_a_message() {
    stream("data: a\n\n").gives([named("message", "a")]);
}

#[test]
fn an_event_has_the_name_of_its_event_line() {
    stream("event: add\ndata: a\n\n").gives([named("add", "a")]);
}

#[test]
fn the_name_may_follow_the_data() {
    stream("data: a\nevent: add\n\n").gives([named("add", "a")]);
}

#[test]
fn the_name_message_is_the_default_name() {
    stream("event: message\ndata: a\n\n").gives([message("a")]);
}

#[test]
fn the_last_event_line_wins() {
    stream("event: a\nevent: b\ndata: x\nevent: c\n\n").gives([named("c", "x")]);
}

#[test]
fn a_name_counts_for_one_event_only() {
    stream("event: e\ndata: a\n\ndata: b\n\n").gives([named("e", "a"), message("b")]);
}

#[test]
fn an_empty_event_line_resets_the_name() {
    stream("event: e\nevent:\ndata: a\n\n").gives([message("a")]);
    stream("event: e\nevent: \ndata: a\n\n").gives([message("a")]);
}

#[test]
fn an_event_line_without_a_colon_resets_the_name() {
    stream("event: e\nevent\ndata: a\n\n").gives([message("a")]);
}

#[test]
fn a_block_without_data_dispatches_nothing() {
    stream("event: e\n\n").gives_nothing();
}

#[test]
fn a_block_without_data_forgets_its_name() {
    stream("event: e\n\ndata: a\n\n").gives([message("a")]);
}

#[test]
fn a_name_is_taken_literally() {
    stream("event:  a b \ndata: x\n\n").gives([named(" a b ", "x")]);
    stream("event: a:b\ndata: x\n\n").gives([named("a:b", "x")]);
    stream("event: a\0b\ndata: x\n\n").gives([named("a\0b", "x")]);
    stream("event: événement…\ndata: x\n\n").gives([named("événement…", "x")]);
}

#[test]
fn many_names_are_kept_apart() {
    let names: Vec<String> = (0..60).map(|n| format!("n{n}")).collect();
    let mut bytes = String::new();
    for name in names.iter().chain(&names) {
        bytes += &format!("event:{name}\ndata\n\n");
    }
    let expected = names.iter().chain(&names).map(|name| named(name, ""));
    stream(bytes).gives(expected);
}

// ------------------------------------------------------------------------- ids

#[test]
fn an_event_has_the_id_of_its_block() {
    stream("id: 1\ndata: a\n\n").gives([message("a").with_id("1")]).and_last_event_id("1");
}

#[test]
fn the_id_may_follow_the_data() {
    stream("data: a\nid: 1\n\n").gives([message("a").with_id("1")]);
}

#[test]
fn the_last_id_line_wins() {
    stream("id: 1\nid: 2\ndata: a\nid: 3\n\n")
        .gives([message("a").with_id("3")])
        .and_last_event_id("3");
}

#[test]
fn an_id_lasts_until_the_next_one() {
    stream("id: 1\ndata: a\n\ndata: b\n\nid: 2\ndata: c\n\ndata: d\n\n")
        .gives([
            message("a").with_id("1"),
            message("b").with_id("1"),
            message("c").with_id("2"),
            message("d").with_id("2"),
        ])
        .and_last_event_id("2");
}

#[test]
fn an_empty_id_line_resets_the_id() {
    for reset in ["id:", "id: "] {
        stream(format!("id: 1\ndata: a\n\n{reset}\ndata: b\n\ndata: c\n\n"))
            .gives([message("a").with_id("1"), message("b"), message("c")])
            .and_last_event_id("");
    }
}

#[test]
fn an_id_line_without_a_colon_resets_the_id() {
    stream("id: 1\ndata: a\n\nid\ndata: b\n\n")
        .gives([message("a").with_id("1"), message("b")])
        .and_last_event_id("");
}

#[test]
fn an_id_of_a_block_without_data_counts() {
    stream("id: 1\n\ndata: a\n\n").gives([message("a").with_id("1")]).and_last_event_id("1");
    stream("id: 1\n\n").gives_nothing().and_last_event_id("1");
}

#[test]
fn a_reset_of_the_id_in_a_block_without_data_counts() {
    stream("id: 1\ndata: a\n\nid\n\ndata: b\n\n")
        .gives([message("a").with_id("1"), message("b")])
        .and_last_event_id("");
}

#[test]
fn an_id_of_an_unfinished_block_does_not_count() {
    stream("id: 1\n\nid: 2\ndata: a\n").gives_nothing().and_last_event_id("1");
    stream("id: 1\n\nid: 2\n").gives_nothing().and_last_event_id("1");
    stream("id: 1\n\nid: 2").gives_nothing().and_last_event_id("1");
    stream("id: 1\n").gives_nothing().and_last_event_id("");
}

#[test]
fn a_reset_of_the_id_in_an_unfinished_block_does_not_count() {
    stream("id: 1\n\nid\ndata: a\n").gives_nothing().and_last_event_id("1");
}

#[test]
fn an_id_with_a_nul_is_ignored() {
    for id in ["\0", "\0\0", "x\0", "\0x", "x\0x", " \0", "a long one with its nul at the end\0"] {
        stream(format!("id: 1\ndata: a\n\nid: {id}\ndata: b\n\n"))
            .gives([message("a").with_id("1"), message("b").with_id("1")])
            .and_last_event_id("1");
    }
}

#[test]
fn an_id_with_a_nul_leaves_the_earlier_id_of_its_block() {
    stream("id: 1\nid: 2\0\ndata: a\n\n").gives([message("a").with_id("1")]).and_last_event_id("1");
}

#[test]
fn an_id_with_a_nul_does_not_reset_the_id() {
    stream("id: 1\n\nid:\0\n\ndata: a\n\n")
        .gives([message("a").with_id("1")])
        .and_last_event_id("1");
}

#[test]
fn an_id_is_taken_literally() {
    for id in ["0", "-1", "null", "undefined", " 1 ", "a:b", "\x01\x7F", "\t", "é…😀"] {
        stream(format!("id: {id}\ndata: a\n\n"))
            .gives([message("a").with_id(id)])
            .and_last_event_id(id);
    }
}

#[test]
fn a_long_id_is_kept_whole() {
    for length in [22, 23, 24, 63, 64, 65, 255] {
        let id = "7".repeat(length);
        stream(format!("id: {id}\ndata: a\n\ndata: b\n\n"))
            .gives([message("a").with_id(&id), message("b").with_id(&id)])
            .and_last_event_id(&id);
    }
}

#[test]
fn events_carry_the_id_that_an_earlier_connection_left() {
    stream("data: a\n\nid: 8\ndata: b\n\n")
        .after_id("7")
        .gives([message("a").with_id("7"), message("b").with_id("8")])
        .and_last_event_id("8");
}

#[test]
fn the_id_of_an_earlier_connection_can_be_reset() {
    stream("id\ndata: a\n\n").after_id("7").gives([message("a")]).and_last_event_id("");
}

#[test]
fn the_id_of_an_earlier_connection_outlasts_an_unfinished_block() {
    stream("id: 8\ndata: a\n").after_id("7").gives_nothing().and_last_event_id("7");
}

// ----------------------------------------------------------------------- retry

#[test]
fn retry_is_the_reconnection_time_in_milliseconds() {
    stream("retry: 3000\ndata: a\n\n").gives([message("a")]).and_retry(3000);
    stream("retry:3000\n\n").gives_nothing().and_retry(3000);
}

#[test]
fn without_a_retry_line_there_is_no_reconnection_time() {
    stream("data: a\n\n").gives([message("a")]).and_no_retry();
}

#[test]
fn a_retry_of_a_block_without_data_counts() {
    stream("retry: 200\n\n").gives_nothing().and_retry(200);
}

#[test]
fn a_retry_counts_at_the_end_of_its_line() {
    stream("retry: 200\n").gives_nothing().and_retry(200);
    stream("retry: 200\r").gives_nothing().and_retry(200);
    stream("data: a\nretry: 200\r\ndata: b").gives_nothing().and_retry(200);
}

#[test]
fn a_retry_without_its_line_end_does_not_count() {
    stream("retry: 100\nretry: 200").gives_nothing().and_retry(100);
    stream("retry: 200").gives_nothing().and_no_retry();
}

#[test]
fn the_last_retry_wins() {
    stream("retry: 1\nretry: 2\n\nretry: 3\n\n").gives_nothing().and_retry(3);
}

#[test]
fn a_retry_of_zero_counts() {
    stream("retry: 0\n\n").gives_nothing().and_retry(0);
    stream("retry: 000\n\n").gives_nothing().and_retry(0);
}

#[test]
fn leading_zeros_of_a_retry_are_fine() {
    stream("retry: 03000\n\n").gives_nothing().and_retry(3000);
    stream(format!("retry: {}25\n\n", "0".repeat(100))).gives_nothing().and_retry(25);
}

#[test]
fn a_retry_is_never_too_large() {
    stream("retry: 2147483648\n\n").gives_nothing().and_retry(1 << 31);
    stream("retry: 4294967296\n\n").gives_nothing().and_retry(1 << 32);
    stream("retry: 18446744073709551614\n\n").gives_nothing().and_retry(u64::MAX - 1);
    stream("retry: 18446744073709551615\n\n").gives_nothing().and_retry(u64::MAX);
    stream("retry: 18446744073709551616\n\n").gives_nothing().and_retry(u64::MAX);
    stream("retry: 184467440737095516150\n\n").gives_nothing().and_retry(u64::MAX);
    stream(format!("retry: {}\n\n", "9".repeat(400))).gives_nothing().and_retry(u64::MAX);
    stream(format!("retry: 1{}\n\n", "0".repeat(400))).gives_nothing().and_retry(u64::MAX);
}

#[test]
fn a_retry_of_anything_but_ascii_digits_is_ignored() {
    for value in [
        "+5", "-5", "-0", "5 ", " 5", "\t5", "5\t", "0x5", "5e3", "1_000", "1,000", "1.5", "1000x",
        "x1000", "5s", "5\0", "\u{665}", "\u{FF15}", "5\u{665}", "Infinity", "",
    ] {
        stream(format!("retry: 3000\nretry: {value}\ndata: a\n\n"))
            .gives([message("a")])
            .and_retry(3000);
        stream(format!("retry: {value}\ndata: a\n\n")).gives([message("a")]).and_no_retry();
    }
}

#[test]
fn a_long_retry_with_one_wrong_byte_is_ignored() {
    stream(format!("retry: 7\nretry: {}x\n\n", "1".repeat(100))).gives_nothing().and_retry(7);
    stream(format!("retry: 7\nretry: {}x1\n\n", "0".repeat(100))).gives_nothing().and_retry(7);
}

#[test]
fn a_retry_of_bytes_that_are_not_utf_8_is_ignored() {
    stream(b"retry: 7\nretry: 5\xFF\nretry: \xD9\xA5\n\n").gives_nothing().and_retry(7);
}

#[test]
fn an_empty_retry_is_ignored() {
    stream("retry: 7\nretry\nretry:\nretry: \n\n").gives_nothing().and_retry(7);
}

// -------------------------------------------------------------------- comments

#[test]
fn a_line_that_begins_with_a_colon_is_a_comment() {
    stream(": hi\ndata: a\n:data: b\n:\n\n").gives([message("a")]);
}

#[test]
fn comments_do_not_end_a_block() {
    stream("data: a\n: hi\ndata: b\n\n").with_comments().gives([comment("hi"), message("a\nb")]);
}

#[test]
fn keep_alive_comments_dispatch_nothing() {
    stream(":\n\n: ping\n\n:\r\r").gives_nothing();
}

#[test]
fn comments_are_reported_if_asked_for() {
    stream(": one\n:two\ndata: a\n\n: three\n").with_comments().gives([
        comment("one"),
        comment("two"),
        message("a"),
        comment("three"),
    ]);
}

#[test]
fn a_comment_is_reported_at_the_end_of_its_line() {
    stream(":a\r:b\r\n:c\n:d").with_comments().gives([comment("a"), comment("b"), comment("c")]);
}

#[test]
fn a_comment_is_the_text_after_the_colon_and_one_space() {
    stream(":\n: \n:  a \n::a\n:\ta\n").with_comments().gives([
        comment(""),
        comment(""),
        comment(" a "),
        comment(":a"),
        comment("\ta"),
    ]);
}

#[test]
fn a_comment_is_decoded_like_everything_else() {
    stream(b": caf\xC3\xA9 \xFF\0\n").with_comments().gives([comment("café \u{FFFD}\0")]);
}

#[test]
fn a_comment_after_ill_formed_bytes_is_reported_once() {
    // U+FFFD is three bytes long, so the comment moves when its block is decoded.
    stream(b"data: \xFF\xFF\xFF\xFF\n: c\n\n")
        .with_comments()
        .gives([comment("c"), message("\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}")]);
}

#[test]
fn a_comment_changes_neither_id_nor_retry() {
    stream(":id: 1\n:retry: 5\n:event: e\ndata: a\n\n")
        .gives([message("a")])
        .and_last_event_id("")
        .and_no_retry();
}

// ------------------------------------------------------------------------- BOM

#[test]
fn a_bom_at_the_start_is_removed() {
    stream("\u{FEFF}data: a\n\n").gives([message("a")]);
}

#[test]
fn only_one_bom_is_removed() {
    stream("\u{FEFF}\u{FEFF}data: a\ndata: b\n\n").gives([message("b")]);
}

#[test]
fn a_bom_later_in_the_stream_belongs_to_its_line() {
    stream("data: a\n\n\u{FEFF}data: b\n\n").gives([message("a")]);
    stream("\n\u{FEFF}data: a\n\n").gives_nothing();
    stream("data: \u{FEFF}a\u{FEFF}\n\n").gives([message("\u{FEFF}a\u{FEFF}")]);
}

#[test]
fn a_bom_before_a_blank_line_or_a_comment_is_removed() {
    stream("\u{FEFF}\ndata: a\n\n").gives([message("a")]);
    stream("\u{FEFF}\r\ndata: a\n\n").gives([message("a")]);
    stream("\u{FEFF}: hi\n").with_comments().gives([comment("hi")]);
}

#[test]
fn a_stream_of_a_bom_alone_is_empty() {
    stream("\u{FEFF}").gives_nothing();
    stream(b"\xEF\xBB").gives_nothing();
    stream(b"\xEF").gives_nothing();
}

#[test]
fn half_a_bom_belongs_to_the_first_line() {
    // They make it an unknown field.
    stream(b"\xEFdata: a\ndata: b\n\n").gives([message("b")]);
    stream(b"\xEF\xBBdata: a\ndata: b\n\n").gives([message("b")]);
    stream(b"\xBB\xBFdata: a\ndata: b\n\n").gives([message("b")]);
    stream(b"\xEF\xBB\ndata: b\n\n").gives([message("b")]);
    stream(b"\xEF\xEF\xBB\xBFdata: a\ndata: b\n\n").gives([message("b")]);
}

#[test]
fn half_a_bom_keeps_the_first_line_from_being_blank() {
    stream(b"\xEF\ndata: a\n\n").gives([message("a")]);
    stream(b"\xEF\xBB: hi\n").with_comments().gives_nothing();
}

#[test]
fn a_character_that_begins_like_a_bom_belongs_to_the_first_line() {
    // U+FEFD and U+FB00 share one and two bytes with it.
    stream("\u{FEFD}data: a\ndata: b\n\n").gives([message("b")]);
    stream("\u{FB00}: a\ndata: b\n\n").gives([message("b")]);
}

#[test]
fn a_bom_of_utf_16_is_not_skipped() {
    stream(b"\xFE\xFFdata: a\ndata: b\n\n").gives([message("b")]);
    stream(b"\xFF\xFEdata: a\ndata: b\n\n").gives([message("b")]);
}

// ----------------------------------------------------------------------- UTF-8

#[test]
fn characters_of_every_length_arrive_whole() {
    stream("data: a\u{7F}\u{80}é\u{7FF}\u{800}…\u{FFFF}\u{10000}😀\u{10FFFF}\n\n")
        .gives([message("a\u{7F}\u{80}é\u{7FF}\u{800}…\u{FFFF}\u{10000}😀\u{10FFFF}")]);
}

#[test]
fn a_byte_that_is_not_utf_8_becomes_one_replacement_character() {
    stream(b"data: a\xFFb\n\n").gives([message("a\u{FFFD}b")]);
    stream(b"data: \x80\xBF\xC0\xC1\xF5\n\n")
        .gives([message("\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}")]);
}

#[test]
fn a_maximal_subpart_becomes_one_replacement_character() {
    stream(b"data: \xE2\x82x\n\n").gives([message("\u{FFFD}x")]);
    stream(b"data: \xF0\x9F\x98x\n\n").gives([message("\u{FFFD}x")]);
    stream(b"data: \xF0\x9F\x98\xE2\x82\xC3x\n\n").gives([message("\u{FFFD}\u{FFFD}\u{FFFD}x")]);
}

#[test]
fn surrogates_overlong_forms_and_code_points_over_10ffff_are_replaced_byte_by_byte() {
    stream(b"data: \xED\xA0\x80\n\n").gives([message("\u{FFFD}\u{FFFD}\u{FFFD}")]);
    stream(b"data: \xC0\x80\n\n").gives([message("\u{FFFD}\u{FFFD}")]);
    stream(b"data: \xE0\x80\x8A\n\n").gives([message("\u{FFFD}\u{FFFD}\u{FFFD}")]);
    stream(b"data: \xF4\x90\x80\x80\n\n").gives([message("\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}")]);
}

#[test]
fn a_line_end_cuts_a_character_short() {
    stream(b"data: \xE2\x82\ndata: \xAC\n\n").gives([message("\u{FFFD}\n\u{FFFD}")]);
    stream(b"data: \xF0\x9F\r\rdata: a\n\n").gives([message("\u{FFFD}"), message("a")]);
}

#[test]
fn a_space_after_the_colon_is_removed_before_a_byte_that_is_not_utf_8() {
    stream(b"data: \xFF\ndata:\xFF\ndata: \xFF \n\n")
        .gives([message("\u{FFFD}\n\u{FFFD}\n\u{FFFD} ")]);
}

#[test]
fn names_and_ids_are_decoded_with_replacement_too() {
    stream(b"event: e\xFF\nid: \xE2\x82\ndata: a\n\n")
        .gives([named("e\u{FFFD}", "a").with_id("\u{FFFD}")])
        .and_last_event_id("\u{FFFD}");
}

#[test]
fn a_byte_that_is_not_utf_8_makes_another_field() {
    stream(b"\xFFdata: a\nda\x80ta: b\ndata\xC2: c\ndata: d\n\n").gives([message("d")]);
}

#[test]
fn bytes_that_are_not_utf_8_do_not_disturb_what_follows() {
    stream(b"\xFF\xFE\xFD\n\ndata: a\n\ndata: \xF0\n\ndata: b\n\n").gives([
        message("a"),
        message("\u{FFFD}"),
        message("b"),
    ]);
}

// ------------------------------- the examples of the standard, and WPT's vectors

#[test]
fn standard_example_stock_ticker() {
    stream("data: YHOO\ndata: +2\ndata: 10\n\n").gives([message("YHOO\n+2\n10")]);
}

#[test]
fn standard_example_four_blocks() {
    stream(": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n")
        .gives([message("first event").with_id("1"), message("second event")])
        .and_last_event_id("");
}

#[test]
fn standard_example_empty_data() {
    stream("data\n\ndata\ndata\n\ndata:").gives([message(""), message("\n")]);
}

#[test]
fn standard_example_space_after_the_colon() {
    stream("data:test\n\ndata: test\n\n").gives([message("test"), message("test")]);
}

#[test]
fn standard_example_named_events() {
    stream(
        "event: add\ndata: 73857293\n\nevent: remove\ndata: 2153\n\nevent: add\ndata: 113411\n\n",
    )
    .gives([named("add", "73857293"), named("remove", "2153"), named("add", "113411")]);
}

#[test]
fn wpt_format_bom() {
    stream("\u{FEFF}data:1\n\n\u{FEFF}data:2\n\ndata:3\n\n").gives([message("1"), message("3")]);
}

#[test]
fn wpt_format_bom_2() {
    stream("\u{FEFF}\u{FEFF}data:1\n\ndata:2\n\ndata:3\n\n").gives([message("2"), message("3")]);
}

#[test]
fn wpt_format_comments() {
    let long = "x".repeat(200);
    stream(format!("data:1\r:\0\n:\r\ndata:2\n:{long}\rdata:3\n:data:fail\r:{long}\ndata:4\n\n"))
        .gives([message("1\n2\n3\n4")]);
}

#[test]
fn wpt_format_data_before_final_empty_line() {
    stream("retry:1000\ndata:test1\n\nid:test\ndata:test2")
        .gives([message("test1")])
        .and_last_event_id("")
        .and_retry(1000);
}

#[test]
fn wpt_format_field_data() {
    stream("data:\n\ndata\ndata\n\ndata:test\n\n").gives([
        message(""),
        message("\n"),
        message("test"),
    ]);
}

#[test]
fn wpt_format_field_event() {
    stream("event:test\ndata:x\n\ndata:x\n\n").gives([named("test", "x"), message("x")]);
}

#[test]
fn wpt_format_field_event_empty() {
    stream("event: \ndata:data\n\n").gives([message("data")]);
}

#[test]
fn wpt_format_field_id() {
    stream("id: …\nretry: 200\ndata: hello\n\n")
        .gives([message("hello").with_id("…")])
        .and_last_event_id("…")
        .and_retry(200);
}

#[test]
fn wpt_format_field_id_2() {
    // The second connection sends no id of its own.
    stream("id: …\nretry: 200\ndata: hello\n\n")
        .gives([message("hello").with_id("…")])
        .and_last_event_id("…");
    stream("data: hello\n\n")
        .after_id("…")
        .gives([message("hello").with_id("…")])
        .and_last_event_id("…");
}

#[test]
fn wpt_format_field_id_3() {
    stream("id: 1\ndata: hello\n\nid\ndata: hello\n\ndata: hello\n\n")
        .gives([message("hello").with_id("1"), message("hello"), message("hello")])
        .and_last_event_id("");
}

#[test]
fn wpt_format_field_id_null() {
    for id in ["\0\0", "x\0", "\0x", "x\0x", " \0"] {
        stream(format!("id:{id}\nretry: 200\ndata: hello\n\n"))
            .gives([message("hello")])
            .and_last_event_id("");
    }
}

#[test]
fn wpt_format_field_parsing() {
    stream(
        "data:\0\ndata:  2\rData:1\ndata\0:2\ndata:1\r\0data:4\nda-ta:3\rdata_5\ndata:3\rdata:\r\n data:32\ndata:4\n\n",
    )
    .gives([message("\0\n 2\n1\n3\n\n4")]);
}

#[test]
fn wpt_format_field_retry() {
    stream("retry:03000\ndata:x\n\n").gives([message("x")]).and_retry(3000);
}

#[test]
fn wpt_format_field_retry_bogus() {
    stream("retry:3000\nretry:1000x\ndata:x\n\n").gives([message("x")]).and_retry(3000);
}

#[test]
fn wpt_format_field_retry_empty() {
    stream("retry\ndata:test\n\n").gives([message("test")]).and_no_retry();
}

#[test]
fn wpt_format_field_unknown() {
    stream("data:test\n data\ndata\nfoobar:xxx\njustsometext\n:thisisacommentyay\ndata:test\n\n")
        .gives([message("test\n\ntest")]);
}

#[test]
fn wpt_format_leading_space() {
    stream("data:\ttest\rdata: \ndata:test\n\n").gives([message("\ttest\n\ntest")]);
}

#[test]
fn wpt_format_newlines() {
    stream("data:test\r\ndata\ndata:test\r\n\r").gives([message("test\n\ntest")]);
}

#[test]
fn wpt_format_null_character() {
    stream("data:\0\n\n\n\n").gives([message("\0")]);
}

#[test]
fn wpt_format_utf_8() {
    stream("data:ok…\n\n").gives([message("ok…")]);
}

// --------------------------------------------- what other parsers have stumbled on

#[test]
fn crlf_between_two_data_lines_is_not_a_blank_line_when_it_is_split() {
    // async-sse 5.1 made two events of it.
    stream("data: a\r\ndata: b\r\n\r\n").gives([message("a\nb")]);
}

#[test]
fn streams_of_crlf_and_of_cr_have_events() {
    // reqwest-sse 0.2 found none.
    stream("data: a\r\n\r\n").gives([message("a")]);
    stream("data: a\r\r").gives([message("a")]);
}

#[test]
fn the_first_bytes_may_be_a_bom_alone() {
    // eventsource-stream 0.2 sliced one byte off it and panicked.
    stream("\u{FEFF}").gives_nothing();
    stream("\u{FEFF}data: a\n\n").gives([message("a")]);
}

#[test]
fn one_bad_byte_does_not_hold_back_the_events_after_it() {
    // eventsource-stream 0.2 stalled until the end; others ended the stream.
    stream(b"data: \xFF\n\ndata: 1\n\ndata: 2\n\n").gives([
        message("\u{FFFD}"),
        message("1"),
        message("2"),
    ]);
}

#[test]
fn a_bare_event_line_is_neither_an_error_nor_an_empty_name() {
    // eventsource-client 0.17 disconnected; sse-codec 0.3 and async-sse 5.1
    // gave the name "".
    stream("event\n\n").gives_nothing();
    stream("event:\ndata: a\n\n").gives([message("a")]);
    stream("event\ndata: a\n\n").gives([message("a")]);
    stream("event: e\nevent\ndata: a\n\n").gives([message("a")]);
}

#[test]
fn a_block_of_one_unknown_field_is_not_an_error() {
    // eventsource-client 0.17 disconnected.
    stream("foo: bar\n\ndata: a\n\n").gives([message("a")]);
    stream("data: a\n\n\u{FEFF}data: b\n\ndata: c\n\n").gives([message("a"), message("c")]);
}

#[test]
fn a_field_called_comment_is_not_a_comment() {
    // eventsource-client 0.17 reported it as one.
    stream("comment: a\n: b\n").with_comments().gives([comment("b")]);
}

#[test]
fn a_bom_is_removed_from_the_first_line_only() {
    // async-sse 5.1 and sse-codec 0.3 stripped it from later lines,
    // fetch-event-source 2.0 from every value.
    stream("data: a\n\n\u{FEFF}data: b\ndata: \u{FEFF}c\n\n")
        .gives([message("a"), message("\u{FEFF}c")]);
}

#[test]
fn an_id_of_a_cut_event_would_skip_that_event() {
    // eventsrc 0.0.2 and fetch-event-source 2.0 resumed after it.
    stream("id: 1\ndata: a\n\nid: 2\ndata: trunc")
        .gives([message("a").with_id("1")])
        .and_last_event_id("1");
}

#[test]
fn an_id_alone_is_not_an_event_and_repeats_none() {
    // httpx-sse 0.4 dispatched an empty event, then one per keep-alive.
    stream("id: 1\n\n:\n\n:\n\n").gives_nothing().and_last_event_id("1");
}

#[test]
fn keep_alives_are_not_messages() {
    // fetch-event-source 2.0 gave an empty message for each.
    stream(":\n\n:\n\ndata: a\n\n:\n\n").gives([message("a")]);
}

#[test]
fn a_bare_data_line_before_another_counts() {
    // fetch-event-source 2.0 gave "x".
    stream("data\ndata: x\n\n").gives([message("\nx")]);
}

#[test]
fn an_empty_event_is_not_lost() {
    // reqwest-sse 0.2 lost it.
    stream("data:\n\ndata\n\n").gives([message(""), message("")]);
}

#[test]
fn an_event_id_line_resets_by_itself_and_with_a_colon() {
    // async-sse 5.1 and sse-codec 0.3 ignored the bare line.
    stream("id: 1\n\nid\n\n").gives_nothing().and_last_event_id("");
    stream("id: 1\n\nid:\n\n").gives_nothing().and_last_event_id("");
}

#[test]
fn a_space_before_the_retry_digits_is_the_one_that_is_removed() {
    // async-sse 5.1 and sse-codec 0.3 ignored "retry: 3000".
    stream("retry: 3000\n\n").gives_nothing().and_retry(3000);
    stream("retry:  3000\n\n").gives_nothing().and_no_retry();
}

#[test]
fn a_retry_is_in_milliseconds_and_the_largest_one_does_not_panic() {
    // async-sse 5.1 took seconds, and panicked.
    stream("retry:3000\n\n").gives_nothing().and_retry(3000);
    stream("retry:18446744073709551615\n\n").gives_nothing().and_retry(u64::MAX);
}

#[test]
fn a_retry_beyond_32_and_64_bits_is_not_ignored() {
    // sse-core 0.2 and sseer 0.3 ignored them.
    stream("retry: 4294967296\n\n").gives_nothing().and_retry(1 << 32);
    stream("retry: 18446744073709551616\n\n").gives_nothing().and_retry(u64::MAX);
}

#[test]
fn a_retry_without_data_is_not_dropped() {
    // sseer 0.3, eventsource-stream 0.2 and eventsource-client 0.17 dropped it.
    stream("retry: 500\n\ndata: a\n\n").gives([message("a")]).and_retry(500);
}

#[test]
fn a_signed_or_foreign_retry_is_not_accepted() {
    // Those three took "+5", httpx-sse 0.4 "-5", "1_000" and Arabic digits,
    // fetch-event-source 2.0 "5abc".
    for value in ["+5", "-5", "1_000", "\u{661}\u{660}", "5abc"] {
        stream(format!("retry: {value}\n\n")).gives_nothing().and_no_retry();
    }
}

#[test]
fn a_retry_before_the_end_is_not_lost() {
    // undici 7.30 applied it at the blank line only.
    stream("retry: 100\n").gives_nothing().and_retry(100);
}

#[test]
fn ids_stay_from_event_to_event() {
    // eventsource 4.1 gave "" for the second.
    stream("id: 1\ndata: a\n\ndata: b\n\n")
        .gives([message("a").with_id("1"), message("b").with_id("1")]);
}

#[test]
fn line_separators_of_unicode_do_not_split_a_line() {
    // httpx-sse used a generic line splitter.
    stream("data: a\u{2028}data: b\x0B\x0Cdata: c\n\n")
        .gives([message("a\u{2028}data: b\x0B\x0Cdata: c")]);
}

#[test]
fn a_blank_line_needs_no_particular_line_ends() {
    // Parsers that search for "\n\n" miss all of these.
    for end in ["\n\n", "\r\r", "\r\n\r\n", "\n\r\n", "\r\n\n", "\n\r", "\r\n\r", "\r\r\n"] {
        stream(format!("data: a{end}data: b{end}")).gives([message("a"), message("b")]);
    }
}

#[test]
fn an_event_may_be_as_large_as_a_list_of_tools() {
    // Other parsers stopped silently at 64 KiB and at 512 KiB. `limits.rs` tests the default limit.
    let data = "{\"tools\":[]}".repeat(20);
    stream(format!("event: message\ndata: {data}\nid: 1\n\n")).gives([Seen::Event {
        event: "message".to_owned(),
        data,
        id: "1".to_owned(),
    }]);
}
