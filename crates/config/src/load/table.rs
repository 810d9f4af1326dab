//! Tables.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use chainrule::core::{Registry, nearest_name};
use chainrule::data::{ClassTargets, Rows};
use chainrule::tables::{ColumnKind, Preparation, Table, TableColumn, TableWarning};
use chainrule::tensor::ClassTarget;

use super::divide::{SplitKeys, divide};
use super::{DataParts, LoadedData, LoadedSamples, SharedSamples, several};
use crate::configuration::Configuration;
use crate::data_section::TableSection;
use crate::error::ConfigError;
use crate::location::Located;
use crate::split_section::{HeldOut, SplitMethod};
use crate::targets::{MAX_CLASSES, PredictedTargets};

pub(super) fn load(
    configuration: &Configuration,
    section: &TableSection,
    registry: &Registry,
) -> Result<LoadedData, ConfigError> {
    if let Some(size) = &section.series {
        return super::series::load(configuration, section, size, registry);
    }
    let split = &configuration.data.split;
    let whole = section.reader(&section.path).read()?;
    for name in section.targets.iter().chain(&section.ignore) {
        column(&whole, name)?;
    }
    let mut notes = warnings(&whole, section);
    let table = with_targets(&whole, section, &mut notes)?;
    let form = TargetForm::of(&table, section, configuration)?;
    let keys = match &split.method.value {
        SplitMethod::Random => SplitKeys::Nothing,
        SplitMethod::Stratified if form == TargetForm::Classes => {
            SplitKeys::Labels(column(&table, &section.targets[0])?.labels())
        }
        SplitMethod::Stratified => {
            let problem = "a stratified split needs a target that is a class: choose \"random\"".to_owned();
            return Err(ConfigError::Contradiction { at: split.method.at.clone(), problem });
        }
        SplitMethod::Grouped(name) => {
            let name = Located { value: name.clone(), at: split.method.at.clone() };
            SplitKeys::Labels(column(&table, &name)?.labels())
        }
        SplitMethod::ByTime(name) => {
            let name = Located { value: name.clone(), at: split.method.at.clone() };
            let Some(times) = column(&table, &name)?.numbers() else {
                let problem =
                    format!("{:?} is neither dates nor numbers: it has no order in time", name.value);
                return Err(ConfigError::Contradiction { at: name.at, problem });
            };
            SplitKeys::Times(times.values().to_vec())
        }
    };
    if let Some(weights) = &section.weights {
        column(&table, weights)?;
    }
    let divided = divide(table.rows(), &keys, split)?;
    let train = table.select(&divided.train);
    let mut roles = configuration.preparation.roles(registry)?;
    for (index, target) in section.targets.iter().enumerate() {
        let is_class = match &form {
            TargetForm::Classes => true,
            TargetForm::Labels | TargetForm::Numbers => false,
            TargetForm::Outputs { are_classes } => are_classes[index],
        };
        roles = if is_class { roles.class_target(&target.value) } else { roles.target(&target.value) };
    }
    let weights = section.weights.as_ref();
    let left_out = section.ignore.iter().chain(weights.filter(|weights| !is_named(&section.ignore, weights)));
    roles = roles.ignore(left_out.map(|name| name.value.clone()));
    let preparation = roles.fit(&train)?;
    let mut part = |held_out: &HeldOut, indices: &[usize]| -> Result<Option<Table>, ConfigError> {
        match held_out {
            HeldOut::Files(path) => {
                let other = section.options.tell(preparation.reader(path)).read()?;
                check_columns(&other, &preparation, true)?;
                with_targets(&other, section, &mut notes).map(Some)
            }
            _ => Ok((!indices.is_empty()).then(|| table.select(indices))),
        }
    };
    let validation = part(&split.validation, &divided.validation)?;
    let test = part(&split.test, &divided.test)?;
    let weights = weights.map(|name| weights_of(&train, name)).transpose()?;
    let names = section.targets.iter().map(|target| target.value.clone()).collect();
    let (samples, predicts) = match &form {
        TargetForm::Outputs { are_classes } => {
            let outputs = several::predicted(&preparation, are_classes);
            for (output, name) in outputs.iter().zip(&section.targets) {
                if let Some(classes) = &output.classes {
                    check_classes(classes, name, &section.path)?;
                }
            }
            let of = |table: &Table| several::outputs_of(table, &preparation, &outputs);
            let targets = several::targets(&train, &preparation, &outputs)?;
            let parts = DataParts {
                train: of(&train)?,
                validation: validation.as_ref().map(of).transpose()?,
                test: test.as_ref().map(of).transpose()?,
                weights,
            };
            let predicts = PredictedTargets::several(outputs, &targets, section.scale_targets);
            (LoadedSamples::Values(parts), predicts)
        }
        TargetForm::Classes => {
            let target = &section.targets[0];
            let classes = preparation.class_names().unwrap_or_default().to_vec();
            check_classes(&classes, target, &section.path)?;
            let of = |table: &Table| classes_of(table, &preparation, classes.len());
            let parts = DataParts {
                train: of(&train)?,
                validation: validation.as_ref().map(of).transpose()?,
                test: test.as_ref().map(of).transpose()?,
                weights,
            };
            (LoadedSamples::Classes(parts), PredictedTargets::classes(&target.value, classes))
        }
        TargetForm::Labels | TargetForm::Numbers => {
            let of = |table: &Table| values_of(table, &preparation);
            let targets = targets_of(&train, &preparation)?;
            let parts = DataParts {
                train: of(&train)?,
                validation: validation.as_ref().map(of).transpose()?,
                test: test.as_ref().map(of).transpose()?,
                weights,
            };
            let predicts = match form {
                TargetForm::Labels => PredictedTargets::labels(names),
                _ if section.scale_targets => PredictedTargets::scaled(names, &targets),
                _ => PredictedTargets::numbers(names),
            };
            (LoadedSamples::Values(parts), predicts)
        }
    };
    let rows = Some(Arc::new(test.or(validation).unwrap_or(train)));
    Ok(LoadedData { samples, preparation: Some(preparation), predicts, notes, rows })
}

