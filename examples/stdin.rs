//! Parses an event stream from standard input, without async, a runtime or HTTP. Any other source
//! of bytes works the same way.
//!
//! ```sh
//! curl -sN http://localhost:8080/events | cargo run --no-default-features --example stdin
//! printf 'id: 7\ndata: hello\n\n' | cargo run --no-default-features --example stdin
//! ```

use everstream::{Frame, Parser};
use std::io::{self, BufWriter, IsTerminal, Read, Write};
use std::process::ExitCode;

const NO_INPUT: &str = "\
This example reads an event stream from standard input, and there is none. Pipe one in:

    curl -sN http://localhost:8080/events | cargo run --no-default-features --example stdin
    printf 'id: 7\\ndata: hello\\n\\n' | cargo run --no-default-features --example stdin

";

fn main() -> ExitCode {
    let (stdin, stdout) = (io::stdin(), io::stdout());
    let read = if stdin.is_terminal() {
        read(io::empty(), stdout.lock())
    } else {
        read(stdin.lock(), stdout.lock())
    };
    match read {
        Ok(()) => ExitCode::SUCCESS,
        // The reader closed the pipe, as in `stdin | head`.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("stdin: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Prints the events of `input` until it ends.
fn read(mut input: impl Read, output: impl Write) -> io::Result<()> {
    let mut output = BufWriter::new(output);
    let mut parser = Parser::new().with_comments(true);
    let mut chunk = [0; 16 * 1024];
    let (mut bytes, mut events, mut comments) = (0, 0, 0);
    loop {
        let length = match input.read(&mut chunk) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        bytes += length;
        let mut frames = parser.feed(&chunk[..length]);
        while let Some(frame) = frames.next() {
            match frame {
                // `{:?}` escapes control characters, which could take over the terminal.
                Frame::Message(event) => {
                    events += 1;
                    let (id, event, data) = (event.id(), event.event(), event.data());
                    writeln!(output, "{id:?} {event:?} {data:?}")?;
                }
                Frame::Comment(comment) => {
                    comments += 1;
                    writeln!(output, ": {comment:?}")?;
                }
                Frame::Discarded(discarded) => writeln!(output, "{discarded}")?,
                _ => {}
            }
        }
        output.flush()?; // before it waits for more
    }
    // An event without its blank line is dropped at the end of the input.
    if bytes == 0 {
        output.write_all(NO_INPUT.as_bytes())?;
    }
    let s = |count| if count == 1 { "" } else { "s" };
    let last_event_id = parser.last_event_id();
    writeln!(
        output,
        "{events} event{}, {comments} comment{}, last event ID {last_event_id:?}",
        s(events),
        s(comments),
    )?;
    output.flush()
}
