/* Makes rows of handwriting neater, as apps/notes/neat.py and apps/notes/word_shapes.py do. */

#include "internal.h"

/* Lengths are in x-heights. */
#define INNER 0.35  /* quantile of the turning points at the x-height */
#define REACH 6     /* from the middle of a word to the row around it */
#define MAX_OFF 0.45 /* from a turning point to the line that it may be on */
#define MIN_SPAN 1  /* between two turning points whose slope is measured */
/* Above the x-height. */
#define TALL "ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÜbdfhkltß0123456789ij'\"!?()"
#define DEEP "gjpqyfQ,;()" /* signs that reach below the baseline */
#define BASELINE_PRIOR 1 /* turning points at which a word's own measure has half of the weight */
#define X_HEIGHT_PRIOR 1.5
#define LEAN_PRIOR 1
#define SLOPE_PRIOR 8
#define MAX_TURN 0.15      /* radians by which a word is turned */
#define MAX_SHEAR 0.3      /* x over y by which a word is sheared */
#define SCALES {0.8, 1.25} /* bounds of the factor by which a word is scaled */
#define MAX_ROW_SLOPE 0.18 /* radians; a row that is steeper was meant to slope */
#define MAX_SIZE_RATIO 1.5 /* of a row's x-height to that of the page */
#define MIN_WORD_GAP 0.25  /* usual gaps; a narrower one is within a word */
#define MAX_WORD_GAP 2.2   /* usual gaps; a wider one is between columns */
#define MIN_EVEN_GAP 0.8   /* usual gaps; a row with narrower ones is written smaller */
#define WIDTHS {0.8, 1.15} /* bounds of a row's width, as a fraction of its width before */
#define MAX_DISTANCE 3.5   /* from a row's middle to its strokes; others are late marks (assumed) */

/* Words that move together, mostly one, as no stroke runs from one unit to another. */
typedef struct Unit {
    uint32_t first, last;         /* strokes of the row, a list by `next` of the row */
    uint32_t num_tall, num_deep;  /* signs */
    int has_letter, has_small;    /* `has_small`: a letter that is not tall */
    Ink parts;                    /* its strokes */
    Turns turns;
    double x, bottom;             /* its middle */
    double baseline, slope, x_height, lean, left, right; /* once they are measured */
} Unit;

/* A row that is turned back by an angle. */
typedef struct RowShape {
    const hw_row *row;
    Ink ink, level;
    double angle, height; /* the x-height */
    Box box;              /* on the page */
    Unit *units;
    uint32_t num_units, *next; /* `next`: of each stroke the next stroke of its unit */
} RowShape;

typedef struct Usual { /* of a page */
    double lean, height, gap;
} Usual;

static const uint32_t NONE = UINT32_MAX;

/* A mean of a usual value and one that was measured on `count` turning points. */
static double mixed(double usual, double own, double count, double prior) {
    return usual + (own - usual) * count / (count + prior);
}

/* The y that the line of an end has at `x`. */
static double level_y(Point end, double x, double slope) { return end.y - slope * (end.x - x); }

static double quantile(const double *sorted, size_t count, double fraction) {
    const double place = fraction * (double)(count - 1);
    const size_t low = (size_t)place, high = low + 1 < count ? low + 1 : low;
    return sorted[low] + (place - (double)low) * (sorted[high] - sorted[low]);
}

/* Units ---------------------------------------------------------------------------------------- */

/* Append the strokes of a list to those of a unit. */
static void append(RowShape *shape, Unit *unit, uint32_t first, uint32_t last) {
    if (first == NONE) return;
    if (unit->first == NONE) unit->first = first;
    else shape->next[unit->last] = first;
    unit->last = last;
}

/* Count the signs of a word's text. */
static hw_status count_signs(hw_work *work, const char *text, Unit *unit) {
    const Mark before = mark(&work->scratch);
    Text decoded;
    const int is_utf8 = decode_text(&work->scratch, text, &decoded);
    NEED(work, is_utf8);
    for (uint32_t i = 0; i < decoded.count; i++) {
        const uint32_t code = decoded.codes[i];
        const int is_tall = is_one_of(code, TALL);
        unit->num_tall += is_tall;
        unit->num_deep += is_one_of(code, DEEP);
        unit->has_letter |= is_letter(code);
        unit->has_small |= is_letter(code) && !is_tall;
    }
    rewind_to(&work->scratch, before);
    return HW_OK;
}

