//! Tables.

use crate::escape::html;
use crate::report::{CurveSeries, LayerFacts, TextTable};

/// The most classes whose confusion is shown as a table.
const CLASSES: usize = 60;

/// The most letters of a text in a row of a table, and of the whole text that is shown with it.
const LETTERS: usize = 60;
const MOST_LETTERS: usize = 4000;

/// The beginning of a text that has more letters than these.
fn cut(text: &str, letters: usize) -> Option<String> {
    let (end, _) = text.char_indices().nth(letters)?;
    Some(format!("{}…", text[..end].trim_end()))
}

/// Names with values.
pub(crate) fn facts(facts: &[(String, String)]) -> String {
    let row = |(name, value): &(String, String)| format!("<dt>{}</dt><dd>{}</dd>", html(name), html(value));
    format!("<dl class=\"facts\">{}</dl>", facts.iter().map(row).collect::<String>())
}

/// A table of texts, in which numbers are at the right.
pub(crate) fn texts(TextTable { columns, rows }: &TextTable, label: &str) -> String {
    let is_number = |column: usize| {
        let mut texts = rows.iter().filter_map(|row| row.get(column)).filter(|text| !text.is_empty());
        texts.all(|text| text.parse::<f64>().is_ok())
    };
    let class = |column: usize| if is_number(column) { " class=\"number\"" } else { "" };
    let classes: Vec<&str> = (0..columns.len()).map(class).collect();
    let heads = columns.iter().zip(&classes);
    let heads: String =
        heads.map(|(name, class)| format!("<th scope=\"col\"{class}>{}</th>", html(name))).collect();
    let cell = |(text, class): (&String, &&str)| match cut(text, LETTERS) {
        None => format!("<td{class}>{}</td>", html(text)),
        Some(start) => {
            let whole = cut(text, MOST_LETTERS).unwrap_or_else(|| text.clone());
            format!("<td{class} title=\"{}\">{}</td>", html(&whole), html(&start))
        }
    };
    let row =
        |row: &Vec<String>| format!("<tr>{}</tr>", row.iter().zip(&classes).map(cell).collect::<String>());
    format!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{}\"><table class=\"texts\"><thead><tr>{heads}</tr></thead><tbody>{}</tbody></table></div>",
        html(label),
        rows.iter().map(row).collect::<String>()
    )
}

/// The confusion of classes: a row for each true class, shaded by its part of the row. `None` if it is no square, or too large.
pub(crate) fn confusion(counts: &[Vec<u64>], name: impl Fn(usize) -> String) -> Option<String> {
    let classes = counts.len();
    if !(2..=CLASSES).contains(&classes) || counts.iter().any(|row| row.len() != classes) {
        return None;
    }
    let heads: String =
        (0..classes).map(|class| format!("<th scope=\"col\">{}</th>", html(&name(class)))).collect();
    let mut rows = String::new();
    for (class, row) in counts.iter().enumerate() {
        let all: u64 = row.iter().fold(0, |all, count| all.saturating_add(*count));
        rows += &format!("<tr><th scope=\"row\">{}</th>", html(&name(class)));
        for (taken, &count) in row.iter().enumerate() {
            let share = count as f64 / all.max(1) as f64;
            // Mistakes are few beside what is right, so their shade grows with the root.
            let shade = if class == taken { share } else { share.sqrt() };
            let kind = if class == taken { "right" } else { "wrong" };
            let title = format!(
                "{} taken for {}: {count} of {all} ({:.2} %)",
                name(class),
                name(taken),
                100.0 * share
            );
            let shown = if count == 0 { String::from("·") } else { count.to_string() };
            rows += &format!(
                "<td class=\"{kind}\" style=\"--shade:{:.1}%\" title=\"{}\">{shown}</td>",
                100.0 * shade,
                html(&title)
            );
        }
        let right = row[class] as f64 / all.max(1) as f64;
        rows += &format!("<td class=\"share\">{:.1} %</td></tr>", 100.0 * right);
    }
    Some(format!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Confusion of classes\"><table class=\"confusion\"><caption>Rows are the true classes, columns what the model says</caption><thead><tr><td></td>{heads}<th scope=\"col\" class=\"share\">right</th></tr></thead><tbody>{rows}</tbody></table></div>"
    ))
}

