//! Tables whose rows are steps in time.

use std::path::Path;
use std::sync::Arc;

use chainrule::core::Registry;
use chainrule::data::{WindowSize, Windows, WindowsError};
use chainrule::tables::transform::Standardise;
use chainrule::tables::{ColumnKind, Preparation, Table};
use ndarray::Array2;

use super::table::{check_columns, column, numbers_of, warnings};
use super::{DataParts, LoadedData, LoadedSamples, SharedSamples};
use crate::configuration::Configuration;
use crate::data_section::TableSection;
use crate::error::ConfigError;
use crate::location::Located;
use crate::split_section::{HeldOut, SplitMethod};
use crate::targets::PredictedTargets;

pub(super) fn load(
    configuration: &Configuration,
    section: &TableSection,
    size: &Located<WindowSize>,
    registry: &Registry,
) -> Result<LoadedData, ConfigError> {
    let split = &configuration.data.split;
    let table = ordered(section.reader(&section.path).read()?, configuration)?;
    for name in section.targets.iter().chain(&section.ignore) {
        column(&table, name)?;
    }
    if let Some(target) = section.targets.first().filter(|_| section.classes == Some(true)) {
        let problem = "what comes after a window is numbers: leave out `target_kind`".to_owned();
        return Err(ConfigError::Contradiction { at: target.at.clone(), problem });
    }
    let notes = warnings(&table, section);
    let targets: Vec<String> = section.targets.iter().map(|target| target.value.clone()).collect();
    let values = numbers_of(&table, &targets)?;
    let share = |part: &HeldOut| match part {
        HeldOut::Share(share) => ((share * table.rows() as f64).round() as usize).max(1),
        HeldOut::Nothing | HeldOut::Files(_) => 0,
    };
    let tested = table.rows().saturating_sub(share(&split.test));
    let validated = tested.saturating_sub(share(&split.validation));
    let train: Vec<usize> = (0..validated).collect();
    let preparation = roles(configuration, section, &table, registry)?.fit(&table.select(&train))?;
    let failed = |source: WindowsError| ConfigError::Contradiction {
        at: size.at.clone(),
        problem: source.to_string(),
    };
    let windows = windows(&table, &preparation, &values, size.value).map_err(|error| match error {
        SeriesError::Config(error) => *error,
        SeriesError::Windows(error) => failed(error),
    })?;
    let part = |held_out: &HeldOut, range: std::ops::Range<usize>| -> Result<_, ConfigError> {
        let windows = match held_out {
            HeldOut::Nothing => return Ok(None),
            HeldOut::Share(_) => windows.predicting(range).map_err(failed)?,
            HeldOut::Files(path) => {
                of_file(configuration, section, &preparation, &targets, size.value, path)?
            }
        };
        Ok(Some(Arc::new(windows) as SharedSamples<Vec<f32>>))
    };
    let parts = DataParts {
        train: Arc::new(windows.predicting(0..validated).map_err(failed)?),
        validation: part(&split.validation, validated..tested)?,
        test: part(&split.test, tested..table.rows())?,
        weights: None,
    };
    let mut predicts = PredictedTargets::numbers(names(&targets, size.value.horizon));
    if section.scale_targets {
        let scales = PredictedTargets::scaled(targets, &values[..validated]).scales;
        predicts.scales = scales.repeat(size.value.horizon);
    }
    Ok(LoadedData {
        samples: LoadedSamples::Values(parts),
        preparation: Some(preparation),
        predicts,
        notes,
        rows: None,
    })
}

/// What is predicted: each target at each step of the horizon, step by step.
fn names(targets: &[String], horizon: usize) -> Vec<String> {
    if horizon == 1 {
        return targets.to_vec();
    }
    let at = |step: usize| targets.iter().map(move |target| format!("{target} +{step}"));
    (1..=horizon).flat_map(at).collect()
}

