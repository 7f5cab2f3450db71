//! The fields of an execute command.

use crate::prelude::*;
use crate::widths::{COMMAND_BITS, COUNT_BITS};

/// Takes an execute command apart. Wiring only. The first neighbour of execute is load, the second is store.
#[derive(LogicBlock)]
pub struct ExecuteFields {
    pub command_in: WireIn,
    pub pop_load_out: WireOut,
    pub pop_store_out: WireOut,
    pub push_load_out: WireOut,
    pub push_store_out: WireOut,
    pub half_out: WireOut,
    pub overwrite_out: WireOut,
    pub push_late_out: WireOut,
    pub rows_out: WireOut,
    pub activation_row_out: WireOut,
    pub weight_row_out: WireOut,
    pub accumulator_row_out: WireOut,
    pub k_out: WireOut,
}

impl ExecuteFields {
    #[allow(clippy::new_without_default)] // a block is built, not defaulted
    pub fn new() -> ExecuteFields {
        ExecuteFields {
            command_in: WireIn::new(COMMAND_BITS),
            pop_load_out: WireOut::new(1),
            pop_store_out: WireOut::new(1),
            push_load_out: WireOut::new(1),
            push_store_out: WireOut::new(1),
            half_out: WireOut::new(1),
            overwrite_out: WireOut::new(1),
            push_late_out: WireOut::new(1),
            rows_out: WireOut::new(COUNT_BITS),
            activation_row_out: WireOut::new(COUNT_BITS),
            weight_row_out: WireOut::new(COUNT_BITS),
            accumulator_row_out: WireOut::new(COUNT_BITS),
            k_out: WireOut::new(COUNT_BITS),
        }
    }
}

impl Logic for ExecuteFields {
    module!("execute_fields", "The fields of an execute command.");

    #[hdl_gen]
    fn update(&mut self) {
        self.pop_load_out.next = self.command_in.val().get_bit(4);
        self.pop_store_out.next = self.command_in.val().get_bit(5);
        self.push_load_out.next = self.command_in.val().get_bit(6);
        self.push_store_out.next = self.command_in.val().get_bit(7);
        self.half_out.next = self.command_in.val().get_bit(8);
        self.overwrite_out.next = self.command_in.val().get_bit(9);
        self.push_late_out.next = self.command_in.val().get_bit(10);
        self.rows_out.next = self.command_in.val() >> 16;
        self.activation_row_out.next = self.command_in.val() >> 32;
        self.weight_row_out.next = self.command_in.val() >> 48;
        self.accumulator_row_out.next = self.command_in.val() >> 64;
        self.k_out.next = self.command_in.val() >> 80;
    }
}

ports!(
    ExecuteFields,
    in command_in;
    out pop_load_out, pop_store_out, push_load_out, push_store_out, half_out, overwrite_out, push_late_out, rows_out,
    activation_row_out, weight_row_out, accumulator_row_out, k_out
);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::{SimulateError, Stepper};
    use spec::{Command, Execute, Tokens};

    #[test]
    fn every_field_is_where_the_encoder_puts_it() -> Result<(), SimulateError> {
        let mut dut = Stepper::new(ExecuteFields::new())?;
        // Every single bit of every field in turn, and all together.
        let n_bits = 7 + 5 * COUNT_BITS;
        let patterns = (0..n_bits).map(|bit| 1 << bit).chain([u128::MAX]);
        for pattern in patterns {
            let flag = |bit: usize| pattern >> bit & 1 == 1;
            let count = |field: usize| (pattern >> (7 + field * COUNT_BITS) & u128::from(u16::MAX)) as u16; // masked
            let command = Execute {
                tokens: Tokens { pop_first: flag(0), pop_second: flag(1), push_first: flag(2), push_second: flag(3) },
                half: flag(4),
                overwrite: flag(5),
                push_late: flag(6),
                maximum: false,
                accumulator_step: 1,
                rows: count(0),
                activation_row: count(1),
                weight_row: count(2),
                accumulator_row: count(3),
                k: count(4),
                walk: spec::Walk::linear(1),
            };
            let words = Command::Execute(command).encode();
            let words = words.chunks(2).map(|pair| u64::from(pair[1]) << 32 | u64::from(pair[0])).collect();
            dut.block_mut().command_in.next = Bits::from_words(words, COMMAND_BITS);
            dut.settle()?;
            let block = dut.block();
            let flags = [
                (&block.pop_load_out, 0),
                (&block.pop_store_out, 1),
                (&block.push_load_out, 2),
                (&block.push_store_out, 3),
                (&block.half_out, 4),
                (&block.overwrite_out, 5),
                (&block.push_late_out, 6),
            ];
            for (port, bit) in flags {
                assert_eq!(port.val().any(), flag(bit), "flag {bit} of {command:?}");
            }
            let counts = [
                &block.rows_out,
                &block.activation_row_out,
                &block.weight_row_out,
                &block.accumulator_row_out,
                &block.k_out,
            ];
            for (field, port) in counts.into_iter().enumerate() {
                assert_eq!(port.val().index(), usize::from(count(field)), "count {field} of {command:?}");
            }
        }
        Ok(())
    }
}
