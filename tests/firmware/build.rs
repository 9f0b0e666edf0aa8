//! Generates the memory layout of the board, and a table of the tests of the standard, because
//! there is no test harness without a standard library.

use std::path::Path;
use std::{env, fs};

fn main() {
    let target = env::var("TARGET").expect("cargo says the target");
    // QEMU's boards `microbit` (nRF51822) and `lm3s6965evb`.
    let ram = match target.as_str() {
        "thumbv6m-none-eabi" => "16K",
        "thumbv7m-none-eabi" => "64K",
        other => panic!("there is no board for {other}"),
    };
    let memory = format!(
        "MEMORY {{ FLASH : ORIGIN = 0x00000000, LENGTH = 256K RAM : ORIGIN = 0x20000000, LENGTH = {ram} }}\n"
    );
    let spec = "../parser/spec.rs";
    let tests = fs::read_to_string(spec).expect("the tests of the rules");

    let out = env::var("OUT_DIR").expect("cargo says where to write");
    let out = Path::new(&out);
    fs::write(out.join("memory.x"), memory).expect("a folder to write to");
    fs::write(out.join("spec.rs"), without_harness(&tests)).expect("a folder to write to");

    println!("cargo::rustc-link-search={}", out.display());
    println!("cargo::rustc-link-arg-bins=-Tlink.x");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={spec}");
}

/// Converts the tests into functions in a table `TESTS`, which use the support of this package.
fn without_harness(tests: &str) -> String {
    let mut code = String::new();
    let mut names = Vec::new();
    let mut lines = tests.lines().peekable();
    while let Some(line) = lines.next() {
        if line.starts_with("//!") {
            continue;
        }
        if line == "#[test]" {
            let next = lines.peek().expect("a function after #[test]");
            let name = next.strip_prefix("fn ").and_then(|rest| rest.strip_suffix("() {"));
            names.push(name.unwrap_or_else(|| panic!("not understood: {next}")));
            continue;
        }
        code += line;
        code.push('\n');
    }
    assert!(!names.is_empty(), "no test was found");
    let table: String = names.iter().map(|name| format!("    {name},\n")).collect();
    format!("{code}\npub(crate) const TESTS: [fn(); {}] = [\n{table}];\n", names.len())
}
