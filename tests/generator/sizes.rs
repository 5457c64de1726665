//! How large things are, as quantiles of real ones.

use super::random::Random;

/// (share of all, value at that share).
pub type Quantiles = &'static [(f64, f64)];

/// Bytes of a document: 4,125 real ones of 2024.
pub const DOCUMENT: Quantiles = &[
    (0.0, 841.0),
    (0.1, 1_289.0),
    (0.25, 1_299.0),
    (0.5, 1_464.0),
    (0.75, 2_235.0),
    (0.9, 5_106.0),
    (0.95, 8_658.0),
    (0.98, 16_498.0),
    (0.99, 23_058.0),
    (0.995, 31_058.0),
    (0.999, 528_161.0),
    (1.0, 850_355.0),
];

/// Bytes of a payload file: 8,234 distinct ones of a real server.
pub const FILE: Quantiles = &[
    (0.0, 16_642.0),
    (0.01, 68_248.0),
    (0.05, 1_533_501.0),
    (0.1, 5_440_789.0),
    (0.2, 11_979_795.0),
    (0.3, 34_358_508.0),
    (0.4, 69_224_349.0),
    (0.5, 429_649_541.0),
    (0.6, 2_410_901_600.0),
    (0.7, 2_777_751_076.0),
    (0.8, 3_389_457_771.0),
    (0.9, 3_741_372_509.0),
    (0.99, 4_207_877_744.0),
    (1.0, 6_026_932_616.0),
];

/// Files of one update.
pub const FILES: Quantiles =
    &[(0.0, 1.0), (0.7, 1.4), (0.75, 2.0), (0.9, 3.0), (0.99, 5.0), (0.999, 40.0), (1.0, 132.0)];

/// Bytes of a document that carries a component manifest, without the very large ones.
pub const MANIFEST: Quantiles = &[
    (0.0, 8_000.0),
    (0.25, 90_000.0),
    (0.5, 167_000.0),
    (0.75, 235_000.0),
    (0.95, 420_000.0),
    (1.0, 980_000.0),
];

/// The ten over 32 MiB of a Windows 11 catalogue.
pub const GIANTS: [usize; 10] = [
    46_900_000, 46_100_000, 44_700_000, 43_000_000, 41_200_000, 39_600_000, 38_100_000, 36_600_000,
    35_200_000, 33_900_000,
];

/// How many more are over 1 MB, and between what.
pub const LARGE: (usize, f64, f64) = (36, 1_060_000.0, 31_000_000.0);

/// A value with this distribution; between two known quantiles it grows by a constant factor.
pub fn draw(quantiles: Quantiles, random: &mut Random) -> usize {
    let share = random.fraction();
    for pair in quantiles.windows(2) {
        let ((low, from), (high, to)) = (pair[0], pair[1]);
        if share <= high {
            let within = (share - low) / (high - low);
            return (from * (to / from).powf(within)) as usize;
        }
    }
    quantiles.last().map_or(0, |(_, value)| *value as usize)
}

/// The `n`th of the documents between 1 MB and 32 MiB.
pub fn large(n: usize) -> usize {
    let (count, from, to) = LARGE;
    (from * (to / from).powf(n as f64 / (count - 1) as f64)) as usize
}
