//! The page: what is in it, that no text becomes markup, and that a browser draws it.

mod browser;

use chainrule_report::{
    CurveSeries, GraphNode, LayerFacts, ModelGraph, OutputReport, PredictedValues, RunProgress, RunReport,
    ScoredSamples, TextTable, Thumbnail,
};

/// A report of everything, in which every text is `text` with a number.
fn full(text: &str) -> RunReport {
    let mut count = 0;
    let mut name = || {
        count += 1;
        format!("{text}{count}")
    };
    let wave = |phase: f64| (1..=40).map(move |x| (f64::from(x), 1.5 + (f64::from(x) / 9.0 + phase).sin()));
    let mut report = RunReport::new(name());
    report.subtitle = name();
    report.figures = vec![(name(), name()), (name(), name())];
    report.warnings = vec![name()];
    let quantity = name();
    report.curves = vec![
        CurveSeries::new(quantity.clone(), name(), wave(0.0)),
        CurveSeries::new(quantity, name(), wave(1.0)),
        CurveSeries::new("loss", name(), wave(2.0)),
        CurveSeries::new("loss", name(), [(2.0, f64::NAN), (3.0, 0.5)]),
    ];
    report.rate = wave(3.0).collect();
    report.weight_norms = vec![CurveSeries::new("norm", name(), wave(4.0))];
    report.gradient_norms = vec![CurveSeries::new("norm", name(), wave(5.0))];
    report.classes = (0..3).map(|_| name()).collect();
    report.confusion = vec![vec![50, 2, 0], vec![1, 40, 3], vec![0, 7, 60]];
    let targets: Vec<u32> = (0..60).map(|row| row % 3).collect();
    let score = |(row, class): (u32, u32)| {
        if row % 3 == class && row % 5 > 0 { 0.7 } else { 0.1 + 0.01 * (row % 7) as f32 }
    };
    let probabilities = (0..60).flat_map(|row| (0..3).map(move |class| (row, class))).map(score).collect();
    report.scores = Some(ScoredSamples { classes: 3, probabilities, targets });
    let predicted: Vec<f64> = (0..90).map(|row| f64::from(row) / 10.0).collect();
    let targets = predicted.iter().map(|value| value + value.sin()).collect();
    report.values = Some(PredictedValues { predicted, targets });
    let pixels: Vec<f32> = (0..64).map(|pixel| (pixel as f32 / 9.0).sin()).collect();
    report.mistakes = (0..5).map(|_| Thumbnail::of_brightness(8, &pixels, name())).collect();
    let texts = |name: &mut dyn FnMut() -> String| (0..2).map(|_| name()).collect::<Vec<_>>();
    report.mistake_rows =
        Some(TextTable { columns: texts(&mut name), rows: vec![texts(&mut name), texts(&mut name)] });
    report.outputs = vec![
        OutputReport {
            name: name(),
            classes: (0..3).map(|_| name()).collect(),
            confusion: report.confusion.clone(),
            scores: report.scores.clone(),
            ..OutputReport::default()
        },
        OutputReport {
            name: name(),
            values: report.values.clone(),
            mistake_rows: report.mistake_rows.clone(),
            ..OutputReport::default()
        },
    ];
    let nodes = (0..4).map(|_| GraphNode { name: name(), lines: vec![name(), name()] }).collect();
    report.graph = Some(ModelGraph { nodes, edges: vec![(0, 1), (0, 2), (1, 3), (2, 3), (0, 3)] });
    report.weights = (0..5).map(|_| Thumbnail::of_weights(8, &pixels, name())).collect();
    let layer = |path: &str, label: String| LayerFacts {
        path: path.into(),
        label,
        output: "[8, 8]".into(),
        parameters: 12_345,
        flops: 1_000_000,
        seconds: [2.5e-6, 2e-5].map(|seconds| (path != "0").then_some(seconds)),
    };
    report.peak = Some(1e12);
    report.layers = vec![layer("0", name()), layer("0.residual.1", name()), layer(&name(), name())];
    report.settings = vec![(name(), name())];
    report.environment = vec![(name(), name())];
    report
}