/// What the targets of a table are.
#[derive(Clone, Debug, PartialEq, Eq)]
enum TargetForm {
    /// One class.
    Classes,
    /// Several columns of yes and no.
    Labels,
    /// One or several numbers.
    Numbers,
    /// A class or a number for each of several outputs.
    Outputs { are_classes: Vec<bool> },
}

impl TargetForm {
    fn of(table: &Table, section: &TableSection, configuration: &Configuration) -> Result<Self, ConfigError> {
        if !configuration.outputs.is_empty() {
            return Ok(Self::Outputs { are_classes: several::are_classes(table, configuration)? });
        }
        let columns = section.targets.iter().map(|target| column(table, target));
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        let is_class =
            |column: &TableColumn| column.texts().is_some() || column.kind() == ColumnKind::Boolean;
        match &columns[..] {
            [one] if section.classes.unwrap_or(is_class(one)) => return Ok(Self::Classes),
            [_] => {}
            several => {
                if several.iter().all(|column| column.kind() == ColumnKind::Boolean) {
                    return Ok(Self::Labels);
                }
            }
        }
        let wrong = columns.iter().zip(&section.targets).find(|(column, _)| {
            column.texts().is_some() || (columns.len() > 1 && column.kind() == ColumnKind::Boolean)
        });
        match wrong {
            None => Ok(Self::Numbers),
            Some((column, target)) => {
                let problem = if columns.len() == 1 {
                    format!(
                        "{:?} is a {}, not a number: leave out `target_kind`",
                        target.value,
                        column.kind()
                    )
                } else {
                    format!(
                        "{:?} is a {}, but several targets must all be numbers, or all yes or no: give one target, or each an output of its own, as in [output.NAME]",
                        target.value,
                        column.kind()
                    )
                };
                Err(ConfigError::Contradiction { at: target.at.clone(), problem })
            }
        }
    }
}

fn is_named(names: &[Located<String>], name: &Located<String>) -> bool {
    names.iter().any(|other| other.value == name.value)
}

/// How much each row counts, as this column says.
fn weights_of(table: &Table, name: &Located<String>) -> Result<Arc<[f32]>, ConfigError> {
    let refuse = |problem: String| Err(ConfigError::Contradiction { at: name.at.clone(), problem });
    let (path, value) = (table.source().path.display(), &name.value);
    let Some(numbers) = column(table, name)?.numbers() else {
        return refuse(format!("{value:?} is texts, but weights are numbers: give another column"));
    };
    let weights: Vec<f32> = (0..table.rows()).map(|row| numbers.get(row)).collect();
    if let Some(row) = weights.iter().position(|weight| !(*weight >= 0.0 && weight.is_finite())) {
        let (line, exact) = (table.line(row), numbers.values()[row]);
        let found = if exact.is_nan() { "missing".to_owned() } else { exact.to_string() };
        return refuse(format!(
            "{path}, line {line}: {value:?} is {found}, but a weight is a finite number of at least 0: correct it, or leave the row out"
        ));
    }
    if weights.iter().all(|weight| *weight == 0.0) {
        return refuse(format!("{value:?} is 0 in all training rows of {path}: there is nothing to learn"));
    }
    Ok(weights.into())
}

