// Products of matrices, as `product/` defines them: every element is the sum of its products in order, each
// multiplied and added with one rounding. The size of a tile decides how fast, and no bit.

#define START_ZERO 0
#define START_ROWS 1
#define START_OUT 2

// Threads along one side of a tile.
#define SIDE 16
// Elements of A, and of B, that a block keeps at a time, and those of them that each thread loads: the smaller the tile, the deeper, since
// small products take as long as their loads from memory one after another.
#define OF_TILE 2048
#define LOADS (OF_TILE / THREADS)

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

// The rows of A, or the columns of B, that a block needs: the first, how many there are, and the steps in memory.
struct Side {
  i64 first, count, step, depth_step, depth;
};

// The part of a tile that a thread loads: a line and a depth, and the steps from one load to the next. Neighbouring threads read
// neighbours in memory.
template <int TILE, int DEPTH>
struct Loads {
  int line, k, lines, ks;

  MEMBER Loads(const Side &side, u32 thread) {
    const bool along = side.depth_step == 1;
    line = (int)(along ? thread / DEPTH : thread % TILE);
    k = (int)(along ? thread % DEPTH : thread / TILE);
    lines = along ? THREADS / DEPTH : 0;
    ks = along ? 0 : THREADS / TILE;
  }
};

// Loads a thread's part from a depth on; beyond the operand there are zeros.
template <int TILE, int DEPTH>
DEVICE void load(float *next, const float *operand, const Side &side, i64 from, u32 thread) {
  const Loads<TILE, DEPTH> part(side, thread);
  const float *first = operand + (side.first + part.line) * side.step + (from + part.k) * side.depth_step;
  const i64 step = part.lines * side.step + part.ks * side.depth_step;
  const int lines = least(side.count - side.first, TILE), depth = least(side.depth - from, DEPTH);
  UNROLL for (int each = 0; each < LOADS; ++each) {
    const bool inside = part.line + each * part.lines < lines && part.k + each * part.ks < depth;
    next[each] = inside ? first[each * step] : 0.0f;
  }
}

// Puts what `load` has loaded where all threads of the block see it.
template <int TILE, int DEPTH, int WIDTH>
DEVICE void keep(float (*kept)[WIDTH], const float *next, const Side &side, u32 thread) {
  const Loads<TILE, DEPTH> part(side, thread);
  UNROLL for (int each = 0; each < LOADS; ++each)
    kept[part.k + each * part.ks][part.line + each * part.lines] = next[each];
}

// The row, or the column, of a tile that is the one at a place of a thread.
template <int NEIGHBOURS>
DEVICE int line(u32 thread, int place) {
  return (int)thread * NEIGHBOURS + place / NEIGHBOURS * (SIDE * NEIGHBOURS) + place % NEIGHBOURS;
}

