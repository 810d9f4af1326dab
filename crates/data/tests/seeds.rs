//! The inputs that fuzzing starts from, among them every one that has failed: what can be read is written and read again,
//! and nothing panics. The targets in `fuzz/` try many more.

use std::fs;
use std::path::{Path, PathBuf};

use chainrule_data::csv::{Column, Csv};
use chainrule_data::idx;

/// The seeds of a target; none in a package of this crate, which does not contain them.
fn seeds(target: &str) -> Vec<PathBuf> {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
    if !fuzz.is_dir() {
        return Vec::new();
    }
    let entries = fs::read_dir(fuzz.join("seeds").join(target)).unwrap();
    let seeds: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    assert!(!seeds.is_empty(), "{target} has no seeds");
    seeds
}

#[test]
fn idx_files() {
    let directory = tempfile::tempdir().unwrap();
    let [copy, images, labels] = ["copy", "images", "labels"].map(|name| directory.path().join(name));
    for seed in seeds("idx") {
        if let Ok(read) = idx::read(&seed) {
            idx::write(&copy, &read).unwrap();
            assert_eq!(idx::read(&copy).unwrap(), read, "{}", seed.display());
        }
        let bytes = fs::read(&seed).unwrap();
        let (first, second) = bytes.split_at(bytes.len() / 2);
        fs::write(&images, first).unwrap();
        fs::write(&labels, second).unwrap();
        let _ = idx::read_images(&images, &labels, 10);
    }
}

#[test]
fn csv_files() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("table.csv");
    for seed in seeds("csv") {
        let bytes = fs::read(&seed).unwrap();
        let Some((&choice, text)) = bytes.split_first() else { continue };
        fs::write(&path, text).unwrap();
        // As in the target: the first byte chooses the delimiter and whether there is a header.
        let mut csv = Csv::new(&path).delimiter(b",;\t "[usize::from(choice) % 4]);
        if choice & 4 != 0 {
            csv = csv.without_header();
        }
        csv = match choice >> 3 & 3 {
            0 => csv.target(Column::Index(1)),
            1 => csv.target(Column::Name("t".into())),
            _ => csv,
        };
        if let Ok(rows) = csv.numbers::<f32>() {
            assert!(rows.samples().iter().all(|value| value.is_finite()), "{}", seed.display());
            assert_eq!(csv.numbers::<f64>().unwrap().targets().len(), rows.targets().len());
        }
        if let Ok((rows, names)) = csv.classes::<f64>() {
            assert_eq!(csv.known_classes::<f64>(&names).unwrap().targets(), rows.targets());
        }
        let _ = csv.numbered_classes::<f32>(10);
        let _ = csv.vectors::<f32>(&[Column::Index(0), Column::Last]);
    }
}

#[cfg(feature = "download")]
#[test]
fn manifests() {
    use std::path::Component;
    for seed in seeds("manifest") {
        let text = fs::read_to_string(&seed).unwrap();
        let Ok(manifest) = chainrule_data::Manifest::parse(&text) else { continue };
        for file in &manifest.files {
            let parts: Vec<_> = Path::new(&file.name).components().collect();
            assert!(matches!(parts[..], [Component::Normal(_)]), "{}", file.name);
        }
    }
}
