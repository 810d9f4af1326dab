//! The BLAS at run time: which library, which kernel, how many threads, and whether the kernel suits the CPU.
//!
//! OpenBLAS has a set of kernels for each kind of CPU and selects one when the library is loaded. A version older than the CPU
//! may not know it and then silently selects the oldest kernel (`Prescott`, of 2004), five times slower than what the CPU can
//! do. A program corrects this with [`use_best_kernel`] as the first line of its `main`; a library can only report it, with
//! [`advice`].

use std::fmt;
#[cfg(unix)]
use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

use ndarray::{ArrayView2, ArrayViewMut2};

use crate::machine::blas_scratch;
use crate::matmul::gemm::multiply;
use crate::real::Real;
use crate::simd::level::{Level, best_level};

pub use crate::machine::blas_scratch::NoScratch;

/// The BLAS that this program is linked with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blas {
    /// Such as `"OpenBLAS"`, or `"none"` for our own kernels.
    pub name: &'static str,
    /// Such as `"0.3.21"`; empty if unknown.
    pub version: String,
    /// The kernel selected for this CPU, such as `"SkylakeX"`; empty if unknown.
    pub kernel: String,
}

impl Blas {
    /// The library that this program is linked with.
    pub fn current() -> Self {
        linked::current()
    }
}

impl fmt::Display for Blas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name)?;
        if !self.version.is_empty() {
            write!(f, " {}", self.version)?;
        }
        if !self.kernel.is_empty() {
            write!(f, ", kernel {}", self.kernel)?;
        }
        Ok(())
    }
}

/// A kernel that is older than the CPU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OldKernel {
    /// The kernel in use.
    pub kernel: String,
    /// The best instructions of the CPU.
    pub cpu: Level,
    /// The value of `OPENBLAS_CORETYPE`, if the user set it.
    pub chosen: Option<String>,
}

impl fmt::Display for OldKernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cpu = match self.cpu {
            Level::Baseline => "SSE2",
            Level::Avx2 => "AVX2",
            Level::Avx512 => "AVX-512",
            Level::Neon => "NEON",
        };
        write!(
            f,
            "OpenBLAS uses its kernel {} on a CPU with {cpu}: products take up to five times as long as necessary. ",
            self.kernel
        )?;
        match &self.chosen {
            Some(chosen) => write!(f, "OPENBLAS_CORETYPE={chosen} selects it: unset that variable"),
            None => {
                write!(f, "Set OPENBLAS_CORETYPE=auto before the program starts, or install a newer OpenBLAS")
            }
        }
    }
}

/// Reports a kernel that is older than the CPU, and what to do about it.
///
/// Print it as a warning. `None` if the kernel suits the CPU, or if nothing is known (another BLAS, another CPU).
pub fn advice() -> Option<OldKernel> {
    let Blas { kernel, .. } = Blas::current();
    let cpu = best_level();
    (needs(&kernel)? < cpu).then(|| OldKernel { kernel, cpu, chosen: std::env::var(CORETYPE).ok() })
}

const CORETYPE: &str = "OPENBLAS_CORETYPE";

/// Its value for the best kernel: OpenBLAS has no kernel of this name, so it detects the CPU.
const BEST: &str = "auto";

/// The instructions that a kernel of OpenBLAS for x86-64 uses; `None` for an unknown one.
fn needs(kernel: &str) -> Option<Level> {
    const AVX512: [&str; 3] = ["SkylakeX", "Cooperlake", "SapphireRapids"];
    const AVX2: [&str; 3] = ["Haswell", "Zen", "Excavator"];
    const OLD: [&str; 18] = [
        "Prescott",
        "Core2",
        "Penryn",
        "Dunnington",
        "Nehalem",
        "Sandybridge",
        "Atom",
        "Nano",
        "Athlon",
        "Opteron",
        "Opteron_SSE3",
        "Barcelona",
        "Bobcat",
        "Bulldozer",
        "Piledriver",
        "Steamroller",
        "Katmai",
        "Northwood",
    ];
    let known = |names: &[&str]| names.iter().any(|name| name.eq_ignore_ascii_case(kernel));
    if known(&AVX512) {
        Some(Level::Avx512)
    } else if known(&AVX2) {
        Some(Level::Avx2)
    } else if known(&OLD) {
        Some(Level::Baseline)
    } else {
        None
    }
}

