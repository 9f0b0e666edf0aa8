//! Tests limits of events: zero, small, the largest, the size of the stream, and limits that change
//! in the stream. The frames are compared with the model, and the memory with a bound.
#![no_main]

#[path = "../../support/counting.rs"]
mod counting;
#[path = "../support.rs"]
mod support;

use std::sync::atomic::{AtomicIsize, Ordering::Relaxed};

use everstream::EventStream;
use futures_util::{FutureExt, StreamExt};
use libfuzzer_sys::{Corpus, fuzz_target};
use support::chunking::{FACES, feed, parser, seen_owned, show};
use support::model::{Outcome, Seen, Settings, outcomes};
use support::streams::Sample;
use support::{compare, hesitant, sample};

fuzz_target!(|input: &[u8]| -> Corpus {
    let Some(sample) = sample(input) else { return Corpus::Reject };
    let own = sample.settings.limit;
    let size = sample.bytes.len();
    let limits = [
        0,
        1,
        own.saturating_sub(1),
        own,
        own.saturating_add(1),
        size / 2,
        size,
        i32::MAX as usize,
        isize::MAX as usize,
        usize::MAX - 16,
        usize::MAX,
    ];
    for limit in limits {
        let settings = Settings { limit, ..sample.settings.clone() };
        as_the_model_says(&sample, &settings);
        holds_no_more_than_it_may(&sample, &settings);
    }
    changing_limits(&sample, &limits);
    changing_limits(&sample, &[own / 2, own, 0]);
    Corpus::Keep
});

fn as_the_model_says(sample: &Sample, settings: &Settings) {
    let chunks = sample.chunks();
    let allowed = outcomes(&sample.bytes, settings);
    for (face, read) in FACES {
        let got = read(&chunks, settings);
        compare(&format!("the {face} face"), &chunks, settings, &got, &allowed);
    }
}

/// Asserts the memory between two chunks. A parser holds the partial block, in buffers with up to
/// twice the capacity, and its lines without effect that were not dropped yet. It also holds the
/// last event ID, and four small buffers of up to 4 KiB.
fn holds_no_more_than_it_may(sample: &Sample, settings: &Settings) {
    let bound = settings
        .limit
        .saturating_add(settings.last_event_id.len())
        .saturating_mul(4)
        .saturating_add(4 * settings.sizes.drop_lines)
        .saturating_add(16 * 1024);
    if bound >= sample.bytes.len() * 4 {
        return; // nothing could be beyond it
    }
    let chunks = sample.chunks();
    let before = LIVE.load(Relaxed);
    let mut parser = parser(settings);
    for chunk in &chunks {
        drop(feed(&mut parser, chunk));
        let held = LIVE.load(Relaxed) - before;
        assert!(
            held <= bound as isize,
            "{held} bytes are held, more than {bound}\n    fed: {}\n   with: {settings:?}",
            show(&chunks),
        );
    }
}

/// Sets another limit before each chunk. No event may be over the largest limit, nothing may panic,
/// and after a reset the parser must work normally.
fn changing_limits(sample: &Sample, limits: &[usize]) {
    let chunks = sample.chunks();
    let largest = limits.iter().copied().max().unwrap_or(0);
    let check = |seen: &[Seen]| {
        for seen in seen {
            let size = match seen {
                Seen::Event { data, .. } => data.len(),
                Seen::Comment(text) => text.len(),
                Seen::Discarded { .. } | Seen::Update { .. } => 0,
            };
            // An ill-formed byte is received as one byte and decoded to three.
            assert!(
                size <= largest.saturating_mul(3),
                "{seen:?} is larger than {limits:?}: {}",
                show(&chunks)
            );
        }
    };

    let mut parser = parser(&sample.settings);
    let mut events = EventStream::new(hesitant(&chunks))
        .with_comments(sample.settings.comments)
        .with_updates(sample.settings.updates)
        .with_sizes(sample.settings.sizes)
        .with_last_event_id(&sample.settings.last_event_id);
    assert!(events.next().now_or_never().is_none(), "the source is pending at first");
    for (chunk, &limit) in chunks.iter().zip(limits.iter().cycle()) {
        parser = parser.with_max_event_size(limit);
        let lent = feed(&mut parser, chunk);
        check(&lent);

        events = events.with_max_event_size(limit);
        let mut owned = Vec::new();
        while let Some(Some(Ok(frame))) = events.next().now_or_never() {
            owned.push(seen_owned(frame));
        }
        assert_eq!(
            owned,
            lent,
            "limit {limit} of {limits:?}, {:?}: {}",
            sample.settings,
            show(&chunks)
        );
    }

    parser = parser.with_max_event_size(sample.settings.limit);
    parser.reset();
    let last_event_id = parser.last_event_id().to_owned();
    let retry = parser.retry();
    let settings = Settings { last_event_id, ..sample.settings.clone() };
    let mut allowed = outcomes(&sample.bytes, &settings);
    for outcome in &mut allowed {
        outcome.start_with_retry(retry);
    }
    let seen = chunks.iter().flat_map(|chunk| feed(&mut parser, chunk)).collect();
    let last_event_id = parser.last_event_id().to_owned();
    let got = Outcome { seen, last_event_id, retry: parser.retry() };
    compare("after a reset, the stream", &chunks, &settings, &got, &allowed);
}

/// The bytes that are allocated.
static LIVE: AtomicIsize = AtomicIsize::new(0);

fn count(change: isize) {
    LIVE.fetch_add(change, Relaxed);
}
