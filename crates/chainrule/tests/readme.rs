//! What the README shows is compiled: rustdoc runs its programs, and its snippets are parts of examples.

use std::fs;
use std::path::Path;

/// The folders of examples, from this package.
const EXAMPLES: [&str; 3] = ["examples", "../layers/examples", "../interop/examples"];

/// The blocks of Rust, each with what follows the language's name.
fn blocks(text: &str) -> Vec<(&str, Vec<&str>)> {
    let mut lines = text.lines();
    let mut blocks = Vec::new();
    while let Some(fence) = lines.next() {
        if let Some(attributes) = fence.strip_prefix("```rust") {
            blocks.push((attributes, lines.by_ref().take_while(|line| *line != "```").collect()));
        }
    }
    blocks
}

/// Whether all lines of `block` are in `program`, in the same order, whatever their indentation.
fn is_part(block: &[&str], program: &str) -> bool {
    let mut lines = program.lines().map(str::trim);
    block.iter().map(|line| line.trim()).all(|line| line.is_empty() || lines.any(|other| other == line))
}

#[test]
fn every_block_is_a_program_or_a_part_of_an_example() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(package.join("README.md")).unwrap();
    let folders = EXAMPLES.map(|folder| fs::read_dir(package.join(folder)).unwrap());
    let paths = folders.into_iter().flatten().map(|entry| entry.unwrap().path());
    let files = paths.filter(|path| path.is_file());
    let programs: Vec<String> = files.map(|path| fs::read_to_string(path).unwrap()).collect();
    let blocks = blocks(&readme);
    assert!(blocks.iter().any(|(attributes, _)| attributes.is_empty()), "the README begins with a program");
    for (attributes, block) in blocks {
        let text = block.join("\n");
        let hidden = block.iter().any(|line| *line == "#" || line.starts_with("# "));
        assert!(!hidden, "readers of the README see the hidden lines of:\n{text}");
        if attributes.is_empty() {
            assert!(text.contains("fn main()"), "rustdoc runs this, so it must be a program:\n{text}");
        } else {
            assert!(programs.iter().any(|program| is_part(&block, program)), "no example contains:\n{text}");
        }
    }
}
