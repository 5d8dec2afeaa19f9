/* Lines: level, in x-heights, in a hand, and proofread. Python's apps/pages/ does more: it
 * proofreads and places single words. */

#include "internal.h"

#define TRIES 6                /* most tries of a line, as in Python */
#define TRY_SEED_STRIDE 1000000007 /* from the seed of a try to the seed of the next */
#define MIN_STEPS 100          /* steps that a line may take in addition to STEPS_PER_CHARACTER */
#define STEPS_PER_CHARACTER 40 /* steps that a line may take for each character */
/* Number of letters and digits at which a line's measure weighs as much as the hand's (by eye). */
#define LINE_PRIOR 1           /* for the baseline */
#define HEIGHT_PRIOR 8 /* for the x-height of a line without a hand (capitals do not show it) */
#define TURN_PRIOR 2           /* for the slope */
#define CHUNK 32               /* least number of points that are shown together */
#define MAX_BIAS 1000          /* (assumed: 5 has no variety left) */
#define MAX_SURPLUS 56         /* most points drawn beyond a line's end until the end is found */

/* How a line is placed, in the network's units. */
typedef struct Measures {
    double x_height, angle, baseline, lean;
    int is_given; /* whether somebody gave the hand */
    int has_primer;
    Point begin; /* where the pen begins: at the primer's end, or at the origin */
} Measures;

typedef struct Try {
    Arena arena;
    hw_ink ink;
} Try;

struct hw_line {
    Arena arena; /* of what all tries have */
    const hw_network *network;
    Text title, text; /* `text` is the whole text, with the primer's */
    Measures measures;
    Pen pen;
    uint32_t seed, attempt;
    double *ink; /* three numbers for each point; without a primer the first is at the origin */
    uint32_t num_points, num_shown;
    uint32_t *bytes; /* of each character of the title, where it begins in the given text */
    Try current, best;
    uint32_t best_faults;
    int has_best, goes_on;
    enum { BEGINS, DRAWS, IS_CUT, IS_DRAWN, IS_DONE } state;
};

/* The factors for x and y by which offsets are stretched at a bias. */
static void stretch_at(const Writer *writer, double bias, double stretch[2]) {
    stretch[0] = 1.0 - writer->stretch * expm1(-2.0 * bias);
    stretch[1] = 1.0;
}

/* Take a hand's line as a primer: as large as the network writes, from the origin on. */
static hw_status take_primer(hw_work *work, hw_line *line, const hw_hand *hand, double stretch[2],
                             Ink *primer, Text *text) {
    const Writer *writer = &line->network->writer;
    Measures *measures = &line->measures;
    Room room;
    Ink level;
    double usual[2];
    TRY(take_ink(work, hand->points, hand->num_points, primer));
    TRY(make_room(work, primer->num_points, &room));
    NEED(work, decode_text(&work->scratch, hand->text, text));
    const double size = hand->x_height != 0.0f ? hand->x_height : writer->x_height;
    move_ink(primer, size, 0.0, size, 0.0);
    measures->angle = baseline_angle(primer, &room);
    measures->x_height = x_height(primer, &room);
    TRY(copy_ink(work, &work->scratch, primer, &level));
    turn_back(level.points, level.num_points, measures->angle);
    measures->baseline = baseline(&level, &room);
    measures->lean = slant(&level, &room);
    measures->has_primer = 1;
    measures->begin = primer->points[primer->num_points - 1];
    stretch_at(writer, writer->bias, usual);
    for (int axis = 0; axis < 2; axis++)
        if (hand->stretch[axis] != 0.0f) stretch[axis] *= hand->stretch[axis] / usual[axis];
    return HW_OK;
}

