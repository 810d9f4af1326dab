//! The section `data`: what is learnt from.

use std::path::{Path, PathBuf};

use chainrule::core::nearest_name;
use chainrule::data::WindowSize;
use chainrule::pictures::{Colour, Resize};
use chainrule::tables::{ColumnKind, DateOrder, Delimiter, TableReader};

use crate::array_section::ArraySection;
use crate::error::ConfigError;
use crate::location::{Located, Location};
use crate::node::{ConfigNode, ConfigValue};
use crate::output_section::OutputSection;
use crate::section::{ConfigSection, as_number};
use crate::series_section::window_size;
use crate::split_section::SplitSection;

/// The keys that say how the data are divided.
const SPLIT_KEYS: [&str; 4] = ["validation", "test", "split", "seed"];

/// The keys of tables.
const TABLE_KEYS: &[&str] = &[
    "table",
    "target",
    "target_kind",
    "scale_targets",
    "weights",
    "series",
    "ignore",
    "kinds",
    "delimiter",
    "header",
    "missing",
    "decimal_comma",
    "day_first",
    SPLIT_KEYS[0],
    SPLIT_KEYS[1],
    SPLIT_KEYS[2],
    SPLIT_KEYS[3],
];

/// The keys of pictures.
const PICTURE_KEYS: &[&str] =
    &["pictures", "size", "colour", "resize", SPLIT_KEYS[0], SPLIT_KEYS[1], SPLIT_KEYS[2], SPLIT_KEYS[3]];

/// The keys of arrays.
const ARRAY_KEYS: &[&str] = &[
    "arrays",
    "inputs",
    "target",
    "target_kind",
    "scale_targets",
    "divide_by",
    "in_memory",
    SPLIT_KEYS[0],
    SPLIT_KEYS[1],
    SPLIT_KEYS[2],
    SPLIT_KEYS[3],
];

/// The keys of IDX files, whose test set is files of their own.
const IDX_KEYS: &[&str] = &["idx", SPLIT_KEYS[0], SPLIT_KEYS[2], SPLIT_KEYS[3]];

/// The same of the files of CIFAR.
const CIFAR_KEYS: &[&str] = &["cifar", SPLIT_KEYS[0], SPLIT_KEYS[2], SPLIT_KEYS[3]];

/// The data of a training.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DataSection {
    /// What they are.
    pub source: DataSource,
    /// How they are divided.
    pub split: SplitSection,
    /// The section, for errors.
    pub(crate) at: Location,
}

/// What the data are.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum DataSource {
    /// A file such as CSV.
    Table(TableSection),
    /// A directory with a folder of pictures for each class.
    Pictures(PictureSection),
    /// A directory with the four files of MNIST or of a data set like it.
    Idx(PathBuf),
    /// A directory with the binary files of CIFAR-10 or CIFAR-100.
    Cifar(PathBuf),
    /// Arrays of NumPy.
    Arrays(ArraySection),
}

/// A table.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TableSection {
    /// The file.
    pub path: PathBuf,
    /// The columns that are to be predicted.
    pub targets: Vec<Located<String>>,
    /// Whether they are classes; without it, texts and yes and no are. Of several outputs each says that itself.
    pub classes: Option<bool>,
    /// Whether targets that are numbers are scaled to deviation 1 while they are learnt.
    pub scale_targets: bool,
    /// The column that says how much each row counts in the loss of the training.
    pub weights: Option<Located<String>>,
    /// How rows that are steps in time are cut into windows.
    pub series: Option<Located<WindowSize>>,
    /// Columns that are left out.
    pub ignore: Vec<Located<String>>,
    /// What columns are.
    pub kinds: Vec<(String, ColumnKind)>,
    /// How the file is written, as far as it is told.
    pub(crate) options: ReadingOptions,
}

/// How a table is written, as far as the reader is told.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReadingOptions {
    delimiter: Option<Delimiter>,
    header: Option<u64>,
    missing: Vec<String>,
    decimal_comma: Option<bool>,
    day_first: bool,
}

/// Pictures.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PictureSection {
    /// The directory.
    pub path: PathBuf,
    /// The height and width that all are brought to.
    pub size: Option<[usize; 2]>,
    /// Their channels.
    pub colour: Option<Colour>,
    /// What becomes of those of another size.
    pub resize: Option<Resize>,
}

