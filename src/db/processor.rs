//! What RocksDB was compiled to ask of the processor (`.cargo/config.toml`).

use super::Error;

/// Says no where the processor lacks it, in place of a signal later on.
pub(super) fn check() -> Result<(), Error> {
    #[cfg(target_arch = "x86_64")]
    let wanted = [
        ("SSE4.2", std::arch::is_x86_feature_detected!("sse4.2")),
        ("PCLMULQDQ", std::arch::is_x86_feature_detected!("pclmulqdq")),
    ];
    #[cfg(not(target_arch = "x86_64"))]
    let wanted = [];
    refuse(&wanted)
}

fn refuse(wanted: &[(&'static str, bool)]) -> Result<(), Error> {
    let missing = wanted.iter().find(|(_, is_there)| !is_there);
    missing.map_or(Ok(()), |(missing, _)| Err(Error::Processor(missing)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_processor_that_lacks_something_is_told_what() {
        let table = [
            (&[][..], None),
            (&[("SSE4.2", true), ("PCLMULQDQ", true)], None),
            (&[("SSE4.2", true), ("PCLMULQDQ", false)], Some("PCLMULQDQ")),
            (&[("SSE4.2", false), ("PCLMULQDQ", false)], Some("SSE4.2")),
        ];
        for (wanted, missing) in table {
            let said = refuse(wanted).err().map(|error| error.to_string());
            let want = missing.map(|missing| {
                format!("expected a processor with {missing}, but found one without")
            });
            assert_eq!(said, want);
        }
    }
}
