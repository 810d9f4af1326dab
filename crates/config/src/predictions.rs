//! Predictions, as rows of a table or as objects.

use std::io::{self, Write};

use chainrule::tensor::Outputs;
use ndarray::{Array2, ArrayView1};
use serde_json::{Map, Value};

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
    outputs: Vec<OutputPredictions>,
}

/// What one output of a model predicts; most have only one.
#[derive(Clone, Debug)]
pub struct OutputPredictions {
    kind: PredictionKind,
    /// The targets, or the classes.
    names: Vec<String>,
    /// The name of the column with the class.
    target: String,
    /// For each row a number for each name: probabilities, or the numbers themselves.
    values: Array2<f32>,
}

impl Predictions {
    /// Those of one or several outputs, each with a row for each name.
    pub(crate) fn new(rows: RowNames, outputs: Vec<OutputPredictions>) -> Self {
        Self { rows, outputs }
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.outputs.first().map_or(0, |output| output.values.nrows())
    }

    /// What each output predicts, in their order: at least one.
    pub fn outputs(&self) -> &[OutputPredictions] {
        &self.outputs
    }

    /// Writes them as CSV, with a header: the columns that name a row, then the prediction of each output, with its probabilities.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn write_csv(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut csv = csv::Writer::from_writer(out);
        let mut header: Vec<String> = self.rows.columns.iter().map(|(name, _)| name.clone()).collect();
        // Classes of different outputs may have the same names.
        let are_several = self.outputs.len() > 1;
        self.outputs.iter().for_each(|output| header.extend(output.header(are_several)));
        csv.write_record(&header).map_err(io_error)?;
        for row in 0..self.rows() {
            let mut record: Vec<String> =
                self.rows.columns.iter().map(|(_, texts)| texts[row].clone()).collect();
            self.outputs.iter().for_each(|output| record.extend(output.fields(row)));
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
        let mut object: Map<String, Value> = Map::new();
        for (name, texts) in &self.rows.columns {
            let text = &texts[row];
            let value = if name == "row" { Value::from(row + 1) } else { Value::from(text.as_str()) };
            object.insert(name.clone(), value);
        }
        let (prediction, probabilities) = match &self.outputs[..] {
            [only] => (only.prediction(row), only.probabilities(row)),
            several => {
                let by_name = |value: &dyn Fn(&OutputPredictions) -> Option<Value>| {
                    let entries =
                        several.iter().filter_map(|output| Some((output.target.clone(), value(output)?)));
                    Value::Object(entries.collect())
                };
                // Each predicts one target.
                let prediction = by_name(&|output| match output.kind {
                    PredictionKind::Numbers => Some(Value::from(f64::from(*output.values.get([row, 0])?))),
                    _ => Some(output.prediction(row)),
                });
                let probabilities = by_name(&|output| output.probabilities(row));
                let has_some = probabilities.as_object().is_some_and(|object| !object.is_empty());
                (prediction, has_some.then_some(probabilities))
            }
        };
        object.insert("prediction".to_owned(), prediction);
        object.extend(probabilities.map(|probabilities| ("probabilities".to_owned(), probabilities)));
        Value::Object(object)
    }
}

