use chainrule_layers::{Conv1d, Conv2d, Conv3d, Padding};
use chainrule_tensor::Real;

use super::{Case, case};

pub(crate) fn cases<T: Real>() -> Vec<Case<T>> {
    vec![
        case("conv1d", Conv1d::new(3, 4), [2, 9]),
        case("conv1d causal", Conv1d::new(2, 3).dilation(2).padding([[4, 0]]).without_bias(), [2, 7]),
        case("conv1d same stride", Conv1d::new(4, 5).stride(3).padding(Padding::Same).groups(2), [4, 11]),
        case("conv1d long", Conv1d::new(2, 3).padding(1), [1, 1100]),
        case("conv2d", Conv2d::new(3, 3), [2, 5, 6]),
        case("conv2d 1x1", Conv2d::new(5, 1), [3, 2, 4]),
        case("conv2d keras", Conv2d::keras(2, [2, 3]).padding(Padding::Same), [1, 4, 3]),
        case("conv2d stride", Conv2d::new(4, [3, 2]).stride([2, 3]).padding([1, 0]), [3, 7, 8]),
        case(
            "conv2d dilated",
            Conv2d::new(4, 3).dilation([2, 3]).stride([3, 1]).padding([2, 4]).groups(2),
            [2, 8, 7],
        ),
        case("conv2d uneven", Conv2d::new(2, 2).padding([[0, 3], [2, 1]]).without_bias(), [2, 3, 3]),
        case("conv2d whole", Conv2d::new(3, 4), [2, 4, 4]),
        case("conv2d wide", Conv2d::new(6, 5).padding(2), [1, 13, 12]),
        case("conv2d many channels", Conv2d::new(17, 3).padding(1), [5, 9, 8]),
        case("conv3d", Conv3d::new(2, [2, 1, 3]), [2, 3, 2, 4]),
        case(
            "conv3d options",
            Conv3d::new(4, 2).stride([1, 2, 2]).padding([0, 1, 2]).dilation([2, 1, 3]).groups(2),
            [2, 4, 5, 4],
        ),
        case("conv3d same", Conv3d::new(2, [3, 2, 3]).padding(Padding::Same), [1, 4, 5, 6]),
    ]
}
