//! Gathers the manifests of the `datasets` folder, so that adding a data set is adding a file there.
//!
//! The folder stands at the top of the repository, where people look for it. `datasets` in this crate is a link to it,
//! which `cargo package` replaces with the files, so the published crate is complete; where a checkout has no links,
//! as on Windows by default, the folder itself is read.

use std::path::PathBuf;
use std::{env, fs};

fn main() -> std::io::Result<()> {
    let package = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let folder = ["datasets", "../../datasets"].map(|folder| package.join(folder));
    let folder = folder.iter().find(|folder| folder.is_dir()).unwrap_or(&folder[0]);
    println!("cargo:rerun-if-changed={}", folder.display());
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    let entry = |file: &PathBuf| {
        let name = file.file_name().unwrap_or_default();
        format!("({name:?}, include_str!({file:?})),\n")
    };
    let list = files.iter().map(entry).collect::<String>();
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("manifests.rs");
    fs::write(out, format!("&[\n{list}]"))
}