#[test]
fn every_section_is_there_and_nothing_that_is_empty() {
    let page = full("text ").to_html();
    for id in [
        "curves",
        "confusion",
        "scores",
        "values",
        "mistakes",
        "weights",
        "norms",
        "graph",
        "layers",
        "settings",
        "environment",
    ] {
        assert!(page.contains(&format!("<section id=\"{id}\">")), "{id}");
        assert!(page.contains(&format!("<a href=\"#{id}\">")), "{id}");
    }
    // A layer that was not measured has no times; 1 million operations in 2.5 µs are 0.4 of 10¹² a second.
    assert!(page.contains(
        "<td class=\"number\">2.50</td><td class=\"number\">20</td><td class=\"number\">40 %</td>"
    ));
    let mut untimed = full("text ");
    untimed.layers.iter_mut().for_each(|layer| layer.seconds = [None; 2]);
    assert!(!untimed.to_html().contains("of the peak"));
    let empty = RunReport::new("nothing").to_html();
    assert!(!empty.contains("<section") && !empty.contains("{{"));
}

/// Each has its part of the sections, below its name, and charts of its own.
#[test]
fn several_outputs_have_parts_of_their_own() {
    let mut report = RunReport::new("flats");
    let full = full("text ");
    report.outputs = full.outputs.clone();
    let page = report.to_html();
    let [classes, number] = [0, 1].map(|index| format!("<h3>{}</h3>", full.outputs[index].name));
    assert_eq!((page.matches(&classes).count(), page.matches(&number).count()), (2, 2));
    for (id, there) in
        [("roc-0", true), ("calibration-0", true), ("predicted-1", true), ("roc-1", false), ("roc", false)]
    {
        assert_eq!(page.contains(&format!("id=\"{id}\"")), there, "{id}");
    }
    // No id twice, also where the report has parts of its own.
    let page = full.to_html();
    let mut ids: Vec<&str> = page.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count);
}

/// A row of mistakes shows the beginning of a long text, and all of it to who asks.
#[test]
fn long_texts_are_cut() {
    let mut report = RunReport::new("letters");
    let long = "wörter & \"mehr\" ".repeat(30);
    let rows = vec![vec!["short".to_owned(), long.clone()], vec!["x".repeat(60), "y".repeat(10_000)]];
    report.mistake_rows = Some(TextTable { columns: vec!["a".into(), "b".into()], rows });
    let page = report.to_html();
    let escaped = long.replace('&', "&amp;").replace('"', "&quot;");
    assert!(page.contains("<td>short</td>") && page.contains(&format!("<td>{}</td>", "x".repeat(60))));
    let cell = page.split("<td title=\"").nth(1).unwrap().split("</td>").next().unwrap();
    let (title, shown) = cell.split_once("\">").unwrap();
    assert_eq!(title, escaped);
    let shown = shown.replace("&amp;", "&").replace("&quot;", "\"");
    assert!(shown.ends_with('…') && shown.chars().count() <= 61, "{shown}");
    assert!(page.contains(&"y".repeat(4_000)) && !page.contains(&"y".repeat(4_001)));
}

#[test]
fn nothing_is_loaded_from_elsewhere() {
    let page = full("text ").to_html();
    for reference in ["http:", "https:", "src=", "@import", "url(http", "<link", "<iframe", "fetch("] {
        // The name of a namespace is no address.
        let found = page.replace("http://www.w3.org/2000/svg", "").contains(reference);
        assert!(!found, "{reference}");
    }
    assert!(page.contains("default-src 'none'"));
}

/// A page that changes while a training runs asks where it came from, and no other address.
#[test]
fn a_live_page_says_how_far_it_is() {
    let progress = RunProgress { share: f64::NAN, text: "<b>epoch 1</b>".into() };
    let page = full("text ").to_live_html(7, &progress);
    for part in [
        "data-version=\"7\"",
        "connect-src 'self';",
        "value=\"0.0000\"",
        "&lt;b&gt;epoch 1",
        "fetch(location.pathname",
    ] {
        assert!(page.contains(part), "{part}");
    }
    let last = full("text ").to_html();
    assert!(!last.contains("data-version") && !last.contains("connect-src") && !last.contains("<progress "));
}

