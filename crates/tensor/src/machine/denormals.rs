//! Flushing denormal numbers to zero.
//!
//! Once gradients vanish, Adam's moments decay into denormal numbers, with which many CPUs compute up to 20 times slower. For
//! training they might as well be 0.

/// A guard: while it exists, the current thread treats denormal numbers as 0, in operands and results.
///
/// When it is dropped, the previous mode is restored. On other architectures than x86-64 and AArch64 it does nothing. A result that
/// would be rounded up to the smallest normal number is that number on x86-64, and 0 on AArch64.
///
/// ```
/// use chainrule_tensor::FlushDenormals;
/// let tiny = std::hint::black_box(f32::MIN_POSITIVE);
/// {
///     let _flush = FlushDenormals::new();
///     # #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
///     assert_eq!(std::hint::black_box(tiny * 0.5), 0.0);
/// }
/// assert_ne!(std::hint::black_box(tiny * 0.5), 0.0);
/// ```
#[derive(Debug)]
pub struct FlushDenormals {
    before: u64,
    /// The register belongs to the thread, so the guard must not move to another.
    _thread: std::marker::PhantomData<*mut ()>,
}

impl FlushDenormals {
    /// Turns denormal numbers off for this thread.
    #[inline]
    #[must_use]
    pub fn new() -> Self {
        let before = control::read();
        control::write(before | control::FLUSH);
        Self { before, _thread: std::marker::PhantomData }
    }
}

impl Default for FlushDenormals {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for FlushDenormals {
    #[inline]
    fn drop(&mut self) {
        control::write(self.before);
    }
}

#[cfg(all(target_arch = "x86_64", not(miri)))]
mod control {
    use std::arch::asm;

    /// Flush-to-zero (bit 15) and denormals-are-zero (bit 6) of MXCSR.
    pub(super) const FLUSH: u64 = 1 << 15 | 1 << 6;

    #[inline]
    pub(super) fn read() -> u64 {
        let mut value = 0u32;
        // SAFETY: `stmxcsr` writes four bytes, to `value`, and changes nothing else.
        unsafe { asm!("stmxcsr [{}]", in(reg) &mut value, options(nostack, preserves_flags)) };
        u64::from(value)
    }

    #[inline]
    pub(super) fn write(value: u64) {
        let value = value as u32;
        // SAFETY: `value` was read from the register, with two defined bits added, so no reserved bit is
        // set. Rounding and exception masks stay as Rust expects them; that denormal numbers count as
        // zero is the purpose of the guard.
        unsafe { asm!("ldmxcsr [{}]", in(reg) &value, options(nostack, preserves_flags)) };
    }
}

#[cfg(all(target_arch = "aarch64", not(miri)))]
mod control {
    use std::arch::asm;

    /// Flush-to-zero (bit 24) of FPCR.
    pub(super) const FLUSH: u64 = 1 << 24;

    #[inline]
    pub(super) fn read() -> u64 {
        let value: u64;
        // SAFETY: reading the register has no side effects.
        unsafe { asm!("mrs {}, fpcr", out(reg) value, options(nomem, nostack, preserves_flags)) };
        value
    }

    #[inline]
    pub(super) fn write(value: u64) {
        // SAFETY: `value` was read from the register, with one defined bit added. Rounding stays as Rust expects it; that denormal
        // numbers count as zero is the purpose of the guard. Not `nomem`: what is computed from memory stays on its side.
        unsafe { asm!("msr fpcr, {}", in(reg) value, options(nostack, preserves_flags)) };
    }
}

#[cfg(any(not(any(target_arch = "x86_64", target_arch = "aarch64")), miri))]
mod control {
    pub(super) const FLUSH: u64 = 0;

    pub(super) fn read() -> u64 {
        0
    }

    pub(super) fn write(_: u64) {}
}