// A block computes a tile of one job, each thread EDGE × EDGE elements of it, of whose rows and columns some are neighbours, so that one
// load from shared memory has them all; `widest` is the largest number of columns of a job. `h` lies as `out` does.
template <int EDGE>
DEVICE void product(float *out, const float *a, const float *b, const float *start, const float *h, const Product p,
                    const Job *jobs, const Term *terms, i64 widest) {
  constexpr int TILE = SIDE * EDGE, DEPTH = OF_TILE / TILE, NEIGHBOURS = EDGE < 4 ? EDGE : 4;
  SHARED ALIGNED float of_a[DEPTH][TILE + NEIGHBOURS];
  SHARED ALIGNED float of_b[DEPTH][TILE + NEIGHBOURS];
  OWNED(float, sums, [EDGE][EDGE]);
  // Of the next part of A and B, which come from memory while this one is multiplied.
  OWNED(float, next_a, [LOADS]);
  OWNED(float, next_b, [LOADS]);

  const u32 across = (u32)((widest + TILE - 1) / TILE), down = (u32)((p.rows + TILE - 1) / TILE);
  const Job job = jobs[BLOCK / (across * down)];
  const i64 first_row = (i64)(BLOCK / across % down) * TILE;
  const i64 first_column = (i64)(BLOCK % across) * TILE;
  if (first_row >= p.rows || first_column >= job.columns) return;
  const Side side_a = {first_row, p.rows, p.a_row, p.a_depth, job.depth};
  const Side side_b = {first_column, job.columns, p.b_column, p.b_depth, job.depth};
  a += job.a;
  b += job.b;
  terms += job.first_term;

  PHASE {
    UNROLL for (int i = 0; i < EDGE; ++i)
      UNROLL for (int j = 0; j < EDGE; ++j) {
        const i64 row = first_row + line<NEIGHBOURS>(thread / SIDE, i);
        const i64 column = first_column + line<NEIGHBOURS>(thread % SIDE, j);
        float sum = 0.0f;
        if (row < p.rows && column < job.columns) {
          if (p.start == START_ROWS) sum = start[job.start + row];
          if (p.start == START_OUT) sum = out[job.out + row * p.out_row + column];
        }
        OWN(sums)[i][j] = sum;
      }
  }
  i64 parts = job.terms * ((job.depth + DEPTH - 1) / DEPTH), term = 0, from = 0;
  PHASE {
    if (parts > 0) {
      load<TILE, DEPTH>(OWN(next_a), a + terms[0].a, side_a, 0, thread);
      load<TILE, DEPTH>(OWN(next_b), b + terms[0].b, side_b, 0, thread);
    }
  }
  for (; parts > 0; --parts) {
    PHASE {
      keep<TILE, DEPTH>(of_a, OWN(next_a), side_a, thread);
      keep<TILE, DEPTH>(of_b, OWN(next_b), side_b, thread);
    }
    // Not beyond the depth: to add zero would make a positive zero of a negative one.
    const int depth = least(job.depth - from, DEPTH);
    from += DEPTH;
    if (from >= job.depth) {
      from = 0;
      ++term;
    }
    PHASE {
      if (parts > 1) {
        load<TILE, DEPTH>(OWN(next_a), a + terms[term].a, side_a, from, thread);
        load<TILE, DEPTH>(OWN(next_b), b + terms[term].b, side_b, from, thread);
      }
      UNROLL_BY(8 / EDGE) for (int k = 0; k < depth; ++k) {
        float left[EDGE], right[EDGE];
        UNROLL for (int i = 0; i < EDGE; ++i) left[i] = of_a[k][line<NEIGHBOURS>(thread / SIDE, i)];
        UNROLL for (int j = 0; j < EDGE; ++j) right[j] = of_b[k][line<NEIGHBOURS>(thread % SIDE, j)];
        UNROLL for (int i = 0; i < EDGE; ++i)
          UNROLL for (int j = 0; j < EDGE; ++j) OWN(sums)[i][j] = fused(left[i], right[j], OWN(sums)[i][j]);
      }
    }
  }
  // One loop for all elements where something is left to be done: the code of a function is long.
  const bool plain = p.function == IDENTITY && p.derivative == IDENTITY;
  PHASE {
    float values[EDGE * EDGE];
    UNROLL for (int i = 0; i < EDGE; ++i)
      UNROLL for (int j = 0; j < EDGE; ++j) {
        const i64 row = first_row + line<NEIGHBOURS>(thread / SIDE, i);
        const i64 column = first_column + line<NEIGHBOURS>(thread % SIDE, j);
        values[i * EDGE + j] = OWN(sums)[i][j];
        if (plain && row < p.rows && column < job.columns) out[job.out + row * p.out_row + column] = OWN(sums)[i][j];
      }
    UNROLL_BY(1) for (int place = 0; place < EDGE * EDGE && !plain; ++place) {
      const i64 row = first_row + line<NEIGHBOURS>(thread / SIDE, place / EDGE);
      const i64 column = first_column + line<NEIGHBOURS>(thread % SIDE, place % EDGE);
      if (row < p.rows && column < job.columns) {
        const i64 at = job.out + row * p.out_row + column;
        const float value = function_of(p.function, values[place]);
        out[at] = p.derivative ? times_derivative(p.derivative, value, h[at]) : value;
      }
    }
  }
}

#define PRODUCT(name, edge)                                                                                   \
  KERNEL name(float *out, const float *a, const float *b, const float *start, const float *h, const Product p, \
              const Job *jobs, const Term *terms, i64 widest) {                                               \
    product<edge>(out, a, b, start, h, p, jobs, terms, widest);                                               \
  }                                                                                                           \
  EXPORT(name)

PRODUCT(product_16, 1)
PRODUCT(product_32, 2)
PRODUCT(product_64, 4)
PRODUCT(product_128, 8)
