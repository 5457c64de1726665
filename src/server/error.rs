//! Why a server does not start.

use std::{io, net::SocketAddr, path::PathBuf};

use tokio::task::JoinError;

use super::view::error::ViewError;
use crate::{
    catalog::CatalogError, content::ContentError, file_error::FileError, fleet::FleetError,
};

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The address is taken or not ours.
    #[error("cannot listen on {address}: choose another address with --listen or --tls-listen")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// There is no address.
    #[error("there is nowhere to listen: give --listen an address, or --tls-cert and --tls-key")]
    Nowhere,
    /// The certificate or its key cannot be used.
    #[error("cannot speak TLS")]
    Tls(#[from] TlsError),
    /// `public_url` is none.
    #[error(
        "{url:?} is no URL that agents can reach: give one such as http://updates.example:8530"
    )]
    PublicUrl {
        /// What was given.
        url: String,
    },
    /// The catalogue could not be opened.
    #[error("cannot open the catalogue to serve")]
    Catalog(#[from] CatalogError),
    /// The payloads could not be opened.
    #[error("cannot open the payloads to serve")]
    Content(#[from] ContentError),
    /// The fleet could not be opened.
    #[error("cannot open the fleet to serve")]
    Fleet(#[from] FleetError),
    /// The view could not be loaded.
    #[error(transparent)]
    View(#[from] ViewError),
    /// A value that the server keeps in the fleet is damaged.
    #[error("the value {key:?} in the fleet database is damaged: restore it from a backup")]
    Value {
        /// Its key.
        key: String,
    },
    /// The system gives no random numbers.
    #[error("the system gives no random numbers for a cookie key")]
    Random,
    /// Loading was broken off.
    #[error("loading what is to be served was broken off")]
    Task(#[from] JoinError),
}

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file holds no PEM of the kind.
    #[error(
        "{path} holds no {what} in PEM (a .pfx is converted by `openssl pkcs12 -nodes -in FILE.pfx`)"
    )]
    Pem {
        /// The file.
        path: PathBuf,
        /// What was looked for.
        what: &'static str,
    },
    /// Certificate and key do not work together.
    #[error("cannot use the certificate {certificate} with the key {key}: {why}")]
    Pair {
        /// File of the certificate.
        certificate: PathBuf,
        /// File of the key.
        key: PathBuf,
        /// Why.
        why: &'static str,
    },
}
