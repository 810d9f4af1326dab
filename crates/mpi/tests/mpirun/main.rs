//! Trainings of several processes under `mpirun`. This program is both: it calls `mpirun`, which starts it again, and is the processes.

mod launcher;
mod process;

use std::env;
use std::process::ExitCode;

/// The variables by which an MPI tells a process that it was started by it: Open MPI's and MPICH's.
const STARTED: [&str; 2] = ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE"];

fn main() -> ExitCode {
    if STARTED.iter().any(|name| env::var_os(name).is_some()) {
        return process::run(&env::args().nth(1).unwrap_or_default());
    }
    launcher::run()
}