/// The table with its rows in the order of time, which is that of the file unless the split names a column.
pub(crate) fn ordered(table: Table, configuration: &Configuration) -> Result<Table, ConfigError> {
    let Located { value: method, at } = &configuration.data.split.method;
    let refuse = |problem: String| Err(ConfigError::Contradiction { at: at.clone(), problem });
    let name = match method {
        SplitMethod::ByTime(name) => Located { value: name.clone(), at: at.clone() },
        // That is what is meant where nothing is said.
        SplitMethod::Random if *at == configuration.data.at => return Ok(table),
        _ => {
            let problem = "the parts of a series follow each other in time: give \"by_time(COLUMN)\", or leave out `split` if the rows are in order";
            return refuse(problem.to_owned());
        }
    };
    let Some(times) = column(&table, &name)?.numbers() else {
        return refuse(format!("{:?} is neither dates nor numbers: it has no order in time", name.value));
    };
    if let Some(row) = times.values().iter().position(|time| time.is_nan()) {
        let problem = format!(
            "line {}: {:?} is missing, so that the row has no place in time",
            table.line(row),
            name.value
        );
        return Err(ConfigError::Data { path: table.source().path.clone(), problem });
    }
    let mut rows: Vec<usize> = (0..table.rows()).collect();
    rows.sort_by(|&a, &b| times.values()[a].total_cmp(&times.values()[b]));
    Ok(if rows.is_sorted() { table } else { table.select(&rows) })
}

/// The targets are features, too, with their past; dates only where the configuration says how.
fn roles(
    configuration: &Configuration,
    section: &TableSection,
    table: &Table,
    registry: &Registry,
) -> Result<chainrule::tables::ColumnRoles, ConfigError> {
    let preparation = &configuration.preparation;
    let has_own =
        |name: &str| preparation.columns.iter().any(|(of, _)| of.iter().any(|own| own.value == name));
    let mut roles = preparation.roles(registry)?;
    for target in section.targets.iter().filter(|target| !has_own(&target.value)) {
        roles = roles.columns([target.value.clone()], Standardise::default());
    }
    roles = roles.ignore(section.ignore.iter().map(|name| name.value.clone()));
    if preparation.dates.is_none() {
        let is_given = |name: &str| {
            has_own(name) || section.targets.iter().chain(&section.ignore).any(|given| given.value == name)
        };
        let dates = table.columns().iter().filter(|column| column.kind() == ColumnKind::Date);
        roles = roles.ignore(dates.map(|column| column.name().to_owned()).filter(|name| !is_given(name)));
    }
    Ok(roles)
}

enum SeriesError {
    Config(Box<ConfigError>),
    Windows(WindowsError),
}

impl From<ConfigError> for SeriesError {
    fn from(error: ConfigError) -> Self {
        Self::Config(Box::new(error))
    }
}

/// All windows of a table.
fn windows(
    table: &Table,
    preparation: &Preparation,
    values: &[Vec<f32>],
    size: WindowSize,
) -> Result<Windows<f32>, SeriesError> {
    let features = preparation.features::<f32>(table).map_err(ConfigError::from)?;
    let columns = values.first().map_or(0, Vec::len);
    let values = Array2::from_shape_fn((values.len(), columns), |(row, column)| values[row][column]);
    Windows::new(features, values, size).map_err(SeriesError::Windows)
}

/// The windows of a file of its own.
pub(crate) fn of_file(
    configuration: &Configuration,
    section: &TableSection,
    preparation: &Preparation,
    targets: &[String],
    size: WindowSize,
    path: &Path,
) -> Result<Windows<f32>, ConfigError> {
    let table = steps_of_file(configuration, section, preparation, path)?;
    let values = numbers_of(&table, targets)?;
    windows(&table, preparation, &values, size).map_err(|error| match error {
        SeriesError::Config(error) => *error,
        SeriesError::Windows(error) => {
            ConfigError::Data { path: path.to_owned(), problem: error.to_string() }
        }
    })
}

/// A table like that of the training, in the order of time.
pub(crate) fn steps_of_file(
    configuration: &Configuration,
    section: &TableSection,
    preparation: &Preparation,
    path: &Path,
) -> Result<Table, ConfigError> {
    let table = section.options.tell(preparation.reader(path)).read()?;
    check_columns(&table, preparation, false)?;
    ordered(table, configuration)
}
