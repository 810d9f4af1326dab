//! Links the system's OpenBLAS, and explains its absence.
//!
//! A missing library does not stop the build: `cargo check`, `cargo doc`, `cargo package` and docs.rs never link. What
//! links fails, and the linker's message then contains the remedy: Cargo shows warnings of build scripts only for
//! crates of the same workspace, but the linker always names the libraries that it cannot find.

use std::env;
use std::path::Path;
use std::process::{Command, Stdio};

/// The remedy in the form that a linker prints: the name of a library that does not exist.
const REMEDY: &str = "openblas_is_not_installed--Debian_and_Ubuntu--apt-get_install_libopenblas-dev--other_systems_\
                      and_builds_without_it--see_the_README_of_chainrule";

const HELP: [&str; 8] = [
    "OpenBLAS is not installed on this system: programs, tests and examples will not link.",
    "  Install it:  cargo xtask setup                 (from a checkout of chainrule)",
    "               apt-get install libopenblas-dev   (Debian, Ubuntu)",
    "               dnf install openblas-devel        (Fedora)",
    "               pacman -S openblas                (Arch)",
    "               brew install openblas             (macOS)",
    "  Or choose another BLAS: default-features = false with one of the features",
    "  openblas-static, intel-mkl, accelerate, netlib, or none of them for our own kernels.",
];

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=OPENBLAS_LIB_DIR");
    if env::var_os("CARGO_FEATURE_OPENBLAS").is_none() || env::var_os("DOCS_RS").is_some() {
        return;
    }
    let same_machine = env::var("HOST") == env::var("TARGET");
    let directories = if same_machine { search_paths() } else { given().into_iter().collect() };
    for directory in &directories {
        println!("cargo:rustc-link-search=native={directory}");
    }
    // There openblas-src finds the library, by Homebrew and vcpkg.
    let target = env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    if target != "macos" && target != "windows" {
        println!("cargo:rustc-link-lib=dylib=openblas");
    }
    // When cross-compiling, the host's compiler would not find the target's library.
    if same_machine && target != "windows" && links(&directories) == Some(false) {
        for line in HELP {
            println!("cargo:warning={line}");
        }
        println!("cargo:rustc-link-lib=dylib={REMEDY}");
        // A file that never exists: Cargo looks again at each build, until the library is there.
        println!("cargo:rerun-if-changed=openblas-is-not-installed");
    }
}

/// The directory that the user names in `OPENBLAS_LIB_DIR`.
fn given() -> Option<String> {
    env::var("OPENBLAS_LIB_DIR").ok().filter(|directory| !directory.is_empty())
}

/// Where OpenBLAS may be, besides the directories that the linker searches anyway.
fn search_paths() -> Vec<String> {
    let mut paths: Vec<String> = given().into_iter().collect();
    let flags = printed_by("pkg-config", &["--libs-only-L", "openblas"]).unwrap_or_default();
    paths.extend(flags.split_whitespace().filter_map(|flag| flag.strip_prefix("-L")).map(str::to_owned));
    if let Some(prefix) = printed_by("brew", &["--prefix", "openblas"]) {
        paths.push(format!("{}/lib", prefix.trim()));
    }
    paths
}

/// Whether a program links with `-lopenblas`; `None` if that cannot be tried.
fn links(directories: &[String]) -> Option<bool> {
    let out = Path::new(&env::var_os("OUT_DIR")?).join("probe");
    let mut cc = Command::new(env::var_os("CC").unwrap_or_else(|| "cc".into()));
    cc.args(["-shared", "-x", "c", "/dev/null", "-o"]).arg(out);
    cc.args(directories.iter().chain(&given_to_rustc()).map(|directory| format!("-L{directory}")));
    cc.arg("-lopenblas").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Some(cc.status().ok()?.success())
}

/// The directories that the user has given to rustc, as `-L PATH` or `-Lnative=PATH`.
fn given_to_rustc() -> Vec<String> {
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let mut flags = flags.split('\x1f');
    let mut paths = Vec::new();
    while let Some(flag) = flags.next() {
        let path = match flag.strip_prefix("-L") {
            Some("") => flags.next(),
            other => other,
        };
        if let Some(path) = path {
            let path = ["native=", "all="].iter().find_map(|kind| path.strip_prefix(kind)).unwrap_or(path);
            paths.push(path.to_owned());
        }
    }
    paths
}

/// What a program prints; `None` if it is not there or fails.
fn printed_by(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}
