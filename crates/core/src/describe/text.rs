//! The text form of descriptions: written and read.

use std::fmt::{self, Display, Write};
use std::str::FromStr;

use super::description::{CHAIN, Description, Value};
use super::error::DescriptionError;

/// How deep things may be inside of each other: a thing in brackets counts twice.
const MAX_DEPTH: usize = 128;

impl Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name == CHAIN && !self.settings.is_empty() {
            return write_list(f, " then ", self.settings.iter(), |f, (_, part)| match part {
                Value::Described(inner) if inner.name == CHAIN => write!(f, "({inner})"),
                Value::Text(name) => f.write_str(name),
                part => write!(f, "{part}"),
            });
        }
        f.write_str(&self.name)?;
        if self.settings.is_empty() {
            return Ok(());
        }
        f.write_char('(')?;
        write_list(f, ", ", self.settings.iter(), |f, (name, value)| match &**name {
            "" => write!(f, "{value}"),
            name => write!(f, "{name}={value}"),
        })?;
        f.write_char(')')
    }
}

impl Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Integer(value) => write!(f, "{value}"),
            Self::Number(value) if value.is_nan() => f.write_str("nan"),
            Self::Number(value) => write!(f, "{value:?}"),
            Self::Text(text) if is_word(text) => f.write_str(text),
            Self::Text(text) => {
                f.write_char('"')?;
                for c in text.chars() {
                    match c {
                        '"' | '\\' => write!(f, "\\{c}")?,
                        '\n' => f.write_str("\\n")?,
                        c => f.write_char(c)?,
                    }
                }
                f.write_char('"')
            }
            Self::List(values) => {
                f.write_char('[')?;
                write_list(f, ", ", values.iter(), |f, value| write!(f, "{value}"))?;
                f.write_char(']')
            }
            Self::Described(description) => write!(f, "{description}"),
        }
    }
}

