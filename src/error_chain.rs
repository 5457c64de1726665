//! An error with its causes on one line: `cannot seal: cannot read a/b: permission denied`.

use std::{error::Error, fmt::Display};

/// An error and all its causes, joined by `: `; what a cause only repeats is left out.
pub fn chain(error: &dyn Error) -> String {
    let mut causes = vec![error.to_string()];
    let mut source = error.source();
    while let Some(cause) = source {
        causes.push(cause.to_string());
        source = cause.source();
    }
    join(causes)
}

/// Joins the texts of an error and its causes, the error first. A cause that only repeats the end of
/// what stands there, or that ends as the text before it does, is left out.
pub fn join(causes: impl IntoIterator<Item = impl Display>) -> String {
    let mut message = String::new();
    let mut last = String::new();
    for text in causes.into_iter().map(|cause| cause.to_string()) {
        if message.ends_with(&text) || (!last.is_empty() && text.ends_with(&last)) {
            continue;
        }
        if !message.is_empty() {
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
        assert_eq!(chain(&outer("disk is full")), "disk is full");
    }
}
