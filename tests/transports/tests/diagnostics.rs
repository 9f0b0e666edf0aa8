//! Tests of rustc's error for a request of another client.

use std::process::Command;

#[test]
fn rustc_names_the_page_on_another_reqwest() {
    let mut check = Command::new(env!("CARGO"));
    check.args(["check", "--quiet", "--features", "does-not-compile", "--example"]);
    check.arg("another_reqwest").current_dir(env!("CARGO_MANIFEST_DIR"));
    let said = check.env("CARGO_TERM_COLOR", "never").output().unwrap();
    assert!(!said.status.success(), "it compiles");
    let said = String::from_utf8(said.stderr).unwrap();
    for words in [
        "is not a `RequestBuilder` of the reqwest that everstream uses",
        "`EventSource::from_response_fn`: see docs/another-reqwest.md",
    ] {
        assert!(said.contains(words), "{said}");
    }
    assert!(!said.contains("no method named"), "{said}");
}
