//! What the files of both languages have in common.

use std::collections::BTreeSet;

use super::arrange::Arrangement;
use super::program::{Argument, Program};

/// What the head of a file says.
pub(super) struct Head {
    pub(super) name: String,
    pub(super) layers: Vec<String>,
    pub(super) input: Vec<usize>,
    pub(super) weight_bytes: usize,
    pub(super) memory_bytes: usize,
    pub(super) quantized: bool,
}

impl Head {
    pub(super) fn lines(&self) -> Vec<String> {
        let Self { name, input, weight_bytes, memory_bytes, .. } = self;
        let numbers = match self.quantized {
            true => {
                "Weights have 8 bits and a scale for each unit; what they multiply is rounded to 16 bits."
            }
            false => "Numbers are in single precision.",
        };
        let mut lines = vec![
            format!(
                "The network {name}, written by chainrule {}. It uses no library and allocates nothing.",
                env!("CARGO_PKG_VERSION")
            ),
            String::new(),
            format!("A sample has the shape {input:?}, its values in row-major order."),
            format!(
                "Constants take {weight_bytes} bytes, the memory of a prediction {memory_bytes}. {numbers}"
            ),
            String::new(),
            "Layers:".to_owned(),
            String::new(),
        ];
        // A comment of C must not end early.
        lines.extend(self.layers.iter().map(|layer| format!("    {}", layer.replace("*/", "* /"))));
        lines
    }
}

/// The functions that the calls of a program name.
pub(super) fn functions<'a>(program: &'a Program, arrangement: &Arrangement) -> BTreeSet<&'a str> {
    let mut names: BTreeSet<&str> = program.steps.iter().map(|step| step.function).collect();
    for argument in program.steps.iter().flat_map(|step| &step.arguments) {
        if let Argument::Unit(name, _) = argument {
            names.insert(name);
        }
    }
    if arrangement.copied_out || arrangement.copies.contains(&true) {
        names.insert("slice");
    }
    names
}

/// Whether a step is the first of its layer.
pub(super) fn begins_layer(program: &Program, index: usize) -> bool {
    index == 0 || program.steps[index - 1].layer != program.steps[index].layer
}

/// Numbers in lines that are not too long.
pub(super) fn lines(values: &[String]) -> String {
    const WIDTH: usize = 110;
    let mut text = String::new();
    let mut width = 0;
    for value in values {
        if width == 0 || width + value.len() + 2 > WIDTH {
            text += if width == 0 { "    " } else { "\n    " };
            width = 4;
        } else {
            text.push(' ');
            width += 1;
        }
        text += value;
        text.push(',');
        width += value.len() + 1;
    }
    text.push('\n');
    text
}
