/* Networks from files: SynthesisNetwork, CTCNetwork and HandDescriptor with LSTM cells. */

#include "internal.h"

#define MAX_CHARACTERS 1000 /* of a line of a network without a limit, as in Python */

/* What is needed to build a network. */
typedef struct Builder {
    hw_work *work;
    hw_network *network;
    const File *file;
} Builder;

static hw_status take_floats(const Builder *b, size_t count, float **floats) {
    *floats = TAKE(&b->network->arena, float, count);
    NEED(b->work, *floats);
    return HW_OK;
}

static size_t count_of(const Builder *b, const char *name) {
    const Tensor *tensor = tensor_of(b->file, name);
    return tensor ? tensor->count : 0;
}

static size_t columns_of(const Builder *b, const char *name) {
    const Tensor *tensor = tensor_of(b->file, name);
    return tensor ? tensor->columns : 0;
}

/* Write the name of a tensor: PREFIX, a number and the rest. */
static const char *named(char *name, const char *prefix, int64_t number, const char *rest) {
    char digits[24], *digit = digits + sizeof digits - 1;
    *digit = 0;
    do *--digit = (char)('0' + number % 10);
    while (number /= 10);
    char *end = name;
    const char *parts[] = {prefix, digit, rest};
    for (int i = 0; i < 3; i++) {
        memcpy(end, parts[i], strlen(parts[i]) + 1);
        end += strlen(parts[i]);
    }
    return name;
}

enum { NAME_SIZE = 100, SUFFIX_SIZE = 60 };

/* Pack a matrix (rows, columns), whose rows form `groups`, for products. */
static hw_status pack(const Builder *b, const float *rows, size_t count, size_t columns,
                      int64_t groups, float **packed) {
    const Kernels *kernels = b->network->kernels;
    const size_t per_group = count / (size_t)groups;
    const size_t width = (size_t)(groups * rounded_up((int64_t)per_group, kernels->lanes()));
    TRY(take_floats(b, columns * width, packed));
    kernels->pack((int64_t)columns, groups, (int64_t)per_group, rows, 1, (int64_t)columns, *packed);
    return HW_OK;
}

static hw_status pack_linear(const Builder *b, const float *rows, const float *bias, size_t count,
                             size_t columns, Linear *layer) {
    float *packed;
    TRY(pack(b, rows, count, columns, 1, &packed));
    *layer = (Linear){packed, bias, (int64_t)count, (int64_t)columns,
                      rounded_up((int64_t)count, b->network->kernels->lanes())};
    return HW_OK;
}

static hw_status rows(const Builder *b, Arena *arena, const char *name, size_t count,
                      size_t columns, float **values) {
    return rows_of(b->work, arena, b->file, name, count, columns, values);
}

/* Build a packed linear layer of torch. */
static hw_status linear_layer(const Builder *b, const char *name, size_t count, size_t columns,
                              Linear *layer) {
    char full[NAME_SIZE];
    float *weights, *bias;
    const size_t length = strlen(name);
    memcpy(full, name, length);
    memcpy(full + length, ".weight", 8);
    TRY(rows(b, &b->work->scratch, full, count, columns, &weights));
    memcpy(full + length, ".bias", 6);
    TRY(rows(b, &b->network->arena, full, count, 1, &bias));
    return pack_linear(b, weights, bias, count, columns, layer);
}

/* The rows of an LSTM's gates in torch's order. */
typedef struct Gates {
    float *incoming, *hidden, *bias;
} Gates;

static hw_status torch_gates(const Builder *b, const char *prefix, int64_t number,
                             const char *direction, size_t size, size_t inputs, Gates *gates) {
    static const char *const KINDS[] = {"weight_ih", "weight_hh", "bias_ih", "bias_hh"};
    const size_t columns[] = {inputs, size, 1, 1};
    float *parts[4];
    for (int i = 0; i < 4; i++) {
        char name[NAME_SIZE], rest[SUFFIX_SIZE];
        const char *pieces[] = {direction, ".layer.", KINDS[i], "_l0"};
        size_t end = 0;
        for (int k = 0; k < 4; k++) {
            memcpy(rest + end, pieces[k], strlen(pieces[k]) + 1);
            end += strlen(pieces[k]);
        }
        TRY(rows(b, &b->work->scratch, named(name, prefix, number, rest), 4 * size, columns[i],
                 parts + i));
    }
    TRY(take_floats(b, 4 * size, &gates->bias));
    for (size_t i = 0; i < 4 * size; i++) gates->bias[i] = parts[2][i] + parts[3][i];
    gates->incoming = parts[0];
    gates->hidden = parts[1];
    return HW_OK;
}

