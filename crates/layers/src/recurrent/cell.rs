//! The trait of recurrent cells: what a recurrent layer computes from its gates.

use chainrule_core::Description;
use std::fmt::Debug;
use std::ops::Range;

use chainrule_tensor::Real;

/// How many gates a [`Cell`] has, and how they get their values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GateLayout {
    /// The number of gates.
    pub count: usize,
    /// How many of them, counted from the first, need only the sum of what comes from the input and from the state. The
    /// others are given both separately.
    pub summed: usize,
}

impl GateLayout {
    /// This many gates, all of which need only the sum.
    pub const fn all_summed(count: usize) -> Self {
        Self { count, summed: count }
    }

    /// The number of values that a cell is given for each unit: one for each gate, and then, for the gates that are not
    /// summed, one for what comes from the state.
    pub const fn blocks(self) -> usize {
        2 * self.count - self.summed
    }

    /// Whether every gate needs only the sum.
    pub(super) fn is_all_summed(self) -> bool {
        self.summed == self.count
    }

    /// Ranges of columns of the recurrent weight, each with the columns of `Z` that its product is stored in.
    pub(super) fn recurrent_columns(
        self,
        units: usize,
    ) -> impl Iterator<Item = (Range<usize>, Range<usize>)> {
        let Self { count, summed } = self;
        let columns = move |blocks: Range<usize>| units * blocks.start..units * blocks.end;
        [(0..summed, 0..summed), (summed..count, count..self.blocks())]
            .into_iter()
            .filter(|(gates, _)| !gates.is_empty())
            .map(move |(gates, blocks)| (columns(gates), columns(blocks)))
    }
}

/// One step of a recurrent layer, from the gates to the next state.
///
/// A cell is arithmetic on single units, which [`gates!`](chainrule_tensor::gates) runs over all of them. The slices hold
/// the same rows: `z` is `[rows, blocks * units]`, the first block of all units, then the second and so on, and a state is
/// `[rows, units]`. The first state is the output `h`; a cell with one state is given empty slices for the second.
///
/// ```
/// use chainrule_core::gradcheck;
/// use chainrule_layers::recurrent::{Cell, GateLayout, GateProjection, Recurrent};
/// use chainrule_tensor::{Real, gates};
///
/// /// A unit that forgets: `f = σ(z)`, `h = f h₀ + (1 - f) tanh(a)`.
/// #[derive(Clone, Copy, Debug)]
/// struct Forgetful;
///
/// impl<T: Real> Cell<T> for Forgetful {
///     const GATES: GateLayout = GateLayout::all_summed(2);
///
///     fn forward(&self, units: usize, z: &mut [T], [h0, _]: [&[T]; 2], [h, _]: [&mut [T]; 2]) {
///         gates!(units, z, [h] = |[f, a], [h0]| {
///             let f = f.fast_sigmoid();
///             let a = a.fast_tanh();
///             ([f, a], [a + f * (h0 - a)])
///         });
///     }
///
///     fn backward(&self, units: usize, z: &mut [T], [h0, _]: [&[T]; 2], _: [&[T]; 2], [dh, _]: [&mut [T]; 2]) {
///         let one = T::one();
///         gates!(units, z, [dh] = |[f, a], [h0]| {
///             ([dh * (h0 - a) * f * (one - f), dh * (one - f) * (one - a * a)], [dh * f])
///         });
///     }
/// }
///
/// gradcheck::gradients(&Recurrent::new_with(Forgetful, GateProjection::new(3)), [4, 2])?;
/// # Ok::<(), chainrule_core::gradcheck::GradientError>(())
/// ```
pub trait Cell<T: Real>: Clone + Debug + Send + Sync + 'static {
    /// Its gates.
    const GATES: GateLayout;

    /// The number of states that it passes from step to step, 1 or 2.
    const STATES: usize = 1;

    /// What a layer with this cell is, but for the settings of its projection and options.
    fn description(&self) -> Description {
        Description::of_debug(self).with("debug", format!("{self:?}"))
    }

    /// Computes the states `after` the step, which are overwritten, from `z`, the inputs of the gates, and the states
    /// `before` it. [`backward`](Self::backward) is given `z` as this leaves it.
    fn forward(&self, units: usize, z: &mut [T], before: [&[T]; 2], after: [&mut [T]; 2]);

    /// The chain rule. Overwrites `z`, as `forward` left it, with the gradient of the `z` that `forward` was given; and
    /// `gradient`, that of the states `after`, with the gradient of the states `before`, without the part that comes
    /// through `z`.
    fn backward(
        &self,
        units: usize,
        z: &mut [T],
        before: [&[T]; 2],
        after: [&[T]; 2],
        gradient: [&mut [T]; 2],
    );
}
