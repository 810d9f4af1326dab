//! `chainrule data info`: what a table holds.

use std::error::Error;
use std::fmt::Write;
use std::path::PathBuf;

use chainrule::core::nearest_name;
use chainrule::tables::{
    ColumnKind, ColumnSummary, DateOrder, Table, TableFormat, TableReader, TableWarning,
};
use chainrule_cli::terminal;
use clap::Args;
use serde_json::{Value, json};

use crate::configured::for_shell;

/// How many letters of a text are shown.
const MAX_TEXT: usize = 28;

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// The file.
    file: PathBuf,
    /// Print an object, as JSON.
    #[arg(long)]
    json: bool,
    /// The column to be predicted, for warnings about features that contain it.
    #[arg(long)]
    target: Option<String>,
    /// The kind of a column, as COLUMN=KIND: number, category, boolean, date, text or identifier; may be given several times
    /// [default: found].
    #[arg(long, value_name = "COLUMN=KIND", value_parser = column_kind)]
    kind: Vec<(String, ColumnKind)>,
    /// The sign between fields, or `tab`; `blanks` is any number of spaces and tabs [default: found].
    #[arg(long, value_parser = delimiter)]
    delimiter: Option<u8>,
    /// The line of the header, from 1; 0 is for a file without one [default: found].
    #[arg(long, value_name = "LINE")]
    header: Option<u64>,
    /// A text that stands for a missing value, such as -999; may be given several times [default: empty, NA, NaN, null and the like,
    /// and among numbers also ?, ., - and *].
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    missing: Vec<String>,
    /// Numbers have decimal commas, and points between thousands [default: found].
    #[arg(long)]
    decimal_comma: bool,
    /// In dates such as 1/2/2003 the day comes first [default: found].
    #[arg(long)]
    day_first: bool,
}

fn column_kind(text: &str) -> Result<(String, ColumnKind), String> {
    let (column, kind) = text.rsplit_once('=').ok_or("it has no `=`, as in age=number")?;
    let names = ColumnKind::ALL.map(ColumnKind::name);
    let found = ColumnKind::ALL.into_iter().find(|known| known.name() == kind);
    let nearest = || nearest_name(kind, names).unwrap_or_default();
    let found =
        found.ok_or_else(|| format!("there is no kind named `{kind}`; the nearest is `{}`", nearest()))?;
    Ok((column.to_owned(), found))
}

