/* Loads a model, says what it is, and predicts for the samples that the standard input has, as raw numbers in single precision. */

#include <stdio.h>
#include <stdlib.h>

#include "chainrule.h"

int main(int count, char **arguments) {
    chainrule_model *model = NULL;
    size_t axes[8];
    size_t inputs, outputs, axis, value;
    float *sample, *prediction;
    int code = 0;
    if (count != 2) {
        fprintf(stderr, "usage: %s MODEL < SAMPLES\n", arguments[0]);
        return 2;
    }
    if (chainrule_load(arguments[1], &model) != CHAINRULE_OK) {
        fprintf(stderr, "error: %s\n", chainrule_last_error());
        return 1;
    }
    inputs = chainrule_input_size(model);
    outputs = chainrule_output_size(model);
    printf("layers %s\nsample", chainrule_describe(model));
    count = (int)chainrule_input_shape(model, axes, 8);
    for (axis = 0; axis < (size_t)count; axis++) printf(" %lu", (unsigned long)axes[axis]);
    printf("\n");
    sample = malloc(inputs * sizeof *sample);
    prediction = malloc(outputs * sizeof *prediction);
    while (code == 0 && sample && prediction && fread(sample, sizeof *sample, inputs, stdin) == inputs) {
        if (chainrule_predict(model, sample, 1, prediction) != CHAINRULE_OK) {
            fprintf(stderr, "error: %s\n", chainrule_last_error());
            code = 1;
        } else {
            for (value = 0; value < outputs; value++) printf("%s%.9g", value ? " " : "", (double)prediction[value]);
            printf("\n");
        }
    }
    free(sample);
    free(prediction);
    chainrule_free(model);
    return code;
}
