//! What is likely wrong with data that can be trained on.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use chainrule::tensor::ClassTarget;

use super::{DataParts, LoadedData, LoadedSamples, SharedSamples};
use crate::configuration::Configuration;
use crate::data_section::DataSource;
use crate::split_section::HeldOut;

/// At most so many values are read of a part to see which classes it has.
const READ: usize = 1 << 26;

/// The most classes that are named.
const NAMED: usize = 5;

/// What is worth a look.
pub(super) fn notes(configuration: &Configuration, data: &LoadedData) -> Vec<String> {
    let mut notes = same_files(configuration);
    if let (LoadedSamples::Classes(parts), Some(classes)) = (&data.samples, &data.predicts.classes) {
        let DataParts { train, validation, test, .. } = parts;
        let parts = [("training", Some(train)), ("validation", validation.as_ref()), ("test", test.as_ref())];
        let of_parts = parts.iter().filter_map(|(part, samples)| missing_classes(part, (*samples)?, classes));
        notes.extend(of_parts);
    }
    notes
}

/// Parts that are the same files.
fn same_files(configuration: &Configuration) -> Vec<String> {
    let (source, split) = (&configuration.data.source, &configuration.data.split);
    let trained = match source {
        DataSource::Table(table) => &table.path,
        DataSource::Pictures(pictures) => &pictures.path,
        DataSource::Arrays(arrays) => &arrays.path,
        // Their parts are in one directory.
        DataSource::Idx(_) | DataSource::Cifar(_) => return Vec::new(),
    };
    let mut parts = vec![("training", trained)];
    for (part, held_out) in [("validation", &split.validation), ("test", &split.test)] {
        if let HeldOut::Files(path) = held_out {
            parts.push((part, path));
        }
    }
    let pairs = parts
        .iter()
        .enumerate()
        .flat_map(|(index, first)| parts[index + 1..].iter().map(move |second| (first, second)));
    // One that cannot be read was an error before.
    let same = pairs.filter(|((_, a), (_, b))| have_same_content(a, b).unwrap_or(false));
    same.map(|((part, a), (other, b))| {
        format!(
            "the data of the {part} and of the {other} are the same ({} and {}): a score on them says nothing about others",
            a.display(),
            b.display()
        )
    })
    .collect()
}

/// Whether two files have the same bytes, or two paths lead to the same directory.
fn have_same_content(a: &Path, b: &Path) -> io::Result<bool> {
    if fs::canonicalize(a)? == fs::canonicalize(b)? {
        return Ok(true);
    }
    let (of_a, of_b) = (fs::metadata(a)?, fs::metadata(b)?);
    if !of_a.is_file() || !of_b.is_file() || of_a.len() != of_b.len() {
        return Ok(false);
    }
    let (mut a, mut b) = (BufReader::new(File::open(a)?), BufReader::new(File::open(b)?));
    loop {
        let (of_a, of_b) = (a.fill_buf()?, b.fill_buf()?);
        let len = of_a.len().min(of_b.len());
        if len == 0 {
            return Ok(of_a.len() == of_b.len());
        }
        if of_a[..len] != of_b[..len] {
            return Ok(false);
        }
        a.consume(len);
        b.consume(len);
    }
}

/// The classes that a part has no sample of, if all of it can be read in little time.
fn missing_classes(
    part: &str,
    samples: &SharedSamples<ClassTarget<f32>>,
    classes: &[String],
) -> Option<String> {
    let size = samples.shape().size();
    let mut is_there = vec![false; classes.len()];
    let mut left = classes.len();
    let mut row = vec![0.0; size];
    let readable = READ / size.max(1);
    for index in 0..samples.len() {
        if left == 0 || index == readable {
            return None;
        }
        let class = samples.read(index, &mut row).class();
        if let Some(is_there) = class.and_then(|class| is_there.get_mut(class)) {
            left -= usize::from(!std::mem::replace(is_there, true));
        }
    }
    let missing = classes.iter().zip(&is_there).filter(|(_, is_there)| !**is_there);
    let named: Vec<String> = missing.take(NAMED).map(|(class, _)| format!("{class:?}")).collect();
    let more = if left > named.len() { format!(" and {} others", left - named.len()) } else { String::new() };
    (left > 0).then(|| {
        let named = named.join(", ");
        format!("the data of the {part} have no sample of {named}{more}: their scores say nothing about it; try split = \"stratified\", or more samples")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_with_the_same_bytes() {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str, bytes: &[u8]| {
            let path = directory.path().join(name);
            fs::write(&path, bytes).unwrap();
            path
        };
        let long = vec![7; 100_000];
        let mut other = long.clone();
        other[99_999] = 8;
        let [a, b, c, d] = [("a", &long[..]), ("b", &long), ("c", &other), ("d", b"")]
            .map(|(name, bytes)| file(name, bytes));
        let same = |a: &Path, b: &Path| have_same_content(a, b).unwrap();
        assert!(same(&a, &b) && same(&a, &a) && same(&d, &file("e", b"")));
        assert!(!same(&a, &c) && !same(&a, &d) && !same(&a, directory.path()));
        assert!(same(directory.path(), &directory.path().join(".")));
        assert!(have_same_content(&a, Path::new("nowhere")).is_err());
    }
}
