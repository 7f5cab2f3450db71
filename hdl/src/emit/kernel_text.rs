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
        let variables = self.variables();
        let is_reg = |name: &str| {
            let port = |net: &NetId| self.roles[*net] == Role::Output && self.printer.nets[*net].name == name;
            (0..self.roles.len()).find(port).is_some_and(|net| variables[net])
        };
        let mut text = port_list(self.node, is_reg);
        let registers = self.print_registers(&inputs);
        let parts = [self.print_declarations(&variables), assigns, procedures, registers, instances, unused];
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

    /// Which nets are assigned in an `always` block.
    fn variables(&self) -> Vec<bool> {
        let mut variables: Vec<bool> = self.drivers.iter().map(|driver| *driver == Driver::Procedure).collect();
        for (net, _) in self.of_register.iter().enumerate().filter(|(_, of_register)| **of_register) {
            if self.roles[net] == Role::ChildOutput {
                variables[self.printer.nets[net].alias.unwrap_or(net)] = true;
            }
        }
        variables
    }

    /// All registers of a clock and a reset in one `always` block.
    fn print_registers(&self, inputs: &HashMap<NetId, String>) -> String {
        // Clock, reset, and the lines of both branches.
        let mut blocks: Vec<(String, String, String, String)> = Vec::new();
        for (child, &first) in self.node.children.iter().zip(&self.first_port) {
            if !child.is_register() {
                continue;
            }
            let value = |name: &str| {
                let offset = child.ports().iter().position(|port| port.name == name)?;
                let net = self.printer.nets[first + offset].alias.unwrap_or(first + offset);
                Some(inputs.get(&(first + offset)).unwrap_or(&self.printer.nets[net].name).clone())
            };
            let (Some(clock), Some(reset), Some(input), Some(output)) =
                (value("clock"), value("reset"), value("d_in"), value("d_out"))
            else {
                continue;
            };
            let width = child.ports().iter().find(|port| port.name == "d_out").map_or(1, |port| port.width);
            let cleared = format!("            {output} <= {width}'d0;\n");
            let loaded = match value("enable_in") {
                Some(enable) => format!("            if ({enable}) {output} <= {input};\n"),
                None => format!("            {output} <= {input};\n"),
            };
            match blocks.iter_mut().find(|(c, r, _, _)| *c == clock && *r == reset) {
                Some((_, _, clears, loads)) => {
                    clears.push_str(&cleared);
                    loads.push_str(&loaded);
                }
                None => blocks.push((clock, reset, cleared, loaded)),
            }
        }
        let text = |(clock, reset, clears, loads): (String, String, String, String)| {
            format!(
                "    always @(posedge {clock}) begin\n        if ({reset}) begin\n{clears}        end else begin\n\
                 {loads}        end\n    end\n"
            )
        };
        blocks.into_iter().map(text).collect::<Vec<_>>().join("\n")
    }

    fn print_instances(&self, modules: &[String], inputs: &HashMap<NetId, String>) -> String {
        let mut parts = Vec::with_capacity(modules.len());
        for ((child, module), &first) in self.node.children.iter().zip(modules).zip(&self.first_port) {
            if child.is_register() {
                continue;
            }
            let mut ports = Vec::new();
            for (offset, port) in child.ports().iter().enumerate() {
                let net = first + offset;
                let own = self.printer.nets[net].alias.unwrap_or(net);
                let value = inputs.get(&net).unwrap_or(&self.printer.nets[own].name);
                ports.push(format!(".{}({value})", port.name));
            }
            let line = format!("    {module} {} ({});\n", child.instance, ports.join(", "));
            parts.push(match line.len() <= MAX_LINE {
                true => line,
                false => format!("    {module} {} (\n{}    );\n", child.instance, wrapped(&ports, "")),
            });
        }
        parts.join("\n")
    }

    /// Constants, then signals; those of one kind and width that follow each other share a declaration.
    fn print_declarations(&self, variables: &[bool]) -> String {
        let mut text = String::new();
        let mut groups: Vec<(String, Vec<String>)> = Vec::new();
        for (id, net) in self.printer.nets.iter().enumerate() {
            match (self.roles[id], self.drivers[id]) {
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
                _ => {}
            }
            let kind = format!("{} {}", if variables[id] { "reg " } else { "wire" }, range(net.width));
            match groups.last_mut() {
                Some((last, names)) if *last == kind => names.push(net.name.clone()),
                _ => groups.push((kind, vec![net.name.clone()])),
            }
        }
        for (kind, names) in groups {
            match names.as_slice() {
                [name] => text.push_str(&format!("    {kind}{name};\n")),
                _ if 4 + kind.len() + names.iter().map(|name| name.len() + 2).sum::<usize>() <= MAX_LINE => {
                    text.push_str(&format!("    {kind}{};\n", names.join(", ")));
                }
                _ => text.push_str(&format!("    {}\n{}", kind.trim_end(), wrapped(&names, ";"))),
            }
        }
        text
    }
}

/// The longest line of a list of connections or names.
const MAX_LINE: usize = 120;

/// A list in as few lines as fit, comma-separated and indented; `end` follows the last item.
fn wrapped(items: &[String], end: &str) -> String {
    let mut text = String::new();
    let mut line = String::new();
    for (i, item) in items.iter().enumerate() {
        let comma = if i + 1 < items.len() { "," } else { end };
        if !line.is_empty() && line.len() + 1 + item.len() + comma.len() > MAX_LINE {
            text.push_str(&line);
            text.push('\n');
            line.clear();
        }
        line.push_str(if line.is_empty() { "        " } else { " " });
        line.push_str(item);
        line.push_str(comma);
    }
    text.push_str(&line);
    text.push('\n');
    text
}

fn literal_expr(value: usize) -> Expr {
    Expr::Constant { value: value.into(), name: None }
}
