//! Recognising an answer that is, byte for byte, one that was taken before.
//!
//! Without data versions the only way to know that a table has not changed is to have it sent once more. What comes need
//! not be read and stored again, though, if it is the same: digests of its beginnings tell, and where they first differ
//! the rest is not worth waiting for.

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest, Sha256};

/// Bytes from one digest to the next.
const STRIDE: usize = 4 << 20;

/// SHA-256.
type Hash = [u8; 32];

/// SHA-256 of an answer's first 4 MiB, of its first 8 MiB and so on, and of all of it. Says nothing about what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    beginnings: Vec<Hash>,
    whole: Hash,
}

impl Serialize for Fingerprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut bytes = self.beginnings.concat();
        bytes.extend_from_slice(&self.whole);
        serializer.serialize_str(&STANDARD_NO_PAD.encode(bytes))
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = STANDARD_NO_PAD.decode(text).map_err(de::Error::custom)?;
        let (hashes, []) = bytes.as_chunks::<{ size_of::<Hash>() }>() else {
            return Err(de::Error::custom("not a number of whole digests"));
        };
        let (whole, beginnings) = hashes.split_last().ok_or_else(|| de::Error::custom("no digest"))?;
        Ok(Self { beginnings: beginnings.to_vec(), whole: *whole })
    }
}

/// Takes the fingerprint of an answer as it arrives.
#[derive(Default)]
pub(crate) struct Fingerprinting {
    hash: Sha256,
    /// Bytes since the last digest.
    since: usize,
    beginnings: Vec<Hash>,
}

impl Fingerprinting {
    pub(crate) fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(STRIDE - self.since));
            self.hash.update(now);
            self.since += now.len();
            if self.since == STRIDE {
                self.since = 0;
                self.beginnings.push(self.hash.clone().finalize().into());
            }
            bytes = later;
        }
    }

    /// Whether what has come so far may still become the answer that `known` was taken of.
    pub(crate) fn may_be(&self, known: &Fingerprint) -> bool {
        known.beginnings.starts_with(&self.beginnings)
    }

    pub(crate) fn finish(self) -> Fingerprint {
        Fingerprint { beginnings: self.beginnings, whole: self.hash.finalize().into() }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn fingerprint(chunks: &[&[u8]]) -> Fingerprint {
        let mut taking = Fingerprinting::default();
        for chunk in chunks {
            taking.push(chunk);
        }
        taking.finish()
    }

    #[rstest]
    #[case::empty(0)]
    #[case::less(5)]
    #[case::one_stride(STRIDE)]
    #[case::more(2 * STRIDE + 1)]
    fn it_comes_back_as_it_was_kept(#[case] length: usize) {
        let taken = fingerprint(&[&vec![b'a'; length]]);
        assert_eq!(taken.beginnings.len(), length / STRIDE);
        let kept = serde_json::to_string(&taken).unwrap();
        assert_eq!(serde_json::from_str::<Fingerprint>(&kept).unwrap(), taken);
    }

    #[rstest]
    #[case::nothing("\"\"")]
    #[case::half_a_digest("\"AAAAAAAAAAAAAAAAAAAAAA\"")]
    #[case::no_base64("\"*\"")]
    fn what_is_no_fingerprint_is_refused(#[case] kept: &str) {
        assert!(serde_json::from_str::<Fingerprint>(kept).is_err());
    }

    #[test]
    fn a_difference_shows_at_the_next_digest() {
        let mut body = vec![b'a'; 3 * STRIDE];
        let known = fingerprint(&[&body]);
        body[STRIDE + 7] = b'b';
        let mut other = Fingerprinting::default();
        other.push(&body[..STRIDE]);
        assert!(other.may_be(&known));
        other.push(&body[STRIDE..2 * STRIDE]);
        assert!(!other.may_be(&known));
        assert_ne!(fingerprint(&[&body]), known);
        // Nor is one that goes on after the known end, or ends before.
        assert_ne!(fingerprint(&[&body[..STRIDE]]), known);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn how_it_arrives_does_not_matter(cut in 0..STRIDE * 2 + 9, size in STRIDE..STRIDE * 2 + 9) {
            let body: Vec<u8> = (0..size).map(|place| place.to_le_bytes()[1]).collect();
            let (first, second) = body.split_at(cut.min(size));
            prop_assert_eq!(fingerprint(&[first, second]), fingerprint(&[&body]));
        }
    }
}
