//! Predictions, as rows of a table or as objects.

use std::io::{self, Write};

use chainrule::tensor::Outputs;
use ndarray::{Array2, ArrayView1};
use serde_json::{Map, Value};

use crate::targets::PredictedTargets;

/// What is predicted for a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PredictionKind {
    /// One of several classes.
    Classes,
    /// One of several classes, with the probability of each.
    Probabilities,
    /// A yes or no for each target, with the probability of the yes.
    Labels,
    /// A number for each target.
    Numbers,
}

/// What predictions are for: columns that name the rows.
#[derive(Clone, Debug, Default)]
pub(crate) struct RowNames {
    /// The name of each column, and its text in each row.
    columns: Vec<(String, Vec<String>)>,
}

impl RowNames {
    /// The numbers of so many rows, from 1.
    pub(crate) fn numbered(rows: usize) -> Self {
        let numbers = (1..=rows).map(|row| row.to_string()).collect();
        Self { columns: vec![("row".to_owned(), numbers)] }
    }

    /// The numbers of the rows, and the columns of their table that name them.
    pub(crate) fn of_table(rows: usize, columns: Vec<(String, Vec<String>)>) -> Self {
        let mut names = Self::numbered(rows);
        names.columns.extend(columns.into_iter().filter(|(name, _)| name != "row"));
        names
    }

    /// Files.
    pub(crate) fn of_files(files: Vec<String>) -> Self {
        Self { columns: vec![("file".to_owned(), files)] }
    }
}

/// Predictions for the rows of a table, or for pictures.
#[derive(Clone, Debug)]
pub struct Predictions {
    rows: RowNames,
    kind: PredictionKind,
    /// The targets, or the classes.
    names: Vec<String>,
    /// The name of the column with the class.
    target: String,
    /// For each row a number for each name: probabilities, or the numbers themselves.
    values: Array2<f32>,
}

impl Predictions {
    pub(crate) fn new(
        rows: RowNames,
        kind: PredictionKind,
        predicts: &PredictedTargets,
        takes: Outputs,
        outputs: Array2<f32>,
    ) -> Self {
        let names = predicts.classes.as_ref().unwrap_or(&predicts.names).clone();
        let target = predicts.names.first().cloned().unwrap_or_default();
        let mut values = outputs;
        if predicts.classes.is_some() && values.ncols() == 1 {
            // Of a yes or no the one output is that of the second class.
            let yes = if takes == Outputs::Logits { values.mapv(sigmoid) } else { values };
            values = match takes {
                Outputs::Values => {
                    Array2::from_shape_fn(
                        (yes.nrows(), 2),
                        |(row, class)| if class == 1 { yes[[row, 0]] } else { 0.0 },
                    )
                }
                _ => Array2::from_shape_fn((yes.nrows(), 2), |(row, class)| {
                    if class == 1 { yes[[row, 0]] } else { 1.0 - yes[[row, 0]] }
                }),
            };
        } else if takes == Outputs::Logits {
            match kind {
                PredictionKind::Labels => values.mapv_inplace(sigmoid),
                PredictionKind::Probabilities => values.rows_mut().into_iter().for_each(softmax),
                PredictionKind::Classes | PredictionKind::Numbers => {}
            }
        }
        Self { rows, kind, names, target, values }
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.values.nrows()
    }

    /// What is predicted for each.
    pub fn kind(&self) -> PredictionKind {
        self.kind
    }

    /// The classes, or the targets that are numbers, or yes or no.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// For each row a number for each of the [`names`](Self::names): the probability of the class or of a yes, or the number that is
    /// predicted.
    pub fn values(&self) -> &Array2<f32> {
        &self.values
    }

    /// The class of a row, an index of [`names`](Self::names), if classes are predicted: the first of the largest values.
    pub fn class(&self, row: usize) -> Option<usize> {
        match self.kind {
            PredictionKind::Classes | PredictionKind::Probabilities => Some(largest(self.values.row(row))),
            PredictionKind::Labels | PredictionKind::Numbers => None,
        }
    }

    /// Writes them as CSV, with a header: the columns that name a row, then the prediction, then probabilities.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn write_csv(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut csv = csv::Writer::from_writer(out);
        let names = self.names.iter();
        let probabilities = names.clone().map(|name| format!("probability of {name}"));
        let mut header: Vec<String> = self.rows.columns.iter().map(|(name, _)| name.clone()).collect();
        match self.kind {
            PredictionKind::Classes => header.push(self.target.clone()),
            PredictionKind::Probabilities => {
                header.push(self.target.clone());
                header.extend(probabilities);
            }
            PredictionKind::Labels => {
                header.extend(names.cloned());
                header.extend(probabilities);
            }
            PredictionKind::Numbers => header.extend(names.cloned()),
        }
        csv.write_record(&header).map_err(io_error)?;
        for (row, values) in self.values.rows().into_iter().enumerate() {
            let mut record: Vec<String> =
                self.rows.columns.iter().map(|(_, texts)| texts[row].clone()).collect();
            let numbers = values.iter().map(ToString::to_string);
            match self.kind {
                PredictionKind::Classes => record.push(self.names[largest(values)].clone()),
                PredictionKind::Probabilities => {
                    record.push(self.names[largest(values)].clone());
                    record.extend(numbers);
                }
                PredictionKind::Labels => {
                    record.extend(values.iter().map(|&probability| yes(probability).to_string()));
                    record.extend(numbers);
                }
                PredictionKind::Numbers => record.extend(numbers),
            }
            csv.write_record(&record).map_err(io_error)?;
        }
        csv.flush()
    }

    /// Writes them as a list of objects in JSON.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        let objects: Vec<Value> = (0..self.rows()).map(|row| self.object(row)).collect();
        serde_json::to_writer_pretty(&mut *out, &objects)?;
        writeln!(out)
    }

    fn object(&self, row: usize) -> Value {
        let values = self.values.row(row);
        let by_name = |value: &dyn Fn(f32) -> Value| {
            let entries = self.names.iter().zip(&values).map(|(name, &number)| (name.clone(), value(number)));
            Value::Object(entries.collect())
        };
        let number = |value: f32| Value::from(f64::from(value));
        let mut object: Map<String, Value> = Map::new();
        for (name, texts) in &self.rows.columns {
            let text = &texts[row];
            let value = if name == "row" { Value::from(row + 1) } else { Value::from(text.as_str()) };
            object.insert(name.clone(), value);
        }
        match self.kind {
            PredictionKind::Classes | PredictionKind::Probabilities => {
                object.insert("prediction".to_owned(), Value::from(self.names[largest(values)].as_str()));
                if self.kind == PredictionKind::Probabilities {
                    object.insert("probabilities".to_owned(), by_name(&number));
                }
            }
            PredictionKind::Labels => {
                object.insert("prediction".to_owned(), by_name(&|value| Value::from(yes(value))));
                object.insert("probabilities".to_owned(), by_name(&number));
            }
            PredictionKind::Numbers => {
                object.insert("prediction".to_owned(), by_name(&number));
            }
        }
        Value::Object(object)
    }
}

