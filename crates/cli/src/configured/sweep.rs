//! `chainrule sweep`: trains a configuration with several values of its keys, and says which were the best on the validation data.

use std::collections::HashSet;
use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use chainrule::tensor::{Rng, Seed};
use chainrule_cli::{families, terminal};
use chainrule_config::TrainedModel;
use clap::Args;
use serde_json::{Value, json};

use super::halving::{Round, rounds};
use super::seeds::numbers;
use super::several::{self, Ended};
use super::{for_shell, read_configuration, write_text};
use crate::output_files::check_inputs;
use crate::report::evaluated_json;
use crate::score_table::{aligned, short};

/// The most trainings of a sweep.
const MOST: usize = 10_000;

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// The configuration.
    config: PathBuf,
    /// Values of a key to try, such as optimizer.lr=0.001,0.01 or model.layers.0.units=16,32; may be given several times, and then all combinations are tried.
    #[arg(long = "try", value_name = "KEY=VALUE,VALUE", value_parser = values)]
    tried: Vec<(String, Vec<String>)>,
    /// A range from which values of a key are drawn, such as optimizer.lr=0.0001..0.1: evenly on a scale of logarithms, if it is above 0 and ends at
    /// ten times its beginning or later; needs --random.
    #[arg(long, value_name = "KEY=LOW..HIGH", value_parser = range, requires = "random")]
    range: Vec<(String, [f64; 2])>,
    /// Try so many combinations that are drawn at random, instead of all.
    #[arg(long, value_name = "NUMBER")]
    random: Option<usize>,
    /// Train all for a part of the epochs, and go on with the best one in so many for so many times the epochs, again and again, up to all of them:
    /// successive halving. Each training begins anew, so that its schedule is that of its epochs.
    #[arg(long, value_name = "FACTOR", value_parser = clap::value_parser!(u16).range(2..=100))]
    halving: Option<u16>,
    /// The seed of the draws.
    #[arg(long, default_value_t = 0, value_name = "SEED")]
    draw_seed: u64,
    /// The metric to choose by [default: the loss].
    #[arg(long, value_name = "METRIC")]
    by: Option<String>,
    /// A lower value of the metric of --by is better, as of an error.
    #[arg(long, requires = "by")]
    lower: bool,
    /// Change a key of the configuration for all trainings; may be given several times.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Save the best model to this file.
    #[arg(long, value_name = "MODEL")]
    out: Option<PathBuf>,
    /// Write all scores to this file as JSON.
    #[arg(long, value_name = "REPORT")]
    json: Option<PathBuf>,
    /// How many trainings run at a time, each on one thread; it does not change the results [default: all cores].
    #[arg(long)]
    threads: Option<usize>,
}

