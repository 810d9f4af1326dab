//! The bundled data set: digits that look handwritten, drawn by this program.
//!
//! With it, everything can be tried without a network. **It is not MNIST**, and figures for it say nothing about MNIST.
//! Each digit is a few pen strokes, whose points are moved at random; the whole is slanted, rotated, scaled and shifted, bent by a smooth random displacement (elastic distortion: Simard, Steinkraus and Platt 2003,
//! "Best practices for convolutional neural networks applied to visual document analysis"), and drawn with a pen of
//! random width.

use std::sync::{Mutex, PoisonError};
use std::thread;

use chainrule_tensor::{Rng, Seed};

use crate::Images;

/// The side of an image, as in MNIST.
const SIDE: usize = 28;

/// A point in the unit square, x to the right, y down.
type Point = [f64; 2];

/// How a stroke connects its points.
#[derive(Clone, Copy)]
enum Stroke {
    /// With straight lines.
    Straight(&'static [Point]),
    /// With a smooth curve (Catmull and Rom 1974).
    Curved(&'static [Point]),
}

use Stroke::{Curved, Straight};

/// The ways to write each digit, as strokes.
const GLYPHS: [&[&[Stroke]]; 10] = [
    &[
        &[Curved(&[
            [0.5, 0.05],
            [0.26, 0.2],
            [0.2, 0.52],
            [0.3, 0.84],
            [0.52, 0.95],
            [0.74, 0.8],
            [0.8, 0.48],
            [0.7, 0.16],
            [0.5, 0.05],
        ])],
        &[Curved(&[
            [0.58, 0.06],
            [0.34, 0.14],
            [0.25, 0.5],
            [0.36, 0.88],
            [0.6, 0.9],
            [0.75, 0.55],
            [0.7, 0.2],
            [0.52, 0.08],
        ])],
    ],
    &[
        &[Straight(&[[0.5, 0.05], [0.5, 0.95]])],
        &[Straight(&[[0.34, 0.25], [0.53, 0.06], [0.53, 0.95]])],
        &[Straight(&[[0.36, 0.22], [0.52, 0.06], [0.52, 0.94]]), Straight(&[[0.32, 0.94], [0.72, 0.94]])],
    ],
    &[
        &[
            Curved(&[
                [0.22, 0.28],
                [0.3, 0.1],
                [0.52, 0.04],
                [0.74, 0.14],
                [0.76, 0.32],
                [0.6, 0.56],
                [0.38, 0.78],
                [0.2, 0.94],
            ]),
            Straight(&[[0.2, 0.94], [0.82, 0.92]]),
        ],
        &[Curved(&[
            [0.24, 0.22],
            [0.46, 0.05],
            [0.72, 0.16],
            [0.66, 0.46],
            [0.36, 0.82],
            [0.22, 0.86],
            [0.3, 0.74],
            [0.5, 0.84],
            [0.82, 0.9],
        ])],
    ],
    &[
        &[
            Curved(&[[0.24, 0.14], [0.48, 0.04], [0.72, 0.16], [0.68, 0.36], [0.44, 0.46]]),
            Curved(&[[0.44, 0.46], [0.74, 0.56], [0.78, 0.78], [0.56, 0.95], [0.22, 0.86]]),
        ],
        &[
            Straight(&[[0.24, 0.07], [0.74, 0.07], [0.46, 0.4]]),
            Curved(&[[0.46, 0.4], [0.74, 0.52], [0.74, 0.82], [0.5, 0.95], [0.22, 0.86]]),
        ],
    ],
    &[
        &[Straight(&[[0.62, 0.05], [0.2, 0.62], [0.84, 0.62]]), Straight(&[[0.62, 0.05], [0.62, 0.95]])],
        &[Straight(&[[0.26, 0.08], [0.24, 0.5], [0.76, 0.5]]), Straight(&[[0.74, 0.08], [0.7, 0.95]])],
        &[
            Curved(&[[0.3, 0.1], [0.26, 0.36], [0.36, 0.52], [0.56, 0.52], [0.7, 0.42]]),
            Straight(&[[0.74, 0.08], [0.66, 0.95]]),
        ],
    ],
    &[
        &[
            Straight(&[[0.76, 0.06], [0.32, 0.07], [0.28, 0.44]]),
            Curved(&[[0.28, 0.44], [0.54, 0.38], [0.76, 0.54], [0.72, 0.82], [0.48, 0.95], [0.22, 0.86]]),
        ],
        &[Curved(&[
            [0.74, 0.08],
            [0.36, 0.1],
            [0.3, 0.42],
            [0.6, 0.46],
            [0.76, 0.68],
            [0.58, 0.92],
            [0.24, 0.88],
        ])],
    ],
    &[
        &[Curved(&[
            [0.66, 0.06],
            [0.42, 0.2],
            [0.27, 0.5],
            [0.27, 0.78],
            [0.46, 0.95],
            [0.7, 0.84],
            [0.72, 0.64],
            [0.54, 0.52],
            [0.3, 0.66],
        ])],
        &[Curved(&[
            [0.52, 0.05],
            [0.34, 0.34],
            [0.28, 0.7],
            [0.42, 0.94],
            [0.66, 0.9],
            [0.72, 0.7],
            [0.56, 0.56],
            [0.32, 0.7],
        ])],
    ],
    &[
        &[Straight(&[[0.2, 0.08], [0.8, 0.08]]), Curved(&[[0.8, 0.08], [0.58, 0.48], [0.42, 0.95]])],
        &[
            Straight(&[[0.2, 0.1], [0.78, 0.08]]),
            Curved(&[[0.78, 0.08], [0.56, 0.5], [0.44, 0.95]]),
            Straight(&[[0.36, 0.52], [0.72, 0.5]]),
        ],
        &[
            Straight(&[[0.22, 0.24], [0.24, 0.08], [0.76, 0.08]]),
            Curved(&[[0.76, 0.08], [0.66, 0.4], [0.6, 0.95]]),
        ],
    ],
    &[
        &[Curved(&[
            [0.5, 0.48],
            [0.28, 0.34],
            [0.3, 0.12],
            [0.5, 0.04],
            [0.7, 0.12],
            [0.72, 0.34],
            [0.5, 0.48],
            [0.25, 0.66],
            [0.28, 0.88],
            [0.5, 0.96],
            [0.72, 0.88],
            [0.75, 0.66],
            [0.5, 0.48],
        ])],
        &[Curved(&[
            [0.7, 0.14],
            [0.46, 0.05],
            [0.3, 0.22],
            [0.44, 0.42],
            [0.7, 0.64],
            [0.66, 0.9],
            [0.42, 0.94],
            [0.3, 0.72],
            [0.54, 0.46],
            [0.72, 0.24],
            [0.66, 0.1],
        ])],
    ],
    &[
        &[Curved(&[
            [0.72, 0.32],
            [0.5, 0.5],
            [0.28, 0.36],
            [0.34, 0.12],
            [0.56, 0.05],
            [0.72, 0.18],
            [0.72, 0.36],
            [0.68, 0.66],
            [0.54, 0.95],
        ])],
        &[
            Curved(&[[0.7, 0.3], [0.46, 0.48], [0.28, 0.3], [0.42, 0.08], [0.68, 0.14], [0.7, 0.3]]),
            Straight(&[[0.7, 0.14], [0.68, 0.95]]),
        ],
        &[Curved(&[
            [0.7, 0.26],
            [0.5, 0.48],
            [0.3, 0.36],
            [0.36, 0.12],
            [0.62, 0.06],
            [0.72, 0.26],
            [0.72, 0.6],
            [0.6, 0.9],
            [0.4, 0.94],
            [0.28, 0.84],
        ])],
    ],
];

/// Draws `count` images of digits (at least one), 28 x 28, with equally many of each class. Image `i` depends only on the
/// seed and on `i`, so a smaller set is the beginning of a larger one.
///
/// All cores share the work; 70,000 images take one core about a second.
pub fn digits(count: usize, seed: impl Into<Seed>) -> Images {
    let seed = seed.into();
    let count = count.max(1);
    let mut pixels = vec![0; count * SIDE * SIDE];
    let mut labels = vec![0; count];
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let part = count.div_ceil(cores);
    let draw_all = |first: usize, pixels: &mut [u8], labels: &mut [u8]| {
        for ((image, label), at) in pixels.chunks_exact_mut(SIDE * SIDE).zip(labels).zip(first..) {
            *label = class(at, seed);
            draw(usize::from(*label), &mut seed.child(at as u64).rng(), image);
        }
    };
    let parts = pixels.chunks_mut(part * SIDE * SIDE).zip(labels.chunks_mut(part)).enumerate();
    let parts = Mutex::new(parts);
    let take = || parts.lock().unwrap_or_else(PoisonError::into_inner).next();
    let draw_parts = || {
        while let Some((index, (pixels, labels))) = take() {
            draw_all(index * part, pixels, labels);
        }
    };
    thread::scope(|scope| {
        // With one core, as in wasm32, no thread is started. Where the system refuses one, the others do its part.
        for _ in 1..cores {
            let _ = thread::Builder::new().spawn_scoped(scope, draw_parts);
        }
        draw_parts();
    });
    Images::new([SIDE, SIDE], pixels, labels, GLYPHS.len()).expect("every image has one label below ten")
}

/// The class of image `at`: every ten images have all classes, in random order.
fn class(at: usize, seed: Seed) -> u8 {
    let mut order: [u8; 10] = std::array::from_fn(|class| class as u8);
    // The order has its own seed, which no image uses.
    seed.child(u64::MAX).child((at / 10) as u64).rng().shuffle(&mut order);
    order[at % 10]
}

fn draw(class: usize, rng: &mut Rng, image: &mut [u8]) {
    let ways = GLYPHS[class];
    let glyph = ways[rng.below(ways.len())];
    let warp = Warp::random(rng);
    let radius = rng.between(0.6, 1.7);
    let mut ink = [0.0f64; SIDE * SIDE];
    for &stroke in glyph {
        let mut last: Option<Point> = None;
        for point in outline(stroke, rng) {
            let point = warp.apply(point);
            line(last.unwrap_or(point), point, radius, &mut ink);
            last = Some(point);
        }
    }
    let strength = rng.between(200.0, 255.0);
    for (pixel, ink) in image.iter_mut().zip(ink) {
        *pixel = (strength * ink).round() as u8;
    }
}

/// The points of a stroke, slightly moved, and close together where it is curved.
fn outline(stroke: Stroke, rng: &mut Rng) -> Vec<Point> {
    const STEPS: usize = 6;
    let mut moved = |points: &[Point]| -> Vec<Point> {
        points.iter().map(|point| point.map(|v| v + 0.03 * rng.normal())).collect()
    };
    match stroke {
        Straight(points) => {
            let points = moved(points);
            let between = |pair: &[Point]| {
                let (a, b) = (pair[0], pair[1]);
                (0..STEPS).map(move |step| mix(a, b, step as f64 / STEPS as f64)).collect::<Vec<_>>()
            };
            points.windows(2).flat_map(between).chain(points.last().copied()).collect()
        }
        Curved(points) => {
            let points = moved(points);
            let at = |index: isize| points[index.clamp(0, points.len() as isize - 1) as usize];
            let mut curve = Vec::new();
            for index in 0..points.len() as isize - 1 {
                let [a, b, c, d] = [at(index - 1), at(index), at(index + 1), at(index + 2)];
                for step in 0..STEPS {
                    let t = step as f64 / STEPS as f64;
                    curve.push(std::array::from_fn(|axis| {
                        let (a, b, c, d) = (a[axis], b[axis], c[axis], d[axis]);
                        let bend = (2.0 * a - 5.0 * b + 4.0 * c - d) * t + (3.0 * (b - c) + d - a) * t * t;
                        0.5 * (2.0 * b + (c - a) * t + bend * t)
                    }));
                }
            }
            curve.extend(points.last());
            curve
        }
    }
}

fn mix(a: Point, b: Point, t: f64) -> Point {
    [a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1])]
}

