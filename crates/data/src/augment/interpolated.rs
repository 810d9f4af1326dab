//! Values between pixels.

use std::ops::Range;

/// The value at a position, between the four around it; `fill` where these are not in the plane, and at a position that is NaN.
pub(super) fn interpolated(plane: &[f32], [height, width]: [usize; 2], [y, x]: [f64; 2], fill: f32) -> f32 {
    let is_near = |position: f64, size: usize| position > -1.0 && position < size.min(1 << 30) as f64;
    if !is_near(y, height) || !is_near(x, width) {
        return fill;
    }
    let (top, left) = (floor(y), floor(x));
    let [down, right] = [(y - f64::from(top)) as f32, (x - f64::from(left)) as f32];
    let value = |row: i32, column: i32| {
        let inside = row >= 0 && column >= 0 && (row as usize) < height && (column as usize) < width;
        if inside { plane[row as usize * width + column as usize] } else { fill }
    };
    let upper = value(top, left) * (1.0 - right) + value(top, left + 1) * right;
    let lower = value(top + 1, left) * (1.0 - right) + value(top + 1, left + 1) * right;
    upper * (1.0 - down) + lower * down
}

/// The largest whole number that is not above this one, which an `i32` can be near to. `f64::floor` is a call where the compiler may not
/// assume SSE4.1.
fn floor(value: f64) -> i32 {
    let towards_zero = value as i32;
    towards_zero - i32::from(f64::from(towards_zero) > value)
}

/// The same value where all four are in the plane.
#[inline(always)]
pub(super) fn between_four(plane: &[f32], width: usize, [y, x]: [f64; 2]) -> f32 {
    let (top, left) = (y as u32, x as u32);
    let [down, right] = [(y - f64::from(top)) as f32, (x - f64::from(left)) as f32];
    let first = top as usize * width + left as usize;
    let [upper, lower] = [first, first + width].map(|first| &plane[first..first + 2]);
    let upper = upper[0] * (1.0 - right) + upper[1] * right;
    let lower = lower[0] * (1.0 - right) + lower[1] * right;
    upper * (1.0 - down) + lower * down
}

/// Columns of a row for which all four pixels around their sources are in the plane. Both coordinates of a source are linear in the column.
pub(super) fn columns_inside(
    [height, width]: [usize; 2],
    source: impl Fn(usize) -> [f64; 2],
) -> Range<usize> {
    let most = [height, width].map(|size| size.saturating_sub(1).min(u32::MAX as usize) as f64);
    let is_inside = |column| {
        let [y, x] = source(column);
        y >= 0.0 && x >= 0.0 && y < most[0] && x < most[1]
    };
    let (at_first, at_last) = (source(0), source(width - 1));
    let [mut start, mut end] = [0.0, width as f64];
    for axis in 0..2 {
        let (value, slope) =
            (at_first[axis], (at_last[axis] - at_first[axis]) / (width as f64 - 1.0).max(1.0));
        let [low, high] = [(0.0 - value) / slope, (most[axis] - value) / slope];
        // Where it does not change, it is inside everywhere or nowhere, as the ends of the range say.
        if slope != 0.0 {
            start = low.min(high).max(start);
            end = low.max(high).min(end);
        }
    }
    // Rounding is left to the ends.
    let mut end = (end.ceil() as usize).min(width);
    let mut start = (start.ceil() as usize).min(end);
    while start < end && !is_inside(start) {
        start += 1;
    }
    while start < end && !is_inside(end - 1) {
        end -= 1;
    }
    start..end
}
