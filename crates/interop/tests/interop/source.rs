//! Models as source: compiled by rustc, gcc and clang, where these are there, and run beside `predict`, in C also under Valgrind.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use chainrule_core::ParamKind;
use chainrule_interop::{Language, SourceError, SourceExport};
use chainrule_tensor::{Seed, Shape};
use chainrule_train::Model;
use ndarray::Array2;

/// The difference that is allowed, relative to the largest value of the predictions or to 1.
const TOLERANCE: f32 = 1e-6;

/// With weights of 8 bits.
const TOLERANCE_QUANTIZED: f32 = 0.03;

const ROWS: usize = 3;

pub(crate) const LENET: &str = "conv2d(6, 5, padding=2) then relu then max_pool2d(2) then conv2d(16, 5) then relu then max_pool2d(2) \
                     then flatten then dense(120) then relu then dense(84) then relu then dense(10)";

/// Layers and the shape of a sample: every function, and every way in which values share memory.
const CASES: &[(&str, &[usize])] = &[
    ("dense(5)", &[4]),
    ("dense(5, bias=false) then tanh", &[4]),
    (
        "flatten then dense(64) then relu then dense(32) then dropout(0.5) then dense(10) then softmax",
        &[28, 28],
    ),
    (LENET, &[1, 28, 28]),
    ("conv1d(4, 3, stride=2, padding=same) then silu then conv1d(2, 2, dilation=2)", &[3, 17]),
    ("conv2d(4, [3, 2], padding=[1, [0, 1]], stride=[2, 1], groups=2)", &[2, 7, 6]),
    ("depthwise_conv2d(3, multiplier=2, padding=same) then relu6", &[3, 6, 5]),
    ("depthwise_conv1d(3)", &[2, 9]),
    ("separable_conv2d(4, 3, padding=same)", &[2, 6, 6]),
    ("separable_conv1d(4, 3)", &[2, 9]),
    ("conv2d(4, 3, bias=false) then batch_norm then relu", &[2, 6, 6]),
    ("dense(6) then batch_norm then relu then batch_norm", &[5]),
    ("batch_norm(channels_last=true) then conv1d(2, 2)", &[3, 4]),
    ("max_pool2d(3, stride=2, padding=1, ceil=true)", &[2, 8, 7]),
    ("max_pool1d(2, dilation=2)", &[2, 9]),
    ("avg_pool2d(3, stride=2, padding=1, ceil=true)", &[2, 8, 7]),
    ("avg_pool2d(3, stride=2, padding=1, exclude_padding=true)", &[2, 8, 7]),
    ("avg_pool1d(2)", &[2, 9]),
    ("global_avg_pool then dense(3)", &[3, 5, 5]),
    ("global_max_pool", &[3, 40]),
    ("layer_norm", &[3, 70]),
    ("layer_norm(axes=2) then rms_norm", &[3, 5]),
    ("group_norm(2)", &[4, 3, 3]),
    ("instance_norm", &[2, 9]),
    ("lstm(9)", &[7, 5]),
    ("lstm(4, sequences=true) then lstm(3, backwards=true) then dense(2)", &[6, 3]),
    ("lstm(4, sequences=true, backwards=true)", &[6, 3]),
    ("gru(9) then dense(2)", &[7, 5]),
    ("gru(3, sequences=true, bias=false)", &[7, 5]),
    ("rnn(5) then dense(2)", &[4, 3]),
    ("rnn(5, activation=relu, sequences=true)", &[4, 3]),
    ("bidirectional(lstm(3, sequences=true)) then bidirectional(gru(2)) then dense(2)", &[5, 3]),
    ("bidirectional(lstm(3, backwards=true), merge=sum)", &[5, 3]),
    ("bidirectional(rnn(3, sequences=true), merge=average)", &[5, 3]),
    ("bidirectional(gru(3), merge=multiply)", &[5, 3]),
    (
        "lstm(4, sequences=true) then time_distributed(sequential([dense(3), relu, dense(2), softmax]))",
        &[5, 3],
    ),
    ("lstm(4, sequences=true) then one_step then dense(2)", &[5, 3]),
    ("one_step(first)", &[5, 3]),
    ("embedding(7, 4) then lstm(3)", &[5]),
    ("embedding(7, 4, padding_index=0) then permute([1, 0]) then conv1d(3, 2)", &[5]),
    ("permute([2, 0, 1]) then flatten then dense(3)", &[2, 3, 4]),
    ("zero_padding2d([1, [0, 2]]) then cropping2d(1)", &[2, 4, 3]),
    ("constant_padding1d(2, 0.5) then cropping1d([[1, 0]])", &[2, 4]),
    ("up_sampling2d(2) then conv2d(1, 3)", &[2, 3, 2]),
    ("residual(sequential([dense(4), relu, dense(4)])) then relu", &[4]),
    ("dense(4) then residual(relu) then residual(identity)", &[4]),
    (
        "conv2d(2, 3, padding=same) then branches(concat, [sequential([conv2d(2, 3, padding=same), relu]), identity, relu])",
        &[1, 5, 5],
    ),
    ("branches(average, [dense(3), dense(3), dense(3)])", &[4]),
    ("branches(maximum, [dense(3), dense(3)])", &[4]),
    ("branches(minimum, [dense(3), dense(3)])", &[4]),
    ("branches(subtract, [dense(3), dense(3)])", &[4]),
    ("branches(multiply, [dense(3), identity])", &[3]),
    (
        "graph(inputs=[input(a, [2, 3]), input(b, [6])], nodes=[layer(c, flatten, a), merge(d, add, [c, b]), \
         layer(e, dense(2), d)], outputs=[e, d])",
        &[12],
    ),
    ("flatten", &[2, 2]),
    ("frozen(dense(3)) then prelu", &[4]),
    ("prelu(shared=0)", &[3, 2, 2]),
    ("prelu(shared=none)", &[3, 2]),
    ("glu then flatten then dense(2)", &[3, 4]),
    ("swi_glu(axis=0)", &[4, 3]),
    ("ge_glu", &[6]),
    ("maxout(2, axis=0)", &[4, 3]),
    ("softmax2d", &[3, 2, 4]),
    ("log_softmax", &[2, 70]),
    ("softmin", &[2, 5]),
    ("leaky_relu(0.3) then relu_squared", &[9]),
    ("threshold(0.5, 0.25) then hard_tanh(-0.5, 2.0)", &[9]),
    ("thresholded_relu then exponential", &[9]),
    ("elu(1.5)", &[33]),
    ("celu(0.7)", &[33]),
    ("selu", &[33]),
    ("gelu", &[99]),
    ("gelu_tanh", &[33]),
    ("hard_sigmoid then hard_swish", &[33]),
    ("hard_shrink", &[33]),
    ("soft_shrink", &[33]),
    ("tanh_shrink", &[33]),
    ("softsign", &[33]),
    ("mish", &[33]),
    ("softplus(1.5, threshold=2.0)", &[33]),
    ("softplus", &[33]),
    ("log_sigmoid", &[33]),
    ("squareplus", &[33]),
    ("sparse_plus", &[33]),
    ("sparse_sigmoid", &[33]),
    ("rrelu", &[9]),
    // Long sums, of values of one sign: see `samples`.
    ("dense(2)", &[LONG]),
    ("global_avg_pool then flatten", &[1, LONG]),
    ("avg_pool2d(128)", &[1, 128, 128]),
    ("rms_norm then conv1d(1, 4096, stride=1024)", &[1, LONG]),
    ("softmax", &[LONG]),
];

