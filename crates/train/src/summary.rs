//! A model as a table.

use std::fmt;

use chainrule_layer::Row;
use chainrule_tensor::Shape;

/// The layers of a model with their output shapes and parameters, as Keras prints them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    pub(crate) input: Shape,
    pub(crate) rows: Vec<Row>,
    pub(crate) parameters: usize,
    pub(crate) trained: usize,
    pub(crate) flops: u64,
    pub(crate) bytes: usize,
}

/// The name at the front of a layer's description: `Dense` of `Dense { units: 64, .. }`.
fn kind(layer: &str) -> &str {
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

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let header =
            ["layer".to_owned(), "output".to_owned(), "parameters".to_owned(), "MFLOP a sample".to_owned()];
        let input = ["input".to_owned(), self.input.to_string(), String::new(), String::new()];
        let rows = self.rows.iter().map(|row| {
            let depth = row.path.matches('.').count();
            let name = format!("{:depth$}{} ({})", "", row.path, kind(&row.layer), depth = 2 * depth);
            let flops = format!("{:.3}", row.flops as f64 / 1e6);
            [name, row.output.to_string(), grouped(row.parameters as u64), flops]
        });
        let table: Vec<[String; 4]> = [header, input].into_iter().chain(rows).collect();
        let width = |column: usize| table.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let [a, b, c, d] = std::array::from_fn(width);
        let line = "─".repeat(a + b + c + d + 6);
        for (index, [name, output, parameters, flops]) in table.iter().enumerate() {
            writeln!(f, "{name:a$}  {output:b$}  {parameters:>c$}  {flops:>d$}")?;
            if index == 0 {
                writeln!(f, "{line}")?;
            }
        }
        writeln!(f, "{line}")?;
        let (parameters, trained) = (self.parameters as u64, self.trained as u64);
        write!(
            f,
            "{} parameters ({} kB), {} trained, {} not; {:.3} MFLOP a sample forward",
            grouped(parameters),
            grouped(self.bytes.div_ceil(1024) as u64),
            grouped(trained),
            grouped(parameters - trained),
            self.flops as f64 / 1e6,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers() {
        assert_eq!(kind("Dense { units: 64 }"), "Dense");
        assert_eq!(kind("Relu"), "Relu");
        assert_eq!(kind("Sequential[Relu]"), "Sequential");
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(1_234_567), "1,234,567");
    }
}
