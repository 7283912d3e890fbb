//! Products of matrices on a card: `out = function(start + Σ_t A_t B_t)`, many in one launch.

use tch::Tensor;

use super::tile::{TILES, Tile};
use super::{Argument, Card, Elements, catch_up};
use crate::error::Error;
use crate::function::Function;
use crate::operand::refused;
use crate::product::{Product, Term};

/// The steps between the elements of the operands, the same for all products of a launch. The columns of `out` are
/// neighbours in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) rows: usize,
    /// From one row of A to the next.
    pub(crate) a_row: usize,
    /// From one column of A to the next.
    pub(crate) a_depth: usize,
    /// From one row of B to the next.
    pub(crate) b_depth: usize,
    /// From one column of B to the next.
    pub(crate) b_column: usize,
    /// From one row of `out` to the next.
    pub(crate) out_row: usize,
}

impl From<&Product> for Shape {
    /// As on a processor, where the columns of B are neighbours in memory.
    fn from(product: &Product) -> Self {
        Self {
            rows: product.rows,
            a_row: product.a_row,
            a_depth: product.a_depth,
            b_depth: product.b_depth,
            b_column: 1,
            out_row: product.out_row,
        }
    }
}

/// One of the products of a launch.
#[derive(Clone, Debug, Default)]
pub(crate) struct Job {
    /// The beginnings in the operands.
    pub(crate) out: usize,
    pub(crate) a: usize,
    pub(crate) b: usize,
    /// The first of the values that the rows start with.
    pub(crate) start: usize,
    pub(crate) columns: usize,
    /// The terms of each A·B.
    pub(crate) depth: usize,
    /// Their beginnings are counted from those of the job.
    pub(crate) terms: Vec<Term>,
}

/// Initial value of the sums.
#[derive(Clone, Copy)]
pub(crate) enum Start<'a> {
    Zero,
    /// A value for each row.
    Rows(Elements<'a>),
    /// The content of `out`.
    Out,
}

/// Everything that decides which products an operation has.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    /// Rows, columns and depth of a product of whole matrices, and its place among those of these sizes.
    Matrix([i64; 4]),
    Window([i64; 9]),
}

/// Products of one shape, of which a table on a card says where they begin.
pub(crate) struct Products {
    shape: Shape,
    jobs: Tensor,
    terms: Tensor,
    count: usize,
    widest: usize,
    /// Elements that all of them write.
    written: usize,
    /// With each of [`TILES`], the time that all blocks take together.
    times: [usize; TILES.len()],
    least: Least,
}

/// The elements that the operands have at least: as far as any of the products reaches.
#[derive(Clone, Copy, Debug, Default)]
struct Least {
    out: usize,
    a: usize,
    b: usize,
    start: usize,
}

/// The kernel's `struct Product`.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct OfKernel {
    rows: i64,
    a_row: i64,
    a_depth: i64,
    b_depth: i64,
    b_column: i64,
    out_row: i64,
    start: i32,
    function: i32,
    /// The function by whose derivative the elements are multiplied last.
    derivative: i32,
    /// 1 if all of `out` is written.
    whole: i32,
}

impl OfKernel {
    /// The place of the elements that derivatives are taken at, among the arguments.
    pub(super) const H: usize = 4;

    /// Has the elements be multiplied by the derivative of a function last; false where they are not all of `out`, or
    /// something is done with them already.
    pub(super) fn multiply_derivative(&mut self, function: Function) -> bool {
        let is_free = self.function == Function::Identity.number() && self.derivative == 0;
        if self.whole == 0 || !is_free {
            return false;
        }
        self.derivative = function.number();
        true
    }
}

impl Products {
    pub(super) fn new(card: &Card, shape: Shape, jobs: &[Job]) -> Result<Self, Error> {
        let (mut of_jobs, mut of_terms) = (Vec::new(), Vec::new());
        for job in jobs {
            let first_term = of_terms.len() / 2;
            // The fields of the kernel's `struct Job`.
            let numbers = [
                job.out,
                job.a,
                job.b,
                job.start,
                job.columns,
                job.depth,
                first_term,
                job.terms.len(),
            ];
            of_jobs.extend(numbers.map(|it| it as i64));
            of_terms.extend(job.terms.iter().flat_map(|it| [it.a as i64, it.b as i64]));
        }
        // Memory that a launch that waits still writes may be free for the tables already.
        catch_up()?;
        let on_card = |numbers: &[i64]| {
            Ok::<_, Error>(Tensor::f_from_slice(numbers)?.f_to_device(card.device)?)
        };
        Ok(Self {
            jobs: on_card(&of_jobs)?,
            terms: on_card(&of_terms)?,
            count: jobs.len(),
            least: Least::of(&shape, jobs)?,
            shape,
            widest: jobs.iter().map(|job| job.columns).max().unwrap_or(0),
            written: shape.rows * jobs.iter().map(|job| job.columns).sum::<usize>(),
            times: TILES.map(|tile| {
                let time = |job: &Job| {
                    let of_tile = tile.time(job.depth, job.terms.len());
                    tile.count(shape.rows, job.columns).saturating_mul(of_tile)
                };
                jobs.iter().map(time).fold(0, usize::saturating_add)
            }),
        })
    }

