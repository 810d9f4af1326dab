//! `chainrule data`: what is done with data before a training.

mod download;
mod info;
mod list;
mod show;

use std::error::Error;

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the data sets that can be downloaded.
    List(list::Arguments),
    /// Download a data set, check it, and print its directory.
    Download(download::Arguments),
    /// Write a sheet of samples as a picture, a row for each class.
    Show(show::Arguments),
    /// Show what a table holds (a file of CSV or the like, also gzip, or of Parquet): rows, and of each column its name, kind, missing and distinct
    /// values, minimum, maximum and mean, with warnings about what is likely wrong.
    Info(Box<info::Arguments>),
}

pub(crate) fn run(command: &Command) -> Result<(), Box<dyn Error>> {
    match command {
        Command::List(arguments) => list::run(arguments),
        Command::Download(arguments) => download::run(arguments),
        Command::Show(arguments) => show::run(arguments),
        Command::Info(arguments) => info::run(arguments),
    }
}
