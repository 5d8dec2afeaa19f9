/* Draws the points of a line, as model/generation/ does: random numbers, steps, where it ends. */

#include "internal.h"

#define PERIOD 16      /* steps of a call of the kernel; a resting pen is noticed after each call */
#define BLOCK 256      /* steps for which random numbers are drawn at once */
#define PEN_PIVOT -1.5 /* log-odds of a stroke's end that a bias leaves unchanged */
#define REST 0.1       /* most standard deviations of a resting pen's offset, in x and in y */
#define LONGEST_FINISH 40 /* most steps of a stroke after the window has passed the text */
#define SHIFT 397      /* places from a word of the state to the word that changes it */

/* Random numbers: MT19937 (Matsumoto and Nishimura 1998), and the method of Box and Muller. ---- */

void seed_random(Random *random, uint32_t seed) {
    random->state[0] = seed;
    for (uint32_t i = 1; i < RANDOM_SIZE; i++) {
        const uint32_t before = random->state[i - 1];
        random->state[i] = 1812433253u * (before ^ before >> 30) + i;
    }
    random->next = RANDOM_SIZE;
}

static uint32_t random_bits(Random *random) {
    uint32_t *state = random->state;
    for (uint32_t i = 0; random->next == RANDOM_SIZE && i < RANDOM_SIZE; i++) {
        const uint32_t mixed =
            (state[i] & 0x80000000u) | (state[(i + 1) % RANDOM_SIZE] & 0x7fffffffu);
        state[i] = state[(i + SHIFT) % RANDOM_SIZE] ^ mixed >> 1 ^ (mixed & 1 ? 0x9908b0dfu : 0);
    }
    if (random->next == RANDOM_SIZE) random->next = 0;
    uint32_t word = state[random->next++];
    word ^= word >> 11;
    word ^= word << 7 & 0x9d2c5680u;
    word ^= word << 15 & 0xefc60000u;
    return word ^ word >> 18;
}

void draw_uniform(Random *random, float *numbers, size_t count) {
    for (size_t i = 0; i < count; i++)
        numbers[i] = (float)(random_bits(random) & 0xffffff) / 16777216.0f;
}

void draw_normal(Random *random, float *numbers, size_t count) {
    draw_uniform(random, numbers, count);
    for (size_t i = 0; i < count; i++) {
        if (i & 8) continue;
        const double radius = sqrt(-2.0 * log(1.0 - numbers[i]));
        const double angle = 2.0 * 3.14159265358979323846 * numbers[i + 8];
        numbers[i] = (float)(radius * cos(angle));
        numbers[i + 8] = (float)(radius * sin(angle));
    }
}

/* The drawing ---------------------------------------------------------------------------------- */

/* Allocate what a line of the network needs, with zeros as states. */
static hw_status take_states(hw_work *work, Arena *arena, const Writer *writer, Pen *pen) {
    Drawing *d = &pen->drawing;
    const size_t layers = (size_t)writer->num_layers, places = (size_t)d->places;
    const size_t cells = layers * (size_t)writer->size, components = (size_t)d->components;
    float **joints = TAKE(arena, float *, layers);
    int64_t *text = TAKE(arena, int64_t, places);
    pen->num_states = cells + components;
    for (size_t n = 0; n < layers; n++) pen->num_states += 2 * (size_t)writer->widths[n];
    pen->states = TAKE(arena, float, pen->num_states);
    pen->first_states = TAKE(arena, float, pen->num_states);
    pen->uniform = TAKE(arena, float, 2 * BLOCK);
    pen->normal = TAKE(arena, float, 2 * BLOCK);
    pen->steps = TAKE(arena, Step, (size_t)pen->limit + PERIOD + 1);
    d->hiddens = TAKE(arena, float, cells + 1);
    d->parameters = TAKE(arena, float, (size_t)rounded_up(3 * d->components, 16));
    d->raw = TAKE(arena, float, (size_t)rounded_up(writer->num_outputs, 16));
    d->points = TAKE(arena, float, PERIOD * POINT_SIZE);
    d->phis = TAKE(arena, float, PERIOD * places);
    NEED(work, joints && text && pen->states && pen->first_states && pen->uniform);
    NEED(work, pen->normal && pen->steps && d->hiddens && d->parameters && d->raw);
    NEED(work, d->points && d->phis);
    d->cells = pen->states;
    d->kappas = d->cells + cells;
    joints[0] = d->kappas + components;
    for (size_t n = 1; n < layers; n++) joints[n] = joints[n - 1] + 2 * writer->widths[n - 1];
    for (uint32_t i = 0; i < pen->text.count; i++)
        text[i] = index_of(&pen->network->alphabet, pen->text.codes[i]);
    d->joints = joints;
    d->text = text;
    d->uniform = pen->uniform;
    d->normal = pen->normal;
    return HW_OK;
}

