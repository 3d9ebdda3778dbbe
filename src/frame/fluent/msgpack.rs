//! `MessagePack`, as far as it must be read to know where a value ends.
//!
//! Source: the `MessagePack` specification, <https://github.com/msgpack/msgpack/blob/master/spec.md>.
//! Nothing here recurses, and nothing is allocated for a length that was only announced.

/// What a value begins with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    Nil,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Single(f32),
    Double(f64),
    /// Of [`Head::len`] bytes.
    Str,
    /// Of [`Head::len`] bytes.
    Bin,
    /// Of [`Head::len`] bytes and this type.
    Ext(i8),
    /// Of [`Head::len`] values.
    Array,
    /// Of [`Head::len`] pairs.
    Map,
}

/// The first bytes of a value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Head {
    pub(super) kind: Kind,
    /// How many bytes the head has itself, 1 to 9.
    pub(super) size: usize,
    /// What follows it, by its kind.
    pub(super) len: usize,
}

/// The front of a buffer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Front {
    Head(Head),
    /// A part of a head.
    Short,
    /// The one byte that begins no value.
    Bad,
}

/// Looks for the end of values that follow each other, and may be asked again when there is more.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scan {
    /// How much of the buffer is passed; it may be more than there is.
    at: usize,
    /// Values to pass still.
    left: u64,
}

/// How far a [`Scan`] came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Passed {
    /// To the end of the values, here.
    All(usize),
    /// To the end of the buffer.
    Some,
    /// To a byte that begins no value.
    Bad,
}

/// Reads the head at the front of `bytes`.
#[inline]
pub(super) fn front(bytes: &[u8]) -> Front {
    let Some(&first) = bytes.first() else { return Front::Short };
    let head = |kind, size, len| Some(Head { kind, size, len });
    let plain = |kind, size| head(kind, size, 0);
    let number = |size: usize| uint(bytes, 1, size);
    // A length behind `before` bytes of head.
    let sized = |kind, width: usize| {
        let len = usize::try_from(uint(bytes, 1, width)?).ok()?;
        head(kind, 1 + width, len)
    };
    let ext = |width: usize, fixed: usize| {
        let len = if width == 0 { Some(fixed as u64) } else { uint(bytes, 1, width) };
        let [kind] = bytes.get(1 + width..2 + width)?.try_into().ok()?;
        head(Kind::Ext(i8::from_be_bytes([kind])), 2 + width, usize::try_from(len?).ok()?)
    };
    let read = match first {
        0x00..=0x7f => plain(Kind::Unsigned(first.into()), 1),
        0x80..=0x8f => head(Kind::Map, 1, usize::from(first & 0x0f)),
        0x90..=0x9f => head(Kind::Array, 1, usize::from(first & 0x0f)),
        0xa0..=0xbf => head(Kind::Str, 1, usize::from(first & 0x1f)),
        0xc0 => plain(Kind::Nil, 1),
        0xc1 => return Front::Bad,
        0xc2 | 0xc3 => plain(Kind::Bool(first == 0xc3), 1),
        0xc4..=0xc6 => sized(Kind::Bin, 1 << (first - 0xc4)),
        0xc7..=0xc9 => ext(1 << (first - 0xc7), 0),
        0xca => number(4)
            .and_then(|bits| plain(Kind::Single(f32::from_bits(u32::try_from(bits).ok()?)), 5)),
        0xcb => number(8).and_then(|bits| plain(Kind::Double(f64::from_bits(bits)), 9)),
        0xcc..=0xcf => {
            let size = 1 << (first - 0xcc);
            number(size).and_then(|value| plain(Kind::Unsigned(value), 1 + size))
        }
        0xd0..=0xd3 => {
            let size = 1 << (first - 0xd0);
            let shift = 64 - 8 * u32::try_from(size).unwrap_or(8);
            let signed = |bits: u64| i64::from_be_bytes((bits << shift).to_be_bytes()) >> shift;
            number(size).and_then(|bits| plain(Kind::Signed(signed(bits)), 1 + size))
        }
        0xd4..=0xd8 => ext(0, 1 << (first - 0xd4)),
        0xd9..=0xdb => sized(Kind::Str, 1 << (first - 0xd9)),
        0xdc | 0xdd => sized(Kind::Array, 2 << (first - 0xdc)),
        0xde | 0xdf => sized(Kind::Map, 2 << (first - 0xde)),
        0xe0..=0xff => plain(Kind::Signed(i8::from_be_bytes([first]).into()), 1),
    };
    read.map_or(Front::Short, Front::Head)
}

