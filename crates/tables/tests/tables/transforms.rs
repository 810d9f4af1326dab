//! Transforms: their values are scikit-learn's, their texts are read back, and what they cannot do is said.

use std::sync::Arc;

use chainrule_core::{Described, Description, Registry, describe, described, register};
use chainrule_tables::transform::{
    Feature, Features, Impute, MinMax, OneHot, Ordinal, Robust, Standardise, Transform, TransformError,
    UnknownCategory, register_transforms, transform,
};
use chainrule_tables::{ColumnData, Texts};
use serde_json::Value;

/// What `reference/transforms.py` wrote.
const REFERENCE: &str = include_str!("reference/transforms.json");

fn features(columns: &Value) -> Features {
    let column = |(index, values): (usize, &Value)| {
        let values = values.as_array().unwrap();
        let name = format!("c{index}");
        if values.iter().any(Value::is_string) {
            Feature::texts(name, values.iter().map(Value::as_str))
        } else {
            Feature::numbers(name, values.iter().map(|value| value.as_f64().unwrap_or(f64::NAN)).collect())
        }
    };
    Features::new(columns.as_array().unwrap().iter().enumerate().map(column).collect())
}

fn same(found: &Feature, expected: &Feature, close_to: f64, at: &str) {
    match (found.data(), expected.data()) {
        (ColumnData::Numbers(found), ColumnData::Numbers(expected)) => {
            assert_eq!(found.len(), expected.len(), "{at}");
            for (found, expected) in found.values().iter().zip(expected.values()) {
                let close = (found - expected).abs() <= close_to * expected.abs().max(1.0);
                assert!(
                    close || (found.is_nan() && expected.is_nan()),
                    "{at}: {found} instead of {expected}"
                );
            }
        }
        (ColumnData::Texts(found), ColumnData::Texts(expected)) => {
            let words = |texts: &Texts| {
                (0..texts.len()).map(|row| texts.get(row).map(str::to_owned)).collect::<Vec<_>>()
            };
            assert_eq!(words(found), words(expected), "{at}");
        }
        _ => panic!("{at}: numbers and texts"),
    }
}

#[test]
fn values_are_those_of_scikit_learn() {
    let cases: Vec<Value> = serde_json::from_str(REFERENCE).unwrap();
    assert!(cases.len() > 40);
    for case in &cases {
        let text = case["transform"].as_str().unwrap();
        let fitted = transform(text).unwrap().fit(&features(&case["fit"]));
        if case["needs"] == "lapack" && !cfg!(feature = "lapack") {
            let error = fitted.unwrap_err().to_string();
            assert!(error.contains("build with the feature `lapack`"), "{error}");
            continue;
        }
        let fitted = fitted.unwrap();
        // Small variances divide the rounding of eigenvalues, which are of another LAPACK there.
        let close_to = if case["needs"] == "lapack" { 1e-10 } else { 1e-12 };
        // What has been fitted is the same after it is written and read.
        let read = transform(&fitted.description().to_string()).unwrap();
        assert_eq!(read.description().to_string(), fitted.description().to_string());
        for fitted in [fitted, read] {
            let found = fitted.apply(&features(&case["apply"])).unwrap();
            let expected = features(&case["expected"]);
            assert_eq!(found.columns().len(), expected.columns().len(), "{text}");
            for (found, expected) in found.columns().iter().zip(expected.columns()) {
                same(found, expected, close_to, &format!("{text}, {}", found.name()));
            }
        }
    }
}