/* Readers -------------------------------------------------------------------------------------- */

static hw_status build_convolution(const Builder *b, Reader *reader) {
    const size_t inputs = (size_t)reader->num_inputs, channels = count_of(b, "convolution.bias");
    float *weights, *bias, *turned;
    TRY(rows(b, &b->work->scratch, "convolution.weight", channels, KERNEL * inputs, &weights));
    TRY(rows(b, &b->network->arena, "convolution.bias", channels, 1, &bias));
    /* torch's kernel has the points of each feature side by side, ours the features of a point. */
    turned = TAKE(&b->work->scratch, float, channels * KERNEL * inputs);
    NEED(b->work, turned);
    for (size_t row = 0; row < channels; row++)
        for (size_t i = 0; i < KERNEL * inputs; i++)
            turned[row * KERNEL * inputs + i] =
                weights[row * KERNEL * inputs + i % inputs * KERNEL + i / inputs];
    reader->channels = (int64_t)channels;
    return pack_linear(b, turned, bias, channels, KERNEL * inputs, &reader->convolution);
}

static hw_status build_bidirection(const Builder *b, int64_t number, size_t size, size_t inputs,
                                   Bidirection *layer) {
    static const char *const DIRECTIONS[] = {".forward_rnn", ".backward_rnn"};
    layer->size = (int64_t)size;
    layer->inputs = (int64_t)inputs;
    for (int i = 0; i < 2; i++) {
        Gates gates;
        float *packed;
        TRY(torch_gates(b, "layers.", number, DIRECTIONS[i], size, inputs, &gates));
        TRY(pack(b, gates.incoming, 4 * size, inputs, NUM_GATES, &packed));
        layer->input_weights[i] = packed;
        TRY(pack(b, gates.hidden, 4 * size, size, NUM_GATES, &packed));
        layer->hidden_weights[i] = packed;
        layer->biases[i] = gates.bias;
    }
    return HW_OK;
}

static hw_status build_encoder(const Builder *b, Reader *reader) {
    char name[NAME_SIZE];
    static const char FIRST[] = ".forward_rnn.layer.bias_ih_l0";
    const Json *header = b->file->header;
    reader->spacing = number_of(header, "features", "spacing");
    reader->parts = (int64_t)number_of(header, "features", "parts");
    reader->num_inputs = num_features(reader->parts);
    TRY(build_convolution(b, reader));
    const size_t size = columns_of(b, "layers.0.forward_rnn.layer.weight_hh_l0");
    reader->size = (int64_t)size;
    reader->num_layers = 1;
    while (tensor_of(b->file, named(name, "layers.", reader->num_layers, FIRST)))
        reader->num_layers++;
    reader->layers = TAKE(&b->network->arena, Bidirection, (size_t)reader->num_layers);
    NEED(b->work, reader->layers);
    for (int64_t n = 0; n < reader->num_layers; n++)
        TRY(build_bidirection(b, n, size, n ? 2 * size : (size_t)reader->channels,
                              reader->layers + n));
    return HW_OK;
}

static hw_status build_reader(const Builder *b) {
    hw_network *network = b->network;
    Reader *reader = &network->reader;
    TRY(build_encoder(b, reader));
    reader->num_labels = network->alphabet.count;
    return linear_layer(b, "labels", (size_t)reader->num_labels + 1, 2 * (size_t)reader->size,
                        &reader->labels);
}

static hw_status build_descriptor(const Builder *b) {
    Reader *reader = &b->network->reader;
    TRY(build_encoder(b, reader));
    const size_t count = count_of(b, "projection.bias");
    b->network->info.description_size = (uint32_t)count + 1;
    return linear_layer(b, "projection", count,
                        2 * (size_t)(reader->channels + 2 * reader->size), &reader->labels);
}

/* Writers -------------------------------------------------------------------------------------- */

/* Pack a layer of LSTM cells. A row has the weights of the hidden state, then of the inputs. */
static hw_status add_layer(const Builder *b, Writer *writer, int64_t number, const float *weights,
                           size_t width, const float *bias) {
    float *packed;
    TRY(pack(b, weights, 4 * (size_t)writer->size, width, NUM_GATES, &packed));
    writer->weights[number] = packed;
    writer->biases[number] = bias;
    writer->widths[number] = (int64_t)width;
    return HW_OK;
}

