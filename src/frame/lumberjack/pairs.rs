//! Where an event of version 1 ends: its length is that of its pairs, which say theirs one by one.

/// Walks over the strings of an event, however they are cut into reads.
#[derive(Clone, Copy, Debug)]
pub(super) struct Walk {
    /// Keys and values to come, the present one included.
    strings: u32,
    /// The length of the present one, as far as its four bytes are known.
    len: u32,
    /// How many of those are.
    len_bytes: u8,
    /// Bytes of it to come.
    left: u32,
}

impl Walk {
    /// Before the first of so many pairs.
    pub(super) fn new(pairs: u32) -> Self {
        Self { strings: pairs.saturating_mul(2), len: 0, len_bytes: 0, left: 0 }
    }

    /// Whether the last string has ended.
    pub(super) fn is_done(self) -> bool {
        self.strings == 0
    }

    /// Walks on over `bytes`: how many of them belong to the event, or the length of a string that
    /// is longer than `max`.
    pub(super) fn over(&mut self, bytes: &[u8], max: usize) -> Result<usize, u32> {
        let mut at = 0;
        while self.strings > 0 {
            if self.len_bytes < LEN_BYTES {
                let Some(byte) = bytes.get(at) else { break };
                self.len = self.len << 8 | u32::from(*byte);
                self.len_bytes += 1;
                at += 1;
                if self.len_bytes < LEN_BYTES {
                    continue;
                }
                if self.len as usize > max {
                    return Err(self.len);
                }
                self.left = self.len;
            }
            let step = (self.left as usize).min(bytes.len().saturating_sub(at));
            at += step;
            self.left -= u32::try_from(step).unwrap_or(self.left);
            if self.left > 0 {
                break;
            }
            self.strings -= 1;
            (self.len, self.len_bytes) = (0, 0);
        }
        Ok(at)
    }
}

/// Bytes of a length.
const LEN_BYTES: u8 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_end_where_they_say_however_they_are_cut() {
        let text = b"\0\0\0\x01a\0\0\0\0\0\0\0\x03bcd\0\0\0\x02efrest";
        for step in 1..text.len() {
            let (mut walk, mut at) = (Walk::new(2), 0);
            for read in text.chunks(step) {
                at += walk.over(read, 10).unwrap();
            }
            assert!(walk.is_done());
            assert_eq!(text.get(at..), Some(&b"rest"[..]), "reads of {step}");
        }
        assert_eq!(Walk::new(1).over(b"\xff\xff\xff\xff", 10), Err(u32::MAX));
        assert_eq!(Walk::new(1).over(b"\0\0\0\x0b", 10), Err(11));
    }
}
