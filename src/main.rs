//! `systole`: emit, simulate and verify the accelerator.

mod args;
mod config;
mod emit;
mod files;
mod report;
mod simulate;
mod verify;

use args::{Arguments, Command};
use clap::Parser;
use std::process::ExitCode;

/// Exit status when something was compared and differs.
const DIFFERS: u8 = 1;
/// Exit status for everything that could not be done.
const FAILED: u8 = 2;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match arguments.command {
        Command::Config(args) => config::run(&args),
        Command::Emit(args) => emit::run(&args),
        Command::Simulate(args) => simulate::run(&args),
        Command::Verify(args) => verify::run(&args),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(DIFFERS),
        Err(error) => {
            eprintln!("systole: {error:#}");
            ExitCode::from(FAILED)
        }
    }
}