/// The error of what is written to, so that a reader that is gone is known as such.
fn io_error(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

/// The index of the first of the largest values; a NaN is not larger than another.
fn largest(values: ArrayView1<'_, f32>) -> usize {
    values.iter().enumerate().fold(0, |best, (index, value)| if *value > values[best] { index } else { best })
}

/// Whether a yes is at least as probable as a no, as the metrics count.
fn yes(probability: f32) -> bool {
    probability > 0.5
}

fn sigmoid(z: f32) -> f32 {
    (1.0 / (1.0 + (-f64::from(z)).exp())) as f32
}

/// Probabilities in double precision, so that they add up to 1 in single.
fn softmax(mut logits: ndarray::ArrayViewMut1<'_, f32>) {
    let most = logits.fold(f32::NEG_INFINITY, |most, &logit| most.max(logit));
    let exponential = |logit: f32| f64::from(logit - most).exp();
    let sum: f64 = logits.iter().map(|&logit| exponential(logit)).sum();
    logits.mapv_inplace(|logit| (exponential(logit) / sum) as f32);
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    fn written(predictions: &Predictions) -> (String, Value) {
        let (mut csv, mut json) = (Vec::new(), Vec::new());
        predictions.write_csv(&mut csv).unwrap();
        predictions.write_json(&mut json).unwrap();
        (String::from_utf8(csv).unwrap(), serde_json::from_slice(&json).unwrap())
    }

    #[test]
    fn classes_with_probabilities() {
        let classes = PredictedTargets::classes("tree", vec!["elm".into(), "oak, old".into()]);
        let rows = RowNames::of_table(2, vec![("id".into(), vec!["a".into(), "b".into()])]);
        let outputs = array![[0.0, 3.0f32.ln()], [1000.0, -1000.0]];
        let made = Predictions::new(rows, PredictionKind::Probabilities, &classes, Outputs::Logits, outputs);
        let (csv, json) = written(&made);
        let expected = "row,id,tree,probability of elm,\"probability of oak, old\"\n\
            1,a,\"oak, old\",0.25,0.75\n2,b,elm,1,0\n";
        assert_eq!(csv, expected);
        assert_eq!(json[0]["probabilities"]["oak, old"], 0.75);
        assert_eq!((&json[1]["prediction"], &json[1]["row"]), (&"elm".into(), &2.into()));
        assert_eq!(made.class(0), Some(1));
    }

    #[test]
    fn one_output_is_the_second_class() {
        let classes = PredictedTargets::classes("left", vec!["no".into(), "yes".into()]);
        let outputs = array![[3.0f32.ln()], [-1.0]];
        let made = Predictions::new(
            RowNames::numbered(2),
            PredictionKind::Probabilities,
            &classes,
            Outputs::Logits,
            outputs,
        );
        assert_eq!((made.class(0), made.class(1)), (Some(1), Some(0)));
        assert_eq!(made.values()[[0, 1]], 0.75);
        assert_eq!(made.values()[[0, 0]], 0.25);
    }

    #[test]
    fn labels_and_numbers() {
        let labels = PredictedTargets::labels(vec!["red".into(), "round".into()]);
        let outputs = array![[0.0, 1.0]];
        let made = Predictions::new(
            RowNames::numbered(1),
            PredictionKind::Labels,
            &labels,
            Outputs::Logits,
            outputs,
        );
        let (csv, json) = written(&made);
        assert!(
            csv.starts_with("row,red,round,probability of red,probability of round\n1,false,true,0.5,0.731")
        );
        assert_eq!(json[0]["prediction"]["round"], true);
        let numbers = PredictedTargets::numbers(vec!["rent".into()]);
        let made = Predictions::new(
            RowNames::of_files(vec!["x.png".into()]),
            PredictionKind::Numbers,
            &numbers,
            Outputs::Values,
            array![[812.5]],
        );
        let (csv, json) = written(&made);
        assert_eq!(csv, "file,rent\nx.png,812.5\n");
        assert_eq!(json[0]["prediction"]["rent"], 812.5);
    }
}
