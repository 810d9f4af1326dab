use chainrule_layers::{
    Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d, DepthwiseConv1d,
    DepthwiseConv2d, Fold, Padding, SeparableConv1d, SeparableConv2d, Unfold,
};
use chainrule_tensor::Real;

use super::{Case, case};

pub(crate) fn cases<T: Real>() -> Vec<Case<T>> {
    let dilated = Conv2d::new(4, 3).dilation([2, 3]).stride([3, 1]).padding([2, 4]).groups(2);
    let volumes = Conv3d::new(2, 2).stride([1, 2, 2]).padding([0, 1, 2]).dilation([2, 1, 3]).groups(2);
    let spread = ConvTranspose2d::new(2, [3, 2]).stride([2, 3]).padding([1, 0]).output_padding([1, 2]);
    vec![
        case("conv1d", Conv1d::new(3, 4), [2, 9]),
        case("conv1d causal", Conv1d::new(2, 3).dilation(2).padding([[4, 0]]).without_bias(), [2, 7]),
        case("conv1d same stride", Conv1d::new(4, 5).stride(3).padding(Padding::Same).groups(2), [4, 11]),
        case("conv1d wide", Conv1d::new(2, 3), [3, 18]),
        case("conv1d phases", Conv1d::new(2, 4).stride(3).dilation(2).padding(4), [1, 300]),
        case("conv2d", Conv2d::new(3, 3), [2, 5, 6]),
        case("conv2d 1x1", Conv2d::new(5, 1), [3, 4, 4]),
        case("conv2d 1x1 stride", Conv2d::new(2, 1).stride(2), [3, 5, 3]),
        case("conv2d keras", Conv2d::keras(2, [2, 3]).padding(Padding::Same), [1, 4, 3]),
        case("conv2d same stride", Conv2d::new(3, [4, 3]).stride([3, 2]).padding(Padding::Same), [2, 7, 6]),
        case("conv2d stride", Conv2d::new(3, [3, 2]).stride([2, 3]).padding([1, 0]), [2, 7, 8]),
        case("conv2d dilated", dilated, [2, 6, 5]),
        case("conv2d uneven", Conv2d::new(2, 2).padding([[0, 3], [2, 1]]).without_bias(), [2, 3, 3]),
        case("conv2d whole", Conv2d::new(3, 4), [2, 4, 4]),
        case("conv2d wide", Conv2d::new(2, 5).padding(2), [1, 7, 9]),
        case("conv2d half", Conv2d::new(3, 3).padding(1).stride(2), [2, 13, 18]),
        case("conv2d many channels", Conv2d::new(17, 3).padding(1), [5, 7, 9]),
        case("conv2d beyond", Conv2d::new(1, 2).padding(3).dilation(4), [1, 2, 2]),
        case("conv3d", Conv3d::new(2, [2, 1, 3]), [2, 3, 2, 4]),
        case("conv3d options", volumes, [2, 3, 4, 3]),
        case("conv3d same", Conv3d::new(2, [3, 2, 3]).padding(Padding::Same), [1, 3, 4, 5]),
        case("depthwise 1d", DepthwiseConv1d::new(3).multiplier(2).padding(1), [3, 16]),
        case("depthwise 2d", DepthwiseConv2d::new([3, 2]).padding([1, 0]).without_bias(), [3, 4, 5]),
        case("depthwise 2d keras", DepthwiseConv2d::keras(3).multiplier(2).stride(2), [2, 7, 5]),
        case("separable 1d", SeparableConv1d::new(4, 3).stride(2), [2, 9]),
        case(
            "separable 2d",
            SeparableConv2d::keras(3, [2, 3]).multiplier(2).padding(Padding::Same).dilation([1, 2]),
            [2, 4, 4],
        ),
        case("conv transpose 1d", ConvTranspose1d::new(2, 4).stride(3), [3, 5]),
        case("conv transpose 1d cut", ConvTranspose1d::new(2, 3).padding([[1, 2]]).dilation(2), [2, 16]),
        case("conv transpose 2d", spread.clone(), [2, 2, 3]),
        case("conv transpose 2d groups", spread.groups(2).dilation([1, 2]).without_bias(), [4, 2, 3]),
        case(
            "conv transpose 2d same",
            ConvTranspose2d::keras(2, [5, 4]).stride([2, 3]).padding(Padding::Same),
            [2, 3, 2],
        ),
        case("conv transpose 2d gaps", ConvTranspose2d::new(2, 1).stride(2), [2, 2, 3]),
        case("conv transpose 2d stride 1", ConvTranspose2d::new(3, 3).padding(1), [2, 8, 8]),
        case(
            "conv transpose 3d",
            ConvTranspose3d::new(2, [2, 1, 3]).stride([1, 2, 2]).padding([1, 0, 1]).output_padding([0, 1, 0]),
            [2, 3, 2, 2],
        ),
        case("unfold", Unfold::new([2, 3]), [3, 4, 5]),
        case(
            "unfold options",
            Unfold::new([3, 2]).stride([2, 1]).padding([2, 1]).dilation([1, 3]),
            [2, 4, 4],
        ),
        case("unfold 1d", Unfold::new([3]).padding(Padding::Same).stride(2), [1, 8]),
        case("fold", Fold::new([4, 5], [2, 3]), [12, 9]),
        case(
            "fold options",
            Fold::new([4, 4], [3, 2]).stride([2, 1]).padding([2, 1]).dilation([1, 3]),
            [6, 9],
        ),
        case("fold 3d", Fold::new([2, 3, 3], [2, 1, 2]).stride([1, 2, 1]), [4, 4]),
    ]
}