/* Pack the output layer, in which the mixture's means, in the units of the data, are multiplied by
 * the stretch; see `stretched` in mixture.py. */
static hw_status stretch_output(hw_work *work, Arena *arena, const Pen *pen, Drawing *d,
                                const double stretch[2]) {
    const hw_network *network = pen->network;
    const Writer *writer = &network->writer;
    const int64_t rows = writer->num_outputs, columns = writer->num_layers * writer->size;
    const int64_t padded = rounded_up(rows, network->kernels->lanes());
    float *weights = TAKE(&work->scratch, float, (size_t)(rows * columns));
    float *packed = TAKE(arena, float, (size_t)(padded * columns));
    float *bias = TAKE(arena, float, (size_t)padded);
    NEED(work, weights && packed && bias);
    for (int64_t row = 0; row < rows; row++) {
        const int64_t part = row ? (row - 1) / writer->mixtures : 0; /* 1: means in x, 2: in y */
        const int is_mean = row && (part == 1 || part == 2);
        const double factor = is_mean ? stretch[part - 1] : 1.0;
        double origin = is_mean ? writer->mean[part - 1] / writer->std[part - 1] : 0.0;
        if (isnan(origin)) origin = 0.0;
        bias[row] = to_float(factor * (writer->output_bias[row] + origin) - origin);
        for (int64_t i = 0; i < columns; i++)
            weights[row * columns + i] = to_float(writer->output[row * columns + i] * factor);
    }
    network->kernels->pack(columns, 1, rows, weights, 1, columns, packed);
    d->output_weights = packed;
    d->output_bias = bias;
    return HW_OK;
}

/* Add the gates of a hand vector to the biases of the layers. */
static hw_status add_hand(hw_work *work, Arena *arena, const hw_network *network,
                          const float *vector, Drawing *d) {
    const Writer *writer = &network->writer;
    const size_t count = 4 * (size_t)writer->size;
    const float **biases = TAKE(arena, const float *, (size_t)writer->num_layers);
    float *gates;
    NEED(work, biases);
    TRY(run_linear(work, network, &writer->hand_gates, vector, writer->hand_gates.columns, 1,
                   &gates));
    for (int64_t n = 0; n < writer->num_layers; n++) {
        float *bias = TAKE(arena, float, count);
        NEED(work, bias);
        for (size_t i = 0; i < count; i++) bias[i] = writer->biases[n][i] + gates[count * n + i];
        biases[n] = bias;
    }
    d->gate_biases = biases;
    return HW_OK;
}

/* Compute the next steps. */
static hw_status run(hw_work *work, Pen *pen, int64_t steps) {
    const Mark before = mark(&work->scratch);
    pen->drawing.steps = steps;
    const int failed = pen->network->kernels->draw(&pen->drawing, &work->scratch);
    rewind_to(&work->scratch, before);
    pen->drawing.parity = (pen->drawing.parity + steps) % 2;
    NEED(work, !failed);
    return HW_OK;
}

/* Copy a normalised point into the inputs of all layers at the next step. */
static void set_point(Pen *pen, const float point[POINT_SIZE]) {
    const Writer *writer = &pen->network->writer;
    memcpy(pen->point, point, POINT_SIZE * sizeof *point);
    for (int64_t n = 0; n < writer->num_layers; n++) {
        const int64_t width = writer->widths[n];
        memcpy(pen->drawing.joints[n] + pen->drawing.parity * width + width - POINT_SIZE, point,
               POINT_SIZE * sizeof *point);
    }
}

