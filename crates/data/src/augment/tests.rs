//! What all augmentations promise, and what each does to pictures that show it.

use super::*;
use crate::Images;

/// Six pictures of 2 channels, 5 rows and 7 columns.
fn pictures() -> Images {
    let pixels = (0..6 * 70).map(|i| (i * 37 % 251) as u8).collect();
    Images::new([2, 5, 7], pixels, vec![0, 1, 0, 1, 0, 1], 2).unwrap()
}

fn read(data: &impl Samples<f32, Target = u8>, index: usize) -> Vec<f32> {
    let mut row = vec![0.0; data.shape().size()];
    data.read(index, &mut row);
    row
}

/// What an augmentation makes of a picture of these rows.
fn changed(augmentation: &impl Augmentation, rows: &[&[f32]], seed: u64) -> Vec<Vec<f32>> {
    let [height, width] = [rows.len(), rows[0].len()];
    let mut values = rows.concat();
    let mut scratch = vec![f32::NAN; values.len()];
    let mut picture = Picture { size: [1, height, width], values: &mut values, scratch: &mut scratch };
    augmentation.apply(&mut picture, &mut Seed(seed).rng());
    values.chunks(width).map(<[f32]>::to_vec).collect()
}

#[test]
fn a_change_depends_on_seed_epoch_and_sample_alone() {
    let augmented = |seed: u64| {
        let data = Augmented::new(pictures(), seed).unwrap();
        let data =
            data.with(RandomAffine::new().rotate(30.0).shift(0.3).scale(0.8, 1.2).shear(10.0)).unwrap();
        let data = data.with(HorizontalFlip(0.5)).unwrap().with(VerticalFlip(0.5)).unwrap();
        let data =
            data.with(PadAndCrop(1)).unwrap().with(Cutout(2)).unwrap().with(Elastic::new(8.0, 2.0)).unwrap();
        data.with(Brightness(0.3)).unwrap().with(Contrast(0.3)).unwrap().with(Noise(0.1)).unwrap()
    };
    let (data, other) = (augmented(1), augmented(2));
    let first: Vec<_> = (0..6).map(|index| read(&data, index)).collect();
    let again: Vec<_> = (0..6).rev().map(|index| read(&data, index)).collect();
    assert!(first.iter().eq(again.iter().rev()));
    assert_ne!(first[0], read(&other, 0));
    Dataset::enter_epoch(&&data, 1);
    let second: Vec<_> = (0..6).map(|index| read(&data, index)).collect();
    assert!(first.iter().zip(&second).all(|(first, second)| first != second));
    data.enter_epoch(0);
    std::thread::scope(|scope| {
        for (index, right) in first.iter().enumerate() {
            let data = &data;
            scope.spawn(move || assert_eq!(&read(data, index), right));
        }
    });
    assert!(first.iter().flatten().all(|value| value.is_finite()));
}

#[test]
fn nothing_is_changed_by_nothing() {
    let data = Augmented::new(pictures(), 3).unwrap();
    let same = Augmented::new(pictures(), 3).unwrap();
    let same = same.with(RandomAffine::new()).unwrap().with(HorizontalFlip(0.0)).unwrap();
    let same = same.with(Brightness(0.0)).unwrap().with(PadAndCrop(0)).unwrap().with(Noise(0.0)).unwrap();
    for index in 0..6 {
        assert_eq!(read(&data, index), read(&pictures(), index));
        assert_eq!(read(&same, index), read(&pictures(), index));
    }
}

#[test]
fn mirror_images() {
    let rows: [&[f32]; 2] = [&[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0]];
    assert_eq!(changed(&HorizontalFlip(1.0), &rows, 0), [[3.0, 2.0, 1.0], [6.0, 5.0, 4.0]]);
    assert_eq!(changed(&VerticalFlip(1.0), &rows, 0), [[4.0, 5.0, 6.0], [1.0, 2.0, 3.0]]);
    let flips = (0..1000).filter(|&seed| changed(&HorizontalFlip(0.3), &rows, seed)[0][0] == 3.0).count();
    assert!((230..370).contains(&flips), "{flips}");
}

