//! `logtrace parse`: what would become of these messages?

use std::io::{self, BufWriter, Read, Write};
use std::net::IpAddr;

use super::args::{self, ParseArgs, Protocol};
use super::failure::Failure;
use super::messages::{Decoder, each_message};
use crate::event::{Event, Known, Memory, Tag, Value};
use crate::frame::{Frames, Framing, JsonValues};
use crate::ids;
use crate::ingest::now;
use crate::parse::{self, Context, flatten};
use crate::time::Timestamp;

/// How to read the input.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setup {
    protocol: Protocol,
    framing: Framing,
    received_at: Option<Timestamp>,
    peer: Option<IpAddr>,
}

/// Reads standard input to its end.
pub(super) fn run(args: &ParseArgs) -> Result<(), Failure> {
    let setup = Setup::new(args)?;
    Ok(setup.parse(&mut io::stdin().lock(), &mut BufWriter::new(io::stdout().lock()))?)
}

impl Setup {
    pub(super) fn new(args: &ParseArgs) -> Result<Self, Failure> {
        let framing = match args.framing {
            None if args.protocol == Protocol::Logstash => Framing::Lf,
            None | Some(args::Framing::Auto) => Framing::Auto,
            Some(args::Framing::Octet) => Framing::Octet,
            Some(args::Framing::Lf) => Framing::Lf,
            Some(args::Framing::Nul) => Framing::Nul,
            Some(args::Framing::None) => Framing::None,
        };
        let received_at = match &args.received_at {
            None => None,
            Some(text) => Some(Timestamp::parse_rfc3339(text.as_bytes()).ok_or_else(|| {
                Failure::Usage(format!(
                    "--received-at: expected an RFC 3339 time, but found {text:?}"
                ))
            })?),
        };
        Ok(Self { protocol: args.protocol, framing, received_at, peer: args.peer })
    }

    /// Writes the events of all messages of `input`.
    pub(super) fn parse(&self, input: &mut impl Read, output: &mut impl Write) -> io::Result<()> {
        let mut decoder = match self.framing {
            Framing::Auto if self.protocol != Protocol::Syslog => {
                Decoder::Json(Box::new(JsonValues::new(MAX_MESSAGE)))
            }
            framing => Decoder::Frames(Box::new(Frames::new(framing, MAX_MESSAGE))),
        };
        let mut spare = Memory::default();
        each_message(input, &mut decoder, output, |raw, original_len, output| {
            let mut event = std::mem::take(&mut spare).begin();
            let result = self.message(raw, original_len, &mut event, output);
            event.leave(&mut spare);
            result
        })
    }

    fn message<'a>(
        &self,
        raw: &'a [u8],
        original_len: Option<u64>,
        event: &mut Event<'a>,
        output: &mut impl Write,
    ) -> io::Result<()> {
        let received_at = self.received_at.unwrap_or_else(now);
        let cx = Context { received_at, zone_offset: 0, keep_original: false };
        if self.protocol == Protocol::Syslog {
            parse::syslog(raw, &cx, event);
            return self.show(event, original_len, &cx, output);
        }
        let mut result = Ok(());
        let mut each = |event: &mut Event<'_>| {
            if result.is_ok() {
                result = self.show(event, original_len, &cx, output);
            }
        };
        // What is no JSON came as an event with a tag, which says so.
        let read = match self.protocol {
            Protocol::Gelf => parse::json::gelf(raw, &cx, event, &mut each),
            _ => parse::json::json(raw, &cx, event, &mut each),
        };
        let _tagged = read.is_err();
        result
    }

    fn show(
        &self,
        event: &mut Event<'_>,
        original_len: Option<u64>,
        cx: &Context,
        output: &mut impl Write,
    ) -> io::Result<()> {
        if let Some(len) = original_len {
            event.tag(Tag::Truncated);
            event.set(Known::OriginalLength, Value::Number(len.to_string().into()));
        }
        let mut flat = flatten(event, cx);
        let mut own = |name: &str, value: String| drop(flat.insert(name.to_owned(), value.into()));
        own("received_at", cx.received_at.to_string());
        if let Some(peer) = self.peer {
            own("peer.ip", peer.to_canonical().to_string());
        }
        if let Some(credential) = &event.credential {
            own("auth.method", credential.method.as_str().to_owned());
        }
        let line = serde_json::to_vec(&flat)?;
        output.write_all(&ids::scrub(&line))?;
        output.write_all(b"\n")
    }
}

/// The longest message, as listeners have it unless they say otherwise.
const MAX_MESSAGE: usize = 256 * 1024;
