//! Targets with weights.

use super::{AnyTarget, AnyTargetView, Steps, Target, TargetView};

/// A target, and how much its sample counts in a loss: twice as much with the weight 2, not at all with 0.
///
/// A loss multiplies the loss of the sample by the weight, and its mean divides by the sum of the weights of the whole batch. The
/// sequence of a [`Steps`] has a weight as well as each of its steps: a step with the weight 0 is masked.
///
/// ```
/// use chainrule_tensor::{Target, TargetView, Weighted};
/// let rare = Weighted { target: 3u8, weight: 2.5 };
/// assert_eq!(Target::<f32>::view(&rare), TargetView::Class(3));
/// assert_eq!(Target::<f32>::weight(&rare), 2.5);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Weighted<Y> {
    /// What the output should be.
    pub target: Y,
    /// The weight, finite and at least 0.
    pub weight: f32,
}

impl<Y> Weighted<Y> {
    /// A target that counts.
    pub fn whole(target: Y) -> Self {
        Self { target, weight: 1.0 }
    }

    /// A target that does not count. It still has to be one that the loss is defined for.
    pub fn masked(target: Y) -> Self {
        Self { target, weight: 0.0 }
    }
}

impl<T, Y: Target<T>> Target<T> for Weighted<Y> {
    const WEIGHTED: bool = true;

    #[inline]
    fn view(&self) -> TargetView<'_, T> {
        self.target.view()
    }

    #[inline]
    fn weight(&self) -> f64 {
        f64::from(self.weight) * self.target.weight()
    }
}

impl<Y: AnyTarget> AnyTarget for Weighted<Y> {
    fn any(&self) -> AnyTargetView<'_> {
        self.target.any()
    }

    fn weight(&self) -> f64 {
        f64::from(self.weight) * self.target.weight()
    }
}

impl<S: Steps> Steps for Weighted<S> {
    type Target = S::Target;

    const WEIGHTED: bool = true;

    #[inline]
    fn steps(&self) -> &[S::Target] {
        self.target.steps()
    }

    #[inline]
    fn weight(&self) -> f64 {
        f64::from(self.weight) * self.target.weight()
    }
}