/// Restarts the program with OpenBLAS's best kernel, if it runs with one that is older than the CPU.
///
/// The kernel is selected when the library is loaded, before `main`, so a program can only correct it by executing itself once
/// more with `OPENBLAS_CORETYPE=auto`: an unknown name makes OpenBLAS detect the CPU. Call this first in `main`. It returns
/// `None` if nothing is wrong, also after a restart. It returns what is wrong if the user selected the kernel, or where a
/// program cannot replace itself (on systems other than Unix).
pub fn use_best_kernel() -> Option<OldKernel> {
    let old = advice()?;
    if old.chosen.is_none() {
        restart(&old);
    }
    Some(old)
}

/// As [`use_best_kernel`], but overrides the kernel that the user selected: for a benchmark, which would not be fair with an
/// old one.
pub fn insist_on_best_kernel() -> Option<OldKernel> {
    let old = advice()?;
    // If this is already the second attempt, a third would find the same.
    if old.chosen.as_deref() != Some(BEST) {
        restart(&old);
    }
    Some(old)
}

/// Executes this program once more, with the best kernel; returns only if that fails.
fn restart(old: &OldKernel) {
    #[cfg(unix)]
    if let Ok(program) = std::env::current_exe() {
        use std::os::unix::process::CommandExt;
        let selected = match &old.chosen {
            Some(chosen) => format!("OPENBLAS_CORETYPE={chosen} selects the kernel {}", old.kernel),
            None => format!("OpenBLAS selected its kernel {}", old.kernel),
        };
        // Whether it can be shown or not.
        let _ = writeln!(io::stderr(), "note: {selected} on a newer CPU; restarting with the best one");
        let mut arguments = std::env::args_os();
        let mut command = std::process::Command::new(program);
        if let Some(name) = arguments.next() {
            command.arg0(name);
        }
        // Returns only if it failed; then the old kernel remains.
        let _ = command.args(arguments).env(CORETYPE, BEST).exec();
    }
    #[cfg(not(unix))]
    let _ = old;
}

/// `C = alpha A B + beta C` as [`gemm`](crate::gemm()), but always by one call of the linked BLAS, where `gemm` may use faster
/// kernels of its own: the baseline of a benchmark.
///
/// Without any BLAS feature, or for views in which neither rows nor columns are contiguous, it is ndarray's product.
///
/// # Panics
///
/// If the shapes do not fit.
pub fn gemm<T: Real>(alpha: T, a: ArrayView2<'_, T>, b: ArrayView2<'_, T>, beta: T, c: ArrayViewMut2<'_, T>) {
    multiply(false, alpha, a, b, beta, c);
}

/// Sets how many threads BLAS uses for one product; chainrule's trainer sets 1 and runs products in parallel.
///
/// It applies to the whole program. Only OpenBLAS supports it; for another library set its own variable (`MKL_NUM_THREADS`,
/// `VECLIB_MAXIMUM_THREADS`).
pub fn set_threads(threads: usize) {
    linked::set_threads(threads);
}

/// How many threads BLAS uses for one product; 1 if unknown.
pub fn threads() -> usize {
    linked::threads()
}

/// A guard: while there is one, BLAS uses one thread for a product.
///
/// The number of threads is the whole program's, so the guards of all threads share one count: the first sets the number to 1, and
/// when the last is dropped, in whichever order, what it was before the first is restored. A number that was set meanwhile by
/// [`set_threads`] is kept.
///
/// ```
/// use chainrule_tensor::blas;
/// let before = blas::threads();
/// {
///     let _one = blas::OneThread::new();
///     assert_eq!(blas::threads(), 1);
/// }
/// assert_eq!(blas::threads(), before);
/// ```
#[derive(Debug)]
pub struct OneThread(());

/// The guards that exist, and the number of threads before the first of them.
struct OneThreadUsers {
    count: usize,
    before: usize,
}

static ONE_THREAD: Mutex<OneThreadUsers> = Mutex::new(OneThreadUsers { count: 0, before: 1 });

impl OneThread {
    /// Sets the number of threads to 1, if no other guard has.
    #[must_use]
    pub fn new() -> Self {
        let mut users = ONE_THREAD.lock().unwrap_or_else(PoisonError::into_inner);
        if users.count == 0 {
            users.before = threads();
            set_threads(1);
        }
        users.count += 1;
        Self(())
    }
}

