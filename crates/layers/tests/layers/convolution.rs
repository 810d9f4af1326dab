//! The convolutions against their definition, in shapes that take every path through them, and their errors.

use chainrule_core::runner::GradsExt;
use chainrule_core::{Backward, Forward, Grads, Layer, Mode, Params, Plan};
use chainrule_layers::convolution::{Conv, ConvTranspose};
use chainrule_layers::{
    Conv1d, Conv2d, Conv3d, ConvTranspose2d, DepthwiseConv2d, Fold, Padding, SeparableConv2d, Unfold,
};
use chainrule_tensor::{Real, Seed, Shape};
use ndarray::Array2;

fn random(rows: usize, columns: usize, seed: u64) -> Array2<f64> {
    let mut rng = Seed(seed).rng();
    Array2::from_shape_simple_fn((rows, columns), || rng.normal())
}

/// The results of a layer for these values: `y`, `dx` and the gradients, with `y` for `dy`.
fn run<T: Real, L: Layer<T>>(layer: &L, input: &[usize], x: &Array2<f64>) -> [Vec<f64>; 3] {
    let mut plan = Plan::new();
    let (output, mut cache) = layer.plan(Shape::new(input).unwrap(), &mut plan).unwrap();
    let params: Vec<T> = random(1, plan.size(), 2).iter().map(|&v| T::of(v)).collect();
    let x = x.mapv(T::of);
    let (mut y, mut dx) =
        (Array2::from_elem((x.nrows(), output.size()), T::nan()), Array2::from_elem(x.dim(), T::nan()));
    let mut grads = vec![T::zero(); plan.size()];
    // Twice: the second pass reuses the buffers of the first.
    for _ in 0..2 {
        let (params, y) = (Params::new(&params), y.view_mut());
        layer.forward(Forward { params, x: x.view(), y, cache: &mut cache, mode: Mode::Eval });
    }
    for _ in 0..2 {
        layer.backward(Backward {
            params: Params::new(&params),
            grads: Grads::fresh(&mut grads),
            x: x.view(),
            y: y.view(),
            dy: y.view(),
            dx: Some(dx.view_mut()),
            cache: &mut cache,
            share: T::one(),
        });
    }
    let values = |values: &[T]| values.iter().map(|v| v.as_f64()).collect();
    [values(y.as_slice().unwrap()), values(dx.as_slice().unwrap()), values(&grads)]
}

/// A convolution by its definition, and its derivatives.
struct Definition<const N: usize> {
    image: [usize; N],
    kernel: [usize; N],
    stride: [usize; N],
    dilation: [usize; N],
    before: [usize; N],
    groups: usize,
}

/// All positions of a box.
fn positions<const N: usize>(size: [usize; N]) -> impl Iterator<Item = [usize; N]> {
    (0..size.iter().product()).map(move |mut index: usize| {
        let mut position = [0; N];
        for axis in (0..N).rev() {
            position[axis] = index % size[axis];
            index /= size[axis];
        }
        position
    })
}

impl<const N: usize> Definition<N> {
    /// Calls `f` with the index of each product in the image of all channels, the features and the weights.
    fn products(
        &self,
        inputs: usize,
        outputs: usize,
        features: [usize; N],
        mut f: impl FnMut(usize, usize, usize),
    ) {
        let (c, m) = (inputs / self.groups, outputs / self.groups);
        let size = |size: [usize; N]| size.iter().product::<usize>();
        for (o, output) in positions(features).enumerate() {
            for (k, weight) in positions(self.kernel).enumerate() {
                let mut index = Some(0);
                for axis in 0..N {
                    let at = output[axis] * self.stride[axis] + weight[axis] * self.dilation[axis];
                    let at = at.checked_sub(self.before[axis]).filter(|&at| at < self.image[axis]);
                    index = index.zip(at).map(|(index, at)| index * self.image[axis] + at);
                }
                let Some(index) = index else { continue };
                for (output, channel) in (0..outputs).flat_map(|output| (0..c).map(move |c| (output, c))) {
                    let input = output / m * c + channel;
                    let weight = (output * c + channel) * size(self.kernel) + k;
                    f(input * size(self.image) + index, output * size(features) + o, weight);
                }
            }
        }
    }
}

