//! A model as a table.

use std::fmt;

use chainrule_core::{LayerInfo, ParamEntry};
use chainrule_tensor::{Real, Shape};

use super::footprint::TrainingBytes;
use super::model::Model;

/// The layers of a model with their output shapes, parameters, products and activations, as Keras prints them.
///
/// The activations are the number of values that a sample takes in training: the outputs, what the layers keep, and their
/// scratch space. The layers inside another layer are indented below it, and its row counts them all. Parameters that nodes of
/// a graph share are counted once, in the row of the node that owns them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    input: Shape,
    rows: Vec<LayerInfo>,
    parameters: usize,
    trained: usize,
    flops: u64,
    memory: u64,
    /// The size of a number in bytes.
    number: usize,
    /// A batch size, and what training with one shard takes, without the optimizer's state.
    batch: Option<(usize, TrainingBytes)>,
    /// The number of values that a sample takes in training, with the input and the gradient of the output.
    per_sample: u64,
}

impl<T: Real> Model<T> {
    /// The layers, their output shapes and parameters as a table.
    pub fn summary(&self) -> Summary {
        let plan = self.plan();
        let trained = |entry: &&ParamEntry| entry.kind.is_trained();
        Summary {
            input: self.input,
            rows: plan.layers().to_vec(),
            parameters: self.parameters().len(),
            trained: plan.entries().iter().filter(trained).map(|entry| entry.range.len()).sum(),
            flops: plan.total_flops(),
            memory: plan.total_memory(),
            number: size_of::<T>(),
            batch: None,
            per_sample: self.values_per_sample(),
        }
    }
}

impl Summary {
    /// Adds the memory that training with batches of this many samples takes, without the optimizer's state, which
    /// [`Model::training_bytes`] includes.
    #[must_use]
    pub fn batch(self, samples: usize) -> Self {
        let number = self.number as u64;
        let parameters = number.saturating_mul(self.parameters as u64);
        let activations = number.saturating_mul(self.per_sample).saturating_mul(samples as u64);
        let bytes = TrainingBytes { parameters, optimizer: 0, copies: 0, gradients: parameters, activations };
        Self { batch: Some((samples, bytes)), ..self }
    }
}

/// The name at the start of a layer's label: `Dense` of `Dense(units=64)`.
fn layer_name(layer: &str) -> &str {
    let end = layer.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(layer.len());
    &layer[..end]
}

/// `1234567` as `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number of bytes in kB, rounded up.
fn kilobytes(bytes: u64) -> String {
    format!("{} kB", grouped(bytes.div_ceil(1024)))
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let header = ["layer", "output", "parameters", "MFLOP a sample", "activations"].map(str::to_owned);
        let input = ["input".to_owned(), self.input.to_string(), String::new(), String::new(), String::new()];
        let mega = |flops: u64| format!("{:.3}", flops as f64 / 1e6);
        let rows = self.rows.iter().map(|row| {
            let depth = row.path.matches('.').count();
            let name = format!("{:depth$}{} ({})", "", row.path, layer_name(&row.label), depth = 2 * depth);
            let parameters = grouped(row.parameters as u64);
            [name, row.output.to_string(), parameters, mega(row.flops), grouped(row.memory)]
        });
        let table: Vec<[String; 5]> = [header, input].into_iter().chain(rows).collect();
        let width = |column: usize| table.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let [a, b, c, d, e] = std::array::from_fn(width);
        let line = "─".repeat(a + b + c + d + e + 8);
        for (index, [name, output, parameters, flops, memory]) in table.iter().enumerate() {
            let row = format!("{name:a$}  {output:b$}  {parameters:>c$}  {flops:>d$}  {memory:>e$}");
            writeln!(f, "{}", row.trim_end())?;
            if index == 0 {
                writeln!(f, "{line}")?;
            }
        }
        writeln!(f, "{line}")?;
        let parameters = self.parameters as u64;
        let trained = self.trained as u64;
        write!(
            f,
            "{} parameters ({}), {} trained, {} not; {} MFLOP a sample forward; {} activations",
            grouped(parameters),
            kilobytes(parameters.saturating_mul(self.number as u64)),
            grouped(trained),
            grouped(parameters - trained),
            mega(self.flops),
            grouped(self.memory),
        )?;
        let Some((samples, bytes)) = &self.batch else { return Ok(()) };
        write!(
            f,
            "\na batch of {}: {} of activations in training, {} with parameters and gradients",
            grouped(*samples as u64),
            kilobytes(bytes.activations),
            kilobytes(bytes.total()),
        )
    }
}

#[cfg(test)]
mod tests {
    use chainrule_core::{Frozen, Graph, Sequential};
    use chainrule_layers::{Add, Dense, Relu};
    use chainrule_tensor::Seed;

    use super::*;

    #[test]
    fn names_and_numbers() {
        assert_eq!(layer_name("Dense(units=64)"), "Dense");
        assert_eq!(layer_name("Relu"), "Relu");
        assert_eq!(layer_name("Sequential of 3 layers"), "Sequential");
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(1_234_567), "1,234,567");
    }

    #[test]
    fn a_whole_table() {
        let twins = Graph::new()
            .input("a", [3])
            .input("b", [3])
            .layer("left", Dense::new(1000), "a")
            .shared("right", "left", ["b"])
            .merge("sum", Add, ["left", "right"])
            .outputs(["sum"]);
        let layers = Sequential::new().then(twins).then(Frozen(Dense::new(2))).then(Relu);
        let model = Model::new([6], layers, Seed(0)).unwrap();
        let table = "\
layer               output  parameters  MFLOP a sample  activations
───────────────────────────────────────────────────────────────────
input               [6]
0 (Graph)           [1000]       4,000           0.012        7,006
  0.left (Dense)    [1000]       4,000           0.006        1,000
  0.right (Dense)   [1000]           0           0.006        1,000
  0.sum (Add)       [1000]           0           0.000        1,000
1 (Frozen)          [2]          2,002           0.004            4
  1.frozen (Dense)  [2]          2,002           0.004            2
2 (Relu)            [2]              0           0.000            2
───────────────────────────────────────────────────────────────────
6,002 parameters (24 kB), 4,000 trained, 2,002 not; 0.016 MFLOP a sample forward; 8,014 activations";
        assert_eq!(model.summary().to_string(), table);
        let batch = "\na batch of 1,000: 31,336 kB of activations in training, 31,383 kB with parameters and gradients";
        assert_eq!(model.summary().batch(1000).to_string(), format!("{table}{batch}"));
    }
}