/* Draw a primer's points. Its offsets are those from one point to the next. */
static hw_status follow_primer(hw_work *work, Pen *pen, const Ink *primer) {
    const Writer *writer = &pen->network->writer;
    const uint32_t count = primer ? primer->num_points : 1;
    Point before = {0};
    for (uint32_t i = 0, stroke = 0; i < count; i++) {
        const Point next = primer ? primer->points[i] : before;
        const int is_end = primer && primer->ends[stroke] == i + 1;
        const double offsets[2] = {(float)(next.x - before.x), (float)(next.y - before.y)};
        float point[POINT_SIZE] = {[2] = (float)is_end};
        for (int axis = 0; axis < 2; axis++)
            point[axis] = to_float((offsets[axis] - writer->mean[axis]) / writer->std[axis]);
        if (i) TRY(run(work, pen, 1));
        set_point(pen, point);
        stroke += is_end;
        before = next;
    }
    return HW_OK;
}

/* Move the window to the end of the primer's text. */
static void move_window(Pen *pen, uint32_t primed) {
    const float *phi = pen->drawing.phis;
    double half = 0.0, total = phi[0];
    uint32_t middle = 0;
    for (int64_t i = 0; i < pen->drawing.places; i++) half += phi[i];
    half /= 2.0;
    while (total < half && middle + 1 < pen->drawing.places) total += phi[++middle];
    for (int64_t k = 0; k < pen->drawing.components; k++)
        pen->drawing.kappas[k] += (float)((double)primed - middle);
}

/* Whether a text ends in a letter or digit, blanks aside. */
static int ends_in_letter(const Text *text) {
    uint32_t end = text->count;
    while (end && text->codes[end - 1] == ' ') end--;
    return end && is_letter(text->codes[end - 1]);
}

hw_status begin_pen(hw_work *work, Arena *arena, const hw_network *network, const PenHand *hand,
                    const Text *text, double bias, uint32_t limit, Pen *pen) {
    const Writer *writer = &network->writer;
    *pen = (Pen){.network = network, .text = *text, .limit = limit};
    pen->drawing = (Drawing){
        .layers = writer->num_layers, .size = writer->size, .vocab_size = writer->vocab_size,
        .components = writer->window.count / 3, .places = text->count + 1,
        .text_length = text->count, .mixtures = writer->mixtures,
        .max_correlation = to_float(writer->max_correlation),
        .pen = {PEN_PIVOT, to_float(writer->pen_sharpness)}, .bias = to_float(bias),
        .weights = writer->weights, .gate_biases = writer->biases, .widths = writer->widths,
        .window_weights = writer->window.weights, .window_bias = writer->window.bias};
    for (int axis = 0; axis < 2; axis++)
        pen->drawing.log_min_scales[axis] = to_float(log(writer->min_scales[axis]));
    TRY(take_states(work, arena, writer, pen));
    TRY(stretch_output(work, arena, pen, &pen->drawing, hand->stretch));
    if (hand->vector) TRY(add_hand(work, arena, network, hand->vector, &pen->drawing));
    TRY(follow_primer(work, pen, hand->primer));
    if (hand->text.count) move_window(pen, hand->text.count);
    memcpy(pen->first_states, pen->states, pen->num_states * sizeof *pen->states);
    pen->first_parity = pen->drawing.parity;
    pen->first_bias = pen->drawing.bias;
    for (int axis = 0; axis < 2; axis++) pen->still[axis] = -writer->mean[axis] / writer->std[axis];
    pen->onward = writer->mean[0] < 0.0 ? -1 : 1; /* some scripts run to the left */
    pen->ends_in_letter = ends_in_letter(text);
    return HW_OK;
}

void begin_drawing(Pen *pen, uint32_t seed) {
    memcpy(pen->states, pen->first_states, pen->num_states * sizeof *pen->states);
    pen->drawing.parity = pen->first_parity;
    pen->drawing.bias = pen->first_bias;
    pen->num_steps = 0;
    pen->steps[0] = (Step){.is_up = pen->point[2] > 0.5f};
    seed_random(&pen->random, seed);
}

/* Where a line ends: the rules of model/generation/sampling.py for one line of a network that
 * predicts the end of the sequence. ------------------------------------------------------------ */

static const uint32_t NEVER = UINT32_MAX;

