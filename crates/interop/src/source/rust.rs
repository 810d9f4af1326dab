//! A program as a module of Rust.

use std::fmt::Write;

use super::arrange::{Arrangement, Location};
use super::kernels::{self, window::Window};
use super::layout::{Head, lines};
use super::program::{Argument, Array, Program, Step};

/// The text of a file.
pub(super) fn text(program: &Program, arrangement: &Arrangement, head: &Head) -> String {
    let mut text = String::new();
    for line in head.lines() {
        text += format!("//! {line}").trim_end();
        text.push('\n');
    }
    let rounded = program.rounded();
    let outputs = program.slots[program.output].count;
    text += "\n#![allow(dead_code, unused_variables, clippy::all)]\n";
    write!(
        text,
        "
/// The number of values of a sample.
pub const INPUTS: usize = {};

/// The number of values of a prediction.
pub const OUTPUTS: usize = {outputs};

/// What a prediction works with. It needs no content before, and has none after.
pub struct Memory {{
    floats: [f32; {}],
    rounded: [i16; {rounded}],
}}

impl Memory {{
    /// Zeros.
    pub const fn new() -> Self {{
        Self {{ floats: [0.0; {}], rounded: [0; {rounded}] }}
    }}
}}

/// The prediction for a sample.
pub fn predict(input: &[f32; INPUTS], output: &mut [f32; OUTPUTS], memory: &mut Memory) {{
    let Memory {{ floats, rounded }} = memory;
",
        program.slots[0].count, arrangement.size, arrangement.size,
    )
    .unwrap_or_default();
    for (index, step) in program.steps.iter().enumerate() {
        call(&mut text, program, arrangement, (index, step));
    }
    if arrangement.copied_out {
        let from = read(arrangement.locations[program.output], outputs);
        writeln!(text, "    slice({from}, 0, output);").unwrap_or_default();
    }
    text += "}\n";
    let pairs = |step: &Step| {
        step.read().iter().any(|&x| in_memory(arrangement, x)) && in_memory(arrangement, step.output)
    };
    let copies = |(step, copy): (&Step, &bool)| *copy && in_memory(arrangement, step.inputs[0]);
    if program.steps.iter().any(pairs) || program.steps.iter().zip(&arrangement.copies).any(copies) {
        text += PARTS;
    }
    for item in super::items::needed(&kernels::RUST, &super::layout::functions(program, arrangement)) {
        text.push('\n');
        text += &item.replace("pub(crate) ", "");
        text.push('\n');
    }
    for constant in &program.constants {
        let name = constant.name.to_uppercase();
        let (number, values): (_, Vec<String>) = match &constant.array {
            Array::Floats(values) => ("f32", values.iter().map(|value| float(*value)).collect()),
            Array::Bytes(values) => ("i8", values.iter().map(i8::to_string).collect()),
        };
        write!(text, "\nstatic {name}: [{number}; {}] = [\n{}];\n", values.len(), lines(&values))
            .unwrap_or_default();
    }
    text
}

/// Two parts of the memory that do not overlap.
const PARTS: &str = "
/// The values of one part to read, and those of another to write.
fn parts(floats: &mut [f32], x: [usize; 2], y: [usize; 2]) -> (&[f32], &mut [f32]) {
    if x[0] < y[0] {
        let (low, high) = floats.split_at_mut(y[0]);
        (&low[x[0]..x[0] + x[1]], &mut high[..y[1]])
    } else {
        let (low, high) = floats.split_at_mut(x[0]);
        (&high[..x[1]], &mut low[y[0]..y[0] + y[1]])
    }
}
";

fn in_memory(arrangement: &Arrangement, slot: usize) -> bool {
    matches!(arrangement.locations[slot], Location::Memory(_))
}

fn read(location: Location, count: usize) -> String {
    match location {
        Location::Input => "input".to_owned(),
        Location::Output => "&output[..]".to_owned(),
        Location::Memory(index) => format!("&floats[{index}..{}]", index + count),
    }
}

fn call(text: &mut String, program: &Program, arrangement: &Arrangement, (index, step): (usize, &Step)) {
    if super::layout::begins_layer(program, index) {
        writeln!(text, "    // {}", step.layer).unwrap_or_default();
    }
    let whole = |slot: usize| program.slots[slot].count + program.slots[slot].room;
    let mut line = |x: Option<usize>, function: &str, arguments: &[Argument]| {
        let mut all = Vec::new();
        let y = arrangement.locations[step.output];
        let x = x.map(|x| (arrangement.locations[x], program.slots[x].count));
        let y = match (x, y) {
            (Some((Location::Memory(from), count)), Location::Memory(to)) => {
                writeln!(
                    text,
                    "    let (x, y) = parts(floats, [{from}, {count}], [{to}, {}]);",
                    whole(step.output)
                )
                .unwrap_or_default();
                all.push("x".to_owned());
                "y".to_owned()
            }
            (x, y) => {
                all.extend(x.map(|(location, count)| read(location, count)));
                match y {
                    Location::Memory(to) => format!("&mut floats[{to}..{}]", to + whole(step.output)),
                    _ => "output".to_owned(),
                }
            }
        };
        all.extend(arguments.iter().map(|argument| argument_text(program, argument)));
        all.push(y);
        writeln!(text, "    {function}({});", all.join(", ")).unwrap_or_default();
    };
    if arrangement.copies[index] {
        line(Some(step.inputs[0]), "slice", &[Argument::Count(0)]);
    }
    line(step.read().first().copied(), step.function, &step.arguments);
}

fn argument_text(program: &Program, argument: &Argument) -> String {
    let pair = |[a, b]: [f32; 2]| format!("[{}, {}]", float(a), float(b));
    match argument {
        Argument::Constant(index) => format!("&{}", program.constants[*index].name.to_uppercase()),
        Argument::Count(count) => count.to_string(),
        Argument::Flag(flag) => flag.to_string(),
        Argument::Number(number) => float(*number),
        Argument::Unit(name, settings) => format!("{name}, {}", pair(*settings)),
        Argument::Pair(values) => pair(*values),
        Argument::Pairs([a, b]) => format!("[{}, {}]", pair(*a), pair(*b)),
        Argument::Window(Window { channels, size, kernel, stride, dilation, before, outputs }) => format!(
            "&Window {{ channels: {channels}, size: {size:?}, kernel: {kernel:?}, stride: {stride:?}, dilation: {dilation:?}, \
             before: {before:?}, outputs: {outputs:?} }}"
        ),
        Argument::Rounded(count) => format!("&mut rounded[..{count}]"),
    }
}

/// A number with all of its bits.
fn float(value: f32) -> String {
    match value {
        f32::INFINITY => "f32::INFINITY".to_owned(),
        f32::NEG_INFINITY => "f32::NEG_INFINITY".to_owned(),
        value => format!("{value:?}"),
    }
}
