//! The requantizer against exact integer arithmetic.

mod common;

use common::Random;
use hdl::bits::Bits;
use hdl::simulate::Stepper;
use hdl::{Requantizer, RequantizerLane};
use spec::config::RawRounding;
use spec::{Config, MachineScheme, Numerics, RawConfig, Round, Rounding};

/// What a lane is given.
#[derive(Clone, Copy, Debug)]
struct Column {
    accumulator: i128,
    bias: i128,
    multiplier: i128,
    shift: u32,
    zero_point: i128,
    low: i128,
    high: i128,
    random: u32,
}

/// `value` / 2^`shift` as an integer, by comparing the exact remainder with one half.
fn rounded(value: i128, shift: u32, round: Round) -> i128 {
    let divisor = 1_i128 << shift;
    let (floor, twice) = (value.div_euclid(divisor), 2 * value.rem_euclid(divisor));
    if twice == 0 {
        return floor;
    }
    let ceiling = floor + 1;
    let even = floor + floor.rem_euclid(2);
    let (nearer_zero, farther) = if value < 0 { (ceiling, floor) } else { (floor, ceiling) };
    let tie = match round {
        Round::Floor => return floor,
        Round::Ceil => return ceiling,
        Round::TowardZero => return nearer_zero,
        Round::AwayFromZero => return farther,
        Round::ToOdd => return floor + ceiling - even,
        Round::HalfToEven => even,
        Round::HalfTowardPositive => ceiling,
        Round::HalfTowardNegative => floor,
        Round::HalfTowardZero => nearer_zero,
        Round::HalfAwayFromZero => farther,
    };
    match twice.cmp(&divisor) {
        std::cmp::Ordering::Less => floor,
        std::cmp::Ordering::Equal => tie,
        std::cmp::Ordering::Greater => ceiling,
    }
}

/// The low `bits` bits in two's complement.
fn wrapped(value: i128, bits: u32) -> i128 {
    let range = 1_i128 << bits;
    (value + range / 2).rem_euclid(range) - range / 2
}

/// What a lane with these numerics must give.
fn expected(c: &Column, numerics: &Numerics) -> i128 {
    let sum = wrapped(c.accumulator + c.bias, numerics.accumulator_bits());
    scaled(if numerics.scheme() == MachineScheme::Pow2 { sum } else { sum * c.multiplier }, c, numerics)
}

/// A product brought to the output; the column's `random` are the random bits of stochastic rounding.
fn scaled(product: i128, c: &Column, numerics: &Numerics) -> i128 {
    let last = |value: i128, shift: u32| match numerics.rounding() {
        Rounding::Fixed(round) => rounded(value, shift, round),
        Rounding::Stochastic { random_bits } => {
            // The fraction in steps of 2^-r, rounded down, plus the random number of such steps.
            let steps = rounded(value << random_bits, shift, Round::Floor);
            (steps + i128::from(c.random)).div_euclid(1 << random_bits)
        }
    };
    let first = numerics.multiplier_bits();
    let scaled = match numerics.scheme() {
        MachineScheme::FixedSingle | MachineScheme::Pow2 => last(product, c.shift),
        _ if c.shift <= first => rounded(product, c.shift, Round::HalfTowardPositive),
        _ => last(rounded(product, first, Round::HalfTowardPositive), c.shift - first),
    };
    (scaled + c.zero_point).clamp(c.low, c.high)
}

fn record(c: &Column, config: &Config) -> Bits {
    let n = config.numerics();
    let mut record = Bits::ones(n.parameter_bits() as usize); // the padding is not looked at
    let mut at = 0;
    for (value, width) in [
        (c.bias, n.bias_bits()),
        (c.multiplier, n.multiplier_bits()),
        (c.shift.into(), n.shift_bits()),
        (c.zero_point, n.output().bits() + 1),
    ] {
        record.set_slice(at, &Bits::from_i128(value, width as usize));
        at += width as usize;
    }
    record
}

fn config(change: impl FnOnce(&mut RawConfig)) -> Config {
    let mut raw = RawConfig::from(&Config::named("tiny").expect("a named configuration"));
    change(&mut raw);
    Config::try_from(raw).expect("a valid configuration")
}

