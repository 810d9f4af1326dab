//! Properties that every loss has.

mod cases;
mod properties;
mod reference;
mod settings;
mod targets;
mod user;
mod weights;
