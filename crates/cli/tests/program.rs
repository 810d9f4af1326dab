//! The program as a user runs it.

mod start;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use start::chainrule;

fn program() -> Command {
    let mut command = chainrule();
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
        let mut arguments = vec!["--dataset", "digits", "--json", "report.json", "--threads", threads];
        arguments.extend(["--hidden", "16,16", "--report", "page.html"]);
        // The audit changes no bit.
        arguments.extend((threads == "2").then_some("--no-audit"));
        let output = train(directory.path(), &arguments);
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert!(text(&output.stdout).contains("NOT MNIST"));
        let said = text(&output.stderr);
        assert!(said.contains("NOT MNIST"));
        let line = said.lines().find(|line| line.contains("1 thread per product")).unwrap_or_default();
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
    assert!(one["scores"]["test"]["metrics"]["accuracy"].as_f64().unwrap() > 0.8, "{one}");
    assert_eq!(one["params_sha256"], two["params_sha256"]);
    assert_eq!(one["dataset"], "digits");
    assert_eq!(one["samples"], 60_000);
    assert_eq!(one["parameters"], 784 * 16 + 16 + 16 * 16 + 16 + 16 * 10 + 10);
    assert_eq!(one["epochs"].as_array().unwrap().len(), 1);
    let confusion = one["scores"]["test"]["confusion"].as_array().unwrap();
    let total: u64 = confusion.iter().flat_map(|row| row.as_array().unwrap()).filter_map(Value::as_u64).sum();
    assert_eq!(total, 10_000);
    for key in ["scores", "predicts", "layers", "train_seconds", "seed", "threads", "shards", "blas"] {
        assert!(!one[key].is_null(), "{key}");
    }
    assert!(directory.path().join("mnist.chainrule").is_file());
    let page = fs::read_to_string(directory.path().join("page.html")).unwrap();
    for section in ["curves", "confusion", "scores", "mistakes", "weights", "norms", "layers", "settings"] {
        assert!(page.contains(&format!("<section id=\"{section}\">")), "{section}");
    }
    assert!(page.contains(one["params_sha256"].as_str().unwrap()));
    assert!(!page.contains("class=\"warnings\""), "a sound training has no finding");

    let output = program()
        .current_dir(directory.path())
        .args(["report", "report.json", "-o", "of-json.html"])
        .output();
    assert!(output.unwrap().status.success());
    let page = fs::read_to_string(directory.path().join("of-json.html")).unwrap();
    assert!(page.contains("<section id=\"confusion\">") && !page.contains("<section id=\"mistakes\">"));
    let output =
        program().current_dir(directory.path()).args(["report", "mnist.chainrule"]).output().unwrap();
    assert!(
        !output.status.success() && text(&output.stderr).contains("mnist.chainrule"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn mistakes_are_one_clear_error() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("train-images-idx3-ubyte"), "no idx").unwrap();
    for name in ["train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"] {
        fs::write(directory.path().join(name), "").unwrap();
    }
    let cases: [(&[&str], &str); 16] = [
        (&["--optimizer", "adm"], "there is no optimizer named `adm`; the nearest name is `adam`"),
        (&["--optimizer", "sgd:momentm=0.9"], "sgd has no setting named `momentm`"),
        (&["--optimizer", "sgd(momentum=1.5)"], "sgd.momentum is 1.5, but must be at least 0 and below 1"),
        (&["--schedule", "cosin"], "there is no schedule named `cosin`; the nearest name is `cosine`"),
        (&["--metric", "acuracy"], "there is no metric named `acuracy`; the nearest name is `accuracy`"),
        (
            &["--dataset", "digits", "--optimizer", "sgd(lr=cosine)", "--lr", "0.1"],
            "the learning rate of sgd(lr=cosine) is cosine already",
        ),
        (&["--loss", "crosentropy"], "the nearest name is `cross_entropy`"),
        (&["--dataset", "digits", "--batch-size", "0"], "batch size is 0"),
        (&["--dataset", "digits", "--lr", "NaN"], "'--lr <LR>': the learning rate must be"),
        (&["--dataset", "digits", "--lr", "-1"], "'--lr <LR>': the learning rate must be"),
        (&["--dataset", "digits", "--lr", "1e39"], "'--lr <LR>': the learning rate must be"),
        (&["--dataset", "digits", "--lr", "fast"], "'--lr <LR>': the learning rate must be a number"),
        (&["--dataset", "digits", "--threads", "0"], "threads is 0"),
        (&["--dataset", "digits", "--hidden", "0"], "a number of units of at least 1"),
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
    if report.contains("instructions  baseline") {
        return; // On a CPU that old the kernel is the right one.
    }
    assert!(warning.contains("Prescott") && warning.contains("unset"), "{warning}");
    assert!(report.contains("kernel        OLD"), "{report}");
    assert!(report.contains("OPENBLAS_CORETYPE=PRESCOTT selects it: unset that variable"), "{report}");
    let (report, _) = doctor(None);
    assert!(report.contains("fits the CPU"), "{report}");
    assert!(report.starts_with("```text\n"), "a block of Markdown: {report}");

    // A training does as it is told, and warns.
    let directory = tempfile::tempdir().unwrap();
    let mut command = program();
    command.current_dir(directory.path()).env("OPENBLAS_CORETYPE", "PRESCOTT");
    command.args(["train-mnist", "--dataset", "digits", "--epochs", "1", "--hidden", "4"]);
    let output = command.output().unwrap();
    let said = text(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("warning: OpenBLAS uses its kernel Prescott"), "{said}");
}

#[test]
fn instructions_that_do_not_exist_are_refused() {
    let output = program().arg("doctor").env("CHAINRULE_ISA", "sse9").output().unwrap();
    assert!(!output.status.success());
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("CHAINRULE_ISA=sse9") && error.contains("baseline, avx2, avx512"), "{error}");
}