/// The key and the values of `KEY=a,b`; a comma within brackets or quotation marks separates none.
fn values(text: &str) -> Result<(String, Vec<String>), String> {
    let (key, rest) = text.split_once('=').ok_or("it has no `=`, as in optimizer.lr=0.001,0.01")?;
    let mut values = vec![String::new()];
    let (mut depth, mut quote) = (0i32, None);
    for c in rest.chars() {
        match (c, quote) {
            ('"' | '\'', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            ('[' | '(' | '{', None) => depth += 1,
            (']' | ')' | '}', None) => depth -= 1,
            (',', None) if depth == 0 => {
                values.push(String::new());
                continue;
            }
            _ => {}
        }
        values.last_mut().expect("there is one from the beginning").push(c);
    }
    let values: Vec<String> = values.iter().map(|value| value.trim().to_owned()).collect();
    if values.iter().any(String::is_empty) {
        return Err("one of its values is empty: give them as in optimizer.lr=0.001,0.01".to_owned());
    }
    Ok((of_key(key)?, values))
}

fn range(text: &str) -> Result<(String, [f64; 2]), String> {
    let wrong = || "it is no range, as optimizer.lr=0.0001..0.1 is".to_owned();
    let (key, ends) = text.split_once('=').ok_or_else(wrong)?;
    let (low, high) = ends.split_once("..").ok_or_else(wrong)?;
    let number = |text: &str| text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
    match (number(low), number(high)) {
        (Some(low), Some(high)) if low < high => Ok((of_key(key)?, [low, high])),
        _ => Err(wrong()),
    }
}

/// The key, if trainings that differ in it have the same data.
fn of_key(key: &str) -> Result<String, String> {
    let key = key.trim();
    let section = key.split('.').next().unwrap_or_default();
    if ["data", "preparation"].contains(&section) {
        return Err("a sweep compares on the same data: give values of other keys".to_owned());
    }
    Ok(key.to_owned())
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    let Arguments { config, set, out, json, threads, .. } = arguments;
    let registry = families::registry();
    let combinations = arguments.combinations()?;
    let read = |changes: &Vec<String>| {
        let all: Vec<&str> = set.iter().chain(changes).map(String::as_str).collect();
        read_configuration(config, &all)
    };
    // Each of them, so that a mistake is found before the first training.
    let configurations = combinations.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let first =
        configurations.first().ok_or("there is nothing to try: give --try, or --range with --random")?;
    let files = [("out", out.as_deref()), ("json", json.as_deref())];
    check_inputs(&files, &[&first.data_paths()[..], &[config]].concat())?;
    let rounds = match arguments.halving {
        None => vec![Round { candidates: combinations.len(), epochs: first.epochs }],
        Some(factor) => rounds(combinations.len(), factor.into(), first.epochs),
    };
    let data = first.load_data(registry)?;
    data.notes.iter().for_each(|note| terminal::note(format_args!("warning: {note}")));
    if data.counts()[1] == 0 {
        let config = config.display();
        return Err(format!(
            "{config} has no validation data, by which a sweep chooses: give `data.validation`, such as 0.15"
        )
        .into());
    }
    // What is left, and the trainings so far, those of the last round first.
    let mut left = combinations;
    let mut tried: Vec<TriedOut> = Vec::new();
    for (index, round) in rounds.iter().enumerate() {
        left.truncate(round.candidates);
        let of_round = |changes: &Vec<String>| match arguments.halving {
            None => changes.clone(),
            Some(_) => changes.iter().cloned().chain([format!("epochs={}", round.epochs)]).collect(),
        };
        let changes: Vec<Vec<String>> = left.iter().map(of_round).collect();
        if arguments.halving.is_some() {
            let Round { candidates, epochs } = round;
            let (number, count) = (index + 1, rounds.len());
            terminal::note(format_args!(
                "round {number} of {count}: {candidates} trainings of {epochs} epochs"
            ));
        }
        let configurations = changes.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let names: Vec<String> = changes.iter().map(|changes| changes.join(" ")).collect();
        let trained = match several::train(&configurations, &names, &data, *threads)? {
            Ended::All(trained) => trained,
            Ended::Interrupted(code) => return Ok(code),
        };
        let order = arguments.order(&trained)?;
        left = order.iter().map(|&index| left[index].clone()).collect();
        let mut all: Vec<Option<(Vec<String>, TrainedModel)>> =
            changes.into_iter().zip(trained).map(Some).collect();
        let ordered = order.iter().filter_map(|&index| {
            let (changes, trained) = all[index].take()?;
            Some(TriedOut { number: index + 1, changes, trained })
        });
        // What did not go on comes after what did.
        let mut ordered: Vec<TriedOut> = ordered.collect();
        ordered.append(&mut tried);
        tried = ordered;
    }
    let printed = terminal::print(format_args!("\n{}", table(&tried)));
    if let Some(path) = json {
        let runs = tried.iter().map(TriedOut::object).collect::<Result<Vec<_>, _>>()?;
        write_text(path, &(serde_json::to_string_pretty(&runs)? + "\n"))?;
    }
    let Some(best) = tried.first() else { return Ok(ExitCode::SUCCESS) };
    if let Some(path) = out {
        best.trained.model.save(path)?;
    }
    printed?;
    let mut command = format!("chainrule train {}", for_shell(config));
    for change in set.iter().chain(&best.changes) {
        command += &format!(" --set {}", super::quoted_for_shell(change));
    }
    terminal::print(format_args!("\nthe best, on the validation data; train it alone with\n  {command}"))?;
    if let Some(path) = out {
        terminal::print(format_args!("saved       {}", path.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

impl Arguments {
    /// The changes of each training.
    fn combinations(&self) -> Result<Vec<Vec<String>>, String> {
        let Self { tried, range, random, draw_seed, .. } = self;
        let mut keys = HashSet::new();
        let all = tried.iter().map(|(key, _)| key).chain(range.iter().map(|(key, _)| key));
        if let Some(twice) = all.into_iter().find(|key| !keys.insert(*key)) {
            return Err(format!("`{twice}` is given twice: give all its values at once, or one range"));
        }
        if self.halving.is_some() && keys.contains(&"epochs".to_owned()) {
            return Err("--halving chooses the epochs: give values of other keys".to_owned());
        }
        let too_many =
            || format!("there would be more than {MOST} trainings: try fewer values, or some at --random");
        if let Some(count) = *random {
            if count > MOST {
                return Err(too_many());
            }
            let draw = |index: usize| {
                let mut rng = Seed(*draw_seed).child(index as u64).rng();
                let chosen =
                    tried.iter().map(|(key, values)| format!("{key}={}", values[rng.below(values.len())]));
                let mut changes: Vec<String> = chosen.collect();
                changes.extend(range.iter().map(|(key, ends)| format!("{key}={}", drawn(*ends, &mut rng))));
                changes
            };
            return Ok((0..count).map(draw).collect());
        }
        let mut combinations: Vec<Vec<String>> = vec![Vec::new()];
        for (key, values) in tried {
            if combinations.len().saturating_mul(values.len()) > MOST {
                return Err(too_many());
            }
            let with = |before: &Vec<String>, value: &String| {
                before.iter().cloned().chain([format!("{key}={value}")]).collect::<Vec<String>>()
            };
            combinations = combinations
                .iter()
                .flat_map(|before| values.iter().map(move |value| with(before, value)))
                .collect();
        }
        Ok(if tried.is_empty() { Vec::new() } else { combinations })
    }

    /// The trainings from the best to the worst; those without a value of the metric are the last.
    fn order(&self, trained: &[TrainedModel]) -> Result<Vec<usize>, String> {
        let name = self.by.as_deref().unwrap_or("loss");
        let mut values = Vec::new();
        for trained in trained {
            let numbers = validation(trained);
            let value = numbers.iter().find(|(known, _)| known == name).map(|(_, value)| *value);
            let known: Vec<&str> = numbers.iter().map(|(name, _)| name.as_str()).collect();
            values.push(value.ok_or_else(|| {
                format!("the validation has no number named `{name}`, only {}: add it to `metrics`, or choose one of these", known.join(", "))
            })?);
        }
        let lower = self.by.is_none() || self.lower;
        let worth = |index: usize| if lower { values[index] } else { -values[index] };
        let mut order: Vec<usize> = (0..trained.len()).collect();
        order.sort_by(|&a, &b| worth(a).is_nan().cmp(&worth(b).is_nan()).then(worth(a).total_cmp(&worth(b))));
        Ok(order)
    }
}

/// A number of the range; on a scale of logarithms where its ends differ much. Its text has few digits, as a person would write it.
fn drawn([low, high]: [f64; 2], rng: &mut Rng) -> String {
    let number = if low > 0.0 && high >= 10.0 * low {
        rng.between(low.ln(), high.ln()).exp()
    } else {
        rng.between(low, high)
    };
    let digits = format!("{number:.3e}").parse::<f64>().unwrap_or(number);
    digits.clamp(low, high).to_string()
}

/// The loss and the numbers among the metrics on the validation data.
fn validation(trained: &TrainedModel) -> Vec<(String, f64)> {
    trained.validation.as_ref().map(|validation| numbers(&validation.scores)).unwrap_or_default()
}

/// A training of a sweep.
struct TriedOut {
    /// Its number in its round, from 1.
    number: usize,
    changes: Vec<String>,
    trained: TrainedModel,
}

/// A line for each, with what was changed and the scores of the validation.
fn table(tried: &[TriedOut]) -> String {
    let pair = |change: &String| {
        let (key, value) = change.split_once('=').unwrap_or((change, ""));
        (key.to_owned(), value.to_owned())
    };
    let mut rows = Vec::new();
    for TriedOut { number, changes, trained } in tried {
        let changes: Vec<(String, String)> = changes.iter().map(pair).collect();
        let scores = validation(trained);
        if rows.is_empty() {
            let keys = changes.iter().map(|(key, _)| key.clone());
            let names = scores.iter().map(|(name, _)| format!("validation {name}"));
            rows.push(std::iter::once(String::new()).chain(keys).chain(names).collect::<Vec<_>>());
        }
        let values = changes.into_iter().map(|(_, value)| value);
        let numbers = scores.iter().map(|(_, number)| short(*number));
        rows.push(std::iter::once(number.to_string()).chain(values).chain(numbers).collect());
    }
    aligned(&rows)
}

impl TriedOut {
    fn object(&self) -> Result<Value, serde_json::Error> {
        let part = |evaluated: &Option<chainrule_config::Evaluated>| {
            evaluated.as_ref().map(evaluated_json).transpose()
        };
        let Self { changes, trained, .. } = self;
        Ok(json!({
            "changes": changes,
            "params_sha256": trained.model.parameters_sha256(),
            "training": evaluated_json(&trained.train)?,
            "validation": part(&trained.validation)?,
            "test": part(&trained.test)?,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_separated_by_commas_outside_of_brackets() {
        let (key, found) = values("optimizer=adam(lr=0.1, keras=true),\"sgd\", [1,2]").unwrap();
        assert_eq!(key, "optimizer");
        assert_eq!(found, ["adam(lr=0.1, keras=true)", "\"sgd\"", "[1,2]"]);
        assert!(
            values("epochs").is_err() && values("epochs=1,,2").is_err() && values("data.test=0.1").is_err()
        );
    }

    #[test]
    fn ranges_are_drawn_from() {
        assert_eq!(range("optimizer.lr=1e-4..0.1").unwrap(), ("optimizer.lr".to_owned(), [1e-4, 0.1]));
        assert!(range("a=1").is_err() && range("a=2..1").is_err() && range("a=x..1").is_err());
        let mut rng = Seed(1).rng();
        let drawn: Vec<f64> = (0..200).map(|_| drawn([1e-4, 0.1], &mut rng).parse().unwrap()).collect();
        assert!(drawn.iter().all(|number| (1e-4..=0.1).contains(number)));
        let below = drawn.iter().filter(|&&number| number < 10f64.powf(-2.5)).count();
        assert!((70..130).contains(&below), "{below} of 200 are below the middle of the logarithms");
    }
}
