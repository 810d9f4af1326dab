/* The states of the gates i, f, g, o: c = f c0 + i g, h = o tanh c. */
static void lstm_cell(const float *z, float *c, float *h, size_t units) {
    size_t k;
    for (k = 0; k < units; k++) {
        c[k] = sigmoid_of(z[units + k]) * c[k] + sigmoid_of(z[k]) * tanh_of(z[2 * units + k]);
        h[k] = sigmoid_of(z[3 * units + k]) * tanh_of(c[k]);
    }
}

/* The state of the gates r, z, n and of what the old state adds to them: n = tanh(n + r q), h = (1 - z) n + z h0. */
static void gru_cell(const float *x, const float *q, float *h, size_t units) {
    size_t k;
    for (k = 0; k < units; k++) {
        const float r = sigmoid_of(x[k] + q[k]);
        const float z = sigmoid_of(x[units + k] + q[units + k]);
        const float n = tanh_of(x[2 * units + k] + r * q[2 * units + k]);
        h[k] = n + z * (h[k] - n);
    }
}

/* Stores the state of a step: 0 keeps the last one, 1 all in the order in which they are computed, 2 all in that of the steps. */
static void keep_state(const float *h, size_t units, size_t step, size_t steps, size_t keep, int backwards, float *y) {
    const size_t turned = backwards ? steps - 1 - step : step;
    const size_t index = keep == 0 ? 0 : keep == 1 ? step : turned;
    size_t k;
    for (k = 0; k < units; k++) y[index * units + k] = h[k];
}

/* Long short-term memory. After the states, y has room for four gates, c and h. */
static void lstm(const float *x, const float *weight, const float *recurrent, const float *bias, size_t gates,
                 size_t inputs, size_t steps, size_t keep, int backwards, float *y, size_t length) {
    const size_t units = gates / 4;
    float *z = &y[length - 6 * units], *c = &z[4 * units], *h = &c[units];
    size_t step, k;
    for (k = 0; k < units; k++) c[k] = h[k] = 0.0f;
    for (step = 0; step < steps; step++) {
        const float *now = &x[(backwards ? steps - 1 - step : step) * inputs];
        for (k = 0; k < gates; k++) {
            z[k] = dot(now, &weight[k * inputs], inputs) + dot(h, &recurrent[k * units], units) + bias[k];
        }
        lstm_cell(z, c, h, units);
        keep_state(h, units, step, steps, keep, backwards, y);
    }
}

/* The gated recurrent unit. After the states, y has room for three gates, what the old state adds to them, and h. */
static void gru(const float *x, const float *weight, const float *recurrent, const float *bias,
                const float *recurrent_bias, size_t gates, size_t inputs, size_t steps, size_t keep, int backwards,
                float *y, size_t length) {
    const size_t units = gates / 3;
    float *z = &y[length - 7 * units], *q = &z[gates], *h = &q[gates];
    size_t step, k;
    for (k = 0; k < units; k++) h[k] = 0.0f;
    for (step = 0; step < steps; step++) {
        const float *now = &x[(backwards ? steps - 1 - step : step) * inputs];
        for (k = 0; k < gates; k++) {
            z[k] = dot(now, &weight[k * inputs], inputs) + bias[k];
            q[k] = dot(h, &recurrent[k * units], units) + recurrent_bias[k];
        }
        gru_cell(z, q, h, units);
        keep_state(h, units, step, steps, keep, backwards, y);
    }
}

/* The simple recurrent layer. After the states, y has room for h and the next one. */
static void rnn(const float *x, const float *weight, const float *recurrent, const float *bias, size_t units,
                float (*unit)(float, const float *), const float *settings, size_t inputs, size_t steps, size_t keep,
                int backwards, float *y, size_t length) {
    float *z = &y[length - 2 * units], *h = &z[units];
    size_t step, k;
    for (k = 0; k < units; k++) h[k] = 0.0f;
    for (step = 0; step < steps; step++) {
        const float *now = &x[(backwards ? steps - 1 - step : step) * inputs];
        for (k = 0; k < units; k++) {
            const float sum = dot(now, &weight[k * inputs], inputs) + dot(h, &recurrent[k * units], units);
            z[k] = unit(sum + bias[k], settings);
        }
        for (k = 0; k < units; k++) h[k] = z[k];
        keep_state(h, units, step, steps, keep, backwards, y);
    }
}
