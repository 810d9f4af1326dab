//! The library as a C program uses it, and the header.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use chainrule_tensor::Shape;
use chainrule_train::Model;
use ndarray::Array2;

const HERE: &str = env!("CARGO_MANIFEST_DIR");

/// The folder that cargo has written the library to.
fn libraries() -> PathBuf {
    let program = std::env::current_exe().unwrap();
    let found = program.ancestors().skip(1).find(|folder| {
        ["so", "dylib"].iter().any(|ending| folder.join(format!("libchainrule_c.{ending}")).exists())
    });
    found.expect("cargo builds the library for the tests").to_owned()
}

/// Compiles a program against the header and the library; `None` if there is no C compiler.
fn compiled(source: &Path, to: &Path) -> Option<PathBuf> {
    if !Command::new("cc").arg("--version").output().is_ok_and(|output| output.status.success()) {
        eprintln!("SKIPPED: there is no C compiler, cc");
        return None;
    }
    let folder = libraries();
    let program = to.join("program");
    let output = Command::new("cc")
        .args(["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-I"])
        .arg(Path::new(HERE).join("include"))
        .arg(source)
        .arg("-L")
        .arg(&folder)
        .args(["-lchainrule_c", &format!("-Wl,-rpath,{}", folder.display()), "-o"])
        .arg(&program)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(program)
}

fn run(program: &Path, argument: &Path, input: &[u8]) -> Output {
    let mut command = Command::new(program);
    let command = command.arg(argument).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A program that ends early reads no more.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

#[test]
fn the_example_predicts() {
    let folder = tempfile::tempdir().unwrap();
    let Some(program) = compiled(&Path::new(HERE).join("examples/predict.c"), folder.path()) else { return };
    let description = "flatten then dense(5) then relu then dense(3)";
    let model =
        Model::<f32>::from_description(Shape::from([2, 4]), &description.parse().unwrap(), 1).unwrap();
    let path = folder.path().join("own.chainrule");
    model.save(&path).unwrap();
    let x = Array2::from_shape_fn((3, 8), |(row, column)| (row * 8 + column) as f32 * 0.125 - 1.0);
    let bytes: Vec<u8> = x.iter().flat_map(|value| value.to_le_bytes()).collect();
    let output = run(&program, &path, &bytes);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8(output.stdout).unwrap();
    let mut lines = printed.lines();
    assert_eq!(lines.next(), Some(&*format!("layers {}", model.describe())));
    assert_eq!(lines.next(), Some("sample 2 4"));
    let found: Vec<f32> =
        lines.flat_map(|line| line.split(' ')).map(|number| number.parse().unwrap()).collect();
    // One sample at a time, as the program gives them.
    let expected: Vec<f32> = x
        .rows()
        .into_iter()
        .flat_map(|row| model.predict(row.insert_axis(ndarray::Axis(0))).unwrap())
        .collect();
    assert_eq!(found, expected);

    let damaged = folder.path().join("damaged.chainrule");
    let mut bytes = fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&damaged, bytes).unwrap();
    for (path, part) in [(folder.path().join("nothing.chainrule"), "nothing.chainrule"), (damaged, "damaged")]
    {
        let output = run(&program, &path, &[]);
        assert_eq!(output.status.code(), Some(1));
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(message.starts_with("error: ") && message.contains(part), "{message}");
    }
}

/// A program that gives the library what it must not be given.
const WRONG: &str = r#"
#include <stdio.h>
#include <string.h>
#include "chainrule.h"

#define CHECK(condition) if (!(condition)) { printf("line %d: %s\n", __LINE__, chainrule_last_error()); return 1; }