#[test]
fn hostile_names_are_only_text() {
    for hostile in [
        "</script><script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "'><svg/onload=alert(1)>",
        "<!-- </title></style>",
        "{{script}}{{hash}}",
        "\u{202e}\u{0}&lt;b&gt;",
    ] {
        let page = full(hostile).to_html();
        let plain = full("plain").to_html();
        let count = |page: &str, what: &str| page.matches(what).count();
        for markup in [
            "<script",
            "</script",
            "<img",
            "<svg",
            "<!--",
            "</style",
            "</title",
            "<a ",
            "<section",
            " title=\"",
            " aria-label=\"",
        ] {
            assert_eq!(count(&page, markup), count(&plain, markup), "{markup} of {hostile}");
        }
        assert!(!page.contains('\u{202e}') && !page.contains('\u{0}'));
    }
}

#[test]
fn the_report_of_the_program_is_read() {
    let text = r#"{"dataset": "MNIST", "samples": 60000, "epochs": [
        {"seconds": 1.0, "train": {"loss": 0.3, "metrics": {"accuracy": 0.9, "f1": [0.5, 0.6]}}},
        {"seconds": 3.0, "train": {"loss": null, "metrics": {"accuracy": 0.95}}}],
        "scores": {"test": {"samples": 12, "loss": 0.1, "metrics": {"accuracy": 0.97}, "confusion": [[5, 1], [0, 6]]}}, "train_seconds": 4.0, "parameters": 100, "params_sha256": "ab", "seed": 0,
        "threads": 2, "shards": 2, "portable": false, "blas": {"name": "OpenBLAS", "version": "0.3", "kernel": "Zen"}}"#;
    let report = RunReport::read(text).unwrap();
    let curve = |quantity: &str, name: &str| {
        let found = report.curves.iter().find(|curve| curve.quantity == quantity && curve.name == name);
        found.map(|curve| curve.points.clone()).unwrap_or_default()
    };
    assert_eq!(curve("accuracy", "training"), [(1.0, 0.9), (2.0, 0.95)]);
    assert_eq!(curve("loss", "training"), [(1.0, 0.3)]);
    assert_eq!(curve("loss", "test"), [(2.0, 0.1)]);
    assert!(report.settings.contains(&("seconds an epoch".into(), "2".into())));
    assert!(report.to_html().contains("OpenBLAS 0.3 Zen"));
    for wrong in ["", "[]", "{}", "{\"dataset\": 3}", &text[..200]] {
        assert!(RunReport::read(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn the_report_of_a_configured_training_is_read() {
    let text = r#"{"configuration": "loss = \"cross_entropy\"", "changes": [], "predicts": {"names": ["left"], "classes": ["no", "yes"]},
        "epochs": [{"epoch": 0, "train": {"loss": 0.5, "metrics": {}}, "validation": {"loss": 0.6, "metrics": {}}, "seconds": 1.0, "samples": 8}],
        "train_seconds": 1.0, "scores": {"training": {"samples": 8, "loss": 0.4, "metrics": {}, "confusion": null},
        "validation": {"samples": 3, "loss": 0.6, "metrics": {"accuracy": 0.66}, "confusion": [[1, 1], [0, 1]]}}, "parameters": 4}"#;
    let report = RunReport::read(text).unwrap();
    assert_eq!(
        (report.title.as_str(), report.classes.len(), report.confusion.len()),
        ("A model of left", 2, 2)
    );
    assert!(report.figures.contains(&("validation accuracy".into(), "0.66".into())));
    assert_eq!(
        report.curves.iter().map(|curve| curve.name.as_str()).collect::<Vec<_>>(),
        ["training", "validation"]
    );
}
