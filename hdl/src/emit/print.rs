//! Text: expressions at an exact width, declarations, leaf modules.

use super::expression::{Arithmetic, Expr, NetId};
use super::names::identifier;
use super::net::{part, Net};
use super::tree::{Kind, Node};
use super::EmitError;
use crate::bits::Bits;
use std::fmt::Write;

/// Prints expressions and remembers what they read.
pub(super) struct Printer<'a> {
    pub nets: Vec<Net>,
    pub block: &'a str,
}

/// Verilog text, and whether it stands as an operand without parentheses.
type Text = (String, bool);

impl Printer<'_> {
    /// `e` extended or truncated to exactly `width` bits.
    pub fn fit(&mut self, e: &Expr, width: usize) -> Result<Text, EmitError> {
        if let Some(value) = e.constant() {
            return self.constant(e, value, width);
        }
        let own = e.width();
        if own == width {
            return self.exact(e);
        }
        if own > width {
            return self.truncated(e, width);
        }
        let missing = width - own;
        if !e.signed() {
            return Ok((format!("{{{missing}'d0, {}}}", self.exact(e)?.0), true));
        }
        match e {
            Expr::Signed(inner) if matches!(**inner, Expr::Net { .. }) => {
                let name = self.exact(inner)?.0;
                Ok(match own {
                    1 => (format!("{{{width}{{{name}}}}}"), true),
                    _ => (format!("{{{{{missing}{{{name}[{}]}}}}, {name}}}", own - 1), true),
                })
            }
            _ => Err(self.name_first(e, width)),
        }
    }

    fn operand(&mut self, e: &Expr, width: usize) -> Result<String, EmitError> {
        let (text, atomic) = self.fit(e, width)?;
        Ok(if atomic { text } else { format!("({text})") })
    }

    fn constant(&mut self, e: &Expr, value: Bits, width: usize) -> Result<Text, EmitError> {
        if let Expr::Constant { name: Some(net), .. } = e {
            if value.bits() == width {
                self.nets[*net].mark_read();
                return Ok((self.nets[*net].name.clone(), true));
            }
        }
        let sized = value.resized(width);
        if sized != value {
            return Err(EmitError::LiteralTooWide { block: self.block.to_string(), value: value.low_u128(), width });
        }
        Ok((literal(&sized), true))
    }

    fn exact(&mut self, e: &Expr) -> Result<Text, EmitError> {
        let width = e.width();
        Ok(match e {
            Expr::Net { net, .. } => (self.read(*net, 0, width), true),
            Expr::Constant { value, .. } => return self.constant(e, value.clone(), width.max(1)),
            Expr::Signed(inner) => return self.exact(inner),
            Expr::Resize(inner, width) => return self.fit(inner, *width),
            Expr::Not(inner) => (format!("~{}", self.operand(inner, width)?), true),
            Expr::Negate(inner) => (format!("-{}", self.operand(inner, width)?), false),
            Expr::Reduce(op, inner) => match inner.width() {
                1 => return self.exact(inner),
                inner_width => (format!("{op}{}", self.operand(inner, inner_width)?), false),
            },
            Expr::Arithmetic(op, a, b) => (self.arithmetic(*op, a, b, width)?, false),
            Expr::Compare(op, a, b) => (self.compare(op, a, b)?, false),
            Expr::Logical(op, a, b) => (format!("{} {op} {}", self.operand(a, 1)?, self.operand(b, 1)?), false),
            Expr::ShiftLeft(value, amount) => match amount.constant() {
                Some(amount) if amount.index() == 0 => return self.exact(value),
                Some(amount) if amount.index() >= width => (literal(&Bits::zero(width)), true),
                Some(amount) => (format!("{} << {}", self.operand(value, width)?, amount.index()), false),
                None => {
                    let amount = self.operand(amount, amount.width())?;
                    (format!("{} << {amount}", self.operand(value, width)?), false)
                }
            },
            Expr::ShiftRight(value, amount) => return self.shift_right(value, amount, width),
            Expr::Bit(value, idx) => return self.bit(value, idx),
            Expr::Slice { value, from, width } => return self.slice(value, *from, *width),
        })
    }

    /// The low `width` bits of a wider expression.
    fn truncated(&mut self, e: &Expr, width: usize) -> Result<Text, EmitError> {
        match e {
            Expr::Net { .. } => self.slice(e, 0, width),
            Expr::Slice { value, from, .. } => self.slice(value, *from, width),
            Expr::Signed(inner) | Expr::Resize(inner, _) => self.fit(inner, width),
            Expr::Not(inner) => Ok((format!("~{}", self.operand(inner, width)?), true)),
            Expr::Negate(inner) => Ok((format!("-{}", self.operand(inner, width)?), false)),
            // The low bits of these depend on the low bits of their operands only.
            Expr::Arithmetic(op, a, b) => Ok((self.arithmetic(*op, a, b, width)?, false)),
            Expr::ShiftRight(value, amount) if !value.signed() => match amount.constant() {
                Some(amount) if amount.index() + width <= value.width() => self.slice(value, amount.index(), width),
                _ => Err(self.name_first(e, width)),
            },
            _ => Err(self.name_first(e, width)),
        }
    }

    fn arithmetic(&mut self, op: Arithmetic, a: &Expr, b: &Expr, width: usize) -> Result<String, EmitError> {
        let op = match op {
            Arithmetic::Add => '+',
            Arithmetic::Sub => '-',
            Arithmetic::Mul => '*',
            Arithmetic::And => '&',
            Arithmetic::Or => '|',
            Arithmetic::Xor => '^',
        };
        Ok(format!("{} {op} {}", self.operand(a, width)?, self.operand(b, width)?))
    }

    fn compare(&mut self, op: &str, a: &Expr, b: &Expr) -> Result<String, EmitError> {
        let width = a.width().max(b.width());
        let signed = |e: &Expr| e.signed() || e.width() == 0;
        let both = signed(a) && signed(b) && width > 0;
        let (a, b) = (self.operand(a, width)?, self.operand(b, width)?);
        Ok(match both && op != "==" && op != "!=" {
            true => format!("$signed({a}) {op} $signed({b})"),
            false => format!("{a} {op} {b}"),
        })
    }

    fn shift_right(&mut self, value: &Expr, amount: &Expr, width: usize) -> Result<Text, EmitError> {
        let constant = amount.constant().map(|amount| amount.index());
        if constant == Some(0) {
            return self.exact(value);
        }
        if value.signed() {
            let amount = match constant {
                Some(amount) => amount.to_string(),
                None => self.operand(amount, amount.width())?,
            };
            // A concatenation keeps the sign of the neighbours out of the shift.
            return Ok((format!("{{$signed({}) >>> {amount}}}", self.exact(value)?.0), true));
        }
        match constant {
            Some(amount) if amount >= width => Ok((literal(&Bits::zero(width)), true)),
            Some(amount) if matches!(value, Expr::Net { .. }) => {
                let high = self.slice(value, amount, width - amount)?.0;
                Ok((format!("{{{amount}'d0, {high}}}"), true))
            }
            Some(amount) => Ok((format!("{} >> {amount}", self.operand(value, width)?), false)),
            None => {
                let amount = self.operand(amount, amount.width())?;
                Ok((format!("{} >> {amount}", self.operand(value, width)?), false))
            }
        }
    }

    fn bit(&mut self, value: &Expr, idx: &Expr) -> Result<Text, EmitError> {
        let width = value.width();
        if let Some(idx) = idx.constant() {
            return self.slice(value, idx.index(), 1);
        }
        if !matches!(value, Expr::Net { .. }) {
            return Err(self.name_first(value, 1));
        }
        let idx_bits = crate::bits::index_bits(width);
        if idx.width() > idx_bits {
            return Err(self.name_first(idx, idx_bits));
        }
        let idx = self.fit(idx, idx_bits)?.0;
        let name = self.exact(value)?.0;
        Ok((if width == 1 { format!("{name} & ~{idx}") } else { format!("{name}[{idx}]") }, width > 1))
    }

    fn slice(&mut self, value: &Expr, from: usize, width: usize) -> Result<Text, EmitError> {
        let own = value.width();
        let end = from.saturating_add(width);
        if end > own {
            return Err(EmitError::BitRange {
                block: self.block.to_string(),
                expression: self.exact(value)?.0,
                bit: end - 1,
                width: own,
            });
        }
        match value {
            Expr::Net { net, .. } => Ok((self.read(*net, from, width), true)),
            Expr::Signed(inner) => self.slice(inner, from, width),
            _ if from == 0 => self.fit(value, width),
            _ => Err(self.name_first(value, width)),
        }
    }

    /// The name of a net, or of a part of it.
    fn read(&mut self, net: NetId, from: usize, width: usize) -> String {
        let net = self.nets[net].alias.unwrap_or(net);
        let net = &mut self.nets[net];
        net.mark_part_read(from, width);
        part(&net.name, net.width, from, width)
    }

    fn name_first(&mut self, e: &Expr, width: usize) -> EmitError {
        EmitError::NameFirst {
            block: self.block.to_string(),
            expression: self.exact(e).map(|(text, _)| text).unwrap_or_default(),
            width,
        }
    }
}

