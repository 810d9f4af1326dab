//! How data are divided into those for training, validation and test.

use std::path::{Path, PathBuf};

use chainrule::core::{Description, Value, nearest_name};

use crate::data_section::share;
use crate::error::ConfigError;
use crate::location::Located;
use crate::node::{ConfigNode, ConfigValue};
use crate::section::ConfigSection;

/// How data are divided.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SplitSection {
    /// What the training is validated on after each epoch.
    pub validation: HeldOut,
    /// What it is tested on in the end.
    pub test: HeldOut,
    /// How the samples are chosen.
    pub method: Located<SplitMethod>,
    /// The seed of the choice.
    pub seed: u64,
}

/// Data that are not trained on.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum HeldOut {
    /// There are none.
    Nothing,
    /// A share of all samples.
    Share(f64),
    /// Files of their own.
    Files(PathBuf),
}

/// How the samples of a part are chosen.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum SplitMethod {
    /// At random.
    Random,
    /// At random, with the same share of each class.
    Stratified,
    /// At random, but those that are equal in this column stay together.
    Grouped(String),
    /// The last ones by this column.
    ByTime(String),
}

impl SplitSection {
    /// Of the section `data`; `has_test` is whether a test set is part of the data.
    pub(crate) fn of(section: &ConfigSection<'_>, has_test: bool) -> Result<Self, ConfigError> {
        let part = |key: &str| match section.get(key) {
            Some(node) => held_out(node, &section.path(key)),
            None => Ok(HeldOut::Nothing),
        };
        let method = match section.description("split")? {
            Some(Located { value, at }) => Located { value: method(&value, &at, section)?, at },
            None => Located { value: SplitMethod::Random, at: section.at.clone() },
        };
        let [validation, test] = [part("validation")?, part("test")?];
        if let (HeldOut::Share(validation), HeldOut::Share(test)) = (&validation, &test)
            && validation + test >= 1.0
        {
            let problem = format!(
                "`validation` and `test` are {validation} and {test} of the data, so that nothing is left for the training: choose smaller shares"
            );
            return Err(ConfigError::Contradiction { at: section.at.clone(), problem });
        }
        debug_assert!(!has_test || test == HeldOut::Nothing, "there is no such key then");
        Ok(Self { validation, test, method, seed: section.whole("seed", 0)?.unwrap_or(0) })
    }

    /// The files and directories of parts that have some of their own.
    pub(crate) fn files(&self) -> impl Iterator<Item = &Path> {
        [&self.validation, &self.test].into_iter().filter_map(|part| match part {
            HeldOut::Files(path) => Some(&**path),
            _ => None,
        })
    }

    pub(crate) fn files_mut(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        [&mut self.validation, &mut self.test].into_iter().filter_map(|part| match part {
            HeldOut::Files(path) => Some(path),
            _ => None,
        })
    }
}

fn held_out(node: &ConfigNode, key: &str) -> Result<HeldOut, ConfigError> {
    match &node.value {
        ConfigValue::Text(path) if !path.is_empty() => Ok(HeldOut::Files(path.into())),
        _ => {
            match share(node) {
                Some(0.0) => Ok(HeldOut::Nothing),
                Some(share) => Ok(HeldOut::Share(share)),
                None => Err(node
                    .wrong(key, "a share of the data from 0 to below 1, or the path of files of their own")),
            }
        }
    }
}

fn method(
    description: &Description,
    at: &crate::Location,
    section: &ConfigSection<'_>,
) -> Result<SplitMethod, ConfigError> {
    const KNOWN: [&str; 4] = ["random", "stratified", "grouped", "by_time"];
    let Description { name, settings } = description;
    let column = || match &settings[..] {
        [(_, Value::Text(column))] => Some(column.clone()),
        _ => None,
    };
    let found = match &**name {
        "random" if settings.is_empty() => Some(SplitMethod::Random),
        "stratified" if settings.is_empty() => Some(SplitMethod::Stratified),
        "grouped" => column().map(SplitMethod::Grouped),
        "by_time" => column().map(SplitMethod::ByTime),
        _ => None,
    };
    found.ok_or_else(|| {
        let nearest = nearest_name(name, KNOWN).unwrap_or_default();
        ConfigError::Value {
            at: at.clone(),
            key: section.path("split"),
            found: format!("\"{description}\""),
            allowed: format!(
                "\"random\", \"stratified\", \"grouped(COLUMN)\" or \"by_time(COLUMN)\"; the nearest is {nearest}"
            ),
        }
    })
}
