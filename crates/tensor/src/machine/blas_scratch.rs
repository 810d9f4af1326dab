//! The scratch memory of OpenBLAS, obtained before it is needed.
//!
//! A product takes a buffer of 128 MiB of addresses. OpenBLAS maps another whenever more products run at once than ever
//! before, and keeps it. If the system refuses one, OpenBLAS asks again without end, and the program stands still. So a thread
//! sees to it that there is a buffer for it before its first product.

use std::fmt;

/// There is no memory for what products need besides their operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoScratch {
    /// How many bytes of addresses they need.
    pub bytes: usize,
}

impl fmt::Display for NoScratch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bytes } = self;
        write!(
            f,
            "the system refuses the {bytes} bytes that BLAS needs for its products: use fewer threads, free some memory, or \
             raise the limit of the address space (`ulimit -v`)"
        )
    }
}

impl std::error::Error for NoScratch {}

#[cfg(any(feature = "openblas", feature = "openblas-static"))]
pub(crate) use openblas::{before_product, config, reserve};

#[cfg(all(
    any(feature = "openblas", feature = "openblas-static"),
    target_os = "linux",
    target_env = "gnu"
))]
pub(crate) use openblas::{count_threads, threads_may_wait};

#[cfg(not(any(feature = "openblas", feature = "openblas-static")))]
pub(crate) fn reserve(_: usize) -> Result<(), NoScratch> {
    Ok(())
}

/// Only OpenBLAS's threads do.
#[cfg(all(
    not(any(feature = "openblas", feature = "openblas-static")),
    target_os = "linux",
    target_env = "gnu"
))]
pub(crate) fn threads_may_wait() -> bool {
    false
}

#[cfg(all(
    not(any(feature = "openblas", feature = "openblas-static")),
    target_os = "linux",
    target_env = "gnu"
))]
pub(crate) fn count_threads() {}

#[cfg(all(feature = "blas", not(any(feature = "openblas", feature = "openblas-static"))))]
pub(crate) fn before_product() {}

#[cfg(any(feature = "openblas", feature = "openblas-static"))]
mod openblas {
    use std::alloc::{GlobalAlloc, Layout, System};
    use std::cell::Cell;
    use std::ffi::{CStr, c_char, c_int, c_void};
    use std::sync::mpsc::{self, RecvTimeoutError, Sender};
    use std::sync::{Mutex, OnceLock, PoisonError};
    use std::thread;
    use std::time::Duration;

    use super::NoScratch;
    use crate::machine::refused;

    /// What OpenBLAS maps for each product that runs at once, in bytes.
    const BUFFER: usize = 128 << 20;

    /// More than it takes to map a buffer on a busy machine.
    const PATIENCE: Duration = Duration::from_secs(3);

    /// The threads and the buffers of this program.
    struct Scratch {
        /// How many threads that live have multiplied.
        threads: usize,
        /// For how many products at once there are buffers.
        buffers: usize,
    }

    static SCRATCH: Mutex<Scratch> = Mutex::new(Scratch { threads: 0, buffers: 0 });

    /// Whether a thread has multiplied; it is no longer counted when it ends.
    struct Multiplies(Cell<bool>);

    impl Drop for Multiplies {
        fn drop(&mut self) {
            if self.0.get() {
                SCRATCH.lock().unwrap_or_else(PoisonError::into_inner).threads -= 1;
            }
        }
    }

    thread_local! {
        static THIS_THREAD: Multiplies = const { Multiplies(Cell::new(false)) };
    }

    /// See `blas::reserve`.
    pub(crate) fn reserve(threads: usize) -> Result<(), NoScratch> {
        let counted = THIS_THREAD.try_with(|this| this.0.get()).unwrap_or(false);
        let mut scratch = SCRATCH.lock().unwrap_or_else(PoisonError::into_inner);
        let others = scratch.threads - usize::from(counted);
        scratch.grow(others + threads)
    }

    /// Must be called before each product.
    #[inline]
    pub(crate) fn before_product() {
        // A thread that is ending has multiplied before, or multiplies once.
        let _ = THIS_THREAD.try_with(|this| {
            if !this.0.get() {
                first_product(this);
            }
        });
    }

    #[cold]
    fn first_product(this: &Multiplies) {
        let mut scratch = SCRATCH.lock().unwrap_or_else(PoisonError::into_inner);
        let threads = scratch.threads + 1;
        if let Err(error) = scratch.grow(threads) {
            // A product cannot fail, as an allocation cannot: the program ends, with a message instead of a standstill.
            refused::abort(&error);
        }
        scratch.threads = threads;
        this.0.set(true);
    }

    impl Scratch {
        /// Makes OpenBLAS map buffers for this many products at once.
        fn grow(&mut self, products: usize) -> Result<(), NoScratch> {
            if products <= self.buffers {
                return Ok(());
            }
            // As many as OpenBLAS runs at once: it has no place to note more.
            let products = products.min(most_threads()).max(self.buffers);
            let missing = NoScratch { bytes: (products - self.buffers).saturating_mul(BUFFER) };
            let is_scarce = !has_memory(products.saturating_add(own_threads()));
            let _watch = if is_scarce { Some(end_unless_done(missing)?) } else { None };
            let take = take();
            let mut taken = Vec::new();
            while taken.len() < products && has_memory(1) {
                // SAFETY: `take` has this signature in all versions; the argument says who asks, 0 a product. There is memory
                // for a new buffer, so that it returns, or the program ends.
                taken.push(take.map_or(std::ptr::null_mut(), |(alloc, _)| unsafe { alloc(0) }));
            }
            let complete = taken.len() == products;
            if let Some((_, free)) = take {
                // SAFETY: each was taken above, is in use by no product, and is given back once.
                taken
                    .into_iter()
                    .filter(|buffer| !buffer.is_null())
                    .for_each(|buffer| unsafe { free(buffer) });
            }
            if !complete {
                return Err(missing);
            }
            self.buffers = products;
            Ok(())
        }
    }