impl Default for OneThread {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for OneThread {
    fn drop(&mut self) {
        let mut users = ONE_THREAD.lock().unwrap_or_else(PoisonError::into_inner);
        users.count -= 1;
        if users.count == 0 && threads() == 1 && users.before != 1 {
            set_threads(users.before);
        }
    }
}

/// Makes sure that this many threads can compute products at once while the calling thread waits for them.
///
/// OpenBLAS needs memory of its own for each product that runs, and if the system refuses it, the program would stand still.
/// The first product of a thread checks this too, and ends the program with a message. Other libraries have no such need.
///
/// # Errors
///
/// [`NoScratch`] with the number of bytes.
pub fn reserve(threads: usize) -> Result<(), NoScratch> {
    blas_scratch::reserve(threads)
}

#[cfg(any(feature = "openblas", feature = "openblas-static"))]
mod linked {
    use super::{Blas, blas_scratch};
    #[cfg(feature = "openblas-static")]
    use openblas_src as _;
    #[cfg(all(feature = "openblas", any(windows, target_os = "macos")))]
    use openblas_system as _;
    use std::ffi::{CStr, c_char, c_int};

    unsafe extern "C" {
        fn openblas_get_corename() -> *const c_char;
        fn openblas_set_num_threads(threads: c_int);
        fn openblas_get_num_threads() -> c_int;
    }

    pub(super) fn current() -> Blas {
        let config = blas_scratch::config();
        // SAFETY: it takes no argument and returns a static string with a terminating zero.
        let kernel = unsafe { CStr::from_ptr(openblas_get_corename()) }.to_string_lossy().into_owned();
        let version = config.split_whitespace().nth(1).unwrap_or_default().to_owned();
        Blas { name: "OpenBLAS", version, kernel }
    }

    pub(super) fn set_threads(threads: usize) {
        // SAFETY: any positive number is allowed; OpenBLAS caps it at what it was built for.
        unsafe { openblas_set_num_threads(c_int::try_from(threads.max(1)).unwrap_or(c_int::MAX)) };
    }

    pub(super) fn threads() -> usize {
        // SAFETY: it only reads a number.
        usize::try_from(unsafe { openblas_get_num_threads() }).unwrap_or(1)
    }
}

#[cfg(not(any(feature = "openblas", feature = "openblas-static")))]
mod linked {
    use super::Blas;

    pub(super) fn current() -> Blas {
        let name = if cfg!(feature = "intel-mkl") {
            "Intel MKL"
        } else if cfg!(feature = "accelerate") {
            "Accelerate"
        } else if cfg!(feature = "netlib") {
            "netlib"
        } else {
            "none"
        };
        Blas { name, version: String::new(), kernel: String::new() }
    }

    pub(super) fn set_threads(_: usize) {}

    pub(super) fn threads() -> usize {
        1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    #[test]
    fn names_the_library() {
        let blas = Blas::current();
        assert!(!blas.to_string().is_empty());
        if cfg!(feature = "openblas") {
            assert_eq!(blas.name, "OpenBLAS");
            assert!(blas.version.starts_with(|c: char| c.is_ascii_digit()), "{blas:?}");
            set_threads(1);
            assert_eq!(threads(), 1);
        }
    }

    #[test]
    fn one_call_is_the_same_product() {
        let mut rng = crate::seed::Seed(1).rng();
        let mut matrix =
            |rows, columns| Array2::from_shape_simple_fn((rows, columns), || rng.normal() as f32);
        // Sizes that `gemm` multiplies without BLAS if it has kernels for the CPU.
        let (a, at, b, c) = (matrix(16, 40), matrix(40, 16), matrix(40, 24), matrix(16, 24));
        for a in [a.view(), at.t()] {
            let (mut ours, mut theirs, right) = (c.clone(), c.clone(), &c + &a.dot(&b));
            crate::gemm(1.0, a, b.view(), 1.0, ours.view_mut());
            gemm(1.0, a, b.view(), 1.0, theirs.view_mut());
            for ((ours, theirs), right) in ours.iter().zip(&theirs).zip(&right) {
                assert!(
                    (ours - right).abs() < 1e-4 && (theirs - right).abs() < 1e-4,
                    "{ours} {theirs} {right}"
                );
            }
        }
    }

    #[test]
    fn warns_with_the_remedy() {
        let mut old = OldKernel { kernel: "Prescott".into(), cpu: Level::Avx512, chosen: None };
        assert!(old.to_string().contains("OPENBLAS_CORETYPE=auto"));
        old.chosen = Some("PRESCOTT".into());
        assert!(old.to_string().contains("unset"));
        assert_eq!(needs("Prescott"), Some(Level::Baseline));
        assert!(needs("SkylakeX") > needs("Haswell"));
        assert_eq!(needs("a kernel of the future"), None);
    }
}
