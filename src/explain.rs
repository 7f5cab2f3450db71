//! `systole explain`: one accumulator, bit by bit, and what every scheme makes of it.

use crate::args::ExplainArgs;
use crate::files;
use anyhow::{ensure, Context, Result};
use golden::{
    shift_round, Bounds, Channel, Dropped, GoldenError, Multiplier, Operator, OutputStage, Product, Profile,
    Requantizer, Scheme, SchemeKind,
};
use serde::Serialize;
use spec::{Round, Rounding};

/// The page as data.
#[derive(Debug, Serialize)]
struct Explanation {
    accumulator: i64,
    bias: i64,
    /// With the bias.
    sum: i64,
    multiplier: i64,
    shift: u32,
    ratio: f64,
    product: String,
    /// What the scaled accumulator is in real numbers.
    real: f64,
    quotient: String,
    /// The dropped bits, the highest (guard) first.
    dropped_bits: String,
    position: &'static str,
    zero_point: i64,
    low: i64,
    high: i64,
    scheme: String,
    output: i64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    machine: Vec<Answer>,
    rules: Vec<Answer>,
    schemes: Vec<Answer>,
    profiles: Vec<Answer>,
}

/// What a rule, a scheme or a product gives; without a result, why not.
#[derive(Debug, Serialize)]
struct Answer {
    name: String,
    parameters: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    scaled: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<i64>,
}

/// Of products that requantize by operator, all operators; one name for those that agree.
const OPERATORS: [(Operator, &str); 3] = [
    (Operator::FullyConnected, "fully connected"),
    (Operator::Convolution, "convolution"),
    (Operator::Depthwise, "depthwise"),
];

pub fn run(args: &ExplainArgs) -> Result<bool> {
    let explanation = explain(args)?;
    if args.json {
        let mut text = serde_json::to_string_pretty(&explanation)?;
        text.push('\n');
        files::print(&text)?;
    } else {
        files::print(&explanation.text())?;
    }
    Ok(true)
}

fn explain(args: &ExplainArgs) -> Result<Explanation> {
    let (multiplier, shift) = match (args.multiplier, args.shift, args.scale) {
        (Some(multiplier), Some(shift), None) => (i64::from(multiplier), shift),
        (None, None, Some(scale)) => {
            let multiplier = Multiplier::from_ratio(scale).context("--scale")?;
            ensure!(multiplier.m() > 0, "--scale = {scale:e} must be at least 2^-32: it rounds to a multiplier of 0");
            // Above it, the nearest multiplier of 31 bits would have 32.
            ensure!(
                scale < 2_f64.powi(30) - 0.25,
                "--scale = {scale:e} must be below 2^30: no 31-bit multiplier holds it"
            );
            (multiplier.m().into(), multiplier.shift())
        }
        _ => anyhow::bail!("give --multiplier and --shift, or --scale"),
    };
    let sum = args.accumulator.checked_add(args.bias).with_context(|| {
        format!("the accumulator {} and the bias {} have a sum beyond 64 bits", args.accumulator, args.bias)
    })?;
    let (low, high) = args.bounds.unwrap_or((-128, 127));
    let stage = OutputStage { zero_point: args.zero_point, low, high };
    let ratio = multiplier as f64 / 2_f64.powi(shift as i32);
    let product = Product::new(sum, multiplier, shift);
    let own = scheme_of(args.scheme, multiplier, shift, ratio, args.rounding)
        .with_context(|| format!("{} with multiplier {multiplier} and shift {shift}", args.scheme.name()))?;
    let machine = match &args.config {
        Some(name) => machine(name, args, multiplier, shift)?,
        None => Vec::new(),
    };
    let rules = Round::ALL.map(|round| {
        let scaled = saturated(shift_round(product.value(), shift, round));
        answer(round.name(), String::new(), Ok(scaled), stage)
    });
    let schemes = SchemeKind::ALL.map(|kind| {
        let scheme = scheme_of(kind, multiplier, shift, ratio, args.rounding);
        let parameters = scheme.as_ref().map_or_else(GoldenError::to_string, |scheme| parameters(*scheme));
        answer(kind.name(), parameters, scheme.map(|scheme| scheme.scale(sum)), stage)
    });
    Ok(Explanation {
        accumulator: args.accumulator,
        bias: args.bias,
        sum,
        multiplier,
        shift,
        ratio,
        product: product.value().to_string(),
        real: sum as f64 * ratio,
        quotient: product.quotient().to_string(),
        dropped_bits: bits(product.dropped(), shift),
        position: position(product.position()),
        zero_point: args.zero_point,
        low,
        high,
        scheme: own.to_string(),
        output: own.requantize(sum, stage),
        machine,
        rules: rules.into(),
        schemes: schemes.into(),
        profiles: profiles(sum, ratio, stage),
    })
}

