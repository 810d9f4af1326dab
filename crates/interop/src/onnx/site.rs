//! A layer where it is in a model, and its settings.

use chainrule_core::{Description, Value};

/// Why a layer cannot be expressed.
pub(super) type Reason = String;

/// A layer that is written.
#[derive(Clone, Debug)]
pub(super) struct Site {
    /// Its path in the plan, empty for the outermost.
    pub(super) path: String,
    pub(super) description: Description,
}

impl Site {
    /// The site of a layer inside, of this name.
    pub(super) fn inner(&self, name: &str, description: Description) -> Self {
        let path = if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) };
        Self { path, description }
    }

    /// That of a layer that is a setting, under this name in the plan.
    pub(super) fn of_setting(&self, setting: &str, name: &str) -> Result<Self, Reason> {
        Ok(self.inner(name, self.described(setting)?))
    }

    fn value(&self, setting: &str) -> Result<&Value, Reason> {
        let missing = || format!("its setting {setting} is not known");
        self.description.get(setting).ok_or_else(missing)
    }

    fn wrong(setting: &str) -> Reason {
        format!("its setting {setting} has a value that is not known")
    }

    pub(super) fn described(&self, setting: &str) -> Result<Description, Reason> {
        self.value(setting)?.to_description().ok_or_else(|| Self::wrong(setting))
    }

    pub(super) fn descriptions(&self, setting: &str) -> Result<Vec<Description>, Reason> {
        let Value::List(values) = self.value(setting)? else { return Err(Self::wrong(setting)) };
        values.iter().map(|value| value.to_description().ok_or_else(|| Self::wrong(setting))).collect()
    }

    pub(super) fn number(&self, setting: &str) -> Result<f64, Reason> {
        self.value(setting)?.as_f64().ok_or_else(|| Self::wrong(setting))
    }

    pub(super) fn count(&self, setting: &str) -> Result<usize, Reason> {
        self.number(setting).map(|number| number as usize)
    }

    pub(super) fn flag(&self, setting: &str) -> Result<bool, Reason> {
        match self.value(setting)? {
            Value::Bool(flag) => Ok(*flag),
            _ => Err(Self::wrong(setting)),
        }
    }

    pub(super) fn text(&self, setting: &str) -> Option<&str> {
        match self.description.get(setting) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// A list of texts.
    pub(super) fn texts(&self, setting: &str) -> Result<Vec<&str>, Reason> {
        let Value::List(values) = self.value(setting)? else { return Err(Self::wrong(setting)) };
        let mut texts = Vec::new();
        for value in values {
            let Value::Text(text) = value else { return Err(Self::wrong(setting)) };
            texts.push(text.as_str());
        }
        Ok(texts)
    }

    /// The lengths of axes.
    pub(super) fn shape(&self, setting: &str) -> Result<Vec<usize>, Reason> {
        axes(self.value(setting)?).ok_or_else(|| Self::wrong(setting))
    }

    /// A list of shapes.
    pub(super) fn shapes(&self, setting: &str) -> Result<Vec<Vec<usize>>, Reason> {
        let Value::List(values) = self.value(setting)? else { return Err(Self::wrong(setting)) };
        values.iter().map(axes).collect::<Option<_>>().ok_or_else(|| Self::wrong(setting))
    }

    /// Whether a setting has a value other than `none`.
    pub(super) fn has(&self, setting: &str) -> bool {
        !matches!(self.description.get(setting), None | Some(Value::None))
    }

    /// A list of whole numbers, or one for all of `axes`.
    pub(super) fn counts(&self, setting: &str, axes: usize) -> Result<Vec<usize>, Reason> {
        let counts = match self.value(setting)? {
            Value::List(values) => values.iter().map(Value::as_f64).collect::<Option<Vec<_>>>(),
            value => value.as_f64().map(|value| vec![value; axes]),
        };
        let counts = counts.filter(|counts| counts.len() == axes).ok_or_else(|| Self::wrong(setting))?;
        Ok(counts.into_iter().map(|count| count as usize).collect())
    }

    /// The numbers before and after each of `axes`.
    pub(super) fn sides(&self, setting: &str, axes: usize) -> Result<Vec<[usize; 2]>, Reason> {
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
    pub(super) fn without(&self, setting: &str, reason: &str) -> Result<(), Reason> {
        if self.flag(setting)? { Err(format!("its setting {setting} is on: {reason}")) } else { Ok(()) }
    }

    /// The number at the end of the name, `2` of `conv2d`.
    pub(super) fn axes(&self) -> usize {
        let name = self.description.name.strip_suffix('d').unwrap_or_default();
        name.chars().last().and_then(|digit| digit.to_digit(10)).unwrap_or(0) as usize
    }
}

/// The lengths of axes in a list.
fn axes(value: &Value) -> Option<Vec<usize>> {
    let Value::List(axes) = value else { return None };
    axes.iter().map(|axis| axis.as_f64().map(|axis| axis as usize)).collect()
}
