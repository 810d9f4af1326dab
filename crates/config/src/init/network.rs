//! Networks that suit data.

use super::text::SuggestedLoss;

/// How many steps a training takes at least where it is short, and about at most.
const STEPS: f64 = 8_000.0;

/// The number of samples in a batch: so many that an epoch has some dozen steps.
pub(super) fn batch_size(samples: usize) -> usize {
    match samples {
        0..200 => 8,
        200..1_000 => 16,
        1_000..20_000 => 32,
        20_000..200_000 => 64,
        _ => 128,
    }
}

/// The number of epochs: of few samples more, since each is short.
pub(super) fn epochs(samples: usize, batch_size: usize, at_least: u64) -> u64 {
    let steps_per_epoch = (samples as f64 / batch_size as f64).max(1.0);
    ((STEPS / steps_per_epoch).round() as u64).clamp(at_least, 200)
}

/// After how many epochs without an improvement the training ends.
pub(super) fn patience(epochs: u64) -> u64 {
    (epochs / 5).max(3)
}

/// Two hidden layers, which are wider where there are more samples to learn from, and one with the outputs.
pub(super) fn dense(samples: usize, outputs: usize) -> Vec<String> {
    hidden(samples).into_iter().chain([format!("dense({outputs})")]).collect()
}

/// Two hidden layers.
pub(super) fn hidden(samples: usize) -> Vec<String> {
    let units = match samples {
        0..500 => 16,
        500..5_000 => 32,
        5_000..50_000 => 64,
        _ => 128,
    };
    let hidden = || [format!("dense({units})"), "relu".to_owned()];
    hidden().into_iter().chain(hidden()).collect()
}

/// Convolutions, each followed by a pooling that halves height and width, and two dense layers.
pub(super) fn convolutional([height, width]: [usize; 2], outputs: usize) -> Vec<String> {
    let mut layers = Vec::new();
    let mut side = height.min(width);
    let mut channels = 16;
    while side >= 8 && channels <= 64 {
        layers.push(format!("conv2d({channels}, 3, padding=same)"));
        layers.push("relu".to_owned());
        layers.push("max_pool2d(2)".to_owned());
        side /= 2;
        channels *= 2;
    }
    layers.push("flatten".to_owned());
    layers.push("dense(64)".to_owned());
    layers.push("relu".to_owned());
    layers.push("dropout(0.25)".to_owned());
    layers.push(format!("dense({outputs})"));
    layers
}

/// The number of outputs for so many classes: a yes or no has one.
pub(super) fn outputs(classes: usize) -> usize {
    if classes == 2 { 1 } else { classes }
}

/// The loss for so many classes, why, and the metrics.
pub(super) fn class_loss(classes: usize) -> SuggestedLoss {
    if classes == 2 {
        SuggestedLoss {
            loss: "binary_cross_entropy",
            because: "a yes or no: one output, the sigmoid is part of the loss".to_owned(),
            metrics: vec!["accuracy", "auroc"],
        }
    } else {
        SuggestedLoss {
            loss: "cross_entropy",
            because: format!("one of {classes} classes: an output for each, the softmax is part of the loss"),
            metrics: vec!["accuracy", "f1"],
        }
    }
}

/// The loss for a number, why, and the metrics.
pub(super) fn number_loss() -> SuggestedLoss {
    SuggestedLoss {
        loss: "mean_squared_error",
        because: "a number; less sensitive to outliers: \"huber\"".to_owned(),
        metrics: vec!["r2", "mean_absolute_error"],
    }
}
