//! The example of characters in small: what it learns, what it writes, and what it says of a wrong command line.

#[path = "../examples/characters.rs"]
mod characters;

use chainrule::data::{Characters, Vocabulary};
use chainrule::prelude::*;
use characters::{Kind, Options, Reader, Training, USAGE, draw, evaluate, reading, write};
use ndarray::{Array2, s};

/// No multiple of the period, so that windows begin everywhere in it.
const STEPS: usize = 13;

const EPOCHS: u64 = 20;

fn text() -> String {
    "abcabd".repeat(400)
}

/// A model that has learnt `abcabd` and so on, and its vocabulary.
fn trained(kind: Kind) -> (Training, Vocabulary) {
    let text = text();
    let vocabulary = Vocabulary::of(&text);
    let mut training = Training::new(kind, &text, &vocabulary, STEPS, EPOCHS, Seed(3)).unwrap();
    (0..EPOCHS).for_each(|_| drop(training.epoch().unwrap()));
    (training, vocabulary)
}

#[test]
fn both_kinds_learn_a_period_and_go_on_with_it() {
    for kind in [Kind::Lstm, Kind::Transformer] {
        let (training, vocabulary) = trained(kind);
        let trained = training.trainer.model();
        // In one lane, so that a state goes on from window to window.
        let data = Characters::new(&text(), &vocabulary, STEPS).unwrap();
        let scores = evaluate(trained, &data).unwrap();
        // Where a window begins, a transformer cannot tell `c` from `d`: that alone costs it (4/6 ln 2) / 13 = 0.036.
        assert!(scores.loss < 0.1, "{kind:?}: {scores}");

        let model = reading(kind, trained, vocabulary.len()).unwrap();
        let prompt = vocabulary.encode("abdabca").unwrap();
        for temperature in [0.0, 0.3] {
            // More than two windows.
            let written = write(&model, &prompt, 36, temperature, Seed(1)).unwrap();
            let right: String = "bdabca".repeat(6);
            assert_eq!(vocabulary.decode(&written), right, "{kind:?} at {temperature}");
        }
    }
}

#[test]
fn character_by_character_is_as_the_whole_window() {
    for kind in [Kind::Lstm, Kind::Transformer] {
        let (training, vocabulary) = trained(kind);
        let trained = training.trainer.model();
        let model = reading(kind, trained, vocabulary.len()).unwrap();
        let text = vocabulary.encode("dcbaabcdabcab").unwrap();
        let row = Array2::from_shape_fn((1, STEPS), |(_, step)| text[step] as f32);
        let whole = trained.predict(row.view()).unwrap();
        let mut reader = Reader::new(&model);
        for (step, &id) in text.iter().enumerate() {
            let columns = s![0, step * vocabulary.len()..(step + 1) * vocabulary.len()];
            let logits = reader.read(id).unwrap();
            for (one, all) in logits.iter().zip(whole.slice(columns)) {
                assert!(
                    (one - all).abs() < 1e-4 * all.abs().max(1.0),
                    "{kind:?}, step {step}: {one} and {all}"
                );
            }
        }
    }
}

#[test]
fn the_same_seed_is_the_same_run() {
    for kind in [Kind::Lstm, Kind::Transformer] {
        let run = |seed| {
            let (text, vocabulary) = ("abcabd".repeat(40), Vocabulary::of("abcd"));
            let mut training = Training::new(kind, &text, &vocabulary, STEPS, 1, seed).unwrap();
            let scores = training.epoch().unwrap();
            let model = reading(kind, training.trainer.model(), 4).unwrap();
            (scores, write(&model, &[0], 20, 1.0, seed).unwrap())
        };
        assert_eq!(run(Seed(1)), run(Seed(1)));
        assert_ne!(run(Seed(1)), run(Seed(2)));
    }
}

#[test]
fn a_temperature_sharpens_what_is_likely() {
    let logits = [0.0, 2f32.ln(), f32::NEG_INFINITY, 0.0];
    assert_eq!([0.0, 0.2, 0.3, 0.7, 0.8].map(|uniform| draw(&logits, 1.0, uniform)), [0, 0, 1, 1, 3]);
    assert_eq!([0.0, 0.5, 0.99].map(|uniform| draw(&logits, 0.0, uniform)), [1; 3]);
    assert_eq!([0.01, 0.5, 0.99].map(|uniform| draw(&logits, 0.1, uniform)), [1; 3]);
    assert_eq!(draw(&logits, 1e-300, 0.5), 1, "so cold that the others weigh nothing");
}

#[test]
fn the_usage_names_every_option_with_its_default() {
    let options: Vec<_> = USAGE.lines().filter_map(|line| line.trim_start().strip_prefix("--")).collect();
    assert_eq!(options.len(), 7);
    for option in options {
        let name = option.split_whitespace().next().unwrap();
        let default = option.rsplit(['(', ')']).nth(1).unwrap();
        let value = if name == "prompt" { "x" } else { default.split_whitespace().last().unwrap() };
        let parse = |line: &[&str]| Options::parse(line.iter().map(|&word| word.to_owned()));
        let (plain, given) =
            (parse(&["text"]).unwrap(), parse(&["text", &format!("--{name}"), value]).unwrap());
        let right = if name == "prompt" { Options { prompt: Some("x".to_owned()), ..plain } } else { plain };
        assert_eq!(given, right, "--{name} {value}");
    }
}

#[test]
fn wrong_command_lines_say_what_is_wrong() {
    let parse = |line: &str| Options::parse(line.split_whitespace().map(str::to_owned));
    let options = parse("--seed 7 text --model transformer --temperature 0").unwrap();
    assert_eq!((options.seed, options.kind, options.temperature), (7, Kind::Transformer, 0.0));
    for (line, says) in [
        ("", "FILE"),
        ("a b", "\"b\""),
        ("a --model gru", "lstm and transformer"),
        ("a --epochs", "--epochs wants a value"),
        ("a --epochs 0", "at least 1"),
        ("a --steps -3", "--steps \"-3\""),
        ("a --temperature nan", "0 or more"),
        ("a --size 3", "--size"),
    ] {
        let error = parse(line).unwrap_err();
        assert!(error.contains(says), "{line}: {error}");
    }
    let run = |file: &str, options: &str| {
        let options = parse(&format!("text {options}")).unwrap();
        characters::run(&Options { file: file.to_owned(), ..options }).unwrap_err().to_string()
    };
    assert!(run("/nowhere/text", "").contains("/nowhere/text"));
    let own = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    assert!(run(own, "--steps 1000000").contains("fewer --steps"));
    assert!(run(own, "--prompt é").contains("'é'"));
}
