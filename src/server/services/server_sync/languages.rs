//! The languages that a WSUS tells its downstream servers. [MS-WSUSSS] 3.1.4.4.3.2

use crate::protocol::server_sync::LanguageData;

/// LCID, short name as in documents, English name.
const LANGUAGES: &[(i32, &str, &str)] = &[
    (0, "all", "all"),
    (1025, "ar", "Arabic"),
    (1026, "bg", "Bulgarian"),
    (1028, "zh-tw", "Chinese (Traditional)"),
    (1029, "cs", "Czech"),
    (1030, "da", "Danish"),
    (1031, "de", "German"),
    (1032, "el", "Greek"),
    (1033, "en", "English"),
    (1034, "es", "Spanish"),
    (1035, "fi", "Finnish"),
    (1036, "fr", "French"),
    (1037, "he", "Hebrew"),
    (1038, "hu", "Hungarian"),
    (1040, "it", "Italian"),
    (1041, "ja", "Japanese"),
    (1042, "ko", "Korean"),
    (1043, "nl", "Dutch"),
    (1044, "no", "Norwegian"),
    (1045, "pl", "Polish"),
    (1046, "pt-br", "Portuguese (Brazil)"),
    (1048, "ro", "Romanian"),
    (1049, "ru", "Russian"),
    (1050, "hr", "Croatian"),
    (1051, "sk", "Slovak"),
    (1053, "sv", "Swedish"),
    (1054, "th", "Thai"),
    (1055, "tr", "Turkish"),
    (1058, "uk", "Ukrainian"),
    (1060, "sl", "Slovenian"),
    (1061, "et", "Estonian"),
    (1062, "lv", "Latvian"),
    (1063, "lt", "Lithuanian"),
    (1081, "hi", "Hindi"),
    (2052, "zh-cn", "Chinese (Simplified)"),
    (2070, "pt", "Portuguese (Portugal)"),
    (2074, "sr", "Serbian"),
    (3076, "zh-hk", "Chinese (Hong Kong)"),
    (66577, "ja-nec", "Japanese (NEC)"),
];

/// All of them, enabled: the mirror thins no documents, so a downstream may choose any.
pub(super) fn all() -> Vec<LanguageData> {
    LANGUAGES
        .iter()
        .map(|(id, short, long)| LanguageData {
            id: *id,
            short: (*short).to_owned(),
            long: (*long).to_owned(),
            enabled: true,
        })
        .collect()
}
