//! Compares each chunking with the whole stream, without the model. It also compares each prefix
//! that ends with a chunk, and runs in which only some frames are taken.
#![no_main]

#[path = "../support.rs"]
mod support;

use libfuzzer_sys::{Corpus, fuzz_target};
use support::chunking::{FACES, feed, feed_and_take, lending, parser, show};
use support::model::{Outcome, Settings};
use support::streams::Sample;
use support::{compare, sample};

fuzz_target!(|input: &[u8]| -> Corpus {
    let Some(mut sample) = sample(input) else { return Corpus::Reject };
    each_part_is_as_if_it_came_whole(&sample);
    frames_that_are_not_taken_change_nothing(&sample);

    // The moment at which an incomplete line is discarded may depend on the chunks. With a line end
    // all chunkings agree.
    sample.bytes.extend(b"\n\n");
    every_chunking_is_the_same(&sample);
    Corpus::Keep
});

fn every_chunking_is_the_same(sample: &Sample) {
    let whole = lending(&[&sample.bytes], &sample.settings);
    let mut spaced = Vec::new();
    for chunk in sample.chunks() {
        spaced.extend([chunk, b""]);
    }
    let mut chunkings = vec![vec![&*sample.bytes], sample.chunks(), spaced];
    if sample.bytes.len() <= 500 {
        chunkings.push(sample.bytes.chunks(1).collect());
        chunkings.extend([2, 3].map(|length| sample.bytes.chunks(length).collect()));
    }
    for chunks in chunkings {
        for (face, read) in FACES {
            let got = read(&chunks, &sample.settings);
            let what = format!("the {face} face");
            compare(&what, &chunks, &sample.settings, &got, std::slice::from_ref(&whole));
        }
    }
}

fn each_part_is_as_if_it_came_whole(sample: &Sample) {
    const PARTS: usize = 50;

    let settings = Settings { limit: usize::MAX, ..sample.settings.clone() };
    let mut parser = parser(&settings);
    let mut seen = Vec::new();
    let mut fed = 0;
    let chunks = sample.chunks();
    for (index, chunk) in chunks.iter().take(PARTS).enumerate() {
        seen.extend(feed(&mut parser, chunk));
        fed += chunk.len();
        let last_event_id = parser.last_event_id().to_owned();
        let got = Outcome { seen, last_event_id, retry: parser.retry() };
        let whole = lending(&[&sample.bytes[..fed]], &settings);
        compare("the part", &chunks[..=index], &settings, &got, &[whole]);
        seen = got.seen;
    }
}

fn frames_that_are_not_taken_change_nothing(sample: &Sample) {
    let mut patient = parser(&sample.settings);
    let mut hasty = parser(&sample.settings);
    for (index, chunk) in sample.chunks().iter().enumerate() {
        let all = feed(&mut patient, chunk);
        let count = (index * 7 + chunk.len()) % (all.len() + 1);
        let some = feed_and_take(&mut hasty, chunk, count);
        assert!(
            some == all[..count]
                && hasty.last_event_id() == patient.last_event_id()
                && hasty.retry() == patient.retry(),
            "chunk {index} differs\n    fed: {}\n   with: {:?}\n    got: {some:?}\n wanted: {count} of {all:?}",
            show(&sample.chunks()),
            sample.settings,
        );
    }
}
