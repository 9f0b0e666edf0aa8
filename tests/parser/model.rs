//! Compares both parsers with the model: random streams, in random chunks, with random settings.
//!
//! `EVERSTREAM_RANDOM_STREAMS=1000000` sets the number of streams, and `EVERSTREAM_RANDOM_SEED=7`
//! the first seed. A failure prints its seed and its stream, shortened as far as possible.

use std::env;
use std::panic::{AssertUnwindSafe, catch_unwind};

use fastrand::Rng;

use crate::support::chunking::{FACES, feed, feed_and_take, parser, show};
use crate::support::model::{Outcome, Settings, outcomes};
use crate::support::streams::Sample;

const STREAMS: u64 = 20_000;

/// A function that checks the reading of a sample.
type Check = fn(&Sample) -> Result<(), String>;

#[track_caller]
fn check_random_streams(check: Check) {
    let variable = |name: &str| env::var(name).ok().map(|value| value.parse::<u64>().expect(name));
    let streams = variable("EVERSTREAM_RANDOM_STREAMS").unwrap_or(STREAMS);
    let first_seed = variable("EVERSTREAM_RANDOM_SEED").unwrap_or(0);

    for seed in first_seed..first_seed + streams {
        let sample = Sample::random(&mut Rng::with_seed(seed));
        if verdict(check, &sample).is_err() {
            let short = shrink(check, sample);
            panic!(
                "seed {seed}, shortened\n  bytes: {}\n    fed: {}\n   with: {:?}\n{}",
                short.bytes.escape_ascii(),
                show(&short.chunks()),
                short.settings,
                verdict(check, &short).expect_err("a shortened failure still fails")
            );
        }
    }
}

/// Runs a check. A panic counts as a failure, so that its sample is shortened too.
fn verdict(check: Check, sample: &Sample) -> Result<(), String> {
    catch_unwind(AssertUnwindSafe(|| check(sample)))
        .unwrap_or_else(|_| Err("it panicked, see above".to_owned()))
}

/// Removes bytes, cuts and settings while the sample still fails.
fn shrink(check: Check, mut sample: Sample) -> Sample {
    loop {
        let fails = |candidate: &Sample| verdict(check, candidate).is_err();
        let Some(shorter) = shorter(&sample).find(fails) else {
            return sample;
        };
        sample = shorter;
    }
}

/// Returns samples that are simpler by one step, the largest steps first.
fn shorter(sample: &Sample) -> impl Iterator<Item = Sample> {
    let length = sample.bytes.len();
    let lengths = std::iter::successors(Some(length / 2), |length| Some(length / 2))
        .take_while(|&length| length > 0);
    let fewer_bytes = lengths.flat_map(move |taken| {
        let starts = (0..=length - taken).rev().step_by(taken);
        starts.map(move |start| sample.without(start, taken))
    });

    let fewer_cuts = (0..sample.cuts.len()).map(|index| {
        let mut fewer = sample.clone();
        fewer.cuts.remove(index);
        fewer
    });

    let Settings { limit, comments, updates, last_event_id, sizes } = Settings::default();
    let settings = [
        Settings { limit, ..sample.settings.clone() },
        Settings { comments, ..sample.settings.clone() },
        Settings { updates, ..sample.settings.clone() },
        Settings { last_event_id, ..sample.settings.clone() },
        Settings { sizes, ..sample.settings.clone() },
    ];
    let is_other =
        |settings: &Settings| format!("{settings:?}") != format!("{:?}", sample.settings);
    let plainer_settings: Vec<_> = settings
        .into_iter()
        .filter(is_other)
        .map(|settings| Sample { settings, ..sample.clone() })
        .collect();

    fewer_bytes.chain(fewer_cuts).chain(plainer_settings)
}

/// Fails unless the outcome is allowed.
fn compare(what: &str, got: &Outcome, allowed: &[Outcome]) -> Result<(), String> {
    if allowed.contains(got) {
        return Ok(());
    }
    let wanted: Vec<_> = allowed.iter().map(|outcome| format!(" wanted: {outcome:?}")).collect();
    Err(format!("{what} differs\n    got: {got:?}\n{}", wanted.join("\n     or\n")))
}

#[test]
fn both_faces_see_what_the_standard_says() {
    check_random_streams(|sample| {
        let allowed = outcomes(&sample.bytes, &sample.settings);
        for (face, read) in FACES {
            let got = read(&sample.chunks(), &sample.settings);
            compare(&format!("the {face} face"), &got, &allowed)?;
        }
        Ok(())
    });
}

#[test]
fn after_each_chunk_all_complete_frames_are_yielded() {
    check_random_streams(|sample| {
        let mut parser = parser(&sample.settings);
        let mut seen = Vec::new();
        let mut fed = 0;
        // The model reads the stream again for each chunk.
        let stride = sample.cuts.len() / 8 + 1;
        for (index, chunk) in sample.chunks().iter().enumerate() {
            seen.extend(feed(&mut parser, chunk));
            fed += chunk.len();
            if index % stride == 0 {
                let got = Outcome {
                    seen: seen.clone(),
                    last_event_id: parser.last_event_id().to_owned(),
                    retry: parser.retry(),
                };
                let allowed = outcomes(&sample.bytes[..fed], &sample.settings);
                compare(&format!("after {fed} bytes, the lending face"), &got, &allowed)?;
            }
        }
        Ok(())
    });
}

#[test]
fn frames_that_are_not_taken_are_skipped_and_nothing_else() {
    check_random_streams(|sample| {
        let chunks = sample.chunks();
        let mut patient = parser(&sample.settings);
        let mut hasty = parser(&sample.settings);
        for (index, chunk) in chunks.iter().enumerate() {
            let all = feed(&mut patient, chunk);
            // A number that only depends on the sample.
            let count = (index * 7 + chunk.len()) % (all.len() + 1);
            let some = feed_and_take(&mut hasty, chunk, count);
            let same = some == all[..count]
                && hasty.last_event_id() == patient.last_event_id()
                && hasty.retry() == patient.retry();
            if !same {
                return Err(format!(
                    "chunk {index} differs\n    got: {some:?}\n wanted: {count} of {all:?}"
                ));
            }
        }
        Ok(())
    });
}

#[test]
fn after_a_reset_a_stream_is_read_as_by_a_new_parser() {
    check_random_streams(|sample| {
        // The first connection sends the stream up to its first cut, and the second sends all of
        // it.
        let first = &sample.bytes[..sample.cuts.first().copied().unwrap_or(sample.bytes.len())];
        let mut parser = parser(&sample.settings);
        feed(&mut parser, first);
        let last_event_id = parser.last_event_id().to_owned();
        let retry = parser.retry();
        parser.reset();

        let settings = Settings { last_event_id, ..sample.settings.clone() };
        let mut allowed = outcomes(&sample.bytes, &settings);
        for outcome in &mut allowed {
            outcome.start_with_retry(retry);
        }
        let mut seen = Vec::new();
        for chunk in sample.chunks() {
            seen.extend(feed(&mut parser, chunk));
        }
        let got = Outcome {
            seen,
            last_event_id: parser.last_event_id().to_owned(),
            retry: parser.retry(),
        };
        compare(
            &format!("after \"{}\" and a reset, the stream", first.escape_ascii()),
            &got,
            &allowed,
        )
    });
}
