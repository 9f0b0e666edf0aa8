//! The program whose instructions `ci/instructions` counts. `instructions SCENARIO CHUNK FACE
//! PASSES` parses the stream of a scenario `PASSES` times in chunks of `CHUNK` bytes, by the
//! `lending` (borrowing) or the `owned` parser, and prints the number of events.
//!
//! The difference between two runs with different `PASSES` contains only the passes, so the
//! profiler needs no markers.

use bytes::Bytes;
use everstream::{EventStream, Frame, OwnedFrame, Parser};
use fastrand::Rng;
use futures_util::{FutureExt, StreamExt, stream};
use std::convert::Infallible;
use std::env;
use std::hint::black_box;
use std::process::exit;

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--bench") {
        println!("instructions are counted by ci/instructions");
        return;
    }
    let Some(events) = run(&arguments) else {
        eprintln!("usage: instructions llm|tiny|mixed CHUNK lending|owned PASSES");
        exit(2);
    };
    println!("{events}");
}

/// Returns the number of events, or `None` if the arguments are invalid.
fn run(arguments: &[String]) -> Option<usize> {
    let [scenario, chunk, face, passes] = arguments else { return None };
    let event = match &**scenario {
        "llm" => llm,
        "tiny" => tiny,
        "mixed" => mixed,
        _ => return None,
    };
    let chunk = chunk.parse().ok().filter(|&chunk: &usize| chunk > 0)?;
    let read = match &**face {
        "lending" => lend,
        "owned" => own,
        _ => return None,
    };
    let passes: usize = passes.parse().ok()?;

    let stream = repeated(event);
    let chunks: Vec<Bytes> = stream.chunks(chunk).map(Bytes::copy_from_slice).collect();
    Some((0..passes).map(|_| read(black_box(&chunks))).sum())
}

/// Returns 256 KiB of this kind of event, equal in every run.
fn repeated(event: fn(&mut Rng) -> String) -> Vec<u8> {
    let mut rng = Rng::with_seed(1);
    let mut stream = String::new();
    while stream.len() < 256 * 1024 {
        stream += &event(&mut rng);
    }
    stream.into_bytes()
}

/// Returns a delta of a chat, as JSON.
fn llm(rng: &mut Rng) -> String {
    let (id, time, delta) = (text(rng, 29..30), rng.u32(1 << 30..), text(rng, 1..60));
    format!(
        "data: {{\"id\":\"chatcmpl-{id}\",\"object\":\"chat.completion.chunk\",\
         \"created\":{time},\"model\":\"m-1\",\"choices\":[{{\"index\":0,\
         \"delta\":{{\"content\":\"{delta}\"}},\"finish_reason\":null}}]}}\n\n"
    )
}

fn tiny(_: &mut Rng) -> String {
    "data: x\n\n".to_owned()
}

/// Returns a random event of any kind: those above, with a type and an ID, of several lines, with
/// CRLF, with non-ASCII text, a comment, or rarely a large one.
fn mixed(rng: &mut Rng) -> String {
    let data = text(rng, 30..90);
    match rng.u8(..120) {
        0 => format!("data: {}\n\n", text(rng, 20_000..40_000)),
        1..20 => llm(rng),
        20..40 => tiny(rng),
        40..60 => format!("id: {}\nevent: price\ndata: {data}\n\n", rng.u32(..)),
        60..80 => format!("data: {data}\n").repeat(5) + "\n",
        80..100 => format!("event: trade\r\ndata: {data}\r\n\r\n"),
        100..110 => format!("data: {data} 你好, 世界…\n\n"),
        _ => ": keep-alive\n\n".to_owned(),
    }
}

fn text(rng: &mut Rng, length: std::ops::Range<usize>) -> String {
    (0..rng.usize(length)).map(|_| rng.lowercase()).collect()
}

fn lend(chunks: &[Bytes]) -> usize {
    let mut parser = Parser::new();
    let mut events = 0;
    for chunk in chunks {
        let mut frames = parser.feed(chunk);
        while let Some(frame) = frames.next() {
            if let Frame::Message(event) = frame {
                black_box((event.event(), event.data(), event.id()));
                events += 1;
            }
        }
    }
    events
}

fn own(chunks: &[Bytes]) -> usize {
    let source = stream::iter(chunks.iter().cloned().map(Ok::<_, Infallible>));
    let mut frames = EventStream::new(source);
    let mut events = 0;
    loop {
        // The stream sometimes yields to other tasks.
        let Some(next) = frames.next().now_or_never() else { continue };
        let Some(Ok(frame)) = next else { break };
        if let OwnedFrame::Message(event) = frame {
            black_box((event.event(), event.data(), event.id()));
            events += 1;
        }
    }
    events
}