#[test]
fn a_point_goes_where_the_map_says() {
    let mut picture = [[0.0f32; 41]; 31];
    // At (-3, 5) from the middle (15, 20), large enough that interpolation does not move its centre.
    picture[11..=13].iter_mut().for_each(|row| row[24..=26].fill(1.0));
    let rows: Vec<&[f32]> = picture.iter().map(|row| &row[..]).collect();
    let map = RandomAffine::new().rotate(40.0).shift_by(0.1, 0.05).scale(0.7, 1.3).shear(15.0);
    for seed in 0..50 {
        let mut rng = Seed(seed).rng();
        let angle = rng.between(-40.0, 40.0).to_radians();
        let slope = rng.between(-15.0, 15.0).to_radians().tan();
        let [down, right] = [rng.between(-0.1, 0.1) * 31.0, rng.between(-0.05, 0.05) * 41.0];
        let scale = rng.between(0.7, 1.3);
        let (y, x) = (-3.0 * scale, 5.0 * scale);
        // Shear along the width, then rotation.
        let x = x + slope * y;
        let right_place = [
            angle.sin() * x + angle.cos() * y + 15.0 + down,
            angle.cos() * x - angle.sin() * y + 20.0 + right,
        ];
        let found = changed(&map, &rows, seed);
        let [mut mass, mut row_sum, mut column_sum] = [0.0; 3];
        for (row, values) in found.iter().enumerate() {
            for (column, &value) in values.iter().enumerate() {
                mass += f64::from(value);
                row_sum += f64::from(value) * row as f64;
                column_sum += f64::from(value) * column as f64;
            }
        }
        let place = [row_sum / mass, column_sum / mass];
        let off = place.iter().zip(right_place).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(off < 0.15, "seed {seed}: {place:?} instead of {right_place:?}");
        assert!((mass / (9.0 * scale * scale) - 1.0).abs() < 0.15, "seed {seed}: mass {mass}, scale {scale}");
    }
}

#[test]
fn parts_of_a_picture() {
    let rows: [&[f32]; 3] = [&[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0], &[7.0, 8.0, 9.0]];
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..500 {
        let mut rng = Seed(seed).rng();
        let [down, right] = [0; 2].map(|_| rng.below(3) as isize - 1);
        let found = changed(&PadAndCrop(1), &rows, seed);
        for (row, values) in (0..).zip(&found) {
            for (column, &value) in (0..).zip(values) {
                let source = |at: isize, by: isize| usize::try_from(at + by).ok().filter(|&at| at < 3);
                let right = source(row, down).zip(source(column, right)).map_or(0.0, |(r, c)| rows[r][c]);
                assert_eq!(value, right, "seed {seed}");
            }
        }
        seen.insert((down, right));
        let hidden = changed(&Cutout(2), &rows, seed).concat().iter().filter(|&&value| value == 0.0).count();
        assert!([1, 2, 4].contains(&hidden), "seed {seed}: {hidden}");
    }
    assert_eq!(seen.len(), 9);
}

#[test]
fn near_pixels_are_moved_alike() {
    // A ramp shows where a value comes from: x = column, in the middle, where nothing comes from beyond the border.
    let columns: Vec<f32> = (0..40).map(|column| column as f32).collect();
    let rows: Vec<&[f32]> = vec![&columns; 40];
    let moved = |alpha, sigma, seed| {
        let found = changed(&Elastic::new(alpha, sigma), &rows, seed);
        let middle = |row: usize, column: usize| found[row][column] - column as f32;
        let each = (12..28).flat_map(|row| (12..27).map(move |column| (row, column)));
        let steps = each.clone().map(|(row, column)| (middle(row, column + 1) - middle(row, column)).abs());
        let squares: f32 = each.clone().map(|(row, column)| middle(row, column).powi(2)).sum();
        ((squares / each.count() as f32).sqrt(), steps.fold(0.0, f32::max))
    };
    let mean = |alpha: f64, sigma: f64| {
        let all = (0..40).map(|seed| moved(alpha, sigma, seed));
        let (sizes, steps): (Vec<f32>, Vec<f32>) = all.unzip();
        (sizes.iter().map(|size| size * size).sum::<f32>() / 40.0, steps.iter().copied().fold(0.0, f32::max))
    };
    // Σ w² of a normal distribution over the plane is 1 / (4 π σ²), and the variance of numbers from -1 to 1 is 1/3.
    for (alpha, sigma) in [(20.0, 3.0), (34.0, 4.0)] {
        let (square, step) = mean(alpha, sigma);
        let right = alpha * alpha / (12.0 * std::f64::consts::PI * sigma * sigma);
        assert!(
            (f64::from(square) / right - 1.0).abs() < 0.2,
            "{alpha} {sigma}: {square} instead of {right}"
        );
        assert!(f64::from(step) < 4.0 * right.sqrt() / sigma, "{alpha} {sigma}: neighbours are {step} apart");
    }
    assert_eq!(changed(&Elastic::new(0.0, 4.0), &rows, 1), rows);
    assert_eq!(changed(&Elastic::new(1e6, 1.0), &[&[1.0]], 1).len(), 1);
}

