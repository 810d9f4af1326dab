//! `train-mnist --write-config`: the training as a configuration, which `chainrule train` trains with the same bits.

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use chainrule::core::Registry;
use chainrule_cli::{dataset, families, terminal};
use chainrule_config::{Configuration, Rate, with_rate};

use crate::configured::{check_is_new, for_shell, write_text};
use crate::train_mnist::{Arguments, RATE_OPTIONS, layer_descriptions};

impl Arguments {
    /// Writes the configuration to a file.
    pub(crate) fn write_configuration(&self, path: &Path) -> Result<(), Box<dyn Error>> {
        check_is_new(path, "give another name with --write-config, or remove it")?;
        let directory = dataset::directory(self.dataset.as_ref(), self.data_dir.as_deref())?;
        // Paths in it are relative to its directory.
        let text = self.configuration(families::registry(), directory.canonicalize()?)?;
        Configuration::from_text(&path.display().to_string(), &text, &[""; 0], families::registry())?;
        write_text(path, &text)?;
        terminal::print_about(path, format_args!("written to  {}", path.display()))?;
        terminal::note(format_args!("train it: chainrule train {}", for_shell(path)));
        Ok(())
    }

    fn configuration(&self, registry: &Registry, directory: PathBuf) -> Result<String, Box<dyn Error>> {
        let (epochs, batch_size) = self.model.defaults();
        let rate =
            Rate { rate: self.lr, schedule: self.schedule.as_ref(), default: "cosine", names: RATE_OPTIONS };
        let optimizer = with_rate(registry, &self.optimizer, rate)?;
        let metrics = self.metric.iter().map(ToString::to_string);
        let metrics: Vec<String> = ["accuracy".to_owned()].into_iter().chain(metrics).collect();
        let layers: Vec<String> =
            layer_descriptions(self, registry)?.iter().map(ToString::to_string).collect();
        // Strings of JSON are such of TOML too.
        let quoted = |text: &str| serde_json::to_string(text);
        let mut text = String::new();
        writeln!(text, "epochs = {}", self.epochs.unwrap_or(epochs))?;
        writeln!(text, "batch_size = {}", self.batch_size.unwrap_or(batch_size))?;
        writeln!(text, "seed = {}", self.seed)?;
        writeln!(text, "loss = {}", quoted(&self.loss.to_string())?)?;
        writeln!(text, "metrics = {}", serde_json::to_string(&metrics)?)?;
        writeln!(text, "optimizer = {}", quoted(&optimizer.to_string())?)?;
        if let Some(shards) = self.shards {
            writeln!(text, "shards = {shards}")?;
        }
        for (key, is_given) in [("portable = true", self.portable), ("audit = false", self.no_audit)] {
            if is_given {
                writeln!(text, "{key}")?;
            }
        }
        let directory = directory.to_str().ok_or("the path of the data is not Unicode: give another one")?;
        writeln!(text, "\n[data]\nidx = {}", quoted(directory)?)?;
        writeln!(text, "\n[model]\nlayers = [")?;
        for layer in &layers {
            writeln!(text, "    {},", quoted(layer)?)?;
        }
        writeln!(text, "]\n\n[checkpoints]\nevery = {}", quoted(&self.checkpoint_every.to_string())?)?;
        writeln!(text, "keep = {}", self.keep_checkpoints)?;
        Ok(text)
    }
}