/// The number of terms of long sums.
const LONG: usize = 1 << 14;

/// Those that are also written with weights of 8 bits.
const QUANTIZED: &[(&str, &[usize])] = &[
    ("flatten then dense(64) then relu then dense(10) then softmax", &[28, 28]),
    (LENET, &[1, 28, 28]),
    ("depthwise_conv2d(3, multiplier=2, padding=same) then relu6", &[3, 6, 5]),
    ("lstm(9) then dense(3)", &[7, 5]),
    ("gru(9, sequences=true) then time_distributed(dense(3))", &[7, 5]),
    ("embedding(7, 4) then lstm(3)", &[5]),
];

/// A file, and what it shall compute.
struct Exported {
    description: &'static str,
    rust: String,
    c: String,
    x: Array2<f32>,
    y: Array2<f32>,
    tolerance: f32,
}

/// A model whose parameters look trained: variances are about 1.
pub(crate) fn model(text: &str, input: &[usize]) -> Model<f32> {
    let description = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
    let mut model = Model::from_description(Shape::new(input).unwrap(), &description, 1)
        .unwrap_or_else(|error| panic!("{text}: {error}"));
    let mut rng = Seed(5).rng();
    for entry in model.plan().entries().to_vec() {
        if entry.shape.len() < 2 {
            for value in &mut model.parameters_mut()[entry.range.clone()] {
                let centre = if entry.kind == ParamKind::Buffer { 1.0 } else { 0.0 };
                *value = centre + rng.between(-0.5, 0.5) as f32;
            }
        }
    }
    model
}

pub(crate) fn samples(text: &str, rows: usize, size: usize, seed: u64) -> Array2<f32> {
    let mut rng = Seed(seed).rng();
    if text.starts_with("embedding") {
        return Array2::from_shape_fn((rows, size), |(row, column)| ((row * 3 + column * 5) % 7) as f32);
    }
    if size >= LONG {
        return Array2::from_shape_fn((rows, size), |_| rng.between(0.5, 1.0) as f32);
    }
    let width = if text.contains("then") { 1.0 } else { 3.0 };
    Array2::from_shape_fn((rows, size), |_| (width * rng.normal()) as f32)
}

