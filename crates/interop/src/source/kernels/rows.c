/* exp(z) / sum of exp(z) along an axis of `count` values, with `inner` values after it; of `sign` times the values. */
static void softmax(size_t count, size_t inner, float sign, float *y, size_t length) {
    size_t row, start, i;
    for (row = 0; row < length / count; row++) {
        float *z = &y[row / inner * count * inner + row % inner];
        float largest = -1.0f / 0.0f;
        float sum = 0.0f, lost = 0.0f;
        for (i = 0; i < count; i++) largest = sign * z[i * inner] > largest ? sign * z[i * inner] : largest;
        for (start = 0; start < count; start += 32) {
            float part = 0.0f;
            for (i = start; i < count && i < start + 32; i++) {
                z[i * inner] = exp_of(sign * z[i * inner] - largest);
                part += z[i * inner];
            }
            add_part(part, &sum, &lost);
        }
        for (i = 0; i < count; i++) z[i * inner] /= sum;
    }
}

/* z - ln of the sum of exp(z), of rows. */
static void log_softmax(size_t count, float *y, size_t length) {
    size_t row, start, i;
    for (row = 0; row < length; row += count) {
        float *z = &y[row];
        float largest = -1.0f / 0.0f;
        float sum = 0.0f, lost = 0.0f;
        float ln;
        for (i = 0; i < count; i++) largest = z[i] > largest ? z[i] : largest;
        for (start = 0; start < count; start += 32) {
            float part = 0.0f;
            for (i = start; i < count && i < start + 32; i++) part += exp_of(z[i] - largest);
            add_part(part, &sum, &lost);
        }
        ln = ln_of(sum);
        for (i = 0; i < count; i++) z[i] = (z[i] - largest) - ln;
    }
}

/* The sum of the squares, in parts of 32 values. */
static float squares_of(const float *x, size_t length) {
    float sum = 0.0f, lost = 0.0f;
    size_t start, i;
    for (start = 0; start < length; start += 32) {
        float part = 0.0f;
        for (i = start; i < length && i < start + 32; i++) part += x[i] * x[i];
        add_part(part, &sum, &lost);
    }
    return sum;
}

/* Rows to mean 0 and variance 1. */
static void normalize(size_t count, float epsilon, float *y, size_t length) {
    size_t start, i;
    for (start = 0; start < length; start += count) {
        float *z = &y[start];
        const float mean = sum_of(z, count) / (float)count;
        float factor;
        for (i = 0; i < count; i++) z[i] -= mean;
        factor = 1.0f / sqrt_of(squares_of(z, count) / (float)count + epsilon);
        for (i = 0; i < count; i++) z[i] *= factor;
    }
}

/* Rows to a mean square of 1. */
static void rms_normalize(size_t count, float epsilon, float *y, size_t length) {
    size_t start, i;
    for (start = 0; start < length; start += count) {
        const float factor = 1.0f / sqrt_of(squares_of(&y[start], count) / (float)count + epsilon);
        for (i = 0; i < count; i++) y[start + i] *= factor;
    }
}

/* s z + t, with a scale and a shift along an axis with `inner` values after it. */
static void scale_shift(const float *scale, const float *shift, size_t channels, size_t inner, float *y, size_t length) {
    size_t i;
    for (i = 0; i < length; i++) y[i] = y[i] * scale[i / inner % channels] + shift[i / inner % channels];
}

/* z where it is not below 0, else w z, with a slope along an axis with `inner` values after it. */
static void prelu(const float *slopes, size_t channels, size_t inner, float *y, size_t length) {
    size_t i;
    for (i = 0; i < length; i++) y[i] *= y[i] < 0.0f ? slopes[i / inner % channels] : 1.0f;
}

/* a f(b) of halves of `count` values. */
static void gate(const float *x, float (*unit)(float, const float *), const float *settings, size_t count, float *y,
                 size_t length) {
    size_t i;
    for (i = 0; i < length; i++) {
        const float *a = &x[i / count * 2 * count + i % count];
        y[i] = a[0] * unit(a[count], settings);
    }
}
