//! The path of a payload file on a server: the last two digits of its SHA-1, its SHA-1, the extension
//! of its name in the document. Agents and downstream servers build it themselves. [MS-WSUSSS] 2.1

use bundle_format::digest::Sha1;

/// The path below the content folder: `XX/SHA1.ext`.
pub fn relative(sha1: &Sha1, name: &str) -> String {
    let digits = sha1.to_string().to_ascii_uppercase();
    let folder = digits.get(digits.len().saturating_sub(2)..).unwrap_or_default();
    format!("{folder}/{digits}{}", extension(name))
}

/// The path below the server's root: `/Content/XX/SHA1.ext`.
pub fn absolute(sha1: &Sha1, name: &str) -> String {
    format!("/Content/{}", relative(sha1, name))
}

/// The SHA-1 that a path names. The folder must fit the name; any plain extension will do, or none.
/// Both parts must have the same letter case.
pub fn parse(folder: &str, file: &str) -> Option<Sha1> {
    let (name, extension) = file.split_once('.').unwrap_or((file, "none"));
    let sha1 = name.parse().ok()?;
    (is_plain(extension) && folder.len() == 2 && name.ends_with(folder)).then_some(sha1)
}

/// The extension of a file name, with the dot; empty if the name has none that is fit for a URL.
pub fn extension(name: &str) -> &str {
    let Some(dot) = name.rfind('.') else { return "" };
    let extension = name.get(dot..).unwrap_or_default();
    if is_plain(extension.get(1..).unwrap_or_default()) { extension } else { "" }
}

fn is_plain(extension: &str) -> bool {
    (1..=16).contains(&extension.len()) && extension.bytes().all(|b| b.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHA1: &str = "0f6cddb257ed279906fc1f5adb34aa42ef37a90a";

    #[test]
    fn paths_are_those_of_a_wsus() {
        let sha1: Sha1 = SHA1.parse().unwrap();
        let path = absolute(&sha1, "am_delta.exe");
        assert_eq!(path, "/Content/0A/0F6CDDB257ED279906FC1F5ADB34AA42EF37A90A.exe");
        let lower = path.to_ascii_lowercase();
        let (folder, file) = lower.strip_prefix("/content/").unwrap().split_once('/').unwrap();
        assert_eq!(parse(folder, file), Some(sha1));
        assert_eq!(parse(folder, file.strip_suffix(".exe").unwrap()), Some(sha1));
        assert_eq!(parse(folder, &file.replace(".exe", ".psf")), Some(sha1));
    }

    #[test]
    fn an_extension_goes_into_a_path_only_if_it_is_fit_for_one() {
        assert_eq!(extension("am_delta.exe"), ".exe");
        assert_eq!(extension("windows10.0-kb1.x64.PSF"), ".PSF");
        for name in ["", "none", "dot.", "a.b/c", "a.b c", "a.ü", "a.12345678901234567"] {
            assert_eq!(extension(name), "", "{name}");
        }
    }

    #[test]
    fn other_paths_are_nothing() {
        for (folder, file) in [
            ("0b", format!("{SHA1}.exe")),
            ("", format!("{SHA1}.exe")),
            ("a", format!("{SHA1}.exe")),
            ("90a", format!("{SHA1}.exe")),
            ("0a", format!("{SHA1}.")),
            ("0a", format!("{SHA1}.exe.exe")),
            ("0a", format!("{SHA1}.e%20e")),
            ("0a", format!("{SHA1}.12345678901234567")),
            ("0a", format!("x{SHA1}.exe")),
            ("0a", SHA1[1..].to_owned()),
            ("..", "..".to_owned()),
            ("", String::new()),
        ] {
            assert_eq!(parse(folder, &file), None, "{folder}/{file}");
        }
    }
}