static uint32_t first_end_of_line(const Pen *pen, uint32_t count) {
    for (uint32_t step = 0; step < count; step++)
        if (pen->steps[step].ends_line && pen->steps[step].peak + 1 >= pen->text.count)
            return step + 1;
    return NEVER;
}

/* Find two numbers of steps: up to the end of the line, and up to the end of the stroke in which
 * the window passed the text. */
static void find_ends(const Pen *pen, uint32_t *stopped, uint32_t *stroke_ended) {
    const Step *steps = pen->steps;
    const uint32_t count = pen->num_steps < pen->limit ? pen->num_steps : pen->limit;
    uint32_t passed = 0, lifted, end;
    while (passed < count && steps[passed].peak < pen->text.count) passed++;
    const uint32_t line_ended = first_end_of_line(pen, count);
    *stopped = line_ended;
    *stroke_ended = NEVER;
    if (passed == count) return;
    for (lifted = passed; lifted <= count && !steps[lifted].is_up;) lifted++;
    for (end = lifted; end < count; end++) {
        const int is_delayed = pen->ends_in_letter && end > 0 && steps[end].goes_back;
        if (steps[end].is_up && !is_delayed) break;
    }
    const uint32_t end_seen = end < count ? end : count;
    *stroke_ended = lifted <= count ? lifted : NEVER;
    uint32_t ended = end < count ? end : NEVER;
    if ((lifted < count ? lifted : count) - passed > LONGEST_FINISH) ended = *stroke_ended = passed;
    else if (lifted <= count && end_seen - lifted > LONGEST_FINISH) ended = lifted;
    if (ended < *stopped) *stopped = ended;
}

void end_drawing(const Pen *pen, uint32_t *steps, int *is_whole) {
    uint32_t stopped, stroke_ended;
    find_ends(pen, &stopped, &stroke_ended);
    *is_whole = stopped != NEVER;
    *steps = *is_whole ? stopped : stroke_ended;
    if (*steps > pen->limit) *steps = pen->limit;
}

/* Record what stopping needs of the drawn points. */
static void record(Pen *pen, const float *point, const float *phi) {
    Step *step = pen->steps + pen->num_steps++;
    step->peak = 0;
    for (int64_t i = 1; i < pen->drawing.places; i++)
        if (phi[i] > phi[step->peak]) step->peak = (uint32_t)i;
    step->goes_back = (point[0] - pen->still[0]) * pen->onward < 0.0;
    step->ends_line = point[3] > 0.5f;
    step[1] = (Step){.is_up = point[2] > 0.5f};
}

hw_status draw_on(hw_work *work, Pen *pen, double *ink, uint32_t *count, int *goes_on) {
    const Writer *writer = &pen->network->writer;
    Drawing *d = &pen->drawing;
    const uint32_t step = pen->num_steps, rest = pen->limit - step;
    const uint32_t steps = rest < PERIOD ? rest : PERIOD;
    int is_resting = 1;
    if (step % BLOCK == 0) {
        draw_uniform(&pen->random, pen->uniform, 2 * BLOCK);
        draw_normal(&pen->random, pen->normal, 2 * BLOCK);
    }
    d->uniform = pen->uniform + 2 * (step % BLOCK);
    d->normal = pen->normal + 2 * (step % BLOCK);
    TRY(run(work, pen, steps));
    for (uint32_t i = 0; i < steps; i++) {
        const float *point = d->points + i * POINT_SIZE;
        for (int axis = 0; axis < 2; axis++) {
            ink[3 * i + axis] = point[axis] * writer->std[axis] + writer->mean[axis];
            is_resting &= fabs(point[axis] - pen->still[axis]) <= REST;
        }
        ink[3 * i + 2] = point[2];
        is_resting &= point[2] < 0.5f;
        if (!(fabs(ink[3 * i]) < 1e30) || !(fabs(ink[3 * i + 1]) < 1e30))
            return fail(work, HW_BAD_FILE, "%s draws points that are no numbers: it is damaged.",
                        pen->network->info.name);
        record(pen, point, d->phis + i * d->places);
    }
    if (is_resting) d->bias /= 2.0f;
    uint32_t stopped, stroke_ended;
    find_ends(pen, &stopped, &stroke_ended);
    *count = steps;
    *goes_on = stopped > pen->num_steps && pen->num_steps < pen->limit;
    return HW_OK;
}
