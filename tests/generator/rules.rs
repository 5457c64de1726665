//! Applicability rules and component manifests: what fills a document.

use std::fmt::Write as _;

use super::random::Random;

pub const MSUS: &str = "http://schemas.microsoft.com/msus/2002/12/";

const WORDS: [&str; 16] = [
    "Harbour", "Tide", "Sluice", "Anchor", "Beacon", "Quay", "Buoy", "Mooring", "Channel", "Pier",
    "Lagoon", "Current", "Estuary", "Dock", "Jetty", "Lock",
];

pub fn word(random: &mut Random) -> &'static str {
    WORDS[random.below(WORDS.len())]
}

fn version(random: &mut Random) -> String {
    format!("10.0.{}.{}", 10_000 + random.below(20_000), random.below(9_000))
}

/// One condition, with its declaration repeated as real documents do.
pub fn condition(out: &mut String, random: &mut Random) {
    let declared = format!("xmlns:bar=\"{MSUS}BaseApplicabilityRules\"");
    let key = format!("SOFTWARE\\Example\\{}\\{}", word(random), word(random));
    let written = match random.below(8) {
        0 => {
            let level = random.below(40);
            write!(
                out,
                "<bar:WindowsVersion Comparison=\"GreaterThanOrEqualTo\" MajorVersion=\"10\" \
                 MinorVersion=\"0\" BuildNumber=\"{}\" {declared} />",
                19_000 + level
            )
        }
        1 => write!(
            out,
            "<bar:FileVersion Path=\"{}.dll\" Comparison=\"LessThan\" Version=\"{}\" Csidl=\"37\" \
             {declared} />",
            word(random).to_lowercase(),
            version(random)
        ),
        2 => write!(
            out,
            "<bar:RegSz Key=\"HKEY_LOCAL_MACHINE\" Subkey=\"{key}\" Value=\"Edition\" \
             Comparison=\"EqualTo\" Data=\"{} &amp; {}\" {declared} />",
            word(random),
            word(random)
        ),
        3 => write!(
            out,
            "<mar:MsiProductInstalled ProductCode=\"{{{}}}\" \
             xmlns:mar=\"{MSUS}MsiApplicabilityRules\" />",
            random.id().to_uppercase()
        ),
        4 => write!(
            out,
            "<lar:Not xmlns:lar=\"{MSUS}LogicalApplicabilityRules\"><bar:RegKeyExists \
             Key=\"HKEY_LOCAL_MACHINE\" Subkey=\"{key}\" {declared} /></lar:Not>"
        ),
        5 => write!(
            out,
            "<bar:WmiQuery Namespace=\"root\\cimv2\" WqlQuery=\"SELECT Name FROM Win32_Service \
             WHERE Name = '{}' AND ProcessId &gt; {}\" {declared} />",
            word(random),
            random.below(9_999)
        ),
        _ => write!(
            out,
            "<bar:RegDword Key=\"HKEY_LOCAL_MACHINE\" Subkey=\"{key}\" Value=\"{}\" \
             Comparison=\"GreaterThanOrEqualTo\" Data=\"{}\" {declared} />",
            word(random),
            random.below(9_999)
        ),
    };
    written.unwrap_or_default();
}

/// Conditions, any of which will do, until the document has its size.
pub fn any_of_many(out: &mut String, target: usize, random: &mut Random) {
    let logical = format!("xmlns:lar=\"{MSUS}LogicalApplicabilityRules\"");
    out.push_str(&format!("<lar:Or {logical}>"));
    loop {
        if random.chance(20) {
            out.push_str("<lar:And>");
            condition(out, random);
            condition(out, random);
            out.push_str("</lar:And>");
        } else {
            condition(out, random);
        }
        if out.len() >= target {
            break;
        }
    }
    out.push_str("</lar:Or>");
}

/// The description of a servicing package, until the document has its size. Foreign to the update
/// vocabulary, and what makes documents of cumulative updates large.
pub fn manifest(out: &mut String, target: usize, random: &mut Random) {
    let token = "31bf3856ad364e35";
    let package = format!("Package_for_{}{}", word(random), random.below(9_999));
    out.push_str(&format!(
        "<assembly xmlns=\"urn:schemas-microsoft-com:asm.v3\" manifestVersion=\"1.0\" \
         description=\"{package}\" copyright=\"Example\"><assemblyIdentity name=\"{package}\" \
         version=\"{}\" language=\"neutral\" processorArchitecture=\"amd64\" \
         publicKeyToken=\"{token}\" /><package identifier=\"{package}\" \
         applicabilityEvaluation=\"deep\" releaseType=\"Update\" restart=\"possible\">",
        version(random)
    ));
    while out.len() < target {
        let component = format!("Example-{}-{}", word(random), word(random));
        let architecture = random.pick(&["amd64", "x86", "wow64"]);
        write!(
            out,
            "<update name=\"{component}-{}\"><component><assemblyIdentity name=\"{component}\" \
             version=\"{}\" language=\"neutral\" processorArchitecture=\"{architecture}\" \
             publicKeyToken=\"{token}\" buildType=\"release\" versionScope=\"nonSxS\" />\
             </component></update>",
            random.below(99_999),
            version(random)
        )
        .unwrap_or_default();
    }
    out.push_str("</package></assembly>");
}