static hw_status build_lowest_layer(const Builder *b, Writer *writer) {
    static const char *const NAMES[] = {"layers.0.weight_hidden", "layers.0.weight_window",
                                        "layers.0.weight_input"};
    const size_t size = (size_t)writer->size, vocab_size = (size_t)writer->vocab_size;
    const size_t columns[] = {size, vocab_size, POINT_SIZE}, width = size + vocab_size + POINT_SIZE;
    float *parts[3], *bias;
    for (int i = 0; i < 3; i++)
        TRY(rows(b, &b->work->scratch, NAMES[i], 4 * size, columns[i], parts + i));
    TRY(rows(b, &b->network->arena, "layers.0.bias", 4 * size, 1, &bias));
    float *weights = TAKE(&b->work->scratch, float, 4 * size * width), *target = weights;
    NEED(b->work, weights);
    for (size_t row = 0; row < 4 * size; row++)
        for (int i = 0; i < 3; i++) {
            memcpy(target, parts[i] + row * columns[i], columns[i] * sizeof(float));
            target += columns[i];
        }
    return add_layer(b, writer, 0, weights, width, bias);
}

/* Build a layer of torch. Its inputs are the point, the window and the layer below; the kernels
 * reverse this order, and have the gates input, forget, output and candidate. */
static hw_status build_torch_layer(const Builder *b, Writer *writer, int64_t number) {
    static const size_t PLACES[NUM_GATES] = {0, 1, 3, 2}; /* torch's */
    const size_t size = (size_t)writer->size, end = POINT_SIZE + (size_t)writer->vocab_size;
    const size_t inputs = end + size, width = inputs + size;
    Gates gates;
    float *bias;
    TRY(torch_gates(b, "layers.", number, "", size, inputs, &gates));
    TRY(take_floats(b, 4 * size, &bias));
    float *weights = TAKE(&b->work->scratch, float, 4 * size * width), *target = weights;
    NEED(b->work, weights);
    for (size_t row = 0; row < 4 * size; row++) {
        const size_t source = PLACES[row / size] * size + row % size;
        const float *incoming = gates.incoming + source * inputs;
        memcpy(target, gates.hidden + source * size, size * sizeof(float));
        memcpy(target + size, incoming + end, size * sizeof(float));
        memcpy(target + 2 * size, incoming + POINT_SIZE, (end - POINT_SIZE) * sizeof(float));
        memcpy(target + width - POINT_SIZE, incoming, POINT_SIZE * sizeof(float));
        bias[row] = gates.bias[source];
        target += width;
    }
    return add_layer(b, writer, number, weights, width, bias);
}

static hw_status build_hands(const Builder *b, Writer *writer) {
    HandEncoder *encoder = &writer->hand_encoder;
    const Tensor *gates = tensor_of(b->file, "hand_gates.weight");
    if (!gates) return HW_OK;
    const size_t count = 4 * (size_t)(writer->size * writer->num_layers);
    float *weights;
    TRY(rows(b, &b->work->scratch, gates->name, count, gates->columns, &weights));
    TRY(pack_linear(b, weights, NULL, count, gates->columns, &writer->hand_gates));
    const size_t hands = count_of(b, "hand_encoder.hands");
    const size_t size = columns_of(b, "hand_encoder.hands");
    const size_t hidden = count_of(b, "hand_encoder.layers.0.bias");
    TRY(rows(b, &b->network->arena, "hand_encoder.hands", hands, size, &encoder->hands));
    encoder->count = (int64_t)hands;
    encoder->size = (int64_t)size;
    TRY(linear_layer(b, "hand_encoder.layers.0", hidden, size, encoder->layers));
    TRY(linear_layer(b, "hand_encoder.layers.2", gates->columns - 1, hidden, encoder->layers + 1));
    b->network->info.hand_size = (uint32_t)gates->columns;
    b->network->info.description_size = (uint32_t)size + 1;
    return HW_OK;
}

