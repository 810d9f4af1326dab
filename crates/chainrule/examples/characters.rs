//! A language model of characters, which learns a text and goes on with it:
//! `cargo run --release -p chainrule --example characters -- FILE`.
//!
//! Without a file it says which options there are. On the 95 617 characters of `cat crates/train/src/*.rs`, read
//! twenty times, with two cores that others used as well:
//!
//! | | processor time | training, nats a character | held out, nats | perplexity | right |
//! |---|---|---|---|---|---|
//! | `--model lstm` | 23 s | 0.688 | 1.059 | 2.88 | 71.4 % |
//! | `--model transformer` | 14 s | 1.319 | 1.351 | 3.86 | 63.4 % |
//!
//! The LSTM reads the whole text from its beginning; the transformer begins anew in each window of 64 characters.
//! After the last epoch the LSTM writes
//!
//! ```text
//! /,             writeln!(start, end, .. } = scratch_exach_chainrule_layers(cores, &y {
//!             for a callbact {
//!                 gorest = || state: &'a [..], ", 1).max_mut()).map(|values: Renug>,
//!     pub(crate) output: Range<usize>, clone, Chain<T>, shards: oner and - file.id(params.params[check()
//! ```

use std::error::Error;
use std::io::{self, Write};
use std::str::FromStr;

use chainrule::data::{Characters, Vocabulary};
use chainrule::layers::{Embedding, LayerNorm, LearnedPositions, Lstm, TimeDistributed, TransformerEncoder};
use chainrule::losses::PerStep;
use chainrule::metrics;
use chainrule::prelude::*;
use chainrule::tensor::SequenceSlice;
use chainrule::train::{Predictor, Scores};
use ndarray::{Array2, s};

pub(crate) const USAGE: &str = "\
usage: characters FILE [OPTIONS]

It learns the first nine tenths of a text (UTF-8), is judged by the last, and writes some of its own.

  --model lstm|transformer  what learns (lstm)
  --epochs N                how often it reads the text (20)
  --steps N                 how many characters gradients go back, and a transformer sees (64)
  --length N                how many characters it writes after each epoch (300)
  --temperature T           below 1 it writes what is likely, above 1 it is bold, at 0 it takes the likeliest (0.7)
  --prompt TEXT             what it goes on from (the first character of the text)
  --seed N                  another seed is another run, the same seed the same (0)";

/// What the command line says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Options {
    pub(crate) file: String,
    pub(crate) kind: Kind,
    pub(crate) epochs: u64,
    pub(crate) steps: usize,
    pub(crate) length: usize,
    pub(crate) temperature: f64,
    pub(crate) prompt: Option<String>,
    pub(crate) seed: u64,
}

/// What learns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Lstm,
    Transformer,
}

impl FromStr for Kind {
    type Err = &'static str;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "lstm" => Ok(Self::Lstm),
            "transformer" => Ok(Self::Transformer),
            _ => Err("the models are lstm and transformer"),
        }
    }
}

impl Options {
    pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self {
            file: String::new(),
            kind: Kind::Lstm,
            epochs: 20,
            steps: 64,
            length: 300,
            temperature: 0.7,
            prompt: None,
            seed: 0,
        };
        while let Some(argument) = arguments.next() {
            if !argument.starts_with("--") {
                if !options.file.is_empty() {
                    return Err(format!(
                        "there is one FILE, but {:?} and {argument:?} are given",
                        options.file
                    ));
                }
                options.file = argument;
                continue;
            }
            let name = argument.as_str();
            let mut value = || arguments.next().ok_or_else(|| format!("{name} wants a value"));
            match name {
                "--model" => options.kind = read(name, &value()?)?,
                "--epochs" => options.epochs = read(name, &value()?)?,
                "--steps" => options.steps = read(name, &value()?)?,
                "--length" => options.length = read(name, &value()?)?,
                "--temperature" => options.temperature = read(name, &value()?)?,
                "--prompt" => options.prompt = Some(value()?),
                "--seed" => options.seed = read(name, &value()?)?,
                _ => return Err(format!("there is no option {name}")),
            }
        }
        if options.file.is_empty() {
            return Err("which FILE?".to_owned());
        }
        if options.epochs == 0 || options.steps == 0 {
            return Err("--epochs and --steps are at least 1".to_owned());
        }
        if !(0.0..f64::INFINITY).contains(&options.temperature) {
            return Err(format!("--temperature is {}, but 0 or more is wanted", options.temperature));
        }
        Ok(options)
    }
}

fn read<V: FromStr<Err: std::fmt::Display>>(name: &str, value: &str) -> Result<V, String> {
    value.parse().map_err(|error| format!("{name} {value:?}: {error}"))
}

