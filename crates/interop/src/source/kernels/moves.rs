//! Merges, and what moves values.

use super::window::*;

/// Adds `x`.
pub(crate) fn add(x: &[f32], y: &mut [f32]) {
    y.iter_mut().zip(x).for_each(|(y, x)| *y += x);
}

/// Subtracts `x`.
pub(crate) fn subtract(x: &[f32], y: &mut [f32]) {
    y.iter_mut().zip(x).for_each(|(y, x)| *y -= x);
}

/// Multiplies by `x`.
pub(crate) fn multiply(x: &[f32], y: &mut [f32]) {
    y.iter_mut().zip(x).for_each(|(y, x)| *y *= x);
}

/// Takes `x` where it is larger.
pub(crate) fn maximum(x: &[f32], y: &mut [f32]) {
    y.iter_mut().zip(x).for_each(|(y, x)| *y = if *x > *y || x.is_nan() { *x } else { *y });
}

/// Takes `x` where it is smaller.
pub(crate) fn minimum(x: &[f32], y: &mut [f32]) {
    y.iter_mut().zip(x).for_each(|(y, x)| *y = if *x < *y || x.is_nan() { *x } else { *y });
}

/// Multiplies by a number.
pub(crate) fn scale(factor: f32, y: &mut [f32]) {
    y.iter_mut().for_each(|y| *y *= factor);
}

/// The values from `start` on.
pub(crate) fn slice(x: &[f32], start: usize, y: &mut [f32]) {
    let count = y.len();
    y.copy_from_slice(&x[start..start + count]);
}

/// Puts blocks of `count` values at `start` of blocks of `total` values.
pub(crate) fn place(x: &[f32], start: usize, count: usize, total: usize, y: &mut [f32]) {
    for (x, y) in x.chunks(count).zip(y.chunks_mut(total)) {
        y[start..start + count].copy_from_slice(x);
    }
}

/// Exchanges two axes that follow each other, with `inner` values after them.
pub(crate) fn exchange(x: &[f32], rows: usize, columns: usize, inner: usize, y: &mut [f32]) {
    let count = rows * columns * inner;
    for (x, y) in x.chunks(count).zip(y.chunks_mut(count)) {
        for (index, y) in y.chunks_mut(inner).enumerate() {
            let (row, column) = (index % rows, index / rows);
            y.copy_from_slice(&x[(row * columns + column) * inner..][..inner]);
        }
    }
}

/// Puts a value around rows and columns.
pub(crate) fn pad(x: &[f32], window: &Window, value: f32, y: &mut [f32]) {
    let ([height, width], [rows, columns]) = (window.size, window.outputs);
    y.fill(value);
    for (x, y) in x.chunks(height * width).zip(y.chunks_mut(rows * columns)) {
        for (x, y) in x.chunks(width).zip(y.chunks_mut(columns).skip(window.before[0])) {
            y[window.before[1]..window.before[1] + width].copy_from_slice(x);
        }
    }
}

/// Takes rows and columns from the inside.
pub(crate) fn crop(x: &[f32], window: &Window, y: &mut [f32]) {
    let ([height, width], [rows, columns]) = (window.size, window.outputs);
    for (x, y) in x.chunks(height * width).zip(y.chunks_mut(rows * columns)) {
        for (x, y) in x.chunks(width).skip(window.before[0]).zip(y.chunks_mut(columns)) {
            y.copy_from_slice(&x[window.before[1]..window.before[1] + columns]);
        }
    }
}

/// Repeats rows and columns.
pub(crate) fn enlarge(x: &[f32], window: &Window, y: &mut [f32]) {
    let ([height, width], [rows, columns]) = (window.size, window.outputs);
    for (x, y) in x.chunks(height * width).zip(y.chunks_mut(rows * columns)) {
        for (index, y) in y.iter_mut().enumerate() {
            let (row, column) = (index / columns * height / rows, index % columns * width / columns);
            *y = x[row * width + column];
        }
    }
}
