//! What tests of formats of many records share.

use serde_json::{Map, Value as Json};

use super::records::Records;
use super::{Context, flatten};
use crate::event::Event;
use crate::time::Timestamp;

/// 2026-06-15T12:00:00Z.
pub(super) const NOW: Timestamp = Timestamp::from_micros(1_781_524_800_000_000);

pub(super) const CX: Context = Context { received_at: NOW, zone_offset: 0, keep_original: false };

/// The records as people see them, or why they are none; less what all of them have.
pub(super) fn events<'a>(records: &mut dyn Records<'a>) -> Vec<Result<Json, String>> {
    let mut event = Event::default();
    let mut events = Vec::new();
    while let Some(read) = records.next(&mut event) {
        events.push(read.map(|()| shown(&event)).map_err(|error| error.to_string()));
        event.clear();
    }
    events
}

/// An event as people see it, less its version, and its tags where it has none.
pub(super) fn shown(event: &Event<'_>) -> Json {
    let mut flat: Map<String, Json> = flatten(event, &CX);
    flat.remove("@version");
    flat.retain(|name, value| {
        name != "tags" || value.as_array().is_some_and(|tags| !tags.is_empty())
    });
    Json::Object(flat)
}

/// A protocol buffers field that is a message or text.
pub(super) fn field(number: u8, value: impl AsRef<[u8]>) -> Vec<u8> {
    let value = value.as_ref();
    [&varint(u64::from(number) << 3 | 2)[..], &varint(value.len() as u64), value].concat()
}

/// One that is a varint.
pub(super) fn number(number: u8, value: u64) -> Vec<u8> {
    [varint(u64::from(number) << 3), varint(value)].concat()
}

/// One that is of 64 bits.
pub(super) fn fixed64(number: u8, value: u64) -> Vec<u8> {
    [&varint(u64::from(number) << 3 | 1)[..], &value.to_le_bytes()].concat()
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(u8::try_from(value & 0x7f).unwrap() | 0x80);
        value >>= 7;
    }
    bytes.push(u8::try_from(value).unwrap());
    bytes
}