/* Add a word to the units of a row, merged with those whose strokes it shares. `owners` has the
 * unit of each stroke, `is_near` tells late marks of other rows from strokes of the row. */
static hw_status add_word(hw_work *work, RowShape *shape, const hw_word *word, uint32_t *owners,
                          const uint8_t *is_near) {
    Unit added = {.first = NONE, .last = NONE};
    uint32_t lowest = shape->num_units;
    TRY(count_signs(work, word->text, &added));
    for (uint32_t i = 0; i < word->num_strokes; i++) {
        const uint32_t stroke = word->strokes[i] - shape->row->first_stroke;
        if (is_near[stroke] && owners[stroke] < lowest) lowest = owners[stroke];
    }
    Unit *unit = shape->units + lowest;
    if (lowest == shape->num_units) *unit = (Unit){.first = NONE, .last = NONE};
    for (uint32_t k = lowest + 1; k <= shape->num_units; k++) {
        const Unit *other = k < shape->num_units ? shape->units + k : &added;
        unit->num_tall += other->num_tall;
        unit->num_deep += other->num_deep;
        unit->has_letter |= other->has_letter;
        unit->has_small |= other->has_small;
        for (uint32_t n = other->first; n != NONE; n = shape->next[n]) owners[n] = lowest;
        append(shape, unit, other->first, other->last);
    }
    if (lowest == shape->num_units) {
        added.first = added.last = NONE;
        *unit = added;
    }
    for (uint32_t i = 0; i < word->num_strokes; i++) {
        const uint32_t stroke = word->strokes[i] - shape->row->first_stroke;
        if (!is_near[stroke] || owners[stroke] != NONE) continue;
        owners[stroke] = lowest;
        append(shape, unit, stroke, stroke);
    }
    shape->num_units = lowest + 1;
    return HW_OK;
}

/* Copy the strokes of the units, and leave out units without strokes. */
static hw_status take_parts(hw_work *work, RowShape *shape) {
    const Ink *level = &shape->level;
    Point *points = TAKE(&work->scratch, Point, level->num_points);
    uint32_t *ends = TAKE(&work->scratch, uint32_t, level->num_strokes), count = 0;
    NEED(work, points && ends);
    for (uint32_t k = 0; k < shape->num_units; k++) {
        Unit *unit = shape->units + count;
        if (shape->units[k].first == NONE) continue;
        *unit = shape->units[k];
        unit->parts = (Ink){.points = points, .ends = ends};
        for (uint32_t n = unit->first; n != NONE; n = shape->next[n]) {
            const uint32_t begin = begin_of(level, n), size = level->ends[n] - begin;
            memcpy(points, level->points + begin, size * sizeof *points);
            points += size;
            *ends++ = unit->parts.num_points += size;
            unit->parts.num_strokes++;
        }
        const Box box = ink_box(&unit->parts);
        unit->x = (box.left + box.right) / 2.0;
        unit->bottom = box.bottom;
        count++;
    }
    shape->num_units = count;
    return HW_OK;
}

static hw_status make_units(hw_work *work, RowShape *shape, Room *room) {
    const uint32_t strokes = shape->ink.num_strokes, words = shape->row->num_words;
    uint32_t *owners = TAKE(&work->scratch, uint32_t, strokes);
    uint8_t *is_near = TAKE(&work->scratch, uint8_t, strokes);
    const double height = x_height(&shape->ink, room);
    const double middle = baseline(&shape->level, room) - height / 2.0;
    shape->units = TAKE(&work->scratch, Unit, words + 1);
    shape->next = TAKE(&work->scratch, uint32_t, strokes);
    NEED(work, owners && is_near && shape->units && shape->next);
    for (uint32_t n = 0; n < strokes; n++) {
        const uint32_t begin = begin_of(&shape->level, n);
        const Box box = box_of(shape->level.points + begin, shape->level.ends[n] - begin);
        is_near[n] = fabs((box.top + box.bottom) / 2.0 - middle) <= MAX_DISTANCE * height;
        owners[n] = shape->next[n] = NONE;
    }
    for (uint32_t k = 0; k < words && !shape->row->is_drawing; k++)
        TRY(add_word(work, shape, shape->row->words + k, owners, is_near));
    return take_parts(work, shape);
}

/* Lines ---------------------------------------------------------------------------------------- */

