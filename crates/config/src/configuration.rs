//! What a training is.

use std::fs;
use std::path::Path;

use chainrule::core::{Description, Registry};

use crate::changes;
use crate::checkpoint_interval::CheckpointInterval;
use crate::class_weights::ClassWeights;
use crate::data_section::DataSection;
use crate::draw;
use crate::error::ConfigError;
use crate::location::{Located, Location};
use crate::node::{self, ConfigNode};
use crate::output_section::OutputSection;
use crate::preparation_section::PreparationSection;
use crate::section::ConfigSection;
use crate::split_section::HeldOut;
use crate::stopping_section::StoppingSection;

/// The keys of the document.
const KEYS: &[&str] = &[
    "epochs",
    "batch_size",
    "seed",
    "loss",
    "augment",
    "class_weights",
    "draw",
    "metrics",
    "optimizer",
    "schedule",
    "validate_every",
    "shards",
    "portable",
    "audit",
    "data",
    "preparation",
    "model",
    "output",
    "early_stopping",
    "checkpoints",
];

/// What a training is, as a file in TOML describes it: data, preparation, model, loss, metrics, optimizer and schedule.
///
/// ```
/// use chainrule_config::Configuration;
/// let registry = chainrule::registry();
/// let text = r#"
///     loss = "cross_entropy"
///     metrics = ["accuracy"]
///     optimizer = "adam(lr=0.001)"
///     epochs = 5
///     [data]
///     idx = "mnist"
///     [model]
///     layers = ["flatten", "dense(64)", "relu", "dense(10)"]
/// "#;
/// let configuration = Configuration::from_text("mnist.toml", text, &["optimizer.lr=0.01"], &registry)?;
/// assert_eq!(configuration.optimizer.value.to_string(), "adam(lr=0.01)");
///
/// let error = Configuration::from_text("mnist.toml", &text.replace("dense(64)", "dens(64)"), &["epochs=1"], &registry).unwrap_err();
/// assert!(error.to_string().starts_with("mnist.toml, line 9, column 26: `model.layers`"));
/// # Ok::<(), chainrule_config::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Configuration {
    /// The number of passes over the training data.
    pub epochs: u64,
    /// The number of samples in a batch.
    pub batch_size: usize,
    /// The seed of the initial weights and of shuffling.
    pub seed: u64,
    /// What is minimised, unless there are several outputs, each of which has a loss of its own.
    pub loss: Option<Located<Description>>,
    /// What is reported besides.
    pub metrics: Vec<Located<Description>>,
    /// How the samples are changed at random in each epoch.
    pub augment: Vec<Located<Description>>,
    /// How much samples count, by their class.
    pub class_weights: Option<Located<ClassWeights>>,
    /// Whether an epoch has samples that are drawn at random, so that each class has the same chance, and not each sample once.
    pub draw_balanced: Option<Located<()>>,
    /// How the weights are changed.
    pub optimizer: Located<Description>,
    /// How the learning rate changes; constant without one.
    pub schedule: Option<Located<Description>>,
    /// After how many steps of an epoch the model is also validated within it; never for 0.
    pub validate_every: u64,
    /// The number of parts of a batch.
    pub shards: Option<usize>,
    /// Whether the result is the same on every CPU.
    pub portable: bool,
    /// Whether the first steps are looked at for what keeps the training from learning.
    pub audit: bool,
    /// The data.
    pub data: DataSection,
    /// How columns of a table become numbers.
    pub preparation: PreparationSection,
    /// The layers one after the other.
    pub layers: Vec<Located<Description>>,
    /// What comes after them where there are several outputs.
    pub outputs: Vec<OutputSection>,
    /// When the training ends before its last epoch.
    pub early_stopping: Option<StoppingSection>,
    /// How often the training is saved.
    pub checkpoint_every: CheckpointInterval,
    /// How many of its checkpoints are kept.
    pub keep_checkpoints: usize,
    /// The text that it was read from.
    pub text: String,
    /// What was changed beside the text.
    pub changes: Vec<String>,
}

