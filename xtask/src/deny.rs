//! The step `deny`: licences, banned crates, sources and advisories of the dependencies, by cargo-deny.

use std::process::Stdio;

use crate::cargo;
use crate::print;
use crate::test::{Outcome, execute};

/// Checks what can be checked on this machine.
///
/// # Errors
/// A dependency that deny.toml forbids.
pub(crate) fn run() -> Result<Outcome, String> {
    if !succeeds(&["deny", "--version"]) {
        return Ok(Outcome::Skipped(
            "cargo-deny is not installed; `cargo install cargo-deny --locked` installs it".into(),
        ));
    }
    execute(None, "deny --workspace check licenses bans sources")?;
    if !succeeds(&["deny", "fetch", "db"]) {
        print::out("    advisories not checked: their database is not available");
        return Ok(Outcome::Passed);
    }
    execute(None, "deny --workspace check --disable-fetch advisories")?;
    Ok(Outcome::Passed)
}

fn succeeds(arguments: &[&str]) -> bool {
    let mut cargo = cargo();
    cargo.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    cargo.status().is_ok_and(|status| status.success())
}
