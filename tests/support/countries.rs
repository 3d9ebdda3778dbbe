//! A database of countries (`.mmdb`), as small as one can be.

use std::net::Ipv4Addr;

/// A database that says of these networks, none inside another, which country they are in.
///
/// As `MaxMind-DB-spec.md` 2.0 has it: a binary tree of 24-bit records, 16 zero bytes, the data, and
/// the metadata behind their marker.
pub(crate) fn countries(networks: &[(Ipv4Addr, u8, &str)]) -> Vec<u8> {
    const EMPTY: u32 = u32::MAX;
    let mut tree = vec![[EMPTY; 2]];
    let (mut data, mut leaves) = (Vec::new(), Vec::new());
    for (address, prefix, country) in networks {
        let at = u32::try_from(data.len()).unwrap();
        data.extend(map(&[("country", map(&[("iso_code", text(country))]))]));
        let mut node = 0;
        for depth in 0..*prefix {
            let side = (address.to_bits() >> (31 - depth) & 1) as usize;
            if depth + 1 == *prefix {
                leaves.push((node, side, at));
            } else {
                if tree[node][side] == EMPTY {
                    tree[node][side] = u32::try_from(tree.len()).unwrap();
                    tree.push([EMPTY; 2]);
                }
                node = tree[node][side] as usize;
            }
        }
    }
    let count = u32::try_from(tree.len()).unwrap();
    // What is no node is data, whose first byte is number `count + 16`.
    for (node, side, at) in leaves {
        tree[node][side] = count + 16 + at;
    }
    let records =
        tree.into_iter().flatten().map(|record| if record == EMPTY { count } else { record });
    let mut file: Vec<u8> =
        records.flat_map(|record| record.to_be_bytes().into_iter().skip(1)).collect();
    file.extend([0; 16]);
    file.extend(data);
    file.extend(b"\xab\xcd\xefMaxMind.com");
    file.extend(map(&[
        ("binary_format_major_version", number(5, 2)),
        ("binary_format_minor_version", number(5, 0)),
        ("build_epoch", long(1_790_000_000)),
        ("database_type", text("Test-Country")),
        ("description", map(&[("en", text("a test"))])),
        ("ip_version", number(5, 4)),
        ("languages", vec![0x01, 0x04, 0x42, b'e', b'n']),
        ("node_count", number(6, count)),
        ("record_size", number(5, 24)),
    ]));
    file
}

/// A map, of a type number and a length in one byte, and its pairs.
fn map(pairs: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = vec![7 << 5 | u8::try_from(pairs.len()).unwrap()];
    for (key, value) in pairs {
        bytes.extend(text(key));
        bytes.extend(value);
    }
    bytes
}

/// Text of fewer than 29 bytes.
fn text(text: &str) -> Vec<u8> {
    let mut bytes = vec![2 << 5 | u8::try_from(text.len()).unwrap()];
    assert!(text.len() < 29, "{text}");
    bytes.extend(text.as_bytes());
    bytes
}

/// A number: of 16 bits is type 5, of 32 bits is type 6.
fn number(kind: u8, number: u32) -> Vec<u8> {
    let bytes: Vec<u8> = number.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
    [vec![kind << 5 | u8::try_from(bytes.len()).unwrap()], bytes].concat()
}

/// A number of 64 bits, which is an extended type.
fn long(number: u64) -> Vec<u8> {
    [vec![8, 2], number.to_be_bytes().to_vec()].concat()
}
