//! What errors and summaries call a layer.

use std::fmt::{self, Debug, Display};

/// What errors and summaries call a layer: a short form of what `Debug` prints of a layer: `Dense(units=64)` for
/// `Dense { units: 64, weight: FanInUniform, bias: Some(FanInUniform) }`.
///
/// Settings that change nothing are left out (`None`, `false`, a stride of 1, a padding of 0), and initialisers, which have no
/// influence on shapes. The settings of a window or of options are shown as the layer's own. Text that is not in the form that
/// `derive(Debug)` prints is unchanged.
///
/// ```
/// use chainrule_core::Label;
/// let text = "Conv { channels: 8, groups: 1, window: SlidingWindow { kernel: [3, 3], stride: [1, 1] } }";
/// assert_eq!(Label::of_text(text).named("Conv2d").to_string(), "Conv2d(channels=8, kernel=[3, 3])");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Label(Value);

impl Label {
    /// That of a layer.
    pub fn of(layer: &dyn Debug) -> Self {
        Self::of_text(&format!("{layer:?}"))
    }

    /// That of a layer that `Debug` has printed as this text.
    pub fn of_text(text: &str) -> Self {
        let mut parser = Parser { rest: text, depth: 0 };
        let value = parser.value().filter(|_| parser.rest.is_empty());
        Self(value.unwrap_or_else(|| Value::Text(text.to_owned())))
    }

    /// The same with another name, for a type that users know by an alias.
    #[must_use]
    pub fn named(self, name: impl Into<String>) -> Self {
        let name = name.into();
        Self(match self.0 {
            Value::Text(_) => Value::Text(name),
            Value::Struct(_, fields) => Value::Struct(name, fields),
            Value::Tuple(_, items) => Value::Tuple(name, items),
            Value::List(_, items) => Value::List(name, items),
        })
    }

    /// The same with this setting first.
    #[must_use]
    pub fn with(self, setting: &str, value: impl Display) -> Self {
        let first = (setting.to_owned(), Value::Text(value.to_string()));
        Self(match self.0 {
            Value::Text(name) => Value::Struct(name, vec![first]),
            Value::Struct(name, mut fields) => {
                fields.insert(0, first);
                Value::Struct(name, fields)
            }
            other => other,
        })
    }

    /// The same without this setting, for one that the name tells.
    #[must_use]
    pub fn without(self, setting: &str) -> Self {
        Self(match self.0 {
            Value::Struct(name, mut fields) => {
                fields.retain(|(field, _)| field != setting);
                Value::Struct(name, fields)
            }
            other => other,
        })
    }
}

impl Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(&self.0, f)
    }
}

/// What `Debug` prints of a value.
#[derive(Clone, Debug, PartialEq)]
enum Value {
    Text(String),
    /// `Name { field: value, ... }`
    Struct(String, Vec<(String, Value)>),
    /// `Name(value, ...)`
    Tuple(String, Vec<Value>),
    /// `Name[value, ...]`
    List(String, Vec<Value>),
}

impl Value {
    /// The value in `Some(value)`, or itself.
    fn set(&self) -> &Self {
        match self {
            Self::Tuple(name, items) if name == "Some" && items.len() == 1 => items[0].set(),
            other => other,
        }
    }

    /// Whether all numbers in it are this one.
    fn is_all(&self, number: f64) -> bool {
        match self {
            Self::Text(text) => text.parse() == Ok(number),
            Self::Tuple(name, items) if name == "Explicit" => items.iter().all(|item| item.is_all(number)),
            Self::List(name, items) if name.is_empty() => items.iter().all(|item| item.is_all(number)),
            _ => false,
        }
    }

    /// Whether it is this word.
    fn is_word(&self, word: &str) -> bool {
        matches!(self, Self::Text(text) if text == word)
    }
}

/// Whether a setting says nothing about what the layer does with shapes and numbers.
fn is_silent(field: &str, value: &Value) -> bool {
    let neutral = match field {
        "stride" | "dilation" | "groups" | "iterations" | "multiplier" => value.is_all(1.0),
        "padding" => value.is_all(0.0) || value.is_word("Valid"),
        "dropout" | "output_padding" => value.is_all(0.0),
        "scale_shift" => value.is_word("Full"),
        // An initialiser; a `bias` can be a yes or no as well.
        "weight" | "recurrent_weight" | "token" | "init" => true,
        "bias" => !value.is_word("true"),
        _ => false,
    };
    neutral || value.is_word("None") || value.is_word("false")
}

/// Adds the settings that are worth to be shown, with those of inner settings.
fn settings<'a>(fields: &'a [(String, Value)], shown: &mut Vec<(&'a str, &'a Value)>) {
    for (field, value) in fields {
        match value.set() {
            Value::Struct(name, inner)
                if ["Settings", "Window", "Options", "Block", "Projection", "Table"]
                    .iter()
                    .any(|end| name.ends_with(end)) =>
            {
                settings(inner, shown);
            }
            value if is_silent(field, value) => {}
            value => shown.push((field, value)),
        }
    }
}

