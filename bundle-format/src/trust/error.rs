//! What is wrong with a head, sorted by whose fault it is.

use tough::{
    TransportError, TransportErrorKind,
    error::Error,
    schema::{self, RoleType},
};

/// What is wrong with a head, sorted by whose fault it is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// The bundle must not be trusted: exit code 3.
    #[error("refused: {what}")]
    Refused {
        /// What is wrong and what to do about it, in our words: the TUF library's are for nobody
        /// who carries a bundle.
        what: String,
    },
    /// Our own trust state is damaged: exit code 3, nothing is accepted before it is repaired.
    #[error("the trust state is damaged: {what}")]
    State {
        /// What is wrong and what to do about it.
        what: String,
    },
    /// This machine failed: exit code 1.
    #[error("cannot check the signatures: {what}")]
    Machine {
        /// What failed.
        what: String,
        /// Why.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
}

impl TrustError {
    pub(super) fn refused(what: impl Into<String>) -> Self {
        Self::Refused { what: what.into() }
    }

    pub(super) fn machine(
        what: impl Into<String>,
        source: impl std::error::Error + Send + Sync + 'static,
    ) -> Self {
        Self::Machine { what: what.into(), source: Some(Box::new(source)) }
    }
}

/// What a wrong digest means, for people: a digest alone cannot tell the two apart.
pub(crate) const DAMAGED: &str = "the bundle was tampered with or the medium is damaged; \
     copy it again, and if that does not help, ask the connected side for a new export";

/// Whether the TUF client refused a head because of what was accepted before, and not for itself.
pub(super) fn is_rollback(error: &Error) -> bool {
    matches!(
        error,
        Error::OlderMetadata {
            role: RoleType::Timestamp | RoleType::Snapshot | RoleType::Targets,
            ..
        } | Error::OlderSnapshotInTimestamp { .. }
            | Error::SnapshotRoleRollback { .. }
            | Error::SnapshotRoleMissing { .. }
    )
}

/// What the TUF client's refusal means to the one who carries the bundle.
pub(super) fn explain(error: Error) -> TrustError {
    if is_scratch_copy(&error) {
        return TrustError::Machine {
            what: "the scratch copy of the trust state cannot be read or written; is the \
                   temporary folder full?"
                .to_owned(),
            source: disk_error(&error).map(Into::into),
        };
    }
    let what = match &error {
        Error::VerifyMetadata { role, source, .. } => signatures(&role.to_string(), source),
        Error::VerifyTrustedMetadata { .. } | Error::ParseTrustedMetadata { .. } => {
            return TrustError::State {
                what: "the stored root does not verify; restore the trust state from a backup, or \
                       trust the root anew with `tidegate trust add FILE --fingerprint …`"
                    .to_owned(),
            };
        }
        Error::OlderMetadata { role, current_version, new_version, .. } => format!(
            "its {role} metadata has version {new_version}, but version {current_version} was \
             accepted before; an older one must not take its place"
        ),
        Error::OlderSnapshotInTimestamp { snapshot_new, snapshot_old, .. } => format!(
            "its timestamp names snapshot {snapshot_new}, but {snapshot_old} was accepted before"
        ),
        Error::SnapshotRoleRollback { role, old_role_version, new_role_version, .. } => format!(
            "it takes {role} back from version {old_role_version} to {new_role_version}; ask the \
             connected side to seal and export again"
        ),
        Error::SnapshotRoleMissing { role, .. } => {
            format!("it no longer lists {role}, which an accepted snapshot listed")
        }
        Error::VersionMismatch { role, fetched, expected, .. } => format!(
            "its {role} metadata has version {fetched} where {expected} is named: files of two \
             bundles are mixed"
        ),
        Error::Transport { source, url, .. } => {
            missing_or_damaged(url.path().trim_start_matches('/'), source)
        }
        Error::ParseMetadata { role, .. } => {
            format!("its {role} metadata does not parse: {DAMAGED}")
        }
        Error::MaxUpdatesExceeded { max_root_updates, .. } => {
            format!("it holds more than {max_root_updates} roots that are new here")
        }
        Error::MetaMissing { .. }
        | Error::MissingSnapshotMeta { .. }
        | Error::TimestampMetaLength { .. }
        | Error::SnapshotTargetsMetaMissing { .. } => {
            "its metadata do not name what they must name".to_owned()
        }
        Error::InvalidPath { .. } => {
            "its policy role names a target that it has no say over".to_owned()
        }
        _ => format!("its metadata are not as they must be: {DAMAGED}"),
    };
    TrustError::refused(what)
}

/// What the disk said, without what the TUF client said around it.
fn disk_error(error: &Error) -> Option<std::io::Error> {
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    let disk = causes.filter_map(|cause| cause.downcast_ref::<std::io::Error>()).next()?;
    Some(std::io::Error::new(disk.kind(), disk.to_string()))
}

/// Whether the TUF client could not read or write its copy of the trust state.
fn is_scratch_copy(error: &Error) -> bool {
    matches!(
        error,
        Error::DatastoreInit { .. }
            | Error::DatastoreOpen { .. }
            | Error::DatastoreCreate { .. }
            | Error::DatastoreRemove { .. }
            | Error::DatastoreSerialize { .. }
            | Error::SystemTimeSteppedBackward { .. }
    )
}

/// What it means that a file of the head could not be fetched as it was signed.
fn missing_or_damaged(file: &str, source: &TransportError) -> String {
    let inner = std::error::Error::source(source).and_then(|s| s.downcast_ref::<Error>());
    match inner {
        Some(Error::HashMismatch { .. }) => {
            format!("{file} does not have the digest that was signed: {DAMAGED}")
        }
        Some(Error::MaxSizeExceeded { max_size, .. }) => {
            format!("{file} is longer than the {max_size} bytes allowed: {DAMAGED}")
        }
        _ if source.kind() == TransportErrorKind::FileNotFound => {
            format!("{file} is missing from it: files of two bundles are mixed, or {DAMAGED}")
        }
        _ => format!("{file} cannot be read from it: {DAMAGED}"),
    }
}

/// What a failed signature check of a role means.
pub(super) fn signatures(role: &str, error: &schema::Error) -> String {
    match error {
        schema::Error::SignatureThreshold { threshold, valid: 0, .. } => format!(
            "none of the {threshold} signatures that its {role} metadata need is one of a key that \
             the trusted root names for it: the signer is unknown here or was revoked, or the file \
             was altered; compare the root's fingerprint with the connected side, and ask it for \
             an export signed with its present keys"
        ),
        schema::Error::SignatureThreshold { threshold, valid, .. } => format!(
            "its {role} metadata have {valid} of the {threshold} signatures that the trusted root \
             asks for: a countersignature is missing; ask the connected side to countersign it \
             with `tidegate sign`"
        ),
        schema::Error::DuplicateKeyId { .. } => {
            format!("its {role} metadata are signed twice with the same key: {DAMAGED}")
        }
        schema::Error::MissingRole { .. } => format!("the trusted root names no key for {role}"),
        _ => format!("the signatures of its {role} metadata do not hold: {DAMAGED}"),
    }
}