/// From the unit square to pixels: slant, rotation, scale, shift, and two waves that bend.
struct Warp {
    matrix: [Point; 2],
    shift: Point,
    /// Amplitude (pixels), frequency along x and y, and phase, for each axis.
    waves: [[f64; 4]; 2],
}

impl Warp {
    fn random(rng: &mut Rng) -> Self {
        let (angle, slant) = (0.12 * rng.normal(), 0.16 * rng.normal() - 0.1);
        let (width, height) = (rng.between(13.0, 21.0), rng.between(16.0, 21.5));
        let (sin, cos) = angle.sin_cos();
        // Slant first, then scale, then rotate.
        let matrix = [
            [cos * width, cos * slant * width - sin * height],
            [sin * width, sin * slant * width + cos * height],
        ];
        let shift = [14.0 + 0.8 * rng.normal(), 14.0 + 0.8 * rng.normal()];
        let mut wave =
            || [rng.between(0.0, 1.4), rng.between(-5.0, 5.0), rng.between(-5.0, 5.0), rng.between(0.0, 6.3)];
        Self { matrix, shift, waves: [wave(), wave()] }
    }

    fn apply(&self, point: Point) -> Point {
        let [x, y] = [point[0] - 0.5, point[1] - 0.5];
        std::array::from_fn(|axis| {
            let ([a, b], [height, along_x, along_y, phase]) = (self.matrix[axis], self.waves[axis]);
            self.shift[axis] + a * x + b * y + height * (along_x * x + along_y * y + phase).sin()
        })
    }
}