#[test]
fn all_are_built_by_name() {
    let mut registry = chainrule_core::Registry::new();
    register_augmentations(&mut registry);
    let mut count = 0;
    for entry in registry.entries::<AnyAugmentation>() {
        let needed = entry.settings.iter().filter(|setting| setting.default.is_none());
        let description =
            needed.fold(Description::new(entry.name), |so_far, setting| so_far.with(setting.name, 1.0));
        let built: AnyAugmentation = registry.build(&description).unwrap();
        built.check().unwrap();
        // What it says of itself builds the same.
        let described = chainrule_core::Kind::description(&built);
        let again: AnyAugmentation = registry.build(&described.to_string().parse().unwrap()).unwrap();
        assert_eq!(format!("{built:?}"), format!("{again:?}"));
        count += 1;
    }
    assert_eq!(count, 11);
    let refused = |text: &str| {
        let built = registry.build::<AnyAugmentation>(&text.parse().unwrap());
        built
            .map_err(|error| error.to_string())
            .and_then(|built| built.check().map_err(|error| error.to_string()))
    };
    assert_eq!(refused("random_affine(rotate=10, shift=0.1, scale=[0.9, 1.1])"), Ok(()));
    assert!(refused("flip(2)").unwrap_err().contains("probability is 2"));
    assert!(refused("elastic(sigma=0)").unwrap_err().contains("sigma is 0, but must be above 0"));
    assert!(refused("mix_up(0)").unwrap_err().contains("a finite number above 0"));
}

#[test]
fn values_stay_in_their_range() {
    let rows: [&[f32]; 1] = [&[0.0, 0.25, 0.5, 1.0]];
    for seed in 0..100 {
        let bright = changed(&Brightness(1.0), &rows, seed).concat();
        let contrast = changed(&Contrast(1.0), &rows, seed).concat();
        assert!(bright.iter().chain(&contrast).all(|value| (0.0..=1.0).contains(value)));
        assert!(bright[0] == 0.0 && bright.is_sorted() && contrast.is_sorted(), "{bright:?} {contrast:?}");
    }
    let noise: Vec<f32> = (0..4000).map(|seed| changed(&Noise(0.2), &rows, seed)[0][2] - 0.5).collect();
    let variance = noise.iter().map(|value| f64::from(value * value)).sum::<f64>() / 4000.0;
    assert!((variance.sqrt() - 0.2).abs() < 0.01, "{variance}");
}

#[test]
fn what_cannot_be_augmented() {
    let rows = crate::Rows::new(ndarray::array![[1.0f32, 2.0]], vec![0u8]).unwrap();
    let error = Augmented::new(rows, 0).unwrap_err().to_string();
    assert!(error.contains("[2] are no pictures"), "{error}");
    let refused = |augmentation: &dyn Augmentation| augmentation.check().unwrap_err().to_string();
    for (error, part) in [
        (refused(&RandomAffine::new().rotate(f64::NAN)), "RandomAffine: rotate is NaN"),
        (refused(&RandomAffine::new().shift(-0.1)), "at least 0"),
        (refused(&RandomAffine::new().scale(0.0, 1.0)), "above 0"),
        (refused(&RandomAffine::new().scale(1.0, 0.5)), "the smaller one"),
        (refused(&RandomAffine::new().shear(90.0)), "less than 90"),
        (refused(&HorizontalFlip(1.5)), "HorizontalFlip: probability is 1.5"),
        (refused(&VerticalFlip(-1.0)), "from 0 to 1"),
        (refused(&Brightness(2.0)), "from 0 to 1"),
        (refused(&Contrast(f64::NAN)), "from 0 to 1"),
        (refused(&Noise(-1.0)), "at least 0"),
    ] {
        assert!(error.contains(part), "{error}");
    }
}
