/*
 * test_hub_model.c: the room against a simple idea of it; see model.h. $HUB_MODEL_SEEDS is how many
 * seeds are tried, $HUB_MODEL_SEED a single one.
 */
#include "harness.h"
#include "model.h"

#include <stdlib.h>

START_TEST(anything_at_any_time)
{
    const char *one = getenv("HUB_MODEL_SEED");
    struct model model = {.seed = (uint32_t)_i, .steps = 6000};

    if (one != NULL)
        model.seed = (uint32_t)atoi(one);
    model_run(&model);
}
END_TEST

int main(void)
{
    const char *seeds = getenv("HUB_MODEL_SEEDS");
    const struct test tests[] = {
        {anything_at_any_time, seeds != NULL ? atoi(seeds) : 24, 60},
    };

    return tests_run("hub_model", tests, COUNT_OF(tests));
}
