//! `meta.mat` of the development kit: the synsets of ILSVRC2012 with their numbers and words.
//!
//! As much of MATLAB's file format (level 5, "MAT-File Format", chapter 1) as that file needs: a
//! structure array of numbers and texts, compressed or not. Every length is checked against what
//! is there before it is believed, and memory is bounded by a limit.

use std::io::Read;

use flate2::read::ZlibDecoder;

/// A synset of ILSVRC2012.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Synset {
    /// Its number in the development kit, from 1.
    pub(super) number: u32,
    /// Its name in `WordNet`, such as `n01440764`.
    pub(super) id: String,
    /// Its names in words, such as `tench, Tinca tinca`.
    pub(super) words: String,
}

/// Bytes that are not a `meta.mat`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum MatError {
    /// The header is another.
    #[error("is not a MATLAB file of level 5 with little-endian numbers")]
    Header,
    /// A length points beyond the file, or an element is not what must stand there.
    #[error("is damaged: {0}")]
    Damaged(&'static str),
    /// There is no such variable or field.
    #[error("has no `{0}`")]
    Missing(&'static str),
}

/// The real file holds less than a megabyte.
const LIMIT: u64 = 64 << 20;

const HEADER: usize = 128;
const LITTLE_ENDIAN: &[u8] = b"IM";

/// The variable and the fields of its elements.
const SYNSETS: &str = "synsets";
const NUMBER: &str = "ILSVRC2012_ID";
const ID: &str = "WNID";
const WORDS: &str = "words";

// Types of elements.
const MATRIX: u32 = 14;
const COMPRESSED: u32 = 15;
// Classes of matrices.
const STRUCTURE: u8 = 2;

/// The synsets that a `meta.mat` lists.
pub(super) fn read_synsets(file: &[u8]) -> Result<Vec<Synset>, MatError> {
    let (header, content) = file.split_at_checked(HEADER).ok_or(MatError::Header)?;
    if !header.ends_with(LITTLE_ENDIAN) {
        return Err(MatError::Header);
    }
    let mut elements = Elements(content);
    while let Some(element) = elements.next()? {
        let found = match element.kind {
            COMPRESSED => {
                let bytes = inflate(element.data)?;
                let inner = Elements(&bytes).next()?;
                inner.map(synsets_in).transpose()?.flatten()
            }
            _ => synsets_in(element)?,
        };
        if let Some(synsets) = found {
            return Ok(synsets);
        }
    }
    Err(MatError::Missing(SYNSETS))
}

fn inflate(data: &[u8]) -> Result<Vec<u8>, MatError> {
    let mut bytes = Vec::new();
    ZlibDecoder::new(data)
        .take(LIMIT)
        .read_to_end(&mut bytes)
        .map_err(|_| MatError::Damaged("a compressed variable cannot be decompressed"))?;
    Ok(bytes)
}

/// The synsets, if the element is the variable that holds them.
fn synsets_in(element: Element<'_>) -> Result<Option<Vec<Synset>>, MatError> {
    if element.kind != MATRIX {
        return Ok(None);
    }
    let mut variable = Matrix::of(element.data)?;
    if variable.name != SYNSETS.as_bytes() || variable.class != STRUCTURE {
        return Ok(None);
    }
    let fields = variable.field_names()?;
    let at = |name: &'static str| {
        let found = fields.iter().position(|field| *field == name.as_bytes());
        found.ok_or(MatError::Missing(name))
    };
    let (number, id, words) = (at(NUMBER)?, at(ID)?, at(WORDS)?);
    let mut synsets = Vec::new();
    while !variable.rest.is_empty() {
        let values = fields
            .iter()
            .map(|_| variable.rest.expect("a structure ends within an element"))
            .collect::<Result<Vec<_>, _>>()?;
        synsets.push(Synset {
            number: values[number].number()?,
            id: values[id].text()?,
            words: values[words].text()?,
        });
    }
    Ok(Some(synsets))
}

/// A tagged piece of data.
#[derive(Clone, Copy)]
struct Element<'a> {
    kind: u32,
    data: &'a [u8],
}

/// Elements one after the other.
struct Elements<'a>(&'a [u8]);

