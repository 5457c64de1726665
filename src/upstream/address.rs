//! Addresses of servers as people write them.

use reqwest::Url;

/// The root of the server that a text names: scheme, host and port. The error says what is wrong
/// with the text.
pub(super) fn server_root(text: &str) -> Result<Url, &'static str> {
    let mut url = Url::parse(text).map_err(|_| "it cannot be read")?;
    check_web_address(&url)?;
    url.set_path("/");
    url.set_query(None);
    url.set_fragment(None);
    Ok(url)
}

/// An address that payloads may come from. The error says what is wrong with the text.
pub(super) fn web_address(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|_| "it cannot be read as an address")?;
    check_web_address(&url)?;
    Ok(url)
}

fn check_web_address(url: &Url) -> Result<(), &'static str> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err("only https:// and http:// are spoken");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("credentials in it would be seen in lists of processes and logs");
    }
    Ok(())
}

/// What may be shown of an address, even of one that cannot be read.
pub(super) fn without_credentials(address: &str) -> String {
    match address.rsplit_once('@') {
        None => address.to_owned(),
        Some((before, host)) => match before.split_once("://") {
            Some((scheme, _)) => format!("{scheme}://…@{host}"),
            None => format!("…@{host}"),
        },
    }
}
