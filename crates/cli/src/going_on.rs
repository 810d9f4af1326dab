//! What a training leaves for going on with it: its checkpoint, the options in it, and the command.

use std::path::{Path, PathBuf};

use chainrule::core::Description;
use chainrule_config::CheckpointInterval;
use clap::ValueEnum;

use crate::configured::for_shell;
use crate::resume;
use crate::train_mnist::Arguments;

impl Arguments {
    /// The file for checkpoints.
    pub(crate) fn checkpoint(&self) -> PathBuf {
        let own = self.checkpoint.clone().or_else(|| self.resume.clone());
        own.unwrap_or_else(|| {
            let mut path = self.out.clone().into_os_string();
            path.push(".checkpoint");
            path.into()
        })
    }

    /// The notes of the options that make the training what it is, for its checkpoints.
    pub(crate) fn notes(&self, epochs: u64, dataset: &str) -> Vec<(String, String)> {
        let options = self.options(epochs, dataset).into_iter();
        options.map(|(name, value)| resume::note(&name, value)).collect()
    }

    /// The options that make the training what it is, with their values.
    pub(crate) fn options(&self, epochs: u64, dataset: &str) -> Vec<(String, String)> {
        let Self {
            model, batch_size, hidden, activation, init, loss, optimizer, lr, schedule, metric, ..
        } = self;
        let text = |value: &Option<Description>| value.as_ref().map(ToString::to_string);
        let units = |units: &Vec<usize>| units.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        let name = model.to_possible_value().map(|value| value.get_name().to_owned());
        let options = [
            ("model", name),
            ("epochs", Some(epochs.to_string())),
            ("batch-size", batch_size.map(|size| size.to_string())),
            ("hidden", hidden.as_ref().map(units)),
            ("activation", text(activation)),
            ("init", text(init)),
            ("loss", Some(loss.to_string())),
            ("optimizer", Some(optimizer.to_string())),
            ("lr", lr.map(|rate| rate.to_string())),
            ("schedule", text(schedule)),
            ("seed", Some(self.seed.to_string())),
            ("shards", self.shards.map(|shards| shards.to_string())),
            ("portable", self.portable.then(String::new)),
            ("distributed", self.distributed.then(String::new)),
            ("dataset", Some(dataset.to_owned())),
        ];
        let given = options.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        let metrics = metric.iter().enumerate();
        let metrics = metrics.map(|(index, metric)| (format!("metric {index}"), metric.to_string()));
        given.chain(metrics).collect()
    }

    /// The command that goes on from a checkpoint in so many processes, with the options that name files.
    pub(crate) fn to_go_on(&self, checkpoint: &Path, processes: usize) -> String {
        let Self { json, report, out, data_dir, checkpoint_every, keep_checkpoints, .. } = self;
        let mut command = format!("chainrule train-mnist --resume {}", for_shell(checkpoint));
        for (option, path) in [("json", json), ("report", report), ("data-dir", data_dir)] {
            if let Some(path) = path {
                command += &format!(" --{option} {}", for_shell(path));
            }
        }
        if let Some(address) = &self.watch {
            command += &format!(" --watch={address}");
        }
        if processes > 1 {
            command += &format!(" --processes {processes}");
        }
        if out != Path::new("mnist.chainrule") {
            command += &format!(" --out {}", for_shell(out));
        }
        if *checkpoint_every != CheckpointInterval::Seconds(60.0) {
            command += &format!(" --checkpoint-every {checkpoint_every}");
        }
        if *keep_checkpoints != 2 {
            command += &format!(" --keep-checkpoints {keep_checkpoints}");
        }
        command
    }
}
