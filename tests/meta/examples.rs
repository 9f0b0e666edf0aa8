//! Tests of the examples that read input. `ci/examples` runs the others.

use crate::support::examples;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;

/// Runs `stdin` on these pieces of input.
fn stdin_example(pieces: &[&[u8]]) -> Output {
    static EXAMPLE: OnceLock<PathBuf> = OnceLock::new();
    let example = EXAMPLE.get_or_init(|| examples::path("stdin"));
    let mut command = Command::new(example);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the example starts");
    let mut stdin = child.stdin.take().unwrap();
    for piece in pieces {
        stdin.write_all(piece).unwrap();
    }
    drop(stdin);
    child.wait_with_output().unwrap()
}

#[track_caller]
fn stdout(output: &Output) -> &str {
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
    std::str::from_utf8(&output.stdout).unwrap()
}

#[test]
fn stdin_prints_the_events_of_its_input_and_ends_with_it() {
    let output = stdin_example(&[
        b"\xEF\xBB\xBF: hi\r\nid: 7\r\nevent: greeting\r\nda",
        b"ta: hello\ndata: \x1b[2Jworld\xff\n",
        b"\nretry: 1\n\ndata: again\n\nid: 8\ndata: cut off",
    ]);
    assert_eq!(
        stdout(&output),
        ": \"hi\"\n\
         \"7\" \"greeting\" \"hello\\n\\u{1b}[2Jworld\u{fffd}\"\n\
         \"7\" \"message\" \"again\"\n\
         2 events, 1 comment, last event ID \"7\"\n"
    );
}

#[test]
fn stdin_without_input_says_what_it_is_for() {
    let output = stdin_example(&[]);
    let said = stdout(&output);
    assert!(said.contains("cargo run --no-default-features --example stdin"), "{said}");
    assert!(said.ends_with("\n0 events, 0 comments, last event ID \"\"\n"), "{said}");
}

#[test]
fn stdin_ends_quietly_when_its_reader_is_gone() {
    let mut command = Command::new(examples::path("stdin"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the example starts");
    drop(child.stdout.take());
    child.stdin.take().unwrap().write_all(b"data: hello\n\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
}

/// The example `serve`, which is killed at the end of the test.
struct Serve(Child);

impl Drop for Serve {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn hello_prints_all_events_of_serve_over_two_connections_and_ends() {
    let mut command = Command::new(examples::path("serve"));
    let mut serve = Serve(
        command.args(["127.0.0.1:0", "5"]).stdout(Stdio::piped()).spawn().expect("serve starts"),
    );
    let mut url = String::new();
    BufReader::new(serve.0.stdout.take().unwrap()).read_line(&mut url).unwrap();
    let output = Command::new(examples::path("hello")).arg(url.trim()).output().unwrap();
    let mut lines = stdout(&output).lines();
    for connection in [1..=5, 6..=10] {
        assert_eq!(lines.next(), Some("open"));
        for number in connection {
            assert_eq!(lines.next(), Some(&*format!("tick: number {number}")));
        }
        assert!(lines.next().unwrap().starts_with("reconnecting: "), "{output:?}");
    }
    assert_eq!(lines.next(), Some("the server has no more events"));
    assert_eq!(lines.next(), None);
}
