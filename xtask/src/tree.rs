//! The step `tree`: the crates that each feature of the facade builds stay within limits.
//!
//! A first build is what a user waits for, so a dependency that comes in unnoticed fails the step. Counted is what is
//! compiled on Linux: dependencies, procedural macros and what build scripts need.

use std::collections::BTreeSet;

use crate::cargo;
use crate::print;

/// What a choice of features may bring.
struct Limit {
    /// `None` for the default features.
    features: Option<&'static str>,
    crates: usize,
    /// Whether it may build a client for HTTPS.
    network: bool,
}

const LIMITS: [Limit; 16] = [
    Limit { features: None, crates: 82, network: false },
    Limit { features: Some(""), crates: 60, network: false },
    Limit { features: Some("openblas"), crates: 82, network: false },
    Limit { features: Some("accelerate"), crates: 65, network: false },
    Limit { features: Some("netlib"), crates: 82, network: false },
    Limit { features: Some("pictures"), crates: 66, network: false },
    Limit { features: Some("tables"), crates: 55, network: false },
    Limit { features: Some("tables,lapack"), crates: 70, network: false },
    Limit { features: Some("safetensors"), crates: 76, network: false },
    Limit { features: Some("npz"), crates: 70, network: false },
    Limit { features: Some("pytorch"), crates: 70, network: false },
    Limit { features: Some("keras"), crates: 64, network: false },
    Limit { features: Some("onnx"), crates: 64, network: false },
    Limit { features: Some("download"), crates: 93, network: true },
    // Their build scripts download a library.
    Limit { features: Some("openblas-static"), crates: 110, network: true },
    Limit { features: Some("intel-mkl"), crates: 180, network: true },
];

/// The crates of an HTTPS client.
const NETWORK: [&str; 3] = ["ureq", "rustls", "ring"];

/// Counts the crates of each choice and prints a line for it.
///
/// # Errors
/// The choices that bring more than their limit, or a network client where none is allowed.
pub(crate) fn run() -> Result<(), String> {
    let mut failures = Vec::new();
    for limit in LIMITS {
        let crates = listed(limit.features)?;
        let network =
            NETWORK.iter().any(|name| crates.iter().any(|line| line.starts_with(&format!("{name} "))));
        print::out(format_args!(
            "    {:24} {:4} crates, at most {}{}",
            limit.name(),
            crates.len(),
            limit.crates,
            if network { ", with an HTTPS client" } else { "" }
        ));
        failures.extend(limit.failure(&crates, network));
    }
    if failures.is_empty() { Ok(()) } else { Err(failures.join("\n")) }
}

impl Limit {
    fn name(&self) -> String {
        match self.features {
            None => "default features".into(),
            Some("") => "no feature".into(),
            Some(features) => features.into(),
        }
    }

    fn failure(&self, crates: &BTreeSet<String>, network: bool) -> Option<String> {
        let name = self.name();
        if network && !self.network {
            let clients = NETWORK.join(", ");
            return Some(format!("{name}: builds an HTTPS client (one of {clients}), which it must not."));
        }
        (crates.len() > self.crates)
            .then(|| format!("{name}: builds {} crates, more than {}.", crates.len(), self.crates))
    }
}

/// The crates with their versions, as `cargo tree` lists them.
fn listed(features: Option<&str>) -> Result<BTreeSet<String>, String> {
    let mut cargo = cargo();
    cargo.args(["tree", "-p", "chainrule", "-e", "normal,build", "--prefix", "none", "--no-dedupe"]);
    cargo.args(["--target", "x86_64-unknown-linux-gnu", "--format", "{p}"]);
    if let Some(features) = features {
        cargo.args(["--no-default-features", "--features", features]);
    }
    let output = cargo.output().map_err(|error| format!("cargo could not be started: {error}."))?;
    if !output.status.success() {
        return Err(format!("`cargo tree` failed:\n{}", String::from_utf8_lossy(&output.stderr)));
    }
    Ok(names(&String::from_utf8_lossy(&output.stdout)))
}

/// Name and version of each line, without the path or the remark after them.
fn names(text: &str) -> BTreeSet<String> {
    let crates = text.lines().map(|line| line.split(" (").next().unwrap_or(line).trim());
    crates.filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: &str = "chainrule v0.1.0 (/checkout/crates/chainrule)\nserde v1.0.1\nserde_derive v1.0.1 (proc-macro)\n\
                        serde v1.0.1\n\nring v0.17.0\n";

    #[test]
    fn a_crate_counts_once() {
        let names: Vec<String> = names(TREE).into_iter().collect();
        assert_eq!(names, ["chainrule v0.1.0", "ring v0.17.0", "serde v1.0.1", "serde_derive v1.0.1"]);
    }

    #[test]
    fn too_many_crates_or_a_network_client_fail() {
        let crates = names(TREE);
        let limit = |crates, network| Limit { features: Some("blas"), crates, network };
        assert_eq!(limit(4, true).failure(&crates, true), None);
        assert!(limit(3, true).failure(&crates, true).unwrap().contains("builds 4 crates, more than 3"));
        assert!(limit(4, false).failure(&crates, true).unwrap().contains("HTTPS client"));
        assert_eq!(limit(4, false).failure(&crates, false), None);
    }
}
