//! The step `arm`: the libraries compiled for AArch64, and what its kernels compute, by an emulator.
//!
//! Few of the machines that the checks run on have such a CPU. The standard library for it compiles, a linker and QEMU run the tests
//! of `tensor` at both levels of instructions, and an OpenBLAS for it links a test of `train`, whose trainings must end with the
//! bits that they have here. What is not installed is not run.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::cargo;
use crate::print;
use crate::probe;
use crate::test::{Outcome, execute};

const TARGET: &str = "aarch64-unknown-linux-gnu";

/// As Debian calls it, and others too.
const LINKER: &str = "aarch64-linux-gnu-gcc";

const EMULATOR: &str = "qemu-aarch64";

/// Cargo's names of both; `-L` is where Debian's cross-compilers have their C library. The CPU has NEON and nothing newer: for what QEMU
/// emulates by default OpenBLAS 0.3.34 takes a kernel with instructions that QEMU 11.1 refuses.
const ENVIRONMENT: [(&str, &str); 2] = [
    ("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", LINKER),
    (
        "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER",
        "qemu-aarch64 -cpu cortex-a72 -L /usr/aarch64-linux-gnu",
    ),
];

/// The tests of the kernels. Those that start themselves again are left out, which under the emulator would take the system's help: some
/// do not where a level is forced, and one by its name.
const TESTS: &str = "test --quiet --profile checks -p chainrule-tensor --no-default-features --lib --tests";
const LEFT_OUT: &str = "-- --skip a_program_without_memory_ends_with_a_message";

/// A test that prints how portable trainings end, and the variable that makes it do so.
const TRAININGS: &str = "test --quiet --profile checks -p chainrule-train --test portable";
const THREADS: (&str, &str) = ("CHAINRULE_PORTABLE_THREADS", "2");

/// Compiles for AArch64, and runs what can be run.
///
/// # Errors
/// Code that does not compile or that has a warning, a test that fails, or a training with other bits.
pub(crate) fn run() -> Result<Outcome, String> {
    if cfg!(all(target_os = "linux", target_arch = "aarch64")) {
        return Ok(Outcome::Skipped("this machine has such a CPU, and the other steps were for it".into()));
    }
    if !has_standard_library() {
        return Ok(Outcome::Skipped(format!(
            "Rust has no standard library for {TARGET} here; `rustup target add {TARGET}` installs it"
        )));
    }
    for features in ["", " --no-default-features"] {
        let flags = ("RUSTFLAGS", "-D warnings");
        execute(Some(flags), &format!("check --target {TARGET} -p chainrule{features}"))?;
    }
    if !(probe::on_path(LINKER) && probe::on_path(EMULATOR)) {
        let needed = format!("{LINKER} and {EMULATOR}, of Debian's gcc-aarch64-linux-gnu and qemu-user");
        print::out(format_args!("    no test is run: that takes {needed}"));
        return Ok(Outcome::Passed);
    }
    for level in ["neon", "baseline"] {
        let level = ("CHAINRULE_ISA", level);
        succeeds(&mut shown(
            &format!("{TESTS} --target {TARGET} {LEFT_OUT}"),
            &[ENVIRONMENT[0], ENVIRONMENT[1], level],
        ))?;
    }
    if probe::links_by(LINKER, &[]) != Some(true) {
        print::out(format_args!("    no training is run: there is no OpenBLAS that {LINKER} links"));
        return Ok(Outcome::Passed);
    }
    let here = trainings("", &[])?;
    let there = trainings(&format!(" --target {TARGET}"), &ENVIRONMENT)?;
    if here.is_empty() || here != there {
        let [here, there] = [here, there].map(|lines| lines.join("\n"));
        return Err(format!("portable trainings ended with\n{here}\nhere, and on AArch64 with\n{there}"));
    }
    Ok(Outcome::Passed)
}

/// Whether the compiler has the standard library of the target.
fn has_standard_library() -> bool {
    let Ok(output) = Command::new("rustc").args(["--print", "sysroot"]).output() else { return false };
    let sysroot = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let libraries = Path::new(&sysroot).join("lib/rustlib").join(TARGET).join("lib");
    let Ok(entries) = libraries.read_dir() else { return false };
    entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("libstd-"))
}

/// Cargo with these arguments and this environment, which are shown.
fn shown(arguments: &str, environment: &[(&str, &str)]) -> Command {
    let variables: Vec<String> =
        environment.iter().map(|(name, value)| format!("{name}=\"{value}\" ")).collect();
    print::out(format_args!("    {}cargo {arguments}", variables.concat()));
    let mut cargo = cargo();
    cargo.args(arguments.split(' ')).envs(environment.iter().copied());
    cargo
}

fn succeeds(cargo: &mut Command) -> Result<(), String> {
    match cargo.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("cargo failed ({status}).")),
        Err(error) => Err(format!("cargo could not be started: {error}.")),
    }
}

/// How the trainings end, a line for each.
fn trainings(target: &str, environment: &[(&str, &str)]) -> Result<Vec<String>, String> {
    let environment = [&[THREADS], environment].concat();
    let arguments = format!("{TRAININGS}{target} -- --exact child --nocapture");
    let output = shown(&arguments, &environment).stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| format!("cargo could not be started: {error}."))?;
    if !output.status.success() {
        return Err(format!("the trainings failed ({}).", output.status));
    }
    Ok(hashes(&String::from_utf8_lossy(&output.stdout)))
}

/// The lines with a SHA-256.
fn hashes(text: &str) -> Vec<String> {
    let is_hash = |word: &str| word.len() == 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    text.lines().filter(|line| line.split(' ').any(is_hash)).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_with_a_hash_is_a_training() {
        let hash = "0123456789abcdef".repeat(4);
        let text =
            format!("\nrunning 1 test\ndense: {hash} 3f\nshort: {} 3f\ntest child ... ok\n", &hash[1..]);
        assert_eq!(hashes(&text), [format!("dense: {hash} 3f")]);
    }
}
