/* Times the products of a step in one library, one call after the other: microseconds a step, the median of the rounds.
 *
 * Lines of the input are the products: rows, columns and terms of C = A B, whether A and B are transposed, and how many matrices of each
 * the calls take in turn; where there is one C for several, they are added up. All matrices are row-major.
 *
 * cc -O2 products.c -ldl                                  with the path of a library that has cblas_sgemm as the argument
 * cc -O2 -DLIBXSMM products.c -lxsmm -lopenblas -lm -ldl   LIBXSMM, which gives what it does not take to the BLAS
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#ifdef LIBXSMM
#include <libxsmm.h>
#endif

enum { ROW_MAJOR = 101, PLAIN = 111, TRANSPOSED = 112, ROUNDS = 9 };
typedef void cblas_sgemm_type(int, int, int, int, int, int, float, const float *, int, const float *, int, float, float *, int);

struct product {
    int m, n, k, a_transposed, b_transposed, a_count, b_count, c_count;
    float *a, *b, *c;
};

static float *matrices(int count, int rows, int columns) {
    size_t length = (size_t)count * rows * columns;
    float *values = aligned_alloc(64, (4 * length + 63) / 64 * 64);
    if (!values) exit(1);
    for (size_t i = 0; i < length; i++) values[i] = 0.01f;
    return values;
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return 1e6 * time.tv_sec + 1e-3 * time.tv_nsec;
}

static int ascending(const void *left, const void *right) {
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static cblas_sgemm_type *cblas_sgemm_of_library;

static void multiply(const struct product *p, const float *a, const float *b, float beta, float *c) {
    int lda = p->a_transposed ? p->m : p->k, ldb = p->b_transposed ? p->k : p->n;
#ifdef LIBXSMM
    /* It is column-major: C' = B' A'. */
    float alpha = 1;
    char transa = p->b_transposed ? 'T' : 'N', transb = p->a_transposed ? 'T' : 'N';
    libxsmm_blasint m = p->n, n = p->m, k = p->k, ld_first = ldb, ld_second = lda, ldc = p->n;
    libxsmm_sgemm(&transa, &transb, &m, &n, &k, &alpha, b, &ld_first, a, &ld_second, &beta, c, &ldc);
#else
    cblas_sgemm_of_library(ROW_MAJOR, p->a_transposed ? TRANSPOSED : PLAIN, p->b_transposed ? TRANSPOSED : PLAIN, p->m, p->n, p->k,
                           1, a, lda, b, ldb, beta, c, p->n);
#endif
}

static void step(const struct product *products, int count) {
    for (int i = 0; i < count; i++) {
        const struct product *p = &products[i];
        int times = p->a_count > p->b_count ? p->a_count : p->b_count;
        for (int call = 0; call < times; call++) {
            const float *a = p->a + (p->a_count > 1 ? (size_t)call * p->m * p->k : 0);
            const float *b = p->b + (p->b_count > 1 ? (size_t)call * p->k * p->n : 0);
            float *c = p->c + (p->c_count > 1 ? (size_t)call * p->m * p->n : 0);
            multiply(p, a, b, call > 0 && p->c_count == 1, c);
        }
    }
}

int main(int arguments, char **argument) {
#ifdef LIBXSMM
    (void)arguments, (void)argument;
    libxsmm_init();
    const char *version = LIBXSMM_VERSION, *target = libxsmm_get_target_arch();
#else
    void *library = arguments == 2 ? dlopen(argument[1], RTLD_NOW | RTLD_GLOBAL) : NULL;
    cblas_sgemm_of_library = library ? (cblas_sgemm_type *)dlsym(library, "cblas_sgemm") : NULL;
    if (!cblas_sgemm_of_library) {
        fprintf(stderr, "%s\n", arguments == 2 ? dlerror() : "the path of a library is the only argument");
        return 1;
    }
    char text[200] = "";
    char *(*openblas)(void) = (char *(*)(void))dlsym(library, "openblas_get_config");
    void (*mkl)(char *, int) = (void (*)(char *, int))dlsym(library, "MKL_Get_Version_String");
    if (mkl) mkl(text, sizeof text - 1);
    const char *version = openblas ? openblas() : text, *target = "";
#endif
    struct product products[256];
    int count = 0;
    struct product *p = products;
    while (count < 256 && scanf("%d %d %d %d %d %d %d %d", &p->m, &p->n, &p->k, &p->a_transposed, &p->b_transposed, &p->a_count,
                                &p->b_count, &p->c_count) == 8) {
        p->a = matrices(p->a_count, p->m, p->k);
        p->b = matrices(p->b_count, p->k, p->n);
        p->c = matrices(p->c_count, p->m, p->n);
        p = &products[++count];
    }
    if (!feof(stdin) && getchar() != EOF) {
        fprintf(stderr, "there are 256 products or more, or a line is not eight numbers\n");
        return 1;
    }
    double start = now();
    step(products, count);
    step(products, count);
    int steps = 1 + (int)(100e3 / ((now() - start) / 2 + 1));
    double times[ROUNDS];
    for (int round = 0; round < ROUNDS; round++) {
        start = now();
        for (int i = 0; i < steps; i++) step(products, count);
        times[round] = (now() - start) / steps;
    }
    qsort(times, ROUNDS, sizeof *times, ascending);
    printf("%f\n%s %s\n", times[ROUNDS / 2], version, target);
    return 0;
}
