//! The step `sanitizer`: the tests of the crates around `unsafe` code, under AddressSanitizer.
//!
//! `unsafe` is in `tensor`; `core` and `layers` call it with every shape that there is. It is also at the boundary of `c`, which is not
//! run here: its tests compile programs in C without the sanitizer. AddressSanitizer stops at an access
//! beside what was allocated, or after it was freed. It needs an unstable option of the compiler, which `RUSTC_BOOTSTRAP` lets a
//! stable one take.

use std::path::Path;
use std::process::Command;

use crate::cargo;
use crate::print;
use crate::test::Outcome;

/// The machine that xtask was built for, where the compiler has AddressSanitizer for it.
const TARGET: Option<&str> = if cfg!(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64")) {
    Some("x86_64-unknown-linux-gnu")
} else if cfg!(all(target_os = "linux", target_env = "gnu", target_arch = "aarch64")) {
    Some("aarch64-unknown-linux-gnu")
} else {
    None
};

/// What is run. The tests of every layer in `layer-cases` would take as long again.
const TESTS: &str = "-p chainrule-tensor -p chainrule-core -p chainrule-layers --lib --tests";

/// The kernels are optimised; to optimise the many layers would take longer than to run them.
const OPTIMISED: &str = "profile.dev.package.chainrule-tensor.opt-level=1";

const ENVIRONMENT: [(&str, &str); 4] = [
    ("RUSTC_BOOTSTRAP", "1"),
    ("RUSTFLAGS", "-Zsanitizer=address"),
    ("CARGO_PROFILE_DEV_DEBUG", "line-tables-only"),
    // Tests ask for more memory than there is, and expect to be told so.
    ("ASAN_OPTIONS", "allocator_may_return_null=1"),
];

/// Runs the tests.
///
/// # Errors
/// A test that fails, or that the sanitizer stops.
pub(crate) fn run(root: &Path) -> Result<Outcome, String> {
    let Some(target) = TARGET else {
        return Ok(Outcome::Skipped("there is no AddressSanitizer for this system".into()));
    };
    if !has_runtime(target) {
        return Ok(Outcome::Skipped("this compiler was installed without AddressSanitizer".into()));
    }
    let shown: Vec<String> = ENVIRONMENT.iter().map(|(name, value)| format!("{name}={value}")).collect();
    print::out(format_args!("    {}", shown.join(" ")));
    let arguments = format!("test --quiet {TESTS} --target {target}");
    print::out(format_args!("    cargo {arguments}"));
    let mut cargo = cargo();
    cargo.args(arguments.split(' ')).args(["--config", OPTIMISED]).envs(ENVIRONMENT);
    match cargo.env("CARGO_TARGET_DIR", root.join("target/sanitizer")).status() {
        Ok(status) if status.success() => Ok(Outcome::Passed),
        Ok(status) => Err(format!("the tests failed under AddressSanitizer ({status}).")),
        Err(error) => Err(format!("cargo could not be started: {error}.")),
    }
}

/// Whether the compiler has the sanitizer's library.
fn has_runtime(target: &str) -> bool {
    let Ok(output) = Command::new("rustc").args(["--print", "sysroot"]).output() else { return false };
    let sysroot = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let libraries = Path::new(&sysroot).join("lib/rustlib").join(target).join("lib");
    let Ok(entries) = libraries.read_dir() else { return false };
    entries.flatten().any(|entry| entry.file_name().to_string_lossy().contains("rt.asan"))
}
