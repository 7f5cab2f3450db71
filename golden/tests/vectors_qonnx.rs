//! QONNX's Quant, BipolarQuant and Trunc from vectors/qonnx_quant.py, bit for bit: widths 2..=8, seven rounding modes.

#[path = "common/onnx_formulas.rs"]
#[allow(dead_code)] // only its conversion is used
mod onnx_formulas;
#[path = "common/vectors.rs"]
mod vectors;

use golden::{
    divide_round, round_f64, shift_round, GoldenError, Granularity, InfinityPolicy, Kind, NanPolicy, Order, QFormat,
    Quantizer, QuantizerParts, QuantizerRounding, Range, Scale,
};
use onnx_formulas::scaled;
use spec::Round;
use vectors::{digests, words, Tally, Vectors, GAMMA};

/// QONNX's names in the vectors' order. Its "half up" is away from zero, its "half down" toward zero, as Java has them.
const MODES: [(&str, Round); 7] = [
    ("ROUND", Round::HalfToEven),
    ("CEIL", Round::Ceil),
    ("FLOOR", Round::Floor),
    ("UP", Round::AwayFromZero),
    ("DOWN", Round::TowardZero),
    ("HALF_UP", Round::HalfAwayFromZero),
    ("HALF_DOWN", Round::HalfTowardZero),
];
const N_ROWS: usize = 500;

fn format(bits: i64, signed: i64, narrow: i64) -> QFormat {
    let kind = if signed == 1 { Kind::Signed } else { Kind::Unsigned };
    let range = if narrow == 1 { Range::Narrow } else { Range::Full };
    QFormat::new(kind, bits as u32, range).expect("it exists")
}

fn quantizer(format: QFormat, scale: Scale, zero: i64, round: Round) -> Result<Quantizer, GoldenError> {
    Quantizer::new(QuantizerParts {
        format,
        scales: vec![scale],
        zero_points: vec![zero],
        granularity: Granularity::Tensor,
        rounding: QuantizerRounding::Fixed(round),
        order: Order::ClampThenRound,
        nan: NanPolicy::Refuse,
        infinity: InfinityPolicy::Saturate,
    })
}

/// The formula of vectors/qonnx_quant.py: half and more of the values are ties.
fn quant_rows(seed: u64, set: u64, format: QFormat, zero: i64, (mantissa, exponent): (i64, i32)) -> Vec<f32> {
    let levels = format.max() - format.min() + 1;
    let value = |w: u64| {
        let k = 16 * (format.min() - zero - 2) + ((w >> 8) % (16 * (levels + 4)) as u64) as i64;
        let k = match w & 7 {
            0 | 1 | 2 | 4 => (k & !15) + 8,
            3 => k & !15,
            _ => k,
        };
        let x = scaled(k * mantissa, exponent - 4);
        match w & 15 {
            4 => f32::from_bits(x.to_bits() - 2),
            12 => f32::from_bits(x.to_bits() + 2),
            _ => x,
        }
    };
    words(seed.wrapping_add((set << 16).wrapping_mul(GAMMA))).take(N_ROWS).map(value).collect()
}

#[test]
fn quant_digests() {
    let mut file = Vectors::open("qonnx_quant-digests");
    let (seed, sets, expected) = (file.seed(), file.ints("sets"), file.words("digests"));
    let mut compared = [0; MODES.len()];
    assert_eq!(sets.len(), 8 * expected.len());
    for (row, expected) in sets.chunks(8).zip(expected) {
        let &[set, mode, bits, signed, narrow, zero, mantissa, exponent] = row else { panic!("8 columns") };
        let (format, exponent, (name, round)) = (format(bits, signed, narrow), exponent as i32, MODES[mode as usize]);
        let x = quant_rows(seed, set as u64, format, zero, (mantissa, exponent));
        let scale = Scale::f32(scaled(mantissa, exponent)).expect("it is normal");
        let quantizer = quantizer(format, scale, zero, round).expect("it is legal");
        let q: Vec<_> = quantizer.quantize(&x, &[x.len()]).expect("finite").into_iter().map(i64::from).collect();
        let actual = digests(&q, N_ROWS);
        let head = (&x[..8], &q[..8]);
        assert_eq!(
            actual,
            [expected],
            "Quant {name} to {format}, zero point {zero}, scale {mantissa} 2^{exponent}: {head:?}"
        );
        compared[mode as usize] += q.len();
    }
    assert_eq!(compared, [42_000; MODES.len()]);
}

