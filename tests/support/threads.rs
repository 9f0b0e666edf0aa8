//! The threads of the process.

use std::fs;

/// Returns the name of each thread on Linux, and nothing elsewhere.
pub(crate) fn names() -> Vec<String> {
    let tasks = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let names = tasks.filter_map(|task| fs::read_to_string(task.path().join("comm")).ok());
    names.map(|name| name.trim_end().to_owned()).collect()
}
