//! Rows that count more than others.

use std::ops::ControlFlow;

use chainrule::train::{Event, TrainError};
use chainrule_config::{Configuration, LoadedSamples, TrainingJob, noted};
use tempfile::TempDir;

use crate::{file, refused, trained};

const NUMBERS: &str = r#"
loss = "mean_squared_error"
metrics = ["mean_absolute_error"]
optimizer = "sgd(lr=0.2)"
epochs = 60
batch_size = 1000
audit = false
[data]
table = "a.csv"
target = "y"
weights = "times"
validation = 0.2
[model]
layers = ["dense(1)"]
"#;

const CLASSES: &str = r#"
loss = "cross_entropy"
metrics = ["accuracy"]
optimizer = "adam(lr=0.05)"
epochs = 40
audit = false
[data]
table = "a.csv"
target = "kind"
ignore = ["y"]
weights = "times"
validation = 0.2
[model]
layers = ["dense(2)"]
"#;

const OUTPUTS: &str = r#"
optimizer = "adam(lr=0.05)"
epochs = 40
audit = false
[data]
table = "a.csv"
weights = "times"
scale_targets = true
[model]
layers = ["dense(8)", "relu"]
[output.y]
layers = ["dense(1)"]
loss = "mean_squared_error"
metrics = ["r2"]
[output.kind]
layers = ["dense(1)"]
loss = "binary_cross_entropy"
metrics = ["accuracy"]
"#;

/// `y` and `kind` follow `x` in rows that count, so many times, and are the contrary of it in three times as many that do not.
fn rows(times: impl Fn(usize) -> f64) -> TempDir {
    let mut rng = chainrule::tensor::Seed(9).rng();
    let mut text = String::from("x,y,kind,times\n");
    for row in 0..400 {
        let (x, counts) = (rng.normal(), row % 4 == 0);
        let y = if counts { x } else { -x };
        let kind = if y > 0.0 { "over" } else { "under" };
        text += &format!("{x},{y},{kind},{}\n", if counts { times(row) } else { 0.0 });
    }
    file("a.csv", &text)
}

#[test]
fn what_does_not_count_is_not_learnt() {
    let directory = rows(|row| 0.5 + (row % 3) as f64);
    let numbers = trained(NUMBERS, directory.path(), &[]).unwrap();
    // Standardised with all rows, whose mean is about 0 and deviation about 1.
    assert!(numbers.model.parameter("0.weight").unwrap()[0] > 0.8, "{:?}", numbers.model.parameters());
    // All rows count alike in what is reported: three in four are wrong.
    assert!(numbers.train.scores.metric("mean_absolute_error") > Some(1.0), "{}", numbers.train.scores);
    let classes = trained(CLASSES, directory.path(), &[]).unwrap();
    let accuracy = classes.validation.unwrap().scores.metric("accuracy").unwrap();
    assert!((0.05..0.5).contains(&accuracy), "{accuracy}");
    let outputs = trained(OUTPUTS, directory.path(), &[]).unwrap();
    let scores = outputs.train.scores;
    let number = |name: &str| scores.metric(name).unwrap_or_else(|| panic!("{name}: {scores}"));
    assert!(number("y r2") < 0.0 && number("kind accuracy") < 0.4, "{scores}");
    // Without weights, the others are learnt.
    let plain = CLASSES.replace("weights = \"times\"\n", "").replace("[\"y\"]", "[\"y\", \"times\"]");
    let plain = trained(&plain, directory.path(), &[]).unwrap();
    assert!(plain.train.scores.metric("accuracy") > Some(0.6), "{}", plain.train.scores);
}

