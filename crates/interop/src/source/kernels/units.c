/* Applies an activation to each value. */
static void apply(float (*unit)(float, const float *), const float *settings, float *y, size_t length) {
    size_t i;
    for (i = 0; i < length; i++) y[i] = unit(y[i], settings);
}

static float unit_relu(float z, const float *settings) {
    (void)settings;
    return z < 0.0f ? 0.0f : z;
}

static float unit_leaky_relu(float z, const float *settings) {
    return z < 0.0f ? settings[0] * z : z;
}

static float unit_relu_squared(float z, const float *settings) {
    (void)settings;
    return z < 0.0f ? 0.0f : z * z;
}

static float unit_threshold(float z, const float *settings) {
    return z <= settings[0] ? settings[1] : z;
}

static float unit_elu(float z, const float *settings) {
    return settings[1] * (z > 0.0f ? z : settings[0] * expm1_of(z));
}

static float unit_celu(float z, const float *settings) {
    return z > 0.0f ? z : settings[0] * expm1_of(z * settings[1]);
}

static float unit_exponential(float z, const float *settings) {
    (void)settings;
    return exp_of(z);
}

static float unit_gelu(float z, const float *settings) {
    (void)settings;
    return (z < -1000.0f ? -1000.0f : z) * (0.5f * erfc_of(z * -0.70710677f));
}

static float unit_gelu_tanh(float z, const float *settings) {
    (void)settings;
    return (z < -1000.0f ? -1000.0f : z) * sigmoid_of(1.5957692f * z * (1.0f + 0.044715f * z * z));
}

static float unit_hard_sigmoid(float z, const float *settings) {
    (void)settings;
    return clip(z + 3.0f, 0.0f, 6.0f) / 6.0f;
}

static float unit_hard_swish(float z, const float *settings) {
    const float below = z <= -3.0f ? 0.0f : z * (z + 3.0f) / 6.0f;
    (void)settings;
    return z >= 3.0f ? z : below;
}

static float unit_clip(float z, const float *settings) {
    return clip(z, settings[0], settings[1]);
}

static float unit_hard_shrink(float z, const float *settings) {
    return z <= settings[0] && z >= -settings[0] ? 0.0f : z;
}

static float unit_soft_shrink(float z, const float *settings) {
    if (z <= settings[0] && z >= -settings[0]) return 0.0f;
    return z < 0.0f ? z + settings[0] : z - settings[0];
}

static float unit_tanh_shrink(float z, const float *settings) {
    (void)settings;
    return z - tanh_of(z);
}

static float unit_sigmoid(float z, const float *settings) {
    (void)settings;
    return sigmoid_of(z);
}

static float unit_tanh(float z, const float *settings) {
    (void)settings;
    return tanh_of(z);
}

static float unit_softsign(float z, const float *settings) {
    const float bounded = clip(z, -FLT_MAX, FLT_MAX);
    (void)settings;
    return bounded / (1.0f + (bounded < 0.0f ? -bounded : bounded));
}

static float unit_silu(float z, const float *settings) {
    (void)settings;
    return (z < -1000.0f ? -1000.0f : z) * sigmoid_of(z);
}

static float unit_mish(float z, const float *settings) {
    const float w = exp_of(z > 20.0f ? 20.0f : z);
    const float n = w * (w + 2.0f);
    (void)settings;
    return (z < -1000.0f ? -1000.0f : z) * (n / (n + 2.0f));
}

static float unit_softplus(float z, const float *settings) {
    const float scaled = settings[0] * z;
    return scaled > settings[1] ? z : softplus_of(scaled) / settings[0];
}

static float unit_log_sigmoid(float z, const float *settings) {
    (void)settings;
    return -softplus_of(-z);
}

static float unit_squareplus(float z, const float *settings) {
    const float size = z < 0.0f ? -z : z;
    const float square = z * z + settings[0];
    const float root = square <= FLT_MAX ? sqrt_of(square) : size;
    return z < 0.0f ? 0.5f * settings[0] / (root + size) : 0.5f * (root + size);
}

static float unit_sparse_plus(float z, const float *settings) {
    const float half = 0.5f * (clip(z, -1.0f, 1.0f) + 1.0f);
    (void)settings;
    return z >= 1.0f ? z : half * half;
}

static float unit_sparse_sigmoid(float z, const float *settings) {
    (void)settings;
    return 0.5f * (clip(z, -1.0f, 1.0f) + 1.0f);
}
