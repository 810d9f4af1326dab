//! The accuracy gate: what the tutorial's network must reach on the real MNIST.
//!
//! Five epochs with the defaults, seeds 0 to 4: the mean test accuracy is at least [`MINIMUM_ACCURACY`]. And
//! the parameters after an epoch are the same, bit for bit, on one thread and on two.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{self, Stdio};

use serde_json::Value;

use crate::cargo;
use crate::print;

/// Between what the same network reaches in Burn (97.0 %) and in Keras (97.3 %).
const MINIMUM_ACCURACY: f64 = 0.972;

/// The directory of MNIST, found as the program finds it: the one that `CHAINRULE_DATA` names or its subdirectory
/// `mnist`, else the cache; `None` if it is not on this machine.
///
/// # Errors
/// If `CHAINRULE_DATA` is set and MNIST is not there: skipping the gate then would look like passing it.
pub(crate) fn mnist() -> Result<Option<PathBuf>, String> {
    find(directory("CHAINRULE_DATA"), cache())
}

fn find(named: Option<PathBuf>, cache: Option<PathBuf>) -> Result<Option<PathBuf>, String> {
    let Some(named) = named else {
        return Ok(cache.filter(|directory| holds_mnist(directory)));
    };
    let below = named.join("mnist");
    match [&named, &below].into_iter().find(|directory| holds_mnist(directory)) {
        Some(found) => Ok(Some(found.clone())),
        None => Err(format!(
            "CHAINRULE_DATA is {}, which does not hold the four files of MNIST; correct or unset it.",
            named.display()
        )),
    }
}

/// The directory that the program downloads to.
fn cache() -> Option<PathBuf> {
    let base = if cfg!(target_os = "macos") {
        directory("HOME").map(|home| home.join("Library/Caches"))
    } else if cfg!(windows) {
        directory("LOCALAPPDATA")
    } else {
        directory("XDG_CACHE_HOME").or_else(|| directory("HOME").map(|home| home.join(".cache")))
    };
    base.map(|base| base.join("chainrule").join("mnist"))
}

/// The directory that an environment variable names; an empty variable counts as unset.
fn directory(variable: &str) -> Option<PathBuf> {
    env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from)
}

fn holds_mnist(directory: &Path) -> bool {
    ["train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"].iter().all(|name| {
        ["-ubyte", "-ubyte.gz"].iter().any(|ending| directory.join(format!("{name}{ending}")).is_file())
    })
}

/// Trains on the MNIST in `data` and checks the results.
///
/// # Errors
/// What fell short, or which training failed.
pub(crate) fn run(data: &Path) -> Result<(), String> {
    let scratch = env::temp_dir().join(format!("chainrule-gate-{}", process::id()));
    fs::create_dir_all(&scratch).map_err(|error| format!("{}: {error}.", scratch.display()))?;
    let verdict = judge(|arguments| train(data, &scratch, arguments));
    // A directory that cannot be removed is no reason to fail.
    let _ = fs::remove_dir_all(&scratch);
    verdict
}

/// What the gate reads in the report of a training.
struct GateReport {
    test_accuracy: f64,
    params_sha256: String,
}

fn judge(train: impl Fn(&[&str]) -> Result<GateReport, String>) -> Result<(), String> {
    let seeds = ["0", "1", "2", "3", "4"];
    let mut sum = 0.0;
    for seed in seeds {
        let report = train(&["--epochs", "5", "--seed", seed])?;
        print::out(format_args!("seed {seed}: test accuracy {:.4}", report.test_accuracy));
        sum += report.test_accuracy;
    }
    let mean = sum / seeds.len() as f64;
    print::out(format_args!("mean test accuracy {mean:.4}, at least {MINIMUM_ACCURACY} required"));
    // A mean that is NaN must not pass.
    if mean.is_nan() || mean < MINIMUM_ACCURACY {
        return Err(format!("the mean test accuracy is {mean:.4}, below {MINIMUM_ACCURACY}."));
    }
    let [one, two] = ["1", "2"].map(|threads| train(&["--epochs", "1", "--seed", "0", "--threads", threads]));
    let (one, two) = (one?.params_sha256, two?.params_sha256);
    print::out(format_args!("params_sha256 on 1 thread: {one}\nparams_sha256 on 2 threads: {two}"));
    if one != two {
        return Err("the same seed gives other parameters on 2 threads than on 1.".into());
    }
    Ok(())
}

