//! Several outputs, each with a loss and metrics of its own.

use std::path::Path;

use chainrule_config::{Configuration, ConfiguredModel, TrainedModel, configuration_for};
use tempfile::TempDir;

use crate::{file, refused, trained};

const TABLE: &str = r#"
optimizer = "adam(lr=0.02)"
epochs = 40
audit = false
[data]
table = "flats.csv"
scale_targets = true
test = 0.2
[model]
layers = ["dense(16)", "relu"]
[output."monthly rent."]
layers = ["dense(8)", "relu", "dense(1)"]
loss = "mean_squared_error"
metrics = ["r2", "mean_absolute_error"]
[output.heating]
layers = ["dense(3)"]
loss = "cross_entropy"
metrics = ["accuracy"]
weight = 0.5
[output.balcony]
layers = ["dense(1)"]
loss = "binary_cross_entropy"
metrics = ["accuracy"]
[output.area]
layers = ["dense(1)"]
loss = "huber"
metrics = ["r2"]
"#;

/// Flats whose rent depends on their rooms and year, heating on the year, and balcony on the rooms. Every tenth has no rent.
fn flats() -> TempDir {
    let mut rng = chainrule::tensor::Seed(5).rng();
    let mut rows = String::from("rooms,year,monthly rent.,heating,balcony,area\n");
    for row in 0..400 {
        let (rooms, year) = (1 + rng.below(5), 1900 + rng.below(120));
        let rent = if row % 10 == 9 { String::new() } else { (300 * rooms + 2 * (year - 1900)).to_string() };
        let heating = ["oil", "gas", "heat pump"][(year - 1900) / 40];
        let balcony = if rooms > 2 { "yes" } else { "no" };
        let area = 25.0 * rooms as f64 + rng.normal();
        rows += &format!("{rooms},{year},{rent},{heating},{balcony},{area}\n");
    }
    file("flats.csv", &rows)
}

#[test]
fn each_output_is_learnt_and_measured_in_its_units() {
    let directory = flats();
    let trained = trained(TABLE, directory.path(), &[]).unwrap();
    let test = trained.test.unwrap();
    let number = |name: &str| test.scores.metric(name).unwrap_or_else(|| panic!("{name}: {}", test.scores));
    let names: Vec<&str> = test.scores.metrics.iter().map(|(name, _)| &**name).collect();
    let right = [
        "monthly rent. r2",
        "monthly rent. mean_absolute_error",
        "heating accuracy",
        "balcony accuracy",
        "area r2",
    ];
    assert_eq!(names, right);
    assert!(number("monthly rent. r2") > 0.9 && number("area r2") > 0.9, "{}", test.scores);
    // The loss is that of deviations, but metrics are in the units of the file.
    assert!(test.scores.loss < 3.0, "{}", test.scores);
    let error = number("monthly rent. mean_absolute_error");
    assert!((1.0..200.0).contains(&error), "{error}");
    assert!(number("heating accuracy") > 0.8 && number("balcony accuracy") > 0.95, "{}", test.scores);
    assert_eq!(trained.train.samples + test.samples, 360, "rows without a rent are left out");
    // Which classes are taken for which, of the outputs that are classes.
    let classes: Vec<usize> =
        test.of_outputs.iter().map(|counts| counts.as_ref().map_or(0, Vec::len)).collect();
    assert_eq!((classes, &test.confusion), (vec![0, 3, 2, 0], &None));
    for (counts, name) in [(1, "heating accuracy"), (2, "balcony accuracy")] {
        let counts = test.of_outputs[counts].as_ref().unwrap();
        assert_eq!(counts.iter().flatten().sum::<u64>(), test.samples as u64);
        let right: u64 = (0..counts.len()).map(|class| counts[class][class]).sum();
        assert!((number(name) - right as f64 / test.samples as f64).abs() < 1e-12, "{counts:?}");
    }

    let saved = directory.path().join("flats.chainrule");
    trained.model.save(&saved).unwrap();
    let registry = chainrule::registry();
    let model = ConfiguredModel::load(&saved, &registry).unwrap();
    let new = file("new.csv", "year,rooms\n2015,4\n1903,1\n");
    let predictions = model.predict(new.path().join("new.csv"), &registry).unwrap();
    let mut csv = Vec::new();
    predictions.write_csv(&mut csv).unwrap();
    let csv = String::from_utf8(csv).unwrap();
    let header = "row,monthly rent.,heating,probability of heating gas,probability of heating heat pump,probability of heating oil,balcony,";
    assert!(csv.starts_with(header), "{csv}");
    let rents: Vec<f32> = predictions.outputs()[0].values().column(0).to_vec();
    assert!((rents[0] - 1430.0).abs() < 200.0 && (rents[1] - 306.0).abs() < 200.0, "{rents:?}");
    let names = |output: usize, row: usize| {
        let output = &predictions.outputs()[output];
        output.names()[output.class(row).unwrap()].clone()
    };
    assert_eq!((names(1, 0), names(1, 1)), ("heat pump".into(), "oil".into()));
    assert_eq!((names(2, 0), names(2, 1)), ("yes".into(), "no".into()));
    // What was measured is measured again: on all rows with a rent.
    let again = model.evaluate(directory.path().join("flats.csv"), &registry, 1);
    let problem = again.unwrap_err().to_string();
    assert!(problem.contains("line 11: \"monthly rent.\" is missing"), "{problem}");
    let text = std::fs::read_to_string(directory.path().join("flats.csv")).unwrap();
    let whole: String =
        text.lines().filter(|line| !line.contains(",,")).map(|line| format!("{line}\n")).collect();
    let whole = file("whole.csv", &whole);
    let again = model.evaluate(whole.path().join("whole.csv"), &registry, 1).unwrap();
    let (train, test) = (&trained.train, &test);
    let mean = (train.scores.loss * train.samples as f64 + test.scores.loss * test.samples as f64) / 360.0;
    assert!((again.scores.loss - mean).abs() < 1e-3 * mean, "{} {mean}", again.scores.loss);
}

