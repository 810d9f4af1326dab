//! How long a step would take on several machines: a model of what processes tell each other, which `docs/distributed.md` describes.
//!
//! The times of the passes and of the update are measured here, on one thread; the messages and their bytes are those that the trainer
//! states, which a test of it compares with those that are sent. The network is three numbers.

use std::error::Error;
use std::time::Duration;

use chainrule::train::Traffic;
use clap::Args;

use super::breakdown::{self, Repeats};
use super::measure::Effort;
use super::samples::{SampleSets, Source};
use super::workloads::{Choices, Workload};

/// The numbers of machines that are predicted.
const MACHINES: [usize; 8] = [2, 4, 8, 16, 32, 64, 128, 256];

/// The network between the machines.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Network {
    /// With --machines, the microseconds that a message takes from one machine to another.
    #[arg(long, default_value_t = 30.0, requires = "machines", value_parser = positive)]
    latency: f64,
    /// With --machines, the Gbit/s of the network.
    #[arg(long, default_value_t = 10.0, requires = "machines", value_parser = positive)]
    bandwidth: f64,
    /// With --machines, the microseconds of work that a message is for the machine that sends it.
    #[arg(long, default_value_t = 2.0, requires = "machines", value_parser = positive)]
    overhead: f64,
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(number) if f64::is_finite(number) && number > 0.0 => Ok(number),
        _ => Err("must be a number above 0".into()),
    }
}

/// A step on one machine, and what of it is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StepCost {
    /// The rows of a batch.
    batch: usize,
    /// The microseconds of the passes of one row, and of the update.
    row: f64,
    update: f64,
    /// The bytes of all sums, and the messages in which they travel.
    bytes: f64,
    messages: f64,
}

impl StepCost {
    /// The cost of a workload that takes this long, one `update` of it, and has this traffic between two machines.
    fn new(batch: usize, step: f64, update: f64, first_of_two: Traffic) -> Self {
        let row = (step - update).max(0.0) / batch as f64;
        // Of two processes the first sends its sums, and besides says twice what its callbacks want, and the losses of its rows.
        let messages = (first_of_two.messages as f64 - 3.0).max(1.0);
        Self { batch, row, update, bytes: first_of_two.bytes as f64, messages }
    }

    /// The microseconds of a step with a batch of so many rows on so many machines.
    fn step(&self, batch: f64, machines: usize, network: Network) -> f64 {
        let n = machines as f64;
        self.row * (batch / n).ceil() + self.exchange(machines, network) + self.update
    }

    /// The microseconds of the messages of a step.
    fn exchange(&self, machines: usize, Network { latency, bandwidth, overhead }: Network) -> f64 {
        let hops = machines as f64 - 1.0;
        if machines < 2 {
            return 0.0;
        }
        // Bytes a microsecond.
        let bandwidth = 1e3 * bandwidth / 8.0;
        let hop = latency + overhead + self.bytes / self.messages / bandwidth;
        let all = self.bytes / bandwidth + self.messages * overhead;
        // The sums go to the last and from it to all others, one message behind the other. Of two machines each sends them once, and both at
        // the same time; of more, most send them twice.
        let turns = if machines == 2 { 1.0 } else { 2.0 };
        // What all tell all: the losses, and twice what callbacks want.
        let told = 3.0 * (latency + hops * overhead);
        2.0 * hops * hop + turns * all + told
    }

    /// How many times as fast as one machine so many are, with this batch.
    fn speedup(&self, machines: usize, network: Network) -> f64 {
        let batch = self.batch as f64;
        self.step(batch, 1, network) / self.step(batch, machines, network)
    }

    /// The numbers of machines, from two on, of which each is faster than half as many.
    fn pays(&self, network: Network) -> usize {
        let faster =
            |machines: &usize| self.speedup(*machines, network) > self.speedup(machines / 2, network);
        // A machine without a row has nothing to do.
        let counts = MACHINES.into_iter().take_while(|&machines| machines <= self.batch);
        counts.take_while(faster).last().unwrap_or(1)
    }

    /// The rows of a batch from which so many machines are at least half as many times as fast; none if a row takes no time that can be
    /// measured.
    fn batch_that_pays(&self, machines: usize, network: Network) -> Option<f64> {
        // n/2 (b r / n + C + U) = b r + U
        let n = machines as f64;
        let rest = n * (self.exchange(machines, network) + self.update) - 2.0 * self.update;
        let rows = (rest / self.row).max(n).ceil();
        (self.row > 0.0 && rows.is_finite()).then_some(rows)
    }
}

/// Measures the workloads, and predicts their steps as tables in Markdown.
pub(crate) fn run(
    workloads: &[Workload],
    network: Network,
    Effort { rounds, seconds }: Effort,
) -> Result<String, Box<dyn Error>> {
    let data = SampleSets::of_all(workloads, &Source::default())?;
    let mut costs = Vec::new();
    for workload in workloads {
        // Two shards, so that two processes could share them; the sums have the same bytes for any number.
        let choices = Choices { shards: Some(2), ..Choices::default() };
        let mut trainer = workload.trainer(1, choices)?.distributable(true);
        let samples = data.of(workload).window(0..data.of(workload).count());
        let mut steps = Vec::new();
        for _ in 0..rounds {
            steps.push(1e6 * trainer.measure_step(&samples, Duration::from_secs_f64(seconds))?.as_secs_f64());
        }
        steps.sort_by(f64::total_cmp);
        let step = steps[rounds / 2];
        let repeats = (1e6 * seconds / step).ceil() as usize;
        let parts =
            breakdown::measure(workload, data.of(workload), Repeats { shards: 2, rounds, steps: repeats })?;
        let update = parts.optimizer().min(step);
        let traffic = trainer.traffic(2);
        let first = traffic.first().copied().unwrap_or_default();
        costs.push((workload, StepCost::new(workload.batch, step, update, first)));
    }
    Ok(markdown(&costs, network))
}

