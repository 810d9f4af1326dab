//! Things that describe themselves: each has a name and settings that can be written, read, listed and documented.
//!
//! A layer, a loss, a metric, an optimizer, a schedule, an initialiser is a value with one [`Entry`], made by
//! [`describe!`](crate::describe!) in the file of its type: the name and its aliases, the settings with defaults and ranges, one
//! line of documentation for each, the formula and its source. All else comes from it: the text `adam(lr=0.001)` and how it is
//! read ([`text`](#the-text-form)), the same as JSON or TOML (feature `serde`), errors that say where and what is allowed, the options
//! and lists of the program, the tables of the documentation, and model files that need no code.
//!
//! ```
//! use chainrule_core::{Constant, Described, Description, Initializer, Registry, describe, register};
//! use std::sync::Arc;
//!
//! // What a thing is...
//! let constant = Constant(0.5);
//! assert_eq!(constant.describe().to_string(), "constant(value=0.5)");
//!
//! // ... and the thing from that. A registry knows what it may be.
//! let mut registry = Registry::new();
//! register!(registry, Arc<dyn Initializer>, Arc::new; Constant);
//! let description: Description = "constant(0.5)".parse()?;
//! let built: Arc<dyn Initializer> = registry.build(&description)?;
//! assert_eq!(built.description(), constant.describe());
//!
//! let error = registry.build::<Arc<dyn Initializer>>(&"konstant(0.5)".parse()?).unwrap_err();
//! assert_eq!(error.to_string(), "there is no initializer named `konstant`; the nearest name is `constant`");
//! # Ok::<(), chainrule_core::DescriptionError>(())
//! ```
//!
//! # The text form
//!
//! ```text
//! relu                                     a name
//! dense(64, bias=false)                    settings in their order, or by name
//! adam(lr=0.001, betas=[0.9, 0.999])       numbers, lists, yes and no (true, false), none, words, "text"
//! sgd(lr=cosine(rate=0.1, steps=1000))     things inside of things
//! adam.keras(lr=0.01)                      another set of defaults
//! warmup(500) then cosine                  one after the other
//! focal:gamma=2,alpha=0.25                 what a shell does not need quotes for
//! ```
//!
//! Names are compared without case, `_`, `-` and spaces, so `CrossEntropy`, `cross-entropy` and `cross_entropy` are one.
//!
//! # A thing of your own
//!
//! It has its entry like all others, and is registered beside them; the text form, files and the command line then know it.
//! Without an entry it can be used in code all the same: only what cannot be described cannot be read.

mod description;
mod entry;
mod error;
mod macros;
mod names;
mod range;
mod registry;
#[cfg(feature = "serde")]
mod serde;
mod setting_value;
mod text;

pub use description::{Description, Value};
pub use entry::{Entry, Preset, Setting};
pub use error::DescriptionError;
#[doc(hidden)]
pub use macros::describe_default;
pub use names::{nearest_name, same_name};
pub use range::Range;
pub use registry::{Described, Kind, Place, Registry, SettingValue, Settings, SharedKind};