/// The scheme with the multiplier and shift as they were given, where its parameters are of that kind; else for their ratio.
fn scheme_of(
    kind: SchemeKind,
    multiplier: i64,
    shift: u32,
    ratio: f64,
    rule: Option<Round>,
) -> Result<Scheme, GoldenError> {
    let given = || {
        let out_of_range = |property, value, min, max| Err(GoldenError::OutOfRange { property, value, min, max });
        let Ok(m) = i32::try_from(multiplier) else {
            return out_of_range("a 31-bit multiplier", multiplier, 0, i32::MAX.into());
        };
        match 31 - shift as i32 {
            e @ -31..=Multiplier::MAX_EXPONENT => Multiplier::new(m, e),
            _ => out_of_range("the shift of a 31-bit multiplier", shift.into(), 1, 62),
        }
    };
    match kind {
        SchemeKind::FixedSingle => given().map(Scheme::FixedSingle),
        SchemeKind::FixedDouble => given().map(Scheme::FixedDouble),
        SchemeKind::FixedDoubleUp => given().map(Scheme::FixedDoubleUp),
        SchemeKind::S64Reduced => given().map(Scheme::S64Reduced),
        SchemeKind::Tosa16 => match (i16::try_from(multiplier), shift) {
            (Ok(m), 2..=62) => Ok(Scheme::Tosa16 { m, shift }),
            _ => Scheme::from_ratio(kind, ratio),
        },
        SchemeKind::Pow2(_) => Scheme::from_ratio(rule.map_or(kind, SchemeKind::Pow2), ratio),
        SchemeKind::F32Even | SchemeKind::F64Away | SchemeKind::F32Rndnu => Scheme::from_ratio(kind, ratio),
    }
}

