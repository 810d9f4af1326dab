//! What is wrong with samples that a layer cannot take.

use std::fmt;

use chainrule_tensor::Shape;

use crate::label::Label;

/// A layer was given samples of a shape that it cannot take, or has a setting that cannot work; made by
/// [`Plan::error`](crate::Plan::error) and [`Plan::setting_error`](crate::Plan::setting_error).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShapeError(Box<Mismatch>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Mismatch {
    path: String,
    layer: String,
    problem: Problem,
    found: Shape,
    help: String,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    /// With the samples: which ones were expected.
    Samples { expected: String },
    /// With a setting: what it needs to be.
    Setting { needed: String },
}

impl ShapeError {
    pub(crate) fn new(path: String, found: Shape, problem: Problem, help: &str) -> Self {
        Self(Box::new(Mismatch { path, layer: String::new(), problem, found, help: help.to_owned() }))
    }

    /// The path of the layer, such as `"2.residual.0"`; empty for a layer that is the whole model.
    pub fn path(&self) -> &str {
        &self.0.path
    }

    /// The shape of the sample that the layer was given.
    pub fn found(&self) -> Shape {
        self.0.found
    }

    /// Names the layer, unless an inner layer has named itself.
    pub(crate) fn with_layer(mut self, layer: &Label) -> Self {
        if self.0.layer.is_empty() {
            self.0.layer = layer.to_string();
        }
        self
    }
}

impl fmt::Display for ShapeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Mismatch { path, layer, problem, found, help } = &*self.0;
        match (&**path, &**layer) {
            ("", _) => f.write_str("the model")?,
            (path, "") => write!(f, "layer {path}")?,
            (path, layer) => write!(f, "layer {path}, {layer},")?,
        }
        match problem {
            Problem::Samples { expected } => write!(f, " expects {expected} but got {found}: {help}"),
            Problem::Setting { needed } => write!(f, " needs {needed}: {help}"),
        }
    }
}

impl std::error::Error for ShapeError {}

/// A layer was given samples with a value that it cannot take: see [`Layer::check`](crate::Layer::check).
#[derive(Clone, Debug, PartialEq)]
pub struct ValueError {
    layer: String,
    expected: String,
    found: f64,
    row: usize,
}

impl ValueError {
    /// The error of `layer`, which `expected` something other than the value `found` in this row of the batch.
    pub fn new(layer: &dyn fmt::Debug, expected: impl Into<String>, found: f64, row: usize) -> Self {
        Self { layer: Label::of(layer).to_string(), expected: expected.into(), found, row }
    }

    /// The row of the batch that has the value.
    pub fn row(&self) -> usize {
        self.row
    }

    /// The same error in a larger batch, in which the checked rows follow this many others.
    #[must_use]
    pub fn after(self, rows: usize) -> Self {
        Self { row: rows + self.row, ..self }
    }
}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { layer, expected, found, row } = self;
        write!(f, "{layer} expects {expected}, but row {row} of the batch has {found}: check the data")
    }
}

impl std::error::Error for ValueError {}