/// Draws a line with round ends; ink fades over one pixel at its edge, and does not add up where lines cross.
fn line(a: Point, b: Point, radius: f64, ink: &mut [f64]) {
    let reach = radius + 0.5;
    let bounds = |axis: usize| {
        let (low, high) = (a[axis].min(b[axis]) - reach, a[axis].max(b[axis]) + reach);
        let pixel = |v: f64| v.clamp(0.0, SIDE as f64) as usize;
        pixel(low.floor())..pixel(high.ceil())
    };
    let along = [b[0] - a[0], b[1] - a[1]];
    let length = along[0] * along[0] + along[1] * along[1];
    let per_length = if length > 0.0 { length.recip() } else { 0.0 };
    for row in bounds(1) {
        for column in bounds(0) {
            let [x, y] = [column as f64 + 0.5 - a[0], row as f64 + 0.5 - a[1]];
            let t = ((x * along[0] + y * along[1]) * per_length).clamp(0.0, 1.0);
            let [x, y] = [x - t * along[0], y - t * along[1]];
            let squared = x * x + y * y;
            if squared < reach * reach {
                let pixel = &mut ink[row * SIDE + column];
                *pixel = pixel.max((reach - squared.sqrt()).min(1.0));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_depends_on_its_index_alone() {
        let (few, many) = (digits(13, Seed(5)), digits(100, Seed(5)));
        for index in 0..13 {
            assert_eq!(few.pixels(index), many.pixels(index));
        }
        assert_ne!(digits(13, Seed(6)), few);
    }

    #[test]
    fn classes_are_balanced_and_images_have_ink() {
        let images = digits(200, Seed(1));
        for class in 0..10 {
            assert_eq!(images.labels().iter().filter(|&&label| label == class).count(), 20);
        }
        assert_ne!(images.labels()[..10], images.labels()[10..20]);
        for index in 0..200 {
            let ink = images.pixels(index).iter().filter(|&&pixel| pixel > 100).count();
            assert!((20..300).contains(&ink), "image {index}: {ink} pixels");
        }
    }
}
