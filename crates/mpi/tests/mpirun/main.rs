//! Trainings of several processes under `mpirun`. This program is both: it calls `mpirun`, which starts it again, and is the processes.

mod hosts;
mod killed;
mod launcher;
mod process;

use std::env;
use std::process::ExitCode;

/// The variables by which an MPI tells a process that it was started by it: Open MPI's and MPICH's.
const STARTED: [&str; 2] = ["OMPI_COMM_WORLD_RANK", "PMI_RANK"];

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    if let Some(rank) = STARTED.iter().find_map(|name| env::var(name).ok()) {
        return process::run(&rank, words.first().unwrap_or(&""));
    }
    match words[..] {
        [hosts::AGENT, host, ref command @ ..] => hosts::start_on(host, command),
        _ => launcher::run(&words),
    }
}
