//! Configurations for tables.

use std::path::Path;

use chainrule::core::same_name;
use chainrule::tables::{ColumnKind, ColumnSummary, Table, TableColumn, TableWarning};

use super::network;
use super::text::{SuggestedLoss, SuggestedOutput, Suggestion, name_of, quoted, quoted_path};
use crate::error::ConfigError;
use crate::targets::MAX_CLASSES;

/// What columns that are to be predicted are often called.
const TARGET_NAMES: [&str; 6] = ["target", "class", "label", "y", "outcome", "diagnosis"];

/// Whole numbers with so many values at most are taken for classes.
const CLASS_NUMBERS: usize = 10;

/// A column of more categories is seldom what is to be predicted.
const LIKELY_CLASSES: usize = 256;

/// The most numbers of the words of a text.
const WORDS: usize = 5000;

/// What is to be predicted, and what it is.
enum Task {
    /// One of so many classes, of which the rarest has so many rows.
    Classes { count: usize, rarest: usize, are_numbers: bool },
    /// A number.
    Number,
}

pub(super) fn text(path: &Path, written: &Path, names: &[&str]) -> Result<String, ConfigError> {
    let table = Table::read(path)?;
    let summaries = table.summary();
    let targets = match names {
        [] => vec![guess(&table, &summaries)?],
        names => names.iter().map(|name| table.column(name)).collect::<Result<_, _>>()?,
    };
    let names: Vec<&str> = targets.iter().map(|target| target.name()).collect();
    if let Some(name) =
        (1..names.len()).find_map(|index| names[..index].iter().find(|name| **name == names[index]))
    {
        let problem = format!("{name:?} is given twice as what is to be predicted: give it once");
        return Err(ConfigError::Data { path: path.to_owned(), problem });
    }
    let tasks = targets.iter().map(|target| task(&table, target, &ColumnSummary::of(target)));
    let tasks = tasks.collect::<Result<Vec<Task>, _>>()?;
    let leaks = table.warnings(&targets).into_iter().filter_map(|warning| match warning {
        TableWarning::IsTarget { column, .. } => Some(column),
        _ => None,
    });
    let mut leaks: Vec<String> = leaks.collect();
    leaks.retain(|leak| !names.contains(&&**leak));
    leaks.sort_unstable();
    leaks.dedup();
    let rows = table.without_missing(names.iter().copied())?.rows();
    let batch_size = network::batch_size(rows);
    let epochs = network::epochs(rows, batch_size, 10);
    let left_out = |column: &&TableColumn| {
        use ColumnKind::{Constant, Identifier, Text};
        matches!(column.kind(), Identifier | Constant | Text) && !names.contains(&column.name())
    };
    // Where there is nothing else to learn from, a text is.
    let text = only_text(&table, &names, &leaks);
    let is_read = |column: &&TableColumn| text.as_ref().is_some_and(|(read, _)| read == column.name());
    let left_out: Vec<String> = table
        .columns()
        .iter()
        .filter(|column| left_out(column) && !is_read(column))
        .map(|column| format!("{} ({})", quoted(column.name()), column.kind()))
        .collect();
    let mut about = vec![format!(
        "{}: {} rows and {} columns; what each is: `chainrule data info {}`.",
        name_of(path),
        table.rows(),
        table.columns().len(),
        path.display()
    )];
    if !left_out.is_empty() {
        about.push(format!(
            "Left out, unless [preparation] or [data.kinds] says something else: {}.",
            left_out.join(", ")
        ));
    }
    let mut preparation = preparation_lines(&table, &names, &leaks);
    let mut outputs = Vec::new();
    let (loss, mut layers) = match (&targets[..], &tasks[..]) {
        ([_], [task]) => (Some(task.loss()), network::dense(rows, task.outputs())),
        _ => {
            outputs.extend(targets.iter().zip(&tasks).map(|(target, task)| SuggestedOutput {
                name: target.name().to_owned(),
                loss: task.loss(),
                layers: vec![format!("dense({})", task.outputs())],
                target_kind: task.target_kind(),
            }));
            (None, network::hidden(rows))
        }
    };
    if let Some((column, steps)) = &text {
        preparation.push("[[preparation.columns]]".to_owned());
        preparation.push(format!("of = [{}]", quoted(column)));
        preparation.push(format!(
            "transform = \"words({steps}, {WORDS})\"  # so many words of each text, or its parts: \"byte_pairs({}, 2000)\"",
            2 * steps
        ));
        layers.insert(0, format!("embedding_bag({WORDS}, 16, padding_index=0)"));
    }
    let suggestion = Suggestion {
        about,
        epochs,
        batch_size,
        loss,
        outputs,
        data: data_lines(written, &table, (&targets, &tasks), &leaks, rows),
        preparation,
        layers,
        patience: network::patience(epochs),
    };
    Ok(suggestion.text())
}

