//! Poolings.

use super::math::*;
use super::window::*;

/// The largest value of each window.
pub(crate) fn max_pool(x: &[f32], window: &Window, y: &mut [f32]) {
    let [rows, columns] = window.outputs;
    let [height, width] = window.size;
    for (x, y) in x.chunks(height * width).zip(y.chunks_mut(rows * columns)) {
        for (index, y) in y.iter_mut().enumerate() {
            let (row, column) = (index / columns, index % columns);
            let [above, below] = window.inside(0, row);
            let [left, right] = window.inside(1, column);
            let mut largest = f32::NEG_INFINITY;
            for i in above..below {
                for j in left..right {
                    let value = x[window.index(0, row, i) * width + window.index(1, column, j)];
                    if value > largest || value.is_nan() {
                        largest = value;
                    }
                }
            }
            *y = largest;
        }
    }
}

/// The mean of each window, with padding as zeros or without it.
pub(crate) fn avg_pool(x: &[f32], window: &Window, padding: bool, y: &mut [f32]) {
    let [rows, columns] = window.outputs;
    let [height, width] = window.size;
    for (x, y) in x.chunks(height * width).zip(y.chunks_mut(rows * columns)) {
        for (index, y) in y.iter_mut().enumerate() {
            let (row, column) = (index / columns, index % columns);
            let [above, below] = window.inside(0, row);
            let [left, right] = window.inside(1, column);
            let (mut sum, mut lost) = (0.0, 0.0);
            // A part of the sum, and its number of terms: from 32 on it is added.
            let (mut part, mut terms) = (0.0, 0);
            for i in above..below {
                for start in (left..right).step_by(32) {
                    let end = if right - start > 32 { start + 32 } else { right };
                    for j in start..end {
                        part += x[window.index(0, row, i) * width + window.index(1, column, j)];
                    }
                    terms += end - start;
                    if terms >= 32 {
                        add_part(part, &mut sum, &mut lost);
                        (part, terms) = (0.0, 0);
                    }
                }
            }
            add_part(part, &mut sum, &mut lost);
            let inside = (below - above) * (right - left);
            let count = if padding { window.padded(0, row) * window.padded(1, column) } else { inside };
            *y = sum / count as f32;
        }
    }
}

/// The sum, in parts of 32 values.
pub(crate) fn sum_of(x: &[f32]) -> f32 {
    let (mut sum, mut lost) = (0.0, 0.0);
    for x in x.chunks(32) {
        add_part(x.iter().sum::<f32>(), &mut sum, &mut lost);
    }
    sum
}

/// The mean of so many values each.
pub(crate) fn means(x: &[f32], count: usize, y: &mut [f32]) {
    for (x, y) in x.chunks(count).zip(y) {
        *y = sum_of(x) / count as f32;
    }
}

/// The largest of so many values each, along an axis with `inner` values after it.
pub(crate) fn maxima(x: &[f32], count: usize, inner: usize, y: &mut [f32]) {
    for (x, y) in x.chunks(count * inner).zip(y.chunks_mut(inner)) {
        for (index, y) in y.iter_mut().enumerate() {
            let mut largest = f32::NEG_INFINITY;
            for value in x[index..].iter().step_by(inner) {
                if *value > largest || value.is_nan() {
                    largest = *value;
                }
            }
            *y = largest;
        }
    }
}
