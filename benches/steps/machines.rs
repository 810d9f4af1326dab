//! How long a step would take on several machines: a model of what processes tell each other, which `docs/distributed.md` describes.
//!
//! The times of the passes and of the update are measured here, on one thread; the messages and their bytes are those that the trainer
//! states, which a test of it compares with those that are sent. The network is three numbers.

use std::error::Error;
use std::time::Duration;

use clap::Args;

use super::breakdown::{self, Repeats};
use super::measure::Effort;
use super::samples::{SampleSets, Source};
use super::workloads::{Choices, Workload};

/// The numbers of machines that are predicted.
const MACHINES: [usize; 8] = [2, 4, 8, 16, 32, 64, 128, 256];

/// How often a batch is doubled, from one row a machine, to find one that pays.
const MOST_DOUBLINGS: u32 = 24;

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

/// What machines that share a step send.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Sent {
    /// Of the machine that sends most: its messages, without those in which all tell all, and its bytes.
    messages: f64,
    bytes: f64,
    /// How many messages follow each other from the first sum to the last parameter.
    hops: f64,
    /// Which share of the update each takes.
    update: f64,
}

impl Sent {
    /// By so many machines with batches of so many rows of a workload.
    fn of(workload: &Workload, rows: usize, machines: usize) -> Option<Self> {
        let choices = Choices { shards: Some(machines), ..Choices::default() };
        let trainer = workload.trainer(1, choices).ok()?.batch_size(rows);
        let most = trainer.traffic(machines).into_iter().max_by_key(|sent| sent.bytes)?;
        let n = machines as f64;
        let whole = trainer.optimizer_bytes(1);
        let is_divided = trainer.optimizer_bytes(machines).iter().any(|bytes| bytes < &whole[0]);
        // The sums go to the last and from it to all others. Where each has a part of the parameters, operands go to all, sums to the last and
        // from it to whoever has the part, and parameters to all.
        let [hops, update] = if is_divided { [n + 2.0, 1.0 / n] } else { [2.0 * (n - 1.0), 1.0] };
        let messages = (most.messages as f64 - 2.0 * (n - 1.0)).max(1.0);
        Some(Self { messages, bytes: most.bytes as f64, hops, update })
    }
}

/// A step on one machine, and what several would send.
pub(crate) struct StepCost<'a> {
    /// The rows of a batch.
    batch: usize,
    /// The microseconds of the passes of one row, and of the update.
    row: f64,
    update: f64,
    /// What so many machines send for a batch of so many rows.
    sent: Box<dyn Fn(usize, usize) -> Option<Sent> + 'a>,
}

impl<'a> StepCost<'a> {
    /// The cost of a workload that takes this long, one `update` of it.
    fn new(workload: &'a Workload, step: f64, update: f64) -> Self {
        let batch = workload.batch;
        let row = (step - update).max(0.0) / batch as f64;
        Self { batch, row, update, sent: Box::new(|rows, machines| Sent::of(workload, rows, machines)) }
    }

    /// The microseconds of a step with a batch of so many rows on so many machines.
    fn step(&self, rows: usize, machines: usize, network: Network) -> f64 {
        if machines < 2 {
            return self.row * rows as f64 + self.update;
        }
        let sent = (self.sent)(rows, machines).unwrap_or_default();
        let passes = self.row * rows.div_ceil(machines) as f64;
        passes + Self::exchange(sent, machines, network) + sent.update * self.update
    }

    /// The microseconds of the messages of a step.
    fn exchange(sent: Sent, machines: usize, Network { latency, bandwidth, overhead }: Network) -> f64 {
        let Sent { messages, bytes, hops, .. } = sent;
        // Bytes a microsecond.
        let bandwidth = 1e3 * bandwidth / 8.0;
        let hop = latency + overhead + bytes / messages / bandwidth;
        // One message behind the other.
        let all = bytes / bandwidth + messages * overhead;
        // What all tell all: the losses, and what callbacks want.
        let told = 2.0 * (latency + (machines as f64 - 1.0) * overhead);
        hops * hop + all + told
    }

    /// How many times as fast as one machine so many are, with this batch.
    fn speedup(&self, machines: usize, network: Network) -> f64 {
        self.step(self.batch, 1, network) / self.step(self.batch, machines, network)
    }

    /// The numbers of machines, from two on, of which each is faster than half as many.
    fn pays(&self, network: Network) -> usize {
        let faster =
            |machines: &usize| self.speedup(*machines, network) > self.speedup(machines / 2, network);
        // A machine without a row has nothing to do.
        let counts = MACHINES.into_iter().take_while(|&machines| machines <= self.batch);
        counts.take_while(faster).last().unwrap_or(1)
    }

