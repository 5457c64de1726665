//! How a volume's snapshot stands to what is trusted.

use bundle_format::trust::Freshness;

pub(crate) fn freshness_name(freshness: Freshness) -> &'static str {
    match freshness {
        Freshness::Newer => "newer",
        Freshness::Same => "same",
        Freshness::Older => "older",
    }
}