/// Streams the columns through a lane, one a cycle, and checks what leaves four cycles later.
fn lane_is_right(config: &Config, columns: impl Iterator<Item = Column>) {
    let n = config.numerics();
    let (accumulator, bound) = (n.accumulator_bits() as usize, n.output().bits() as usize + 1);
    let mut dut = Stepper::new(RequantizerLane::new(n)).expect("accepted");
    let mut in_flight: Vec<Column> = Vec::new();
    let mut count = 0;
    let mut columns = columns.fuse();
    let mut idle = 0;
    while idle < 4 {
        let next = columns.next();
        idle += usize::from(next.is_none());
        let last = in_flight.last().copied();
        let Some(column) = next.or(last) else { panic!("no columns") };
        in_flight.push(column);
        dut.block_mut().accumulator_in.next = Bits::from_i128(column.accumulator, accumulator);
        dut.block_mut().record_in.next = record(&column, config);
        // Every column is its group's first term, and its last.
        dut.block_mut().first_in.next = true.into();
        let t = in_flight.len() - 1;
        if let (Some(random), Some(column)) = (dut.block_mut().random_in.first_mut(), t.checked_sub(2)) {
            random.next = Bits::new(in_flight[column].random.into(), random.width());
        }
        if t >= 3 {
            let clamped = in_flight[t - 3];
            dut.block_mut().low_in.next = Bits::from_i128(clamped.low, bound);
            dut.block_mut().high_in.next = Bits::from_i128(clamped.high, bound);
        }
        dut.settle().expect("settles");
        if t >= 4 {
            let column = in_flight[t - 4];
            let actual = dut.block().output_out.val();
            let value = expected(&column, n);
            let context = format!("{}, {}", n.scheme(), n.rounding());
            assert_eq!(actual, Bits::from_i128(value, bound - 1), "{context} of {column:?}: {value}");
            count += 1;
        }
        dut.edge().expect("settles");
    }
    assert!(count > 1);
}

/// Every scheme with every rounding it allows; stochastic with `random_bits`.
fn arithmetics(random_bits: u32) -> Vec<(MachineScheme, RawRounding)> {
    let up = RawRounding::Named(Round::HalfTowardPositive);
    let all = || {
        let stochastic = RawRounding::Stochastic { stochastic: random_bits };
        Round::ALL.into_iter().map(RawRounding::Named).chain([stochastic])
    };
    let legal = |(scheme, rounding): &(MachineScheme, RawRounding)| match scheme {
        MachineScheme::FixedSingle | MachineScheme::Pow2 => true,
        MachineScheme::FixedDouble => *rounding != up,
        MachineScheme::FixedDoubleUp => *rounding == up,
    };
    MachineScheme::ALL
        .into_iter()
        .flat_map(|scheme| all().map(move |rounding| (scheme, rounding)))
        .filter(legal)
        .collect()
}

fn set(raw: &mut RawConfig, (scheme, rounding): (MachineScheme, RawRounding), multiplier_bits: u32) {
    raw.numerics.scheme = scheme;
    raw.numerics.rounding = rounding;
    raw.numerics.multiplier_bits = if scheme == MachineScheme::Pow2 { 0 } else { multiplier_bits };
}

/// Every accumulator, bias, multiplier and shift of small widths, for each scheme and rounding; zero point, bounds and
/// random bits take turns. With 2 multiplier bits, shifts of 3..=7 are two roundings.
#[test]
fn every_small_value_is_requantized() {
    for arithmetic in arithmetics(2) {
        for signed in [false, true] {
            let config = config(|raw| {
                raw.numerics.accumulator_bits = spec::config::AccumulatorBits::Wrapping { wrapping: 5 };
                raw.numerics.bias_bits = 2;
                raw.numerics.shift_bits = 3;
                raw.numerics.output_bits = 3;
                raw.numerics.output_signed = signed;
                set(raw, arithmetic, 2);
            });
            let (min, max): (i128, i128) = if signed { (-4, 3) } else { (0, 7) };
            let columns = (0..1_i128 << 12).map(|i| {
                let turn = i + (i >> 7);
                let low = min + turn.rem_euclid(5);
                Column {
                    accumulator: (i & 31) - 16,
                    bias: (i >> 5 & 3) - 2,
                    multiplier: i >> 7 & 3,
                    shift: (i >> 9 & 7) as u32,
                    zero_point: turn.rem_euclid(16) - 8,
                    low,
                    high: max.min(low + 3 + turn.rem_euclid(4)),
                    random: turn.rem_euclid(4) as u32,
                }
            });
            lane_is_right(&config, columns);
        }
    }
}

