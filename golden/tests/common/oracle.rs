//! The definitions of rounding in exact rational numbers.

use num_bigint::BigInt;
use num_rational::BigRational;
use spec::Round;

pub fn integer(value: impl Into<BigInt>) -> BigRational {
    BigRational::from_integer(value.into())
}

pub fn ratio(numerator: impl Into<BigInt>, denominator: impl Into<BigInt>) -> BigRational {
    BigRational::new(numerator.into(), denominator.into())
}

/// 2^exponent.
pub fn power(exponent: i32) -> BigRational {
    let magnitude = BigInt::from(1) << exponent.unsigned_abs();
    match exponent < 0 {
        true => ratio(1, magnitude),
        false => integer(magnitude),
    }
}

/// A finite float, exactly.
pub fn float(value: f64) -> BigRational {
    BigRational::from_float(value).expect("it is finite")
}

fn is_odd(value: &BigInt) -> bool {
    value.bit(0)
}

/// A real number brought to an integer, each rule as its definition reads.
pub fn round(v: &BigRational, rule: Round) -> BigInt {
    let (half, zero) = (ratio(1, 2), integer(0));
    let (floor, ceil) = (v.floor().to_integer(), v.ceil().to_integer());
    let (magnitude, sign) = if *v < zero { (-v, BigInt::from(-1)) } else { (v.clone(), BigInt::from(1)) };
    match rule {
        Round::Floor => floor,
        Round::Ceil => ceil,
        Round::TowardZero => sign * magnitude.floor().to_integer(),
        Round::AwayFromZero => sign * magnitude.ceil().to_integer(),
        Round::ToOdd if v.is_integer() || is_odd(&floor) => floor,
        Round::ToOdd => ceil,
        Round::HalfTowardPositive => (v + half).floor().to_integer(),
        Round::HalfTowardNegative => (v - half).ceil().to_integer(),
        Round::HalfTowardZero => sign * (magnitude - half).ceil().to_integer(),
        Round::HalfAwayFromZero => sign * (magnitude + half).floor().to_integer(),
        Round::HalfToEven => {
            // The two differ at ties only.
            let (up, down) = ((v + &half).floor().to_integer(), (v - half).ceil().to_integer());
            if is_odd(&up) {
                down
            } else {
                up
            }
        }
    }
}

/// Up for the floor(fraction 2^bits) greatest of the 2^bits random numbers.
pub fn round_stochastic(v: &BigRational, random: u32, bits: u32) -> BigInt {
    let floor = v.floor();
    let ups = ((v - &floor) * power(bits as i32)).floor().to_integer();
    let up = BigInt::from(random) >= (BigInt::from(1) << bits) - ups;
    floor.to_integer() + BigInt::from(i32::from(up))
}

pub fn clamp(value: BigInt, low: i64, high: i64) -> BigInt {
    value.max(low.into()).min(high.into())
}
