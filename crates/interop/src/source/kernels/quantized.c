/* Multiples of a step, up to a limit: steps are the inverse of the step, and the limit. */
static void quantize(const float *x, const float *steps, int16_t *q, size_t length) {
    size_t i;
    for (i = 0; i < length; i++) {
        const float scaled = x[i] * steps[0];
        const float below = scaled > steps[1] ? steps[1] : scaled;
        const float bounded = below > -steps[1] ? below : -steps[1];
        q[i] = (int16_t)(bounded + (bounded < 0.0f ? -0.5f : 0.5f));
    }
}

/* The sum of products. */
static int32_t dot_q(const int16_t *x, const int8_t *w, size_t length) {
    int32_t sum = 0;
    size_t i;
    for (i = 0; i < length; i++) sum += (int32_t)x[i] * w[i];
    return sum;
}

/* Y = X W^T + b of rows of inputs. */
static void dense_q(const float *x, const int8_t *weight, const float *scales, const float *bias, size_t units,
                    size_t inputs, const float *steps, int16_t *q, float *y, size_t length) {
    size_t row, unit;
    for (row = 0; row < length / units; row++) {
        quantize(&x[row * inputs], steps, q, inputs);
        for (unit = 0; unit < units; unit++) {
            const float sum = (float)dot_q(q, &weight[unit * inputs], inputs);
            y[row * units + unit] = sum * scales[unit] + bias[unit];
        }
    }
}

/* A convolution of [channels][rows][columns]. */
static void conv_q(const float *x, const int8_t *weight, const float *scales, const float *bias, size_t biases,
                   const struct window *window, size_t groups, const float *steps, int16_t *q, float *y,
                   size_t length) {
    const size_t pixels = window->size[0] * window->size[1];
    const size_t positions = window->kernel[0] * window->kernel[1];
    const size_t channels = window->channels / groups;
    const size_t features = window->outputs[0] * window->outputs[1];
    size_t index, channel, i, j;
    quantize(x, steps, q, window->channels * pixels);
    for (index = 0; index < length; index++) {
        const size_t output = index / features;
        const size_t row = index % features / window->outputs[1];
        const size_t column = index % window->outputs[1];
        const int16_t *from = &q[output / (biases / groups) * channels * pixels];
        const int8_t *w = &weight[output * channels * positions];
        const size_t above = first_inside(window, 0, row), below = end_inside(window, 0, row);
        const size_t left = first_inside(window, 1, column), right = end_inside(window, 1, column);
        int32_t sum = 0;
        for (channel = 0; channel < channels; channel++) {
            for (i = above; i < below; i++) {
                const int16_t *line = &from[channel * pixels + index_of(window, 0, row, i) * window->size[1]];
                for (j = left; j < right; j++) {
                    const int32_t value = line[index_of(window, 1, column, j)];
                    sum += value * w[channel * positions + i * window->kernel[1] + j];
                }
            }
        }
        y[index] = (float)sum * scales[output] + bias[output];
    }
}

/* The rows of a table at the ids, with a scale for each row; zeros for one that it does not have. */
static void embedding_q(const float *x, const int8_t *table, const float *scales, size_t rows, size_t size, float *y,
                        size_t length) {
    size_t i;
    for (i = 0; i < length; i++) {
        const float id = x[i / size];
        const int known = id >= 0.0f && id < (float)rows;
        y[i] = known ? (float)table[(size_t)id * size + i % size] * scales[(size_t)id] : 0.0f;
    }
}

/* Long short-term memory. The inputs and the state have steps of their own. */
static void lstm_q(const float *x, const int8_t *weight, const int8_t *recurrent, const float *scales,
                   const float *recurrent_scales, const float *bias, size_t gates, size_t inputs, size_t steps,
                   size_t keep, int backwards, const float *of_both, int16_t *q, float *y, size_t length) {
    const size_t units = gates / 4;
    float *z = &y[length - 6 * units], *c = &z[4 * units], *h = &c[units];
    int16_t *q_state = &q[inputs];
    size_t step, k;
    for (k = 0; k < units; k++) c[k] = h[k] = 0.0f;
    for (step = 0; step < steps; step++) {
        quantize(&x[(backwards ? steps - 1 - step : step) * inputs], of_both, q, inputs);
        quantize(h, &of_both[2], q_state, units);
        for (k = 0; k < gates; k++) {
            const float input = (float)dot_q(q, &weight[k * inputs], inputs) * scales[k];
            const float state = (float)dot_q(q_state, &recurrent[k * units], units) * recurrent_scales[k];
            z[k] = input + state + bias[k];
        }
        lstm_cell(z, c, h, units);
        keep_state(h, units, step, steps, keep, backwards, y);
    }
}

/* The gated recurrent unit. The inputs and the state have steps of their own. */
static void gru_q(const float *x, const int8_t *weight, const int8_t *recurrent, const float *scales,
                  const float *recurrent_scales, const float *bias, const float *recurrent_bias, size_t gates,
                  size_t inputs, size_t steps, size_t keep, int backwards, const float *of_both, int16_t *q, float *y,
                  size_t length) {
    const size_t units = gates / 3;
    float *z = &y[length - 7 * units], *added = &z[gates], *h = &added[gates];
    int16_t *q_state = &q[inputs];
    size_t step, k;
    for (k = 0; k < units; k++) h[k] = 0.0f;
    for (step = 0; step < steps; step++) {
        quantize(&x[(backwards ? steps - 1 - step : step) * inputs], of_both, q, inputs);
        quantize(h, &of_both[2], q_state, units);
        for (k = 0; k < gates; k++) {
            const float state = (float)dot_q(q_state, &recurrent[k * units], units) * recurrent_scales[k];
            z[k] = (float)dot_q(q, &weight[k * inputs], inputs) * scales[k] + bias[k];
            added[k] = state + recurrent_bias[k];
        }
        gru_cell(z, added, h, units);
        keep_state(h, units, step, steps, keep, backwards, y);
    }
}
