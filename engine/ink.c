/* Geometry of ink, as ink/geometry.py and ink/measures.py. */

#include "internal.h"

#define FLAT 0.3           /* x-heights of the tallest flat segment between turning points in y */
#define LEAST_WIDTH 4      /* x-heights of the narrowest line whose baseline's slope is measured */
#define MIN_DOWNSTROKE 0.5 /* x-heights of the shortest downstroke whose lean is measured */
#define MAX_SLANT 50       /* degrees; the largest slant of a downstroke that is measured */
#define MIDDLE_SIGNS "-–—~=+" /* signs whose middle is half an x-height above the baseline */
#define TALL 0.6           /* least height of a tall stroke, as a fraction of the tallest one's */
#define ROW_DROP 1.6       /* x-heights from the middle of a row down to the next row */
#define ROW_RETURN 0.4     /* of a row's width: where the next row begins at most */

static const double RADIANS = 3.14159265358979323846 / 180.0;

hw_status make_room(hw_work *work, size_t points, Room *room) {
    Arena *arena = &work->scratch;
    const size_t pairs = points > MAX_SLOPES ? points : MAX_SLOPES;
    room->segments = TAKE(arena, Segment, points + 1);
    room->pairs = TAKE(arena, Pair, pairs + 1);
    room->feet = TAKE(arena, Point, points + 1);
    room->turns = (Turns){.high = TAKE(arena, Point, points + 1),
                          .low = TAKE(arena, Point, points + 1),
                          .down = TAKE(arena, Pair, points + 1)};
    room->capacity = points;
    NEED(work, room->segments && room->pairs && room->feet);
    NEED(work, room->turns.high && room->turns.low && room->turns.down);
    return HW_OK;
}

hw_status take_ink(hw_work *work, const hw_point *points, size_t count, Ink *ink) {
    const hw_options *limits = &work->options;
    if (!points || !count) return fail(work, HW_BAD_INK, "The ink has no points.");
    if (count > limits->max_points)
        return fail(work, HW_TOO_LARGE, "The ink has more than %u points.", limits->max_points);
    uint32_t strokes = 0;
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(points[i].x) || !isfinite(points[i].y))
            return fail(work, HW_BAD_INK, "Point %u of the ink has a position that is no number.",
                        (unsigned)i);
        strokes += points[i].pen_up || i + 1 == count;
    }
    if (strokes > limits->max_strokes)
        return fail(work, HW_TOO_LARGE, "The ink has more than %u strokes.", limits->max_strokes);
    *ink = (Ink){TAKE(&work->scratch, Point, count), TAKE(&work->scratch, uint32_t, strokes),
                 (uint32_t)count, 0};
    NEED(work, ink->points && ink->ends);
    const double x = points[0].x, y = points[0].y;
    for (uint32_t i = 0; i < count; i++) {
        ink->points[i] = (Point){points[i].x - x, points[i].y - y};
        if (points[i].pen_up || i + 1 == count) ink->ends[ink->num_strokes++] = i + 1;
    }
    return HW_OK;
}

hw_status copy_ink(hw_work *work, Arena *arena, const Ink *ink, Ink *copy) {
    *copy = *ink;
    copy->points = TAKE(arena, Point, ink->num_points + 1);
    copy->ends = TAKE(arena, uint32_t, ink->num_strokes + 1);
    NEED(work, copy->points && copy->ends);
    memcpy(copy->points, ink->points, ink->num_points * sizeof(Point));
    memcpy(copy->ends, ink->ends, ink->num_strokes * sizeof(uint32_t));
    return HW_OK;
}

Box box_of(const Point *points, size_t count) {
    Box box = {INFINITY, INFINITY, -INFINITY, -INFINITY};
    for (size_t i = 0; i < count; i++) {
        box.left = least(box.left, points[i].x);
        box.top = least(box.top, points[i].y);
        box.right = most(box.right, points[i].x);
        box.bottom = most(box.bottom, points[i].y);
    }
    return box;
}

Box ink_box(const Ink *ink) { return box_of(ink->points, ink->num_points); }

/* Medians -------------------------------------------------------------------------------------- */

