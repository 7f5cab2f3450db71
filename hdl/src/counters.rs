//! The performance counters.

use crate::counter::EventCounter;
use crate::prelude::*;
use crate::status::STATUS_ADDRESS_BITS;
use spec::counter::{Counter, COUNTER_BITS};
use spec::Config;

/// All counters, in the order of their status addresses.
///
/// They count while `enable_in` is high. `clear_in` makes their next values 0, whatever else is asked for. `value_out` is the counter at
/// `address_in`, or 0.
///
/// An event bus has one bit a counter, the lowest index in bit 0. The counters of bits add what `activation_bits_in` to
/// `output_bits_in` say.
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
    pub activation_bits_in: WireIn,
    pub weight_bits_in: WireIn,
    pub parameter_bits_in: WireIn,
    pub output_bits_in: WireIn,
    pub command_in: WireIn,
    pub address_in: WireIn,
    pub value_out: WireOut,
    flags: Join,
    restart: WireLocal,
    events: WireLocal,
    activation_bits: WireLocal,
    weight_bits: WireLocal,
    parameter_bits: WireLocal,
    output_bits: WireLocal,
    counters: Vec<EventCounter>,
    read_out: Choose,
    // The indices of the counters of bits, and of the next one.
    _activation: usize,
    _weight: usize,
    _parameter: usize,
    _output: usize,
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
        let counter_bits = COUNTER_BITS as usize; // widening
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
            activation_bits_in: WireIn::new(need_bits),
            weight_bits_in: WireIn::new(need_bits),
            parameter_bits_in: WireIn::new(need_bits),
            output_bits_in: WireIn::new(need_bits),
            command_in: WireIn::new(1),
            address_in: WireIn::new(STATUS_ADDRESS_BITS),
            value_out: WireOut::new(counter_bits),
            flags: Join::new(&widths),
            restart: WireLocal::new(1),
            events: WireLocal::new(Counter::N),
            activation_bits: WireLocal::new(need_bits),
            weight_bits: WireLocal::new(need_bits),
            parameter_bits: WireLocal::new(need_bits),
            output_bits: WireLocal::new(need_bits),
            counters: Counter::ALL.iter().map(|counter| EventCounter::new(increment_bits(counter))).collect(),
            read_out: Choose::new(Counter::N, counter_bits),
            // The discriminants.
            _activation: Counter::ActivationBits as usize,
            _weight: Counter::WeightBits as usize,
            _parameter: Counter::ParameterBits as usize,
            _output: Counter::OutputBits as usize,
            _commands: Counter::Commands as usize,
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
        self.flags.parts_in[9].next = false.into();
        self.flags.parts_in[10].next = false.into();
        self.flags.parts_in[11].next = false.into();
        self.flags.parts_in[12].next = false.into();
        self.flags.parts_in[13].next = self.command_in.val();
        self.events.next = 0.into();
        self.activation_bits.next = 0.into();
        self.weight_bits.next = 0.into();
        self.parameter_bits.next = 0.into();
        self.output_bits.next = 0.into();
        if self.enable_in.val().any() {
            self.events.next = self.flags.bus_out.val();
            self.activation_bits.next = self.activation_bits_in.val();
            self.weight_bits.next = self.weight_bits_in.val();
            self.parameter_bits.next = self.parameter_bits_in.val();
            self.output_bits.next = self.output_bits_in.val();
        }

        self.restart.next = self.reset.val() | self.clear_in.val();
        for i in 0..self._n_counters {
            self.counters[i].clock.next = self.clock.val();
            self.counters[i].reset.next = self.restart.val();
            self.read_out.words_in[i].next = self.counters[i].value_out.val();
        }
        for i in 0..self._activation {
            self.counters[i].increment_in.next = self.events.val().get_bit(i);
        }
        for i in self._activation..self._weight {
            self.counters[i].increment_in.next = self.activation_bits.val();
        }
        for i in self._weight..self._parameter {
            self.counters[i].increment_in.next = self.weight_bits.val();
        }
        for i in self._parameter..self._output {
            self.counters[i].increment_in.next = self.parameter_bits.val();
        }
        for i in self._output..self._commands {
            self.counters[i].increment_in.next = self.output_bits.val();
        }
        for i in self._commands..self._n_counters {
            self.counters[i].increment_in.next = self.events.val().get_bit(i);
        }
        self.read_out.index_in.next = self.address_in.val();
        self.value_out.next = self.read_out.word_out.val();
    }
}

ports!(
    Counters, clock,
    in reset, clear_in, enable_in, execute_events_in, execute_span_in, load_events_in, unpack_events_in, store_events_in,
    pack_events_in, read_beat_in, write_beat_in, activation_bits_in, weight_bits_in, parameter_bits_in, output_bits_in,
    command_in, address_in;
    out value_out
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
        let names: Vec<&str> = dut.block_mut().inputs().iter().map(|(name, _)| *name).collect();
        let first = names.iter().position(|name| *name == "execute_events_in").expect("an input");
        let names = &names[first..names.len() - 1];
        let mut expected = [0_u64; Counter::N];
        let mut n_events = 0;
        for name in names {
            let width =
                dut.block_mut().inputs().iter().find(|(port, _)| port == name).map_or(0, |(_, wire)| wire.width());
            // A bus of events has a counter a bit, a number of bits has one counter.
            let values: Vec<u64> = match name.ends_with("bits_in") {
                true => vec![5],
                false => (0..width).map(|bit| 1 << bit).collect(),
            };
            for value in values {
                dut.set(name, Bits::new(u128::from(value), width))?;
                dut.settle()?;
                dut.edge()?;
                // The ports are declared in the order of the counters.
                n_events += 1;
                expected[0] += 1;
                expected[n_events] += if name.ends_with("bits_in") { value } else { 1 };
                assert_eq!(self::values(&mut dut)?, expected, "{name} = {value}");
            }
            dut.set(name, Bits::zero(width))?;
        }
        assert_eq!(n_events + 1, Counter::N);
        // Not enabled: they stay. Cleared: 0, also while enabled.
        dut.block_mut().enable_in.next = false.into();
        dut.edge()?;
        dut.edge()?;
        assert_eq!(values(&mut dut)?, expected);
        dut.block_mut().enable_in.next = true.into();
        dut.block_mut().clear_in.next = true.into();
        dut.edge()?;
        assert_eq!(values(&mut dut)?, [0; Counter::N]);
        Ok(())
    }

    fn values(dut: &mut Stepper<Counters>) -> Result<[u64; Counter::N], SimulateError> {
        let mut values = [0; Counter::N];
        for (address, value) in values.iter_mut().enumerate() {
            dut.block_mut().address_in.next = address.into();
            dut.settle()?;
            *value = u64::try_from(dut.block().value_out.val().low_u128()).expect("48 bits");
        }
        Ok(values)
    }
}
