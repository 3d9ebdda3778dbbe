//! The files of a bundle, read as strictly as they are written: one after the other, nothing between
//! them and nothing behind. A bundle that says the same in other octets is not the one that was made.

use std::io::{self, Read};

use super::Fault;

/// Reads the files of a tar.
#[derive(Debug)]
pub(super) struct Members<R> {
    read: R,
}

/// A file: its name and its content.
pub(super) type Member = (String, Vec<u8>);

impl<R: Read> Members<R> {
    pub(super) fn new(read: R) -> Self {
        Self { read }
    }

    /// The next file; none at the end.
    ///
    /// # Errors
    ///
    /// There is anything but a plain file, or it is cut short.
    pub(super) fn next(&mut self) -> Result<Option<Member>, Fault> {
        let mut header = [0; BLOCK];
        self.fill(&mut header)?;
        if header == [0; BLOCK] {
            self.expect_end()?;
            return Ok(None);
        }
        let (name, size) = plain(&header).ok_or_else(|| broken("a file that is none of ours"))?;
        if size > MAX_MEMBER {
            return Err(Fault::new(format!(
                "expected files of at most {MAX_MEMBER} bytes, but found {name}"
            )));
        }
        let mut content = Vec::new();
        let read = self.read.by_ref().take(size).read_to_end(&mut content);
        if read.map_err(unreadable)? as u64 != size {
            return Err(broken("its end within a file"));
        }
        let mut padding = [0; BLOCK];
        let len = content.len().next_multiple_of(BLOCK) - content.len();
        let padding = padding.get_mut(..len).unwrap_or_default();
        self.fill(padding)?;
        if padding.iter().any(|byte| *byte != 0) {
            return Err(broken(&format!("something behind {name} that is no part of it")));
        }
        Ok(Some((name, content)))
    }

    /// One block of zeros was read: there is another, and no more.
    fn expect_end(&mut self) -> Result<(), Fault> {
        let mut last = [0; BLOCK];
        self.fill(&mut last)?;
        let more = self.read.read(&mut [0]).map_err(unreadable)?;
        if last != [0; BLOCK] || more > 0 {
            return Err(broken("something behind its end"));
        }
        Ok(())
    }

    fn fill(&mut self, block: &mut [u8]) -> Result<(), Fault> {
        self.read.read_exact(block).map_err(unreadable)
    }
}

/// The name and the size of a plain file, by its header.
fn plain(header: &[u8; BLOCK]) -> Option<(String, u64)> {
    let (name, rest) = header.split_at_checked(100)?;
    let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
    let (name, none) = name.split_at_checked(end)?;
    let octal = |from: usize, len: usize| {
        let digits = rest.get(from - 100..from - 100 + len)?;
        let digits = std::str::from_utf8(digits).ok()?.trim_matches(['\0', ' ']);
        u64::from_str_radix(digits, 8).ok()
    };
    // What is summed up has blanks where the sum is.
    let sum: u64 = header.iter().map(|byte| u64::from(*byte)).sum();
    let own: u64 = header.get(148..156)?.iter().map(|byte| u64::from(*byte)).sum();
    let is_whole = octal(148, 8)? == sum - own + 8 * u64::from(b' ');
    let is_plain = header.get(156) == Some(&0) && header.get(157..257)?.iter().all(|b| *b == 0);
    let has_no_prefix = header.get(345..)?.iter().all(|byte| *byte == 0);
    let is_ours = is_whole && is_plain && has_no_prefix && none.iter().all(|byte| *byte == 0);
    let name = std::str::from_utf8(name).ok().filter(|_| is_ours)?;
    Some((name.to_owned(), octal(124, 12)?))
}

fn broken(found: &str) -> Fault {
    Fault::new(format!("expected a whole bundle, but found {found}"))
}

fn unreadable(error: io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => broken("its end too early"),
        _ => Fault::new(error.to_string()),
    }
}

/// What a tar is made of, in bytes.
const BLOCK: usize = 512;

/// Bytes of a file in a bundle: more than its entries take.
const MAX_MEMBER: u64 = 256 << 20;