static void swap_pairs(Pair *a, Pair *b) {
    const Pair other = *a;
    *a = *b;
    *b = other;
}

double selected(Pair *pairs, size_t count, double target) {
    uint32_t random = 1;
    double before = 0.0; /* the weight of the pairs in front */
    if (!count) return 0.0;
    for (size_t i = 0; i < count; i++)
        if (isnan(pairs[i].value)) pairs[i].value = 0.0; /* so that there is an order */
    for (;;) {
        random = 1664525 * random + 1013904223;
        const double pivot = pairs[(random >> 8) % count].value;
        size_t lower = 0, next = 0, upper = count; /* lower, equal, not seen, higher */
        double lower_weight = 0.0, equal_weight = 0.0;
        while (next < upper) {
            if (pairs[next].value < pivot) {
                lower_weight += pairs[next].weight;
                swap_pairs(pairs + lower++, pairs + next++);
            } else if (pairs[next].value > pivot) {
                swap_pairs(pairs + next, pairs + --upper);
            } else {
                equal_weight += pairs[next++].weight;
            }
        }
        if (lower && before + lower_weight >= target) {
            count = lower;
        } else if (upper == count || before + lower_weight + equal_weight >= target) {
            return pivot;
        } else {
            before += lower_weight + equal_weight;
            pairs += upper;
            count -= upper;
        }
    }
}

double median_of_pairs(Pair *pairs, size_t count) {
    for (size_t i = 0; i < count; i++) pairs[i].weight = 1.0;
    const double upper = selected(pairs, count, (double)(count / 2 + 1));
    return count % 2 ? upper : (selected(pairs, count, (double)(count / 2)) + upper) / 2.0;
}

double weighted_median(Pair *pairs, size_t count) {
    double total = 0.0;
    for (size_t i = 0; i < count; i++) total += pairs[i].weight;
    return selected(pairs, count, total / 2.0);
}

static void sift(double *numbers, size_t root, size_t count) {
    for (size_t child; (child = 2 * root + 1) < count; root = child) {
        if (child + 1 < count && numbers[child + 1] > numbers[child]) child++;
        if (!(numbers[child] > numbers[root])) return;
        const double other = numbers[root];
        numbers[root] = numbers[child];
        numbers[child] = other;
    }
}

void sort_numbers(double *numbers, size_t count) {
    for (size_t root = count / 2; root-- > 0;) sift(numbers, root, count);
    for (size_t last = count; last-- > 1;) {
        const double other = numbers[0];
        numbers[0] = numbers[last];
        numbers[last] = other;
        sift(numbers, 0, last);
    }
}

/* Measures ------------------------------------------------------------------------------------- */

/* Put the segments of strokes between turning points in y into the room; return their number. */
static size_t vertical_segments(const Ink *ink, Room *room) {
    size_t count = 0;
    for (uint32_t stroke = 0; stroke < ink->num_strokes; stroke++) {
        int direction = 0;
        for (uint32_t i = begin_of(ink, stroke) + 1; i < ink->ends[stroke]; i++) {
            const Point *before = ink->points + i - 1, *point = ink->points + i;
            const int sign = (point->y > before->y) - (point->y < before->y);
            if (!sign) continue;
            Segment *segment = room->segments + count - 1;
            if (direction) { /* it reaches up to here, also if the pen rested in y */
                segment->dx = before->x - segment->x;
                segment->dy = before->y - segment->y;
            }
            if (sign != direction) {
                segment = room->segments + count++;
                *segment = (Segment){before->x, before->y, 0.0, 0.0};
            }
            segment->dx = point->x - segment->x;
            segment->dy = point->y - segment->y;
            direction = sign;
        }
    }
    return count;
}

double x_height(const Ink *ink, Room *room) {
    const size_t count = vertical_segments(ink, room);
    for (size_t i = 0; i < count; i++) {
        const double height = fabs(room->segments[i].dy);
        room->pairs[i] = (Pair){height, height};
    }
    if (count) return weighted_median(room->pairs, count);
    const Box box = ink_box(ink);
    const double size = most(box.right - box.left, box.bottom - box.top);
    return size > 0.0 ? size : 1.0;
}

