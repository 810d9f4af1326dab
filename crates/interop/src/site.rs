//! A layer where it is in a model, and its settings, for all that write models.

#![cfg_attr(not(feature = "onnx"), allow(dead_code, reason = "each form of a model reads other settings"))]

use chainrule_core::{Description, Value};

/// Why a layer cannot be expressed.
pub(crate) type Reason = String;

/// Why a layer cannot be written, and which, as soon as that is known.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) layer: Option<(String, String)>,
    pub(crate) reason: Reason,
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self { layer: None, reason }
    }
}

impl From<&str> for Refusal {
    fn from(reason: &str) -> Self {
        reason.to_owned().into()
    }
}

/// A layer that is written.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    /// Its path in the plan, empty for the outermost.
    pub(crate) path: String,
    pub(crate) description: Description,
}

impl Site {
    /// The site of a layer inside, of this name.
    pub(crate) fn inner(&self, name: &str, description: Description) -> Self {
        let path = if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) };
        Self { path, description }
    }

    /// That of a layer that is a setting, under this name in the plan.
    pub(crate) fn of_setting(&self, setting: &str, name: &str) -> Result<Self, Reason> {
        Ok(self.inner(name, self.described(setting)?))
    }

    fn value(&self, setting: &str) -> Result<&Value, Reason> {
        let missing = || format!("its setting {setting} is not known");
        self.description.get(setting).ok_or_else(missing)
    }

    fn wrong(setting: &str) -> Reason {
        format!("its setting {setting} has a value that is not known")
    }

    pub(crate) fn described(&self, setting: &str) -> Result<Description, Reason> {
        self.value(setting)?.to_description().ok_or_else(|| Self::wrong(setting))
    }

    pub(crate) fn descriptions(&self, setting: &str) -> Result<Vec<Description>, Reason> {
        let Value::List(values) = self.value(setting)? else { return Err(Self::wrong(setting)) };
        values.iter().map(|value| value.to_description().ok_or_else(|| Self::wrong(setting))).collect()
    }

    pub(crate) fn number(&self, setting: &str) -> Result<f64, Reason> {
        self.value(setting)?.as_f64().ok_or_else(|| Self::wrong(setting))
    }

    pub(crate) fn count(&self, setting: &str) -> Result<usize, Reason> {
        self.number(setting).map(|number| number as usize)
    }

    pub(crate) fn flag(&self, setting: &str) -> Result<bool, Reason> {
        match self.value(setting)? {
            Value::Bool(flag) => Ok(*flag),
            _ => Err(Self::wrong(setting)),
        }
    }

    pub(crate) fn text(&self, setting: &str) -> Option<&str> {
        match self.description.get(setting) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// A list of texts.
    pub(crate) fn texts(&self, setting: &str) -> Result<Vec<&str>, Reason> {
        let Value::List(values) = self.value(setting)? else { return Err(Self::wrong(setting)) };
        let mut texts = Vec::new();
        for value in values {
            let Value::Text(text) = value else { return Err(Self::wrong(setting)) };
            texts.push(text.as_str());
        }
        Ok(texts)
    }

    /// The lengths of axes.
    pub(crate) fn shape(&self, setting: &str) -> Result<Vec<usize>, Reason> {
        axes(self.value(setting)?).ok_or_else(|| Self::wrong(setting))
    }

    /// A list of shapes.
    pub(crate) fn shapes(&self, setting: &str) -> Result<Vec<Vec<usize>>, Reason> {
        let Value::List(values) = self.value(setting)? else { return Err(Self::wrong(setting)) };
        values.iter().map(axes).collect::<Option<_>>().ok_or_else(|| Self::wrong(setting))
    }

    /// Whether a setting has a value other than `none`.
    pub(crate) fn has(&self, setting: &str) -> bool {
        !matches!(self.description.get(setting), None | Some(Value::None))
    }

    /// A list of whole numbers, or one for all of `axes`.
    pub(crate) fn counts(&self, setting: &str, axes: usize) -> Result<Vec<usize>, Reason> {
        let counts = match self.value(setting)? {
            Value::List(values) => values.iter().map(Value::as_f64).collect::<Option<Vec<_>>>(),
            value => value.as_f64().map(|value| vec![value; axes]),
        };
        let counts = counts.filter(|counts| counts.len() == axes).ok_or_else(|| Self::wrong(setting))?;
        Ok(counts.into_iter().map(|count| count as usize).collect())
    }

    /// The numbers before and after each of `axes`.
    pub(crate) fn sides(&self, setting: &str, axes: usize) -> Result<Vec<[usize; 2]>, Reason> {
        let Value::List(values) = self.value(setting)? else {
            return Ok(self.counts(setting, axes)?.into_iter().map(|count| [count; 2]).collect());
        };
        let side = |value: &Value| match value {
            Value::List(two) => match two.iter().map(Value::as_f64).collect::<Option<Vec<_>>>()?[..] {
                [before, after] => Some([before as usize, after as usize]),
                _ => None,
            },
            value => value.as_f64().map(|count| [count as usize; 2]),
        };
        let sides = values.iter().map(side).collect::<Option<Vec<_>>>().filter(|sides| sides.len() == axes);
        sides.ok_or_else(|| Self::wrong(setting))
    }

    /// That a setting which cannot be expressed is off.
    pub(crate) fn without(&self, setting: &str, reason: &str) -> Result<(), Reason> {
        if self.flag(setting)? { Err(format!("its setting {setting} is on: {reason}")) } else { Ok(()) }
    }

    /// The number at the end of the name, `2` of `conv2d`.
    pub(crate) fn axes(&self) -> usize {
        let name = self.description.name.strip_suffix('d').unwrap_or_default();
        name.chars().last().and_then(|digit| digit.to_digit(10)).unwrap_or(0) as usize
    }
}

/// The lengths of axes in a list.
fn axes(value: &Value) -> Option<Vec<usize>> {
    let Value::List(axes) = value else { return None };
    axes.iter().map(|axis| axis.as_f64().map(|axis| axis as usize)).collect()
}
