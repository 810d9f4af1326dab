//! The benchmark as `cargo xtask bench` starts it.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn bench(directory: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_steps"));
    command.env_remove("CHAINRULE_DATA").env_remove("OPENBLAS_CORETYPE").current_dir(directory);
    command.args(["--quick", "--rounds", "1"]).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn writes_figures_and_a_chart() {
    let directory = tempfile::tempdir().unwrap();
    let output =
        bench(directory.path(), &["--workload", "tiny", "--threads", "1", "--json", "out/figures.json"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let figures: Value =
        serde_json::from_slice(&fs::read(directory.path().join("out/figures.json")).unwrap()).unwrap();
    let [figure] = &figures.as_array().unwrap()[..] else { panic!("one workload on one thread: {figures}") };
    assert_eq!((&figure["workload"], &figure["threads"]), (&"tiny".into(), &1.into()));
    for key in ["ours_us", "baseline_us", "ratio", "gflops", "peak_share", "peak_bytes", "estimated_bytes"] {
        assert!(figure[key].as_f64().unwrap() > 0.0, "{key}");
    }
    assert_eq!(figure["allocations"], 0.0);
    // Parameters of 4-32-16-4, two slots of state and one gradient, 4 bytes each.
    let minimum = 4 * 4 * (4 * 32 + 32 + 32 * 16 + 16 + 16 * 4 + 4);
    assert!(figure["peak_bytes"].as_u64().unwrap() >= minimum);
    for section in ["gather", "forward", "loss", "backward", "reduce", "optimizer"] {
        assert!(figure["breakdown"][section].is_number(), "{section}");
    }
    let chart = fs::read_to_string(directory.path().join("out/figures.svg")).unwrap();
    assert!(chart.starts_with("<svg") && chart.contains("tiny, 1 thread"));
    let output = bench(directory.path(), &["--workload", "mpl32"]);
    assert!(text(&output.stderr).contains("there is no workload `mpl32`; there are mlp32,"));
}

/// Products by an old kernel are no baseline.
#[cfg(all(target_arch = "x86_64", target_os = "linux", feature = "openblas"))]
#[test]
fn an_old_kernel_is_replaced() {
    if !std::arch::is_x86_feature_detected!("avx2") {
        return; // On a CPU that old the kernel is the right one.
    }
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_steps"));
    command.current_dir(directory.path()).env("OPENBLAS_CORETYPE", "PRESCOTT");
    command.args(["--quick", "--rounds", "1", "--workload", "tiny", "--json", "figures.json"]);
    let output = command.output().unwrap();
    let said = text(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("restarting with the best one") && !said.contains("warning: OpenBLAS"), "{said}");
    let figures: Value =
        serde_json::from_slice(&fs::read(directory.path().join("figures.json")).unwrap()).unwrap();
    assert_eq!(figures[0]["baseline_valid"], true);
    assert!(!figures[0]["blas"].as_str().unwrap().contains("Prescott"), "{figures}");
}

#[test]
fn the_help_that_xtask_shows_is_up_to_date() {
    let output = Command::new(env!("CARGO_BIN_EXE_steps")).arg("--help").output().unwrap();
    assert!(output.status.success());
    // Without the spaces that clap leaves at the ends of lines, which editors remove.
    let printed: String = text(&output.stdout).lines().map(|line| format!("{}\n", line.trim_end())).collect();
    let kept = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/steps/help.txt")).unwrap();
    assert!(
        printed == kept,
        "steps/help.txt is out of date. Update it from the workspace's root: cargo run -p chainrule-benches --bin \
         steps -- --help | sed 's/ *$//' > benches/steps/help.txt\n{printed}"
    );
}