#[test]
fn names_say_what_became_of_a_column() {
    let table = Features::new(vec![Feature::texts("soil", [Some("clay"), None, Some("a b")])]);
    let names = |text: &str, features: &Features| {
        let transformed = transform(text).unwrap().fit(features).unwrap().apply(features).unwrap();
        transformed.columns().iter().map(|column| column.name().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names("one_hot", &table), ["soil_a b", "soil_clay", "soil_missing"]);
    assert_eq!(names("hashing(2)", &table), ["hash 0", "hash 1"]);
    let numbers = Features::new(vec![
        Feature::numbers("a", vec![1.0, f64::NAN]),
        Feature::numbers("b", vec![1.0, 2.0]),
    ]);
    assert_eq!(names("impute(indicator=true)", &numbers), ["a", "b", "a_missing"]);
}

#[test]
fn texts_become_numbers_of_their_words() {
    let texts = |texts: &[Option<&str>]| Features::new(vec![Feature::texts("t", texts.iter().copied())]);
    let train = texts(&[Some("A cat, a dog"), Some("a CAT"), None, Some("\"birds\"")]);
    let rows = |transformed: &Features| -> Vec<Vec<f64>> {
        let columns: Vec<&[f64]> =
            transformed.columns().iter().map(|column| column.as_numbers().unwrap()).collect();
        (0..columns[0].len()).map(|row| columns.iter().map(|column| column[row]).collect()).collect()
    };
    let fitted = transform("words(3, 4)").unwrap().fit(&train).unwrap();
    let again = transform(&fitted.description().to_string()).unwrap();
    for fitted in [&fitted, &again] {
        let found = fitted.apply(&texts(&[Some("cat a cat a"), Some("my cat"), None])).unwrap();
        assert_eq!(rows(&found), [[3.0, 2.0, 3.0], [1.0, 3.0, 0.0], [0.0; 3]]);
        assert_eq!(found.columns()[2].name(), "t 3");
    }
    let fitted = transform("byte_pairs(4, 260)").unwrap().fit(&train).unwrap();
    let again = transform(&fitted.description().to_string()).unwrap();
    let [once, twice] =
        [fitted, again].map(|fitted| rows(&fitted.apply(&texts(&[Some("a"), Some("zz"), None])).unwrap()));
    assert_eq!(once, [[98.0, 0.0, 0.0, 0.0], [123.0, 123.0, 0.0, 0.0], [0.0; 4]]);
    assert_eq!(once, twice);
    let error = transform("words(0)").unwrap_err().to_string();
    assert!(error.contains("steps is 0, but must be from 1 to 65536"), "{error}");
    let error = transform("byte_pairs(2, pairs=[[300, 1]])").unwrap().apply(&train).unwrap_err().to_string();
    assert!(error.contains("is damaged: pair 0 is [300, 1]"), "{error}");
    assert!(transform("words(3)").unwrap().fit(&texts(&[None, Some("?!")])).is_err());
}

#[test]
fn what_cannot_be_done_is_said() {
    let numbers = |values: &[f64]| Features::new(vec![Feature::numbers("n", values.to_vec())]);
    let texts =
        |words: &[&str]| Features::new(vec![Feature::texts("t", words.iter().map(|&word| Some(word)))]);
    let two = Features::new(vec![Feature::numbers("a", vec![1.0]), Feature::numbers("b", vec![1.0])]);
    let fitted = Standardise::default().fit(&numbers(&[1.0, 2.0])).unwrap();
    let known = OneHot::default().unknown(UnknownCategory::Error).fit(&texts(&["x", "y"])).unwrap();
    let log = transform("log").unwrap();
    let cases: [(&str, TransformError); 11] = [
        ("has not been fitted", Robust::default().apply(&two).unwrap_err()),
        ("fitted to 1 columns, but is applied to 2", fitted.apply(&two).unwrap_err()),
        (
            "standardise takes numbers, but \"t\" holds texts: put `one_hot`",
            fitted.apply(&texts(&["x"])).unwrap_err(),
        ),
        (
            "cannot learn from \"n\", which has no values",
            Impute::mean().fit(&numbers(&[f64::NAN])).unwrap_err(),
        ),
        ("impute takes numbers", Impute::mean().fit(&texts(&["x"])).unwrap_err()),
        ("not defined for inf", MinMax::default().fit(&numbers(&[1.0, f64::INFINITY])).unwrap_err()),
        ("low is not below high", MinMax::to(1.0, 0.0).fit(&two).unwrap_err()),
        (
            "not defined for \"z\": it was not in the training data",
            known.apply(&texts(&["x", "z"])).unwrap_err(),
        ),
        ("not defined for \"b\"", Ordinal::with_order(&["a"]).fit(&texts(&["b"])).unwrap_err()),
        ("log of \"n\" is not defined for -1", log.fit(&numbers(&[1.0, -1.0])).unwrap_err()),
        (
            "features is 0, but must be from 1 to 65536",
            chainrule_tables::transform::Hashing::new(0).fit(&two).unwrap_err(),
        ),
    ];
    for (expected, error) in cases {
        assert!(error.to_string().contains(expected), "{error}");
    }
    assert_eq!(log.fit(&numbers(&[1.0, -1.0])).unwrap_err().row(), Some(1));
}

/// A transform of a program's own.
#[derive(Clone, Debug)]
struct Square {
    times: f64,
}

describe! {
    /// The square.
    Square = "square";
    settings {
        /// What it is multiplied by.
        times: 1.0;
    }
}

impl Transform for Square {
    described!();

    fn fit(&self, _: &Features) -> Result<Arc<dyn Transform>, TransformError> {
        Ok(Arc::new(self.clone()))
    }

    fn apply(&self, features: &Features) -> Result<Features, TransformError> {
        let square = |column: &Feature| {
            let values = column.as_numbers().unwrap_or_default();
            Feature::numbers(column.name(), values.iter().map(|x| self.times * x * x).collect())
        };
        Ok(Features::new(features.columns().iter().map(square).collect()))
    }
}

#[test]
fn a_transform_of_ones_own_is_built_by_name() {
    let mut registry = Registry::new();
    register_transforms(&mut registry);
    register!(registry, Arc<dyn Transform>, Arc::new; Square);
    let description: Description = "square(times=2) then min_max".parse().unwrap();
    let built: Arc<dyn Transform> = registry.build(&description).unwrap();
    let numbers = Features::new(vec![Feature::numbers("n", vec![0.0, 1.0, 2.0])]);
    let fitted = built.fit(&numbers).unwrap();
    assert_eq!(fitted.apply(&numbers).unwrap().columns()[0].as_numbers(), Some(&[0.0, 0.25, 1.0][..]));
    assert!(fitted.description().to_string().starts_with("square(times=2.0) then min_max(low=0.0"));
    let error = registry.build::<Arc<dyn Transform>>(&"standardize2".parse().unwrap()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no transform named `standardize2`; the nearest name is `standardize`"
    );
    assert_eq!(Square { times: 1.0 }.describe().to_string(), "square(times=1.0)");
}
