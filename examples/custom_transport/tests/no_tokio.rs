//! Checks that this program contains no tokio runtime, by its dependency tree, and that it works.

use std::process::Command;

/// Returns each dependency for this platform with its features: `hyper v1.5.0|client,http1`.
fn dependencies() -> Vec<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--edges", "normal", "--prefix", "none", "--no-dedupe"])
        .args(["--format", "{p}|{f}", "--manifest-path"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn tokio_is_there_for_its_channels_alone() {
    let mut found = dependencies();
    assert!(found.iter().any(|line| line.starts_with("hyper v")), "{found:#?}");
    assert!(found.iter().any(|line| line.starts_with("async-io v")), "{found:#?}");
    found.retain(|line| line.contains("tokio") || line.starts_with("mio "));
    found.sort();
    found.dedup();
    let [tokio] = &found[..] else { panic!("not tokio alone: {found:?}") };
    let (name, features) = tokio.split_once('|').unwrap();
    assert!(name.starts_with("tokio v"), "{tokio}");
    // tokio's feature `default` is empty.
    assert_eq!(features, "default,sync", "neither a scheduler nor sockets nor a clock");
}

#[test]
fn the_demo_loses_nothing() {
    let output = Command::new(env!("CARGO_BIN_EXE_everstream-custom-transport")).output().unwrap();
    let (said, complained) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}{complained}");
    let last = said.lines().last();
    assert_eq!(last, Some("6 events, 2 connections, nothing lost, over hyper on smol"), "{said}");
    assert!(said.contains(r#"resuming after "3""#), "{said}");
}