    /// Ends the program with a message if what is returned is still there after a while: a thread of OpenBLAS that waits for memory may
    /// have taken what there was for a product, which then waits itself.
    fn end_unless_done(missing: NoScratch) -> Result<Sender<()>, NoScratch> {
        let (watch, watched) = mpsc::channel();
        let wait = move || {
            let is_over = || matches!(watched.recv_timeout(PATIENCE), Err(RecvTimeoutError::Timeout));
            // Twice: when a program goes on that was stopped, the first may be over before anything was done.
            if is_over() && is_over() {
                refused::abort(&missing);
            }
        };
        let thread = thread::Builder::new().name("chainrule-watch".into()).spawn(wait);
        thread.map(|_| watch).map_err(|_| missing)
    }

    /// How many threads of its own OpenBLAS has at most: one for each processor but one, whatever share of their time the system gives.
    fn own_threads() -> usize {
        unsafe extern "C" {
            fn openblas_get_num_procs() -> c_int;
        }
        static OWN: OnceLock<usize> = OnceLock::new();
        *OWN.get_or_init(|| {
            // SAFETY: it takes no argument, and asks the system for a number.
            let processors = usize::try_from(unsafe { openblas_get_num_procs() }).unwrap_or(1);
            processors.min(most_threads()).saturating_sub(1)
        })
    }

    /// Whether threads of OpenBLAS may wait for memory, and a regular end of the program for them.
    ///
    /// It allocates nothing of its own once [`count_threads`] was called.
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    pub(crate) fn threads_may_wait() -> bool {
        !has_memory(own_threads())
    }

    /// Counts the threads of OpenBLAS.
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    pub(crate) fn count_threads() {
        own_threads();
    }

    /// Whether the system would give memory for so many buffers. It is not touched, so that it takes addresses alone.
    fn has_memory(buffers: usize) -> bool {
        if buffers == 0 {
            return true;
        }
        let Ok(layout) = Layout::array::<u8>(BUFFER.saturating_mul(buffers)) else { return false };
        // SAFETY: the layout is not empty, and what was allocated with it is given back with it. The system's allocator, since
        // that of the program may count. Were it not for `black_box`, the compiler could leave both out.
        unsafe {
            let buffer = std::hint::black_box(System.alloc(layout));
            if !buffer.is_null() {
                System.dealloc(buffer, layout);
            }
            !buffer.is_null()
        }
    }

    /// How OpenBLAS was built, such as "OpenBLAS 0.3.21 NO_AFFINITY USE_OPENMP SkylakeX MAX_THREADS=64".
    pub(crate) fn config() -> String {
        unsafe extern "C" {
            fn openblas_get_config() -> *const c_char;
        }
        // SAFETY: it takes no argument and returns a static string with a terminating zero.
        unsafe { CStr::from_ptr(openblas_get_config()) }.to_string_lossy().into_owned()
    }

    /// The number of threads that OpenBLAS was built for.
    fn most_threads() -> usize {
        let config = config();
        let number = config.split_whitespace().find_map(|word| word.strip_prefix("MAX_THREADS="));
        number.and_then(|number| number.parse().ok()).unwrap_or(1)
    }

    type Alloc = unsafe extern "C" fn(c_int) -> *mut c_void;
    type Free = unsafe extern "C" fn(*mut c_void);

    /// The functions by which OpenBLAS takes a buffer for a product and gives it back; `None` if they are not exported, as on
    /// macOS and Windows.
    #[cfg(target_os = "linux")]
    fn take() -> Option<(Alloc, Free)> {
        unsafe extern "C" {
            fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void;
        }
        // SAFETY: the handle 0 stands for all loaded libraries, and the name ends with a zero.
        let find = |name: &CStr| unsafe { dlsym(std::ptr::null_mut(), name.as_ptr()) };
        let [alloc, free] = [c"blas_memory_alloc", c"blas_memory_free"].map(find);
        if alloc.is_null() || free.is_null() {
            return None;
        }
        // SAFETY: they are functions of OpenBLAS with these signatures, since version 0.1.
        Some(unsafe {
            (std::mem::transmute::<*mut c_void, Alloc>(alloc), std::mem::transmute::<*mut c_void, Free>(free))
        })
    }

    #[cfg(not(target_os = "linux"))]
    fn take() -> Option<(Alloc, Free)> {
        None
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn buffers_are_for_the_threads_that_live() {
            reserve(3).unwrap();
            let buffers = || SCRATCH.lock().unwrap().buffers;
            assert!(buffers() >= 3.min(most_threads()));
            let before = buffers();
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    before_product();
                    before_product();
                    assert!(SCRATCH.lock().unwrap().threads >= 1);
                });
            });
            assert!(buffers() >= before);
        }

        #[test]
        fn the_threads_of_blas_are_those_of_the_machine() {
            let cores = thread::available_parallelism().map_or(1, usize::from);
            assert!(own_threads() + 1 >= cores.min(most_threads()));
            assert!(own_threads() < most_threads());
        }

        #[test]
        fn no_version_has_more_buffers_than_threads() {
            assert!((1..100_000).contains(&most_threads()));
            // More than a machine has addresses for, if it were not for that.
            reserve(usize::MAX / BUFFER).unwrap();
        }
    }
}
