//! The examples as programs.

use serde_json::Value;
use std::path::PathBuf;
use std::process::Command;

/// Returns the path of an example, and builds it if it is missing or older than its sources. (Cargo
/// builds programs for tests, but `cargo test --tests` builds no examples.)
pub(crate) fn path(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the path of this test");
    let profile_dir = test.ancestors().nth(2).expect("…/target/debug/deps/tail-…");
    let profile = match profile_dir.file_name().and_then(|name| name.to_str()) {
        None | Some("debug") => "dev",
        Some(profile) => profile,
    };
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--example", name, "--message-format", "json", "--profile"]);
    build.arg(profile).arg("--target-dir").arg(profile_dir.parent().expect("…/target"));
    let built = build.current_dir(env!("CARGO_MANIFEST_DIR")).output().expect("cargo runs");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let messages = String::from_utf8(built.stdout).expect("UTF-8");
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut paths = messages.filter_map(|message| Some(message["executable"].as_str()?.into()));
    paths.next_back().expect("cargo says what it has built")
}