int main(int count, char **arguments) {
    chainrule_model *model = NULL;
    size_t axes[1] = {7};
    float sample[1] = {9.0f}, prediction[2] = {5.0f, 5.0f};
    CHECK(count == 2 && strlen(chainrule_version()) > 0 && chainrule_last_error()[0] == 0);
    CHECK(chainrule_load(NULL, &model) == CHAINRULE_INVALID_ARGUMENT && strcmp(chainrule_last_error(), "path is null") == 0);
    CHECK(chainrule_load(arguments[1], NULL) == CHAINRULE_INVALID_ARGUMENT);
    CHECK(chainrule_load("\xff", &model) == CHAINRULE_INVALID_ARGUMENT && model == NULL);
    CHECK(chainrule_load("/", &model) == CHAINRULE_INVALID_FILE && model == NULL);
    CHECK(chainrule_describe(NULL) == NULL && chainrule_input_size(NULL) == 0 && chainrule_output_size(NULL) == 0);
    CHECK(chainrule_input_shape(NULL, axes, 1) == 0 && axes[0] == 7);
    CHECK(chainrule_predict(NULL, sample, 1, prediction) == CHAINRULE_INVALID_ARGUMENT);
    chainrule_free(NULL);
    CHECK(chainrule_load(arguments[1], &model) == CHAINRULE_OK);
    CHECK(chainrule_output_shape(model, NULL, 0) == 1 && chainrule_output_shape(model, axes, 1) == 1 && axes[0] == 2);
    CHECK(chainrule_output_size(model) == 2 && chainrule_input_shape(model, axes, 0) == 1 && axes[0] == 2);
    CHECK(chainrule_predict(model, NULL, 1, prediction) == CHAINRULE_INVALID_ARGUMENT);
    CHECK(chainrule_predict(model, sample, 1, NULL) == CHAINRULE_INVALID_ARGUMENT);
    CHECK(chainrule_predict(model, sample, (size_t)-1, prediction) == CHAINRULE_INVALID_ARGUMENT);
    CHECK(chainrule_predict(model, NULL, 0, NULL) == CHAINRULE_OK);
    /* The table has three rows. */
    CHECK(chainrule_predict(model, sample, 1, prediction) == CHAINRULE_INVALID_SAMPLES && prediction[0] == 5.0f);
    sample[0] = 2.0f;
    CHECK(chainrule_predict(model, sample, 1, prediction) == CHAINRULE_OK && prediction[0] != 5.0f);
    chainrule_free(model);
    return 0;
}
"#;

#[test]
fn wrong_arguments_are_codes() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("wrong.c");
    fs::write(&source, WRONG).unwrap();
    let Some(program) = compiled(&source, folder.path()) else { return };
    let description = "embedding(3, 4) then flatten then dense(2)".parse().unwrap();
    let model = Model::<f32>::from_description(Shape::from([1]), &description, 1).unwrap();
    let path = folder.path().join("own.chainrule");
    model.save(&path).unwrap();
    let output = run(&program, &path, &[]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// The words that begin like this, and end where a word ends.
fn words<'a>(text: &'a str, start: &str, end: char) -> BTreeSet<&'a str> {
    let word = |index: usize| {
        let rest = &text[index..];
        let length = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
        rest[length..].starts_with(end).then_some(&rest[..length])
    };
    text.match_indices(start).filter_map(|(index, _)| word(index)).collect()
}

#[test]
fn the_header_has_the_functions_and_codes_of_the_library() {
    let read = |name: &str| fs::read_to_string(Path::new(HERE).join(name)).unwrap();
    let header = read("include/chainrule.h");
    // In comments functions have nothing in their parentheses.
    let declared: BTreeSet<_> =
        words(&header.replace("()", ""), "chainrule_", '(').iter().map(|s| s.to_string()).collect();
    let code = read("src/lib.rs");
    let exported: BTreeSet<_> = code
        .split("extern \"C\" fn ")
        .skip(1)
        .filter_map(|rest| rest.split('(').next())
        .map(str::to_owned)
        .collect();
    assert_eq!(declared, exported);
    let codes = |text: &str, prefix: &str| -> Vec<(String, String)> {
        let lines = text.lines().filter_map(|line| line.trim().trim_end_matches(',').split_once(" = "));
        let codes = lines.filter_map(|(name, number)| Some((name.strip_prefix(prefix)?, number)));
        let codes = codes.filter(|(_, number)| number.len() == 1);
        codes.map(|(name, number)| (name.replace('_', "").to_lowercase(), number.to_owned())).collect()
    };
    let header = codes(&header, "CHAINRULE_");
    assert_eq!(header.len(), 5);
    assert_eq!(header, codes(&read("src/failure.rs"), ""));
}
