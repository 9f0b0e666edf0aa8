//! Random event streams, and random ways to read them.

use fastrand::Rng;

use everstream::Sizes;

use super::model::Settings;

/// A stream, its chunks, and the settings to read it with.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub(crate) bytes: Vec<u8>,
    /// The ends of the chunks, in ascending order. An end that is repeated is an empty chunk.
    pub(crate) cuts: Vec<usize>,
    pub(crate) settings: Settings,
}

impl Sample {
    pub(crate) fn random(rng: &mut Rng) -> Sample {
        let bytes = stream(rng);
        let cuts = cuts(rng, bytes.len());
        Sample { bytes, cuts, settings: settings(rng) }
    }

    pub(crate) fn chunks(&self) -> Vec<&[u8]> {
        let mut start = 0;
        let mut chunks = Vec::new();
        for &end in self.cuts.iter().chain([&self.bytes.len()]) {
            chunks.push(&self.bytes[start..end]);
            start = end;
        }
        chunks
    }

    /// Returns the sample without some of its bytes.
    pub(crate) fn without(&self, start: usize, length: usize) -> Sample {
        let mut shorter = self.clone();
        shorter.bytes.drain(start..start + length);
        for cut in &mut shorter.cuts {
            *cut -= cut.saturating_sub(start).min(length);
        }
        shorter
    }
}

/// Returns a random stream, mostly of up to 200 bytes, and sometimes longer than a batch of the
/// scanner.
pub(crate) fn stream(rng: &mut Rng) -> Vec<u8> {
    let length = match rng.u8(..) {
        0..=3 => rng.usize(..4000),
        4..=63 => rng.usize(..40),
        _ => rng.usize(..200),
    };
    let mut bytes = Vec::new();
    if rng.u8(..8) == 0 {
        bytes.extend(b"\xEF\xBB\xBF");
    }
    // Many streams use one kind of line end.
    let usual_end = *pick(rng, &[Some("\n"), Some("\r"), Some("\r\n"), None, None]);
    while bytes.len() < length {
        match rng.u8(..16) {
            // Lines that servers send.
            0..=3 => event(rng, &mut bytes, usual_end),
            // Bytes similar to a line.
            4..=12 => {
                name(rng, &mut bytes);
                bytes.extend(pick(rng, &["", ":", ": ", ": ", ": ", ":  ", " :", "::"]).bytes());
                value(rng, &mut bytes);
                line_end(rng, &mut bytes, usual_end);
            }
            // A line end, which may complete a blank line.
            13 => line_end(rng, &mut bytes, usual_end),
            14 => bytes.extend(
                pick(rng, &["\n\n", "\r\r", "\r\n\r\n", "\n\r", "\r\r\n", "\r\n\n"]).bytes(),
            ),
            // Anything.
            _ => value(rng, &mut bytes),
        }
    }
    if rng.bool() {
        bytes.truncate(length);
    }
    bytes
}

fn event(rng: &mut Rng, bytes: &mut Vec<u8>, usual_end: Option<&str>) {
    // The percentage of events with such a line.
    for (start, share) in
        [("retry: ", 10), ("event: ", 30), ("id: ", 30), ("data: ", 90), ("data: ", 25)]
    {
        if rng.u8(..100) < share {
            bytes.extend(start.bytes());
            if start == "retry: " {
                digits(rng, bytes);
            } else {
                bytes.extend((0..rng.usize(..12)).map(|_| rng.alphanumeric() as u8));
            }
            line_end(rng, bytes, usual_end);
        }
    }
    line_end(rng, bytes, usual_end);
}

fn digits(rng: &mut Rng, bytes: &mut Vec<u8>) {
    bytes.extend(std::iter::repeat_n(b'0', rng.usize(..3)));
    bytes.extend((0..rng.usize(..24)).map(|_| rng.digit(10) as u8));
}

fn line_end(rng: &mut Rng, bytes: &mut Vec<u8>, usual_end: Option<&str>) {
    let any = *pick(rng, &["\n", "\r", "\r\n"]);
    bytes.extend(usual_end.unwrap_or(any).bytes());
}

/// Returns a field's name, or a similar one.
fn name(rng: &mut Rng, bytes: &mut Vec<u8>) {
    let field = *pick(rng, &["data", "data", "data", "event", "id", "id", "retry", "", "foo"]);
    match rng.u8(..24) {
        0 => bytes.extend(field.bytes().take(rng.usize(..=field.len()))),
        1 => bytes.extend(field.to_uppercase().bytes()),
        2 => {
            bytes.extend(field.bytes());
            bytes.push(*pick(rng, b"x \0\xFF_2s"));
        }
        3 => {
            bytes.push(*pick(rng, b"x \0\xFF\xEF\t"));
            bytes.extend(field.bytes());
        }
        4 => {
            bytes.extend(b"\xEF\xBB\xBF");
            bytes.extend(field.bytes());
        }
        _ => bytes.extend(field.bytes()),
    }
}

