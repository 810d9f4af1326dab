//! The tables of the documentation are those of the code.

use std::fmt::Write;

use chainrule_interop::{
    OnnxForm, SourceForm, TorchForm, WeightForm, onnx_forms, source_forms, torch_forms, weight_forms,
};

use crate::file;

fn names(layers: &[&str]) -> String {
    layers.iter().map(|layer| format!("`{layer}`")).collect::<Vec<_>>().join(", ")
}

fn pytorch() -> String {
    let mut table = "| layers | in PyTorch | parameters |\n|---|---|---|\n".to_owned();
    for WeightForm { layers, module, about, .. } in weight_forms() {
        writeln!(table, "| {} | {module} | {about} |", names(layers)).unwrap();
    }
    table
}

fn keras() -> String {
    let mut table = "| layers | in Keras |\n|---|---|\n".to_owned();
    for WeightForm { layers, keras, .. } in weight_forms() {
        writeln!(table, "| {} | {keras} |", names(layers)).unwrap();
    }
    table
}

fn onnx() -> String {
    let mut table = "| layers | operators | what cannot be expressed, and why |\n|---|---|---|\n".to_owned();
    for OnnxForm { layers, operators, about } in onnx_forms() {
        let operators = operators.unwrap_or("none");
        writeln!(table, "| {} | {operators} | {about} |", names(layers)).unwrap();
    }
    table
}

fn source() -> String {
    let mut table = "| layers | as source | |\n|---|---|---|\n".to_owned();
    for SourceForm { layers, written, about } in source_forms() {
        let written = if written { "yes" } else { "no" };
        writeln!(table, "| {} | {written} | {about} |", names(layers)).unwrap();
    }
    table
}

fn torch() -> String {
    let mut table = "| layers | modules |\n|---|---|\n".to_owned();
    for TorchForm { layers, modules } in torch_forms() {
        writeln!(table, "| {} | {modules} |", names(layers)).unwrap();
    }
    table
}

/// The page with these tables in place of those that it has.
fn page(text: &str) -> String {
    let mut text = text.to_owned();
    for (mark, table) in [
        ("<!-- pytorch -->\n", pytorch()),
        ("<!-- keras -->\n", keras()),
        ("<!-- onnx -->\n", onnx()),
        ("<!-- torch -->\n", torch()),
        ("<!-- source -->\n", source()),
    ] {
        let (before, after) = text.split_once(mark).expect("the page has a mark for each table");
        let rest = after
            .trim_start()
            .lines()
            .skip_while(|line| line.starts_with('|'))
            .collect::<Vec<_>>()
            .join("\n");
        text = format!("{before}{mark}\n{table}{}", if rest.is_empty() { rest } else { rest + "\n" });
    }
    text
}

#[test]
fn the_page_has_the_tables_of_the_code() {
    let path = file("../../../../docs/interop.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let expected = page(&text);
    if std::env::var_os("CHAINRULE_WRITE").is_some() {
        std::fs::write(&path, &expected).unwrap();
    }
    assert!(
        text == expected,
        "docs/interop.md differs: run this test with CHAINRULE_WRITE=1, which writes it"
    );
}
