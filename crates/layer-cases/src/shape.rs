use chainrule_core::Sequential;
use chainrule_layers::{
    BilinearUpSampling2d, ChannelShuffle, CircularPadding1d, CircularPadding2d, CircularPadding3d,
    ConstantPadding1d, ConstantPadding2d, ConstantPadding3d, Cropping1d, Cropping2d, Cropping3d, Dense,
    Flatten, LinearUpSampling1d, Permute, PixelShuffle, PixelUnshuffle, ReflectionPadding1d,
    ReflectionPadding2d, ReflectionPadding3d, RepeatVector, ReplicationPadding1d, ReplicationPadding2d,
    ReplicationPadding3d, Reshape, TrilinearUpSampling3d, Unflatten, UpSampling1d, UpSampling2d,
    UpSampling3d, ZeroPadding1d, ZeroPadding2d, ZeroPadding3d,
};
use chainrule_tensor::Real;

use super::{Case, case};

pub(crate) fn cases<T: Real>() -> Vec<Case<T>> {
    let reshaped = Sequential::<T>::default().then(Reshape::new([Some(3), None])).then(Permute::new([1, 0]));
    vec![
        case("flatten", Sequential::<T>::default().then(Flatten).then(Dense::new(2)), [2, 3, 2]),
        case("reshape", Reshape::new([4, 3]), [2, 6]),
        case("reshape permute", reshaped, [2, 6]),
        case("unflatten", Unflatten::new(1, [Some(2), None]), [2, 6, 2]),
        case("permute", Permute::new([2, 0, 1]), [2, 3, 4]),
        case("repeat vector", RepeatVector::new(3), [5]),
        case("zero padding 1d", ZeroPadding1d::new([[2, 0]]), [2, 4]),
        case("zero padding 2d", ZeroPadding2d::new([[1, 2], [0, 3]]), [2, 3, 4]),
        case("zero padding 3d", ZeroPadding3d::new(1), [1, 2, 3, 2]),
        case("constant padding 1d", ConstantPadding1d::new([[2, 0]], -0.5), [2, 4]),
        case("constant padding 2d", ConstantPadding2d::new([1, 2], 2.5), [2, 3, 4]),
        case("constant padding 3d", ConstantPadding3d::new(1, 1.5), [1, 2, 1, 2]),
        case("reflection padding 1d", ReflectionPadding1d::new([[3, 2]]), [2, 4]),
        case("reflection padding 2d", ReflectionPadding2d::new([[1, 2], [0, 3]]), [2, 3, 4]),
        case("reflection padding 3d", ReflectionPadding3d::new([0, 1, 1]), [1, 2, 2, 3]),
        case("replication padding 1d", ReplicationPadding1d::new([[2, 1]]), [2, 4]),
        case("replication padding 2d", ReplicationPadding2d::new([[1, 2], [5, 3]]), [2, 3, 4]),
        case("replication padding 3d", ReplicationPadding3d::new(1), [1, 2, 3, 2]),
        case("circular padding 1d", CircularPadding1d::new([[4, 3]]), [2, 4]),
        case("circular padding 2d", CircularPadding2d::new([[1, 2], [0, 3]]), [2, 3, 4]),
        case("circular padding 3d", CircularPadding3d::new([1, 0, 2]), [1, 2, 2, 3]),
        case("cropping 1d", Cropping1d::new([[1, 2]]), [2, 7]),
        case("cropping 2d", Cropping2d::new([[1, 0], [2, 1]]), [2, 3, 5]),
        case("cropping 3d", Cropping3d::new(1), [1, 3, 4, 3]),
        case("upsampling 1d", UpSampling1d::new(3), [2, 4]),
        case("upsampling 2d", UpSampling2d::new([2, 3]), [2, 3, 2]),
        case("upsampling 3d", UpSampling3d::new(2), [1, 2, 1, 3]),
        case("upsampling 2d to a size", UpSampling2d::to_size([5, 3]), [2, 3, 4]),
        case("bilinear upsampling 2d to a size", BilinearUpSampling2d::to_size([5, 3]), [2, 3, 4]),
        case("linear upsampling 1d", LinearUpSampling1d::new(3), [2, 4]),
        case("bilinear upsampling 2d", BilinearUpSampling2d::new([2, 3]), [2, 3, 4]),
        case("bilinear upsampling 2d aligned", BilinearUpSampling2d::new([2, 3]).align_corners(), [2, 3, 4]),
        case("bilinear upsampling 2d of one", BilinearUpSampling2d::new(1).align_corners(), [2, 1, 3]),
        case("trilinear upsampling 3d", TrilinearUpSampling3d::new(2), [1, 2, 3, 2]),
        case("pixel shuffle", PixelShuffle::new(2), [8, 2, 3]),
        case("pixel unshuffle", PixelUnshuffle::new(2), [2, 4, 6]),
        case("channel shuffle", ChannelShuffle::new(3), [6, 2, 2]),
    ]
}
