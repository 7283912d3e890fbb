// Products of matrices, as `product/` defines them: every element is the sum of its products in order, each
// multiplied and added with one rounding. The size of a tile decides how fast, and no bit.

#define START_ZERO 0
#define START_ROWS 1
#define START_OUT 2

// Columns of A that a block keeps at a time.
#define DEPTH 16
// Threads along one side of a tile.
#define SIDE 16

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

// A block computes a tile of one job, each thread EDGE × EDGE elements of it, SIDE apart; `widest` is the largest number
// of columns of a job. `h` lies as `out` does.
template <int EDGE>
DEVICE void product(float *out, const float *a, const float *b, const float *start, const float *h, const Product p,
                    const Job *jobs, const Term *terms, i64 widest) {
  constexpr int TILE = SIDE * EDGE;
  SHARED float of_a[DEPTH][TILE + 1];
  SHARED float of_b[DEPTH][TILE + 1];
  OWNED(float, sums, [EDGE][EDGE]);

  const u32 across = (u32)((widest + TILE - 1) / TILE), down = (u32)((p.rows + TILE - 1) / TILE);
  const Job job = jobs[BLOCK / (across * down)];
  const i64 first_row = (i64)(BLOCK / across % down) * TILE;
  const i64 first_column = (i64)(BLOCK % across) * TILE;
  if (first_row >= p.rows || first_column >= job.columns) return;

  PHASE {
    for (int i = 0; i < EDGE; ++i)
      for (int j = 0; j < EDGE; ++j) {
        const i64 row = first_row + thread / SIDE + i * SIDE, column = first_column + thread % SIDE + j * SIDE;
        float sum = 0.0f;
        if (row < p.rows && column < job.columns) {
          if (p.start == START_ROWS) sum = start[job.start + row];
          if (p.start == START_OUT) sum = out[job.out + row * p.out_row + column];
        }
        OWN(sums)[i][j] = sum;
      }
  }
  for (i64 term = job.first_term; term < job.first_term + job.terms; ++term) {
    const float *of_term_a = a + job.a + terms[term].a;
    const float *of_term_b = b + job.b + terms[term].b;
    for (i64 from = 0; from < job.depth; from += DEPTH) {
      // Neighbouring threads read neighbours in memory.
      PHASE {
        for (int at = thread; at < TILE * DEPTH; at += THREADS) {
          const bool along = p.a_depth == 1;
          const int row = along ? at / DEPTH : at % TILE, k = along ? at % DEPTH : at / TILE;
          const bool inside = first_row + row < p.rows && from + k < job.depth;
          of_a[k][row] = inside ? of_term_a[(first_row + row) * p.a_row + (from + k) * p.a_depth] : 0.0f;
        }
        for (int at = thread; at < TILE * DEPTH; at += THREADS) {
          const bool along = p.b_depth == 1;
          const int column = along ? at / DEPTH : at % TILE, k = along ? at % DEPTH : at / TILE;
          const bool inside = first_column + column < job.columns && from + k < job.depth;
          of_b[k][column] =
              inside ? of_term_b[(first_column + column) * p.b_column + (from + k) * p.b_depth] : 0.0f;
        }
      }
      // Not beyond the depth: to add zero would make a positive zero of a negative one.
      const int depth = job.depth - from < DEPTH ? (int)(job.depth - from) : DEPTH;
      PHASE {
        for (int k = 0; k < depth; ++k) {
          float left[EDGE], right[EDGE];
          for (int i = 0; i < EDGE; ++i) left[i] = of_a[k][thread / SIDE + i * SIDE];
          for (int j = 0; j < EDGE; ++j) right[j] = of_b[k][thread % SIDE + j * SIDE];
          for (int i = 0; i < EDGE; ++i)
            for (int j = 0; j < EDGE; ++j) OWN(sums)[i][j] = fused(left[i], right[j], OWN(sums)[i][j]);
        }
      }
    }
  }
  PHASE {
    for (int i = 0; i < EDGE; ++i)
      for (int j = 0; j < EDGE; ++j) {
        const i64 row = first_row + thread / SIDE + i * SIDE, column = first_column + thread % SIDE + j * SIDE;
        if (row < p.rows && column < job.columns) {
          const i64 at = job.out + row * p.out_row + column;
          const float value = function_of(p.function, OWN(sums)[i][j]);
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

PRODUCT(product_32, 2)
PRODUCT(product_64, 4)
PRODUCT(product_128, 8)
