//! Working on the tasks of a results file.

use crate::store::{Claim, Ended, Progress, Store, StoreError, Task, HEARTBEAT_SECONDS};
use std::any::Any;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use thiserror::Error;

/// Why a task did not end.
#[derive(Debug)]
pub enum Halt<E> {
    /// Its `halt` was set.
    Interrupted,
    /// Nothing like it can be done: a tool is missing, a file cannot be read.
    Error(E),
}

/// What does a task. It should look at the flag it is given: once it is set, all should stop.
pub type Doing<'a, E> = dyn Fn(&Task, &AtomicBool) -> Result<Ended, Halt<E>> + Sync + 'a;

/// Why the work stopped.
#[derive(Debug, Error)]
pub enum RunError<E: std::error::Error + 'static> {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Work(E),
}

/// How the work stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// No task of this run is left.
    Finished,
    Interrupted,
}

/// How often the work is looked after.
const ROUND: Duration = Duration::from_millis(100);
/// How often it is looked whether the last tasks, of other processes, have ended.
const WAIT: Duration = Duration::from_millis(20);

/// What the threads share.
struct Shared<'a, E: std::error::Error + 'static> {
    store: Mutex<&'a mut Store>,
    halt: AtomicBool,
    error: Mutex<Option<RunError<E>>>,
}

/// Does the tasks of a run with that many threads, with other processes if they are at the same file, until all have ended or
/// `interrupted` is set. `watch` is told how far the tasks are.
///
/// A task that panics has failed. After an error the other tasks are stopped; what ended before is kept.
pub fn run<E: std::error::Error + Send + 'static>(
    store: &mut Store,
    jobs: usize,
    command: &str,
    interrupted: &AtomicBool,
    work: &Doing<'_, E>,
    watch: &mut dyn FnMut(&Progress),
) -> Result<Stopped, RunError<E>> {
    store.take_over()?;
    if !store.is_open()? {
        return Ok(Stopped::Finished);
    }
    store.join(command)?;
    let shared = Shared { store: Mutex::new(store), halt: AtomicBool::new(false), error: Mutex::new(None) };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs.max(1)).map(|_| scope.spawn(|| shared.guarded(|| shared.work(work)))).collect();
        shared.guarded(|| shared.look_after(interrupted, watch, || workers.iter().all(|worker| worker.is_finished())));
    });
    let halted = shared.halt.load(Ordering::SeqCst);
    let error = shared.error.into_inner().unwrap_or_else(PoisonError::into_inner);
    let store = shared.store.into_inner().unwrap_or_else(PoisonError::into_inner);
    // The error that stopped the work is the one to tell; without this note the next run finds that the process is gone.
    let left = store.leave();
    match error {
        Some(error) => Err(error),
        None => {
            left?;
            Ok(if halted { Stopped::Interrupted } else { Stopped::Finished })
        }
    }
}

impl<'a, E: std::error::Error + Send + 'static> Shared<'a, E> {
    fn store(&self) -> MutexGuard<'_, &'a mut Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stops everything if `part` fails.
    fn guarded(&self, part: impl FnOnce() -> Result<(), RunError<E>>) {
        if let Err(error) = part() {
            self.error.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
            self.halt.store(true, Ordering::SeqCst);
        }
    }

    fn work(&self, work: &Doing<'_, E>) -> Result<(), RunError<E>> {
        while !self.halt.load(Ordering::SeqCst) {
            let claim = self.store().claim()?;
            match claim {
                Some(claim) => self.task(&claim, work)?,
                None if !self.store().is_open()? => break,
                None => {
                    self.store().take_over()?;
                    thread::sleep(WAIT);
                }
            }
        }
        Ok(())
    }

    fn task(&self, claim: &Claim, work: &Doing<'_, E>) -> Result<(), RunError<E>> {
        let start = Instant::now();
        let ended = catch_unwind(AssertUnwindSafe(|| work(&claim.task, &self.halt)))
            .unwrap_or_else(|panic| Ok(Ended::Failed(format!("internal error: {}", message(&*panic)), None)));
        let seconds = start.elapsed().as_secs_f64();
        match ended {
            Ok(ended) => {
                self.store().finish(claim, &ended, seconds)?;
                Ok(())
            }
            Err(halt) => {
                let released = self.store().release(claim);
                match halt {
                    Halt::Error(error) => Err(RunError::Work(error)),
                    Halt::Interrupted => Ok(released?),
                }
            }
        }
    }

    /// Passes an interrupt on, says that this process is there, and shows how far it is, until the work has ended.
    fn look_after(
        &self,
        interrupted: &AtomicBool,
        watch: &mut dyn FnMut(&Progress),
        ended: impl Fn() -> bool,
    ) -> Result<(), RunError<E>> {
        let (mut heartbeat, mut look) = (Instant::now(), Instant::now());
        while !ended() {
            if interrupted.load(Ordering::SeqCst) {
                self.halt.store(true, Ordering::SeqCst);
            }
            if heartbeat.elapsed().as_secs_f64() > HEARTBEAT_SECONDS {
                self.store().heartbeat()?;
                heartbeat = Instant::now();
            }
            if Instant::now() >= look {
                let start = Instant::now();
                watch(&self.store().progress()?);
                // Of many tasks the count takes time that the work has better use for.
                look = Instant::now() + start.elapsed() * 20;
            }
            thread::sleep(ROUND);
        }
        watch(&self.store().progress()?);
        Ok(())
    }
}

fn message(panic: &(dyn Any + Send)) -> &str {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (None, Some(text)) => text,
        (None, None) => "a panic without a message",
    }
}
