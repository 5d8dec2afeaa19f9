/* What the files of the engine share. Lengths are in the units of the ink unless a comment says
 * otherwise; y grows downwards. */
#ifndef INTERNAL_H
#define INTERNAL_H

#include "handwriting.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Return the status of a call that failed. */
#define TRY(call)                          \
    do {                                   \
        hw_status status_ = (call);        \
        if (status_ != HW_OK) return status_; \
    } while (0)
/* Return HW_NO_MEMORY, with its message, if an allocation failed. */
#define NEED(work, pointer) \
    do { \
        if (!(pointer)) return no_memory(work); \
    } while (0)

static inline double least(double a, double b) { return b < a ? b : a; }
static inline double most(double a, double b) { return b > a ? b : a; }
static inline double clamped(double value, double low, double high) {
    return least(most(value, low), high);
}
static inline int64_t rounded_up(int64_t count, int64_t multiple) {
    return (count + multiple - 1) / multiple * multiple;
}
static inline double rounded(double value) { return floor(value + 0.5); }
/* A number as a float; one that a float cannot hold becomes the largest. */
static inline float to_float(double value) { return (float)clamped(value, -3.4e38, 3.4e38); }

/* Memory (memory.c) ---------------------------------------------------------------------------- */

typedef struct Chunk Chunk;

/* Memory that is freed together. */
typedef struct Arena {
    hw_options options; /* has the allocator */
    Chunk *chunks;      /* the newest first */
} Arena;

typedef struct Mark {
    Chunk *chunk;
    size_t used;
} Mark;

/* Return zeroed memory for `count` items, aligned to 64 bytes; null if there is none. */
void *take(Arena *arena, size_t count, size_t size);
#define TAKE(arena, type, count) ((type *)take(arena, count, sizeof(type)))
char *take_text(Arena *arena, const char *text, size_t length);
Mark mark(const Arena *arena);
void rewind_to(Arena *arena, Mark mark); /* free what was taken since */
void discard(Arena *arena);              /* free all */

enum { MESSAGE_SIZE = 1000 };

struct hw_work {
    hw_options options;
    Arena scratch; /* of one call */
    double done, part; /* fraction that is done, and fraction of what is computed now */
    char message[MESSAGE_SIZE];
};

/* Begin a call: forget the message, and free the memory of the last call. */
void start(hw_work *work);
/* Set the message, in which %s and %u are replaced, and return the status. */
hw_status fail(hw_work *work, hw_status status, const char *format, ...);
hw_status no_memory(hw_work *work);
/* Ask the callback whether the work goes on. */
hw_status go_on(hw_work *work, double fraction);

/* A result is a structure in an arena of its own, which `hw_free` frees. */
typedef struct Result {
    Arena arena;
    void *content;
} Result;
hw_status begin_result(hw_work *work, size_t size, Result *result);
void *finished(Result *result); /* what the caller gets */

/* JSON and files (json.c, sha256.c, flat_file.c) ----------------------------------------------- */

typedef enum Kind {
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_NUMBER,
    JSON_TEXT,
    JSON_LIST,
    JSON_OBJECT
} Kind;

typedef struct Json Json;
struct Json {
    Kind kind;
    double number;
    const char *text, *key;   /* UTF-8, without a 0 inside */
    const Json *child, *next; /* the first item of a list or object; the next item of its parent */
    uint32_t count;           /* items */
};

/* Return the value of a text of JSON; null if it is none, with `*no_room` set without memory. */
const Json *parse_json(Arena *arena, const char *text, size_t size, int *no_room);
const Json *member(const Json *object, const char *key); /* null if there is none */

void sha256(const uint8_t *bytes, size_t size, uint8_t digest[32]);

/* A tensor of the file: `count` rows of `columns` numbers. */
typedef struct Tensor {
    const char *name;
    enum { FLOAT32, FLOAT16, INT8 } type;
    size_t count, columns;
    const uint8_t *content;
} Tensor;

typedef struct File {
    const char *title;
    const Json *header;
    Tensor *tensors;
    size_t num_tensors;
} File;

hw_status parse_file(hw_work *work, const char *title, const uint8_t *bytes, size_t size,
                     File *file);
