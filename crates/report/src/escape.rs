//! Text in HTML and in data for scripts.

use serde::Serialize;

/// A text as HTML, in an element or in a quoted attribute: no character of it is markup.
pub(crate) fn html(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\'' => escaped += "&#39;",
            c if is_unwanted(c) => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

/// A value as JSON in a script element, which nothing in it can end.
pub(crate) fn json(value: &impl Serialize) -> String {
    let text = serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned());
    text.replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
        .replace(is_unwanted, "\u{fffd}")
}

/// Whether a character would turn the direction of the text around it, or is none that is shown.
fn is_unwanted(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') || c.is_control() && c != '\n'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_stays_markup() {
        assert_eq!(
            html("a<b>\"c\"&'d'\u{0}\u{202e}"),
            "a&lt;b&gt;&quot;c&quot;&amp;&#39;d&#39;\u{fffd}\u{fffd}"
        );
        let text = json(&"</script><!--");
        assert!(!text.contains('<'));
        assert_eq!(serde_json::from_str::<String>(&text).unwrap(), "</script><!--");
    }
}
