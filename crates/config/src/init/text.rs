//! The text of a configuration.

use std::path::Path;

/// What is minimised and measured, and the layers whose last one does that.
pub(super) struct SuggestedLoss {
    pub(super) loss: &'static str,
    /// Why that loss.
    pub(super) because: String,
    pub(super) metrics: Vec<&'static str>,
}

/// What one of several outputs is.
pub(super) struct SuggestedOutput {
    pub(super) name: String,
    pub(super) loss: SuggestedLoss,
    pub(super) layers: Vec<String>,
    /// The lines that say that whole numbers are classes.
    pub(super) target_kind: Vec<String>,
}

/// What a configuration says, from which its text is made.
pub(super) struct Suggestion {
    /// Lines about the data, for the beginning.
    pub(super) about: Vec<String>,
    pub(super) epochs: u64,
    pub(super) batch_size: usize,
    /// That of the one output.
    pub(super) loss: Option<SuggestedLoss>,
    /// Those of several.
    pub(super) outputs: Vec<SuggestedOutput>,
    /// The lines of the section `data`.
    pub(super) data: Vec<String>,
    /// The lines of the section `preparation`, for tables.
    pub(super) preparation: Vec<String>,
    pub(super) layers: Vec<String>,
    pub(super) patience: u64,
}

impl Suggestion {
    pub(super) fn text(&self) -> String {
        let Self { about, epochs, batch_size, loss, outputs, data, preparation, layers, patience } = self;
        let mut text = String::new();
        let mut line = |line: &str| {
            text += line;
            text += "\n";
        };
        for about in about {
            line(&format!("# {about}"));
        }
        line(
            "# All names of layers, losses, metrics, optimizers, schedules and transforms: `chainrule list`.",
        );
        line("");
        line(&format!("epochs = {epochs}            # passes over the training data, at most"));
        line(&format!("batch_size = {batch_size}"));
        line("seed = 0               # of the first weights and of the order of the samples");
        let loss_lines = |SuggestedLoss { loss, because, metrics }: &SuggestedLoss| {
            let metrics: Vec<String> = metrics.iter().map(|metric| quoted(metric)).collect();
            [format!("loss = {}  # {because}", quoted(loss)), format!("metrics = [{}]", metrics.join(", "))]
        };
        if let Some(loss) = loss {
            loss_lines(loss).iter().for_each(|text| line(text));
        }
        line("optimizer = \"adam(lr=0.003)\"");
        line("schedule = \"cosine\"    # how the learning rate changes; leave it out for a constant one");
        line("");
        line("[data]");
        data.iter().for_each(|data| line(data));
        if !preparation.is_empty() {
            line("");
            line(
                "# What becomes of the columns. What is learnt for it, such as a mean, is learnt from the training data alone,",
            );
            line("# and saved with the model.");
            line("[preparation]");
            preparation.iter().for_each(|preparation| line(preparation));
        }
        line("");
        line("[model]");
        line("layers = [");
        layers.iter().for_each(|layer| line(&format!("    {},", quoted(layer))));
        line("]");
        if !outputs.is_empty() {
            line("");
            line(
                "# What is predicted: each output has layers of its own after those of the model, and counts so much in the loss.",
            );
        }
        for (index, SuggestedOutput { name, loss, layers, target_kind }) in outputs.iter().enumerate() {
            if index > 0 {
                line("");
            }
            line(&format!("[output.{}]", quoted_key(name)));
            target_kind.iter().for_each(|text| line(text));
            let layers: Vec<String> = layers.iter().map(|layer| quoted(layer)).collect();
            line(&format!("layers = [{}]", layers.join(", ")));
            loss_lines(loss).iter().for_each(|text| line(text));
            line("weight = 1");
        }
        line("");
        line(
            "# The training ends when the validation has not improved for so many epochs; the best weights are kept.",
        );
        line("[early_stopping]");
        line(&format!("patience = {patience}"));
        line("");
        line("# So that a training that was interrupted can go on: `chainrule resume`.");
        line("[checkpoints]");
        line("every = \"60s\"");
        line("keep = 2");
        text
    }
}

/// A text in quotation marks, as TOML reads it.
pub(super) fn quoted(text: &str) -> String {
    let plain = |c: char| !c.is_control() && c != '\'';
    if text.contains(['"', '\\']) && text.chars().all(plain) {
        return format!("'{text}'");
    }
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted += &format!("\\u{:04X}", u32::from(c)),
            c => quoted.push(c),
        }
    }
    quoted + "\""
}

/// A key of TOML, in quotation marks if it needs them.
fn quoted_key(name: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !name.is_empty() && name.chars().all(is_bare) { name.to_owned() } else { quoted(name) }
}

/// A path in quotation marks.
pub(super) fn quoted_path(path: &Path) -> String {
    quoted(&path.display().to_string())
}

/// The last part of a path.
pub(super) fn name_of(path: &Path) -> String {
    let absolute = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    absolute.file_name().unwrap_or(absolute.as_os_str()).to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_texts_are_read_as_they_were() {
        for text in ["plain", "a \"b\"", "c:\\d", "it's \"so\"", "tab\there", "é\u{7f}\n"] {
            let toml = format!("x = {}", quoted(text));
            let table = toml::de::DeTable::parse(&toml).unwrap();
            assert_eq!(table.get_ref().get("x").unwrap().get_ref().as_str(), Some(text), "{toml}");
            let toml = format!("{} = 1", quoted_key(text));
            assert!(toml::de::DeTable::parse(&toml).unwrap().get_ref().contains_key(text), "{toml}");
        }
    }
}
