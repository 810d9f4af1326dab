//! Arrays of NumPy.

use std::path::Path;
use std::sync::Arc;

use chainrule::data::{ClassTargets, Subset};
use chainrule::interop::{ArrayFile, StateDict, Tensor};
use chainrule::tensor::{ClassTarget, Shape};
use ndarray::Array2;

use super::array_samples::{ArrayRows, ArraySamples};
use super::divide::{SplitKeys, divide};
use super::{DataParts, LoadedData, LoadedSamples, SharedSamples};
use crate::array_section::{ArraySection, is_archive};
use crate::configuration::Configuration;
use crate::error::ConfigError;
use crate::split_section::{HeldOut, SplitMethod};
use crate::targets::{MAX_CLASSES, PredictedTargets};

/// An array of samples that is larger is left in its file, if it has one of its own, and read while it is trained on.
const LARGE: u64 = 256 << 20;

/// What the samples of arrays should lead to.
pub(crate) enum ArrayTargets {
    Classes(Vec<u32>),
    Values(Vec<Vec<f32>>),
}

pub(super) fn load(configuration: &Configuration, section: &ArraySection) -> Result<LoadedData, ConfigError> {
    let split = &configuration.data.split;
    let samples = samples(section, &section.path)?;
    let targets = targets(section, &section.path, samples.count())?;
    let keys = match (&split.method.value, &targets) {
        (SplitMethod::Random, _) => SplitKeys::Nothing,
        (SplitMethod::Stratified, ArrayTargets::Classes(classes)) => {
            SplitKeys::Labels(classes.iter().map(|&class| class.into()).collect())
        }
        (method, _) => {
            let problem = match method {
                SplitMethod::Stratified => {
                    "a stratified split needs targets that are classes: choose \"random\""
                }
                _ => "arrays have no columns to divide by: choose \"random\" or \"stratified\"",
            };
            return Err(ConfigError::Contradiction {
                at: split.method.at.clone(),
                problem: problem.to_owned(),
            });
        }
    };
    let divided = divide(samples.count(), &keys, split)?;
    let count = match &targets {
        ArrayTargets::Classes(classes) => classes.iter().max().map_or(0, |&most| most as usize + 1),
        ArrayTargets::Values(_) => 0,
    };
    let other = |held_out: &HeldOut| match held_out {
        HeldOut::Files(path) if !is_archive(path) => {
            let problem = format!(
                "{} holds no targets: give an archive, .npz, or a share such as 0.15",
                path.display()
            );
            Err(ConfigError::Data { path: path.clone(), problem })
        }
        HeldOut::Files(path) => {
            let other = self::samples(section, path)?;
            let targets = self::targets(section, path, other.count())?;
            Ok(Some((other, targets)))
        }
        _ => Ok(None),
    };
    let (validation, test) = (other(&split.validation)?, other(&split.test)?);
    let target = section.target.value.rsplit(['/', '\\']).next().unwrap_or_default();
    let target = target.strip_suffix(".npy").unwrap_or(target).to_owned();
    match targets {
        ArrayTargets::Classes(classes) => {
            if count < 2 {
                let problem = format!("{target:?} has one class: there is nothing to learn");
                return Err(ConfigError::Contradiction { at: section.target.at.clone(), problem });
            }
            let all = Arc::new(ArrayRows::new(samples, classes));
            let part = |indices: Vec<usize>, other: Option<(ArraySamples, ArrayTargets)>| match other {
                Some((samples, ArrayTargets::Classes(classes))) => {
                    Some(Arc::new(ClassTargets::with_classes(ArrayRows::new(samples, classes), count))
                        as SharedSamples<_>)
                }
                _ => (!indices.is_empty()).then(|| super::selected(&all, indices, count)),
            };
            let parts = DataParts {
                validation: part(divided.validation, validation),
                test: part(divided.test, test),
                train: super::selected(&all, divided.train, count),
                weights: None,
            };
            let names = (0..count).map(|class| class.to_string()).collect();
            Ok(LoadedData {
                samples: LoadedSamples::Classes(parts),
                preparation: None,
                predicts: PredictedTargets::classes(&target, names),
                notes: Vec::new(),
                rows: None,
            })
        }
        ArrayTargets::Values(values) => {
            let names: Vec<String> = match values.first().map_or(0, Vec::len) {
                1 => vec![target],
                several => (0..several).map(|index| format!("{target} {index}")).collect(),
            };
            let predicts = if section.scale_targets {
                let learnt: Vec<Vec<f32>> = divided.train.iter().map(|&row| values[row].clone()).collect();
                PredictedTargets::scaled(names, &learnt)
            } else {
                PredictedTargets::numbers(names)
            };
            let all = Arc::new(ArrayRows::new(samples, values));
            let select = |indices: Vec<usize>| -> SharedSamples<Vec<f32>> {
                let subset = Subset::new(Arc::clone(&all), indices);
                Arc::new(subset.expect("the indices are of these samples"))
            };
            let part = |indices: Vec<usize>, other: Option<(ArraySamples, ArrayTargets)>| match other {
                Some((samples, ArrayTargets::Values(values))) => {
                    Some(Arc::new(ArrayRows::new(samples, values)) as SharedSamples<Vec<f32>>)
                }
                _ => (!indices.is_empty()).then(|| select(indices)),
            };
            let parts = DataParts {
                validation: part(divided.validation, validation),
                test: part(divided.test, test),
                train: select(divided.train),
                weights: None,
            };
            Ok(LoadedData {
                samples: LoadedSamples::Values(parts),
                preparation: None,
                predicts,
                notes: Vec::new(),
                rows: None,
            })
        }
    }
}

