//! Properties that every loss has.

mod cases;
mod extremes;
mod properties;
mod reference;
mod settings;
mod targets;
mod user;
mod weights;
