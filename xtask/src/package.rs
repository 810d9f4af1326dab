//! The step `package`: every published crate can be packed, and what is packed compiles alone.
//!
//! The packages are unpacked into one workspace of their own, where each finds the others as if they came from the registry. It
//! is checked rather than built, crate by crate: what goes wrong here is a file or a dependency that the package lacks, and so
//! the dependencies that clippy has checked before are used again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cargo;
use crate::print;

/// Packs, unpacks and checks.
///
/// # Errors
/// A crate that cannot be packed, or does not compile from its package.
pub(crate) fn run(root: &Path) -> Result<(), String> {
    let manifest = read(&root.join("Cargo.toml"))?;
    let version = setting(&manifest, "version").ok_or("Cargo.toml names no version.")?;
    let (published, unpublished) = crates(root, &manifest)?;
    let packages = root.join("target/packages");
    let unpacked = packages.join("unpacked");
    if unpacked.exists() {
        fs::remove_dir_all(&unpacked).map_err(|error| format!("{}: {error}.", unpacked.display()))?;
    }
    fs::create_dir_all(&unpacked).map_err(|error| format!("{}: {error}.", unpacked.display()))?;

    let mut pack = cargo();
    pack.args(["package", "--workspace", "--no-verify", "--allow-dirty", "--quiet"]);
    for name in &unpublished {
        pack.args(["--exclude", name]);
    }
    execute(pack.env("CARGO_TARGET_DIR", &packages))?;

    for name in &published {
        let file = packages.join(format!("package/{name}-{version}.crate"));
        // With the time of now: in packages all files are from one day, and cargo would take them for those that it has compiled before.
        execute(Command::new("tar").arg("-xzmf").arg(file).arg("-C").arg(&unpacked))?;
    }
    write(&unpacked.join("Cargo.toml"), &workspace(&manifest, &published, version))?;
    write(&unpacked.join("Cargo.lock"), &read(&root.join("Cargo.lock"))?)?;
    for name in &published {
        let mut check = cargo();
        check.args(["check", "--quiet", "-p", name]).current_dir(&unpacked);
        execute(check.env("CARGO_TARGET_DIR", root.join("target")))?;
    }
    Ok(())
}

/// The names of the workspace's packages that are published, and of those that are not.
fn crates(root: &Path, manifest: &str) -> Result<(Vec<String>, Vec<String>), String> {
    let mut published = Vec::new();
    let mut unpublished = Vec::new();
    for folder in members(root, manifest)? {
        let text = read(&folder.join("Cargo.toml"))?;
        let name = setting(&text, "name").ok_or_else(|| format!("{}: no name.", folder.display()))?;
        let names =
            if setting(&text, "publish") == Some("false") { &mut unpublished } else { &mut published };
        names.push(name.to_owned());
    }
    published.sort();
    unpublished.sort();
    Ok((published, unpublished))
}

/// The folders of the workspace's packages: those that the line `members` names, and for `FOLDER/*` those in that folder that
/// have a manifest.
fn members(root: &Path, manifest: &str) -> Result<Vec<PathBuf>, String> {
    let patterns = setting(manifest, "members").ok_or("Cargo.toml names no members.")?;
    let mut folders = Vec::new();
    for pattern in
        patterns.trim_matches(['[', ']']).split(',').map(|pattern| pattern.trim().trim_matches('"'))
    {
        let Some(parent) = pattern.strip_suffix("/*") else {
            folders.push(root.join(pattern));
            continue;
        };
        let parent = root.join(parent);
        let entries = fs::read_dir(&parent).map_err(|error| format!("{}: {error}.", parent.display()))?;
        let found = entries.flatten().map(|entry| entry.path());
        folders.extend(found.filter(|folder| folder.join("Cargo.toml").exists()));
    }
    Ok(folders)
}

/// The value of the first line `key = value` of a manifest, without quotes.
fn setting<'a>(manifest: &'a str, key: &str) -> Option<&'a str> {
    manifest.lines().find_map(|line| {
        let value = line.strip_prefix(key)?.trim_start().strip_prefix('=')?;
        Some(value.trim().trim_matches('"'))
    })
}

/// The manifest of a workspace of these packages, which takes them from its own folders and has the profiles of `manifest`, so
/// that the same dependencies are the same files.
fn workspace(manifest: &str, names: &[String], version: &str) -> String {
    let members: Vec<String> = names.iter().map(|name| format!("\"{name}-{version}\"")).collect();
    let patches: Vec<String> =
        names.iter().map(|name| format!("{name} = {{ path = \"{name}-{version}\" }}")).collect();
    let profiles = manifest.find("[profile.").map_or("", |start| &manifest[start..]);
    format!(
        "[workspace]\nresolver = \"3\"\nmembers = [{}]\n\n[patch.crates-io]\n{}\n\n{profiles}",
        members.join(", "),
        patches.join("\n")
    )
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}.", path.display()))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("{}: {error}.", path.display()))
}

/// Runs a command and shows it, each path by its last name.
fn execute(command: &mut Command) -> Result<(), String> {
    let words = [command.get_program()].into_iter().chain(command.get_args());
    let names = words.map(|word| Path::new(word).file_name().unwrap_or(word).to_string_lossy());
    let shown = names.collect::<Vec<_>>().join(" ");
    print::out(format_args!("    {shown}"));
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{shown}` failed ({status}).")),
        Err(error) => Err(format!("`{shown}` could not be started: {error}.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_from_manifests() {
        let manifest = "[package]\nname = \"one\"\nversion.workspace = true\npublish = false\n";
        assert_eq!(setting(manifest, "name"), Some("one"));
        assert_eq!(setting(manifest, "publish"), Some("false"));
        assert_eq!(setting(manifest, "readme"), None);
    }

    #[test]
    fn the_packages_find_each_other() {
        let manifest = "[workspace]\n\n[profile.release]\ndebug = 1\n";
        let text = workspace(manifest, &["a".into(), "b".into()], "1.0.0");
        assert!(text.contains("members = [\"a-1.0.0\", \"b-1.0.0\"]"), "{text}");
        assert!(text.contains("b = { path = \"b-1.0.0\" }"), "{text}");
        assert!(text.ends_with("[profile.release]\ndebug = 1\n"), "{text}");
    }
}
