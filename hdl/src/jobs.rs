//! The jobs of load or store.

use crate::prelude::*;
use crate::widths::{COMMAND_BITS, JOB_QUEUE_DEPTH};
use crate::Queue;

/// Queues commands as jobs for whoever moves their data.
///
/// 1. `write_valid_in` high at an edge, only while `space_out` is high: the command `command_in` becomes a job.
/// 2. `job_valid_out`: `job_out` is the oldest job, a command of which only the kept bits are there, the others are 0.
///    It leaves at an edge where `job_ready_in` is high.
#[derive(LogicBlock)]
pub struct Jobs {
    pub clock: ClockIn,
    pub reset: WireIn,
    pub write_valid_in: WireIn,
    pub command_in: WireIn,
    pub space_out: WireOut,
    pub job_valid_out: WireOut,
    pub job_ready_in: WireIn,
    pub job_out: WireOut,
    kept: Gather,
    jobs: Queue,
    job: Scatter,
}

impl Jobs {
    /// Jobs keep the `ranges` (first bit, width) of a command.
    pub fn new(ranges: Vec<(usize, usize)>) -> Jobs {
        let kept = Gather::new(COMMAND_BITS, ranges.clone());
        Jobs {
            clock: ClockIn::default(),
            reset: WireIn::new(1),
            write_valid_in: WireIn::new(1),
            command_in: WireIn::new(COMMAND_BITS),
            space_out: WireOut::new(1),
            job_valid_out: WireOut::new(1),
            job_ready_in: WireIn::new(1),
            job_out: WireOut::new(COMMAND_BITS),
            jobs: Queue::new(kept.bits_out.width(), JOB_QUEUE_DEPTH),
            kept,
            job: Scatter::new(COMMAND_BITS, ranges),
        }
    }
}

impl Logic for Jobs {
    module!("jobs", "Queues commands as jobs for whoever moves their data.");

    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, jobs);
        self.jobs.reset.next = self.reset.val();
        self.kept.bus_in.next = self.command_in.val();
        self.jobs.write_valid_in.next = self.write_valid_in.val();
        self.jobs.write_data_in.next = self.kept.bits_out.val();
        self.jobs.read_ready_in.next = self.job_ready_in.val();
        self.job.bits_in.next = self.jobs.read_data_out.val();
        self.space_out.next = self.jobs.write_ready_out.val();
        self.job_valid_out.next = self.jobs.read_valid_out.val();
        self.job_out.next = self.job.bus_out.val();
    }
}

ports!(
    Jobs, clock,
    in reset, write_valid_in, command_in, job_ready_in;
    out space_out, job_valid_out, job_out
);
