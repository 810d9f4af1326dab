//! Classes of data whose number is known only when they are read.

use std::sync::Arc;

use super::{AnyTarget, AnyTargetView, Target, TargetView};

/// A class, whatever their number is, or a share of each class: the target of samples that a program knows only when it has read them.
/// [Registries](https://docs.rs/chainrule-core) have losses and metrics for it.
///
/// It also holds how much its [class counts](Self::class_weight), which is no [weight](Target::weight) of the sample: most trainings have
/// none, and a step that has to know the sum of all weights before its backward pass takes longer. A loss may take it into account.
///
/// ```
/// use chainrule_tensor::{ClassTarget, Target, TargetView};
/// let rare = ClassTarget::<f32>::from(300u32).counting(2.5);
/// assert_eq!(rare.view(), TargetView::Class(300));
/// assert_eq!(rare.class_weight(), 2.5);
/// let mixed = ClassTarget::of_shares([0.25f32, 0.75]);
/// assert_eq!(mixed.view(), TargetView::Values(&[0.25, 0.75]));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ClassTarget<T> {
    classes: ClassOrShares<T>,
    weight: f32,
}

#[derive(Clone, Debug, PartialEq)]
enum ClassOrShares<T> {
    Class(u32),
    Shares(Arc<[T]>),
}

impl<T> ClassTarget<T> {
    /// The share of each class, of samples that were mixed.
    pub fn of_shares(shares: impl Into<Arc<[T]>>) -> Self {
        Self { classes: ClassOrShares::Shares(shares.into()), weight: 1.0 }
    }

    /// The same whose class counts so much, finite and at least 0; without it, it is 1.
    #[must_use]
    pub fn counting(self, weight: f32) -> Self {
        Self { weight, ..self }
    }

    /// How much the class counts, or the mean of the classes by their shares.
    #[inline]
    pub fn class_weight(&self) -> f32 {
        self.weight
    }

    /// The class, if it is one.
    pub fn class(&self) -> Option<usize> {
        match self.classes {
            ClassOrShares::Class(class) => Some(class as usize),
            ClassOrShares::Shares(_) => None,
        }
    }
}

impl<T> From<u32> for ClassTarget<T> {
    fn from(class: u32) -> Self {
        Self { classes: ClassOrShares::Class(class), weight: 1.0 }
    }
}

impl<T> From<u8> for ClassTarget<T> {
    fn from(class: u8) -> Self {
        u32::from(class).into()
    }
}

impl<T> Target<T> for ClassTarget<T> {
    #[inline]
    fn view(&self) -> TargetView<'_, T> {
        match &self.classes {
            ClassOrShares::Class(class) => TargetView::Class(*class as usize),
            ClassOrShares::Shares(shares) => TargetView::Values(shares),
        }
    }
}

macro_rules! any {
    ($($kind:ident: $real:ty),*) => {$(
        impl AnyTarget for ClassTarget<$real> {
            fn any(&self) -> AnyTargetView<'_> {
                match &self.classes {
                    ClassOrShares::Class(class) => AnyTargetView::Class(*class as usize),
                    ClassOrShares::Shares(shares) => AnyTargetView::$kind(shares),
                }
            }
        }
    )*};
}
any!(Single: f32, Double: f64);
