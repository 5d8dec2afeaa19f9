/* What a reader sees of a row, as model/recognition/ink_features.py and ink/delayed_strokes.py. */

#include "internal.h"

#define MAX_POINTS 20000 /* maximum number of points of a row; each stroke may have two more */
#define DETAIL 3         /* factor by which the features of parts are scaled */
#define FAR 8            /* x-heights beyond which positions and jumps grow only logarithmically */
#define LATE 5           /* least x-heights from the end of the ink back to a late mark */
#define MARK_ABOVE 0.6   /* least x-heights from the baseline up to the lower end of a mark */
#define MARK_WIDTH 2.5   /* most x-heights of a mark's width */
#define ACROSS 4         /* weight of a distance in x, relative to a distance in y */
#define BEFORE 0.25      /* least x-heights from a mark to a letter that the mark precedes */

int64_t num_features(int64_t parts) { return 10 + (parts > 1 ? 2 * parts : 0); }

/* The order of strokes ------------------------------------------------------------------------- */

typedef struct Place { /* of a stroke of a level row */
    Box box;
    double x, y, order;
    uint32_t stroke;
    int is_mark, is_late;
} Place;

static int comes_before(const Place *a, const Place *b) {
    if (a->order != b->order) return a->order < b->order;
    if (a->x != b->x) return a->x < b->x;
    return a->stroke < b->stroke;
}

static void sift(Place *places, size_t root, size_t count) {
    for (size_t child; (child = 2 * root + 1) < count; root = child) {
        if (child + 1 < count && comes_before(places + child, places + child + 1)) child++;
        if (!comes_before(places + root, places + child)) return;
        const Place other = places[root];
        places[root] = places[child];
        places[child] = other;
    }
}

static void sort_places(Place *places, size_t count) {
    for (size_t root = count / 2; root-- > 0;) sift(places, root, count);
    for (size_t last = count; last-- > 1;) {
        const Place other = places[0];
        places[0] = places[last];
        places[last] = other;
        sift(places, 0, last);
    }
}

/* The square of the distance of a mark from the points of a letter, if it is below `limit`. */
static double distance_of(const Place *mark, const Ink *level, const Place *letter, double limit) {
    const Box *box = &letter->box;
    const double aside = most(0.0, most(box->left - mark->x, mark->x - box->right)) * ACROSS;
    const double above = most(0.0, most(box->top - mark->y, mark->y - box->bottom));
    if (aside * aside + above * above >= limit) return limit;
    for (uint32_t i = begin_of(level, letter->stroke); i < level->ends[letter->stroke]; i++) {
        const double dx = ACROSS * (level->points[i].x - mark->x);
        const double dy = level->points[i].y - mark->y;
        limit = least(limit, dx * dx + dy * dy);
    }
    return limit;
}

/* Order late marks of a level row: each next to the letter that is nearest. */
static hw_status order_marks(hw_work *work, const Ink *level, double height, Place *places) {
    for (uint32_t k = 0; k < level->num_strokes; k++) {
        Place *mark = places + k;
        if (!mark->is_mark || !mark->is_late) continue;
        const Place *nearest = NULL;
        double limit = INFINITY;
        TRY(go_on(work, 0.0));
        for (uint32_t i = 0; i < level->num_strokes; i++) {
            if (places[i].is_mark) continue;
            const double distance = distance_of(mark, level, places + i, limit);
            if (distance < limit || !nearest) nearest = places + i;
            limit = distance;
        }
        if (!nearest) continue;
        const int precedes = mark->x < nearest->box.left - BEFORE * height;
        mark->order = nearest->stroke + (precedes ? -0.5 : 0.5);
    }
    return HW_OK;
}

