//! The program as a user runs it.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chainrule"));
    command.env_remove("CHAINRULE_DATA");
    command
}

fn train(directory: &Path, arguments: &[&str]) -> Output {
    let mut command = program();
    command.current_dir(directory).args(["train-mnist", "--epochs", "1"]).args(arguments);
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn trains_on_the_bundled_digits() {
    let directory = tempfile::tempdir().unwrap();
    let report = |threads: &str| -> Value {
        let arguments =
            ["--dataset", "digits", "--json", "report.json", "--threads", threads, "--hidden", "16,16"];
        let output = train(directory.path(), &arguments);
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert!(text(&output.stdout).contains("NOT MNIST"));
        let said = text(&output.stderr);
        assert!(said.contains("NOT MNIST"));
        let line = said.lines().find(|line| line.contains("1 thread a product")).unwrap_or_default();
        assert!(line.contains(" GFLOP/s; training on "), "{said}");
        assert!(line.contains(&format!(" of {threads} threads, ")), "{said}");
        assert!(
            !cfg!(feature = "openblas") || line.contains("OpenBLAS ") && line.contains("kernel"),
            "{line}"
        );
        assert_eq!(said.contains("debug build"), cfg!(debug_assertions), "{said}");
        serde_json::from_slice(&fs::read(directory.path().join("report.json")).unwrap()).unwrap()
    };
    let (one, two) = (report("1"), report("2"));
    assert!(one["test_accuracy"].as_f64().unwrap() > 0.8, "{one}");
    assert_eq!(one["params_sha256"], two["params_sha256"]);
    assert_eq!(one["dataset"], "digits");
    assert_eq!(one["samples"], 60_000);
    assert_eq!(one["parameters"], 784 * 16 + 16 + 16 * 16 + 16 + 16 * 10 + 10);
    assert_eq!(one["epochs"].as_array().unwrap().len(), 1);
    let confusion = one["confusion"].as_array().unwrap();
    let total: u64 = confusion.iter().flat_map(|row| row.as_array().unwrap()).filter_map(Value::as_u64).sum();
    assert_eq!(total, 10_000);
    for key in ["test_loss", "train_seconds", "seed", "threads", "shards", "blas"] {
        assert!(!one[key].is_null(), "{key}");
    }
    assert!(directory.path().join("mnist.chainrule").is_file());
}

#[test]
fn mistakes_are_one_clear_error() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("train-images-idx3-ubyte"), "no idx").unwrap();
    for name in ["train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"] {
        fs::write(directory.path().join(name), "").unwrap();
    }
    let cases: [(&[&str], &str); 9] = [
        (&["--optimizer", "adm"], "a similar value exists: 'adam'"),
        (&["--loss", "crossentropy"], "cross-entropy"),
        (&["--dataset", "digits", "--batch-size", "0"], "batch size is 0"),
        (&["--dataset", "digits", "--lr", "NaN"], "learning rate"),
        (&["--dataset", "digits", "--lr", "-1"], "learning rate"),
        (&["--dataset", "digits", "--threads", "0"], "threads is 0"),
        (&["--dataset", "digits", "--hidden", "0"], "at least one"),
        (&["--data-dir", "nowhere"], "--data-dir"),
        (&["--data-dir", "."], "train-images-idx3-ubyte"),
    ];
    for (arguments, expected) in cases {
        let output = train(directory.path(), arguments);
        assert!(!output.status.success(), "{arguments:?}");
        let message = text(&output.stderr);
        assert!(message.contains(expected), "{arguments:?}: {message}");
        assert!(!message.contains("panicked"), "{arguments:?}: {message}");
        assert!(!directory.path().join("mnist.chainrule").exists(), "{arguments:?}");
    }
}

