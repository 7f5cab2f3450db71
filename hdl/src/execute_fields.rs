//! The fields of an execute command.

use crate::prelude::*;
use crate::widths::{ACCUMULATOR_STEP_BITS, COMMAND_BITS, COUNT_BITS};

/// Takes an execute command apart, but for its walk: see [`WalkFields`](crate::walk_fields::WalkFields). Wiring only.
/// The first neighbour of execute is load, the second is store.
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
    pub maximum_out: WireOut,
    pub accumulator_step_out: WireOut,
    pub rows_out: WireOut,
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
            maximum_out: WireOut::new(1),
            accumulator_step_out: WireOut::new(ACCUMULATOR_STEP_BITS),
            rows_out: WireOut::new(COUNT_BITS),
            weight_row_out: WireOut::new(COUNT_BITS),
            accumulator_row_out: WireOut::new(COUNT_BITS),
            k_out: WireOut::new(COUNT_BITS),
        }
    }
}

impl Logic for ExecuteFields {
    module!("execute_fields", "The fields of an execute command, but for its walk.");

    #[hdl_gen]
    fn update(&mut self) {
        self.pop_load_out.next = self.command_in.val().get_bit(4);
        self.pop_store_out.next = self.command_in.val().get_bit(5);
        self.push_load_out.next = self.command_in.val().get_bit(6);
        self.push_store_out.next = self.command_in.val().get_bit(7);
        self.half_out.next = self.command_in.val().get_bit(8);
        self.overwrite_out.next = self.command_in.val().get_bit(9);
        self.push_late_out.next = self.command_in.val().get_bit(10);
        self.maximum_out.next = self.command_in.val().get_bit(11);
        self.accumulator_step_out.next = self.command_in.val() >> 12;
        self.rows_out.next = self.command_in.val() >> 16;
        self.weight_row_out.next = self.command_in.val() >> 48;
        self.accumulator_row_out.next = self.command_in.val() >> 64;
        self.k_out.next = self.command_in.val() >> 80;
    }
}

ports!(
    ExecuteFields,
    in command_in;
    out pop_load_out, pop_store_out, push_load_out, push_store_out, half_out, overwrite_out, push_late_out, maximum_out,
    accumulator_step_out, rows_out, weight_row_out, accumulator_row_out, k_out
);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::{SimulateError, Stepper};
    use crate::walk_fields::WalkFields;
    use spec::{Command, Execute, Tokens, Walk};

    /// A command whose fields hold random bits.
    fn command(mut word: impl FnMut() -> u64) -> Execute {
        let mut flag = || word() & 1 == 1;
        let tokens = Tokens { pop_first: flag(), pop_second: flag(), push_first: flag(), push_second: flag() };
        let (half, overwrite, push_late, maximum) = (flag(), flag(), flag(), flag());
        let mut count = || word() as u16; // its low bits
        Execute {
            tokens,
            half,
            overwrite,
            push_late,
            maximum,
            accumulator_step: (count() & 15) as u8, // masked
            rows: count(),
            activation_row: count(),
            weight_row: count(),
            accumulator_row: count(),
            k: count(),
            walk: Walk {
                inner_count: count(),
                inner_stride: count(),
                outer_stride: count(),
                pad: count(),
                x_start: i32::from(count()) - 40_000,
                x_step: count() & 0xfff,
                x_limit: u32::from(count()) << 3,
                y_start: count().cast_signed(),
                y_step: count() & 0xfff,
                y_limit: count(),
            },
        }
    }

    #[test]
    fn every_field_is_where_the_encoder_puts_it() -> Result<(), SimulateError> {
        let mut fields = Stepper::new(ExecuteFields::new())?;
        let mut walk = Stepper::new(WalkFields::new())?;
        let mut state = 1_u64;
        let mut word = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state >> 40
        };
        for _ in 0..200 {
            let c = command(&mut word);
            let words = Command::Execute(c).encode();
            let words = words.chunks(2).map(|pair| u64::from(pair[1]) << 32 | u64::from(pair[0])).collect();
            let bits = Bits::from_words(words, COMMAND_BITS);
            fields.block_mut().command_in.next = bits.clone();
            walk.block_mut().command_in.next = bits;
            fields.settle()?;
            walk.settle()?;
            for (name, value) in [
                ("pop_load_out", u128::from(c.tokens.pop_first)),
                ("pop_store_out", c.tokens.pop_second.into()),
                ("push_load_out", c.tokens.push_first.into()),
                ("push_store_out", c.tokens.push_second.into()),
                ("half_out", c.half.into()),
                ("overwrite_out", c.overwrite.into()),
                ("push_late_out", c.push_late.into()),
                ("maximum_out", c.maximum.into()),
                ("accumulator_step_out", c.accumulator_step.into()),
                ("rows_out", c.rows.into()),
                ("weight_row_out", c.weight_row.into()),
                ("accumulator_row_out", c.accumulator_row.into()),
                ("k_out", c.k.into()),
            ] {
                assert_eq!(fields.get(name)?.low_u128(), value, "{name} of {c:?}");
            }
            for (name, value) in [
                ("activation_row_out", i128::from(c.activation_row)),
                ("inner_count_out", c.walk.inner_count.into()),
                ("inner_stride_out", c.walk.inner_stride.into()),
                ("outer_stride_out", c.walk.outer_stride.into()),
                ("pad_out", c.walk.pad.into()),
                ("x_start_out", c.walk.x_start.into()),
                ("x_step_out", c.walk.x_step.into()),
                ("x_limit_out", c.walk.x_limit.into()),
                ("y_start_out", c.walk.y_start.into()),
                ("y_step_out", c.walk.y_step.into()),
                ("y_limit_out", c.walk.y_limit.into()),
            ] {
                let actual = walk.get(name)?;
                assert_eq!(actual, Bits::from_i128(value, actual.bits()), "{name} of {c:?}");
            }
        }
        Ok(())
    }
}
