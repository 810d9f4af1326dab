//! `--watch`: the page of a training, served while it runs.

use std::error::Error;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chainrule::train::{Callback, Event, TrainerView};
use chainrule_cli::page_server::PageServer;
use chainrule_cli::terminal;
use chainrule_report::{RunProgress, RunReport};

use crate::forecast::time;
use crate::recorder::Recorder;
use crate::score_table::short;
use crate::training_page::{curves, norms};

/// How often the page changes.
const EVERY: Duration = Duration::from_millis(300);

/// Changing it takes at most this part of the time, as long as a change takes milliseconds.
const SHARE: u32 = 100;

/// The longest that it waits for that: a change may have taken long since something else had the CPU.
const LONGEST: Duration = Duration::from_secs(2);

/// What is shown from the end of the training to the report.
pub(crate) const TESTING: &str = "trained; it is being tested";

/// A page that shows a training while it runs. If it is dropped before it is finished, the page says that there is no report.
pub(crate) struct Watch {
    server: Arc<PageServer>,
    /// What does not change.
    facts: RunReport,
    latest: Latest,
    is_finished: bool,
}

/// What was shown last.
type Latest = Arc<Mutex<Arc<RunReport>>>;

impl Watch {
    /// Serves the page, with these facts of the training, and says where.
    pub(crate) fn start(address: SocketAddr, facts: RunReport) -> Result<Self, Box<dyn Error>> {
        let server = PageServer::start(address)
            .map_err(|error| format!("--watch cannot serve a page at {address}: {error}"))?;
        let first = Arc::new(facts.clone());
        let latest = Arc::new(Mutex::new(Arc::clone(&first)));
        let progress = RunProgress { share: 0.0, text: "it begins".into() };
        server.show(move |version| first.to_live_html(version, &progress));
        terminal::note(format_args!("watch it at {}", server.url()));
        if address.ip().is_unspecified() {
            terminal::note(format_args!(
                "warning: other machines reach it too, with the name of this one in the address, and what it sends is not encrypted: whoever knows this address sees the training"
            ));
        } else if !address.ip().is_loopback() {
            terminal::note(format_args!(
                "warning: {} is reachable from other machines, and what it sends is not encrypted: whoever knows this address sees the training",
                address.ip()
            ));
        }
        Ok(Self { server: Arc::new(server), facts, latest, is_finished: false })
    }

    /// Shows what happens.
    pub(crate) fn callback(&self, recorder: &Recorder) -> WatchedTraining {
        let now = Instant::now();
        WatchedTraining {
            server: Arc::clone(&self.server),
            facts: self.facts.clone(),
            latest: Arc::clone(&self.latest),
            recorder: recorder.clone(),
            begin: now,
            before: 0,
            epochs: 0,
            batches: 0,
            shown: None,
            showing: Duration::ZERO,
            running: Vec::new(),
        }
    }

    /// Shows what is done after the training.
    pub(crate) fn show(&self, text: impl Into<String>) {
        let (latest, progress) = (self.latest(), RunProgress { share: 1.0, text: text.into() });
        self.server.show(move |version| latest.to_live_html(version, &progress));
    }

    /// Shows the report, which is the last page.
    pub(crate) fn finish(mut self, page: String) {
        self.is_finished = true;
        self.server.finish(page);
    }

    /// Shows why the training ended without a report, above what was shown last.
    pub(crate) fn stopped(mut self, why: impl Into<String>) {
        self.end(why.into());
    }

    fn end(&mut self, why: String) {
        self.is_finished = true;
        let mut last = (*self.latest()).clone();
        last.warnings.insert(0, why);
        self.server.finish(last.to_html());
    }

    fn latest(&self) -> Arc<RunReport> {
        Arc::clone(&self.latest.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if !self.is_finished {
            self.end("The program ended without a report: see what it said.".into());
        }
    }
}

/// A callback that shows a training.
pub(crate) struct WatchedTraining {
    server: Arc<PageServer>,
    /// What does not change.
    facts: RunReport,
    latest: Latest,
    recorder: Recorder,
    begin: Instant,
    /// The number of steps that were taken before.
    before: u64,
    epochs: u64,
    batches: usize,
    /// When the page was changed.
    shown: Option<Instant>,
    /// How long that took.
    showing: Duration,
    /// The loss and the metrics over the epoch so far.
    running: Vec<(String, String)>,
}

impl WatchedTraining {
    fn show(&mut self, training: &TrainerView<'_, f32>, text: String) {
        let begin = Instant::now();
        let mut report = self.facts.clone();
        let recorded = self.recorder.recorded();
        let history = training.history();
        report.curves = curves(&recorded, history, None, false);
        report.rate = recorded.rates;
        [report.weight_norms, report.gradient_norms] = norms(training.weight_sizes());
        report.warnings = training.warnings().iter().map(ToString::to_string).collect();
        report.figures.clone_from(&self.running);
        if let Some(scores) = history.last().and_then(|last| last.validation.as_ref()) {
            report.figures.push(("validation loss".into(), short(scores.loss)));
            let numbers = scores.metrics.iter().filter_map(|(name, value)| Some((name, value.as_number()?)));
            report.figures.extend(numbers.map(|(name, value)| (format!("validation {name}"), short(value))));
        }
        report.figures.push(("time".into(), time(self.begin.elapsed().as_secs_f64())));
        let planned = training.steps_planned().max(1);
        let progress = RunProgress { share: training.steps_done() as f64 / planned as f64, text };
        let report = Arc::new(report);
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&report);
        self.server.show(move |version| report.to_live_html(version, &progress));
        self.showing = begin.elapsed();
        self.shown = Some(Instant::now());
    }

    /// The time that is left, as far as it can be said.
    fn left(&self, training: &TrainerView<'_, f32>) -> String {
        let own = training.steps_done().saturating_sub(self.before);
        let left = training.steps_planned().saturating_sub(training.steps_done());
        match own {
            0 => String::new(),
            own => format!(", {} left", time(self.begin.elapsed().as_secs_f64() / own as f64 * left as f64)),
        }
    }
}

impl Callback<f32> for WatchedTraining {
    fn on(&mut self, event: &Event<'_>, training: &mut TrainerView<'_, f32>) -> ControlFlow<()> {
        match event {
            Event::Start { epochs, batches, .. } => {
                self.epochs = training.epochs_done() + *epochs;
                self.batches = *batches;
                self.begin = Instant::now();
                self.before = training.steps_done();
                self.show(training, "it begins".into());
            }
            Event::Step { epoch, batch, loss, metrics, .. } => {
                let wait = EVERY.max((SHARE * self.showing).min(LONGEST));
                if self.shown.is_some_and(|shown| shown.elapsed() < wait) {
                    return ControlFlow::Continue(());
                }
                self.running = vec![("training loss".into(), short(*loss))];
                let numbers = metrics.values();
                let numbers = numbers.iter().filter_map(|(name, value)| Some((name, value.as_number()?)));
                self.running.extend(numbers.map(|(name, value)| (format!("training {name}"), short(value))));
                let (epoch, epochs, batch, batches) = (epoch + 1, self.epochs, batch + 1, self.batches);
                let left = self.left(training);
                self.show(training, format!("epoch {epoch} of {epochs}, batch {batch} of {batches}{left}"));
            }
            // What comes next, or why nothing does, is said by who knows.
            Event::End { .. } => self.show(training, "the training has ended".into()),
            _ => {}
        }
        ControlFlow::Continue(())
    }
}