    /// `out = function(start + Σ_t A_t B_t)` for all of them.
    ///
    /// # Errors
    /// An operand is too short.
    #[track_caller]
    pub(crate) fn run(
        &self,
        card: &Card,
        function: Function,
        start: Start<'_>,
        out: Elements<'_>,
        [a, b]: [Elements<'_>; 2],
    ) -> Result<(), Error> {
        let tile = self.tile(card.share());
        self.run_with(card, tile, function, start, out, [a, b])
    }

    /// The tile with which they take the least time on this many multiprocessors: as many turns as the blocks need, each as
    /// long as a block takes on average.
    pub(super) fn tile(&self, multiprocessors: usize) -> Tile {
        let time = |(tile, all): (Tile, usize)| {
            let blocks = self.blocks(tile).max(1);
            let turns = blocks.div_ceil(multiprocessors.max(1));
            (tile, (all / blocks).saturating_mul(turns))
        };
        let times = TILES.into_iter().zip(self.times).map(time);
        let least = times.min_by_key(|(_, time)| *time);
        least.map_or(TILES[0], |(tile, _)| tile)
    }

    fn blocks(&self, tile: Tile) -> usize {
        let of_job = tile.count(self.shape.rows, self.widest);
        self.count.saturating_mul(of_job)
    }

    #[track_caller]
    pub(super) fn run_with(
        &self,
        card: &Card,
        tile: Tile,
        function: Function,
        start: Start<'_>,
        out: Elements<'_>,
        [a, b]: [Elements<'_>; 2],
    ) -> Result<(), Error> {
        let least = &self.least;
        let values = match start {
            Start::Rows(values) => Some(values),
            Start::Zero | Start::Out => None,
        };
        let fits = out.len() >= least.out
            && a.len() >= least.a
            && b.len() >= least.b
            && values.is_none_or(|it| it.len() >= least.start);
        if !fits {
            return Err(refused("an operand of a product is too short", ""));
        }
        let shape = &self.shape;
        let product = OfKernel {
            rows: shape.rows as i64,
            a_row: shape.a_row as i64,
            a_depth: shape.a_depth as i64,
            b_depth: shape.b_depth as i64,
            b_column: shape.b_column as i64,
            out_row: shape.out_row as i64,
            start: match start {
                Start::Zero => 0,
                Start::Rows(_) => 1,
                Start::Out => 2,
            },
            function: function.number(),
            derivative: Function::Identity.number(),
            whole: i32::from(self.written == out.len()),
        };
        let arguments = [
            out.into(),
            a.into(),
            b.into(),
            values.map_or(Argument::NULL, Argument::from),
            Argument::NULL,
            Argument::Product(product),
            Argument::of(&self.jobs),
            Argument::of(&self.terms),
            Argument::count(self.widest),
        ];
        // SAFETY: the operands reach as far as any of the products, checked above; the tables are of this card, and
        // `operands` found that `out` lies apart.
        unsafe { card.launch(tile.kernel, self.blocks(tile), arguments) }
    }
}

impl Least {
    fn of(shape: &Shape, jobs: &[Job]) -> Result<Self, Error> {
        let mut least = Self::default();
        for job in jobs {
            least.include(shape, job)?;
        }
        Ok(least)
    }

    /// Has them reach as far as `job` does.
    fn include(&mut self, shape: &Shape, job: &Job) -> Result<(), Error> {
        let beyond = |first: usize, steps: [(usize, usize); 2]| {
            let last = steps.iter().try_fold(first, |at, (count, size)| {
                at.checked_add(count.checked_mul(*size)?)
            });
            last.and_then(|it| it.checked_add(1))
                .ok_or_else(|| refused("a product is larger than any memory", ""))
        };
        let (Some(row), Some(column)) = (shape.rows.checked_sub(1), job.columns.checked_sub(1))
        else {
            return Ok(());
        };
        let out = beyond(job.out, [(row, shape.out_row), (column, 1)])?;
        self.out = self.out.max(out);
        self.start = self.start.max(beyond(job.start, [(row, 1), (0, 0)])?);
        let Some(depth) = job.depth.checked_sub(1) else {
            return Ok(());
        };
        for term in &job.terms {
            let (a, b) = (job.a.saturating_add(term.a), job.b.saturating_add(term.b));
            let a = beyond(a, [(row, shape.a_row), (depth, shape.a_depth)])?;
            let b = beyond(b, [(depth, shape.b_depth), (column, shape.b_column)])?;
            self.a = self.a.max(a);
            self.b = self.b.max(b);
        }
        Ok(())
    }
}
