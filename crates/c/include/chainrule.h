/*
 * The C interface of chainrule: load a model, describe it, predict.
 *
 * Functions that can fail return a chainrule_status, and chainrule_last_error() says what went wrong. A model is not changed by any
 * function but chainrule_free(), so several threads may use it at once.
 */

#ifndef CHAINRULE_H
#define CHAINRULE_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A model that was loaded. */
typedef struct chainrule_model chainrule_model;

typedef enum chainrule_status {
    CHAINRULE_OK = 0,
    /* A pointer is null, or a path is no UTF-8. */
    CHAINRULE_INVALID_ARGUMENT = 1,
    /* The file cannot be read, or is no model in single precision. */
    CHAINRULE_INVALID_FILE = 2,
    /* The samples are none that the model accepts. */
    CHAINRULE_INVALID_SAMPLES = 3,
    /* An error of chainrule itself: please report it. */
    CHAINRULE_INTERNAL_ERROR = 4
} chainrule_status;

/* The version of the library, such as "0.1.0". */
const char *chainrule_version(void);

/* What the last call on this thread that failed says about it, and an empty text if none did. It is valid until the next call on this
 * thread that fails. */
const char *chainrule_last_error(void);

/* Loads a model file or a checkpoint. On success *model is to be given to chainrule_free(); else it is null. */
chainrule_status chainrule_load(const char *path, chainrule_model **model);

/* Frees a model. Null is allowed. */
void chainrule_free(chainrule_model *model);

/* The layers with all of their settings, as text; valid as long as the model. Null if the model is null. */
const char *chainrule_describe(const chainrule_model *model);

/* The number of values of a sample. 0 if the model is null. */
size_t chainrule_input_size(const chainrule_model *model);

/* The number of values of a prediction. 0 if the model is null. */
size_t chainrule_output_size(const chainrule_model *model);

/* Writes the lengths of the axes of a sample, at most `capacity` of them, and returns how many there are. */
size_t chainrule_input_shape(const chainrule_model *model, size_t *axes, size_t capacity);

/* Writes the lengths of the axes of a prediction, at most `capacity` of them, and returns how many there are. */
size_t chainrule_output_shape(const chainrule_model *model, size_t *axes, size_t capacity);

/* Predicts for `count` samples, one after the other, each in row-major order. `predictions` has room for count times
 * chainrule_output_size() values; they are written only on success. */
chainrule_status chainrule_predict(const chainrule_model *model, const float *samples, size_t count, float *predictions);

#ifdef __cplusplus
}
#endif

#endif