/// Random values at the widest formats, where the output is wider than the product, and where the shift cannot reach a
/// second rounding.
#[test]
fn extreme_widths_are_requantized() {
    let shapes = [(63, 48, 32, 6, 16), (2, 1, 1, 1, 16), (5, 48, 1, 6, 1), (33, 24, 31, 6, 8), (40, 24, 20, 4, 8)];
    for (seed, (accumulator, bias, multiplier, shift, output)) in shapes.into_iter().enumerate() {
        for arithmetic in arithmetics([1, 32, 7, 8, 16][seed]) {
            let config = config(|raw| {
                raw.numerics.accumulator_bits = spec::config::AccumulatorBits::Wrapping { wrapping: accumulator };
                raw.numerics.bias_bits = bias;
                raw.numerics.shift_bits = shift;
                raw.numerics.output_bits = output;
                raw.numerics.output_signed = true;
                set(raw, arithmetic, multiplier);
            });
            let mut random = Random::new(seed as u64);
            let random_bits = config.numerics().rounding().random_bits();
            // Extremes of every field are as likely as values in between.
            let mut pick = |bits: u32, signed: bool| {
                let (min, max) = match signed {
                    true => (-(1_i128 << (bits - 1)), (1_i128 << (bits - 1)) - 1),
                    false => (0, (1_i128 << bits) - 1),
                };
                match random.below(4) {
                    0 => min,
                    1 => max,
                    _ => min + i128::from(random.word()).rem_euclid(max - min + 1),
                }
            };
            let columns: Vec<Column> = (0..300)
                .map(|_| {
                    let (one, other) = (pick(output, true), pick(output, true));
                    Column {
                        accumulator: pick(accumulator, true),
                        bias: pick(bias, true),
                        multiplier: pick(multiplier, false),
                        shift: pick(shift, false) as u32,
                        zero_point: pick(output + 1, true),
                        low: one.min(other),
                        high: one.max(other),
                        random: pick(random_bits, false) as u32,
                    }
                })
                .collect();
            lane_is_right(&config, columns.into_iter());
        }
    }
}

/// The sum of products, at the product's width, and what follows from it; terms share shift, zero point and bounds.
fn expected_of_terms(terms: &[Column], numerics: &Numerics) -> i128 {
    let one = |c: &Column| {
        let sum = wrapped(c.accumulator + c.bias, numerics.accumulator_bits());
        if numerics.multiplier_bits() == 0 {
            sum
        } else {
            sum * c.multiplier
        }
    };
    let last = terms[terms.len() - 1];
    let width = numerics.accumulator_bits() + numerics.multiplier_bits();
    let is_deep = numerics.scheme().is_double() && last.shift > numerics.multiplier_bits();
    // The first rounding's half is there from the start: it wraps with the rest.
    let half = if is_deep { 1 << (numerics.multiplier_bits() - 1) } else { 0 };
    scaled(wrapped(half + terms.iter().map(one).sum::<i128>(), width) - half, &last, numerics)
}

/// Groups of 1 to 15 terms, one after the other and with gaps between groups; many sums wrap.
#[test]
fn products_of_terms_are_added_before_one_rounding() {
    for arithmetic in arithmetics(6) {
        let config = config(|raw| {
            raw.numerics.accumulator_bits = spec::config::AccumulatorBits::Wrapping { wrapping: 9 };
            raw.numerics.bias_bits = 6;
            raw.numerics.shift_bits = 4;
            raw.numerics.output_bits = 12;
            raw.numerics.output_signed = true;
            set(raw, arithmetic, 5);
        });
        let n = config.numerics();
        let mut random = Random::new(3);
        // What is driven in a cycle: the term, whether it is the first, and the group's result with the last.
        let mut cycles: Vec<(Column, bool, Option<i128>)> = Vec::new();
        let mut n_wrapped = 0;
        while cycles.len() < 1500 {
            let (shift, zero_point) = (random.below(16) as u32, random.signed(13));
            let term = |_: u64| Column {
                accumulator: random.signed(9),
                bias: random.signed(6),
                multiplier: random.below(32) as i128,
                shift,
                zero_point,
                low: -2048,
                high: 2047,
                random: 0,
            };
            let mut terms: Vec<Column> = (0..1 + cycles.len() as u64 % 15).map(term).collect();
            // The random bits come with the last term.
            terms.iter_mut().for_each(|term| term.random = random.below(64) as u32);
            let exact: i128 = terms.iter().map(|c| (c.accumulator + c.bias) * c.multiplier).sum();
            n_wrapped += usize::from(exact.abs() >= 1 << 13);
            let result = expected_of_terms(&terms, n);
            let last = terms.len() - 1;
            cycles.extend(terms.iter().enumerate().map(|(u, &c)| (c, u == 0, (u == last).then_some(result))));
            // A term that belongs to nothing.
            cycles.extend((random.below(3) == 0).then_some((terms[0], false, None)));
        }
        assert!(n_wrapped > 20, "{n_wrapped} sums wrap");
        let mut dut = Stepper::new(RequantizerLane::new(n)).expect("accepted");
        for t in 0..cycles.len() + 4 {
            let late = |by: usize| t.checked_sub(by).and_then(|t| cycles.get(t));
            let block = dut.block_mut();
            if let Some((column, ..)) = late(0) {
                block.accumulator_in.next = Bits::from_i128(column.accumulator, 9);
                block.record_in.next = record(column, &config);
            }
            block.first_in.next = late(1).is_some_and(|(_, first, _)| *first).into();
            if let (Some(port), Some((column, ..))) = (block.random_in.first_mut(), late(2)) {
                port.next = Bits::new(column.random.into(), 6);
            }
            block.low_in.next = Bits::from_i128(-2048, 13);
            block.high_in.next = Bits::from_i128(2047, 13);
            dut.settle().expect("settles");
            if let Some((column, _, Some(result))) = late(4) {
                let actual = dut.block().output_out.val().to_i128();
                assert_eq!(actual, *result, "{} {}, cycle {t}: {column:?}", n.scheme(), n.rounding());
            }
            dut.edge().expect("settles");
        }
    }
}