/// A column that the configuration names.
pub(super) fn column<'t>(table: &'t Table, name: &Located<String>) -> Result<&'t TableColumn, ConfigError> {
    table.column(&name.value).map_err(|_| {
        let names = table.columns().iter().map(TableColumn::name);
        let nearest = nearest_name(&name.value, names).unwrap_or_default();
        let path = table.source().path.display();
        let problem = format!("{path} has no column {:?}; the nearest is {nearest:?}", name.value);
        ConfigError::Contradiction { at: name.at.clone(), problem }
    })
}

/// The rows that have all targets.
fn with_targets(
    table: &Table,
    section: &TableSection,
    notes: &mut Vec<String>,
) -> Result<Table, ConfigError> {
    let kept = table.without_missing(section.targets.iter().map(|target| &*target.value))?;
    let path = table.source().path.clone();
    if kept.rows() == 0 {
        let problem = "no row has a target: check which column is to be predicted".to_owned();
        return Err(ConfigError::Data { path, problem });
    }
    if kept.rows() < table.rows() {
        let lost = table.rows() - kept.rows();
        notes.push(format!("{}: rows without a target, which are left out: {lost}", path.display()));
    }
    Ok(kept)
}

/// What is likely wrong with the columns that are features.
pub(super) fn warnings(table: &Table, section: &TableSection) -> Vec<String> {
    let targets: Vec<&TableColumn> =
        section.targets.iter().filter_map(|target| table.column(&target.value).ok()).collect();
    let is_feature = |column: &String| {
        let mut others = section.ignore.iter().chain(&section.targets).chain(&section.weights);
        !others.any(|name| name.value == *column)
    };
    let worth = |warning: &TableWarning| match warning {
        // These are left out.
        TableWarning::Constant { .. } | TableWarning::Identifier { .. } => false,
        TableWarning::IsTarget { column, .. }
        | TableWarning::MostlyMissing { column, .. }
        | TableWarning::Infinite { column, .. }
        | TableWarning::AmbiguousDates { column } => is_feature(column),
        _ => true,
    };
    let warnings = table.warnings(&targets).into_iter().filter(worth);
    warnings.map(|warning| format!("{}: {warning}", table.source().path.display())).collect()
}

fn check_classes(classes: &[String], target: &Located<String>, path: &Path) -> Result<(), ConfigError> {
    let (count, name, path) = (classes.len(), &target.value, path.display());
    let problem = match count {
        0 | 1 => format!("{name:?} has one value in the training rows of {path}: there is nothing to learn"),
        2..=MAX_CLASSES => return Ok(()),
        _ => format!(
            "{name:?} has {count} classes in {path}, but a training takes up to {MAX_CLASSES}: choose another target, join classes, or give `target_kind = \"numbers\"`"
        ),
    };
    Err(ConfigError::Contradiction { at: target.at.clone(), problem })
}

/// Rows with their classes, of which there are so many.
pub(crate) fn classes_of(
    table: &Table,
    preparation: &Preparation,
    classes: usize,
) -> Result<SharedSamples<ClassTarget<f32>>, ConfigError> {
    Ok(Arc::new(ClassTargets::with_classes(preparation.classification::<f32>(table)?, classes)))
}

/// Rows with their targets as numbers.
pub(crate) fn values_of(
    table: &Table,
    preparation: &Preparation,
) -> Result<SharedSamples<Vec<f32>>, ConfigError> {
    let targets = targets_of(table, preparation)?;
    let rows = Rows::new(preparation.features::<f32>(table)?, targets);
    Ok(Arc::new(rows.expect("there are targets for each row")))
}

/// The targets of all rows, which have them, as numbers.
pub(crate) fn targets_of(table: &Table, preparation: &Preparation) -> Result<Vec<Vec<f32>>, ConfigError> {
    let names: Vec<String> = preparation.targets().iter().map(|target| target.column().to_owned()).collect();
    numbers_of(table, &names)
}

