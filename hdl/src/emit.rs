//! The emitter: a block tree becomes plain Verilog-2001, one module per distinct block.
//!
//! # What becomes of a kernel
//! - Loops are unrolled; `rows[i].x` becomes `rows_3_x`.
//! - `child.port.next = signal.val()`, alone and unconditional, connects `signal` in the port list of the instance;
//!   `signal.next = child.port.val()` connects it from the other side.
//! - Any other signal that is written once and unconditionally becomes an `assign`.
//! - The rest goes into `always @(*)`, one for each group of signals that share statements. A signal that is not written
//!   on every path would be a latch: that is an error.
//! - Widths are made equal everywhere, by the rule in [`crate::bits`]; nothing is left for Verilog to extend.
//! - What is never read is named `unused_*`.
//!
//! # What a kernel must not do
//! - Read a local signal or an output between two writes of it: Verilog's `assign` would see the last one.
//! - Truncate an expression whose low bits depend on its high bits (a shift right, a comparison is fine): name it first.

mod expression;
mod kernel;
mod kernel_text;
mod names;
mod net;
mod print;
mod statement;
mod tree;

use rust_hdl::core::check_error::CheckError;
use rust_hdl::prelude::{check_all, Block, Verilog};
use spec::Port;
use std::collections::{HashMap, HashSet};
use tree::Node;

/// Verilog and what a harness needs to know about it.
#[derive(Clone, Debug)]
pub struct Emitted {
    /// The whole text, the top module last.
    pub verilog: String,
    /// The ports of the top module, in order.
    pub ports: Vec<Port>,
    /// The number of modules in the text.
    pub n_modules: usize,
}

/// Why a design cannot be emitted. `block` is the path of instance names.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum EmitError {
    #[error("RustHDL refuses the design: {0:?}")]
    Check(CheckError),
    #[error("{block}: no signal `{name}` (only signals and constants may stand in an expression)")]
    UnknownSignal { block: String, name: String },
    #[error("{block}: cannot evaluate the index in `{name}` (loop variables, integers, + - * only)")]
    Index { block: String, name: String },
    #[error("{block}: `{signal}` is not written on every path: a latch")]
    Latch { block: String, signal: String },
    #[error("{block}: `{signal}` is read before its last write")]
    ReadBeforeWrite { block: String, signal: String },
    #[error("{block}: `{signal}` is never written")]
    Undriven { block: String, signal: String },
    #[error("{block}: literal {value} does not fit in {width} bits")]
    LiteralTooWide { block: String, value: u128, width: usize },
    #[error("{block}: `{expression}` must be a signal of its own before its width changes to {width}")]
    NameFirst { block: String, expression: String, width: usize },
    #[error("{block}: bit {bit} of `{expression}`, which has {width}")]
    BitRange { block: String, expression: String, bit: usize, width: usize },
    #[error("{block}: {what} cannot be emitted")]
    Unsupported { block: String, what: &'static str },
}

/// Emits `top`, on which `connect_all()` has been called, as the module `name`. Every line of `header` becomes a comment at the start of the text.
///
/// # Errors
/// If RustHDL's own checks or the rules above refuse the design.
pub fn emit(top: &impl Block, name: &str, header: &str) -> Result<Emitted, EmitError> {
    check_all(top).map_err(EmitError::Check)?;
    let root = tree::walk(top, name);
    let mut library = Library::default();
    for line in header.lines() {
        library.text.push_str(format!("// {line}").trim_end());
        library.text.push('\n');
    }
    library.taken.insert(name.to_string());
    library.add(&root, "", Some(name))?;
    Ok(Emitted { verilog: library.text, ports: root.ports(), n_modules: library.by_content.len() })
}

/// Modules already printed, found again by their content.
#[derive(Default)]
struct Library {
    text: String,
    by_content: HashMap<String, String>,
    taken: HashSet<String>,
}

impl Library {
    /// Prints `node` after its children, unless the same module is there already, and returns its module name.
    fn add(&mut self, node: &Node, path: &str, name: Option<&str>) -> Result<String, EmitError> {
        let path = match path {
            "" => node.instance.clone(),
            _ => format!("{path}.{}", node.instance),
        };
        let mut modules = Vec::with_capacity(node.children.len());
        for child in &node.children {
            modules.push(match child.is_register() {
                true => String::new(),
                false => self.add(child, &path, None)?,
            });
        }
        let content = match &node.code {
            Verilog::Combinatorial(code) => kernel::module(node, &modules, code, &path)?,
            Verilog::Custom(text) => print::leaf(node, text),
            Verilog::Empty => kernel::module(node, &modules, &Vec::new(), &path)?,
            Verilog::Blackbox(_) => return Err(EmitError::Unsupported { block: path, what: "a black box" }),
            Verilog::Wrapper(_) => return Err(EmitError::Unsupported { block: path, what: "a wrapper" }),
        };
        let key = format!("{}\n{content}", node.module);
        if let (None, Some(known)) = (name, self.by_content.get(&key)) {
            return Ok(known.clone());
        }
        let module = match name {
            Some(name) => name.to_string(),
            None => self.fresh(&node.module),
        };
        self.text.push('\n');
        for line in node.description.lines() {
            self.text.push_str(&format!("// {line}\n"));
        }
        self.text.push_str(&format!("module {module} {content}endmodule\n"));
        self.by_content.insert(key, module.clone());
        Ok(module)
    }

    fn fresh(&mut self, base: &str) -> String {
        let numbered = (2..).map(|n| format!("{base}_{n}"));
        let mut candidates = std::iter::once(base.to_string()).chain(numbered);
        // The candidates are endless and the taken names are not.
        let free = candidates.find(|name| !self.taken.contains(name)).unwrap_or_default();
        self.taken.insert(free.clone());
        free
    }
}
