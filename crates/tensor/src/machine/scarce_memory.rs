//! How a program ends that the system refuses memory.
//!
//! Where an allocation cannot fail, Rust's library prints its size and aborts. A program that has called [`prepare_for_scarce_memory`]
//! says what to do about it as well, and ends with the status of an error.

/// Makes a program end with a message and the status 1 where the system refuses memory that it cannot do without, instead of an
/// abort, and without waiting for threads of BLAS that wait for memory. Call this first in `main` (on Unix; elsewhere it does nothing).
///
/// The message follows the line of Rust's library, and is printed where [`NotingAllocator`](crate::NotingAllocator) is the allocator of
/// the program. OpenBLAS starts threads when it is loaded, and one that gets no memory asks for it without end; a regular end of the
/// program would wait for it.
pub fn prepare_for_scarce_memory() {
    #[cfg(unix)]
    unix::prepare();
}

#[cfg(unix)]
mod unix {
    use std::ffi::{c_int, c_void};
    use std::io::{Cursor, Write};
    use std::sync::atomic::Ordering::Relaxed;

    use crate::machine::refused::{SAID, refused};

    /// The signal of an abort, the same on every Unix that Rust supports.
    const SIGABRT: c_int = 6;

    /// The status of a program that reports an error.
    const FAILURE: c_int = 1;

    unsafe extern "C" {
        fn signal(number: c_int, handler: extern "C" fn(c_int)) -> *mut c_void;
        fn write(file: c_int, bytes: *const c_void, count: usize) -> isize;
        fn _exit(status: c_int) -> !;
    }

    pub(super) fn prepare() {
        // SAFETY: the handler only reads numbers, writes and ends the program, all of which a handler of signals may do.
        unsafe { signal(SIGABRT, aborted) };
        #[cfg(all(target_os = "linux", target_env = "gnu"))]
        at_end::skip_waiting();
    }

    /// Ends the program that is aborted because the system refused memory to this thread, which is the one that aborts. If there was
    /// another reason, it returns, and the program is aborted as usual.
    extern "C" fn aborted(_: c_int) {
        let refused = refused();
        if SAID.load(Relaxed) {
            // SAFETY: it takes any number.
            unsafe { _exit(FAILURE) };
        }
        if refused > 0 {
            let mut line = [0; 256];
            let mut text = Cursor::new(&mut line[..]);
            let _ = writeln!(
                text,
                "error: the system refuses {refused} bytes of memory: take smaller batches, fewer threads or less data, free some \
                 memory, or raise the limit of the address space (`ulimit -v`)"
            );
            let length = text.position() as usize;
            // SAFETY: so many bytes of the line were written above.
            unsafe {
                write(2, line.as_ptr().cast(), length);
                _exit(FAILURE);
            }
        }
    }

    /// What happens when the program ends in the regular way.
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    mod at_end {
        use std::ffi::{c_int, c_void};
        use std::ptr::null_mut;

        use super::_exit;
        use crate::machine::blas_scratch;

        unsafe extern "C" {
            fn on_exit(end: extern "C" fn(c_int, *mut c_void), argument: *mut c_void) -> c_int;
            fn fflush(file: *mut c_void) -> c_int;
        }

        /// Registers that the libraries do not end where that would take for ever.
        pub(super) fn skip_waiting() {
            blas_scratch::count_threads();
            // SAFETY: the function uses no argument, and what it calls may be called while a program ends. If there is no memory to
            // register it, nothing changes.
            unsafe { on_exit(end, null_mut()) };
        }

        extern "C" fn end(status: c_int, _: *mut c_void) {
            if blas_scratch::threads_may_wait() {
                // SAFETY: null stands for all files that are open, and the second takes any number.
                unsafe {
                    fflush(null_mut());
                    _exit(status);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::alloc::{GlobalAlloc, Layout};

    use super::*;
    use crate::machine::refused::{NotingAllocator, abort, refused};

    #[test]
    fn refusals_are_noted() {
        let layout = Layout::array::<u8>(isize::MAX as usize).unwrap();
        // SAFETY: the layouts are not empty, and what is allocated is released with its layout.
        unsafe {
            // Were it not for `black_box`, the compiler could leave the allocation out.
            assert!(std::hint::black_box(NotingAllocator.alloc(layout)).is_null());
            assert_eq!(refused(), layout.size());
            assert_eq!(std::thread::spawn(refused).join().unwrap(), 0, "another thread");
            let small = Layout::new::<u64>();
            let pointer = NotingAllocator.alloc_zeroed(small);
            assert_eq!(pointer.cast::<u64>().read(), 0);
            assert_eq!(refused(), 0);
            let pointer = NotingAllocator.realloc(pointer, small, 16);
            assert!(!pointer.is_null());
            NotingAllocator.dealloc(pointer, Layout::array::<u64>(2).unwrap());
        }
    }

    /// Set in the processes that a test starts, which end.
    #[cfg(all(unix, not(miri)))]
    const CHILD: &str = "CHAINRULE_TEST_ENDS";

    #[test]
    #[cfg(all(unix, not(miri)))]
    fn a_program_without_memory_ends_with_a_message() {
        use std::process::Command;

        let name = "machine::scarce_memory::tests::a_program_without_memory_ends_with_a_message";
        match std::env::var(CHILD).as_deref() {
            Ok("refused") => {
                prepare_for_scarce_memory();
                let layout = Layout::array::<u8>(isize::MAX as usize).unwrap();
                // SAFETY: the layout is not empty, and nothing was allocated.
                assert!(std::hint::black_box(unsafe { NotingAllocator.alloc(layout) }).is_null());
                std::alloc::handle_alloc_error(layout);
            }
            Ok("handled") => {
                prepare_for_scarce_memory();
                let (large, small) =
                    (Layout::array::<u8>(isize::MAX as usize).unwrap(), Layout::new::<u64>());
                // SAFETY: the layouts are not empty, and what is allocated is released with its layout.
                unsafe {
                    assert!(std::hint::black_box(NotingAllocator.alloc(large)).is_null());
                    let smaller = std::hint::black_box(NotingAllocator.alloc(small));
                    assert!(!smaller.is_null());
                    NotingAllocator.dealloc(smaller, small);
                }
                std::process::abort();
            }
            Ok("products") => {
                prepare_for_scarce_memory();
                abort(&"there is no memory for products");
            }
            Ok(_) => {
                prepare_for_scarce_memory();
                std::process::abort();
            }
            Err(_) => {}
        }
        let ends = |how: &str, status: Option<i32>, message: &str| {
            let mut program = Command::new(std::env::current_exe().unwrap());
            program.args(["--exact", name, "--nocapture", "--test-threads", "1"]).env(CHILD, how);
            let output = program.output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), status, "{how}: {said}");
            assert!(said.contains(message), "{how}: {said}");
        };
        let bytes = isize::MAX;
        ends("refused", Some(1), &format!("error: the system refuses {bytes} bytes of memory: take smaller"));
        ends("products", Some(1), "error: there is no memory for products");
        // An abort for another reason stays one.
        ends("aborts", None, "");
        ends("handled", None, "");
    }
}
