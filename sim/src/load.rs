//! The load engine: issues read requests, unpacks the beats into buffer rows.

use crate::bits::BitQueue;
use crate::buffers::{Buffers, RowAddr, Window};
use crate::pins::{Beat, Burst};
use crate::queue::Queue;
use spec::{Config, Counter, Counters, Load, LoadTarget};

/// Depth of the queue of commands whose requests are issued and whose data is still to be unpacked.
pub const JOB_DEPTH: usize = 4;

/// Address, stride and size of the requests of one command.
#[derive(Clone, Copy, Debug)]
pub struct Requester {
    pub address: u32,
    pub stride: u32,
    pub start_bit: u32,
    pub bits: u32,
    pub left: u32,
}

impl Requester {
    pub const IDLE: Self = Self { address: 0, stride: 0, start_bit: 0, bits: 0, left: 0 };

    pub fn is_active(&self) -> bool {
        self.left > 0
    }

    /// The request on the channel: aligned down to the bus, long enough for the last bit.
    #[inline]
    pub fn burst(&self, bus_bytes: u32) -> Burst {
        let offset = 8 * (self.address % bus_bytes) + self.start_bit;
        Burst {
            address: self.address - self.address % bus_bytes,
            beats: ((offset + self.bits - 1) / (8 * bus_bytes) + 1) & 0xffff,
        }
    }

    /// The request was taken.
    #[inline]
    pub fn advance(&mut self) {
        self.address = self.address.wrapping_add(self.stride);
        self.left -= 1;
    }
}

/// What the unpacker does in a cycle.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Action {
    /// Takes a beat of which nothing is needed yet to complete a word.
    Skip,
    /// Takes a beat and emits a word.
    Beat,
    /// Emits a word from bits that are already here.
    Held,
}

/// A completed buffer row, one cycle before it is written.
#[derive(Clone, Copy, Debug)]
struct RowWrite {
    addr: RowAddr,
    last: bool,
    push_first: bool,
    push_second: bool,
}

/// The tokens that load pushes in a cycle.
#[derive(Clone, Copy, Debug, Default)]
pub struct LoadPushes {
    pub execute: bool,
    pub store: bool,
}

/// The counter of the bits that are loaded for a target.
fn payload(target: LoadTarget) -> Counter {
    match target {
        LoadTarget::Activations => Counter::ActivationBits,
        LoadTarget::Weights => Counter::WeightBits,
        LoadTarget::Parameters | LoadTarget::Table => Counter::ParameterBits,
    }
}

/// The unpacker's state and the job queue.
#[derive(Clone, Debug)]
pub struct LoadEngine {
    pub requester: Requester,
    pub jobs: Queue<Load>,
    bus: u32,
    bus_bytes: u32,
    lanes: usize,
    active: bool,
    job: Option<Load>,
    requests_left: u32,
    rows_left: u32,
    need_left: u32,
    offset: u32,
    position: u32,
    drop_bits: u32,
    buffer_row: usize,
    bank: usize,
    first_row: bool,
    bits: BitQueue,
    write: Option<RowWrite>,
    row: Vec<u64>,
}

impl LoadEngine {
    pub fn new(config: &Config) -> Self {
        let geometry = config.geometry();
        Self {
            requester: Requester::IDLE,
            jobs: Queue::new(JOB_DEPTH),
            bus: geometry.bus_bits() as u32,
            bus_bytes: geometry.bus_bytes() as u32,
            lanes: geometry.requantizer_lanes(),
            active: false,
            job: None,
            requests_left: 0,
            rows_left: 0,
            need_left: 0,
            offset: 0,
            position: 0,
            drop_bits: 0,
            buffer_row: 0,
            bank: 0,
            first_row: false,
            bits: BitQueue::default(),
            write: None,
            row: Vec::new(),
        }
    }

    pub fn is_idle(&self) -> bool {
        !self.requester.is_active() && self.jobs.is_empty() && !self.active && self.write.is_none()
    }

    pub fn read_request(&self) -> Option<Burst> {
        self.requester.is_active().then(|| self.requester.burst(self.bus_bytes))
    }

    /// Whether a beat is wanted in this cycle.
    #[inline]
    pub fn read_data_ready(&self) -> bool {
        self.active && self.action().1 != Action::Held
    }

    /// Starts the requests of a command and queues its unpacking.
    pub fn issue(&mut self, load: Load) {
        self.requester = Requester {
            address: load.address,
            stride: load.stride,
            start_bit: load.start_bit.into(),
            bits: load.request_bits(),
            left: load.requests.into(),
        };
        self.jobs.push(load);
    }

    /// Bits wanted next, and how.
    #[inline]
    fn action(&self) -> (u32, Action) {
        let need = self.need_left.min(self.bus);
        let end = self.position + need;
        let action = if end > 2 * self.bus {
            Action::Skip
        } else if end > self.bus {
            Action::Beat
        } else {
            Action::Held
        };
        (need, action)
    }

    pub fn is_unpacking(&self) -> bool {
        self.active
    }