impl DataSection {
    /// The section, where there may be several outputs.
    pub(crate) fn of_node(node: &ConfigNode, outputs: &[OutputSection]) -> Result<Self, ConfigError> {
        let open = ConfigSection::open("data", node)?;
        let is = |key: &str| open.get(key).is_some();
        let source = match [is("table"), is("pictures"), is("idx"), is("arrays"), is("cifar")] {
            [true, false, false, false, false] => {
                let section = ConfigSection::new("data", node, TABLE_KEYS)?;
                DataSource::Table(TableSection::of(&section, outputs)?)
            }
            [false, true, false, false, false] => {
                let section = ConfigSection::new("data", node, PICTURE_KEYS)?;
                DataSource::Pictures(PictureSection::of(&section)?)
            }
            [false, false, false, true, false] => {
                let section = ConfigSection::new("data", node, ARRAY_KEYS)?;
                DataSource::Arrays(ArraySection::of(&section)?)
            }
            [false, false, true, false, false] => {
                let section = ConfigSection::new("data", node, IDX_KEYS)?;
                let path = section.text("idx")?.map(|path| path.value).unwrap_or_default();
                DataSource::Idx(path.into())
            }
            [false, false, false, false, true] => {
                let section = ConfigSection::new("data", node, CIFAR_KEYS)?;
                let path = section.text("cifar")?.map(|path| path.value).unwrap_or_default();
                DataSource::Cifar(path.into())
            }
            _ => {
                let problem = "give one of `table` (a file such as CSV), `pictures` (a directory with a folder for each class), \
                               `idx` (a directory with files as MNIST's), `cifar` (one with those of CIFAR) and `arrays` (a file of NumPy)";
                return Err(ConfigError::Contradiction { at: open.at, problem: problem.to_owned() });
            }
        };
        if let (Some(output), false) = (outputs.first(), matches!(source, DataSource::Table(_))) {
            let problem = "several outputs are columns of a table: give `data.table`, or leave out [output]";
            return Err(ConfigError::Contradiction { at: output.name.at.clone(), problem: problem.into() });
        }
        let split = SplitSection::of(&open, matches!(source, DataSource::Idx(_) | DataSource::Cifar(_)))?;
        Ok(Self { source, split, at: open.at })
    }

    /// The column that says how much each sample counts.
    pub(crate) fn weights(&self) -> Option<&Located<String>> {
        match &self.source {
            DataSource::Table(table) => table.weights.as_ref(),
            _ => None,
        }
    }

    /// Takes relative paths for such from this directory.
    pub(crate) fn resolve(&mut self, directory: &Path) {
        let path = match &mut self.source {
            DataSource::Table(table) => &mut table.path,
            DataSource::Pictures(pictures) => &mut pictures.path,
            DataSource::Idx(path) | DataSource::Cifar(path) => path,
            DataSource::Arrays(arrays) => {
                arrays.resolve_target(directory);
                &mut arrays.path
            }
        };
        *path = directory.join(&path);
        for path in self.split.files_mut() {
            *path = directory.join(&path);
        }
    }

    /// Where the data are.
    pub(crate) fn paths(&self) -> Vec<&Path> {
        let mut paths = match &self.source {
            DataSource::Table(table) => vec![&*table.path],
            DataSource::Pictures(pictures) => vec![&*pictures.path],
            DataSource::Idx(path) | DataSource::Cifar(path) => vec![&**path],
            DataSource::Arrays(arrays) => arrays.files(),
        };
        paths.extend(self.split.files());
        paths
    }
}

impl TableSection {
    fn of(section: &ConfigSection<'_>, outputs: &[OutputSection]) -> Result<Self, ConfigError> {
        let path = section.text("table")?.map(|path| path.value).unwrap_or_default();
        let given = ["target", "target_kind", "series"];
        if let (Some(output), Some((key, node))) =
            (outputs.first(), given.iter().find_map(|key| Some((key, section.get(key)?))))
        {
            let problem = match *key {
                "series" => {
                    "a series has one output for all targets: leave out [output], and give `target`".into()
                }
                key => format!(
                    "the outputs say it, the first of which is [output.{}]: leave out `data.{key}`",
                    output.name.value
                ),
            };
            return Err(ConfigError::Contradiction { at: node.at.clone(), problem });
        }
        let mut targets = section.texts("target")?;
        targets.extend(outputs.iter().map(|output| output.name.clone()));
        if targets.is_empty() {
            return Err(
                section.missing("target", "the name of the column to be predicted, or a list of several")
            );
        }
        let classes = target_kind(section)?;
        if let (Some(true), Some(second)) = (classes, targets.get(1)) {
            let problem =
                "of several targets none can be classes: give one target, or each an output of its own, as in [output.NAME]"
                    .to_owned();
            return Err(ConfigError::Contradiction { at: second.at.clone(), problem });
        }
        let series = section.get("series").map(window_size).transpose()?;
        let weights = section.text("weights")?;
        if let (Some(weights), Some(_)) = (&weights, &series) {
            let problem = "the windows of a series count all alike: leave out `data.weights`".to_owned();
            return Err(ConfigError::Contradiction { at: weights.at.clone(), problem });
        }
        let mut kinds = Vec::new();
        if let Some(node) = section.get("kinds") {
            for entry in ConfigSection::open("data.kinds", node)?.entries() {
                kinds.push((entry.key.clone(), column_kind(&entry.key, &entry.node)?));
            }
        }
        Ok(Self {
            path: path.into(),
            targets,
            classes,
            scale_targets: section.flag("scale_targets")?.unwrap_or(series.is_some()),
            weights,
            series,
            ignore: section.texts("ignore")?,
            kinds,
            options: ReadingOptions {
                delimiter: section.text("delimiter")?.map(|sign| delimiter(sign, section)).transpose()?,
                header: section.whole("header", 0)?,
                missing: section.texts("missing")?.into_iter().map(|text| text.value).collect(),
                decimal_comma: section.flag("decimal_comma")?,
                day_first: section.flag("day_first")?.unwrap_or(false),
            },
        })
    }