#[test]
fn bench_writes_figures_and_a_drawing() {
    let directory = tempfile::tempdir().unwrap();
    let bench = |arguments: &[&str]| {
        let mut command = program();
        command.current_dir(directory.path()).args(["bench", "--quick", "--rounds", "1"]).args(arguments);
        command.output().unwrap()
    };
    let output = bench(&["--work", "tiny", "--threads", "1", "--json", "out/figures.json"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let figures: Value =
        serde_json::from_slice(&fs::read(directory.path().join("out/figures.json")).unwrap()).unwrap();
    let [figure] = &figures.as_array().unwrap()[..] else { panic!("one work and one number of threads") };
    assert_eq!((&figure["work"], &figure["threads"]), (&"tiny".into(), &1.into()));
    for key in ["ours_us", "floor_us", "ratio", "gflops", "peak_share", "peak_bytes", "foretold_bytes"] {
        assert!(figure[key].as_f64().unwrap() > 0.0, "{key}");
    }
    assert_eq!(figure["allocations"], 0.0);
    // Parameters of 4-32-16-4, two slots of state and one gradient, 4 bytes each.
    let least = 4 * 4 * (4 * 32 + 32 + 32 * 16 + 16 + 16 * 4 + 4);
    assert!(figure["peak_bytes"].as_u64().unwrap() >= least);
    for part in ["gather", "forward", "loss", "backward", "reduce", "optimizer"] {
        assert!(figure["parts"][part].is_number(), "{part}");
    }
    let drawing = fs::read_to_string(directory.path().join("out/figures.svg")).unwrap();
    assert!(drawing.starts_with("<svg") && drawing.contains("tiny, 1 thread"));
    let output = bench(&["--work", "mpl32"]);
    assert!(text(&output.stderr).contains("there is no work `mpl32`; there are mlp32,"));
}

#[cfg(all(target_arch = "x86_64", target_os = "linux", feature = "openblas"))]
#[test]
fn an_old_kernel_is_repaired_or_warned_about() {
    let doctor = |kernel: Option<&str>| {
        let mut command = program();
        command.arg("doctor").env_remove("OPENBLAS_CORETYPE");
        kernel.map(|kernel| command.env("OPENBLAS_CORETYPE", kernel));
        let output = command.output().unwrap();
        assert!(output.status.success());
        (text(&output.stdout), text(&output.stderr))
    };
    let (report, warning) = doctor(Some("PRESCOTT"));
    if report.contains("instructions  Baseline") {
        return; // On a CPU that old the kernel is the right one.
    }
    assert!(warning.contains("Prescott") && warning.contains("unset"), "{warning}");
    assert!(report.contains("kernel        OLD"), "{report}");
    assert!(report.contains("OPENBLAS_CORETYPE=PRESCOTT asks for it: unset that variable"), "{report}");
    let (report, _) = doctor(None);
    assert!(report.contains("fits the CPU"), "{report}");
    assert!(report.starts_with("```text\n"), "a block of Markdown: {report}");

    // A training does as it is told, and warns.
    let directory = tempfile::tempdir().unwrap();
    let told = |arguments: &[&str]| {
        let mut command = program();
        command.current_dir(directory.path()).env("OPENBLAS_CORETYPE", "PRESCOTT").args(arguments);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stderr)
    };
    let said = told(&["train-mnist", "--dataset", "digits", "--epochs", "1", "--hidden", "4"]);
    assert!(said.contains("warning: OpenBLAS runs its kernel Prescott"), "{said}");

    // Products by an old kernel are no floor.
    let said = told(&["bench", "--quick", "--rounds", "1", "--work", "tiny", "--json", "figures.json"]);
    assert!(
        said.contains("starting again with the best one") && !said.contains("warning: OpenBLAS"),
        "{said}"
    );
    let figures: Value =
        serde_json::from_slice(&fs::read(directory.path().join("figures.json")).unwrap()).unwrap();
    assert_eq!(figures[0]["floor_holds"], true);
    assert!(!figures[0]["blas"].as_str().unwrap().contains("Prescott"), "{figures}");
}