const Tensor *tensor_of(const File *file, const char *name); /* null if there is none */
/* Decode a tensor of `count` rows of `columns` finite numbers into memory of the arena. */
hw_status rows_of(hw_work *work, Arena *arena, const File *file, const char *name, size_t count,
                  size_t columns, float **rows);
double number_of(const Json *header, const char *block, const char *key);
void pair_of(const Json *header, const char *block, const char *key, double pair[2]);

/* Texts (text.c) ------------------------------------------------------------------------------- */

typedef struct Text {
    uint32_t *codes; /* code points */
    uint32_t count;
} Text;

/* Decode UTF-8; return 0 if memory is lacking, and -1 for a text that is no UTF-8. */
int decode_text(Arena *arena, const char *text, Text *decoded);
char *encode_text(Arena *arena, const uint32_t *codes, size_t count);
size_t put_code(char *target, uint32_t code); /* returns its bytes, at most 4 */
int is_space(uint32_t code);
int is_letter(uint32_t code); /* or a digit */
int is_small_letter(uint32_t code);
int is_one_of(uint32_t code, const char *ascii);
uint32_t code_at(const Text *text, uint32_t index);
/* Write the characters of a list as a message names them, with their replacements. */
void name_characters(char *message, size_t size, const Text *characters, const hw_info *info);

typedef struct Misread {
    uint32_t *doubtful; /* pairs: start and end of each doubtful word, in characters */
    uint32_t num_doubtful, errors;
} Misread;

/* Compare a text with its reading. Words are doubtful if the reading lacks them, accents aside,
 * which readers overlook in small writing. Errors are the words that it lacks, accents included,
 * and its surplus words. */
hw_status misread(hw_work *work, Arena *arena, const Text *text, const Text *reading,
                  Misread *result);

/* Ink (ink.c) ---------------------------------------------------------------------------------- */

typedef struct Point {
    double x, y;
} Point;

/* Stroke k has the points from begin_of(k) up to ends[k]. */
typedef struct Ink {
    Point *points;
    uint32_t *ends;
    uint32_t num_points, num_strokes;
} Ink;

static inline uint32_t begin_of(const Ink *ink, uint32_t stroke) {
    return stroke ? ink->ends[stroke - 1] : 0;
}

typedef struct Box {
    double left, top, right, bottom;
} Box;

typedef struct Segment { /* between turning points in y; dy is not 0 */
    double x, y, dx, dy;
} Segment;

typedef struct Pair {
    double value, weight;
} Pair;

/* Upper and lower ends of the segments that are not flat; of each downstroke lean and height. */
typedef struct Turns {
    Point *high, *low;
    Pair *down;
    uint32_t num_high, num_low, num_down;
} Turns;

/* Room for the measures of ink of a number of points. Each function uses it anew. */
typedef struct Room {
    Segment *segments;
    Pair *pairs; /* at least MAX_SLOPES */
    Point *feet;
    Turns turns;
    size_t capacity;
} Room;

enum { MAX_FEET = 400, MAX_ENDS = 300, MAX_SLOPES = MAX_ENDS * MAX_ENDS };

/* In the scratch memory: */
hw_status make_room(hw_work *work, size_t points, Room *room);
/* Check the points of a caller, and return them as ink from the first point on. */
hw_status take_ink(hw_work *work, const hw_point *points, size_t count, Ink *ink);
hw_status copy_ink(hw_work *work, Arena *arena, const Ink *ink, Ink *copy);

Box box_of(const Point *points, size_t count);
Box ink_box(const Ink *ink);
/* The value at which the weights of smaller and equal values reach `target`; orders the pairs. */
double selected(Pair *pairs, size_t count, double target);
double median_of_pairs(Pair *pairs, size_t count); /* ignores weights; orders the pairs */
double weighted_median(Pair *pairs, size_t count); /* orders the pairs */
void sort_numbers(double *numbers, size_t count);
double x_height(const Ink *ink, Room *room);
double baseline_angle(const Ink *ink, Room *room); /* NaN if it is too short */
void turn_back(Point *points, size_t count, double angle);
void move_ink(Ink *ink, double a, double b, double c, double d); /* x to a x + b, y to c y + d */
void turning_points(const Ink *ink, double height, Room *room, Turns *turns);
/* Slopes between points that are more than `distance` apart in x, as values of pairs. */
size_t slopes_between(const Point *points, size_t count, size_t stride, double distance,
                      Pair *slopes);
