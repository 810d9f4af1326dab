//! One input through several layers.

use std::fmt;
use std::sync::Arc;

use chainrule_tensor::{Real, Shape};
use ndarray::ArrayView2;

use crate::part::{OfLayer, OfMerge, Part};
use crate::{Backward, Forward, Graph, GraphCache, Layer, Merge, Plan, ShapeError, ValueError};

/// One input through several layers, whose outputs are joined: `y = j(f₁(x), f₂(x), ...)`, as in an Inception module. With a
/// sum as the merge and a projection as one of the branches it is a residual block that changes the shape.
///
/// ```
/// use chainrule_core::{Branches, Merge, Sequential};
/// fn block(sum: impl Merge<f32>, deep: Sequential<f32>, projection: Sequential<f32>) -> Branches<f32> {
///     Branches::new(sum).branch(deep).branch(projection)
/// }
/// ```
#[derive(Clone)]
pub struct Branches<T> {
    merge: Arc<dyn Part<T>>,
    branches: Vec<Arc<dyn Part<T>>>,
}

impl<T: Real> Branches<T> {
    /// No branches yet, whose outputs this joins.
    pub fn new(merge: impl Merge<T>) -> Self {
        Self { merge: Arc::new(OfMerge(Arc::new(merge))), branches: Vec::new() }
    }

    /// With another branch.
    #[must_use]
    pub fn branch(mut self, layer: impl Layer<T>) -> Self {
        self.branches.push(Arc::new(OfLayer(Arc::new(layer))));
        self
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
            graph = graph.part(name.clone(), Arc::clone(branch), vec!["input".to_owned()]);
        }
        graph.part("merge".to_owned(), Arc::clone(&self.merge), names).outputs(["merge"]).plan(input, plan)
    }

    fn check(&self, x: ArrayView2<'_, T>) -> Result<(), ValueError> {
        self.branches.iter().try_for_each(|branch| branch.check(x))
    }

    fn forward(&self, pass: Forward<'_, T, GraphCache<T>>) {
        Graph::default().forward(pass);
    }

    fn backward(&self, pass: Backward<'_, T, GraphCache<T>>) {
        Graph::default().backward(pass);
    }
}
