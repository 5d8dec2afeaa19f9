/* Hands: of styles, of seeds, and of lines that somebody wrote. */

#include "internal.h"

#define PRIOR_WEIGHT 0.25 /* weight of a zero descriptor, which each mean of descriptors includes */
#define DRAWN_WEIGHT 8    /* weight of the descriptor of a drawn hand */
#define FRACTIONS {0.05, 0.2} /* bounds of the weight of the second hand in a drawn hand */
#define SPAN 3            /* largest absolute value of a number of a hand vector */
#define RATIOS {0.01, 100} /* bounds of the ratio of two devices' steps, as in Python */

/* Compute the hand vector of a sum of descriptors, each times its weight, and of their weights. */
static hw_status vector_of(hw_work *work, const hw_network *network, const double *total,
                           float **vector) {
    const HandEncoder *encoder = &network->writer.hand_encoder;
    const double weight = total[encoder->size] + PRIOR_WEIGHT;
    float *values = TAKE(&work->scratch, float, (size_t)encoder->size);
    *vector = TAKE(&work->scratch, float, network->info.hand_size);
    NEED(work, values && *vector);
    for (int64_t k = 0; k < encoder->size; k++) values[k] = to_float(total[k] / weight);
    for (int n = 0; n < 2; n++) {
        const Linear *layer = encoder->layers + n;
        TRY(run_linear(work, network, layer, values, layer->columns, 1, &values));
        for (int64_t k = 0; k < layer->count; k++) values[k] = (float)tanh(values[k]);
    }
    /* The last number, whether the line is made of pieces, stays 0. */
    for (uint32_t k = 0; k + 1 < network->info.hand_size; k++) (*vector)[k] = SPAN * values[k];
    return HW_OK;
}

/* Compute the vector of the new hand that a seed gives, as in Python. */
static hw_status draw_hand(hw_work *work, const hw_network *network, uint32_t seed,
                           float **vector) {
    static const double BOUNDS[2] = FRACTIONS;
    const HandEncoder *encoder = &network->writer.hand_encoder;
    Random *random = TAKE(&work->scratch, Random, 1);
    double *total = TAKE(&work->scratch, double, (size_t)encoder->size + 1);
    float numbers[2];
    NEED(work, random && total);
    seed_random(random, seed);
    draw_uniform(random, numbers, 2);
    const int64_t count = encoder->count, first = seed % count;
    const int64_t other = (int64_t)floor(numbers[0] * (double)(count - 1));
    const float *hand = encoder->hands + first * encoder->size;
    const float *second = encoder->hands + (first + 1 + other) % count * encoder->size;
    const double fraction = BOUNDS[0] + numbers[1] * (BOUNDS[1] - BOUNDS[0]);
    for (int64_t k = 0; k < encoder->size; k++)
        total[k] = DRAWN_WEIGHT * (hand[k] + fraction * ((double)second[k] - hand[k]));
    total[encoder->size] = DRAWN_WEIGHT;
    return vector_of(work, network, total, vector);
}

static hw_status no_style(hw_work *work, const hw_info *info, const char *style) {
    char names[MESSAGE_SIZE / 2];
    size_t end = 0;
    for (uint32_t i = 0; i < info->num_styles; i++) {
        const size_t length = strlen(info->styles[i]);
        if (end + length + 3 > sizeof names) break;
        if (end) names[end++] = ',', names[end++] = ' ';
        memcpy(names + end, info->styles[i], length);
        end += length;
    }
    names[end] = 0;
    return fail(work, HW_BAD_ARGUMENT, "There is no style “%s”; there are %s.", style,
                end ? names : "none");
}

hw_status hand_of(hw_work *work, const hw_network *network, const char *style, uint32_t seed,
                  hw_hand *hand, int *is_any) {
    const hw_info *info = &network->info;
    *is_any = 1;
    for (uint32_t i = 0; i < info->num_styles; i++)
        if (!strcmp(info->styles[i], style ? style : "hand")) {
            *hand = network->writer.hands[i];
            return HW_OK;
        }
    if (style && strcmp(style, "hand")) return no_style(work, info, style);
    *is_any = !style && network->writer.hand_encoder.count;
    if (!*is_any) return HW_OK;
    float *vector;
    TRY(draw_hand(work, network, seed, &vector));
    *hand = (hw_hand){.vector = vector, .size = info->hand_size};
    return HW_OK;
}

