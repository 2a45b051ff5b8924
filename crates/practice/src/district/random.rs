/// SplitMix64 (Steele, Lea, Flood 2014): tiny, seedable, and the same on every platform, which a
/// district that has to be equal byte for byte needs more than quality of randomness.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    /// An independent stream for one purpose, so that adding draws to one table leaves the others.
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        let mut random = Self(seed ^ stream.wrapping_mul(0xA24B_AED4_963E_E407));
        random.next();
        random
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number in `0..bound`; 0 for an empty range.
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        if bound == 0 {
            return 0;
        }
        // The high 32 bits scaled into the range: no modulo bias worth the name at these bounds.
        let high = self.next() >> 32;
        u32::try_from((high * u64::from(bound)) >> 32).unwrap_or(0)
    }

    /// True `per_thousand` times in a thousand.
    pub(crate) fn chance(&mut self, per_thousand: u32) -> bool {
        self.below(1000) < per_thousand
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        let last = u32::try_from(from.len()).unwrap_or(u32::MAX);
        &from[self.below(last) as usize]
    }
}