size_t slopes_between(const Point *points, size_t count, size_t stride, double distance,
                      Pair *slopes) {
    size_t found = 0;
    for (size_t i = 0; i < count; i += stride)
        for (size_t k = i + stride; k < count; k += stride) {
            const double dx = points[k].x - points[i].x;
            if (fabs(dx) > distance) slopes[found++].value = (points[k].y - points[i].y) / dx;
        }
    return found;
}

double baseline_angle(const Ink *ink, Room *room) {
    const double height = x_height(ink, room);
    const size_t segments = vertical_segments(ink, room);
    const Box box = ink_box(ink);
    size_t feet = 0;
    for (size_t i = 0; i < segments; i++) {
        const Segment *segment = room->segments + i;
        if (segment->dy > FLAT * height)
            room->feet[feet++] = (Point){segment->x + segment->dx, segment->y + segment->dy};
    }
    const size_t stride = feet ? (feet + MAX_FEET - 1) / MAX_FEET : 1; /* limits the pairs */
    const size_t count =
        slopes_between(room->feet, feet, stride, 0.5 * LEAST_WIDTH * height, room->pairs);
    if (count < 3 || box.right - box.left < LEAST_WIDTH * height) return NAN;
    return atan(median_of_pairs(room->pairs, count));
}

void turn_back(Point *points, size_t count, double angle) {
    if (isnan(angle)) return;
    const double cosine = cos(angle), sine = sin(angle);
    for (size_t i = 0; i < count; i++) {
        const Point point = points[i];
        points[i] = (Point){point.x * cosine + point.y * sine, point.y * cosine - point.x * sine};
    }
}

void move_ink(Ink *ink, double a, double b, double c, double d) {
    for (uint32_t i = 0; i < ink->num_points; i++) {
        ink->points[i].x = a * ink->points[i].x + b;
        ink->points[i].y = c * ink->points[i].y + d;
    }
}

void turning_points(const Ink *ink, double height, Room *room, Turns *turns) {
    const size_t count = vertical_segments(ink, room);
    const double max_lean = tan(MAX_SLANT * RADIANS);
    turns->num_high = turns->num_low = turns->num_down = 0;
    for (size_t i = 0; i < count; i++) {
        const Segment s = room->segments[i];
        const Point begin = {s.x, s.y}, end = {s.x + s.dx, s.y + s.dy};
        if (fabs(s.dy) > FLAT * height) {
            turns->high[turns->num_high++] = s.dy > 0.0 ? begin : end;
            turns->low[turns->num_low++] = s.dy > 0.0 ? end : begin;
        }
        if (s.dy > MIN_DOWNSTROKE * height && fabs(s.dx) <= max_lean * s.dy)
            turns->down[turns->num_down++] = (Pair){-s.dx / s.dy, s.dy};
    }
}

static double median_y(const Point *points, size_t count, Room *room) {
    for (size_t i = 0; i < count; i++) room->pairs[i].value = points[i].y;
    return median_of_pairs(room->pairs, count);
}

double baseline(const Ink *ink, Room *room) {
    const double height = x_height(ink, room);
    turning_points(ink, height, room, &room->turns);
    return room->turns.num_low ? median_y(room->turns.low, room->turns.num_low, room)
                               : ink_box(ink).bottom;
}

/* By the x-height of the hand: in a text without small letters, the median foot of the tall
 * strokes, or what MIDDLE_SIGNS show. */
double baseline_of_text(const Ink *ink, const Text *text, double height, Room *room) {
    int has_small = 0, are_middle = 1;
    for (uint32_t i = 0; i < text->count; i++) {
        has_small |= is_small_letter(text->codes[i]);
        are_middle &= text->codes[i] == ' ' || is_one_of(text->codes[i], MIDDLE_SIGNS);
    }
    turning_points(ink, height, room, &room->turns);
    if (has_small && room->turns.num_low)
        return median_y(room->turns.low, room->turns.num_low, room);
    const Box box = ink_box(ink);
    if (are_middle) return (box.top + box.bottom + height) / 2.0;
    double tallest = 0.0;
    size_t count = 0;
    for (int pass = 0; pass < 2; pass++)
        for (uint32_t stroke = 0; stroke < ink->num_strokes; stroke++) {
            const uint32_t begin = begin_of(ink, stroke);
            const Box part = box_of(ink->points + begin, ink->ends[stroke] - begin);
            if (!pass) tallest = most(tallest, part.bottom - part.top);
            else if (part.bottom - part.top >= TALL * tallest)
                room->pairs[count++].value = part.bottom;
        }
    return count ? median_of_pairs(room->pairs, count) : box.bottom;
}

