/* A window that slides over rows and columns: over a single row, if the samples have one axis. */
struct window {
    size_t channels;
    size_t size[2];
    size_t kernel[2];
    size_t stride[2];
    size_t dilation[2];
    size_t before[2];
    size_t outputs[2];
};

/* The first position of the window that is inside of the axis. */
static size_t first_inside(const struct window *window, size_t axis, size_t output) {
    const size_t start = output * window->stride[axis];
    const size_t less = window->before[axis] > start ? window->before[axis] - start : 0;
    return (less + window->dilation[axis] - 1) / window->dilation[axis];
}

/* The position after the last one that is inside of the axis. */
static size_t end_inside(const struct window *window, size_t axis, size_t output) {
    const size_t start = output * window->stride[axis];
    const size_t end = window->before[axis] + window->size[axis];
    const size_t less = end > start ? end - start : 0;
    const size_t positions = (less + window->dilation[axis] - 1) / window->dilation[axis];
    return positions < window->kernel[axis] ? positions : window->kernel[axis];
}

/* The index along the axis of a position that is inside. */
static size_t index_of(const struct window *window, size_t axis, size_t output, size_t position) {
    return output * window->stride[axis] + position * window->dilation[axis] - window->before[axis];
}
