//! The help texts that `cargo xtask` shows without building the program.

mod start;

use std::fs;

use start::chainrule;

/// Asserts that a file in `help/` is what the program prints.
fn check(command: &str) {
    let output = chainrule().args([command, "--help"]).output().unwrap();
    assert!(output.status.success());
    // Without the spaces that clap leaves at the ends of lines, which editors remove.
    let printed = String::from_utf8(output.stdout).unwrap();
    let printed: String = printed.lines().map(|line| format!("{}\n", line.trim_end())).collect();
    let file = format!("{}/help/{command}.txt", env!("CARGO_MANIFEST_DIR"));
    let kept = fs::read_to_string(&file).unwrap();
    assert!(
        printed == kept,
        "help/{command}.txt is out of date. Update it from the workspace's root: cargo run -p chainrule-cli --bin \
         chainrule -- {command} --help | sed 's/ *$//' > crates/cli/help/{command}.txt\n{printed}"
    );
}

#[test]
fn of_train_mnist_is_up_to_date() {
    check("train-mnist");
}

#[test]
fn of_doctor_is_up_to_date() {
    check("doctor");
}