/// The first free text, and how many words nearly all of its rows have at most, if there is no other feature than free texts.
fn only_text(table: &Table, targets: &[&str], leaks: &[String]) -> Option<(String, usize)> {
    use ColumnKind::{Boolean, Category, Date, Number, Text};
    let features = || {
        let is_feature = |column: &&TableColumn| {
            !targets.contains(&column.name()) && !leaks.iter().any(|leak| leak == column.name())
        };
        table.columns().iter().filter(is_feature)
    };
    if features().any(|column| matches!(column.kind(), Number | Boolean | Date | Category)) {
        return None;
    }
    let column = features().find(|column| column.kind() == Text)?;
    let texts = column.texts()?;
    let words = |row| texts.get(row).map_or(0, |text| text.split_whitespace().count());
    let mut counts: Vec<usize> = (0..texts.len()).map(words).collect();
    counts.sort_unstable();
    let most = counts.get(counts.len() * 19 / 20).copied().unwrap_or(0);
    Some((column.name().to_owned(), most.clamp(8, 400)))
}

/// The column that is called as targets are, or the last that could be one.
fn guess<'t>(table: &'t Table, summaries: &[ColumnSummary]) -> Result<&'t TableColumn, ConfigError> {
    let usable = |column: &&TableColumn, summary: &ColumnSummary| match column.kind() {
        ColumnKind::Number | ColumnKind::Boolean | ColumnKind::Date => true,
        ColumnKind::Category => summary.distinct <= LIKELY_CLASSES,
        _ => false,
    };
    let columns = table.columns().iter().zip(summaries);
    let columns: Vec<&TableColumn> =
        columns.filter(|(column, summary)| usable(column, summary)).map(|(column, _)| column).collect();
    let named = columns.iter().find(|column| TARGET_NAMES.iter().any(|name| same_name(name, column.name())));
    // A date is seldom what is to be predicted.
    let last = || columns.iter().rev().find(|column| column.kind() != ColumnKind::Date);
    named.or_else(last).or(columns.last()).copied().ok_or_else(|| ConfigError::Data {
        path: table.source().path.clone(),
        problem: "no column could be predicted: all are identifiers, constants or free texts".into(),
    })
}

fn task(table: &Table, target: &TableColumn, summary: &ColumnSummary) -> Result<Task, ConfigError> {
    let name = target.name();
    let wrong = |problem: String| {
        Err(ConfigError::Data { path: table.source().path.clone(), problem: format!("{name:?} {problem}") })
    };
    if summary.distinct < 2 {
        return wrong("has one value or none: there is nothing to learn".into());
    }
    let classes = |are_numbers| {
        let mut counts = std::collections::HashMap::new();
        let missing = |row: usize| match (target.numbers(), target.texts()) {
            (Some(numbers), _) => numbers.values()[row].is_nan(),
            (None, texts) => texts.is_some_and(|texts| texts.get(row).is_none()),
        };
        for (row, label) in target.labels().into_iter().enumerate() {
            if !missing(row) {
                *counts.entry(label).or_insert(0usize) += 1;
            }
        }
        let rarest = counts.values().min().copied().unwrap_or(0);
        Task::Classes { count: counts.len(), rarest, are_numbers }
    };
    if target.texts().is_some() {
        if summary.distinct > MAX_CLASSES || target.kind() == ColumnKind::Identifier {
            return wrong(format!(
                "has {} different texts: a training takes up to {MAX_CLASSES} classes; choose another target",
                summary.distinct
            ));
        }
        return Ok(classes(false));
    }
    if target.kind() == ColumnKind::Boolean {
        return Ok(classes(false));
    }
    let whole = |numbers: &chainrule::tables::Numbers| {
        numbers.values().iter().all(|value| value.is_nan() || value.fract() == 0.0)
    };
    let few = summary.distinct <= CLASS_NUMBERS && table.rows() >= 5 * summary.distinct;
    let is_class = few && target.kind() != ColumnKind::Date && target.numbers().is_some_and(whole);
    Ok(if is_class { classes(true) } else { Task::Number })
}

