//! The thread that calls MPI.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError};
use std::thread;
use std::time::Duration;

use mpi::Threading;
use mpi::environment::Universe;
use mpi::point_to_point::Source;
use mpi::topology::{Communicator, SimpleCommunicator};
use mpi::traits::Equivalence;

use crate::group::MpiError;
use crate::mailbox::Mailbox;
use crate::sending::Sending;
use crate::spare::Spare;

/// How often the thread looks for messages that are awaited before it lets other threads run between looks.
const SPINS: u32 = 200;

/// How often it looks before it sleeps between looks.
const YIELDS: u32 = 2_000;

/// How long it sleeps between looks while a message is awaited or on its way, unless it is told something.
const NAP: Duration = Duration::from_micros(50);

/// How long it sleeps between looks otherwise: so long that it does not disturb the thread that computes, which may have the same core.
const SLEEP: Duration = Duration::from_micros(200);

/// What the thread is told.
pub(crate) enum Command {
    /// Send a message to a process.
    Send(usize, Vec<u8>),
    /// Look for messages, since one is awaited.
    Look,
    /// End when all was sent.
    Finish,
    /// End the job with this status.
    Abort(i32),
}

/// What the thread has found when it begins.
pub(crate) struct Begun {
    pub(crate) rank: usize,
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) spare: Arc<Spare>,
    pub(crate) processes: usize,
    /// The MPI that this program runs with.
    pub(crate) library: String,
}

/// Calls MPI, from its beginning to its end.
pub(crate) fn run(commands: &Receiver<Command>, begun: &Sender<Result<Begun, MpiError>>) {
    let Some((universe, threading)) = mpi::initialize_with_threading(Threading::Funneled) else {
        let _ = begun.send(Err(MpiError::Twice));
        return;
    };
    if threading < Threading::Funneled {
        let _ = begun.send(Err(MpiError::NoThreads));
        return;
    }
    let world = universe.world();
    let (rank, processes) = (world.rank() as usize, world.size() as usize);
    let mailbox = Arc::new(Mailbox::new(processes));
    let spare = Arc::new(Spare::default());
    let _close = CloseOnDrop(mailbox.clone());
    let library = mpi::environment::library_version().unwrap_or_default();
    let library = library.lines().next().unwrap_or_default().trim().trim_end_matches('\0').to_owned();
    if begun
        .send(Ok(Begun { rank, mailbox: mailbox.clone(), spare: spare.clone(), processes, library }))
        .is_err()
    {
        return;
    }
    Service { world, mailbox, spare, sending: Vec::new() }.serve(commands);
    finish(universe);
}

/// Leaves MPI, which waits for the other processes.
fn finish(universe: Universe) {
    drop(universe);
}

struct CloseOnDrop(Arc<Mailbox>);

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        self.0.close("the thread that calls MPI has ended");
    }
}

struct Service {
    world: SimpleCommunicator,
    mailbox: Arc<Mailbox>,
    spare: Arc<Spare>,
    sending: Vec<Sending>,
}

impl Service {
    /// Sends and receives until it is told to finish.
    fn serve(&mut self, commands: &Receiver<Command>) {
        let mut idle = 0;
        let mut is_over = false;
        loop {
            let mut worked = false;
            let is_awaited = self.mailbox.is_awaited();
            let mut pause = match (is_awaited, self.sending.is_empty()) {
                // After the last command there is none to wait for.
                _ if is_over => {
                    if idle > YIELDS {
                        thread::sleep(NAP);
                    }
                    None
                }
                (true, _) if idle <= YIELDS => None,
                (true, _) | (false, false) if idle > 0 => Some(NAP),
                (false, true) if idle > 0 => Some(SLEEP),
                _ => None,
            };
            loop {
                let next = match pause.take() {
                    Some(pause) => commands.recv_timeout(pause),
                    None => commands.try_recv().map_err(|error| match error {
                        TryRecvError::Empty => RecvTimeoutError::Timeout,
                        TryRecvError::Disconnected => RecvTimeoutError::Disconnected,
                    }),
                };
                match next {
                    Ok(command) => is_over |= self.obey(command),
                    Err(RecvTimeoutError::Timeout) => break,
                    Err(RecvTimeoutError::Disconnected) => {
                        is_over = true;
                        break;
                    }
                }
                worked = true;
            }
            let received = self.receive();
            let before = self.sending.len();
            let spare = &self.spare;
            self.sending.retain_mut(|sending| sending.finish().map(|message| spare.give(message)).is_none());
            worked |= received || self.sending.len() < before;
            if is_over && self.sending.is_empty() {
                return;
            }
            idle = if worked { 0 } else { idle + 1 };
            match idle {
                // Whoever waited for this message may need the core of this thread.
                0 if received && is_awaited => thread::yield_now(),
                0..SPINS => std::hint::spin_loop(),
                _ => thread::yield_now(),
            }
        }
    }

    /// Whether that was the last command.
    fn obey(&mut self, command: Command) -> bool {
        match command {
            Command::Send(to, message) => {
                let to = self.world.process_at_rank(to as i32);
                self.sending.push(Sending::start(&to, message));
                false
            }
            Command::Look => false,
            Command::Finish => true,
            Command::Abort(status) => self.world.abort(status),
        }
    }

    /// Receives one message, if one has arrived.
    fn receive(&mut self) -> bool {
        let Some((arrived, status)) = self.world.any_process().immediate_matched_probe() else {
            return false;
        };
        let len = usize::try_from(status.count(u8::equivalent_datatype())).unwrap_or(0);
        let mut message = self.spare.of_len(len);
        arrived.matched_receive_into(&mut message[..]);
        self.mailbox.put(status.source_rank() as usize, message);
        true
    }
}

/// The longest message that MPI counts.
pub(crate) const LONGEST: usize = i32::MAX as usize;