/* The slope of parallel lines of ends; the usual one if there are too few ends. */
static double slope_of(const Point *const lines[], const size_t counts[], int num_lines,
                       double usual, double unit, Room *room) {
    size_t slopes = 0;
    for (int i = 0; i < num_lines; i++) {
        const size_t stride = counts[i] ? (counts[i] + MAX_ENDS - 1) / MAX_ENDS : 1;
        slopes +=
            slopes_between(lines[i], counts[i], stride, MIN_SPAN * unit, room->pairs + slopes);
    }
    return slopes > 2 ? median_of_pairs(room->pairs, slopes) : usual;
}

/* The median y of ends that is moved along their line to `x`. */
static double median_level(const Point *ends, size_t count, double x, double slope, Room *room) {
    for (size_t i = 0; i < count; i++) room->pairs[i].value = level_y(ends[i], x, slope);
    return median_of_pairs(room->pairs, count);
}

/* Put those ends into `near` that are on a line; return their number. */
static size_t ends_on(const Point *ends, size_t count, double x, double y, double slope,
                      double unit, Point *near) {
    size_t found = 0;
    for (size_t i = 0; i < count; i++)
        if (fabs(level_y(ends[i], x, slope) - y) <= MAX_OFF * unit) near[found++] = ends[i];
    return found;
}

/* Find the y of the row's baseline in the middle of a unit, and its slope there. */
static void find_line(const RowShape *shape, const Unit *unit, double height, Room *room, double *y,
                      double *slope) {
    Point *ends = room->feet, *near = room->turns.high;
    size_t count = 0;
    *slope = 0.0;
    for (uint32_t k = 0; k < shape->num_units; k++) {
        const Unit *other = shape->units + k;
        if (!(fabs(other->x - unit->x) <= REACH * height)) continue;
        memcpy(ends + count, other->turns.low, other->turns.num_low * sizeof *ends);
        count += other->turns.num_low;
    }
    *y = unit->bottom;
    if (!count) return;
    *y = median_level(ends, count, 0.0, 0.0, room);
    for (int pass = 0; pass < 2; pass++) {
        const size_t on_line = ends_on(ends, count, unit->x, *y, *slope, height, near);
        *slope = slope_of((const Point *const[]){near}, &on_line, 1, *slope, height, room);
        if (on_line) *y = median_level(near, on_line, unit->x, *slope, room);
    }
}

/* The median x-height of the units, by the turning points that are not of tall or deep letters; the
 * usual one without such points. */
static double rough_height(const RowShape *shape, double *lows, double *highs, Pair *heights,
                           double usual) {
    uint32_t found = 0;
    for (uint32_t k = 0; k < shape->num_units; k++) {
        const Unit *unit = shape->units + k;
        const Turns *turns = &unit->turns;
        for (uint32_t i = 0; i < turns->num_low; i++) lows[i] = turns->low[i].y;
        for (uint32_t i = 0; i < turns->num_high; i++) highs[i] = turns->high[i].y;
        sort_numbers(lows, turns->num_low);
        sort_numbers(highs, turns->num_high);
        if (unit->num_deep >= turns->num_low || unit->num_tall >= turns->num_high) continue;
        const size_t feet = turns->num_low - unit->num_deep;
        const size_t tops = turns->num_high - unit->num_tall;
        const double height =
            quantile(lows, feet, 1.0 - INNER) - quantile(highs + unit->num_tall, tops, INNER);
        if (height > 0.0) heights[found++] = (Pair){height, (double)(feet < tops ? feet : tops)};
    }
    return found ? weighted_median(heights, found) : usual;
}

/* Take a copy of the turning points of a unit. */
static hw_status take_turns(hw_work *work, Unit *unit, double height, Room *room) {
    Turns *turns = &unit->turns;
    turning_points(&unit->parts, height, room, &room->turns);
    *turns = room->turns;
    turns->high = TAKE(&work->scratch, Point, turns->num_high + 1);
    turns->low = TAKE(&work->scratch, Point, turns->num_low + 1);
    turns->down = TAKE(&work->scratch, Pair, turns->num_down + 1);
    NEED(work, turns->high && turns->low && turns->down);
    memcpy(turns->high, room->turns.high, turns->num_high * sizeof(Point));
    memcpy(turns->low, room->turns.low, turns->num_low * sizeof(Point));
    memcpy(turns->down, room->turns.down, turns->num_down * sizeof(Pair));
    return HW_OK;
}