#[test]
fn quant_rows_in_full() {
    let mut file = Vectors::open("qonnx_quant-rows");
    let [sets, rows_k, rows_q] = ["rows_sets", "rows_k", "rows_q"].map(|key| file.ints(key));
    let n = rows_k.len() / (sets.len() / 4);
    let mut tally = Tally::default();
    for ((set, ks), qs) in sets.chunks(4).zip(rows_k.chunks(n)).zip(rows_q.chunks(n * MODES.len())) {
        let &[bits, signed, narrow, zero] = set else { panic!("4 columns") };
        let format = format(bits, signed, narrow);
        for ((name, round), qs) in MODES.into_iter().zip(qs.chunks(n)) {
            let one = |scale| quantizer(format, scale, zero, round).expect("it is legal");
            let (float, exact) = (one(Scale::f32(1.0).expect("1 is normal")), one(Scale::pow2(0).expect("it exists")));
            for (&k, &expected) in ks.iter().zip(qs) {
                let x = k as f32 / 16.0;
                let place = || format!("{name} to {format}, zero point {zero}, x = {x}");
                tally.compare("float", expected, float.quantize_one(x, 0, 0), place);
                tally.compare("exact", expected, exact.quantize_one(x, 0, 0), place);
                let sixteenths = (k + 16 * zero).clamp(16 * format.min(), 16 * format.max());
                tally.compare("shift_round", expected, shift_round(sixteenths.into(), 4, round) as i64, place);
                tally.compare("divide_round", expected, divide_round(sixteenths.into(), 16, round) as i64, place);
                tally.compare("round_f64", expected, round_f64(sixteenths as f64 / 16.0, round) as i64, place);
            }
        }
    }
    let counts = ["float", "exact", "shift_round", "divide_round", "round_f64"].map(|name| (name, 9408));
    tally.finish(&counts);
}

/// QONNX adds 1/2 in float32 and so rounds the greatest float32 below 1/2 to 1; golden rounds what is there.
#[test]
fn half_up_below_one_half_is_an_exception() {
    let mut file = Vectors::open("qonnx_quant-rows");
    let (x, q) = (file.floats("below_half_x"), file.ints("below_half_q"));
    assert_eq!((x[0], x[1], q.len()), (0.499_999_97, -0.499_999_97, 2 * MODES.len()));
    let mut exceptions = vec![];
    for ((name, round), q) in MODES.into_iter().zip(q.chunks(2)) {
        let quantizer =
            quantizer(format(8, 1, 0), Scale::f32(1.0).expect("1 is normal"), 0, round).expect("it is legal");
        for (&x, &expected) in x.iter().zip(q) {
            let actual = quantizer.quantize_one(x, 0, 0);
            if actual != expected {
                exceptions.push((name, expected, actual));
            }
        }
    }
    assert_eq!(exceptions, [("HALF_UP", 1, 0), ("HALF_UP", -1, 0)]);
}

/// QONNX makes one signed bit -1 or 1, with 0 to 1: golden's bipolar format, ties toward positive, not its int1 of -1 and 0.
#[test]
fn one_bit() {
    let mut file = Vectors::open("qonnx_quant-rows");
    let mut tally = Tally::default();
    let up = Round::HalfTowardPositive;
    let x = file.floats("one_bit_x");
    let signed = quantizer(QFormat::BIPOLAR, Scale::pow2(0).expect("it exists"), 0, up).expect("it is legal");
    let unsigned =
        quantizer(format(1, 0, 0), Scale::pow2(0).expect("it exists"), 0, Round::HalfToEven).expect("it is legal");
    for (name, quantizer) in [("one_bit_signed", signed), ("one_bit_unsigned", unsigned)] {
        for (&x, expected) in x.iter().zip(file.ints(name)) {
            tally.compare(name, expected, quantizer.quantize_one(x, 0, 0), || format!("x = {x}"));
        }
    }
    let [scale] = file.floats("bipolar_scale")[..] else { panic!("one scale") };
    assert_eq!(scale, 0.75);
    let bipolar = quantizer(QFormat::BIPOLAR, Scale::ratio(3, 4).expect("it exists"), 0, up).expect("it is legal");
    for (x, expected) in file.floats("bipolar_x").into_iter().zip(file.floats("bipolar_y")) {
        let q = bipolar.quantize(&[x], &[1]).expect("infinities saturate");
        let y = bipolar.dequantize(&q, &[1]).expect("one value");
        tally.compare("bipolar", expected.to_bits().into(), y[0].to_bits().into(), || format!("x = {x}"));
    }
    tally.finish(&[("one_bit_signed", 8), ("one_bit_unsigned", 8), ("bipolar", 10)]);
}

/// Trunc, version 1: a rounding to an integer, then a shift with the named rule.
#[test]
fn trunc() {
    let mut file = Vectors::open("qonnx_quant-rows");
    let [sets, ks, qs] = ["trunc_sets", "trunc_k", "trunc_q"].map(|key| file.ints(key));
    let n = ks.len() / (sets.len() / 3);
    let mut tally = Tally::default();
    for ((set, ks), qs) in sets.chunks(3).zip(ks.chunks(n)).zip(qs.chunks(n * MODES.len())) {
        let &[input_bits, output_bits, zero] = set else { panic!("3 columns") };
        for ((name, round), qs) in MODES.into_iter().zip(qs.chunks(n)) {
            for (&k, &expected) in ks.iter().zip(qs) {
                let sum = shift_round((k + 2 * zero).into(), 1, Round::HalfToEven);
                let q = shift_round(sum, (input_bits - output_bits) as u32, round) as i64;
                tally.compare(name, expected, q, || format!("{set:?}, x = {k} / 2"));
            }
        }
    }
    tally.finish(&MODES.map(|(name, _)| (name, 576)));
}