/* Begin to write in a hand, by default the network's choice. */
static hw_status begin_in_hand(hw_work *work, hw_line *line, const hw_hand *hand, double bias) {
    const Writer *writer = &line->network->writer;
    if (hand) TRY(check_hand(work, line->network, hand));
    PenHand pen_hand = {0};
    Ink primer;
    stretch_at(writer, bias, pen_hand.stretch);
    line->measures = (Measures){.x_height = writer->x_height, .angle = NAN,
                                .is_given = hand != NULL,
                                .baseline = writer->baseline * writer->x_height};
    if (hand && hand->vector) {
        pen_hand.vector = hand->vector;
    } else if (hand) {
        TRY(take_primer(work, line, hand, pen_hand.stretch, &primer, &pen_hand.text));
        pen_hand.primer = &primer;
    }
    const uint32_t primed = pen_hand.text.count, blank = primed > 0;
    line->text = (Text){TAKE(&line->arena, uint32_t, primed + blank + line->title.count), 0};
    NEED(work, line->text.codes);
    for (uint32_t i = 0; i < primed; i++) line->text.codes[i] = pen_hand.text.codes[i];
    if (blank) line->text.codes[primed] = ' ';
    line->text.count = primed + blank + line->title.count;
    memcpy(line->text.codes + primed + blank, line->title.codes,
           line->title.count * sizeof(uint32_t));
    for (uint32_t i = 0; i < line->text.count; i++)
        if (index_of(&line->network->alphabet, line->text.codes[i]) < 0)
            return fail(work, HW_BAD_TEXT, "%s knows no blank, which follows the line of a hand.",
                        line->network->info.name);
    const uint32_t limit = MIN_STEPS + STEPS_PER_CHARACTER * (line->text.count - primed);
    line->ink = TAKE(&line->arena, double, 3 * ((size_t)limit + 32));
    NEED(work, line->ink);
    return begin_pen(work, &line->arena, line->network, &pen_hand, &line->text, bias, limit,
                     &line->pen);
}

/* Check the text of a line, and take it without blanks at its ends or doubled ones. */
static hw_status take_title(hw_work *work, hw_line *line, const char *text) {
    const hw_network *network = line->network;
    Text given, unknown = {TAKE(&work->scratch, uint32_t, strlen(text) + 1), 0};
    const int is_utf8 = decode_text(&work->scratch, text, &given);
    uint32_t begin = 0, end = given.count;
    NEED(work, is_utf8 && unknown.codes);
    if (is_utf8 < 0) return fail(work, HW_BAD_TEXT, "The text is no UTF-8.");
    while (begin < end && is_space(given.codes[begin])) begin++;
    while (end > begin && is_space(given.codes[end - 1])) end--;
    Text *title = &line->title;
    title->codes = TAKE(&line->arena, uint32_t, end - begin + 1);
    line->bytes = TAKE(&line->arena, uint32_t, end - begin + 1);
    NEED(work, title->codes && line->bytes);
    for (uint32_t i = 0, byte = 0; i < end; i++) {
        char bytes[4];
        const uint32_t code = given.codes[i], here = byte;
        byte += (uint32_t)put_code(bytes, code);
        if (i < begin || (code == ' ' && given.codes[i - 1] == ' ')) continue;
        line->bytes[title->count] = here;
        title->codes[title->count++] = code;
        if (index_of(&network->alphabet, code) < 0) unknown.codes[unknown.count++] = code;
    }
    if (!title->count) return fail(work, HW_BAD_TEXT, "The text is blank.");
    if (unknown.count) {
        char names[MESSAGE_SIZE / 2];
        name_characters(names, sizeof names, &unknown, &network->info);
        return fail(work, HW_BAD_TEXT, "%s cannot write %s.", network->info.name, names);
    }
    if (title->count > network->info.longest)
        return fail(work, HW_BAD_TEXT, "The text has %u characters; a line of %s has at most %u.",
                    title->count, network->info.name, network->info.longest);
    return HW_OK;
}

/* The usual bias of a style. */
static double usual_bias(const hw_network *network, const char *name) {
    const hw_info *info = &network->info;
    for (uint32_t i = 0; i < info->num_styles; i++)
        if (!strcmp(info->styles[i], name ? name : "hand")) return info->style_biases[i];
    return info->bias;
}

static hw_status begin_line(hw_work *work, hw_line *line, const char *text, const hw_style *style) {
    static const hw_style USUAL = {.bias = HW_USUAL_BIAS};
    if (!style) style = &USUAL;
    double bias = style->bias;
    if (!text) return fail(work, HW_BAD_TEXT, "There is no text.");
    TRY(take_title(work, line, text));
    if (bias == HW_USUAL_BIAS) bias = usual_bias(line->network, style->name);
    if (!(bias >= 0.0) || bias > MAX_BIAS)
        return fail(work, HW_BAD_ARGUMENT, "The bias is no number from 0 to %u.", MAX_BIAS);
    line->seed = style->seed;
    if (style->hand && !style->name) return begin_in_hand(work, line, style->hand, bias);
    hw_hand hand;
    int is_any;
    TRY(hand_of(work, line->network, style->name, style->seed, &hand, &is_any));
    return begin_in_hand(work, line, is_any ? &hand : NULL, bias);
}

