//! Data sets whose samples have weights.

use chainrule_data::{Dataset, Samples, WeightsError, WithWeights, digits};
use chainrule_tensor::Seed;

#[test]
fn weights_of_samples() {
    let data = digits(3, Seed(1));
    let error = WithWeights::new(&data, vec![1.0; 2]).unwrap_err();
    assert_eq!(error, WeightsError::Number { samples: 3, weights: 2 });
    for bad in [-1.0, f32::INFINITY, f32::NAN] {
        let error = WithWeights::new(&data, vec![1.0, bad, 1.0]).unwrap_err();
        assert!(error.to_string().starts_with(&format!("the weight of sample 1 is {bad}")), "{error}");
    }
    let weighted = WithWeights::new(&data, vec![0.0, 2.0, 1.0]).unwrap();
    let (mut row, mut other) = (vec![0.0f32; 784], vec![0.0f32; 784]);
    let target = weighted.read(1, &mut row);
    assert_eq!((target.target, target.weight), (data.read(1, &mut other), 2.0));
    assert_eq!(row, other);
    let mut part = [0.0f32; 10];
    assert_eq!(weighted.read_part(1, 300..310, &mut part, &mut row), target);
    assert_eq!(part, other[300..310]);
    assert_eq!((weighted.len(), weighted.shape(), weighted.classes()), (3, data.shape(), Some(10)));
}
