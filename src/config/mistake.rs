//! What is wrong in a line of the configuration, in words that are no parser's.

/// What the parser says of a line, without its value, which may be a secret.
pub(super) fn what(line: &str, message: &str) -> String {
    in_words(key_of(line).unwrap_or_default(), message)
}

/// The key of a line.
fn key_of(line: &str) -> Option<&str> {
    let key = line.split_once('=')?.0.trim();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    (!key.is_empty() && key.chars().all(plain)).then_some(key)
}

/// What the parser says, without the value, which may be a secret.
fn in_words(key: &str, message: &str) -> String {
    let quoted = |text: &str| -> Vec<String> {
        text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    };
    if let Some(rest) = message.strip_prefix("unknown field `") {
        let mut names = quoted(&format!("`{rest}")).into_iter();
        let (unknown, there_are) = (names.next().unwrap_or_default(), names.collect::<Vec<_>>());
        return format!("there is no setting {unknown:?} here; there are {}", there_are.join(", "));
    }
    let Some((what, expected)) = message.rsplit_once("expected ") else {
        let of_ours = message.contains("is no address with a port");
        return match message {
            message if of_ours => message.to_owned(),
            message if message.contains("UUID") => {
                format!("{key} must be a list of ids of servers, as `tidegate servers` shows them")
            }
            message if message.contains("socket address") => {
                format!("{key} must be an address with a port, such as 0.0.0.0:8531")
            }
            message if message.starts_with("duplicate") => format!("{key} stands there twice"),
            _ => "the line is not of the form `key = value` (text in quotation marks)".to_owned(),
        };
    };
    let kind = match expected {
        _ if what.starts_with("unknown variant") => quoted(expected).join(" or "),
        expected if expected.starts_with("a nonzero") => "a whole number from 1".to_owned(),
        "u16" | "u32" | "u64" | "usize" => "a whole number".to_owned(),
        "a string" | "path string" => "a text in quotation marks".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a sequence" => "a list in brackets".to_owned(),
        expected if expected.starts_with("struct") => "a section, `[name]`".to_owned(),
        _ => {
            return "the line is not of the form `key = value` (text in quotation marks)"
                .to_owned();
        }
    };
    match key {
        "" => format!("there must be {kind}"),
        key => format!("{key} must be {kind}"),
    }
}