impl<'a> Elements<'a> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn next(&mut self) -> Result<Option<Element<'a>>, MatError> {
        if self.is_empty() {
            return Ok(None);
        }
        let damaged = || MatError::Damaged("an element is longer than what holds it");
        let (&first, after) = self.0.split_first_chunk::<4>().ok_or_else(damaged)?;
        let (&second, rest) = after.split_first_chunk::<4>().ok_or_else(damaged)?;
        let first = u32::from_le_bytes(first);
        let short = first >> 16;
        if short != 0 {
            // A short element: the length in the upper half, the data in the tag itself.
            let length = short as usize;
            let data = after[..4].get(..length).ok_or_else(damaged)?;
            self.0 = rest;
            return Ok(Some(Element {
                kind: first & 0xffff,
                data,
            }));
        }
        let length = u32::from_le_bytes(second) as usize;
        let data = rest.get(..length).ok_or_else(damaged)?;
        // Data are padded to eight bytes, but for compressed ones; the last may lack the padding.
        let padded = if first == COMPRESSED {
            length
        } else {
            length.next_multiple_of(8)
        };
        self.0 = rest.get(padded..).unwrap_or_default();
        Ok(Some(Element { kind: first, data }))
    }

    fn expect(&mut self, missing: &'static str) -> Result<Element<'a>, MatError> {
        self.next()?.ok_or(MatError::Damaged(missing))
    }
}

/// A matrix whose flags, dimensions and name were read.
struct Matrix<'a> {
    class: u8,
    name: &'a [u8],
    rest: Elements<'a>,
}

impl<'a> Matrix<'a> {
    fn of(data: &'a [u8]) -> Result<Self, MatError> {
        const SHORT: &str = "a matrix lacks its flags, dimensions or name";
        let mut rest = Elements(data);
        let flags = rest.expect(SHORT)?;
        rest.expect(SHORT)?;
        let name = rest.expect(SHORT)?.data;
        let class = *flags.data.first().ok_or(MatError::Damaged(SHORT))?;
        Ok(Self { class, name, rest })
    }

    /// The names of a structure's fields: all of one length, filled up with zeros.
    fn field_names(&mut self) -> Result<Vec<&'a [u8]>, MatError> {
        const SHORT: &str = "a structure lacks the names of its fields";
        let length = self.rest.expect(SHORT)?.integer()?;
        let names = self.rest.expect(SHORT)?.data;
        let names: Vec<_> = names
            .chunks_exact((length as usize).max(1))
            .map(|name| name.split(|&byte| byte == 0).next().unwrap_or_default())
            .collect();
        if names.is_empty() {
            return Err(MatError::Damaged(SHORT));
        }
        Ok(names)
    }
}

impl Element<'_> {
    /// The data of a matrix of one element, which is itself an element.
    fn value(&self) -> Result<Element<'_>, MatError> {
        if self.kind != MATRIX {
            return Err(MatError::Damaged("a field is no matrix"));
        }
        Matrix::of(self.data)?.rest.expect("a field has no value")
    }

    fn number(&self) -> Result<u32, MatError> {
        self.value()?.integer()
    }

    /// A whole number, of whichever type MATLAB found to be the smallest.
    fn integer(&self) -> Result<u32, MatError> {
        const WRONG: MatError = MatError::Damaged("a number is missing or is no whole number");
        let data = self.data;
        let number = match self.kind {
            1 => data.first_chunk().map(|&b| i8::from_le_bytes(b).into()),
            2 => data.first_chunk().map(|&b| u8::from_le_bytes(b).into()),
            3 => data.first_chunk().map(|&b| i16::from_le_bytes(b).into()),
            4 => data.first_chunk().map(|&b| u16::from_le_bytes(b).into()),
            5 => data.first_chunk().map(|&b| i32::from_le_bytes(b).into()),
            6 => data.first_chunk().map(|&b| u32::from_le_bytes(b).into()),
            7 => data.first_chunk().map(|&b| f32::from_le_bytes(b).into()),
            9 => data.first_chunk().map(|&b| f64::from_le_bytes(b)),
            _ => None,
        };
        let number: f64 = number.ok_or(WRONG)?;
        if number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&number) {
            Ok(number as u32)
        } else {
            Err(WRONG)
        }
    }

    fn text(&self) -> Result<String, MatError> {
        let value = self.value()?;
        let text = match value.kind {
            1 | 2 | 16 => String::from_utf8(value.data.to_vec()).ok(),
            4 | 17 => {
                let units = value.data.as_chunks::<2>().0.iter();
                let units: Vec<_> = units.map(|&unit| u16::from_le_bytes(unit)).collect();
                String::from_utf16(&units).ok()
            }
            _ => None,
        };
        text.ok_or(MatError::Damaged("a text is missing or cannot be read"))
    }
}

#[cfg(test)]
pub(super) mod tests;
