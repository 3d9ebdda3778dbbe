//! The body of `POST /v1/logs` (OTLP 1.x over HTTP): `ExportLogsServiceRequest`, in protocol buffers
//! or as JSON.
//!
//! ```text
//!  resource_logs ──▶ resource, scope_logs ──▶ scope, log_records ──▶ one event each
//! ```
//!
//! Both encodings are read by the same code (`tree`), as they lie, without a tree in between. A body
//! whose envelopes are not well formed is refused as a whole; a record that is not is refused by
//! itself, and the answer counts it as rejected.

mod any;
mod record;
#[cfg(test)]
mod tests;
mod tree;

use self::record::{Origin, fill};
use self::tree::{Cursor, Message, Schema};
use super::json::{Expected, JsonError, Mapping, Scanner, Schema as Names};
use super::records::{RecordError, RecordLimits, Records, Tally, hand_out};
use super::{BodyError, BodyFormat, Context, Each};
use crate::event::Event;

/// How a body of OTLP is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtlpEncoding {
    /// `application/x-protobuf`.
    Protobuf,
    /// `application/json`.
    Json,
}

/// The body of a call.
#[derive(Clone, Copy, Debug)]
pub struct OtlpBody {
    /// How it is encoded.
    pub encoding: OtlpEncoding,
    /// How much it may hold.
    pub limits: RecordLimits,
}

/// The records of a body.
#[derive(Debug)]
struct Otlp<'a> {
    resources: Cursor<'a>,
    scopes: Option<Cursor<'a>>,
    records: Option<Cursor<'a>>,
    origin: Origin<'a>,
    zone_offset: i32,
}

impl BodyFormat for OtlpBody {
    fn shows_more(&self) -> bool {
        self.encoding == OtlpEncoding::Json // where octets are written in base64
    }

    fn read<'a>(
        &'a mut self,
        body: &'a [u8],
        cx: &Context,
        event: &mut Event<'a>,
        each: Each<'_, 'a>,
    ) -> Result<(), BodyError> {
        hand_out(Otlp::open(body, self.encoding, self.limits, cx)?, event, each, |_, _| {});
        Ok(())
    }
}

impl<'a> Otlp<'a> {
    /// Opens a body.
    ///
    /// # Errors
    ///
    /// Its envelopes are not well formed to their ends, or it holds too much.
    fn open(
        body: &'a [u8],
        encoding: OtlpEncoding,
        limits: RecordLimits,
        cx: &Context,
    ) -> Result<Self, RecordError> {
        let request = match encoding {
            OtlpEncoding::Protobuf => Message::Wire(body),
            OtlpEncoding::Json => Message::Json(object(body)?),
        };
        check(request, &mut Tally::new(limits))?;
        Ok(Self {
            resources: request.fields(REQUEST)?,
            scopes: None,
            records: None,
            origin: Origin::default(),
            zone_offset: cx.zone_offset,
        })
    }

    /// The next record of any scope.
    fn record(&mut self) -> Result<Option<Message<'a>>, RecordError> {
        loop {
            if let Some(records) = &mut self.records {
                if let Some(record) = records.next_child(RECORDS)? {
                    return Ok(Some(record));
                }
                self.records = None;
            } else if let Some(scopes) = &mut self.scopes {
                match scopes.next_child(SCOPES)? {
                    Some(scope) => {
                        self.origin.scope = scope.child(SCOPE_LOGS, 1)?;
                        self.records = Some(scope.fields(SCOPE_LOGS)?);
                    }
                    None => self.scopes = None,
                }
            } else {
                let Some(resource) = self.resources.next_child(1)? else { return Ok(None) };
                self.origin = Origin { resource: resource.child(RESOURCE_LOGS, 1)?, scope: None };
                self.scopes = Some(resource.fields(RESOURCE_LOGS)?);
            }
        }
    }
}

impl<'a> Records<'a> for Otlp<'a> {
    fn next(&mut self, event: &mut Event<'a>) -> Option<Result<(), RecordError>> {
        // Envelopes were read to their ends before.
        let record = self.record().ok()??;
        let mapping = Mapping::new(Names::Logstash, self.zone_offset, event);
        Some(fill(mapping, self.origin, record))
    }
}

/// Reads all envelopes, and counts what is in them.
fn check(request: Message<'_>, tally: &mut Tally) -> Result<(), RecordError> {
    let mut resources = request.fields(REQUEST)?;
    while let Some(resource) = resources.next_child(1)? {
        let shared = resource.child(RESOURCE_LOGS, 1)?.map_or(0, Message::len);
        let mut scopes = resource.fields(RESOURCE_LOGS)?;
        while let Some(scope) = scopes.next_child(SCOPES)? {
            let shared = shared + scope.child(SCOPE_LOGS, 1)?.map_or(0, Message::len);
            let mut records = scope.fields(SCOPE_LOGS)?;
            while records.next_child(RECORDS)?.is_some() {
                tally.add(shared)?;
            }
        }
    }
    Ok(())
}

/// The text of a body that is one object, well formed to its end.
fn object(body: &[u8]) -> Result<&str, RecordError> {
    let text = std::str::from_utf8(body)
        .map_err(|error| JsonError::new(Expected::Utf8, body, error.valid_up_to()))?;
    let mut scan = Scanner::new(text);
    if scan.peek() != Some(b'{') {
        return Err(scan.error(Expected::Object).into());
    }
    let start = scan.at();
    scan.skip_value(0)?;
    let object = scan.since(start);
    scan.end()?;
    Ok(object)
}

/// `ExportLogsServiceRequest`.
const REQUEST: Schema = &[(1, "resourcelogs")];

/// `ResourceLogs`.
const RESOURCE_LOGS: Schema = &[(1, "resource"), (SCOPES, "scopelogs")];

/// `ScopeLogs`.
const SCOPE_LOGS: Schema = &[(1, "scope"), (RECORDS, "logrecords")];

const SCOPES: u32 = 2;

const RECORDS: u32 = 2;