double slant(const Ink *ink, Room *room) {
    const double height = x_height(ink, room);
    turning_points(ink, height, room, &room->turns);
    return weighted_median(room->turns.down, room->turns.num_down);
}

/* Insert a number into sorted numbers. */
static void insert(double *numbers, size_t count, double number) {
    size_t low = 0, high = count;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (numbers[middle] <= number) low = middle + 1;
        else high = middle;
    }
    memmove(numbers + low + 1, numbers + low, (count - low) * sizeof *numbers);
    numbers[low] = number;
}

hw_status row_starts(hw_work *work, Arena *arena, const Ink *ink, Room *room, uint32_t **starts,
                     uint32_t *count) {
    const double height = x_height(ink, room);
    double left = INFINITY, right = -INFINITY;
    double *middles = TAKE(&work->scratch, double, ink->num_strokes + 1); /* sorted */
    size_t num_middles = 0;
    *starts = TAKE(arena, uint32_t, ink->num_strokes + 1);
    *count = 0;
    NEED(work, middles && *starts);
    for (uint32_t stroke = 0; stroke < ink->num_strokes; stroke++) {
        const uint32_t begin = begin_of(ink, stroke), size = ink->ends[stroke] - begin;
        const Box box = box_of(ink->points + begin, size);
        double middle = 0.0;
        for (uint32_t i = 0; i < size; i++) middle += ink->points[begin + i].y;
        middle /= size;
        const double lower = middles[num_middles ? (num_middles - 1) / 2 : 0];
        const double median = (lower + middles[num_middles / 2]) / 2.0;
        if (!stroke || (middle - median > ROW_DROP * height &&
                        box.left < left + ROW_RETURN * (right - left) &&
                        box.right < right - height)) {
            (*starts)[(*count)++] = stroke;
            left = INFINITY, right = -INFINITY;
            num_middles = 0;
        }
        left = least(left, box.left);
        right = most(right, box.right);
        insert(middles, num_middles++, middle);
    }
    return HW_OK;
}

/* Paths ---------------------------------------------------------------------------------------- */

void path_along(const Point *points, size_t count, double *path) {
    double length = 0.0;
    for (size_t i = 0; i < count; i++) {
        if (i) length += hypot(points[i].x - points[i - 1].x, points[i].y - points[i - 1].y);
        path[i] = length;
    }
}

void at_equal_steps(const Point *points, const double *path, size_t count, size_t steps,
                    Point *result) {
    size_t i = 0;
    result[0] = points[0];
    for (size_t step = 0; steps && count > 1 && step <= steps; step++) {
        const double whole = path[count - 1] - path[0];
        const double target = path[0] + whole * (double)step / (double)steps;
        while (i + 2 < count && path[i + 1] <= target) i++;
        const double length = path[i + 1] - path[i];
        const double fraction = length > 0.0 ? least((target - path[i]) / length, 1.0) : 1.0;
        result[step] = (Point){points[i].x + fraction * (points[i + 1].x - points[i].x),
                               points[i].y + fraction * (points[i + 1].y - points[i].y)};
    }
}

double mean_step(const Ink *ink) {
    double length = 0.0;
    for (uint32_t stroke = 0; stroke < ink->num_strokes; stroke++)
        for (uint32_t i = begin_of(ink, stroke) + 1; i < ink->ends[stroke]; i++)
            length += hypot(ink->points[i].x - ink->points[i - 1].x,
                            ink->points[i].y - ink->points[i - 1].y);
    const uint32_t steps = ink->num_points - ink->num_strokes;
    return steps ? length / steps : 0.0;
}
