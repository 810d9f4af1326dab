//! Looking at what the layers of a network compute, in a single pass.
//!
//! To say which layer lost a gradient, or returns the same for every sample, the values between the layers have to be seen, wherever
//! in the network they are. As with [`batch_group`](crate::batch_group), that is a property of the thread that runs a pass: a
//! container cannot forget to hand it on. Layers in a [`Sequential`](crate::Sequential), a [`Graph`](crate::Graph) and what is made
//! of them are seen; one that another layer holds as its own, as [`Residual`](crate::Residual) does, is seen as a part of that.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::time::Duration;

use chainrule_tensor::Real;
use ndarray::ArrayView2;

/// What a layer was given in a pass, and what it has computed.
#[derive(Debug)]
pub enum LayerPass<'a, T> {
    /// A forward pass.
    Forward {
        /// The path of the layer, as in [`LayerInfo`](crate::LayerInfo): `"2.residual.0"`.
        path: &'a str,
        /// Its inputs, one unless it is a merge.
        xs: &'a [ArrayView2<'a, T>],
        /// Its output.
        y: ArrayView2<'a, T>,
        /// How long it took, with what `see` did for the layers in it.
        time: Duration,
    },
    /// A backward pass.
    Backward {
        /// The path of the layer.
        path: &'a str,
        /// The gradient of its output.
        dy: ArrayView2<'a, T>,
        /// The gradient of each input; `None` where it was not needed.
        dxs: &'a [Option<ArrayView2<'a, T>>],
        /// How long it took, with what `see` did for the layers in it.
        time: Duration,
    },
}

/// A closure that sees passes of one type of numbers.
struct Watcher<T>(Box<See<T>>);

type See<T> = dyn FnMut(&LayerPass<'_, T>);

thread_local! {
    static IS_WATCHED: Cell<bool> = const { Cell::new(false) };
    static WATCHER: RefCell<Option<Box<dyn Any>>> = const { RefCell::new(None) };
}

/// Ends the watching when it is dropped, also after a panic.
struct Watching(Option<Box<dyn Any>>);

impl Drop for Watching {
    fn drop(&mut self) {
        IS_WATCHED.set(self.0.is_some());
        WATCHER.replace(self.0.take());
    }
}

/// Runs passes on this thread, and shows those of the layers in them to `see`: each when it is over, so those in a layer before the
/// layer itself. It changes nothing in the passes.
///
/// ```
/// use std::{cell::Cell, rc::Rc};
/// use chainrule_core::watch::{self, LayerPass};
/// use chainrule_core::{Forward, Lambda, Layer, Mode, Params, Plan, Sequential};
/// use ndarray::array;
///
/// let twice = || Lambda::new("twice", |z: f32| 2.0 * z, |_, _| 2.0);
/// let layers = Sequential::new().then(twice()).then(twice());
/// let (_, mut cache) = layers.plan([2].into(), &mut Plan::new())?;
/// let (x, mut y) = (array![[1.0, 2.0]], array![[0.0, 0.0]]);
/// let sum = Rc::new(Cell::new(0.0));
/// let seen = Rc::clone(&sum);
/// let see = move |pass: &LayerPass<'_, f32>| {
///     if let LayerPass::Forward { path: "0", y, .. } = pass {
///         seen.set(y.sum());
///     }
/// };
/// watch::layers(see, || {
///     let (x, y, cache) = (x.view(), y.view_mut(), &mut cache);
///     layers.forward(Forward { params: Params::new(&[]), x, y, cache, mode: Mode::Eval });
/// });
/// assert_eq!(sum.get(), 6.0);
/// # Ok::<(), chainrule_core::ShapeError>(())
/// ```
pub fn layers<T: Real, R>(see: impl FnMut(&LayerPass<'_, T>) + 'static, passes: impl FnOnce() -> R) -> R {
    let watcher: Box<dyn Any> = Box::new(Watcher::<T>(Box::new(see)));
    IS_WATCHED.set(true);
    let _watching = Watching(WATCHER.replace(Some(watcher)));
    passes()
}

/// Whether the passes of this thread are watched.
#[inline]
pub(crate) fn is_watched() -> bool {
    IS_WATCHED.get()
}

/// Shows a pass that is over.
pub(crate) fn show<T: Real>(pass: &LayerPass<'_, T>) {
    WATCHER.with_borrow_mut(|watcher| {
        let watcher = watcher.as_mut().and_then(|watcher| watcher.downcast_mut::<Watcher<T>>());
        if let Some(Watcher(see)) = watcher {
            see(pass);
        }
    });
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use ndarray::array;

    use super::*;
    use crate::{Backward, Forward, Grads, Lambda, Layer, Mode, Params, Plan, Sequential};

    #[test]
    fn both_passes_are_seen_from_the_inside_out_and_only_while_they_are_watched() {
        let twice = || Lambda::new("twice", |z: f64| 2.0 * z, |_, _| 2.0);
        let layers =
            Sequential::<f64>::default().then(Sequential::<f64>::default().then(twice())).then(twice());
        let (_, mut cache) = layers.plan([1].into(), &mut Plan::new()).unwrap();
        let (x, mut y, mut dx) = (array![[1.0]], array![[0.0]], array![[0.0]]);
        let mut passes = || {
            let params = || Params::new(&[]);
            let mode = Mode::Eval;
            layers.forward(Forward {
                params: params(),
                x: x.view(),
                y: y.view_mut(),
                cache: &mut cache,
                mode,
            });
            let dy = array![[1.0]];
            layers.backward(Backward {
                params: params(),
                grads: Grads::new(&mut []),
                x: x.view(),
                y: y.view(),
                dy: dy.view(),
                dx: Some(dx.view_mut()),
                cache: &mut cache,
                share: 1.0,
            });
        };
        let seen = Rc::new(RefCell::new(Vec::new()));
        let list = Rc::clone(&seen);
        let see = move |pass: &LayerPass<'_, f64>| {
            let (path, value) = match pass {
                LayerPass::Forward { path, xs, y, .. } => (path, y[[0, 0]] / xs[0][[0, 0]]),
                LayerPass::Backward { path, dy, dxs, .. } => {
                    (path, dxs[0].map_or(f64::NAN, |dx| dx[[0, 0]]) / dy[[0, 0]])
                }
            };
            list.borrow_mut().push(((*path).to_owned(), value));
        };
        super::layers(see, &mut passes);
        passes();
        let paths = ["0.0", "0", "1", "1", "0.0", "0"];
        assert_eq!(*seen.borrow(), paths.map(|path| (path.to_owned(), 2.0)));
    }

    #[test]
    fn watching_ends_with_a_panic() {
        let watched = || layers(|_: &LayerPass<'_, f32>| (), || panic!("as intended"));
        assert!(std::panic::catch_unwind(watched).is_err());
        assert!(!is_watched());
    }
}
