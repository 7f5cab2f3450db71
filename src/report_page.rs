//! `systole report`: a sweep's results as one HTML file.

use crate::args::ReportArgs;
use crate::files;
use anyhow::Result;
use explore::report::report;
use explore::store::Store;

pub fn run(args: &ReportArgs) -> Result<bool> {
    files::check_distinct(&[("RESULTS.sqlite", &Some(args.results.clone())), ("--out", &Some(args.out.clone()))])?;
    files::check_writable(&args.out)?;
    let store = Store::open_read(&args.results)?;
    let rows = store.rows()?;
    let page = report(&store.about()?, &rows, env!("CARGO_PKG_VERSION"))?;
    files::write(&args.out, page.as_bytes())?;
    files::print(&format!("wrote {}: {} rows, to be opened in a browser\n", args.out.display(), rows.len()))?;
    Ok(true)
}
