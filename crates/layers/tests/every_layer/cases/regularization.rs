use chainrule_layers::Dropout;
use chainrule_tensor::Real;

use super::{Case, case};

pub(crate) fn cases<T: Real>() -> Vec<Case<T>> {
    vec![case("dropout 0.3", Dropout::new(0.3), [40]), case("dropout 0", Dropout::new(0.0), [3])]
}
