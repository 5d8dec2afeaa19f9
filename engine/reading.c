/* Reads rows and pages, as CTCNetwork and ink_words.py do; describes hands, as HandDescriptor. */

#include "internal.h"

#define MIN_STROKE_FRACTION 0.25     /* of its points that each of several words of a stroke has */
#define MAX_DOUBTED_PROBABILITY 0.999 /* of a word whose alternatives are looked for */
#define MAX_FRAMES 300               /* of a word whose alternatives are looked for (assumed) */
#define MIN_PROBABILITY 0.6          /* of a character that is not doubtful (assumed) */
#define FRAMES 100 /* frames of a line whose descriptor has the weight 1 in a mean of descriptors */

/* The network ---------------------------------------------------------------------------------- */

/* x Phi(x), with approximation 7.1.26 of Abramowitz and Stegun (absolute error below 1.5e-7). */
static float gelu(double x) {
    static const double FACTORS[] = {1.061405429, -1.453152027, 1.421413741, -0.284496736,
                                     0.254829592};
    const double t = 1.0 / (1.0 + 0.3275911 * fabs(x) * 0.70710678118654752440);
    double polynomial = 0.0;
    for (int i = 0; i < 5; i++) polynomial = polynomial * t + FACTORS[i];
    const double tail = 0.5 * t * polynomial * exp(-x * x / 2.0);
    return (float)(x * (x < 0.0 ? tail : 1.0 - tail));
}

/* What a network computes of a row: rows of the convolution, and of the layers. */
typedef struct Encoded {
    int64_t frames;
    const float *convolved; /* (frames, channels) */
    float *hiddens[2];      /* (frames, 2 size), of the last layer and of the layer before */
} Encoded;

static hw_status convolve(hw_work *work, const hw_network *network, const Features *features,
                          Encoded *encoded) {
    const Reader *reader = &network->reader;
    const int64_t inputs = reader->num_inputs, frames = (features->count + STRIDE - 1) / STRIDE;
    const size_t rows = (size_t)(STRIDE * (frames - 1) + KERNEL);
    float *padded = TAKE(&work->scratch, float, rows * (size_t)inputs), *convolved;
    float *narrow = TAKE(&work->scratch, float, (size_t)(frames * reader->channels));
    NEED(work, padded && narrow);
    memcpy(padded + KERNEL / 2 * inputs, features->values,
           (size_t)(features->count * inputs) * sizeof(float));
    TRY(run_linear(work, network, &reader->convolution, padded, STRIDE * inputs, frames,
                   &convolved));
    for (int64_t frame = 0; frame < frames; frame++)
        for (int64_t i = 0; i < reader->channels; i++)
            narrow[frame * reader->channels + i] =
                gelu(convolved[frame * reader->convolution.padded + i]);
    encoded->frames = frames;
    encoded->convolved = narrow;
    return HW_OK;
}

/* Compute the first `layers` layers. */
static hw_status encode(hw_work *work, const hw_network *network, const Features *features,
                        int64_t layers, Encoded *encoded) {
    const Reader *reader = &network->reader;
    TRY(convolve(work, network, features, encoded));
    const float *sequence = encoded->convolved;
    const size_t size = (size_t)(encoded->frames * 2 * reader->size);
    for (int i = 0; i < 2; i++) encoded->hiddens[i] = TAKE(&work->scratch, float, size);
    NEED(work, encoded->hiddens[0] && encoded->hiddens[1]);
    float *copy = NULL; /* with an even width */
    if (reader->channels % 2) {
        const int64_t width = reader->channels + 1;
        copy = TAKE(&work->scratch, float, (size_t)(encoded->frames * width));
        NEED(work, copy);
        for (int64_t frame = 0; frame < encoded->frames; frame++)
            memcpy(copy + frame * width, sequence + frame * reader->channels,
                   (size_t)reader->channels * sizeof(float));
        sequence = copy;
    }
    for (int64_t n = 0; n < layers; n++) {
        float *hiddens = encoded->hiddens[1];
        TRY(go_on(work, (double)n / (double)(layers + 1)));
        const Mark before = mark(&work->scratch);
        const int failed = network->kernels->bidirectional(reader->layers + n, &work->scratch,
                                                           encoded->frames, sequence, hiddens);
        rewind_to(&work->scratch, before);
        NEED(work, !failed);
        encoded->hiddens[1] = encoded->hiddens[0];
        encoded->hiddens[0] = hiddens;
        sequence = hiddens;
    }
    return HW_OK;
}

