//! `chainrule report`: a page of a report that was written as JSON.

use std::error::Error;
use std::fs;
use std::path::PathBuf;

use chainrule::data::output;
use chainrule_cli::terminal;
use chainrule_report::RunReport;
use clap::Args;

use crate::output_files::{cannot_write, check_source};

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// The report, as `chainrule train-mnist --json` writes it.
    report: PathBuf,
    /// Write the page to this file [default: that of the report with the ending .html].
    #[arg(short, long)]
    out: Option<PathBuf>,
}

pub(crate) fn run(Arguments { report, out }: &Arguments) -> Result<(), Box<dyn Error>> {
    let text =
        fs::read_to_string(report).map_err(|error| format!("cannot read {}: {error}", report.display()))?;
    let page = RunReport::read(&text).map_err(|error| {
        let source = std::error::Error::source(&error).map_or(String::new(), |source| format!(": {source}"));
        format!("{}: {error}{source}", report.display())
    })?;
    let out = out.clone().unwrap_or_else(|| report.with_extension("html"));
    check_source(&out, report)?;
    output::write(&out, |file| file.write_all(page.to_html().as_bytes()))
        .map_err(|error| cannot_write(&out, &error))?;
    Ok(terminal::print(format_args!("wrote {}", out.display()))?)
}