fn delimiter(text: &str) -> Result<u8, String> {
    match text {
        "tab" | "\\t" => Ok(b'\t'),
        "blanks" | "spaces" => Ok(b' '),
        _ => match text.as_bytes() {
            [byte] if byte.is_ascii() => Ok(*byte),
            _ => Err("it must be one sign of ASCII, `tab` or `blanks`".to_owned()),
        },
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let file = &arguments.file;
    if file.is_dir() {
        let (name, given) = (file.display(), for_shell(file));
        return Err(format!(
            "{name} is a directory, not a table: of pictures in a folder for each class, `chainrule data show {given}` writes a sheet"
        )
        .into());
    }
    let table = reader(arguments).read()?;
    let target = arguments.target.as_deref().map(|name| table.column(name)).transpose()?;
    let columns = table.summary();
    let warnings = table.warnings(target.as_slice());
    let text = if arguments.json {
        serde_json::to_string_pretty(&object(&table, &columns, &warnings))?
    } else {
        words(&table, &columns)
    };
    terminal::print(text.trim_end())?;
    if !arguments.json {
        warnings.iter().for_each(|warning| terminal::note(format_args!("warning: {warning}")));
    }
    Ok(())
}

fn reader(arguments: &Arguments) -> TableReader {
    let Arguments { file, kind, delimiter, header, missing, decimal_comma, day_first, .. } = arguments;
    let mut reader = TableReader::new(file);
    for (column, kind) in kind {
        reader = reader.kind(column, *kind);
    }
    for text in missing {
        reader = reader.missing(text);
    }
    if let Some(delimiter) = *delimiter {
        reader = reader.delimiter(delimiter);
    }
    match *header {
        Some(0) => reader = reader.header(false),
        Some(line) => reader = reader.header_line(line),
        None => {}
    }
    if *decimal_comma {
        reader = reader.decimal_comma(true);
    }
    if *day_first {
        reader = reader.date_order(DateOrder::DayFirst);
    }
    reader
}

fn object(table: &Table, columns: &[ColumnSummary], warnings: &[TableWarning]) -> Value {
    let source = table.source();
    let column = |column: &ColumnSummary| {
        let number = |number: Option<f64>| match number {
            Some(number) if column.is_date => json!(column.number_text(number)),
            number => json!(number),
        };
        let frequent = |(text, count): &(String, usize)| json!({ "value": text, "count": count });
        json!({
            "name": column.name,
            "kind": column.kind.name(),
            "missing": column.missing,
            "distinct": column.distinct,
            "minimum": number(column.minimum),
            "maximum": number(column.maximum),
            "mean": number(column.mean),
            "style": column.style,
            "frequent": column.frequent.iter().map(frequent).collect::<Vec<_>>(),
        })
    };
    let mut object = json!({
        "file": source.path.display().to_string(),
        "row_names": table.row_names().is_some(),
        "rows": table.rows(),
        "columns": columns.iter().map(column).collect::<Vec<_>>(),
        "warnings": warnings.iter().map(ToString::to_string).collect::<Vec<_>>(),
    });
    // What a text says of itself; of a Parquet file there is nothing to say.
    if let TableFormat::Text { encoding, delimiter, header, skipped, .. } = source.format {
        object["encoding"] = json!(encoding.to_string());
        object["gzip"] = json!(source.compressed);
        object["delimiter"] = json!(delimiter.words());
        object["header"] = json!(header);
        object["skipped_lines"] = json!(skipped);
    }
    object["format"] = json!(if source.format == TableFormat::Parquet { "parquet" } else { "text" });
    object
}

/// The table in words.
fn words(table: &Table, columns: &[ColumnSummary]) -> String {
    let source = table.source();
    let mut text = format!("{}: {} rows, {} columns", source.path.display(), table.rows(), columns.len());
    text += &match source.format {
        TableFormat::Text { encoding, delimiter, header, skipped, .. } => {
            let gzip = if source.compressed { ", gzip" } else { "" };
            let header = if header { "" } else { ", no header" };
            let names = if table.row_names().is_some() { ", rows with names" } else { "" };
            let skipped = match skipped {
                0 => String::new(),
                1 => ", without the first line".to_owned(),
                lines => format!(", without the first {lines} lines"),
            };
            format!(" separated by {}, {encoding}{gzip}{header}{names}{skipped}", delimiter.words())
        }
        _ => ", Parquet".to_owned(),
    };
    let header = ["name", "kind", "missing", "distinct", "minimum", "maximum", "mean"].map(str::to_owned);
    let rows: Vec<[String; 7]> = std::iter::once(header).chain(columns.iter().map(cells)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..7).map(width).collect();
    text += "\n\n";
    for (row, column) in rows.iter().zip(std::iter::once(None).chain(columns.iter().map(Some))) {
        let mut line = String::new();
        for (index, (cell, &width)) in row.iter().zip(&widths).enumerate() {
            let pad = " ".repeat(width - cell.chars().count());
            // Words to the left, figures to the right.
            let _ = if index < 2 { write!(line, "{cell}{pad}  ") } else { write!(line, "{pad}{cell}  ") };
        }
        let frequent = column.map(frequent).unwrap_or_default();
        let _ = writeln!(text, "{}", format!("{line}{frequent}").trim_end());
    }
    text
}

fn cells(column: &ColumnSummary) -> [String; 7] {
    let number = |number: Option<f64>| match number {
        None => "–".to_owned(),
        Some(number) if column.is_date => column.number_text(number),
        Some(number) => short(number),
    };
    [
        cut(&column.name),
        column.kind.name().to_owned(),
        column.missing.to_string(),
        column.distinct.to_string(),
        number(column.minimum),
        number(column.maximum),
        number(column.mean),
    ]
}

/// The most frequent texts of a column, and how its numbers are written.
fn frequent(column: &ColumnSummary) -> String {
    if !column.style.is_empty() {
        return column.style.clone();
    }
    if column.kind == ColumnKind::Identifier {
        return String::new();
    }
    let texts = column.frequent.iter().take(3).map(|(text, count)| format!("{} ({count})", cut(text)));
    texts.collect::<Vec<_>>().join(", ")
}

/// With six digits that count, as far as that is shorter.
fn short(number: f64) -> String {
    let exact = number.to_string();
    let magnitude = number.abs();
    let rounded = if magnitude >= 1e15 || (magnitude < 1e-4 && magnitude > 0.0) {
        format!("{number:.5e}")
    } else {
        let before = magnitude.log10().floor().max(0.0) as usize + 1;
        format!("{number:.*}", 6usize.saturating_sub(before))
    };
    if rounded.len() < exact.len() { rounded } else { exact }
}

fn cut(text: &str) -> String {
    if text.chars().count() <= MAX_TEXT {
        return text.replace(['\n', '\r', '\t'], " ");
    }
    let start: String = text.chars().take(MAX_TEXT - 1).collect();
    start.replace(['\n', '\r', '\t'], " ") + "…"
}
