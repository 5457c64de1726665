//! What an answer weighs and how it is streamed. Fragments were compressed when they were packed:
//! an answer is glued from their blocks and a few of its own. Only small ones are held; one of many
//! megabytes passes through in blocks.

use std::{io, path::Path};

use axum::body::{Body, Bytes};

use crate::{
    protocol::xpress::{self, Unpacker},
    server::{
        answer_memory::{AnswerMemory, WaitingAnswer},
        body::blocking_body,
        call::{Pieces, StoredPiece},
        encoding::Encoding,
        pack::fragment::{Chunks, PackedFragment},
        spool::SpooledAnswer,
    },
    soap::Piece,
};

/// A fragment up to this many bytes is read at once.
const SMALL_FRAGMENT: u64 = 128 * 1024;
/// An answer reads no fragment into memory when it holds more than this, text and fragments together; and
/// then about one large block at a time.
const HELD: u64 = 2 * 1024 * 1024;
/// Compressed bytes that are read at one time from a large fragment.
const CHUNK: usize = 128 * 1024;
/// The same if they are unpacked: they may become a hundred times as many.
const CHUNK_TO_UNPACK: usize = 8 * 1024;

/// An answer of known length.
pub(crate) struct Answer {
    parts: Vec<AnswerPart>,
    length: u64,
    encoding: Encoding,
}

enum AnswerPart {
    Held(Bytes),
    Stored(PackedFragment),
    Spooled(SpooledAnswer),
}

impl Answer {
    /// Prepares an answer; reads small fragments. What is in memory counts in `memory`; beyond it, it waits
    /// in files in `folder`. Blocking.
    pub(crate) fn new(
        pieces: Pieces,
        encoding: Encoding,
        memory: &AnswerMemory,
        folder: &Path,
    ) -> io::Result<Self> {
        let hold = |held: Vec<u8>| match memory.hold(held, folder) {
            WaitingAnswer::Held(bytes) => AnswerPart::Held(bytes),
            WaitingAnswer::Spooled(spooled) => AnswerPart::Spooled(spooled),
        };
        let (mut parts, mut held, mut length, mut holding) = (Vec::new(), Vec::new(), 0, 0);
        for piece in pieces {
            match piece {
                // Text is in memory in any case, and leaves less room for fragments.
                Piece::Text(text) => {
                    let before = held.len();
                    match encoding {
                        Encoding::Plain => held.extend_from_slice(text.as_bytes()),
                        Encoding::Xpress => {
                            held.extend_from_slice(&xpress::compress(text.as_bytes()));
                        }
                    }
                    holding += (held.len() - before) as u64;
                }
                Piece::Foreign(StoredPiece::Spooled(spooled)) => {
                    length += held.len() as u64 + spooled.len();
                    parts.push(hold(std::mem::take(&mut held)));
                    parts.push(AnswerPart::Spooled(spooled));
                }
                Piece::Foreign(StoredPiece::Fragment(fragment)) => {
                    let weight = weight(&fragment, encoding);
                    if weight <= SMALL_FRAGMENT && holding + weight <= HELD {
                        holding += weight;
                        held.extend_from_slice(&match encoding {
                            Encoding::Plain => fragment.escaped()?,
                            Encoding::Xpress => fragment.framed()?,
                        });
                        continue;
                    }
                    length += held.len() as u64 + weight;
                    parts.push(hold(std::mem::take(&mut held)));
                    parts.push(AnswerPart::Stored(fragment));
                }
            }
        }
        length += held.len() as u64;
        parts.push(hold(held));
        Ok(Self { parts, length, encoding })
    }

    /// Bytes of the body.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    pub(crate) fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// The body, read as fast as the client takes it.
    pub(crate) fn into_body(mut self) -> Body {
        let encoding = self.encoding;
        match (self.parts.pop(), self.parts.is_empty()) {
            (Some(AnswerPart::Held(all)), true) => Body::from(all),
            (last, _) => {
                self.parts.extend(last);
                blocking_body(self.parts.into_iter().flat_map(move |part| part.read(encoding)))
            }
        }
    }
}

fn weight(fragment: &PackedFragment, encoding: Encoding) -> u64 {
    match encoding {
        Encoding::Plain => fragment.escaped_len(),
        Encoding::Xpress => fragment.framed_len(),
    }
}

type Blocks = Box<dyn Iterator<Item = io::Result<Bytes>> + Send>;

impl AnswerPart {
    fn read(self, encoding: Encoding) -> Blocks {
        match (self, encoding) {
            (Self::Held(bytes), _) => Box::new(std::iter::once(Ok(bytes))),
            (Self::Spooled(spooled), _) => Box::new(spooled.chunks()),
            (Self::Stored(fragment), Encoding::Xpress) => Box::new(fragment.chunks(CHUNK)),
            (Self::Stored(fragment), Encoding::Plain) => {
                let chunks = fragment.chunks(CHUNK_TO_UNPACK);
                Box::new(UnpackedChunks { chunks, unpacker: Unpacker::default() })
            }
        }
    }
}

struct UnpackedChunks {
    chunks: Chunks,
    unpacker: Unpacker,
}

impl Iterator for UnpackedChunks {
    type Item = io::Result<Bytes>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut out = Vec::new();
        while out.is_empty() {
            let unpacked = match self.chunks.next()? {
                Ok(chunk) => self.unpacker.push(&chunk, &mut out).map_err(io::Error::other),
                Err(error) => Err(error),
            };
            if let Err(error) = unpacked {
                return Some(Err(error));
            }
        }
        Some(Ok(out.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        server::pack::{fragment::FragmentKind, packs::Packs},
        update::{DocumentLimits, RevisionId, UpdateId, UpdateIdentity},
    };

    #[test]
    fn text_leaves_less_room_for_fragments() {
        let folder = tempfile::tempdir().unwrap();
        let identity = UpdateIdentity { id: UpdateId(uuid::Uuid::from_u128(1)), revision: 1 };
        let document = format!(
            r#"<Update xmlns="http://schemas.microsoft.com/msus/2002/12/Update"><UpdateIdentity UpdateID="{}" RevisionNumber="1" /><Properties DefaultPropertiesLanguage="en" UpdateType="Software" /></Update>"#,
            identity.id
        );
        let mut documents = |_| Ok(Some(document.clone().into_bytes()));
        let limits = DocumentLimits::default();
        let wanted = [(RevisionId(1), identity)];
        let (packs, _) = Packs::load(folder.path(), &wanted, &limits, &mut documents).unwrap();
        let core = packs.fragment(&identity, FragmentKind::Core).unwrap().unwrap();
        let parts = |text: usize| {
            let pieces = vec![
                Piece::Text("x".repeat(text)),
                Piece::Foreign(core.clone().into()),
                Piece::Text("y".to_owned()),
            ];
            let memory = AnswerMemory::default();
            let answer = Answer::new(pieces, Encoding::Plain, &memory, folder.path()).unwrap();
            assert_eq!(answer.length(), text as u64 + core.escaped_len() + 1);
            answer.parts.len()
        };
        assert_eq!(parts(1000), 1, "all in memory");
        assert_eq!(parts(3 * 1024 * 1024), 3, "the fragment is read while it is sent");
    }
}