/* Whether a network can go on after a line. */
static int is_known(hw_work *work, const hw_network *network, const char *text, size_t points,
                    int *is_known) {
    Text decoded;
    int has_signs = 0;
    *is_known = 0;
    const int is_utf8 = text ? decode_text(&work->scratch, text, &decoded) : -1;
    NEED(work, is_utf8);
    if (is_utf8 < 0 || !points || decoded.count > network->info.longest) return HW_OK;
    for (uint32_t i = 0; i < decoded.count; i++) {
        has_signs |= !is_space(decoded.codes[i]);
        if (index_of(&network->alphabet, decoded.codes[i]) < 0) return HW_OK;
    }
    *is_known = has_signs;
    return HW_OK;
}

static hw_status check_known(hw_work *work, const hw_network *network, const char *text,
                             size_t points) {
    int known;
    TRY(is_known(work, network, text, points, &known));
    if (known) return HW_OK;
    return fail(work, HW_BAD_TEXT,
                "%s goes on after a line with strokes and a text of 1 to %u characters, all of "
                "which it knows. No line is like that.", network->info.name, network->info.longest);
}

hw_status check_hand(hw_work *work, const hw_network *network, const hw_hand *hand) {
    if (!hand->vector) return check_known(work, network, hand->text, hand->num_points);
    int is_fit = hand->size == network->info.hand_size && hand->size;
    for (uint32_t i = 0; is_fit && i < hand->size; i++) is_fit = isfinite(hand->vector[i]) != 0;
    if (is_fit) return HW_OK;
    return fail(work, HW_BAD_ARGUMENT, "A hand vector of %s has %u numbers.", network->info.name,
                network->info.hand_size);
}

/* Copy a hand into a result. */
static hw_status give_hand(hw_work *work, const hw_hand *hand, hw_hand **given) {
    Result result;
    TRY(begin_result(work, sizeof *hand, &result));
    float *vector = TAKE(&result.arena, float, hand->size + 1);
    hw_point *points = TAKE(&result.arena, hw_point, hand->num_points + 1);
    char *text = take_text(&result.arena, hand->text ? hand->text : "",
                           hand->text ? strlen(hand->text) : 0);
    if (!vector || !points || !text) {
        discard(&result.arena);
        return no_memory(work);
    }
    if (hand->vector) memcpy(vector, hand->vector, hand->size * sizeof *vector);
    if (hand->points) memcpy(points, hand->points, hand->num_points * sizeof *points);
    *given = finished(&result);
    **given = *hand;
    (*given)->vector = hand->vector ? vector : NULL;
    (*given)->points = hand->points ? points : NULL;
    (*given)->text = hand->text ? text : NULL;
    return HW_OK;
}

hw_status hw_hand_of(hw_work *work, const hw_network *writer, const char *style, uint32_t seed,
                     hw_hand **hand) {
    hw_hand found;
    int is_any;
    start(work);
    *hand = NULL;
    TRY(check_role(work, writer, "writer"));
    TRY(hand_of(work, writer, style, seed, &found, &is_any));
    return is_any ? give_hand(work, &found, hand) : HW_OK;
}

/* Hands of lines ------------------------------------------------------------------------------- */

/* Take a line of a caller, turned level. */
static hw_status take_line(hw_work *work, const hw_point *points, size_t count, Ink *line,
                           Room *room) {
    TRY(take_ink(work, points, count, line));
    TRY(make_room(work, count, room));
    turn_back(line->points, line->num_points, baseline_angle(line, room));
    return HW_OK;
}

hw_status hw_describe(hw_work *work, const hw_network *descriptor, const hw_point *points,
                      size_t count, float *description) {
    Ink ink;
    Room room;
    Features features;
    start(work);
    TRY(check_role(work, descriptor, "descriptor"));
    TRY(take_line(work, points, count, &ink, &room));
    const Reader *reader = &descriptor->reader;
    TRY(make_features(work, &ink, reader->spacing, reader->parts, &room, &features));
    const hw_status status = describe(work, descriptor, &features, description);
    discard(&work->scratch);
    return status;
}

