use chainrule_layers::{
    ActivityRegularization, AlphaDropout, DropPath, Dropout, FeatureAlphaDropout, GaussianDropout,
    GaussianNoise, SpatialDropout,
};
use chainrule_tensor::Real;

use super::{Case, case};

pub(crate) fn cases<T: Real>() -> Vec<Case<T>> {
    vec![
        case("dropout 0.3", Dropout::new(0.3), [40]),
        case("dropout 0", Dropout::new(0.0), [3]),
        case("dropout of an image", Dropout::new(0.9), [3, 5, 5]),
        case("spatial dropout", SpatialDropout::new(0.4), [7, 3]),
        case("spatial dropout of one pixel", SpatialDropout::new(0.5), [6, 1, 1]),
        case("spatial dropout of volumes", SpatialDropout::new(0.2), [5, 2, 3, 2]),
        case("spatial dropout of features", SpatialDropout::new(0.4).channels_last(), [3, 9]),
        case("spatial dropout of one step", SpatialDropout::new(0.4).channels_last(), [1, 8]),
        case("drop path", DropPath::new(0.5), [2, 11]),
        case("drop path of one value", DropPath::new(0.5), [1]),
        case("alpha dropout", AlphaDropout::new(0.2), [33]),
        case("alpha dropout 0", AlphaDropout::new(0.0), [4]),
        case("feature alpha dropout", FeatureAlphaDropout::new(0.3), [6, 2, 2]),
        case("feature alpha dropout of features", FeatureAlphaDropout::new(0.3).channels_last(), [4, 5]),
        case("gaussian dropout", GaussianDropout::new(0.25), [21]),
        case("gaussian noise", GaussianNoise::new(0.5), [3, 6]),
        // With a penalty, backward is by intent not the derivative of forward: see layers/tests/layers/regularization.rs.
        case("activity regularization", ActivityRegularization::new(0.0, 0.0), [9]),
    ]
}