fn exported(index: usize, &(description, input): &(&'static str, &[usize]), quantized: bool) -> Exported {
    let model = model(description, input);
    let size = model.input().size();
    let x = samples(description, ROWS, size, 4);
    let calibration = samples(description, 40, size, 6);
    let text = |language| {
        let export = SourceExport::new(language).name(format!("case_{index}"));
        let export = if quantized { export.quantized(calibration.as_slice().unwrap()) } else { export };
        export.source(&model).unwrap_or_else(|error| panic!("{description}: {error}")).text
    };
    let y = model.predict(x.view()).unwrap();
    let tolerance = if quantized { TOLERANCE_QUANTIZED } else { TOLERANCE };
    Exported { description, rust: text(Language::Rust), c: text(Language::C), x, y, tolerance }
}

fn all() -> Vec<Exported> {
    let single = CASES.iter().map(|case| (case, false));
    let all = single.chain(QUANTIZED.iter().map(|case| (case, true)));
    all.enumerate().map(|(index, (case, quantized))| exported(index, case, quantized)).collect()
}

fn is_there(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success());
    if !found {
        eprintln!("SKIPPED: there is no {program}");
    }
    found
}

fn succeeds(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}:\n{}", String::from_utf8_lossy(&output.stderr));
}

/// Gives a program all samples, and compares what it prints.
fn check(mut program: Command, all: &[Exported]) {
    let mut child = program.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let bytes: Vec<u8> = all.iter().flat_map(|case| &case.x).flat_map(|value| value.to_le_bytes()).collect();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(&bytes));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success());
    let mut found = output.stdout.chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap()));
    let mut worst = 0.0f32;
    let mut problems = String::new();
    for Exported { description, y, tolerance, .. } in all {
        let size = y.iter().fold(1.0f32, |size, value| size.max(value.abs()));
        let differences =
            y.iter().map(|y| (found.next().expect("it prints all predictions") - y).abs() / size);
        // A NaN is larger than all others.
        let difference = differences.fold(0.0f32, |a, b| if b <= a { a } else { b });
        if difference <= *tolerance {
            worst = worst.max(if *tolerance == TOLERANCE { difference } else { 0.0 });
        } else {
            writeln!(problems, "{difference:e} {description}").unwrap();
        }
    }
    assert!(found.next().is_none());
    assert!(problems.is_empty(), "{problems}");
    eprintln!("{} models, the largest difference in single precision {worst:e}", all.len());
}

#[test]
fn compiled_as_rust_it_predicts_the_same() {
    if !is_there("rustc") {
        return;
    }
    let all = all();
    let folder = tempfile::tempdir().unwrap();
    let mut library = "#![no_std]\n".to_owned();
    let mut main = "use std::io::{Read, Write};\nfn main() {\n".to_owned();
    for (index, case) in all.iter().enumerate() {
        fs::write(folder.path().join(format!("case_{index}.rs")), &case.rust).unwrap();
        writeln!(library, "pub mod case_{index};").unwrap();
        write!(
            main,
            "    for _ in 0..{ROWS} {{
        let mut bytes = [0; 4 * cases::case_{index}::INPUTS];
        std::io::stdin().read_exact(&mut bytes).unwrap();
        let mut input = [0.0; cases::case_{index}::INPUTS];
        for (value, bytes) in input.iter_mut().zip(bytes.chunks_exact(4)) {{
            *value = f32::from_le_bytes(bytes.try_into().unwrap());
        }}
        let mut output = [0.0; cases::case_{index}::OUTPUTS];
        cases::case_{index}::predict(&input, &mut output, &mut cases::case_{index}::Memory::new());
        for value in output {{
            std::io::stdout().write_all(&value.to_le_bytes()).unwrap();
        }}
    }}\n"
        )
        .unwrap();
    }
    main += "}\n";
    fs::write(folder.path().join("cases.rs"), library).unwrap();
    fs::write(folder.path().join("main.rs"), main).unwrap();
    let rustc = || {
        let mut command = Command::new("rustc");
        command.current_dir(folder.path()).args(["--edition", "2021", "-D", "warnings"]);
        command
    };
    succeeds(rustc().args(["-O", "--crate-type", "lib", "cases.rs"]));
    succeeds(rustc().args(["--extern", "cases=libcases.rlib", "main.rs"]));
    check(Command::new(folder.path().join("main")), &all);
}

