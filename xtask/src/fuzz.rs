//! `fuzz`: random input for everything that reads files, by `cargo fuzz` and the nightly compiler.
//!
//! A target starts from its seeds in `fuzz/seeds`, which the repository keeps, and from what earlier runs found, in
//! `fuzz/corpus`, which it does not. An input that fails is kept in `fuzz/artifacts`: copy it to the seeds, which the tests
//! of the crates read too.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::nearest::nearest;
use crate::{Stop, print};

/// A target, and the feature of the workspace `fuzz` with which it is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Target {
    name: &'static str,
    feature: &'static str,
}

const TARGETS: [Target; 19] = [
    Target { name: "idx", feature: "" },
    Target { name: "csv", feature: "" },
    Target { name: "cifar", feature: "" },
    Target { name: "manifest", feature: "manifests" },
    Target { name: "table", feature: "tables" },
    Target { name: "parquet", feature: "tables" },
    Target { name: "preparation", feature: "tables" },
    Target { name: "picture", feature: "pictures" },
    Target { name: "report", feature: "reports" },
    Target { name: "description", feature: "descriptions" },
    Target { name: "configuration", feature: "configurations" },
    Target { name: "model", feature: "models" },
    Target { name: "sealed_model", feature: "models" },
    Target { name: "resume", feature: "models" },
    Target { name: "safetensors", feature: "interop" },
    Target { name: "npz", feature: "interop" },
    Target { name: "pytorch", feature: "interop" },
    Target { name: "keras", feature: "keras" },
    Target { name: "onnx", feature: "interop" },
];

/// How many inputs each target tries.
const INPUTS: u64 = 1_000_000;

/// The limits of libFuzzer: no input is longer than this, none may make a program that large, or take as long.
const LIMITS: [&str; 3] = ["-max_len=4096", "-rss_limit_mb=1024", "-timeout=20"];

impl Target {
    /// How many MiB an input may allocate at once: 64 for a picture, however small its file.
    fn allocation(self) -> u32 {
        if self.name == "picture" { 65 } else { 32 }
    }
}

/// Runs `cargo xtask fuzz` with these arguments, from the root of the checkout.
pub(crate) fn run(arguments: &[String], root: &Path) -> Result<(), Stop> {
    let (targets, inputs) = parse(arguments)?;
    if !succeeds(&["--version"]) {
        print::out(
            "fuzz: SKIPPED: it takes the nightly compiler and cargo-fuzz; `rustup toolchain install nightly` and `cargo \
             install cargo-fuzz --locked` install them",
        );
        return Ok(());
    }
    // Only what these targets read is compiled, and for all of them at once.
    let features: BTreeSet<&str> = targets.iter().map(|target| target.feature).collect();
    let features = features.into_iter().collect::<Vec<_>>().join(" ");
    for target in targets {
        let name = target.name;
        print::out(format_args!("==> {name}: {inputs} inputs"));
        let corpus = root.join("fuzz/corpus").join(name);
        fs::create_dir_all(&corpus)
            .map_err(|error| Stop::Failed(format!("{} cannot be made: {error}.", corpus.display())))?;
        let seeds = root.join("fuzz/seeds").join(name);
        let mut fuzz = cargo_fuzz();
        fuzz.current_dir(root).args(["run", "--no-default-features", "--features", &features, name]);
        fuzz.args([&corpus, &seeds]).args(["--", &format!("-runs={inputs}"), "-print_final_stats=1"]);
        fuzz.args(LIMITS).arg(format!("-malloc_limit_mb={}", target.allocation()));
        match fuzz.status() {
            Ok(status) if status.success() => {}
            Ok(status) => return Err(Stop::Failed(format!("the target {name} failed ({status})."))),
            Err(error) => return Err(Stop::Failed(format!("cargo fuzz could not be started: {error}."))),
        }
    }
    Ok(())
}

/// The targets and the number of inputs.
fn parse(arguments: &[String]) -> Result<(Vec<Target>, u64), Stop> {
    let mut targets = Vec::new();
    let mut inputs = INPUTS;
    let mut arguments = arguments.iter().map(String::as_str);
    while let Some(argument) = arguments.next() {
        if argument == "--inputs" {
            let number = arguments.next().unwrap_or_default();
            let wrong = || Stop::Usage(format!("--inputs needs a number, such as {INPUTS}, not `{number}`."));
            inputs = number.parse().ok().filter(|&inputs| inputs > 0).ok_or_else(wrong)?;
            continue;
        }
        let known = TARGETS.iter().find(|target| target.name == argument);
        targets.push(*known.ok_or_else(|| {
            let nearest = nearest(argument, &TARGETS.map(|target| target.name));
            Stop::Usage(format!("there is no target `{argument}`; the nearest is `{nearest}`."))
        })?);
    }
    Ok((if targets.is_empty() { TARGETS.to_vec() } else { targets }, inputs))
}

fn cargo_fuzz() -> Command {
    let mut command = Command::new("rustup");
    command.args(["run", "nightly", "cargo", "fuzz"]);
    command
}

fn succeeds(arguments: &[&str]) -> bool {
    let mut command = cargo_fuzz();
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<(Vec<Target>, u64), Stop> {
        parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn the_arguments_choose_targets_and_inputs() {
        assert_eq!(parsed(""), Ok((TARGETS.to_vec(), INPUTS)));
        assert_eq!(parsed("csv --inputs 10 idx"), Ok((vec![TARGETS[1], TARGETS[0]], 10)));
        for (line, expected) in [("cvs", "`csv`"), ("--inputs", "a number"), ("--inputs 0", "a number")] {
            let Err(Stop::Usage(message)) = parsed(line) else { panic!("{line} was accepted") };
            assert!(message.contains(expected), "{message}");
        }
    }

    #[test]
    fn every_target_has_a_file_and_seeds() {
        let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz");
        let names = |folder: &str| {
            let entries = fs::read_dir(fuzz.join(folder)).unwrap();
            let mut names: Vec<String> =
                entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        };
        let mut targets = TARGETS.map(|target| target.name.to_owned());
        targets.sort();
        assert_eq!(names("seeds"), targets);
        assert_eq!(names("fuzz_targets"), targets.map(|target| target + ".rs"));
    }
}
