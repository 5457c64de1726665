//! What is signed is what was shown: something else in its place by then is not.

use std::fs;

use tidegate::transfer::{
    ExportOptions, KeysOptions, SealOptions, countersign, countersign_volumes, inspect_for_signing,
    inspect_root_to_sign, inspect_volumes_for_signing, seal, sign_root_file,
};

use crate::support::{clock::now, sides::Mirror};

/// With two countersigners, one of whom is needed.
fn mirror(id: u128) -> Mirror {
    let keys = KeysOptions { countersigners: 2, threshold: 2, ..KeysOptions::new(now()) };
    let mirror = Mirror::with_keys(id, &keys);
    mirror.add(1, 1, &[]);
    seal(&mirror.data, now(), &SealOptions::default(), &()).unwrap();
    mirror
}

#[test]
fn a_snapshot_that_was_sealed_since_is_not_signed() {
    let mirror = mirror(7);
    let key = mirror.data.keys().join("countersigner-1.pem");
    let shown = inspect_for_signing(&mirror.data).unwrap();
    mirror.add(2, 1, &[]);
    seal(&mirror.data, now(), &SealOptions::default(), &()).unwrap();
    let error = countersign(&mirror.data, &shown, &key, None).unwrap_err();
    let newest = inspect_for_signing(&mirror.data).unwrap();
    assert_eq!((newest.snapshot, newest.signatures), (2, 1), "{error:?}");
    assert_eq!(countersign(&mirror.data, &newest, &key, None).unwrap().signatures, (2, 2));
}

#[test]
fn a_volume_that_was_exchanged_since_is_not_signed() {
    let mirror = mirror(7);
    let [first, second] = [1, 2].map(|n| mirror.data.keys().join(format!("countersigner-{n}.pem")));
    let export = |n| {
        mirror.add(n, 1, &[]);
        let options = SealOptions { add_site: Some("plant-7".into()), ..SealOptions::default() };
        seal(&mirror.data, now(), &options, &()).unwrap();
        let shown = inspect_for_signing(&mirror.data).unwrap();
        countersign(&mirror.data, &shown, &first, None).unwrap();
        mirror.export_with("plant-7", &ExportOptions::default()).unwrap().volumes
    };
    let (shown_volumes, others) = (export(2), export(3));
    let shown = inspect_volumes_for_signing(&shown_volumes).unwrap();
    let other = fs::read(&others[0]).unwrap();
    fs::write(&shown_volumes[0], &other).unwrap();
    assert!(countersign_volumes(&shown, &second, None).is_err());
    assert_eq!(fs::read(&shown_volumes[0]).unwrap(), other, "a refusal changes nothing");
}

#[test]
fn a_root_that_was_exchanged_since_is_not_signed() {
    let (ours, theirs) = (mirror(7), mirror(8));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("root.json");
    fs::copy(&ours.root, &path).unwrap();
    let shown = inspect_root_to_sign(&path).unwrap();
    fs::copy(&theirs.root, &path).unwrap();
    let key = theirs.data.keys().join("countersigner-1.pem");
    let error = sign_root_file(&shown, &key, None).unwrap_err();
    assert!(error.to_string().contains("another root"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), fs::read(&theirs.root).unwrap());
    let shown = inspect_root_to_sign(&path).unwrap();
    sign_root_file(&shown, &key, None).unwrap();
}
