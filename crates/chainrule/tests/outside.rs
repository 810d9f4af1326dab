//! The published surface, as crates outside of the workspace see it: they are built and tested here.

use std::path::Path;
use std::process::Command;

fn test(name: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/outside").join(name);
    // Two levels below the workspace's target folder, and shared, so that dependencies are built once.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("outside");
    let output = Command::new(env!("CARGO"))
        .args(["test", "--quiet", "--manifest-path"])
        .arg(folder.join("Cargo.toml"))
        .env("CARGO_TARGET_DIR", target)
        .output()
        .unwrap();
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
}

#[test]
fn a_layer_needs_two_crates() {
    test("layer");
    let source = include_str!("outside/layer/src/lib.rs");
    assert!(source.lines().count() < 40);
}

#[test]
fn an_optimizer_needs_one_crate() {
    test("optim");
}
