/* Repairs of written characters, with the constants of apps/pages/repairs.py. */

#include "internal.h"

#define SHARE 0.5     /* a stroke belongs to a character if more than this fraction does */
#define POINTS 4      /* points of a straight line that is drawn */
#define BAR_TILT 0.05 /* heights of a 5 by which its bar rises */
#define LEAST_BAR 0.3 /* heights of a 5: the least width of its bar */
#define WAIST 0.4     /* heights of a 5 from its top to the lower end of its stem */
#define DOWN 0.55     /* heights of a 5 from its top to where its belly has surely begun */

enum { DRAWN = 2 * POINTS - 1 }; /* points of a bar and a stem */

typedef struct Part { /* a stroke, and the index of each point's character */
    Point *points;
    uint32_t *peaks, count;
    int is_bar;
} Part;

static double fraction_of(const uint32_t *peaks, uint32_t count, uint32_t index) {
    uint32_t equal = 0;
    for (uint32_t i = 0; i < count; i++) equal += peaks[i] == index;
    return count ? (double)equal / count : 0.0;
}

static Box part_box(const Part *part) { return box_of(part->points, part->count); }

static double median_peak(const Part *part, Pair *pairs) {
    for (uint32_t i = 0; i < part->count; i++) pairs[i].value = part->peaks[i];
    return median_of_pairs(pairs, part->count);
}

/* The least distance of a part from a point. */
static double gap_of(const Part *part, Point point) {
    double gap = INFINITY;
    for (uint32_t i = 0; i < part->count; i++)
        gap = least(gap, hypot(part->points[i].x - point.x, part->points[i].y - point.y));
    return gap;
}

/* The stroke that is the bar of a 5: flat, and at the upper end of its body. Null if the bar is
 * part of the body. */
static Part *bar_of_five(Part *parts, uint32_t count, const Part *body, uint32_t index,
                         Pair *pairs) {
    const Point first = body->points[0];
    const Box box = part_box(body);
    const double height = box.bottom - box.top;
    Part *best = NULL;
    double best_gap = LEAST_BAR * height;
    for (uint32_t k = 0; k < count; k++) {
        const Box bar = part_box(parts + k);
        double middle = 0.0;
        for (uint32_t i = 0; i < parts[k].count; i++) middle += parts[k].points[i].y;
        middle /= parts[k].count;
        if (parts + k == body || fabs(median_peak(parts + k, pairs) - index) > 1.0 ||
            !(bar.bottom - bar.top < least(bar.right - bar.left, WAIST * height)) ||
            !(fabs(middle - first.y) < WAIST * height) || !(bar.right > first.x)) continue;
        const double gap = gap_of(parts + k, first);
        if (best ? gap < best_gap : gap <= best_gap) best = parts + k, best_gap = gap;
    }
    return best;
}

static void draw_straight(Point from, Point to, Point *points) {
    for (int i = 0; i < POINTS; i++)
        points[i] = (Point){from.x + (to.x - from.x) * i / (POINTS - 1),
                            from.y + (to.y - from.y) * i / (POINTS - 1)};
}

/* Draw the straight bar and stem of a 5; return the index of the point of the body that follows
 * them, -1 if the body does not have the shape of a 5. */
static int64_t draw_corner(const Part *body, const Part *bar, double lean, Point drawn[DRAWN]) {
    Box box = part_box(body);
    if (bar) {
        const Box other = part_box(bar);
        box.top = least(box.top, other.top);
        box.bottom = most(box.bottom, other.bottom);
    }
    const double height = box.bottom - box.top, top = box.top;
    uint32_t belly = 0, turn = 0;
    while (belly < body->count && !(body->points[belly].y > top + DOWN * height)) belly++;
    if (!belly || belly == body->count || body->points[0].y > top + WAIST * height) return -1;
    for (uint32_t i = 1; i < belly; i++)
        if (body->points[i].x + lean * body->points[i].y <
            body->points[turn].x + lean * body->points[turn].y) turn = i;
    double right = box_of(body->points, turn + 1).right;
    if (bar) right = most(right, part_box(bar).right);
    const Point at = body->points[turn];
    const Point corner = {at.x + lean * (at.y - top), top + BAR_TILT * height};
    const Point waist = {at.x + lean * (at.y - top - WAIST * height), top + WAIST * height};
    const Point tip = {most(right, corner.x + LEAST_BAR * height), top};
    draw_straight(tip, corner, drawn);
    draw_straight(corner, waist, drawn + POINTS - 1);
    uint32_t next = turn + 1;
    while (next < body->count && !(body->points[next].y > waist.y)) next++;
    return next < body->count ? (int64_t)next : (int64_t)body->count - 1;
}