#[test]
fn a_weight_is_how_much_an_output_counts() {
    let directory = flats();
    let scores = |changes: &[&str]| trained(TABLE, directory.path(), changes).unwrap().train.scores;
    let unlearnt = scores(&["output.heating.weight=0", "epochs=10"]);
    let learnt = scores(&["epochs=10", "output.heating.weight=2"]);
    let accuracy = |scores: &chainrule::train::Scores| scores.metric("heating accuracy").unwrap();
    assert!(accuracy(&unlearnt) < 0.7 && accuracy(&learnt) > 0.75, "{unlearnt} {learnt}");
}

/// A column that says what an output has to learn is named, whichever output it is.
#[test]
fn features_that_give_an_output_away_are_named() {
    let directory = flats();
    let path = directory.path().join("flats.csv");
    let fuel = |line: &str| match line.split(',').nth(3).unwrap() {
        "heating" => "fuel",
        "oil" => "o",
        "gas" => "g",
        _ => "h",
    };
    let text = std::fs::read_to_string(&path).unwrap();
    let text: String = text.lines().map(|line| format!("{line},{}\n", fuel(line))).collect();
    std::fs::write(&path, text).unwrap();
    let registry = chainrule::registry();
    let configuration = Configuration::from_text("a.toml", TABLE, &[] as &[&str], &registry).unwrap();
    let notes = configuration.in_directory(directory.path()).load_data(&registry).unwrap().notes;
    assert!(
        notes.iter().any(|note| note.contains("\"fuel\" determines the target \"heating\"")),
        "{notes:?}"
    );
}

#[test]
fn outputs_need_names_of_their_own_and_a_weight() {
    let rows: String =
        (0..20).map(|row| format!("{},{},{}\n", row % 7, row * row % 11, 3 - row % 5)).collect();
    let directory = file("a.csv", &format!("x,a.b,a_b\n{rows}"));
    let output = |name: &str| {
        format!("[output.{name}]\nlayers = [\"dense(1)\"]\nloss = \"mean_squared_error\"\nweight = 0\n")
    };
    let start = "optimizer = \"sgd\"\n[data]\ntable = \"a.csv\"\n[model]\nlayers = [\"relu\"]\n";
    let text = [start, &output("\"a.b\""), &output("a_b")].concat();
    let found = refused(&text, directory.path(), &[]);
    assert!(found.contains("a.toml, line 6") && found.contains("all outputs have the weight 0"), "{found}");
    let found = refused(&text.replacen("weight = 0", "weight = 1", 1), directory.path(), &[]);
    assert!(
        found.contains("a.toml, line 10") && found.contains("\"a.b\": rename one of the columns"),
        "{found}"
    );
}