/* Measure the x-height of a row with units. */
static hw_status measure_height(hw_work *work, RowShape *shape, Room *room) {
    const size_t points = shape->level.num_points;
    Ink all = {.points = shape->units[0].parts.points,
               .ends = TAKE(&work->scratch, uint32_t, shape->level.num_strokes)};
    double *lows = TAKE(&work->scratch, double, points + 1);
    double *highs = TAKE(&work->scratch, double, points + 1);
    Pair *heights = TAKE(&work->scratch, Pair, points + shape->num_units + 1);
    NEED(work, all.ends && lows && highs && heights);
    for (uint32_t k = 0; k < shape->num_units; k++) { /* the points of the units are side by side */
        const Ink *parts = &shape->units[k].parts;
        for (uint32_t n = 0; n < parts->num_strokes; n++)
            all.ends[all.num_strokes++] = all.num_points + parts->ends[n];
        all.num_points += parts->num_points;
    }
    const double height = x_height(&all, room);
    for (uint32_t k = 0; k < shape->num_units; k++)
        TRY(take_turns(work, shape->units + k, height, room));
    const double rough = rough_height(shape, lows, highs, heights, height);
    size_t found = 0;
    for (uint32_t k = 0; k < shape->num_units; k++) {
        const Unit *unit = shape->units + k;
        double y, slope;
        TRY(go_on(work, 0.0));
        find_line(shape, unit, rough, room, &y, &slope);
        for (uint32_t i = 0; i < unit->turns.num_high; i++) {
            const double own = y - level_y(unit->turns.high[i], unit->x, slope);
            if (fabs(own - rough) <= MAX_OFF * rough) heights[found++].value = own;
        }
    }
    shape->height = found ? median_of_pairs(heights, found) : rough;
    return HW_OK;
}

/* The bounds of strokes whose letters are made upright, in x. */
static void upright(const Ink *ink, double lean, double *left, double *right) {
    *left = INFINITY, *right = -INFINITY;
    for (uint32_t i = 0; i < ink->num_points; i++) {
        const double x = ink->points[i].x + lean * ink->points[i].y;
        *left = least(*left, x);
        *right = most(*right, x);
    }
}

/* Measure a unit; without downstrokes it has the usual lean. */
static void measure(const RowShape *shape, Unit *unit, double usual_lean, Room *room) {
    const double height = shape->height, x = unit->x;
    const Turns *turns = &unit->turns;
    double y, slope;
    find_line(shape, unit, height, room, &y, &slope);
    Point *low = room->feet, *high = room->turns.high;
    const size_t counts[2] = {ends_on(turns->low, turns->num_low, x, y, slope, height, low),
                              ends_on(turns->high, turns->num_high, x, y - height, slope, height,
                                      high)};
    const double own = slope_of((const Point *const[]){low, high}, counts, 2, slope, height, room);
    slope = mixed(slope, own, (double)(counts[0] + counts[1]), SLOPE_PRIOR);
    const double mean_low = counts[0] ? median_level(low, counts[0], x, slope, room) : 0.0;
    const double mean_high = counts[1] ? median_level(high, counts[1], x, slope, room) : 0.0;
    if (counts[0]) y = mixed(y, mean_low, (double)counts[0], BASELINE_PRIOR);
    const double pairs = (double)(counts[0] < counts[1] ? counts[0] : counts[1]);
    unit->x_height = height;
    if (pairs > 0.0 && unit->has_small)
        unit->x_height *= pow(most((mean_low - mean_high) / height, MAX_OFF),
                              pairs / (pairs + X_HEIGHT_PRIOR));
    memcpy(room->turns.down, turns->down, turns->num_down * sizeof(Pair));
    const double lean =
        turns->num_down ? weighted_median(room->turns.down, turns->num_down) : usual_lean;
    unit->lean = mixed(usual_lean, lean, turns->num_down, LEAN_PRIOR);
    unit->baseline = y;
    unit->slope = slope;
    upright(&unit->parts, usual_lean, &unit->left, &unit->right);
    unit->left -= usual_lean * y; /* from the baseline on */
    unit->right -= usual_lean * y;
}

static double gap_before(const RowShape *shape, uint32_t unit) {
    return shape->units[unit].left - shape->units[unit - 1].right;
}

