//! From a person's files to predictions, by the commands as a user types them.

mod images;
mod mistakes;
mod runs;
#[path = "../start/mod.rs"]
mod start;
mod tables;
mod watching;

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Output;

use chainrule::tensor::Seed;
use serde_json::Value;
use tempfile::TempDir;

use start::chainrule;

fn run(directory: &Path, arguments: &[&str]) -> Output {
    let mut command = chainrule();
    command.current_dir(directory).env_remove("CHAINRULE_DATA").args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What a command prints that has to succeed.
fn out(directory: &Path, arguments: &[&str]) -> String {
    let output = run(directory, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// What a command says that has to fail.
fn fails(directory: &Path, arguments: &[&str]) -> String {
    let output = run(directory, arguments);
    assert_eq!(
        output.status.code(),
        Some(1),
        "{arguments:?}: {}{}",
        text(&output.stdout),
        text(&output.stderr)
    );
    assert!(output.stdout.is_empty(), "{}", text(&output.stdout));
    text(&output.stderr)
}

fn json(directory: &Path, file: &str) -> Value {
    serde_json::from_slice(&fs::read(directory.join(file)).unwrap()).unwrap()
}

fn directory(files: &[(&str, String)]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, content) in files {
        fs::write(directory.path().join(name), content).unwrap();
    }
    directory
}

/// Plants of three species that their leaf and their soil tell apart, some without a leaf.
fn plants(rows: usize, seed: u64) -> String {
    let mut rng = Seed(seed).rng();
    let mut text = String::from("id,leaf,soil,species\n");
    for row in 0..rows {
        let species = rng.below(3);
        let leaf = [2.0, 5.0, 5.0][species] + 0.4 * rng.normal();
        let leaf = if row % 25 == 7 { String::new() } else { format!("{leaf:.2}") };
        let soil = ["clay", "clay", "sand"][species];
        writeln!(text, "p{row:03},{leaf},{soil},{}", ["elm", "oak", "\"ash, white\""][species]).unwrap();
    }
    text
}

fn flats(rows: usize, seed: u64) -> String {
    let mut rng = Seed(seed).rng();
    let mut text = String::from("area;town;balcony;rent\n");
    for _ in 0..rows {
        let (area, town, balcony) = (rng.between(20.0, 120.0), rng.below(2), rng.below(2));
        let rent = 12.0 * area * [1.0, 1.5][town] + 150.0 * balcony as f64 + 20.0 * rng.normal();
        let area = format!("{area:.1}").replace('.', ",");
        writeln!(text, "{area};{};{};{rent:.0}", ["Ulm", "Munich"][town], ["no", "yes"][balcony]).unwrap();
    }
    text
}
