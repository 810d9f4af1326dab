//! `train-mnist`, `doctor` and `bench`: the `chainrule` program carries these out; here it is built and
//! started, on a machine that was set up for it.

use crate::blas::Blas;
use crate::{Stop, cargo, probe, setup};

/// Sets up, builds the program and runs its `command`, whose exit status becomes ours.
pub(crate) fn run(command: &str, arguments: &[String]) -> Result<(), Stop> {
    let (chosen, arguments) = Blas::take(arguments)?;
    let blas = match chosen {
        Some(blas) => blas,
        // Reading the help must not install anything.
        None if asks_for_help(&arguments) && !probe::missing().nothing() => Blas::NONE,
        None => Blas::SYSTEM_OPENBLAS,
    };
    if blas == Blas::SYSTEM_OPENBLAS {
        setup::set_up(false)?;
    }
    eprintln!("building the release program; a first build takes about a minute");
    let mut cargo = cargo();
    cargo.args(["run", "--release", "-p", "chainrule-cli", "--bin", "chainrule"]);
    cargo.args(blas.cargo_arguments()).args(["--", command]).args(arguments);
    let status =
        cargo.status().map_err(|error| Stop::Failed(format!("cargo could not be started: {error}.")))?;
    match status.code() {
        Some(0) => Ok(()),
        // A signal leaves no code.
        code => Err(Stop::Status(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1))),
    }
}

fn asks_for_help(arguments: &[String]) -> bool {
    arguments.iter().any(|argument| argument == "--help" || argument == "-h")
}
