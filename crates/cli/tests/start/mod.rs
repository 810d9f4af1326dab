//! How the tests start the program.

use std::process::Command;

/// The program, with the best kernel of OpenBLAS, whichever one the environment selects: to an old one it adds a warning.
pub(crate) fn chainrule() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chainrule"));
    command.env("OPENBLAS_CORETYPE", "auto");
    command
}
