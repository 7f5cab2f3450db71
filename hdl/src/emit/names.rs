//! From the names in RustHDL's syntax tree to Verilog identifiers.

/// Loop variables and their values, innermost last.
pub(super) type Loops = Vec<(String, i64)>;

/// `rows[i+1]$x$next` with i = 2 becomes `rows$3$x`. `None` if an index cannot be evaluated.
pub(super) fn resolve(name: &str, loops: &Loops) -> Option<String> {
    let name = name.strip_suffix("$next").unwrap_or(name);
    let mut path = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(open) = rest.find('[') {
        let close = open + rest[open..].find(']')?;
        path.push_str(&rest[..open]);
        let idx = evaluate(&rest[open + 1..close], loops)?;
        path.push_str(&format!("${}", usize::try_from(idx).ok()?));
        rest = &rest[close + 1..];
    }
    path.push_str(rest);
    Some(path)
}

/// The Verilog identifier of a resolved path.
pub(super) fn identifier(path: &str) -> String {
    reserved(path.replace('$', "_"))
}

/// A name that Verilog keeps for itself gets an underscore.
fn reserved(name: String) -> String {
    const KEYWORDS: [&str; 20] = [
        "always",
        "assign",
        "begin",
        "buf",
        "case",
        "default",
        "else",
        "end",
        "for",
        "function",
        "initial",
        "inout",
        "integer",
        "parameter",
        "real",
        "repeat",
        "signed",
        "task",
        "time",
        "while",
    ];
    match KEYWORDS.contains(&name.as_str()) {
        true => format!("{name}_"),
        false => name,
    }
}

/// The value of an index expression: integers, loop variables, `+ - *` and parentheses.
pub(super) fn evaluate(text: &str, loops: &Loops) -> Option<i64> {
    let mut parser = Parser { rest: text.trim(), loops };
    let value = parser.sum()?;
    parser.rest.is_empty().then_some(value)
}

struct Parser<'a> {
    rest: &'a str,
    loops: &'a Loops,
}

impl Parser<'_> {
    fn take(&mut self, symbol: char) -> bool {
        let taken = self.rest.strip_prefix(symbol);
        self.rest = taken.unwrap_or(self.rest).trim_start();
        taken.is_some()
    }

    fn sum(&mut self) -> Option<i64> {
        let mut value = self.product()?;
        loop {
            if self.take('+') {
                value = value.checked_add(self.product()?)?;
            } else if self.take('-') {
                value = value.checked_sub(self.product()?)?;
            } else {
                return Some(value);
            }
        }
    }

    fn product(&mut self) -> Option<i64> {
        let mut value = self.factor()?;
        while self.take('*') {
            value = value.checked_mul(self.factor()?)?;
        }
        Some(value)
    }

    fn factor(&mut self) -> Option<i64> {
        if self.take('(') {
            let value = self.sum()?;
            return self.take(')').then_some(value);
        }
        let end = self.rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest.trim_start();
        let known = self.loops.iter().rev().find(|(name, _)| name == word);
        known.map(|(_, value)| *value).or_else(|| integer(word))
    }
}

/// A Rust integer literal: `3`, `0x1f`, `1_000`, `7usize`.
pub(super) fn integer(text: &str) -> Option<i64> {
    let text = text.replace('_', "");
    let text = ["usize", "u32", "i32", "u8", "u64"].iter().find_map(|kind| text.strip_suffix(kind)).unwrap_or(&text);
    match (text.strip_prefix("0x"), text.strip_prefix("0b")) {
        (Some(digits), _) => i64::from_str_radix(digits, 16).ok(),
        (_, Some(digits)) => i64::from_str_radix(digits, 2).ok(),
        _ => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_are_evaluated() {
        let loops = vec![("i".to_string(), 2), ("j".to_string(), 5)];
        assert_eq!(resolve("rows[i+1]$x$next", &loops).as_deref(), Some("rows$3$x"));
        assert_eq!(resolve("a[(i+1)*2-1]", &loops).as_deref(), Some("a$5"));
        assert_eq!(resolve("a[i][j]$b", &loops).as_deref(), Some("a$2$5$b"));
        assert_eq!(resolve("a[i-3]", &loops), None);
        assert_eq!(resolve("a[_n]", &loops), None);
    }
}
