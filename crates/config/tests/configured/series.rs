//! Tables whose rows are steps in time.

use std::fmt::Write;
use std::fs;

use chainrule::tensor::Seed;
use chainrule_config::{Configuration, ConfiguredModel};

use crate::{file, refused, trained};

const SERIES: &str = r#"
loss = "mean_squared_error"
metrics = ["mean_absolute_error"]
optimizer = "adam(lr=0.01)"
epochs = 25
audit = false
[data]
table = "load.csv"
target = "load"
series = { steps = 24, horizon = 3 }
split = "by_time(day)"
validation = 0.15
test = 0.2
[model]
layers = ["flatten", "dense(16)", "relu", "dense(3)"]
"#;

/// A load that swings within 12 days and follows the day's warmth, of the deviation 1 beside what can be known.
fn load(day: usize, warmth: f64, noise: f64) -> f64 {
    100.0 + 20.0 * (day as f64 * std::f64::consts::TAU / 12.0).sin() + 5.0 * warmth + noise
}

/// Days in another order than that of time.
fn loads(days: usize) -> tempfile::TempDir {
    let mut rng = Seed(3).rng();
    let mut rows = Vec::new();
    for day in 0..days {
        let warmth = rng.normal();
        let (month, of_month) = (1 + day / 28 % 12, 1 + day % 28);
        let year = 2000 + day / 336;
        rows.push(format!(
            "{year}-{month:02}-{of_month:02},{warmth:.3},{:.3}\n",
            load(day, warmth, rng.normal())
        ));
    }
    rows.reverse();
    file("load.csv", &format!("day,warmth,load\n{}", rows.concat()))
}

#[test]
fn from_a_series_to_what_comes_next() {
    let directory = loads(600);
    let registry = chainrule::registry();
    let trained = trained(SERIES, directory.path(), &[]).unwrap();
    let test = trained.test.unwrap();
    // 120 days are predicted, 3 after each window.
    assert_eq!((test.samples, trained.validation.unwrap().samples), (118, 88));
    // The noise and tomorrow's warmth cannot be known: sqrt(1 + 25) sqrt(2/π) = 4.07.
    let error = test.scores.metric("mean_absolute_error").unwrap();
    assert!((3.5..5.0).contains(&error), "{error}");

    let saved = directory.path().join("load.chainrule");
    trained.model.save(&saved).unwrap();
    let model = ConfiguredModel::load(&saved, &registry).unwrap();
    // 24 days and no more, in any order, from a moment of the swing that is known.
    let mut text = String::from("warmth,load,day\n");
    for day in (600..624).rev() {
        writeln!(
            text,
            "0,{:.2},2001-{:02}-{:02}",
            load(day, 0.0, 0.0),
            11 + (day - 600) / 28,
            1 + (day - 600) % 28
        )
        .unwrap();
    }
    let next = directory.path().join("next.csv");
    fs::write(&next, text).unwrap();
    let predicted = model.predict(&next, &registry).unwrap();
    assert_eq!(predicted.outputs()[0].names(), ["load +1", "load +2", "load +3"]);
    for (step, &value) in predicted.outputs()[0].values().iter().enumerate() {
        let right = load(624 + step, 0.0, 0.0);
        assert!((f64::from(value) - right).abs() < 4.0, "{step}: {value} instead of {right}");
    }
    let evaluated = model.evaluate(directory.path().join("load.csv"), &registry, 1).unwrap();
    assert_eq!(evaluated.samples, 600 - 24 - 3 + 1);
    fs::write(&next, "warmth,load,day\n0,100,2001-01-01\n").unwrap();
    let error = model.predict(&next, &registry).unwrap_err().to_string();
    assert!(error.contains("it has 1 rows, but the model looks at 24"), "{error}");
}

/// What is learnt about columns, and targets, come from the rows of the training alone.
#[test]
fn later_rows_are_not_known() {
    let directory = loads(300);
    let path = directory.path().join("load.csv");
    let sha = || {
        let trained = trained(SERIES, directory.path(), &["epochs=1"]).unwrap();
        let preparation = trained.model.noted("preparation").unwrap().to_owned();
        (trained.model.noted("predicts").unwrap().to_owned(), preparation, trained.train.scores.loss)
    };
    let before = sha();
    // Everything from the validation on, which are the first lines, is another.
    let text = fs::read_to_string(&path).unwrap();
    let changed = text.lines().enumerate().map(|(line, row)| match row.rsplit_once(',') {
        Some((rest, _)) if (1..=105).contains(&line) => format!("{rest},9999\n"),
        _ => format!("{row}\n"),
    });
    fs::write(&path, changed.collect::<String>()).unwrap();
    assert_eq!(sha(), before);
}

#[test]
fn what_cannot_be_says_where() {
    let directory = loads(60);
    let wrong = |from: &str, to: &str| refused(&SERIES.replace(from, to), directory.path(), &[]);
    let text = wrong("horizon = 3", "horizn = 3");
    assert!(
        text.starts_with(
            "a.toml, line 10, column 24: there is no `data.series.horizn`; the nearest is `horizon`"
        ),
        "{text}"
    );
    let text = wrong("steps = 24", "steps = 50");
    assert!(
        text.starts_with("a.toml, line 10, column 10: ") && text.contains("are too few for a window"),
        "{text}"
    );
    let text = wrong("\"by_time(day)\"", "\"random\"");
    assert!(
        text.starts_with("a.toml, line 11, column 9: the parts of a series follow each other in time"),
        "{text}"
    );
    let text = wrong("dense(3)", "dense(2)");
    assert!(text.contains("the model has 2 outputs, which do not fit 3 targets"), "{text}");
    let text = wrong("target = \"load\"", "target = \"lod\"");
    assert!(text.contains("the nearest is \"load\""), "{text}");
    let path = directory.path().join("load.csv");
    let gap = fs::read_to_string(&path)
        .unwrap()
        .lines()
        .enumerate()
        .map(|(line, row)| match row.rsplit_once(',') {
            Some((rest, _)) if line == 9 => format!("{rest},\n"),
            _ => format!("{row}\n"),
        })
        .collect::<String>();
    fs::write(&path, gap).unwrap();
    let text = refused(SERIES, directory.path(), &["data.series.steps=4"]);
    assert!(text.contains("line 10: \"load\" is missing: fill it in"), "{text}");
    let registry = chainrule::registry();
    let missing =
        Configuration::from_text("a.toml", &SERIES.replace("steps = 24, ", ""), &[""; 0], &registry);
    assert!(missing.unwrap_err().to_string().contains("`data.series.steps` is missing"));
}