/// The layers: for each of a sample's characters the logits of the one after it.
///
/// A `stateful` LSTM goes on where the call before it ended. The parameters are the same.
fn layers(kind: Kind, characters: usize, stateful: bool) -> Sequential<f32> {
    let layers = match kind {
        Kind::Lstm => {
            let lstm = Lstm::new(192).sequences();
            let lstm = if stateful { lstm.stateful() } else { lstm };
            Sequential::new().then(Embedding::new(characters, 32)).then(lstm)
        }
        Kind::Transformer => {
            let block = || TransformerEncoder::new(4, 256).causal().pre_norm().dropout(0.05);
            Sequential::new()
                .then(Embedding::new(characters, 64).weight_init(Normal::new(0.0, 0.02)))
                .then(LearnedPositions::new())
                .then(block())
                .then(block())
                .then(LayerNorm::new())
        }
    };
    layers.then(TimeDistributed(Dense::new(characters)))
}

type Score = PerStep<CrossEntropy>;

/// A training on a text: windows of `steps` characters, in lanes that go on from batch to batch for an LSTM, and
/// in another random order in each epoch for a transformer.
pub(crate) struct Training {
    pub(crate) data: Characters,
    pub(crate) trainer: Trainer<f32, SequenceSlice<u32>>,
}

impl Training {
    pub(crate) fn new(
        kind: Kind,
        text: &str,
        vocabulary: &Vocabulary,
        steps: usize,
        epochs: u64,
        seed: Seed,
    ) -> Result<Self, Box<dyn Error>> {
        let data = Characters::new(text, vocabulary, steps)?;
        let batch = data.len().min(16);
        let data = match kind {
            Kind::Lstm => data.lanes(batch)?,
            Kind::Transformer => data,
        };
        let model = Model::new([steps], layers(kind, vocabulary.len(), true), seed.child(0))?;
        let total = data.len().div_ceil(batch) as u64 * epochs;
        let (rate, warm) = match kind {
            Kind::Lstm => (4e-3, total / 50),
            Kind::Transformer => (2e-3, total / 20),
        };
        let schedule = WarmUp::new(warm).then(Cosine::new(rate).steps((total - warm).max(1)));
        let optimizer = (ClipByGlobalNorm(1.0), adam(schedule));
        let trainer = Trainer::new(model, Score::default(), optimizer)
            .batch_size(batch)
            .shuffle(kind == Kind::Transformer)
            .seed(seed.child(1))
            .metric(metrics::PerStep(Accuracy));
        Ok(Self { data, trainer })
    }

    /// Reads the text once.
    pub(crate) fn epoch(&mut self) -> Result<Scores, Box<dyn Error>> {
        let history = self.trainer.fit(&self.data, 1)?;
        Ok(history.epochs.into_iter().next().ok_or("the training was stopped")?.train)
    }
}

/// The loss of a model on a text that it reads from the beginning to the end, a window at a time.
///
/// A trainer's own evaluation takes a batch of windows at once, and begins each lane without a state. Here a model with a
/// state is given one window, so that it goes on where the window before ended; the data are in one lane for that.
pub(crate) fn evaluate(model: &Model<f32>, data: &Characters) -> Result<Scores, Box<dyn Error>> {
    let loss = Score::default();
    let mut accuracy = Tally::new(metrics::PerStep(Accuracy));
    let (mut predictor, mut row) = (model.predictor(), Array2::zeros((1, model.input().size())));
    let (windows, mut sum) = (data.len(), 0.0);
    for index in 0..windows {
        let target = [data.read(index, row.as_slice_mut().ok_or("a row is a slice")?)];
        let y = predictor.predict(row.view())?;
        sum += f64::from(loss.loss(y, &target, 1.0, None));
        accuracy.update(y, &target);
    }
    let metrics = vec![(accuracy.name().to_owned(), accuracy.value())];
    Ok(Scores { loss: sum / windows as f64, metrics })
}

/// A model that reads character after character, and says what comes next.
///
/// It keeps the last characters that fit into the model's window. For a model with a state that is one, and the
/// state knows of the others. Behind the last is nothing yet, but no character sees what is behind it.
pub(crate) struct Reader<'a> {
    predictor: Predictor<'a, f32>,
    window: Array2<f32>,
    seen: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(model: &'a Model<f32>) -> Self {
        let window = Array2::zeros((1, model.input().size()));
        Self { predictor: model.predictor(), window, seen: 0 }
    }

    /// The logits of the character after this one.
    pub(crate) fn read(&mut self, id: u32) -> Result<Vec<f32>, Box<dyn Error>> {
        let steps = self.window.len();
        if self.seen == steps {
            (1..steps).for_each(|step| self.window[[0, step - 1]] = self.window[[0, step]]);
        } else {
            self.seen += 1;
        }
        self.window[[0, self.seen - 1]] = id as f32;
        let y = self.predictor.predict(self.window.view())?;
        let classes = y.len() / steps;
        Ok(y.slice(s![0, (self.seen - 1) * classes..self.seen * classes]).to_vec())
    }
}

