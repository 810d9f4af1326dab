//! Looks for the system's OpenBLAS before anything is compiled, so that its absence is not left to the linker.

use std::env;
use std::process::{Command, Stdio};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=OPENBLAS_LIB_DIR");
    let system = env::var_os("CARGO_FEATURE_OPENBLAS").is_some();
    let same_machine = env::var("HOST") == env::var("TARGET");
    // On Windows vcpkg finds the library, and when cross-compiling the host's linker would not.
    if system && same_machine && cfg!(unix) && links() == Some(false) {
        eprintln!("error: OpenBLAS is not installed on this system.");
        eprintln!("  Install it:  cargo xtask setup          (from a checkout of chainrule)");
        eprintln!("               apt-get install libopenblas-dev   (Debian, Ubuntu)");
        eprintln!("               dnf install openblas-devel        (Fedora)");
        eprintln!("               pacman -S openblas                (Arch)");
        eprintln!("               brew install openblas             (macOS)");
        eprintln!("  Or choose another BLAS: default-features = false with one of the features");
        eprintln!("  openblas-static, intel-mkl, accelerate, netlib, or none of them for pure Rust.");
        std::process::exit(1);
    }
}

/// Whether a program links with `-lopenblas`; `None` if that cannot be tried.
fn links() -> Option<bool> {
    let out = std::path::Path::new(&env::var_os("OUT_DIR")?).join("probe");
    let mut cc = Command::new(env::var_os("CC").unwrap_or_else(|| "cc".into()));
    cc.args(["-shared", "-x", "c", "/dev/null", "-o"]).arg(out);
    if let Some(directory) = env::var_os("OPENBLAS_LIB_DIR") {
        cc.arg("-L").arg(directory);
    }
    if let Ok(brew) = Command::new("brew").args(["--prefix", "openblas"]).output()
        && brew.status.success()
    {
        cc.arg(format!("-L{}/lib", String::from_utf8_lossy(&brew.stdout).trim()));
    }
    cc.arg("-lopenblas").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Some(cc.status().ok()?.success())
}
