//! An error with its causes on one line: `cannot seal: cannot read a/b: permission denied`.

use std::{error::Error, fmt::Display, io, iter};

/// An error and all its causes, joined by `: `; what a cause only repeats is left out.
pub fn chain(error: &dyn Error) -> String {
    join(iter::successors(Some(error), |&error| error.source()))
}

/// An error and all its causes, also those within an I/O error, which passes over what it was made of.
pub fn causes<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    iter::successors(Some(error), |&error| {
        match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        }
    })
}

/// Joins the texts of an error and its causes, the error first. A cause that only repeats the end of
/// what stands there is left out; one that says the last text and more stands for it.
pub fn join(causes: impl IntoIterator<Item = impl Display>) -> String {
    let mut message = String::new();
    let mut last = String::new();
    for text in causes.into_iter().map(|cause| cause.to_string()) {
        if message.ends_with(&text) {
            continue;
        }
        if !last.is_empty() && text.ends_with(&last) {
            message.truncate(message.len() - last.len());
        } else if !message.is_empty() {
            message.push_str(": ");
        }
        message.push_str(&text);
        last = text;
    }
    message
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Outer {
        text: &'static str,
        source: io::Error,
    }

    #[test]
    fn causes_follow_the_error() {
        let outer = |text| Outer { text, source: io::Error::other("the disk is full") };
        assert_eq!(chain(&outer("cannot write")), "cannot write: the disk is full");
        assert_eq!(
            chain(&outer("cannot write: the disk is full")),
            "cannot write: the disk is full"
        );
        assert_eq!(chain(&outer("disk is full")), "the disk is full");
    }

    #[test]
    fn what_a_cause_says_beyond_its_error_is_kept() {
        assert_eq!(join(["cannot read x", "is 2", "code 1: is 2"]), "cannot read x: code 1: is 2");
        assert_eq!(join(["cannot read x: is 2", "is 2"]), "cannot read x: is 2");
        assert_eq!(join([""; 2]), "");
    }

    #[test]
    fn a_cause_within_an_io_error_is_found() {
        let inner = Outer { text: "inner", source: io::Error::other("root") };
        let error = io::Error::other(inner);
        let all: Vec<String> = causes(&error).map(ToString::to_string).collect();
        assert_eq!(all, ["inner", "inner", "root", "root"]);
    }
}