/// The unsigned number of `size` bytes at `at`, the first of which counts most.
#[inline]
fn uint(bytes: &[u8], at: usize, size: usize) -> Option<u64> {
    let bytes = bytes.get(at..at + size)?;
    Some(bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
}

impl Head {
    /// The bytes that belong to the value itself: text, octets, an extension.
    #[inline]
    pub(super) fn payload(self) -> usize {
        match self.kind {
            Kind::Str | Kind::Bin | Kind::Ext(_) => self.len,
            _ => 0,
        }
    }

    /// The values that belong to it.
    #[inline]
    fn values(self) -> u64 {
        match self.kind {
            Kind::Array => self.len as u64,
            Kind::Map => self.len as u64 * 2,
            _ => 0,
        }
    }
}

impl Scan {
    /// Passes so many values, at the front of what is shown to it.
    pub(super) fn new(values: u64) -> Self {
        Self { at: 0, left: values }
    }

    /// Goes on in `bytes`, of which it has seen the beginning unless it was [taken](Self::take).
    #[inline]
    pub(super) fn run(&mut self, bytes: &[u8]) -> Passed {
        while self.left > 0 {
            match front(bytes.get(self.at..).unwrap_or_default()) {
                Front::Head(head) => {
                    self.at = self.at.saturating_add(head.size + head.payload());
                    // Each value takes a byte at least: this is below what a stream can bring.
                    self.left = (self.left - 1).saturating_add(head.values());
                }
                Front::Short => return Passed::Some,
                Front::Bad => return Passed::Bad,
            }
        }
        if self.at <= bytes.len() { Passed::All(self.at) } else { Passed::Some }
    }

    /// Says how much of `bytes` it need not be shown again, and expects what is behind that next.
    pub(super) fn take(&mut self, bytes: &[u8]) -> usize {
        let taken = self.at.min(bytes.len());
        self.at -= taken;
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads() {
        let head = |kind, size, len| Front::Head(Head { kind, size, len });
        #[rustfmt::skip]
        let table: &[(&[u8], Front)] = &[
            (b"\x7f",                               head(Kind::Unsigned(127), 1, 0)),
            (b"\xff",                               head(Kind::Signed(-1), 1, 0)),
            (b"\xe0",                               head(Kind::Signed(-32), 1, 0)),
            (b"\x82",                               head(Kind::Map, 1, 2)),
            (b"\x93",                               head(Kind::Array, 1, 3)),
            (b"\xa3abc",                            head(Kind::Str, 1, 3)),
            (b"\xc0",                               head(Kind::Nil, 1, 0)),
            (b"\xc1",                               Front::Bad),
            (b"\xc2",                               head(Kind::Bool(false), 1, 0)),
            (b"\xc3",                               head(Kind::Bool(true), 1, 0)),
            (b"\xc4\x05",                           head(Kind::Bin, 2, 5)),
            (b"\xc5\x01\x00",                       head(Kind::Bin, 3, 256)),
            (b"\xc6\x00\x01\x00\x00",               head(Kind::Bin, 5, 65_536)),
            (b"\xc7\x08\x00",                       head(Kind::Ext(0), 3, 8)),
            (b"\xc8\x00\x09\xff",                   head(Kind::Ext(-1), 4, 9)),
            (b"\xc9\x00\x00\x00\x09\x01",           head(Kind::Ext(1), 6, 9)),
            (b"\xca\x3f\xc0\x00\x00",               head(Kind::Single(1.5), 5, 0)),
            (b"\xcb\x3f\xf8\0\0\0\0\0\0",           head(Kind::Double(1.5), 9, 0)),
            (b"\xcc\xff",                           head(Kind::Unsigned(255), 2, 0)),
            (b"\xcd\x01\x00",                       head(Kind::Unsigned(256), 3, 0)),
            (b"\xce\x00\x01\x00\x00",               head(Kind::Unsigned(65_536), 5, 0)),
            (b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff", head(Kind::Unsigned(u64::MAX), 9, 0)),
            (b"\xd0\x80",                           head(Kind::Signed(-128), 2, 0)),
            (b"\xd1\xff\x00",                       head(Kind::Signed(-256), 3, 0)),
            (b"\xd2\xff\xff\xff\xff",               head(Kind::Signed(-1), 5, 0)),
            (b"\xd3\x80\0\0\0\0\0\0\0",             head(Kind::Signed(i64::MIN), 9, 0)),
            (b"\xd4\x07",                           head(Kind::Ext(7), 2, 1)),
            (b"\xd7\x00",                           head(Kind::Ext(0), 2, 8)),
            (b"\xd8\x01",                           head(Kind::Ext(1), 2, 16)),
            (b"\xd9\xff",                           head(Kind::Str, 2, 255)),
            (b"\xda\xff\xff",                       head(Kind::Str, 3, 65_535)),
            (b"\xdb\xff\xff\xff\xff",               head(Kind::Str, 5, 0xffff_ffff)),
            (b"\xdc\x00\x10",                       head(Kind::Array, 3, 16)),
            (b"\xdd\xff\xff\xff\xff",               head(Kind::Array, 5, 0xffff_ffff)),
            (b"\xde\x00\x10",                       head(Kind::Map, 3, 16)),
            (b"\xdf\x00\x00\x00\x10",               head(Kind::Map, 5, 16)),
        ];
        for (bytes, want) in table {
            assert_eq!(front(bytes), *want, "{}", bytes.escape_ascii());
            if let Front::Head(head) = want {
                for len in 0..head.size {
                    assert_eq!(front(&bytes[..len]), Front::Short, "{}", bytes.escape_ascii());
                }
            }
        }
    }

    #[test]
    fn values_are_passed_however_they_come() {
        // {"a": [1, "bc", {nil: nil}]}, then 5
        let bytes = b"\x81\xa1a\x93\x01\xa2bc\x81\xc0\xc0\x05";
        for step in 1..bytes.len() {
            let mut scan = Scan::new(1);
            let mut seen = 0;
            let end = loop {
                seen = (seen + step).min(bytes.len());
                match scan.run(&bytes[..seen]) {
                    Passed::All(end) => break end,
                    Passed::Some => {}
                    Passed::Bad => panic!("{step}"),
                }
            };
            assert_eq!(end, bytes.len() - 1, "{step}");
        }
        assert_eq!(Scan::new(2).run(bytes), Passed::All(bytes.len()));
        assert_eq!(Scan::new(3).run(bytes), Passed::Some);
        assert_eq!(Scan::new(1).run(b"\x92\xc1"), Passed::Bad);
        // A length that lies is waited for, and takes nothing.
        assert_eq!(Scan::new(1).run(b"\xdd\xff\xff\xff\xff\xdd\xff\xff\xff\xff"), Passed::Some);
        assert_eq!(Scan::new(1).run(&[0x91; 100_000]), Passed::Some);
    }
}