impl Configuration {
    /// Reads a file; paths in it are relative to its directory. `changes` are texts such as `optimizer.lr=0.01`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`], which says where, what was found, and what is allowed.
    pub fn read<C: AsRef<str>>(
        path: impl AsRef<Path>,
        changes: &[C],
        registry: &Registry,
    ) -> Result<Self, ConfigError> {
        let path = path.as_ref();
        let text = fs::read_to_string(path);
        let text = text.map_err(|source| ConfigError::Io { path: path.to_owned(), doing: "read", source })?;
        let configuration = Self::from_text(&path.display().to_string(), &text, changes, registry)?;
        Ok(configuration.in_directory(path.parent().unwrap_or(Path::new(""))))
    }

    /// The same with relative paths taken for such from this directory.
    #[must_use]
    pub fn in_directory(mut self, directory: &Path) -> Self {
        self.data.resolve(directory);
        self
    }

    /// The files and directories that it takes the data from.
    pub fn data_paths(&self) -> Vec<&Path> {
        self.data.paths()
    }

    /// The configuration of a text, whose `name` errors give; paths in it are relative to the directory of the process.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn from_text<C: AsRef<str>>(
        name: &str,
        text: &str,
        changes: &[C],
        registry: &Registry,
    ) -> Result<Self, ConfigError> {
        let file = Location::whole(name);
        let mut root = node::parse(text, &file)?;
        for change in changes {
            changes::apply(&mut root, change.as_ref(), registry)?;
        }
        let changes = changes.iter().map(|change| change.as_ref().to_owned()).collect();
        let configuration = Self { text: text.to_owned(), changes, ..Self::of_node(&root)? };
        configuration.check_names(registry)?;
        Ok(configuration)
    }

    fn of_node(root: &ConfigNode) -> Result<Self, ConfigError> {
        let section = ConfigSection::new("", root, KEYS)?;
        let required = |key, what| section.get(key).ok_or_else(|| section.missing(key, what));
        let outputs = section.get("output").map_or_else(|| Ok(Vec::new()), OutputSection::all)?;
        let data = DataSection::of_node(required("data", "a table with the data, as in [data]")?, &outputs)?;
        let model = ConfigSection::new("model", required("model", "a table with `layers`")?, &["layers"])?;
        let layers = model.descriptions("layers")?;
        if layers.is_empty() {
            return Err(
                model.missing("layers", "a list of layers, such as [\"dense(64)\", \"relu\", \"dense(1)\"]")
            );
        }
        let loss = section.description("loss")?;
        if outputs.is_empty() && loss.is_none() {
            return Err(section.missing("loss", "a loss, such as \"cross_entropy\""));
        }
        let alone = ["loss", "metrics", "class_weights", "draw", "augment"];
        if let (Some(first), Some((key, node))) =
            (outputs.first(), alone.iter().find_map(|key| Some((key, section.get(key)?))))
        {
            let problem = match *key {
                "loss" | "metrics" => format!(
                    "each output has its own: move `{key}` below [output.{}] and the others",
                    first.name.value
                ),
                _ => format!("with several outputs there is no `{key}`: leave it out"),
            };
            return Err(ConfigError::Contradiction { at: node.at.clone(), problem });
        }
        let validate_every = section.whole("validate_every", 0)?.unwrap_or(0);
        if let (Some(node), HeldOut::Nothing, 1..) =
            (section.get("validate_every"), &data.split.validation, validate_every)
        {
            let problem = "there are no validation data: give `data.validation`, such as 0.15, or leave `validate_every` out";
            return Err(ConfigError::Contradiction { at: node.at.clone(), problem: problem.to_owned() });
        }
        let optimizer = section.description("optimizer")?;
        let checkpoints = section
            .get("checkpoints")
            .map(|node| ConfigSection::new("checkpoints", node, &["every", "keep"]))
            .transpose()?;
        let (mut checkpoint_every, mut keep) = (CheckpointInterval::Seconds(60.0), None);
        if let Some(checkpoints) = &checkpoints {
            if let Some(every) = checkpoints.text("every")? {
                checkpoint_every = every
                    .value
                    .parse()
                    .map_err(|problem| ConfigError::Contradiction { at: every.at.clone(), problem })?;
            }
            keep = checkpoints.size("keep", 1)?;
        }
        Ok(Self {
            epochs: section.whole("epochs", 0)?.unwrap_or(20),
            batch_size: section.size("batch_size", 1)?.unwrap_or(32),
            seed: section.whole("seed", 0)?.unwrap_or(0),
            loss,
            metrics: section.descriptions("metrics")?,
            augment: section.descriptions("augment")?,
            class_weights: section.get("class_weights").map(ClassWeights::of_node).transpose()?,
            draw_balanced: section.get("draw").map(draw::of_node).transpose()?,
            optimizer: optimizer
                .ok_or_else(|| section.missing("optimizer", "an optimizer, such as \"adam(lr=0.001)\""))?,
            schedule: section.description("schedule")?,
            validate_every,
            shards: section.size("shards", 1)?,
            portable: section.flag("portable")?.unwrap_or(false),
            audit: section.flag("audit")?.unwrap_or(true),
            preparation: match section.get("preparation") {
                Some(node) => PreparationSection::of_node(node)?,
                None => PreparationSection::default(),
            },
            layers,
            outputs,
            early_stopping: section.get("early_stopping").map(StoppingSection::of_node).transpose()?,
            checkpoint_every,
            keep_checkpoints: keep.unwrap_or(2),
            data,
            text: String::new(),
            changes: Vec::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ConfigError, HeldOut, SplitMethod};
    use chainrule::tensor::Seed;

    const TABLE: &str = include_str!("../tests/table.toml");

    const OUTPUTS: &str = r#"
optimizer = "adam"
data = { table = "flats.csv", scale_targets = true, weights = "times" }
model = { layers = ["dense(16)", "relu"] }
[output."monthly rent"]
layers = ["dense(8)", "relu", "dense(1)"]
loss = "huber"
metrics = ["r2"]
[output.heating]
layers = ["dense(3)"]
loss = "cross_entropy"
weight = 0.5
target_kind = "classes"
"#;

    fn read(text: &str, changes: &[&str]) -> Result<Configuration, ConfigError> {
        Configuration::from_text("a.toml", text, changes, &chainrule::registry())
    }

    #[test]
    fn what_a_configuration_says() {
        let configuration = read(TABLE, &[]).unwrap();
        assert_eq!((configuration.epochs, configuration.batch_size, configuration.seed), (30, 16, 0));
        assert_eq!(configuration.data.split.test, HeldOut::Files("test.csv".into()));
        assert_eq!(configuration.data.split.method.value, SplitMethod::Grouped("garden".into()));
        let layers: Vec<String> = configuration.layers.iter().map(|layer| layer.value.to_string()).collect();
        assert_eq!(layers, ["dense(16)", "leaky_relu(negative_slope=0.2)", "relu then dense(3)"]);
        assert_eq!(configuration.early_stopping.unwrap().patience, 5);
        assert_eq!(configuration.checkpoint_every, CheckpointInterval::Steps(500));
    }

    /// Also where one of them is changed beside the file.
    #[test]
    fn outputs_are_in_the_order_of_the_file() {
        for change in ["epochs=3", "output.heating.weight=2", "output.monthly rent.weight=2"] {
            let configuration = read(OUTPUTS, &[change]).unwrap();
            let names: Vec<&str> =
                configuration.outputs.iter().map(|output| output.name.value.as_str()).collect();
            assert_eq!(names, ["monthly rent", "heating"], "{change}");
        }
        assert_eq!(read(OUTPUTS, &["output.heating.weight=2"]).unwrap().outputs[1].weight, 2.0);
    }

    #[test]
    fn changes_reach_into_texts_and_tables() {
        let changes = [
            "optimizer.lr=0.01",
            "optimizer.betas=[0.8, 0.99]",
            "schedule.steps=20",
            "model.layers.1.negative_slope=0.3",
            "model.layers.2=dense(4)",
            "data.kinds.petals=number",
            "metrics=f1",
        ];
        let configuration = read(TABLE, &changes).unwrap();
        let optimizer = "clip_by_global_norm(1) then adam(lr=0.01, betas=[0.8, 0.99])";
        assert_eq!(configuration.optimizer.value.to_string(), optimizer);
        assert_eq!(configuration.schedule.unwrap().value.to_string(), "warm_up(steps=20)");
        let layers: Vec<String> = configuration.layers.iter().map(|layer| layer.value.to_string()).collect();
        assert_eq!(layers, ["dense(16)", "leaky_relu(negative_slope=0.3)", "dense(4)"]);
        assert_eq!(configuration.metrics.len(), 1);
        // Given by its position, it is not given twice.
        let again = read(TABLE, &["model.layers.0.units=8", "optimizer.max_norm=2"]).unwrap();
        assert_eq!(again.layers[0].value.to_string(), "dense(8)");
        assert_eq!(again.optimizer.value.to_string(), "clip_by_global_norm(2) then adam(lr=0.003)");
    }

    /// So many steps within an epoch, for which there have to be validation data.
    #[test]
    fn a_validation_within_epochs_needs_data() {
        assert_eq!(read(TABLE, &[]).unwrap().validate_every, 0);
        assert_eq!(read(TABLE, &["validate_every=50"]).unwrap().validate_every, 50);
        let error = read(TABLE, &["validate_every=50", "data.validation=0"]).unwrap_err().to_string();
        assert!(error.contains("validate_every=50") && error.contains("`data.validation`"), "{error}");
        assert_eq!(read(TABLE, &["validate_every=0", "data.validation=0"]).unwrap().validate_every, 0);
        let error = read(TABLE, &["validate_every=0.5"]).unwrap_err().to_string();
        assert!(error.contains("a whole number of at least 0"), "{error}");
    }

    #[test]
    fn places_are_those_of_the_values() {
        for (from, to, place) in [
            ("\"hashing(8)\"", "\"hashing(8\"", (18, 23)),
            ("negative_slope = 0.2", "negative_slop = 0.2", (20, 24)),
            ("garden)", "garden))", (13, 25)),
            ("patience = 5", "patience = \"5\"", (22, 12)),
        ] {
            let error = read(&TABLE.replace(from, to), &[]).unwrap_err();
            let text = error.to_string();
            assert!(
                text.starts_with(&format!("a.toml, line {}, column {}", place.0, place.1)),
                "{to}: {text}"
            );
        }
    }

    /// Texts that are nearly configurations are read or refused.
    #[test]
    fn any_text_is_read_or_refused() {
        let registry = chainrule::registry();
        let mut rng = Seed(11).rng();
        let pieces = |text: &'static str| -> Vec<&str> {
            text.split_inclusive([' ', '=', '"', '\n', '(', ',', '.']).collect()
        };
        let texts = [TABLE, OUTPUTS].map(pieces);
        let mut read_well = [0; 2];
        for round in 0..6000 {
            let pieces = &texts[round % 2];
            let mut text: Vec<&str> = pieces.clone();
            for _ in 0..1 + rng.below(3) {
                let (at, from) = (rng.below(text.len()), rng.below(pieces.len()));
                match rng.below(3) {
                    0 => text[at] = pieces[from],
                    1 => text.insert(at, pieces[from]),
                    _ => drop(text.remove(at)),
                }
            }
            let text = text.concat();
            let change = text.lines().nth(rng.below(20)).unwrap_or_default().replace(' ', "");
            match Configuration::from_text("a.toml", &text, &[change; 1][..rng.below(2)], &registry) {
                Ok(_) => read_well[round % 2] += 1,
                Err(error) => assert!(error.to_string().len() > 10, "{error}"),
            }
        }
        assert!(read_well.iter().all(|&count| count > 100), "{read_well:?}");
    }
}
