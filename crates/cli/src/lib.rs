//! What the `chainrule` program and its benchmark share.
//!
//! This is not a library to build on: it has no stable interface. The [`chainrule`] crate is the one to depend on.

pub mod benchmark;
pub mod core_latency;
pub mod dataset;
pub mod error_chain;
pub mod machine;
pub mod models;
pub mod page_server;
pub mod peak;
pub mod tables;
pub mod terminal;

pub use chainrule_config::families;
