//! The `chainrule` program: trains on MNIST, and tells about the machine.

mod bench;
mod choices;
mod dataset;
mod distance;
mod doctor;
mod machine;
mod models;
mod peak;
mod progress;
mod report;
mod train_mnist;

use std::process::ExitCode;

use chainrule::tensor::{CountingAllocator, blas};
use clap::{Parser, Subcommand};

/// What `bench` counts with; it adds nothing to a step, which allocates nothing.
#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator::new();

/// Train neural networks on the CPU at the speed of its BLAS.
#[derive(Debug, Parser)]
#[command(name = "chainrule", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Train a network on the MNIST digits, evaluate it, and save it.
    TrainMnist(train_mnist::Arguments),
    /// Tell which BLAS and kernel is in use, how fast it is, and what could be better.
    Doctor,
    /// Measure training steps beside the bare matrix products that they need.
    Bench(bench::Arguments),
}

fn main() -> ExitCode {
    let command = Arguments::parse().command;
    // Before anything is done, since it may start the program again.
    let old = match &command {
        Command::Bench(_) => blas::insist_on_best_kernel(),
        Command::TrainMnist(_) | Command::Doctor => blas::use_best_kernel(),
    };
    if let Some(warning) = old {
        eprintln!("warning: {warning}");
    }
    let result = match command {
        Command::TrainMnist(arguments) => train_mnist::run(&arguments),
        Command::Doctor => doctor::run(),
        Command::Bench(arguments) => bench::run(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let sources = std::iter::successors(error.source(), |&error| error.source());
            let text = sources.fold(error.to_string(), |text, source| format!("{text}: {source}"));
            eprintln!("error: {text}");
            ExitCode::FAILURE
        }
    }
}