    /// A reader of a file like this table.
    pub(crate) fn reader(&self, path: &Path) -> TableReader {
        let reader = TableReader::new(path);
        let kinds = self.kinds.iter();
        self.options.tell(kinds.fold(reader, |reader, (column, kind)| reader.kind(column, *kind)))
    }
}

impl ReadingOptions {
    /// Tells a reader.
    pub(crate) fn tell(&self, reader: TableReader) -> TableReader {
        let Self { delimiter, header, missing, decimal_comma, day_first } = self;
        let mut reader = missing.iter().fold(reader, |reader, text| reader.missing(text));
        if let Some(delimiter) = *delimiter {
            reader = reader.delimiter(delimiter);
        }
        reader = match *header {
            None => reader,
            Some(0) => reader.header(false),
            Some(line) => reader.header_line(line),
        };
        if let Some(comma) = *decimal_comma {
            reader = reader.decimal_comma(comma);
        }
        if *day_first { reader.date_order(DateOrder::DayFirst) } else { reader }
    }
}

impl PictureSection {
    fn of(section: &ConfigSection<'_>) -> Result<Self, ConfigError> {
        let path = section.text("pictures")?.map(|path| path.value).unwrap_or_default();
        let size = match section.get("size") {
            None => None,
            Some(node) => {
                let side = |node: &ConfigNode| match node.value {
                    ConfigValue::Integer(side @ 1..=32_768) => Some(side as usize),
                    _ => None,
                };
                let sides = match &node.value {
                    ConfigValue::List(sides) => sides.iter().map(side).collect::<Option<Vec<_>>>(),
                    _ => side(node).map(|side| vec![side, side]),
                };
                let sides = sides.and_then(|sides| <[usize; 2]>::try_from(sides).ok());
                let allowed = "a height and a width from 1 to 32768, such as [64, 64]";
                Some(sides.ok_or_else(|| node.wrong(&section.path("size"), allowed))?)
            }
        };
        let colours = [("grey", Colour::Grey), ("rgb", Colour::Rgb), ("rgba", Colour::Rgba)];
        let ways = [("refuse", Resize::Refuse), ("stretch", Resize::Stretch), ("fill", Resize::Fill)];
        Ok(Self {
            path: path.into(),
            size,
            colour: one_of(section, "colour", &colours)?,
            resize: one_of(section, "resize", &ways)?,
        })
    }
}

/// Whether targets are classes, if it is given.
pub(crate) fn target_kind(section: &ConfigSection<'_>) -> Result<Option<bool>, ConfigError> {
    one_of(section, "target_kind", &[("classes", true), ("numbers", false)])
}

/// The value of one of these words.
fn one_of<V: Copy>(
    section: &ConfigSection<'_>,
    key: &str,
    words: &[(&'static str, V)],
) -> Result<Option<V>, ConfigError> {
    let Some(text) = section.text(key)? else { return Ok(None) };
    match words.iter().find(|(word, _)| *word == text.value) {
        Some((_, value)) => Ok(Some(*value)),
        None => {
            let known: Vec<String> = words.iter().map(|(word, _)| format!("{word:?}")).collect();
            let (found, allowed) = (format!("{:?}", text.value), format!("one of {}", known.join(", ")));
            Err(ConfigError::Value { at: text.at, key: section.path(key), found, allowed })
        }
    }
}

fn column_kind(column: &str, node: &ConfigNode) -> Result<ColumnKind, ConfigError> {
    let names = ColumnKind::ALL.map(ColumnKind::name);
    let key = format!("data.kinds.{column}");
    let ConfigValue::Text(text) = &node.value else {
        return Err(node.wrong(&key, format!("one of {}", names.join(", "))));
    };
    let found = ColumnKind::ALL.into_iter().find(|kind| kind.name() == text);
    found.ok_or_else(|| {
        let nearest = nearest_name(text, names).unwrap_or_default();
        node.wrong(&key, format!("one of {}; the nearest is {nearest}", names.join(", ")))
    })
}

fn delimiter(sign: Located<String>, section: &ConfigSection<'_>) -> Result<Delimiter, ConfigError> {
    let byte = match &*sign.value {
        "tab" => b'\t',
        "blanks" => b' ',
        text => match text.as_bytes() {
            [byte] if byte.is_ascii() => *byte,
            _ => {
                let (key, found) = (section.path("delimiter"), format!("{text:?}"));
                let allowed = "one sign of ASCII, \"tab\" or \"blanks\"".to_owned();
                return Err(ConfigError::Value { at: sign.at, key, found, allowed });
            }
        },
    };
    Ok(byte.into())
}

/// A share of the samples, above 0 and below 1.
pub(crate) fn share(node: &ConfigNode) -> Option<f64> {
    as_number(node).filter(|share| (0.0..1.0).contains(share))
}