fn write_list<I>(
    f: &mut fmt::Formatter<'_>,
    between: &str,
    items: impl Iterator<Item = I>,
    write: impl Fn(&mut fmt::Formatter<'_>, I) -> fmt::Result,
) -> fmt::Result {
    for (index, item) in items.enumerate() {
        f.write_str(if index > 0 { between } else { "" })?;
        write(f, item)?;
    }
    Ok(())
}

/// Words that are values, or put things together: no thing has such a name.
const RESERVED: [&str; 14] = [
    "none", "null", "None", "true", "True", "yes", "false", "False", "no", CHAIN, "nan", "NaN", "inf",
    "infinity",
];

/// Whether a text can stand without quotes.
fn is_word(text: &str) -> bool {
    let mut reader = Reader::new(text);
    let word = reader.word();
    word == text && !RESERVED.contains(&text) && text.starts_with(|c: char| c.is_alphabetic())
}

impl FromStr for Description {
    type Err = DescriptionError;

    fn from_str(text: &str) -> Result<Self, DescriptionError> {
        let mut reader = Reader::new(text);
        let description = reader.chain()?;
        reader.end()?;
        Ok(description)
    }
}

impl FromStr for Value {
    type Err = DescriptionError;

    fn from_str(text: &str) -> Result<Self, DescriptionError> {
        let mut reader = Reader::new(text);
        let value = reader.value()?;
        reader.end()?;
        Ok(value)
    }
}

/// Reads the text form.
struct Reader<'a> {
    text: &'a str,
    /// In bytes.
    at: usize,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, at: 0, depth: 0 }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn error(&self, expected: &'static str) -> DescriptionError {
        let at = self.text[..self.at].chars().count();
        // A text of any length is shown by its beginning.
        let text = self.text.chars().take(200).collect();
        DescriptionError::Syntax { text, at, expected }
    }

    fn spaces(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    /// Skips this character, if it comes next after spaces.
    fn skip(&mut self, c: char) -> bool {
        self.spaces();
        let found = self.rest().starts_with(c);
        self.at += if found { c.len_utf8() } else { 0 };
        found
    }

    fn end(&mut self) -> Result<(), DescriptionError> {
        self.spaces();
        if self.rest().is_empty() { Ok(()) } else { Err(self.error("the end")) }
    }

    /// Letters, digits, `_`, `-` between them, and `.`, which begins the name of a preset; empty if none comes next.
    fn word(&mut self) -> &'a str {
        self.spaces();
        let rest = self.rest();
        let inside = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
        let length = rest.find(|c| !inside(c)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    /// A word, without going past it.
    fn peek(&mut self) -> &'a str {
        self.spaces();
        let at = self.at;
        let word = self.word();
        self.at = at;
        word
    }

    /// `a then b then c`, or a single thing.
    fn chain(&mut self) -> Result<Description, DescriptionError> {
        let first = self.part()?;
        if self.peek() != CHAIN {
            return Ok(first);
        }
        let mut parts = vec![first];
        while self.peek() == CHAIN {
            self.word();
            parts.push(self.part()?);
        }
        Ok(Description::chain(parts))
    }

    /// A thing, or a chain in parentheses.
    fn part(&mut self) -> Result<Description, DescriptionError> {
        if self.skip('(') {
            let chain = self.deeper(Self::chain)?;
            return if self.skip(')') { Ok(chain) } else { Err(self.error("`)`")) };
        }
        let name = self.word();
        if RESERVED.contains(&name) || !name.starts_with(|c: char| c.is_alphabetic() || c == '_') {
            self.at -= name.len();
            return Err(self.error("a name"));
        }
        let mut description = Description::new(name);
        if self.skip('(') {
            description.settings = self.deeper(|reader| reader.settings(')'))?;
        } else if self.depth == 0 && self.skip(':') {
            loop {
                description.settings.push(self.setting()?);
                if !self.skip(',') {
                    break;
                }
            }
        }
        Ok(description)
    }

    fn settings(&mut self, close: char) -> Result<Vec<(String, Value)>, DescriptionError> {
        let mut settings = Vec::new();
        while !self.skip(close) {
            if !settings.is_empty() && !self.skip(',') {
                return Err(self.error("`,` or the closing bracket"));
            }
            if self.skip(close) {
                break; // after a last comma
            }
            settings.push(self.setting()?);
        }
        Ok(settings)
    }

    /// `name=value`, or a value alone.
    fn setting(&mut self) -> Result<(String, Value), DescriptionError> {
        self.spaces();
        let start = self.at;
        let name = self.word();
        if !name.is_empty() && self.skip('=') {
            return Ok((name.to_owned(), self.value()?));
        }
        self.at = start;
        Ok((String::new(), self.value()?))
    }

    fn value(&mut self) -> Result<Value, DescriptionError> {
        self.spaces();
        match self.rest().chars().next() {
            Some('[') => {
                self.skip('[');
                let items = self.deeper(|reader| reader.settings(']'))?;
                if items.iter().any(|(name, _)| !name.is_empty()) {
                    return Err(self.error("values without names in the list before"));
                }
                Ok(Value::List(items.into_iter().map(|(_, value)| value).collect()))
            }
            Some('"') => self.quoted().map(Value::Text),
            Some('+' | '-' | '0'..='9') | Some('.') => self.number(),
            _ => {
                let value = match self.peek() {
                    "none" | "null" | "None" => Value::None,
                    "true" | "True" | "yes" => Value::Bool(true),
                    "false" | "False" | "no" => Value::Bool(false),
                    "nan" | "NaN" => Value::Number(f64::NAN),
                    "inf" | "infinity" => Value::Number(f64::INFINITY),
                    _ => return Ok(self.deeper(Self::chain)?.into()),
                };
                self.word();
                Ok(value)
            }
        }
    }

    fn number(&mut self) -> Result<Value, DescriptionError> {
        let rest = self.rest();
        let inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.' | '_');
        let length = rest.find(|c| !inside(c)).unwrap_or(rest.len());
        let digits = rest[..length].replace('_', "");
        let value = digits.parse().map(Value::Integer).ok();
        let value = value.or_else(|| digits.parse().map(Value::Number).ok());
        let value = value.ok_or_else(|| self.error("a number"))?;
        self.at += length;
        Ok(value)
    }

    fn quoted(&mut self) -> Result<String, DescriptionError> {
        let mut text = String::new();
        let mut escaped = false;
        let rest = self.rest();
        for (index, c) in rest.char_indices().skip(1) {
            match (escaped, c) {
                (false, '"') => {
                    self.at += index + 1;
                    return Ok(text);
                }
                (false, '\\') => escaped = true,
                (true, 'n') => {
                    text.push('\n');
                    escaped = false;
                }
                (_, c) => {
                    text.push(c);
                    escaped = false;
                }
            }
        }
        self.at = self.text.len();
        Err(self.error("the closing `\"`"))
    }

    fn deeper<R>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<R, DescriptionError>,
    ) -> Result<R, DescriptionError> {
        if self.depth == MAX_DEPTH {
            return Err(self.error("fewer brackets inside of each other"));
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Description {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn what_is_written_is_read() {
        for text in [
            "relu",
            "dense(64, bias=false)",
            "adam(lr=0.001, betas=[0.9, 0.999], amsgrad=false)",
            "sgd(lr=cosine(rate=0.1, steps=1000, floor=0.0))",
            "adam.keras(lr=0.01)",
            "warm_up(500) then cosine(10000)",
            "(a then b) then c(1)",
            "sgd(lr=warm_up(5) then cosine)",
            "warm_up then _own then cosine",
            "labels(names=[\"then\", \"a \\\"b\\\"\", \"1x\", c, \"\"], none=none)",
            "words(names=[\"None\", \"True\", \"False\", \"NaN\", \"infinity\", Yes])",
            "edges(low=-inf, high=inf, one=1.0, two=2, tiny=1e-300)",
            "nested([[1, 2], [], [-3]])",
        ] {
            assert_eq!(read(text).to_string(), text);
            assert_eq!(read(&read(text).to_string()), read(text));
        }
    }

    #[test]
    fn other_ways_to_write() {
        for (typed, written) in [
            (" adam ( lr = 1e-3 , ) ", "adam(lr=0.001)"),
            ("focal:gamma=2,alpha=0.25", "focal(gamma=2, alpha=0.25)"),
            ("warmup:500 then cosine", "warmup(500) then cosine"),
            ("relu()", "relu"),
            ("a(yes, False, None, 1_000)", "a(true, false, none, 1000)"),
            ("a(b())", "a(b)"),
            ("conv-2d(3)", "conv-2d(3)"),
        ] {
            assert_eq!(read(typed).to_string(), written);
        }
    }

    #[test]
    fn what_cannot_be_read() {
        let deep = format!("a({}", "[".repeat(10_000));
        for (text, at, expected) in [
            ("", 0, "a name"),
            ("1", 0, "a name"),
            ("adam(", 5, "a name"),
            ("adam(lr=", 8, "a name"),
            ("adam(lr=1 2)", 10, "`,` or the closing bracket"),
            ("adam)", 4, "the end"),
            ("a then", 6, "a name"),
            ("a then none", 7, "a name"),
            ("yes(1)", 0, "a name"),
            ("ä(\"b", 4, "the closing `\"`"),
            ("a(1e)", 2, "a number"),
            ("a([b=1])", 7, "values without names in the list before"),
            (&deep, 130, "fewer brackets inside of each other"),
        ] {
            let error = text.parse::<Description>().unwrap_err();
            let shown: String = text.chars().take(200).collect();
            assert_eq!(error, DescriptionError::Syntax { text: shown, at, expected });
        }
    }
}