hw_status hw_begin_line(hw_work *work, const hw_network *writer, const char *text,
                        const hw_style *style, hw_line **line) {
    start(work);
    *line = NULL;
    TRY(check_role(work, writer, "writer"));
    hw_line *begun = work->options.allocate(work->options.context, sizeof *begun);
    NEED(work, begun);
    const Arena empty = {.options = work->options};
    *begun = (hw_line){.arena = empty, .network = writer, .current = {.arena = empty},
                       .best = {.arena = empty}};
    const hw_status status = begin_line(work, begun, text, style);
    discard(&work->scratch);
    if (status == HW_OK) *line = begun;
    else hw_end_line(begun);
    return status;
}

void hw_end_line(hw_line *line) {
    if (!line) return;
    const hw_options options = line->arena.options;
    discard(&line->current.arena);
    discard(&line->best.arena);
    discard(&line->arena);
    options.release(options.context, line);
}

/* Placing -------------------------------------------------------------------------------------- */

/* The strokes of the points drawn so far, turned level. */
static hw_status level_ink(hw_work *work, const hw_line *line, Ink *ink) {
    const Measures *measures = &line->measures;
    const uint32_t count = line->num_points;
    Point at = measures->has_primer ? measures->begin : (Point){0};
    *ink = (Ink){.points = TAKE(&work->scratch, Point, count),
                 .ends = TAKE(&work->scratch, uint32_t, count), .num_points = count};
    NEED(work, ink->points && ink->ends);
    for (uint32_t i = 0; i < count; i++) {
        at.x += line->ink[3 * i];
        at.y += line->ink[3 * i + 1];
        ink->points[i] = at;
        if (line->ink[3 * i + 2] > 0.5 || i + 1 == count) ink->ends[ink->num_strokes++] = i + 1;
    }
    turn_back(ink->points, count, measures->angle);
    return HW_OK;
}

/* Put strokes into x-heights, from the line's left edge and its baseline, as the ink of a try. */
static hw_status place(hw_work *work, const hw_line *line, Ink *ink, double height, double baseline,
                       double left, Try *into) {
    hw_point *points = TAKE(&into->arena, hw_point, ink->num_points + 1);
    NEED(work, points);
    move_ink(ink, 1.0 / height, -left / height, 1.0 / height, -baseline / height);
    for (uint32_t i = 0, stroke = 0; i < ink->num_points; i++) {
        const int is_end = ink->ends[stroke] == i + 1;
        points[i] = (hw_point){to_float(ink->points[i].x), to_float(ink->points[i].y), is_end};
        stroke += is_end;
        if (!isfinite(ink->points[i].x) || !isfinite(ink->points[i].y))
            return fail(work, HW_BAD_FILE, "%s draws points that are no numbers: it is damaged.",
                        line->network->info.name);
    }
    into->ink = (hw_ink){.stage = HW_GROWING, .points = points, .num_points = ink->num_points};
    return HW_OK;
}

/* Show the first `count` points of a line that grows. */
static hw_status show(hw_work *work, hw_line *line, uint32_t count, hw_ink *shown) {
    const Measures *measures = &line->measures;
    Ink ink;
    discard(&line->current.arena);
    TRY(level_ink(work, line, &ink));
    TRY(place(work, line, &ink, measures->x_height, measures->baseline, ink.points[0].x,
              &line->current));
    line->num_shown = count;
    line->current.ink.num_points = count;
    *shown = line->current.ink;
    return HW_OK;
}

/* Place the strokes of a whole line by its hand's x-height and by a mean of the line's and the
 * hand's other measures. The line's weight grows with its number of characters
 * (apps/pages/word_cutting.py). */
static hw_status straighten(hw_work *work, hw_line *line, Ink *ink) {
    const Measures *measures = &line->measures;
    const Point first = ink->points[0];
    double count = 0.0;
    Room room;
    TRY(make_room(work, ink->num_points, &room));
    for (uint32_t i = 0; i < line->title.count; i++) count += is_letter(line->title.codes[i]);
    const double angle = count / (count + TURN_PRIOR) * baseline_angle(ink, &room);
    move_ink(ink, 1.0, -first.x, 1.0, -first.y);
    turn_back(ink->points, ink->num_points, angle);
    move_ink(ink, 1.0, first.x, 1.0, first.y);
    const double difference =
        baseline_of_text(ink, &line->title, measures->x_height, &room) - measures->baseline;
    const double weight = measures->has_primer ? count / (count + LINE_PRIOR) : 1.0;
    /* The size of a hand that nobody gave shows in the line only. */
    const double growth = measures->is_given ? 1.0 : pow(x_height(ink, &room) / measures->x_height,
                                                         count / (count + HEIGHT_PRIOR));
    return place(work, line, ink, measures->x_height * growth,
                 measures->baseline + weight * difference, ink_box(ink).left, &line->current);
}

