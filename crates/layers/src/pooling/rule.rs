//! What a pooling does with each window.

use std::fmt::Debug;
use std::ops::Range;

use chainrule_core::{DescriptionError, Entry, Label, Settings, Value};
use chainrule_tensor::Real;

use super::pool_windows::PoolWindows;
use crate::axes::NameOfAxes;

/// Computes one output from a window of inputs.
pub trait PoolRule: Clone + Copy + Debug + Send + Sync + 'static {
    /// Whether [`backward`](Self::backward) needs to know which input each output was taken from.
    const INDEXED: bool;

    /// The entry of its poolings, but for their names.
    const ENTRY: Entry;

    /// The names of its poolings of one, two and three axes.
    const NAMES: [NameOfAxes; 3];

    /// The rule with these settings of a pooling.
    ///
    /// # Errors
    ///
    /// [`DescriptionError`] if a value is not of the type of its setting.
    fn from_settings(settings: &Settings<'_>) -> Result<Self, DescriptionError>;

    /// Its own values among those of the settings of a pooling, in the order of the entry.
    fn values(self, pooling: Vec<Value>) -> Vec<Value> {
        pooling
    }

    /// The start of the names of its poolings.
    const NAME: &'static str;

    /// Adds the rule's settings to the label of its pooling.
    fn relabel(self, pooling: Label) -> Label {
        pooling
    }

    /// What is wrong with a setting of the rule, if anything: what was expected, and how to fix it.
    fn invalid_setting(self) -> Option<(&'static str, &'static str)> {
        None
    }

    /// Computes the outputs `y` of the samples `x`. If the rule is indexed, it records which input each was taken from.
    fn forward<T: Real>(self, windows: &PoolWindows, x: &[T], y: &mut [T], indices: &mut MaxIndices);

    /// Adds the gradients of the inputs of one sample to `dx`, in a precision of its own; `indices` are the sample's, if the rule is
    /// indexed.
    fn add_gradient<T: Real, S: Real>(
        self,
        windows: &PoolWindows,
        sample: PoolValues<'_, T>,
        indices: &[u32],
        dx: &mut [S],
    );

    /// Overwrites `dx`.
    fn backward<T: Real>(
        self,
        windows: &PoolWindows,
        values: PoolValues<'_, T>,
        indices: &MaxIndices,
        dx: &mut [T],
    );
}

/// Which input each output was taken from, in one of two forms. That one has an entry for each output of the pass, and may be
/// longer.
#[derive(Clone, Debug, Default)]
pub struct MaxIndices {
    /// The index of the input within its sample.
    pub in_sample: Vec<u32>,
    /// If windows are squares of two by two: which of the four, row by row.
    pub in_square: Vec<u8>,
}

impl MaxIndices {
    /// Makes the indices long enough for this number of outputs. They never shrink, so that the pass after a smaller one allocates
    /// nothing.
    pub(super) fn reserve(&mut self, windows: &PoolWindows, outputs: usize) {
        let Self { in_sample, in_square } = self;
        match windows.squares() {
            Some(_) => in_square.resize(in_square.len().max(outputs), 0),
            None => in_sample.resize(in_sample.len().max(outputs), 0),
        }
    }
}

/// Inputs, outputs and the gradient of the outputs, of one or several samples.
#[derive(Clone, Copy, Debug)]
pub struct PoolValues<'a, T> {
    /// The inputs.
    pub x: &'a [T],
    /// The outputs.
    pub y: &'a [T],
    /// The gradient with respect to the outputs.
    pub dy: &'a [T],
}

impl<T: Real> PoolValues<'_, T> {
    /// Sets `dx` to 0, and calls `f` for each sample with the range of its outputs, its values and its part of `dx`.
    pub(super) fn each_sample(
        self,
        windows: &PoolWindows,
        dx: &mut [T],
        mut f: impl FnMut(Range<usize>, PoolValues<'_, T>, &mut [T]),
    ) {
        dx.fill(T::zero());
        let inputs = windows.inputs();
        let outputs = windows.outputs();
        for (row, dx) in dx.chunks_exact_mut(inputs).enumerate() {
            let range = row * outputs..(row + 1) * outputs;
            f(range, self.sample(inputs, outputs, row), dx);
        }
    }

    /// Those of one sample.
    pub(super) fn sample(&self, inputs: usize, outputs: usize, row: usize) -> PoolValues<'_, T> {
        PoolValues {
            x: &self.x[row * inputs..][..inputs],
            y: &self.y[row * outputs..][..outputs],
            dy: &self.dy[row * outputs..][..outputs],
        }
    }
}

/// A rule that is used for the poolings whose windows are determined by the size of the output, too.
pub trait AdaptiveRule: PoolRule + Default {
    /// The entry of the poolings to a given size, but for their names.
    const ADAPTIVE: Entry;

    /// The names of those of one, two and three axes.
    const ADAPTIVE_NAMES: [NameOfAxes; 3];

    /// The entry of the pooling to one number.
    const GLOBAL: Entry;
}