hw_status log_probs(hw_work *work, const hw_network *network, const Features *features,
                    Frames *frames) {
    const Reader *reader = &network->reader;
    Encoded encoded;
    TRY(encode(work, network, features, reader->num_layers, &encoded));
    *frames = (Frames){NULL, encoded.frames, reader->labels.count, reader->labels.padded};
    TRY(run_linear(work, network, &reader->labels, encoded.hiddens[0], 2 * reader->size,
                   frames->count, &frames->values));
    for (int64_t frame = 0; frame < frames->count; frame++) {
        float *values = frames->values + frame * frames->stride;
        double largest = -INFINITY, total = 0.0;
        for (int64_t i = 0; i < frames->classes; i++) largest = most(largest, values[i]);
        for (int64_t i = 0; i < frames->classes; i++) total += exp(values[i] - largest);
        total = log(total);
        for (int64_t i = 0; i < frames->classes; i++)
            values[i] = (float)(values[i] - largest - total);
    }
    return go_on(work, 1.0);
}

/* Write the descriptor of a line times the line's weight, and the weight. */
hw_status describe(hw_work *work, const hw_network *network, const Features *features,
                   float *description) {
    const Reader *reader = &network->reader;
    const int64_t channels = reader->channels, width = channels + 2 * reader->size;
    Encoded encoded;
    float *projected, *moments = TAKE(&work->scratch, float, 2 * (size_t)width);
    NEED(work, moments);
    TRY(encode(work, network, features, 1, &encoded));
    for (int64_t k = 0; k < width; k++) {
        double sums[2] = {0.0, 0.0};
        for (int64_t frame = 0; frame < encoded.frames; frame++) {
            const double value =
                k < channels ? encoded.convolved[frame * channels + k]
                             : encoded.hiddens[0][frame * 2 * reader->size + k - channels];
            sums[0] += value;
            sums[1] += value * value;
        }
        for (int power = 0; power < 2; power++)
            moments[power * width + k] = (float)(sums[power] / (double)encoded.frames);
    }
    TRY(run_linear(work, network, &reader->labels, moments, 2 * width, 1, &projected));
    const double weight = (double)encoded.frames / FRAMES;
    for (int64_t k = 0; k < reader->labels.count; k++)
        description[k] = (float)(projected[k] * weight);
    description[reader->labels.count] = (float)weight;
    return HW_OK;
}

/* Texts ---------------------------------------------------------------------------------------- */

/* What is known of a row that is read. */
typedef struct Reading {
    hw_work *work;
    const hw_network *network;
    Arena *arena; /* of the result */
    const Ink *ink;
    Features features;
    Frames frames;
    Label *labels;
    int64_t num_labels;
    int64_t *edges;        /* of each character its first ordered point; and the number of points */
    uint32_t first_stroke; /* of the row on its page */
    uint32_t first_point;
} Reading;

static uint32_t code_of(const Reading *reading, int64_t label) {
    return reading->network->alphabet.codes[label];
}

static int is_doubtful(const Label *label) { return label->probability < MIN_PROBABILITY; }

/* The text of a reading without blanks at its ends or doubled ones. */
static hw_status text_of(const Reading *reading, const Labels *labels, const char **text) {
    uint32_t *codes = TAKE(&reading->work->scratch, uint32_t, (size_t)labels->count + 1);
    size_t count = 0;
    NEED(reading->work, codes);
    for (int64_t i = 0; i < labels->count; i++) {
        const uint32_t code = code_of(reading, labels->labels[i]);
        if (code == ' ' && (!count || codes[count - 1] == ' ')) continue;
        codes[count++] = code;
    }
    while (count && is_space(codes[count - 1])) count--;
    *text = encode_text(reading->arena, codes, count);
    NEED(reading->work, *text);
    return HW_OK;
}

