/* Adds x. */
static void add(const float *x, float *y, size_t length) {
    size_t i;
    for (i = 0; i < length; i++) y[i] += x[i];
}

/* Subtracts x. */
static void subtract(const float *x, float *y, size_t length) {
    size_t i;
    for (i = 0; i < length; i++) y[i] -= x[i];
}

/* Multiplies by x. */
static void multiply(const float *x, float *y, size_t length) {
    size_t i;
    for (i = 0; i < length; i++) y[i] *= x[i];
}

/* Takes x where it is larger. */
static void maximum(const float *x, float *y, size_t length) {
    size_t i;
    for (i = 0; i < length; i++) y[i] = x[i] > y[i] || x[i] != x[i] ? x[i] : y[i];
}

/* Takes x where it is smaller. */
static void minimum(const float *x, float *y, size_t length) {
    size_t i;
    for (i = 0; i < length; i++) y[i] = x[i] < y[i] || x[i] != x[i] ? x[i] : y[i];
}

/* Multiplies by a number. */
static void scale(float factor, float *y, size_t length) {
    size_t i;
    for (i = 0; i < length; i++) y[i] *= factor;
}

/* The values from `start` on. */
static void slice(const float *x, size_t start, float *y, size_t length) {
    size_t i;
    for (i = 0; i < length; i++) y[i] = x[start + i];
}

/* Puts blocks of `count` values at `start` of blocks of `total` values. */
static void place(const float *x, size_t start, size_t count, size_t total, float *y, size_t length) {
    size_t i;
    for (i = 0; i < length / total * count; i++) y[i / count * total + start + i % count] = x[i];
}

/* Exchanges two axes that follow each other, with `inner` values after them. */
static void exchange(const float *x, size_t rows, size_t columns, size_t inner, float *y, size_t length) {
    size_t i;
    for (i = 0; i < length; i++) {
        const size_t block = i / (rows * columns * inner);
        const size_t row = i / inner % rows;
        const size_t column = i / (inner * rows) % columns;
        y[i] = x[((block * rows + row) * columns + column) * inner + i % inner];
    }
}

/* Puts a value around rows and columns. */
static void pad(const float *x, const struct window *window, float value, float *y, size_t length) {
    const size_t pixels = window->outputs[0] * window->outputs[1];
    size_t i;
    for (i = 0; i < length; i++) {
        /* Positions before the first one wrap around to large numbers. */
        const size_t row = i % pixels / window->outputs[1] - window->before[0];
        const size_t column = i % window->outputs[1] - window->before[1];
        const int inside = row < window->size[0] && column < window->size[1];
        y[i] = inside ? x[(i / pixels * window->size[0] + row) * window->size[1] + column] : value;
    }
}

/* Takes rows and columns from the inside. */
static void crop(const float *x, const struct window *window, float *y, size_t length) {
    const size_t pixels = window->outputs[0] * window->outputs[1];
    size_t i;
    for (i = 0; i < length; i++) {
        const size_t row = i % pixels / window->outputs[1] + window->before[0];
        const size_t column = i % window->outputs[1] + window->before[1];
        y[i] = x[(i / pixels * window->size[0] + row) * window->size[1] + column];
    }
}

/* Repeats rows and columns. */
static void enlarge(const float *x, const struct window *window, float *y, size_t length) {
    const size_t pixels = window->outputs[0] * window->outputs[1];
    size_t i;
    for (i = 0; i < length; i++) {
        const size_t row = i % pixels / window->outputs[1] * window->size[0] / window->outputs[0];
        const size_t column = i % window->outputs[1] * window->size[1] / window->outputs[1];
        y[i] = x[(i / pixels * window->size[0] + row) * window->size[1] + column];
    }
}
