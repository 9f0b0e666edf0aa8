//! Settings of glibc, without which some figures are random.

#![cfg(all(target_os = "linux", target_env = "gnu"))]

use std::env;
use std::os::unix::process::CommandExt;
use std::process::Command;

const VARIABLE: &str = "GLIBC_TUNABLES";

/// - Keep freed memory instead of returning it to the kernel, as malloc does after a program has
///   freed a large block. Otherwise the figures of large events depend on earlier frees, and
///   include page faults.
/// - Copy with vector instructions at any size. On Zen 4, `rep movsb` is up to three times as slow
///   for some addresses, which are random but fixed for a whole run.
const TUNABLES: &str = "glibc.malloc.mmap_threshold=33554432:\
                        glibc.malloc.trim_threshold=1073741824:\
                        glibc.cpu.x86_rep_movsb_threshold=1073741824";

/// Restarts the program with these settings, unless it has some already. glibc only reads them at
/// the start.
pub(crate) fn settle() {
    if env::var_os(VARIABLE).is_some() {
        return;
    }
    if let Ok(program) = env::current_exe() {
        // It only returns if it failed. The figures then vary more.
        let error =
            Command::new(program).args(env::args_os().skip(1)).env(VARIABLE, TUNABLES).exec();
        eprintln!("{VARIABLE} not set: {error}");
    }
}
