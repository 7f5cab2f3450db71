//! The text of a kernel's module.

use super::expression::{Expr, NetId};
use super::kernel::{Driver, Kernel, Role};
use super::net::part;
use super::print::{literal, port_list, range};
use super::statement::Statement;
use super::tree::Kind;
use super::EmitError;
use std::collections::HashMap;

impl Kernel<'_> {
    /// The module after its name, up to `endmodule`.
    pub fn print(mut self, modules: &[String]) -> Result<String, EmitError> {
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
        let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        text.push_str(&parts.join("\n"));
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
    Expr::Constant { value: value.into(), name: None }
}