/* The readings of frames that differ from a text, the likeliest first. */
static hw_status find_alternatives(const Reading *reading, const Frames *frames, const char *text,
                                   const char *const **alternatives, uint32_t *count) {
    Labels readings[WIDTH];
    int found;
    const char **texts = TAKE(reading->arena, const char *, WIDTH);
    const Mark before = mark(&reading->work->scratch);
    NEED(reading->work, texts);
    *alternatives = texts;
    TRY(beam(reading->work, frames, readings, &found));
    for (int i = 0; i < found; i++) {
        const char *other;
        TRY(text_of(reading, readings + i, &other));
        int is_new = *other && strcmp(other, text);
        for (uint32_t k = 0; k < *count; k++) is_new &= strcmp(other, texts[k]) != 0;
        if (is_new) texts[(*count)++] = other;
    }
    rewind_to(&reading->work->scratch, before);
    return HW_OK;
}

/* Set the probability and the alternatives of a word; see `_evidence` in ink_words.py. */
static hw_status set_evidence(const Reading *reading, hw_word *word) {
    const int64_t start = word->first_character, end = start + word->num_characters;
    const Label *labels = reading->labels;
    double probability = 1.0;
    for (int64_t i = start ? start - 1 : 0; i <= end && i < reading->num_labels; i++)
        probability *= labels[i].probability;
    word->probability = (float)probability;
    for (int64_t i = start; i < end; i++) word->is_doubtful |= is_doubtful(labels + i);
    if (probability >= MAX_DOUBTED_PROBABILITY) return HW_OK;
    const int64_t first = start ? labels[start - 1].last + 1 : 0;
    const int64_t last = end < reading->num_labels ? labels[end].first : reading->frames.count;
    if (last - first > MAX_FRAMES) return HW_OK;
    const Frames *all = &reading->frames;
    const Frames frames = {all->values + first * all->stride, last - first, all->classes,
                           all->stride};
    return find_alternatives(reading, &frames, word->text, &word->alternatives,
                             &word->num_alternatives);
}

/* Strokes -------------------------------------------------------------------------------------- */

/* Set where each character begins among the ordered points; each has at least one point. */
static hw_status set_edges(Reading *reading) {
    const int64_t count = reading->num_labels, points = reading->ink->num_points;
    const int64_t rows = reading->features.count;
    reading->edges = TAKE(&reading->work->scratch, int64_t, (size_t)count + 1);
    NEED(reading->work, reading->edges);
    double before = 0.0; /* the middle of the character before */
    int64_t edge = 0;
    for (int64_t i = 0; i < count; i++) {
        const Label *label = reading->labels + i;
        double middle = 0.0;
        for (int64_t frame = label->first; frame <= label->last; frame++)
            middle += reading->features.places[STRIDE * frame < rows ? STRIDE * frame : rows - 1];
        middle /= (double)(label->last - label->first + 1);
        const int64_t border = (int64_t)rounded((before + middle) / 2.0);
        if (i) edge = edge + 1 > border ? edge + 1 : border;
        reading->edges[i] = edge < points - count + i ? edge : points - count + i;
        before = middle;
    }
    reading->edges[count] = points;
    return HW_OK;
}

static int64_t shared_points(int64_t from, int64_t to, int64_t begin, int64_t end) {
    return (to < end ? to : end) - (from > begin ? from : begin);
}

/* A list of the strokes of each of several words or characters. */
typedef struct Lists {
    uint32_t *owners, *strokes, count;
} Lists;

static hw_status make_lists(const Reading *reading, size_t size, Lists *lists) {
    *lists = (Lists){TAKE(&reading->work->scratch, uint32_t, size),
                     TAKE(&reading->work->scratch, uint32_t, size), 0};
    NEED(reading->work, lists->owners && lists->strokes);
    return HW_OK;
}

static void add_to(Lists *lists, uint32_t owner, uint32_t stroke) {
    lists->owners[lists->count] = owner;
    lists->strokes[lists->count++] = stroke;
}