fn wrong(path: &Path, problem: String) -> ConfigError {
    ConfigError::Data { path: path.to_owned(), problem }
}

/// The array of this name in a file, or the only one.
fn array(path: &Path, name: &str) -> Result<Tensor, ConfigError> {
    if !is_archive(path) {
        return Ok(Tensor::read_npy(path)?);
    }
    let archive = StateDict::read_npz(path)?;
    archive.get(name).cloned().ok_or_else(|| {
        let known: Vec<&str> = archive.names().collect();
        let nearest = chainrule::core::nearest_name(name, known.iter().copied()).unwrap_or_default();
        wrong(
            path,
            format!("it has no array {name:?}, only {}; the nearest is {nearest:?}", known.join(", ")),
        )
    })
}

/// The samples of a file.
pub(crate) fn samples(section: &ArraySection, path: &Path) -> Result<ArraySamples, ConfigError> {
    samples_up_to(LARGE, section, path)
}

/// The samples of a file, which stays where it is by default if it has more bytes than this.
fn samples_up_to(large: u64, section: &ArraySection, path: &Path) -> Result<ArraySamples, ConfigError> {
    let is_small = || std::fs::metadata(path).is_ok_and(|file| file.len() <= large);
    if !is_archive(path) && !section.in_memory.unwrap_or_else(is_small) {
        // The numbers of a sample are not next to each other where the columns are.
        let columns_first = ArrayFile::has_columns_first(path)?;
        if columns_first && section.in_memory.is_some() {
            let problem = "its columns are stored one after the other, so its samples can only be read at once: leave out `in_memory = false`, or save numpy.ascontiguousarray of it";
            return Err(wrong(path, problem.to_owned()));
        }
        if !columns_first {
            let array = ArrayFile::open(path)?;
            let (count, shape) = sample_shape(path, array.shape())?;
            return checked(path, ArraySamples::in_file(array, count, section.divide_by, shape));
        }
    }
    let tensor = array(path, &section.inputs)?;
    let (count, shape) = sample_shape(path, tensor.shape())?;
    let values: Vec<f32> = tensor.numbers().map(|value| (value / section.divide_by) as f32).collect();
    let rows = Array2::from_shape_vec((count, shape.size()), values);
    let rows = rows.expect("there is a value for each place");
    checked(path, ArraySamples::in_memory(rows, shape))
}

/// Samples, all of which are finite numbers.
fn checked(path: &Path, samples: ArraySamples) -> Result<ArraySamples, ConfigError> {
    samples.check().map_err(|problem| wrong(path, problem))?;
    Ok(samples)
}

/// How many samples an array of this shape has, and the shape of one.
fn sample_shape(path: &Path, of_array: &[usize]) -> Result<(usize, Shape), ConfigError> {
    let [count, shape @ ..] = of_array else {
        return Err(wrong(
            path,
            "the array of the samples is one number: give one with a row for each sample".into(),
        ));
    };
    let shape = if shape.is_empty() { Some(Shape::from([1])) } else { Shape::new(shape) };
    let shape = shape.filter(|shape| shape.size() > 0).ok_or_else(|| {
        wrong(
            path,
            format!(
                "samples of the shape {:?} cannot be learnt from: use up to 6 axes, each at least 1",
                &of_array[1..]
            ),
        )
    })?;
    if *count == 0 {
        return Err(wrong(path, "it has no samples: use another file".into()));
    }
    Ok((*count, shape))
}

