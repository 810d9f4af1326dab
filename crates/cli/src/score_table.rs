//! Scores as a table, and confusion matrices.

use std::fmt::Write;

use chainrule::metrics::MetricValue;
use chainrule_config::{Confusion, Evaluated, PredictedTargets};

/// The most classes whose confusion matrix is printed.
const MAX_CLASSES: usize = 20;

/// The most letters of the name of a class.
const MAX_NAME: usize = 14;

/// A line for each part with its scores, and below what metrics are no numbers.
pub(crate) fn score_table(parts: &[(&str, &Evaluated)]) -> String {
    let Some((_, first)) = parts.first() else { return String::new() };
    let is_number = |value: &MetricValue| !matches!(value, MetricValue::Vector(_) | MetricValue::Table(_));
    let metrics = first.scores.metrics.iter();
    let numbers: Vec<&str> =
        metrics.filter(|(_, value)| is_number(value)).map(|(name, _)| name.as_str()).collect();
    let mut header = vec![String::new(), "samples".to_owned(), "loss".to_owned()];
    header.extend(numbers.iter().map(|name| (*name).to_owned()));
    let mut rows = vec![header];
    for (part, Evaluated { samples, scores, .. }) in parts {
        let mut row = vec![(*part).to_owned(), samples.to_string(), short(scores.loss)];
        row.extend(numbers.iter().map(|name| match scores.value(name) {
            Some(MetricValue::Number(number)) => short(*number),
            Some(MetricValue::Undefined(_)) | None => "undefined".to_owned(),
            Some(value) => value.to_string(),
        }));
        rows.push(row);
    }
    let mut text = aligned(&rows);
    let (part, last) = parts.last().copied().unwrap_or(("", first));
    for (name, value) in last.scores.metrics.iter().filter(|(_, value)| !is_number(value)) {
        let _ = write!(text, "\n\n{name} of the {part}\n{value}");
    }
    text
}

/// How often each class was taken for each, of what is predicted or of each of several outputs.
pub(crate) fn confusion_tables(
    evaluated: &Evaluated,
    part: &str,
    predicts: &PredictedTargets,
) -> Vec<String> {
    let classes = |classes: &Option<Vec<String>>| classes.clone().unwrap_or_default();
    let own = evaluated.confusion.as_ref();
    let own = own.and_then(|counts| confusion_table(counts, part, &classes(&predicts.classes)));
    let outputs = predicts.outputs.iter().zip(&evaluated.of_outputs);
    let of_outputs = outputs.filter_map(|(output, counts)| {
        confusion_table(counts.as_ref()?, &format!("{part}, {}", output.name), &classes(&output.classes))
    });
    own.into_iter().chain(of_outputs).collect()
}

fn confusion_table(counts: &Confusion, part: &str, classes: &[String]) -> Option<String> {
    if counts.len() > MAX_CLASSES || counts.len() != classes.len() {
        return None;
    }
    let names: Vec<String> = classes.iter().map(|name| cut(name)).collect();
    let mut rows = vec![std::iter::once(String::new()).chain(names.iter().cloned()).collect::<Vec<_>>()];
    for (name, counts) in names.iter().zip(counts) {
        rows.push(std::iter::once(name.clone()).chain(counts.iter().map(ToString::to_string)).collect());
    }
    Some(format!("the {part}: rows are the true classes, columns the predicted ones\n{}", aligned(&rows)))
}

/// The first column to the left, the others to the right.
pub(crate) fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let mut line = String::new();
        for (index, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let pad = " ".repeat(width - cell.chars().count());
            line += &if index == 0 { format!("{cell}{pad}") } else { format!("  {pad}{cell}") };
        }
        line.trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// With about five digits that count.
pub(crate) fn short(number: f64) -> String {
    let magnitude = number.abs();
    if !(1e-3..1e7).contains(&magnitude) && magnitude > 0.0 {
        return format!("{number:.3e}");
    }
    let before = magnitude.max(1.0).log10().floor() as usize;
    format!("{number:.*}", 4usize.saturating_sub(before))
}

fn cut(name: &str) -> String {
    if name.chars().count() <= MAX_NAME {
        return name.to_owned();
    }
    name.chars().take(MAX_NAME - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let cases = [
            (0.0, "0.0000"),
            (0.97531, "0.9753"),
            (12.34567, "12.346"),
            (812.5, "812.50"),
            (123_456.7, "123457"),
            (-1.5, "-1.5000"),
            (1.5e-6, "1.500e-6"),
            (3e9, "3.000e9"),
        ];
        for (number, text) in cases {
            assert_eq!(short(number), text);
        }
        assert_eq!(short(f64::NAN), "NaN");
    }

    #[test]
    fn columns_are_aligned() {
        let rows = [["", "a"], ["long name", "1234"], ["b", "5"]].map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(aligned(&rows), "              a\nlong name  1234\nb             5");
    }
}
