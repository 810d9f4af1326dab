//! Texts as bags of words: samples of 40,000 numbers, of which all but some forty are 0.
//!
//! `cargo run --release --example bag_of_words` draws texts; with two files in the format of svmlight, of training and of test samples,
//! it learns those: `cargo run --release --example bag_of_words -- TRAIN TEST`.

use std::time::Instant;

use chainrule::data::SparseRows;
use chainrule::data::svmlight::Svmlight;
use chainrule::prelude::*;
use chainrule::tensor::SparseMatrix;

const WORDS: usize = 40_000;

/// Texts of one of four kinds. Three words of ten are of the kind, each of which has a tenth of all; the others are any, frequent ones
/// more often.
fn texts(count: usize, seed: Seed) -> Result<SparseRows<f32, u32>, Box<dyn std::error::Error>> {
    let mut rng = seed.rng();
    let mut bags = SparseMatrix::new(WORDS);
    let mut kinds = Vec::new();
    for _ in 0..count {
        let kind = rng.below(4);
        let word = |_| match rng.below(10) {
            0..3 => kind * WORDS / 10 + rng.below(WORDS / 10),
            _ => (WORDS as f64 * rng.uniform().powi(2)) as usize,
        };
        let mut words: Vec<u32> = (0..40).map(word).map(|word| word as u32).collect();
        words.sort_unstable();
        let bag: Vec<(u32, f32)> =
            words.chunk_by(|a, b| a == b).map(|same| (same[0], same.len() as f32)).collect();
        let (words, counts): (Vec<u32>, Vec<f32>) = bag.into_iter().unzip();
        bags.push(&words, &counts)?;
        kinds.push(kind as u32);
    }
    Ok(SparseRows::new(bags, kinds)?.with_classes(4))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files: Vec<String> = std::env::args().skip(1).collect();
    let (train, test) = match &files[..] {
        [train, test] => {
            let (train, names) = Svmlight::new(train).classes()?;
            let columns = train.samples().columns();
            (train, Svmlight::new(test).columns(columns).known_classes(&names)?)
        }
        _ => (texts(8_000, Seed(1))?, texts(1_000, Seed(2))?),
    };
    let classes = train.classes().unwrap_or_default();
    // A step reads and updates the weights of the words of its batch, and no others.
    let layers = Sequential::new().then(Dense::new(64).sparse()).then(Relu).then(Dense::new(classes));
    let model = Model::new(train.shape(), layers, Seed(0))?;
    println!("{}", model.summary());
    let mut trainer = Trainer::new(model, CrossEntropy, adam(0.002)).metric(Accuracy);
    let begin = Instant::now();
    trainer.fit(&train, 4)?;
    let scores = trainer.evaluate(&test)?;
    println!("{scores}, after {:.1} s", begin.elapsed().as_secs_f64());

    // The model is that of a dense layer: it takes samples with their zeros as well.
    let first = SparseMatrix::from_dense(test.samples().to_dense().slice(ndarray::s![..1, ..]));
    let model = trainer.model();
    let (sparse, dense) = (model.predict_sparse(&first)?, model.predict(first.to_dense().view())?);
    assert!((&sparse - &dense).iter().all(|difference| difference.abs() < 1e-4), "{sparse} {dense}");
    assert!(!files.is_empty() || scores.metric("accuracy") > Some(0.9), "{scores}");
    Ok(())
}
