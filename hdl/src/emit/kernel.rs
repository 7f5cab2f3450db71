//! A kernel becomes a module: what is connected directly, what is assigned, what needs `always @(*)`.

use super::expression::{Expr, NetId, Scope};
use super::names::identifier;
use super::print::{literal, part, port_list, range, Net, Printer};
use super::statement::{always_written, Statement};
use super::tree::{Kind, Node};
use super::EmitError;
use rust_hdl::core::ast::VerilogBlock;
use std::collections::{HashMap, HashSet};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Role {
    Input,
    Output,
    Local,
    Constant,
    ChildInput,
    ChildOutput,
}

/// How a net gets its value.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Driver {
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

struct Kernel<'a> {
    node: &'a Node,
    printer: Printer<'a>,
    roles: Vec<Role>,
    drivers: Vec<Driver>,
    statements: Vec<Statement>,
    /// Net of the first port of each child.
    first_port: Vec<NetId>,
}

/// The text of the module after its name, up to `endmodule`.
pub(super) fn module(node: &Node, modules: &[String], code: &VerilogBlock, path: &str) -> Result<String, EmitError> {
    if node.has_inout {
        return Err(EmitError::Unsupported {
            block: path.to_string(),
            what: "a bidirectional signal",
        });
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
        let mut by_path = HashMap::new();
        let mut taken: HashSet<String> = node.children.iter().map(|child| child.instance.clone()).collect();
        let mut add = |path: String, width: usize, role: Role, value: Option<crate::bits::Bits>| {
            let name = match role {
                Role::Constant => identifier(&path).to_uppercase(),
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
        };
        for signal in &node.signals {
            let (role, value) = match &signal.kind {
                Kind::Input => (Role::Input, None),
                Kind::Output => (Role::Output, None),
                Kind::Local => (Role::Local, None),
                Kind::Constant(value) => (Role::Constant, Some(value.clone())),
            };
            add(signal.path.clone(), signal.width, role, value);
        }
        let mut first_port = Vec::with_capacity(node.children.len());
        let mut n_nets = node.signals.len();
        for child in &node.children {
            first_port.push(n_nets);
            for signal in &child.signals {
                let role = match signal.kind {
                    Kind::Input => Role::ChildInput,
                    Kind::Output => Role::ChildOutput,
                    Kind::Local | Kind::Constant(_) => continue,
                };
                add(format!("{}${}", child.path, signal.path), signal.width, role, None);
                n_nets += 1;
            }
        }
        let scope = Scope {
            block: path,
            nets: &by_path,
        };
        let statements = scope.statements(code, &mut Vec::new())?;
        Ok(Kernel {
            node,
            drivers: vec![Driver::Outside; nets.len()],
            printer: Printer { nets, block: path },
            roles,
            statements,
            first_port,
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
                (Role::ChildInput, 1, Some(i)) if !read[net] && self.is_plain(i) => Driver::Inline(i),
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
            Some((net, _)) => Err(self.signal_error(*net, |block, signal| EmitError::ReadBeforeWrite { block, signal })),
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

    fn print(mut self, modules: &[String]) -> Result<String, EmitError> {
        let inputs = self.print_inline()?;
        let assigns = self.print_assigns()?;
        let procedures = self.print_procedures()?;
        let unused = self.print_unused();
        let instances = self.print_instances(modules, &inputs);
        let is_reg = |name: &str| {
            let port = |net: &NetId| self.roles[*net] == Role::Output && self.printer.nets[*net].name == name;
            (0..self.roles.len()).find(port).is_some_and(|net| self.drivers[net] == Driver::Procedure)
        };
        let mut text = port_list(self.node, is_reg);
        let parts = [self.print_declarations(), assigns, procedures, instances, unused];
        for part in parts.iter().filter(|part| !part.is_empty()) {
            if !text.ends_with(");\n") || text.ends_with("\n);\n") && part.starts_with("    always") {
                text.push('\n');
            }
            text.push_str(part);
        }
        Ok(text)
    }

    /// The values that stand in port lists.
    fn print_inline(&mut self) -> Result<HashMap<NetId, String>, EmitError> {
        let mut inline = HashMap::new();
        for net in 0..self.roles.len() {
            if let Driver::Inline(i) = self.drivers[net] {
                inline.insert(net, self.assigned(i)?);
            }
        }
        Ok(inline)
    }

    fn assigned(&mut self, statement: usize) -> Result<String, EmitError> {
        match &self.statements[statement] {
            Statement::Assign { width, value, .. } => Ok(self.printer.fit(value, *width)?.0),
            // Only assignments are recorded as such.
            Statement::If { .. } | Statement::Case { .. } => Ok(String::new()),
        }
    }

    fn print_assigns(&mut self) -> Result<String, EmitError> {
        let mut text = String::new();
        for net in 0..self.roles.len() {
            if let Driver::Assign(i) = self.drivers[net] {
                let value = self.assigned(i)?;
                text.push_str(&format!("    assign {} = {value};\n", self.printer.nets[net].name));
            }
        }
        Ok(text)
    }

    /// One `always @(*)` for each group of signals that share a statement.
    fn print_procedures(&mut self) -> Result<String, EmitError> {
        let mut group: Vec<NetId> = (0..self.roles.len()).collect();
        fn root(group: &[NetId], mut net: NetId) -> NetId {
            while group[net] != net {
                net = group[net];
            }
            net
        }
        let mut members = Vec::new();
        for (i, statement) in self.statements.iter().enumerate() {
            let mut written = Vec::new();
            statement.writes(&mut written);
            written.retain(|net| self.drivers[*net] == Driver::Procedure);
            for pair in written.windows(2) {
                let (a, b) = (root(&group, pair[0]), root(&group, pair[1]));
                group[a.max(b)] = a.min(b);
            }
            members.extend(written.first().map(|net| (i, *net)));
        }
        let mut order = Vec::new();
        let mut blocks: HashMap<NetId, Vec<usize>> = HashMap::new();
        for (i, net) in members {
            let leader = root(&group, net);
            blocks.entry(leader).or_insert_with(|| {
                order.push(leader);
                Vec::new()
            });
            blocks.entry(leader).and_modify(|block| block.push(i));
        }
        let mut parts = Vec::new();
        let statements = std::mem::take(&mut self.statements);
        for leader in order {
            let mut text = "    always @(*) begin\n".to_string();
            for &i in &blocks[&leader] {
                self.print_statement(&statements[i], 2, &mut text)?;
            }
            text.push_str("    end\n");
            parts.push(text);
        }
        self.statements = statements;
        Ok(parts.join("\n"))
    }

    fn print_statement(&mut self, statement: &Statement, depth: usize, text: &mut String) -> Result<(), EmitError> {
        let indent = "    ".repeat(depth);
        match statement {
            Statement::Assign { target, width, value } => {
                let value = self.printer.fit(value, *width)?.0;
                text.push_str(&format!("{indent}{} = {value};\n", self.printer.nets[*target].name));
            }
            Statement::If { test, then, otherwise } => {
                text.push_str(&format!("{indent}if ({}) begin\n", self.printer.fit(test, 1)?.0));
                self.print_block(then, depth + 1, text)?;
                match otherwise.as_slice() {
                    [] => {}
                    [nested @ Statement::If { .. }] => {
                        let mut inner = String::new();
                        self.print_statement(nested, depth, &mut inner)?;
                        text.push_str(&format!("{indent}end else {}", inner.trim_start()));
                        return Ok(());
                    }
                    block => {
                        text.push_str(&format!("{indent}end else begin\n"));
                        self.print_block(block, depth + 1, text)?;
                    }
                }
                text.push_str(&format!("{indent}end\n"));
            }
            Statement::Case { test, arms } => {
                let width = test.width();
                text.push_str(&format!("{indent}case ({})\n", self.printer.fit(test, width)?.0));
                for (value, block) in arms {
                    let label = match value {
                        Some(value) => {
                            let value = usize::try_from(*value).unwrap_or(0);
                            self.printer.fit(&literal_expr(value), width)?.0
                        }
                        None => "default".to_string(),
                    };
                    text.push_str(&format!("{indent}    {label}: begin\n"));
                    self.print_block(block, depth + 2, text)?;
                    text.push_str(&format!("{indent}    end\n"));
                }
                text.push_str(&format!("{indent}endcase\n"));
            }
        }
        Ok(())
    }

    fn print_block(&mut self, block: &[Statement], depth: usize, text: &mut String) -> Result<(), EmitError> {
        block.iter().try_for_each(|statement| self.print_statement(statement, depth, text))
    }

    /// Names what nothing reads, so that a linter can tell it from a mistake.
    fn print_unused(&mut self) -> String {
        let mut text = String::new();
        for id in 0..self.roles.len() {
            let net = &mut self.printer.nets[id];
            let ranges = match self.roles[id] {
                Role::Input | Role::Local => net.unread(),
                Role::ChildOutput if net.alias.is_none() && net.is_read() => net.unread(),
                Role::ChildOutput if net.alias.is_none() => {
                    net.name = format!("unused_{}", net.name);
                    continue;
                }
                _ => continue,
            };
            if ranges.is_empty() {
                continue;
            }
            let parts = ranges.iter().map(|&(from, width)| part(&net.name, net.width, from, width));
            let parts = parts.collect::<Vec<_>>().join(", ");
            text.push_str(&format!("    wire unused_{} = &{{1'b0, {parts}}};\n", net.name));
        }
        text
    }

    fn print_instances(&self, modules: &[String], inputs: &HashMap<NetId, String>) -> String {
        let mut parts = Vec::with_capacity(modules.len());
        for ((child, module), &first) in self.node.children.iter().zip(modules).zip(&self.first_port) {
            let mut ports = Vec::new();
            for (offset, port) in child.ports().iter().enumerate() {
                let net = first + offset;
                let own = self.printer.nets[net].alias.unwrap_or(net);
                let value = inputs.get(&net).unwrap_or(&self.printer.nets[own].name);
                ports.push(format!("        .{}({value})", port.name));
            }
            parts.push(format!("    {module} {} (\n{}\n    );\n", child.instance, ports.join(",\n")));
        }
        parts.join("\n")
    }

    fn print_declarations(&self) -> String {
        let mut text = String::new();
        for (id, net) in self.printer.nets.iter().enumerate() {
            let kind = match (self.roles[id], self.drivers[id]) {
                (Role::Input | Role::Output, _) | (_, Driver::Inline(_)) => continue,
                (Role::ChildOutput, _) if net.alias.is_some() => continue,
                (Role::Constant, _) => {
                    let value = self.node.signals.get(id).map(|signal| &signal.kind);
                    if let (true, Some(Kind::Constant(value))) = (net.is_read(), value) {
                        let range = range(net.width);
                        text.push_str(&format!("    localparam {range}{} = {};\n", net.name, literal(value)));
                    }
                    continue;
                }
                (_, Driver::Procedure) => "reg ",
                _ => "wire",
            };
            text.push_str(&format!("    {kind} {}{};\n", range(net.width), net.name));
        }
        text
    }
}

fn literal_expr(value: usize) -> Expr {
    Expr::Constant {
        value: value.into(),
        name: None,
    }
}
