// Products of matrices, as `product/` defines them: every element is the sum of its products in order, each
// multiplied and added with one rounding. The size of a tile decides how fast, and no bit.

#define START_ZERO 0
#define START_ROWS 1
#define START_OUT 2

// Threads along one side of a tile.
#define SIDE 16
// Elements of A, and of B, in a part: the terms of the sums that a block adds at a time. Each thread loads its share of them. The smaller
// the tile, the deeper a part, since small products take as long as their loads from memory one after another.
#define OF_PART 2048
#define LOADS (OF_PART / THREADS)

struct Product {
  i64 rows;
  // From one row, or one column, of A to the next, and so on.
  i64 a_row, a_depth, b_depth, b_column, out_row;
  // `derivative` is the function by whose derivative an element is multiplied last; whether all of `out` is written is for the host.
  int start, function, derivative, whole;
};

// One of the products of a launch: where its operands begin, its sizes, and its terms Σ A B.
struct Job {
  i64 out, a, b, start, columns, depth, first_term, terms;
};

struct Term {
  i64 a, b;
};

DEVICE int least(i64 count, int most) { return count < most ? (int)count : most; }

// The lines of a tile in an operand, its rows in A or its columns in B: where the first begins, how many there are, and the steps from line
// to line and along each.
struct Side {
  i64 first;
  int count;
  i64 step, depth_step;
};

// A thread's share of a part: its first line and depth. From one load to the next it goes on by so many lines or depths. Neighbouring
// threads read neighbours in memory.
template <int TILE, int DEPTH>
struct Share {
  static constexpr int LINES = THREADS / DEPTH, KS = THREADS / TILE;
  const bool along;
  const int line, k;

  MEMBER Share(const Side &side, u32 thread)
      : along(side.depth_step == 1),
        line((int)(along ? thread / DEPTH : thread % TILE)),
        k((int)(along ? thread % DEPTH : thread / TILE)) {}

  // From the beginning of the operand to the first of them.
  MEMBER i64 first(const Side &side) const { return side.first + line * side.step + k * side.depth_step; }

  // The number of them that lie inside, where so much of the depth is left.
  MEMBER int inside(const Side &side, int depth) const {
    if (along) return k < depth ? (side.count - line + LINES - 1) / LINES : 0;
    return line < side.count ? (depth - k + KS - 1) / KS : 0;
  }
};

// Loads a thread's share, of which so many elements lie inside; beyond the operand there are zeros.
template <int TILE, int DEPTH>
DEVICE void load(float *next, const float *at, const Side &side, int inside, u32 thread) {
  const Share<TILE, DEPTH> share(side, thread);
  const i64 step = share.along ? share.LINES * side.step : share.KS * side.depth_step;
  if (inside >= LOADS) {
    UNROLL for (int each = 0; each < LOADS; ++each, at += step) next[each] = *at;
  } else {
    UNROLL for (int each = 0; each < LOADS; ++each, at += step) next[each] = each < inside ? *at : 0.0f;
  }
}

// A part of an operand as it lies in shared memory. A thread reads four neighbours at once: lines of a large tile, of which it has as many,
// depths of a small one. Without the room between, what a warp reads or writes at once would lie in the same banks.
template <int EDGE>
struct Kept {
  static constexpr int TILE = SIDE * EDGE, DEPTH = OF_PART / TILE, ROOM = 4;
  static constexpr bool BY_LINE = EDGE < 4;
  // Lines of one thread that are neighbours, and depths that are read at once.
  static constexpr int NEIGHBOURS = BY_LINE ? 1 : 4, AT_ONCE = BY_LINE ? 4 : 1;
  // Steps that become one piece of code. With more of them for the largest tile, registers are too few for what comes from memory, which
  // then has to be waited for.
  static constexpr int UNROLLED = EDGE < 8 ? 8 : 2;
  static constexpr int OF_LINE = BY_LINE ? DEPTH + ROOM : 1, OF_K = BY_LINE ? 1 : TILE + ROOM;
  static constexpr int SIZE = BY_LINE ? TILE * OF_LINE : DEPTH * OF_K;

  // The line of the tile that is the one at a place of a thread.
  MEMBER static int line(int of_thread, int place) {
    return of_thread * NEIGHBOURS + place / NEIGHBOURS * (SIDE * NEIGHBOURS) + place % NEIGHBOURS;
  }
};

