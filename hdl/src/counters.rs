//! The performance counters.

use crate::counter::EventCounter;
use crate::prelude::*;
use spec::counter::{Counter, COUNTER_BITS};
use spec::Config;

/// All counters, in the order of their status addresses. They count while `enable_in` is high.
///
/// An event bus has one bit a counter, the lowest index in bit 0. The counters of bits add `read_need_in` in the cycles of
/// `activation_word_in`, `weight_word_in` and `parameter_word_in`, and `write_need_in` in those of `output_word_in`.
#[derive(LogicBlock)]
pub struct Counters {
    pub clock: ClockIn,
    pub reset: WireIn,
    pub clear_in: WireIn,
    pub enable_in: WireIn,
    pub execute_events_in: WireIn,
    pub execute_span_in: WireIn,
    pub load_events_in: WireIn,
    pub unpack_events_in: WireIn,
    pub store_events_in: WireIn,
    pub pack_events_in: WireIn,
    pub read_beat_in: WireIn,
    pub write_beat_in: WireIn,
    pub activation_word_in: WireIn,
    pub weight_word_in: WireIn,
    pub parameter_word_in: WireIn,
    pub read_need_in: WireIn,
    pub output_word_in: WireIn,
    pub write_need_in: WireIn,
    pub command_in: WireIn,
    pub values_out: Vec<WireOut>,
    flags: Join,
    events: WireLocal,
    counters: Vec<EventCounter>,
    // Where the counters of bits begin and end.
    _read_bits: usize,
    _write_bits: usize,
    _commands: usize,
    _n_counters: usize,
}

/// The parts of the flags: the first counter of each and how many there are, in the order of the indices.
fn parts() -> [(Counter, usize); 14] {
    let [execute, load, unpack, store, pack] = Counter::GROUPS;
    [
        (Counter::Cycles, 1),
        (execute[0], execute.len()),
        (Counter::ExecuteSpan, 1),
        (load[0], load.len()),
        (unpack[0], unpack.len()),
        (store[0], store.len()),
        (pack[0], pack.len()),
        (Counter::ReadBeats, 1),
        (Counter::WriteBeats, 1),
        (Counter::ActivationBits, 1),
        (Counter::WeightBits, 1),
        (Counter::ParameterBits, 1),
        (Counter::OutputBits, 1),
        (Counter::Commands, 1),
    ]
}

impl Counters {
    pub fn new(config: &Config) -> Counters {
        let need_bits = bits_for(config.geometry().bus_bits());
        let [execute, load, unpack, store, pack] = Counter::GROUPS.map(|group| WireIn::new(group.len()));
        let widths: Vec<usize> = parts().iter().map(|(_, width)| *width).collect();
        let increment_bits = |counter: &Counter| match counter {
            Counter::ActivationBits | Counter::WeightBits | Counter::ParameterBits | Counter::OutputBits => need_bits,
            _ => 1,
        };
        Counters {
            clock: ClockIn::default(),
            reset: WireIn::new(1),
            clear_in: WireIn::new(1),
            enable_in: WireIn::new(1),
            execute_events_in: execute,
            execute_span_in: WireIn::new(1),
            load_events_in: load,
            unpack_events_in: unpack,
            store_events_in: store,
            pack_events_in: pack,
            read_beat_in: WireIn::new(1),
            write_beat_in: WireIn::new(1),
            activation_word_in: WireIn::new(1),
            weight_word_in: WireIn::new(1),
            parameter_word_in: WireIn::new(1),
            read_need_in: WireIn::new(need_bits),
            output_word_in: WireIn::new(1),
            write_need_in: WireIn::new(need_bits),
            command_in: WireIn::new(1),
            values_out: WireOut::vec(Counter::N, COUNTER_BITS as usize), // widening
            flags: Join::new(&widths),
            events: WireLocal::new(Counter::N),
            counters: Counter::ALL.iter().map(|counter| EventCounter::new(increment_bits(counter))).collect(),
            _read_bits: Counter::ActivationBits as usize, // the discriminant
            _write_bits: Counter::OutputBits as usize,    // the discriminant
            _commands: Counter::Commands as usize,        // the discriminant
            _n_counters: Counter::N,
        }
    }
}

impl Logic for Counters {
    module!("counters", "The performance counters in the order of their status addresses.");

