//! A question before something that should not happen unasked.

use std::io::{self, BufRead as _, IsTerminal as _};

use super::{Context, exit};

/// Asks on a terminal; the answer must be yes. `unasked` says what to do where nobody can be asked,
/// `refused` what did not happen.
pub(super) fn ask(
    context: &Context,
    question: &str,
    unasked: &'static str,
    refused: &'static str,
) -> anyhow::Result<()> {
    if !io::stdin().is_terminal() {
        return Err(exit::usage(unasked));
    }
    context.out.note(&format!("{question} Type yes:"));
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    anyhow::ensure!(answer.trim().eq_ignore_ascii_case("yes"), refused);
    Ok(())
}