#[test]
fn compiled_as_c_it_predicts_the_same() {
    let compilers: Vec<&str> = ["gcc", "clang"].into_iter().filter(|compiler| is_there(compiler)).collect();
    if compilers.is_empty() {
        return;
    }
    let all = all();
    let folder = tempfile::tempdir().unwrap();
    let mut head = "#include <stdio.h>\n#include <stdlib.h>\n".to_owned();
    let mut main = "int main(void) {\n".to_owned();
    let mut files = vec!["main.c".to_owned()];
    for (index, case) in all.iter().enumerate() {
        fs::write(folder.path().join(format!("case_{index}.c")), &case.c).unwrap();
        files.push(format!("case_{index}.c"));
        write!(head, "#define CASE_{index}_DECLARATIONS\n#include \"case_{index}.c\"\n").unwrap();
        write!(
            main,
            "    for (int row = 0; row < {ROWS}; row++) {{
        float *input = malloc(sizeof *input * CASE_{index}_INPUTS);
        float *output = malloc(sizeof *output * CASE_{index}_OUTPUTS);
        struct case_{index}_memory *memory = malloc(sizeof *memory);
        if (!input || !output || !memory) return 2;
        if (fread(input, sizeof *input, CASE_{index}_INPUTS, stdin) != CASE_{index}_INPUTS) return 3;
        case_{index}_predict(input, output, memory);
        fwrite(output, sizeof *output, CASE_{index}_OUTPUTS, stdout);
        free(input), free(output), free(memory);
    }}\n"
        )
        .unwrap();
    }
    fs::write(folder.path().join("main.c"), head + &main + "    return 0;\n}\n").unwrap();
    for compiler in compilers {
        let mut compile = Command::new(compiler);
        compile
            .current_dir(folder.path())
            .args(["-std=c99", "-Wall", "-Wextra", "-Werror", "-O2", "-o", compiler]);
        succeeds(compile.args(&files));
        check(Command::new(folder.path().join(compiler)), &all);
        // Nothing decides that was not written, and nothing is read or written beyond the samples, the outputs and the memory.
        if is_there("valgrind") {
            let mut valgrind = Command::new("valgrind");
            valgrind.args(["--quiet", "--error-exitcode=1", "--leak-check=full"]);
            valgrind.arg(folder.path().join(compiler));
            check(valgrind, &all);
        }
    }
}

#[test]
fn it_says_what_it_takes() {
    let lenet = model(LENET, &[1, 28, 28]);
    let single = SourceExport::new(Language::C).source(&lenet).unwrap();
    assert_eq!(single.weight_bytes, 4 * 61_706);
    // The largest two neighbours, of which the first is the input, which the caller has.
    assert_eq!(single.memory_bytes, 4 * (6 * 28 * 28 + 6 * 14 * 14));
    let samples = samples("", 20, 784, 3);
    let export = SourceExport::new(Language::C).quantized(samples.as_slice().unwrap());
    let quantized = export.source(&lenet).unwrap();
    assert_eq!(quantized.weight_bytes, 61_470 + 8 * 236);
    let said = format!(
        "Constants take {} bytes, the memory of a prediction {}",
        quantized.weight_bytes, quantized.memory_bytes
    );
    assert!(quantized.text.contains(&said), "{}", &quantized.text[..400]);
}

#[test]
fn what_cannot_be_written_is_named() {
    let error = |text: &str, input: &[usize]| {
        SourceExport::new(Language::Rust).source(&model(text, input)).unwrap_err().to_string()
    };
    let masked = error("relu then lstm(2, masked=true)", &[3, 2]);
    assert!(
        masked.starts_with("layer 1, lstm, cannot be written as source: its setting masked is on"),
        "{masked}"
    );
    let attention = error("multi_head_attention(2)", &[3, 4]);
    assert!(
        attention.contains("multi_head_attention, cannot be written as source: there is no function"),
        "{attention}"
    );
    let own = model("dense(2)", &[3]);
    let name = SourceExport::new(Language::C).name("2 digits").source(&own).unwrap_err();
    assert!(matches!(name, SourceError::Name { .. }), "{name}");
    let calibration = SourceExport::new(Language::C).quantized(&[1.0; 4]).source(&own).unwrap_err();
    assert!(matches!(calibration, SourceError::Calibration { values: 4, size: 3 }), "{calibration}");
    let nan = SourceExport::new(Language::C).quantized(&[1.0, 2.0, 3.0, 4.0, f32::NAN, 6.0]).source(&own);
    assert!(matches!(nan, Err(SourceError::CalibrationNotFinite { sample: 1 })), "{nan:?}");
    let mut broken = model("dense(2)", &[3]);
    broken.parameters_mut()[0] = f32::NAN;
    let broken = SourceExport::new(Language::C).source(&broken).unwrap_err();
    assert!(broken.to_string().contains("0.weight"), "{broken}");
}
