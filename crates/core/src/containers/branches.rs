//! One input through several layers.

use std::fmt;
use std::sync::Arc;

use chainrule_tensor::{Real, Shape};
use ndarray::ArrayView2;

use crate::containers::any::{AnyLayer, AnyMerge};
use crate::containers::erased::Erased;
use crate::containers::graph::Graph;
use crate::containers::graph::pass::{self, GraphCache};
use crate::containers::graph::plan::INPUT;
use crate::error::{ShapeError, ValueError};
use crate::label::Label;
use crate::layer::{Backward, Forward, Layer};
use crate::merge::Merge;
use crate::plan::Plan;
use crate::{Described, DescriptionError, Entry, Settings, Value, described, entry};

/// One input through several layers, whose outputs are merged: `y = m(f₁(x), f₂(x), ...)`, as in an Inception module. With
/// a sum as the merge and a projection as one of the branches it is a residual block that changes the shape.
///
/// ```
/// use chainrule_core::{Branches, Merge, Sequential};
/// fn block(sum: impl Merge<f32>, deep: Sequential<f32>, projection: Sequential<f32>) -> Branches<f32> {
///     Branches::new(sum).branch(deep).branch(projection)
/// }
/// ```
#[derive(Clone)]
pub struct Branches<T> {
    merge: Arc<dyn Erased<T>>,
    branches: Vec<Arc<dyn Erased<T>>>,
}

impl<T: Real> Branches<T> {
    /// No branches yet; this will merge their outputs.
    pub fn new(merge: impl Merge<T>) -> Self {
        Self { merge: AnyMerge::new(merge).0, branches: Vec::new() }
    }

    /// Adds a branch.
    #[must_use]
    pub fn branch(mut self, layer: impl Layer<T>) -> Self {
        self.branches.push(AnyLayer::new(layer).0);
        self
    }
}

impl<T: Real> Described for Branches<T> {
    const ENTRY: Entry = entry! {
        /// One input through several layers, whose outputs are merged.
        Branches = "branches";
        formula "y = m(f₁(x), f₂(x), ...)";
        settings {
            /// How the outputs are merged.
            merge: required;
            /// The layers.
            branches: required;
        }
    };

    fn from_settings(settings: &Settings<'_>) -> Result<Self, DescriptionError> {
        let AnyMerge(merge) = settings.get("merge")?;
        let branches: Vec<AnyLayer<T>> = settings.get("branches")?;
        Ok(Self { merge, branches: branches.into_iter().map(|AnyLayer(erased)| erased).collect() })
    }

    fn setting_values(&self) -> Vec<Value> {
        let branches = self.branches.iter().map(|branch| branch.description().into()).collect();
        vec![self.merge.description().into(), Value::List(branches)]
    }
}

impl<T> fmt::Debug for Branches<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Branches[{:?} of ", self.merge)?;
        f.debug_list().entries(&self.branches).finish()?;
        f.write_str("]")
    }
}

impl<T: Real> Layer<T> for Branches<T> {
    type Cache = GraphCache<T>;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, GraphCache<T>), ShapeError> {
        let names: Vec<String> = (0..self.branches.len()).map(|index| index.to_string()).collect();
        let mut graph = Graph::default();
        for (name, branch) in names.iter().zip(&self.branches) {
            graph = graph.erased(name.clone(), Arc::clone(branch), vec![INPUT.to_owned()]);
        }
        graph.erased("merge".to_owned(), Arc::clone(&self.merge), names).outputs(["merge"]).plan(input, plan)
    }

    fn check(&self, x: ArrayView2<'_, T>) -> Result<(), ValueError> {
        self.branches.iter().try_for_each(|branch| branch.check(x))
    }

    fn label(&self) -> Label {
        Label::of_text(&format!("Branches of {} layers", self.branches.len()))
    }

    described!();

    fn forward(&self, pass: Forward<'_, T, GraphCache<T>>) {
        pass::forward(pass);
    }

    fn backward(&self, pass: Backward<'_, T, GraphCache<T>>) {
        pass::backward(pass);
    }
}
