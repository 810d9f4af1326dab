//! Which core a thread runs on.

/// Moves the calling thread to the core with this index among those that it may use, and then leaves the system free to move it
/// again. Where that is not permitted, or not known how to do (other than Linux), the system's choice stays.
///
/// A thread that was just woken often starts on the core of the thread that woke it, and the system takes many milliseconds,
/// hundreds of training steps, to separate the two.
pub fn move_to_core(index: usize) {
    system::move_to_core(index);
}

#[cfg(all(target_os = "linux", not(miri)))]
mod system {
    use std::ffi::c_int;

    /// A bit for each core: the C library's `cpu_set_t`, whose elements are unsigned longs.
    type CpuSet = [usize; 1024 / usize::BITS as usize];

    unsafe extern "C" {
        fn sched_getaffinity(thread: c_int, size: usize, set: *mut CpuSet) -> c_int;
        fn sched_setaffinity(thread: c_int, size: usize, set: *const CpuSet) -> c_int;
    }

    /// The calling thread.
    const THIS: c_int = 0;

    pub(super) fn move_to_core(index: usize) {
        let Some(allowed) = allowed() else { return };
        let mut cores = cores(&allowed);
        let count = cores.clone().count();
        if let Some(core) = cores.nth(index % count.max(1)) {
            let mut one = CpuSet::default();
            one[core / usize::BITS as usize] = 1 << (core % usize::BITS as usize);
            if allow(&one) {
                allow(&allowed);
            }
        }
    }

    /// The cores that the calling thread may use; `None` if the machine has more than the set can hold.
    pub(super) fn allowed() -> Option<CpuSet> {
        let mut set = CpuSet::default();
        // SAFETY: the system writes up to `size` bytes, the size of the set.
        let result = unsafe { sched_getaffinity(THIS, size_of::<CpuSet>(), &raw mut set) };
        (result == 0).then_some(set)
    }

    /// The indices of the cores of a set.
    pub(super) fn cores(set: &CpuSet) -> impl Iterator<Item = usize> + Clone {
        let bit = |core: usize| set[core / usize::BITS as usize] >> (core % usize::BITS as usize) & 1;
        (0..size_of::<CpuSet>() * 8).filter(move |&core| bit(core) == 1)
    }

    /// Lets the calling thread use these cores; whether it may.
    fn allow(set: &CpuSet) -> bool {
        // SAFETY: the system reads `size` bytes, the size of the set.
        unsafe { sched_setaffinity(THIS, size_of::<CpuSet>(), &raw const *set) == 0 }
    }
}

#[cfg(not(all(target_os = "linux", not(miri))))]
mod system {
    pub(super) fn move_to_core(_: usize) {}
}

#[cfg(all(test, target_os = "linux", not(miri)))]
mod tests {
    use super::*;

    #[test]
    fn a_thread_may_use_the_same_cores_as_before() {
        let before = system::allowed().unwrap();
        let count = system::cores(&before).count();
        assert!(count >= 1);
        for index in [0, 1, count, usize::MAX] {
            move_to_core(index);
            assert_eq!(system::allowed(), Some(before), "{index}");
        }
    }
}
