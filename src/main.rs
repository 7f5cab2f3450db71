//! `systole`: quantize, emit, simulate and verify.

/// Appends a line to a text; writing to a `String` cannot fail.
macro_rules! line {
    ($out:expr, $($arguments:tt)*) => {{
        use std::fmt::Write as _;
        let _ = writeln!($out, $($arguments)*);
    }};
}

mod args;
mod config;
mod emit;
mod explain;
mod files;
mod interrupt;
mod layers;
mod model;
mod plots;
mod quantize;
mod report;
mod report_page;
mod run;
mod simulate;
mod sqnr;
mod sweep;
mod synth;
mod topology;
mod verify;

use args::{Arguments, Command};
use clap::Parser;
use std::process::ExitCode;

/// Exit status when something was compared and differs.
const DIFFERS: u8 = 1;
/// Exit status for everything that could not be done.
const FAILED: u8 = 2;
/// Exit status of a run that was interrupted, as shells have it.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match arguments.command {
        Command::Config(args) => config::run(&args),
        Command::Emit(args) => emit::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Plot(args) => plots::run(&args),
        Command::Quantize(args) => quantize::run(&args),
        Command::Report(args) => report_page::run(&args),
        Command::Simulate(args) => simulate::run(&args),
        Command::Sqnr(args) => sqnr::run(&args),
        Command::Sweep(args) => sweep::run(&args),
        Command::Synth(args) => synth::run(&args),
        Command::Verify(args) => verify::run(&args),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(DIFFERS),
        Err(error) if interrupt::is_cause(&error) => {
            eprintln!("systole: {error}");
            ExitCode::from(INTERRUPTED)
        }
        Err(error) => {
            eprintln!("systole: {}", describe(&error));
            ExitCode::from(FAILED)
        }
    }
}

/// The error and its causes, each said once: some texts hold their cause already.
fn describe(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}
