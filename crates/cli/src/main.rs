//! The `chainrule` program: trains on MNIST, and tells about the machine.

mod bench;
mod choices;
mod dataset;
mod doctor;
mod progress;
mod report;
mod train_mnist;

use std::process::ExitCode;

use chainrule::tensor::blas;
use clap::{Parser, Subcommand};

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
    // First of all, since it may start the program again.
    if let Some(warning) = blas::use_best_kernel() {
        eprintln!("warning: {warning}");
    }
    let result = match Arguments::parse().command {
        Command::TrainMnist(arguments) => train_mnist::run(&arguments),
        Command::Doctor => doctor::run(),
        Command::Bench(arguments) => bench::run(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