impl Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, items: &[Self]| {
            items.iter().enumerate().try_for_each(|(index, item)| {
                f.write_str(if index > 0 { ", " } else { "" })?;
                Display::fmt(item.set(), f)
            })
        };
        match self {
            // Whole numbers as such.
            Self::Text(text) => f.write_str(match text.strip_suffix(".0") {
                Some(whole) if whole.parse::<i64>().is_ok() => whole,
                _ => text,
            }),
            Self::Tuple(name, items) => {
                write!(f, "{name}(")?;
                list(f, items)?;
                f.write_str(")")
            }
            Self::List(name, items) => {
                write!(f, "{name}[")?;
                list(f, items)?;
                f.write_str("]")
            }
            Self::Struct(name, fields) => {
                let mut shown = Vec::new();
                settings(fields, &mut shown);
                f.write_str(name)?;
                for (index, (field, value)) in shown.iter().enumerate() {
                    write!(f, "{}{field}={value}", if index > 0 { ", " } else { "(" })?;
                }
                f.write_str(if shown.is_empty() { "" } else { ")" })
            }
        }
    }
}

/// How deep a label may be nested.
const MAX_DEPTH: usize = 64;

/// Reads what `Debug` prints.
struct Parser<'a> {
    rest: &'a str,
    depth: usize,
}

impl<'a> Parser<'a> {
    /// Skips this text, if it comes next.
    fn skip(&mut self, text: &str) -> Option<()> {
        self.rest = self.rest.strip_prefix(text)?;
        Some(())
    }

    /// The text up to a delimiter.
    fn word(&mut self) -> &'a str {
        let end = self.rest.find(['(', ')', '[', ']', '{', '}', ',', ':', '"', ' ']);
        let (word, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        word
    }

    fn value(&mut self) -> Option<Value> {
        self.depth += 1;
        if self.depth > MAX_DEPTH || self.rest.starts_with('"') {
            return None;
        }
        let name = self.word().to_owned();
        let value = match self.rest.as_bytes() {
            [b'(', ..] => match (self.items("(", ")")?, self.rest.starts_with(" {")) {
                // The name has a setting of its own.
                (items, true) => Value::Struct(name, self.fields(items)?),
                (items, false) => Value::Tuple(name, items),
            },
            [b'[', ..] => Value::List(name, self.items("[", "]")?),
            [b' ', b'{', ..] => Value::Struct(name, self.fields(Vec::new())?),
            _ if name.is_empty() => return None,
            _ => Value::Text(name),
        };
        self.depth -= 1;
        Some(value)
    }

    fn items(&mut self, open: &str, close: &str) -> Option<Vec<Value>> {
        self.skip(open)?;
        let mut items = Vec::new();
        while self.skip(close).is_none() {
            if !items.is_empty() {
                self.skip(", ")?;
            }
            items.push(self.value()?);
        }
        Some(items)
    }

    /// The fields, after those that belong to the name.
    fn fields(&mut self, of_name: Vec<Value>) -> Option<Vec<(String, Value)>> {
        self.skip(" { ")?;
        let mut fields: Vec<_> = of_name.into_iter().map(|value| ("with".to_owned(), value)).collect();
        let mut first = true;
        while self.skip(" }").is_none() {
            if !std::mem::take(&mut first) {
                self.skip(", ")?;
            }
            // What `finish_non_exhaustive` prints last.
            if self.skip("..").is_some() {
                continue;
            }
            let field = self.word().to_owned();
            self.skip(": ")?;
            fields.push((field, self.value()?));
        }
        Some(fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_as_users_write_them() {
        for (debug, short) in [
            ("Relu", "Relu"),
            ("Dense { units: 0, weight: GlorotUniform, bias: Some(Constant(0.0)) }", "Dense(units=0)"),
            (
                "MultiHeadAttention { heads: 2, head_size: None, bias: true, causal: false, dropout: 0.0 }",
                "MultiHeadAttention(heads=2, bias=true)",
            ),
            ("Celu { alpha: 1.5 }", "Celu(alpha=1.5)"),
            (
                "Rnn(Tanh) { projection: GateProjection { units: 3, weight: A, bias: None }, sequences: true }",
                "Rnn(with=Tanh, units=3, sequences=true)",
            ),
            (
                "TimeDistributed(Dense { units: 3, weight: Normal { mean: 0.0 }, bias: None })",
                "TimeDistributed(Dense(units=3))",
            ),
            (
                "Pool { rule: Lp { p: 2.0 }, kernel: [2, 2], stride: Some([1, 2]), padding: [0, 0], ceil: true }",
                "Pool(rule=Lp(p=2), kernel=[2, 2], stride=[1, 2], ceil=true)",
            ),
            ("Sequential[Relu, Elu { alpha: 1e-5 }]", "Sequential[Relu, Elu(alpha=1e-5)]"),
            ("Reshape { axes: [Some(3), None] }", "Reshape(axes=[3, None])"),
            (
                "Holder { a: [], b: Explicit([[0, 1], [2, 2]]), .. }",
                "Holder(a=[], b=Explicit([[0, 1], [2, 2]]))",
            ),
            ("Flatten { masked: false }", "Flatten"),
            ("(1, 2.50)", "(1, 2.50)"),
        ] {
            assert_eq!(Label::of_text(debug).to_string(), short);
        }
    }

    #[test]
    fn any_other_text_is_unchanged() {
        let deep = "[".repeat(100_000);
        for text in
            ["", "a b", "{", "A { b }", "A { b: ", "[1, 2", "a, b", "\"x\"", "A { b: \"c\" }", "ä(é", &deep]
        {
            assert_eq!(Label::of_text(text).to_string(), text);
        }
    }
}
