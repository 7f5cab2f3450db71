//! What a sweep found, in a few lines.

use explore::pareto::{standings, Goal, Standing};
use explore::plot::labels;
use explore::row::Row;
use std::collections::{BTreeMap, BTreeSet};

/// Lines a network.
const MOST: usize = 8;

/// Lists, for each network, the points that no other improves on in accuracy and bytes moved, the most accurate first; `(+n)`:
/// n more have the same of both.
pub fn list(rows: &[Row], text: &mut String) {
    let mut networks: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for row in rows.iter().filter(|row| row.status.as_deref() == Some("done")) {
        if let (Some(network), Some(_), Some(_)) = (&row.network, row.accuracy_percent, row.bytes) {
            // A point has a row for each build.
            if seen.insert(row.point.as_deref()) {
                networks.entry(network).or_default().push(row);
            }
        }
    }
    for (network, rows) in networks {
        let costs: Vec<_> = rows.iter().map(|row| [row.accuracy_percent, row.bytes]).collect();
        let standings = standings(&costs, [Goal::Greatest, Goal::Least]);
        let labels = labels(&rows);
        let mut front: Vec<(&Row, &String)> = (rows.iter().zip(&labels).zip(standings))
            .filter(|(_, standing)| *standing == Standing::Front)
            .map(|((row, label), _)| (*row, label))
            .collect();
        let accuracy = |row: &Row| row.accuracy_percent.unwrap_or_default();
        front.sort_by(|(a, _), (b, _)| accuracy(b).total_cmp(&accuracy(a)).then(a.cycles.cmp(&b.cycles)));
        // Of equals, such as other shapes of the mesh, the fastest stands for all.
        let equal =
            |(a, _): &(&Row, &String), (b, _): &(&Row, &String)| (accuracy(a), a.bytes) == (accuracy(b), b.bytes);
        let front: Vec<&[(&Row, &String)]> = front.chunk_by(equal).collect();
        line!(
            text,
            "front      {network}: no other of its {} points is better in accuracy and bytes moved",
            rows.len()
        );
        for equals in front.iter().take(MOST) {
            let (row, label) = equals[0];
            let more = if equals.len() > 1 { format!(" (+{})", equals.len() - 1) } else { String::new() };
            let spread = row.accuracy_sd_percent.map_or(String::new(), |sd| format!(" ± {sd:.1}"));
            let accuracy = format!("{:.1} %{spread}", accuracy(row));
            let (bytes, cycles) = (row.bytes.unwrap_or_default(), row.cycles.unwrap_or_default());
            line!(text, "           {accuracy:<14} {bytes:>9.0} bytes an image {cycles:>9} cycles  {label}{more}");
        }
        if front.len() > MOST {
            line!(
                text,
                "           and {} less accurate ones: see `systole plot` or `systole report`",
                front.len() - MOST
            );
        }
    }
}
