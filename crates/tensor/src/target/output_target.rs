//! The target of one of several outputs.

use std::sync::Arc;

use super::{AnyTarget, AnyTargetView, Target, TargetView};

/// The target of one of several outputs of a model: a class, or values. Those of a sample are a shared slice,
/// `Arc<[OutputTarget<T>]>`, with one for each output.
///
/// ```
/// use chainrule_tensor::{OutputTarget, Target, TargetView};
/// let [price, kind] = [OutputTarget::values([250.0f32]), OutputTarget::Class(2)];
/// assert_eq!((price.view(), kind.view()), (TargetView::Values(&[250.0]), TargetView::Class(2)));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum OutputTarget<T> {
    /// The index of the correct class.
    Class(u32),
    /// One value for each column of the output.
    Values(Arc<[T]>),
}

impl<T> OutputTarget<T> {
    /// These values.
    pub fn values(values: impl Into<Arc<[T]>>) -> Self {
        Self::Values(values.into())
    }
}

impl<T> Target<T> for OutputTarget<T> {
    #[inline]
    fn view(&self) -> TargetView<'_, T> {
        match self {
            Self::Class(class) => TargetView::Class(*class as usize),
            Self::Values(values) => TargetView::Values(values),
        }
    }
}

macro_rules! any {
    ($($kind:ident: $real:ty),*) => {$(
        impl AnyTarget for OutputTarget<$real> {
            fn any(&self) -> AnyTargetView<'_> {
                match self {
                    Self::Class(class) => AnyTargetView::Class(*class as usize),
                    Self::Values(values) => AnyTargetView::$kind(values),
                }
            }
        }
    )*};
}
any!(Single: f32, Double: f64);