/// A sized literal.
pub(super) fn literal(value: &Bits) -> String {
    match value.words().iter().skip(1).any(|&word| word != 0) || value.low_u128() > 0xffff_ffff {
        true => format!("{}'h{value}", value.bits()),
        false => format!("{}'d{}", value.bits(), value.low_u128()),
    }
}

/// ` [7:0]`, or nothing for one bit.
pub(super) fn range(width: usize) -> String {
    match width {
        1 => String::new(),
        _ => format!("[{}:0] ", width - 1),
    }
}

/// The port list of a module; `is_reg` tells which outputs are variables.
pub(super) fn port_list(node: &Node, is_reg: impl Fn(&str) -> bool) -> String {
    let mut lines = Vec::with_capacity(node.signals.len());
    for signal in &node.signals {
        let name = identifier(&signal.path);
        let kind = match signal.kind {
            Kind::Input => "input ",
            Kind::Output if is_reg(&name) => "output reg",
            Kind::Output => "output",
            Kind::Local | Kind::Constant(_) => continue,
        };
        lines.push(format!("    {kind} {}{name}", range(signal.width)));
    }
    format!("(\n{}\n);\n", lines.join(",\n"))
}

/// A leaf: ports from its signals, body as given. An output that the text assigns with `<=` or in an `always @(*)`
/// is a variable.
pub(super) fn leaf(node: &Node, text: &str) -> String {
    let is_reg = |name: &str| text.contains(&format!("{name} <= "));
    let mut content = port_list(node, is_reg);
    for line in text.trim_matches('\n').lines() {
        let _ = writeln!(content, "{}", format!("    {line}").trim_end()); // writing to a String cannot fail
    }
    content
}
