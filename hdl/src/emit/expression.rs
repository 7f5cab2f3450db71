//! Expressions with known widths, lowered from RustHDL's syntax tree.

use super::names::{resolve, Loops};
use super::tree::literal_value;
use super::EmitError;
use crate::bits::Bits;
use rust_hdl::core::ast::{VerilogExpression, VerilogOp, VerilogOpUnary};
use std::collections::HashMap;

/// Index of a net in its module.
pub(super) type NetId = usize;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Arithmetic {
    Add,
    Sub,
    Mul,
    And,
    Or,
    Xor,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expr {
    Net {
        net: NetId,
        width: usize,
    },
    /// A literal (width 0) or a named constant.
    Constant {
        value: Bits,
        name: Option<NetId>,
    },
    Not(Box<Expr>),
    Negate(Box<Expr>),
    /// `&`, `|` or `^` over all bits.
    Reduce(char, Box<Expr>),
    Arithmetic(Arithmetic, Box<Expr>, Box<Expr>),
    Compare(&'static str, Box<Expr>, Box<Expr>),
    Logical(&'static str, Box<Expr>, Box<Expr>),
    ShiftLeft(Box<Expr>, Box<Expr>),
    ShiftRight(Box<Expr>, Box<Expr>),
    Bit(Box<Expr>, Box<Expr>),
    Slice {
        value: Box<Expr>,
        from: usize,
        width: usize,
    },
    Resize(Box<Expr>, usize),
    Signed(Box<Expr>),
}

impl Expr {
    /// The width by the rule of [`crate::bits`]; 0 for a literal.
    pub fn width(&self) -> usize {
        match self {
            Expr::Net { width, .. } | Expr::Slice { width, .. } | Expr::Resize(_, width) => *width,
            Expr::Constant { value, .. } => value.bits(),
            Expr::Not(e) | Expr::Negate(e) | Expr::Signed(e) | Expr::ShiftLeft(e, _) | Expr::ShiftRight(e, _) => {
                e.width()
            }
            Expr::Reduce(..) | Expr::Compare(..) | Expr::Logical(..) | Expr::Bit(..) => 1,
            Expr::Arithmetic(_, a, b) => a.width().max(b.width()),
        }
    }

    /// Is it extended with its sign?
    pub fn signed(&self) -> bool {
        let either = |e: &Expr| e.signed() || e.width() == 0;
        match self {
            Expr::Signed(_) => true,
            Expr::Not(e) | Expr::Negate(e) | Expr::ShiftLeft(e, _) => e.signed(),
            Expr::Arithmetic(_, a, b) => self.width() > 0 && either(a) && either(b),
            _ => false,
        }
    }

    /// The value, if it depends on literals and constants only.
    pub fn constant(&self) -> Option<Bits> {
        match self {
            Expr::Constant { value, .. } => Some(value.clone()),
            Expr::Arithmetic(op, a, b) => {
                let (a, b) = (a.constant()?, b.constant()?);
                Some(match op {
                    Arithmetic::Add => a + b,
                    Arithmetic::Sub => a - b,
                    Arithmetic::Mul => a * b,
                    Arithmetic::And => a & b,
                    Arithmetic::Or => a | b,
                    Arithmetic::Xor => a ^ b,
                })
            }
            Expr::Resize(e, width) => Some(e.constant()?.resized(*width)),
            _ => None,
        }
    }
}

/// What lowering needs to know about a module: its nets by path.
pub(super) struct Scope<'a> {
    pub block: &'a str,
    pub nets: &'a HashMap<String, (NetId, usize, Option<Bits>)>,
}

impl Scope<'_> {
    /// The net of a kernel's path, with its width and, for a constant, its value.
    pub fn find(&self, name: &str, loops: &Loops) -> Result<(NetId, usize, Option<Bits>), EmitError> {
        let path = resolve(name, loops)
            .ok_or_else(|| EmitError::Index { block: self.block.to_string(), name: name.to_string() })?;
        self.nets
            .get(&path)
            .cloned()
            .ok_or_else(|| EmitError::UnknownSignal { block: self.block.to_string(), name: path.replace('$', ".") })
    }

    fn unsupported(&self, what: &'static str) -> EmitError {
        EmitError::Unsupported { block: self.block.to_string(), what }
    }

    pub fn lower(&self, e: &VerilogExpression, loops: &Loops) -> Result<Expr, EmitError> {
        let boxed = |e: &VerilogExpression| self.lower(e, loops).map(Box::new);
        Ok(match e {
            VerilogExpression::Signal(name) => self.lower_signal(name, loops)?,
            VerilogExpression::Literal(literal) => Expr::Constant {
                value: match format!("{literal:x}").starts_with("1'") {
                    true => Bits::new(literal_value(literal), 1),
                    false => Bits::new(literal_value(literal), 0),
                },
                name: None,
            },
            VerilogExpression::Cast(e, bits) => Expr::Resize(boxed(e)?, *bits),
            VerilogExpression::Signed(e) => Expr::Signed(boxed(e)?),
            VerilogExpression::Unsigned(e) => {
                let inner = self.lower(e, loops)?;
                let width = inner.width();
                Expr::Resize(Box::new(inner), width)
            }
            VerilogExpression::Paren(e) => self.lower(e, loops)?,
            VerilogExpression::Binary(a, op, b) => binary(boxed(a)?, op, boxed(b)?),
            VerilogExpression::Unary(op, e) => match op {
                VerilogOpUnary::Not => Expr::Not(boxed(e)?),
                VerilogOpUnary::Neg => Expr::Negate(boxed(e)?),
                VerilogOpUnary::All => Expr::Reduce('&', boxed(e)?),
                VerilogOpUnary::Any => Expr::Reduce('|', boxed(e)?),
                VerilogOpUnary::Xor => Expr::Reduce('^', boxed(e)?),
            },
            VerilogExpression::Index(e, idx) => Expr::Bit(boxed(e)?, boxed(idx)?),
            VerilogExpression::Slice(e, width, from) => Expr::Slice {
                value: boxed(e)?,
                from: match self.lower(from, loops)?.constant() {
                    Some(from) => from.index(),
                    None => return Err(self.unsupported("`get_bits` at a position that is not constant")),
                },
                width: *width,
            },
            VerilogExpression::IndexReplace(..) => return Err(self.unsupported("`replace_bit`")),
        })
    }

    fn lower_signal(&self, name: &str, loops: &Loops) -> Result<Expr, EmitError> {
        if let Some((_, value)) = loops.iter().rev().find(|(variable, _)| variable == name) {
            let value = usize::try_from(*value).unwrap_or(0);
            return Ok(Expr::Constant { value: Bits::from(value), name: None });
        }
        let (net, width, value) = self.find(name, loops)?;
        Ok(match value {
            Some(value) => Expr::Constant { value, name: Some(net) },
            None => Expr::Net { net, width },
        })
    }
}

fn binary(a: Box<Expr>, op: &VerilogOp, b: Box<Expr>) -> Expr {
    match op {
        VerilogOp::Add => Expr::Arithmetic(Arithmetic::Add, a, b),
        VerilogOp::Sub => Expr::Arithmetic(Arithmetic::Sub, a, b),
        VerilogOp::Mul => Expr::Arithmetic(Arithmetic::Mul, a, b),
        VerilogOp::BitAnd => Expr::Arithmetic(Arithmetic::And, a, b),
        VerilogOp::BitOr => Expr::Arithmetic(Arithmetic::Or, a, b),
        VerilogOp::BitXor => Expr::Arithmetic(Arithmetic::Xor, a, b),
        VerilogOp::LogicalAnd => Expr::Logical("&&", a, b),
        VerilogOp::LogicalOr => Expr::Logical("||", a, b),
        VerilogOp::Shl => Expr::ShiftLeft(a, b),
        VerilogOp::Shr => Expr::ShiftRight(a, b),
        VerilogOp::Eq => Expr::Compare("==", a, b),
        VerilogOp::Ne => Expr::Compare("!=", a, b),
        VerilogOp::Lt => Expr::Compare("<", a, b),
        VerilogOp::Le => Expr::Compare("<=", a, b),
        VerilogOp::Ge => Expr::Compare(">=", a, b),
        VerilogOp::Gt => Expr::Compare(">", a, b),
    }
}
