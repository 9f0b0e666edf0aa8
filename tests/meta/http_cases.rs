//! Checks that the table `HTTP_CASES.md` is complete, and that its tests exist.

const TABLE: &str = include_str!("../HTTP_CASES.md");

/// The rows that there are in each part.
const PARTS: [(char, u32); 9] = [
    ('A', 13),
    ('B', 20),
    ('C', 13),
    ('D', 29),
    ('E', 7),
    ('F', 19),
    ('G', 18),
    ('H', 12),
    ('I', 6),
];

const SOURCES: [(&str, &str); 23] = [
    ("request", include_str!("../http/request.rs")),
    ("response", include_str!("../http/response.rs")),
    ("redirect", include_str!("../http/redirect.rs")),
    ("reconnection", include_str!("../http/reconnection.rs")),
    ("closing", include_str!("../http/closing.rs")),
    ("timeouts", include_str!("../http/timeouts.rs")),
    ("framing", include_str!("../http/framing.rs")),
    ("limits", include_str!("../parser/limits.rs")),
    ("chaos", include_str!("../http/chaos.rs")),
    ("endings", include_str!("../http/endings.rs")),
    ("messages", include_str!("../http/messages.rs")),
    ("delays", include_str!("../engine/reconnect/delays.rs")),
    ("timer", include_str!("../engine/timer.rs")),
    ("tracing", include_str!("../http/tracing.rs")),
    ("errors", include_str!("../http/errors.rs")),
    ("adapters", include_str!("../http/adapters.rs")),
    ("rules", include_str!("../transports/tests/rules.rs")),
    ("tls", include_str!("../servers/tests/tls.rs")),
    ("nginx", include_str!("../servers/tests/nginx.rs")),
    ("http2", include_str!("../servers/tests/http2.rs")),
    ("gzip", include_str!("../servers/tests/gzip.rs")),
    ("many_streams", include_str!("../servers/tests/many_streams.rs")),
    ("kept", include_str!("../servers/tests/kept.rs")),
];

/// The rows of the table: their name, and the tests that they name.
fn rows() -> Vec<(&'static str, Vec<&'static str>)> {
    let lines = TABLE.lines().filter_map(|line| line.strip_prefix("| "));
    let rows = lines.filter_map(|line| {
        let (row, rest) = line.split_once(" | ")?;
        let (_, tests) = rest.split_once(" | ")?;
        let is_row = row.ends_with(|last: char| last.is_ascii_digit());
        is_row.then(|| (row, tests.split('`').filter(|part| part.contains("::")).collect()))
    });
    rows.collect()
}

#[test]
fn every_row_has_a_test() {
    let rows = rows();
    let expected =
        PARTS.iter().flat_map(|(part, count)| (1..=*count).map(move |n| format!("{part}{n}")));
    let expected: Vec<String> = expected.collect();
    assert_eq!(rows.iter().map(|(row, _)| *row).collect::<Vec<_>>(), expected);
    for (row, tests) in rows {
        assert!(!tests.is_empty(), "{row} has no test");
    }
}

#[test]
fn every_named_test_exists_and_names_its_row() {
    for (row, tests) in rows() {
        for test in tests {
            let (file, name) = test.split_once("::").unwrap();
            let source = SOURCES.iter().find(|(known, _)| *known == file);
            let (_, source) = source.unwrap_or_else(|| panic!("{row}: no file for {test}"));
            let at =
                source.find(&format!("fn {name}(")).unwrap_or_else(|| panic!("{row}: no {test}"));
            // Its doc comment is the last one before it.
            let before = &source[..at];
            let doc = &before[before.rfind("\n\n").unwrap_or(0)..];
            assert!(doc.contains(row), "{test} does not name {row}");
            assert!(doc.contains("test"), "{test} is no test");
        }
    }
}
