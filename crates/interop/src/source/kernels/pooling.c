/* The largest value of each window. */
static void max_pool(const float *x, const struct window *window, float *y, size_t length) {
    const size_t features = window->outputs[0] * window->outputs[1];
    size_t index, i, j;
    for (index = 0; index < length; index++) {
        const float *from = &x[index / features * window->size[0] * window->size[1]];
        const size_t row = index % features / window->outputs[1];
        const size_t column = index % window->outputs[1];
        const size_t above = first_inside(window, 0, row), below = end_inside(window, 0, row);
        const size_t left = first_inside(window, 1, column), right = end_inside(window, 1, column);
        float largest = -1.0f / 0.0f;
        for (i = above; i < below; i++) {
            for (j = left; j < right; j++) {
                const size_t line = index_of(window, 0, row, i) * window->size[1];
                const float value = from[line + index_of(window, 1, column, j)];
                if (value > largest || value != value) largest = value;
            }
        }
        y[index] = largest;
    }
}

/* How many positions of a window are inside of the axis or its padding. */
static size_t padded(const struct window *window, size_t axis, size_t output) {
    const size_t left = 2 * window->before[axis] + window->size[axis] - output * window->stride[axis];
    const size_t count = (left + window->dilation[axis] - 1) / window->dilation[axis];
    return count < window->kernel[axis] ? count : window->kernel[axis];
}

/* The mean of each window, with padding as zeros or without it. */
static void avg_pool(const float *x, const struct window *window, int padding, float *y, size_t length) {
    const size_t features = window->outputs[0] * window->outputs[1];
    size_t index, i, j, start;
    for (index = 0; index < length; index++) {
        const float *from = &x[index / features * window->size[0] * window->size[1]];
        const size_t row = index % features / window->outputs[1];
        const size_t column = index % window->outputs[1];
        const size_t above = first_inside(window, 0, row), below = end_inside(window, 0, row);
        const size_t left = first_inside(window, 1, column), right = end_inside(window, 1, column);
        const size_t inside = (below - above) * (right - left);
        float sum = 0.0f, lost = 0.0f;
        /* A part of the sum, and its number of terms: from 32 on it is added. */
        float part = 0.0f;
        size_t terms = 0;
        for (i = above; i < below; i++) {
            for (start = left; start < right; start += 32) {
                const size_t end = right - start > 32 ? start + 32 : right;
                for (j = start; j < end; j++) {
                    part += from[index_of(window, 0, row, i) * window->size[1] + index_of(window, 1, column, j)];
                }
                terms += end - start;
                if (terms >= 32) {
                    add_part(part, &sum, &lost);
                    part = 0.0f;
                    terms = 0;
                }
            }
        }
        add_part(part, &sum, &lost);
        y[index] = sum / (float)(padding ? padded(window, 0, row) * padded(window, 1, column) : inside);
    }
}

/* The sum, in parts of 32 values. */
static float sum_of(const float *x, size_t length) {
    float sum = 0.0f, lost = 0.0f;
    size_t start, i;
    for (start = 0; start < length; start += 32) {
        float part = 0.0f;
        for (i = start; i < length && i < start + 32; i++) part += x[i];
        add_part(part, &sum, &lost);
    }
    return sum;
}

/* The mean of so many values each. */
static void means(const float *x, size_t count, float *y, size_t length) {
    size_t index;
    for (index = 0; index < length; index++) y[index] = sum_of(&x[index * count], count) / (float)count;
}

/* The largest of so many values each, along an axis with `inner` values after it. */
static void maxima(const float *x, size_t count, size_t inner, float *y, size_t length) {
    size_t index, i;
    for (index = 0; index < length; index++) {
        float largest = -1.0f / 0.0f;
        for (i = 0; i < count; i++) {
            const float value = x[(index / inner * count + i) * inner + index % inner];
            if (value > largest || value != value) largest = value;
        }
        y[index] = largest;
    }
}
