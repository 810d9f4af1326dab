//! Values between pixels.

/// The value at a position, between the four around it.
pub(super) fn interpolated(plane: &[f32], [height, width]: [usize; 2], [y, x]: [f64; 2], fill: f32) -> f32 {
    let (top, left) = (y.floor(), x.floor());
    let [down, right] = [(y - top) as f32, (x - left) as f32];
    let value = |row: f64, column: f64| {
        let inside = row >= 0.0 && column >= 0.0 && row < height as f64 && column < width as f64;
        if inside { plane[row as usize * width + column as usize] } else { fill }
    };
    let upper = value(top, left) * (1.0 - right) + value(top, left + 1.0) * right;
    let lower = value(top + 1.0, left) * (1.0 - right) + value(top + 1.0, left + 1.0) * right;
    upper * (1.0 - down) + lower * down
}
