//! The memory of a process.

/// Returns the resident memory in bytes of that process, or of this one. `None` on systems other
/// than Linux.
pub(crate) fn resident(process: Option<u32>) -> Option<u64> {
    let process = process.map_or_else(|| "self".to_owned(), |id| id.to_string());
    parse(&std::fs::read_to_string(format!("/proc/{process}/status")).ok()?)
}

fn parse(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_says_kb_and_means_kib() {
        assert_eq!(parse("VmSize:\t  20 kB\nVmRSS:\t    12 kB\nX: y\n"), Some(12 * 1024));
        assert_eq!(parse("VmSize:\t  20 kB\n"), None);
    }
}
