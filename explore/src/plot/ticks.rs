//! Where an axis has its numbers.

/// An axis: from one value to another, both finite, on a straight or a logarithmic scale.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    pub label: String,
    pub from: f64,
    pub to: f64,
    /// Both ends are positive.
    pub log: bool,
    pub ticks: Vec<(f64, String)>,
}

impl Axis {
    /// Straight, through round numbers around the values; `zero` starts it at 0.
    pub fn straight(label: &str, values: &[f64], zero: bool) -> Self {
        let (mut low, mut high) = bounds(values);
        if zero {
            low = low.min(0.0);
            high = high.max(0.0);
        }
        if low == high {
            high += if high == 0.0 { 1.0 } else { high.abs() * 0.1 };
        }
        let step = round_step((high - low) / 5.0);
        let (first, last) = ((low / step + 1e-9).floor() as i64, (high / step - 1e-9).ceil() as i64);
        let ticks = (first..=last).map(|at| at as f64 * step);
        let ticks = ticks.map(|value| (value, number(value, step))).collect();
        Self { label: label.to_owned(), from: first as f64 * step, to: last as f64 * step, log: false, ticks }
    }

    /// Straight, with a number at each of some whole values and half a unit on either side.
    pub fn whole(label: &str, values: &[f64]) -> Self {
        let (low, high) = bounds(values);
        let step = ((high - low) / 16.0).ceil().max(1.0);
        let ticks = (0..).map(|at| low.ceil() + f64::from(at) * step).take_while(|value| *value <= high);
        let ticks = ticks.map(|value| (value, format!("{value:.0}"))).collect();
        Self { label: label.to_owned(), from: low - 0.5, to: high + 0.5, log: false, ticks }
    }

    /// Logarithmic where all values are positive and the greatest is at least ten times the least, else straight.
    pub fn wide(label: &str, values: &[f64]) -> Self {
        let (low, high) = bounds(values);
        if low <= 0.0 || high / low < 10.0 {
            return Self::straight(label, values, false);
        }
        let (from, to) = (low / 1.15, high * 1.15);
        let multiples: &[f64] = if to / from > 2000.0 {
            &[1.0]
        } else if to / from > 60.0 {
            &[1.0, 3.0]
        } else {
            &[1.0, 2.0, 5.0]
        };
        let decades = from.log10().floor() as i32..=to.log10().ceil() as i32;
        let ticks = decades.flat_map(|decade| multiples.iter().map(move |multiple| multiple * 10.0_f64.powi(decade)));
        let ticks = ticks.filter(|value| (from..=to).contains(value)).map(|value| (value, number(value, value)));
        Self { label: label.to_owned(), from, to, log: true, ticks: ticks.collect() }
    }

    /// The share of the axis below a value: 0 at its start, 1 at its end.
    pub fn share(&self, value: f64) -> f64 {
        if self.log {
            (value / self.from).ln() / (self.to / self.from).ln()
        } else {
            (value - self.from) / (self.to - self.from)
        }
    }
}

fn bounds(values: &[f64]) -> (f64, f64) {
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if low <= high {
        (low, high)
    } else {
        (0.0, 1.0)
    }
}

/// The least of 1, 2 and 5 times a power of ten that is not below `least`.
fn round_step(least: f64) -> f64 {
    let decade = 10.0_f64.powf(least.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .map(|multiple| multiple * decade)
        .into_iter()
        .find(|step| *step >= least * 0.999)
        .unwrap_or(decade * 10.0)
}

/// As many decimals as `step` needs, and spaces between thousands.
pub fn number(value: f64, step: f64) -> String {
    let decimals = (-(step.abs() * 1.0001).log10().floor()).clamp(0.0, 9.0) as usize;
    let plain = format!("{:.decimals$}", value.abs());
    let (whole, part) = plain.split_once('.').unwrap_or((&plain, ""));
    let mut text = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if whole.len() > 4 && at > 0 && (whole.len() - at) % 3 == 0 {
            text.push(' ');
        }
        text.push(digit);
    }
    if !part.is_empty() {
        text.push('.');
        text.push_str(part);
    }
    if value < 0.0 && plain.chars().any(|digit| ('1'..='9').contains(&digit)) {
        text.insert(0, '-');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|(_, text)| text.as_str()).collect()
    }

    #[test]
    fn ticks_are_round_numbers_around_the_values() {
        let axis = Axis::straight("", &[14.8, 97.6], false);
        assert_eq!((axis.from, axis.to), (0.0, 100.0));
        assert_eq!(texts(&axis), ["0", "20", "40", "60", "80", "100"]);
        assert_eq!(texts(&Axis::straight("", &[0.12, 0.31], false)), ["0.10", "0.15", "0.20", "0.25", "0.30", "0.35"]);
        assert_eq!(texts(&Axis::straight("", &[20_000.0], true)), ["0", "5000", "10 000", "15 000", "20 000"]);
        assert_eq!(texts(&Axis::straight("", &[], false)), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(texts(&Axis::straight("", &[-3.0, 3.0], false)), ["-4", "-2", "0", "2", "4"]);
        assert_eq!(texts(&Axis::whole("", &[2.0, 5.0])), ["2", "3", "4", "5"]);
    }

    #[test]
    fn values_of_many_sizes_get_a_logarithmic_axis() {
        let axis = Axis::wide("", &[2.0, 300.0]);
        assert!(axis.log);
        assert_eq!(texts(&axis), ["3", "10", "30", "100", "300"]);
        assert!((axis.share(axis.from) - 0.0).abs() < 1e-12 && (axis.share(axis.to) - 1.0).abs() < 1e-12);
        assert!((axis.share((axis.from * axis.to).sqrt()) - 0.5).abs() < 1e-12);
        assert!(!Axis::wide("", &[0.0, 300.0]).log && !Axis::wide("", &[100.0, 300.0]).log);
    }

    #[test]
    fn numbers_have_the_decimals_of_their_step() {
        assert_eq!(number(1_234_567.0, 1.0), "1 234 567");
        assert_eq!(number(-0.25, 0.05), "-0.25");
        assert_eq!(number(-0.001, 1.0), "0");
    }
}
