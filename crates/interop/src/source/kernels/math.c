/* min(max(z, low), high); NaN stays NaN. */
static float clip(float z, float low, float high) {
    z = z < low ? low : z;
    return z > high ? high : z;
}

static uint32_t bits_of(float x) {
    union { float number; uint32_t bits; } both;
    both.number = x;
    return both.bits;
}

static float number_of(uint32_t bits) {
    union { float number; uint32_t bits; } both;
    both.bits = bits;
    return both.number;
}

/* exp(x) = exp(r) 2^n, n the integer nearest to x / ln 2: exp(r) - 1, and 2^n as a product of two powers. */
static void parts_of_exp(float x, float parts[3]) {
    const float bounded = clip(x, -104.0f, 89.0f);
    const float rounded = bounded * 1.442695f + 12582912.0f;
    const float whole = rounded - 12582912.0f;
    const float r = bounded - whole * 0.6933594f + whole * 2.1219444e-4f;
    const float tail = 1.0f / 24.0f + r * (1.0f / 120.0f + r * (1.0f / 720.0f + r * (1.0f / 5040.0f)));
    const int32_t n = (int32_t)(bits_of(rounded) - 0x4b400000u);
    const int32_t half = n / 2;
    parts[0] = r * (1.0f + r * (0.5f + r * (1.0f / 6.0f + r * tail)));
    parts[1] = number_of((uint32_t)(half + 127) << 23);
    parts[2] = number_of((uint32_t)(n - half + 127) << 23);
}

/* exp(x) */
static float exp_of(float x) {
    float parts[3];
    parts_of_exp(x, parts);
    return (1.0f + parts[0]) * parts[1] * parts[2];
}

/* exp(x) - 1 */
static float expm1_of(float x) {
    float parts[3];
    parts_of_exp(x, parts);
    return parts[0] * parts[1] * parts[2] + (parts[1] * parts[2] - 1.0f);
}

/* ln x of a number that is not below 0: x = 2^n m, and ln m = 2 artanh s with s = (m - 1) / (m + 1). */
static float ln_of(float x) {
    const uint32_t bits = bits_of(x);
    /* The quotient of a number that is not below 0, since the exponent is shifted by 256. */
    const int32_t n = (int32_t)((bits - 0x3f3504f3u + 0x80000000u) >> 23) - 256;
    const float f = number_of(bits - ((uint32_t)n << 23)) - 1.0f;
    const float s = f / (2.0f + f);
    const float z = s * s;
    const float half = 0.5f * f * f;
    const float series = 2.0f / 5.0f + z * (2.0f / 7.0f + z * (2.0f / 9.0f + z * (2.0f / 11.0f)));
    const float tail = s * (half + z * (2.0f / 3.0f + z * series));
    const float whole = (float)n;
    const float ln = whole * 0.6933594f + (f - (half - (tail - whole * 2.1219444e-4f)));
    if (x < FLT_MIN) return -1.0f / 0.0f;
    return x <= FLT_MAX ? ln : x;
}

/* ln(1 + x) of a number that is not below 0 (Goldberg 1991, theorem 4). */
static float ln1p_of(float x) {
    const float sum = 1.0f + x;
    const float lost = sum - 1.0f;
    return lost == 0.0f ? x : ln_of(sum) * (x / lost);
}

/* The square root of a number that is not below 0, by Newton's method. */
static float sqrt_of(float x) {
    float root;
    int step;
    if (x < FLT_MIN) return 0.0f;
    root = number_of((bits_of(x) >> 1) + 0x1fbd1df5u);
    for (step = 0; step < 3; step++) root = 0.5f * (root + x / root);
    return root;
}

/* tanh x */
static float tanh_of(float x) {
    const float twice = clip(x + x, -40.0f, 40.0f);
    const float e = expm1_of(twice < 0.0f ? -twice : twice);
    const float t = e / (e + 2.0f);
    return x < 0.0f ? -t : t;
}

/* 1 / (1 + exp(-x)) */
static float sigmoid_of(float x) {
    return 1.0f / (1.0f + exp_of(-x));
}

/* ln(1 + exp(x)) */
static float softplus_of(float x) {
    const float size = x < 0.0f ? -x : x;
    const float linear = x < 0.0f ? 0.0f : x;
    return linear + ln1p_of(exp_of(-size));
}

/* 1 - erf x (Shepherd and Laframboise 1981). */
static float erfc_of(float z) {
    const float x = clip(z < 0.0f ? -z : z, 0.0f, 10.1f);
    const float t = (x - 3.75f) / (x + 3.75f);
    /* The exponential amplifies the rounding error of the square, of which the upper half of x has none. It is volatile so that no
       compiler joins it with the sum below, where it has to be rounded. */
    volatile float square = x * x;
    const float upper = number_of(bits_of(x) & 0xfffff000u);
    const float lower = x - upper;
    const float lost = (upper * upper - square) + 2.0f * upper * lower + lower * lower;
    float p = 0.02804047f + t * (-0.0098715685f + t * (0.002374358f + t * 0.0011192742f));
    float tail;
    p = 0.082273625f + t * (-0.10879024f + t * (0.092355624f + t * (-0.058751225f + t * p)));
    p = 1.2375126f + t * (-0.14024054f + t * (0.0035846562f + t * p));
    tail = exp_of(-square) * (1.0f - lost) * (p / (1.0f + 2.0f * x));
    return z < 0.0f ? 2.0f - tail : tail;
}

/* Adds a part to a long sum. What rounding takes from the sum is kept, and given back with the next part (Kahan 1965). */
static void add_part(float part, float *sum, float *lost) {
    const float more = part - *lost;
    const float total = *sum + more;
    const float rounded = (total - *sum) - more;
    /* What an infinite sum loses is NaN. */
    *lost = rounded - rounded == 0.0f ? rounded : 0.0f;
    *sum = total;
}