/* The strokes of each owner, one after the other; `begins` has where those of each begin. */
static hw_status gathered(const Reading *reading, const Lists *lists, uint32_t num_owners,
                          uint32_t **begins, uint32_t **strokes) {
    *begins = TAKE(&reading->work->scratch, uint32_t, num_owners + 2);
    *strokes = TAKE(reading->arena, uint32_t, lists->count + 1);
    NEED(reading->work, *begins && *strokes);
    for (uint32_t i = 0; i < lists->count; i++) (*begins)[lists->owners[i] + 2]++;
    for (uint32_t k = 0; k < num_owners; k++) (*begins)[k + 2] += (*begins)[k + 1];
    for (uint32_t i = 0; i < lists->count; i++)
        (*strokes)[(*begins)[lists->owners[i] + 1]++] = lists->strokes[i];
    return HW_OK;
}

/* Find the strokes that words own, and those that they touch; see `_whole_strokes`. */
static void find_strokes(const Reading *reading, const hw_word *words, uint32_t count,
                         Lists *owned, Lists *touched) {
    uint32_t last = 0; /* the word of the stroke before */
    const int64_t *edges = reading->edges;
    for (uint32_t n = 0; n < reading->ink->num_strokes; n++) {
        const int64_t begin = reading->features.begins[n], end = reading->features.begins[n + 1];
        const uint32_t stroke = reading->first_stroke + reading->features.order[n];
        const uint32_t before = owned->count;
        int64_t largest = INT64_MIN;
        uint32_t largest_word = 0;
        for (uint32_t k = 0; k < count; k++) {
            const int64_t from = edges[words[k].first_character];
            const int64_t to = edges[words[k].first_character + words[k].num_characters];
            const int64_t points = shared_points(from, to, begin, end);
            if (points > largest) largest = points, largest_word = k;
            if (points > 0) add_to(touched, k, stroke);
            if ((double)points > MIN_STROKE_FRACTION * (double)(end - begin))
                add_to(owned, k, stroke);
        }
        if (owned->count < before + 2) {
            owned->count = before;
            add_to(owned, largest > 0 ? largest_word : last, stroke);
        }
        last = owned->owners[owned->count - 1];
    }
}

static hw_status set_word_strokes(const Reading *reading, hw_word *words, uint32_t count) {
    const size_t strokes = reading->ink->num_strokes;
    uint32_t *begins[2], *lists[2];
    Lists owned, touched;
    TRY(make_lists(reading, 4 * strokes + 4, &owned));
    TRY(make_lists(reading, strokes + 2 * (size_t)count + 2, &touched));
    find_strokes(reading, words, count, &owned, &touched);
    TRY(gathered(reading, &owned, count, begins, lists));
    TRY(gathered(reading, &touched, count, begins + 1, lists + 1));
    for (uint32_t k = 0; k < count; k++) {
        const int is_touched = begins[0][k + 1] == begins[0][k];
        const uint32_t *of = begins[is_touched];
        words[k].strokes = lists[is_touched] + of[k];
        words[k].num_strokes = of[k + 1] - of[k];
    }
    return HW_OK;
}

/* The number of an ordered point among the points that were given. */
static uint32_t given_point(const Reading *reading, uint32_t ordered) {
    const Features *features = &reading->features;
    uint32_t low = 0, high = reading->ink->num_strokes - 1; /* the stroke is between them */
    while (low < high) {
        const uint32_t middle = (low + high + 1) / 2;
        if (features->begins[middle] <= ordered) low = middle;
        else high = middle - 1;
    }
    return reading->first_point + begin_of(reading->ink, features->order[low]) + ordered -
           features->begins[low];
}

static hw_status set_characters(const Reading *reading, hw_character *characters) {
    const int64_t points = reading->ink->num_points;
    const uint32_t count = (uint32_t)reading->num_labels;
    uint32_t byte = 0, stroke = 0, *begins, *strokes;
    Lists lists;
    TRY(make_lists(reading, reading->ink->num_strokes + 2 * (size_t)count + 2, &lists));
    for (uint32_t i = 0; i < count; i++) {
        char bytes[4];
        const int64_t first = clamped((double)reading->edges[i], 0.0, (double)(points - 1));
        const int64_t last = clamped((double)reading->edges[i + 1] - 1.0, (double)first,
                                     (double)(points - 1));
        const uint32_t *ends = reading->features.begins + 1;
        characters[i].start = byte;
        byte += (uint32_t)put_code(bytes, code_of(reading, reading->labels[i].label));
        characters[i].end = byte;
        characters[i].probability = (float)reading->labels[i].probability;
        characters[i].first_point = given_point(reading, (uint32_t)first);
        characters[i].last_point = given_point(reading, (uint32_t)last);
        while (ends[stroke] <= first) stroke++;
        for (uint32_t n = stroke; n < reading->ink->num_strokes; n++) {
            if (reading->features.begins[n] > last) break;
            add_to(&lists, i, reading->first_stroke + reading->features.order[n]);
        }
    }
    TRY(gathered(reading, &lists, count, &begins, &strokes));
    for (uint32_t i = 0; i < count; i++) {
        characters[i].strokes = strokes + begins[i];
        characters[i].num_strokes = begins[i + 1] - begins[i];
    }
    return HW_OK;
}

