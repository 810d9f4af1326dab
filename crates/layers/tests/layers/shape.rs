//! The errors of layers that rearrange values for shapes that they cannot take.

use chainrule_core::{Layer, Plan};
use chainrule_layers::{
    BilinearUpSampling2d, ChannelShuffle, CircularPadding1d, ConstantPadding2d, Cropping2d, Permute,
    PixelShuffle, PixelUnshuffle, ReflectionPadding1d, RepeatVector, Reshape, Unflatten, UpSampling2d,
    ZeroPadding2d,
};

macro_rules! message {
    ($layer:expr, $input:expr) => {
        Layer::<f32>::plan(&$layer, $input.into(), &mut Plan::new()).unwrap_err().to_string()
    };
}

#[test]
fn wrong_shapes_say_what_to_do() {
    for (message, part) in [
        (message!(Reshape::new([5, 3]), [2, 6]), "the sample has 12 values"),
        (message!(Reshape::new([None, None]), [2, 6]), "of which one may be None"),
        (message!(Reshape::new([Some(0), None]), [2, 6]), "the sample has 12 values"),
        (message!(Reshape::new([1; 7]), [1]), "at most six axes"),
        (message!(Unflatten::new(2, [1, 1]), [2, 6]), "count from 0"),
        (message!(Unflatten::new(1, [4, 2]), [2, 6]), "the axis has 6 values"),
        (message!(Permute::new([0, 2]), [2, 3]), "from 0 to 1 once"),
        (message!(Permute::new([0, 0]), [2, 3]), "from 0 to 1 once"),
        (message!(RepeatVector::new(2), [2, 3]), "put Flatten before it"),
        (message!(RepeatVector::new(usize::MAX), [2]), "choose a smaller output"),
        (message!(ZeroPadding2d::new(1), [28, 28]), "[channels, height, width]"),
        (message!(ZeroPadding2d::new(usize::MAX), [1, 2, 2]), "at most"),
        (message!(ConstantPadding2d::new(1, f64::NAN), [1, 2, 2]), "choose a number"),
        (message!(ReflectionPadding1d::new(3), [1, 3]), "by at most 2"),
        (message!(CircularPadding1d::new(4), [1, 3]), "by at most 3"),
        (message!(Cropping2d::new(1), [1, 2, 5]), "crop less"),
        (message!(UpSampling2d::new(0), [1, 2, 2]), "at least 1"),
        (message!(UpSampling2d::new(usize::MAX), [1, 2, 2]), "choose a smaller output"),
        (message!(UpSampling2d::to_size([0, 3]), [1, 2, 2]), "at least 1"),
        (message!(BilinearUpSampling2d::new(2), [2, 2]), "2 more axes"),
        (message!(PixelShuffle::new(2), [6, 2, 2]), "divides the channels"),
        (message!(PixelShuffle::new(0), [6, 2, 2]), "at least 1"),
        (message!(PixelUnshuffle::new(2), [1, 3, 2]), "divides both"),
        (message!(ChannelShuffle::new(4), [6, 2]), "divides the channels"),
    ] {
        assert!(message.contains(part), "{message}");
    }
}
