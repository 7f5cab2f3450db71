//! The block tree as the emitter sees it: instances, signals and syntax trees.

use super::names::identifier;
use crate::bits::Bits;
use crate::leaves::{register_enabled_text, register_text};
use rust_hdl::prelude::{Atom, AtomKind, Block, Probe, Verilog, VerilogLiteral};
use spec::{Direction, Port};

/// A signal or constant of a block.
pub(super) struct Signal {
    /// As RustHDL writes it in kernels after loops are unrolled: `lanes$3`.
    pub path: String,
    pub kind: Kind,
    pub width: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Input,
    Output,
    Local,
    Constant(Bits),
}

/// A block: an instance of a module.
pub(super) struct Node {
    pub instance: String,
    /// As in `Signal::path`.
    pub path: String,
    pub module: String,
    pub description: String,
    pub signals: Vec<Signal>,
    pub children: Vec<Node>,
    pub code: Verilog,
    pub has_inout: bool,
}

impl Node {
    pub fn ports(&self) -> Vec<Port> {
        let port = |signal: &Signal| {
            let direction = match signal.kind {
                Kind::Input => Direction::Input,
                Kind::Output => Direction::Output,
                Kind::Local | Kind::Constant(_) => return None,
            };
            Some(Port { name: identifier(&signal.path), direction, width: signal.width })
        };
        self.signals.iter().filter_map(port).collect()
    }

    /// Whether this is a register leaf: it becomes a variable of its parent instead of an instance.
    pub fn is_register(&self) -> bool {
        let width = self.signals.iter().find(|signal| signal.path == "d_out").map(|signal| signal.width);
        match (&self.code, width) {
            (Verilog::Custom(text), Some(width)) => {
                *text == register_text(width) || *text == register_enabled_text(width)
            }
            _ => false,
        }
    }
}

/// Reads the tree below `top`.
pub(super) fn walk(top: &dyn Block, name: &str) -> Node {
    let mut walker = Walker { open: vec![Node::new("", None)], namespace: Vec::new() };
    top.accept(name, &mut walker);
    // The outermost node is a frame around `top`, left on the stack by the balanced calls of `accept`.
    let mut frame = walker.open.swap_remove(0);
    frame.children.pop().unwrap_or(frame)
}

impl Node {
    fn new(path: &str, block: Option<&dyn Block>) -> Node {
        let info = block.map(|block| block.timing()).unwrap_or_default().into_iter().next();
        let stem = path.trim_end_matches(|c: char| c.is_ascii_digit() || c == '$');
        Node {
            instance: identifier(path),
            path: path.to_string(),
            module: info.as_ref().map_or_else(|| identifier(stem), |info| info.name.clone()),
            description: info.map(|info| info.clock).unwrap_or_default(),
            signals: Vec::new(),
            children: Vec::new(),
            code: block.map_or(Verilog::Empty, |block| block.hdl()),
            has_inout: false,
        }
    }
}

struct Walker {
    open: Vec<Node>,
    namespace: Vec<String>,
}

impl Probe for Walker {
    fn visit_start_scope(&mut self, name: &str, node: &dyn Block) {
        self.open.push(Node::new(name, Some(node)));
    }

    fn visit_start_namespace(&mut self, name: &str, _node: &dyn Block) {
        self.namespace.push(name.to_string());
    }

    fn visit_atom(&mut self, name: &str, signal: &dyn Atom) {
        let Some(node) = self.open.last_mut() else { return };
        let kind = match signal.kind() {
            AtomKind::InputParameter => Kind::Input,
            AtomKind::OutputParameter => Kind::Output,
            AtomKind::Constant => Kind::Constant(Bits::new(literal_value(&signal.verilog()), signal.bits())),
            AtomKind::LocalSignal => Kind::Local,
            _ => {
                node.has_inout = true;
                return;
            }
        };
        let mut path = self.namespace.clone();
        path.push(name.to_string());
        node.signals.push(Signal { path: path.join("$"), kind, width: signal.bits() });
    }

    fn visit_end_namespace(&mut self, _name: &str, _node: &dyn Block) {
        self.namespace.pop();
    }

    fn visit_end_scope(&mut self, _name: &str, _node: &dyn Block) {
        if self.open.len() > 1 {
            if let (Some(done), Some(parent)) = (self.open.pop(), self.open.last_mut()) {
                parent.children.push(done);
            }
        }
    }
}

/// The value of a RustHDL literal, whose fields are private: read from its printed form `32'h1f`.
pub(super) fn literal_value(literal: &VerilogLiteral) -> u128 {
    let text = format!("{literal:x}");
    let digits = text.rsplit_once('h').map_or("", |(_, digits)| digits);
    u128::from_str_radix(digits, 16).unwrap_or(0)
}
