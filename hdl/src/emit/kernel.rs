//! A kernel becomes a module: what is connected directly, what is assigned, what needs `always @(*)`.

use super::expression::{Expr, NetId, Scope};
use super::names::identifier;
use super::net::Net;
use super::print::Printer;
use super::statement::{always_written, Statement};
use super::tree::{Kind, Node};
use super::EmitError;
use rust_hdl::core::ast::VerilogBlock;
use std::collections::{HashMap, HashSet};

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Role {
    Input,
    Output,
    Local,
    Constant,
    ChildInput,
    ChildOutput,
}

/// How a net gets its value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Driver {
    Outside,
    /// The instance whose output is connected to it.
    Child,
    /// `assign`, by the statement of this index.
    Assign(usize),
    /// Only a port list names the value; there is no net.
    Inline(usize),
    /// `always @(*)`.
    Procedure,
}

pub(super) struct Kernel<'a> {
    pub node: &'a Node,
    pub printer: Printer<'a>,
    pub roles: Vec<Role>,
    pub drivers: Vec<Driver>,
    pub statements: Vec<Statement>,
    /// Net of the first port of each child.
    pub first_port: Vec<NetId>,
    /// Whether the net belongs to a port of a register, which is a variable here and no instance.
    pub of_register: Vec<bool>,
}

/// The net at a register's port: the register's own name for its output, `.._next` for its input.
fn register_port(path: &str, register: &str) -> String {
    match path.rsplit('$').next() {
        Some("d_out") => register.to_string(),
        Some("d_in") => format!("{register}_next"),
        Some("enable_in") => format!("{register}_enable"),
        _ => identifier(path),
    }
}

/// The text of the module after its name, up to `endmodule`.
pub(super) fn module(node: &Node, modules: &[String], code: &VerilogBlock, path: &str) -> Result<String, EmitError> {
    if node.has_inout {
        return Err(EmitError::Unsupported { block: path.to_string(), what: "a bidirectional signal" });
    }
    let mut kernel = Kernel::new(node, code, path)?;
    kernel.find_drivers()?;
    kernel.connect_outputs();
    kernel.print(modules)
}