/// Stopped in the middle of an epoch, with several outputs and weights of the rows: the same bits as without a stop.
#[test]
fn a_training_goes_on_with_the_same_bits() {
    let directory = rows(|row| 0.5 + (row % 3) as f64);
    let registry = chainrule::registry();
    let changes = ["epochs=3", "batch_size=32", "data.validation=0.2"];
    let configuration = Configuration::from_text("a.toml", OUTPUTS, &changes, &registry).unwrap();
    let configuration = configuration.in_directory(directory.path());
    let job = || {
        let data = configuration.load_data(&registry).unwrap();
        let model = noted(configuration.model(&registry, data.shape()).unwrap(), &configuration, &data);
        let LoadedSamples::Values(parts) = data.samples else { panic!("outputs are numbers") };
        TrainingJob::new(&configuration, &registry, model, data.predicts, parts).unwrap()
    };
    let result = |job: TrainingJob<'_, Vec<f32>>| {
        let trained = job.finish().unwrap();
        let scores = trained.validation.unwrap().scores;
        (trained.model.parameters().to_vec(), scores.loss, scores.metric("y r2"))
    };
    let mut whole = job();
    let history = whole.fit().unwrap();
    let checkpoint = directory.path().join("run.checkpoint");
    let mut steps = 0;
    // Of 320 rows, so 10 steps an epoch: in the second one.
    let stop = move |event: &Event<'_>| match event {
        Event::Step { .. } => {
            steps += 1;
            if steps == 14 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        }
        _ => ControlFlow::Continue(()),
    };
    let mut first = job().try_with(|trainer| Ok::<_, TrainError>(trainer.callback(stop))).unwrap();
    assert!(first.fit().unwrap().stopped);
    first.trainer().save(&checkpoint).unwrap();
    drop(first);
    let mut second = job().try_with(|trainer| trainer.resume(&checkpoint)).unwrap();
    assert_eq!(second.trainer().epochs_done(), 1);
    second.fit().unwrap();
    let losses = |job: &mut TrainingJob<'_, Vec<f32>>| -> Vec<f64> {
        job.trainer().history().iter().map(|epoch| epoch.train.loss).collect()
    };
    assert_eq!((losses(&mut second), history.epochs.len()), (losses(&mut whole), 3));
    assert_eq!(result(second), result(whole));
}

/// A row that counts three times is three rows, and class weights are on top of that.
#[test]
fn a_weight_is_a_number_of_rows() {
    let table = |times: usize| {
        let row = |row: usize| format!("{},{},{times}\n", row % 7, ["a", "b"][row % 2]);
        let other = |row: usize| format!("{},{},1\n", row % 5, ["a", "b"][row / 2 % 2]);
        let copies = if times == 1 { 3 } else { 1 };
        let rows: String = (0..40).map(|index| row(index).repeat(copies) + &other(index)).collect();
        file("a.csv", &format!("x,kind,times\n{rows}"))
    };
    let text = CLASSES.replace("validation = 0.2\n", "").replace("ignore = [\"y\"]\n", "");
    let text =
        text.replace("adam(lr=0.05)", "sgd(lr=0.3)").replace("epochs = 40", "epochs = 40\nbatch_size = 1000");
    // The mean and deviation of the column would be others.
    let text = text.replace("[model]", "[preparation]\nnumbers = \"keep\"\n[model]");
    for change in ["epochs=40", "class_weights={ a = 2 }"] {
        let [once, three] = [1, 3].map(|times| trained(&text, table(times).path(), &[change]).unwrap().model);
        for (once, three) in once.parameters().iter().zip(three.parameters()) {
            assert!((once - three).abs() < 1e-4 * (1.0 + three.abs()), "{change}: {once} {three}");
        }
    }
}

#[test]
fn what_cannot_be_says_where() {
    let directory = rows(|_| 1.0);
    let wrong = |changes: &[&str]| refused(NUMBERS, directory.path(), changes);
    let text = wrong(&["data.weights=time"]);
    assert!(text.contains("has no column \"time\"; the nearest is \"times\""), "{text}");
    assert!(wrong(&["data.weights=kind"]).contains("\"kind\" is texts, but weights are numbers"));
    assert!(wrong(&["data.weights=x"]).contains("but a weight is a finite number of at least 0"));
    assert!(wrong(&["data.weights=y"]).contains("a target"), "{}", wrong(&["data.weights=y"]));
    let text =
        wrong(&["data.target=kind", "data.ignore=y", "loss=nt_xent", "model.layers.0.units=2", "metrics=[]"]);
    assert!(
        text.contains("compares the samples of a batch") && text.contains("leave out `data.weights`"),
        "{text}"
    );
    let text = wrong(&["data.series={ steps = 4 }"]);
    assert!(text.contains("a.toml, line 11, column 11: the windows of a series count all alike"), "{text}");
    let none = rows(|_| 0.0);
    assert!(refused(NUMBERS, none.path(), &[]).contains("is 0 in all training rows"));
}
