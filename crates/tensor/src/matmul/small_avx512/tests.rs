//! Products of every size of block and mask, and what their bits depend on.

use super::*;
use ndarray::{Array2, linalg::general_mat_mul, s};

fn random(rows: usize, columns: usize, seed: u64) -> Array2<f32> {
    let mut rng = crate::seed::Seed(seed).rng();
    Array2::from_shape_simple_fn((rows, columns), || rng.normal() as f32)
}

#[test]
fn every_size_of_block_and_mask() {
    if level() < Level::Avx512 {
        return;
    }
    let small = [(3, 1, 1), (7, 15, 3), (8, 16, 16), (13, 17, 33), (16, 32, 5), (21, 49, 40), (40, 70, 17)];
    for (m, n, k) in small.into_iter().chain([(129, 1, 2), (130, 33, 40), (150, 70, 300)]) {
        let (a, b, at, bt) = (random(m, k, 1), random(k, n, 2), random(k, m, 3), random(n, k, 4));
        let wide = random(2 * m, 2 * k, 5);
        for (a, b) in [
            (a.view(), b.view()),
            (at.t(), b.view()),
            (wide.slice(s![..m, k..]), b.view()),
            (wide.slice(s![..;2, ..;2]), b.view()),
            (a.view(), bt.t()),
            (wide.slice(s![m.., ..k]), bt.t()),
        ] {
            for beta in [0.0, 1.0] {
                let mut wide_c = random(m, 2 * n, 6);
                let before = wide_c.clone();
                let mut right = wide_c.slice(s![.., n..]).to_owned();
                general_mat_mul(1.0, &a, &b, beta, &mut right);
                assert!(product(&[(a, b)], Used::All, beta, &mut wide_c.slice_mut(s![.., n..])));
                for (found, right) in wide_c.slice(s![.., n..]).iter().zip(&right) {
                    assert!(
                        (found - right).abs() < 1e-4 * (1.0 + right.abs()),
                        "{m} {n} {k}: {found} {right}"
                    );
                }
                assert_eq!(wide_c.slice(s![.., ..n]), before.slice(s![.., ..n]), "nothing else is touched");
            }
        }
    }
}

#[test]
fn bits_do_not_depend_on_how_a_product_is_cut() {
    if level() < Level::Avx512 {
        return;
    }
    let (a, b, bt) = (random(32, 100, 1), random(100, 50, 2), random(50, 100, 3));
    for b in [b.view(), bt.t()] {
        let (mut whole, mut parts) = (Array2::zeros((32, 50)), Array2::zeros((32, 50)));
        assert!(product(&[(a.view(), b)], Used::All, 0.0, &mut whole.view_mut()));
        for (rows, columns) in [(0..9, 0..50), (9..32, 0..21), (9..32, 21..50)] {
            let (a, b) = (a.slice(s![rows.clone(), ..]), b.slice(s![.., columns.clone()]));
            assert!(product(&[(a, b)], Used::All, 0.0, &mut parts.slice_mut(s![rows, columns])));
        }
        assert_eq!(whole, parts);
    }
}

#[test]
fn two_products_are_one_of_concatenated_operands() {
    if level() < Level::Avx512 {
        return;
    }
    let (x, dy) = (random(21, 40, 1), random(21, 50, 2));
    let part = |rows: std::ops::Range<usize>| {
        (x.slice(s![rows.clone(), ..]).reversed_axes(), dy.slice(s![rows, ..]))
    };
    for beta in [0.0, 1.0] {
        let (mut whole, mut pair) = (random(40, 50, 3), random(40, 50, 3));
        assert!(product(&[part(0..21)], Used::All, beta, &mut whole.view_mut()));
        assert!(product(&[part(0..8), part(8..21)], Used::All, beta, &mut pair.view_mut()));
        assert_eq!(whole, pair);
    }
    let other = (random(40, 8, 4), random(8, 50, 5));
    let parts = [part(0..8), (other.0.view(), other.1.view())];
    assert!(
        !product(&parts, Used::All, 0.0, &mut Array2::zeros((40, 50)).view_mut()),
        "products of different layouts are not done"
    );
}
