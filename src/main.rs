//! `tidegate`: parse the command line, call one function, print, exit code.

mod cli;
mod config;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
