//! A group of threads in one process, that exchange messages through memory.

use std::fmt;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::{Group, GroupError};

/// For how long a member waits for a message of another one, unless it was told otherwise.
const PATIENCE: Duration = Duration::from_secs(60);

/// The kind of a message, and its bytes.
type Message = (u8, Vec<u8>);

/// A member of a group of threads, each with a trainer of its own: what a training on several machines does, for tests without any.
///
/// ```
/// use std::thread;
/// use chainrule_core::Sequential;
/// use chainrule_data::digits;
/// use chainrule_layers::{Dense, Flatten};
/// use chainrule_losses::CrossEntropy;
/// use chainrule_optim::adam;
/// use chainrule_tensor::Seed;
/// use chainrule_train::{Model, ThreadGroup, TrainError, Trainer};
///
/// let data = digits(100, Seed(1));
/// let trained = |member: ThreadGroup| -> Result<String, TrainError> {
///     let layers = Sequential::new().then(Flatten).then(Dense::new(10));
///     let model = Model::new([28, 28], layers, Seed(0)).expect("the shapes fit");
///     let mut trainer = Trainer::new(model, CrossEntropy, adam(1e-3)).shards(4).threads(1).group(member);
///     trainer.fit(&data, 1)?;
///     Ok(trainer.model().parameters_sha256())
/// };
/// let of = |size| -> Result<Vec<String>, TrainError> {
///     thread::scope(|scope| {
///         let threads: Vec<_> =
///             ThreadGroup::of(size).into_iter().map(|member| scope.spawn(|| trained(member))).collect();
///         threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
///     })
/// };
/// let [one, three] = [of(1)?, of(3)?];
/// assert!(three.iter().all(|hash| *hash == one[0]));
/// # Ok::<(), TrainError>(())
/// ```
pub struct ThreadGroup {
    rank: usize,
    /// To each member.
    senders: Vec<Sender<Message>>,
    /// From each member.
    receivers: Vec<Mutex<Receiver<Message>>>,
    patience: Duration,
}

impl ThreadGroup {
    /// The members of a group of this size, in the order of their ranks.
    pub fn of(size: usize) -> Vec<Self> {
        let member = |rank| Self { rank, senders: Vec::new(), receivers: Vec::new(), patience: PATIENCE };
        let mut members: Vec<Self> = (0..size).map(member).collect();
        for from in 0..size {
            for to in 0..size {
                let (sender, receiver) = channel();
                members[from].senders.push(sender);
                members[to].receivers.push(Mutex::new(receiver));
            }
        }
        members
    }

    /// Waits this long for a message of another member, and not a minute.
    #[must_use]
    pub fn patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }
}

impl Group for ThreadGroup {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.senders.len()
    }

    fn send(&self, to: usize, kind: u8, message: &[u8]) -> Result<(), GroupError> {
        self.send_away(to, kind, message.to_vec()).map(|_| ())
    }

    fn send_away(&self, to: usize, kind: u8, message: Vec<u8>) -> Result<Vec<u8>, GroupError> {
        self.senders[to].send((kind, message)).map_err(|_| GroupError::Gone { rank: to })?;
        Ok(Vec::new())
    }

    fn receive(&self, from: usize, message: &mut Vec<u8>) -> Result<u8, GroupError> {
        let receiver = self.receivers[from].lock().unwrap_or_else(PoisonError::into_inner);
        let (kind, received) = receiver.recv_timeout(self.patience).map_err(|error| match error {
            RecvTimeoutError::Disconnected => GroupError::Gone { rank: from },
            RecvTimeoutError::Timeout => GroupError::Silent { rank: from, seconds: self.patience.as_secs() },
        })?;
        *message = received;
        Ok(kind)
    }
}

impl fmt::Debug for ThreadGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rank, senders, patience, .. } = self;
        f.debug_struct("ThreadGroup")
            .field("rank", rank)
            .field("size", &senders.len())
            .field("patience", patience)
            .finish()
    }
}