/* Complete a try whose points are drawn. */
static hw_status complete(hw_work *work, hw_line *line) {
    Try *current = &line->current;
    const uint32_t count = line->num_points, before = !line->measures.has_primer;
    Ink ink, repaired;
    Room room;
    int is_whole;
    uint32_t steps;
    discard(&current->arena);
    end_drawing(&line->pen, &steps, &is_whole);
    uint32_t *peaks = TAKE(&work->scratch, uint32_t, count);
    float *raw = TAKE(&current->arena, float, 3 * (size_t)count);
    NEED(work, peaks && raw);
    /* No step draws the point at the origin. */
    for (uint32_t i = 0; i < count; i++)
        peaks[i] = line->pen.num_steps ? line->pen.steps[i > before ? i - before : 0].peak : 0;
    for (uint32_t i = 0; i < 3 * count; i++) raw[i] = i < 2 ? 0.0f : to_float(line->ink[i]);
    TRY(level_ink(work, line, &ink));
    TRY(make_room(work, count, &room));
    const double lean = line->measures.has_primer ? line->measures.lean : slant(&ink, &room);
    TRY(draw_corners(work, &work->scratch, &ink, peaks, &line->text, lean, &repaired));
    TRY(straighten(work, line, &repaired));
    current->ink.stage = HW_DRAWN;
    current->ink.is_whole = is_whole;
    current->ink.raw = raw;
    current->ink.num_raw = count;
    return HW_OK;
}

/* Steps ---------------------------------------------------------------------------------------- */

static void begin_try(hw_line *line) {
    begin_drawing(&line->pen, line->seed + (uint32_t)TRY_SEED_STRIDE * line->attempt);
    memset(line->ink, 0, 3 * sizeof *line->ink);
    line->num_points = !line->measures.has_primer;
    line->num_shown = 0;
    line->goes_on = 1;
    line->state = DRAWS;
}

/* Leave out the points that were drawn beyond the line's end. */
static void cut(hw_line *line) {
    uint32_t steps;
    int is_whole;
    end_drawing(&line->pen, &steps, &is_whole);
    line->num_points = steps + !line->measures.has_primer;
    if (!line->num_points) { /* a dot, if the text was complete at the primer's end */
        memset(line->ink, 0, 3 * sizeof *line->ink);
        line->num_points = 1;
    }
    line->ink[3 * line->num_points - 1] = 1.0; /* the pen leaves the paper */
    line->state = IS_CUT;
}

/* Draw until there is something to show. */
static hw_status draw(hw_work *work, hw_line *line, hw_ink *ink) {
    while (line->goes_on) {
        const Mark before = mark(&work->scratch);
        uint32_t count;
        TRY(go_on(work, (double)line->pen.num_steps / line->pen.limit));
        TRY(draw_on(work, &line->pen, line->ink + 3 * (size_t)line->num_points, &count,
                    &line->goes_on));
        rewind_to(&work->scratch, before);
        line->num_points += count;
        if (line->num_points >= line->num_shown + CHUNK + MAX_SURPLUS)
            return show(work, line, line->num_points - MAX_SURPLUS, ink);
    }
    cut(line);
    return show(work, line, line->num_points, ink);
}

/* The start and end of words in the given text, in place of those in the title. */
static void convert_places(const hw_line *line, Misread *misread) {
    for (uint32_t i = 0; i < 2 * misread->num_doubtful; i++) {
        const uint32_t index = misread->doubtful[i];
        char bytes[4];
        misread->doubtful[i] =
            i % 2 ? line->bytes[index - 1] + (uint32_t)put_code(bytes, line->title.codes[index - 1])
                  : line->bytes[index];
    }
}

