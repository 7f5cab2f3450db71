//! Nets: the named values of a module.

use super::expression::NetId;

/// A named value of a module, and which of its bits something reads.
pub(super) struct Net {
    pub name: String,
    pub width: usize,
    pub alias: Option<NetId>,
    read: Vec<bool>,
}

impl Net {
    pub fn new(name: String, width: usize) -> Net {
        Net { name, width, alias: None, read: vec![false; width] }
    }

    pub fn is_read(&self) -> bool {
        self.read.contains(&true)
    }

    pub fn mark_read(&mut self) {
        self.read.fill(true);
    }

    pub fn mark_part_read(&mut self, from: usize, width: usize) {
        self.read[from..from + width].fill(true);
    }

    /// The ranges (from, width) that nothing reads.
    pub fn unread(&self) -> Vec<(usize, usize)> {
        let mut ranges: Vec<(usize, usize)> = Vec::new();
        for bit in (0..self.width).filter(|&bit| !self.read[bit]) {
            match ranges.last_mut() {
                Some((from, width)) if *from + *width == bit => *width += 1,
                _ => ranges.push((bit, 1)),
            }
        }
        ranges
    }
}

/// `name`, `name[3]` or `name[7:4]`.
pub(super) fn part(name: &str, full: usize, from: usize, width: usize) -> String {
    match width {
        _ if width == full => name.to_string(),
        1 => format!("{name}[{from}]"),
        _ => format!("{name}[{}:{from}]", from + width - 1),
    }
}