hw_status hw_hand_of_lines(hw_work *work, const hw_network *writer, const float *descriptions,
                           size_t lines, hw_hand **hand) {
    start(work);
    *hand = NULL;
    TRY(check_role(work, writer, "writer"));
    const HandEncoder *encoder = &writer->writer.hand_encoder;
    const hw_info *info = &writer->info;
    if (!encoder->count)
        return fail(work, HW_BAD_ARGUMENT, "%s takes no hand vectors.", info->name);
    if (!lines) return fail(work, HW_BAD_ARGUMENT, "A hand is that of one line or more.");
    const size_t size = (size_t)encoder->size + 1;
    double *total = TAKE(&work->scratch, double, size);
    float *vector;
    NEED(work, total);
    for (size_t i = 0; i < lines * size; i++) total[i % size] += descriptions[i];
    TRY(vector_of(work, writer, total, &vector));
    return give_hand(work, &(hw_hand){.vector = vector, .size = info->hand_size}, hand);
}

/* The median of the mean steps of the styles' lines, in x-heights. */
static hw_status usual_step(hw_work *work, const hw_network *writer, double *step) {
    const uint32_t count = writer->info.num_styles;
    Pair *steps = TAKE(&work->scratch, Pair, count + 1);
    NEED(work, steps);
    for (uint32_t i = 0; i < count; i++) {
        const hw_hand *style = writer->writer.hands + i;
        Ink ink;
        if (!style->num_points) continue;
        TRY(take_ink(work, style->points, style->num_points, &ink));
        steps[i].value = mean_step(&ink);
    }
    *step = count ? median_of_pairs(steps, count) : 0.0;
    return HW_OK;
}

/* Record level strokes in x-heights as a device of mean step `step` does; see `match_device`. */
static hw_status resample(hw_work *work, const Ink *ink, double step, hw_point **points,
                          uint32_t *count) {
    static const double BOUNDS[2] = RATIOS;
    double ratio = clamped(mean_step(ink) / step, BOUNDS[0], BOUNDS[1]);
    if (isnan(ratio)) ratio = 1.0;
    const double size = (ink->num_points + (double)ink->num_strokes) * most(ratio, 1.0) + 1.0;
    if (size > work->options.max_points)
        return fail(work, HW_TOO_LARGE, "The ink has more than %u points.",
                    work->options.max_points);
    *points = TAKE(&work->scratch, hw_point, (size_t)size);
    Point *line = TAKE(&work->scratch, Point, (size_t)size);
    double *path = TAKE(&work->scratch, double, ink->num_points);
    NEED(work, *points && line && path);
    *count = 0;
    for (uint32_t i = 0; i < ink->num_points; i++) path[i] = i;
    for (uint32_t k = 0; k < ink->num_strokes; k++) {
        const uint32_t begin = begin_of(ink, k), length = ink->ends[k] - begin;
        const size_t steps = length > 1 ? (size_t)most(rounded((length - 1) * ratio), 1.0) : 0;
        at_equal_steps(ink->points + begin, path, length, steps, line);
        for (size_t i = 0; i <= steps; i++)
            (*points)[(*count)++] =
                (hw_point){to_float(line[i].x), to_float(line[i].y), i == steps};
    }
    return HW_OK;
}

hw_status hw_hand_of_line(hw_work *work, const hw_network *writer, const char *text,
                          const hw_point *points, size_t count, hw_hand **hand) {
    Ink ink;
    Room room;
    double step = 0.0;
    hw_hand found = {.text = text};
    hw_point *resampled = NULL;
    start(work);
    *hand = NULL;
    TRY(check_role(work, writer, "writer"));
    if (!writer->writer.has_styles)
        return fail(work, HW_BAD_ARGUMENT, "%s writes in no hand but its own.", writer->info.name);
    TRY(check_known(work, writer, text, count));
    TRY(take_line(work, points, count, &ink, &room));
    const double height = x_height(&ink, &room);
    move_ink(&ink, 1.0 / height, 0.0, 1.0 / height, 0.0);
    TRY(usual_step(work, writer, &step));
    TRY(resample(work, &ink, step, &resampled, &found.num_points));
    found.points = resampled;
    found.x_height = to_float(writer->writer.x_height);
    return give_hand(work, &found, hand);
}