double baseline(const Ink *ink, Room *room);
double baseline_of_text(const Ink *ink, const Text *text, double height, Room *room);
double slant(const Ink *ink, Room *room);
hw_status row_starts(hw_work *work, Arena *arena, const Ink *ink, Room *room, uint32_t **starts,
                     uint32_t *count);
void path_along(const Point *points, size_t count, double *path);
void at_equal_steps(const Point *points, const double *path, size_t count, size_t steps,
                    Point *result); /* steps + 1 points */
double mean_step(const Ink *ink);

/* Kernels (kernels.c, kernel_*.c) -------------------------------------------------------------- */

typedef struct Linear { /* a packed layer; the rows of its outputs are padded */
    const float *weights, *bias;
    int64_t count, columns, padded;
} Linear;

typedef struct Bidirection { /* a packed bidirectional LSTM layer; forwards and backwards */
    int64_t size, inputs;
    const float *input_weights[2], *hidden_weights[2], *biases[2];
} Bidirection;

/* A line that is written; see `Writing` of sampling.c. */
typedef struct Drawing {
    int64_t steps, layers, size, vocab_size, components, places, mixtures, parity, text_length;
    float log_min_scales[2], max_correlation, pen[2], bias;
    const float *const *weights, *const *gate_biases;
    const int64_t *widths, *text;
    float *const *joints;
    const float *window_weights, *window_bias, *output_weights, *output_bias;
    float *hiddens, *cells, *kappas, *parameters, *raw, *uniform, *normal, *points, *phis;
} Drawing;

/* The kernels as they are compiled for a kind of processor. A function that needs memory takes it
 * from an arena, and returns 0 if there is enough. */
typedef struct Kernels {
    int (*lanes)(void);
    void (*pack)(int64_t depth, int64_t groups, int64_t columns, const float *source,
                 int64_t row_stride, int64_t column_stride, float *target);
    void (*linear)(const Linear *layer, const float *inputs, int64_t stride, int64_t rows,
                   float *outputs);
    int (*bidirectional)(const Bidirection *layer, Arena *arena, int64_t frames,
                         const float *sequence, float *hiddens);
    int (*draw)(const Drawing *drawing, Arena *arena);
} Kernels;

const Kernels *best_kernels(void);

/* Networks (network.c) ------------------------------------------------------------------------- */

enum {
    POINT_SIZE = 4, /* numbers of a point: offset in x and in y, end of stroke, end of line */
    NUM_GATES = 4,
    KERNEL = 5, /* points under the kernel of the convolution */
    STRIDE = 2  /* points from one frame to the next */
};

/* A reader or a descriptor. */
typedef struct Reader {
    double spacing;
    int64_t parts, num_inputs, channels, size, num_layers;
    Linear convolution, labels; /* of a descriptor `labels` is its projection */
    Bidirection *layers;
    const char **characters; /* of each label its UTF-8 */
    int64_t *is_blank;       /* whether the character is a space */
    int64_t num_labels;      /* without CTC's blank */
} Reader;

typedef struct HandEncoder {
    float *hands; /* (count, size) */
    int64_t count, size;
    Linear layers[2];
} HandEncoder;

typedef struct Writer {
    int64_t size, vocab_size, num_layers, num_outputs, mixtures;
    const float **weights, **biases;
    int64_t *widths;
    Linear window, hand_gates;
    float *output, *output_bias; /* (num_outputs, num_layers * size), not packed */
    HandEncoder hand_encoder;
    double mean[2], std[2], min_scales[2], max_correlation, pen_sharpness, stretch, x_height,
        baseline, bias;
    hw_hand *hands; /* of each style */
    const char *const *style_names;
    int has_vectors, has_styles;
} Writer;

struct hw_network {
    Arena arena;
    hw_info info;
    const Kernels *kernels;
    Text alphabet;
    Reader reader;
    Writer writer;
};

hw_status check_role(hw_work *work, const hw_network *network, const char *role);
/* The index of a character in the alphabet, -1 if it is not there. */
int64_t index_of(const Text *alphabet, uint32_t code);
hw_status run_linear(hw_work *work, const hw_network *network, const Linear *layer,
                     const float *inputs, int64_t stride, int64_t rows, float **outputs);