fn close(found: &[f64], right: &[f64], tolerance: f64, what: &str) {
    assert_eq!(found.len(), right.len(), "{what}");
    let scale = right.iter().fold(1.0f64, |scale, v| scale.max(v.abs()));
    for (found, right) in found.iter().zip(right) {
        assert!((found - right).abs() <= tolerance * scale, "{what}: {found} for {right} of up to {scale}");
    }
}

/// A convolution and its transposed one, in both precisions, against the definition.
fn check<const N: usize>(
    [inputs, outputs]: [usize; 2],
    definition: Definition<N>,
    after: [usize; N],
    rows: usize,
) {
    let Definition { image, kernel, stride, dilation, before, groups } = definition;
    let padding: [[usize; 2]; N] = std::array::from_fn(|axis| [before[axis], after[axis]]);
    let layer = Conv::<N>::new(outputs, kernel).stride(stride).dilation(dilation);
    let layer = layer.padding(padding).groups(groups);
    let input: Vec<usize> = [&[inputs], &image[..]].concat();
    let (output, _) = Layer::<f64>::plan(&layer, Shape::new(&input).unwrap(), &mut Plan::new()).unwrap();
    let features: [usize; N] = output[1..].try_into().unwrap();
    let (sizes, positions) = ([input.iter().product(), output.size()], output.size() / outputs);
    let weights = inputs / groups * outputs * kernel.iter().product::<usize>();
    let x = random(rows, sizes[0], 1);
    let params = random(1, weights + outputs, 2);
    let [mut y, mut dx, mut grads] =
        [rows * sizes[1], rows * sizes[0], weights + outputs].map(|len| vec![0.0; len]);
    for row in 0..rows {
        let y = &mut y[row * sizes[1]..][..sizes[1]];
        y.iter_mut().enumerate().for_each(|(i, y)| *y = params[[0, weights + i / positions]]);
        definition.products(inputs, outputs, features, |i, o, w| y[o] += params[[0, w]] * x[[row, i]]);
        let dx = &mut dx[row * sizes[0]..][..sizes[0]];
        definition.products(inputs, outputs, features, |i, o, w| {
            dx[i] += params[[0, w]] * y[o];
            grads[w] += x[[row, i]] * y[o];
        });
        y.iter().enumerate().for_each(|(i, dy)| grads[weights + i / positions] += dy);
    }
    let name = format!("{layer:?} of {input:?}");
    let right = [y, dx, grads];
    for (found, right) in run::<f64, _>(&layer, &input, &x).iter().zip(&right) {
        close(found, right, 1e-12, &name);
    }
    for (found, right) in run::<f32, _>(&layer, &input, &x).iter().zip(&right) {
        close(found, right, 1e-5, &name);
    }
    // The transposed convolution, from the features to an image of the same size.
    let extent = |axis: usize| dilation[axis] * (kernel[axis] - 1) + 1;
    let smallest = |axis: usize| (features[axis] - 1) * stride[axis] + extent(axis);
    let layer = ConvTranspose::<N>::new(inputs, kernel).stride(stride).dilation(dilation).groups(groups);
    let more = std::array::from_fn(|axis| (image[axis] + before[axis] + after[axis]) - smallest(axis));
    let layer = layer.padding(padding).output_padding(more);
    let x = random(rows, sizes[1], 1);
    let params = random(1, weights + inputs, 2);
    let [mut y, mut dx, mut grads] =
        [rows * sizes[0], rows * sizes[1], weights + inputs].map(|len| vec![0.0; len]);
    let size = sizes[0] / inputs;
    for row in 0..rows {
        let y = &mut y[row * sizes[0]..][..sizes[0]];
        y.iter_mut().enumerate().for_each(|(i, y)| *y = params[[0, weights + i / size]]);
        definition.products(inputs, outputs, features, |i, o, w| y[i] += params[[0, w]] * x[[row, o]]);
        let dx = &mut dx[row * sizes[1]..][..sizes[1]];
        definition.products(inputs, outputs, features, |i, o, w| {
            dx[o] += params[[0, w]] * y[i];
            grads[w] += x[[row, o]] * y[i];
        });
        y.iter().enumerate().for_each(|(i, dy)| grads[weights + i / size] += dy);
    }
    let name = format!("{layer:?} of {output}");
    let right = [y, dx, grads];
    for (found, right) in run::<f64, _>(&layer, &output, &x).iter().zip(&right) {
        close(found, right, 1e-12, &name);
    }
    for (found, right) in run::<f32, _>(&layer, &output, &x).iter().zip(&right) {
        close(found, right, 1e-5, &name);
    }
}

