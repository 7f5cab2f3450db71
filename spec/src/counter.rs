//! The performance counters of the machine, by name and index (rules in `docs/machine.md`).

/// Width of a counter in the hardware.
pub const COUNTER_BITS: u32 = 48;

/// Status addresses 40..=44: the index of the counter that counts in this cycle in each group.
pub const STATUS_CODES: u8 = 40;

macro_rules! counters {
    ($($(#[$doc:meta])* $variant:ident = $index:literal, $name:literal;)*) => {
        /// A counter; the discriminant is its status address.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Counter { $($(#[$doc])* $variant = $index,)* }

        impl Counter {
            /// All counters in the order of their status addresses.
            pub const ALL: &'static [Counter] = &[$(Counter::$variant),*];

            /// The name used in reports and in JSON.
            pub const fn name(self) -> &'static str {
                match self { $(Counter::$variant => $name,)* }
            }
        }
    };
}

counters! {
    Cycles = 0, "cycles";
    ExecuteStream = 1, "execute_stream";
    ExecutePreload = 2, "execute_preload";
    ExecuteDrain = 3, "execute_drain";
    ExecuteWaitCommand = 4, "execute_wait_command";
    ExecuteWaitLoad = 5, "execute_wait_load";
    ExecuteWaitStore = 6, "execute_wait_store";
    ExecuteWaitSpace = 7, "execute_wait_space";
    ExecuteSpan = 8, "execute_span";
    LoadRequest = 9, "load_request";
    LoadWaitRequest = 10, "load_wait_request";
    LoadWaitCommand = 11, "load_wait_command";
    LoadWaitExecute = 12, "load_wait_execute";
    LoadWaitStore = 13, "load_wait_store";
    LoadWaitSpace = 14, "load_wait_space";
    LoadIssue = 15, "load_issue";
    UnpackWaitData = 16, "unpack_wait_data";
    UnpackBusy = 17, "unpack_busy";
    UnpackIdle = 18, "unpack_idle";
    StoreRead = 19, "store_read";
    StoreWaitPack = 20, "store_wait_pack";
    StoreWaitRequest = 21, "store_wait_request";
    StoreWaitResponse = 22, "store_wait_response";
    StoreWaitCommand = 23, "store_wait_command";
    StoreWaitLoad = 24, "store_wait_load";
    StoreWaitExecute = 25, "store_wait_execute";
    StoreWaitSpace = 26, "store_wait_space";
    StoreIssue = 27, "store_issue";
    PackWaitWrite = 28, "pack_wait_write";
    PackBusy = 29, "pack_busy";
    PackWaitData = 30, "pack_wait_data";
    PackIdle = 31, "pack_idle";
    ReadBeats = 32, "read_beats";
    WriteBeats = 33, "write_beats";
    ActivationBits = 34, "activation_bits";
    WeightBits = 35, "weight_bits";
    ParameterBits = 36, "parameter_bits";
    OutputBits = 37, "output_bits";
    Commands = 38, "commands";
}

impl Counter {
    /// The number of counters.
    pub const N: usize = Self::ALL.len();

    /// In each of these groups exactly one counter counts in every cycle: execute, load, unpack, store, pack.
    pub const GROUPS: [&'static [Counter]; 5] = {
        use Counter::*;
        [
            &[
                ExecuteStream,
                ExecutePreload,
                ExecuteDrain,
                ExecuteWaitCommand,
                ExecuteWaitLoad,
                ExecuteWaitStore,
                ExecuteWaitSpace,
            ],
            &[LoadRequest, LoadWaitRequest, LoadWaitCommand, LoadWaitExecute, LoadWaitStore, LoadWaitSpace, LoadIssue],
            &[UnpackWaitData, UnpackBusy, UnpackIdle],
            &[
                StoreRead,
                StoreWaitPack,
                StoreWaitRequest,
                StoreWaitResponse,
                StoreWaitCommand,
                StoreWaitLoad,
                StoreWaitExecute,
                StoreWaitSpace,
                StoreIssue,
            ],
            &[PackWaitWrite, PackBusy, PackWaitData, PackIdle],
        ]
    };

    /// The counter at a status address.
    pub fn at(address: u8) -> Option<Self> {
        Self::ALL.get(usize::from(address)).copied()
    }
}

/// The values of all counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counters([u64; Counter::N]);

impl Counters {
    pub const ZERO: Self = Self([0; Counter::N]);

    pub fn get(&self, counter: Counter) -> u64 {
        self.0[counter as usize]
    }

    #[inline]
    pub fn add(&mut self, counter: Counter, amount: u64) {
        self.0[counter as usize] += amount;
    }

    /// Sets the counter at `counter` (for reading them out of the hardware).
    pub fn set(&mut self, counter: Counter, value: u64) {
        self.0[counter as usize] = value;
    }

    /// Pairs of counter and value in the order of the status addresses.
    pub fn iter(&self) -> impl Iterator<Item = (Counter, u64)> + '_ {
        Counter::ALL.iter().map(|&counter| (counter, self.get(counter)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_follow_the_order() {
        for (index, &counter) in Counter::ALL.iter().enumerate() {
            assert_eq!(counter as usize, index);
            assert_eq!(Counter::at(index as u8), Some(counter));
        }
        assert!(Counter::N <= STATUS_CODES as usize);
        assert_eq!(Counter::at(STATUS_CODES - 1), None);
    }
}