/// What the requantizer of a configuration makes of it: each output that its rounding can give, and how often.
fn machine(name: &str, args: &ExplainArgs, multiplier: i64, shift: u32) -> Result<Vec<Answer>> {
    let config = files::config(name)?;
    let numerics = config.numerics();
    let multiplier = if numerics.multiplier().is_none() { 1 } else { multiplier };
    let multiplier = u32::try_from(multiplier).context("the multiplier has more than 32 bits")?;
    let channel = Channel { bias: args.bias, multiplier, shift, zero_point: args.zero_point };
    let bounds = match args.bounds {
        Some((low, high)) => Bounds { low, high },
        None => Bounds::full(numerics),
    };
    let format = numerics.accumulator();
    ensure!(
        format.contains(args.accumulator),
        "accumulator = {} is out of range: it must be in {}..={} in configuration {}",
        args.accumulator,
        format.min(),
        format.max(),
        config.name()
    );
    channel.check(numerics).and_then(|()| bounds.check(numerics)).with_context(|| config.name().to_owned())?;
    let requantizer = Requantizer::new(numerics);
    let give = |random| requantizer.requantize(args.accumulator, &channel, &bounds, random);
    let answer = |parameters, output| Answer {
        name: format!("{} on {}", numerics.scheme(), config.name()),
        parameters,
        scaled: None,
        output: Some(output),
    };
    let Rounding::Stochastic { random_bits } = numerics.rounding() else {
        return Ok(vec![answer(numerics.rounding().to_string(), give(0))]);
    };
    // Outputs do not fall as the random bits grow: the first of them that rounds up is found by halving.
    let (least, most) = (give(0), give(u32::MAX >> (32 - random_bits)));
    let (mut low, mut high) = (0_u64, 1_u64 << random_bits);
    while low < high {
        let middle = low + (high - low) / 2;
        // Below 2^32.
        if give(middle as u32) == least {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    let all = 1_u64 << random_bits;
    let text = |n: u64| format!("for {n} of {all} values of the random bits");
    let mut answers = vec![answer(text(low), least)];
    if most != least {
        answers.push(answer(text(all - low), most));
    }
    Ok(answers)
}

fn profiles(sum: i64, ratio: f64, stage: OutputStage) -> Vec<Answer> {
    let mut answers = Vec::new();
    for profile in Profile::ALL {
        for bits in [8, 16] {
            let of = |operator| profile.scheme_kind(operator, bits);
            let uniform = OPERATORS.iter().all(|&(operator, _)| of(operator) == of(OPERATORS[0].0));
            if bits == 16 && OPERATORS.iter().all(|&(operator, _)| of(operator) == profile.scheme_kind(operator, 8)) {
                continue;
            }
            let operators = if uniform { &OPERATORS[..1] } else { &OPERATORS[..] };
            for &(operator, operator_name) in operators {
                let mut name = profile.name().to_owned();
                if !uniform {
                    name.push_str(&format!(", {operator_name}"));
                }
                if bits == 16 {
                    name.push_str(", int16");
                }
                let Some(kind) = of(operator) else {
                    answers.push(Answer { name, parameters: "no requantizer".to_owned(), scaled: None, output: None });
                    continue;
                };
                let scheme = Scheme::from_ratio(kind, ratio);
                let parameters = scheme.as_ref().map_or_else(GoldenError::to_string, ToString::to_string);
                answers.push(answer(&name, parameters, scheme.map(|scheme| scheme.scale(sum)), stage));
            }
        }
    }
    answers
}

fn answer(name: &str, parameters: String, scaled: Result<i64, GoldenError>, stage: OutputStage) -> Answer {
    let scaled = scaled.ok();
    Answer { name: name.to_owned(), parameters, scaled, output: scaled.map(|scaled| stage.apply(scaled)) }
}

/// What stands in a scheme's parentheses.
fn parameters(scheme: Scheme) -> String {
    let text = scheme.to_string();
    let inner = text.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.unwrap_or_default().to_owned()
}

fn saturated(value: i128) -> i64 {
    value.clamp(i64::MIN.into(), i64::MAX.into()) as i64
}

/// The `n` lowest bits, the highest first, in groups of eight from the right.
fn bits(value: i128, n: u32) -> String {
    let mut text = String::new();
    for bit in (0..n).rev() {
        text.push(if value >> bit & 1 == 1 { '1' } else { '0' });
        if bit > 0 && bit % 8 == 0 {
            text.push('_');
        }
    }
    text
}

const fn position(dropped: Dropped) -> &'static str {
    match dropped {
        Dropped::Zero => "exact: nothing is lost",
        Dropped::BelowHalf => "below one half",
        Dropped::Tie => "exactly one half: a tie, and the rule decides",
        Dropped::AboveHalf => "above one half",
    }
}

impl Explanation {
    fn text(&self) -> String {
        let mut text = String::new();
        let out = &mut text;
        line!(out, "accumulator      {}", self.accumulator);
        if self.bias != 0 {
            line!(out, "bias             {}, so the sum is {}", self.bias, self.sum);
        }
        line!(out, "multiplier       {} = {:#x}", self.multiplier, self.multiplier);
        line!(
            out,
            "shift            {}: the ratio is {} / 2^{} = {}",
            self.shift,
            self.multiplier,
            self.shift,
            self.ratio
        );
        line!(out, "product          {} (in real numbers about {})", self.product, self.real);
        line!(out, "quotient, floor  {}", self.quotient);
        match self.dropped_bits.as_str() {
            "" => line!(out, "dropped          no bits"),
            bits => line!(out, "dropped          {bits} (guard bit first): {}", self.position),
        }
        let zero = if self.zero_point == 0 { String::new() } else { format!(" + zero point {}", self.zero_point) };
        line!(out, "output           {}{zero}, clamped to {}..={}: {}", self.scheme, self.low, self.high, self.output);
        for answer in &self.machine {
            let output = answer.output.unwrap_or_default();
            line!(out, "machine          {}: {output}, {}", answer.name, answer.parameters);
        }
        table(out, "one rounding of this product by each rule", &self.rules, self.output);
        table(out, "every scheme for this ratio", &self.schemes, self.output);
        table(out, "products", &self.profiles, self.output);
        text
    }
}

fn table(out: &mut String, title: &str, answers: &[Answer], output: i64) {
    let width = answers.iter().map(|answer| answer.name.len()).max().unwrap_or(0);
    line!(out, "\n{title}");
    line!(out, "  {:<width$} {:>12} {:>12} {:>10}", "", "scaled", "output", "differs by");
    for answer in answers {
        let (Some(scaled), Some(given)) = (answer.scaled, answer.output) else {
            line!(out, "  {:<width$} {:>12} {:>12} {:>10}   {}", answer.name, "-", "-", "", answer.parameters);
            continue;
        };
        let difference = match given.saturating_sub(output) {
            0 => String::new(),
            other => format!("{other:+}"),
        };
        let row =
            format!("  {:<width$} {scaled:>12} {given:>12} {difference:>10}   {}", answer.name, answer.parameters);
        line!(out, "{}", row.trim_end());
    }
}
