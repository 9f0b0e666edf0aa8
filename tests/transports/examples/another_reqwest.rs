//! A program that does not compile. `tests/diagnostics.rs` checks the error of rustc.

use everstream::RequestBuilderExt;

fn main() {
    let _ = reqwest_012::Client::new().get("http://localhost/").into_event_source();
}
