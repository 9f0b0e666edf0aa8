//! Settings of glibc without which some figures are a matter of luck.

#![cfg(all(target_os = "linux", target_env = "gnu"))]

use std::env;
use std::os::unix::process::CommandExt;
use std::process::Command;

const VARIABLE: &str = "GLIBC_TUNABLES";

/// - Keep what is freed instead of giving it back to the kernel, as malloc does by
///   itself once a program has freed something large. Otherwise the figures of large
///   events depend on what others have freed before, and tell of page faults.
/// - Copy with vector instructions, whatever the size. Where blocks come to lie in
///   memory, which is random and stays the same for a whole run, makes `rep movsb`
///   up to three times as slow on Zen 4.
const TUNABLES: &str = "glibc.malloc.mmap_threshold=33554432:\
                        glibc.malloc.trim_threshold=1073741824:\
                        glibc.cpu.x86_rep_movsb_threshold=1073741824";

/// Starts the program over with these settings, unless it has some already: glibc
/// reads them once, at the start.
pub(crate) fn settle() {
    if env::var_os(VARIABLE).is_some() {
        return;
    }
    if let Ok(program) = env::current_exe() {
        // It only returns if it failed, and then the figures are less calm.
        let error =
            Command::new(program).args(env::args_os().skip(1)).env(VARIABLE, TUNABLES).exec();
        eprintln!("{VARIABLE} not set: {error}");
    }
}