/// The targets of so many samples.
pub(crate) fn targets(
    section: &ArraySection,
    path: &Path,
    samples: usize,
) -> Result<ArrayTargets, ConfigError> {
    let own = Path::new(&section.target.value);
    let path = if is_archive(path) { path } else { own };
    let tensor = array(path, &section.target.value)?;
    let shape = tensor.shape();
    let columns = match shape {
        [count] if *count == samples => 1,
        [count, columns] if *count == samples && *columns > 0 => *columns,
        _ => {
            return Err(wrong(
                path,
                format!(
                    "the targets have the shape {shape:?}, but there are {samples} samples: give a number, or several, for each"
                ),
            ));
        }
    };
    let whole = !tensor.dtype().is_float() && columns == 1;
    if section.classes.unwrap_or(whole) {
        let class = |(row, value): (usize, f64)| {
            let fits = value.fract() == 0.0 && (0.0..MAX_CLASSES as f64).contains(&value) && columns == 1;
            let problem = || {
                format!(
                    "target {row} is {value}, but a class is a whole number from 0 to {}; if they are amounts, give `target_kind = \"numbers\"`",
                    MAX_CLASSES - 1
                )
            };
            if fits { Ok(value as u32) } else { Err(wrong(path, problem())) }
        };
        let classes = tensor.numbers().enumerate().map(class).collect::<Result<_, _>>()?;
        return Ok(ArrayTargets::Classes(classes));
    }
    let values: Vec<f32> = tensor.numbers().map(|value| value as f32).collect();
    if let Some(index) = values.iter().position(|value| !value.is_finite()) {
        let (row, value) = (index / columns, values[index]);
        return Err(wrong(path, format!("target {row} is {value}: replace what is no finite number of f32")));
    }
    Ok(ArrayTargets::Values(values.chunks(columns).map(<[f32]>::to_vec).collect()))
}

/// Samples with their classes, of which a model knows so many.
pub(crate) fn evaluated_classes(
    section: &ArraySection,
    path: &Path,
    count: usize,
) -> Result<SharedSamples<ClassTarget<f32>>, ConfigError> {
    let samples = samples(section, path)?;
    match targets(section, path, samples.count())? {
        ArrayTargets::Classes(classes) => {
            if let Some(row) = classes.iter().position(|&class| class as usize >= count) {
                let class = classes[row];
                return Err(wrong(
                    path,
                    format!("target {row} is {class}, but the model knows the classes 0 to {}", count - 1),
                ));
            }
            Ok(Arc::new(ClassTargets::with_classes(ArrayRows::new(samples, classes), count)))
        }
        ArrayTargets::Values(_) => {
            Err(wrong(path, "the targets are no classes, but the model has learnt some".into()))
        }
    }
}

/// Samples with their numbers.
pub(crate) fn evaluated_values(
    section: &ArraySection,
    path: &Path,
) -> Result<SharedSamples<Vec<f32>>, ConfigError> {
    let samples = samples(section, path)?;
    match targets(section, path, samples.count())? {
        ArrayTargets::Values(values) => Ok(Arc::new(ArrayRows::new(samples, values))),
        ArrayTargets::Classes(classes) => {
            let values = classes.into_iter().map(|class| vec![class as f32]).collect();
            Ok(Arc::new(ArrayRows::new(samples, values)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::location::{Located, Location};

    /// A large array of Fortran's order is read into memory, unless that is forbidden.
    #[test]
    fn columns_one_after_the_other() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.npy");
        let header = |order: &str| {
            let text = format!("{{'descr': '|u1', 'fortran_order': {order}, 'shape': (2, 3), }}\n");
            let length = (text.len() as u16).to_le_bytes();
            [b"\x93NUMPY\x01\x00", &length[..], text.as_bytes()].concat()
        };
        let section = |in_memory| ArraySection {
            path: path.clone(),
            inputs: "x".into(),
            target: Located { value: "y.npy".into(), at: Location::whole("marks.toml") },
            classes: None,
            scale_targets: false,
            divide_by: 1.0,
            in_memory,
        };
        let second = |samples: ArraySamples| {
            let mut row = [0.0; 3];
            samples.read(1, 0..3, &mut row);
            row
        };
        for (order, values) in [("True", [1, 4, 2, 5, 3, 6]), ("False", [1, 2, 3, 4, 5, 6])] {
            std::fs::write(&path, [header(order), values.to_vec()].concat()).unwrap();
            for (large, in_memory) in [(0, None), (LARGE, None), (0, Some(true))] {
                let samples = samples_up_to(large, &section(in_memory), &path).unwrap();
                assert_eq!(second(samples), [4.0, 5.0, 6.0], "{order} {large} {in_memory:?}");
            }
            match samples_up_to(LARGE, &section(Some(false)), &path) {
                Ok(samples) => assert_eq!((order, second(samples)), ("False", [4.0, 5.0, 6.0])),
                Err(error) => {
                    assert!(order == "True" && error.to_string().contains("`in_memory = false`"), "{error}");
                }
            }
        }
    }
}