// Puts what `load` has loaded where all threads of the block see it.
template <int EDGE>
DEVICE void keep(float *kept, const float *next, const Side &side, u32 thread) {
  using Of = Kept<EDGE>;
  const Share<Of::TILE, Of::DEPTH> share(side, thread);
  float *at = kept + share.line * Of::OF_LINE + share.k * Of::OF_K;
  const int step = share.along ? share.LINES * Of::OF_LINE : share.KS * Of::OF_K;
  UNROLL for (int each = 0; each < LOADS; ++each, at += step) *at = next[each];
}

// The place of a thread among the SIDE rows, and columns, of threads that compute a tile. A warp has 4 rows and 8 columns of them, nearly a
// square, so that it reads few rows and columns from shared memory.
DEVICE int row_of(u32 thread) { return (int)(thread / 64 * 4 + thread % 32 / 8); }
DEVICE int column_of(u32 thread) { return (int)(thread % 64 / 32 * 8 + thread % 8); }

// Takes a thread's elements of COUNT depths of A, or of B, of which the first lies at `from`.
template <int EDGE, int COUNT>
DEVICE void take(float *elements, const float *from) {
  using Of = Kept<EDGE>;
  constexpr int STEP = COUNT * Of::NEIGHBOURS;
  UNROLL for (int each = 0; each < EDGE * COUNT; each += STEP) {
    const float *at = from + Of::line(0, each / COUNT) * Of::OF_LINE + each % COUNT * Of::OF_K;
    if (STEP == 4)
      copy_four(elements + each, at);
    else
      elements[each] = *at;
  }
}

// Adds to a thread's sums the products of COUNT columns of A and rows of B, of which its first elements lie at `a` and `b`.
template <int EDGE, int COUNT>
DEVICE void multiply(float (&sums)[EDGE][EDGE], const float *a, const float *b) {
  float left[EDGE * COUNT], right[EDGE * COUNT];
  take<EDGE, COUNT>(left, a);
  take<EDGE, COUNT>(right, b);
  UNROLL for (int k = 0; k < COUNT; ++k)
    UNROLL for (int i = 0; i < EDGE; ++i)
      UNROLL for (int j = 0; j < EDGE; ++j)
        sums[i][j] = fused(left[i * COUNT + k], right[j * COUNT + k], sums[i][j]);
}

