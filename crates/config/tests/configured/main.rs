//! Trainings that configurations describe, on data that the tests write.

mod arrays;
mod augment;
mod class_weights;
mod likely_wrong;
mod sample_weights;
mod series;
mod several;
mod text;

use std::fs;
use std::path::Path;

use chainrule::data::idx::{self, Idx};
use chainrule::tensor::Seed;
use chainrule_config::{
    ConfigError, Configuration, LearntTarget, LoadedSamples, TrainedModel, TrainingJob, noted,
};
use tempfile::TempDir;

/// A directory with files as those of MNIST: marks of three classes on 8 by 8 pixels.
fn marks(counts: [usize; 2]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for ((part, count), seed) in [("train", counts[0]), ("t10k", counts[1])].into_iter().zip(1..) {
        let mut rng = Seed(seed).rng();
        let labels: Vec<u8> = (0..count).map(|_| rng.below(3) as u8).collect();
        let mut values = Vec::new();
        for label in &labels {
            let pixel =
                |index: usize| if index % 3 == usize::from(*label) { 200 } else { rng.below(60) as u8 };
            values.extend((0..64).map(pixel));
        }
        write_idx(&directory.path().join(format!("{part}-images-idx3-ubyte")), vec![count, 8, 8], values);
        write_idx(&directory.path().join(format!("{part}-labels-idx1-ubyte")), vec![count], labels);
    }
    directory
}

fn write_idx(path: &Path, axes: Vec<usize>, values: Vec<u8>) {
    idx::write(path, &Idx { axes, values }).unwrap();
}

/// A directory with this file.
fn file(name: &str, content: &str) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join(name), content).unwrap();
    directory
}

/// Trains the configuration in this text, with these changes.
fn trained(text: &str, directory: &Path, changes: &[&str]) -> Result<TrainedModel, Box<ConfigError>> {
    fn train<Y: LearntTarget>(mut job: TrainingJob<'_, Y>) -> Result<TrainedModel, Box<ConfigError>> {
        job.fit()?;
        Ok(job.finish()?)
    }
    let registry = chainrule::registry();
    let configuration = Configuration::from_text("a.toml", text, changes, &registry)?.in_directory(directory);
    let data = configuration.load_data(&registry)?;
    let model = noted(configuration.model(&registry, data.shape())?, &configuration, &data);
    match data.samples {
        LoadedSamples::Classes(parts) => {
            train(TrainingJob::new(&configuration, &registry, model, data.predicts, parts)?)
        }
        LoadedSamples::Values(parts) => {
            train(TrainingJob::new(&configuration, &registry, model, data.predicts, parts)?)
        }
    }
}

/// What a training says that cannot be.
fn refused(text: &str, directory: &Path, changes: &[&str]) -> String {
    let error = trained(text, directory, changes).unwrap_err();
    let source = std::error::Error::source(&*error).map_or(String::new(), |source| format!(": {source}"));
    format!("{error}{source}")
}
