//! A program as a file of C99.

use std::fmt::Write;

use super::arrange::{Arrangement, Location};
use super::kernels::{self, window::Window};
use super::layout::{Head, lines};
use super::program::{Argument, Array, Program, Step};

/// The text of a file.
pub(super) fn text(program: &Program, arrangement: &Arrangement, head: &Head) -> String {
    let name = &head.name;
    let upper = name.to_uppercase();
    let mut text = "/*\n".to_owned();
    for line in head.lines() {
        text += format!(" * {line}").trim_end();
        text.push('\n');
    }
    let outputs = program.slots[program.output].count;
    write!(
        text,
        " *
 * Another file has the declarations alone by
 *
 *     #define {upper}_DECLARATIONS
 *     #include \"{name}.c\"
 */

#ifndef {upper}_C
#define {upper}_C

#include <stdint.h>

/* The number of values of a sample. */
#define {upper}_INPUTS {}

/* The number of values of a prediction. */
#define {upper}_OUTPUTS {outputs}

/* What a prediction works with. It needs no content before, and has none after. */
struct {name}_memory {{
    float floats[{}];
    int16_t rounded[{}];
}};

/* The prediction for a sample. */
void {name}_predict(const float *input, float *output, struct {name}_memory *memory);

#ifndef {upper}_DECLARATIONS

#include <float.h>
#include <stddef.h>
",
        program.slots[0].count,
        arrangement.size.max(1),
        program.rounded().max(1),
    )
    .unwrap_or_default();
    for constant in &program.constants {
        let name = &constant.name;
        let (number, values): (_, Vec<String>) = match &constant.array {
            Array::Floats(values) => ("float", values.iter().map(|value| float(*value)).collect()),
            Array::Bytes(values) => ("int8_t", values.iter().map(i8::to_string).collect()),
        };
        write!(text, "\nstatic const {number} {name}[{}] = {{\n{}}};\n", values.len(), lines(&values))
            .unwrap_or_default();
    }
    for item in super::items::needed(&kernels::C, &super::layout::functions(program, arrangement)) {
        text.push('\n');
        text += item;
        text.push('\n');
    }
    write!(
        text,
        "
void {name}_predict(const float *input, float *output, struct {name}_memory *memory) {{
    float *floats = memory->floats;
    int16_t *rounded = memory->rounded;
    (void)floats;
    (void)rounded;
"
    )
    .unwrap_or_default();
    for (index, step) in program.steps.iter().enumerate() {
        call(&mut text, program, arrangement, (index, step));
    }
    if arrangement.copied_out {
        let from = pointer(arrangement.locations[program.output]);
        writeln!(text, "    slice({from}, 0, output, {outputs});").unwrap_or_default();
    }
    text += "}\n\n#endif\n#endif\n";
    text
}

fn pointer(location: Location) -> String {
    match location {
        Location::Input => "input".to_owned(),
        Location::Output => "output".to_owned(),
        Location::Memory(0) => "floats".to_owned(),
        Location::Memory(index) => format!("&floats[{index}]"),
    }
}

fn call(text: &mut String, program: &Program, arrangement: &Arrangement, (index, step): (usize, &Step)) {
    if super::layout::begins_layer(program, index) {
        writeln!(text, "    /* {} */", step.layer).unwrap_or_default();
    }
    let y = pointer(arrangement.locations[step.output]);
    let slot = program.slots[step.output];
    let length = slot.count + slot.room;
    if arrangement.copies[index] {
        let x = pointer(arrangement.locations[step.inputs[0]]);
        writeln!(text, "    slice({x}, 0, {y}, {length});").unwrap_or_default();
    }
    let mut all: Vec<String> = step.read().iter().map(|&x| pointer(arrangement.locations[x])).collect();
    let last = step.arguments.iter().rposition(|argument| matches!(argument, Argument::Constant(_)));
    for (index, argument) in step.arguments.iter().enumerate() {
        all.push(argument_text(program, argument));
        // A function knows the lengths of all constants by that of the last one.
        if let (true, Argument::Constant(constant)) = (Some(index) == last, argument) {
            all.push(program.constants[*constant].array.len().to_string());
        }
    }
    all.extend([y, length.to_string()]);
    writeln!(text, "    {}({});", step.function, all.join(", ")).unwrap_or_default();
}

fn argument_text(program: &Program, argument: &Argument) -> String {
    let list = |values: &[f32]| {
        let values: Vec<String> = values.iter().map(|value| float(*value)).collect();
        format!("(const float[]){{{}}}", values.join(", "))
    };
    let two = |[a, b]: [usize; 2]| format!("{{{a}, {b}}}");
    match argument {
        Argument::Constant(index) => program.constants[*index].name.clone(),
        Argument::Count(count) => count.to_string(),
        Argument::Flag(flag) => u8::from(*flag).to_string(),
        Argument::Number(number) => float(*number),
        Argument::Unit(name, settings) => format!("{name}, {}", list(settings)),
        Argument::Pair(values) => list(values),
        Argument::Pairs(pairs) => list(pairs.as_flattened()),
        Argument::Window(Window { channels, size, kernel, stride, dilation, before, outputs }) => {
            let all = [size, kernel, stride, dilation, before, outputs].map(|values| two(*values));
            format!("&(const struct window){{{channels}, {}}}", all.join(", "))
        }
        Argument::Rounded(_) => "rounded".to_owned(),
    }
}

/// A number with all of its bits.
fn float(value: f32) -> String {
    match value {
        f32::INFINITY => "(1.0f / 0.0f)".to_owned(),
        f32::NEG_INFINITY => "(-1.0f / 0.0f)".to_owned(),
        value => format!("{value:?}f"),
    }
}
