// Arithmetic on elements, each operation rounded on its own, as libtorch has it on a processor.

// The elements of a matrix in memory: from one row to the next.
struct Steps {
  i64 out, a, b;
};

// out ← a, a + b, a − b, factor·a, 0, a + factor·b, √a, a / factor or factor·(a − b), by the number of the operation.
KERNEL elementwise(float *out, const float *a, const float *b, i64 rows, i64 columns, const Steps steps, int operation,
                   float factor) {
  EACH (i, rows * columns) {
    const i64 row = rows == 1 ? 0 : i / columns;
    const i64 column = i - row * columns;
    const float x = a ? a[row * steps.a + column] : 0.0f;
    const float y = b ? b[row * steps.b + column] : 0.0f;
    float value = 0.0f;
    if (operation == 0) value = x;
    if (operation == 1) value = x + y;
    if (operation == 2) value = x - y;
    if (operation == 3) value = x * factor;
    if (operation == 5) value = x + y * factor;
    if (operation == 6) value = root(x);
    if (operation == 7) value = x / factor;
    if (operation == 8) value = (x - y) * factor;
    out[row * steps.out + column] = value;
  }
}
EXPORT(elementwise)
