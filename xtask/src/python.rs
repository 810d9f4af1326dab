//! The step `python`: the wheel is built and installed into an environment of its own, where the tests of the package run.
//!
//! The packages that this takes are those of the machine's Python, or are installed once from PyPI, into `target/python`. Where there is
//! neither, the step is skipped and says so.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::cargo;
use crate::print;
use crate::test::{Outcome, execute};

/// What is needed besides Python: how it is imported, and the name of its package.
const PACKAGES: [(&str, &str); 4] = [
    ("maturin", "maturin>=1.7,<2"),
    ("numpy", "numpy"),
    ("pytest", "pytest"),
    ("sklearn", "scikit-learn>=1.6"),
];

/// Fails below Python 3.9.
const VERSION: &str = "import sys, venv; sys.exit(sys.version_info < (3, 9))";

/// Builds the wheel and tests it.
///
/// # Errors
/// What fails to build, or a test that fails.
pub(crate) fn run(root: &Path) -> Result<Outcome, String> {
    let python: OsString = env::var_os("CHAINRULE_PYTHON").unwrap_or_else(|| "python3".into());
    if !quiet(&python, &["-c", VERSION]) {
        return Ok(Outcome::Skipped(format!(
            "{} is not Python 3.9 or later with venv; CHAINRULE_PYTHON names another",
            python.display()
        )));
    }
    let target = target_directory()?;
    let own = match environment(&python, &target.join("python"))? {
        Ok(own) => own,
        Err(why) => return Ok(Outcome::Skipped(why)),
    };
    // The program, whose trainings have to have the same bits.
    execute(None, "build --release -p chainrule-cli --bin chainrule")?;
    let wheels = target.join("wheels");
    let _ = fs::remove_dir_all(&wheels);
    let mut maturin = Command::new(&own);
    // For the tests the profile that compiles soonest.
    maturin.env("CARGO_PROFILE_DEV_DEBUG", "0");
    maturin.args(["-m", "maturin", "build", "--quiet", "--out"]).arg(&wheels);
    maturin.arg("--interpreter").arg(&own).arg("--manifest-path").arg(root.join("crates/python/Cargo.toml"));
    shown(maturin.current_dir(root))?;
    let wheel = fs::read_dir(&wheels)
        .map_err(|error| format!("{}: {error}.", wheels.display()))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|ending| ending == "whl"))
        .ok_or_else(|| format!("maturin has written no wheel to {}.", wheels.display()))?;
    let mut pip = pip(&own);
    shown(pip.args(["--no-index", "--no-deps", "--force-reinstall"]).arg(wheel))?;
    let mut tests = Command::new(&own);
    tests.args(["-m", "pytest", "-q", "-p", "no:cacheprovider"]).arg(root.join("crates/python/tests"));
    let program = format!("chainrule{}", env::consts::EXE_SUFFIX);
    shown(tests.env("CHAINRULE_PROGRAM", target.join("release").join(program)))?;
    Ok(Outcome::Passed)
}

/// The Python of an environment with all packages; or why there is none.
fn environment(python: &OsString, directory: &Path) -> Result<Result<PathBuf, String>, String> {
    let own = if cfg!(windows) { directory.join("Scripts/python.exe") } else { directory.join("bin/python") };
    if !quiet(own.as_os_str(), &["-c", VERSION]) {
        let _ = fs::remove_dir_all(directory);
        let mut venv = Command::new(python);
        // With the packages of the machine, so that those need not be installed.
        venv.args(["-m", "venv", "--system-site-packages"]).arg(directory);
        if let Err(error) = shown(&mut venv) {
            return Ok(Err(format!("{error} (Debian has venv in the package python3-venv)")));
        }
    }
    let missing = |(module, _): &&(&str, &str)| !quiet(own.as_os_str(), &["-c", &format!("import {module}")]);
    let missing: Vec<&str> = PACKAGES.iter().filter(missing).map(|(_, package)| *package).collect();
    if !missing.is_empty() {
        let mut pip = pip(&own);
        pip.args(["--retries", "1", "--timeout", "15"]).args(&missing);
        if shown(&mut pip).is_err() {
            return Ok(Err(format!("not installed, and PyPI does not give them: {}", missing.join(", "))));
        }
    }
    Ok(Ok(own))
}

fn pip(python: &Path) -> Command {
    let mut pip = Command::new(python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    pip
}

/// The directory that cargo builds in.
fn target_directory() -> Result<PathBuf, String> {
    let mut metadata = cargo();
    metadata.args(["metadata", "--no-deps", "--format-version", "1"]).stderr(Stdio::inherit());
    let output = metadata.output().map_err(|error| format!("cargo could not be started: {error}."))?;
    let metadata: Value =
        serde_json::from_slice(&output.stdout).map_err(|error| format!("cargo metadata: {error}."))?;
    let directory = metadata["target_directory"].as_str().map(PathBuf::from);
    directory.ok_or_else(|| "cargo metadata names no target directory.".into())
}

/// Whether a program can be run, without a word.
fn quiet(program: &(impl AsRef<std::ffi::OsStr> + ?Sized), arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Runs a command and shows it.
fn shown(command: &mut Command) -> Result<(), String> {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<String> = words.map(|word| word.display().to_string()).collect();
    let words = words.join(" ");
    print::out(format_args!("    {words}"));
    match command.stdin(Stdio::null()).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{words}` failed ({status}).")),
        Err(error) => Err(format!("`{words}` could not be started: {error}.")),
    }
}
