//! Compares the borrowing parser with owned events, chunk by chunk: the frames, the last event ID
//! after each, and the reconnection time. The source idles between chunks. The events are dropped
//! or kept, one by one or in part.
#![no_main]

#[path = "../support.rs"]
mod support;

use everstream::{EventStream, OwnedFrame};
use futures_util::{FutureExt, StreamExt};
use libfuzzer_sys::{Corpus, fuzz_target};
use support::chunking::{FACES, feed, parser, seen_owned, show};
use support::model::Seen;
use support::streams::Sample;
use support::{compare, hesitant, sample};

fuzz_target!(|input: &[u8]| -> Corpus {
    let Some(sample) = sample(input) else { return Corpus::Reject };
    let chunks = sample.chunks();
    let [lent, owned] = FACES.map(|(_, read)| read(&chunks, &sample.settings));
    compare("the owned face", &chunks, &sample.settings, &owned, &[lent]);
    for held in [|_| true, |_| false, |number| number % 3 == 1] {
        chunk_by_chunk(&sample, held);
    }
    Corpus::Keep
});

/// Keeps the owned frames for whose number `held` returns true.
fn chunk_by_chunk(sample: &Sample, held: fn(usize) -> bool) {
    let chunks = sample.chunks();
    let told = |index: usize| {
        format!("chunk {index} differs\n    fed: {}\n   with: {:?}", show(&chunks), sample.settings)
    };

    let mut parser = parser(&sample.settings);
    let mut events = EventStream::new(hesitant(&chunks))
        .with_max_event_size(sample.settings.limit)
        .with_comments(sample.settings.comments)
        .with_updates(sample.settings.updates)
        .with_sizes(sample.settings.sizes)
        .with_last_event_id(&sample.settings.last_event_id);
    assert!(events.next().now_or_never().is_none(), "the source is pending at first");

    let mut alive: Vec<(OwnedFrame, Seen)> = Vec::new();
    let mut number = 0;
    for (index, chunk) in chunks.iter().enumerate() {
        for lent in feed(&mut parser, chunk) {
            let Some(Some(Ok(frame))) = events.next().now_or_never() else {
                panic!("{}\n  lacks: {lent:?}", told(index));
            };
            assert_eq!(seen_owned(frame.clone()), lent, "{}", told(index));
            if let Seen::Event { id, .. } = &lent {
                assert_eq!(events.last_event_id(), id, "{}", told(index));
            }
            if held(number) {
                alive.push((frame, lent));
            }
            number += 1;
        }
        let more = events.next().now_or_never();
        assert!(more.is_none(), "{}\n    too: {more:?}", told(index));
        assert_eq!(events.last_event_id(), parser.last_event_id(), "{}", told(index));
        assert_eq!(events.retry(), parser.retry(), "{}", told(index));
    }
    assert!(matches!(events.next().now_or_never(), Some(None)), "the source has ended");
    for (frame, lent) in alive {
        assert_eq!(seen_owned(frame), lent, "an event that was held has changed");
    }
}
