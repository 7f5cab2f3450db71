//! Statements with loops unrolled, and what they write and read.

use super::expression::{Expr, NetId, Scope};
use super::names::{integer, Loops};
use super::EmitError;
use rust_hdl::core::ast::{
    VerilogBlockOrConditional, VerilogConditional, VerilogExpression, VerilogMatch, VerilogStatement,
};
use std::collections::BTreeSet;

#[derive(Clone, Debug)]
pub(super) enum Statement {
    Assign {
        target: NetId,
        width: usize,
        value: Expr,
    },
    If {
        test: Expr,
        then: Vec<Statement>,
        otherwise: Vec<Statement>,
    },
    /// `None` is the default.
    Case {
        test: Expr,
        arms: Vec<(Option<i64>, Vec<Statement>)>,
    },
}

impl Scope<'_> {
    /// Lowers `code`, unrolling loops and flattening macros.
    pub fn statements(&self, code: &[VerilogStatement], loops: &mut Loops) -> Result<Vec<Statement>, EmitError> {
        let mut out = Vec::with_capacity(code.len());
        for statement in code {
            self.statement(statement, loops, &mut out)?;
        }
        Ok(out)
    }

    fn statement(
        &self,
        statement: &VerilogStatement,
        loops: &mut Loops,
        out: &mut Vec<Statement>,
    ) -> Result<(), EmitError> {
        match statement {
            VerilogStatement::Assignment(VerilogExpression::Signal(name), value) => {
                let (target, width, _) = self.find(name, loops)?;
                let value = self.lower(value, loops)?;
                out.push(Statement::Assign { target, width, value });
            }
            VerilogStatement::If(conditional) => out.push(self.conditional(conditional, loops)?),
            VerilogStatement::Match(cases) => out.push(self.cases(cases, loops)?),
            VerilogStatement::Loop(unrolled) => {
                let bound = |value: usize| i64::try_from(value).unwrap_or(i64::MAX);
                for value in unrolled.from.as_usize()..unrolled.to.as_usize() {
                    loops.push((unrolled.index.clone(), bound(value)));
                    out.extend(self.statements(&unrolled.block, loops)?);
                    loops.pop();
                }
            }
            VerilogStatement::Macro(block) => out.extend(self.statements(block, loops)?),
            VerilogStatement::Comment(_) => {}
            VerilogStatement::Assignment(..) => return Err(self.refuse("an assignment to an expression")),
            VerilogStatement::SliceAssignment { .. } => return Err(self.refuse("an assignment to a slice")),
            VerilogStatement::Link(_) => return Err(self.refuse("`link` or `join`")),
        }
        Ok(())
    }

    fn refuse(&self, what: &'static str) -> EmitError {
        EmitError::Unsupported { block: self.block.to_string(), what }
    }

    fn conditional(&self, c: &VerilogConditional, loops: &mut Loops) -> Result<Statement, EmitError> {
        Ok(Statement::If {
            test: self.lower(&c.test, loops)?,
            then: self.statements(&c.then, loops)?,
            otherwise: match &c.otherwise {
                VerilogBlockOrConditional::Block(block) => self.statements(block, loops)?,
                VerilogBlockOrConditional::Conditional(nested) => {
                    let mut out = Vec::new();
                    self.statement(nested, loops, &mut out)?;
                    out
                }
                VerilogBlockOrConditional::None => Vec::new(),
            },
        })
    }

    fn cases(&self, m: &VerilogMatch, loops: &mut Loops) -> Result<Statement, EmitError> {
        let mut arms = Vec::with_capacity(m.cases.len());
        for case in &m.cases {
            let value = match case.condition.as_str() {
                "default" => None,
                text => Some(integer(text).ok_or_else(|| self.refuse("a `match` arm that is not an integer or `_`"))?),
            };
            arms.push((value, self.statements(&case.block, loops)?));
        }
        Ok(Statement::Case { test: self.lower(&m.test, loops)?, arms })
    }
}

impl Statement {
    /// Every net that it may write.
    pub fn writes(&self, found: &mut Vec<NetId>) {
        match self {
            Statement::Assign { target, .. } => found.push(*target),
            Statement::If { then, otherwise, .. } => {
                then.iter().chain(otherwise).for_each(|statement| statement.writes(found));
            }
            Statement::Case { arms, .. } => {
                arms.iter().flat_map(|(_, block)| block).for_each(|statement| statement.writes(found));
            }
        }
    }

    /// Calls `event` for reads (`false`) and writes (`true`) in program order.
    pub fn events(&self, event: &mut impl FnMut(NetId, bool)) {
        match self {
            Statement::Assign { target, value, .. } => {
                reads(value, &mut |net| event(net, false));
                event(*target, true);
            }
            Statement::If { test, then, otherwise } => {
                reads(test, &mut |net| event(net, false));
                then.iter().chain(otherwise).for_each(|statement| statement.events(event));
            }
            Statement::Case { test, arms } => {
                reads(test, &mut |net| event(net, false));
                arms.iter().flat_map(|(_, block)| block).for_each(|statement| statement.events(event));
            }
        }
    }
}

/// Calls `found` for every net that `e` reads.
pub(super) fn reads(e: &Expr, found: &mut impl FnMut(NetId)) {
    match e {
        Expr::Net { net, .. } => found(*net),
        Expr::Constant { .. } => {}
        Expr::Not(a) | Expr::Negate(a) | Expr::Reduce(_, a) | Expr::Resize(a, _) | Expr::Signed(a) => reads(a, found),
        Expr::Slice { value, .. } => reads(value, found),
        Expr::Arithmetic(_, a, b)
        | Expr::Compare(_, a, b)
        | Expr::Logical(_, a, b)
        | Expr::ShiftLeft(a, b)
        | Expr::ShiftRight(a, b)
        | Expr::Bit(a, b) => {
            reads(a, found);
            reads(b, found);
        }
    }
}

/// The nets that are written on every path through `block`.
pub(super) fn always_written(block: &[Statement]) -> BTreeSet<NetId> {
    let mut written = BTreeSet::new();
    for statement in block {
        match statement {
            Statement::Assign { target, .. } => {
                written.insert(*target);
            }
            Statement::If { then, otherwise, .. } => {
                let (a, b) = (always_written(then), always_written(otherwise));
                written.extend(a.intersection(&b));
            }
            Statement::Case { arms, .. } => {
                // Without a default some value may match no arm.
                if arms.iter().any(|(value, _)| value.is_none()) {
                    let common = arms.iter().map(|(_, block)| always_written(block));
                    let common = common.reduce(|a, b| a.intersection(&b).copied().collect());
                    written.extend(common.unwrap_or_default());
                }
            }
        }
    }
    written
}