/// The numbers of these columns for each row, in which none may be missing.
pub(crate) fn numbers_of(table: &Table, names: &[String]) -> Result<Vec<Vec<f32>>, ConfigError> {
    let path = || table.source().path.clone();
    let mut columns = Vec::new();
    for name in names {
        let numbers = table.column(name)?.numbers().ok_or_else(|| ConfigError::Data {
            path: path(),
            problem: format!(
                "{name:?} is texts, but the model has learnt numbers: check that it is the right column"
            ),
        })?;
        columns.push((name, numbers));
    }
    let value = |row: usize, (name, numbers): &(&String, &chainrule::tables::Numbers)| {
        let value: f32 = numbers.get(row);
        if value.is_finite() {
            return Ok(value);
        }
        let (line, exact) = (table.line(row), numbers.values()[row]);
        let problem = if exact.is_nan() {
            format!("line {line}: {name:?} is missing: fill it in, or leave the row out")
        } else {
            format!(
                "line {line}: {name:?} is {exact:e}, which is no finite number of f32: correct it, or leave the row out"
            )
        };
        Err(ConfigError::Data { path: path(), problem })
    };
    (0..table.rows()).map(|row| columns.iter().map(|column| value(row, column)).collect()).collect()
}

/// Whether a table has the columns that the features are made of, and those of the targets if they are needed, and no others than those
/// of the table that was learnt from.
pub(crate) fn check_columns(
    table: &Table,
    preparation: &Preparation,
    with_targets: bool,
) -> Result<(), ConfigError> {
    let features = preparation.groups().iter().flat_map(|group| group.columns());
    let targets = preparation.targets().iter().map(|target| target.column());
    let needed: Vec<&str> = features.map(String::as_str).collect();
    let targets: Vec<&str> = targets.collect();
    let has = |name: &&&str| table.columns().iter().any(|column| column.name() == **name);
    let missing: Vec<&str> = needed
        .iter()
        .chain(targets.iter().filter(|_| with_targets))
        .filter(|name| !has(name))
        .copied()
        .collect();
    let known = |name: &str| {
        needed.contains(&name)
            || targets.contains(&name)
            || preparation.left_out().iter().any(|left_out| left_out == name)
    };
    let unknown: Vec<&str> =
        table.columns().iter().map(TableColumn::name).filter(|name| !known(name)).collect();
    if missing.is_empty() && unknown.is_empty() {
        return Ok(());
    }
    let quoted = |names: &[&str]| names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ");
    let mut problems = Vec::new();
    if !missing.is_empty() {
        problems.push(format!("it lacks the columns {}, which the model needs", quoted(&missing)));
    }
    if !unknown.is_empty() {
        problems.push(format!(
            "it has the columns {}, which were not there when the model was trained: rename them, or leave them out",
            quoted(&unknown)
        ));
    }
    Err(ConfigError::Data { path: table.source().path.clone(), problem: problems.join("; ") })
}

/// The columns that name the rows, with the text of each: of those that the model was told nothing of, the ones in which no two rows are
/// equal, except free texts. In a file of few rows what a column is cannot be seen otherwise.
pub(crate) fn identifiers(table: &Table, preparation: &Preparation) -> Vec<(String, Vec<String>)> {
    let is_distinct = |column: &TableColumn| {
        let mut seen = HashSet::new();
        column.missing() == 0 && column.labels().into_iter().all(|label| seen.insert(label))
    };
    let is_name = |column: &&TableColumn| {
        let is_left_out = preparation.left_out().iter().any(|name| name == column.name());
        is_left_out && column.kind() != ColumnKind::Text && is_distinct(column)
    };
    let texts = |column: &TableColumn| {
        let text = |row: usize| match (column.texts(), column.numbers()) {
            (Some(texts), _) => texts.get(row).unwrap_or_default().to_owned(),
            (None, Some(numbers)) => {
                let number = numbers.values()[row];
                if number.is_nan() { String::new() } else { number.to_string() }
            }
            (None, None) => String::new(),
        };
        (column.name().to_owned(), (0..table.rows()).map(text).collect())
    };
    let names = table.row_names().map(|names| {
        let text = |row: usize| names.get(row).unwrap_or_default().to_owned();
        ("name".to_owned(), (0..table.rows()).map(text).collect())
    });
    names.into_iter().chain(table.columns().iter().filter(is_name).map(texts)).collect()
}