impl OutputPredictions {
    /// What is predicted for these targets, of outputs that a loss takes for `takes`.
    pub(crate) fn new(
        kind: PredictionKind,
        targets: &[String],
        classes: Option<&[String]>,
        takes: Outputs,
        outputs: Array2<f32>,
    ) -> Self {
        let names = classes.unwrap_or(targets).to_vec();
        let target = targets.first().cloned().unwrap_or_default();
        let mut values = outputs;
        if classes.is_some() && values.ncols() == 1 {
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
        Self { kind, names, target, values }
    }

    /// What is predicted for each row.
    pub fn kind(&self) -> PredictionKind {
        self.kind
    }

    /// The name of the target, the first one of several numbers or of several yes or no.
    pub fn target(&self) -> &str {
        &self.target
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

    /// The names of its columns, with that of the target in those of its classes if there are several outputs.
    fn header(&self, are_several: bool) -> Vec<String> {
        let of = if are_several { format!("{} ", self.target) } else { String::new() };
        let probabilities = self.names.iter().map(|name| format!("probability of {of}{name}"));
        match self.kind {
            PredictionKind::Classes => vec![self.target.clone()],
            PredictionKind::Probabilities => {
                std::iter::once(self.target.clone()).chain(probabilities).collect()
            }
            PredictionKind::Labels => self.names.iter().cloned().chain(probabilities).collect(),
            PredictionKind::Numbers => self.names.clone(),
        }
    }

    /// The texts of a row in its columns.
    fn fields(&self, row: usize) -> Vec<String> {
        let values = self.values.row(row);
        let numbers = values.iter().map(ToString::to_string);
        let class = || self.names[largest(values)].clone();
        match self.kind {
            PredictionKind::Classes => vec![class()],
            PredictionKind::Probabilities => std::iter::once(class()).chain(numbers).collect(),
            PredictionKind::Labels => {
                let answers = values.iter().map(|&probability| yes(probability).to_string());
                answers.chain(numbers).collect()
            }
            PredictionKind::Numbers => numbers.collect(),
        }
    }

    fn prediction(&self, row: usize) -> Value {
        match self.kind {
            PredictionKind::Classes | PredictionKind::Probabilities => {
                Value::from(self.names[largest(self.values.row(row))].as_str())
            }
            PredictionKind::Labels => self.by_name(row, |value| Value::from(yes(value))),
            PredictionKind::Numbers => self.by_name(row, number),
        }
    }

    fn probabilities(&self, row: usize) -> Option<Value> {
        match self.kind {
            PredictionKind::Probabilities | PredictionKind::Labels => Some(self.by_name(row, number)),
            PredictionKind::Classes | PredictionKind::Numbers => None,
        }
    }

    fn by_name(&self, row: usize, value: impl Fn(f32) -> Value) -> Value {
        let entries = self.names.iter().zip(self.values.row(row));
        Value::Object(entries.map(|(name, &number)| (name.clone(), value(number))).collect())
    }
}

fn number(value: f32) -> Value {
    Value::from(f64::from(value))
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
    use crate::targets::PredictedTargets;
    use ndarray::array;

    /// The predictions of a model with one output.
    fn of_one(
        rows: RowNames,
        kind: PredictionKind,
        predicts: &PredictedTargets,
        takes: Outputs,
        outputs: Array2<f32>,
    ) -> Predictions {
        let PredictedTargets { names, classes, .. } = predicts;
        Predictions::new(rows, vec![OutputPredictions::new(kind, names, classes.as_deref(), takes, outputs)])
    }

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
        let made = of_one(rows, PredictionKind::Probabilities, &classes, Outputs::Logits, outputs);
        let (csv, json) = written(&made);
        let expected = "row,id,tree,probability of elm,\"probability of oak, old\"\n\
            1,a,\"oak, old\",0.25,0.75\n2,b,elm,1,0\n";
        assert_eq!(csv, expected);
        assert_eq!(json[0]["probabilities"]["oak, old"], 0.75);
        assert_eq!((&json[1]["prediction"], &json[1]["row"]), (&"elm".into(), &2.into()));
        assert_eq!(made.outputs()[0].class(0), Some(1));
    }

    #[test]
    fn one_output_is_the_second_class() {
        let classes = PredictedTargets::classes("left", vec!["no".into(), "yes".into()]);
        let outputs = array![[3.0f32.ln()], [-1.0]];
        let made =
            of_one(RowNames::numbered(2), PredictionKind::Probabilities, &classes, Outputs::Logits, outputs);
        assert_eq!((made.outputs()[0].class(0), made.outputs()[0].class(1)), (Some(1), Some(0)));
        assert_eq!(made.outputs()[0].values()[[0, 1]], 0.75);
        assert_eq!(made.outputs()[0].values()[[0, 0]], 0.25);
    }

    #[test]
    fn labels_and_numbers() {
        let labels = PredictedTargets::labels(vec!["red".into(), "round".into()]);
        let outputs = array![[0.0, 1.0]];
        let made = of_one(RowNames::numbered(1), PredictionKind::Labels, &labels, Outputs::Logits, outputs);
        let (csv, json) = written(&made);
        assert!(
            csv.starts_with("row,red,round,probability of red,probability of round\n1,false,true,0.5,0.731")
        );
        assert_eq!(json[0]["prediction"]["round"], true);
        let numbers = PredictedTargets::numbers(vec!["rent".into()]);
        let made = of_one(
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

    #[test]
    fn several_outputs_are_next_to_each_other() {
        let [rent, heating] = ["rent", "heating"].map(|name| vec![name.to_owned()]);
        let classes = ["gas".to_owned(), "oil".to_owned()];
        let (numbers, probabilities) = (PredictionKind::Numbers, PredictionKind::Probabilities);
        let logits = array![[3.0f32.ln(), 0.0]];
        let outputs = vec![
            OutputPredictions::new(numbers, &rent, None, Outputs::Values, array![[812.5]]),
            OutputPredictions::new(probabilities, &heating, Some(&classes), Outputs::Logits, logits),
        ];
        let (csv, json) = written(&Predictions::new(RowNames::numbered(1), outputs));
        assert_eq!(
            csv,
            "row,rent,heating,probability of heating gas,probability of heating oil\n1,812.5,gas,0.75,0.25\n"
        );
        let right = serde_json::json!([{
            "row": 1,
            "prediction": { "rent": 812.5, "heating": "gas" },
            "probabilities": { "heating": { "gas": 0.75, "oil": 0.25 } },
        }]);
        assert_eq!(json, right);
    }
}