impl Task {
    /// The loss, why, and the metrics.
    fn loss(&self) -> SuggestedLoss {
        match self {
            Self::Classes { count, .. } => network::class_loss(*count),
            Self::Number => network::number_loss(),
        }
    }

    /// The number of columns of its output.
    fn outputs(&self) -> usize {
        match self {
            Self::Classes { count, .. } => network::outputs(*count),
            Self::Number => 1,
        }
    }

    /// The lines that say that whole numbers are classes, if they are, and what else to write if they are not.
    fn target_kind(&self) -> Vec<String> {
        match self {
            Self::Classes { are_numbers: true, count, .. } => vec![
                format!("target_kind = \"classes\"  # since it has {count} whole numbers; if they are amounts, write \"numbers\","),
                "                         # the loss \"mean_squared_error\", the metric \"r2\", and a last layer \"dense(1)\"".to_owned(),
            ],
            _ => Vec::new(),
        }
    }
}

fn data_lines(
    written: &Path,
    table: &Table,
    (targets, tasks): (&[&TableColumn], &[Task]),
    leaks: &[String],
    rows: usize,
) -> Vec<String> {
    let mut lines = vec![format!("table = {}", quoted_path(written))];
    if let [target] = targets {
        let name = quoted(target.name());
        lines.push(format!("target = {name}  # the column to be predicted, or a list of several"));
    }
    match tasks {
        [task @ Task::Classes { are_numbers: true, .. }] => {
            lines.extend(task.target_kind());
        }
        tasks if tasks.iter().all(|task| matches!(task, Task::Classes { .. })) => {}
        _ => {
            lines.push(
                "scale_targets = true   # learnt in deviations from the mean; the model predicts in the units of the file".to_owned(),
            );
        }
    }
    if !leaks.is_empty() {
        let names: Vec<String> = leaks.iter().map(|name| quoted(name)).collect();
        lines.push(format!(
            "ignore = [{}]  # each determines {}: with it there would be nothing to learn",
            names.join(", "),
            if targets.len() == 1 { "the target" } else { "a target" }
        ));
    } else {
        lines.push("ignore = []            # columns that are left out".to_owned());
    }
    let share = if rows < 200 { 0.2 } else { 0.15 };
    lines.push(format!("validation = {share}      # a share of the rows, or the path of a file of its own"));
    lines.push(format!("test = {share}"));
    let date = table.columns().iter().find(|column| column.kind() == ColumnKind::Date);
    let hint = match date {
        Some(date) => format!("by_time({:?})", date.name()),
        None => "by_time(COLUMN)".to_owned(),
    };
    let hint = format!("the last rows: {}, rows that belong together: 'grouped(COLUMN)'", quoted(&hint));
    match tasks {
        // Of each part, with some to spare.
        [Task::Classes { rarest, .. }] if *rarest >= 5 => {
            lines.push(format!("split = \"stratified\"   # the same share of each class; {hint}"));
        }
        _ => lines.push(format!("split = \"random\"       # {hint}")),
    }
    lines.push("seed = 0               # of the split".to_owned());
    lines
}

/// The transforms of the kinds that there are, which are those that a table is prepared by without being told.
fn preparation_lines(table: &Table, targets: &[&str], leaks: &[String]) -> Vec<String> {
    let has = |kind: ColumnKind| {
        table.columns().iter().any(|column| {
            column.kind() == kind
                && !targets.contains(&column.name())
                && !leaks.iter().any(|leak| leak == column.name())
        })
    };
    let defaults = [
        (ColumnKind::Number, "numbers", "impute(median, indicator=true) then standardise"),
        (ColumnKind::Boolean, "booleans", "impute(most_frequent)"),
        (ColumnKind::Date, "dates", "impute(median) then standardise"),
        (ColumnKind::Category, "categories", "one_hot"),
    ];
    let lines = defaults.into_iter().filter(|(kind, ..)| has(*kind));
    lines.map(|(_, key, transform)| format!("{key} = \"{transform}\"")).collect()
}
