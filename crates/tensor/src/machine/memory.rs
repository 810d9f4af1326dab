//! How much memory this process may have.

use std::fs;

/// The bytes of memory that this process may take at most: those of the machine, or of the control group of its container if that
/// has fewer; `None` where the system does not say.
pub fn memory_limit() -> Option<u64> {
    let meminfo = fs::read_to_string("/proc/meminfo").ok();
    let machine = meminfo.as_deref().and_then(total);
    let group = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]
        .into_iter()
        .filter_map(|path| fs::read_to_string(path).ok())
        .find_map(|limit| limit.trim().parse().ok());
    machine.into_iter().chain(group).min()
}

/// The bytes of memory and swap space in the text of `/proc/meminfo`.
fn total(meminfo: &str) -> Option<u64> {
    let kilobytes = |name: &str| {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()
    };
    let memory = kilobytes("MemTotal:")?;
    Some(memory.saturating_add(kilobytes("SwapTotal:").unwrap_or(0)).saturating_mul(1024))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_a_system_is_read() {
        let text = "MemTotal:       24610312 kB\nMemFree:        1 kB\nSwapTotal:       1024 kB\n";
        assert_eq!(total(text), Some((24_610_312 + 1024) * 1024));
        assert_eq!(total("MemFree: 1 kB\n"), None);
        assert_eq!(total("MemTotal: many kB\n"), None);
        #[cfg(target_os = "linux")]
        assert!(memory_limit().is_some_and(|bytes| bytes > 1 << 20));
    }
}
