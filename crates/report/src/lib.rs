//! A training as one HTML page.
//!
//! ```
//! use chainrule_report::{CurveSeries, RunReport};
//! let mut report = RunReport::new("Iris");
//! let losses = [(1.0, 1.1), (2.0, 0.7), (3.0, 0.5)];
//! report.curves.push(CurveSeries::new("loss", "training", losses));
//! report.classes = ["setosa", "versicolor"].map(String::from).to_vec();
//! report.confusion = vec![vec![13, 1], vec![0, 16]];
//! let page = report.to_html();
//! assert!(page.contains("<h2>Confusion") && page.contains("setosa"));
//! ```
//!
//! [`RunReport`] is plain values: what is empty is left out of the page. [`RunReport::read`] makes one of the JSON report that the program
//! writes.
//!
//! The decision here: **the page is one file, and text is never markup.** Style and script are part of the page, and its policy forbids
//! everything else; every text goes through `escape.rs`, and the numbers of the charts are data that no browser runs.
#![doc(html_root_url = "https://docs.rs/chainrule-report/latest")]

mod curves;
mod escape;
mod graph;
mod page;
mod parts;
mod pictures;
mod read;
mod report;
mod tables;

pub use curves::ScoredSamples;
pub use read::ReadError;
pub use report::{
    CurveSeries, GraphNode, LayerFacts, ModelGraph, OutputReport, PredictedValues, RunProgress, RunReport,
    TextTable, Thumbnail,
};
pub use tables::counted;
