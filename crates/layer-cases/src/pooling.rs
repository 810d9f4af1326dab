use chainrule_core::SideBySide;
use chainrule_layers::{
    AdaptiveAvgPool1d, AdaptiveAvgPool2d, AdaptiveAvgPool3d, AdaptiveMaxPool1d, AdaptiveMaxPool2d,
    AdaptiveMaxPool3d, AvgPool1d, AvgPool2d, AvgPool3d, GlobalAvgPool, GlobalMaxPool, LpPool1d, LpPool2d,
    LpPool3d, MaxPool1d, MaxPool2d, MaxPool3d, MaxUnpool1d, MaxUnpool2d, MaxUnpool3d,
};
use chainrule_tensor::Real;

use super::{Case, case};

pub(crate) fn cases<T: Real>() -> Vec<Case<T>> {
    let halve = MaxPool2d::new(2);
    let overlap = MaxPool2d::new(3).stride(2).padding(1);
    let line = MaxPool1d::new(3).stride(2);
    let cube = MaxPool3d::new(2);
    vec![
        case("max pool 1d", line, [2, 9]),
        case("max pool 1d dilated", MaxPool1d::new(2).dilation(3).stride(1), [3, 8]),
        case("max pool 2d", halve, [3, 6, 4]),
        case("max pool 2d odd", halve, [2, 5, 7]),
        case("max pool 2d overlapping", overlap, [2, 7, 6]),
        case("max pool 2d ceil", MaxPool2d::new([2, 3]).ceil(), [2, 5, 7]),
        case("max pool 2d whole", MaxPool2d::new([4, 3]), [2, 4, 3]),
        case("max pool 3d", cube, [2, 4, 5, 4]),
        case("max pool 3d padded", MaxPool3d::new([1, 2, 3]).padding([0, 1, 1]).stride(2), [1, 3, 4, 5]),
        case("avg pool 1d", AvgPool1d::new(3).stride(2).padding(1), [2, 9]),
        case("avg pool 2d", AvgPool2d::new(2), [3, 6, 4]),
        case("avg pool 2d padded", AvgPool2d::new(3).stride(2).padding(1), [2, 7, 6]),
        case("avg pool 2d excluding", AvgPool2d::new(3).stride(2).padding(1).exclude_padding(), [2, 7, 6]),
        case("avg pool 2d ceil", AvgPool2d::new(3).stride(2).padding(1).ceil(), [1, 6, 8]),
        case("avg pool 3d", AvgPool3d::new([2, 1, 2]), [2, 4, 3, 4]),
        case("lp pool 1d", LpPool1d::new(2.0, 3).stride(2), [2, 9]),
        case("lp pool 2d", LpPool2d::new(4.0, 2), [2, 4, 6]),
        case("lp pool 2d odd", LpPool2d::new(3.0, [3, 2]), [1, 6, 4]),
        case("lp pool 3d", LpPool3d::new(2.0, 2), [1, 2, 4, 2]),
        case("adaptive max pool 1d", AdaptiveMaxPool1d::new(3), [2, 8]),
        case("adaptive max pool 2d", AdaptiveMaxPool2d::new([3, 2]), [2, 7, 5]),
        case("adaptive max pool 3d", AdaptiveMaxPool3d::new([2, 3, 1]), [1, 3, 4, 2]),
        case("adaptive avg pool 1d", AdaptiveAvgPool1d::new(5), [2, 8]),
        case("adaptive avg pool 2d", AdaptiveAvgPool2d::new([3, 6]), [2, 7, 4]),
        case("adaptive avg pool 3d", AdaptiveAvgPool3d::new(2), [1, 3, 4, 2]),
        case("global max pool", GlobalMaxPool::new(), [3, 4, 5]),
        case("global avg pool", GlobalAvgPool::new(), [3, 4, 5]),
        case("global avg pool 3d", GlobalAvgPool::new(), [2, 2, 3, 2]),
        case("max unpool 1d", SideBySide::new(MaxUnpool1d::new(line), [[2, 4], [2, 9]]), [26]),
        case(
            "max unpool 1d apart",
            SideBySide::new(MaxUnpool1d::new(MaxPool1d::new(2)), [[2, 4], [2, 9]]),
            [26],
        ),
        case("max unpool 2d", SideBySide::new(MaxUnpool2d::new(halve), [[2, 2, 3], [2, 4, 6]]), [60]),
        case(
            "max unpool 2d overlapping",
            SideBySide::new(MaxUnpool2d::new(overlap), [[1, 4, 3], [1, 7, 6]]),
            [54],
        ),
        case("max unpool 3d", SideBySide::new(MaxUnpool3d::new(cube), [[1, 2, 1, 2], [1, 4, 3, 4]]), [52]),
    ]
}
