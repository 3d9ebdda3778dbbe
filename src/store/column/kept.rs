//! How the variables of one place lie on disk.
//!
//! ```text
//!  slot  = form, what all have in common, values
//!  form:   0 decimal | 1 padded with zeros to one length | 2, 3 hexadecimal, lower or upper case
//!          4 distinct texts, and a code for each | 5 texts
//!          + 0x80 where letters stand around the digits
//! ```

use super::super::bytes::{Damaged, put_bytes, put_varint};
use super::digits::{Decimal, Hex, MAX_DIGITS, MAX_HEX};
use super::numbers;
use super::payload::{Parts, Payload};
use super::slot::{Form, Slot};
use super::texts::Texts;

/// How the variables of a slot are kept on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// As so many integers each, those of one place together.
    Numbers(usize),
    /// As distinct texts, and a code for each.
    Codes,
    /// As texts.
    Texts,
}

impl Slot {
    /// Appends the slot. How many there are is not written.
    pub(super) fn encode(&self, out: &mut Payload) {
        match self.form {
            Form::Empty => {}
            Form::Decimal(Decimal { is_canonical, len }) => {
                let form = if is_canonical { DECIMAL } else { PADDED };
                out.soft.push(if self.has_affix() { form | WITH_AFFIX } else { form });
                if !is_canonical {
                    out.soft.push(len.unwrap_or_default());
                }
                if self.has_affix() {
                    put_bytes(&mut out.soft, &self.affix.0);
                    put_bytes(&mut out.soft, &self.affix.1);
                }
                numbers::encode(&self.numbers, out);
            }
            Form::Hex(hex) => {
                out.soft.extend([if hex.is_upper { UPPER_HEX } else { LOWER_HEX }, hex.len]);
                // Number by number of a text: those of one place are alike.
                for place in 0..hex.words() {
                    let column: Vec<u64> =
                        self.numbers.iter().skip(place).step_by(hex.words()).copied().collect();
                    numbers::encode(&column, out);
                }
            }
            Form::Text => match self.texts.few() {
                Some((distinct, codes)) => {
                    out.soft.push(CODED);
                    put_varint(&mut out.soft, distinct.len() as u64);
                    distinct.encode(out);
                    numbers::encode(&codes, out);
                }
                None => {
                    out.soft.push(TEXTS);
                    self.texts.encode(out);
                }
            },
        }
    }

    /// Reads what all variables have in common, and tells how they are kept.
    pub(super) fn decode_form(parts: &mut Parts<'_>) -> Result<(Self, Kept), Damaged> {
        let mut slot = Self::default();
        let form = parts.soft.byte()?;
        let kept = match form & !WITH_AFFIX {
            kind @ (DECIMAL | PADDED) => {
                let is_canonical = kind == DECIMAL;
                let len =
                    if is_canonical { None } else { Some(parts.soft.byte()?.min(MAX_DIGITS)) };
                slot.form = Form::Decimal(Decimal { is_canonical, len });
                if form & WITH_AFFIX != 0 {
                    slot.affix = (parts.soft.bytes()?.to_vec(), parts.soft.bytes()?.to_vec());
                }
                Kept::Numbers(1)
            }
            form @ (LOWER_HEX | UPPER_HEX) => {
                let len = parts.soft.byte()?;
                if !(1..=MAX_HEX).contains(&len) {
                    return Err(Damaged("so many hexadecimal digits"));
                }
                let hex = Hex { len, is_upper: form == UPPER_HEX };
                slot.form = Form::Hex(hex);
                Kept::Numbers(hex.words())
            }
            CODED => Kept::Codes,
            TEXTS => Kept::Texts,
            _ => return Err(Damaged("a form of variables")),
        };
        if kept == Kept::Codes || kept == Kept::Texts {
            slot.form = Form::Text;
        }
        Ok((slot, kept))
    }

    /// Reads a slot of `count` variables back.
    pub(super) fn decode(parts: &mut Parts<'_>, count: usize) -> Result<Self, Damaged> {
        if count == 0 {
            return Ok(Self::default());
        }
        let (mut slot, kept) = Self::decode_form(parts)?;
        match kept {
            Kept::Numbers(1) => slot.numbers = numbers::decode(parts, count)?,
            Kept::Numbers(words) => {
                slot.numbers = vec![0; count * words];
                for place in 0..words {
                    let column = numbers::decode(parts, count)?;
                    let to = slot.numbers.iter_mut().skip(place).step_by(words);
                    to.zip(column).for_each(|(to, value)| *to = value);
                }
            }
            Kept::Codes => {
                let distinct = parts.soft.count()?;
                let distinct = Texts::decode(parts, distinct)?;
                for code in numbers::decode(parts, count)? {
                    let text = usize::try_from(code).ok().and_then(|code| distinct.get(code));
                    slot.texts.push(text.ok_or(Damaged("a code of a text"))?);
                }
            }
            Kept::Texts => slot.texts = Texts::decode(parts, count)?,
        }
        Ok(slot)
    }
}

const DECIMAL: u8 = 0;
const PADDED: u8 = 1;
const LOWER_HEX: u8 = 2;
const UPPER_HEX: u8 = 3;
const CODED: u8 = 4;
const TEXTS: u8 = 5;

/// What stands around the digits follows.
const WITH_AFFIX: u8 = 0x80;
