//! The last part of store: packs groups into rows of bits, and rows into beats.

use crate::bits::BitQueue;
use crate::pins::{Beat, WriteBeat};
use crate::queue::Queue;
use spec::{Config, Counter, Counters, Store};

/// Depth of the queue of commands that are still to be packed.
pub const JOB_DEPTH: usize = 4;

/// The job queue, the bits that requantizer and packer share, and where the packer is within its row.
#[derive(Clone, Debug)]
pub struct Packer {
    pub jobs: Queue<Store>,
    /// Bits of groups that are read and not yet written.
    pub bits: BitQueue,
    /// Groups in the queue between requantizer and packer.
    pub fifo: u32,
    bus: u32,
    group_bits: u32,
    job: Option<Store>,
    rows_left: u32,
    bits_left: u32,
    group_left: u32,
    offset: u32,
    fill: u32,
    first: bool,
    flush: bool,
}

/// What the packer does in a cycle with something to pack.
#[derive(Clone, Copy, Debug)]
struct Pack {
    need: u32,
    total: u32,
    row_end: bool,
    valid: bool,
}

impl Packer {
    pub fn new(config: &Config) -> Self {
        let geometry = config.geometry();
        Self {
            jobs: Queue::new(JOB_DEPTH),
            bits: BitQueue::default(),
            fifo: 0,
            bus: geometry.bus_bits() as u32,
            group_bits: geometry.requantizer_lanes() as u32 * config.numerics().output().bits(),
            job: None,
            rows_left: 0,
            bits_left: 0,
            group_left: 0,
            offset: 0,
            fill: 0,
            first: false,
            flush: false,
        }
    }

    pub fn is_idle(&self) -> bool {
        self.jobs.is_empty() && self.job.is_none() && self.fifo == 0
    }

    /// Cycles that are sure to pass before a command's last group is packed or the next one is taken from the job
    /// queue.
    #[inline]
    pub fn steady_cycles(&self) -> u64 {
        match self.job {
            Some(job) => {
                // At most a word a cycle.
                let words = |bits: u32| u64::from(bits.div_ceil(self.bus));
                let left = u64::from(self.rows_left - 1) * words(job.row_bits) + words(self.bits_left);
                left.saturating_sub(1)
            }
            None if self.jobs.is_empty() => u64::MAX,
            None => 0,
        }
    }

    /// What a word would do, if the FIFO has a group and no flush is due.
    #[inline]
    fn pack(&self) -> Pack {
        let need = self.bus.min(self.group_left);
        let total = self.fill + need;
        let row_end = need == self.bits_left;
        Pack { need, total, row_end, valid: total >= self.bus || row_end }
    }

    /// The beat offered in this cycle.
    #[inline]
    pub fn write_data(&self) -> Option<WriteBeat> {
        self.job?;
        let to = if self.flush {
            self.fill
        } else if self.fifo > 0 {
            let pack = self.pack();
            if !pack.valid {
                return None;
            }
            pack.total.min(self.bus)
        } else {
            return None;
        };
        let from = if self.first { self.offset } else { 0 };
        Some(self.beat(from, to))
    }

    /// The oldest unwritten bits, placed at bits `from..to` of a beat, with the strobes of the bytes they touch.
    fn beat(&self, from: u32, to: u32) -> WriteBeat {
        let mut data = Beat::default();
        let (mut at, mut taken) = (from as usize, 0);
        while at < to as usize {
            let n_bits = (64 - at % 64).min(to as usize - at);
            data[at / 64] |= self.bits.peek(taken, n_bits) << (at % 64);
            at += n_bits;
            taken += n_bits;
        }
        let bytes = |n: u32| if n >= 32 { u32::MAX } else { (1 << n) - 1 };
        WriteBeat { data, strobe: bytes(to.div_ceil(8)) & !bytes(from / 8) }
    }

    /// One cycle; returns what it was at and whether it took a group from the FIFO.
    #[inline]
    pub fn step(&mut self, ready: bool, counters: &mut Counters) -> (Counter, bool) {
        if self.job.is_none() {
            if let Some(&job) = self.jobs.front() {
                self.jobs.pop();
                self.job = Some(job);
                self.rows_left = job.rows.into();
                self.begin_row(8 * (job.address % (self.bus / 8)));
            }
            return (Counter::PackIdle, false);
        }
        if self.flush {
            if !ready {
                return (Counter::PackWaitWrite, false);
            }
            self.drop_written(self.fill);
            self.next_row();
            return (Counter::PackBusy, false);
        }
        if self.fifo == 0 {
            return (Counter::PackWaitData, false);
        }
        let pack = self.pack();
        if pack.valid && !ready {
            return (Counter::PackWaitWrite, false);
        }
        counters.add(Counter::OutputBits, pack.need.into());
        if pack.valid {
            self.drop_written(pack.total.min(self.bus));
            self.first = false;
        }
        self.bits_left -= pack.need;
        self.fill = if pack.total >= self.bus { pack.total - self.bus } else { pack.total };
        let group_taken = pack.need == self.group_left;
        self.group_left = if group_taken { self.group_bits.min(self.bits_left) } else { self.group_left - pack.need };
        if pack.row_end {
            if pack.total > self.bus {
                self.flush = true;
            } else {
                self.next_row();
            }
        }
        (Counter::PackBusy, group_taken)
    }

    /// A beat with bits up to `to` was taken: its bits leave the queue.
    fn drop_written(&mut self, to: u32) {
        let from = if self.first { self.offset } else { 0 };
        self.bits.skip((to - from) as usize);
    }

    fn begin_row(&mut self, offset: u32) {
        let Some(job) = self.job else { return };
        self.offset = offset;
        self.fill = offset;
        self.first = true;
        self.flush = false;
        self.bits_left = job.row_bits;
        self.group_left = self.group_bits.min(job.row_bits);
    }

    fn next_row(&mut self) {
        let Some(job) = self.job else { return };
        self.rows_left -= 1;
        if self.rows_left == 0 {
            self.job = None;
        } else {
            let stride_offset = 8 * (job.stride % (self.bus / 8));
            self.begin_row((self.offset + stride_offset) % self.bus);
        }
    }
}