/// The model that a [`Reader`] wants: for an LSTM one of single steps, with the same parameters.
pub(crate) fn reading(
    kind: Kind,
    trained: &Model<f32>,
    characters: usize,
) -> Result<Model<f32>, Box<dyn Error>> {
    if kind == Kind::Transformer {
        return Ok(trained.clone());
    }
    let mut model = Model::new([1], layers(kind, characters, true), Seed(0))?;
    model.parameters_mut().copy_from_slice(trained.parameters());
    Ok(model)
}

/// A character by `softmax(logits / temperature)`; at 0 the likeliest.
pub(crate) fn draw(logits: &[f32], temperature: f64, uniform: f64) -> u32 {
    let likeliest = (0..logits.len()).max_by(|&a, &b| logits[a].total_cmp(&logits[b])).unwrap_or(0);
    if temperature == 0.0 {
        return likeliest as u32;
    }
    let weight = |&logit: &f32| (f64::from(logit - logits[likeliest]) / temperature).exp();
    let mut rest = uniform * logits.iter().map(weight).sum::<f64>();
    let drawn = logits.iter().map(weight).position(|weight| {
        rest -= weight;
        rest < 0.0
    });
    drawn.unwrap_or(likeliest) as u32
}

/// What the model writes after a prompt.
pub(crate) fn write(
    model: &Model<f32>,
    prompt: &[u32],
    length: usize,
    temperature: f64,
    seed: Seed,
) -> Result<Vec<u32>, Box<dyn Error>> {
    let (mut reader, mut rng) = (Reader::new(model), seed.rng());
    let mut logits = Vec::new();
    for &id in prompt {
        logits = reader.read(id)?;
    }
    let mut written = Vec::new();
    while written.len() < length {
        let id = draw(&logits, temperature, rng.uniform());
        written.push(id);
        logits = reader.read(id)?;
    }
    Ok(written)
}

pub(crate) fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let Options { ref file, kind, epochs, steps, .. } = *options;
    let text = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
    let vocabulary = Vocabulary::of(&text);
    let count = text.chars().count();
    if count / 10 <= steps {
        return Err(format!(
            "{file} has {count} characters, and its last tenth is shorter than {steps} and one more: take a longer text, or fewer --steps"
        )
        .into());
    }
    let (first, last) = text.split_at(text.char_indices().nth(count - count / 10).map_or(0, |(at, _)| at));
    let prompt = match &options.prompt {
        Some(prompt) if prompt.is_empty() => return Err("--prompt is empty: leave it away".into()),
        Some(prompt) => vocabulary.encode(prompt).map_err(|error| format!("--prompt {prompt:?}: {error}"))?,
        None => vocabulary.encode(&text.chars().take(1).collect::<String>())?,
    };
    let seed = Seed(options.seed);
    let mut training = Training::new(kind, first, &vocabulary, steps, epochs, seed)?;
    let held_out = Characters::new(last, &vocabulary, steps)?;

    println!("{}", training.trainer.model().summary());
    println!("{count} characters, {} different ones\n", vocabulary.len());
    for epoch in 1..=epochs {
        for (name, Scores { loss, metrics }) in
            [("training", training.epoch()?), ("held out", evaluate(training.trainer.model(), &held_out)?)]
        {
            let right: f64 = metrics.iter().filter_map(|(_, accuracy)| accuracy.as_number()).sum();
            println!(
                "epoch {epoch}, {name}: {loss:.3} nats a character, perplexity {:.2}, {:.1} % right",
                loss.exp(),
                100.0 * right
            );
        }
        let model = reading(kind, training.trainer.model(), vocabulary.len())?;
        let written = write(&model, &prompt, options.length, options.temperature, seed.child(2))?;
        println!("{}{}\n", vocabulary.decode(&prompt), vocabulary.decode(&written));
        io::stdout().flush()?;
    }
    Ok(())
}

#[cfg(not(test))] // the test has this file as a module
fn main() -> std::process::ExitCode {
    use std::process::ExitCode;

    if let Some(warning) = chainrule::tensor::blas::use_best_kernel() {
        eprintln!("warning: {warning}");
    }
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("{error}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