/* Set the order in which a reader sees strokes: each late mark follows or precedes its letter. */
static hw_status order_strokes(hw_work *work, const Ink *ink, double height, Room *room,
                               uint32_t *order) {
    double front = -INFINITY; /* the right end of the ink so far */
    int is_any_late = 0;
    Place *places = TAKE(&work->scratch, Place, ink->num_strokes);
    NEED(work, places);
    for (uint32_t k = 0; k < ink->num_strokes; k++) {
        const uint32_t begin = begin_of(ink, k);
        const double right = box_of(ink->points + begin, ink->ends[k] - begin).right;
        front = most(front, right);
        places[k].is_late = front - right >= LATE * height;
        is_any_late |= places[k].is_late;
        order[k] = k;
    }
    if (!is_any_late) return HW_OK;
    Ink level;
    TRY(copy_ink(work, &work->scratch, ink, &level));
    turn_back(level.points, level.num_points, baseline_angle(ink, room));
    const double mark_bottom = baseline(&level, room) - MARK_ABOVE * height;
    for (uint32_t k = 0; k < ink->num_strokes; k++) {
        const uint32_t begin = begin_of(ink, k);
        const Box box = box_of(level.points + begin, level.ends[k] - begin);
        Place *place = places + k;
        place->box = box;
        place->x = (box.left + box.right) / 2.0;
        place->y = (box.top + box.bottom) / 2.0;
        place->order = place->stroke = k;
        place->is_mark = box.bottom < mark_bottom && box.right - box.left < MARK_WIDTH * height;
    }
    TRY(order_marks(work, &level, height, places));
    sort_places(places, ink->num_strokes);
    for (uint32_t k = 0; k < ink->num_strokes; k++) order[k] = places[k].stroke;
    return HW_OK;
}

/* Features ------------------------------------------------------------------------------------- */

/* Heights of points above the least-squares line of all points; in narrow ink, where this line
 * would follow the letters, above the mean point. */
typedef struct Level {
    double x, y, slope;
} Level;

static Level level_of(const Point *points, size_t count) {
    const Box box = box_of(points, count);
    Level level = {0};
    double spread = 0.0, both = 0.0;
    for (size_t i = 0; i < count; i++) level.x += points[i].x, level.y += points[i].y;
    level.x /= (double)count, level.y /= (double)count;
    if (box.right - box.left <= 2.0 * (box.bottom - box.top)) return level;
    for (size_t i = 0; i < count; i++) {
        const double x = points[i].x - level.x;
        spread += x * x;
        both += x * (points[i].y - level.y);
    }
    level.slope = both / spread;
    return level;
}

/* The direction from a point to another; zeros for equal points. */
static Point direction(Point from, Point to) {
    const double length = most(hypot(to.x - from.x, to.y - from.y), 1e-12);
    return (Point){(to.x - from.x) / length, (to.y - from.y) / length};
}

/* The points of a stroke at equal steps: `fine` has `parts` steps for each step of `coarse`. */
typedef struct Sampled {
    const Point *fine;
    Point *coarse; /* in x-heights */
    size_t count;  /* of `coarse` */
    double part_length;
} Sampled;

static float far(double value) { return to_float(FAR * asinh(value / FAR)); }

/* Set the features of a stroke. `*rightmost` is the right end of the ink so far, `*last` the last
 * point of the stroke before, null for the first one. */
static void set_features(const Sampled *stroke, int64_t parts, const Level *level,
                         double *rightmost, const Point *last, float *values) {
    const Point *points = stroke->coarse;
    Point here = direction(points[0], points[0]);
    for (size_t i = 0; i < stroke->count; i++, values += num_features(parts)) {
        const int is_first = i == 0, is_last = i + 1 == stroke->count;
        const Point next = is_last ? (Point){0} : direction(points[i], points[i + 1]);
        const int turns = !is_first && !is_last, jumps = is_first && last;
        *rightmost = most(*rightmost, points[i].x);
        values[0] = to_float(here.x);
        values[1] = to_float(here.y);
        values[2] = turns ? to_float(here.x * next.x + here.y * next.y - 1.0) : 0.0f;
        values[3] = turns ? to_float(here.x * next.y - here.y * next.x) : 0.0f;
        values[4] = (float)is_first;
        values[5] = (float)is_last;
        values[6] = jumps ? far(points[i].x - last->x) : 0.0f;
        values[7] = jumps ? far(points[i].y - last->y) : 0.0f;
        values[8] = far(level->slope * (points[i].x - level->x) - (points[i].y - level->y));
        values[9] = far(*rightmost - points[i].x);
        for (int64_t part = 0; parts > 1 && !is_first && part < parts; part++) {
            const Point *from = stroke->fine + (size_t)parts * (i - 1) + part;
            values[10 + 2 * part] =
                to_float(DETAIL * ((from[1].x - from[0].x) / stroke->part_length - here.x));
            values[11 + 2 * part] =
                to_float(DETAIL * ((from[1].y - from[0].y) / stroke->part_length - here.y));
        }
        here = next;
    }
}

/* The paths along the strokes, in their order, and the number of equal steps of each path. */
typedef struct Paths {
    double *along, *numbers;
    uint32_t *counts;
    size_t total; /* points at equal steps */
} Paths;