/// A definition with a stride, a dilation and zeros of one number each.
fn square<const N: usize>(image: [usize; N], kernel: usize, options: [usize; 3]) -> Definition<N> {
    let [stride, dilation, before] = options.map(|option| [option; N]);
    Definition { image, kernel: [kernel; N], stride, dilation, before, groups: 1 }
}

#[test]
fn small_images_side_by_side() {
    check([3, 4], square([2, 2], 3, [1, 1, 1]), [1, 1], 150);
    check([2, 40], square([3], 2, [1, 1, 0]), [0], 300);
    check([6, 4], Definition { groups: 2, ..square([1, 3], 1, [1, 1, 0]) }, [0, 0], 90);
    // All channels of a group are too many for one part.
    check([200, 1], square([3, 3], 3, [1, 1, 1]), [1, 1], 30);
}

#[test]
fn images_in_parts() {
    // More positions than a part has: planes, rows and parts of rows.
    check([2, 3], square([40, 37], 3, [1, 1, 1]), [1, 1], 2);
    check([1, 2], square([3, 1500], 3, [1, 1, 1]), [0, 2], 1);
    check([2, 2], square([2600], 4, [1, 3, 5]), [2], 2);
    check([1, 2], square([4, 33, 35], 2, [1, 1, 0]), [1, 0, 0], 1);
    check([2, 1], square([3, 3, 1100], 2, [1, 1, 1]), [0, 0, 0], 1);
    // More channels than a part has, of one group and of many.
    check([70, 2], square([20, 20], 5, [1, 1, 2]), [2, 2], 1);
    check([96, 96], Definition { groups: 96, ..square([16, 16], 5, [1, 1, 2]) }, [2, 2], 1);
    check([130, 26], Definition { groups: 26, ..square([9, 16], 5, [1, 1, 2]) }, [2, 2], 1);
}

#[test]
fn strides_and_dilations() {
    check([2, 20], square([33, 40], 5, [2, 1, 2]), [1, 2], 2);
    check([3, 6], Definition { groups: 3, ..square([30, 31], 4, [3, 2, 4]) }, [3, 0], 2);
    check([2, 2], square([24, 25], 3, [2, 2, 1]), [1, 1], 1);
    check([2, 2], square([25, 26], 2, [5, 3, 0]), [0, 0], 2);
    check([1, 3], square([12, 9, 11], 3, [2, 1, 1]), [1, 1, 1], 1);
    check([2, 3], square([400], 5, [4, 3, 6]), [6], 2);
    let lines = Definition { kernel: [3, 1], dilation: [4, 1], ..square([20, 15], 3, [1, 1, 0]) };
    check([3, 5], lines, [0, 0], 2);
    let points = Definition { kernel: [1, 1], ..square([14, 13], 1, [1, 1, 0]) };
    check([7, 33], points, [0, 0], 2);
}

/// Whether planning fails with a message that ends like this.
fn error<L: Layer<f32>>(layer: L, input: &[usize]) -> String {
    let planned = layer.plan(Shape::new(input).unwrap(), &mut Plan::new());
    planned.err().unwrap_or_else(|| panic!("{layer:?} takes {input:?}")).to_string()
}