/// The layers of a model, and what share of the peak, in operations a second, the forward passes of those that multiply reach.
pub(crate) fn layers(layers: &[LayerFacts], peak: Option<f64>) -> String {
    let are_timed = layers.iter().any(|layer| layer.seconds[0].is_some());
    let number = |text: &str| format!("<td class=\"number\">{text}</td>");
    let mut rows = String::new();
    for LayerFacts { path, label, output, parameters, flops, seconds } in layers {
        let depth = path.matches('.').count().min(8);
        rows += &format!(
            "<tr><th scope=\"row\" style=\"--depth:{depth}\">{}</th><td>{}</td><td>{}</td>{}{}",
            html(path),
            html(label),
            html(output),
            number(&grouped(*parameters)),
            number(&grouped(*flops)),
        );
        if are_timed {
            let [forward, backward] = seconds.map(|seconds| seconds.map_or_else(String::new, microseconds));
            let share = seconds[0].zip(peak).map(|(forward, peak)| *flops as f64 / forward / peak);
            let share = share.filter(|share| *share > 0.0 && share.is_finite());
            let share = share.map_or(String::new(), |share| format!("{:.0} %", 100.0 * share));
            rows += &[forward, backward, share].map(|text| number(&text)).concat();
        }
        rows += "</tr>";
    }
    let times = ["forward, µs a sample", "backward, µs a sample", "forward, of the peak"];
    let head = |name: &str| format!("<th scope=\"col\" class=\"number\">{name}</th>");
    let times = if are_timed { times.map(head).concat() } else { String::new() };
    format!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Layers\"><table class=\"layers\"><thead><tr><th scope=\"col\">path</th><th scope=\"col\">layer</th><th scope=\"col\">output</th><th scope=\"col\" class=\"number\">parameters</th><th scope=\"col\" class=\"number\">operations a sample</th>{times}</tr></thead><tbody>{rows}</tbody></table></div>"
    )
}

/// A time in microseconds, with two digits at least.
fn microseconds(seconds: f64) -> String {
    let microseconds = 1e6 * seconds;
    let digits = if microseconds < 10.0 { 2 } else { 0 };
    format!("{microseconds:.digits$}")
}

/// The last values of curves, for those who do not see them.
pub(crate) fn values(curves: &[&CurveSeries]) -> String {
    let mut rows = String::new();
    for curve in curves {
        let Some(&(x, last)) = curve.points.last() else { continue };
        let best =
            |of: fn(f64, f64) -> f64| curve.points.iter().map(|point| point.1).reduce(of).unwrap_or(last);
        rows += &format!(
            "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            html(&curve.name),
            number(x),
            number(last),
            number(best(f64::min)),
            number(best(f64::max)),
        );
    }
    format!(
        "<details><summary>As a table</summary><table class=\"values\"><thead><tr><th scope=\"col\">curve</th><th scope=\"col\">at</th><th scope=\"col\">last</th><th scope=\"col\">lowest</th><th scope=\"col\">highest</th></tr></thead><tbody>{rows}</tbody></table></details>"
    )
}

/// A number in a few digits.
pub(crate) fn number(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 || (1e-3..1e6).contains(&size) {
        let text = format!("{value:.4}");
        return text.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    format!("{value:.3e}")
}

/// `1234567` as `1 234 567`, with spaces that do not break.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// A number of things, as it is written: `1 epoch`, `5 epochs`.
pub fn counted(count: usize, one: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {one}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_a_few_digits() {
        for (value, text) in
            [(0.0, "0"), (0.125, "0.125"), (12.0, "12"), (1.5e-7, "1.500e-7"), (-2e9, "-2.000e9")]
        {
            assert_eq!(number(value), text);
        }
        assert_eq!(grouped(1_234_567), "1\u{202f}234\u{202f}567");
    }

    #[test]
    fn a_confusion_is_a_square_or_nothing() {
        let name = |class: usize| format!("class {class}");
        let table = confusion(&[vec![3, 1], vec![0, 4]], name).unwrap();
        assert!(table.contains("class 0 taken for class 1: 1 of 4 (25.00 %)") && table.contains("100.0 %"));
        assert!(confusion(&[vec![3, 1], vec![0]], name).is_none());
        assert!(confusion(&[], name).is_none());
        assert!(confusion(&vec![vec![u64::MAX; 61]; 61], name).is_none());
        assert!(confusion(&vec![vec![u64::MAX; 2]; 2], name).is_some());
    }
}
