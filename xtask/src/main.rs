//! The way into chainrule from a checkout: `cargo xtask COMMAND`.
//!
//! The decision here: **xtask links no BLAS and none of the workspace's crates**, so it builds in seconds on
//! a bare machine and can report what is missing there, and install it, before anything needs it. Each command
//! has a file of its own; those that other programs of the workspace carry out share `program.rs`.
//!
//! xtask's own messages go to standard error, so the output of the program it starts stays the program's own.

mod arm;
mod blas;
mod deny;
mod fuzz;
mod gate;
mod imports;
mod nearest;
mod package;
mod print;
mod probe;
mod program;
mod python;
mod sanitizer;
mod setup;
mod test;
mod tree;
mod words;

use std::env;
use std::ffi::OsString;
use std::process::{Command, ExitCode};

const HELP: &str = "\
Usage: cargo xtask COMMAND

Commands:
  setup [--dry-run] [--mpi]
                        Check for a C compiler and OpenBLAS, with --mpi for MPI and libclang as
                        well, and install what is missing
  train-mnist [ARGS]    Set up, then train on MNIST (--help lists the arguments; --processes N
                        trains with N processes)
  doctor [ARGS]         Set up, then show which BLAS and kernel this machine uses, and how fast
  bench [ARGS]          Set up, then measure training steps against their bare matrix products
  test [--no-gate] [--only STEP] [--print]
                        Run every check: fmt, words, imports, tree, clippy, test,
                        sanitizer, doc, no-blas, arm, package, deny, bench, gate, python
                        (--only imports --print draws which file imports which)
  fuzz [TARGET]... [--inputs N]
                        Try random input on everything that reads files (nightly and cargo-fuzz)
  help                  Print this

train-mnist, doctor and bench take --blas NAME: openblas (the default), openblas-static, intel-mkl,
accelerate, netlib, or none, which needs nothing installed.
";

const COMMANDS: [&str; 7] = ["setup", "train-mnist", "doctor", "bench", "test", "fuzz", "help"];

/// Why a command did not succeed.
#[derive(Debug, PartialEq)]
pub(crate) enum Stop {
    /// The command line is wrong: exit status 2.
    Usage(String),
    /// Something failed: exit status 1.
    Failed(String),
    /// A program that was started ended with this status and has said why itself.
    Status(u8),
}

fn main() -> ExitCode {
    let arguments: Result<Vec<String>, _> = env::args_os().skip(1).map(OsString::into_string).collect();
    let outcome = arguments
        .map_err(|argument| Stop::Usage(format!("the argument {} is not UTF-8.", argument.display())))
        .and_then(|arguments| run(&arguments));
    match outcome {
        Ok(()) if print::complete() => ExitCode::SUCCESS,
        Ok(()) => ExitCode::FAILURE,
        Err(Stop::Usage(message)) => {
            print::note(format_args!("error: {message}\n`cargo xtask help` lists the commands."));
            ExitCode::from(2)
        }
        Err(Stop::Failed(message)) => {
            print::note(format_args!("error: {message}"));
            ExitCode::FAILURE
        }
        Err(Stop::Status(status)) => ExitCode::from(status),
    }
}

fn run(arguments: &[String]) -> Result<(), Stop> {
    let Some((command, rest)) = arguments.split_first() else {
        print::out(HELP.trim_end());
        return Ok(());
    };
    let wants_help = rest.iter().any(|a| a == "--help" || a == "-h");
    match command.as_str() {
        "setup" | "test" | "fuzz" if wants_help => print::out(HELP.trim_end()),
        "help" | "--help" | "-h" => print::out(HELP.trim_end()),
        "setup" => setup::run(rest)?,
        "test" => test::run(rest)?,
        "fuzz" => fuzz::run(rest, &test::root())?,
        delegated if program::has(delegated) => program::run(delegated, rest)?,
        unknown => {
            let nearest = nearest::nearest(unknown, &COMMANDS);
            return Err(Stop::Usage(format!("there is no command `{unknown}`; the nearest is `{nearest}`.")));
        }
    }
    Ok(())
}

/// The cargo that started xtask, so that everything is built by one toolchain.
pub(crate) fn cargo() -> Command {
    Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}
