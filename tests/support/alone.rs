//! Tests that measure the whole process, its memory or its threads, each in a separate process.

use std::env;
use std::process::Command;

/// Set to the name of the test that the process was started for.
const ALONE: &str = "EVERSTREAM_TEST_ALONE";

/// Returns whether `test` is the only test of this process. If it is not, runs it in another process
/// and panics if it fails there. `test` is the name as `--list` prints it.
#[track_caller]
pub(crate) fn is_alone(test: &str) -> bool {
    if env::var_os(ALONE).is_some_and(|name| name == test) {
        return true;
    }
    let binary = env::current_exe().expect("the path of the test binary");
    let run = Command::new(binary).args([test, "--exact"]).env(ALONE, test).output().unwrap();
    let output = String::from_utf8_lossy(&run.stdout);
    let errors = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{test} failed in its own process:\n{output}{errors}");
    assert!(output.contains("1 passed"), "there is no test {test}:\n{output}{errors}");
    false
}