fn value(rng: &mut Rng, bytes: &mut Vec<u8>) {
    for _ in 0..rng.usize(..4) {
        match rng.u8(..16) {
            0..=2 => bytes.extend(std::iter::repeat_n(b'x', rng.usize(..10))),
            3 => bytes.extend(std::iter::repeat_n(*pick(rng, b"a0 :\xFF"), run(rng))),
            4 => bytes.push(0),
            5 => bytes.push(b' '),
            6 => bytes.push(b':'),
            7 => bytes.push(rng.u8(..)),
            8..=9 => digits(rng, bytes),
            10..=11 => bytes.extend(rng.char(..).to_string().bytes()),
            12 => {
                let character = *pick(
                    rng,
                    &["é", "…", "😀", "\u{2028}", "\u{85}", "\u{FEFF}", "\u{10FFFF}", "\u{FFFD}"],
                );
                let length = rng.usize(..=character.len());
                bytes.extend(character.bytes().take(length));
            }
            13 => bytes.extend(*pick(
                rng,
                &[
                    &b"\xFF"[..],
                    b"\xC0\x80",
                    b"\xED\xA0\x80",
                    b"\xF4\x90\x80\x80",
                    b"\xE2\x82",
                    b"\xF0\x9F\x98",
                    b"\x80\xBF",
                    b"\x0B",
                    b"\x0C",
                    b"\x1E",
                ],
            )),
            14 => name(rng, bytes),
            _ => bytes.extend(
                pick(rng, &["data: ", "event", "id:", "[DONE]", "{\"a\":1}", "+5", "-5"]).bytes(),
            ),
        }
    }
}

/// The length of a run of equal bytes: short, or now and then close to an internal size.
fn run(rng: &mut Rng) -> usize {
    let sizes = Sizes::DEFAULT;
    match rng.u16(..if cfg!(miri) { 1 } else { 1_000 }) {
        1..6 => {
            let near = [sizes.batch, sizes.drop_lines, sizes.share, sizes.take, sizes.copy_id];
            pick(rng, &near) - 40 + rng.usize(..80)
        }
        6 => rng.usize(..512 * 1024),
        _ => rng.usize(..150),
    }
}

fn cuts(rng: &mut Rng, length: usize) -> Vec<usize> {
    match rng.u8(..8) {
        0 => Vec::new(),
        1 if length < 4_000 => (1..length).collect(),
        2 => {
            let size = rng.usize(1..=length.max(1));
            (1..length).filter(|cut| cut % size == 0).collect()
        }
        _ => {
            let mut cuts: Vec<_> = (0..rng.usize(..8)).map(|_| rng.usize(..=length)).collect();
            cuts.sort_unstable();
            cuts
        }
    }
}

/// Internal sizes that a stream of some hundred bytes crosses many times.
pub(crate) const SMALL_SIZES: [Sizes; 4] = [
    Sizes { batch: 1, drop_lines: 0, keep: 0, large: 0, share: 0, take: 0, copy_id: 0 },
    Sizes { batch: 7, drop_lines: 3, keep: 4, large: 16, share: 5, take: 9, copy_id: 1 },
    Sizes { batch: 32, drop_lines: 8, keep: 16, large: 64, share: 8, take: 16, copy_id: 2 },
    Sizes { batch: 100, drop_lines: 64, keep: 32, large: 128, share: 40, take: 50, copy_id: 4 },
];

fn settings(rng: &mut Rng) -> Settings {
    let mut settings =
        Settings { comments: rng.bool(), updates: rng.bool(), ..Settings::default() };
    if rng.bool() {
        settings.sizes = pick(rng, &SMALL_SIZES);
    }
    settings.limit = match rng.u8(..8) {
        0..=3 => settings.limit,
        4 => usize::MAX - rng.usize(..3),
        5 => rng.usize(..4),
        6 => rng.usize(..40),
        _ => rng.usize(..200),
    };
    settings.last_event_id = pick(rng, &["", "", "7", "…"]).to_string();
    settings
}

fn pick<'a, T>(rng: &mut Rng, choices: &'a [T]) -> &'a T {
    &choices[rng.usize(..choices.len())]
}
