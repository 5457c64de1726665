//! Exit codes: a public table (docs/operating.md), the same in every command's help.

use std::{fmt, process::ExitCode};

use bundle_format::{container::VolumeError, trust::TrustError};
use tidegate::{
    advice, error_chain,
    ops::{Concern, OpsError},
};

use super::output::{Output, ReaderGone};

/// Shown below the help.
pub(super) const HELP: &str = "Exit codes: 0 done, 1 failed, 2 usage, 3 refused by verification, 4 done in part.\n\
Environment: TIDEGATE_DATA, TIDEGATE_CONFIG, TIDEGATE_LOG, TIDEGATE_PROXY.";

/// How a command that did not fail ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// All of it.
    Done,
    /// A part; the rest was named.
    Partial,
}

/// Marks an error whose cause is the command line or the configuration. Attached as its context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the call is wrong")]
pub(super) struct Usage;

/// A mistake in the call that the parser could not see.
pub(super) fn usage(what: impl fmt::Display + fmt::Debug + Send + Sync + 'static) -> anyhow::Error {
    anyhow::Error::msg(what).context(Usage)
}

impl Outcome {
    /// Of work that is complete, or is not.
    pub(super) fn complete(complete: bool) -> Self {
        if complete { Self::Done } else { Self::Partial }
    }
}

/// Says what went wrong and turns the result into the exit code.
pub(super) fn report(out: &Output, result: anyhow::Result<Outcome>) -> ExitCode {
    let error = match result {
        Ok(Outcome::Done) => return ExitCode::SUCCESS,
        Ok(Outcome::Partial) => return ExitCode::from(4),
        Err(error) => error,
    };
    if error.is::<ReaderGone>() {
        return ExitCode::SUCCESS;
    }
    let mut message = message(&error);
    if let Some(advice) = error.chain().find_map(advice::advice) {
        message.push_str("; ");
        message.push_str(advice);
    }
    out.error(&message);
    ExitCode::from(code(&error))
}

/// The chain of causes as one line.
fn message(error: &anyhow::Error) -> String {
    let causes = error.chain().map(ToString::to_string);
    error_chain::join(causes.filter(|text| *text != Usage.to_string()))
}

fn code(error: &anyhow::Error) -> u8 {
    let concern = error.downcast_ref::<OpsError>().map(OpsError::concern);
    if error.downcast_ref::<Usage>().is_some() || concern == Some(Concern::Caller) {
        return 2;
    }
    let refused = error.chain().any(|cause| {
        if let Some(error) = cause.downcast_ref::<OpsError>() {
            return error.concern() == Concern::Bundle;
        }
        matches!(
            cause.downcast_ref::<TrustError>(),
            Some(TrustError::Refused { .. } | TrustError::State { .. })
        ) || matches!(cause.downcast_ref::<VolumeError>(), Some(VolumeError::Refused { .. }))
    });
    if refused { 3 } else { 1 }
}

#[cfg(test)]
mod tests {
    use tidegate::transfer::TransferError;

    use super::*;

    #[test]
    fn a_cause_that_only_repeats_is_left_out() {
        let error = anyhow::anyhow!("is 2").context("it: is 2").context("x");
        assert_eq!(message(&error), "x: it: is 2");
        let longer = anyhow::anyhow!("code 1: is 2").context("is 2");
        assert_eq!(message(&longer), "code 1: is 2");
        assert_eq!(message(&usage("use --x")), "use --x");
    }

    #[test]
    fn a_refusal_is_3_wherever_it_stands_in_the_chain() {
        let refused = TrustError::Refused { what: "x".into() };
        assert_eq!(code(&anyhow::Error::new(refused).context("importing")), 3);
        let volume = VolumeError::Refused { at: 0, what: "x".into() };
        assert_eq!(code(&anyhow::Error::new(volume)), 3);
        let refused = OpsError::from(TransferError::NothingTrusted);
        assert_eq!(code(&anyhow::Error::new(refused).context("importing")), 3);
        assert_eq!(code(&usage("x")), 2);
        let asked = OpsError::Usage { what: "x".into() };
        assert_eq!(code(&anyhow::Error::new(asked)), 2);
        assert_eq!(code(&anyhow::anyhow!("x")), 1);
    }
}