    /// The rows of a batch from which so many machines are at least half as many times as fast; none if no batch is large enough.
    fn batch_that_pays(&self, machines: usize, network: Network) -> Option<usize> {
        let n = machines as f64;
        let is_enough = |rows| self.step(rows, 1, network) >= n / 2.0 * self.step(rows, machines, network);
        let enough =
            (0..MOST_DOUBLINGS).map(|doublings| machines << doublings).find(|&rows| is_enough(rows))?;
        // What is sent grows with the batch in steps, so this is one of the places from which it is enough.
        let (mut few, mut enough) = ((enough / 2).max(machines), enough);
        while few + 1 < enough {
            let rows = few.midpoint(enough);
            if is_enough(rows) {
                enough = rows;
            } else {
                few = rows;
            }
        }
        Some(enough)
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
        // Two shards, as two processes would share them.
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
        costs.push((workload, StepCost::new(workload, step, update)));
    }
    Ok(markdown(&costs, network))
}

/// The speedups, and the batches that would pay.
fn markdown(costs: &[(&Workload, StepCost<'_>)], network: Network) -> String {
    let Network { latency, bandwidth, overhead } = network;
    let mut text = format!(
        "{bandwidth} Gbit/s, {latency} µs a message, {overhead} µs of work for it; one thread a machine. How many times as fast as one machine:\n\n\
         | workload | step, µs | update, µs | sent by one of two, kB |"
    );
    let heads = || MACHINES.iter().map(|machines| format!(" {machines} |")).collect::<String>();
    text += &format!("{} pays up to |\n|---|---|---|---|{}---|\n", heads(), "---|".repeat(MACHINES.len()));
    for (workload, cost) in costs {
        let &StepCost { batch, row, update, ref sent } = cost;
        let step = row * batch as f64 + update;
        let bytes = sent(batch, 2).unwrap_or_default().bytes;
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
                Some(rows) => format!(" {rows} |"),
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

    /// 1 ms of passes and 0.1 ms of update for 100 rows; 1 MB in four messages by each of two machines, twice as much by others.
    fn cost(batch: usize, row: f64) -> StepCost<'static> {
        let sent = |_, machines: usize| {
            let times = if machines == 2 { 1.0 } else { 2.0 };
            let hops = 2.0 * (machines as f64 - 1.0);
            Some(Sent { messages: 4.0 * times, bytes: 1e6 * times, hops, update: 1.0 })
        };
        StepCost { batch, row, update: 100.0, sent: Box::new(sent) }
    }

    #[test]
    fn a_step_is_its_passes_its_messages_and_its_update() {
        let cost = cost(100, 10.0);
        assert_eq!(cost.step(100, 1, NETWORK), 1100.0);
        // 1000 bytes a microsecond: 250 for each message, 282 a hop. Twice one hop, 1000 + 8 for all, 2 (30 + 2).
        let exchange = |machines| {
            let sent = (cost.sent)(100, machines).unwrap();
            StepCost::exchange(sent, machines, NETWORK)
        };
        assert_eq!(exchange(2), 2.0 * 282.0 + 1008.0 + 64.0);
        assert_eq!(exchange(4), 6.0 * 282.0 + 2.0 * 1008.0 + 2.0 * 36.0);
        assert_eq!(cost.step(101, 2, NETWORK), 510.0 + 100.0 + exchange(2));
        assert_eq!(cost.pays(NETWORK), 1);
    }

    #[test]
    fn where_it_pays_is_where_it_is_half_as_many_times_as_fast() {
        let small = cost(100, 10.0);
        for machines in MACHINES {
            let batch = small.batch_that_pays(machines, NETWORK).unwrap();
            let speedup = |rows| small.step(rows, 1, NETWORK) / small.step(rows, machines, NETWORK);
            let half = machines as f64 / 2.0;
            assert!(speedup(batch) >= half && speedup(batch / 2) < half, "{machines}");
        }
        assert_eq!(cost(100, 0.0).batch_that_pays(2, NETWORK), None);
        let large = cost(100_000, 10.0);
        assert!(large.pays(NETWORK) > 8 && large.speedup(16, NETWORK) > 8.0);
    }

    #[test]
    fn the_cost_of_a_workload_is_what_its_trainer_states() {
        let workload = Workload::dense("wide", &[784, 512, 512, 10], 128);
        let parameters =
            4.0 * workload.trainer(1, Choices::default()).unwrap().model().parameters().len() as f64;
        let sent = |rows, machines| Sent::of(&workload, rows, machines).unwrap();
        // Of few rows operands are sent, and of many, sums; in both cases each updates its part.
        let Sent { bytes, hops, update, .. } = sent(128, 2);
        assert!(bytes < 0.9 * parameters && hops == 4.0 && update == 0.5, "{bytes} {parameters}");
        let Sent { bytes, messages, .. } = sent(2048, 2);
        assert!((1.4..1.6).contains(&(bytes / parameters)), "{bytes} {parameters}");
        assert!(messages >= (1.4 * parameters / 262_144.0).floor(), "{messages}");
        // A small network keeps its state everywhere.
        let small = Workload::dense("small", &[784, 64, 64, 10], 128);
        let Sent { hops, update, .. } = Sent::of(&small, 128, 4).unwrap();
        assert_eq!((hops, update), (6.0, 1.0));
        let cost = StepCost::new(&workload, 1380.0, 100.0);
        assert_eq!(cost.row, 10.0);
        assert!(markdown(&[(&workload, cost)], NETWORK).contains("`wide` | 1380 |"));
    }
}
