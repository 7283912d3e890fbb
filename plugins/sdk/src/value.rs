//! Numbers that a step reports. On a processor they are known at once; on a card they are read when somebody asks, since
//! every question has all that was launched before come to its end.

use tch::{Kind, Tensor};

use crate::card::{self, Argument, Kernel, Parts};
use crate::error::Error;

/// A number, or what a card computes it from.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Known(f64),
    OnCard { parts: Parts, meaning: Meaning },
}

/// The number that parts on a card stand for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Meaning {
    /// `multiply Σ parts / divide`, the sum in their order.
    Sum { multiply: f64, divide: f64 },
    /// The mean of `m + ln s − a` over the samples, of which all m come first, then all s, then all a.
    CrossEntropy,
}

impl Value {
    /// The number times `multiply`, divided by `divide`.
    pub(crate) fn scaled(self, multiply: f64, divide: f64) -> Self {
        match self {
            Self::Known(value) => Self::Known(value * multiply / divide),
            Self::OnCard { parts, .. } => Self::OnCard {
                parts,
                meaning: Meaning::Sum { multiply, divide },
            },
        }
    }

    /// The number, as soon as it is there.
    pub(crate) fn read(&self) -> Result<f64, Error> {
        let values = Self::read_all(&[self])?;
        Ok(values.into_iter().next().unwrap_or(f64::NAN))
    }

    /// The numbers, in one transfer.
    pub(crate) fn read_all(values: &[&Self]) -> Result<Vec<f64>, Error> {
        let parts = values.iter().filter_map(|it| it.sums());
        let mut read = read_sums(&parts.collect::<Vec<_>>())?.into_iter();
        let mut number = |value: &&Self| match value {
            Self::Known(value) => *value,
            Self::OnCard { parts, meaning } => {
                meaning.of(read.next().unwrap_or(f64::NAN), parts.count())
            }
        };
        Ok(values.iter().map(&mut number).collect())
    }

    /// The parts that a card sums, and how.
    fn sums(&self) -> Option<(&Parts, bool)> {
        let is_cross_entropy = |meaning| matches!(meaning, Meaning::CrossEntropy);
        match self {
            Self::Known(_) => None,
            Self::OnCard { parts, meaning } => Some((parts, is_cross_entropy(*meaning))),
        }
    }

    /// The parts that a card computes it from.
    pub(crate) fn parts(&self) -> Option<&Parts> {
        match self {
            Self::Known(_) => None,
            Self::OnCard { parts, .. } => Some(parts),
        }
    }

    /// The same number of another step, which waits in that slot.
    pub(crate) fn of_slot(&self, slot: usize) -> Self {
        match self {
            Self::Known(value) => Self::Known(*value),
            Self::OnCard { parts, meaning } => Self::OnCard {
                parts: parts.of_slot(slot),
                meaning: *meaning,
            },
        }
    }
}

impl Meaning {
    /// The number, of the sum over so many parts.
    fn of(self, sum: f64, parts: usize) -> f64 {
        match self {
            Self::Sum { multiply, divide } => sum * multiply / divide,
            Self::CrossEntropy => sum / (parts / 3) as f64,
        }
    }
}

/// Rows of the parts of one number, from the first to the last that is read.
struct Column<'a> {
    parts: &'a Parts,
    is_cross_entropy: bool,
    first: usize,
    last: usize,
}

impl Column<'_> {
    fn has(&self, parts: &Parts, is_cross_entropy: bool) -> bool {
        self.parts.are_rows_of(parts) && self.is_cross_entropy == is_cross_entropy
    }

    fn rows(&self) -> usize {
        self.last - self.first + 1
    }
}

/// The sums of parts on a card, or of cross-entropies where that is said, in one transfer. The card makes them, for all steps
/// that wait at once.
fn read_sums(all: &[(&Parts, bool)]) -> Result<Vec<f64>, Error> {
    let Some(card) = card::current().filter(|_| !all.is_empty()) else {
        return Ok(Vec::new());
    };
    let mut columns: Vec<Column<'_>> = Vec::new();
    for &(parts, is_cross_entropy) in all {
        let row = parts.number();
        let mut known = columns.iter_mut();
        if let Some(column) = known.find(|it| it.has(parts, is_cross_entropy)) {
            column.first = column.first.min(row);
            column.last = column.last.max(row);
        } else {
            columns.push(Column {
                parts,
                is_cross_entropy,
                first: row,
                last: row,
            });
        }
    }
    card::catch_up()?;
    let rows = columns.iter().map(Column::rows).sum();
    let sums = Tensor::f_empty([rows as i64], (Kind::Double, card.device()))?;
    let mut begin = 0;
    for column in &columns {
        let count = column.parts.count();
        let arguments = [
            Argument::element(&sums, begin),
            column.parts.element(column.first * count),
            Argument::count(count),
            Argument::I32(column.is_cross_entropy.into()),
        ];
        // SAFETY: there are so many rows of so many parts, and a sum for each.
        unsafe { card.launch(Kernel::SumsOfRows, column.rows(), arguments) }?;
        begin += column.rows();
    }
    card::finish()?;
    let mut read = vec![0.0; rows];
    sums.f_copy_data(&mut read, rows)?;
    let sum = |&(parts, is_cross_entropy): &(&Parts, bool)| {
        let at = columns
            .iter()
            .position(|it| it.has(parts, is_cross_entropy))?;
        let before: usize = columns[..at].iter().map(Column::rows).sum();
        read.get(before + parts.number() - columns[at].first)
            .copied()
    };
    Ok(all.iter().map(|it| sum(it).unwrap_or(f64::NAN)).collect())
}

/// `m + ln s − a` of each sample; see [`Meaning::CrossEntropy`].
pub(crate) fn cross_entropies(parts: &[f64]) -> Vec<f64> {
    let samples = parts.len() / 3;
    let (largest, rest) = parts.split_at(samples);
    let (sums, labelled) = rest.split_at(samples);
    let logs = largest.iter().zip(sums).map(|(m, s)| m + libm::log(*s));
    logs.zip(labelled).map(|(log, a)| log - a).collect()
}
