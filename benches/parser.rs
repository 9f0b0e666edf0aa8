//! A benchmark of the parser, for daily work: `cargo bench --bench parser`.
//!
//! `long_line` shows that the cost of a line hardly depends on the number of its chunks: 1 MiB in
//! chunks of 64 bytes must cost at most three times as much as in chunks of 64 KiB. `benches/peers`
//! compares the crate with others.

use bytes::Bytes;
use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use everstream::{EventStream, Frame, OwnedFrame, Parser};
use futures_util::stream;
use futures_util::{FutureExt, StreamExt};
use std::convert::Infallible;

fn main() {
    divan::main();
}

const CHUNKS: [usize; 3] = [64 * 1024, 1460, 100];

/// Returns about 256 KiB of one kind of event.
fn repeated(event: &str) -> Vec<u8> {
    event.repeat((256 * 1024 / event.len()).max(1)).into_bytes()
}

fn llm() -> Vec<u8> {
    repeated(concat!(
        "data: {\"id\":\"chatcmpl-9xK2\",\"object\":\"chat.completion.chunk\",\"created\":1763,",
        "\"model\":\"m-1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" token\"},",
        "\"finish_reason\":null}]}\n\n"
    ))
}

fn tiny() -> Vec<u8> {
    repeated("data: x\n\n")
}

fn ids() -> Vec<u8> {
    repeated("id: 1763-0\nevent: price\ndata: {\"symbol\":\"EVR\",\"price\":12.5}\n\n")
}

fn lend(parser: &mut Parser, bytes: &[u8], chunk: usize) -> usize {
    let mut total = 0;
    for chunk in bytes.chunks(chunk) {
        let mut frames = parser.feed(black_box(chunk));
        while let Some(frame) = frames.next() {
            if let Frame::Message(event) = frame {
                total += event.event().len() + event.data().len() + event.id().len();
            }
        }
    }
    total
}

fn own(chunks: &[Bytes]) -> usize {
    let source = stream::iter(chunks.iter().cloned().map(Ok::<_, Infallible>));
    let mut events = EventStream::new(source);
    let mut total = 0;
    while let Some(Some(Ok(frame))) = events.next().now_or_never() {
        if let OwnedFrame::Message(event) = frame {
            total += event.event().len() + event.data().len() + event.id().len();
        }
    }
    total
}

fn bench_lending(bencher: Bencher<'_, '_>, bytes: Vec<u8>, chunk: usize) {
    let mut parser = Parser::new();
    bencher.counter(BytesCount::new(bytes.len())).bench_local(|| lend(&mut parser, &bytes, chunk));
}

fn bench_owned(bencher: Bencher<'_, '_>, bytes: Vec<u8>, chunk: usize) {
    let chunks: Vec<Bytes> = bytes.chunks(chunk).map(Bytes::copy_from_slice).collect();
    bencher.counter(BytesCount::new(bytes.len())).bench_local(|| own(black_box(&chunks)));
}

#[divan::bench(args = CHUNKS)]
fn lending_llm(bencher: Bencher<'_, '_>, chunk: usize) {
    bench_lending(bencher, llm(), chunk);
}

#[divan::bench(args = CHUNKS)]
fn lending_tiny(bencher: Bencher<'_, '_>, chunk: usize) {
    bench_lending(bencher, tiny(), chunk);
}

#[divan::bench(args = CHUNKS)]
fn lending_ids(bencher: Bencher<'_, '_>, chunk: usize) {
    bench_lending(bencher, ids(), chunk);
}

#[divan::bench(args = CHUNKS)]
fn owned_llm(bencher: Bencher<'_, '_>, chunk: usize) {
    bench_owned(bencher, llm(), chunk);
}

#[divan::bench(args = CHUNKS)]
fn owned_tiny(bencher: Bencher<'_, '_>, chunk: usize) {
    bench_owned(bencher, tiny(), chunk);
}

#[divan::bench(args = CHUNKS)]
fn owned_ids(bencher: Bencher<'_, '_>, chunk: usize) {
    bench_owned(bencher, ids(), chunk);
}

#[divan::bench(args = [64 * 1024, 64])]
fn long_line(bencher: Bencher<'_, '_>, chunk: usize) {
    let mut bytes = b"data: ".to_vec();
    bytes.resize(1024 * 1024, b'x');
    bytes.extend_from_slice(b"\n\n");
    bench_lending(bencher, bytes, chunk);
}