/* Rows ----------------------------------------------------------------------------------------- */

/* Set the words of a row, whose text and characters are set. */
static hw_status set_words(const Reading *reading, hw_row *row) {
    hw_word *words = TAKE(reading->arena, hw_word, row->num_characters / 2 + 1);
    NEED(reading->work, words);
    row->words = words;
    for (uint32_t i = 0; i < row->num_characters; i++) {
        if (is_space(code_of(reading, reading->labels[i].label))) continue;
        hw_word *word = words + row->num_words++;
        word->first_character = i;
        word->start = row->characters[i].start;
        while (i < row->num_characters && !is_space(code_of(reading, reading->labels[i].label))) {
            word->end = row->characters[i++].end;
            word->num_characters++;
        }
        word->text = take_text(reading->arena, row->text + word->start, word->end - word->start);
        NEED(reading->work, word->text);
        TRY(set_evidence(reading, word));
    }
    return row->num_words ? set_word_strokes(reading, words, row->num_words) : HW_OK;
}

static hw_status read_ink(Reading *reading, Room *room, hw_row *row) {
    hw_work *work = reading->work;
    const Reader *reader = &reading->network->reader;
    TRY(make_features(work, reading->ink, reader->spacing, reader->parts, room,
                      &reading->features));
    TRY(log_probs(work, reading->network, &reading->features, &reading->frames));
    TRY(greedy(work, &reading->frames, &reading->labels, &reading->num_labels));
    TRY(set_edges(reading));
    const uint32_t count = (uint32_t)reading->num_labels;
    uint32_t *codes = TAKE(&work->scratch, uint32_t, count + 1), doubtful = 0;
    hw_character *characters = TAKE(reading->arena, hw_character, count + 1);
    NEED(work, codes && characters);
    for (uint32_t i = 0; i < count; i++) {
        codes[i] = code_of(reading, reading->labels[i].label);
        doubtful += is_doubtful(reading->labels + i);
    }
    row->text = encode_text(reading->arena, codes, count);
    NEED(work, row->text);
    TRY(set_characters(reading, characters));
    row->characters = characters;
    row->num_characters = count;
    row->is_drawing = 2 * doubtful > count;
    row->first_stroke = reading->first_stroke;
    row->num_strokes = reading->ink->num_strokes;
    TRY(set_words(reading, row));
    return find_alternatives(reading, &reading->frames, row->text, &row->alternatives,
                             &row->num_alternatives);
}

/* Makes the content of a result from ink. */
typedef hw_status (*Compute)(hw_work *work, const hw_network *reader, const Ink *ink, Room *room,
                             Arena *arena, void *content);

/* Compute a result of `size` bytes from points. `reader` is null where nothing is read. */
static hw_status computed(hw_work *work, const hw_network *reader, const hw_point *points,
                          size_t count, size_t size, Compute compute, void **content) {
    Result result;
    Ink ink;
    Room room;
    TRY(take_ink(work, points, count, &ink));
    TRY(make_room(work, count, &room));
    TRY(begin_result(work, size, &result));
    const hw_status status = compute(work, reader, &ink, &room, &result.arena, result.content);
    discard(&work->scratch);
    if (status == HW_OK) *content = finished(&result);
    else discard(&result.arena);
    return status;
}