#[test]
fn errors_say_what_is_wrong() {
    let max = usize::MAX;
    let says = |message: String, text: &str| assert!(message.contains(text), "{message}");
    says(error(Conv2d::new(2, 3), &[28, 28]), "[channels, height, width] but got [28, 28]");
    says(error(Conv1d::new(2, 3), &[1, 28, 28]), "[channels, length]");
    says(error(Conv3d::new(2, 3), &[1, 28, 28]), "[channels, depth, height, width]");
    says(error(Conv2d::new(2, 3), &[0, 28, 28]), "without zeros");
    says(error(Conv2d::new(0, 3), &[1, 28, 28]), "a number of channels of at least 1");
    says(error(Conv2d::new(4, 3).groups(0), &[4, 5, 5]), "a number of groups of at least 1");
    says(error(Conv2d::new(4, 3).groups(3), &[6, 5, 5]), "3 groups");
    says(error(Conv2d::new(6, 3).groups(3), &[4, 5, 5]), "3 groups");
    for layer in [
        Conv2d::new(2, 0),
        Conv2d::new(2, 3).stride([1, 0]),
        Conv2d::new(2, 3).dilation(0),
        Conv2d::new(2, max),
    ] {
        error(layer, &[1, 9, 9]);
    }
    says(error(Conv2d::new(2, [3, 6]), &[1, 5, 5]), "smaller kernel");
    says(error(Conv2d::new(2, 3).dilation(max), &[1, 5, 5]), "smaller kernel");
    says(error(Conv2d::new(2, 3).padding(max), &[1, 5, 5]), "smaller kernel");
    says(error(Conv2d::new(2, 3).padding(1 << 60), &[1, 5, 5]), "overflow");
    says(error(Conv2d::new(max, 1), &[1, 5, 5]), "overflow");
    says(error(Conv2d::new(4, 1 << 31).padding(1 << 31), &[4, 5, 5]), "overflow");
    says(error(Conv2d::new(2, 3).dilation(max / 2).padding(Padding::Same), &[1, 5, 5]), "smaller kernel");
    says(error(DepthwiseConv2d::new(3).multiplier(0), &[2, 5, 5]), "multiplier");
    says(error(DepthwiseConv2d::new(3).multiplier(max), &[2, 5, 5]), "multiplier");
    says(error(DepthwiseConv2d::new(6), &[2, 5, 5]), "smaller kernel");
    says(error(SeparableConv2d::new(0, 3), &[2, 5, 5]), "a number of channels of at least 1");
    says(error(ConvTranspose2d::new(2, 3).padding(3), &[1, 2, 2]), "less padding");
    says(error(ConvTranspose2d::new(2, 3).stride(max), &[1, 2, 2]), "less padding");
    says(error(ConvTranspose2d::new(2, 3).output_padding(max), &[1, 2, 2]), "less padding");
    says(error(ConvTranspose2d::new(2, 3).output_padding(1 << 60), &[1, 2, 2]), "overflow");
    says(error(ConvTranspose2d::new(3, 3).groups(2), &[2, 2, 2]), "2 groups");
    says(error(Unfold::new([3, 3]), &[5, 5]), "[channels, height, width]");
    says(error(Unfold::new([1 << 31, 1 << 31]).padding(1 << 31), &[1 << 10, 1, 1]), "overflow");
    says(error(Fold::new([5, 5], [3, 3]), &[9, 8]), "[channels · 9, 9]");
    says(error(Fold::new([5, 5], [3, 3]), &[8, 9]), "[channels · 9, 9]");
    says(error(Fold::new([5, 5], [3, 3]), &[2, 5, 5]), "[channels · kernel, positions]");
    says(error(Fold::new([max, max], [3, 3]), &[9, 9]), "overflow");
    says(error(Fold::new([5, 2], [3, 3]), &[9, 9]), "smaller kernel");
}

#[test]
fn huge_settings_that_are_valid_are_planned() {
    let max = usize::MAX;
    let mut plan = Plan::new();
    let input = Shape::from([1, 5, 5]);
    let layer = Conv2d::new(2, 1).stride(max).dilation(max);
    assert_eq!(Layer::<f32>::plan(&layer, input, &mut plan).unwrap().0, [2, 1, 1].into());
    let layer = Conv2d::new(2, [1 << 40, 1]).padding([1 << 40, 0]);
    assert!(Layer::<f32>::plan(&layer, input, &mut plan).is_ok());
    let x = random(2, 25, 1);
    let [y, ..] = run::<f32, _>(&Conv2d::new(2, 2).stride(max).without_bias(), &[1, 5, 5], &x);
    let [right, ..] = run::<f64, _>(&Conv2d::new(2, 2).without_bias(), &[1, 5, 5], &x);
    close(&[y[0], y[1], y[2]], &[right[0], right[16], right[32]], 1e-5, "one position");
}

#[test]
fn costs_are_declared() {
    let mut plan = Plan::new();
    let layer = Conv2d::new(6, 5).padding(Padding::Same);
    plan.inner::<f32, _>("conv", &layer, [1, 28, 28].into()).unwrap();
    let row = &plan.layers()[0];
    assert_eq!((row.parameters, row.flops), (6 * 25 + 6, 2 * 6 * 25 * 784));
    let layer = SeparableConv2d::new(4, 3).multiplier(2);
    plan.inner::<f32, _>("separable", &layer, [3, 7, 7].into()).unwrap();
    let row = plan.layers().iter().find(|row| row.path == "separable").unwrap();
    assert_eq!((row.parameters, row.flops), (6 * 9 + 4 * 6 + 4, 2 * (6 * 9 + 4 * 6) * 25));
}
