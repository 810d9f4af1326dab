//! Sequences of labels, some of whose outputs are padding.

use chainrule_tensor::{Steps, Target};

/// Labels of a sample, of whose outputs only the first steps are its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Padded<S> {
    /// The labels.
    pub labels: S,
    /// The number of steps that are not padding.
    pub steps: usize,
}

/// A sequence of labels, as [`Ctc`](crate::Ctc) reads it: what is a [`Steps`] of classes, or [`Padded`].
pub trait LabelSequence<T> {
    /// A label, which is a class.
    type Label: Target<T>;

    /// Whether sequences of this type have weights.
    const WEIGHTED: bool;

    /// The labels, in order.
    fn labels(&self) -> &[Self::Label];

    /// The number of steps that are not padding, if there is padding.
    fn length(&self) -> Option<usize>;

    /// How much the sample counts.
    fn weight(&self) -> f64;
}

impl<T, S: Steps> LabelSequence<T> for S
where
    S::Target: Target<T>,
{
    type Label = S::Target;

    const WEIGHTED: bool = <S as Steps>::WEIGHTED;

    fn labels(&self) -> &[S::Target] {
        self.steps()
    }

    fn length(&self) -> Option<usize> {
        None
    }

    fn weight(&self) -> f64 {
        Steps::weight(self)
    }
}

impl<T, S: Steps> LabelSequence<T> for Padded<S>
where
    S::Target: Target<T>,
{
    type Label = S::Target;

    const WEIGHTED: bool = <S as Steps>::WEIGHTED;

    fn labels(&self) -> &[S::Target] {
        self.labels.steps()
    }

    fn length(&self) -> Option<usize> {
        Some(self.steps)
    }

    fn weight(&self) -> f64 {
        Steps::weight(&self.labels)
    }
}
