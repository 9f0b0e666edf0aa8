//! Compares both parsers with the model of the standard.
#![no_main]

#[path = "../support.rs"]
mod support;

use libfuzzer_sys::{Corpus, fuzz_target};
use support::chunking::FACES;
use support::{compare, model, sample};

fuzz_target!(|input: &[u8]| -> Corpus {
    let Some(sample) = sample(input) else { return Corpus::Reject };
    let chunks = sample.chunks();
    let allowed = model::outcomes(&sample.bytes, &sample.settings);
    for (face, read) in FACES {
        let got = read(&chunks, &sample.settings);
        compare(&format!("the {face} face"), &chunks, &sample.settings, &got, &allowed);
    }
    Corpus::Keep
});