impl<'a> Kernel<'a> {
    fn new(node: &'a Node, code: &VerilogBlock, path: &'a str) -> Result<Kernel<'a>, EmitError> {
        let mut nets = Vec::new();
        let mut roles = Vec::new();
        let mut of_register = Vec::new();
        let mut by_path = HashMap::new();
        let instances = node.children.iter().filter(|child| !child.is_register());
        let mut taken: HashSet<String> = instances.map(|child| child.instance.clone()).collect();
        let mut add =
            |path: String, register: Option<&str>, width: usize, role: Role, value: Option<crate::bits::Bits>| {
                let name = match (role, register) {
                    (Role::Constant, _) => identifier(&path).to_uppercase(),
                    (_, Some(register)) => register_port(&path, register),
                    _ => identifier(&path),
                };
                let mut unique = name.clone();
                let is_port = matches!(role, Role::Input | Role::Output);
                for n in 2.. {
                    if taken.insert(unique.clone()) || is_port {
                        break;
                    }
                    unique = format!("{name}_{n}");
                }
                by_path.insert(path, (nets.len(), width, value));
                nets.push(Net::new(unique, width));
                roles.push(role);
                of_register.push(register.is_some());
            };
        for signal in &node.signals {
            let (role, value) = match &signal.kind {
                Kind::Input => (Role::Input, None),
                Kind::Output => (Role::Output, None),
                Kind::Local => (Role::Local, None),
                Kind::Constant(value) => (Role::Constant, Some(value.clone())),
            };
            add(signal.path.clone(), None, signal.width, role, value);
        }
        let mut first_port = Vec::with_capacity(node.children.len());
        let mut n_nets = node.signals.len();
        for child in &node.children {
            first_port.push(n_nets);
            let register = child.is_register().then_some(child.instance.as_str());
            for signal in &child.signals {
                let role = match signal.kind {
                    Kind::Input => Role::ChildInput,
                    Kind::Output => Role::ChildOutput,
                    Kind::Local | Kind::Constant(_) => continue,
                };
                add(format!("{}${}", child.path, signal.path), register, signal.width, role, None);
                n_nets += 1;
            }
        }
        let scope = Scope { block: path, nets: &by_path };
        let statements = scope.statements(code, &mut Vec::new())?;
        Ok(Kernel {
            node,
            drivers: vec![Driver::Outside; nets.len()],
            printer: Printer { nets, block: path },
            roles,
            statements,
            first_port,
            of_register,
        })
    }

    fn find_drivers(&mut self) -> Result<(), EmitError> {
        let n_nets = self.roles.len();
        let mut n_writes = vec![0_usize; n_nets];
        let mut alone: Vec<Option<usize>> = vec![None; n_nets];
        let mut read = vec![false; n_nets];
        let mut written = Vec::new();
        for (i, statement) in self.statements.iter().enumerate() {
            written.clear();
            statement.writes(&mut written);
            for &net in &written {
                n_writes[net] += 1;
                alone[net] = matches!(statement, Statement::Assign { .. }).then_some(i);
            }
            statement.events(&mut |net, is_write| read[net] |= !is_write);
        }
        self.check_order()?;
        for net in 0..n_nets {
            self.drivers[net] = match (self.roles[net], n_writes[net], alone[net]) {
                (Role::ChildOutput, 0, _) => Driver::Child,
                (Role::Input | Role::Constant, 0, _) => Driver::Outside,
                (Role::Input | Role::Constant | Role::ChildOutput, ..) => {
                    return Err(EmitError::Unsupported {
                        block: self.printer.block.to_string(),
                        what: "a write to an input, a constant or a child's output",
                    })
                }
                (_, 0, _) => return Err(self.signal_error(net, |block, signal| EmitError::Undriven { block, signal })),
                (Role::ChildInput, 1, Some(i)) if !read[net] && (self.of_register[net] || self.is_plain(i)) => {
                    Driver::Inline(i)
                }
                (_, 1, Some(i)) => Driver::Assign(i),
                _ => Driver::Procedure,
            };
        }
        let complete = always_written(&self.statements);
        let latch = (0..n_nets).find(|net| self.drivers[*net] == Driver::Procedure && !complete.contains(net));
        match latch {
            Some(net) => Err(self.signal_error(net, |block, signal| EmitError::Latch { block, signal })),
            None => Ok(()),
        }
    }

    fn signal_error(&self, net: NetId, error: fn(String, String) -> EmitError) -> EmitError {
        error(self.printer.block.to_string(), self.printer.nets[net].name.clone())
    }

    /// A value between two writes exists in a kernel but not on a wire.
    fn check_order(&self) -> Result<(), EmitError> {
        let mut first_write = HashMap::new();
        let mut last_write = HashMap::new();
        let mut reads = Vec::new();
        let mut time = 0_usize;
        for statement in &self.statements {
            statement.events(&mut |net, is_write| {
                time += 1;
                match is_write {
                    true => {
                        first_write.entry(net).or_insert(time);
                        last_write.insert(net, time);
                    }
                    false => reads.push((net, time)),
                }
            });
        }
        let between = |(net, time): &&(NetId, usize)| {
            let own = matches!(self.roles[*net], Role::Local | Role::Output);
            let after_first = first_write.get(net).is_some_and(|first| first < time);
            own && after_first && last_write.get(net).is_some_and(|last| last > time)
        };
        match reads.iter().find(between) {
            Some((net, _)) => {
                Err(self.signal_error(*net, |block, signal| EmitError::ReadBeforeWrite { block, signal }))
            }
            None => Ok(()),
        }
    }

    /// May the value of this assignment stand in a port list?
    fn is_plain(&self, statement: usize) -> bool {
        fn plain(e: &Expr) -> bool {
            match e {
                Expr::Net { .. } | Expr::Constant { .. } => true,
                Expr::Resize(e, _) | Expr::Signed(e) | Expr::Slice { value: e, .. } => plain(e),
                Expr::Bit(e, at) | Expr::ShiftRight(e, at) => plain(e) && at.constant().is_some(),
                _ => false,
            }
        }
        matches!(&self.statements[statement], Statement::Assign { value, .. } if plain(value) || value.constant().is_some())
    }

    /// `signal.next = child.port.val()` connects the signal itself to the port.
    fn connect_outputs(&mut self) {
        for wanted in [Role::Output, Role::Local] {
            for target in 0..self.roles.len() {
                let Driver::Assign(i) = self.drivers[target] else { continue };
                let Statement::Assign { value: Expr::Net { net, width }, .. } = &self.statements[i] else { continue };
                let (source, same_width) = (*net, *width == self.printer.nets[target].width);
                let free = self.roles[source] == Role::ChildOutput && self.printer.nets[source].alias.is_none();
                if self.roles[target] == wanted && same_width && free {
                    self.printer.nets[source].alias = Some(target);
                    self.drivers[target] = Driver::Child;
                }
            }
        }
    }
}
