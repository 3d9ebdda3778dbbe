//! Which country an address is in, by a database of the kind `.mmdb`.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use maxminddb::{PathElement, Reader};

use super::Gate;

/// A country by its two letters (ISO 3166-1), or none that is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Country(Option<[u8; 2]>);

/// A database of countries. It is in memory as a whole: one that lies in a file and is mapped ends
/// the process when that file is cut short.
pub struct Countries(Reader<Vec<u8>>);

/// Why a database cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("expected a database of countries in MaxMind's format, but found: {0}")]
pub struct CountriesError(#[from] maxminddb::MaxMindDbError);

impl Country {
    /// The two letters, or `unknown`.
    pub fn as_str(&self) -> &str {
        let letters = self.0.as_ref().and_then(|letters| std::str::from_utf8(letters).ok());
        letters.unwrap_or("unknown")
    }

    fn named(code: &str) -> Self {
        let letters: Option<[u8; 2]> = code.as_bytes().try_into().ok();
        Self(letters.filter(|letters| letters.iter().all(u8::is_ascii_uppercase)))
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Countries {
    /// A database of these bytes, looked through once.
    ///
    /// # Errors
    ///
    /// It is damaged or cut short, or no such database.
    pub fn new(bytes: Vec<u8>) -> Result<Self, CountriesError> {
        let reader = Reader::from_source(bytes)?;
        reader.verify()?;
        Ok(Self(reader))
    }

    /// The country of an address: where it is, or else where it is registered.
    fn find(&self, address: IpAddr) -> Country {
        let Ok(found) = self.0.lookup(address.to_canonical()) else { return Country(None) };
        let code = |place| {
            let path = [PathElement::Key(place), PathElement::Key("iso_code")];
            found.decode_path::<&str>(&path).ok().flatten()
        };
        let code = code("country").or_else(|| code("registered_country"));
        code.map(Country::named).unwrap_or_default()
    }
}

impl fmt::Debug for Countries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Countries").finish_non_exhaustive()
    }
}

impl Gate {
    /// Takes another database of countries.
    pub fn set_countries(&self, countries: Countries) {
        let _change = self.change.lock();
        self.countries.store(Some(Arc::new(countries)));
        self.changed();
    }

    /// The country of an address, as far as there is a database.
    pub fn country_of(&self, address: IpAddr) -> Country {
        let countries = self.countries.load();
        countries.as_ref().map(|countries| countries.find(address)).unwrap_or_default()
    }
}
