//! NumPy's array files (`.npy`): a signature, a version, the length of a header, the header as a
//! Python dictionary, and the elements of one array up to the end of the file.

use std::collections::BTreeMap;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::element::{Element, Number};
use super::error::FormatError;
use super::shape::{Format, Inside, Summary};
use super::tensors::{self, StoredTensor, TensorFile};

const SIGNATURE: &[u8] = b"\x93NUMPY";
/// The most bytes of a header, which is held as a whole: all that version 1.0 has room for. Longer
/// ones describe records of many fields, which are not looked into.
const LONGEST_HEADER: u64 = (64 << 10) - 1;
/// The most bytes of an element, such as a text of fixed length.
const LONGEST_ELEMENT: usize = 1 << 20;
/// The name of the one array of a file, which has none.
const NAME: &str = "array";

pub(super) const FORMAT: Format = Format {
    name: "a NumPy array",
    content: "an array (NumPy)",
    recognise: |head| Ok(head.bytes.starts_with(SIGNATURE)),
    summarise: |head, _| open(&head.path)?.summarise().map(Summary::Tensors),
    compare: Some(compare),
};

fn compare(before: &Path, now: &Path) -> Result<Inside, FormatError> {
    tensors::compare(&open(before)?, &open(now)?).map(Inside::Tensors)
}

fn open(path: &Path) -> Result<TensorFile, FormatError> {
    let file = assay_files::open(path)?;
    let size = file.metadata()?.len();
    // The version, and the length of the header: two bytes of it in version 1.0, then four.
    let mut prefix = [0; 6];
    let after = SIGNATURE.len() as u64;
    file.read_exact_at(&mut prefix[..4], after)?;
    let (length, start) = match prefix {
        [1, 0, low, high, ..] => (u16::from_le_bytes([low, high]).into(), after + 4),
        [2 | 3, 0, ..] => {
            file.read_exact_at(&mut prefix, after)?;
            let [_, _, length @ ..] = prefix;
            (u64::from(u32::from_le_bytes(length)), after + 6)
        }
        [major, minor, ..] => {
            return Err(fault(format!(
                "it is of version {major}.{minor}, and 1.0, 2.0 and 3.0 are known"
            )));
        }
    };
    if length > size.saturating_sub(start).min(LONGEST_HEADER) {
        return Err(fault(format!("its header of {length} bytes is too long")));
    }
    let mut header = vec![0; length as usize];
    file.read_exact_at(&mut header, start)?;
    // Latin-1 before version 3.0, then UTF-8; only names of fields are more than ASCII.
    let header = Header::parse(&String::from_utf8_lossy(&header))?;
    let start = start + length;
    let tensor = header.tensor(start, size - start)?;
    let order = if header.fortran_order {
        "True"
    } else {
        "False"
    };
    Ok(TensorFile {
        file,
        tensors: vec![tensor],
        metadata: BTreeMap::from([("fortran_order".to_owned(), order.to_owned())]),
    })
}

fn fault(fault: String) -> FormatError {
    FormatError::Malformed(fault)
}

/// The three entries of a header.
struct Header {
    /// The type of the elements: the order of their bytes, a letter, and a size.
    descr: String,
    fortran_order: bool,
    shape: Vec<usize>,
}

impl Header {
    fn parse(text: &str) -> Result<Self, FormatError> {
        let (mut descr, mut fortran_order, mut shape) = (None, None, None);
        let mut literal = Literal(text);
        literal.expect("{")?;
        while !literal.eat("}") {
            let key = literal.string()?;
            literal.expect(":")?;
            match key {
                "descr" => descr = Some(literal.descr()?.to_owned()),
                "fortran_order" => fortran_order = Some(literal.truth()?),
                "shape" => shape = Some(literal.sizes()?),
                other => return Err(fault(format!("its header has a key `{other}`"))),
            }
            if !literal.eat(",") {
                literal.expect("}")?;
                break;
            }
        }
        if !literal.0.trim().is_empty() {
            return Err("its header goes on after its end".into());
        }
        Ok(Self {
            descr: descr.ok_or("its header has no `descr`")?,
            fortran_order: fortran_order.ok_or("its header has no `fortran_order`")?,
            shape: shape.ok_or("its header has no `shape`")?,
        })
    }

    /// The array, whose elements begin at `start` and must take `found` bytes.
    fn tensor(&self, start: u64, found: u64) -> Result<StoredTensor, FormatError> {
        let (dtype, element, size) = self.element()?;
        let mut sizes = self.shape.iter();
        let taken = sizes
            .try_fold(1_u64, |product, &size| product.checked_mul(size as u64))
            .and_then(|elements| elements.checked_mul(size as u64));
        match taken {
            Some(taken) if taken == found => {}
            Some(taken) => {
                return Err(fault(format!(
                    "its elements take {taken} bytes, and it has {found} for them"
                )));
            }
            None => return Err("its shape is larger than any file".into()),
        }
        Ok(StoredTensor {
            name: NAME.to_owned(),
            dtype,
            shape: self.shape.clone(),
            element,
            column_major: self.fortran_order,
            bytes: start..start + found,
        })
    }