static hw_status build_layers(const Builder *b, Writer *writer) {
    Arena *arena = &b->network->arena;
    char name[NAME_SIZE];
    writer->size = (int64_t)columns_of(b, "layers.0.weight_hidden");
    writer->vocab_size = b->network->alphabet.count;
    writer->num_layers = 1;
    while (tensor_of(b->file, named(name, "layers.", writer->num_layers, ".layer.bias_ih_l0")))
        writer->num_layers++;
    const size_t layers = (size_t)writer->num_layers;
    writer->weights = TAKE(arena, const float *, layers);
    writer->biases = TAKE(arena, const float *, layers);
    writer->widths = TAKE(arena, int64_t, layers);
    NEED(b->work, writer->weights && writer->biases && writer->widths);
    TRY(build_lowest_layer(b, writer));
    for (int64_t n = 1; n < writer->num_layers; n++) TRY(build_torch_layer(b, writer, n));
    TRY(build_hands(b, writer));
    const size_t size = (size_t)writer->size, windows = count_of(b, "layers.0.window.bias") / 3 * 3;
    TRY(linear_layer(b, "layers.0.window", windows, size, &writer->window));
    const size_t outputs = count_of(b, "output.bias") / 6 * 6 + 2;
    TRY(rows(b, arena, "output.weight", outputs, layers * size, &writer->output));
    TRY(rows(b, arena, "output.bias", outputs, 1, &writer->output_bias));
    writer->num_outputs = (int64_t)outputs;
    writer->mixtures = (int64_t)(outputs / 6);
    if (writer->mixtures) return HW_OK;
    return fail(b->work, HW_BAD_FILE,
                "The network's output.bias is missing or has another shape; export it again.");
}

/* Styles --------------------------------------------------------------------------------------- */

static hw_status keep_text(const Builder *b, const char *text, const char **kept) {
    *kept = take_text(&b->network->arena, text, strlen(text));
    NEED(b->work, *kept);
    return HW_OK;
}

static hw_status build_vector(const Builder *b, const Json *numbers, hw_hand *hand) {
    float *vector, *next;
    TRY(take_floats(b, numbers->count + 1, &vector));
    next = vector;
    for (const Json *item = numbers->child; item; item = item->next)
        *next++ = to_float(item->number);
    hand->vector = vector;
    hand->size = numbers->count;
    return HW_OK;
}

static hw_status build_primer(const Builder *b, const Json *style, hw_hand *hand) {
    const Json *ink = member(style, "ink"), *stretch = member(style, "stretch");
    hw_point *points = TAKE(&b->network->arena, hw_point, ink->count / 3 + 1);
    NEED(b->work, points);
    double x = 0.0, y = 0.0;
    const Json *item = ink->child;
    for (; item; item = item->next->next->next, hand->num_points++) {
        x += item->number;
        y += item->next->number;
        points[hand->num_points] =
            (hw_point){to_float(x), to_float(y), item->next->next->number > 0.5};
    }
    hand->points = points;
    hand->x_height = to_float(member(style, "x_height")->number);
    for (int axis = 0; stretch && axis < 2; axis++)
        hand->stretch[axis] = to_float((axis ? stretch->child->next : stretch->child)->number);
    return keep_text(b, member(style, "text")->text, &hand->text);
}

static hw_status build_styles(const Builder *b, Writer *writer) {
    const Json *header = b->file->header, *biases = member(header, "biases");
    const Json *hands = member(header, "hands"), *styles = member(header, "styles");
    const Json *all = hands ? hands : styles;
    hw_info *info = &b->network->info;
    Arena *arena = &b->network->arena;
    info->num_styles = all ? all->count : 0;
    const char **names = TAKE(arena, const char *, info->num_styles + 1);
    float *usual = TAKE(arena, float, info->num_styles + 1);
    writer->hands = TAKE(arena, hw_hand, info->num_styles + 1);
    NEED(b->work, names && usual && writer->hands);
    info->styles = names;
    info->style_biases = usual;
    hw_hand *hand = writer->hands;
    for (const Json *style = all ? all->child : NULL; style; style = style->next, hand++) {
        const Json *bias = member(biases, style->key);
        TRY(keep_text(b, style->key, names++));
        *usual++ = bias ? to_float(bias->number) : info->bias;
        if (hands) TRY(build_vector(b, style, hand));
        else TRY(build_primer(b, style, hand));
    }
    writer->has_vectors = hands != NULL;
    writer->has_styles = styles != NULL;
    return HW_OK;
}