#[test]
fn what_an_output_is_made_of_can_be_changed() {
    let directory = flats();
    let of = |changes: &[&str]| trained(TABLE, directory.path(), changes).unwrap();
    let changes = [
        "epochs=1",
        "output.monthly rent..layers.0.units=5",
        "output.area.loss.delta=2",
        "output.monthly rent..weight=3",
    ];
    let changed = of(&changes);
    let parameters = |trained: &TrainedModel| trained.model.parameters().len();
    // Three units fewer: of 16 inputs and a bias each, and of the output after them.
    assert_eq!(parameters(&of(&["epochs=1"])) - parameters(&changed), 3 * 17 + 3);
}

#[test]
fn init_writes_an_output_for_each_target() {
    let directory = flats();
    let path = directory.path().join("flats.csv");
    let text = configuration_for(&path, Path::new("flats.csv"), &["balcony", "monthly rent."]).unwrap();
    assert!(
        text.contains("[output.balcony]\nlayers = [\"dense(1)\"]\nloss = \"binary_cross_entropy\""),
        "{text}"
    );
    assert!(
        text.contains("[output.\"monthly rent.\"]\nlayers = [\"dense(1)\"]\nloss = \"mean_squared_error\""),
        "{text}"
    );
    assert!(
        text.contains("scale_targets = true")
            && !text.contains("target =")
            && !text.contains("\nloss = \"cross")
    );
    let trained = trained(&text, directory.path(), &["epochs=2"]).unwrap();
    assert!(trained.test.unwrap().scores.metric("balcony auroc").is_some());
    let error = configuration_for(&path, Path::new("flats.csv"), &["area", "area"]).unwrap_err().to_string();
    assert!(error.contains("\"area\" is given twice"), "{error}");
}

#[test]
fn what_cannot_be_says_where() {
    let directory = flats();
    let wrong = |from: &str, to: &str| {
        assert!(TABLE.contains(from), "{from}");
        refused(&TABLE.replacen(from, to, 1), directory.path(), &[])
    };
    for (from, to, place, part) in [
        (
            "[output.heating]",
            "[output.heeting]",
            "line 15, column",
            "no column \"heeting\"; the nearest is \"heating\"",
        ),
        ("dense(3)", "dense(2)", "line 16, column 11", "has 2 columns, and those do not fit 3 classes"),
        ("\"huber\"", "\"cross_entropy\"", "line 26, column 8", "cross_entropy takes the outputs for logits"),
        ("\"binary_cross_entropy\"", "\"cross_entropy\"", "line 22, column 8", "does not fit \"balcony\""),
        ("\"cross_entropy\"", "\"nt_xent\"", "line 17, column 8", "compares the samples of a batch"),
        ("\"cross_entropy\"", "\"cross_entrop\"", "line 17, column 8", "`output.heating.loss`"),
        ("weight = 0.5", "weight = -1", "line 19, column 10", "`output.heating.weight` is -1"),
        (
            "weight = 0.5",
            "wait = 1",
            "line 19, column 1",
            "there is no `output.heating.wait`; the nearest is `weight`",
        ),
        ("epochs = 40", "loss = \"huber\"", "line 3, column 8", "move `loss` below [output.monthly rent.]"),
        ("test = 0.2", "target = \"area\"", "line 8, column 10", "leave out `data.target`"),
        (
            "scale_targets = true",
            "split = \"stratified\"",
            "line 7, column 9",
            "needs a target that is a class",
        ),
        (
            "binary_cross_entropy\"\nmetrics = [\"accuracy\"]",
            "binary_cross_entropy\"\nmetrics = [\"accuracy(from_logits=false)\"]",
            "line 23, column 12",
            "it takes the outputs for probabilities, but the loss for logits",
        ),
        (
            "table = \"flats.csv\"\nscale_targets = true",
            "pictures = \"x\"\n",
            "line 11, column",
            "several outputs are columns of a table",
        ),
    ] {
        let text = wrong(from, to);
        assert!(
            text.starts_with("a.toml, line ") && text.contains(place) && text.contains(part),
            "{to}: {text}"
        );
    }
}
