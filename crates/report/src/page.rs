//! The page as a whole.

use sha2::{Digest, Sha256};

use crate::escape::html as escaped;
use crate::parts::{Section, sections};
use crate::report::{RunProgress, RunReport};

const TEMPLATE: &str = include_str!("../assets/page.html");
const STYLE: &str = include_str!("../assets/page.css");
const LIVE: &str = include_str!("../assets/live.js");
const SCRIPTS: [&str; 3] = [
    include_str!("../assets/chart.js"),
    include_str!("../assets/pictures.js"),
    include_str!("../assets/theme.js"),
];

/// What a page of a training that runs is told of it.
pub(crate) struct Live<'a> {
    pub(crate) version: u64,
    pub(crate) progress: &'a RunProgress,
}

impl Live<'_> {
    /// How far it is, as a bar and a line of text.
    fn progress(&self) -> String {
        let RunProgress { share, text } = self.progress;
        let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
        let bar = format!(
            "<progress max=\"1\" value=\"{share:.4}\" aria-label=\"Part of the training\"></progress>"
        );
        format!("{bar}<span class=\"text\">{}</span>", escaped(text))
    }
}

/// The page of a report; of a training that still runs, one that asks where it came from for the next one.
pub(crate) fn html(report: &RunReport, live: Option<&Live<'_>>) -> String {
    let RunReport { title, subtitle, figures, warnings, .. } = report;
    let script = [live.map_or("", |_| LIVE), &SCRIPTS.concat()].concat();
    let sections = sections(report);
    let link = |Section { id, title, .. }: &Section| format!("<li><a href=\"#{id}\">{title}</a></li>");
    let section = |Section { id, title, content }: &Section| {
        format!("<section id=\"{id}\"><h2>{title}</h2>{content}</section>\n")
    };
    let figure = |(name, value): &(String, String)| {
        format!("<div class=\"figure\"><dt>{}</dt><dd>{}</dd></div>", escaped(name), escaped(value))
    };
    let warning = |text: &String| format!("<li>{}</li>", escaped(text));
    let warnings = if warnings.is_empty() {
        String::new()
    } else {
        let list: String = warnings.iter().map(warning).collect();
        format!("<aside class=\"warnings\" aria-label=\"Warnings\"><ul>{list}</ul></aside>")
    };
    let progress = live.map(Live::progress).unwrap_or_default();
    let version = live.map(|live| format!(" data-version=\"{}\"", live.version)).unwrap_or_default();
    // An icon is asked for by browsers.
    let connect = live.map_or("", |_| " connect-src 'self'; img-src 'self';");
    let loads = live.map_or(
        "This page loads nothing from elsewhere.",
        |_| "The training runs; this page shows it until it ends, and can be saved then.",
    );
    fill(&[
        // Nothing but this script runs, and nothing is loaded, whatever a text might contain.
        ("version", &version),
        ("connect", connect),
        ("progress", &format!("<div id=\"progress\">{progress}</div>")),
        ("loads", loads),
        ("hash", &base64(&Sha256::digest(script.as_bytes()))),
        ("title", &escaped(title)),
        ("subtitle", &escaped(subtitle)),
        ("style", STYLE),
        ("figures", &figures.iter().map(figure).collect::<String>()),
        ("warnings", &warnings),
        ("links", &sections.iter().map(link).collect::<String>()),
        ("sections", &sections.iter().map(section).collect::<String>()),
        ("script", &script),
    ])
}

/// The template with these values in place of `{{name}}`. A value is not looked at again.
fn fill(values: &[(&str, &str)]) -> String {
    let mut page = String::new();
    let mut rest = TEMPLATE;
    while let Some((before, after)) = rest.split_once("{{") {
        page += before;
        let (name, after) = after.split_once("}}").unwrap_or((after, ""));
        page += values.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value);
        rest = after;
    }
    page + rest
}

/// Bytes in base 64, with padding (RFC 4648).
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let byte = |index: usize| u32::from(three.get(index).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for position in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * position) & 63) as usize];
            text.push(if position <= three.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_64_as_in_the_standard() {
        for (bytes, text) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }

    #[test]
    fn a_value_is_not_filled_again() {
        let page = html(&RunReport::new("{{script}}"), None);
        assert!(page.contains("<h1>{{script}}</h1>"));
    }
}