static hw_status compute_row(hw_work *work, const hw_network *reader, const Ink *ink, Room *room,
                             Arena *arena, void *content) {
    Reading reading = {.work = work, .network = reader, .arena = arena, .ink = ink};
    return read_ink(&reading, room, content);
}

hw_status hw_read_row(hw_work *work, const hw_network *reader, const hw_point *points, size_t count,
                      hw_row **row) {
    void *content = NULL;
    start(work);
    *row = NULL;
    TRY(check_role(work, reader, "reader"));
    TRY(computed(work, reader, points, count, sizeof **row, compute_row, &content));
    *row = content;
    return HW_OK;
}

/* Copy what the network computes of ink into a result. */
static hw_status compute_frames(hw_work *work, const hw_network *network, const Ink *ink,
                                Room *room, Arena *arena, void *content) {
    hw_frames *frames = content;
    const Reader *reader = &network->reader;
    Features features;
    Frames computed;
    TRY(make_features(work, ink, reader->spacing, reader->parts, room, &features));
    TRY(log_probs(work, network, &features, &computed));
    const size_t classes = (size_t)computed.classes;
    float *copy = TAKE(arena, float, (size_t)computed.count * classes);
    NEED(work, copy);
    for (int64_t frame = 0; frame < computed.count; frame++)
        memcpy(copy + (size_t)frame * classes, computed.values + frame * computed.stride,
               classes * sizeof(float));
    *frames = (hw_frames){copy, (uint32_t)computed.count, (uint32_t)classes};
    return HW_OK;
}

hw_status hw_compute_frames(hw_work *work, const hw_network *reader, const hw_point *points,
                            size_t count, hw_frames **frames) {
    void *content = NULL;
    start(work);
    *frames = NULL;
    TRY(check_role(work, reader, "reader"));
    TRY(computed(work, reader, points, count, sizeof **frames, compute_frames, &content));
    *frames = content;
    return HW_OK;
}

static hw_status compute_page(hw_work *work, const hw_network *reader, const Ink *ink, Room *room,
                              Arena *arena, void *content) {
    hw_page *page = content;
    uint32_t *starts;
    TRY(row_starts(work, &work->scratch, ink, room, &starts, &page->num_rows));
    hw_row *rows = TAKE(arena, hw_row, page->num_rows);
    NEED(work, rows);
    page->rows = rows;
    for (uint32_t k = 0; k < page->num_rows; k++) {
        const Mark before = mark(&work->scratch);
        work->done = (double)k / page->num_rows;
        work->part = 1.0 / page->num_rows;
        const uint32_t first = starts[k], begin = begin_of(ink, first);
        const uint32_t end = k + 1 < page->num_rows ? starts[k + 1] : ink->num_strokes;
        Ink part = {ink->points + begin, TAKE(&work->scratch, uint32_t, end - first),
                    ink->ends[end - 1] - begin, end - first};
        NEED(work, part.ends);
        for (uint32_t n = first; n < end; n++) part.ends[n - first] = ink->ends[n] - begin;
        Reading reading = {.work = work, .network = reader, .arena = arena, .ink = &part,
                           .first_stroke = first, .first_point = begin};
        TRY(read_ink(&reading, room, rows + k));
        rewind_to(&work->scratch, before);
    }
    return HW_OK;
}

hw_status hw_read_page(hw_work *work, const hw_network *reader, const hw_point *points,
                       size_t count, hw_page **page) {
    void *content = NULL;
    start(work);
    *page = NULL;
    TRY(check_role(work, reader, "reader"));
    TRY(computed(work, reader, points, count, sizeof **page, compute_page, &content));
    *page = content;
    return HW_OK;
}

static hw_status find_rows(hw_work *work, const hw_network *reader, const Ink *ink, Room *room,
                           Arena *arena, void *content) {
    hw_rows *rows = content;
    uint32_t *starts;
    TRY(row_starts(work, arena, ink, room, &starts, &rows->num_rows));
    rows->first_strokes = starts;
    return HW_OK;
}

hw_status hw_find_rows(hw_work *work, const hw_point *points, size_t count, hw_rows **rows) {
    void *content = NULL;
    start(work);
    *rows = NULL;
    TRY(computed(work, NULL, points, count, sizeof **rows, find_rows, &content));
    *rows = content;
    return HW_OK;
}
