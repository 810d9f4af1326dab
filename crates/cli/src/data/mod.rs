//! `chainrule data`: what is done with data before a training.

mod info;

use std::error::Error;

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show what a table holds (a CSV file or the like, also gzip): rows, and of each column its name, kind, missing and distinct
    /// values, minimum, maximum and mean, with warnings about what is likely wrong.
    Info(Box<info::Arguments>),
}

pub(crate) fn run(command: &Command) -> Result<(), Box<dyn Error>> {
    match command {
        Command::Info(arguments) => info::run(arguments),
    }
}
