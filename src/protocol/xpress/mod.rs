//! Xpress: the compression of SOAP answers. Blocks of at most 65535 bytes, each compressed on its
//! own (DIRECT2, a window of 8 KiB) or stored. [MS-WUSP] 2.1.1
//!
//! Because blocks are independent, framed bodies may be joined end to end: an answer can be glued
//! from pieces that were compressed long before.

mod decode;
mod encode;
#[cfg(test)]
mod tests;

pub use decode::{Block, Unpacker, blocks, decompress};
pub use encode::compress;

/// Bytes per block that we write: what a WSUS on Server 2025 was seen to send.
pub const BLOCK_SIZE: usize = 16352;

/// Most bytes that one block may hold before compression.
pub const MAX_BLOCK_SIZE: usize = 65535;

/// Bytes of a block's header: two lengths, little-endian.
pub const HEADER_SIZE: usize = 8;

/// Farthest distance back of a match.
const WINDOW: usize = 8192;

/// Why a body is no Xpress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum XpressError {
    /// It ends within a block or its header.
    #[error("the compressed body ends in the middle of a block")]
    Truncated,
    /// A block states a size of zero or over 65535.
    #[error("a compressed block states sizes that are not allowed")]
    BadSizes,
    /// A block does not unpack to what its header states.
    #[error("a compressed block is damaged")]
    Damaged,
    /// It unpacks to more than the caller allows.
    #[error("the compressed body unpacks to more than {limit} bytes")]
    TooLarge {
        /// What was allowed.
        limit: usize,
    },
}
