//! Descriptions from which nothing can be built.

use std::fmt;

use crate::settings::SettingError;

/// A description from which nothing can be built, or a text that is none.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum DescriptionError {
    /// The text is not in the text form.
    Syntax {
        /// The text.
        text: String,
        /// Where it stops to be, in characters from 0.
        at: usize,
        /// What is expected there.
        expected: &'static str,
    },
    /// Nothing has this name.
    Name {
        /// What was looked for, such as `"optimizer"`.
        kind: &'static str,
        /// The name.
        name: String,
        /// The most similar name that there is.
        nearest: Option<&'static str>,
    },
    /// It has no preset of this name.
    Preset {
        /// The thing.
        owner: &'static str,
        /// The preset's name.
        name: String,
        /// Those that it has.
        known: Vec<&'static str>,
    },
    /// It has no setting of this name.
    Setting {
        /// Where the thing is: its name, after those that it is inside of.
        place: String,
        /// The setting.
        setting: String,
        /// The settings that it has.
        known: Vec<&'static str>,
    },
    /// It has fewer settings than were given.
    Surplus {
        /// Where the thing is.
        place: String,
        /// The number of settings that it has.
        settings: usize,
    },
    /// A setting is given twice.
    Twice {
        /// Where the thing is.
        place: String,
        /// The setting.
        setting: &'static str,
    },
    /// A setting that has no default is missing.
    Missing {
        /// Where the thing is.
        place: String,
        /// The setting.
        setting: &'static str,
        /// What it is.
        summary: &'static str,
    },
    /// A value is of another kind, or out of range.
    Value {
        /// Where the value is, such as `adam.betas`.
        place: String,
        /// The value.
        found: String,
        /// What is allowed.
        allowed: String,
    },
    /// Things of this kind do not follow each other.
    Chain {
        /// The kind, such as `"loss"`.
        kind: &'static str,
    },
    /// It contains code, which a text does not hold.
    Code {
        /// Where the thing is.
        place: String,
        /// The name that the program gave it.
        name: String,
    },
    /// The settings exclude each other.
    Settings(SettingError),
}

impl fmt::Display for DescriptionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax { text, at, expected } => {
                write!(f, "`{text}` cannot be read: at character {at} there should be {expected}")
            }
            Self::Name { kind, name, nearest } => {
                write!(f, "there is no {kind} named `{name}`")?;
                match nearest {
                    Some(nearest) => write!(f, "; the nearest name is `{nearest}`"),
                    None => f.write_str(", since none is registered"),
                }
            }
            Self::Preset { owner, name, known } if known.is_empty() => {
                write!(f, "{owner} has no presets, so there is no `{owner}.{name}`")
            }
            Self::Preset { owner, name, known } => {
                write!(f, "{owner} has no preset named `{name}`, only {}", known.join(", "))
            }
            Self::Setting { place, setting, known } if known.is_empty() => {
                write!(f, "{place} has no settings, so `{setting}` cannot be one")
            }
            Self::Setting { place, setting, known } => {
                write!(f, "{place} has no setting named `{setting}`; it has {}", known.join(", "))
            }
            Self::Surplus { place, settings } => {
                write!(f, "{place} is given more than its {settings} settings")
            }
            Self::Twice { place, setting } => write!(f, "{place} is given `{setting}` twice"),
            Self::Missing { place, setting, summary } => {
                write!(f, "{place} needs the setting `{setting}`: {summary}")
            }
            Self::Value { place, found, allowed } => {
                write!(f, "{place} is {found}, but must be {allowed}")
            }
            Self::Chain { kind } => write!(f, "one {kind} cannot follow another: leave out the `then`"),
            Self::Code { place, name } => write!(
                f,
                "{place} named `{name}` contains code, which no text holds: build the layers in the program, or register a type of your own instead"
            ),
            Self::Settings(error) => fmt::Display::fmt(error, f),
        }
    }
}

impl std::error::Error for DescriptionError {}

impl From<SettingError> for DescriptionError {
    fn from(error: SettingError) -> Self {
        Self::Settings(error)
    }
}
