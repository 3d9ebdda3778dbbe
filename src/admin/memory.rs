//! The memory of this process, as the kernel counts it.

/// Resident memory, in bytes; `None` where the kernel does not say (proc(5), `VmRSS`).
pub(super) fn resident() -> Option<u64> {
    resident_of(&std::fs::read_to_string("/proc/self/status").ok()?)
}

fn resident_of(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_the_kernel_writes_it() {
        let status = "Name:\tlogtrace\nVmHWM:\t   9 kB\nVmRSS:\t    8192 kB\nThreads:\t4\n";
        assert_eq!(resident_of(status), Some(8192 * 1024));
        assert_eq!(resident_of("Name:\tx\n"), None);
        assert_eq!(resident_of("VmRSS:\tmany kB\n"), None);
    }
}