/* Take how a drawn try is read; null ends the line. */
static hw_status judge(hw_work *work, hw_line *line, const char *reading) {
    Try *current = &line->current;
    uint32_t faults = 0;
    if (reading) {
        Text read;
        Misread result;
        const int is_utf8 = decode_text(&work->scratch, reading, &read);
        NEED(work, is_utf8);
        if (is_utf8 < 0) return fail(work, HW_BAD_TEXT, "The reading is no UTF-8.");
        TRY(misread(work, &current->arena, &line->title, &read, &result));
        convert_places(line, &result);
        current->ink.doubtful = result.doubtful;
        current->ink.num_doubtful = result.num_doubtful;
        faults = result.errors + (current->ink.is_whole ? 0 : line->title.count);
    }
    if (!line->has_best || !reading || faults < line->best_faults) {
        const Try best = line->best;
        line->best = *current;
        *current = best;
        line->best_faults = faults;
        line->has_best = 1;
    }
    line->state = ++line->attempt == TRIES || !line->best_faults ? IS_DONE : BEGINS;
    return HW_OK;
}

static hw_status step(hw_work *work, hw_line *line, hw_ink *ink) {
    if (line->state == IS_DRAWN) TRY(judge(work, line, NULL));
    switch (line->state) {
    case BEGINS:
        begin_try(line);
        if (!line->attempt) return draw(work, line, ink);
        *ink = (hw_ink){.stage = HW_GROWING};
        return HW_OK;
    case DRAWS:
        return draw(work, line, ink);
    case IS_CUT:
        TRY(complete(work, line));
        line->state = IS_DRAWN;
        *ink = line->current.ink;
        return HW_OK;
    default:
        *ink = line->best.ink;
        ink->stage = HW_DONE;
        return HW_OK;
    }
}

hw_status hw_continue(hw_work *work, hw_line *line, hw_ink *ink) {
    start(work);
    *ink = (hw_ink){0};
    const hw_status status = step(work, line, ink);
    discard(&work->scratch);
    return status;
}

hw_status hw_judge(hw_work *work, hw_line *line, const char *reading) {
    start(work);
    if (line->state != IS_DRAWN) return fail(work, HW_BAD_ARGUMENT, "No try of the line is drawn.");
    const hw_status status = judge(work, line, reading);
    discard(&work->scratch);
    return status;
}

/* Write a line that was begun. */
static hw_status write_line(hw_work *work, hw_line *line, const hw_network *reader, hw_drawn drawn,
                            void *context, hw_ink *ink) {
    for (;;) {
        TRY(hw_continue(work, line, ink));
        if (drawn && drawn(context, ink)) return fail(work, HW_STOPPED, "The work was stopped.");
        if (ink->stage == HW_DONE) return HW_OK;
        if (ink->stage == HW_GROWING) continue;
        hw_row *row = NULL;
        if (reader) TRY(hw_read_row(work, reader, ink->points, ink->num_points, &row));
        const hw_status status = hw_judge(work, line, row ? row->text : NULL);
        hw_free(row);
        TRY(status);
    }
}

/* Copy the ink of a line into a result. */
static hw_status copy_result(hw_work *work, const hw_ink *ink, hw_ink **copy) {
    Result result;
    TRY(begin_result(work, sizeof *ink, &result));
    hw_point *points = TAKE(&result.arena, hw_point, ink->num_points);
    float *raw = TAKE(&result.arena, float, 3 * (size_t)ink->num_raw);
    uint32_t *doubtful = TAKE(&result.arena, uint32_t, 2 * (size_t)ink->num_doubtful + 1);
    if (!points || !raw || !doubtful) {
        discard(&result.arena);
        return no_memory(work);
    }
    memcpy(points, ink->points, ink->num_points * sizeof *points);
    memcpy(raw, ink->raw, 3 * (size_t)ink->num_raw * sizeof *raw);
    if (ink->doubtful) memcpy(doubtful, ink->doubtful, 2 * ink->num_doubtful * sizeof *doubtful);
    *copy = finished(&result);
    **copy = *ink;
    (*copy)->points = points;
    (*copy)->raw = raw;
    (*copy)->doubtful = doubtful;
    return HW_OK;
}

hw_status hw_write_line(hw_work *work, const hw_network *writer, const char *text,
                        const hw_style *style, const hw_network *reader, hw_drawn drawn,
                        void *context, hw_ink **ink) {
    hw_line *line;
    hw_ink last;
    start(work);
    *ink = NULL;
    if (reader) TRY(check_role(work, reader, "reader"));
    TRY(hw_begin_line(work, writer, text, style, &line));
    hw_status status = write_line(work, line, reader, drawn, context, &last);
    if (status == HW_OK) status = copy_result(work, &last, ink);
    hw_end_line(line);
    return status;
}
