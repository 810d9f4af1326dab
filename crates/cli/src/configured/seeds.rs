//! `chainrule train --seeds`: how much the scores of a configuration depend on its seed.

use std::error::Error;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use chainrule::train::Scores;
use chainrule_cli::{families, terminal};
use chainrule_config::{Configuration, Evaluated, TrainedModel};
use serde_json::{Value, json};

use super::several::{self, Ended};
use crate::report::evaluated_json;
use crate::score_table::{aligned, short};

/// Trains with so many seeds from that of the configuration on, saves each model, and reports mean and deviation.
pub(super) fn run(
    configuration: &Configuration,
    seeds: u64,
    threads: Option<usize>,
    out: &Path,
    report: Option<&Path>,
) -> Result<ExitCode, Box<dyn Error>> {
    let data = configuration.load_data(families::registry())?;
    data.notes.iter().for_each(|note| terminal::note(format_args!("warning: {note}")));
    let first = configuration.seed;
    let last = first
        .checked_add(seeds - 1)
        .ok_or("the seeds would be larger than there are: choose a smaller `seed`")?;
    let seeds: Vec<u64> = (first..=last).collect();
    // As if each had been given alone, so that a model says of itself with which seed it was made.
    let with_seed = |&seed: &u64| {
        let mut other = configuration.clone();
        other.seed = seed;
        other.changes.push(format!("seed={seed}"));
        other
    };
    let configurations: Vec<Configuration> = seeds.iter().map(with_seed).collect();
    let names: Vec<String> = seeds.iter().map(|seed| format!("seed {seed}")).collect();
    let trained = match several::train(&configurations, &names, &data, threads)? {
        Ended::All(trained) => trained,
        Ended::Interrupted(code) => return Ok(code),
    };
    let printed = terminal::print(format_args!("\n{}", table(&seeds, &trained)));
    let mut saved = Vec::new();
    for (seed, trained) in seeds.iter().zip(&trained) {
        let path = numbered(out, *seed);
        trained.model.save(&path)?;
        saved.push(path);
    }
    if let Some(path) = report {
        super::write_text(path, &(serde_json::to_string_pretty(&object(&seeds, &trained)?)? + "\n"))?;
    }
    printed?;
    let saved: Vec<String> = saved.iter().map(|path| path.display().to_string()).collect();
    terminal::print(format_args!("saved       {}", saved.join(", ")))?;
    Ok(ExitCode::SUCCESS)
}

/// `flats.seed-3.chainrule` for `flats.chainrule`.
fn numbered(out: &Path, seed: u64) -> PathBuf {
    let ending = out.extension().map(|ending| format!(".{}", ending.display())).unwrap_or_default();
    let stem = out.file_stem().unwrap_or_default();
    out.with_file_name(format!("{}.seed-{seed}{ending}", stem.display()))
}

/// The scores of the last part that there is: the test, else the validation, else the training.
fn scores_of(trained: &TrainedModel) -> (&'static str, &Evaluated) {
    match (&trained.test, &trained.validation) {
        (Some(test), _) => ("test", test),
        (None, Some(validation)) => ("validation", validation),
        (None, None) => ("training", &trained.train),
    }
}

/// The numbers among scores, by name.
pub(super) fn numbers(scores: &Scores) -> Vec<(String, f64)> {
    let metrics = scores.metrics.iter().filter_map(|(name, value)| Some((name.clone(), value.as_number()?)));
    std::iter::once(("loss".to_owned(), scores.loss)).chain(metrics).collect()
}

/// The mean of some values, and their deviation with n - 1, which one value has none of.
pub(super) fn mean_and_deviation(values: &[f64]) -> (f64, Option<f64>) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
    (mean, (values.len() > 1).then(|| (squares / (count - 1.0)).sqrt()))
}

/// The values of one name of all trainings.
fn values(trained: &[TrainedModel], name: &str) -> Vec<f64> {
    let of = |trained: &TrainedModel| {
        let scores = numbers(&scores_of(trained).1.scores);
        scores.into_iter().find(|(known, _)| known == name).map_or(f64::NAN, |(_, value)| value)
    };
    trained.iter().map(of).collect()
}

fn table(seeds: &[u64], trained: &[TrainedModel]) -> String {
    let Some(first) = trained.first() else { return String::new() };
    let (part, evaluated) = scores_of(first);
    let names: Vec<String> = numbers(&evaluated.scores).into_iter().map(|(name, _)| name).collect();
    let mut rows = vec![std::iter::once("seed".to_owned()).chain(names.iter().cloned()).collect::<Vec<_>>()];
    for (index, seed) in seeds.iter().enumerate() {
        let cells = names.iter().map(|name| short(values(trained, name)[index]));
        rows.push(std::iter::once(seed.to_string()).chain(cells).collect());
    }
    let figures: Vec<(f64, Option<f64>)> =
        names.iter().map(|name| mean_and_deviation(&values(trained, name))).collect();
    let means = figures.iter().map(|(mean, _)| short(*mean));
    let deviations = figures.iter().map(|(_, deviation)| deviation.map_or_else(|| "–".to_owned(), short));
    rows.push(std::iter::once("mean".to_owned()).chain(means).collect());
    rows.push(std::iter::once("deviation".to_owned()).chain(deviations).collect());
    let mut text = String::new();
    let _ = write!(text, "of the {part}, {} samples\n{}\n", evaluated.samples, aligned(&rows));
    text
}

fn object(seeds: &[u64], trained: &[TrainedModel]) -> Result<Value, serde_json::Error> {
    let mut runs = Vec::new();
    for (seed, trained) in seeds.iter().zip(trained) {
        let TrainedModel { model, train, validation, test, .. } = trained;
        let part = |evaluated: &Option<Evaluated>| evaluated.as_ref().map(evaluated_json).transpose();
        runs.push(json!({
            "seed": seed,
            "params_sha256": model.parameters_sha256(),
            "training": evaluated_json(train)?,
            "validation": part(validation)?,
            "test": part(test)?,
        }));
    }
    let Some(first) = trained.first() else { return Ok(json!({ "runs": runs })) };
    let (part, evaluated) = scores_of(first);
    let figures: serde_json::Map<String, Value> = numbers(&evaluated.scores)
        .into_iter()
        .map(|(name, _)| {
            let (mean, deviation) = mean_and_deviation(&values(trained, &name));
            (name, json!({ "mean": mean, "deviation": deviation }))
        })
        .collect();
    Ok(json!({ "runs": runs, "part": part, "figures": figures }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deviations_are_those_of_a_sample() {
        assert_eq!(mean_and_deviation(&[1.0, 2.0, 3.0]), (2.0, Some(1.0)));
        assert_eq!(mean_and_deviation(&[5.0]), (5.0, None));
    }

    #[test]
    fn models_are_numbered() {
        assert_eq!(numbered(Path::new("a/flats.chainrule"), 3), Path::new("a/flats.seed-3.chainrule"));
        assert_eq!(numbered(Path::new("flats"), 0), Path::new("flats.seed-0"));
    }
}