static hw_status build_replacements(const Builder *b) {
    const Json *table = member(b->file->header, "replacements");
    hw_info *info = &b->network->info;
    info->num_replacements = table ? table->count : 0;
    const size_t count = 2 * (size_t)info->num_replacements;
    const char **pairs = TAKE(&b->network->arena, const char *, count + 1);
    NEED(b->work, pairs);
    info->replacements = pairs;
    for (const Json *item = table ? table->child : NULL; item; item = item->next) {
        TRY(keep_text(b, item->key, pairs++));
        TRY(keep_text(b, item->text, pairs++));
    }
    return HW_OK;
}

static hw_status build_writer(const Builder *b) {
    const Json *header = b->file->header, *longest = member(member(header, "sampling"), "longest");
    Writer *writer = &b->network->writer;
    hw_info *info = &b->network->info;
    pair_of(header, "normalisation", "mean", writer->mean);
    pair_of(header, "normalisation", "std", writer->std);
    pair_of(header, "sampling", "min_scales", writer->min_scales);
    writer->max_correlation = number_of(header, "sampling", "max_correlation");
    writer->pen_sharpness = number_of(header, "sampling", "pen_sharpness");
    writer->stretch = number_of(header, "sampling", "stretch");
    writer->x_height = number_of(header, "sampling", "x_height");
    writer->baseline = number_of(header, "sampling", "baseline");
    writer->bias = number_of(header, "sampling", "bias");
    info->bias = to_float(writer->bias);
    info->longest = MAX_CHARACTERS;
    if (longest->kind == JSON_NUMBER && longest->number < MAX_CHARACTERS)
        info->longest = (uint32_t)longest->number;
    TRY(build_replacements(b));
    TRY(build_styles(b, writer));
    TRY(build_layers(b, writer));
    info->draws_hands = writer->hand_encoder.count > 0;
    for (uint32_t i = 0; i < info->num_styles; i++)
        info->draws_hands &= strcmp(info->styles[i], "hand") != 0;
    return HW_OK;
}

static hw_status build(const Builder *b) {
    const Json *header = b->file->header;
    hw_info *info = &b->network->info;
    static const char *const KEYS[] = {"role", "name", "licence", "alphabet"};
    const char **const texts[] = {&info->role, &info->name, &info->licence, &info->alphabet};
    for (int i = 0; i < 4; i++) {
        const Json *value = member(header, KEYS[i]);
        const int is_given = value && value->kind == JSON_TEXT;
        TRY(keep_text(b, is_given ? value->text : "", texts[i]));
    }
    NEED(b->work, decode_text(&b->network->arena, info->alphabet, &b->network->alphabet));
    if (info->role[0] == 'w') return build_writer(b);
    return info->role[0] == 'r' ? build_reader(b) : build_descriptor(b);
}

hw_status hw_open(hw_work *work, const char *title, const void *bytes, size_t size,
                  hw_network **network) {
    File file;
    start(work);
    *network = NULL;
    if (!bytes) size = 0;
    TRY(parse_file(work, title ? title : "The network", bytes ? bytes : "", size, &file));
    hw_network *opened = work->options.allocate(work->options.context, sizeof *opened);
    NEED(work, opened);
    *opened = (hw_network){.arena = {.options = work->options}, .kernels = best_kernels()};
    const hw_status status = build(&(Builder){work, opened, &file});
    discard(&work->scratch);
    if (status == HW_OK) *network = opened;
    else hw_close(opened);
    return status;
}

void hw_close(hw_network *network) {
    if (!network) return;
    const hw_options options = network->arena.options;
    discard(&network->arena);
    options.release(options.context, network);
}

const hw_info *hw_about(const hw_network *network) { return &network->info; }

hw_status check_role(hw_work *work, const hw_network *network, const char *role) {
    if (!network) return fail(work, HW_BAD_ARGUMENT, "There is no network; a %s is needed.", role);
    if (!strcmp(network->info.role, role)) return HW_OK;
    return fail(work, HW_BAD_ARGUMENT, "%s is a %s; a %s is needed.", network->info.name,
                network->info.role, role);
}

int64_t index_of(const Text *alphabet, uint32_t code) {
    for (uint32_t i = 0; i < alphabet->count; i++)
        if (alphabet->codes[i] == code) return i;
    return -1;
}

hw_status run_linear(hw_work *work, const hw_network *network, const Linear *layer,
                     const float *inputs, int64_t stride, int64_t rows, float **outputs) {
    *outputs = TAKE(&work->scratch, float, (size_t)(rows * layer->padded));
    NEED(work, *outputs);
    network->kernels->linear(layer, inputs, stride, rows, *outputs);
    return HW_OK;
}