/* Moving --------------------------------------------------------------------------------------- */

/* A unit as it will be: its points from its middle on the baseline, and its bounds. */
typedef struct Moved {
    Ink parts;
    double left, right, new_left;
    int is_even, is_wide; /* the gap behind it */
} Moved;

static void reshape(const Unit *unit, double usual_lean, double height, Moved *moved) {
    static const double BOUNDS[2] = SCALES;
    const double shear = clamped(unit->lean - usual_lean, -MAX_SHEAR, MAX_SHEAR);
    const double scale = clamped(height / unit->x_height, BOUNDS[0], BOUNDS[1]);
    memcpy(moved->parts.points, unit->parts.points, unit->parts.num_points * sizeof(Point));
    move_ink(&moved->parts, 1.0, -unit->x, 1.0, -unit->baseline);
    turn_back(moved->parts.points, moved->parts.num_points,
              clamped(atan(unit->slope), -MAX_TURN, MAX_TURN));
    for (uint32_t i = 0; i < moved->parts.num_points; i++) {
        Point *point = moved->parts.points + i;
        *point = (Point){scale * (point->x + shear * point->y), scale * point->y};
    }
    upright(&moved->parts, usual_lean, &moved->left, &moved->right);
}

/* Find the new left edge of each unit; return the fraction of the widths at which all have room.
 * `usual` is the usual gap, `room` that behind the row. A gap that is not even stays; behind a wide
 * one the units stay in their place. */
static double find_lefts(const RowShape *shape, Moved *moved, double usual, double room) {
    static const double BOUNDS[2] = WIDTHS;
    double fraction = INFINITY;
    for (uint32_t i = 0, start = 0; i < shape->num_units; i++) {
        const int is_last = i + 1 == shape->num_units;
        if (!is_last && !moved[i].is_wide) continue;
        double all = 0.0, others = 0.0, evens = 0.0;
        for (uint32_t k = start; k <= i; k++) all += moved[k].right - moved[k].left;
        for (uint32_t k = start; k < i; k++) {
            if (moved[k].is_even) evens++;
            else others += gap_before(shape, k + 1);
        }
        const double width = shape->units[i].right - shape->units[start].left, kept = all + others;
        const double widest = BOUNDS[1] * width;
        const double limit = is_last ? least(widest, width + room) : width;
        fraction = least(fraction,
                         1.0 - (kept + MIN_EVEN_GAP * usual * evens - limit) / most(all, 1e-9));
        const double even = evens > 0.0 ? clamped(usual, (BOUNDS[0] * width - kept) / evens,
                                                  (limit - kept) / evens) : usual;
        double left = shape->units[start].left;
        for (; start <= i; start++) {
            moved[start].new_left = left;
            left += moved[start].right - moved[start].left;
            if (!is_last || start < i)
                left += moved[start].is_even ? most(even, MIN_EVEN_GAP * usual)
                                             : gap_before(shape, start + 1);
        }
    }
    return fraction;
}

static hw_status take_moved(hw_work *work, const RowShape *shape, double gap, Moved **moved) {
    *moved = TAKE(&work->scratch, Moved, shape->num_units);
    Point *points = TAKE(&work->scratch, Point, shape->level.num_points);
    NEED(work, *moved && points);
    for (uint32_t k = 0; k < shape->num_units; k++) {
        const Unit *unit = shape->units + k;
        Moved *of = *moved + k;
        of->parts = unit->parts;
        of->parts.points = points;
        points += unit->parts.num_points;
        if (k + 1 == shape->num_units) break;
        const double usual = gap * shape->height;
        const double relative = gap_before(shape, k + 1) / (usual != 0.0 ? usual : 1.0);
        of->is_wide = relative > MAX_WORD_GAP;
        of->is_even = relative >= MIN_WORD_GAP && unit->has_letter && unit[1].has_letter;
    }
    return HW_OK;
}

/* Put the moved units back onto the page: the row's middle stays; the row is level unless it is
 * steep. */