/* Reading (features.c, decoding.c, reading.c) -------------------------------------------------- */

/* What a reader sees of a row. */
typedef struct Features {
    float *values;    /* (count, num_inputs) */
    double *places;   /* of each point its number among the ordered points, such as 2.5 */
    uint32_t count;
    uint32_t *order;  /* the number of each stroke, in the order in which a reader sees them */
    uint32_t *begins; /* the first of the ordered points of each of these strokes */
} Features;

int64_t num_features(int64_t parts);
hw_status make_features(hw_work *work, const Ink *ink, double spacing, int64_t parts, Room *room,
                        Features *features);

/* A character of the likeliest path. */
typedef struct Label {
    int64_t label;
    double probability;
    int64_t first, last; /* frames */
} Label;

/* Log-probabilities (count, classes); CTC's blank is the last class. */
typedef struct Frames {
    float *values;
    int64_t count, classes, stride;
} Frames;

/* A list of classes. */
typedef struct Labels {
    int64_t *labels, count;
} Labels;

enum { WIDTH = 6 }; /* readings in the beam */

hw_status greedy(hw_work *work, const Frames *frames, Label **labels, int64_t *count);
hw_status beam(hw_work *work, const Frames *frames, Labels readings[WIDTH], int *count);
hw_status log_probs(hw_work *work, const hw_network *reader, const Features *features,
                    Frames *frames);
hw_status describe(hw_work *work, const hw_network *descriptor, const Features *features,
                   float *description);

/* Writing (drawing.c, repairs.c, line.c, hands.c) ---------------------------------------------- */

enum { RANDOM_SIZE = 624 };

typedef struct Random { /* torch's random numbers on a CPU */
    uint32_t state[RANDOM_SIZE];
    uint32_t next;
} Random;

void seed_random(Random *random, uint32_t seed);
void draw_uniform(Random *random, float *numbers, size_t count);
void draw_normal(Random *random, float *numbers, size_t count); /* a multiple of 16 */

typedef struct Step {
    uint32_t peak;  /* index of the character at the window's peak */
    uint8_t goes_back, ends_line, is_up; /* `is_up`: whether the pen is lifted before the step */
} Step;

/* A line as a network draws it, by a hand; see drawing.c. */
typedef struct Pen {
    const hw_network *network;
    Drawing drawing;
    float *states; /* cells, kappas and joints, which steps change */
    float *first_states;
    size_t num_states;
    int64_t first_parity;
    float first_bias;
    float point[POINT_SIZE]; /* before the first step */
    Text text;               /* with the primer's */
    uint32_t limit;          /* most steps */
    Random random;
    float *uniform, *normal; /* of a block of steps */
    double still[2];         /* the offset of a resting pen */
    int onward, ends_in_letter;
    Step *steps;
    uint32_t num_steps;
} Pen;

typedef struct PenHand { /* in the network's units */
    const float *vector;
    const Ink *primer; /* offsets are float32, as a network's are; null without a primer */
    Text text;         /* the primer's */
    double stretch[2];
} PenHand;

hw_status begin_pen(hw_work *work, Arena *arena, const hw_network *network, const PenHand *hand,
                    const Text *text, double bias, uint32_t limit, Pen *pen);
void begin_drawing(Pen *pen, uint32_t seed);
/* Draw the next points into `ink`, three numbers each; return whether the line goes on. */
hw_status draw_on(hw_work *work, Pen *pen, double *ink, uint32_t *count, int *goes_on);
void end_drawing(const Pen *pen, uint32_t *steps, int *is_whole);

/* Draw a corner into each 5; see repairs.c. `peaks` has the index of each point's character. */
hw_status draw_corners(hw_work *work, Arena *arena, const Ink *ink, const uint32_t *peaks,
                       const Text *text, double lean, Ink *result);

/* Find the hand of a style or a seed; `*is_any` is 0 if only the drawn line shows it. */
hw_status hand_of(hw_work *work, const hw_network *writer, const char *style, uint32_t seed,
                  hw_hand *hand, int *is_any);
/* Check that a network can write in a hand. */
hw_status check_hand(hw_work *work, const hw_network *writer, const hw_hand *hand);

#endif