// A block computes a tile of one job, each thread EDGE × EDGE elements of it; `widest` is the largest number of columns of a job. `h` lies
// as `out` does.
template <int EDGE>
DEVICE void product(float *out, const float *a, const float *b, const float *start, const float *h, const Product p,
                    const Job *jobs, const Term *terms, i64 widest) {
  using Of = Kept<EDGE>;
  constexpr int TILE = Of::TILE, DEPTH = Of::DEPTH;
  // The parts of A and B that are multiplied, and the next ones.
  SHARED ALIGNED float of_a[2][Of::SIZE];
  SHARED ALIGNED float of_b[2][Of::SIZE];
  OWNED(float, sums, [EDGE][EDGE]);

  const u32 across = (u32)((widest + TILE - 1) / TILE), down = (u32)((p.rows + TILE - 1) / TILE);
  const Job job = jobs[BLOCK / (across * down)];
  const i64 first_row = (i64)(BLOCK / across % down) * TILE;
  const i64 first_column = (i64)(BLOCK % across) * TILE;
  if (first_row >= p.rows || first_column >= job.columns) return;
  const Side side_a = {job.a + first_row * p.a_row, least(p.rows - first_row, TILE), p.a_row, p.a_depth};
  const Side side_b = {job.b + first_column * p.b_column, least(job.columns - first_column, TILE), p.b_column, p.b_depth};
  terms += job.first_term;

  PHASE {
    UNROLL for (int i = 0; i < EDGE; ++i)
      UNROLL for (int j = 0; j < EDGE; ++j) {
        const i64 row = first_row + Of::line(row_of(thread), i);
        const i64 column = first_column + Of::line(column_of(thread), j);
        float sum = 0.0f;
        if (row < p.rows && column < job.columns) {
          if (p.start == START_ROWS) sum = start[job.start + row];
          if (p.start == START_OUT) sum = out[job.out + row * p.out_row + column];
        }
        OWN(sums)[i][j] = sum;
      }
  }
  i64 parts = job.terms * ((job.depth + DEPTH - 1) / DEPTH), from = 0;
  // The places that a thread loads next from.
  OWNED(const float *, at_a, );
  OWNED(const float *, at_b, );
  int depth = least(job.depth, DEPTH);
  PHASE {
    if (parts > 0) {
      const Share<TILE, DEPTH> share_a(side_a, thread), share_b(side_b, thread);
      OWN(at_a) = a + terms->a + share_a.first(side_a);
      OWN(at_b) = b + terms->b + share_b.first(side_b);
      float first_a[LOADS], first_b[LOADS];
      load<TILE, DEPTH>(first_a, OWN(at_a), side_a, share_a.inside(side_a, depth), thread);
      load<TILE, DEPTH>(first_b, OWN(at_b), side_b, share_b.inside(side_b, depth), thread);
      keep<EDGE>(of_a[0], first_a, side_a, thread);
      keep<EDGE>(of_b[0], first_b, side_b, thread);
    }
  }
  for (int now = 0; parts > 0; --parts, now = 1 - now) {
    // To the next share.
    i64 step_a = DEPTH * side_a.depth_step, step_b = DEPTH * side_b.depth_step;
    from += DEPTH;
    if (from >= job.depth && parts > 1) {
      step_a += terms[1].a - terms[0].a - from * side_a.depth_step;
      step_b += terms[1].b - terms[0].b - from * side_b.depth_step;
      from = 0;
      ++terms;
    }
    // Not beyond the depth: to add zero would make a positive zero of a negative one.
    const int of_now = depth;
    depth = least(job.depth - from, DEPTH);
    PHASE {
      float next_a[LOADS], next_b[LOADS];
      // They come from memory while this part is multiplied.
      if (parts > 1) {
        const Share<TILE, DEPTH> share_a(side_a, thread), share_b(side_b, thread);
        OWN(at_a) += step_a;
        OWN(at_b) += step_b;
        load<TILE, DEPTH>(next_a, OWN(at_a), side_a, share_a.inside(side_a, depth), thread);
        load<TILE, DEPTH>(next_b, OWN(at_b), side_b, share_b.inside(side_b, depth), thread);
      }
      const float *rows = of_a[now] + Of::line(row_of(thread), 0) * Of::OF_LINE;
      const float *columns = of_b[now] + Of::line(column_of(thread), 0) * Of::OF_LINE;
      int k = 0;
      UNROLL_BY(1) for (; k + Of::UNROLLED * Of::AT_ONCE <= of_now; k += Of::UNROLLED * Of::AT_ONCE)
        UNROLL for (int each = 0; each < Of::UNROLLED; ++each) {
          multiply<EDGE, Of::AT_ONCE>(OWN(sums), rows, columns);
          rows += Of::AT_ONCE * Of::OF_K;
          columns += Of::AT_ONCE * Of::OF_K;
        }
      UNROLL_BY(1) for (; k < of_now; ++k) {
        multiply<EDGE, 1>(OWN(sums), rows, columns);
        rows += Of::OF_K;
        columns += Of::OF_K;
      }
      if (parts > 1) {
        keep<EDGE>(of_a[1 - now], next_a, side_a, thread);
        keep<EDGE>(of_b[1 - now], next_b, side_b, thread);
      }
    }
  }
  // One loop for all elements where something is left to be done: the code of a function is long.
  const bool plain = p.function == IDENTITY && p.derivative == IDENTITY;
  PHASE {
    float values[EDGE * EDGE];
    UNROLL for (int i = 0; i < EDGE; ++i)
      UNROLL for (int j = 0; j < EDGE; ++j) {
        const i64 row = first_row + Of::line(row_of(thread), i);
        const i64 column = first_column + Of::line(column_of(thread), j);
        values[i * EDGE + j] = OWN(sums)[i][j];
        if (plain && row < p.rows && column < job.columns) out[job.out + row * p.out_row + column] = OWN(sums)[i][j];
      }
    UNROLL_BY(1) for (int place = 0; place < EDGE * EDGE && !plain; ++place) {
      const i64 row = first_row + Of::line(row_of(thread), place / EDGE);
      const i64 column = first_column + Of::line(column_of(thread), place % EDGE);
      if (row < p.rows && column < job.columns) {
        const i64 at = job.out + row * p.out_row + column;
        const float value = function_of(p.function, values[place]);
        out[at] = p.derivative ? times_derivative(p.derivative, value, h[at]) : value;
      }
    }
  }
}

#define PRODUCT(name, edge, blocks)                                                                              \
  KERNEL_OF(blocks) name(float *out, const float *a, const float *b, const float *start, const float *h,         \
                         const Product p, const Job *jobs, const Term *terms, i64 widest) {                      \
    product<edge>(out, a, b, start, h, p, jobs, terms, widest);                                                  \
  }                                                                                                              \
  EXPORT(name)

PRODUCT(product_16, 1, 4)
PRODUCT(product_32, 2, 3)
PRODUCT(product_64, 4, 3)
PRODUCT(product_128, 8, 2)
