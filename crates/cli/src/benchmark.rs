//! What every benchmark does around its measurements.

use std::error::Error;
use std::process::ExitCode;

use chainrule::tensor::{blas, simd};

use crate::{error_chain, terminal};

/// Runs a benchmark with the best kernel of BLAS, and prints its error, if there is one. It comes first in `main`, since it may start the
/// program again.
pub fn run(body: impl FnOnce() -> Result<(), Box<dyn Error>>) -> ExitCode {
    if let Some(warning) = blas::insist_on_best_kernel() {
        terminal::note(format_args!("warning: {warning}"));
    }
    match simd::check_level().map_err(Into::into).and_then(|_| body()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            terminal::note(format_args!("error: {}", error_chain::text(&*error)));
            ExitCode::FAILURE
        }
    }
}

/// The peak memory of this process in bytes, as Linux reports it; `None` elsewhere.
pub fn peak_memory() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024.0)
}
