//! What a recurrent layer does with its gates.

use std::fmt::Debug;
use std::ops::Range;

use chainrule_tensor::Real;

/// How many gates a [`Cell`] has, and how they get their values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gates {
    /// How many gates there are.
    pub count: usize,
    /// How many of them, from the first on, need only the sum of what comes from the input and from the state. The
    /// others are given both by themselves.
    pub shared: usize,
}

impl Gates {
    /// So many gates, all of which need only the sum.
    pub const fn all(count: usize) -> Self {
        Self { count, shared: count }
    }

    /// How many values a cell is given for each unit: the gates, and then, for those that are not shared, what comes
    /// from the state.
    pub const fn parts(self) -> usize {
        2 * self.count - self.shared
    }

    /// Whether every gate needs only the sum.
    pub(super) fn all_shared(self) -> bool {
        self.shared == self.count
    }

    /// The columns of the recurrent weight, each with the columns of `Z` that its product goes to.
    pub(super) fn spans(self, units: usize) -> impl Iterator<Item = (Range<usize>, Range<usize>)> {
        let Self { count, shared } = self;
        let columns = move |gates: Range<usize>| units * gates.start..units * gates.end;
        [(0..shared, 0..shared), (shared..count, count..self.parts())]
            .into_iter()
            .filter(|(gates, _)| !gates.is_empty())
            .map(move |(gates, parts)| (columns(gates), columns(parts)))
    }
}

/// One step of a recurrent layer, from the gates to the next state.
///
/// A cell is arithmetic on single units, which [`vector::gates`](chainrule_tensor::vector::gates) runs over many. The
/// slices hold the same rows: `z` is `[rows, parts * units]`, with the first part of all units, then the second and
/// so on, and a state is `[rows, units]`. The first state is the output `h`; a cell with one state is given empty
/// slices for the second.
///
/// ```
/// use chainrule_core::gradcheck;
/// use chainrule_layers::recurrent::{Affine, Cell, Gates, Recurrent};
/// use chainrule_tensor::{Real, vector};
///
/// /// A unit that forgets: `f = σ(z)`, `h = f h₀ + (1 - f) tanh(a)`.
/// #[derive(Clone, Copy, Debug)]
/// struct Forgetful;
///
/// impl<T: Real> Cell<T> for Forgetful {
///     const GATES: Gates = Gates::all(2);
///
///     fn forward(self, units: usize, z: &mut [T], [h0, _]: [&[T]; 2], [h, _]: [&mut [T]; 2]) {
///         vector::gates(units, z, [h0], [h], #[inline(always)] |[f, a], [h0], _| {
///             let (f, a) = (f.fast_sigmoid(), a.fast_tanh());
///             ([f, a], [a + f * (h0 - a)])
///         });
///     }
///
///     fn backward(self, units: usize, z: &mut [T], [h0, _]: [&[T]; 2], _: [&[T]; 2], [dh, _]: [&mut [T]; 2]) {
///         vector::gates(units, z, [h0], [dh], #[inline(always)] |[f, a], [h0], [dh]| {
///             let one = T::one();
///             ([dh * (h0 - a) * f * (one - f), dh * (one - f) * (one - a * a)], [dh * f])
///         });
///     }
/// }
///
/// gradcheck::gradients(&Recurrent::new_with(Forgetful, Affine::new(3)), [4, 2])?;
/// # Ok::<(), chainrule_core::gradcheck::GradientError>(())
/// ```
pub trait Cell<T: Real>: Copy + Debug + Send + Sync + 'static {
    /// Its gates.
    const GATES: Gates;

    /// How many states it carries from step to step, 1 or 2.
    const STATES: usize = 1;

    /// From `z`, what the gates are made of, and the states `before` computes those `after`, which are overwritten.
    /// What it leaves in `z` is what [`backward`](Self::backward) finds there.
    fn forward(self, units: usize, z: &mut [T], before: [&[T]; 2], after: [&mut [T]; 2]);

    /// The chain rule: replaces `z`, as `forward` left it, by the gradient with respect to what `forward` was given
    /// there, and `gradient`, with respect to the states `after`, by that with respect to the states `before`, as far
    /// as it does not come through `z`.
    fn backward(
        self,
        units: usize,
        z: &mut [T],
        before: [&[T]; 2],
        after: [&[T]; 2],
        gradient: [&mut [T]; 2],
    );
}
