//! A file of Python that is being written.

use std::collections::BTreeSet;

use chainrule_core::Plan;

use crate::site::{Reason, Refusal, Site};

/// A module: an expression, of one line or several, and the shape of what it returns for a sample.
#[derive(Clone, Debug)]
pub(super) struct Module {
    pub(super) text: String,
    pub(super) shape: Vec<usize>,
}

/// The module of a layer, or why it cannot be written.
pub(super) type Built = Result<Module, Refusal>;

pub(super) struct Writer<'a> {
    plan: &'a Plan,
    /// The classes that the file needs.
    pub(super) helpers: BTreeSet<&'static str>,
    /// The classes that are written for this model.
    pub(super) classes: Vec<String>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(plan: &'a Plan) -> Self {
        Self { plan, helpers: BTreeSet::new(), classes: Vec::new() }
    }

    /// The file needs this class.
    pub(super) fn helper(&mut self, name: &'static str) {
        self.helpers.insert(name);
    }

    pub(super) fn module(&self, text: String, shape: impl Into<Vec<usize>>) -> Built {
        Ok(Module { text, shape: shape.into() })
    }

    /// The shape that a layer returns, by the plan.
    pub(super) fn output(&self, site: &Site) -> Result<Vec<usize>, Reason> {
        let info = self.plan.layers().iter().find(|info| info.path == site.path);
        let info = info.ok_or("its output is not in the plan")?;
        Ok(info.output.to_vec())
    }
}

/// An expression whose lines after the first are moved to the right, as an argument of another.
pub(super) fn argument(text: &str) -> String {
    format!("\n    {},", text.replace('\n', "\n    "))
}

/// One number, or several in parentheses.
pub(super) fn tuple<'a>(values: impl IntoIterator<Item = &'a usize>) -> String {
    let values: Vec<String> = values.into_iter().map(usize::to_string).collect();
    match &values[..] {
        [only] => only.clone(),
        all if all.iter().all(|value| *value == all[0]) && all.len() < 4 => all[0].clone(),
        _ => format!("({})", values.join(", ")),
    }
}

/// A number as Python has it.
pub(super) fn number(value: f64) -> String {
    if value.is_finite() { format!("{value:?}") } else { format!("float(\"{value}\")") }
}