static hw_status measure_paths(hw_work *work, const Ink *ink, double distance, Features *features,
                               Paths *paths) {
    const uint32_t strokes = ink->num_strokes;
    double whole = 0.0;
    *paths = (Paths){.along = TAKE(&work->scratch, double, ink->num_points),
                     .counts = TAKE(&work->scratch, uint32_t, strokes)};
    features->begins = TAKE(&work->scratch, uint32_t, strokes + 1);
    NEED(work, paths->along && paths->counts && features->begins);
    for (uint32_t n = 0; n < strokes; n++) {
        const uint32_t stroke = features->order[n], begin = begin_of(ink, stroke);
        double *path = paths->along + features->begins[n];
        path_along(ink->points + begin, ink->ends[stroke] - begin, path);
        features->begins[n + 1] = features->begins[n] + ink->ends[stroke] - begin;
        whole += paths->along[features->begins[n + 1] - 1];
    }
    distance = most(distance, whole / MAX_POINTS);
    for (uint32_t n = 0; n < strokes; n++) {
        const double length = paths->along[features->begins[n + 1] - 1];
        const double steps = length > 0.0 ? ceil(length / distance) : 0.0;
        paths->counts[n] = (uint32_t)clamped(steps, 0.0, MAX_POINTS + 1.0);
        paths->total += paths->counts[n] + 1;
    }
    return HW_OK;
}

/* Set the places of the points of a path at equal steps: numbers of ordered points from `first`. */
static void set_places(const double *path, size_t count, size_t steps, double first,
                       double *places) {
    size_t i = 0;
    places[0] = first;
    for (size_t step = 0; steps && step <= steps; step++) {
        const double target = path[count - 1] * (double)step / (double)steps;
        while (i + 2 < count && path[i + 1] <= target) i++;
        const double length = path[i + 1] - path[i];
        const double fraction = length > 0.0 ? least((target - path[i]) / length, 1.0) : 1.0;
        places[step] = first + (double)i + fraction;
    }
}

hw_status make_features(hw_work *work, const Ink *ink, double spacing, int64_t parts, Room *room,
                        Features *features) {
    const double height = x_height(ink, room);
    Paths paths;
    *features = (Features){.order = TAKE(&work->scratch, uint32_t, ink->num_strokes)};
    NEED(work, features->order);
    TRY(order_strokes(work, ink, height, room, features->order));
    TRY(measure_paths(work, ink, spacing * height, features, &paths));
    features->count = (uint32_t)paths.total;
    features->places = TAKE(&work->scratch, double, paths.total);
    features->values = TAKE(&work->scratch, float, paths.total * (size_t)num_features(parts));
    Point *fine = TAKE(&work->scratch, Point, paths.total * (size_t)parts + 1);
    Point *coarse = TAKE(&work->scratch, Point, paths.total);
    NEED(work, features->places && features->values && fine && coarse);
    size_t end = 0;
    Point *next = fine;
    for (uint32_t n = 0; n < ink->num_strokes; n++) {
        const Point *points = ink->points + begin_of(ink, features->order[n]);
        const double *path = paths.along + features->begins[n];
        const size_t size = features->begins[n + 1] - features->begins[n], steps = paths.counts[n];
        at_equal_steps(points, path, size, steps * (size_t)parts, next);
        set_places(path, size, steps, features->begins[n], features->places + end);
        for (size_t i = 0; i <= steps; i++, end++)
            coarse[end] = (Point){next[i * (size_t)parts].x / height,
                                  next[i * (size_t)parts].y / height};
        next += steps * (size_t)parts + 1;
    }
    const Level level = level_of(coarse, paths.total);
    double rightmost = -INFINITY;
    float *values = features->values;
    for (uint32_t n = 0; n < ink->num_strokes; n++) {
        const double length = paths.along[features->begins[n + 1] - 1];
        const size_t count = (size_t)paths.counts[n] + 1;
        const double steps = (double)parts * most(paths.counts[n], 1.0 / (double)parts);
        const Sampled stroke = {fine, coarse, count, length > 0.0 ? length / steps : 1.0};
        set_features(&stroke, parts, &level, &rightmost, n ? coarse - 1 : NULL, values);
        fine += (count - 1) * (size_t)parts + 1;
        coarse += count;
        values += count * (size_t)num_features(parts);
    }
    return HW_OK;
}
