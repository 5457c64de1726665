#![no_main]

use bundle_format::{
    index::Index,
    limits::BundleLimits,
    policy::Policy,
    trust::{Fingerprint, TrustState},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let limits = BundleLimits::default();
    let packed = zstd::encode_all(data, 1).unwrap();
    for bytes in [data, &packed] {
        if let Ok(index) = Index::from_zst(bytes, &limits) {
            assert_eq!(Index::from_zst(&index.to_zst().unwrap(), &limits).unwrap(), index);
        }
        let _ = Policy::from_zst(bytes, &limits);
    }
    let _ = Fingerprint::from_root(data);
    let _ = TrustState::pin(data);
    let _ = TrustState::from_bytes(data);
});