    /// The type of the elements: its name, how one lies in its bytes, and how many they are, which
    /// is none for an empty text.
    fn element(&self) -> Result<(String, Element, usize), FormatError> {
        let descr = &self.descr;
        let unknown = || fault(format!("its elements are of type `{descr}`"));
        let mut characters = descr.chars();
        let order = characters.next();
        let kind = characters.next().ok_or_else(unknown)?;
        if kind == 'O' {
            return Err("its elements are pickled Python objects, which are never opened".into());
        }
        let size = characters.as_str();
        let (size, unit) = size.split_at(size.find('[').unwrap_or(size.len()));
        let size: usize = size.parse().map_err(|_| unknown())?;
        let big_endian = match order {
            Some('<' | '|') => false,
            Some('>') => true,
            _ => return Err(unknown()),
        };
        let (name, number) = match (kind, size) {
            ('f', 8) => ("F64".to_owned(), Some(Number::F64)),
            ('f', 4) => ("F32".to_owned(), Some(Number::F32)),
            ('f', 2) => ("F16".to_owned(), Some(Number::F16)),
            ('i', 8) => ("I64".to_owned(), Some(Number::I64)),
            ('u', 8) => ("U64".to_owned(), Some(Number::U64)),
            ('i', 4) => ("I32".to_owned(), Some(Number::I32)),
            ('u', 4) => ("U32".to_owned(), Some(Number::U32)),
            ('i', 2) => ("I16".to_owned(), Some(Number::I16)),
            ('u', 2) => ("U16".to_owned(), Some(Number::U16)),
            ('i', 1) => ("I8".to_owned(), Some(Number::I8)),
            ('u', 1) => ("U8".to_owned(), Some(Number::U8)),
            ('b', 1) => ("BOOL".to_owned(), Some(Number::U8)),
            ('f', 16) => ("F128".to_owned(), None),
            ('c', 8 | 16 | 32) => (format!("C{}", 8 * size), None),
            ('M', 8) => (format!("DATETIME64{unit}"), None),
            ('m', 8) => (format!("TIMEDELTA64{unit}"), None),
            ('S', _) => (format!("BYTES[{size}]"), None),
            ('U', _) => (format!("TEXT[{size}]"), None),
            ('V', _) => (format!("VOID[{size}]"), None),
            _ => return Err(unknown()),
        };
        let name = if big_endian {
            format!("{name} big-endian")
        } else {
            name
        };
        // Texts are in UTF-32.
        let width = if kind == 'U' { 4 } else { 1 };
        let size = size.checked_mul(width);
        let size = size.filter(|size| *size <= LONGEST_ELEMENT);
        let size = size.ok_or("one of its elements is longer than 1 MiB")?;
        let element = Element {
            width: size.max(1),
            number,
            big_endian,
        };
        Ok((name, element, size))
    }
}

/// The rest of a Python literal that is being read.
struct Literal<'a>(&'a str);

impl<'a> Literal<'a> {
    /// Whether `token` comes next, which is then passed.
    fn eat(&mut self, token: &str) -> bool {
        let rest = self.0.trim_start();
        let after = rest.strip_prefix(token);
        self.0 = after.unwrap_or(rest);
        after.is_some()
    }

    fn expect(&mut self, token: &str) -> Result<(), FormatError> {
        if self.eat(token) {
            return Ok(());
        }
        Err(fault(format!("its header lacks a `{token}`")))
    }

    fn string(&mut self) -> Result<&'a str, FormatError> {
        let quote = if self.eat("'") { '\'' } else { '"' };
        if quote == '"' {
            self.expect("\"")?;
        }
        let (text, rest) = self
            .0
            .split_once(quote)
            .filter(|(text, _)| !text.contains('\\'))
            .ok_or("its header has a broken text")?;
        self.0 = rest;
        Ok(text)
    }

    fn descr(&mut self) -> Result<&'a str, FormatError> {
        if self.eat("[") || self.eat("(") {
            return Err("its elements are records of fields, which are not looked into".into());
        }
        self.string()
    }

    fn truth(&mut self) -> Result<bool, FormatError> {
        let is_true = self.eat("True");
        if !is_true {
            self.expect("False")?;
        }
        Ok(is_true)
    }

    fn sizes(&mut self) -> Result<Vec<usize>, FormatError> {
        let mut sizes = Vec::new();
        self.expect("(")?;
        while !self.eat(")") {
            let rest = self.0;
            let digits = rest.find(|next: char| !next.is_ascii_digit());
            let (digits, rest) = rest.split_at(digits.unwrap_or(rest.len()));
            let size = digits.parse();
            sizes.push(size.map_err(|_| "its header has a broken shape")?);
            self.0 = rest;
            // Python 2 wrote its long integers with this letter.
            self.eat("L");
            if !self.eat(",") {
                self.expect(")")?;
                break;
            }
        }
        Ok(sizes)
    }
}
