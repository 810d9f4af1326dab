use chainrule_layer::Sequential;
use chainrule_layers::{Dense, Flatten};
use chainrule_tensor::Real;

use super::{Case, case};

pub(crate) fn cases<T: Real>() -> Vec<Case<T>> {
    vec![case("flatten", Sequential::<T>::default().then(Flatten).then(Dense::new(2)), [2, 3, 2])]
}
