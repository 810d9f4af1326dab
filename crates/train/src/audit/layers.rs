//! What the layers of a network computed for a few samples, in short.

use std::cell::RefCell;
use std::rc::Rc;

use chainrule_core::watch::{self, LayerPass};
use chainrule_core::{LayerInfo, Plan};
use chainrule_tensor::Real;
use ndarray::{ArrayView2, Axis};

use super::column_sizes::ColumnSizes;

/// By how much the values of a column may differ and still count as the same, relative to the largest.
const SAME: f64 = 1e-6;

/// What one layer returned in a forward pass.
#[derive(Clone, Debug)]
pub(crate) struct SeenOutput {
    pub(crate) path: String,
    /// Whether it was the same for all samples.
    pub(crate) constant: bool,
    /// Whether all of its inputs were 0.
    pub(crate) of_zeros: bool,
    /// Whether its inputs were finite, and its output not.
    pub(crate) spoils: bool,
}

/// What one layer did to the gradient in a backward pass.
#[derive(Clone, Debug)]
pub(crate) struct SeenGradient {
    pub(crate) path: String,
    /// Whether the gradient of its output was not 0 somewhere.
    pub(crate) received: bool,
    /// Whether the gradients of all inputs that were needed are 0 everywhere. `false` if none was needed.
    pub(crate) cuts: bool,
    /// Whether the gradient of its output was finite, and that of an input not.
    pub(crate) spoils: bool,
}

/// What all layers computed in one pass, in the order in which they did.
#[derive(Clone, Debug, Default)]
pub(crate) struct SeenLayers {
    pub(crate) outputs: Vec<SeenOutput>,
    pub(crate) gradients: Vec<SeenGradient>,
    /// The sizes of the values that the layer to look at is given.
    pub(crate) sizes: Option<ColumnSizes>,
    /// The part of the samples whose loss has a gradient.
    pub(crate) with_gradient: f64,
}

/// What to look at.
#[derive(Clone, Debug, Default)]
pub(crate) struct LookFor {
    /// The layer whose inputs are measured.
    pub(crate) sized: Option<String>,
    /// Whether to look at every value for one that is not finite.
    pub(crate) finite: bool,
}

impl SeenLayers {
    /// Runs a pass on this thread; returns what its layers computed, and what it returns.
    pub(crate) fn watch<T: Real, R>(wanted: LookFor, pass: impl FnOnce() -> R) -> (Self, R) {
        let seen = Rc::new(RefCell::new(Self::default()));
        let shared = Rc::clone(&seen);
        let see = move |pass: &LayerPass<'_, T>| shared.borrow_mut().add(&wanted, pass);
        let result = watch::layers(see, pass);
        (seen.take(), result)
    }

    fn add<T: Real>(&mut self, wanted: &LookFor, pass: &LayerPass<'_, T>) {
        let spoils =
            |before: &dyn Fn() -> bool, after: &dyn Fn() -> bool| wanted.finite && !after() && before();
        match pass {
            LayerPass::Forward { path, xs, y, .. } => {
                let of_wanted = wanted.sized.as_deref().is_some_and(|sized| is_within(sized, path));
                // The layer itself is seen before those around it.
                if of_wanted && self.sizes.is_none() {
                    self.sizes = xs.first().map(|x| ColumnSizes::of(x.view()));
                }
                let finite = || xs.iter().all(|x| is_finite(x.view()));
                self.outputs.push(SeenOutput {
                    path: (*path).to_owned(),
                    constant: is_constant(y.view()),
                    of_zeros: xs.iter().all(|x| is_zero(x.view())),
                    spoils: spoils(&finite, &|| is_finite(y.view())),
                });
            }
            LayerPass::Backward { path, dy, dxs, .. } => {
                if self.gradients.is_empty() {
                    let with =
                        dy.axis_iter(Axis(0)).filter(|row| row.iter().any(|value| *value != T::zero()));
                    self.with_gradient = with.count() as f64 / dy.nrows().max(1) as f64;
                }
                let needed = || dxs.iter().flatten();
                let all = || needed().all(|dx| is_finite(dx.view()));
                self.gradients.push(SeenGradient {
                    path: (*path).to_owned(),
                    received: !is_zero(dy.view()),
                    cuts: needed().next().is_some() && needed().all(|dx| is_zero(dx.view())),
                    spoils: spoils(&|| is_finite(dy.view()), &all),
                });
            }
        }
    }

    /// The layers that contain no others that were seen, in order.
    pub(crate) fn leaves(&self) -> impl Iterator<Item = &SeenOutput> {
        let contains =
            |path: &str| self.outputs.iter().any(|other| other.path != path && is_within(&other.path, path));
        self.outputs.iter().filter(move |output| !contains(&output.path))
    }
}

/// Whether something with the path `inner` is the layer with the path `outer`, or a part of it.
pub(crate) fn is_within(inner: &str, outer: &str) -> bool {
    inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// The layer with this path, or the innermost around it.
pub(crate) fn info<'a>(plan: &'a Plan, path: &str) -> Option<&'a LayerInfo> {
    let around = plan.layers().iter().filter(|info| is_within(path, &info.path));
    around.max_by_key(|info| info.path.len())
}

/// What findings call the layer with this path: `layer 2 (Dense(units=64))`.
pub(crate) fn called(plan: &Plan, path: &str) -> String {
    match info(plan, path) {
        Some(info) if info.path == path => format!("layer {path} ({})", info.label),
        _ => format!("layer {path}"),
    }
}

/// The name of the layer with this path, such as `Dense`.
pub(crate) fn name<'a>(plan: &'a Plan, path: &str) -> &'a str {
    let label = info(plan, path).map_or("", |info| info.label.as_str());
    label.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default()
}

/// Whether all rows are the same, up to rounding.
pub(crate) fn is_constant<T: Real>(values: ArrayView2<'_, T>) -> bool {
    let rows = values.nrows();
    let is_same = |column: ndarray::ArrayView1<'_, T>| {
        let first = column[0].as_f64();
        column
            .iter()
            .all(|value| (value.as_f64() - first).abs() <= SAME * first.abs().max(value.as_f64().abs()))
    };
    rows > 1 && values.axis_iter(Axis(1)).all(is_same)
}

fn is_zero<T: Real>(values: ArrayView2<'_, T>) -> bool {
    values.iter().all(|value| *value == T::zero())
}

fn is_finite<T: Real>(values: ArrayView2<'_, T>) -> bool {
    values.iter().all(|value| value.is_finite())
}
