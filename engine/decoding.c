/* Readings of a network's frames, with the constants of model/recognition/decoding.py. */

#include "internal.h"

#define PRUNING 12 /* nats below a frame's likeliest class, from which a character is left out */

static double log_add(double a, double b) {
    const double larger = most(a, b);
    return larger == -INFINITY ? larger : larger + log1p(exp(least(a, b) - larger));
}

static const float *frame_at(const Frames *frames, int64_t number) {
    return frames->values + number * frames->stride;
}

static int64_t likeliest(const Frames *frames, int64_t number) {
    const float *frame = frame_at(frames, number);
    int64_t best = 0;
    for (int64_t label = 1; label < frames->classes; label++)
        if (frame[label] > frame[best]) best = label;
    return best;
}

hw_status greedy(hw_work *work, const Frames *frames, Label **labels, int64_t *count) {
    int64_t previous = -1;
    *labels = TAKE(&work->scratch, Label, (size_t)frames->count + 1);
    *count = 0;
    NEED(work, *labels);
    for (int64_t number = 0; number < frames->count; number++) {
        const int64_t label = likeliest(frames, number);
        if (label != frames->classes - 1) {
            if (label != previous) (*labels)[(*count)++] = (Label){label, 0.0, number, number};
            Label *last = *labels + *count - 1;
            last->probability = most(last->probability, exp(frame_at(frames, number)[label]));
            last->last = number;
        }
        previous = label;
    }
    return HW_OK;
}

/* Beam search ---------------------------------------------------------------------------------- */

/* Readings form a tree: each has its last class, and the reading before. */
typedef struct Node Node;
struct Node {
    Node *before, *first, *next; /* `first` child, `next` sibling */
    int64_t label, depth;
};

/* A reading in the beam, with the log-probabilities of its paths that end in a blank, and of those
 * that end in its last class. */
typedef struct Reading {
    Node *node;   /* null: `before` continued by `label` */
    Node *before;
    int64_t label;
    double in_blank, in_label, score;
} Reading;

static Node *child_of(const Node *node, int64_t label) {
    Node *child = node->first;
    while (child && child->label != label) child = child->next;
    return child;
}

/* Put a reading among the best ones; earlier ones stay before equal ones. */
static void offer(Reading *best, int *count, Reading reading) {
    reading.score = log_add(reading.in_blank, reading.in_label);
    int place = *count;
    while (place > 0 && best[place - 1].score < reading.score) place--;
    if (place == WIDTH) return;
    if (*count < WIDTH) ++*count;
    for (int i = *count - 1; i > place; i--) best[i] = best[i - 1];
    best[place] = reading;
}

static Reading *with_node(Reading *readings, int count, const Node *node) {
    for (int i = 0; node && i < count; i++)
        if (readings[i].node == node) return readings + i;
    return NULL;
}

/* Replace the readings by their best continuations in a frame; `continued` has room for all. */
static void continue_readings(const float *frame, int64_t blank, Reading *readings, int *count,
                              Reading *continued) {
    double least_likely = -INFINITY;
    for (int64_t label = 0; label <= blank; label++)
        least_likely = most(least_likely, frame[label]);
    least_likely -= PRUNING;
    Reading stayed[WIDTH];
    size_t extended = 0;
    for (int i = 0; i < *count; i++) {
        const Reading *old = readings + i;
        stayed[i] = *old;
        stayed[i].in_blank = log_add(old->in_blank, old->in_label) + frame[blank];
        stayed[i].in_label = old->in_label + (old->node->before ? frame[old->node->label] : 0.0);
    }
    for (int i = 0; i < *count; i++) {
        const Reading *old = readings + i;
        const int64_t last = old->node->before ? old->node->label : -1;
        const double all = log_add(old->in_blank, old->in_label);
        for (int64_t label = 0; label < blank; label++) {
            if (!(frame[label] >= least_likely)) continue;
            /* Equal characters need a blank in between. */
            const double sum = (label == last ? old->in_blank : all) + frame[label];
            Reading *same = with_node(stayed, *count, child_of(old->node, label));
            if (same) same->in_label = log_add(same->in_label, sum);
            else continued[extended++] =
                (Reading){.before = old->node, .label = label, .in_blank = -INFINITY,
                          .in_label = sum};
        }
    }
    const int before = *count;
    *count = 0;
    for (int i = 0; i < before; i++) offer(readings, count, stayed[i]);
    for (size_t i = 0; i < extended; i++) offer(readings, count, continued[i]);
}

/* Give a reading its place in the tree. */
static hw_status add_node(hw_work *work, Reading *reading) {
    reading->node = child_of(reading->before, reading->label);
    if (reading->node) return HW_OK;
    Node *node = TAKE(&work->scratch, Node, 1);
    NEED(work, node);
    *node = (Node){reading->before, NULL, reading->before->first, reading->label,
                   reading->before->depth + 1};
    reading->before->first = reading->node = node;
    return HW_OK;
}

/* The readings that the frames may say, the likeliest first, by prefix beam search (Hannun et al.
 * 2014); see `ctc_beam`. */
hw_status beam(hw_work *work, const Frames *frames, Labels readings[WIDTH], int *count) {
    const int64_t blank = frames->classes - 1;
    Node root = {0};
    Reading best[WIDTH] = {{.node = &root, .in_label = -INFINITY}};
    Reading *continued = TAKE(&work->scratch, Reading, WIDTH * (size_t)(blank + 1));
    *count = 1;
    NEED(work, continued);
    for (int64_t number = 0; number < frames->count; number++) {
        continue_readings(frame_at(frames, number), blank, best, count, continued);
        for (int i = 0; i < *count; i++)
            if (!best[i].node) TRY(add_node(work, best + i));
    }
    for (int i = 0; i < *count; i++) {
        const Node *node = best[i].node;
        readings[i] = (Labels){TAKE(&work->scratch, int64_t, (size_t)node->depth + 1), node->depth};
        NEED(work, readings[i].labels);
        for (; node->before; node = node->before) readings[i].labels[node->depth - 1] = node->label;
    }
    return HW_OK;
}
