/* The sum of products, in eight chains. */
static float short_dot(const float *x, const float *w, size_t length) {
    float lanes[8] = {0.0f, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f};
    size_t i, lane;
    for (i = 0; i + 8 <= length; i += 8) {
        for (lane = 0; lane < 8; lane++) lanes[lane] += x[i + lane] * w[i + lane];
    }
    for (lane = 0; i + lane < length; lane++) lanes[lane] += x[i + lane] * w[i + lane];
    return ((lanes[0] + lanes[4]) + (lanes[1] + lanes[5])) + ((lanes[2] + lanes[6]) + (lanes[3] + lanes[7]));
}

/* The sum of products, in parts of 256, whose chains have 32 each. */
static float dot(const float *x, const float *w, size_t length) {
    float sum = 0.0f, lost = 0.0f;
    size_t start;
    for (start = 0; start < length; start += 256) {
        add_part(short_dot(&x[start], &w[start], length - start > 256 ? 256 : length - start), &sum, &lost);
    }
    return sum;
}

/* Y = X W^T + b of rows of inputs; the weight is [units][inputs]. */
static void dense(const float *x, const float *weight, const float *bias, size_t units, size_t inputs, float *y,
                  size_t length) {
    size_t row, unit;
    for (row = 0; row < length / units; row++) {
        for (unit = 0; unit < units; unit++) {
            y[row * units + unit] = dot(&x[row * inputs], &weight[unit * inputs], inputs) + bias[unit];
        }
    }
}

/* A convolution of [channels][rows][columns]; the weight is [outputs][channels of a group][window]. */
static void conv(const float *x, const float *weight, const float *bias, size_t biases, const struct window *window,
                 size_t groups, float *y, size_t length) {
    const size_t pixels = window->size[0] * window->size[1];
    const size_t positions = window->kernel[0] * window->kernel[1];
    const size_t channels = window->channels / groups;
    const size_t features = window->outputs[0] * window->outputs[1];
    size_t index, channel, i, j, start;
    for (index = 0; index < length; index++) {
        const size_t output = index / features;
        const size_t row = index % features / window->outputs[1];
        const size_t column = index % window->outputs[1];
        const float *from = &x[output / (biases / groups) * channels * pixels];
        const float *w = &weight[output * channels * positions];
        const size_t above = first_inside(window, 0, row), below = end_inside(window, 0, row);
        const size_t left = first_inside(window, 1, column), right = end_inside(window, 1, column);
        float sum = bias[output], lost = 0.0f;
        /* A part of the sum, and its number of terms: from 32 on it is added. */
        float part = 0.0f;
        size_t terms = 0;
        for (channel = 0; channel < channels; channel++) {
            for (i = above; i < below; i++) {
                const float *line = &from[channel * pixels + index_of(window, 0, row, i) * window->size[1]];
                for (start = left; start < right; start += 32) {
                    const size_t end = right - start > 32 ? start + 32 : right;
                    for (j = start; j < end; j++) {
                        part += line[index_of(window, 1, column, j)] * w[channel * positions + i * window->kernel[1] + j];
                    }
                    terms += end - start;
                    if (terms >= 32) {
                        add_part(part, &sum, &lost);
                        part = 0.0f;
                        terms = 0;
                    }
                }
            }
        }
        add_part(part, &sum, &lost);
        y[index] = sum;
    }
}

/* The rows of a table at the ids; zeros for one that it does not have. */
static void embedding(const float *x, const float *table, size_t values, size_t size, float *y, size_t length) {
    size_t i;
    for (i = 0; i < length; i++) {
        const float id = x[i / size];
        const int known = id >= 0.0f && id < (float)(values / size);
        y[i] = known ? table[(size_t)id * size + i % size] : 0.0f;
    }
}