/* Draw the corner of the 5 that is character `index`, if the strokes have its shape. */
static hw_status repair_five(hw_work *work, Arena *arena, Part *parts, uint32_t count,
                             uint32_t index, double lean, Pair *pairs) {
    Part *body = NULL;
    double tallest = -INFINITY;
    for (uint32_t k = 0; k < count; k++) {
        const Box box = part_box(parts + k);
        if (!(fraction_of(parts[k].peaks, parts[k].count, index) > SHARE)) continue;
        if (box.bottom - box.top > tallest) body = parts + k, tallest = box.bottom - box.top;
    }
    if (!body) return HW_OK;
    Point drawn[DRAWN];
    Part *bar = bar_of_five(parts, count, body, index, pairs);
    const int64_t next = draw_corner(body, bar, lean, drawn);
    if (next < 0 || !(fraction_of(body->peaks, (uint32_t)next, index) > SHARE)) return HW_OK;
    const uint32_t rest = body->count - (uint32_t)next;
    Part repaired = {TAKE(arena, Point, DRAWN + rest), TAKE(arena, uint32_t, DRAWN + rest),
                     DRAWN + rest, body->is_bar};
    NEED(work, repaired.points && repaired.peaks);
    memcpy(repaired.points, drawn, sizeof drawn);
    memcpy(repaired.points + DRAWN, body->points + next, rest * sizeof *drawn);
    for (int i = 0; i < DRAWN; i++) repaired.peaks[i] = index;
    memcpy(repaired.peaks + DRAWN, body->peaks + next, rest * sizeof *body->peaks);
    *body = repaired;
    if (bar) bar->is_bar = 1;
    return HW_OK;
}

/* Strokes with a straight bar and stem in each 5 of a text: a 5 has a corner, an S has none.
 * Downstrokes lean to the right by `lean`, x over y. */
hw_status draw_corners(hw_work *work, Arena *arena, const Ink *ink, const uint32_t *peaks,
                       const Text *text, double lean, Ink *result) {
    Part *parts = TAKE(&work->scratch, Part, ink->num_strokes);
    uint32_t fives = 0;
    NEED(work, parts);
    for (uint32_t i = 0; i < text->count; i++) fives += text->codes[i] == '5';
    const size_t room = ink->num_points + (size_t)DRAWN * fives;
    Pair *pairs = TAKE(&work->scratch, Pair, room);
    for (uint32_t k = 0; k < ink->num_strokes; k++) {
        const uint32_t begin = begin_of(ink, k), count = ink->ends[k] - begin;
        parts[k] = (Part){ink->points + begin, TAKE(&work->scratch, uint32_t, count), count, 0};
        NEED(work, pairs && parts[k].peaks);
        memcpy(parts[k].peaks, peaks + begin, count * sizeof *peaks);
    }
    for (uint32_t i = 0; i < text->count; i++)
        if (text->codes[i] == '5')
            TRY(repair_five(work, &work->scratch, parts, ink->num_strokes, i, lean, pairs));
    *result = (Ink){TAKE(arena, Point, room), TAKE(arena, uint32_t, ink->num_strokes), 0, 0};
    NEED(work, result->points && result->ends);
    for (uint32_t k = 0; k < ink->num_strokes; k++) {
        if (parts[k].is_bar) continue;
        memcpy(result->points + result->num_points, parts[k].points,
               parts[k].count * sizeof(Point));
        result->num_points += parts[k].count;
        result->ends[result->num_strokes++] = result->num_points;
    }
    return HW_OK;
}
