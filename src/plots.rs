//! `systole plot`: plots of a sweep's results.

use crate::args::PlotArgs;
use crate::files;
use anyhow::{bail, Context, Result};
use explore::plot::{plots, Choice};
use explore::store::Store;
use std::fs;

pub fn run(args: &PlotArgs) -> Result<bool> {
    let rows = Store::open_read(&args.results)?.rows()?;
    let choice = Choice { only: args.only.clone(), networks: args.networks.clone(), point: args.point.clone() };
    let plots = plots(&rows, &choice)?;
    let mut text = String::new();
    for missing in &plots.missing {
        line!(text, "not drawn: {}: {}", missing.kind, missing.reason);
    }
    if plots.drawings.is_empty() {
        bail!("{} has nothing to draw\n{}", args.results.display(), text.trim_end());
    }
    fs::create_dir_all(&args.out).with_context(|| format!("cannot make {}", args.out.display()))?;
    for drawing in &plots.drawings {
        for (ending, wanted) in [("svg", !args.png), ("png", !args.svg)] {
            if !wanted {
                continue;
            }
            let path = args.out.join(format!("{}.{ending}", drawing.name));
            files::check_distinct(&[("RESULTS.sqlite", &Some(args.results.clone())), ("--out", &Some(path.clone()))])?;
            let contents = if ending == "svg" { drawing.scene.svg()?.into_bytes() } else { drawing.scene.png()? };
            files::write(&path, &contents)?;
            line!(text, "{}", path.display());
        }
    }
    files::print(&text)?;
    Ok(true)
}
