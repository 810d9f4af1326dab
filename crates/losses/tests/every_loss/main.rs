//! Properties that every loss has.

mod cases;
mod properties;
mod settings;
mod targets;
mod user;
mod weights;