/// A group enters with its bounds and leaves 4 cycles later, whatever the neighbours in time are; with a table 5 cycles
/// later, looked up or not.
#[test]
fn groups_keep_their_bounds_and_order() {
    groups_are_right(false);
    groups_are_right(true);
}

fn groups_are_right(has_table: bool) {
    let config = config(|raw| {
        raw.geometry.cols = 6;
        raw.geometry.requantizer_lanes = 3;
        raw.numerics.activation_table = has_table;
    });
    let n = config.numerics();
    let (n_lanes, accumulator, output) = (3, n.accumulator_bits() as usize, n.output().bits() as usize);
    let mut dut = Stepper::new(Requantizer::new(&config)).expect("accepted");
    let mut random = Random::new(7);
    let latency = if has_table { 5 } else { 4 };
    let table: Vec<u64> = (0..32).map(|_| random.below(32)).collect();
    for (entry, &value) in table.iter().enumerate().filter(|_| has_table) {
        dut.block_mut().table_write_in[0].next = true.into();
        dut.block_mut().table_addr_in[0].next = entry.into();
        dut.block_mut().table_data_in[0].next = Bits::new(value.into(), output);
        dut.edge().expect("settles");
    }
    if has_table {
        dut.block_mut().table_write_in[0].next = false.into();
        dut.block_mut().table_data_in[0].next = 0.into();
    }
    let mut sent: Vec<Option<Bits>> = Vec::new();
    for cycle in 0..500 {
        let (one, other) = (random.below(32) as i128, random.below(32) as i128);
        let is_looked_up = has_table && random.below(2) == 0;
        let mut accumulators = Bits::zero(n_lanes * accumulator);
        let mut records = Bits::zero(n_lanes * n.parameter_bits() as usize);
        let mut group = Bits::zero(n_lanes * output);
        for lane in 0..n_lanes {
            let column = Column {
                accumulator: random.signed(accumulator),
                bias: random.signed(n.bias_bits() as usize),
                multiplier: random.bits(n.multiplier_bits() as usize).low_u128() as i128,
                shift: random.below(1 << n.shift_bits()) as u32,
                zero_point: random.signed(output + 1),
                low: one.min(other),
                high: one.max(other),
                random: 0,
            };
            accumulators.set_slice(lane * accumulator, &Bits::from_i128(column.accumulator, accumulator));
            records.set_slice(lane * n.parameter_bits() as usize, &record(&column, &config));
            let value = expected(&column, n);
            let value = if is_looked_up { i128::from(table[value as usize]) } else { value };
            group.set_slice(lane * output, &Bits::from_i128(value, output));
        }
        let valid = random.below(3) > 0;
        sent.push(valid.then_some(group));
        let block = dut.block_mut();
        block.valid_in.next = valid.into();
        block.accumulators_in.next = accumulators;
        block.records_in.next = records;
        block.first_in.next = true.into();
        block.low_in.next = Bits::from_i128(one.min(other), output + 1);
        block.high_in.next = Bits::from_i128(one.max(other), output + 1);
        if let Some(port) = block.table_in.first_mut() {
            port.next = is_looked_up.into();
        }
        dut.settle().expect("settles");
        if cycle >= latency {
            let valid = dut.block().valid_out.val().any();
            assert_eq!(valid.then(|| dut.block().group_out.val()), sent[cycle - latency], "cycle {cycle}");
        }
        dut.edge().expect("settles");
    }
}