    /// Cycles that are sure to pass before a command's last row is complete or the next command is taken from the job
    /// queue.
    #[inline]
    pub fn steady_cycles(&self) -> u64 {
        match self.job {
            Some(job) if self.active => {
                // At most a word a cycle.
                let row_words = u64::from(u32::from(job.row_bits).div_ceil(self.bus));
                let rows =
                    u64::from(self.requests_left - 1) * u64::from(job.rows_per_request) + u64::from(self.rows_left);
                (rows - 1) * row_words + u64::from(self.need_left.div_ceil(self.bus)) - 1
            }
            _ if self.jobs.is_empty() && self.write.is_none() => u64::MAX,
            _ => 0,
        }
    }

    /// One cycle of the unpacker.
    #[inline]
    pub fn step(
        &mut self,
        beat: Option<&Beat>,
        buffers: &mut Buffers,
        counters: &mut Counters,
    ) -> (Counter, LoadPushes) {
        let mut pushes = LoadPushes::default();
        if let Some(write) = self.write.take() {
            buffers.write(write.addr, &self.row);
            pushes = LoadPushes { execute: write.last && write.push_first, store: write.last && write.push_second };
        }
        if !self.active {
            if let Some(&job) = self.jobs.front() {
                self.start(job);
            }
            return (Counter::UnpackIdle, pushes);
        }
        let (need, action) = self.action();
        if action != Action::Held {
            let Some(beat) = beat else { return (Counter::UnpackWaitData, pushes) };
            self.take(beat);
        }
        match action {
            Action::Skip => self.position -= self.bus,
            Action::Beat => self.position = self.position + need - self.bus,
            Action::Held => self.position += need,
        }
        if action != Action::Skip {
            self.emit(need, counters);
        }
        (Counter::UnpackBusy, pushes)
    }

    /// Beats of the next row, if it begins with the first bit of one and ends with the last bit of one.
    #[inline]
    pub fn whole_beats(&self) -> Option<u32> {
        let row_bits = u32::from(self.job.filter(|_| self.active)?.row_bits);
        let is_whole = self.position == self.bus && self.need_left == row_bits && row_bits % self.bus == 0;
        is_whole.then_some(row_bits / self.bus)
    }

    /// As many cycles as the row has beats, all of which are there: what [`LoadEngine::step`] does with them one by
    /// one. The row is not the last of its command.
    pub fn unpack_row(&mut self, beats: &[u8], buffers: &mut Buffers, counters: &mut Counters) {
        let Some(job) = self.job else { return };
        if let Some(write) = self.write.take() {
            buffers.write(write.addr, &self.row);
        }
        counters.add(payload(job.target), job.row_bits.into());
        self.row.clear();
        let (eights, rest) = beats.as_chunks::<8>();
        self.row.extend(eights.iter().map(|&eight| u64::from_le_bytes(eight)));
        // A bus of 32 bits.
        if let Ok(four) = rest.try_into() {
            self.row.push(u32::from_le_bytes(four).into());
        }
        self.complete_row(&job);
    }

    fn start(&mut self, job: Load) {
        self.jobs.pop();
        self.active = true;
        self.job = Some(job);
        self.requests_left = job.requests.into();
        self.rows_left = job.rows_per_request.into();
        self.need_left = job.row_bits.into();
        self.offset = (8 * (job.address % self.bus_bytes) + u32::from(job.start_bit)) % self.bus;
        self.buffer_row = job.buffer_row.into();
        self.bank = 0;
        self.first_row = true;
        self.begin_request();
    }

    fn begin_request(&mut self) {
        self.position = self.bus + self.offset;
        self.drop_bits = self.offset;
        self.bits.clear();
    }

    fn take(&mut self, beat: &Beat) {
        let mut left = self.bus;
        for &word in beat {
            let n_bits = left.min(64);
            self.bits.push(word, n_bits as usize);
            left -= n_bits;
        }
        let dropped = self.drop_bits.min(self.bits.len() as u32);
        self.bits.skip(dropped as usize);
        self.drop_bits -= dropped;
    }

    #[inline]
    fn emit(&mut self, need: u32, counters: &mut Counters) {
        let Some(job) = self.job else { return };
        counters.add(payload(job.target), need.into());
        self.need_left -= need;
        if self.need_left > 0 {
            return;
        }
        self.row.clear();
        let mut left = usize::from(job.row_bits);
        while left > 0 {
            let n_bits = left.min(64);
            self.row.push(self.bits.pull(n_bits));
            left -= n_bits;
        }
        self.complete_row(&job);
    }

    /// The row register holds a whole row.
    #[inline]
    fn complete_row(&mut self, job: &Load) {
        self.need_left = job.row_bits.into();
        let window = (job.lane_group > 0).then(|| Window { lanes: 1 << (job.lane_group - 1), first: self.first_row });
        let addr = RowAddr { target: job.target, row: self.buffer_row, bank: self.bank, window };
        self.first_row = false;
        if job.target == LoadTarget::Parameters && self.bank + 1 < self.lanes {
            self.bank += 1;
        } else {
            self.bank = 0;
            self.buffer_row += 1;
        }
        self.rows_left -= 1;
        let mut last = false;
        if self.rows_left == 0 {
            self.rows_left = job.rows_per_request.into();
            self.requests_left -= 1;
            last = self.requests_left == 0;
            self.active = !last;
            self.offset = (self.offset + 8 * (job.stride % self.bus_bytes)) % self.bus;
            self.begin_request();
        }
        let tokens = job.tokens;
        self.write = Some(RowWrite { addr, last, push_first: tokens.push_first, push_second: tokens.push_second });
    }
}