    #[hdl_gen]
    fn update(&mut self) {
        self.flags.parts_in[0].next = true.into();
        self.flags.parts_in[1].next = self.execute_events_in.val();
        self.flags.parts_in[2].next = self.execute_span_in.val();
        self.flags.parts_in[3].next = self.load_events_in.val();
        self.flags.parts_in[4].next = self.unpack_events_in.val();
        self.flags.parts_in[5].next = self.store_events_in.val();
        self.flags.parts_in[6].next = self.pack_events_in.val();
        self.flags.parts_in[7].next = self.read_beat_in.val();
        self.flags.parts_in[8].next = self.write_beat_in.val();
        self.flags.parts_in[9].next = self.activation_word_in.val();
        self.flags.parts_in[10].next = self.weight_word_in.val();
        self.flags.parts_in[11].next = self.parameter_word_in.val();
        self.flags.parts_in[12].next = self.output_word_in.val();
        self.flags.parts_in[13].next = self.command_in.val();
        self.events.next = self.flags.bus_out.val();
        for i in 0..self._n_counters {
            self.counters[i].clock.next = self.clock.val();
            self.counters[i].reset.next = self.reset.val();
            self.counters[i].clear_in.next = self.clear_in.val();
            self.counters[i].enable_in.next = self.enable_in.val() & self.events.val().get_bit(i);
            self.values_out[i].next = self.counters[i].value_out.val();
        }
        for i in 0..self._read_bits {
            self.counters[i].increment_in.next = true.into();
        }
        for i in self._read_bits..self._write_bits {
            self.counters[i].increment_in.next = self.read_need_in.val();
        }
        for i in self._write_bits..self._commands {
            self.counters[i].increment_in.next = self.write_need_in.val();
        }
        for i in self._commands..self._n_counters {
            self.counters[i].increment_in.next = true.into();
        }
    }
}

ports!(
    Counters, clock,
    in reset, clear_in, enable_in, execute_events_in, execute_span_in, load_events_in, unpack_events_in, store_events_in,
    pack_events_in, read_beat_in, write_beat_in, activation_word_in, weight_word_in, parameter_word_in, read_need_in,
    output_word_in, write_need_in, command_in;
    out
);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::{Ports, SimulateError, Stepper};

    #[test]
    fn the_parts_are_in_the_order_of_the_indices() {
        let mut next = 0;
        for (first, width) in parts() {
            assert_eq!(first as usize, next);
            next += width;
        }
        assert_eq!(next, Counter::N);
        for group in Counter::GROUPS {
            for pair in group.windows(2) {
                assert_eq!(pair[0] as usize + 1, pair[1] as usize, "a group is a range of indices");
            }
        }
    }

    /// Every event in turn reaches its own counter, by its own increment.
    #[test]
    fn every_event_counts_in_its_counter() -> Result<(), SimulateError> {
        let config = Config::named("tiny").expect("a named configuration");
        let mut dut = Stepper::new(Counters::new(&config))?;
        dut.block_mut().enable_in.next = true.into();
        dut.block_mut().read_need_in.next = 5.into();
        dut.block_mut().write_need_in.next = 7.into();
        let names: Vec<&str> = dut.block_mut().inputs().iter().map(|(name, _)| *name).collect();
        let first = names.iter().position(|name| *name == "execute_events_in").expect("an input");
        let names = &names[first..];
        let mut expected = [0_u64; Counter::N];
        let mut n_events = 0;
        for name in names.iter().filter(|name| !name.contains("need")) {
            let width = dut.block_mut().inputs().iter().find(|(port, _)| port == name).map_or(0, |(_, wire)| wire.width());
            for bit in 0..width {
                dut.set(name, Bits::new(1 << bit, width))?;
                dut.settle()?;
                let before = values(&dut);
                dut.edge()?;
                let after = values(&dut);
                expected[0] += 1;
                let counted: Vec<usize> = (1..Counter::N).filter(|&i| before[i] != after[i]).collect();
                assert_eq!(counted.len(), 1, "{name} bit {bit}");
                // The ports are declared in the order of the counters.
                n_events += 1;
                assert_eq!(counted[0], n_events, "{name} bit {bit}");
                expected[counted[0]] += match Counter::ALL[counted[0]] {
                    Counter::ActivationBits | Counter::WeightBits | Counter::ParameterBits => 5,
                    Counter::OutputBits => 7,
                    _ => 1,
                };
                assert_eq!(after, expected);
            }
            dut.set(name, Bits::zero(width))?;
        }
        assert_eq!(n_events + 1, Counter::N);
        // Not enabled: they stay. Cleared: 0, also while enabled.
        dut.block_mut().enable_in.next = false.into();
        dut.edge()?;
        dut.edge()?;
        assert_eq!(values(&dut), expected);
        dut.block_mut().enable_in.next = true.into();
        dut.block_mut().clear_in.next = true.into();
        dut.edge()?;
        assert_eq!(values(&dut), [0; Counter::N]);
        Ok(())
    }

    fn values(dut: &Stepper<Counters>) -> [u64; Counter::N] {
        std::array::from_fn(|i| dut.block().values_out[i].val().low_u128() as u64) // 48 bits
    }
}
