//! What a connection begins with whose sender wanted somebody else: what scans networks, and what
//! was sent to the wrong port.
//!
//! TLS and HTTP are not here: those may be meant.

/// A protocol that is no log's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Foreign {
    /// Stable, for programs.
    pub code: &'static str,
    /// As people call it.
    pub name: &'static str,
}

/// What `bytes`, the first of a connection, look like, if that is none that brings logs.
pub fn foreign(bytes: &[u8]) -> Option<Foreign> {
    let (code, name) = match bytes {
        // Will, won't, do or don't, and what (RFC 854); what is text in UTF-16 begins alike.
        [0xff, 0xfb..=0xfe, option, ..] if *option < MAX_OPTION => {
            ("TELNET_ON_PLAIN_PORT", "telnet")
        }
        // A length, and how every message of version 1, or 2 and 3, begins.
        [0, _, _, _, 0xff | 0xfe, b'S', b'M', b'B', ..] => ("SMB_ON_PLAIN_PORT", "SMB"),
        // TPKT, and a request for a connection (RFC 1006, X.224).
        [3, 0, _, _, _, 0xe0, ..] => ("RDP_ON_PLAIN_PORT", "RDP"),
        [b'S', b'S', b'H', b'-', b'1' | b'2', b'.', ..] => ("SSH_ON_PLAIN_PORT", "SSH"),
        [b'*', rest @ ..] if is_redis(rest) => ("REDIS_ON_PLAIN_PORT", "Redis"),
        _ => return None,
    };
    Some(Foreign { code, name })
}

/// Whether a call of Redis goes on so: how many words it has, and how long the first is.
fn is_redis(bytes: &[u8]) -> bool {
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (1..=MAX_DIGITS).contains(&digits)
        && bytes.get(digits..).is_some_and(|rest| rest.starts_with(b"\r\n$"))
}

/// What may be negotiated in telnet is below this; text is not.
const MAX_OPTION: u8 = 0x30;

/// Digits of how many words a call may have.
const MAX_DIGITS: usize = 7;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fr_18_what_is_no_log_is_known_by_its_beginning() {
        let name = |bytes: &[u8]| foreign(bytes).map(|foreign| foreign.name);
        #[rustfmt::skip]
        let table: [(&[u8], Option<&str>); 16] = [
            (b"\xff\xfd\x18\xff\xfd\x20",                  Some("telnet")),
            (b"\xff\xfb\x1f",                              Some("telnet")),
            (b"\0\0\0\x85\xffSMBr\0\0\0",                  Some("SMB")),
            (b"\0\0\0\xc0\xfeSMB@\0",                      Some("SMB")),
            (b"\x03\0\0\x13\x0e\xe0\0\0\0\0\0\x01\0",      Some("RDP")),
            (b"SSH-2.0-OpenSSH_9.2\r\n",                   Some("SSH")),
            (b"*1\r\n$4\r\nPING\r\n",                      Some("Redis")),
            (b"*12345678\r\n$4\r\n",                       None),
            (b"*1\r\nPING",                                None),
            (b"*Nov 20 12:00:00: %SYS-5-CONFIG_I: x",      None),
            (b"\xff\xfe<\x001\x003\x00",                   None),
            (b"\xff\xff",                                  None),
            (b"SSH-agent started",                         None),
            (b"<13>1 - h a - - - text",                    None),
            (b"\0\0\0\0",                                  None),
            (b"",                                          None),
        ];
        for (bytes, want) in table {
            assert_eq!(name(bytes), want, "{}", bytes.escape_ascii());
        }
    }
}