fn train(data: &Path, scratch: &Path, arguments: &[&str]) -> Result<GateReport, String> {
    let json = scratch.join("report.json");
    let mut cargo = cargo();
    cargo.args(["run", "--quiet", "--release", "-p", "chainrule-cli", "--bin", "chainrule", "--"]);
    cargo.args(["train-mnist", "--dataset", "mnist"]).args(arguments);
    cargo.arg("--data-dir").arg(data).arg("--json").arg(&json).arg("--out").arg(scratch.join("model"));
    let finished = cargo.stdin(Stdio::null()).output();
    let finished = finished.map_err(|error| format!("cargo could not be started: {error}."))?;
    if !finished.status.success() {
        return Err(format!(
            "`train-mnist {}` failed ({}):\n{}",
            arguments.join(" "),
            finished.status,
            String::from_utf8_lossy(&finished.stderr)
        ));
    }
    let text = fs::read_to_string(&json).map_err(|error| format!("{}: {error}.", json.display()))?;
    // The next training must not be judged by this one's report.
    fs::remove_file(&json).map_err(|error| format!("{}: {error}.", json.display()))?;
    read(&text)
}

fn read(text: &str) -> Result<GateReport, String> {
    let report: Value = serde_json::from_str(text).map_err(|error| format!("the JSON report: {error}."))?;
    let missing = |name| format!("the JSON report has no `{name}`.");
    if report["dataset"] != "mnist" {
        return Err(format!("the training was on {}, not on MNIST.", report["dataset"]));
    }
    Ok(GateReport {
        test_accuracy: report["test_accuracy"].as_f64().ok_or_else(|| missing("test_accuracy"))?,
        params_sha256: report["params_sha256"].as_str().ok_or_else(|| missing("params_sha256"))?.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(accuracy: f64, hash: impl Fn(&[&str]) -> String) -> Result<(), String> {
        judge(|arguments| Ok(GateReport { test_accuracy: accuracy, params_sha256: hash(arguments) }))
    }

    #[test]
    fn the_mean_decides() {
        assert!(judged(0.973, |_| "a".into()).is_ok());
        assert!(judged(0.9719, |_| "a".into()).unwrap_err().contains("below 0.972"));
        assert!(judged(f64::NAN, |_| "a".into()).is_err());
    }

    #[test]
    fn threads_must_not_matter() {
        let by_threads = |arguments: &[&str]| arguments.last().unwrap_or(&"").to_string();
        assert!(judged(0.98, by_threads).unwrap_err().contains("2 threads"));
    }

    #[test]
    fn a_report_is_read_or_says_what_it_lacks() {
        let good = r#"{"dataset": "mnist", "test_accuracy": 0.975, "params_sha256": "0f"}"#;
        let report = read(good).unwrap();
        assert_eq!((report.test_accuracy, report.params_sha256.as_str()), (0.975, "0f"));
        let error = |text| read(text).err().unwrap();
        assert!(error(r#"{"dataset": "mnist", "params_sha256": "0f"}"#).contains("test_accuracy"));
        assert!(error(r#"{"dataset": "digits", "test_accuracy": 1}"#).contains("digits"));
        assert!(error("{").contains("JSON"));
    }

    #[test]
    fn mnist_is_four_files_plain_or_compressed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().to_path_buf();
        for name in ["train-images-idx3-ubyte", "train-labels-idx1-ubyte.gz", "t10k-images-idx3-ubyte.gz"] {
            fs::write(path.join(name), "").unwrap();
        }
        assert_eq!(find(None, Some(path.clone())), Ok(None));
        assert!(find(Some(path.clone()), None).unwrap_err().contains("CHAINRULE_DATA"));
        fs::write(path.join("t10k-labels-idx1-ubyte"), "").unwrap();
        assert_eq!(find(None, Some(path.clone())), Ok(Some(path.clone())));
        assert_eq!(find(Some(path.clone()), None), Ok(Some(path.clone())));
        let below = path.join("mnist");
        fs::rename(&path, path.with_extension("moved")).unwrap();
        fs::create_dir(&path).unwrap();
        fs::rename(path.with_extension("moved"), &below).unwrap();
        assert_eq!(find(Some(path), None), Ok(Some(below)));
    }
}
