/* Lets tests call what is inside the engine. Each function returns a status, or how many numbers it
 * wrote. */
#include "../../engine/internal.h"

#pragma GCC visibility push(default)

static hw_status begin(hw_work *work, const hw_point *points, size_t count, Ink *ink, Room *room) {
    start(work);
    TRY(take_ink(work, points, count, ink));
    return make_room(work, count, room);
}

long inside_features(hw_work *work, const hw_point *points, size_t count, double spacing,
                     int64_t parts, float *values) {
    Ink ink;
    Room room;
    Features features;
    if (begin(work, points, count, &ink, &room)) return -1;
    if (make_features(work, &ink, spacing, parts, &room, &features)) return -1;
    const size_t size = features.count * (size_t)num_features(parts);
    memcpy(values, features.values, size * sizeof *values);
    return (long)size;
}

long inside_log_probs(hw_work *work, const hw_network *network, const hw_point *points,
                      size_t count, float *values) {
    const Reader *reader = &network->reader;
    Ink ink;
    Room room;
    Features features;
    Frames frames;
    if (begin(work, points, count, &ink, &room)) return -1;
    if (make_features(work, &ink, reader->spacing, reader->parts, &room, &features)) return -1;
    if (log_probs(work, network, &features, &frames)) return -1;
    for (int64_t i = 0; i < frames.count; i++)
        memcpy(values + i * frames.classes, frames.values + i * frames.stride,
               (size_t)frames.classes * sizeof *values);
    return (long)(frames.count * frames.classes);
}

/* The lean, and the baseline of a text in a hand of an x-height. */
int inside_measures(hw_work *work, const hw_point *points, size_t count, const char *text,
                    double height, double measures[2]) {
    Ink ink;
    Room room;
    Text decoded;
    TRY(begin(work, points, count, &ink, &room));
    NEED(work, decode_text(&work->scratch, text, &decoded));
    measures[0] = slant(&ink, &room);
    measures[1] = baseline_of_text(&ink, &decoded, height, &room) + points[0].y;
    return HW_OK;
}

/* The strokes with corners; `result` has room for 7 points more for each 5. Of a point `pen_up` is
 * 2 times the index of its character, and 1 more at the end of its stroke. */
long inside_corners(hw_work *work, hw_point *points, size_t count, const char *text, double lean,
                    hw_point *result) {
    Ink ink, repaired;
    Room room;
    Text decoded;
    uint32_t peaks[1000];
    for (size_t i = 0; i < count; i++) {
        peaks[i] = (uint32_t)points[i].pen_up / 2;
        points[i].pen_up %= 2;
    }
    if (begin(work, points, count, &ink, &room)) return -1;
    if (decode_text(&work->scratch, text, &decoded) < 1) return -1;
    if (draw_corners(work, &work->scratch, &ink, peaks, &decoded, lean, &repaired)) return -1;
    for (uint32_t i = 0, stroke = 0; i < repaired.num_points; i++) {
        const int is_end = repaired.ends[stroke] == i + 1;
        result[i] = (hw_point){to_float(repaired.points[i].x + points[0].x),
                               to_float(repaired.points[i].y + points[0].y), is_end};
        stroke += is_end;
    }
    return repaired.num_points;
}

/* The errors of a reading; `doubtful` has room for all characters of the text. */
long inside_misread(hw_work *work, const char *text, const char *reading, uint32_t *doubtful,
                    uint32_t *num_doubtful) {
    Text decoded, read;
    Misread result;
    start(work);
    if (decode_text(&work->scratch, text, &decoded) < 1) return -1;
    if (decode_text(&work->scratch, reading, &read) < 1) return -1;
    if (misread(work, &work->scratch, &decoded, &read, &result)) return -1;
    memcpy(doubtful, result.doubtful, 2 * result.num_doubtful * sizeof *doubtful);
    *num_doubtful = result.num_doubtful;
    return result.errors;
}

void inside_random(uint32_t seed, float *uniform, float *normal, size_t count) {
    Random random;
    seed_random(&random, seed);
    draw_uniform(&random, uniform, count);
    draw_normal(&random, normal, count);
}

/* Bits: 1 for a letter or digit, 2 for a small letter. */
int inside_kind(uint32_t code) { return is_letter(code) + 2 * is_small_letter(code); }