static void put_back(RowShape *shape, Moved *moved) {
    double weights = 0.0, baseline = 0.0, left = INFINITY, right = -INFINITY;
    for (uint32_t k = 0; k < shape->num_units; k++) {
        const Unit *unit = shape->units + k;
        const double weight = unit->right - unit->left + 1e-9;
        weights += weight;
        baseline += weight * unit->baseline;
        left = least(left, unit->left);
        right = most(right, unit->right);
    }
    Point page = {(left + right) / 2.0, baseline / weights};
    const double x = page.x, angle = isnan(shape->angle) ? 0.0 : -shape->angle;
    turn_back(&page, 1, angle);
    for (uint32_t k = 0; k < shape->num_units; k++) {
        Ink *parts = &moved[k].parts;
        move_ink(parts, 1.0, moved[k].new_left - moved[k].left - x, 1.0, 0.0);
        turn_back(parts->points, parts->num_points, fabs(angle) > MAX_ROW_SLOPE ? angle : 0.0);
        move_ink(parts, 1.0, page.x, 1.0, page.y);
        const Point *points = parts->points;
        for (uint32_t n = shape->units[k].first; n != NONE; n = shape->next[n]) {
            const uint32_t begin = begin_of(&shape->ink, n), size = shape->ink.ends[n] - begin;
            memcpy(shape->ink.points + begin, points, size * sizeof *points);
            points += size;
        }
    }
}

/* Move the strokes of a row's units; `room` is how much wider the row may become. */
static hw_status neaten_row(hw_work *work, RowShape *shape, const Usual *usual, double room) {
    Moved *moved;
    const int is_usual = fabs(log(usual->height / shape->height)) < log(MAX_SIZE_RATIO);
    double size = is_usual ? usual->height : shape->height;
    TRY(take_moved(work, shape, usual->gap, &moved));
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t k = 0; k < shape->num_units; k++)
            reshape(shape->units + k, usual->lean, size, moved + k);
        size *= least(find_lefts(shape, moved, usual->gap * size, room), 1.0);
    }
    put_back(shape, moved);
    return HW_OK;
}

/* The page ------------------------------------------------------------------------------------- */

static hw_status check_rows(hw_work *work, const Ink *ink, const hw_row *rows, size_t count) {
    int are_read = rows || !count;
    for (size_t k = 0; are_read && k < count; k++) {
        const uint32_t first = rows[k].first_stroke, strokes = rows[k].num_strokes;
        are_read = strokes && first < ink->num_strokes && strokes <= ink->num_strokes - first;
        for (uint32_t i = 0; are_read && i < rows[k].num_words; i++) {
            const hw_word *word = rows[k].words + i;
            are_read = word->text != NULL;
            for (uint32_t n = 0; are_read && n < word->num_strokes; n++)
                are_read = word->strokes[n] >= first && word->strokes[n] - first < strokes;
        }
    }
    if (are_read) return HW_OK;
    return fail(work, HW_BAD_ARGUMENT, "The rows are none that a reader has read.");
}

/* Make the shapes of rows. */
static hw_status make_shapes(hw_work *work, const Ink *ink, const hw_row *rows, size_t count,
                             Room *room, RowShape *shapes) {
    Pair *angles = TAKE(&work->scratch, Pair, count + 1);
    size_t known = 0;
    NEED(work, angles);
    for (size_t k = 0; k < count; k++) {
        const hw_row *row = rows + k;
        const uint32_t begin = begin_of(ink, row->first_stroke);
        const uint32_t end = ink->ends[row->first_stroke + row->num_strokes - 1];
        Ink *part = &shapes[k].ink;
        *part = (Ink){ink->points + begin, TAKE(&work->scratch, uint32_t, row->num_strokes),
                      end - begin, row->num_strokes};
        NEED(work, part->ends);
        for (uint32_t n = 0; n < row->num_strokes; n++)
            part->ends[n] = ink->ends[row->first_stroke + n] - begin;
        const int has_words = row->num_words && !row->is_drawing;
        shapes[k].row = row;
        shapes[k].angle = has_words ? baseline_angle(part, room) : NAN;
        shapes[k].box = ink_box(part);
        if (!isnan(shapes[k].angle)) angles[known++].value = shapes[k].angle;
    }
    const double usual = known ? median_of_pairs(angles, known) : 0.0;
    for (size_t k = 0; k < count; k++) {
        RowShape *shape = shapes + k;
        if (isnan(shape->angle)) shape->angle = usual;
        TRY(go_on(work, (double)k / (double)count));
        TRY(copy_ink(work, &work->scratch, &shape->ink, &shape->level));
        turn_back(shape->level.points, shape->level.num_points, shape->angle);
        TRY(make_units(work, shape, room));
        if (shape->num_units) TRY(measure_height(work, shape, room));
    }
    return HW_OK;
}

