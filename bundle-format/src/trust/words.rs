//! A digest as words, to compare by voice.
//!
//! One word for each byte, sixteen words for the first 128 bits: nobody can make a second root whose
//! fingerprint begins with the same 128 bits. Plain English words, our own choice; no two begin
//! with the same three letters. The list is part of the format (SPEC.md) and never changes.

/// How many bytes are said.
const SAID: usize = 16;

/// The words for the first bytes of a digest, separated by spaces.
pub(crate) fn spoken(digest: &[u8; 32]) -> String {
    let words: Vec<&str> = digest
        .iter()
        .take(SAID)
        .filter_map(|byte| WORDS.get(usize::from(*byte)).copied())
        .collect();
    words.join(" ")
}

/// The word for each byte.
#[rustfmt::skip]
const WORDS: [&str; 256] = [
    "actor", "alley", "amber", "angle", "apple", "apron", "arbor", "arena",
    "aspen", "attic", "autumn", "avenue", "award", "bacon", "badge", "bagel",
    "baker", "bamboo", "barrel", "basket", "beach", "bench", "berry", "bishop",
    "blanket", "blossom", "bonnet", "bracket", "bridge", "bronze", "bucket", "bugle",
    "butter", "cabin", "cactus", "camel", "candle", "carpet", "castle", "cellar",
    "cherry", "chimney", "cider", "clover", "cobalt", "coffee", "comet", "copper",
    "coral", "cottage", "cousin", "crayon", "cricket", "cuckoo", "curtain", "dawn",
    "denim", "diamond", "dinner", "donkey", "dune", "eagle", "earth", "echo",
    "elephant", "ember", "emerald", "engine", "envoy", "eraser", "estate", "ether",
    "fabric", "fence", "fiddle", "finger", "flower", "fossil", "fox", "frost",
    "funnel", "gadget", "galaxy", "gazelle", "gecko", "ginger", "goblet", "guitar",
    "hammer", "hazel", "hickory", "honey", "hornet", "hunter", "hyena", "iceberg",
    "igloo", "indigo", "iris", "island", "ivory", "jacket", "jaguar", "jasmine",
    "jelly", "jigsaw", "jockey", "journal", "judge", "juggler", "kayak", "kernel",
    "kettle", "kitten", "knight", "koala", "ladder", "lagoon", "lantern", "laurel",
    "lava", "leopard", "letter", "lilac", "lobster", "locket", "lumber", "lyric",
    "magnet", "maple", "marble", "medal", "melon", "metal", "mirror", "mitten",
    "model", "monkey", "motor", "mountain", "muffin", "mulberry", "nebula", "needle",
    "nephew", "nickel", "north", "nugget", "nursery", "oasis", "ocean", "octopus",
    "office", "olive", "onion", "orbit", "orchid", "otter", "oyster", "palace",
    "panda", "parrot", "pastry", "peacock", "pebble", "pencil", "piano", "picnic",
    "pigeon", "pillow", "pirate", "planet", "plum", "pocket", "potato", "prairie",
    "prince", "pudding", "puppet", "queen", "quilt", "radish", "raven", "recipe",
    "remedy", "ribbon", "river", "robin", "rosebud", "ruby", "saddle", "salmon",
    "satin", "scarf", "school", "season", "shadow", "shelter", "shrimp", "silver",
    "singer", "sleigh", "smoke", "snow", "sofa", "soldier", "sonnet", "spider",
    "spoon", "squirrel", "stable", "stone", "summer", "sunset", "swallow", "syrup",
    "table", "tailor", "tango", "teapot", "tennis", "thunder", "tiger", "tomato",
    "tornado", "tractor", "trumpet", "tulip", "tunnel", "umbrella", "unicorn", "valley",
    "vanilla", "velvet", "vessel", "village", "violin", "visitor", "volcano", "voyage",
    "waffle", "wagon", "walnut", "warrior", "water", "weasel", "wheat", "willow",
    "window", "wizard", "wonder", "yacht", "yellow", "yogurt", "zipper", "zodiac",
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn words_differ_in_their_first_three_letters() {
        let starts: BTreeSet<&str> = WORDS.iter().map(|word| &word[..3]).collect();
        assert_eq!(starts.len(), 256);
        assert!(WORDS.iter().all(|word| word.bytes().all(|b| b.is_ascii_lowercase())));
        assert!(WORDS.is_sorted());
    }

    #[test]
    fn the_specification_holds_the_same_table() {
        let specification = include_str!("../../SPEC.md");
        for (row, words) in WORDS.chunks(16).enumerate() {
            let line = format!("| {row:x}0 | {} |\n", words.join(" "));
            assert!(specification.contains(&line), "{line}");
        }
    }

    #[test]
    fn every_said_byte_counts() {
        let zero = spoken(&[0; 32]);
        assert_eq!(zero, [WORDS[0]; SAID].join(" "));
        for byte in 0..32 {
            let mut digest = [0; 32];
            digest[byte] = 255;
            assert_eq!(spoken(&digest) != zero, byte < SAID);
        }
    }
}
