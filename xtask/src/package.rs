//! The step `package`: every published crate can be packed, and builds from the packed file.
//!
//! Cargo packs all crates of the workspace at once and lets each find the others in a registry of its own, as if they
//! were published already. What is built goes into one folder, so that dependencies are compiled once.

use std::path::Path;

use crate::cargo;
use crate::print;

/// Packs and builds.
///
/// # Errors
/// A crate that cannot be packed or built.
pub(crate) fn run(root: &Path) -> Result<(), String> {
    let arguments = "package --workspace --exclude xtask --exclude chainrule-benches --allow-dirty --quiet";
    print::out(format_args!("    cargo {arguments}"));
    let mut cargo = cargo();
    cargo.args(arguments.split(' ')).env("CARGO_TARGET_DIR", root.join("target/packages"));
    // These builds are never run, so they need no debug information.
    cargo.env("CARGO_PROFILE_DEV_DEBUG", "0");
    match cargo.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("a crate cannot be packed, or not be built from its package ({status}).")),
        Err(error) => Err(format!("cargo could not be started: {error}.")),
    }
}