/// The speedups, and the batches that would pay.
fn markdown(costs: &[(&Workload, StepCost)], network: Network) -> String {
    let Network { latency, bandwidth, overhead } = network;
    let mut text = format!(
        "{bandwidth} Gbit/s, {latency} µs a message, {overhead} µs of work for it; one thread a machine. How many times as fast as one machine:\n\n\
         | workload | step, µs | update, µs | sums, kB |"
    );
    let heads = || MACHINES.iter().map(|machines| format!(" {machines} |")).collect::<String>();
    text += &format!("{} pays up to |\n|---|---|---|---|{}---|\n", heads(), "---|".repeat(MACHINES.len()));
    for (workload, cost) in costs {
        let StepCost { batch, row, update, bytes, .. } = *cost;
        let step = row * batch as f64 + update;
        text += &format!("| `{}` | {step:.0} | {update:.0} | {:.0} |", workload.name, bytes / 1e3);
        for machines in MACHINES {
            text += &match machines <= batch {
                true => format!(" {:.2} |", cost.speedup(machines, network)),
                false => " |".to_owned(),
            };
        }
        let pays = cost.pays(network);
        text += &format!(" {pays} machine{} |\n", if pays == 1 { "" } else { "s" });
    }
    text += "\nFrom which batch on n machines are n / 2 times as fast as one, in rows:\n\n| workload | its batch |";
    text += &format!("{}\n|---|---|{}\n", heads(), "---|".repeat(MACHINES.len()));
    for (workload, cost) in costs {
        text += &format!("| `{}` | {} |", workload.name, cost.batch);
        for machines in MACHINES {
            text += &match cost.batch_that_pays(machines, network) {
                Some(rows) => format!(" {rows:.0} |"),
                None => " |".to_owned(),
            };
        }
        text += "\n";
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const NETWORK: Network = Network { latency: 30.0, bandwidth: 8.0, overhead: 2.0 };

    /// 1 ms of passes and 0.1 ms of update for 100 rows; 1 MB in four messages.
    const COST: StepCost = StepCost { batch: 100, row: 10.0, update: 100.0, bytes: 1e6, messages: 4.0 };

    #[test]
    fn a_step_is_its_passes_its_messages_and_its_update() {
        assert_eq!(COST.step(100.0, 1, NETWORK), 1100.0);
        // 1000 bytes a microsecond: 250 for each message, 282 a hop. Twice one hop, 1000 + 8 for all, 3 (30 + 2).
        assert_eq!(COST.exchange(2, NETWORK), 2.0 * 282.0 + 1008.0 + 96.0);
        assert_eq!(COST.exchange(4, NETWORK), 6.0 * 282.0 + 2.0 * 1008.0 + 3.0 * 36.0);
        assert_eq!(COST.step(101.0, 2, NETWORK), 510.0 + 100.0 + COST.exchange(2, NETWORK));
        assert_eq!(COST.pays(NETWORK), 1);
    }

    #[test]
    fn where_it_pays_is_where_it_is_half_as_many_times_as_fast() {
        for machines in MACHINES {
            let batch = COST.batch_that_pays(machines, NETWORK).unwrap();
            let speedup = |batch: f64| COST.step(batch, 1, NETWORK) / COST.step(batch, machines, NETWORK);
            let n = machines as f64;
            assert!(speedup(n * (batch / n).ceil()) >= n / 2.0, "{machines}");
            assert!(speedup(batch / 2.0) < n / 2.0, "{machines}");
        }
        assert_eq!(StepCost { row: 0.0, ..COST }.batch_that_pays(2, NETWORK), None);
        let large = StepCost { batch: 100_000, ..COST };
        assert!(large.pays(NETWORK) > 8 && large.speedup(16, NETWORK) > 8.0);
    }

    #[test]
    fn the_cost_of_a_workload_has_the_bytes_of_its_parameters() {
        let workload = Workload::dense("wide", &[784, 512, 512, 10], 128);
        let choices = Choices { shards: Some(2), ..Choices::default() };
        let trainer = workload.trainer(1, choices).unwrap();
        let [first, _] = trainer.traffic(2)[..] else { panic!("two processes") };
        let StepCost { bytes, messages, row, .. } = StepCost::new(128, 1380.0, 100.0, first);
        let parameters = 4.0 * trainer.model().parameters().len() as f64;
        assert!((1.0..1.01).contains(&(bytes / parameters)), "{bytes} {parameters}");
        assert!(messages >= (parameters / 262_144.0).floor() && row == 10.0, "{messages} {row}");
        assert!(
            markdown(&[(&workload, StepCost::new(128, 1380.0, 100.0, first))], NETWORK)
                .contains("`wide` | 1380 |")
        );
    }
}
