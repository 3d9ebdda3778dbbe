//! `logtrace kql`: queries in, trees out.

use std::io::{self, BufWriter, Read, Write};

use super::failure::Failure;
use super::messages::{Decoder, each_message};
use crate::frame::{Frames, Framing};
use crate::kql::{self, Syntax};

/// Reads standard input to its end.
pub(super) fn run(strict: bool) -> Result<(), Failure> {
    let syntax = if strict { Syntax::Strict } else { Syntax::Lenient };
    Ok(show(syntax, &mut io::stdin().lock(), &mut BufWriter::new(io::stdout().lock()))?)
}

/// Writes the tree of each line of `input`, or what is wrong with it.
pub(super) fn show(
    syntax: Syntax,
    input: &mut impl Read,
    output: &mut impl Write,
) -> io::Result<()> {
    // A longer line is cut where it is too long already.
    let mut decoder = Decoder::Frames(Box::new(Frames::new(Framing::None, kql::MAX_LEN + 1)));
    each_message(input, &mut decoder, output, |line, _, output| {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let tree = match kql::parse(&String::from_utf8_lossy(line), syntax) {
            Ok(parsed) => parsed.query.to_json(),
            Err(error) => error.to_json(),
        };
        writeln!(output, "{tree}")
    })
}
