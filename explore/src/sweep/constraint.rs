//! Conditions on points.

use super::{Axis, SweepError};
use crate::point::Axes;
use evalexpr::{ContextWithMutableVariables, HashMapContext, Node, Operator, Value};

/// Longer texts could nest deeper than the parser's stack.
const MOST_CHARACTERS: usize = 1000;

/// An expression over the axes that holds or does not. All its numbers are real numbers: `rows / 2` of 3 rows is 1.5, and 1 equals 1.0.
#[derive(Clone, Debug)]
pub struct Constraint {
    /// Where it stands in the file.
    key: String,
    text: String,
    tree: Node,
}

impl Constraint {
    pub(super) fn read(key: &str, text: &str) -> Result<Self, SweepError> {
        let refuse = |rule: String| SweepError::Rule { key: key.to_owned(), value: format!("{text:?}"), rule };
        if text.len() > MOST_CHARACTERS {
            return Err(refuse(format!("at most {MOST_CHARACTERS} characters long")));
        }
        let mut tree =
            evalexpr::build_operator_tree(text).map_err(|error| refuse(format!("an expression: {error}")))?;
        if let Some(name) = tree.iter_write_variable_identifiers().next() {
            return Err(refuse(format!("a condition; it assigns {name}")));
        }
        if let Some(name) = tree.iter_variable_identifiers().find(|name| Axis::named(name).is_none()) {
            return Err(SweepError::ConstraintName {
                key: key.to_owned(),
                text: text.to_owned(),
                name: name.to_owned(),
            });
        }
        for operator in tree.iter_operators_mut() {
            if let Operator::Const { value } = operator {
                if let Value::Int(number) = *value {
                    *value = Value::Float(number as f64);
                }
            }
        }
        Ok(Self { key: key.to_owned(), text: text.to_owned(), tree })
    }

    fn holds(&self, axes: &Axes, variables: &HashMapContext) -> Result<bool, SweepError> {
        self.tree.eval_boolean_with_context(variables).map_err(|error| SweepError::Constraint {
            key: self.key.clone(),
            text: self.text.clone(),
            point: axes.to_string(),
            message: error.to_string(),
        })
    }
}

/// Whether all hold at a point; those after one that does not are not looked at.
pub(super) fn all_hold(constraints: &[Constraint], axes: &Axes) -> Result<bool, SweepError> {
    if constraints.is_empty() {
        return Ok(true);
    }
    let variables = variables(axes);
    for constraint in constraints {
        if !constraint.holds(axes, &variables)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The axes as variables: numbers, but names, roundings and `accumulator_bits = "auto"` as texts.
fn variables(axes: &Axes) -> HashMapContext {
    let mut context = HashMapContext::new();
    for axis in Axis::ALL {
        let text = axis.text(axes);
        let named = matches!(axis, Axis::Network | Axis::Method | Axis::Rounding);
        let value = match text.parse::<f64>() {
            Ok(number) if !named => Value::Float(number),
            _ => Value::String(text),
        };
        // Only a variable that changes its type, or the name of a function, is refused.
        let set = context.set_value(axis.name().to_owned(), value);
        debug_assert!(set.is_ok(), "{set:?}");
    }
    context
}
