//! The sections `output.NAME`: what each of several outputs is.

use chainrule::core::Description;

use crate::data_section::target_kind;
use crate::error::ConfigError;
use crate::location::Located;
use crate::node::ConfigNode;
use crate::section::ConfigSection;

/// The keys of an output.
const KEYS: &[&str] = &["layers", "loss", "metrics", "weight", "target_kind"];

/// One of several outputs of a model: a column of the table that is predicted, the layers that only this output has, and how well it does.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OutputSection {
    /// Its name, which is that of the column.
    pub name: Located<String>,
    /// The layers between those of the model and this output.
    pub layers: Vec<Located<Description>>,
    /// What is minimised.
    pub loss: Located<Description>,
    /// What is reported besides.
    pub metrics: Vec<Located<Description>>,
    /// How much its loss counts in that of the training.
    pub weight: f64,
    /// Whether its values are classes; without it, texts and yes and no are.
    pub classes: Option<bool>,
}

impl OutputSection {
    /// All outputs, in the order of the file.
    pub(crate) fn all(node: &ConfigNode) -> Result<Vec<Self>, ConfigError> {
        let section = ConfigSection::open("output", node)?;
        let mut entries: Vec<_> = section.entries().iter().collect();
        // What was changed beside the file has no position, but the table that it is in has.
        entries.sort_by_key(|entry| entry.node.at.position().unwrap_or((usize::MAX, 0)));
        let outputs: Vec<Self> = entries
            .into_iter()
            .map(|entry| Self::of(Located { value: entry.key.clone(), at: entry.at.clone() }, &entry.node))
            .collect::<Result<_, _>>()?;
        if outputs.is_empty() {
            let what =
                "a table for each column that is to be predicted, as in [output.rent], or leave it out";
            return Err(section.missing("NAME", what));
        }
        if outputs.iter().all(|output| output.weight == 0.0) {
            let problem = "all outputs have the weight 0, so there is nothing to learn: give one of them more, or leave it out";
            return Err(ConfigError::Contradiction {
                at: outputs[0].name.at.clone(),
                problem: problem.to_owned(),
            });
        }
        Ok(outputs)
    }

    fn of(name: Located<String>, node: &ConfigNode) -> Result<Self, ConfigError> {
        let section = ConfigSection::new(&format!("output.{}", name.value), node, KEYS)?;
        let layers = section.descriptions("layers")?;
        if layers.is_empty() {
            return Err(section.missing("layers", "the layers of this output alone, such as [\"dense(1)\"]"));
        }
        let loss = section.description("loss")?;
        let weight = section.number("weight")?;
        if let Some(Located { value, at }) = weight.as_ref().filter(|weight| weight.value < 0.0) {
            let (key, found) = (section.path("weight"), value.to_string());
            let allowed = "a finite number of at least 0".to_owned();
            return Err(ConfigError::Value { at: at.clone(), key, found, allowed });
        }
        Ok(Self {
            loss: loss.ok_or_else(|| section.missing("loss", "a loss, such as \"mean_squared_error\""))?,
            metrics: section.descriptions("metrics")?,
            weight: weight.map_or(1.0, |weight| weight.value),
            classes: target_kind(&section)?,
            layers,
            name,
        })
    }

    /// The key of one of its settings.
    pub(crate) fn key(&self, setting: &str) -> String {
        format!("output.{}.{setting}", self.name.value)
    }

    /// Its last layer, whose outputs are its own.
    pub(crate) fn last(&self) -> &Located<Description> {
        self.layers.last().expect("an output has layers")
    }
}