/* Measure what is usual on a page, and the units of its rows. */
static hw_status measure_page(hw_work *work, RowShape *shapes, size_t count, Room *room,
                              Usual *usual) {
    size_t downs = 0, units = 0, heights = 0, gaps = 0;
    for (size_t k = 0; k < count; k++) {
        units += shapes[k].num_units;
        for (uint32_t i = 0; i < shapes[k].num_units; i++)
            downs += shapes[k].units[i].turns.num_down;
    }
    Pair *pairs = TAKE(&work->scratch, Pair, downs + units + count + 1);
    NEED(work, pairs);
    downs = 0;
    for (size_t k = 0; k < count; k++)
        for (uint32_t i = 0; i < shapes[k].num_units; i++) {
            const Turns *turns = &shapes[k].units[i].turns;
            memcpy(pairs + downs, turns->down, turns->num_down * sizeof *pairs);
            downs += turns->num_down;
        }
    usual->lean = weighted_median(pairs, downs);
    for (size_t k = 0; k < count; k++)
        if (shapes[k].num_units) pairs[heights++] = (Pair){shapes[k].height, shapes[k].num_units};
    usual->height = weighted_median(pairs, heights);
    for (size_t k = 0; k < count; k++) {
        for (uint32_t i = 0; i < shapes[k].num_units; i++) {
            TRY(go_on(work, 0.5));
            measure(shapes + k, shapes[k].units + i, usual->lean, room);
        }
        for (uint32_t i = 1; i < shapes[k].num_units; i++)
            pairs[gaps++].value = gap_before(shapes + k, i) / shapes[k].height;
    }
    usual->gap = gaps ? median_of_pairs(pairs, gaps) : 0.0;
    return HW_OK;
}

/* How much wider a row may become: it ends no further to the right than the rows that are above or
 * below most of it. */
static double room_behind(const RowShape *shapes, size_t count, const Box *box) {
    double right = -INFINITY;
    for (size_t k = 0; k < count; k++) {
        const Box *other = &shapes[k].box;
        const double shared = least(other->right, box->right) - most(other->left, box->left);
        if (shapes[k].num_units && shared >= (box->right - box->left) / 2.0)
            right = most(right, other->right);
    }
    return right - box->right;
}

static hw_status neaten(hw_work *work, Ink *ink, const hw_row *rows, size_t count,
                        uint8_t *is_moved) {
    Room room;
    Usual usual = {0};
    RowShape *shapes = TAKE(&work->scratch, RowShape, count + 1);
    NEED(work, shapes);
    TRY(check_rows(work, ink, rows, count));
    TRY(make_room(work, ink->num_points, &room));
    TRY(make_shapes(work, ink, rows, count, &room, shapes));
    TRY(measure_page(work, shapes, count, &room, &usual));
    for (size_t k = 0; k < count; k++) {
        RowShape *shape = shapes + k;
        if (!shape->num_units) continue;
        TRY(go_on(work, 1.0));
        TRY(neaten_row(work, shape, &usual, room_behind(shapes, count, &shape->box)));
        for (uint32_t i = 0; i < shape->num_units; i++)
            for (uint32_t n = shape->units[i].first; n != NONE; n = shape->next[n])
                is_moved[shape->row->first_stroke + n] = 1;
    }
    return HW_OK;
}

hw_status hw_neat(hw_work *work, const hw_point *points, size_t count, const hw_row *rows,
                  size_t num_rows, hw_point *neat) {
    Ink ink;
    start(work);
    TRY(take_ink(work, points, count, &ink));
    uint8_t *is_moved = TAKE(&work->scratch, uint8_t, ink.num_strokes);
    NEED(work, is_moved);
    TRY(neaten(work, &ink, rows, num_rows, is_moved));
    const hw_point first = points[0]; /* `neat` may be `points` */
    memmove(neat, points, count * sizeof *neat);
    for (uint32_t stroke = 0; stroke < ink.num_strokes; stroke++)
        for (uint32_t i = begin_of(&ink, stroke); is_moved[stroke] && i < ink.ends[stroke]; i++) {
            neat[i].x = to_float(ink.points[i].x + first.x);
            neat[i].y = to_float(ink.points[i].y + first.y);
        }
    discard(&work->scratch);
    return HW_OK;
}
